//! Archives of tiles.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, params};
use tilesight_store::{PackOptions, Pmtiles, TileStore, open, pack, verify};
use tilesight_tile::TileId;

use crate::input::{in_file, temporary_file, text, within};

/// Most bytes that an archive of any size may take: its list of tiles, and its directories.
const FREE_BYTES: usize = 128 << 20;

const TILESETS: [&str; 2] = ["mly1_public", "mly_map_feature_point"];

/// Tiles that are read of an archive.
const TILES_READ: usize = 64;

/// A file that begins as SQLite does is an archive, whose tiles come in order, or an error.
pub(crate) fn mbtiles(bytes: &[u8]) {
    in_file(bytes, |path| {
        if let Ok(store) = within(FREE_BYTES, || open(path, &TILESETS)) {
            read_all(store.as_ref());
            let _ = store.additions();
        }
        let _ = verify(path);
    });
}

fn read_all(store: &dyn TileStore) -> Vec<Option<Vec<u8>>> {
    let tiles = store.tiles();
    assert!(tiles.is_sorted_by(|a, b| a < b), "each tile once, in order");
    let read = |index| {
        let mut bytes = b"old".to_vec();
        store.read(index, &mut bytes).ok().map(|()| bytes)
    };
    (0..tiles.len().min(TILES_READ)).map(read).collect()
}

/// An archive that is accepted is packed again into one of the same tiles.
pub(crate) fn pmtiles(bytes: &[u8]) {
    let read = |path: &Path| within(FREE_BYTES, || Pmtiles::open(path));
    in_file(bytes, |path| {
        let Ok(store) = read(path) else {
            return;
        };
        let contents = read_all(&store);
        if store.tiles().len() > contents.len() || contents.contains(&None) {
            return;
        }
        let mut file = temporary_file();
        if pack(&store, &PackOptions::default(), file.as_file_mut()).is_ok() {
            let again = read(file.path()).unwrap();
            assert_eq!(again.tiles().len(), read_all(&again).len());
            assert!(
                again
                    .tiles()
                    .iter()
                    .all(|tile| store.tiles().contains(tile))
            );
        }
    });
}

/// The tables of an archive, without types, so that anything may stand in them.
const SCHEMA: &str = "
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    BEGIN;
    CREATE TABLE metadata (name, value);
    CREATE TABLE tiles (zoom_level, tile_column, tile_row, tile_data);";

/// The tables of a ledger.
const LEDGER: &str = "
    CREATE TABLE tilesight_ledger (id INTEGER PRIMARY KEY, tileset, zoom_level, tile_column,
        tile_row, state, reason, hash, length, fetched_at, etag, tries);
    CREATE TABLE tilesight_data (id INTEGER PRIMARY KEY, tile_data);
    CREATE TABLE tilesight_additions (number INTEGER PRIMARY KEY, key, content);";

/// Rows of any values: the archive lists what can be tiles, each as it was stored, or refuses all.
///
/// A line of text is a row: the letter of its table and the values, between tabs.
pub(crate) fn mbtiles_rows(bytes: &[u8]) {
    let Some(text) = text(bytes) else {
        return;
    };
    let rows: Vec<Vec<&str>> = text
        .lines()
        .take(200)
        .map(|line| line.split('\t').collect())
        .collect();
    let file = temporary_file();
    let has_ledger = rows.iter().any(|row| matches!(row[0], "l" | "d" | "a"));
    if write(file.path(), &rows, has_ledger).is_err() {
        return;
    }
    let opened = open(file.path(), &TILESETS);
    let _ = verify(file.path());
    if let Ok(store) = &opened {
        let contents = read_all(store.as_ref());
        let _ = store.additions();
        if !has_ledger {
            let ids = store.tiles().iter().map(|tile| tile.id);
            let listed: BTreeMap<_, _> = ids.zip(contents).collect();
            let expected = expected_tiles(&rows).unwrap();
            assert!(expected.into_iter().take(TILES_READ).eq(listed));
        }
    } else if !has_ledger && rows.iter().all(|row| row[0] != "m") {
        assert_eq!(expected_tiles(&rows), None);
    }
}

fn write(path: &Path, rows: &[Vec<&str>], has_ledger: bool) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.execute_batch(SCHEMA)?;
    if has_ledger {
        connection.execute_batch(LEDGER)?;
    }
    for row in rows {
        let at = |index: usize| row.get(index).map_or(Value::Null, |word| value(word));
        let outcome = match row[0] {
            "m" => connection.execute("INSERT INTO metadata VALUES (?1, ?2)", params![at(1), at(2)]),
            "l" => connection.execute(
                "INSERT INTO tilesight_ledger VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                rusqlite::params_from_iter((1..=12).map(at)),
            ),
            "d" => connection.execute("INSERT INTO tilesight_data VALUES (?1, ?2)", params![at(1), at(2)]),
            "a" => connection.execute(
                "INSERT INTO tilesight_additions VALUES (?1, ?2, ?3)",
                params![at(1), at(2), at(3)],
            ),
            _ => connection.execute(
                "INSERT INTO tiles VALUES (?1, ?2, ?3, ?4)",
                params![at(1), at(2), at(3), at(4)],
            ),
        };
        outcome?;
    }
    connection.execute_batch("COMMIT")
}

/// An integer, a real number, a blob behind a `#`, nothing at all, or a text.
fn value(word: &str) -> Value {
    match word.strip_prefix('#') {
        Some(blob) => Value::Blob(blob.into()),
        None if word == "NULL" => Value::Null,
        None => {
            let real = || word.parse().map(Value::Real).ok();
            let integer = word.parse().map(Value::Integer).ok();
            integer
                .or_else(real)
                .unwrap_or_else(|| Value::Text(word.to_owned()))
        }
    }
}

/// What `tiles` list, with the bytes of those that have some; none where a row is no tile, or two
/// are the same one.
fn expected_tiles(rows: &[Vec<&str>]) -> Option<BTreeMap<TileId, Option<Vec<u8>>>> {
    let mut tiles = BTreeMap::new();
    for row in rows.iter().filter(|row| row[0] != "m") {
        let at = |index: usize| row.get(index).map_or(Value::Null, |word| value(word));
        let (Value::Integer(z), Value::Integer(x), Value::Integer(south)) = (at(1), at(2), at(3))
        else {
            return None;
        };
        let z = u8::try_from(z).ok().filter(|&z| z <= TileId::MAX_ZOOM)?;
        let y = ((1_i64 << z) - 1).checked_sub(south)?;
        let id = TileId::new(z, x.try_into().ok()?, y.try_into().ok()?).ok()?;
        let bytes = match at(4) {
            Value::Blob(bytes) => Some(bytes),
            Value::Null => Some(Vec::new()),
            _ => None,
        };
        if tiles.insert(id, bytes).is_some() {
            return None;
        }
    }
    Some(tiles)
}
