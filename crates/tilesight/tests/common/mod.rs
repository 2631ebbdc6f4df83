//! Where scenes are drawn.

use tilesight::shapes::Position;
use tilesight_tile::EARTH_RADIUS_M;

/// Metres in a degree of latitude.
pub const DEGREE_M: f64 = EARTH_RADIUS_M * std::f64::consts::PI / 180.0;

/// Somewhere that scenes are drawn, in metres to the east and north of it.
#[derive(Debug, Clone, Copy)]
pub struct Ground {
    pub lon: f64,
    pub lat: f64,
}

pub const TOWN: Ground = Ground {
    lon: 24.94,
    lat: 60.17,
};

impl Ground {
    pub fn position(self, [east, north]: Position) -> Position {
        let scale = DEGREE_M * self.lat.to_radians().cos();
        let lon = (self.lon + east / scale + 180.0).rem_euclid(360.0) - 180.0;
        [lon, self.lat + north / DEGREE_M]
    }
}
