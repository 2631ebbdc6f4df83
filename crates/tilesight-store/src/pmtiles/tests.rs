use std::fs;

use pmtiles::{AsyncPmTilesReader, MmapBackend, PmTilesWriter, TileCoord};
use proptest::prelude::*;
use tempfile::TempDir;
use tilesight_tile::{Bbox, TileId};

use super::*;
use crate::Ledger;

/// Tiles that lie in memory.
#[derive(Debug, Default)]
struct Shelf {
    tiles: Vec<StoredTile>,
    contents: Vec<Vec<u8>>,
    metadata: Metadata,
    ledger: Option<Ledger>,
}

impl Shelf {
    fn of(tiles: impl IntoIterator<Item = (TileId, Vec<u8>)>) -> Self {
        let mut tiles: Vec<_> = tiles.into_iter().collect();
        tiles.sort();
        tiles.dedup_by_key(|(id, _)| *id);
        let stored = |(id, content)| (StoredTile { tileset: None, id }, content);
        let (tiles, contents) = tiles.into_iter().map(stored).unzip();
        let metadata = Metadata::default();
        Self {
            tiles,
            contents,
            metadata,
            ledger: None,
        }
    }
}

impl TileStore for Shelf {
    fn tiles(&self) -> &[StoredTile] {
        &self.tiles
    }

    fn read(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), Error> {
        bytes.clone_from(&self.contents[index]);
        Ok(())
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_ref()
    }
}

fn tile(z: u8, x: u32, y: u32) -> TileId {
    TileId::new(z, x, y).unwrap()
}

fn packed(store: &dyn TileStore, options: &PackOptions) -> (TempDir, PathBuf, Packed) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("town.pmtiles");
    let mut file = new_file(&path);
    let packed = pack(store, options, &mut file).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), packed.bytes);
    (dir, path, packed)
}

fn new_file(path: &Path) -> File {
    let mut options = File::options();
    options
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .unwrap()
}

fn inflated(bytes: &[u8]) -> Vec<u8> {
    let mut inflated = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut inflated).unwrap();
    inflated
}

/// Every tile of a store with its inflated bytes.
fn read_all(store: &dyn TileStore) -> Vec<(TileId, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut read = |index| {
        store.read(index, &mut bytes).unwrap();
        (store.tiles()[index].id, inflated(&bytes))
    };
    (0..store.tiles().len()).map(&mut read).collect()
}

fn shelved(shelf: &Shelf) -> Vec<(TileId, Vec<u8>)> {
    let ids = shelf.tiles.iter().map(|tile| tile.id);
    ids.zip(shelf.contents.iter().cloned()).collect()
}

/// Checks that another implementation finds the same tiles, and nothing beside them.
fn check_with_oracle(path: &Path, expected: &[(TileId, Vec<u8>)]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let backend = MmapBackend::try_from(path).await.unwrap();
        let reader = AsyncPmTilesReader::try_from_source(backend).await.unwrap();
        for (id, content) in expected {
            let coord = TileCoord::new(id.z(), id.x(), id.y()).unwrap();
            let found = reader.get_tile_decompressed(coord).await.unwrap();
            // An inflated empty tile is no bytes at all.
            assert_eq!(found.unwrap_or_default().as_ref(), content, "{id}");
        }
        let beside = TileCoord::new(3, 7, 7).unwrap();
        assert!(reader.get_tile(beside).await.unwrap().is_none());
        let count = reader.get_header().n_addressed_tiles().unwrap().get();
        assert_eq!(count, expected.len() as u64);
    });
}

