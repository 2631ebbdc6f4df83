//! Distances on the plane of the grid as bounds of those on the ground, for engines that know
//! only the plane.

use std::f64::consts::TAU;

use tilesight_tile::{EARTH_RADIUS_M, GridBox, GridPoint, LonLat, haversine_m};

/// Radians a grid unit at the equator.
const RADIANS_A_UNIT: f64 = TAU / 4_294_967_296.0;

/// Far more than the error of the arithmetic. The target's place on the grid is rounded by up to
/// a unit besides.
const SLACK: f64 = 0.999;

/// A target, and how distances from it look on the plane.
#[derive(Debug, Clone, Copy)]
pub struct Ground {
    position: LonLat,
    /// The target on the grid.
    pub point: GridPoint,
    cos_lat: f64,
}

impl Ground {
    /// Looks at the ground around a target.
    pub fn around(position: LonLat) -> Self {
        Self {
            position,
            point: GridPoint::nearest_to(position),
            cos_lat: position.lat().to_radians().cos(),
        }
    }

    /// The distance to a position.
    pub fn distance_m(&self, point: GridPoint) -> f64 {
        haversine_m(self.position, point.to_lon_lat())
    }

    /// The least that a distance on the plane can be on the ground: a unit is shortest where it is
    /// farthest from the equator, and no place is farther from there than the target by more than
    /// the distance itself.
    pub fn at_least_m(&self, units: f64) -> f64 {
        (units - 1.0).max(0.0) * self.metres_a_unit(units * RADIANS_A_UNIT)
    }

    /// The most that a distance on the ground can be on the plane.
    pub fn reach(&self, distance_m: f64) -> f64 {
        distance_m / self.metres_a_unit(distance_m / EARTH_RADIUS_M) + 1.0
    }

    /// The least length of a unit within some radians: a cosine falls by no more than its angle
    /// grows.
    fn metres_a_unit(&self, within_radians: f64) -> f64 {
        EARTH_RADIUS_M * RADIANS_A_UNIT * (self.cos_lat - within_radians) * SLACK
    }

    /// A box that holds everything within a distance.
    pub fn box_around(&self, distance_m: f64) -> GridBox {
        let units = self.reach(distance_m).ceil() as u32;
        let GridPoint { x, y } = self.point;
        GridBox {
            min_x: x - units,
            min_y: y - units,
            max_x: x + units,
            max_y: y + units,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plane_bounds_the_ground_in_all_directions() {
        for (lon, lat) in [(24.94, 60.17), (25.0, 61.5), (-70.0, -33.0), (10.0, 0.0)] {
            let ground = Ground::around(LonLat::new(lon, lat).unwrap());
            for far in [10.0_f64, 2_000.0, 1e5, 1e7] {
                for direction in 0..16 {
                    let (sin, cos) = (TAU * f64::from(direction) / 16.0).sin_cos();
                    let point = GridPoint {
                        x: (f64::from(ground.point.x) + far * cos) as u32,
                        y: (f64::from(ground.point.y) + far * sin) as u32,
                    };
                    let (dx, dy) = (
                        f64::from(ground.point.x.abs_diff(point.x)),
                        f64::from(ground.point.y.abs_diff(point.y)),
                    );
                    let distance_m = ground.distance_m(point);
                    assert!(ground.at_least_m(dx.hypot(dy)) <= distance_m);
                    assert!(ground.box_around(distance_m).contains(point));
                }
            }
        }
    }
}
