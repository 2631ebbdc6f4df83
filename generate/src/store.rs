//! Where tiles go: a folder of files, or an MBTiles archive.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use rusqlite::Connection;
use tilesight_tile::TileId;

use crate::tileset::Tileset;
use crate::world::{IMAGE_ZOOM, World};

/// Tables of MBTiles 1.3. Pages of one size and no journal: equal tiles make equal files.
const SCHEMA: &str = "
    PRAGMA page_size = 4096;
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE metadata (name TEXT NOT NULL, value TEXT NOT NULL);
    CREATE TABLE tiles (
        zoom_level INTEGER NOT NULL,
        tile_column INTEGER NOT NULL,
        tile_row INTEGER NOT NULL,
        tile_data BLOB NOT NULL
    );
    BEGIN;";

/// What is done when all tiles are there: an index over what is complete is built in one go.
const FINISH: &str = "
    CREATE UNIQUE INDEX tile_index ON tiles (zoom_level, tile_column, tile_row);
    CREATE UNIQUE INDEX metadata_index ON metadata (name);
    COMMIT;
    VACUUM;";

/// Tiles that could not be stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or folder that could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// An archive that could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What the database said.
        source: rusqlite::Error,
    },
}

/// Compresses a tile with gzip; equal tiles give equal bytes, for no time or name is stored.
///
/// # Panics
///
/// Never: writing to memory does not fail.
pub fn gzip(tile: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(tile)
        .and_then(|()| encoder.finish())
        .expect("writing to memory does not fail")
}

/// Writes a file, making the folders it lies in.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(path, bytes))
        .map_err(|source| StoreError::Io {
            path: path.to_owned(),
            source,
        })
}

/// The file of a tile in a folder: `{z}/{x}/{y}.mvt`.
pub(crate) fn tile_path(folder: &Path, tile: TileId) -> PathBuf {
    folder.join(format!("{tile}.mvt"))
}

/// A store that takes tiles one by one.
#[derive(Debug)]
pub struct TileStore(Kind);

#[derive(Debug)]
enum Kind {
    Folder(PathBuf),
    Archive(Archive),
}

impl TileStore {
    /// Starts a store: an MBTiles archive where the name ends in `.mbtiles`, else a folder with a
    /// file `{z}/{x}/{y}.mvt` for each tile.
    ///
    /// A folder holds a file of no bytes for an empty tile, since it holds exactly its files; an
    /// archive holds all tiles within its bounds and leaves the empty ones out. An archive appears
    /// under its name, in place of an older one, when it is finished and not before.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it cannot be made.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        let is_archive = path
            .extension()
            .is_some_and(|extension| extension == "mbtiles");
        let kind = if is_archive {
            Kind::Archive(Archive::create(path)?)
        } else {
            Kind::Folder(path.to_owned())
        };
        Ok(Self(kind))
    }

    /// Stores a tile.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it cannot be written; a full disk, for example.
    pub fn put(&mut self, tile: TileId, bytes: &[u8]) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Folder(folder) => write_file(&tile_path(folder, tile), bytes),
            Kind::Archive(_) if bytes.is_empty() => Ok(()),
            Kind::Archive(archive) => archive.put(tile, bytes),
        }
    }

    /// Completes the store; an archive gets its metadata and its index.
    ///
    /// # Errors
    ///
    /// [`StoreError::Archive`] when the archive cannot be completed.
    pub fn finish(self, world: &World, tileset: Tileset) -> Result<(), StoreError> {
        match self.0 {
            Kind::Folder(_) => Ok(()),
            Kind::Archive(archive) => archive.finish(metadata(world, tileset)),
        }
    }
}

/// An MBTiles 1.3 archive that is being written.
#[derive(Debug)]
struct Archive {
    path: PathBuf,
    unfinished: PathBuf,
    connection: Connection,
}

impl Archive {
    fn create(path: &Path) -> Result<Self, StoreError> {
        let io_error = |source| StoreError::Io {
            path: path.to_owned(),
            source,
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(io_error)?;
        }
        let unfinished = path.with_extension("mbtiles.part");
        fs::File::create(&unfinished).map_err(io_error)?;
        let open = || {
            let connection = Connection::open(&unfinished)?;
            connection.execute_batch(SCHEMA)?;
            Ok(connection)
        };
        let connection = open().map_err(|source| archive_error(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            unfinished,
            connection,
        })
    }

    fn put(&self, tile: TileId, bytes: &[u8]) -> Result<(), StoreError> {
        // MBTiles counts rows from the south.
        let row = (1u32 << tile.z()) - 1 - tile.y();
        self.connection
            .execute(
                "INSERT INTO tiles VALUES (?, ?, ?, ?)",
                (tile.z(), tile.x(), row, bytes),
            )
            .map_err(|source| archive_error(&self.path, source))?;
        Ok(())
    }

