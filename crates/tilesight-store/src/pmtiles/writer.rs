//! Packing a store into a PMTiles archive.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};
use tilesight_tile::{Bbox, GridBox, GridPoint, TileId};
use xxhash_rust::xxh3::xxh3_64;

use super::directory::{self, Entry};
use super::header::{self, Bounds, Compression, Header, Section, TileType};
use super::{HELD_KEY, HELD_LISTED, max_inflated_bytes, max_tiles, tile_code};
use crate::{Error, Metadata, StoredTile, TileStore};

/// Where tile data begin: header and root directory come before, in what clients fetch first.
const DATA_OFFSET: u64 = 16_384;

/// Entries of a leaf directory, at first.
const LEAF_ENTRIES: usize = 4096;

/// First bytes of a gzip stream.
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// How to pack a store, and what the archive says where the store says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackOptions<'a> {
    /// Only the tiles of this tileset; all of them where none is given.
    pub tileset: Option<&'a str>,
    /// Name of the archive.
    pub name: Option<&'a str>,
    /// Whom to credit.
    pub attribution: Option<&'a str>,
    /// Under which licence the tiles may be used.
    pub license: Option<&'a str>,
    /// Names of the layers that the tiles may have.
    pub layers: &'a [&'a str],
}

/// What was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Tiles of the archive.
    pub tiles: u64,
    /// Directory entries: runs of equal tiles with following numbers.
    pub runs: u64,
    /// Tiles that differ from each other.
    pub contents: u64,
    /// Size of the archive.
    pub bytes: u64,
}

/// Packs the tiles of a store into a PMTiles archive, in the order of their numbers.
///
/// Equal tiles are stored once, and listed once where their numbers follow each other. All are
/// gzipped. What the archive holds is what the store holds: where that declares bounds, so does
/// the archive; where it holds exactly what it lists, or its ledger tells, the metadata say so, and
/// empty tiles are listed like others.
///
/// `file` is empty and open for reading too, since tiles are compared with those before them;
/// who publishes it, syncs and renames it.
///
/// # Returns
///
/// What was written. The same store and options give the same bytes.
///
/// # Errors
///
/// [`Error::NothingToPack`] when there is no tile, [`Error::SeveralTilesets`] when there are several
/// tilesets and none was chosen, [`Error::Unreadable`] when so many tiles are
/// alike that the archive would be taken for a damaged one, [`Error::Pack`] when it cannot be
/// written; otherwise as reading from the store.
///
/// # Cost
///
/// Every tile is read and compressed once, one at a time; about 80 bytes of memory a tile.
///
/// # Example
///
/// ```
/// use std::fs::{self, File};
/// use tilesight_store::{PackOptions, pack};
/// # let dir = tempfile::tempdir()?;
/// # let root = dir.path();
/// fs::create_dir_all(root.join("town/14/9326"))?;
/// for y in [4742, 4743] {
///     fs::write(root.join(format!("town/14/9326/{y}.mvt")), b"the same tile")?;
/// }
/// let town = tilesight_store::open(&root.join("town"), &[])?;
/// let target = root.join("town.pmtiles");
/// let mut file = File::options().read(true).write(true).create_new(true).open(&target)?;
/// let packed = pack(&*town, &PackOptions::default(), &mut file)?;
/// assert_eq!((packed.tiles, packed.contents), (2, 1));
///
/// let archive = tilesight_store::open(&target, &[])?;
/// assert_eq!(archive.tiles(), town.tiles());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn pack(
    store: &dyn TileStore,
    options: &PackOptions,
    file: &mut File,
) -> Result<Packed, Error> {
    let tiles = tiles_in_order(store, options.tileset)?;
    let mut contents = Contents::new(file).map_err(Error::Pack)?;
    let mut bytes = Vec::new();
    for &(tile_code, Held { index, .. }) in &tiles {
        bytes.clear();
        if let Some(index) = index {
            store.read(index, &mut bytes)?;
        }
        contents.append(tile_code, &bytes).map_err(Error::Pack)?;
    }
    let ids = tiles.iter().map(|(_, held)| held.tile.id);
    let header = described(store.metadata(), ids);
    contents.finish(header, &metadata_json(store, options))
}

/// A tile that a store holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    tile: StoredTile,
    /// Its number in the store; none where it is known to be empty.
    index: Option<usize>,
}

