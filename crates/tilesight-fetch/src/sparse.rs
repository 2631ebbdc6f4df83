//! Which tiles lie away from every line of a shallower zoom, so that they may well be left out.
//!
//! # What shallow tiles tell, and what they do not
//!
//! At zooms 6 to 13 the service draws the lines of sequences. Where there is a line there are
//! images; where there is none there may be images all the same: a sequence whose images share one
//! pixel has no line, at zoom [`ZOOM`] less so than above, and a line is simplified. The
//! `overview` of zooms 0 to 5 is a thinned sample of images and tells even less. So a shallow tile
//! never proves a tile empty.
//!
//! Therefore a tile that is left out is left out of the ledger, too: the store knows nothing of
//! it, exactly as if it had not been asked for, and a question that touches it is told so. It is
//! never recorded as empty. And it is asked for after all where a line comes within
//! [`MARGIN`] of it, or where a shallow tile around it could not be had or holds anything odd.

use std::collections::HashSet;

use tilesight_mvt::{Columns, Decoder, LayerSchema, Part, TileFrame};
use tilesight_tile::TileId;

/// Zoom at which lines are looked at: a sixteenth of the requests, and a pixel of 2.4 m.
pub(crate) const ZOOM: u8 = 12;

/// Zoom of the tiles that may be left out.
const DATA_ZOOM: u8 = crate::Tileset::DATA_ZOOM;

/// How near a line has to come, in grid units: an eighth of a tile's side, 300 m at the equator.
const MARGIN: i64 = (1 << (32 - DATA_ZOOM)) / 8;

/// How closely a line is followed, in grid units: what it comes within half of [`MARGIN`] of is found.
const STEP: i64 = MARGIN / 4;

/// The layer of lines.
const LAYER: &str = "sequence";

/// Tiles at zoom [`ZOOM`] that show all there is within [`MARGIN`] of a tile: one to four.
pub(crate) fn shallow_around(tile: TileId) -> impl Iterator<Item = TileId> {
    let bounds = tile.grid_box();
    let x = [bounds.min_x, bounds.max_x].map(i64::from);
    let y = [bounds.min_y, bounds.max_y].map(i64::from);
    tiles_around(ZOOM, x, y)
}

/// The tiles of a zoom that lie within [`MARGIN`] of a box on the grid.
fn tiles_around(z: u8, x: [i64; 2], y: [i64; 2]) -> impl Iterator<Item = TileId> {
    let number = move |at: i64| at >> (32 - z);
    let side = 1 << z;
    let (first, last) = (number(y[0] - MARGIN).max(0), number(y[1] + MARGIN));
    (first..=last.min(side - 1)).flat_map(move |row| {
        let columns = number(x[0] - MARGIN)..=number(x[1] + MARGIN);
        // Columns go around the globe.
        columns.filter_map(move |column| {
            TileId::new(z, column.rem_euclid(side) as u32, row as u32).ok()
        })
    })
}

/// What the shallow tiles of a region show.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Tiles that a line comes near to.
    near: HashSet<TileId>,
    /// Shallow tiles that are there and understood.
    known: HashSet<TileId>,
    decoder: Decoder,
    columns: Columns,
}

impl Lines {
    /// Takes note of the lines of a shallow tile; what is odd about it lets it count as unknown.
    pub(crate) fn add(&mut self, shallow: TileId, bytes: &[u8]) {
        if self.read(shallow, bytes).is_some() {
            self.known.insert(shallow);
        }
    }

    /// Whether a tile is worth a request: a line comes near to it, or nobody knows.
    pub(crate) fn may_pass(&self, tile: TileId) -> bool {
        self.near.contains(&tile)
            || shallow_around(tile).any(|around| !self.known.contains(&around))
    }

    fn read(&mut self, shallow: TileId, bytes: &[u8]) -> Option<()> {
        let tile = self.decoder.tile(bytes).ok()?;
        if tile.layers().is_empty() {
            return Some(());
        }
        let layer = tile.layer(LAYER).filter(|_| tile.repeated_names() == 0)?;
        let schema = LayerSchema { keys: &[] };
        let decoded = layer.decode(&schema, frame_of(shallow), &mut self.columns);
        decoded
            .ok()
            .filter(|()| self.columns.skipped().count == 0)?;
        let rows = 0..self.columns.len();
        let mut parts = rows.flat_map(|row| self.columns.lines().parts(row));
        parts.try_for_each(|Part { x, y }| {
            let vertices = x.iter().zip(y).map(|(&x, &y)| [x, y].map(i64::from));
            follow(shallow, vertices, |[x, y]| {
                self.near.extend(tiles_around(DATA_ZOOM, [x; 2], [y; 2]));
            })
        })
    }
}

fn frame_of(tile: TileId) -> TileFrame {
    let origin = tile.origin();
    TileFrame {
        origin_x: origin.x,
        origin_y: origin.y,
        side: tile.side(),
    }
}

