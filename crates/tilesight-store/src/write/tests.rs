use tempfile::TempDir;

use super::TileState::{Empty, Failed, Quarantined, Stored};
use super::*;
use crate::{Mbtiles, TileStore, verify};

const ABOUT: About<'_> = About {
    tileset: "images",
    metadata: &[],
};

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("town.mbtiles");
    (dir, path)
}

fn tile(x: u32) -> TileId {
    TileId::new(14, 9326 + x, 4742).unwrap()
}

fn record(x: u32, outcome: Outcome) -> Record {
    Record {
        tileset: "images",
        id: tile(x),
        outcome,
        fetched_at_ms: 1_700_000_000_000 + i64::from(x),
        tries: 1,
    }
}

fn stored(x: u32, bytes: &[u8]) -> Record {
    let outcome = Outcome::Stored {
        bytes: bytes.to_vec(),
        etag: Some("v1".into()),
    };
    record(x, outcome)
}

fn empty(x: u32) -> Record {
    let outcome = Outcome::Empty {
        reason: None,
        etag: None,
    };
    record(x, outcome)
}

fn failed(x: u32) -> Record {
    let reason = "no answer".into();
    record(x, Outcome::Failed { reason })
}

/// A store of two tiles, one that is empty, and one that failed.
fn town(path: &Path) -> StoreWriter {
    let mut writer = StoreWriter::open(path, &ABOUT).unwrap();
    let records = [
        stored(0, b"nil"),
        stored(1, b"eleven byte"),
        empty(2),
        failed(3),
    ];
    writer.commit(&records).unwrap();
    writer
}

/// An SQLite database that is not empty and has no table.
fn blank(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "application_id", 1).unwrap();
    connection.close().unwrap();
    assert!(!is_missing_or_empty(path));
}

#[test]
fn a_tile_is_read_while_its_store_is_written() {
    let (_dir, path) = place();
    let writer = town(&path);
    let read = |tileset, x| writer.tile(tileset, tile(x)).unwrap();
    assert_eq!(read("images", 1).as_deref(), Some(&b"eleven byte"[..]));
    let without = [("images", 2), ("images", 3), ("images", 9), ("signs", 0)];
    assert!(
        without
            .iter()
            .all(|&(tileset, x)| read(tileset, x).is_none())
    );
}

#[test]
fn the_mean_length_is_that_of_the_tiles_held() {
    let (_dir, path) = place();
    let mean = Some((3.0 + 11.0) / 3.0);
    let writer = town(&path);
    assert_eq!(writer.mean_length("images").unwrap(), mean);
    assert_eq!(writer.mean_length("signs").unwrap(), None);
    writer.close().unwrap();
    let known = KnownTiles::open(&path).unwrap().unwrap();
    assert_eq!(known.mean_length("images").unwrap(), mean);
    assert_eq!(known.mean_length("signs").unwrap(), None);
}

#[test]
fn what_is_known_is_the_same_without_writing() {
    let (_dir, path) = place();
    assert!(KnownTiles::open(&path).unwrap().is_none());
    let writer = town(&path);
    let asked: Vec<TileId> = (0..5).map(tile).collect();
    let expected = writer.known("images", &asked).unwrap();
    let states: Vec<TileState> = expected.values().map(|known| known.state).collect();
    assert_eq!(states, [Stored, Stored, Empty, Failed]);
    assert_eq!(expected[&tile(1)].etag.as_deref(), Some("v1"));
    assert_eq!(expected[&tile(1)].fetched_at_ms, 1_700_000_000_001);
    writer.close().unwrap();
    let known = KnownTiles::open(&path).unwrap().unwrap();
    assert_eq!(known.of("images", &asked).unwrap(), expected);
    assert!(known.of("signs", &asked).unwrap().is_empty());
}

#[test]
fn nothing_is_known_of_what_was_not_fetched() {
    let (_dir, path) = place();
    blank(&path);
    assert!(KnownTiles::open(&path).unwrap().is_none());
    fs::write(&path, "notes").unwrap();
    let refused = KnownTiles::open(&path);
    assert!(
        matches!(refused, Err(Error::NoLedger { .. })),
        "{refused:?}"
    );
}

/// As a writer leaves it that was killed at its very beginning.
#[test]
fn an_archive_without_tables_becomes_a_store() {
    let (_dir, path) = place();
    blank(&path);
    assert!(Mbtiles::open_some(&path, &[]).unwrap().is_none());
    town(&path).close().unwrap();
    let store = Mbtiles::open_with_ledger(&path, &["images"]).unwrap();
    assert_eq!(store.tiles().len(), 2);
    assert!(verify(&path).unwrap().unwrap().is_clean());
}

#[test]
fn a_store_of_a_later_version_stays_as_it_is() {
    let (_dir, path) = place();
    town(&path).close().unwrap();
    let connection = Connection::open(&path).unwrap();
    let later = ledger::VERSION + 1;
    connection
        .pragma_update(None, "user_version", later)
        .unwrap();
    connection.close().unwrap();
    let before = fs::read(&path).unwrap();
    let message = StoreWriter::open(&path, &ABOUT).unwrap_err().to_string();
    assert!(message.contains("later version"), "{message}");
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn what_was_no_tile_is_known_as_that_with_its_reason() {
    let (_dir, path) = place();
    let mut writer = StoreWriter::open(&path, &ABOUT).unwrap();
    let reason = "not a vector tile".to_owned();
    let outcome = Outcome::Quarantined {
        reason: reason.clone(),
    };
    writer.commit(&[record(0, outcome)]).unwrap();
    let known = writer.known("images", &[tile(0)]).unwrap();
    assert_eq!(known[&tile(0)].state, TileState::Quarantined);
    writer.close().unwrap();
    let store = Mbtiles::open_with_ledger(&path, &["images"]).unwrap();
    assert!(store.tiles().is_empty());
    assert_eq!(store.ledger().unwrap().failed[0].1, reason);
}

#[test]
fn a_line_of_no_known_state_is_as_good_as_none() {
    let (_dir, path) = place();
    let writer = town(&path);
    let lose = "PRAGMA ignore_check_constraints = ON; \
                UPDATE tilesight_ledger SET state = 'lost' WHERE tile_column = 9326";
    writer.connection.execute_batch(lose).unwrap();
    let known = writer.known("images", &[tile(0), tile(1)]).unwrap();
    assert_eq!(known.into_keys().collect::<Vec<_>>(), [tile(1)]);
}

#[test]
fn what_is_shown_of_a_store_is_its_path() {
    let (_dir, path) = place();
    let writer = town(&path);
    let known = KnownTiles::open(&path).unwrap().unwrap();
    for (shown, name) in [
        (format!("{writer:?}"), "StoreWriter"),
        (format!("{known:?}"), "KnownTiles"),
    ] {
        assert!(
            shown.starts_with(name) && shown.contains("town.mbtiles"),
            "{shown}"
        );
    }
}

#[test]
fn only_what_is_known_to_be_there_or_empty_is_held() {
    let held = [Stored, Empty, Failed, Quarantined].map(TileState::is_held);
    assert_eq!(held, [true, true, false, false]);
}