/// The tiles of a store, those included that its ledger knows to be empty, with their numbers in
/// the archive, ascending.
fn tiles_in_order(store: &dyn TileStore, tileset: Option<&str>) -> Result<Vec<(u64, Held)>, Error> {
    let stored = store.tiles().iter().enumerate();
    let stored = stored.map(|(index, &tile)| Held {
        tile,
        index: Some(index),
    });
    let empty = store.ledger().map_or(&[][..], |ledger| &ledger.empty);
    let empty = empty.iter().map(|&tile| Held { tile, index: None });
    let is_asked = |held: &Held| tileset.is_none() || held.tile.tileset == tileset;
    let mut tiles: Vec<_> = stored
        .chain(empty)
        .filter(is_asked)
        .map(|held| (tile_code::encode(held.tile.id), held))
        .collect();
    tiles.sort_unstable();
    check_one_tileset(&tiles, tileset)?;
    Ok(tiles)
}

fn check_one_tileset(tiles: &[(u64, Held)], tileset: Option<&str>) -> Result<(), Error> {
    let tilesets: BTreeSet<_> = tiles.iter().map(|(_, held)| held.tile.tileset).collect();
    match tilesets.len() {
        0 => Err(Error::NothingToPack {
            tileset: tileset.map(str::to_owned),
        }),
        1 => Ok(()),
        _ => Err(Error::SeveralTilesets {
            tilesets: tilesets.into_iter().flatten().collect(),
        }),
    }
}

/// Tile data as it grows, and the entries that lead there.
struct Contents<'a> {
    file: BufWriter<&'a mut File>,
    len: u64,
    entries: Vec<Entry>,
    /// Places of the contents of each hash.
    known: HashMap<u64, Vec<(u64, u32)>>,
    distinct: u64,
}

impl<'a> Contents<'a> {
    /// Leaves room for what comes first in the file and is known last.
    fn new(file: &'a mut File) -> io::Result<Self> {
        let mut file = BufWriter::new(file);
        file.write_all(&[0; DATA_OFFSET as usize])?;
        Ok(Self {
            file,
            len: 0,
            entries: Vec::new(),
            known: HashMap::new(),
            distinct: 0,
        })
    }

    fn append(&mut self, tile_code: u64, bytes: &[u8]) -> io::Result<()> {
        let (offset, len) = if bytes.starts_with(GZIP_MAGIC) {
            self.place(bytes)?
        } else {
            self.place(&gzip(bytes)?)?
        };
        let follows = |last: &&mut Entry| {
            last.offset == offset && last.tile_code + u64::from(last.run_len) == tile_code
        };
        match self.entries.last_mut().filter(follows) {
            Some(last) => last.run_len += 1,
            None => self.entries.push(Entry {
                tile_code,
                offset,
                len,
                run_len: 1,
            }),
        }
        Ok(())
    }

    /// Where these bytes lie; they are written unless they are there already.
    fn place(&mut self, bytes: &[u8]) -> io::Result<(u64, u32)> {
        let len = u32::try_from(bytes.len())
            .map_err(|_| io::Error::other("a tile has more than 4 GiB"))?;
        let hash = xxh3_64(bytes);
        let alike = self.known.get(&hash).cloned().unwrap_or_default();
        for place in alike {
            if place.1 == len && self.is_at(place.0, bytes)? {
                return Ok(place);
            }
        }
        let place = (self.len, len);
        self.file.write_all(bytes)?;
        self.len += u64::from(len);
        self.distinct += 1;
        self.known.entry(hash).or_default().push(place);
        Ok(place)
    }

    /// Compares with the file, since equal hashes do not make equal tiles.
    fn is_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<bool> {
        let mut there = vec![0; bytes.len()];
        self.file.seek(SeekFrom::Start(DATA_OFFSET + offset))?;
        self.file.get_mut().read_exact(&mut there)?;
        self.file.seek(SeekFrom::Start(DATA_OFFSET + self.len))?;
        Ok(there == bytes)
    }

