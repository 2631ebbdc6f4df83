//! The rows of answers, as people read them.

use crate::query::{FeatureKind, Kind};

/// An image: one row of an answer, or of [`Dataset::from_images`](crate::Dataset::from_images).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Image<'a> {
    /// Id at Mapillary.
    pub id: i64,
    /// Whether [`id`](Self::id) is exact; some tiles carry ids as doubles, rounded above 2⁵³.
    pub id_is_exact: bool,
    /// Longitude in degrees.
    pub lon: f64,
    /// Latitude in degrees.
    pub lat: f64,
    /// Capture time in milliseconds since 1970, UTC.
    pub captured_at_ms: Option<i64>,
    /// Heading of the camera in degrees clockwise from north, 0 ≤ heading < 360.
    pub compass_angle_deg: Option<f64>,
    /// Panorama or flat.
    pub kind: Option<Kind>,
    /// Sequence.
    pub sequence_id: Option<&'a str>,
    /// Organization.
    pub organization_id: Option<i64>,
    /// Creator.
    pub creator_id: Option<i64>,
    /// Distance from the target in metres, where the question had one.
    pub distance_m: Option<f64>,
    /// Bearing from the image to the target in degrees, for looking-at questions.
    pub bearing_deg: Option<f64>,
    /// How far the bearing lies from the heading, 0…180 degrees, for looking-at questions;
    /// nothing without a heading.
    pub offset_deg: Option<f64>,
}

impl Image<'_> {
    /// An image of which only id and position are known; longitude before latitude, in degrees.
    pub const fn at(id: i64, lon: f64, lat: f64) -> Self {
        Self {
            id,
            id_is_exact: true,
            lon,
            lat,
            captured_at_ms: None,
            compass_angle_deg: None,
            kind: None,
            sequence_id: None,
            organization_id: None,
            creator_id: None,
            distance_m: None,
            bearing_deg: None,
            offset_deg: None,
        }
    }
}

/// A map feature: one row of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MapFeature<'a> {
    /// Id at Mapillary.
    pub id: i64,
    /// Whether [`id`](Self::id) is exact; some tiles carry ids as doubles, rounded above 2⁵³.
    pub id_is_exact: bool,
    /// Object or traffic sign.
    pub kind: FeatureKind,
    /// What it is, such as `object--fire-hydrant`.
    pub value: Option<&'a str>,
    /// Longitude in degrees.
    pub lon: f64,
    /// Latitude in degrees.
    pub lat: f64,
    /// First seen, in milliseconds since 1970, UTC.
    pub first_seen_at_ms: Option<i64>,
    /// Last seen, in milliseconds since 1970, UTC.
    pub last_seen_at_ms: Option<i64>,
    /// Distance from the target in metres, where the question had one.
    pub distance_m: Option<f64>,
}

/// A sequence: one row of an answer. Its line is read with
/// [`Track::line`](crate::Track::line).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sequence<'a> {
    /// Id at Mapillary, case-sensitive.
    pub id: &'a str,
    /// How many of its images the dataset holds.
    pub image_count: u32,
    /// First capture time known, in milliseconds since 1970, UTC.
    pub first_captured_at_ms: Option<i64>,
    /// Last capture time known, in milliseconds since 1970, UTC.
    pub last_captured_at_ms: Option<i64>,
    /// Panoramas or flat images.
    pub kind: Option<Kind>,
    /// Organization.
    pub organization_id: Option<i64>,
    /// Creator.
    pub creator_id: Option<i64>,
    /// Length of its line in metres; 0 where all of it lies in one place.
    pub length_m: f64,
    /// Distance from the target in metres, where the question had one.
    pub distance_m: Option<f64>,
}
