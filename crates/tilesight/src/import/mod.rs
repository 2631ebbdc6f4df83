//! Sequences that other services tell of: those of Mapillary's API v3 and of Map the Paths.
//!
//! # Where they are kept
//!
//! In the store, as they were given, in a table beside the tiles. Made into tiles they would
//! lose what tiles have no place for, move to the pixels of a tile, and claim that a tile is held
//! of which nobody knows what else is on it. In a file of their own they would be left behind when
//! the store is copied, and the dataset built without them. As a part of the store they are read
//! with it: their images and lines become rows like those of tiles.
//!
//! # The rules of every answer
//!
//! An image is one row: what a tile tells of an image replaces what an import does, whenever
//! the tile was fetched, since it tells more. An import makes no tile held: a question about a place
//! says what is missing there, and `--partial` answers it from what there is.
//!
//! The keys of images are their ids. Keys of before 2021 are no integers; an image with such a key
//! has a negative number for its id that follows from its key, by which no other service knows
//! it. Which image of today it is, nobody can tell, so these images are there only as long as no
//! tile knows their sequence, whose key has stayed the same.
//!
//! These files tell when a sequence begins and not when each image was taken. An image is dated a
//! millisecond after the one before it, or as a tile dates it, which keeps the order of the file.
//!
//! # What it does not do
//!
//! Where a store holds tiles of zooms 6 to 13 alone, which have lines without images, the line of a
//! sequence that was imported too is drawn through its images as well, and counts twice there.

mod rows;
mod v3;

use std::path::Path;

use tilesight_store::{About, StoreWriter};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::Error;
use crate::formats::ATTRIBUTION;

pub(crate) use rows::Imports;
#[cfg(feature = "fuzzing")]
pub(crate) use v3::kept_alike;
pub(crate) use v3::{from_json, to_json};

/// A sequence that was imported, as far as images and lines do not tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportedSequence {
    /// The key of the sequence.
    pub key: String,
    /// The key of the user who made it.
    pub user_key: Option<String>,
    /// The name of that user.
    pub username: Option<String>,
    /// Who made the camera.
    pub camera_make: Option<String>,
    /// When it was uploaded: milliseconds since 1970, UTC.
    pub created_at_ms: Option<i64>,
    /// The keys of its images that are no integers, by the ids that stand for them, ascending.
    pub old_keys: Vec<(i64, String)>,
}

impl ImportedSequence {
    /// The key that an image of this sequence was imported with, if it is not its id.
    pub(crate) fn old_key(&self, id: i64) -> Option<&str> {
        let at = self.old_keys.binary_search_by_key(&id, |(id, _)| *id);
        at.ok().map(|at| self.old_keys[at].1.as_str())
    }
}

/// What was imported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Import {
    /// How many sequences, each once.
    pub sequences: u64,
    /// How many images they have.
    pub images: u64,
    /// How many of these have a key that is no integer.
    pub old_keys: u64,
    /// How many sequences have no image, and were left out.
    pub left_out: u64,
}

