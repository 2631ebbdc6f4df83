//! PMTiles archives: tiles in one file, found by directories of their numbers.
//!
//! PMTiles 3, <https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md>.

mod directory;
mod header;
mod tile_code;
mod writer;

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::{Error, Metadata, StoredTile, TileStore};
use directory::Entry;
use header::{Compression, Header, Section, TileType};

pub(crate) use header::MAGIC;
pub use writer::{PackOptions, Packed, pack};

/// Directories lie at most so deep; writers make one level or two.
const MAX_DEPTH: u32 = 4;

/// Tiles that an archive of any size may list: a run of them takes a few bytes only.
const FREE_TILES: u64 = 1 << 20;

/// Inflated bytes of directories and metadata that an archive of any size may have.
const FREE_INFLATED_BYTES: u64 = 16 << 20;

/// Those that it may have besides for each of its bytes.
const INFLATED_BYTES_A_BYTE: u64 = 16;

/// Key in the metadata by which an archive says that it lists every tile it holds, the empty
/// ones too, so that its bounds promise nothing.
const HELD_KEY: &str = "tilesight:held";

/// The value that says so.
const HELD_LISTED: &str = "listed";

/// A PMTiles archive.
///
/// It holds the tiles inside its declared bounds, as an MBTiles archive does, unless it was made
/// by [`pack`] of a store that holds exactly what it lists: then so does the archive.
pub struct Pmtiles {
    archive: Archive,
    tiles: Vec<StoredTile>,
    /// Where the bytes of each tile lie in the file.
    places: Vec<Section>,
    metadata: Metadata,
}

impl Pmtiles {
    /// Opens an archive and lists its tiles, run by run and directory by directory.
    ///
    /// # Errors
    ///
    /// [`Error::Pmtiles`] when it is damaged, of another version, or compressed with anything but
    /// gzip, [`Error::NotVector`] when it declares other tiles, [`Error::TooManyTiles`] when it
    /// lists more of them than a file of its size sensibly would, [`Error::Io`] when it cannot be
    /// read.
    ///
    /// # Cost
    ///
    /// All directories are read, no tile is. Memory grows with the size of the file, whatever it
    /// claims.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (archive, header) = Archive::open(path)?;
        check_kind(&header, path)?;
        let mut listing = Listing::new(&archive, &header);
        let metadata = listing.metadata(&header)?;
        listing.walk(header.root, 0..u64::MAX, 1)?;
        let mut found = listing.found;
        found.sort_unstable_by_key(|&(tile, _)| tile);
        let (tiles, places) = found.into_iter().unzip();
        Ok(Self {
            archive,
            tiles,
            places,
            metadata,
        })
    }
}

impl TileStore for Pmtiles {
    fn tiles(&self) -> &[StoredTile] {
        &self.tiles
    }

    fn read(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), Error> {
        self.archive.read(self.places[index], bytes)
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl fmt::Debug for Pmtiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pmtiles")
            .field("path", &self.archive.path)
            .field("tiles", &self.tiles.len())
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

/// The file and its size when it was opened.
struct Archive {
    path: PathBuf,
    size: u64,
    // Threads take turns: copying a tile takes a small part of the time of decoding it.
    file: Mutex<File>,
}

impl Archive {
    fn open(path: &Path) -> Result<(Self, Header), Error> {
        let mut file = File::open(path).map_err(Error::io(path))?;
        let size = file.metadata().map_err(Error::io(path))?.len();
        let mut start = [0; header::LEN];
        match file.read_exact(&mut start) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(Error::pmtiles(path, 0, "its header is cut off"));
            }
            outcome => outcome.map_err(Error::io(path))?,
        }
        let header = Header::decode(&start).map_err(|what| Error::pmtiles(path, 0, what))?;
        let archive = Self {
            path: path.to_owned(),
            size,
            file: Mutex::new(file),
        };
        Ok((archive, header))
    }

    /// Replaces what is in `bytes` by a section of the file.
    fn read(&self, section: Section, bytes: &mut Vec<u8>) -> Result<(), Error> {
        if section.end_within(self.size).is_none() {
            return Err(self.damage(section, "a section ends beyond the file"));
        }
        bytes.clear();
        bytes.resize(section.len as usize, 0);
        // Every reader moves to its place first, so none minds where another stopped.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(section.offset))
            .and_then(|_| file.read_exact(bytes))
            .map_err(Error::io(&self.path))
    }

    fn damage(&self, section: Section, reason: &'static str) -> Error {
        Error::pmtiles(&self.path, section.offset, reason)
    }
}

fn check_kind(header: &Header, path: &Path) -> Result<(), Error> {
    if let TileType::Other(number) = header.tile_type {
        return Err(Error::NotVector {
            path: path.to_owned(),
            format: type_name(number).to_owned(),
        });
    }
    let is_known = |compression| matches!(compression, Compression::None | Compression::Gzip);
    // Whether a tile is gzipped its first bytes tell.
    if is_known(header.internal_compression)
        && (is_known(header.tile_compression) || header.tile_compression == Compression::Unknown)
    {
        return Ok(());
    }
    let what = "it is compressed with something other than gzip, which is not read";
    Err(Error::pmtiles(path, 97, what))
}

const fn type_name(number: u8) -> &'static str {
    match number {
        2 => "png",
        3 => "jpeg",
        4 => "webp",
        5 => "avif",
        6 => "MapLibre",
        _ => "unknown",
    }
}

