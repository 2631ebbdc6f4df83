//! The images of points, before and after their pictures are downloaded.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;

use tilesight_query::rfc3339;

use super::collection::{Collection, CollectionWriter};
use super::{Counts, Error};

/// Where a picture can be got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The address.
    pub url: String,
    /// When it ends to be one, in milliseconds since 1970, UTC, where that is known.
    pub expires_at_ms: Option<i64>,
}

/// Where the pictures of images can be got, by the ids of the images.
pub type Pictures = BTreeMap<i64, Picture>;

/// Lists the images that points are: their ids and sequences, in the order of the points, each
/// once.
///
/// # Errors
///
/// [`Error::Collection`] for what is no collection, [`Error::Feature`] for a feature without an
/// `id` that is a whole number.
pub fn images_of_points(points: &str) -> Result<Vec<(i64, Option<String>)>, Error> {
    let mut seen = HashSet::new();
    let mut images = Vec::new();
    for feature in Collection::read(points)?.features() {
        let feature = feature?;
        let missing = || feature.problem(r#" has no id of an image: {"id":498763468214164}"#);
        let id = feature.image_id().ok_or_else(missing)?;
        if seen.insert(id) {
            images.push((id, feature.sequence_id()));
        }
    }
    Ok(images)
}

/// Writes points again with the addresses of their pictures: `image_url`, and
/// `image_url_expires_at` (RFC 3339) where that is known. Points without a picture have neither,
/// also where they had one before, which is no longer good.
///
/// # Errors
///
/// [`Error::Collection`] and [`Error::Feature`] for what is no collection of features.
pub fn add_image_urls(
    points: &str,
    pictures: &Pictures,
    out: &mut dyn Write,
) -> Result<Counts, Error> {
    let collection = Collection::read(points)?;
    let mut writer = CollectionWriter::new(out)?;
    for feature in collection.features() {
        let mut feature = feature?;
        feature.remove(&["image_url", "image_url_expires_at"]);
        let picture = feature.image_id().and_then(|id| pictures.get(&id));
        if let Some(Picture { url, expires_at_ms }) = picture {
            feature.set("image_url", url)?;
            if let Some(ms) = expires_at_ms {
                feature.set("image_url_expires_at", &rfc3339(*ms))?;
            }
        }
        writer.write(&feature)?;
    }
    Ok(Counts {
        read: collection.len(),
        written: writer.finish()?,
    })
}
