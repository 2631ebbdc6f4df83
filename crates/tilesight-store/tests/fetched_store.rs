//! Stores that are written tile by tile: what they hold, what a crash leaves, what damage shows.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use proptest::prelude::*;
use tempfile::TempDir;
use tilesight_store::{
    About, Error, Mbtiles, Outcome, Record, StoreWriter, StoredTile, TileState, TileStore, verify,
};
use tilesight_tile::TileId;

const TILESETS: &[&str] = &["images", "signs"];

const ABOUT: About<'_> = About {
    tileset: "images",
    metadata: &[("name", "Town"), ("attribution", "Mapillary")],
};

fn tile(x: u32) -> TileId {
    TileId::new(14, 9326 + x, 4742).unwrap()
}

fn record(tileset: &'static str, x: u32, outcome: Outcome) -> Record {
    Record {
        tileset,
        id: tile(x),
        outcome,
        fetched_at_ms: 1_700_000_000_000 + i64::from(x),
        tries: 1,
    }
}

fn stored(bytes: &[u8]) -> Outcome {
    Outcome::Stored {
        bytes: bytes.to_vec(),
        etag: Some("\"v1\"".into()),
    }
}

fn failed(reason: &str) -> Outcome {
    Outcome::Failed {
        reason: reason.into(),
    }
}

const EMPTY: Outcome = Outcome::Empty {
    reason: None,
    etag: None,
};

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("town.mbtiles");
    (dir, path)
}

fn write(path: &Path, records: &[Record]) {
    let mut writer = StoreWriter::open(path, &ABOUT).unwrap();
    writer.commit(records).unwrap();
    writer.close().unwrap();
}

fn open(path: &Path) -> Mbtiles {
    Mbtiles::open_with_ledger(path, TILESETS).unwrap()
}

/// Columns and bytes of the tiles held.
fn contents(store: &Mbtiles) -> Vec<(Option<&'static str>, u32, Vec<u8>)> {
    let read = |(index, tile): (usize, &tilesight_store::StoredTile)| {
        let mut bytes = Vec::new();
        store.read(index, &mut bytes).unwrap();
        (tile.tileset, tile.id.x() - 9326, bytes)
    };
    store.tiles().iter().enumerate().map(read).collect()
}

#[test]
fn what_is_written_is_read_back() {
    let (dir, path) = place();
    let records = [
        record("signs", 0, stored(b"sign")),
        record("images", 1, stored(b"one")),
        record("images", 0, stored(b"nil")),
        record("images", 2, EMPTY),
        record("images", 3, failed("404")),
    ];
    write(&path, &records);
    let store = open(&path);
    let expected = [
        (Some("images"), 0, b"nil".to_vec()),
        (Some("images"), 1, b"one".to_vec()),
        (Some("signs"), 0, b"sign".to_vec()),
    ];
    assert_eq!(contents(&store), expected);
    let ledger = store.ledger().unwrap();
    assert_eq!(ledger.empty[0].id, tile(2));
    assert_eq!(
        (ledger.failed[0].0.id, &*ledger.failed[0].1),
        (tile(3), "404")
    );
    let times: Vec<_> = ledger.fetched_at_ms.iter().map(|ms| ms % 10).collect();
    assert_eq!(times, [0, 1, 0]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "one file");
}

#[test]
fn other_programs_see_one_tileset_as_the_specification_has_it() {
    let (_dir, path) = place();
    let images = record("images", 1, stored(b"one"));
    write(&path, &[images, record("signs", 1, stored(b"sign"))]);
    let plain = Mbtiles::open(&path).unwrap();
    assert_eq!(contents(&plain), [(None, 1, b"one".to_vec())]);
    let metadata = plain.metadata();
    assert_eq!(metadata.name.as_deref(), Some("Town"));
    assert_eq!((metadata.min_zoom, metadata.max_zoom), (Some(14), Some(14)));
    let bounds = metadata.bounds.unwrap();
    let (west, north) = (bounds.west(), bounds.north());
    let corner = tile(1).origin().to_lon_lat();
    assert!((west - corner.lon()).abs() < 1e-6 && (north - corner.lat()).abs() < 1e-6);
}

