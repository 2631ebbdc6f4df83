//! The images and sequences of an area.

use std::collections::HashMap;
use std::io::Write;

use serde::Serialize;
use tilesight_query::{
    Filter, Image, ImageQuery, Kind, NotHeld, Period, Place, Selection, SequenceQuery,
    SequenceSelection, Track,
};
use tilesight_tile::LonLat;

use super::Error;
use super::breaks::breaks;
use super::collection::{CollectionWriter, NewFeature};
use super::custom::SequenceProperties;
use super::geometry::{Geometry, Part, geometry, rounded};
use crate::Dataset;

/// What [`get_mapillary_points`] looks for.
#[derive(Debug, Clone, Default)]
pub struct PointsQuery {
    /// Where; boundaries belong to it.
    pub place: Place,
    /// Captured at this time or later, in milliseconds since 1970, UTC; 0 for any time, known or
    /// not.
    pub timestamp_from_ms: i64,
    /// Panoramas only.
    pub only_pano: bool,
    /// By one of these organizations, panoramas or not; empty for any or none.
    pub organization_ids: Vec<i64>,
    /// Answer from what is held even where the place touches tiles that are not.
    pub allow_partial: bool,
}

impl PointsQuery {
    fn filter(&self) -> Filter {
        let from = Period {
            first_ms: self.timestamp_from_ms,
            last_ms: self.timestamp_from_ms,
        };
        Filter {
            since: (self.timestamp_from_ms > 0).then_some(from),
            kind: self.only_pano.then_some(Kind::Pano),
            organizations: self.organization_ids.clone(),
            ..Filter::default()
        }
    }
}

/// The images and sequences that were found, ready to be written: panoramas, or all that are not
/// known to be some.
#[derive(Debug)]
pub struct MapillaryPoints<'a> {
    images: Selection<'a>,
    sequences: SequenceSelection<'a>,
    /// Ids of the images, ascending.
    ids: Vec<i64>,
    /// The part to which each image of a broken sequence belongs.
    part_of: HashMap<i64, u32>,
}

/// Finds the images of an area, and the sequences that they make.
///
/// # Errors
///
/// [`Error::Query`] as [`Dataset::images`](tilesight_query::Dataset::images), with
/// [`NotHeld`](tilesight_query::Error::NotHeld) when the place touches tiles that are not held.
///
/// # Example
///
/// ```
/// use tilesight::compat::geokit::{PointsQuery, get_mapillary_points};
/// use tilesight::{Dataset, Image};
///
/// let image = |id, lon| Image {
///     sequence_id: Some("walk"),
///     captured_at_ms: Some(id),
///     ..Image::at(id, lon, 60.17)
/// };
/// let data = Dataset::from_images([image(1, 24.93), image(2, 24.95)])?;
/// let found = get_mapillary_points(&data, &PointsQuery::default())?;
/// let mut written = Vec::new();
/// assert_eq!(found.write_sequences(false, &mut written)?, 1);
/// let text = str::from_utf8(&written)?;
/// assert!(text.contains(r#""sequence_id":"walk","images_id":"1,2","total_points":2"#), "{text}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn get_mapillary_points<'a>(
    data: &'a Dataset,
    query: &PointsQuery,
) -> Result<MapillaryPoints<'a>, Error> {
    let images = data.images(&ImageQuery {
        place: query.place.clone(),
        filter: query.filter(),
        allow_partial: query.allow_partial,
        limit: None,
    })?;
    let sequences = data.sequences(&SequenceQuery {
        place: query.place.clone(),
        filter: query.filter(),
        allow_partial: query.allow_partial,
        limit: None,
    })?;
    let mut ids = images.to_ids();
    ids.sort_unstable();
    let mut found = MapillaryPoints {
        images,
        sequences,
        ids,
        part_of: HashMap::new(),
    };
    found.part_of = found.parts_of_broken()?;
    Ok(found)
}

