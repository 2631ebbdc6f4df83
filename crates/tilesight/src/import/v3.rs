//! Sequences as GeoJSON: what Mapillary's API v3 gave and Map the Paths took.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use tilesight_query::{Period, rfc3339};
use tilesight_tile::{GridPoint, LonLat};

use super::{ImportError, ImportedSequence, id_of_key};

/// Most characters of a key or a name.
const MAX_TEXT_CHARS: usize = 255;

/// A sequence that was read and checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct V3Sequence {
    pub(super) about: ImportedSequence,
    pub(super) captured_at_ms: Option<i64>,
    pub(super) is_pano: Option<bool>,
    /// In the order of the file.
    pub(super) images: Vec<V3Image>,
    /// As it came, to be kept.
    feature: OneFeature,
}

/// An image of a sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct V3Image {
    pub(super) id: i64,
    /// Whether the id is one of Mapillary's, and not made of an old key.
    pub(super) has_id: bool,
    pub(super) point: GridPoint,
    /// As it came; negative ones are unknown.
    pub(super) heading_deg: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum Document {
    FeatureCollection { features: Vec<OneFeature> },
    Feature(Box<Feature>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum OneFeature {
    Feature(Feature),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Feature {
    properties: Properties,
    geometry: Geometry,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Properties {
    #[serde(default)]
    camera_make: Option<String>,
    #[serde(default)]
    captured_at: Option<Scalar>,
    #[serde(rename = "coordinateProperties")]
    of_coordinates: CoordinateProperties,
    #[serde(default)]
    created_at: Option<Scalar>,
    key: String,
    #[serde(default)]
    pano: Option<bool>,
    #[serde(default)]
    user_key: Option<Scalar>,
    #[serde(default)]
    username: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct CoordinateProperties {
    #[serde(default)]
    cas: Option<Vec<Option<f64>>>,
    image_keys: Vec<Scalar>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Geometry {
    LineString { coordinates: Vec<Vec<f64>> },
}

/// A text, or an integer in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(i64),
}

impl Scalar {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}

/// Reads sequences: each key once, as the last feature has it. Also tells how many have no image.
pub(super) fn read(text: &str) -> Result<(Vec<V3Sequence>, u64), ImportError> {
    let (mut sequences, mut left_out) = (Vec::new(), 0);
    let mut number = 0;
    // Some editors mark UTF-8 files, which JSON does not allow for.
    let text = text.trim_start_matches('\u{feff}');
    for document in serde_json::Deserializer::from_str(text).into_iter() {
        let features = match document.map_err(|error| ImportError::Json(error.to_string()))? {
            Document::FeatureCollection { features } => features,
            Document::Feature(feature) => vec![OneFeature::Feature(*feature)],
        };
        for feature in features {
            number += 1;
            let sequence = checked(feature, number)?;
            if sequence.images.is_empty() {
                left_out += 1;
            } else {
                sequences.push(sequence);
            }
        }
    }
    if number == 0 {
        return Err(ImportError::Json("it has no feature".to_owned()));
    }
    if sequences.is_empty() {
        return Err(ImportError::NoImage(left_out));
    }
    Ok((last_of_each(sequences), left_out))
}

fn last_of_each(mut sequences: Vec<V3Sequence>) -> Vec<V3Sequence> {
    let mut seen = HashSet::new();
    sequences.reverse();
    sequences.retain(|sequence| seen.insert(sequence.about.key.clone()));
    sequences.reverse();
    sequences
}

/// Writes a sequence as it is kept.
pub(super) fn to_text(sequence: &V3Sequence) -> Result<String, ImportError> {
    serde_json::to_string(&sequence.feature).map_err(|error| ImportError::Json(error.to_string()))
}

/// Reads a sequence that is kept.
pub(super) fn from_text(text: &str) -> Result<V3Sequence, ImportError> {
    let feature = serde_json::from_str(text);
    checked(
        feature.map_err(|error| ImportError::Json(error.to_string()))?,
        1,
    )
}

/// Reads sequences as an import does; tells of each whether it is read back from what is kept of
/// it.
#[cfg(feature = "fuzzing")]
pub(crate) fn kept_alike(text: &str) -> Result<Vec<bool>, ImportError> {
    let (sequences, _) = read(text)?;
    let is_alike = |sequence: &V3Sequence| Ok(from_text(&to_text(sequence)?)? == *sequence);
    sequences.iter().map(is_alike).collect()
}

fn checked(feature: OneFeature, number: usize) -> Result<V3Sequence, ImportError> {
    let key = match &feature {
        OneFeature::Feature(feature) => feature.properties.key.clone(),
    };
    understood(feature).map_err(|problem| ImportError::Feature {
        number,
        key: key.chars().take(MAX_TEXT_CHARS).collect(),
        problem,
    })
}

/// Makes a sequence of a feature, or says what is wrong with it.
fn understood(one: OneFeature) -> Result<V3Sequence, String> {
    let OneFeature::Feature(feature) = one.clone();
    let Properties {
        camera_make,
        captured_at,
        of_coordinates: CoordinateProperties { cas, image_keys },
        created_at,
        key,
        pano,
        user_key,
        username,
    } = feature.properties;
    check_text("key", &key)?;
    let Geometry::LineString { coordinates } = feature.geometry;
    let keys: Vec<String> = image_keys.into_iter().map(Scalar::into_text).collect();
    let images = images(&keys, &cas.unwrap_or_default(), &coordinates)?;
    let user_key = user_key.map(Scalar::into_text);
    for (what, text) in [
        ("user_key", &user_key),
        ("username", &username),
        ("camera_make", &camera_make),
    ] {
        text.as_deref()
            .map_or(Ok(()), |text| check_text(what, text))?;
    }
    let named = keys.into_iter().zip(&images);
    let mut old_keys: Vec<(i64, String)> = named
        .filter(|(_, image)| !image.has_id)
        .map(|(key, image)| (image.id, key))
        .collect();
    old_keys.sort_unstable();
    old_keys.dedup();
    Ok(V3Sequence {
        about: ImportedSequence {
            key,
            user_key,
            username: username.filter(|name| !name.is_empty()),
            camera_make: camera_make.filter(|name| !name.is_empty()),
            created_at_ms: time_ms("created_at", created_at)?,
            old_keys,
        },
        captured_at_ms: time_ms("captured_at", captured_at)?,
        is_pano: pano,
        images,
        feature: one,
    })
}

fn images(
    keys: &[String],
    headings: &[Option<f64>],
    positions: &[Vec<f64>],
) -> Result<Vec<V3Image>, String> {
    // A line through one image has its place twice.
    let positions = match positions {
        [only, again] if keys.len() == 1 && only == again => &positions[..1],
        positions => positions,
    };
    if keys.len() != positions.len() {
        let (keys, positions) = (keys.len(), positions.len());
        return Err(format!(
            "it has {keys} image_keys and {positions} positions"
        ));
    }
    if !headings.is_empty() && headings.len() != keys.len() {
        let (keys, headings) = (keys.len(), headings.len());
        return Err(format!("it has {keys} image_keys and {headings} cas"));
    }
    let heading = |i: usize| headings.get(i).copied().flatten();
    let numbered = keys.iter().zip(positions).enumerate();
    numbered
        .map(|(i, (key, position))| {
            check_text("image key", key)?;
            let (id, has_id) = id_of_key(key);
            Ok(V3Image {
                id,
                has_id,
                point: point(position)?,
                heading_deg: heading(i),
            })
        })
        .collect()
}

/// A position; an altitude may follow.
fn point(position: &[f64]) -> Result<GridPoint, String> {
    let [lon, lat, ..] = *position else {
        return Err("a position is longitude and latitude, as [24.9384, 60.1699]".to_owned());
    };
    let position = LonLat::new(lon, lat).map_err(|error| error.to_string())?;
    Ok(GridPoint::nearest_to(position))
}

fn time_ms(what: &str, time: Option<Scalar>) -> Result<Option<i64>, String> {
    let Some(text) = time.map(Scalar::into_text).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let period: Period = text.parse().map_err(|error| format!("{what}: {error}"))?;
    Ok(Some(period.first_ms))
}

/// Checks a text that is written again in one line; an empty one is as good as none.
fn check_text(what: &str, text: &str) -> Result<(), String> {
    let must_be_there = matches!(what, "key" | "image key");
    let problem = if must_be_there && text.is_empty() {
        "is empty"
    } else if text.chars().any(char::is_control) {
        "has a control character"
    } else if text.chars().nth(MAX_TEXT_CHARS).is_some() {
        "has more than 255 characters"
    } else {
        return Ok(());
    };
    Err(format!("its {what} {problem}"))
}

/// What is noted of imported sequences in a dataset file: features without places, as JSON.
pub(crate) fn to_json(sequences: &[ImportedSequence]) -> serde_json::Value {
    let noted = |sequence: &ImportedSequence| {
        let keys = sequence.old_keys.iter();
        serde_json::json!({
            "key": sequence.key,
            "user_key": sequence.user_key,
            "username": sequence.username,
            "camera_make": sequence.camera_make,
            "created_at": sequence.created_at_ms.map(rfc3339),
            "image_keys": keys.map(|(_, key)| key).collect::<Vec<_>>(),
        })
    };
    sequences.iter().map(noted).collect()
}

/// Reads what [`to_json`] wrote; what is not there is not known.
pub(crate) fn from_json(noted: &serde_json::Value) -> Vec<ImportedSequence> {
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let sequence = |noted: &serde_json::Value| {
        let keys = noted["image_keys"].as_array().into_iter().flatten();
        let keys = keys.filter_map(text);
        let mut old_keys: Vec<_> = keys.map(|key| (id_of_key(&key).0, key)).collect();
        old_keys.sort_unstable();
        Some(ImportedSequence {
            key: text(&noted["key"])?,
            user_key: text(&noted["user_key"]),
            username: text(&noted["username"]),
            camera_make: text(&noted["camera_make"]),
            created_at_ms: time_ms("created_at", text(&noted["created_at"]).map(Scalar::Text))
                .ok()?,
            old_keys,
        })
    };
    let noted = noted.as_array().into_iter().flatten();
    let mut sequences: Vec<_> = noted.filter_map(sequence).collect();
    sequences.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    sequences
}
