//! Sequences made of points, with some of their pictures.

use std::io::Write;

use serde::Serialize;
use tilesight_query::rfc3339;

use super::collection::{Collection, CollectionWriter, NewFeature};
use super::geometry::{Part, geometry};
use super::pictures::{Picture, Pictures};
use super::walk::{Step, Walk, walks};
use super::{Counts, Error};

/// Pictures of a sequence.
const PICTURES: usize = 5;

/// Sequences, ready to be written with the addresses of some of their pictures.
#[derive(Debug)]
pub struct CustomSequences {
    sequences: Vec<CustomSequence>,
    points: u64,
}

#[derive(Debug)]
struct CustomSequence {
    id: String,
    is_pano: Option<bool>,
    images: Vec<i64>,
    parts: Vec<Part>,
}

/// Makes sequences of points: lines through them by (`captured_at`, `id`), broken where the
/// points say so (`sequence_part`).
///
/// Points of no sequence make none. To be written with addresses, ask for those of
/// [`sample_ids`](CustomSequences::sample_ids) first.
///
/// # Errors
///
/// [`Error::Collection`] and [`Error::Feature`] for what is no collection of points.
///
/// # Example
///
/// ```
/// use tilesight::compat::geokit::{Pictures, custom_sequences};
///
/// let points = r#"{"type": "FeatureCollection", "features": [
///     {"type": "Feature", "properties": {"id": 8, "sequence_id": "walk", "captured_at": 2000},
///      "geometry": {"type": "Point", "coordinates": [24.96, 60.17]}},
///     {"type": "Feature", "properties": {"id": 9, "sequence_id": "walk", "captured_at": 1000},
///      "geometry": {"type": "Point", "coordinates": [24.95, 60.17]}}
/// ]}"#;
/// let sequences = custom_sequences(points)?;
/// assert_eq!(sequences.sample_ids(), [9, 8]);
/// let mut written = Vec::new();
/// sequences.write(&Pictures::new(), &mut written)?;
/// assert!(str::from_utf8(&written).unwrap().contains(r#""images_id":"9,8""#));
/// # Ok::<(), tilesight::compat::geokit::Error>(())
/// ```
pub fn custom_sequences(points: &str) -> Result<CustomSequences, Error> {
    let points = Collection::read(points)?;
    let sequences = walks(&points)?.into_iter().filter_map(CustomSequence::new);
    Ok(CustomSequences {
        sequences: sequences.collect(),
        points: points.len(),
    })
}

impl CustomSequences {
    /// The images whose pictures are wanted: of each sequence up to five, evenly spread from its
    /// first to its last.
    pub fn sample_ids(&self) -> Vec<i64> {
        self.sequences
            .iter()
            .flat_map(CustomSequence::sample)
            .collect()
    }

    /// Writes the sequences with `sequence_id`, `is_pano`, `images_id` (all, with commas),
    /// `total_points`, `custom_url` (the first picture that there is), `custom_urls` (the others,
    /// with commas) and `custom_urls_expire_at` (RFC 3339, when the first of them does).
    ///
    /// # Errors
    ///
    /// [`Error::Write`] alone.
    pub fn write(&self, pictures: &Pictures, out: &mut dyn Write) -> Result<Counts, Error> {
        let mut writer = CollectionWriter::new(out)?;
        for sequence in &self.sequences {
            writer.write(&sequence.feature(pictures))?;
        }
        Ok(Counts {
            read: self.points,
            written: writer.finish()?,
        })
    }
}

/// The properties of a sequence, as geokit names them.
#[derive(Debug, Serialize)]
struct CustomProperties<'a> {
    #[serde(flatten)]
    sequence: SequenceProperties<'a>,
    custom_url: &'a str,
    custom_urls: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_urls_expire_at: Option<String>,
}

/// What geokit says of every sequence that is made of points.
#[derive(Debug, Serialize)]
pub(super) struct SequenceProperties<'a> {
    pub(super) sequence_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is_pano: Option<bool>,
    pub(super) images_id: String,
    pub(super) total_points: usize,
}

impl<'a> SequenceProperties<'a> {
    pub(super) fn new(sequence_id: &'a str, is_pano: Option<bool>, images: &[i64]) -> Self {
        let ids: Vec<String> = images.iter().map(i64::to_string).collect();
        Self {
            sequence_id,
            is_pano,
            images_id: ids.join(","),
            total_points: ids.len(),
        }
    }
}

impl CustomSequence {
    fn new(walk: Walk<'_>) -> Option<Self> {
        let parts = walk.steps.chunk_by(|a, b| a.part == b.part);
        let part = |steps: &[Step<'_>]| steps.iter().map(|step| step.position).collect();
        Some(Self {
            id: walk.sequence_id?,
            is_pano: walk.steps.first().and_then(|step| step.is_pano),
            images: walk.steps.iter().filter_map(|step| step.id).collect(),
            parts: parts.map(part).collect(),
        })
    }

    /// Some of the images, evenly spread.
    fn sample(&self) -> impl Iterator<Item = i64> {
        let count = self.images.len().min(PICTURES);
        let last = self.images.len().saturating_sub(1);
        let spread = move |number| number * last / count.saturating_sub(1).max(1);
        (0..count).map(move |number| self.images[spread(number)])
    }

    fn feature<'s>(&'s self, pictures: &'s Pictures) -> NewFeature<CustomProperties<'s>> {
        let pictures: Vec<&Picture> = self.sample().filter_map(|id| pictures.get(&id)).collect();
        let urls: Vec<&str> = pictures
            .iter()
            .map(|picture| picture.url.as_str())
            .collect();
        let (first, others) = urls.split_first().unwrap_or((&"", &[]));
        let expires_at_ms = pictures
            .iter()
            .filter_map(|picture| picture.expires_at_ms)
            .min();
        let sequence = SequenceProperties::new(&self.id, self.is_pano, &self.images);
        NewFeature {
            geometry: geometry(&self.parts),
            properties: CustomProperties {
                sequence: SequenceProperties {
                    total_points: self.parts.iter().map(Vec::len).sum(),
                    ..sequence
                },
                custom_url: first,
                custom_urls: others.join(","),
                custom_urls_expire_at: expires_at_ms.map(rfc3339),
            },
        }
    }
}