/// Why sequences of other services could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A text that is no GeoJSON, or of something else.
    #[error(
        "this is not GeoJSON of sequences: {0}; expected are LineStrings with \"key\" and \
         \"coordinateProperties\", as `tilesight sequences --shape v3` writes them"
    )]
    Json(String),
    /// So many sequences, and an image in none of them.
    #[error(
        "none of its {0} sequences has an image: \"image_keys\" are empty, where \
         [\"498763468214164\"] and a position each are expected"
    )]
    NoImage(u64),
    /// A feature that is no sequence.
    #[error("feature {number} ({key:?}) is no sequence: {problem}")]
    Feature {
        /// Its number in the file, from 1 on.
        number: usize,
        /// Its key.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Imports the sequences of a GeoJSON text into a store, which is made if there is none.
///
/// The text is a `FeatureCollection`, or a feature a line: `LineString`s with the properties
/// `camera_make`, `captured_at`, `coordinateProperties {cas, image_keys}`, `created_at`, `key`,
/// `pano`, `user_key` and `username`, of which only `key` and `image_keys` must be there. What is
/// imported is asked for and written as the rest of the store; see the [module](crate::import) for what
/// becomes of it beside tiles. A sequence that was imported before is replaced.
///
/// # Errors
///
/// [`Error::Import`] when the text is something else: nothing is imported then. [`Error::Store`]
/// when the store cannot be written, is something else or is being written by another process,
/// after which a retry helps.
///
/// # Example
///
/// ```
/// use tilesight::{Dataset, ImageQuery, import};
///
/// # let dir = tempfile::tempdir()?;
/// # let store = dir.path().join("town.mbtiles");
/// let imported = import::import(
///     r#"{"type": "FeatureCollection", "features": [{"type": "Feature",
///         "properties": {"key": "tYcXv0Gp3kL1mN9qRs2B5w", "captured_at": "2016-03-14T13:44:37Z",
///             "coordinateProperties": {"cas": [90, 92.5], "image_keys": ["7", "8"]}},
///         "geometry": {"type": "LineString", "coordinates": [[24.93, 60.17], [24.94, 60.17]]}}]}"#,
///     &store,
/// )?;
/// assert_eq!((imported.sequences, imported.images), (1, 2));
/// let data = Dataset::open(&store)?;
/// assert_eq!(data.count_images(&ImageQuery::default())?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn import(text: &str, store: impl AsRef<Path>) -> Result<Import, Error> {
    let store = store.as_ref();
    let (sequences, left_out) = v3::read(text)?;
    let mut imported = Import {
        left_out,
        ..Import::default()
    };
    let mut additions = Vec::new();
    for sequence in &sequences {
        imported.sequences += 1;
        imported.images += sequence.images.len() as u64;
        imported.old_keys += sequence.about.old_keys.len() as u64;
        additions.push((sequence.about.key.as_str(), v3::to_text(sequence)?));
    }
    let mut writer = open(store)?;
    writer.add(&additions)?;
    writer.close()?;
    Ok(imported)
}

/// How many sequences were imported into a source.
///
/// # Errors
///
/// [`Error::Store`] when the source cannot be read.
pub fn count(source: impl AsRef<Path>) -> Result<u64, Error> {
    let store = tilesight_store::open(source.as_ref(), &crate::source::TILESET_NAMES)?;
    Ok(store.additions()?.len() as u64)
}

/// Opens a store, which, if it is new, says of itself what fetched stores say.
fn open(store: &Path) -> Result<StoreWriter, Error> {
    let layers = r#"{"vector_layers":[{"id":"image","fields":{}},{"id":"overview","fields":{}},{"id":"sequence","fields":{}}]}"#;
    let about = About {
        tileset: crate::source::RECORDED,
        metadata: &[
            ("name", "Mapillary images"),
            ("type", "overlay"),
            ("version", "1"),
            ("attribution", ATTRIBUTION),
            ("json", layers),
        ],
    };
    Ok(StoreWriter::open(store, &about)?)
}

/// The id of an image by its key, and whether it is its key. Keys that are no integers are given
/// negative ids, which Mapillary gives to no image.
fn id_of_key(key: &str) -> (i64, bool) {
    match key.parse::<i64>() {
        Ok(id) if id.to_string() == key => (id, true),
        _ => (xxh3_64(key.as_bytes()).cast_signed() | i64::MIN, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_integers_are_ids_and_all_others_negative() {
        assert_eq!(id_of_key("498763468214164"), (498_763_468_214_164, true));
        assert_eq!(id_of_key("9223372036854775807"), (i64::MAX, true));
        for old in [
            "LwrHXqFRN_pszCopTKHF_Q",
            "0123",
            "9223372036854775808",
            "1.0",
            "+1",
        ] {
            let (id, is_key) = id_of_key(old);
            assert!(id < 0 && !is_key, "{old}");
            assert_eq!(id_of_key(old), (id, false));
        }
        // Stored in datasets: it never changes.
        let old = id_of_key("LwrHXqFRN_pszCopTKHF_Q");
        assert_eq!(old, (-2_868_043_259_799_504_172, false));
    }
}