/// Tiles around a place, many of them alike or empty.
fn some_tiles() -> impl Strategy<Value = Vec<(TileId, Vec<u8>)>> {
    let content = prop_oneof![
        Just(Vec::new()),
        Just(b"water".to_vec()),
        prop::collection::vec(any::<u8>(), 1..40),
    ];
    let id = prop_oneof![
        (0..3_u8).prop_map(|z| tile(z, 0, 0)),
        (9320..9330_u32, 4740..4748_u32).prop_map(|(x, y)| tile(14, x, y)),
    ];
    prop::collection::vec((id, content), 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_packed_is_read_here_and_elsewhere(tiles in some_tiles()) {
        let shelf = Shelf::of(tiles);
        let (_dir, path, _) = packed(&shelf, &PackOptions::default());
        let expected = shelved(&shelf);
        prop_assert_eq!(read_all(&Pmtiles::open(&path).unwrap()), expected.clone());
        check_with_oracle(&path, &expected);
    }

    #[test]
    fn what_others_write_is_read(tiles in some_tiles(), is_plain: bool) {
        let mut shelf = Shelf::of(tiles);
        for content in shelf.contents.iter_mut().filter(|content| content.is_empty()) {
            content.push(0);
        }
        let (_dir, path) = written_elsewhere(&shelf, is_plain);
        let store = Pmtiles::open(&path).unwrap();
        prop_assert_eq!(read_all(&store), shelved(&shelf));
        prop_assert_eq!(store.metadata().bounds, Bbox::from_degrees(24.9, 60.1, 25.0, 60.2).ok());
        prop_assert_eq!(store.metadata().name.as_deref(), Some("Town"));
    }
}

/// An archive that another implementation writes.
fn written_elsewhere(shelf: &Shelf, is_plain: bool) -> (TempDir, PathBuf) {
    let compression = if is_plain {
        pmtiles::Compression::None
    } else {
        pmtiles::Compression::Gzip
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("town.pmtiles");
    let mut writer = PmTilesWriter::new(pmtiles::TileType::Mvt)
        .internal_compression(compression)
        .bounds(24.9, 60.1, 25.0, 60.2)
        .metadata(r#"{"name": "Town"}"#)
        .create(new_file(&path))
        .unwrap();
    let mut tiles = shelved(shelf);
    tiles.sort_by_key(|&(id, _)| tile_code::encode(id));
    for (id, content) in tiles {
        let coord = TileCoord::new(id.z(), id.x(), id.y()).unwrap();
        writer.add_tile(coord, &content).unwrap();
    }
    writer.finalize().unwrap();
    (dir, path)
}

#[test]
fn many_tiles_need_leaves() {
    let content = |n: u32| vec![n as u8; (n.wrapping_mul(2_654_435_761) % 97) as usize];
    let ids = (0..30_000).map(|n| (tile(14, 9000 + n % 200, 4000 + n / 200), content(n)));
    let shelf = Shelf::of(ids);
    let (_dir, path, packed) = packed(&shelf, &PackOptions::default());
    let (_, header) = Archive::open(&path).unwrap();
    assert!(header.leaves.len > 0);
    assert_eq!(packed.tiles, 30_000);
    let expected = shelved(&shelf);
    assert_eq!(read_all(&Pmtiles::open(&path).unwrap()), expected);
    check_with_oracle(&path, &expected);
}

#[test]
fn equal_tiles_are_stored_once_and_runs_listed_once() {
    let mut tiles = vec![(tile(14, 9326, 4742), b"town".to_vec())];
    // The tiles of zoom 2 follow each other.
    tiles.extend((0..16).map(|n| (tile(2, n % 4, n / 4), b"water".to_vec())));
    tiles.push((tile(14, 9327, 4742), b"water".to_vec()));
    let shelf = Shelf::of(tiles);
    let (_dir, path, packed) = packed(&shelf, &PackOptions::default());
    assert_eq!((packed.tiles, packed.runs, packed.contents), (18, 3, 2));
    let again = self::packed(&shelf, &PackOptions::default());
    assert_eq!(
        fs::read(path).unwrap(),
        fs::read(again.1).unwrap(),
        "the same bytes"
    );
}

#[test]
fn an_archive_of_a_folder_holds_what_it_lists() {
    let shelf = Shelf::of([(tile(14, 9326, 4742), Vec::new())]);
    let options = PackOptions {
        name: Some("Town"),
        attribution: Some("Mapillary"),
        license: Some("CC BY-SA 4.0"),
        layers: &["image"],
        ..PackOptions::default()
    };
    let (_dir, path, _) = packed(&shelf, &options);
    let expected = Metadata {
        name: Some("Town".into()),
        attribution: Some("Mapillary".into()),
        bounds: None,
        min_zoom: Some(14),
        max_zoom: Some(14),
        layers: vec!["image".into()],
    };
    assert_eq!(Pmtiles::open(&path).unwrap().metadata(), &expected);
    let (_, header) = Archive::open(&path).unwrap();
    let shown = header.bounds.to_bbox().unwrap();
    assert!(shown.contains(tilesight_tile::GridPoint::nearest_to(
        tilesight_tile::LonLat::new(24.9384, 60.1699).unwrap()
    )));
}

#[test]
fn an_archive_of_bounds_holds_no_more_than_they() {
    let mut shelf = Shelf::of([(tile(14, 9326, 4742), b"town".to_vec())]);
    shelf.metadata = Metadata {
        bounds: Bbox::from_degrees(24.9, 60.1, 25.0, 60.2).ok(),
        min_zoom: Some(6),
        max_zoom: Some(14),
        layers: vec!["image".into()],
        ..Metadata::default()
    };
    let (_dir, path, _) = packed(&shelf, &PackOptions::default());
    assert_eq!(Pmtiles::open(&path).unwrap().metadata(), &shelf.metadata);
}

#[test]
fn an_archive_of_a_ledger_holds_what_that_holds() {
    let mut shelf = Shelf::of([(tile(14, 9326, 4742), b"town".to_vec())]);
    shelf.metadata.bounds = Bbox::from_degrees(24.9, 60.1, 25.0, 60.2).ok();
    let unnamed = |id| StoredTile { tileset: None, id };
    shelf.ledger = Some(Ledger {
        empty: vec![unnamed(tile(14, 9327, 4742))],
        failed: vec![(unnamed(tile(14, 9328, 4742)), "refused".into())],
        ..Ledger::default()
    });
    let (_dir, path, _) = packed(&shelf, &PackOptions::default());
    let store = Pmtiles::open(&path).unwrap();
    let expected = [
        (tile(14, 9326, 4742), b"town".to_vec()),
        (tile(14, 9327, 4742), Vec::new()),
    ];
    assert_eq!(read_all(&store), expected);
    assert_eq!(store.metadata().bounds, None);
}

#[test]
fn one_tileset_is_packed_at_a_time() {
    let mut shelf = Shelf::of([
        (tile(14, 1, 2), b"a".to_vec()),
        (tile(14, 1, 3), b"b".to_vec()),
    ]);
    shelf.tiles[1].id = tile(14, 1, 2);
    shelf.tiles[0].tileset = Some("images");
    shelf.tiles[1].tileset = Some("signs");
    let refused = |tileset| {
        let options = PackOptions {
            tileset,
            ..PackOptions::default()
        };
        pack(&shelf, &options, &mut tempfile::tempfile().unwrap())
            .unwrap_err()
            .to_string()
    };
    assert!(refused(None).contains("images, signs"));
    assert!(refused(Some("points")).contains("no tile of points"));
    let options = PackOptions {
        tileset: Some("signs"),
        ..PackOptions::default()
    };
    let (_dir, path, _) = packed(&shelf, &options);
    assert_eq!(
        read_all(&Pmtiles::open(&path).unwrap()),
        [(tile(14, 1, 2), b"b".to_vec())]
    );
}

/// An archive put together by hand, with nothing compressed.
fn archive(root: &[Entry], leaves: &[u8], data_len: u64, change: impl Fn(&mut Header)) -> Vec<u8> {
    let root = directory::encode(root);
    let section = |offset: usize, len: usize| Section {
        offset: offset as u64,
        len: len as u64,
    };
    let root_section = section(header::LEN, root.len());
    let end = header::LEN + root.len();
    let mut header = Header {
        root: root_section,
        leaves: section(end, leaves.len()),
        tile_data: section(end + leaves.len(), data_len as usize),
        internal_compression: Compression::None,
        tile_type: TileType::Vector,
        ..Header::default()
    };
    change(&mut header);
    let data = vec![b'x'; data_len as usize];
    [&header.encode()[..], &root, leaves, &data].concat()
}

const ONE: Entry = Entry {
    tile_code: 1,
    offset: 0,
    len: 2,
    run_len: 1,
};

/// Checks that an archive is refused, saying why.
#[track_caller]
fn check_refused(bytes: &[u8], expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.pmtiles");
    fs::write(&path, bytes).unwrap();
    let message = crate::open(&path, &[]).unwrap_err().to_string();
    assert!(message.contains(expected), "{message}");
    assert!(message.contains("bad.pmtiles"), "{message}");
}

#[test]
fn hostile_archives_are_refused() {
    let plain = |root: &[Entry]| archive(root, &[], 2, |_| ());
    check_refused(&plain(&[ONE])[..100], "cut off");
    check_refused(&plain(&[Entry { len: 3, ..ONE }]), "outside of its section");
    check_refused(
        &plain(&[Entry {
            offset: u64::MAX >> 1,
            ..ONE
        }]),
        "outside of its section",
    );
    check_refused(
        &plain(&[Entry {
            run_len: u32::MAX,
            ..ONE
        }]),
        "more tiles than its size",
    );
    check_refused(
        &plain(&[Entry {
            tile_code: 1 << 62,
            ..ONE
        }]),
        "beyond all zooms",
    );
    let overlapping = [
        Entry { run_len: 5, ..ONE },
        Entry {
            tile_code: 3,
            ..ONE
        },
    ];
    check_refused(&plain(&overlapping), "another one lists");
}

#[test]
fn directories_that_lead_astray_are_refused() {
    let pointer = Entry {
        run_len: 0,
        len: 5,
        ..ONE
    };
    let itself = directory::encode(&[pointer]);
    assert_eq!(itself.len(), 5);
    check_refused(&archive(&[pointer], &itself, 0, |_| ()), "too deep");
    let before = directory::encode(&[Entry {
        tile_code: 0,
        ..ONE
    }]);
    check_refused(
        &archive(&[pointer], &before, 2, |_| ()),
        "another one lists",
    );
    let run = directory::encode(&[Entry { run_len: 9, ..ONE }]);
    let after = Entry {
        tile_code: 5,
        ..ONE
    };
    check_refused(&archive(&[pointer, after], &run, 2, |_| ()), "too long");
}

#[test]
fn headers_that_lead_astray_are_refused() {
    let with = |change: fn(&mut Header)| archive(&[ONE], &[], 2, change);
    check_refused(&with(|header| header.root.len = 1 << 40), "beyond the file");
    check_refused(
        &with(|header| header.root.offset = u64::MAX),
        "beyond the file",
    );
    check_refused(&with(|header| header.metadata = header.root), "not JSON");
    check_refused(
        &with(|header| header.tile_type = TileType::Other(3)),
        "jpeg",
    );
    check_refused(
        &with(|header| header.tile_compression = Compression::Zstd),
        "than gzip",
    );
    check_refused(
        &with(|header| header.internal_compression = Compression::Unknown),
        "gzip",
    );
    check_refused(
        &with(|header| header.internal_compression = Compression::Gzip),
        "valid gzip",
    );
}

#[test]
fn tiles_of_other_types_are_named() {
    for (number, name) in [
        (2, "png"),
        (3, "jpeg"),
        (4, "webp"),
        (5, "avif"),
        (6, "MapLibre"),
        (7, "unknown"),
    ] {
        let bytes = archive(&[ONE], &[], 2, |header| {
            header.tile_type = TileType::Other(number);
        });
        check_refused(&bytes, &format!("holds {name} tiles"));
    }
}

#[test]
fn what_is_shown_of_an_archive_is_how_much_it_holds() {
    let shelf = Shelf::of([(tile(14, 9326, 4742), b"town".to_vec())]);
    let (_dir, path, _) = packed(&shelf, &PackOptions::default());
    let shown = format!("{:?}", Pmtiles::open(&path).unwrap());
    assert!(
        shown.starts_with("Pmtiles") && shown.contains("tiles: 1"),
        "{shown}"
    );
}

#[test]
fn a_bomb_costs_no_more_than_is_allowed() {
    use flate2::write::GzEncoder;
    use std::io::Write;
    let mut bomb = GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![0; 100 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let bytes = archive(&[], &bomb, 0, |header| {
        header.metadata = header.leaves;
        header.internal_compression = Compression::Gzip;
    });
    check_refused(&bytes, "out of proportion");
}

/// Damaged archives are read or refused, and what is listed can be read.
fn check_damaged(whole: &[u8], cases: u64, seed: u64) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("damaged.pmtiles");
    let mut state = seed;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    let mut refused = 0;
    for case in 0..cases {
        let mut bytes = whole.to_vec();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            bytes[at] = if case % 2 == 0 {
                random(256) as u8
            } else {
                bytes[at] ^ 1 << random(8)
            };
        }
        if case % 5 == 0 {
            bytes.truncate(random(whole.len()));
        }
        fs::write(&path, &bytes).unwrap();
        match Pmtiles::open(&path) {
            Ok(store) => {
                let count = store.tiles().len();
                assert!(count as u64 <= max_tiles(bytes.len() as u64));
                let mut tile = Vec::new();
                (0..count.min(100)).for_each(|index| store.read(index, &mut tile).unwrap());
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > cases / 10, "{refused} of {cases} refused");
}

#[test]
fn damaged_archives_are_errors_and_not_panics() {
    let tiles = (0..40).map(|n| (tile(14, 9000 + n % 7, 4000 + n / 7), vec![n as u8; 1]));
    let shelf = Shelf::of(tiles);
    let (_dir, gzipped, _) = packed(&shelf, &PackOptions::default());
    // Of the room before the tiles only the used part is worth damaging.
    let whole = fs::read(gzipped).unwrap();
    check_damaged(&whole, 2_000, 1);
    let leaf = directory::encode(
        &(0..30)
            .map(|n| Entry {
                tile_code: n,
                ..ONE
            })
            .collect::<Vec<_>>(),
    );
    let pointer = Entry {
        tile_code: 0,
        len: leaf.len() as u32,
        run_len: 0,
        offset: 0,
    };
    check_damaged(&archive(&[pointer], &leaf, 2, |_| ()), 20_000, 2);
}
