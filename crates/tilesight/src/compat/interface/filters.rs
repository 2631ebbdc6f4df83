//! What answers must be like, by the names of the interface.

use std::str::FromStr;

use serde_json::Value;
use tilesight_query::{FeatureKind, FeatureQuery, Filter, Kind, Period, Place};

use super::Error;
use super::arguments::{self, Arguments};

/// Which images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ImageType {
    /// All, also those of which it is not known.
    #[default]
    All,
    /// Panoramas.
    Pano,
    /// Flat images.
    Flat,
}

impl ImageType {
    const fn kind(self) -> Option<Kind> {
        match self {
            Self::All => None,
            Self::Pano => Some(Kind::Pano),
            Self::Flat => Some(Kind::Flat),
        }
    }
}

/// Reads `pano`, `flat`, and `all` or `both`.
impl FromStr for ImageType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "all" | "both" => Ok(Self::All),
            "pano" => Ok(Self::Pano),
            "flat" => Ok(Self::Flat),
            other => Err(arguments::wrong("image_type", other, arguments::IMAGE_TYPE)),
        }
    }
}

/// What images, or the images of sequences, must be like: every part that is set must hold. What
/// is not known of an image matches no condition on it.
///
/// ```
/// use tilesight::compat::interface::{ImageFilters, ImageType};
///
/// let filters = ImageFilters::from_json(r#"{"image_type": "pano", "max_captured_at": "2023"}"#)?;
/// let same = ImageFilters {
///     image_type: ImageType::Pano,
///     max_captured_at: "2023".parse().ok(), // to the end of the year
///     ..ImageFilters::default()
/// };
/// assert_eq!(filters, same);
/// let error = ImageFilters::from_json(r#"{"radius": 50}"#).unwrap_err();
/// assert!(error.to_string().contains("image_type"), "it says what there is");
/// # Ok::<(), tilesight::compat::interface::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImageFilters {
    /// Captured at or after the start of this period.
    pub min_captured_at: Option<Period>,
    /// Captured at or before the end of this period.
    pub max_captured_at: Option<Period>,
    /// Panoramas, flat images, or all.
    pub image_type: ImageType,
    /// By one of these organizations; empty for any or none.
    pub organization_id: Vec<i64>,
    /// In one of these sequences; empty for any or none.
    pub sequence_id: Vec<String>,
    /// Heading from the first to the second, clockwise, both included, in degrees 0…360; it
    /// wraps through north when the first is greater. `(0, 360)` is every known heading.
    pub compass_angle: Option<(f64, f64)>,
}

impl ImageFilters {
    /// Reads the arguments of a call from a JSON object, by their names.
    ///
    /// Dates are texts or integer milliseconds, `organization_id` (or `org_id`) is a number, a
    /// text or a list of either, `sequence_id` a text or a list, `compass_angle` a pair. `zoom`
    /// may be 14 to 17 and makes no difference: every image is in tiles of zoom 14.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] and [`Error::UnknownArgument`].
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let mut arguments = Arguments::parse(json)?;
        let filters = Self::take(&mut arguments)?;
        arguments.finish()?;
        Ok(filters)
    }

    fn take(arguments: &mut Arguments) -> Result<Self, Error> {
        use arguments::{DATE, HEADINGS, IDS, IMAGE_TYPE, TEXTS, ZOOM};
        let image_type = |value: &Value| value.as_str()?.parse().ok();
        let ids = arguments::one_or_more(arguments::id);
        let texts = arguments::one_or_more(arguments::text);
        arguments.take("zoom", ZOOM, arguments::zoom)?;
        Ok(Self {
            min_captured_at: arguments.take("min_captured_at", DATE, arguments::date)?,
            max_captured_at: arguments.take("max_captured_at", DATE, arguments::date)?,
            image_type: arguments
                .take("image_type", IMAGE_TYPE, image_type)?
                .unwrap_or_default(),
            organization_id: arguments
                .take_either(["organization_id", "org_id"], IDS, ids)?
                .unwrap_or_default(),
            sequence_id: arguments
                .take("sequence_id", TEXTS, texts)?
                .unwrap_or_default(),
            compass_angle: arguments.take("compass_angle", HEADINGS, arguments::pair)?,
        })
    }

    pub(super) fn filter(&self) -> Filter {
        Filter {
            since: self.min_captured_at,
            until: self.max_captured_at,
            kind: self.image_type.kind(),
            organizations: self.organization_id.clone(),
            sequences: self.sequence_id.clone(),
            heading: self.compass_angle,
            ..Filter::default()
        }
    }

    /// The part of it that is the same for all images of a sequence.
    pub(super) fn filter_of_sequences(&self) -> Filter {
        Filter {
            since: None,
            until: None,
            heading: None,
            ..self.filter()
        }
    }
}