    /// Writes what leads to the tiles: the root into the room before them, the rest after them.
    fn finish(mut self, mut header: Header, metadata: &str) -> Result<Packed, Error> {
        let directories = Directories::new(&self.entries, LEAF_ENTRIES).map_err(Error::Pack)?;
        let plain_len = directories.plain_len + metadata.len() as u64;
        let Directories { root, leaves, .. } = directories;
        let metadata = gzip(metadata.as_bytes()).map_err(Error::Pack)?;
        header.root = Section {
            offset: header::LEN as u64,
            len: root.len() as u64,
        };
        header.tile_data = Section {
            offset: DATA_OFFSET,
            len: self.len,
        };
        header.metadata = after(header.tile_data, metadata.len());
        header.leaves = after(header.metadata, leaves.len());
        header.addressed_tiles = self
            .entries
            .iter()
            .map(|entry| u64::from(entry.run_len))
            .sum();
        header.tile_entries = self.entries.len() as u64;
        header.tile_contents = self.distinct;
        let packed = packed(&header);
        // What would be refused when it is read is not written.
        if packed.tiles > max_tiles(packed.bytes) || plain_len > max_inflated_bytes(packed.bytes) {
            return Err(Error::Unreadable);
        }
        let mut write = || {
            self.file.write_all(&metadata)?;
            self.file.write_all(&leaves)?;
            self.file.rewind()?;
            self.file.write_all(&header.encode())?;
            self.file.write_all(&root)?;
            self.file.flush()
        };
        write().map_err(Error::Pack)?;
        Ok(packed)
    }
}

const fn packed(header: &Header) -> Packed {
    Packed {
        tiles: header.addressed_tiles,
        runs: header.tile_entries,
        contents: header.tile_contents,
        bytes: header.leaves.offset + header.leaves.len,
    }
}

const fn after(section: Section, len: usize) -> Section {
    Section {
        offset: section.offset + section.len,
        len: len as u64,
    }
}

/// Compressed directories.
struct Directories {
    root: Vec<u8>,
    leaves: Vec<u8>,
    plain_len: u64,
}

impl Directories {
    /// One directory where it is small enough; otherwise leaves of so many entries, or of twice as
    /// many until the root can list them.
    fn new(entries: &[Entry], mut leaf_entries: usize) -> io::Result<Self> {
        let plain = directory::encode(entries);
        let root = gzip(&plain)?;
        if fits(&root) {
            return Ok(Self {
                root,
                leaves: Vec::new(),
                plain_len: plain.len() as u64,
            });
        }
        loop {
            let directories = Self::with_leaves(entries, leaf_entries)?;
            if fits(&directories.root) {
                return Ok(directories);
            }
            leaf_entries *= 2;
        }
    }

    fn with_leaves(entries: &[Entry], leaf_entries: usize) -> io::Result<Self> {
        let (mut leaves, mut pointers, mut plain_len) = (Vec::new(), Vec::new(), 0);
        for chunk in entries.chunks(leaf_entries) {
            let plain = directory::encode(chunk);
            let leaf = gzip(&plain)?;
            pointers.push(Entry {
                tile_code: chunk[0].tile_code,
                offset: leaves.len() as u64,
                len: leaf.len() as u32,
                run_len: 0,
            });
            leaves.extend_from_slice(&leaf);
            plain_len += plain.len() as u64;
        }
        let plain = directory::encode(&pointers);
        Ok(Self {
            root: gzip(&plain)?,
            leaves,
            plain_len: plain_len + plain.len() as u64,
        })
    }
}

const fn fits(root: &[u8]) -> bool {
    header::LEN + root.len() < DATA_OFFSET as usize
}

/// A header that says which zooms and which box the tiles are in.
fn described(metadata: &Metadata, ids: impl Iterator<Item = TileId> + Clone) -> Header {
    let zooms = ids.clone().map(TileId::z);
    let min_zoom = metadata.min_zoom.or(zooms.clone().min()).unwrap_or(0);
    let max_zoom = metadata.max_zoom.or(zooms.clone().max()).unwrap_or(0);
    let deepest = zooms.max().unwrap_or(0);
    let bounds = metadata
        .bounds
        .or_else(|| box_of(ids.filter(|id| id.z() == deepest)));
    Header {
        is_clustered: true,
        internal_compression: Compression::Gzip,
        tile_compression: Compression::Gzip,
        tile_type: TileType::Vector,
        min_zoom,
        max_zoom,
        bounds: bounds.as_ref().map(Bounds::inside).unwrap_or_default(),
        ..Header::default()
    }
}

