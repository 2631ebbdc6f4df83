//! Joins the rows of decoded tiles into a dataset: each image once, in spatial order, with the
//! tree over them, the sequences and the map features.
//!
//! The result depends on the rows alone: not on the number of threads, nor on how the tiles were
//! spread over parts, as long as the parts follow each other in the order of the tiles.

mod features;
mod holding;
mod images;
mod part;
mod sequences;

pub use holding::{FailedTile, Holding};
pub use part::{FeatureRow, ImageRow, LineRow, Part, SequenceRef, TilePart, ValueRef};

use tilesight_tile::{GridPoint, LonLat};

use crate::dataset::Dataset;
use crate::dictionary::{Ids, Texts};
use crate::error::Error;
use crate::images::Images;
use crate::query::Kind;
use crate::rows::Image;

/// Joins parts into a dataset.
///
/// `parts` follow each other in the order of their tiles; `holdings` say for each tileset which
/// tiles were there to be read.
///
/// # Errors
///
/// [`Error::TooManyRows`] when the images, the map features or the vertices of the sequences
/// are more than row numbers.
///
/// # Cost
///
/// O(n log n) in the rows, on all threads; about twice the memory of the result.
pub fn build(parts: Vec<Part>, holdings: &[Holding]) -> Result<Dataset, Error> {
    let coverage = holding::coverage(holdings);
    let numbers = Numbers::of(&parts);
    let lines = sequences::RawPieces::collect(&parts, &numbers)?;
    let features = features::build(&parts)?;
    let overview_points = parts.iter().map(|part| part.overview_points).sum();
    let images = images::build(parts, numbers)?;
    let sequences = sequences::build(&images, &lines, &coverage);
    Ok(Dataset {
        images,
        sequences,
        features,
        coverage,
        overview_points,
    })
}

impl Dataset {
    /// Makes a dataset of images given one by one, which holds the whole world: where there is no
    /// image among them, there is none. Positions are rounded to the grid.
    ///
    /// # Errors
    ///
    /// [`Error::Position`] when a longitude or latitude is out of range.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight_query::{Dataset, Image, ImageQuery, Place};
    /// use tilesight_tile::Bbox;
    ///
    /// let data = Dataset::from_images([
    ///     Image::at(1, 178.44, -18.14),  // Suva, longitude then latitude
    ///     Image::at(2, -171.77, -13.83), // Apia, across the antimeridian
    ///     Image::at(3, 174.76, -36.85),  // Auckland, too far south
    /// ])?;
    /// let pacific = Place::Bbox(Bbox::from_degrees(170.0, -20.0, -170.0, -10.0)?);
    /// let found = data.images(&ImageQuery { place: pacific, ..ImageQuery::default() })?;
    /// assert_eq!(found.ids().collect::<Vec<_>>(), [1, 2]);
    /// # Ok::<(), tilesight_query::Error>(())
    /// ```
    pub fn from_images<'a>(images: impl IntoIterator<Item = Image<'a>>) -> Result<Self, Error> {
        let mut part = Part::new();
        let world = tilesight_tile::TileId::new(0, 0, 0)?;
        let mut rows = part.tile(world, None);
        for image in images {
            let sequence = image.sequence_id.map(|id| rows.sequence(id));
            rows.image(ImageRow {
                point: GridPoint::nearest_to(LonLat::new(image.lon, image.lat)?),
                id: image.id,
                id_is_exact: image.id_is_exact,
                captured_at_ms: image.captured_at_ms,
                compass_angle_deg: image.compass_angle_deg,
                is_pano: image.kind.map(|kind| kind == Kind::Pano),
                sequence,
                organization_id: image.organization_id,
                creator_id: image.creator_id,
            });
        }
        build(vec![part], &[Holding::world()])
    }
}

/// Dictionaries of the dataset, and how each part's numbers translate to theirs.
struct Numbers {
    sequence_ids: Texts,
    organization_ids: Ids,
    creator_ids: Ids,
    parts: Vec<PartNumbers>,
}

struct PartNumbers {
    sequences: part::Renumbering,
    organizations: part::Renumbering,
    creators: part::Renumbering,
}

impl Numbers {
    fn of(parts: &[Part]) -> Self {
        let sequence_ids = sorted_texts(parts.iter().flat_map(|part| part.sequences.values()));
        let organization_ids = Ids::new(
            parts
                .iter()
                .flat_map(|part| part.organizations.values())
                .copied(),
        );
        let creator_ids = Ids::new(
            parts
                .iter()
                .flat_map(|part| part.creators.values())
                .copied(),
        );
        let found = |number: Option<u32>| number.unwrap_or(crate::images::NONE);
        let parts = parts
            .iter()
            .map(|part| PartNumbers {
                sequences: part.sequences.renumbered(|id| found(sequence_ids.find(id))),
                organizations: part
                    .organizations
                    .renumbered(|&id| found(organization_ids.find(id))),
                creators: part.creators.renumbered(|&id| found(creator_ids.find(id))),
            })
            .collect();
        Self {
            sequence_ids,
            organization_ids,
            creator_ids,
            parts,
        }
    }
}

/// The distinct texts among some, as a dictionary.
fn sorted_texts<'a>(texts: impl Iterator<Item = &'a Box<str>>) -> Texts {
    let mut sorted: Vec<&str> = texts.map(|text| &**text).collect();
    sorted.sort_unstable();
    sorted.dedup();
    Texts::from_sorted(sorted)
}

/// Rows numbered by `u32`, of which the last stands for none.
fn checked_count(rows: usize) -> Result<u32, Error> {
    u32::try_from(rows)
        .ok()
        .filter(|&rows| rows < u32::MAX)
        .ok_or(Error::TooManyRows(rows as u64))
}
