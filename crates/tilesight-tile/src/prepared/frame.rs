//! Boxes of grid positions in degrees, in which edges are straight.

use std::f64::consts::TAU;

use crate::GridBox;
use crate::grid::{GRID_SIDE, lat_of_edge, lat_of_y, lon_of_x};
use crate::predicates::Edge;

/// Covers what rounding does to longitudes when whole turns are added: a hundredth of a column.
const LON_MARGIN: f64 = 1e-9;

/// Covers what rounding does to latitudes by a parabola, in degrees.
const LAT_ROUNDING: f64 = 1e-12;

/// Covers what rounding does to the rows of latitudes, as a part of a row.
const ROW_ROUNDING: f64 = 1e-3;

/// Part of its terms by which a cross product is certainly wrong by less.
const ROUNDING: f64 = 1e-15;

/// Rows over which latitude strays from a parabola by less than a row, even at the rim.
const MAX_PARABOLA_ROWS: u32 = 1 << 20;

/// Part of a box's side up to which something reaches a small part of the box.
const THIN: f64 = 0.25;

/// A rectangle in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Degrees {
    pub west: f64,
    pub south: f64,
    pub east: f64,
    pub north: f64,
}

impl Degrees {
    /// Around nothing.
    pub const NONE: Self = Self {
        west: f64::INFINITY,
        south: f64::INFINITY,
        east: f64::NEG_INFINITY,
        north: f64::NEG_INFINITY,
    };

    pub fn union(self, other: Self) -> Self {
        // Unlike `f64::min` these are single instructions; nothing here is not a number.
        let min = |a: f64, b: f64| if a < b { a } else { b };
        let max = |a: f64, b: f64| if a > b { a } else { b };
        Self {
            west: min(self.west, other.west),
            south: min(self.south, other.south),
            east: max(self.east, other.east),
            north: max(self.north, other.north),
        }
    }
}

/// Where something lies as seen from all positions of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lies {
    /// On other rows, or to the east: no ray due west meets it.
    Apart,
    /// To the west, with nothing of it in the box: a ray crosses it where its ends are on either
    /// side of the ray's parallel.
    West,
    /// Perhaps in the box.
    Near,
}

/// A box of grid positions with a rectangle in degrees that is sure to hold them.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    pub bounds: GridBox,
    degrees: Degrees,
    /// None where there are so many rows that no parabola would do.
    parabola: Option<Parabola>,
}

/// The latitudes of the rows of a box, by a parabola through the first, the last, and one between.
#[derive(Debug, Clone, Copy)]
struct Parabola {
    north: f64,
    south: f64,
    /// How far the middle lies off the straight line from `north` to `south`.
    bulge: f64,
    /// How far off it may be.
    margin: f64,
}

impl Frame {
    pub fn new(bounds: GridBox) -> Self {
        let (south, north) = (lat_of_y(bounds.max_y), lat_of_y(bounds.min_y));
        Self {
            bounds,
            degrees: degrees_of(&bounds, south, north),
            parabola: Parabola::new(&bounds, south, north),
        }
    }

    /// The frame of a box within this one: where this has a parabola, without the latitudes of
    /// rows, which cost more than all else.
    pub fn within(&self, bounds: &GridBox) -> Self {
        let Some(parabola) = &self.parabola else {
            return Self::new(*bounds);
        };
        let parabola = parabola.within(&self.bounds, bounds);
        let Parabola {
            south,
            north,
            margin,
            ..
        } = parabola;
        Self {
            bounds: *bounds,
            degrees: degrees_of(bounds, south - margin, north + margin),
            parabola: Some(parabola),
        }
    }

    /// Tells whether of a rectangle so little lies in the box that most positions may have nothing
    /// to do with it.
    pub fn is_thin(&self, other: &Degrees) -> bool {
        let own = &self.degrees;
        let width = other.east.min(own.east) - other.west.max(own.west);
        let height = other.north.min(own.north) - other.south.max(own.south);
        width <= THIN * (own.east - own.west) || height <= THIN * (own.north - own.south)
    }

    /// The southernmost and the northernmost latitude.
    pub fn latitudes(&self) -> (f64, f64) {
        (self.degrees.south, self.degrees.north)
    }

    /// The westernmost and the easternmost longitude, and a little more.
    pub fn longitudes(&self) -> (f64, f64) {
        (self.degrees.west, self.degrees.east)
    }

