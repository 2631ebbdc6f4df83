//! What can be asked: a place, filters, and how much of the answer is wanted.

use tilesight_tile::{Bbox, LonLat, Region};

use crate::date::Period;

/// Where to look.
#[derive(Debug, Clone, Default)]
pub enum Place {
    /// Everything that the dataset holds.
    #[default]
    Everywhere,
    /// Inside a box, edges included.
    Bbox(Bbox),
    /// Inside a region, boundary included.
    Region(Region),
    /// Within `radius_m` metres of a target, nearest first.
    Near {
        /// The centre.
        target: LonLat,
        /// Greatest distance in metres, included.
        radius_m: f64,
    },
    /// The `k` nearest to a target, by (distance, id).
    Nearest {
        /// The centre.
        target: LonLat,
        /// How many.
        k: usize,
        /// Greatest distance in metres, included; none for no limit.
        radius_m: Option<f64>,
    },
    /// Images that show a target: within `radius_m` and either panoramas or with a heading that
    /// differs from the bearing to the target by at most half of `fov_deg`. Nearest first.
    LookingAt {
        /// What should be seen.
        target: LonLat,
        /// Greatest distance in metres, included.
        radius_m: f64,
        /// Horizontal field of view of a flat image, in degrees.
        fov_deg: f64,
    },
}

impl Place {
    /// Radius of [`looking_at`](Self::looking_at), in metres.
    pub const DEFAULT_RADIUS_M: f64 = 50.0;
    /// Field of view of [`looking_at`](Self::looking_at), in degrees.
    pub const DEFAULT_FOV_DEG: f64 = 100.0;

    /// Images that show a target, with the default radius and field of view.
    pub const fn looking_at(target: LonLat) -> Self {
        Self::LookingAt {
            target,
            radius_m: Self::DEFAULT_RADIUS_M,
            fov_deg: Self::DEFAULT_FOV_DEG,
        }
    }

    /// The same around another position; boxes, regions and everywhere stay where they are.
    ///
    /// ```
    /// use tilesight_query::Place;
    /// use tilesight_tile::LonLat;
    ///
    /// let door = LonLat::new(24.94, 60.17)?;
    /// let near = Place::Near { target: LonLat::new(0.0, 0.0)?, radius_m: 50.0 };
    /// assert!(matches!(near.moved_to(door), Place::Near { target, radius_m: 50.0 } if target == door));
    /// # Ok::<(), tilesight_tile::Error>(())
    /// ```
    #[must_use]
    pub fn moved_to(&self, target: LonLat) -> Self {
        match *self {
            Self::Near { radius_m, .. } => Self::Near { target, radius_m },
            Self::Nearest { k, radius_m, .. } => Self::Nearest {
                target,
                k,
                radius_m,
            },
            Self::LookingAt {
                radius_m, fov_deg, ..
            } => Self::LookingAt {
                target,
                radius_m,
                fov_deg,
            },
            Self::Everywhere | Self::Bbox(_) | Self::Region(_) => self.clone(),
        }
    }
}

/// Whether an image is a panorama.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An ordinary picture with a limited field of view.
    Flat,
    /// A 360° panorama.
    Pano,
}

/// What an image must be like; every part that is set must hold. A property that is not known
/// matches no condition on it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Captured at or after the start of this period.
    pub since: Option<Period>,
    /// Captured at or before the end of this period: until `2023` runs through all of 2023.
    pub until: Option<Period>,
    /// Panoramas or flat images only.
    pub kind: Option<Kind>,
    /// By one of these organizations; empty for any or none.
    pub organizations: Vec<i64>,
    /// By one of these creators; empty for any or none.
    pub creators: Vec<i64>,
    /// In one of these sequences, by their exact ids; empty for any or none.
    pub sequences: Vec<String>,
    /// Heading from the first to the second, clockwise, both included, in degrees 0…360;
    /// wraps through north when the first is greater. `(0, 360)` is every known heading.
    pub heading: Option<(f64, f64)>,
    /// One of these image ids; empty for any.
    pub ids: Vec<i64>,
}

/// A question for images.
///
/// ```
/// use tilesight_query::{Filter, ImageQuery, Kind, Place};
/// use tilesight_tile::LonLat;
///
/// let door = LonLat::new(24.9384, 60.1699)?;
/// let query = ImageQuery {
///     place: Place::looking_at(door),
///     filter: Filter { since: Some("2023".parse()?), kind: Some(Kind::Pano), ..Filter::default() },
///     ..ImageQuery::default()
/// };
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ImageQuery {
    /// Where to look.
    pub place: Place,
    /// What the images must be like.
    pub filter: Filter,
    /// At most this many, the first in answer order.
    pub limit: Option<usize>,
    /// Answer from what is held even where the place touches tiles that are not.
    pub allow_partial: bool,
}

/// A question for sequences.
///
/// A sequence answers when any part of it, an image or its line, lies in the place, and when one
/// of its images (anywhere) passes the filter; it comes back whole, once. A sequence of which no
/// image is held is judged by what its line says of it.
#[derive(Debug, Clone, Default)]
pub struct SequenceQuery {
    /// Where to look. [`Place::LookingAt`] finds the sequences of the images that show the
    /// target and pass the filter themselves.
    pub place: Place,
    /// What one of the images must be like.
    pub filter: Filter,
    /// At most this many, the first in answer order.
    pub limit: Option<usize>,
    /// Answer from what is held even where the place touches tiles that are not.
    pub allow_partial: bool,
}

/// Which map features: signs, objects, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeatureKind {
    /// Objects, of the `point` layer.
    Point,
    /// Traffic signs, of the `traffic_sign` layer.
    TrafficSign,
}

/// A question for map features.
#[derive(Debug, Clone, Default)]
pub struct FeatureQuery {
    /// Where to look; [`Place::LookingAt`] is an error here.
    pub place: Place,
    /// Objects or signs only; none for whichever the dataset holds.
    pub kind: Option<FeatureKind>,
    /// One of these values, exact or a prefix followed by `*`; empty for any.
    pub values: Vec<String>,
    /// First seen at or after the start of this period.
    pub first_seen_since: Option<Period>,
    /// First seen at or before the end of this period.
    pub first_seen_until: Option<Period>,
    /// Last seen at or after the start of this period.
    pub last_seen_since: Option<Period>,
    /// Last seen at or before the end of this period.
    pub last_seen_until: Option<Period>,
    /// One of these ids; empty for any.
    pub ids: Vec<i64>,
    /// At most this many, the first in answer order.
    pub limit: Option<usize>,
    /// Answer from what is held even where the place touches tiles that are not.
    pub allow_partial: bool,
}
