//! Boxes: in degrees as people give them, and as exact ranges of grid columns and rows.

use std::f64::consts::TAU;
use std::fmt;

use crate::grid::{GRID_SIDE, lat_of_y, lon_of_x, x_of_lon, y_of_lat};
use crate::predicates::meets_box;
use crate::{Error, GridPoint, LonLat};

/// A box on the grid: inclusive ranges of columns and rows, never empty, never across the
/// antimeridian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GridBox {
    /// Westernmost column.
    pub min_x: u32,
    /// Northernmost row.
    pub min_y: u32,
    /// Easternmost column, included.
    pub max_x: u32,
    /// Southernmost row, included.
    pub max_y: u32,
}

impl GridBox {
    /// The whole Mercator square.
    pub const WORLD: Self = Self {
        min_x: 0,
        min_y: 0,
        max_x: u32::MAX,
        max_y: u32::MAX,
    };

    /// The box of a single position.
    pub const fn at(point: GridPoint) -> Self {
        Self {
            min_x: point.x,
            min_y: point.y,
            max_x: point.x,
            max_y: point.y,
        }
    }

    /// Tells whether a position lies in the box, edges included.
    pub const fn contains(&self, point: GridPoint) -> bool {
        self.min_x <= point.x
            && point.x <= self.max_x
            && self.min_y <= point.y
            && point.y <= self.max_y
    }

    /// Tells whether the two boxes share a grid position.
    pub const fn intersects(&self, other: &Self) -> bool {
        self.min_x <= other.max_x
            && other.min_x <= self.max_x
            && self.min_y <= other.max_y
            && other.min_y <= self.max_y
    }

    /// Tells whether every grid position of `other` lies in this box.
    pub const fn covers(&self, other: &Self) -> bool {
        self.min_x <= other.min_x
            && other.max_x <= self.max_x
            && self.min_y <= other.min_y
            && other.max_y <= self.max_y
    }
}

/// A box in degrees on WGS 84, edges included; `west > east` crosses the antimeridian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bbox {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

impl Bbox {
    /// The whole world.
    pub const WORLD: Self = Self {
        west: -180.0,
        south: -90.0,
        east: 180.0,
        north: 90.0,
    };

    /// Checks a box in degrees: west, south, east, north (RFC 7946, section 5).
    ///
    /// # Errors
    ///
    /// [`Error::Longitude`] or [`Error::Latitude`] when an edge is not a number or out of range,
    /// [`Error::SouthAboveNorth`] when the latitudes are the wrong way round. `west > east` is no
    /// error: the box crosses the antimeridian (RFC 7946, section 5.2).
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight_tile::{Bbox, GridPoint, LonLat};
    ///
    /// let fiji_to_samoa = Bbox::from_degrees(170.0, -20.0, -170.0, -10.0)?;
    /// let apia = GridPoint::nearest_to(LonLat::new(-171.77, -13.83)?);
    /// assert!(fiji_to_samoa.contains(apia));
    /// assert!(Bbox::from_degrees(24.95, 60.18, 24.92, 60.16).is_err());
    /// # Ok::<(), tilesight_tile::Error>(())
    /// ```
    pub fn from_degrees(west: f64, south: f64, east: f64, north: f64) -> Result<Self, Error> {
        LonLat::new(west, south)?;
        LonLat::new(east, north)?;
        if south > north {
            return Err(Error::SouthAboveNorth { south, north });
        }
        Ok(Self {
            west,
            south,
            east,
            north,
        })
    }

    /// Western edge in degrees.
    pub const fn west(&self) -> f64 {
        self.west
    }

    /// Southern edge in degrees.
    pub const fn south(&self) -> f64 {
        self.south
    }

    /// Eastern edge in degrees; less than [`west`](Self::west) across the antimeridian.
    pub const fn east(&self) -> f64 {
        self.east
    }

    /// Northern edge in degrees.
    pub const fn north(&self) -> f64 {
        self.north
    }

    /// Tells whether a grid position lies in the box: whether its degrees do, edges included.
    ///
    /// This is the definition; [`grid_boxes`](Self::grid_boxes) says the same in integers.
    pub fn contains(&self, point: GridPoint) -> bool {
        let position = point.to_lon_lat();
        let (lon, lat) = (position.lon(), position.lat());
        let in_columns = if self.west <= self.east {
            self.west <= lon && lon <= self.east
        } else {
            self.west <= lon || lon <= self.east
        };
        in_columns && self.south <= lat && lat <= self.north
    }

