//! The line of a sequence: stitched from its tiles' pieces where there are some, drawn through
//! its images where there are none, broken where tiles are missing.

use hashbrown::{HashMap, HashSet};
use tilesight_tile::{GridPoint, TileId};

use super::stitch::{Fragment, stitch};
use crate::schema::{DATA_ZOOM, SEQUENCE_MIN_ZOOM};

/// Where an image stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) point: GridPoint,
    pub(crate) tile: TileId,
}

/// Vertices as columns and rows.
pub(crate) type Vertices<'a> = (&'a [u32], &'a [u32]);

/// One run of vertices, and the tile it lies on.
pub(crate) type Run<'a> = (TileId, Vertices<'a>);

/// Where a part comes in the sequence: the first image on its tile, then the tile, then the order
/// of the pieces.
type Position = (usize, TileId, usize);

/// Draws the parts of a line, each of at least two different vertices, in capture order.
///
/// `images` are in capture order; `is_held_between` tells whether nothing is missing between two
/// positions.
pub(crate) fn lines_of(
    images: &[Place],
    runs: &[Run<'_>],
    is_held_between: impl Fn(GridPoint, GridPoint) -> bool,
) -> Vec<Vec<GridPoint>> {
    let mut parts = stitched(images, runs);
    parts.extend(drawn_through_images(images, runs, is_held_between));
    parts.sort_unstable_by_key(|(position, _)| *position);
    let lines = parts.into_iter().map(|(_, mut line)| {
        line.dedup();
        line
    });
    lines.filter(|line| line.len() > 1).collect()
}

fn stitched(images: &[Place], runs: &[Run<'_>]) -> Vec<(Position, Vec<GridPoint>)> {
    if runs.is_empty() {
        return Vec::new();
    }
    let mut first_on_tile = HashMap::new();
    for (i, image) in images.iter().enumerate() {
        first_on_tile.entry(image.tile).or_insert(i);
    }
    let first_image = |tile| first_on_tile.get(&tile).copied().unwrap_or(usize::MAX);
    let mut fragments: Vec<(Position, Fragment<'_>)> = runs
        .iter()
        .enumerate()
        .map(|(i, &(tile, (xs, ys)))| ((first_image(tile), tile, i), Fragment { tile, xs, ys }))
        .collect();
    fragments.sort_unstable_by_key(|(position, _)| *position);
    let (positions, fragments): (Vec<_>, Vec<_>) = fragments.into_iter().unzip();
    stitch(&fragments)
        .into_iter()
        .map(|chain| (positions[chain[0]], joined(&chain, &fragments)))
        .collect()
}

/// The vertices of a chain. Where one fragment goes on from another, its first vertex is the
/// other's last, give or take a pixel, and is left out.
fn joined(chain: &[usize], fragments: &[Fragment<'_>]) -> Vec<GridPoint> {
    let mut line = Vec::new();
    for &i in chain {
        let Fragment { xs, ys, .. } = fragments[i];
        let already_there = usize::from(!line.is_empty());
        let vertices = xs.iter().zip(ys).map(|(&x, &y)| GridPoint { x, y });
        line.extend(vertices.skip(already_there));
    }
    line
}

/// Parts through the images on tiles that hold no piece of the line. Where a tile of the data zoom
/// is not held, as where images were imported, a shallower one may hold a piece.
fn drawn_through_images(
    images: &[Place],
    runs: &[Run<'_>],
    is_held_between: impl Fn(GridPoint, GridPoint) -> bool,
) -> Vec<(Position, Vec<GridPoint>)> {
    let tiles_with_line: HashSet<TileId> = runs.iter().map(|(tile, _)| *tile).collect();
    let is_any_shallow = tiles_with_line.iter().any(|tile| tile.z() < DATA_ZOOM);
    let has_shallow_piece = |image: &Place| {
        let mut above = (SEQUENCE_MIN_ZOOM..DATA_ZOOM).filter_map(|z| image.tile.ancestor(z));
        is_any_shallow
            && !is_held_between(image.point, image.point)
            && above.any(|tile| tiles_with_line.contains(&tile))
    };
    let needs_line =
        |image: &Place| !tiles_with_line.contains(&image.tile) && !has_shallow_piece(image);
    let numbered: Vec<(usize, &Place)> = images.iter().enumerate().collect();
    let follows = |a: &(usize, &Place), b: &(usize, &Place)| {
        needs_line(a.1)
            && needs_line(b.1)
            && (a.1.tile == b.1.tile || is_held_between(a.1.point, b.1.point))
    };
    numbered
        .chunk_by(follows)
        .filter(|part| part.len() > 1)
        .map(|part| {
            let line = part.iter().map(|(_, image)| image.point).collect();
            ((part[0].0, part[0].1.tile, 0), line)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: u32 = 1 << 18;

    fn image(x: u32, y: u32) -> Place {
        let point = GridPoint { x, y };
        Place {
            point,
            tile: TileId::containing(14, point),
        }
    }

    #[track_caller]
    fn check(images: &[Place], runs: &[Run<'_>], held: bool, expected: &[&[(u32, u32)]]) {
        let lines = lines_of(images, runs, |_, _| held);
        let lines: Vec<Vec<(u32, u32)>> = lines
            .iter()
            .map(|line| line.iter().map(|p| (p.x, p.y)).collect())
            .collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn images_are_joined_where_everything_is_held() {
        let images = [image(10, 10), image(SIDE + 5, 10), image(SIDE + 9, 10)];
        check(
            &images,
            &[],
            true,
            &[&[(10, 10), (SIDE + 5, 10), (SIDE + 9, 10)]],
        );
    }

    #[test]
    fn a_gap_is_never_bridged() {
        let images = [
            image(10, 10),
            image(20, 10),
            image(5 * SIDE, 10),
            image(5 * SIDE, 20),
        ];
        let (near, far) = ([(10, 10), (20, 10)], [(5 * SIDE, 10), (5 * SIDE, 20)]);
        check(&images, &[], false, &[&near, &far]);
    }

    #[test]
    fn images_in_one_place_make_no_line() {
        check(&[image(10, 10), image(10, 10)], &[], true, &[]);
    }

    #[test]
    fn images_on_tiles_that_are_not_held_have_the_piece_of_a_shallow_tile() {
        let images = [image(10, 10), image(20, 10)];
        let shallow = TileId::new(10, 0, 0).unwrap();
        let runs: [Run<'_>; 1] = [(shallow, (&[8, 25], &[10, 10]))];
        let (piece, drawn) = ([(8, 10), (25, 10)], [(10, 10), (20, 10)]);
        check(&images, &runs, false, &[&piece]);
        check(&images, &runs, true, &[&drawn, &piece]);
        let elsewhere: [Run<'_>; 1] = [(TileId::new(10, 1, 0).unwrap(), runs[0].1)];
        check(&images, &elsewhere, false, &[&drawn, &piece]);
    }

    #[test]
    fn pieces_come_before_images_and_in_capture_order() {
        let tile = |x| TileId::new(14, x, 0).unwrap();
        let images = [
            image(2 * SIDE + 1, 9),
            image(2 * SIDE + 2, 9),
            image(10, 10),
            image(20, 10),
        ];
        let runs: [Run<'_>; 2] = [
            (tile(0), (&[8, 25], &[10, 10])),
            (tile(5), (&[5 * SIDE, 5 * SIDE + 3], &[1, 1])),
        ];
        let drawn = [(2 * SIDE + 1, 9), (2 * SIDE + 2, 9)];
        check(
            &images,
            &runs,
            true,
            &[
                &drawn,
                &[(8, 10), (25, 10)],
                &[(5 * SIDE, 1), (5 * SIDE + 3, 1)],
            ],
        );
    }
}