    /// The longitude of an edge that runs along a meridian, past all rows of the box.
    pub fn meridian(&self, [a, b]: Edge) -> Option<f64> {
        let is_past = || {
            let around = at(a).union(at(b));
            around.south < self.degrees.south && self.degrees.north < around.north
        };
        (a[0] == b[0] && is_past()).then_some(a[0])
    }

    /// Tells whether a rectangle lies within the box's own.
    pub fn covers(&self, other: &Degrees) -> bool {
        let own = &self.degrees;
        (own.west <= other.west)
            & (other.east <= own.east)
            & (own.south <= other.south)
            & (other.north <= own.north)
    }

    /// Tells where all that lies in a rectangle lies.
    pub fn judge(&self, other: &Degrees) -> Lies {
        let own = &self.degrees;
        if (other.south > own.north) | (other.north < own.south) | (other.west > own.east) {
            Lies::Apart
        } else if other.east < own.west {
            Lies::West
        } else {
            Lies::Near
        }
    }

    /// Tells where an edge lies.
    pub fn judge_edge(&self, [a, b]: Edge) -> Lies {
        let around = Degrees::NONE.union(at(a)).union(at(b));
        match self.judge(&around) {
            // Along a meridian the rectangle is all there is.
            Lies::Near if a[0] != b[0] => {
                self.judge_line(if a[1] < b[1] { [a, b] } else { [b, a] })
            }
            lies => lies,
        }
    }

    /// Tells on which side of the line through an edge the box lies, if wholly on one.
    fn judge_line(&self, [low, high]: Edge) -> Lies {
        let own = &self.degrees;
        let (run, rise) = (high[0] - low[0], high[1] - low[1]);
        // Positive to the west of the line, negative to the east.
        let turn = |lon: f64, lat: f64| {
            let (along, across) = (run * (lat - low[1]), rise * (lon - low[0]));
            (along - across, ROUNDING * (along.abs() + across.abs()))
        };
        let (lat_west, lat_east) = if run > 0.0 {
            (own.north, own.south)
        } else {
            (own.south, own.north)
        };
        let (most, error) = turn(own.west, lat_west);
        if most < -error {
            return Lies::West;
        }
        let (least, error) = turn(own.east, lat_east);
        if least > error {
            return Lies::Apart;
        }
        Lies::Near
    }
}

impl Parabola {
    /// None over too many rows.
    fn new(bounds: &GridBox, south: f64, north: f64) -> Option<Self> {
        let rows = bounds.max_y - bounds.min_y;
        let straight = Self {
            north,
            south,
            bulge: 0.0,
            margin: LAT_ROUNDING,
        };
        if rows < 2 {
            return Some(straight);
        }
        let middle = rows / 2;
        let part = middle as f64 / rows as f64;
        let off = lat_of_y(bounds.min_y + middle) - straight.lat(part);
        (rows <= MAX_PARABOLA_ROWS).then_some(Self {
            bulge: off / (4.0 * part * (1.0 - part)),
            margin: parabola_error_deg(rows) + LAT_ROUNDING,
            ..straight
        })
    }

    /// The same parabola over a box within that of this one.
    fn within(&self, outer: &GridBox, inner: &GridBox) -> Self {
        let rows = (outer.max_y - outer.min_y).max(1) as f64;
        let part = |y: u32| (y - outer.min_y) as f64 / rows;
        let (first, last) = (part(inner.min_y), part(inner.max_y));
        Self {
            north: self.lat(first),
            south: self.lat(last),
            bulge: self.bulge * (last - first) * (last - first),
            margin: self.margin,
        }
    }

    /// The latitude at a part of the way from the first row to the last.
    fn lat(&self, part: f64) -> f64 {
        self.north + part * (self.south - self.north) + 4.0 * self.bulge * part * (1.0 - part)
    }
}

fn degrees_of(bounds: &GridBox, south: f64, north: f64) -> Degrees {
    Degrees {
        west: lon_of_x(bounds.min_x) - LON_MARGIN,
        south,
        east: lon_of_x(bounds.max_x) + LON_MARGIN,
        north,
    }
}

/// The rectangle around one position.
pub fn at([lon, lat]: [f64; 2]) -> Degrees {
    Degrees {
        west: lon,
        south: lat,
        east: lon,
        north: lat,
    }
}

