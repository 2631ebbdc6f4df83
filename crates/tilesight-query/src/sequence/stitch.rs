//! Joins the pieces of a sequence's line that its tiles hold.
//!
//! A tile holds the part of a line that lies on it, clipped at its edges, vertices in capture
//! order. Where one piece ends on an edge and another begins there in the tile beyond, they are
//! one line. Nothing else is joined: a gap is missing data.

use tilesight_tile::{GridPoint, TileId};

/// Pixels along the side of the tiles that hold lines.
const PIXELS: u64 = 4096;

/// Of so many pieces that start within one pixel of another's end and in one column, the rest is
/// ignored, or a hostile tile could make the search quadratic.
const MAX_CANDIDATES: usize = 64;

/// One unbroken run of vertices in one tile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fragment<'a> {
    pub(crate) tile: TileId,
    pub(crate) xs: &'a [u32],
    pub(crate) ys: &'a [u32],
}

impl Fragment<'_> {
    fn start(&self) -> GridPoint {
        GridPoint {
            x: self.xs[0],
            y: self.ys[0],
        }
    }

    fn end(&self) -> GridPoint {
        GridPoint {
            x: self.xs[self.xs.len() - 1],
            y: self.ys[self.ys.len() - 1],
        }
    }
}

/// Chains fragments, each of at least one vertex, into lines.
///
/// Returns the numbers of the fragments of each line in the line's order; every fragment is in
/// one line. Lines come in the order of their first fragments.
pub(crate) fn stitch(fragments: &[Fragment<'_>]) -> Vec<Vec<usize>> {
    let next = successors(fragments);
    let mut is_continuation = vec![false; fragments.len()];
    for &fragment in next.iter().flatten() {
        is_continuation[fragment] = true;
    }
    let mut taken = vec![false; fragments.len()];
    let starts = (0..fragments.len()).filter(|&fragment| !is_continuation[fragment]);
    // A closed loop has no start; it is cut before its first fragment.
    let mut lines = Vec::new();
    for first in starts.chain(0..fragments.len()) {
        let line = chain_from(first, &next, &mut taken);
        if !line.is_empty() {
            lines.push(line);
        }
    }
    lines.sort_unstable_by_key(|line| line[0]);
    lines
}

fn chain_from(first: usize, next: &[Option<usize>], taken: &mut [bool]) -> Vec<usize> {
    let mut line = Vec::new();
    let mut at = Some(first);
    while let Some(fragment) = at
        && !taken[fragment]
    {
        taken[fragment] = true;
        line.push(fragment);
        at = next[fragment];
    }
    line
}

/// For each fragment the one that goes on where it ends, if there is one; no fragment goes on
/// from two.
fn successors(fragments: &[Fragment<'_>]) -> Vec<Option<usize>> {
    let starts = Starts::of(fragments);
    let mut is_taken = vec![false; fragments.len()];
    let mut successors = vec![None; fragments.len()];
    for (i, fragment) in fragments.iter().enumerate() {
        if !on_edge(fragment, fragment.end()) {
            continue;
        }
        let nearest = starts
            .near(fragment)
            .filter(|&start| start != i && !is_taken[start])
            .filter(|&start| are_neighbours(fragment.tile, fragments[start].tile))
            .filter(|&start| is_within_a_pixel(fragment, &fragments[start]))
            .min_by_key(|&start| (gap(fragment.end(), fragments[start].start()), start));
        if let Some(start) = nearest {
            is_taken[start] = true;
            successors[i] = Some(start);
        }
    }
    successors
}

/// The fragments that start on an edge, by column in pixels, then by row.
struct Starts(Vec<(u32, u32, usize)>);

impl Starts {
    fn of(fragments: &[Fragment<'_>]) -> Self {
        let mut starts: Vec<_> = fragments
            .iter()
            .enumerate()
            .filter(|(_, fragment)| on_edge(fragment, fragment.start()))
            .map(|(i, fragment)| {
                (
                    fragment.start().x / pixel_of(fragment.tile),
                    fragment.start().y,
                    i,
                )
            })
            .collect();
        starts.sort_unstable();
        Self(starts)
    }

    /// Those that start within a pixel of where `fragment` ends.
    fn near(&self, fragment: &Fragment<'_>) -> impl Iterator<Item = usize> + '_ {
        let (end, pixel) = (fragment.end(), pixel_of(fragment.tile));
        let column = end.x / pixel;
        let (north, south) = (end.y.saturating_sub(pixel), end.y.saturating_add(pixel));
        (column.saturating_sub(1)..=column.saturating_add(1)).flat_map(move |column| {
            let first = self
                .0
                .partition_point(|&(x, y, _)| (x, y) < (column, north));
            self.0[first..]
                .iter()
                .take_while(move |&&(x, y, _)| x == column && y <= south)
                .take(MAX_CANDIDATES)
                .map(|&(_, _, i)| i)
        })
    }
}

fn pixel_of(tile: TileId) -> u32 {
    (tile.side() / PIXELS).max(1) as u32
}

fn is_within_a_pixel(fragment: &Fragment<'_>, next: &Fragment<'_>) -> bool {
    let (end, start, pixel) = (fragment.end(), next.start(), pixel_of(fragment.tile));
    end.x.abs_diff(start.x) <= pixel && end.y.abs_diff(start.y) <= pixel
}

fn gap(a: GridPoint, b: GridPoint) -> u64 {
    u64::from(a.x.abs_diff(b.x)) + u64::from(a.y.abs_diff(b.y))
}

/// Tells whether a position lies on the edge of the fragment's tile. The far edges are the
/// first column and row of the tiles beyond; at the end of the world they are the last ones.
fn on_edge(fragment: &Fragment<'_>, point: GridPoint) -> bool {
    let bounds = fragment.tile.grid_box();
    point.x <= bounds.min_x
        || point.y <= bounds.min_y
        || point.x >= bounds.max_x
        || point.y >= bounds.max_y
}

/// Tells whether two tiles of one zoom share an edge or a corner.
fn are_neighbours(a: TileId, b: TileId) -> bool {
    a != b && a.z() == b.z() && a.x().abs_diff(b.x()) <= 1 && a.y().abs_diff(b.y()) <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: u32 = 1 << 18;

    /// Fragments of a row of tiles at zoom 14; x in pixels from the first tile's left edge.
    #[track_caller]
    fn check(fragments: &[(u32, &[(u32, u32)])], expected: &[&[usize]]) {
        let coordinates: Vec<(Vec<u32>, Vec<u32>)> = fragments
            .iter()
            .map(|(_, vertices)| vertices.iter().map(|(x, y)| (x * 64, y * 64)).unzip())
            .collect();
        let fragments: Vec<_> = fragments
            .iter()
            .zip(&coordinates)
            .map(|((column, _), (xs, ys))| Fragment {
                tile: TileId::new(14, *column, 0).unwrap(),
                xs,
                ys,
            })
            .collect();
        assert_eq!(stitch(&fragments), expected);
        assert_eq!(SIDE, 4096 * 64);
    }

    #[test]
    fn a_line_goes_on_in_the_next_tile() {
        check(
            &[
                (0, &[(100, 50), (4096, 60)]),
                (1, &[(4096, 61), (5000, 70)]),
            ],
            &[&[0, 1]],
        );
    }

    #[test]
    fn order_of_pieces_does_not_matter() {
        check(
            &[
                (1, &[(4096, 61), (5000, 70)]),
                (0, &[(100, 50), (4096, 60)]),
            ],
            &[&[1, 0]],
        );
    }

    #[test]
    fn pieces_two_pixels_apart_are_not_joined() {
        check(
            &[
                (0, &[(100, 50), (4096, 60)]),
                (1, &[(4096, 62), (5000, 70)]),
            ],
            &[&[0], &[1]],
        );
    }

    #[test]
    fn pieces_that_end_inside_a_tile_are_not_joined() {
        check(
            &[
                (0, &[(100, 50), (4000, 60)]),
                (0, &[(4000, 60), (4050, 70)]),
            ],
            &[&[0], &[1]],
        );
    }

    #[test]
    fn a_line_out_and_back_is_one() {
        check(
            &[
                (0, &[(100, 50), (4096, 60)]),
                (0, &[(4096, 80), (100, 90)]),
                (1, &[(4096, 60), (5000, 70), (4096, 80)]),
            ],
            &[&[0, 2, 1]],
        );
    }

    #[test]
    fn a_closed_loop_is_cut_once() {
        check(
            &[
                (0, &[(4096, 80), (100, 90), (4096, 60)]),
                (1, &[(4096, 60), (5000, 70), (4096, 80)]),
            ],
            &[&[0, 1]],
        );
    }

    #[test]
    fn an_end_is_joined_once() {
        check(
            &[
                (0, &[(100, 50), (4096, 60)]),
                (0, &[(200, 50), (4096, 60)]),
                (1, &[(4096, 60), (5000, 70)]),
            ],
            &[&[0, 2], &[1]],
        );
    }
}
