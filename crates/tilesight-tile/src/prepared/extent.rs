//! Where on the grid a region lies.

use super::frame::Degrees;
use crate::GridBox;
use crate::bbox::{columns_within, rows_within};

/// Longitudes are looked for this much further out, in degrees, than rounding can move them when
/// whole turns are added.
const LON_MARGIN: f64 = 1e-9;

/// Rectangles around the parts of a region, of which none shares a longitude with the one before.
///
/// They stay in degrees until all are known: to find the rows of a latitude costs more than all
/// else that is done with a small ring.
#[derive(Default)]
pub struct Extent(Vec<Degrees>);

impl Extent {
    pub fn add(&mut self, part: Degrees) {
        match self.0.last_mut() {
            Some(last) if last.west <= part.east && part.west <= last.east => {
                *last = last.union(part);
            }
            _ => self.0.push(part),
        }
    }

    /// The one box around all parts, or the two that leave out the widest range of longitudes.
    pub fn boxes(mut self) -> Vec<GridBox> {
        self.0.sort_unstable_by(|a, b| a.west.total_cmp(&b.west));
        let Some(first) = self.0.first() else {
            return Vec::new();
        };
        let (mut reach, mut widest, mut split) = (first.east, 0.0, 0);
        for (at, next) in self.0.iter().enumerate() {
            if next.west - reach > widest {
                (widest, split) = (next.west - reach, at);
            }
            reach = reach.max(next.east);
        }
        let around_the_antimeridian = (first.west + 180.0).max(0.0) + (180.0 - reach).max(0.0);
        if widest <= around_the_antimeridian {
            split = 0;
        }
        let (west, east) = self.0.split_at(split);
        [west, east]
            .into_iter()
            .filter_map(|parts| grid_box(&around(parts)))
            .collect()
    }
}

fn around(parts: &[Degrees]) -> Degrees {
    parts
        .iter()
        .fold(Degrees::NONE, |all, &part| all.union(part))
}

/// The grid positions within a rectangle, if there are any, and perhaps a few more.
pub fn grid_box(within: &Degrees) -> Option<GridBox> {
    let west = (within.west - LON_MARGIN).max(-180.0);
    let east = (within.east + LON_MARGIN).min(180.0);
    let (min_x, max_x) = columns_within(west, east)?;
    let (min_y, max_y) = rows_within(within.south, within.north)?;
    Some(GridBox {
        min_x,
        min_y,
        max_x,
        max_y,
    })
}