/// Rows of a box, counted from its first, as linear in the latitude.
#[derive(Debug, Clone, Copy)]
pub struct RowScale {
    north: f64,
    rows_per_degree: f64,
    /// How many rows off it may be at most.
    pub slack: f64,
}

impl RowScale {
    pub fn new(frame: &Frame) -> Self {
        let bounds = &frame.bounds;
        let rows = bounds.max_y - bounds.min_y;
        let (north, south, off) = match &frame.parabola {
            Some(known) if rows > 0 => {
                let off = known.bulge.abs() + 2.0 * known.margin;
                (known.north, known.south, off)
            }
            // One row more where there is only one.
            _ => {
                let end = bounds.min_y as u64 + rows.max(1) as u64;
                (
                    lat_of_y(bounds.min_y),
                    lat_of_edge(end),
                    sagitta_deg(rows.max(1)),
                )
            }
        };
        let rows_per_degree = rows.max(1) as f64 / (north - south);
        Self {
            north,
            rows_per_degree,
            slack: off * rows_per_degree + ROW_ROUNDING,
        }
    }

    pub fn row_of(&self, lat: f64) -> f64 {
        (self.north - lat) * self.rows_per_degree
    }
}

/// Bounds how far latitude strays from linear over some rows, in degrees: by Δm²/8 times the
/// largest second derivative of the latitude by the Mercator ordinate m, |sech m · tanh m| ≤ ½.
fn sagitta_deg(rows: u32) -> f64 {
    let height = rows as f64 / GRID_SIDE * TAU;
    (height * height / 8.0 * 0.5).to_degrees()
}

/// Bounds how far latitude strays from a parabola through three of some rows, in degrees: by Δm³/40
/// times the largest third derivative, |sech m · (1 − 2 sech² m)| ≤ 1, where one of the three is
/// within the middle third.
fn parabola_error_deg(rows: u32) -> f64 {
    let height = rows as f64 / GRID_SIDE * TAU;
    (height * height * height / 40.0).to_degrees()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::GridPoint;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn frames_hold_their_positions(outer in any_box(), inner: [(u32, u32); 2], at: (u32, u32)) {
            let frame = Frame::new(outer);
            let inner = box_of(inner.map(|corner| pick(&outer, corner)));
            let point = pick(&inner, at);
            let [lon, lat] = point.degrees();
            let frames = [Frame::new(inner), frame.within(&inner), frame];
            for frame in frames {
                prop_assert_eq!(frame.judge(&super::at([lon, lat])), Lies::Near);
                let (south, north) = frame.latitudes();
                prop_assert!(south <= lat && lat <= north);
            }
        }

        #[test]
        fn rows_of_latitudes_are_off_by_the_slack_at_most(bounds in any_box(), at: (u32, u32)) {
            let around = GridBox { min_y: bounds.min_y.saturating_sub(1000), ..bounds };
            let point = pick(&bounds, at);
            for frame in [Frame::new(bounds), Frame::new(around).within(&bounds)] {
                let scale = RowScale::new(&frame);
                let row = scale.row_of(point.lat());
                prop_assert!((row - (point.y - bounds.min_y) as f64).abs() <= scale.slack);
            }
        }
    }

    /// From a single position to the world.
    fn any_box() -> impl Strategy<Value = GridBox> {
        let size = || (0u32..32).prop_map(|shift| u32::MAX >> shift);
        (any::<(u32, u32)>(), size(), size()).prop_map(|((x, y), width, height)| GridBox {
            min_x: x,
            min_y: y,
            max_x: x.saturating_add(width - 1),
            max_y: y.saturating_add(height - 1),
        })
    }

    fn pick(bounds: &GridBox, (x, y): (u32, u32)) -> GridPoint {
        let within =
            |min: u32, max: u32, at: u32| min + (at as u64 % (max as u64 - min as u64 + 1)) as u32;
        GridPoint {
            x: within(bounds.min_x, bounds.max_x, x),
            y: within(bounds.min_y, bounds.max_y, y),
        }
    }

    fn box_of([a, b]: [GridPoint; 2]) -> GridBox {
        crate::prepared::box_tree::union(&[GridBox::at(a), GridBox::at(b)])
    }
}