#[test]
fn a_failure_keeps_what_is_known_and_success_replaces_it() {
    let (_dir, path) = place();
    write(
        &path,
        &[
            record("images", 1, stored(b"old")),
            record("images", 2, failed("x")),
        ],
    );
    write(
        &path,
        &[
            record("images", 1, failed("gone")),
            record("images", 2, stored(b"new")),
        ],
    );
    let held = contents(&open(&path));
    assert_eq!(held[0].2, b"old");
    assert_eq!(held[1].2, b"new");
    write(
        &path,
        &[
            record("images", 1, EMPTY),
            record("images", 2, Outcome::Unchanged),
        ],
    );
    let store = open(&path);
    assert_eq!(contents(&store).len(), 1);
    assert_eq!(store.ledger().unwrap().empty.len(), 1);
    let writer = StoreWriter::open(&path, &ABOUT).unwrap();
    let known = writer.known("images", &[0, 1, 2, 3].map(tile)).unwrap();
    assert_eq!(known[&tile(2)].etag.as_deref(), Some("\"v1\""));
    assert_eq!(known[&tile(1)].state, TileState::Empty);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_ledger_tells_of_exactly_the_tiles_asked_for(
        known in prop::collection::btree_set((0..3_u32, 0..6_u32), 0..12),
        asked in prop::collection::vec((0..3_u32, 0..6_u32), 0..8),
    ) {
        let at = |(x, y)| TileId::new(14, 9326 + x, 4742 + y).unwrap();
        let (_dir, path) = place();
        let mut writer = StoreWriter::open(&path, &ABOUT).unwrap();
        for tileset in TILESETS {
            let record = |place: &_| Record { tileset, id: at(*place), ..record(tileset, 0, EMPTY) };
            let records: Vec<_> = known.iter().map(record).collect();
            writer.commit(&records).unwrap();
        }
        let expected: BTreeSet<_> = asked.iter().filter(|place| known.contains(place)).map(|place| at(*place)).collect();
        let asked: Vec<_> = asked.into_iter().map(at).collect();
        let told = writer.known("images", &asked).unwrap();
        prop_assert!(told.keys().eq(&expected), "{told:?}");
        prop_assert_eq!(writer.known("points", &asked).unwrap().len(), 0);
    }
}

#[test]
fn requests_of_a_day_are_counted_up_to_a_limit() {
    let (_dir, path) = place();
    let mut writer = StoreWriter::open(&path, &ABOUT).unwrap();
    assert_eq!(writer.take_requests(1, 30, 50).unwrap(), 30);
    drop(writer);
    let mut writer = StoreWriter::open(&path, &ABOUT).unwrap();
    assert_eq!(writer.take_requests(1, 30, 50).unwrap(), 20);
    assert_eq!(writer.take_requests(1, 30, 50).unwrap(), 0);
    writer.give_back_requests(1, 5).unwrap();
    assert_eq!(writer.take_requests(1, 30, 50).unwrap(), 5);
    assert_eq!(writer.take_requests(2, 30, 50).unwrap(), 30);
    assert_eq!(writer.requests_on(1).unwrap(), 50);
}

#[test]
fn a_second_writer_is_told_of_the_first() {
    let (_dir, path) = place();
    let _first = StoreWriter::open(&path, &ABOUT).unwrap();
    let error = StoreWriter::open(&path, &ABOUT).unwrap_err();
    assert!(matches!(error, Error::Held { .. }) && error.is_retryable());
    assert!(
        error.to_string().contains(&std::process::id().to_string()),
        "{error}"
    );
}