impl MapillaryPoints<'_> {
    /// The tiles that the place touches and the dataset does not hold, where
    /// [`allow_partial`](PointsQuery::allow_partial) let them be missing.
    pub const fn missing(&self) -> Option<&NotHeld> {
        self.images.missing()
    }

    /// How many of the ids were rounded before they came into the tiles, and may be wrong.
    pub fn inexact_ids(&self) -> u64 {
        self.images
            .iter()
            .filter(|image| !image.id_is_exact)
            .count() as u64
    }

    /// Writes the panoramas, or the other images, as points: with the properties that tiles have,
    /// ids as numbers, times in milliseconds, and `sequence_part`, counted from 0, where the
    /// sequence is broken. What is not known is left out. Returns how many there are.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] alone.
    pub fn write_points(&self, pano: bool, out: &mut dyn Write) -> Result<u64, Error> {
        let mut writer = CollectionWriter::new(out)?;
        for image in self.images.iter().filter(|image| is_pano(image) == pano) {
            let part = self.part_of.get(&image.id).copied();
            writer.write(&NewFeature {
                geometry: Geometry::Point {
                    coordinates: [image.lon, image.lat].map(rounded),
                },
                properties: PointProperties::new(&image, part),
            })?;
        }
        writer.finish()
    }

    /// Writes the sequences that the panoramas, or the other images, make: a line through them by
    /// (capture time, id), broken where the sequence is elsewhere in between, with `sequence_id`,
    /// `is_pano`, `images_id` (all, with commas) and `total_points`, by their ids. A part of one
    /// image is a point. Returns how many there are.
    ///
    /// # Errors
    ///
    /// [`Error::Write`], and [`Error::Query`] where the dataset is damaged.
    pub fn write_sequences(&self, pano: bool, out: &mut dyn Write) -> Result<u64, Error> {
        let mut writer = CollectionWriter::new(out)?;
        for track in self.sequences.tracks() {
            let mut parts = self.parts(&track)?;
            for part in &mut parts {
                part.retain(|image| is_pano(image) == pano);
            }
            parts.retain(|part| !part.is_empty());
            if let Some(feature) = feature(track.sequence.id, &parts) {
                writer.write(&feature)?;
            }
        }
        writer.finish()
    }

    fn parts_of_broken(&self) -> Result<HashMap<i64, u32>, Error> {
        let mut part_of = HashMap::new();
        for track in self.sequences.tracks() {
            let parts = self.parts(&track)?;
            if parts.len() > 1 {
                let numbered = parts.iter().zip(0..);
                let images = numbered.flat_map(|(part, n)| part.iter().map(move |i| (i.id, n)));
                part_of.extend(images);
            }
        }
        Ok(part_of)
    }

    /// The images found of a sequence, in parts: a part ends where the sequence has images that
    /// were not found, or its line is broken.
    fn parts<'a>(&self, track: &Track<'a>) -> Result<Vec<Vec<Image<'a>>>, Error> {
        let images: Vec<Image<'a>> = track.images()?.collect();
        let line: Vec<Part> = track.line().map(Iterator::collect).collect();
        let positions = images.iter().filter_map(position).collect::<Vec<LonLat>>();
        let breaks = breaks(&line, &positions);
        let mut parts: Vec<Vec<Image<'a>>> = Vec::new();
        let mut goes_on = false;
        for (at, image) in images.into_iter().enumerate() {
            if self.ids.binary_search(&image.id).is_err() {
                goes_on = false;
                continue;
            }
            match parts.last_mut() {
                Some(part) if goes_on && !breaks.contains(&at) => part.push(image),
                _ => parts.push(vec![image]),
            }
            goes_on = true;
        }
        Ok(parts)
    }
}

/// Whether an image is known to be a panorama.
fn is_pano(image: &Image<'_>) -> bool {
    image.kind == Some(Kind::Pano)
}

fn kind_flag(image: &Image<'_>) -> Option<bool> {
    image.kind.map(|kind| kind == Kind::Pano)
}

/// Where an image stands; images of datasets stand on Earth.
fn position(image: &Image<'_>) -> Option<LonLat> {
    LonLat::new(image.lon, image.lat).ok()
}

fn feature<'s>(
    id: &'s str,
    parts: &[Vec<Image<'_>>],
) -> Option<NewFeature<SequenceProperties<'s>>> {
    let first = parts.first()?.first()?;
    let ids: Vec<i64> = parts.iter().flatten().map(|image| image.id).collect();
    let line: Vec<Part> = parts
        .iter()
        .map(|part| part.iter().filter_map(position).collect())
        .collect();
    Some(NewFeature {
        geometry: geometry(&line),
        properties: SequenceProperties::new(id, kind_flag(first), &ids),
    })
}

/// The properties of a point, as tiles name them.
#[derive(Debug, Serialize)]
struct PointProperties<'a> {
    id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    captured_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compass_angle: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_pano: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creator_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_part: Option<u32>,
}

impl<'a> PointProperties<'a> {
    fn new(image: &Image<'a>, sequence_part: Option<u32>) -> Self {
        Self {
            id: image.id,
            captured_at: image.captured_at_ms,
            compass_angle: image.compass_angle_deg,
            is_pano: kind_flag(image),
            sequence_id: image.sequence_id,
            organization_id: image.organization_id,
            creator_id: image.creator_id,
            sequence_part,
        }
    }
}