/// What has been listed so far, and what may still be.
struct Listing<'a> {
    archive: &'a Archive,
    leaves: Section,
    tile_data: Section,
    compression: Compression,
    max_tiles: u64,
    inflated_bytes_left: u64,
    found: Vec<(StoredTile, Section)>,
}

impl<'a> Listing<'a> {
    fn new(archive: &'a Archive, header: &Header) -> Self {
        Self {
            archive,
            leaves: header.leaves,
            tile_data: header.tile_data,
            compression: header.internal_compression,
            max_tiles: max_tiles(archive.size),
            inflated_bytes_left: max_inflated_bytes(archive.size),
            found: Vec::new(),
        }
    }

    /// Lists the tiles of a directory, whose numbers must lie in a range.
    fn walk(
        &mut self,
        section: Section,
        codes: std::ops::Range<u64>,
        depth: u32,
    ) -> Result<(), Error> {
        let bytes = self.inflated(section)?;
        let entries =
            directory::decode(&bytes).map_err(|reason| self.archive.damage(section, reason))?;
        let mut end_before = codes.start;
        for (index, entry) in entries.iter().enumerate() {
            let next = entries
                .get(index + 1)
                .map_or(codes.end, |next| next.tile_code);
            if entry.tile_code < end_before || next > codes.end {
                let reason = "a directory lists tiles that another one lists";
                return Err(self.archive.damage(section, reason));
            }
            end_before = entry.tile_code.saturating_add(entry.run_len.into());
            if entry.run_len > 0 {
                self.list_run(section, entry)?;
            } else if depth < MAX_DEPTH {
                let leaf = self.part(self.leaves, section, entry)?;
                self.walk(leaf, entry.tile_code..next, depth + 1)?;
            } else {
                let reason = "directories lie too deep within each other";
                return Err(self.archive.damage(section, reason));
            }
        }
        if end_before > codes.end {
            return Err(self.archive.damage(section, "a run of tiles is too long"));
        }
        Ok(())
    }

    fn list_run(&mut self, directory: Section, entry: &Entry) -> Result<(), Error> {
        let run_len = u64::from(entry.run_len);
        if run_len > self.max_tiles - self.found.len() as u64 {
            return Err(Error::TooManyTiles {
                path: self.archive.path.clone(),
            });
        }
        let place = self.part(self.tile_data, directory, entry)?;
        for code in (entry.tile_code..).take(entry.run_len as usize) {
            let Some(id) = tile_code::decode(code) else {
                let reason = "a tile number is beyond all zooms";
                return Err(self.archive.damage(directory, reason));
            };
            self.found.push((StoredTile { tileset: None, id }, place));
        }
        Ok(())
    }

    /// Where the bytes of an entry lie in the file.
    fn part(&self, whole: Section, directory: Section, entry: &Entry) -> Result<Section, Error> {
        whole
            .part(entry.offset, entry.len.into())
            .filter(|part| part.end_within(self.archive.size).is_some())
            .ok_or_else(|| {
                let reason = "an entry lies outside of its section";
                self.archive.damage(directory, reason)
            })
    }

    fn metadata(&mut self, header: &Header) -> Result<Metadata, Error> {
        let bytes = self.inflated(header.metadata)?;
        let json = match bytes.as_slice() {
            [] => Value::Null,
            text => serde_json::from_slice(text).map_err(|_| {
                let reason = "its metadata is not JSON";
                self.archive.damage(header.metadata, reason)
            })?,
        };
        let lists_all = json[HELD_KEY] == HELD_LISTED;
        let text = |key: &str| json[key].as_str().map(str::trim);
        let text = |key| text(key).filter(|text| !text.is_empty()).map(str::to_owned);
        let declared = header.bounds.to_bbox();
        Ok(Metadata {
            name: text("name"),
            attribution: text("attribution"),
            bounds: declared.filter(|_| !lists_all),
            min_zoom: Some(header.min_zoom),
            max_zoom: Some(header.max_zoom),
            layers: crate::vector_layers(&json),
        })
    }

    /// Reads a directory or the metadata.
    fn inflated(&mut self, section: Section) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.archive.read(section, &mut bytes)?;
        if self.compression == Compression::Gzip && !bytes.is_empty() {
            let mut inflated = Vec::new();
            // One byte more than is left tells full from overfull.
            GzDecoder::new(bytes.as_slice())
                .take(self.inflated_bytes_left + 1)
                .read_to_end(&mut inflated)
                .map_err(|_| self.archive.damage(section, "it is not valid gzip"))?;
            bytes = inflated;
        }
        let len = bytes.len() as u64;
        self.inflated_bytes_left = self.inflated_bytes_left.checked_sub(len).ok_or_else(|| {
            let reason = "its directories are out of proportion to its size";
            self.archive.damage(section, reason)
        })?;
        Ok(bytes)
    }
}

/// The most tiles that an archive of this size may list.
const fn max_tiles(size: u64) -> u64 {
    FREE_TILES.saturating_add(size)
}

/// The most bytes that directories and metadata of an archive of this size may have.
const fn max_inflated_bytes(size: u64) -> u64 {
    FREE_INFLATED_BYTES.saturating_add(size.saturating_mul(INFLATED_BYTES_A_BYTE))
}

#[cfg(test)]
mod tests;
