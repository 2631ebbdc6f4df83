//! The street network: a lattice of crossings bent into roads, the same wherever it is asked from.
//!
//! Crossings are numbered over the whole world. Every eighth line of the lattice is a main road
//! and exists everywhere; the streets between are there as far as a place is built up. Positions
//! are in pixels of image tiles, counted from the north-western corner of the world.

use crate::random::{hash, topic, unit};
use crate::world::{Cell, TILE_PIXELS, World};

/// Crossings along a tile's side.
pub(crate) const CROSSINGS_A_TILE: u32 = 8;

/// Distance between neighbouring crossings before they are bent.
const STREET_PIXELS: f64 = (TILE_PIXELS / CROSSINGS_A_TILE) as f64;

/// Distance that every crossing keeps from the edge of the world's square, so that images beside
/// the road stay within it too.
const MARGIN_PIXELS: f64 = 64.0;

/// Which line within a tile is a main road.
const MAIN_LINE: u32 = CROSSINGS_A_TILE / 2;

/// Images at home in a tile that is fully built up.
const BUILT_UP_IMAGES: f64 = 1_500.0;

/// How far roads swing, and over how many crossings: country bends, town bends, crooked corners.
const BENDS: [(f64, u32); 3] = [(900.0, 32), (220.0, 8), (80.0, 1)];

/// So many crossings away lies more than all bends, and the room beside the road, can move one.
pub(crate) const SWING_CROSSINGS: u32 = 3;

const _: () = assert!(
    BENDS[0].0 + BENDS[1].0 + BENDS[2].0 + MARGIN_PIXELS < SWING_CROSSINGS as f64 * STREET_PIXELS
);

/// A position in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub x: f64,
    pub y: f64,
}

/// A crossing, by its column and row in the lattice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crossing {
    pub column: u32,
    pub row: u32,
}

impl Crossing {
    /// The crossing as far beyond `middle` as this one is before it.
    pub const fn opposite(self, middle: Self) -> Self {
        Self {
            column: 2 * middle.column - self.column,
            row: 2 * middle.row - self.row,
        }
    }
}

/// The roads of a world.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roads<'a>(pub &'a World);

impl Roads<'_> {
    /// Finds the crossing's position: its place in the lattice, swung aside by the bends, yet
    /// never out of the world's square.
    pub fn position(self, at: Crossing) -> Point {
        let along = |axis: u64, line: u32, first_tile: u32| {
            let straight = f64::from(line) * STREET_PIXELS;
            let first = f64::from(first_tile) * f64::from(TILE_PIXELS);
            let last = first + f64::from(self.0.side) * f64::from(TILE_PIXELS);
            let room = (straight - first).min(last - straight) - MARGIN_PIXELS;
            straight + self.swing(axis, at).clamp(-0.8 * room, 0.8 * room)
        };
        Point {
            x: along(0, at.column, self.0.first_x),
            y: along(1, at.row, self.0.first_y),
        }
    }

    /// The crossings that a road leads to from here: north, east, south, west.
    pub fn neighbours(self, at: Crossing) -> impl Iterator<Item = Crossing> {
        let Crossing { column, row } = at;
        let leads_to = |column: u32, row: u32, axis: u64, from: Crossing| {
            let to = Crossing { column, row };
            (self.holds(to) && self.is_road(from, axis)).then_some(to)
        };
        let north = Crossing {
            column,
            row: row - 1,
        };
        let west = Crossing {
            column: column - 1,
            row,
        };
        [
            leads_to(column, row - 1, 1, north),
            leads_to(column + 1, row, 0, at),
            leads_to(column, row + 1, 1, at),
            leads_to(column - 1, row, 0, west),
        ]
        .into_iter()
        .flatten()
    }

    /// Moves a crossing that no street touches to the main road of its tile.
    pub fn nearest_road(self, at: Crossing) -> Crossing {
        if self.neighbours(at).next().is_some() {
            return at;
        }
        Crossing {
            column: at.column - at.column % CROSSINGS_A_TILE + MAIN_LINE,
            row: at.row,
        }
    }

    /// Tells whether a crossing lies inside the world's square; those on its edge do not.
    fn holds(self, at: Crossing) -> bool {
        let within = |line: u32, first_tile: u32| {
            let first = first_tile * CROSSINGS_A_TILE;
            first < line && line < first + self.0.side * CROSSINGS_A_TILE
        };
        within(at.column, self.0.first_x) && within(at.row, self.0.first_y)
    }

    /// Tells whether the lattice's edge from a crossing eastwards (axis 0) or southwards (1) is a
    /// road.
    fn is_road(self, from: Crossing, axis: u64) -> bool {
        let line = if axis == 0 { from.row } else { from.column };
        if line % CROSSINGS_A_TILE == MAIN_LINE {
            return true;
        }
        let draw = unit(hash(&[
            self.0.seed,
            topic::STREETS,
            axis,
            from.column as u64,
            from.row as u64,
        ]));
        draw < 0.9 * self.built_up(from)
    }

    /// How far the tile of a crossing is built up, from 0 to 1.
    fn built_up(self, at: Crossing) -> f64 {
        let tile = |line: u32, first: u32| {
            (line / CROSSINGS_A_TILE)
                .saturating_sub(first)
                .min(self.0.side - 1)
        };
        let (column, row) = (
            tile(at.column, self.0.first_x),
            tile(at.row, self.0.first_y),
        );
        let images = self.0.images_of(Cell(row * self.0.side + column));
        ((images.end - images.start) as f64 / BUILT_UP_IMAGES).min(1.0)
    }

    /// How far the bends move a crossing along an axis.
    fn swing(self, axis: u64, at: Crossing) -> f64 {
        let bends = BENDS.into_iter().zip(0u64..);
        bends
            .map(|((pixels, period), bend)| pixels * self.noise([axis, bend], at, period))
            .sum()
    }

    /// Smooth noise from −1 to 1 that changes over `period` crossings.
    fn noise(self, key: [u64; 2], at: Crossing, period: u32) -> f64 {
        let (column, row) = (at.column / period, at.row / period);
        let corner = |right: u32, down: u32| {
            let place = [(column + right) as u64, (row + down) as u64];
            2.0 * unit(hash(&[
                self.0.seed,
                topic::BENDS,
                key[0],
                key[1],
                place[0],
                place[1],
            ])) - 1.0
        };
        if period == 1 {
            return corner(0, 0);
        }
        let (right, down) = (
            ease(at.column % period, period),
            ease(at.row % period, period),
        );
        let north = blend(corner(0, 0), corner(1, 0), right);
        let south = blend(corner(0, 1), corner(1, 1), right);
        blend(north, south, down)
    }
}

/// A smooth step from 0 to 1 over a period.
fn ease(step: u32, period: u32) -> f64 {
    let t = f64::from(step) / f64::from(period);
    t * t * (3.0 - 2.0 * t)
}

fn blend(from: f64, to: f64, share: f64) -> f64 {
    from + (to - from) * share
}
