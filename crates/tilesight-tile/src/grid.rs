//! Positions on the world grid, and distances and bearings between them.

use std::f64::consts::PI;

use crate::Error;

/// The radius of the sphere on which distances are measured, in metres (IUGG mean radius).
pub const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// Side of the world grid.
pub(crate) const GRID_SIDE: f64 = 4_294_967_296.0;

/// A position in degrees on WGS 84, checked when it is made: finite, longitude within −180…180,
/// latitude within −90…90.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LonLat {
    lon: f64,
    lat: f64,
}

impl LonLat {
    /// Checks a longitude and a latitude in degrees.
    ///
    /// # Errors
    ///
    /// [`Error::Longitude`] or [`Error::Latitude`] when one is not a number or out of range.
    pub fn new(lon: f64, lat: f64) -> Result<Self, Error> {
        if !(-180.0..=180.0).contains(&lon) {
            return Err(Error::Longitude(lon));
        }
        if !(-90.0..=90.0).contains(&lat) {
            return Err(Error::Latitude(lat));
        }
        Ok(Self { lon, lat })
    }

    /// Longitude in degrees, −180…180.
    pub const fn lon(self) -> f64 {
        self.lon
    }

    /// Latitude in degrees, −90…90.
    pub const fn lat(self) -> f64 {
        self.lat
    }

    /// Finds the grid position [nearest](GridPoint::nearest_to) to this one, and how far to its
    /// east and south this one lies, in grid units: at most a half on the Mercator square, whose
    /// first and last rows stand for all that lies beyond.
    pub fn to_grid(self) -> (GridPoint, [f64; 2]) {
        let (x, y) = (x_of_lon(self.lon), y_of_lat(self.lat));
        let column = x.round();
        // Casting saturates, as the rows do; columns begin anew.
        let point = GridPoint {
            x: if column >= GRID_SIDE {
                0
            } else {
                column as u32
            },
            y: y.round() as u32,
        };
        (point, [x - column, y - point.y as f64])
    }
}

/// A position on the Web Mercator square, 2³² units a side, `x` eastwards and `y` southwards.
///
/// A pixel of a zoom-14 tile of extent 4096 is exactly 2⁶ units wide, so decoding a tile loses
/// nothing and neighbouring tiles agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GridPoint {
    /// Column: 0 at longitude −180°.
    pub x: u32,
    /// Row: 0 at the northern edge of the square, latitude 85.0511…°.
    pub y: u32,
}

impl GridPoint {
    /// Makes the degrees of this position: lon = x/2³²·360−180, lat = atan(sinh(π(1−2y/2³²))).
    ///
    /// Both grow strictly monotonically with the grid, so a comparison of degrees can be turned
    /// into one of integers.
    pub fn to_lon_lat(self) -> LonLat {
        LonLat {
            lon: lon_of_x(self.x),
            lat: lat_of_y(self.y),
        }
    }

    /// The longitude alone, in degrees: that of [`to_lon_lat`](Self::to_lon_lat).
    pub fn lon(self) -> f64 {
        lon_of_x(self.x)
    }

    /// The latitude alone, in degrees: that of [`to_lon_lat`](Self::to_lon_lat).
    pub fn lat(self) -> f64 {
        lat_of_y(self.y)
    }

    /// Finds the grid position nearest to a position in degrees.
    ///
    /// Longitude 180° is column 0, as −180° is. Latitudes beyond the Mercator square, which ends
    /// at ±85.0511…°, become its first or last row.
    pub fn nearest_to(position: LonLat) -> Self {
        position.to_grid().0
    }

    /// The place of this position on a Z-curve, which keeps neighbours together: the bits of
    /// column and row in turns, the column's last.
    ///
    /// ```
    /// use tilesight_tile::GridPoint;
    ///
    /// assert_eq!(GridPoint { x: 0b11, y: 0b01 }.z_order(), 0b0111);
    /// ```
    pub fn z_order(self) -> u64 {
        spread(self.x) | (spread(self.y) << 1)
    }
}

impl GridPoint {
    /// Longitude and latitude as the predicates take them.
    pub(crate) fn degrees(self) -> [f64; 2] {
        [lon_of_x(self.x), lat_of_y(self.y)]
    }
}

/// Puts a zero before each bit.
fn spread(bits: u32) -> u64 {
    [
        (16, 0x0000_FFFF_0000_FFFF),
        (8, 0x00FF_00FF_00FF_00FF),
        (4, 0x0F0F_0F0F_0F0F_0F0F),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ]
    .iter()
    .fold(bits as u64, |bits, (shift, mask)| {
        (bits | (bits << shift)) & mask
    })
}

/// Longitude of a grid column in degrees.
pub(crate) fn lon_of_x(x: u32) -> f64 {
    lon_of_edge(u64::from(x))
}

/// Latitude of a grid row in degrees.
pub(crate) fn lat_of_y(y: u32) -> f64 {
    lat_of_edge(u64::from(y))
}

/// Longitude of the western edge of a column; 2³² is the eastern edge of the last one.
pub(crate) fn lon_of_edge(x: u64) -> f64 {
    x as f64 / GRID_SIDE * 360.0 - 180.0
}

/// Latitude of the northern edge of a row; 2³² is the southern edge of the last one.
pub(crate) fn lat_of_edge(y: u64) -> f64 {
    (PI * (1.0 - 2.0 * (y as f64 / GRID_SIDE)))
        .sinh()
        .atan()
        .to_degrees()
}