#[test]
fn files_that_were_not_fetched_stay_as_they_are() {
    let (_dir, path) = place();
    for content in [&b"notes"[..], b"SQLite format 3\0 and more"] {
        fs::write(&path, content).unwrap();
        assert!(StoreWriter::open(&path, &ABOUT).is_err());
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[test]
fn what_a_writer_left_that_was_killed_at_its_beginning_is_cleared_away() {
    let (dir, path) = place();
    fs::write(dir.path().join(".town.mbtiles.part"), "half a store").unwrap();
    drop(StoreWriter::open(&path, &ABOUT).unwrap());
    let names = fs::read_dir(dir.path()).unwrap();
    let hidden = names.filter(|name| {
        let name = name.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with('.')
    });
    assert_eq!(hidden.count(), 0);
    assert!(Mbtiles::open(&path).unwrap().tiles().is_empty());
}

#[test]
fn the_journal_of_a_store_that_was_removed_is_not_read() {
    let (_dir, path) = place();
    let mut writer = StoreWriter::open(&path, &ABOUT).unwrap();
    let old = record("images", 0, stored(b"old"));
    writer.commit(&[old]).unwrap();
    let journal = fs::read(beside(&path, "-wal")).unwrap();
    drop(writer);
    fs::remove_file(&path).unwrap();
    fs::write(beside(&path, "-wal"), journal).unwrap();
    drop(StoreWriter::open(&path, &ABOUT).unwrap());
    assert_eq!(contents(&open(&path)).len(), 0);
}

#[test]
fn a_reader_sees_whole_batches_while_a_writer_works() {
    let (_dir, path) = place();
    let mut writer = StoreWriter::open(&path, &ABOUT).unwrap();
    for batch in 0..20 {
        let records: Vec<_> = (0..5)
            .map(|n| record("images", batch * 5 + n, stored(&[7; 3000])))
            .collect();
        writer.commit(&records).unwrap();
        assert_eq!(open(&path).tiles().len() as u32, (batch + 1) * 5);
    }
}

/// Every state that a crash can leave while tiles are appended: the journal cut at every frame,
/// and in the middle of every frame.
#[test]
fn a_journal_cut_anywhere_leaves_whole_batches() {
    let (dir, path) = place();
    let mut writer = StoreWriter::open(&path, &ABOUT).unwrap();
    let mut batches = vec![Vec::new()];
    for batch in 0..6 {
        let bytes = vec![batch as u8; 2000 + 1500 * batch as usize];
        let records = [0, 1, 2].map(|n| record("images", batch * 3 + n, stored(&bytes)));
        writer.commit(&records).unwrap();
        batches.push(contents(&open(&path)));
    }
    let whole = fs::read(&path).unwrap();
    let journal = fs::read(beside(&path, "-wal")).unwrap();
    let (header, frame) = (32, 24 + 4096);
    let mut seen = vec![false; batches.len()];
    for cut in (0..=journal.len()).filter(|cut| (cut.max(&header) - header) % frame % 2060 == 0) {
        let crashed = dir.path().join("crashed.mbtiles");
        fs::write(&crashed, &whole).unwrap();
        fs::write(beside(&crashed, "-wal"), &journal[..cut]).unwrap();
        let _ = fs::remove_file(beside(&crashed, "-shm"));
        // Opening to write recovers; so it is what the next run sees.
        let writer = StoreWriter::open(&crashed, &ABOUT).unwrap();
        drop(writer);
        let held = contents(&open(&crashed));
        let batch = batches.iter().position(|batch| *batch == held);
        seen[batch.expect("a whole number of batches")] = true;
        assert!(verify(&crashed).unwrap().unwrap().is_clean());
    }
    assert!(seen.iter().all(|&seen| seen), "{seen:?}");
}

/// Every state that a crash can leave while the journal is moved into the archive: any number of
/// pages moved, the journal still there.
#[test]
fn an_archive_half_updated_from_its_journal_is_whole() {
    let (dir, path) = place();
    let mut writer = StoreWriter::open(&path, &ABOUT).unwrap();
    let records: Vec<_> = (0..12)
        .map(|n| record("images", n, stored(&vec![n as u8; 3000])))
        .collect();
    writer.commit(&records).unwrap();
    let expected = contents(&open(&path));
    let before = fs::read(&path).unwrap();
    let journal = fs::read(beside(&path, "-wal")).unwrap();
    writer.close().unwrap();
    let after = fs::read(&path).unwrap();
    for moved in (0..=after.len()).step_by(2048) {
        let crashed = dir.path().join("crashed.mbtiles");
        let mut bytes = after[..moved].to_vec();
        bytes.extend_from_slice(before.get(moved..).unwrap_or_default());
        fs::write(&crashed, &bytes).unwrap();
        fs::write(beside(&crashed, "-wal"), &journal).unwrap();
        let _ = fs::remove_file(beside(&crashed, "-shm"));
        drop(StoreWriter::open(&crashed, &ABOUT).unwrap());
        assert_eq!(contents(&open(&crashed)), expected, "{moved}");
    }
}

#[test]
fn every_flipped_bit_of_a_tile_is_found_and_named() {
    let (_dir, path) = place();
    let bytes: Vec<u8> = (0..6000_u32).map(|n| ((n * 7) >> 3) as u8).collect();
    let tiles = [0, 1, 2].map(|x| {
        let mut bytes = bytes[..80].to_vec();
        bytes[0] = x as u8;
        (x, bytes)
    });
    let records = tiles
        .clone()
        .map(|(x, bytes)| record("images", x, stored(&bytes)));
    write(&path, &records);
    let whole = fs::read(&path).unwrap();
    assert!(verify(&path).unwrap().unwrap().is_clean());
    for (x, bytes) in tiles {
        let at = position(&whole, &bytes);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = whole.clone();
            flipped[at + bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &flipped).unwrap();
            let found = verify(&path).unwrap().unwrap();
            let ids: Vec<_> = found.damaged.iter().map(|damaged| damaged.id).collect();
            assert_eq!(ids, [tile(x)], "bit {bit}");
        }
    }
}

/// Every bit of a whole archive: either verifying tells of it, or it changes nothing that is known
/// of any tile.
#[test]
fn no_flipped_bit_changes_what_is_held_unnoticed() {
    let (dir, path) = place();
    let records = [
        record("images", 0, stored(b"nil")),
        record("images", 1, stored(b"one")),
        record("images", 2, EMPTY),
        record("signs", 3, stored(b"sign")),
        record("signs", 5, failed("404")),
    ];
    write(&path, &records);
    shrink(&path);
    let whole = fs::read(&path).unwrap();
    let expected = known(&path).unwrap();
    let next = AtomicUsize::new(0);
    let found = AtomicUsize::new(0);
    let work = |worker: usize| {
        let flipped_path = dir.path().join(format!("flipped-{worker}.mbtiles"));
        loop {
            let bit = next.fetch_add(1, Relaxed);
            let mut flipped = whole.clone();
            let Some(byte) = flipped.get_mut(bit / 8) else {
                return;
            };
            *byte ^= 1 << (bit % 8);
            fs::write(&flipped_path, &flipped).unwrap();
            if matches!(verify(&flipped_path), Ok(Some(found)) if found.is_clean()) {
                assert_eq!(known(&flipped_path).unwrap(), expected, "bit {bit}");
            } else {
                let _ = known(&flipped_path);
                found.fetch_add(1, Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let work = &work;
            scope.spawn(move || work(worker));
        }
    });
    assert!(
        found.into_inner() > 8 * 100,
        "most of what is in use is checked"
    );
}

/// Stores an archive in the smallest pages that there are.
fn shrink(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection
        .execute_batch("PRAGMA page_size = 512; VACUUM;")
        .unwrap();
}

type Tile = (Option<&'static str>, TileId);

/// Tiles with their bytes, empty ones, and those that failed.
type Everything = (Vec<(Tile, Vec<u8>)>, Vec<Tile>, Vec<Tile>);

/// Reads what is known of tiles.
fn known(path: &Path) -> Result<Everything, Error> {
    let store = Mbtiles::open_with_ledger(path, TILESETS)?;
    let tile = |tile: &StoredTile| (tile.tileset, tile.id);
    let mut held = Vec::new();
    for (index, stored) in store.tiles().iter().enumerate() {
        let mut bytes = Vec::new();
        store.read(index, &mut bytes)?;
        held.push((tile(stored), bytes));
    }
    let Some(ledger) = store.ledger() else {
        return Ok((held, Vec::new(), Vec::new()));
    };
    let failed = ledger.failed.iter().map(|(failed, _)| tile(failed));
    Ok((
        held,
        ledger.empty.iter().map(tile).collect(),
        failed.collect(),
    ))
}

#[test]
fn forgotten_tiles_are_not_known() {
    let (_dir, path) = place();
    write(
        &path,
        &[
            record("images", 0, stored(b"nil")),
            record("images", 1, stored(b"one")),
        ],
    );
    let mut writer = StoreWriter::open(&path, &ABOUT).unwrap();
    writer
        .forget(&[("images", tile(0)), ("signs", tile(1))])
        .unwrap();
    assert_eq!(writer.known("images", &[0, 1].map(tile)).unwrap().len(), 1);
    writer.close().unwrap();
    assert_eq!(
        contents(&open(&path)),
        [(Some("images"), 1, b"one".to_vec())]
    );
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(end);
    beside.into()
}

fn position(whole: &[u8], part: &[u8]) -> usize {
    let mut windows = whole.windows(part.len());
    windows.position(|window| window == part).unwrap()
}

#[test]
fn some_tiles_are_read_as_if_there_were_no_others() {
    let (_dir, path) = place();
    assert!(Mbtiles::open_some(&path, &[]).unwrap().is_none());
    let mut records = vec![
        record("images", 0, stored(b"a")),
        record("images", 1, EMPTY),
        record("images", 2, failed("no answer")),
        record("images", 3, stored(b"d")),
        record("signs", 0, stored(b"sign")),
    ];
    write(&path, &records);
    let wanted = |tileset, x| StoredTile {
        tileset: Some(tileset),
        id: tile(x),
    };
    let wanted = [3, 2, 1, 4].map(|x| wanted("images", x));
    let some = Mbtiles::open_some(&path, &wanted).unwrap().unwrap();
    records.retain(|record| record.tileset == "images" && record.id != tile(0));
    let (_dir, path) = place();
    write(&path, &records);
    let all = open(&path);
    assert_eq!(some.tiles(), all.tiles());
    assert_eq!(some.ledger(), all.ledger());
    assert_eq!(contents(&some), contents(&all));
    assert_eq!(contents(&some), [(Some("images"), 3, b"d".to_vec())]);
}

#[test]
fn some_tiles_of_what_was_not_fetched_are_refused() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    for other in ["town.mbtiles", "README.md"] {
        let opened = Mbtiles::open_some(&fixtures.join(other), &[]);
        assert!(matches!(opened, Err(Error::NoLedger { .. })), "{opened:?}");
    }
}