/// Visits points along a line of a tile, each at most two [`STEP`]s from the next; none where the
/// line leaves the surroundings of its tile, as no sound one does.
fn follow(
    tile: TileId,
    vertices: impl Iterator<Item = [i64; 2]>,
    mut visit: impl FnMut([i64; 2]),
) -> Option<()> {
    let bounds = tile.grid_box();
    let is_around = |at: i64, min: u32, max: u32| {
        (i64::from(min) - MARGIN..=i64::from(max) + MARGIN).contains(&at)
    };
    let (mut before, mut visited) = (None, None);
    for at in vertices {
        if !is_around(at[0], bounds.min_x, bounds.max_x)
            || !is_around(at[1], bounds.min_y, bounds.max_y)
        {
            return None;
        }
        let from: [i64; 2] = before.replace(at).unwrap_or(at);
        let way = [at[0] - from[0], at[1] - from[1]];
        let steps = way[0].abs().max(way[1].abs()) / STEP + 1;
        for step in 1..=steps {
            let point = [0, 1].map(|axis| from[axis] + way[axis] * step / steps);
            // Lines have many vertices close together.
            let cell = point.map(|at| at / STEP);
            if visited.replace(cell) != Some(cell) {
                visit(point);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tilesight_mvt::writer::{LayerWriter, TileWriter};

    use super::*;

    /// Tiles below `shallow()` are those of columns and rows 0 to 3 from here.
    const FIRST: (u32, u32) = (9324, 4740);

    fn shallow() -> TileId {
        tile(0, 0).ancestor(ZOOM).unwrap()
    }

    fn tile(column: i64, row: i64) -> TileId {
        let at = |first: u32, by: i64| (i64::from(first) + by) as u32;
        TileId::new(DATA_ZOOM, at(FIRST.0, column), at(FIRST.1, row)).unwrap()
    }

    /// A shallow tile of lines, in its pixels; 1024 of them are the side of a tile below.
    fn drawn(lines: &[Vec<(i32, i32)>]) -> Vec<u8> {
        let mut layer = LayerWriter::new(LAYER);
        for line in lines {
            layer.lines(&[line], &[]);
        }
        let mut tile = TileWriter::new();
        tile.push(layer);
        tile.finish()
    }

    /// What is known when all of the surroundings are empty, but for the tile of these bytes.
    fn lines(bytes: &[u8]) -> Lines {
        let mut lines = Lines::default();
        for column in [-1, 0, 4] {
            for row in [-1, 0, 4] {
                let around = tile(column, row).ancestor(ZOOM).unwrap();
                let is_middle = around == shallow();
                lines.add(around, if is_middle { bytes } else { &[] });
            }
        }
        lines
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: &[(i64, i64)]) {
        let lines = lines(bytes);
        let all = (0..4).flat_map(|row| (0..4).map(move |column| (column, row)));
        let passed: Vec<_> = all.filter(|&(x, y)| lines.may_pass(tile(x, y))).collect();
        assert_eq!(passed, expected);
    }

    #[test]
    fn tiles_near_a_line_are_worth_a_request() {
        check(&[], &[]);
        check(&drawn(&[vec![(1500, 500), (1600, 500)]]), &[(1, 0)]);
        // Within an eighth of the side of a border both sides count, at a corner all four.
        check(&drawn(&[vec![(1500, 950), (1600, 950)]]), &[(1, 0), (1, 1)]);
        let corner = [(1, 1), (2, 1), (1, 2), (2, 2)];
        check(&drawn(&[vec![(2040, 2040), (2050, 2041)]]), &corner);
        let across = [(0, 1), (1, 1), (2, 1), (3, 1)];
        check(&drawn(&[vec![(0, 1500), (4096, 1500)]]), &across);
    }

    #[test]
    fn lines_of_a_neighbour_count_near_the_border() {
        let mut lines = Lines::default();
        let west = tile(-1, 0).ancestor(ZOOM).unwrap();
        for around in shallow_around(tile(0, 1)) {
            let line = drawn(&[vec![(4090, 1500), (4092, 1500)]]);
            lines.add(around, if around == west { &line } else { &[] });
        }
        assert!(lines.may_pass(tile(0, 1)));
    }

    #[test]
    fn what_nobody_knows_is_asked_for() {
        let nothing = Lines::default();
        assert!(nothing.may_pass(tile(0, 0)));
        let all: Vec<_> = (0..4).flat_map(|y| (0..4).map(move |x| (x, y))).collect();
        let mut filler = TileWriter::new();
        filler.push(LayerWriter::new("water"));
        let far = drawn(&[vec![(1500, 500), (90_000, 500)]]);
        let still = drawn(&[vec![(1500, 500), (1500, 500)]]);
        for odd in [&b"no tile"[..], &filler.finish(), &far, &still] {
            check(odd, &all);
        }
    }

    #[test]
    fn surroundings_go_around_the_globe_and_end_at_the_poles() {
        let corner = TileId::new(DATA_ZOOM, 0, 0).unwrap();
        let around: Vec<_> = shallow_around(corner)
            .map(|tile| tile.to_string())
            .collect();
        assert_eq!(around, ["12/4095/0", "12/0/0"]);
        assert_eq!(shallow_around(tile(1, 1)).count(), 1);
        assert_eq!(shallow_around(tile(0, 0)).count(), 4);
    }

    proptest! {
        /// The slow twin: each pixel of a line, and the tiles around it.
        #[test]
        fn no_pixel_of_a_line_lies_in_a_tile_that_is_left_out(
            line in prop::collection::vec((0_i32..=4095, 0_i32..=4095), 2..6)
        ) {
            prop_assume!(line.windows(2).all(|pair| pair[0] != pair[1]));
            let lines = lines(&drawn(std::slice::from_ref(&line)));
            for pair in line.windows(2) {
                let ((x, y), (to_x, to_y)) = (pair[0], pair[1]);
                for step in 0..=4096 {
                    let at = |from: i32, to: i32| i64::from(from + (to - from) * step / 4096);
                    let within = tile(at(x, to_x) / 1024, at(y, to_y) / 1024);
                    prop_assert!(lines.may_pass(within), "{within}");
                }
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            lines(&bytes);
        }
    }
}
