//! One feature of each sequence.

use std::collections::{HashMap, HashSet};
use std::io::Write;

use super::collection::{Collection, CollectionWriter, Feature};
use super::geometry::{Part, geometry, length_m, measured};
use super::{Counts, Error};

/// Puts the features of each `sequence_id` together into one.
///
/// # Returns
///
/// How many features came, and how many sequences they are: in the order in which they first come,
/// each with the properties of its first feature, and `id` (that of the sequence), `length` in
/// metres, `points` (vertices); where there are `images_id`, those of all features, each once, and
/// `total_points`, their number. A part of a line that is there twice counts once. One part is a
/// `LineString`, several a `MultiLineString`; parts of one position are points.
///
/// # Errors
///
/// [`Error::Collection`] and [`Error::Feature`] for what are no lines or points with a
/// `sequence_id`.
///
/// # Example
///
/// ```
/// use tilesight::compat::geokit::merge_sequences;
///
/// let pieces = r#"{"type": "FeatureCollection", "features": [
///     {"type": "Feature", "properties": {"sequence_id": "walk"},
///      "geometry": {"type": "LineString", "coordinates": [[24.95, 60], [24.96, 60]]}},
///     {"type": "Feature", "properties": {"sequence_id": "walk"},
///      "geometry": {"type": "LineString", "coordinates": [[24.97, 60], [24.98, 60]]}}
/// ]}"#;
/// let mut merged = Vec::new();
/// merge_sequences(pieces, &mut merged)?;
/// // A hundredth of a degree at 60° north is 556 m, and there are two of them.
/// assert!(str::from_utf8(&merged).unwrap().contains(r#""length":1111."#));
/// # Ok::<(), tilesight::compat::geokit::Error>(())
/// ```
pub fn merge_sequences(sequences: &str, out: &mut dyn Write) -> Result<Counts, Error> {
    let collection = Collection::read(sequences)?;
    let mut writer = CollectionWriter::new(out)?;
    for sequence in merged(&collection)? {
        writer.write(&sequence.into_feature()?)?;
    }
    Ok(Counts {
        read: collection.len(),
        written: writer.finish()?,
    })
}

/// A sequence with all that belongs to it.
#[derive(Debug)]
pub(super) struct MergedSequence<'a> {
    pub(super) id: String,
    /// The first of its features.
    pub(super) feature: Feature<'a>,
    pub(super) parts: Vec<Part>,
    /// Of all its features, each once, where it names any.
    images: Vec<String>,
}

/// Puts features together.
pub(super) fn merged<'a>(sequences: &Collection<'a>) -> Result<Vec<MergedSequence<'a>>, Error> {
    let mut merged: Vec<MergedSequence<'a>> = Vec::new();
    let (mut known, mut seen) = (HashMap::new(), Seen::default());
    for feature in sequences.features() {
        let feature = feature?;
        let id = feature.needed_sequence_id()?;
        let number = *known.entry(id.clone()).or_insert(merged.len());
        let (mut parts, mut images) = (feature.parts()?, images_of(&feature));
        parts.retain(|part| seen.is_new_part(number, part));
        images.retain(|image| seen.is_new_image(number, image));
        if let Some(sequence) = merged.get_mut(number) {
            sequence.parts.extend(parts);
            sequence.images.extend(images);
        } else {
            merged.push(MergedSequence {
                id,
                feature,
                parts,
                images,
            });
        }
    }
    Ok(merged)
}

impl<'a> MergedSequence<'a> {
    fn into_feature(self) -> Result<Feature<'a>, Error> {
        let Self {
            id,
            mut feature,
            parts,
            images,
        } = self;
        feature.set("id", &id)?;
        if !images.is_empty() {
            feature.set("images_id", &images.join(","))?;
            feature.set("total_points", &images.len())?;
        }
        feature.set("length", &measured(length_m(&parts)))?;
        feature.set("points", &parts.iter().map(Vec::len).sum::<usize>())?;
        feature.set_geometry(&geometry(&parts))?;
        Ok(feature)
    }
}

fn images_of(feature: &Feature<'_>) -> Vec<String> {
    let text = feature.text_of("images_id").unwrap_or_default();
    let images = text.split(',').map(str::trim).filter(|id| !id.is_empty());
    images.map(str::to_owned).collect()
}

/// What of which sequence came before.
#[derive(Debug, Default)]
struct Seen {
    parts: HashSet<(usize, Vec<[u64; 2]>)>,
    images: HashSet<(usize, String)>,
}

impl Seen {
    fn is_new_part(&mut self, sequence: usize, part: &Part) -> bool {
        let bits = |position: &tilesight_tile::LonLat| {
            [position.lon().to_bits(), position.lat().to_bits()]
        };
        self.parts
            .insert((sequence, part.iter().map(bits).collect()))
    }

    fn is_new_image(&mut self, sequence: usize, image: &str) -> bool {
        self.images.insert((sequence, image.to_owned()))
    }
}