/// Grid column of a longitude, unrounded: 0 to 2³² for −180…180.
pub(crate) fn x_of_lon(lon: f64) -> f64 {
    (lon + 180.0) / 360.0 * GRID_SIDE
}

/// Grid row of a latitude, unrounded, beyond the square where the latitude is (infinite at poles).
pub(crate) fn y_of_lat(lat: f64) -> f64 {
    let mercator = lat.to_radians().tan().asinh();
    (1.0 - mercator / PI) / 2.0 * GRID_SIDE
}

/// Measures the great-circle distance between two positions in metres, by the haversine formula
/// on a sphere of [`EARTH_RADIUS_M`].
///
/// ```
/// use tilesight_tile::{LonLat, haversine_m};
///
/// let helsinki = LonLat::new(24.9384, 60.1699)?;
/// let tallinn = LonLat::new(24.7536, 59.4370)?;
/// assert_eq!(haversine_m(helsinki, tallinn).round(), 82_148.0);
/// # Ok::<(), tilesight_tile::Error>(())
/// ```
pub fn haversine_m(from: LonLat, to: LonLat) -> f64 {
    let (lat1, lat2) = (from.lat.to_radians(), to.lat.to_radians());
    let half_dlat = ((lat2 - lat1) / 2.0).sin();
    let half_dlon = ((to.lon - from.lon).to_radians() / 2.0).sin();
    let a = half_dlat * half_dlat + lat1.cos() * lat2.cos() * half_dlon * half_dlon;
    // Rounding can carry `a` past 1 for antipodes, where the arcsine is not a number.
    2.0 * EARTH_RADIUS_M * a.sqrt().min(1.0).asin()
}

/// Computes the initial great-circle bearing from one position to another, in degrees clockwise
/// from north, 0 ≤ bearing < 360; 0 when the positions coincide.
///
/// ```
/// use tilesight_tile::{LonLat, initial_bearing_deg};
///
/// let (origin, east) = (LonLat::new(0.0, 0.0)?, LonLat::new(1.0, 0.0)?);
/// assert_eq!(initial_bearing_deg(origin, east), 90.0);
/// # Ok::<(), tilesight_tile::Error>(())
/// ```
pub fn initial_bearing_deg(from: LonLat, to: LonLat) -> f64 {
    let (lat1, lat2) = (from.lat.to_radians(), to.lat.to_radians());
    let dlon = (to.lon - from.lon).to_radians();
    let east = dlon.sin() * lat2.cos();
    let north = lat1.cos() * lat2.sin() - lat1.sin() * lat2.cos() * dlon.cos();
    let bearing = east.atan2(north).to_degrees().rem_euclid(360.0);
    // A negative angle of a few ulps becomes 360 itself.
    if bearing >= 360.0 { 0.0 } else { bearing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn corners_of_the_square() {
        let northwest = GridPoint { x: 0, y: 0 }.to_lon_lat();
        assert_eq!(northwest.lon(), -180.0);
        assert!((northwest.lat() - 85.051_128_779_806_59).abs() < 1e-12);
        let centre = GridPoint {
            x: 1 << 31,
            y: 1 << 31,
        }
        .to_lon_lat();
        assert_eq!((centre.lon(), centre.lat()), (0.0, 0.0));
    }

    #[test]
    fn longitude_180_is_column_zero() {
        let date_line = LonLat::new(180.0, 0.0).unwrap();
        assert_eq!(GridPoint::nearest_to(date_line).x, 0);
    }

    #[test]
    fn poles_are_the_first_and_last_rows() {
        assert_eq!(GridPoint::nearest_to(LonLat::new(0.0, 90.0).unwrap()).y, 0);
        assert_eq!(
            GridPoint::nearest_to(LonLat::new(0.0, -90.0).unwrap()).y,
            u32::MAX
        );
    }

    #[test]
    fn out_of_range_is_named() {
        assert_eq!(LonLat::new(181.0, 0.0), Err(Error::Longitude(181.0)));
        assert!(matches!(
            LonLat::new(0.0, f64::NAN),
            Err(Error::Latitude(_))
        ));
    }

    #[test]
    fn antipodes_are_half_a_circumference_apart() {
        let (a, b) = (
            LonLat::new(0.0, 0.0).unwrap(),
            LonLat::new(180.0, 0.0).unwrap(),
        );
        assert!((haversine_m(a, b) - PI * EARTH_RADIUS_M).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn degrees_lead_back_to_the_grid(x: u32, y: u32) {
            let point = GridPoint { x, y };
            let position = point.to_lon_lat();
            prop_assert_eq!(GridPoint::nearest_to(position), point);
            prop_assert_eq!((point.lon(), point.lat()), (position.lon(), position.lat()));
        }

        #[test]
        fn bits_of_columns_and_rows_take_turns(x: u32, y: u32) {
            let slow = (0..32).fold(0, |bits, bit| {
                let (x, y) = ((x >> bit & 1) as u64, (y >> bit & 1) as u64);
                bits | (x << (2 * bit)) | (y << (2 * bit + 1))
            });
            prop_assert_eq!(GridPoint { x, y }.z_order(), slow);
        }

        #[test]
        fn degrees_are_strictly_monotone(v in 0..u32::MAX) {
            prop_assert!(lon_of_x(v) < lon_of_x(v + 1));
            prop_assert!(lat_of_y(v) > lat_of_y(v + 1));
        }
    }
}