/// The box in degrees around tiles.
fn box_of(tiles: impl Iterator<Item = TileId>) -> Option<Bbox> {
    let around = tiles.map(TileId::grid_box).reduce(|a, b| GridBox {
        min_x: a.min_x.min(b.min_x),
        min_y: a.min_y.min(b.min_y),
        max_x: a.max_x.max(b.max_x),
        max_y: a.max_y.max(b.max_y),
    })?;
    let corner = |x, y| GridPoint { x, y }.to_lon_lat();
    let north_west = corner(around.min_x, around.min_y);
    let south_east = corner(around.max_x, around.max_y);
    let (west, north) = (north_west.lon(), north_west.lat());
    Bbox::from_degrees(west, south_east.lat(), south_east.lon(), north).ok()
}

/// What the archive says of itself; the keys are those that viewers read, besides our own.
fn metadata_json(store: &dyn TileStore, options: &PackOptions) -> String {
    let metadata = store.metadata();
    let lists_all = metadata.bounds.is_none() || store.ledger().is_some();
    let mut json = Map::new();
    let texts = [
        ("name", metadata.name.as_deref().or(options.name)),
        (
            "attribution",
            metadata.attribution.as_deref().or(options.attribution),
        ),
        ("license", options.license),
        ("type", Some("overlay")),
        (HELD_KEY, lists_all.then_some(HELD_LISTED)),
    ];
    for (key, text) in texts {
        json.extend(text.map(|text| (key.to_owned(), text.into())));
    }
    let declared = metadata.layers.iter().map(String::as_str);
    let given = options.layers.iter().copied();
    let layers: Vec<Value> = declared
        .chain(given.filter(|_| metadata.layers.is_empty()))
        .map(|id| json!({ "id": id, "fields": {} }))
        .collect();
    json.insert("vector_layers".to_owned(), layers.into());
    Value::Object(json).to_string()
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries that compress badly.
    fn entries(count: u64) -> Vec<Entry> {
        let random = |number: u64| xxh3_64(&number.to_le_bytes()) >> 40;
        let entry = |number: u64| Entry {
            tile_code: (number << 24) + random(number),
            offset: random(!number),
            len: random(number << 32) as u32,
            run_len: 1,
        };
        (0..count).map(entry).collect()
    }

    #[test]
    fn leaves_grow_until_the_root_can_list_them() {
        let entries = entries(10_000);
        let directories = Directories::new(&entries, 1).unwrap();
        assert!(fits(&directories.root));
        let root = inflated(&directories.root);
        let pointers = directory::decode(&root).unwrap();
        let leaf_entries = entries.len().div_ceil(pointers.len());
        assert!(!fits(
            &Directories::with_leaves(&entries, leaf_entries / 2)
                .unwrap()
                .root
        ));
        let (mut listed, mut plain_len) = (Vec::new(), root.len());
        for pointer in &pointers {
            let leaf = &directories.leaves[pointer.offset as usize..][..pointer.len as usize];
            let leaf = inflated(leaf);
            plain_len += leaf.len();
            listed.extend(directory::decode(&leaf).unwrap());
        }
        assert!(listed == entries);
        assert_eq!(directories.plain_len, plain_len as u64);
    }

    #[test]
    fn what_would_be_taken_for_damaged_is_not_written() {
        let finish = |run_len: u32| {
            let mut file = tempfile::tempfile().unwrap();
            let mut contents = Contents::new(&mut file).unwrap();
            contents.append(0, b"water").unwrap();
            contents.entries[0].run_len = run_len;
            contents.finish(Header::default(), "{}")
        };
        let bytes = finish(1).unwrap().bytes;
        let most = max_tiles(bytes);
        assert_eq!(finish(most as u32 - 2).unwrap().tiles, most - 2);
        let refused = finish(most as u32 + 10);
        assert!(matches!(refused, Err(Error::Unreadable)), "{refused:?}");
    }

    #[test]
    fn tiles_that_are_gzipped_are_stored_as_they_are() {
        let mut file = tempfile::tempfile().unwrap();
        let mut contents = Contents::new(&mut file).unwrap();
        let gzipped = gzip(b"water").unwrap();
        contents.append(0, &gzipped).unwrap();
        contents.append(1, b"water").unwrap();
        let run = Entry {
            tile_code: 0,
            offset: 0,
            len: gzipped.len() as u32,
            run_len: 2,
        };
        assert_eq!((&contents.entries[..], contents.distinct), (&[run][..], 1));
    }

    fn inflated(bytes: &[u8]) -> Vec<u8> {
        let mut inflated = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(bytes);
        decoder.read_to_end(&mut inflated).unwrap();
        inflated
    }
}