    /// Tells whether any part of a segment lies in the box, edges included. The ends are positions
    /// of the grid, the segment is straight in degrees and does not cross the antimeridian.
    pub fn meets_segment(&self, a: GridPoint, b: GridPoint) -> bool {
        let segment = [a.degrees(), b.degrees()];
        let meets = |west, east| meets_box(segment, [[west, self.south], [east, self.north]]);
        if self.west <= self.east {
            meets(self.west, self.east)
        } else {
            meets(self.west, 180.0) || meets(-180.0, self.east)
        }
    }

    /// Turns the box into exact ranges of grid columns and rows: none when no grid position lies
    /// in it, two when it crosses the antimeridian, else one. The western one comes first.
    pub fn grid_boxes(&self) -> impl Iterator<Item = GridBox> + Clone + use<> {
        let rows = rows_within(self.south, self.north);
        let columns = if self.west <= self.east {
            [columns_within(self.west, self.east), None]
        } else {
            [
                columns_within(self.west, 180.0),
                columns_within(-180.0, self.east),
            ]
        };
        columns
            .into_iter()
            .flatten()
            .filter_map(move |(min_x, max_x)| {
                let (min_y, max_y) = rows?;
                Some(GridBox {
                    min_x,
                    min_y,
                    max_x,
                    max_y,
                })
            })
    }
}

impl fmt::Display for Bbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{},{},{},{}",
            self.west, self.south, self.east, self.north
        )
    }
}

/// The first and last column whose longitude lies within `west..=east`.
pub(crate) fn columns_within(west: f64, east: f64) -> Option<(u32, u32)> {
    let first = first_where(x_of_lon(west), |x| lon_of_x(x) >= west)?;
    let beyond = first_where(x_of_lon(east), |x| lon_of_x(x) > east);
    up_to(first, beyond)
}

/// The first and last row whose latitude lies within `south..=north`; rows run southwards.
pub(crate) fn rows_within(south: f64, north: f64) -> Option<(u32, u32)> {
    let first = first_row(north, |y| lat_of_y(y) <= north)?;
    let beyond = first_row(south, |y| lat_of_y(y) < south);
    up_to(first, beyond)
}

/// Units by which a row of a latitude on the square is certainly wrong by less: arithmetic makes it
/// wrong by a thousandth of that.
const CERTAIN: f64 = 1e-2;

/// The first row for which a comparison with a latitude holds; the latitude of a row costs more
/// than all else, and is looked at only where the row of the latitude is nearly a whole number.
fn first_row(lat: f64, holds: impl Fn(u32) -> bool) -> Option<u32> {
    let row = row_of_lat(lat);
    let next = row.ceil();
    let is_between = next - row > CERTAIN && row - (next - 1.0) > CERTAIN;
    if is_between && row > 1.0 && row < GRID_SIDE - 1.0 {
        return Some(next as u32);
    }
    first_where(row, holds)
}

/// Tells whether there are grid positions of a latitude.
pub(crate) fn is_lat_of_row(lat: f64) -> bool {
    let row = row_of_lat(lat);
    let nearest = row.round();
    (row - nearest).abs() <= CERTAIN
        && (0.0..GRID_SIDE).contains(&nearest)
        && lat_of_y(nearest as u32) == lat
}

/// Grid row of a latitude as [`y_of_lat`] has it, faster: ψ(φ) = atanh(sin φ).
fn row_of_lat(lat: f64) -> f64 {
    let sine = lat.to_radians().sin();
    let mercator = 0.5 * ((1.0 + sine) / (1.0 - sine)).ln();
    (0.5 - mercator / TAU) * GRID_SIDE
}

/// The inclusive range from `first` to just before `beyond` (to the end of the grid without one).
fn up_to(first: u32, beyond: Option<u32>) -> Option<(u32, u32)> {
    match beyond {
        None => Some((first, u32::MAX)),
        Some(beyond) if beyond > first => Some((first, beyond - 1)),
        Some(_) => None,
    }
}

/// The first row south of a latitude; 2³² when there is none.
pub(crate) fn first_row_south_of(lat: f64) -> u64 {
    first_where(y_of_lat(lat), |y| lat_of_y(y) < lat).map_or(1 << 32, u64::from)
}

