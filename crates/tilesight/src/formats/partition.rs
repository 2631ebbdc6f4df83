//! Images as a folder of GeoParquet files, one or more for each tile of a zoom.

mod read;
mod share;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tilesight_query::{Filter, Image, ImageQuery, NotHeld, Place};
use tilesight_tile::{Bbox, GridPoint, TileId};

use super::record::{ImageChunk, Record};
use super::{Format, Options, Rows, Written, check_fields, geoparquet};
use crate::whole::write_whole;
use crate::{Dataset, Error};

pub use read::read_images;
pub use share::{Shared, in_several};

/// Most chunks of a file: 32 row groups. More would keep those who read files side by side waiting.
const MAX_PART_CHUNKS: usize = 32 * geoparquet::CHUNKS_A_GROUP;

/// How images are partitioned.
#[derive(Debug, Clone, Default)]
pub struct Partitions {
    /// Zoom of the tiles by which files are told apart.
    pub zoom: u8,
    /// What the images must be like.
    pub filter: Filter,
    /// The columns by name, in this order; all where nothing is said.
    pub fields: Option<Vec<String>>,
    /// Write what is held even where tiles failed.
    pub allow_partial: bool,
}

/// How far partitioning has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionProgress {
    /// Rows written so far.
    pub rows_written: u64,
    /// Rows to be written.
    pub rows: u64,
}

/// What was partitioned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Partitioned {
    /// Tiles that have images.
    pub tiles: u64,
    /// Files.
    pub files: u64,
    /// Rows in all.
    pub written: Written,
}

impl Partitioned {
    fn add(&mut self, other: Self) {
        self.tiles += other.tiles;
        self.files += other.files;
        self.written.add(other.written);
    }
}

