//! The plane around a position, in metres to the east and north.
//!
//! Up to a kilometre from its origin, and up to the edge of the Mercator square, it is true to a
//! part in five hundred, and far better near the equator and up close: enough to choose a point of
//! a shape, which is then measured on the sphere. What is straight in degrees is straight on it.

use tilesight_tile::{Bbox, EARTH_RADIUS_M, LonLat};

use crate::shapes::{Position, turn_of};

/// Metres to the east and to the north.
pub(crate) type Vector = [f64; 2];

/// A straight edge on the plane.
pub(crate) type Segment = [Vector; 2];

/// Farthest that anything is looked for, in metres.
pub(crate) const MAX_REACH_M: f64 = 1_000.0;

/// Widens boxes by more than what the plane may be off.
const SLACK: f64 = 1.01;

/// The plane around a position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plane {
    origin: LonLat,
    /// Metres in a degree of longitude and of latitude.
    scale: Vector,
}

impl Plane {
    pub(crate) fn around(origin: LonLat) -> Self {
        let north = EARTH_RADIUS_M.to_radians();
        let east = north * origin.lat().to_radians().cos();
        Self {
            origin,
            scale: [east, north],
        }
    }

    /// The edges of a line or ring, which lies wholly on the side of the world where it begins; of
    /// a point an edge of no length.
    #[inline]
    pub(crate) fn edges(self, chain: &[Position]) -> impl Iterator<Item = Segment> {
        let turn = turn_of(chain[0][0] - self.origin.lon());
        let place = move |&[lon, lat]: &Position| self.place([lon - turn, lat]);
        // A window of one would do for a point, but there is none of a length not known before.
        let alone = (chain.len() == 1).then(|| [place(&chain[0]); 2]);
        let pairs = chain.windows(2);
        alone
            .into_iter()
            .chain(pairs.map(move |pair| [place(&pair[0]), place(&pair[1])]))
    }

    /// A position on the plane, the shorter way around the world.
    pub(crate) fn vector_to(self, to: LonLat) -> Vector {
        let turn = turn_of(to.lon() - self.origin.lon());
        self.place([to.lon() - turn, to.lat()])
    }

    /// The position of a vector.
    pub(crate) fn position(self, [east, north]: Vector) -> LonLat {
        let lon = self.origin.lon() + east / self.scale[0];
        let lat = self.origin.lat() + north / self.scale[1];
        lon_lat([lon, lat]).unwrap_or(self.origin)
    }

    fn place(self, [lon, lat]: Position) -> Vector {
        [
            (lon - self.origin.lon()) * self.scale[0],
            (lat - self.origin.lat()) * self.scale[1],
        ]
    }
}

/// A position whose longitude may lie on another turn of the globe.
pub(crate) fn lon_lat([lon, lat]: Position) -> Option<LonLat> {
    LonLat::new(lon - turn_of(lon), lat).ok()
}

pub(crate) fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

/// Positive where `b` lies counterclockwise of `a`.
pub(crate) fn cross(a: Vector, b: Vector) -> f64 {
    a[0] * b[1] - a[1] * b[0]
}

/// The point of a segment that is nearest to the origin, among those between two parts of its
/// length from 0 to 1.
pub(crate) fn nearest_on([a, b]: Segment, [first, last]: [f64; 2]) -> Vector {
    let along = [b[0] - a[0], b[1] - a[1]];
    let length_squared = dot(along, along);
    let part = if length_squared > 0.0 {
        (-dot(a, along) / length_squared).clamp(first, last)
    } else {
        first
    };
    [a[0] + part * along[0], a[1] + part * along[1]]
}

/// Tells whether a ring edge crosses the ray from the origin to the east. An edge has its lower end
/// and not its upper one, so that a ray through a vertex counts the ring once or twice, as it should.
pub(crate) fn crosses_eastward([a, b]: Segment) -> bool {
    let is_across = (a[1] > 0.0) != (b[1] > 0.0);
    is_across && ((cross(a, b) > 0.0) == (b[1] > a[1]))
}

