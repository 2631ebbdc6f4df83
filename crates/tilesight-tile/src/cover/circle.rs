//! Circles on the globe: which tiles they touch.

use std::ops::RangeInclusive;

use super::Zoom;
use crate::grid::{EARTH_RADIUS_M, haversine_m};
use crate::tile_rows::Span;
use crate::{GridPoint, LonLat};

/// What rounding can do to a distance: covers must not miss a tile by it.
const ROUNDING_M: f64 = 1e-6;

/// The same in parts of the distance: it is worst at the antipode, where the arcsine is steepest.
const ROUNDING: f64 = 1e-8;

/// All positions within a distance of a centre.
pub struct Circle {
    centre: LonLat,
    radius_m: f64,
}

impl Circle {
    /// The circle, widened by what rounding can do to a distance.
    pub fn new(centre: LonLat, radius_m: f64) -> Self {
        Self {
            centre,
            radius_m: radius_m + ROUNDING_M + radius_m * ROUNDING,
        }
    }

    /// The rows of tiles that the circle reaches.
    pub fn rows(&self, zoom: Zoom) -> RangeInclusive<u32> {
        let radius_deg = (self.radius_m / EARTH_RADIUS_M).to_degrees();
        let lat = self.centre.lat();
        zoom.rows_within((lat - radius_deg).max(-90.0), (lat + radius_deg).min(90.0))
    }

    /// The tiles of a row that the circle touches; two spans across the antimeridian.
    ///
    /// Tiles are the farther the more their longitude differs from the centre's, so a binary
    /// search to either side finds the last that is touched.
    pub fn spans(&self, zoom: Zoom, y: u32) -> impl Iterator<Item = Span> + use<> {
        let x = zoom.tile_at(GridPoint::nearest_to(self.centre).x);
        let width = zoom.width;
        let touches = |east_by: u32| {
            self.touches(zoom, ((x as u64 + east_by as u64) % width as u64) as u32, y)
        };
        let half = width / 2;
        let span = |first_x, last_x| Some(Span { y, first_x, last_x });
        let spans = if touches(0) {
            let east = last_where(half, touches);
            let west = last_where(half, |west_by| touches(width - west_by));
            if east as u64 + west as u64 + 1 >= width as u64 {
                [span(0, width - 1), None]
            } else if west > x {
                [span(x + width - west, width - 1), span(0, x + east)]
            } else if x + east >= width {
                [span(x - west, width - 1), span(0, x + east - width)]
            } else {
                [span(x - west, x + east), None]
            }
        } else {
            [None, None]
        };
        spans.into_iter().flatten()
    }

    fn touches(&self, zoom: Zoom, x: u32, y: u32) -> bool {
        self.distance_m(zoom.lons(x), zoom.lats(y)) <= self.radius_m
    }

    /// The distance from the centre to the nearest point of a box.
    ///
    /// That lies on the meridian of the box nearest to the centre's, since along a parallel
    /// distance grows with the difference of longitude. On a meridian the cosine of the distance
    /// is a sinusoid of the latitude, so the nearest is its crest or an end.
    fn distance_m(&self, [west, east]: [f64; 2], [south, north]: [f64; 2]) -> f64 {
        let lon = if (west..=east).contains(&self.centre.lon()) {
            self.centre.lon()
        } else if self.turn_to(west) < self.turn_to(east) {
            west
        } else {
            east
        };
        let lat = self.centre.lat().to_radians();
        let crest = lat
            .sin()
            .atan2(lat.cos() * self.turn_to(lon).to_radians().cos());
        [south, north, crest.to_degrees().clamp(south, north)]
            .into_iter()
            .filter_map(|lat| LonLat::new(lon, lat).ok())
            .map(|nearest| haversine_m(self.centre, nearest))
            .fold(f64::INFINITY, f64::min)
    }

    /// The difference of longitude to the centre, in degrees around the globe: 0 to 180.
    fn turn_to(&self, lon: f64) -> f64 {
        let difference = (lon - self.centre.lon()).abs();
        difference.min(360.0 - difference)
    }
}

/// The last number up to `limit` for which a predicate holds that holds for 0 and, once it fails,
/// for no greater one.
fn last_where(limit: u32, holds: impl Fn(u32) -> bool) -> u32 {
    let (mut held, mut beyond) = (0, limit + 1);
    while beyond - held > 1 {
        let middle = held + (beyond - held) / 2;
        if holds(middle) {
            held = middle;
        } else {
            beyond = middle;
        }
    }
    held
}
