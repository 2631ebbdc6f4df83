//! Tile stores: where fetched tiles lie, how to read them back, and how to write them.
//!
//! A store lists the tiles it holds and hands out their bytes. [`open`] tells which kind of store
//! lies at a path: a [`Folder`] of files, an [`Mbtiles`] or a [`Pmtiles`] archive. A [`StoreWriter`]
//! makes an archive that keeps a [`Ledger`] of every tile beside the tiles, and [`verify()`] compares
//! them; [`pack`] makes a PMTiles archive of any store.
//!
//! ```
//! use std::fs;
//! # let dir = tempfile::tempdir()?;
//! # let root = dir.path().join("town");
//! fs::create_dir_all(root.join("14/9326"))?;
//! fs::write(root.join("14/9326/4742.mvt"), b"tile bytes")?;
//!
//! let store = tilesight_store::open(&root, &[])?;
//! assert_eq!(store.tiles()[0].id.to_string(), "14/9326/4742");
//! let mut bytes = Vec::new();
//! store.read(0, &mut bytes)?;
//! assert_eq!(bytes, b"tile bytes");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate knows files, SQLite and PMTiles. It knows nothing of what is inside a tile, of Mapillary or
//! of the network.

#![forbid(unsafe_code)]

mod additions;
mod error;
mod folder;
mod mbtiles;
mod pmtiles;

mod ledger;
mod lock;
mod verify;
mod write;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use tilesight_tile::{Bbox, TileId};

pub use error::Error;
pub use folder::Folder;
pub use ledger::{Ledger, TileState};
pub use mbtiles::Mbtiles;
pub use pmtiles::{PackOptions, Packed, Pmtiles, pack};
pub use verify::{DamagedTile, Examination, verify};
pub use write::{About, Known, KnownTiles, Outcome, Record, StoreWriter};

/// A place where tiles lie.
pub trait TileStore: fmt::Debug + Send + Sync {
    /// Every tile held, each once, ordered by tileset and [`TileId`].
    fn tiles(&self) -> &[StoredTile];

    /// Reads the stored bytes of tile number `index` of [`tiles`](Self::tiles), gzipped or not,
    /// replacing what is in `bytes`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Sqlite`] or [`Error::Pmtiles`] when the tile cannot be read.
    ///
    /// # Panics
    ///
    /// When there is no tile of this number.
    fn read(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), Error>;

    /// What the store says of itself.
    fn metadata(&self) -> &Metadata;

    /// What the store knows of its tiles beyond their bytes, if it keeps a ledger.
    fn ledger(&self) -> Option<&Ledger> {
        None
    }

    /// Reads the texts that were [added](StoreWriter::add) to the store beside its tiles, the last
    /// first.
    ///
    /// # Errors
    ///
    /// [`Error::Sqlite`] when they cannot be read.
    fn additions(&self) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }
}

/// A tile that a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredTile {
    /// Name of the tileset it belongs to; none where the store does not tell tilesets apart.
    pub tileset: Option<&'static str>,
    /// Its address.
    pub id: TileId,
}

/// What a store says of itself; a folder says nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// Its name.
    pub name: Option<String>,
    /// Whom to credit.
    pub attribution: Option<String>,
    /// The box inside which it holds every tile that is not empty.
    pub bounds: Option<Bbox>,
    /// Shallowest zoom it claims to hold.
    pub min_zoom: Option<u8>,
    /// Deepest zoom it claims to hold.
    pub max_zoom: Option<u8>,
    /// Names of the layers that its tiles may have.
    pub layers: Vec<String>,
}

/// Opens the store at a path: a [`Folder`] or, told by its first bytes, an [`Mbtiles`] or
/// [`Pmtiles`] archive.
///
/// `tilesets` are the names that tilesets have in folders and ledgers; see [`Folder::open`] and
/// [`Mbtiles::open_with_ledger`].
///
/// # Errors
///
/// [`Error::NotAStore`] when something else lies there; otherwise as [`Folder::open`],
/// [`Mbtiles::open`] and [`Pmtiles::open`].
///
/// # Cost
///
/// The list of tiles is read, none of their bytes.
pub fn open(path: &Path, tilesets: &[&'static str]) -> Result<Box<dyn TileStore>, Error> {
    let metadata = std::fs::metadata(path).map_err(Error::io(path))?;
    if metadata.is_dir() {
        return Ok(Box::new(Folder::open(path, tilesets)?));
    }
    if !metadata.is_file() {
        return Err(Error::not_a_store(path, "not a file or a folder"));
    }
    if starts_with(path, mbtiles::MAGIC)? {
        return Ok(Box::new(Mbtiles::open_with_ledger(path, tilesets)?));
    }
    if starts_with(path, pmtiles::MAGIC)? {
        return Ok(Box::new(Pmtiles::open(path)?));
    }
    Err(Error::not_a_store(path, what_it_seems(path)))
}

/// Names what a file that is no store may have been meant as.
fn what_it_seems(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("tsight") => {
            "a dataset file, not tiles: ask it with `tilesight images`; what it is built of can be packed"
        }
        Some("mvt" | "pbf" | "gz") => "a single tile, whose place only its path can tell",
        _ => "neither a folder nor an SQLite database nor PMTiles",
    }
}

fn starts_with(path: &Path, magic: &[u8]) -> Result<bool, Error> {
    let mut start = Vec::with_capacity(magic.len());
    let file = File::open(path).map_err(Error::io(path))?;
    file.take(magic.len() as u64)
        .read_to_end(&mut start)
        .map_err(Error::io(path))?;
    Ok(start == magic)
}

/// The layer ids in `{"vector_layers": [{"id": …}, …]}`.
fn vector_layers(json: &serde_json::Value) -> Vec<String> {
    let layers = json["vector_layers"].as_array().into_iter().flatten();
    layers
        .filter_map(|layer| layer["id"].as_str())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_no_store_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for (name, content, expected) in [
            ("town.tsight", "", "a dataset file"),
            ("4742.mvt", "\u{1a}", "a single tile"),
            ("notes.txt", "hello", "neither a folder nor"),
        ] {
            let path = dir.path().join(name);
            fs::write(&path, content).unwrap();
            let message = open(&path, &[]).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
            assert!(message.contains("{z}/{x}/{y}.mvt"), "{message}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_no_store() {
        let message = open(Path::new("/dev/null"), &[]).unwrap_err().to_string();
        assert!(
            message.contains("/dev/null is not a file or a folder"),
            "{message}"
        );
    }

    #[test]
    fn a_missing_path_is_named() {
        let error = open(Path::new("no/such/town"), &[]).unwrap_err();
        assert!(error.to_string().contains("no/such/town"), "{error}");
    }
}
