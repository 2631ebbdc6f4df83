//! Joins the rows of decoded tiles into a dataset: each image once, in spatial order, with the
//! tree over them, the sequences and the map features.
//!
//! The result depends on the rows alone: not on the number of threads, nor on how the tiles were
//! spread over parts, as long as the parts follow each other in the order of the tiles.

mod features;
mod holding;
mod images;
mod names;
mod order;
mod part;
mod sequences;

pub use holding::{FailedTile, Holding};
pub use part::{FeatureRow, ImageRow, LineRow, Part, SequenceRef, TilePart, ValueRef};

use std::path::PathBuf;

use tilesight_tile::{GridPoint, LonLat};

use crate::dataset::Dataset;
use crate::error::Error;
use crate::query::Kind;
use crate::rows::Image;
use crate::scratch::Scratch;
use features::FeaturesBuilder;
use images::ImagesBuilder;
use names::AllNames;
use sequences::PiecesBuilder;

/// Joins parts into a dataset in memory.
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
    let mut builder = Builder::in_memory();
    for part in parts {
        builder.add(&part)?;
    }
    builder.finish(holdings)
}

/// Joins parts into a dataset, in as much memory as it is given.
///
/// ```
/// use tilesight_query::ImageQuery;
/// use tilesight_query::Tileset;
/// use tilesight_query::build::{Builder, Holding, ImageRow, Part};
/// use tilesight_tile::TileId;
///
/// let tile = TileId::new(14, 9326, 4742)?;
/// let mut part = Part::new();
/// part.tile(tile, None).image(ImageRow::at(tile.origin(), 17));
///
/// let mut builder = Builder::in_folder(std::env::temp_dir(), 64 << 20);
/// builder.add(&part)?;
/// let held = Holding { tiles: vec![tile], ..Holding::nothing(Tileset::Images) };
/// let data = builder.finish(&[held])?;
/// assert_eq!(data.images(&ImageQuery::default())?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Builder {
    scratch: Scratch,
    names: AllNames,
    images: ImagesBuilder,
    pieces: PiecesBuilder,
    features: FeaturesBuilder,
    overview_points: u64,
}

impl Builder {
    /// A builder that keeps everything in memory.
    pub fn in_memory() -> Self {
        Self::new(Scratch::Memory)
    }

    /// A builder that keeps about `memory` bytes in memory, and the rest in temporary files in a
    /// folder. They have no names, so that nothing is left behind however the build ends, and need
    /// about as much room as the dataset will. Beyond that, memory holds what a dataset has few
    /// of: the names of sequences, organizations and creators.
    ///
    /// The columns of the dataset lie in these files, until it is dropped.
    pub fn in_folder(folder: impl Into<PathBuf>, memory: usize) -> Self {
        Self::new(Scratch::Folder {
            path: folder.into(),
            memory,
        })
    }

    fn new(scratch: Scratch) -> Self {
        Self {
            names: AllNames::default(),
            images: ImagesBuilder::new(&scratch),
            pieces: PiecesBuilder::new(&scratch),
            features: FeaturesBuilder::new(&scratch),
            overview_points: 0,
            scratch,
        }
    }

    /// Adds a part; parts follow each other in the order of their tiles.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyRows`] when there are more rows than row numbers, [`Error::Scratch`] when
    /// a temporary file cannot be written.
    pub fn add(&mut self, part: &Part) -> Result<(), Error> {
        let names = self.names.add(part);
        self.images.add(part, &names)?;
        self.pieces.add(part, &names)?;
        self.features.add(part)?;
        self.overview_points += part.overview_points;
        Ok(())
    }

    /// Orders and joins everything; `holdings` say for each tileset which tiles were there to be
    /// read. The result depends on the parts and the holdings alone, not on the memory.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn finish(self, holdings: &[Holding]) -> Result<Dataset, Error> {
        let scratch = &self.scratch;
        let coverage = holding::coverage(holdings);
        let (dictionaries, numbers) = self.names.finish();
        let features = self.features.finish(scratch)?;
        let pieces = self.pieces.finish(&numbers, scratch)?;
        let (images, of_sequences) = self.images.finish(dictionaries, &numbers, scratch)?;
        let sequences =
            sequences::build(&images, of_sequences, pieces, &numbers, &coverage, scratch)?;
        Ok(Dataset {
            images,
            sequences,
            features,
            coverage,
            overview_points: self.overview_points,
            padding: Vec::new(),
        })
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("scratch", &self.scratch)
            .finish_non_exhaustive()
    }
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

/// Rows numbered by `u32`, of which the last stands for none.
fn checked_count(rows: usize) -> Result<u32, Error> {
    u32::try_from(rows)
        .ok()
        .filter(|&rows| rows < u32::MAX)
        .ok_or(Error::TooManyRows(rows as u64))
}
