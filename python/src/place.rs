//! Places, checked once and asked any number of times.

use pyo3::prelude::*;
use tilesight::{Bbox, LonLat, Place as Asked, Region, TileId};
use tilesight_tile::{TileRows, cover_bbox, cover_circle, cover_region};

use crate::error::raise;

/// Most tiles that a place is said to touch one by one.
const MAX_TILES: u64 = 1 << 20;

/// A place to ask about.
#[pyclass(frozen, module = "tilesight._tilesight")]
pub struct Place(Asked);

impl Place {
    pub fn asked(&self) -> Asked {
        self.0.clone()
    }
}

#[pymethods]
impl Place {
    /// Inside a box in degrees.
    #[staticmethod]
    fn bbox(west: f64, south: f64, east: f64, north: f64) -> PyResult<Self> {
        let bbox = Bbox::from_degrees(west, south, east, north).map_err(raise)?;
        Ok(Self(Asked::Bbox(bbox)))
    }

    /// Inside the polygons of a GeoJSON text.
    #[staticmethod]
    fn region(geojson: &str) -> PyResult<Self> {
        let region = Region::from_geojson(geojson).map_err(raise)?;
        Ok(Self(Asked::Region(region)))
    }

    /// Within a radius of a position.
    #[staticmethod]
    fn near(lon: f64, lat: f64, radius_m: f64) -> PyResult<Self> {
        let target = position(lon, lat)?;
        Ok(Self(Asked::Near { target, radius_m }))
    }

    /// The nearest to a position.
    #[staticmethod]
    fn nearest(lon: f64, lat: f64, k: usize, radius_m: Option<f64>) -> PyResult<Self> {
        let target = position(lon, lat)?;
        Ok(Self(Asked::Nearest {
            target,
            k,
            radius_m,
        }))
    }

    /// What looks at a position.
    #[staticmethod]
    fn looking_at(
        lon: f64,
        lat: f64,
        radius_m: Option<f64>,
        fov_deg: Option<f64>,
    ) -> PyResult<Self> {
        Ok(Self(Asked::LookingAt {
            target: position(lon, lat)?,
            radius_m: radius_m.unwrap_or(Asked::DEFAULT_RADIUS_M),
            fov_deg: fov_deg.unwrap_or(Asked::DEFAULT_FOV_DEG),
        }))
    }

    /// Which of some tiles of a zoom, by column and row, it touches.
    fn touches(&self, zoom: u8, tiles: Vec<(u32, u32)>) -> PyResult<Vec<bool>> {
        let Some(touched) = tiles_of(&self.0, zoom) else {
            return Ok(vec![true; tiles.len()]);
        };
        let is_touched = |(x, y)| Ok(touched.contains(TileId::new(zoom, x, y).map_err(raise)?));
        tiles.into_iter().map(is_touched).collect()
    }
}

/// The tiles of a zoom that a place touches; none where it touches any number of them.
fn tiles_of(place: &Asked, zoom: u8) -> Option<TileRows> {
    let tiles = match *place {
        Asked::Everywhere => return None,
        Asked::Bbox(ref bbox) => cover_bbox(zoom, bbox, MAX_TILES),
        Asked::Region(ref region) => cover_region(zoom, region, MAX_TILES),
        Asked::Near { target, radius_m }
        | Asked::LookingAt {
            target, radius_m, ..
        } => cover_circle(zoom, target, radius_m, MAX_TILES),
        Asked::Nearest {
            target, radius_m, ..
        } => cover_circle(zoom, target, radius_m?, MAX_TILES),
    };
    tiles.ok()
}

fn position(lon: f64, lat: f64) -> PyResult<LonLat> {
    LonLat::new(lon, lat).map_err(raise)
}
