//! Places, checked once and asked any number of times.

use pyo3::prelude::*;
use tilesight::{Bbox, LonLat, Place as Asked, Region};

use crate::error::raise;

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

    /// The same around each of other positions; boxes and regions stay where they are.
    fn at_each(&self, positions: Vec<(f64, f64)>) -> PyResult<Vec<Self>> {
        let at = |(lon, lat)| Ok(Self(moved(&self.0, position(lon, lat)?)));
        positions.into_iter().map(at).collect()
    }
}

fn position(lon: f64, lat: f64) -> PyResult<LonLat> {
    LonLat::new(lon, lat).map_err(raise)
}

fn moved(place: &Asked, target: LonLat) -> Asked {
    match *place {
        Asked::Near { radius_m, .. } => Asked::Near { target, radius_m },
        Asked::Nearest { k, radius_m, .. } => Asked::Nearest {
            target,
            k,
            radius_m,
        },
        Asked::LookingAt {
            radius_m, fov_deg, ..
        } => Asked::LookingAt {
            target,
            radius_m,
            fov_deg,
        },
        Asked::Everywhere | Asked::Bbox(_) | Asked::Region(_) => place.clone(),
    }
}
