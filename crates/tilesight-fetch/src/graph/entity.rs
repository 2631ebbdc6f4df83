//! What the Graph API knows: images, map features, organizations.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::scalar::{Id, TimestampMs};

/// An image.
///
/// Every field but the id is absent unless it was asked for, and where the image has no such
/// value. Serialized, names and spellings are those of the Graph API, with times as RFC 3339.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Image {
    /// Which image.
    pub id: Id,
    /// Where it was taken, as recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geometry: Option<Position>,
    /// Where it was taken, as reconstructed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed_geometry: Option<Position>,
    /// When it was taken.
    #[serde(
        rename = "captured_at",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub captured_at_ms: Option<TimestampMs>,
    /// Which way it looks, as recorded, in degrees from north, clockwise.
    #[serde(
        rename = "compass_angle",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub compass_angle_deg: Option<f64>,
    /// Which way it looks, as reconstructed, in degrees from north, clockwise.
    #[serde(
        rename = "computed_compass_angle",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub computed_compass_angle_deg: Option<f64>,
    /// Metres above sea level, as recorded.
    #[serde(rename = "altitude", default, skip_serializing_if = "Option::is_none")]
    pub altitude_m: Option<f64>,
    /// Metres above sea level, as reconstructed.
    #[serde(
        rename = "computed_altitude",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub computed_altitude_m: Option<f64>,
    /// How the camera was turned, as reconstructed: an axis times an angle in radians.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed_rotation: Option<Vec<f64>>,
    /// Scale of the reconstruction around the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atomic_scale: Option<f64>,
    /// Focal length and distortions k1, k2, for one kind of camera; others have more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera_parameters: Option<Vec<f64>>,
    /// Projection of the camera: `perspective`, `fisheye`, `equirectangular`, `spherical`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera_type: Option<String>,
    /// Whether it is a panorama.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_pano: Option<bool>,
    /// Maker of the camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub make: Option<String>,
    /// Model of the camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Which way up the camera was held, as the EXIF tag tells it: 1 to 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exif_orientation: Option<u32>,
    /// Pixels across.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// How good it is held to be, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality_score: Option<f64>,
    /// Key of the sequence that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
    /// Who took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator: Option<Creator>,
    /// For whom it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<Organization>,
    /// Number of the part of the world whose images were aligned together; too large to be
    /// exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge_cc: Option<f64>,
    /// The mesh around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh: Option<Resource>,
    /// The reconstruction it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sfm_cluster: Option<Resource>,
    /// Signed URL of the picture, 256 pixels across; it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumb_256_url: Option<String>,
    /// Signed URL of the picture, 1024 pixels across; it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumb_1024_url: Option<String>,
    /// Signed URL of the picture, 2048 pixels across; it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumb_2048_url: Option<String>,
    /// Signed URL of the picture as large as it was taken; it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumb_original_url: Option<String>,
    /// Whatever else the answer had.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A traffic sign or another object that was found in several images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MapFeature {
    /// Which one.
    pub id: Id,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geometry: Option<Position>,
    /// What it is: `complementary--both-directions--g2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_value: Option<String>,
    /// What kind of thing it is: `trafficsign`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_type: Option<String>,
    /// When the first image that shows it was taken.
    #[serde(
        rename = "first_seen_at",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub first_seen_at_ms: Option<TimestampMs>,
    /// When the last image that shows it was taken.
    #[serde(
        rename = "last_seen_at",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub last_seen_at_ms: Option<TimestampMs>,
    /// Which way it faces, in degrees from north, clockwise.
    #[serde(
        rename = "aligned_direction",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub aligned_direction_deg: Option<f64>,
    /// The images that show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<ImageList>,
    /// Whatever else the answer had.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An organization for which images are taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Organization {
    /// Which one.
    pub id: Id,
    /// Its name in URLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whatever else the answer had.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Who took an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Creator {
    /// Which user.
    pub id: Id,
    /// The user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Whatever else the answer had.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A file that belongs to an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Resource {
    /// Which one.
    pub id: Id,
    /// Signed URL of the file; it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The images of a map feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ImageList {
    /// One after the other.
    pub data: Vec<ImagePlace>,
}

/// An image and where it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ImagePlace {
    /// Which image.
    pub id: Id,
    /// Where it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geometry: Option<Position>,
}

/// A position in degrees on WGS 84; a GeoJSON point when it is serialized.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Point", into = "Point")]
pub struct Position {
    /// Longitude.
    pub lon: f64,
    /// Latitude.
    pub lat: f64,
}

#[derive(Serialize, Deserialize)]
struct Point {
    r#type: PointType,
    coordinates: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
enum PointType {
    Point,
}

impl TryFrom<Point> for Position {
    type Error = &'static str;

    fn try_from(point: Point) -> Result<Self, Self::Error> {
        match *point.coordinates {
            [lon, lat, ..] => Ok(Self { lon, lat }),
            _ => Err("a point has a longitude and a latitude"),
        }
    }
}

impl From<Position> for Point {
    fn from(Position { lon, lat }: Position) -> Self {
        Self {
            r#type: PointType::Point,
            coordinates: vec![lon, lat],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_image_is_read_with_what_is_not_known_of_it() {
        let answer = json!({
            "id": "9007199254740993",
            "captured_at": 1_563_721_072_184_i64,
            "compass_angle": 336.74,
            "geometry": {"type": "Point", "coordinates": [-108.5, 39.0, 1364.6]},
            "merge_cc": 4.5e18,
            "organization": {"id": "17", "slug": "town"},
            "colour": "red",
            "width": 4160,
        });
        let image: Image = serde_json::from_value(answer).unwrap();
        assert_eq!(image.id, Id(9_007_199_254_740_993));
        assert_eq!(
            image.geometry,
            Some(Position {
                lon: -108.5,
                lat: 39.0
            })
        );
        assert_eq!(image.captured_at_ms, Some(TimestampMs(1_563_721_072_184)));
        assert_eq!(image.organization.as_ref().unwrap().id, Id(17));
        assert_eq!(image.other["colour"], "red");
        let written = serde_json::to_value(&image).unwrap();
        assert_eq!(written["captured_at"], "2019-07-21T14:57:52.184Z");
        assert_eq!(written["geometry"]["coordinates"], json!([-108.5, 39.0]));
        assert_eq!(written["colour"], "red");
        assert_eq!(written.get("height"), None);
        assert_eq!(serde_json::from_value::<Image>(written).unwrap(), image);
    }

    #[test]
    fn nulls_are_absent() {
        let image: Image =
            serde_json::from_str(r#"{"id": 1, "make": null, "geometry": null}"#).unwrap();
        assert_eq!((image.make, image.geometry), (None, None));
    }

    #[test]
    fn what_is_no_entity_is_refused() {
        for wrong in [
            r#"{"captured_at": 1}"#,
            r#"{"id": "x"}"#,
            r#"{"id": 1, "geometry": {"type": "Point", "coordinates": [1]}}"#,
            r#"{"id": 1, "geometry": {"type": "Polygon", "coordinates": []}}"#,
            r#"{"id": 1, "captured_at": "once"}"#,
        ] {
            assert!(serde_json::from_str::<Image>(wrong).is_err(), "{wrong}");
        }
    }
}