impl Partitions {
    /// Writes the images of a dataset into a folder as a partitioned GeoParquet dataset.
    ///
    /// # Returns
    ///
    /// What was written: files `z=8/tile=145-74/part-0.parquet`, the way that engines which know
    /// Hive's partitions read into columns `z` and `tile` (column and row of the tile, in the
    /// scheme of web maps). Each image is in one of them. Equal datasets give equal files; a file
    /// appears whole or not at all, in the place of one of its name.
    ///
    /// # Errors
    ///
    /// [`Error::Query`] as for [`images`](tilesight_query::Dataset::images); [`Error::Fields`] for
    /// columns that there are not; [`Error::Write`] when a file cannot be written. What was written
    /// before an error stays.
    ///
    /// # Cost
    ///
    /// Every image is read and written once; memory is that of [`Export`](super::Export).
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight::formats::Partitions;
    /// use tilesight::{Dataset, Image};
    ///
    /// let data = Dataset::from_images([Image::at(1, 24.94, 60.17), Image::at(2, -71.1, 42.3)])?;
    /// let folder = tempfile::tempdir()?;
    /// let partitions = Partitions { zoom: 8, ..Partitions::default() };
    /// let done = partitions.write(&data, folder.path(), &|_| ())?;
    /// assert_eq!((done.tiles, done.written.rows), (2, 2));
    /// assert!(folder.path().join("z=8/tile=145-74/part-0.parquet").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write(
        &self,
        data: &Dataset,
        folder: &Path,
        on_progress: &dyn Fn(PartitionProgress),
    ) -> Result<Partitioned, Error> {
        self.check()?;
        let rows = data.count_images(&self.query(Place::Everywhere))?;
        let mut done = Partitioned::default();
        for tile in self.tiles_with_images(data)? {
            let mut rows_written = done.written.rows;
            done.add(self.write_tile(data, tile, folder, &mut |rows_more| {
                rows_written += rows_more;
                on_progress(PartitionProgress { rows_written, rows });
            })?);
        }
        Ok(done)
    }

    /// Writes the files of a tile, each whole or not at all, in the place of those that are there.
    fn write_tile(
        &self,
        data: &Dataset,
        tile: TileId,
        folder: &Path,
        on_rows: &mut dyn FnMut(u64),
    ) -> Result<Partitioned, Error> {
        let found = data.images(&ImageQuery {
            // The failed tiles of all places are judged before.
            allow_partial: true,
            ..self.query(Place::Bbox(box_of(tile)?))
        })?;
        let folder = folder.join(format!("z={}/tile={}-{}", tile.z(), tile.x(), tile.y()));
        fs::create_dir_all(&folder).map_err(|error| cannot_write(&folder, error))?;
        let path = |part: usize| folder.join(format!("part-{part}.parquet"));
        let files = found.len().div_ceil(MAX_PART_CHUNKS * Image::CHUNK_ROWS);
        let mut chunks = ImageChunk::all(&found, Image::CHUNK_ROWS);
        let mut written = Written::default();
        for path in (0..files).map(path) {
            let chunks = chunks.by_ref().take(MAX_PART_CHUNKS);
            let of_part = self.write_part(data, chunks, &path);
            let of_part = of_part.map_err(|error| cannot_write(&path, error))?;
            on_rows(of_part.rows);
            written.add(of_part);
        }
        // Where there were more before.
        let beyond = (files..).map(path).take_while(|path| path.exists());
        for path in beyond {
            fs::remove_file(&path).map_err(|error| cannot_write(&path, error))?;
        }
        Ok(Partitioned {
            tiles: 1,
            files: files as u64,
            written,
        })
    }

    /// Checks the names of the columns before anything is read.
    ///
    /// # Errors
    ///
    /// [`Error::Fields`] for columns that there are not.
    pub fn check(&self) -> Result<(), Error> {
        let check = |names: &Vec<String>| check_fields(names, Rows::Images, &Place::Everywhere);
        Ok(self.fields.as_ref().map_or(Ok(()), check)?)
    }

    /// The tiles that a dataset lacks, where [`allow_partial`](Self::allow_partial) lets them be
    /// missing.
    ///
    /// # Errors
    ///
    /// [`Error::Query`] as for [`images`](tilesight_query::Dataset::images).
    pub fn missing(&self, data: &Dataset) -> Result<Option<NotHeld>, Error> {
        let nothing = ImageQuery {
            limit: Some(0),
            ..self.query(Place::Everywhere)
        };
        Ok(data.images(&nothing)?.missing().copied())
    }

    fn query(&self, place: Place) -> ImageQuery {
        ImageQuery {
            place,
            filter: self.filter.clone(),
            limit: None,
            allow_partial: self.allow_partial,
        }
    }

    /// The tiles that have images, found by halving the world: most of it has none.
    fn tiles_with_images(&self, data: &Dataset) -> Result<Vec<TileId>, Error> {
        let mut tiles = vec![TileId::new(0, 0, 0)?];
        for _ in 0..self.zoom {
            let mut deeper = Vec::new();
            for tile in tiles.into_iter().flat_map(children) {
                let query = ImageQuery {
                    allow_partial: true,
                    ..self.query(Place::Bbox(box_of(tile)?))
                };
                if data.count_images(&query)? > 0 {
                    deeper.push(tile);
                }
            }
            tiles = deeper;
        }
        tiles.sort_unstable();
        Ok(tiles)
    }

    fn write_part<'a>(
        &self,
        data: &Dataset,
        chunks: impl Iterator<Item = ImageChunk<'a>>,
        path: &Path,
    ) -> io::Result<Written> {
        let options = Options {
            fields: self.fields.as_deref(),
            data: Some(data),
            ..Options::new(Format::Parquet, &Place::Everywhere)
        };
        write_whole(path, |file| {
            geoparquet::write::<Image<'_>>(chunks, &options, file)
        })
    }
}

/// The four tiles of the next zoom.
fn children(tile: TileId) -> impl Iterator<Item = TileId> {
    let (z, x, y) = (tile.z() + 1, tile.x() * 2, tile.y() * 2);
    let corners = [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)];
    corners
        .into_iter()
        .filter_map(move |(x, y)| TileId::new(z, x, y).ok())
}

/// The box through the outermost positions that belong to a tile.
fn box_of(tile: TileId) -> Result<Bbox, Error> {
    let bounds = tile.grid_box();
    let corner = |x, y| GridPoint { x, y }.to_lon_lat();
    let northwest = corner(bounds.min_x, bounds.min_y);
    let southeast = corner(bounds.max_x, bounds.max_y);
    let (south, north) = (southeast.lat(), northwest.lat());
    Ok(Bbox::from_degrees(
        northwest.lon(),
        south,
        southeast.lon(),
        north,
    )?)
}

fn cannot_write(path: &Path, error: io::Error) -> Error {
    Error::Write {
        path: PathBuf::from(path),
        error,
    }
}
