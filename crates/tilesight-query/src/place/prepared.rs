//! Places, checked and made ready once for each question.

use tilesight_tile::{Bbox, LonLat, Region};

use super::{BoxShape, Circle, RegionShape};
use crate::error::Error;
use crate::index::Target;
use crate::query::Place;

/// A [`Place`] whose numbers were checked and whose shape is ready to be asked.
pub(crate) enum PreparedPlace<'a> {
    Everywhere,
    Bbox {
        bbox: &'a Bbox,
        shape: BoxShape,
    },
    Region {
        region: &'a Region,
        shape: RegionShape,
    },
    /// Near a target, or looking at it.
    Circle {
        circle: Circle,
        /// Half the field of view in degrees, for images that must show the target.
        half_fov_deg: Option<f64>,
    },
    Nearest {
        target: Target,
        k: usize,
        /// Infinite where there is no limit.
        radius_m: f64,
    },
}

impl<'a> PreparedPlace<'a> {
    /// Checks a place.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] when a radius is negative or not a number, or a field of view is not
    /// within 0…360.
    pub(crate) fn new(place: &'a Place) -> Result<Self, Error> {
        Ok(match place {
            Place::Everywhere => Self::Everywhere,
            Place::Bbox(bbox) => Self::Bbox {
                bbox,
                shape: BoxShape::new(bbox),
            },
            Place::Region(region) => Self::Region {
                region,
                shape: RegionShape::new(region),
            },
            Place::Near { target, radius_m } => Self::circle(*target, *radius_m, None)?,
            Place::LookingAt {
                target,
                radius_m,
                fov_deg,
            } => Self::circle(*target, *radius_m, Some(checked_fov(*fov_deg)? / 2.0))?,
            Place::Nearest {
                target,
                k,
                radius_m,
            } => Self::Nearest {
                target: Target::new(*target),
                k: *k,
                radius_m: radius_m.map_or(Ok(f64::INFINITY), checked_radius)?,
            },
        })
    }

    fn circle(target: LonLat, radius_m: f64, half_fov_deg: Option<f64>) -> Result<Self, Error> {
        Ok(Self::Circle {
            circle: Circle::new(Target::new(target), checked_radius(radius_m)?),
            half_fov_deg,
        })
    }
}

/// A radius that a circle can have; infinite is everywhere.
fn checked_radius(radius_m: f64) -> Result<f64, Error> {
    if radius_m >= 0.0 {
        return Ok(radius_m);
    }
    Err(Error::OutOfRange {
        name: "radius",
        value: radius_m,
        range: "0 metres and more",
        example: "50",
    })
}

fn checked_fov(fov_deg: f64) -> Result<f64, Error> {
    if fov_deg > 0.0 && fov_deg <= 360.0 {
        return Ok(fov_deg);
    }
    Err(Error::OutOfRange {
        name: "field of view",
        value: fov_deg,
        range: "more than 0 and up to 360 degrees",
        example: "100",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(place: &Place, expected: &str) {
        let error = PreparedPlace::new(place)
            .err()
            .map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some(expected));
    }

    #[test]
    fn what_cannot_be_is_named() {
        let target = LonLat::new(24.94, 60.17).unwrap();
        let radius_m = f64::NAN;
        check(
            &Place::Near { target, radius_m },
            "radius NaN is not within 0 metres and more (for example 50)",
        );
        let nearest = Place::Nearest {
            target,
            k: 1,
            radius_m: Some(-1.0),
        };
        check(
            &nearest,
            "radius -1 is not within 0 metres and more (for example 50)",
        );
        let looking_at = Place::LookingAt {
            target,
            radius_m: 50.0,
            fov_deg: 0.0,
        };
        check(
            &looking_at,
            "field of view 0 is not within more than 0 and up to 360 degrees (for example 100)",
        );
    }
}