/// Finds the first grid coordinate for which a monotone predicate holds, starting from a guess
/// that floating point has put within a few units of it.
pub(crate) fn first_where(guess: f64, holds: impl Fn(u32) -> bool) -> Option<u32> {
    let mut at = guess.clamp(0.0, u32::MAX as f64) as u32;
    while !holds(at) {
        at = at.checked_add(1)?;
    }
    while at > 0 && holds(at - 1) {
        at -= 1;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn boxes(west: f64, south: f64, east: f64, north: f64) -> Vec<GridBox> {
        Bbox::from_degrees(west, south, east, north)
            .unwrap()
            .grid_boxes()
            .collect()
    }

    #[test]
    fn the_world_is_the_whole_grid() {
        assert_eq!(boxes(-180.0, -90.0, 180.0, 90.0), [GridBox::WORLD]);
    }

    #[test]
    fn beyond_the_mercator_square_there_are_no_rows() {
        assert_eq!(boxes(-180.0, 85.1, 180.0, 90.0), []);
        assert_eq!(boxes(-180.0, -90.0, 180.0, -85.1), []);
    }

    #[test]
    fn across_the_antimeridian_are_two_boxes() {
        let [west, east] = boxes(170.0, -20.0, -170.0, -10.0)[..] else {
            panic!()
        };
        assert_eq!((west.max_x, east.min_x), (u32::MAX, 0));
    }

    #[test]
    fn upside_down_is_refused() {
        let error = Bbox::from_degrees(24.0, 61.0, 25.0, 60.0).unwrap_err();
        assert_eq!(
            error,
            Error::SouthAboveNorth {
                south: 61.0,
                north: 60.0
            }
        );
    }

    #[test]
    fn segments_meet_boxes_that_hold_neither_end() {
        let at = |lon, lat| GridPoint::nearest_to(LonLat::new(lon, lat).unwrap());
        let gate = Bbox::from_degrees(24.94, 60.16, 24.94, 60.18).unwrap();
        assert!(gate.meets_segment(at(24.93, 60.17), at(24.95, 60.17)));
        assert!(!gate.meets_segment(at(24.93, 60.17), at(24.95, 60.2)));
        assert!(!gate.meets_segment(at(24.93, 60.17), at(24.939, 60.17)));
        let across = Bbox::from_degrees(179.0, -1.0, -179.0, 1.0).unwrap();
        assert!(across.meets_segment(at(179.5, -2.0), at(179.5, 2.0)));
        assert!(across.meets_segment(at(-179.5, -2.0), at(-179.5, 2.0)));
        assert!(!across.meets_segment(at(-178.5, -2.0), at(-178.5, 2.0)));
    }

    proptest! {
        #[test]
        fn only_latitudes_of_rows_are_on_rows(row: u32, nudge in -3i64..=3, lat in -90.0..=90.0f64) {
            let on_row = lat_of_y(row);
            let nudged = f64::from_bits(on_row.to_bits().wrapping_add_signed(nudge));
            prop_assert_eq!(is_lat_of_row(nudged), nudged == on_row);
            prop_assert_eq!(is_lat_of_row(lat), rows_within(lat, lat).is_some());
        }

        /// Integers decide as degrees do, on edges that are positions themselves and between.
        #[test]
        fn integer_ranges_equal_degrees(
            corner: (u32, u32), size: (u16, u16), nudge in -2i64..=2, probe in (-3i64..=3, -3i64..=3),
        ) {
            let a = GridPoint { x: corner.0, y: corner.1 }.to_lon_lat();
            let b = GridPoint {
                x: corner.0.wrapping_add(size.0.into()),
                y: corner.1.saturating_sub(size.1.into()),
            }
            .to_lon_lat();
            let nudged = |v: f64| f64::from_bits(v.to_bits().wrapping_add_signed(nudge));
            let (west, south) = (nudged(a.lon()).clamp(-180.0, 180.0), nudged(a.lat()));
            let bbox = Bbox::from_degrees(west, south.min(b.lat()), b.lon(), b.lat()).unwrap();
            let point = GridPoint {
                x: corner.0.wrapping_add_signed(probe.0 as i32),
                y: corner.1.wrapping_add_signed(probe.1 as i32),
            };
            let in_ranges = bbox.grid_boxes().any(|range| range.contains(point));
            prop_assert_eq!(in_ranges, bbox.contains(point));
        }
    }
}