/// How far images may be from a target, and what they must be like.
///
/// ```
/// use tilesight::compat::interface::TargetOptions;
///
/// let options = TargetOptions::from_json(r#"{"radius": 30, "image_type": "flat"}"#)?;
/// assert_eq!(options.radius_m, Some(30.0));
/// # Ok::<(), tilesight::compat::interface::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TargetOptions {
    /// Greatest distance in metres, included. Where nothing is said: 50 m for images that look at
    /// the target, and the tile that holds the target for those close to it.
    pub radius_m: Option<f64>,
    /// Horizontal field of view of flat images that look at the target, in degrees.
    pub fov_deg: f64,
    /// What they must be like.
    pub filters: ImageFilters,
}

impl Default for TargetOptions {
    /// Any image, at the usual distance, with a field of view of 100°.
    fn default() -> Self {
        Self {
            radius_m: None,
            fov_deg: Place::DEFAULT_FOV_DEG,
            filters: ImageFilters::default(),
        }
    }
}

impl TargetOptions {
    /// Reads the arguments of a call from a JSON object: `radius`, `fov`, and those of
    /// [`ImageFilters::from_json`]. `fields` may be there and makes no difference: every property
    /// that tiles have comes.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] and [`Error::UnknownArgument`].
    pub fn from_json(json: &str) -> Result<Self, Error> {
        use arguments::{DEGREES, FIELDS, METRES, number};
        let mut arguments = Arguments::parse(json)?;
        arguments.take("fields", FIELDS, |value| value.as_array().map(drop))?;
        let options = Self {
            radius_m: arguments.take("radius", METRES, number)?,
            fov_deg: arguments
                .take("fov", DEGREES, number)?
                .unwrap_or(Place::DEFAULT_FOV_DEG),
            filters: ImageFilters::take(&mut arguments)?,
        };
        arguments.finish()?;
        Ok(options)
    }
}

/// Which map features of a region: objects, signs, or both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FeatureType {
    /// Objects.
    #[default]
    Point,
    /// Traffic signs.
    TrafficSigns,
    /// Both.
    All,
}

impl FeatureType {
    pub(super) const fn kind(self) -> Option<FeatureKind> {
        match self {
            Self::Point => Some(FeatureKind::Point),
            Self::TrafficSigns => Some(FeatureKind::TrafficSign),
            Self::All => None,
        }
    }
}

/// Reads `point` (or `points`), `traffic_signs` (or `traffic_sign`), and `all`.
impl FromStr for FeatureType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "point" | "points" => Ok(Self::Point),
            "traffic_signs" | "traffic_sign" => Ok(Self::TrafficSigns),
            "all" => Ok(Self::All),
            other => Err(arguments::wrong(
                "feature_type",
                other,
                arguments::FEATURE_TYPE,
            )),
        }
    }
}

/// What map features must be like: every part that is set must hold.
///
/// Of a partial date its first moment counts, so that `existed_at` and `existed_before` of the
/// same date share out the features whose date is known.
///
/// ```
/// use tilesight::compat::interface::FeatureFilters;
///
/// let filters = FeatureFilters::from_json(r#"{"filter_values": ["object--bench"]}"#)?;
/// assert_eq!(filters.filter_values, ["object--bench"]);
/// # Ok::<(), tilesight::compat::interface::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FeatureFilters {
    /// One of these values, exact or a beginning followed by `*`; empty for any.
    pub filter_values: Vec<String>,
    /// First seen after the first moment of this date.
    pub existed_at: Option<Period>,
    /// First seen up to the first moment of this date, included.
    pub existed_before: Option<Period>,
    /// Objects, signs, or both, where the function does not say so already.
    pub feature_type: FeatureType,
}

impl FeatureFilters {
    /// Reads the arguments of a call from a JSON object, by their names. `zoom` may be 14 to 17
    /// and makes no difference.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] and [`Error::UnknownArgument`].
    pub fn from_json(json: &str) -> Result<Self, Error> {
        use arguments::{DATE, FEATURE_TYPE, TEXTS, ZOOM};
        let mut arguments = Arguments::parse(json)?;
        let texts = arguments::one_or_more(arguments::text);
        let feature_type = |value: &Value| value.as_str()?.parse().ok();
        arguments.take("zoom", ZOOM, arguments::zoom)?;
        let filters = Self {
            filter_values: arguments
                .take("filter_values", TEXTS, texts)?
                .unwrap_or_default(),
            existed_at: arguments.take("existed_at", DATE, arguments::date)?,
            existed_before: arguments.take("existed_before", DATE, arguments::date)?,
            feature_type: arguments
                .take("feature_type", FEATURE_TYPE, feature_type)?
                .unwrap_or_default(),
        };
        arguments.finish()?;
        Ok(filters)
    }

    pub(super) fn query(&self, place: Place, kind: Option<FeatureKind>) -> FeatureQuery {
        let moment = |ms| Period {
            first_ms: ms,
            last_ms: ms,
        };
        let after = |period: Period| moment(period.first_ms.saturating_add(1));
        FeatureQuery {
            place,
            kind,
            values: self.filter_values.clone(),
            first_seen_since: self.existed_at.map(after),
            first_seen_until: self.existed_before.map(|period| moment(period.first_ms)),
            ..FeatureQuery::default()
        }
    }
}
