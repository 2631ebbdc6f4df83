//! Datasets that are opened from a source.

use std::fs::File;
use std::io::Read;
use std::ops::Deref;
use std::path::Path;

use tilesight_query::{Image, Io};

use crate::about;
use crate::error::Error;
use crate::source::{self, Progress, Source};

/// The images, sequences and map features of a source, indexed in memory and ready to be asked.
///
/// Questions are methods of [`tilesight_query::Dataset`], to which it dereferences:
/// [`images`](tilesight_query::Dataset::images), [`sequences`](tilesight_query::Dataset::sequences)
/// and [`features`](tilesight_query::Dataset::features) among them.
#[derive(Debug)]
pub struct Dataset {
    data: tilesight_query::Dataset,
    source: Source,
}

impl Dataset {
    /// Opens a source: reads all its tiles, on all threads, and indexes what is on them.
    ///
    /// # Returns
    ///
    /// A dataset that knows which tiles the source holds. A tile that cannot be decoded is no
    /// error: it counts as one that is not held, and [`Info`](crate::Info) names it. The result
    /// depends on the bytes of the tiles alone, not on the number of threads.
    ///
    /// # Sources
    ///
    /// - A folder of files `{z}/{x}/{y}.mvt` (`.pbf`; also with `.gz`), which holds exactly its
    ///   files.
    /// - A folder of such folders, called `mly1_public`, `mly1_computed_public`,
    ///   `mly_map_feature_point` and `mly_map_feature_traffic_sign` after the tilesets. Where
    ///   there are both of the first two, which have the same images, `mly1_public` is read and
    ///   [`Source::ignored`] names the other; to read that one, open its own folder.
    /// - A dataset file, as [`build`](crate::build()) makes it: it is mapped, not read, and holds
    ///   what its sources held.
    /// - An MBTiles or PMTiles archive, which holds the tiles inside its declared bounds. Those
    ///   that are not in it are empty. An archive that [`pack`](crate::pack()) made of a folder
    ///   holds exactly its tiles, as the folder does.
    ///
    /// Tiles may be gzipped; their first bytes tell. Where no name tells the tileset, the layers
    /// of each tile do; a tile without layers belongs to every tileset of the source.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when there is no such source or it is damaged as a whole,
    /// [`Error::Open`] when it is a dataset file that is damaged, [`Error::Query`] when it has more
    /// rows than can be numbered.
    ///
    /// # Cost
    ///
    /// Of a dataset file, microseconds; else less than a microsecond of processor time an image,
    /// and about 100 bytes of memory.
    ///
    /// # Example
    ///
    /// ```no_run
    /// use tilesight::{Bbox, Dataset, ImageQuery, Place};
    ///
    /// let data = Dataset::open("fixtures/town")?;
    /// let market = Place::Bbox(Bbox::from_degrees(24.92, 60.16, 24.95, 60.18)?);
    /// for image in data.images(&ImageQuery { place: market, ..ImageQuery::default() })?.iter() {
    ///     println!("{} at {}, {}", image.id, image.lon, image.lat);
    /// }
    /// # Ok::<(), tilesight::Error>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(path, Io::Map, &|_| ())
    }

    /// Opens a source as [`open`](Self::open) does: a dataset file as `io` says; of anything else
    /// every tile is read, and `on_progress` called after each, from the threads that read them.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with(
        path: impl AsRef<Path>,
        io: Io,
        on_progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Self, Error> {
        let path = path.as_ref();
        if is_dataset_file(path) {
            let (data, about) = tilesight_query::Dataset::open(path, io)?;
            return Ok(Self {
                data,
                source: about::from_json(&about),
            });
        }
        let (data, source) = source::read(path, on_progress)?;
        Ok(Self { data, source })
    }

    /// Makes a dataset of images given one by one; see
    /// [`from_images`](tilesight_query::Dataset::from_images).
    ///
    /// # Errors
    ///
    /// [`Error::Query`] when a position is not on Earth.
    pub fn from_images<'a>(images: impl IntoIterator<Item = Image<'a>>) -> Result<Self, Error> {
        let data = tilesight_query::Dataset::from_images(images)?;
        Ok(Self {
            data,
            source: Source::default(),
        })
    }

    /// Reads and indexes what a store that is open lists.
    #[cfg(any(feature = "fetch", feature = "parquet"))]
    pub(crate) fn of_store(store: Box<dyn tilesight_store::TileStore>) -> Result<Self, Error> {
        let (data, source) = source::read_store(store)?;
        Ok(Self { data, source })
    }

    /// What was read to make this dataset.
    pub const fn source(&self) -> &Source {
        &self.source
    }
}

/// Tells whether a file begins as dataset files do.
pub fn is_dataset_file(path: impl AsRef<Path>) -> bool {
    let mut start = [0; tilesight_query::Dataset::MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == tilesight_query::Dataset::MAGIC
}

impl Deref for Dataset {
    type Target = tilesight_query::Dataset;

    fn deref(&self) -> &Self::Target {
        &self.data
    }
}
