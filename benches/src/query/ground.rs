//! Distances on the plane of the grid as bounds of those on the ground, for engines that know
//! only the plane.

use std::f64::consts::TAU;

use tilesight_tile::{EARTH_RADIUS_M, GridBox, GridPoint, LonLat, haversine_m};

/// No target or answer lies farther from the equator, where a grid unit is shortest.
const NORTHERNMOST_DEG: f64 = 60.7;

/// Covers the rounding of targets to the grid.
const SLACK: f64 = 0.999;

/// A target, and how distances from it look on the plane.
#[derive(Debug, Clone, Copy)]
pub struct Ground {
    position: LonLat,
    /// The target on the grid.
    pub point: GridPoint,
    metres_a_unit: f64,
}

impl Ground {
    /// Looks at the ground around a target.
    pub fn around(position: LonLat) -> Self {
        let metres_at_equator = EARTH_RADIUS_M * TAU / 4_294_967_296.0;
        Self {
            position,
            point: GridPoint::nearest_to(position),
            metres_a_unit: metres_at_equator * NORTHERNMOST_DEG.to_radians().cos() * SLACK,
        }
    }

    /// The distance to a position.
    pub fn distance_m(&self, point: GridPoint) -> f64 {
        haversine_m(self.position, point.to_lon_lat())
    }

    /// The least that a distance on the plane can be on the ground.
    pub fn at_least_m(&self, units: f64) -> f64 {
        units * self.metres_a_unit
    }

    /// The most that a distance on the ground can be on the plane.
    pub fn reach(&self, distance_m: f64) -> f64 {
        distance_m / self.metres_a_unit + 1.0
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