/// A box around bounds in degrees, which may lie on any turn of the globe, and whatever is within
/// some metres of them.
pub(crate) fn box_around([west, south, east, north]: [f64; 4], reach_m: f64) -> Option<Bbox> {
    let margin = reach_m * SLACK / EARTH_RADIUS_M.to_radians();
    let (south, north) = ((south - margin).max(-90.0), (north + margin).min(90.0));
    let nearest_to_a_pole = south.abs().max(north.abs());
    let margin = margin / nearest_to_a_pole.to_radians().cos();
    let (west, east) = (west - margin, east + margin);
    if east - west < 360.0 {
        let [west, east] = [west, east].map(|lon| lon - turn_of(lon));
        Bbox::from_degrees(west, south, east, north).ok()
    } else {
        Bbox::from_degrees(-180.0, south, 180.0, north).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tilesight_tile::{GridPoint, haversine_m};

    use super::*;

    fn at(lon: f64, lat: f64) -> LonLat {
        LonLat::new(lon, lat).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn the_plane_is_nearly_true_and_boxes_are_wide_enough(
            lon in -180.0..=180.0_f64, lat in -85.0..=85.0_f64,
            east in -700.0..700.0_f64, north in -700.0..700.0_f64,
        ) {
            let plane = Plane::around(at(lon, lat));
            let there = plane.position([east, north]);
            let back = plane.vector_to(there);
            prop_assert!((back[0] - east).abs() < 1e-3 && (back[1] - north).abs() < 1e-3);
            let (flat, round) = (east.hypot(north), haversine_m(at(lon, lat), there));
            prop_assert!((flat - round).abs() <= flat / 500.0, "{flat} {round}");
            let bbox = box_around([lon, lat, lon, lat], round).unwrap();
            prop_assert!(bbox.contains(GridPoint::nearest_to(there)));
        }

        #[test]
        fn nearest_points_are_nearest(
            a in [-9.0..9.0_f64, -9.0..9.0_f64], b in [-9.0..9.0_f64, -9.0..9.0_f64],
            first in 0.0..0.5_f64, last in 0.5..1.0_f64,
        ) {
            let best = nearest_on([a, b], [first, last]);
            let best = best[0].hypot(best[1]);
            let sampled = (0..=100).map(|step| {
                let part = first + (last - first) * f64::from(step) / 100.0;
                (a[0] + part * (b[0] - a[0])).hypot(a[1] + part * (b[1] - a[1]))
            });
            let sampled = sampled.fold(f64::INFINITY, f64::min);
            prop_assert!(best <= sampled + 1e-9 && sampled <= best + 0.3, "{best} {sampled}");
        }
    }

    #[test]
    fn boxes_cross_the_antimeridian_and_reach_the_poles() {
        let bbox = box_around([179.999, 0.0, 180.001, 0.0], 500.0).unwrap();
        assert!(bbox.west() > 179.0 && bbox.east() < -179.0);
        let bbox = box_around([0.0, 89.9999, 0.0, 89.9999], 500.0).unwrap();
        assert_eq!(
            (bbox.west(), bbox.north(), bbox.east()),
            (-180.0, 90.0, 180.0)
        );
    }

    #[test]
    fn rays_cross_what_lies_to_the_east() {
        let (below, above) = ([5.0, -1.0], [5.0, 1.0]);
        assert!(crosses_eastward([below, above]) && crosses_eastward([above, below]));
        assert!(!crosses_eastward([[-5.0, -1.0], [-5.0, 1.0]]));
        assert!(!crosses_eastward([[-5.0, 1.0], [5.0, 1.0]]));
        // A vertex on the ray: one edge has it, where the ring goes on upwards.
        assert!(crosses_eastward([[5.0, 0.0], above]) && !crosses_eastward([below, [5.0, 0.0]]));
    }
}
