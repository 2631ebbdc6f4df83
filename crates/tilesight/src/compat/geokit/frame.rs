//! Metres around a place.

use tilesight_tile::EARTH_RADIUS_M;

use super::geometry::Degrees;

/// East and north of an origin, in metres.
pub(super) type Metres = [f64; 2];

/// Metres a degree of latitude.
pub(super) const METRES_A_DEGREE: f64 = EARTH_RADIUS_M * std::f64::consts::PI / 180.0;

/// A plane that touches the sphere at its origin: lines that are straight in degrees are straight
/// in it. At a distance of d metres north of the origin it is wrong by d · tan(latitude) / R of a
/// length, which is 1 in 3,700 a kilometre away at 60°.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    origin: Degrees,
    metres_a_degree: [f64; 2],
}

impl Frame {
    /// The plane at the middle of two positions, away from the poles.
    pub(super) fn between(a: Degrees, b: Degrees) -> Self {
        let origin = [f64::midpoint(a[0], b[0]), f64::midpoint(a[1], b[1])];
        let east = METRES_A_DEGREE * shrinkage(origin[1]);
        Self {
            origin,
            metres_a_degree: [east, METRES_A_DEGREE],
        }
    }

    pub(super) fn metres(&self, position: Degrees) -> Metres {
        [0, 1].map(|axis| (position[axis] - self.origin[axis]) * self.metres_a_degree[axis])
    }

    pub(super) fn degrees(&self, metres: Metres) -> Degrees {
        [0, 1].map(|axis| self.origin[axis] + metres[axis] / self.metres_a_degree[axis])
    }
}

/// How much shorter a degree of longitude is than one of latitude. At the poles, where none of
/// this holds, it stays above zero.
pub(super) fn shrinkage(lat: f64) -> f64 {
    lat.to_radians().cos().max(1e-3)
}

/// The box around two positions and all that is within `reach_m` of it.
pub(super) fn reach(a: Degrees, b: Degrees, reach_m: f64) -> [Degrees; 2] {
    // The plane of one place is a little wrong at another.
    let north = reach_m / METRES_A_DEGREE * 1.01;
    let polewards = a[1].abs().max(b[1].abs()) + north;
    let east = north / shrinkage(polewards);
    let low = [a[0].min(b[0]) - east, a[1].min(b[1]) - north];
    let high = [a[0].max(b[0]) + east, a[1].max(b[1]) + north];
    [low, high]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tilesight_tile::{LonLat, haversine_m};

    proptest! {
        #[test]
        fn the_plane_is_the_sphere_nearby(
            lon in -180.0..179.0_f64, lat in -80.0..80.0_f64, dx in -1e3..1e3_f64, dy in -1e3..1e3_f64,
        ) {
            let frame = Frame::between([lon, lat], [lon, lat]);
            let there = frame.degrees([dx, dy]);
            prop_assume!(there[0].abs() <= 180.0);
            let [a, b] = [[lon, lat], there].map(|[lon, lat]| LonLat::new(lon, lat).unwrap());
            let plane_m = dx.hypot(dy);
            prop_assert!((haversine_m(a, b) - plane_m).abs() <= 1e-3 * plane_m + 1e-6);
            let back = frame.metres(there);
            prop_assert!((back[0] - dx).abs() < 1e-6 && (back[1] - dy).abs() < 1e-6);
            let [low, high] = reach([lon, lat], [lon, lat], plane_m);
            prop_assert!((0..2).all(|axis| low[axis] <= there[axis] && there[axis] <= high[axis]));
        }
    }
}