    fn finish(self, metadata: Vec<(&str, String)>) -> Result<(), StoreError> {
        let Self {
            path,
            unfinished,
            connection,
        } = self;
        let complete = || {
            for entry in metadata {
                connection.execute("INSERT INTO metadata VALUES (?, ?)", entry)?;
            }
            connection.execute_batch(FINISH)
        };
        complete().map_err(|source| archive_error(&path, source))?;
        connection
            .close()
            .map_err(|(_, source)| archive_error(&path, source))?;
        fs::rename(&unfinished, &path).map_err(|source| StoreError::Io { path, source })
    }
}

fn archive_error(path: &Path, source: rusqlite::Error) -> StoreError {
    StoreError::Archive {
        path: path.to_owned(),
        source,
    }
}

/// Lists what an archive says of itself (MBTiles 1.3, section Content).
fn metadata(world: &World, tileset: Tileset) -> Vec<(&'static str, String)> {
    let [west, south, east, north] = bounds_within(world);
    let (lon, lat) = (world.centre.lon(), world.centre.lat());
    vec![
        ("name", tileset.name().to_owned()),
        (
            "description",
            format!("{} images that were never taken", world.image_count()),
        ),
        ("attribution", "Generated data, CC0 1.0".to_owned()),
        ("type", "overlay".to_owned()),
        ("version", "1".to_owned()),
        ("format", "pbf".to_owned()),
        (
            "bounds",
            format!("{west:.6},{south:.6},{east:.6},{north:.6}"),
        ),
        ("center", format!("{lon:.6},{lat:.6},{IMAGE_ZOOM}")),
        ("minzoom", IMAGE_ZOOM.to_string()),
        ("maxzoom", IMAGE_ZOOM.to_string()),
        ("json", tileset.vector_layers()),
    ]
}

/// West, south, east and north of the world in degrees, moved inwards to the next millionth, so
/// that no tile beyond is touched.
fn bounds_within(world: &World) -> [f64; 4] {
    let (north_west, south_east) = world.corners();
    let up = |degrees: f64| (degrees * 1e6).floor() / 1e6 + 1e-6;
    let down = |degrees: f64| (degrees * 1e6).ceil() / 1e6 - 1e-6;
    [
        up(north_west.lon()),
        up(south_east.lat()),
        down(south_east.lon()),
        down(north_west.lat()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Plan;
    use tilesight_tile::{Bbox, LonLat};

    fn world() -> World {
        let centre = LonLat::new(24.94, 60.17).unwrap();
        let plan = Plan {
            seed: 2,
            images: 100,
            centre,
            side_tiles: Some(3),
        };
        World::new(&plan).unwrap()
    }

    #[test]
    fn an_archive_counts_rows_from_the_south_and_leaves_empty_tiles_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mbtiles");
        let mut store = TileStore::create(&path).unwrap();
        store
            .put(TileId::new(14, 9326, 4742).unwrap(), b"tile")
            .unwrap();
        store
            .put(TileId::new(14, 9327, 4742).unwrap(), b"")
            .unwrap();
        assert!(!path.exists(), "it appears when it is complete");
        store.finish(&world(), Tileset::Images).unwrap();

        let archive = Connection::open(&path).unwrap();
        let tiles: (u32, u32, u32, Vec<u8>) = archive
            .query_one("SELECT * FROM tiles", (), |row| row.try_into())
            .unwrap();
        assert_eq!(tiles, (14, 9326, 16_383 - 4742, b"tile".to_vec()));
    }

    #[test]
    fn bounds_touch_the_tiles_of_the_world_and_no_other() {
        let world = world();
        let [west, south, east, north] = bounds_within(&world);
        let bounds = Bbox::from_degrees(west, south, east, north).unwrap();
        let grid_box = bounds.grid_boxes().next().unwrap();
        let tiles = world.tile_ids();
        assert!(
            tiles
                .into_iter()
                .all(|tile| tile.grid_box().intersects(&grid_box))
        );
        let (first, last) = (
            world.tile_ids().next().unwrap(),
            world.tile_ids().last().unwrap(),
        );
        assert!(
            first.grid_box().min_x <= grid_box.min_x && first.grid_box().min_y <= grid_box.min_y
        );
        assert!(grid_box.max_x <= last.grid_box().max_x && grid_box.max_y <= last.grid_box().max_y);
    }

    #[test]
    fn a_folder_has_files_for_empty_tiles_too() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = TileStore::create(folder.path()).unwrap();
        store.put(TileId::new(14, 1, 2).unwrap(), b"").unwrap();
        store.finish(&world(), Tileset::Images).unwrap();
        assert_eq!(fs::read(folder.path().join("14/1/2.mvt")).unwrap(), b"");
    }
}
