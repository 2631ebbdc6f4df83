//! MBTiles archives: tiles in an SQLite database.
//!
//! MBTiles 1.3, <https://github.com/mapbox/mbtiles-spec/blob/master/1.3/spec.md>.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row, params};
use tilesight_tile::{Bbox, TileId};

use crate::additions;
use crate::ledger::{self, Ledger, Line, LineError, TileState};
use crate::{Error, Metadata, StoredTile, TileStore};

/// First bytes of every SQLite database.
pub(crate) const MAGIC: &[u8] = b"SQLite format 3\0";

/// How many steps of SQLite's machine pass between two looks at the allowance.
const STEPS_A_LOOK: i32 = 1_000_000;

/// Steps that the long statements of a connection may take; a list of a million tiles takes about
/// ten million.
const FREE_STEPS: u64 = 200_000_000;

/// Steps that they may take besides for each byte of the archive.
const STEPS_A_BYTE: u64 = 16;

/// Fewest bytes that a row of the list of tiles takes, wherever it is stored.
const MIN_ROW_BYTES: u64 = 8;

/// Smallest length to which values are limited; column definitions must fit too.
const MIN_VALUE_LIMIT: u64 = 1 << 20;

/// An MBTiles archive, opened to be read only and leaving no files beside it.
///
/// `tiles` may be a table, indexed or not, or a view over others. Of a store that was fetched the
/// [`Ledger`] is read instead.
pub struct Mbtiles {
    path: PathBuf,
    size: u64,
    tiles: Vec<StoredTile>,
    /// Row of each tile, where `tiles` is a table that numbers its rows.
    row_ids: Option<Vec<i64>>,
    metadata: Metadata,
    ledger: Option<Ledger>,
    /// Connections that no thread uses at the moment.
    idle: Mutex<Vec<Connection>>,
}

impl Mbtiles {
    /// Opens an archive and lists its tiles; rows, which count from the south there, are turned.
    ///
    /// # Errors
    ///
    /// [`Error::Sqlite`] when the database is damaged, locked, or has no `tiles`,
    /// [`Error::NotVector`] when it declares another format, [`Error::Address`],
    /// [`Error::Twice`] or [`Error::TooManyTiles`] when its list of tiles cannot be one.
    ///
    /// # Cost
    ///
    /// One pass over the list of tiles.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with_ledger(path, &[])
    }

    /// Opens an archive as [`open`](Self::open) does and, where it was fetched, reads what its
    /// ledger says of these tilesets; its tiles of others are left out.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with_ledger(path: &Path, tilesets: &[&'static str]) -> Result<Self, Error> {
        let size = file_size(path)?;
        let connection = connect(path, size)?;
        let has_ledger = ledger::is_in(&connection).map_err(Error::sqlite(path))?;
        let listed = if has_ledger && !tilesets.is_empty() {
            list_ledger(&connection, path, size, tilesets)?
        } else {
            list(&connection, path, size)?
        };
        Self::new(path, size, connection, listed)
    }

    /// Opens a fetched store for some of its tiles, each named once with its tileset: all others
    /// might as well not be there. None where nothing was written yet.
    ///
    /// # Errors
    ///
    /// [`Error::NoLedger`] when it was not fetched, otherwise as [`open`](Self::open).
    ///
    /// # Cost
    ///
    /// A look into an index for each of these tiles, however many others the store holds.
    pub fn open_some(path: &Path, tiles: &[StoredTile]) -> Result<Option<Self>, Error> {
        if fs::metadata(path).map_or(true, |metadata| metadata.len() == 0) {
            return Ok(None);
        }
        let no_ledger = || Error::NoLedger {
            path: path.to_owned(),
        };
        if !crate::starts_with(path, MAGIC)? {
            return Err(no_ledger());
        }
        let size = file_size(path)?;
        let connection = connect(path, size)?;
        if ledger::is_in(&connection).map_err(Error::sqlite(path))? {
            let listed = list_some(&connection, path, tiles)?;
            return Self::new(path, size, connection, listed).map(Some);
        }
        let is_blank = is_blank(&connection).map_err(Error::sqlite(path))?;
        is_blank.then_some(None).ok_or_else(no_ledger)
    }

    fn new(path: &Path, size: u64, connection: Connection, listed: Listed) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            size,
            tiles: listed.tiles,
            row_ids: listed.row_ids,
            metadata: read_metadata(&connection, path)?,
            ledger: listed.ledger,
            idle: Mutex::new(vec![connection]),
        })
    }

    /// An idle connection, or a new one.
    fn connection(&self) -> Result<Connection, Error> {
        let idle = self.idle().pop();
        idle.map_or_else(|| connect(&self.path, self.size), Ok)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        // A list of connections has no state in between that a panic could leave behind.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TileStore for Mbtiles {
    fn tiles(&self) -> &[StoredTile] {
        &self.tiles
    }

    fn read(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), Error> {
        bytes.clear();
        let connection = self.connection()?;
        let row_id = self.row_ids.as_ref().map(|row_ids| row_ids[index]);
        let table = match self.ledger {
            Some(_) => "tilesight_data",
            None => "tiles",
        };
        let outcome = read_tile(&connection, table, self.tiles[index].id, row_id, bytes)
            .map_err(Error::sqlite(&self.path));
        self.idle().push(connection);
        outcome
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_ref()
    }

    fn additions(&self) -> Result<Vec<String>, Error> {
        if self.ledger.is_none() {
            return Ok(Vec::new());
        }
        let connection = self.connection()?;
        let outcome = additions::list(&connection).map_err(Error::sqlite(&self.path));
        self.idle().push(connection);
        outcome
    }
}

impl fmt::Debug for Mbtiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mbtiles")
            .field("path", &self.path)
            .field("tiles", &self.tiles.len())
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

/// Opens a connection to read an archive.
pub(crate) fn connect_to_read(path: &Path) -> Result<Connection, Error> {
    connect(path, file_size(path)?)
}

/// Whether a file is an archive with a ledger, or one that nothing was written to yet.
pub(crate) fn is_fetched_or_blank(path: &Path) -> Result<bool, Error> {
    if !crate::starts_with(path, MAGIC)? {
        return Ok(false);
    }
    let examine = |connection: &Connection| Ok(ledger::is_in(connection)? || is_blank(connection)?);
    examine(&connect_to_read(path)?).map_err(Error::sqlite(path))
}

fn is_blank(connection: &Connection) -> rusqlite::Result<bool> {
    let tables = connection.prepare("SELECT 1 FROM sqlite_master");
    Ok(!tables?.exists([])?)
}

/// The path of a file that belongs to an archive, beside it and named after it.
pub(crate) fn beside(archive: &Path, end: &str) -> PathBuf {
    let mut path = archive.as_os_str().to_owned();
    path.push(end);
    path.into()
}

/// Size of an archive with what a journal beside it may add.
fn file_size(path: &Path) -> Result<u64, Error> {
    let size = fs::metadata(path).map_err(Error::io(path))?.len();
    let journal_size = fs::metadata(beside(path, "-wal")).map_or(0, |metadata| metadata.len());
    Ok(size.saturating_add(journal_size))
}

/// Opens a connection on which no statement can run or allocate out of proportion to the
/// archive: a view may compute anything.
fn connect(path: &Path, size: u64) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let uri = uri(path)?;
    let open = || {
        let mut connection = Connection::open_with_flags(uri, flags)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        let value_limit = size.max(MIN_VALUE_LIMIT).min(i32::MAX as u64);
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, value_limit as i32)?;
        limit_steps(&mut connection, size)?;
        Ok(connection)
    };
    open().map_err(Error::sqlite(path))
}

/// Interrupts a statement that takes more steps than reading the whole archive could.
fn limit_steps(connection: &mut Connection, size: u64) -> rusqlite::Result<()> {
    let mut looks_left =
        FREE_STEPS.saturating_add(size.saturating_mul(STEPS_A_BYTE)) / STEPS_A_LOOK as u64;
    let interrupts = move || {
        looks_left = looks_left.saturating_sub(1);
        looks_left == 0
    };
    connection.progress_handler(STEPS_A_LOOK, Some(interrupts))
}

/// Names the archive for SQLite. It is immutable, so that nothing is locked and no file appears
/// beside it, unless a journal there holds a part of it.
fn uri(path: &Path) -> Result<String, Error> {
    let absolute = std::path::absolute(path).map_err(Error::io(path))?;
    let mut uri = String::from(if cfg!(windows) { "file:///" } else { "file://" });
    for &byte in absolute.as_os_str().as_encoded_bytes() {
        match byte {
            b'\\' if cfg!(windows) => uri.push('/'),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b':' => {
                uri.push(byte.into());
            }
            _ => uri.extend(format!("%{byte:02X}").chars()),
        }
    }
    let has_journal = ["-wal", "-journal"]
        .iter()
        .any(|end| is_filled(&absolute, end));
    uri.push_str(if has_journal {
        "?mode=ro"
    } else {
        "?immutable=1"
    });
    Ok(uri)
}

fn is_filled(archive: &Path, end: &str) -> bool {
    fs::metadata(beside(archive, end)).is_ok_and(|metadata| metadata.len() > 0)
}

/// Reads the `metadata` that describe tiles; all of it is optional here, since archives without
/// it are common.
fn read_metadata(connection: &Connection, path: &Path) -> Result<Metadata, Error> {
    let pairs = metadata_pairs(connection).map_err(Error::sqlite(path))?;
    let value = |name| {
        let mut values = pairs.iter().filter(|(key, _)| key == name);
        values.next().map(|(_, value)| value.trim())
    };
    if let Some(format) = value("format").filter(|&format| !is_vector(format)) {
        return Err(Error::NotVector {
            path: path.to_owned(),
            format: format.to_owned(),
        });
    }
    let text = |name| {
        value(name)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    Ok(Metadata {
        name: text("name"),
        attribution: text("attribution"),
        bounds: value("bounds").and_then(parse_bounds),
        min_zoom: value("minzoom").and_then(|zoom| zoom.parse().ok()),
        max_zoom: value("maxzoom").and_then(|zoom| zoom.parse().ok()),
        layers: value("json").map(vector_layers).unwrap_or_default(),
    })
}

fn metadata_pairs(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let exists = "SELECT 1 FROM sqlite_master WHERE name = 'metadata'";
    if !connection.prepare(exists)?.exists([])? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT name, value FROM metadata")?;
    let pairs = statement.query_map([], |row| Ok((text_of(row, 0)?, text_of(row, 1)?)))?;
    pairs.collect()
}

/// A value as text; writers store zooms as numbers too.
fn text_of(row: &Row, column: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Null | ValueRef::Blob(_) => String::new(),
    })
}

fn is_vector(format: &str) -> bool {
    matches!(
        format.to_ascii_lowercase().as_str(),
        "" | "pbf" | "mvt" | "application/vnd.mapbox-vector-tile" | "application/x-protobuf"
    )
}

/// West, south, east, north; what is no box bounds nothing.
fn parse_bounds(text: &str) -> Option<Bbox> {
    let mut edges = text.split(',').map(|edge| edge.trim().parse::<f64>().ok());
    let mut next = || edges.next()?;
    let (west, south, east, north) = (next()?, next()?, next()?, next()?);
    Bbox::from_degrees(west, south, east, north).ok()
}

fn vector_layers(json: &str) -> Vec<String> {
    serde_json::from_str(json).map_or_else(|_| Vec::new(), |json| crate::vector_layers(&json))
}

/// What an archive holds.
struct Listed {
    /// In their order.
    tiles: Vec<StoredTile>,
    /// The row of each, where rows are numbered: reading by it needs no index, which the
    /// specification leaves optional.
    row_ids: Option<Vec<i64>>,
    ledger: Option<Ledger>,
}

/// Lists what the ledger says of some tilesets.
fn list_ledger(
    connection: &Connection,
    path: &Path,
    size: u64,
    tilesets: &[&'static str],
) -> Result<Listed, Error> {
    let mut statement = connection
        .prepare(Line::SELECT)
        .map_err(Error::sqlite(path))?;
    let mut rows = statement.query([]).map_err(Error::sqlite(path))?;
    let mut list = LedgerList::default();
    let mut lines = 0;
    while let Some(row) = rows.next().map_err(Error::sqlite(path))? {
        lines += 1;
        check_count(lines, size, path)?;
        if let Some(line) = Line::read(row, tilesets).map_err(of_line(path))? {
            list.push(line);
        }
    }
    let listed = list.finish();
    // Ledgers of our making have each tile once; others may have no such rule.
    let row_ids = listed.row_ids.as_deref().unwrap_or_default();
    check_each_tile_once(&listed.tiles, row_ids, "tilesight_ledger", path)?;
    Ok(listed)
}

/// Lists what the ledger says of some tiles; nothing of those without a tileset.
fn list_some(connection: &Connection, path: &Path, tiles: &[StoredTile]) -> Result<Listed, Error> {
    let by_address = format!(
        "{} WHERE tileset = ?1 AND zoom_level = ?2 AND tile_column = ?3 AND tile_row = ?4",
        Line::SELECT
    );
    let mut statement = connection
        .prepare(&by_address)
        .map_err(Error::sqlite(path))?;
    let mut list = LedgerList::default();
    for &StoredTile { tileset, id } in tiles {
        let address = params![tileset, id.z(), id.x(), ledger::row_from_south(id)];
        let mut rows = statement.query(address).map_err(Error::sqlite(path))?;
        if let Some(row) = rows.next().map_err(Error::sqlite(path))?
            && let Some(line) = Line::read(row, tileset.as_slice()).map_err(of_line(path))?
        {
            list.push(line);
        }
    }
    Ok(list.finish())
}

fn of_line(path: &Path) -> impl Fn(LineError) -> Error {
    move |error| match error {
        LineError::Sqlite(source) => Error::sqlite(path)(source),
        LineError::Address(error) => error,
    }
}

/// Lines of a ledger as they come.
#[derive(Default)]
struct LedgerList {
    /// Each with its row and the time when it was fetched.
    stored: Vec<(StoredTile, i64, i64)>,
    ledger: Ledger,
}

impl LedgerList {
    fn push(&mut self, line: Line) {
        match line.state {
            Some(TileState::Stored) => {
                self.stored
                    .push((line.tile, line.row_id, line.fetched_at_ms));
            }
            Some(TileState::Empty) => self.ledger.empty.push(line.tile),
            _ => {
                let reason = line.reason.unwrap_or_default();
                self.ledger.failed.push((line.tile, reason));
            }
        }
    }

    fn finish(mut self) -> Listed {
        let stored = &mut self.stored;
        stored.sort_unstable();
        self.ledger.fetched_at_ms = stored.iter().map(|&(.., at_ms)| at_ms).collect();
        Listed {
            tiles: stored.iter().map(|&(tile, ..)| tile).collect(),
            row_ids: Some(stored.iter().map(|&(_, row_id, _)| row_id).collect()),
            ledger: Some(self.ledger),
        }
    }
}

/// Refuses a list that is longer than an archive of this size can have.
fn check_count(count: u64, size: u64, path: &Path) -> Result<(), Error> {
    if count > size / MIN_ROW_BYTES {
        return Err(Error::TooManyTiles {
            path: path.to_owned(),
        });
    }
    Ok(())
}

/// Lists the tiles of `tiles`.
fn list(connection: &Connection, path: &Path, size: u64) -> Result<Listed, Error> {
    let plain = "SELECT zoom_level, tile_column, tile_row, 0 FROM tiles";
    let numbered = "SELECT zoom_level, tile_column, tile_row, rowid FROM tiles";
    // A view, or a table without row ids, has no such column.
    let (mut statement, is_numbered) = match connection.prepare(numbered) {
        Ok(statement) => (statement, true),
        Err(_) => (
            connection.prepare(plain).map_err(Error::sqlite(path))?,
            false,
        ),
    };
    let mut rows = statement.query([]).map_err(Error::sqlite(path))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(Error::sqlite(path))? {
        check_count(found.len() as u64 + 1, size, path)?;
        let [z, x, row_from_south, row_id] = numbers(row).map_err(Error::sqlite(path))?;
        let id = tile_id(z, x, row_from_south)?;
        found.push((StoredTile { tileset: None, id }, row_id));
    }
    found.sort_unstable();
    let (tiles, row_ids): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    check_each_tile_once(&tiles, &row_ids, "tiles", path)?;
    Ok(Listed {
        tiles,
        row_ids: is_numbered.then_some(row_ids),
        ledger: None,
    })
}

fn numbers(row: &Row) -> rusqlite::Result<[i64; 4]> {
    Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
}

/// Turns an address of the Tile Map Service, whose rows count from the south.
pub(crate) fn tile_id(z: i64, x: i64, row_from_south: i64) -> Result<TileId, Error> {
    // What does not fit becomes an address that no tile has.
    let zoom = u8::try_from(z).unwrap_or(u8::MAX);
    let last_row = (1_i64 << zoom.min(TileId::MAX_ZOOM)) - 1;
    let number = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    let y = last_row.checked_sub(row_from_south).unwrap_or(-1);
    TileId::new(zoom, number(x), number(y)).map_err(|source| Error::Address {
        place: format!("the row {z}/{x}/{row_from_south} of `tiles`"),
        source,
    })
}

/// Refuses a list, in its order, that has a tile twice; `table` is where it was read.
fn check_each_tile_once(
    tiles: &[StoredTile],
    row_ids: &[i64],
    table: &str,
    path: &Path,
) -> Result<(), Error> {
    let Some(first) = tiles.windows(2).position(|pair| pair[0] == pair[1]) else {
        return Ok(());
    };
    let place = |i: usize| format!("row {} of `{table}` in {}", row_ids[i], path.display());
    Err(Error::Twice {
        tile: tiles[first].id,
        first: place(first),
        second: place(first + 1),
    })
}

fn read_tile(
    connection: &Connection,
    table: &str,
    id: TileId,
    row_id: Option<i64>,
    bytes: &mut Vec<u8>,
) -> rusqlite::Result<()> {
    let copy = |row: &Row| {
        // No data is an empty tile.
        bytes.extend_from_slice(row.get_ref(0)?.as_blob_or_null()?.unwrap_or_default());
        Ok(())
    };
    if let Some(row_id) = row_id {
        let by_row = format!("SELECT tile_data FROM {table} WHERE rowid = ?1");
        return connection.query_row(&by_row, [row_id], copy);
    }
    let by_address = "SELECT tile_data FROM tiles \
                      WHERE zoom_level = ?1 AND tile_column = ?2 AND tile_row = ?3";
    let row_from_south = (1_u32 << id.z()) - 1 - id.y();
    connection.query_row(by_address, [id.z().into(), id.x(), row_from_south], copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const TABLE: &str = "CREATE TABLE tiles (zoom_level integer, tile_column integer, \
                         tile_row integer, tile_data blob);";

    /// An archive made by SQL, in a folder whose name needs escaping.
    fn archive(sql: &str) -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("ä #1?%20");
        fs::create_dir(&folder).unwrap();
        let path = folder.join("town.mbtiles");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(sql).unwrap();
        (dir, path)
    }

    fn open(sql: &str) -> Result<Mbtiles, Error> {
        let (_dir, path) = archive(sql);
        Mbtiles::open(&path)
    }

    #[track_caller]
    fn check_town(sql: &str) {
        let (dir, path) = archive(sql);
        let store = Mbtiles::open(&path).unwrap();
        let ids: Vec<_> = store
            .tiles()
            .iter()
            .map(|tile| tile.id.to_string())
            .collect();
        assert_eq!(ids, ["6/36/18", "14/9326/4742"]);
        let mut bytes = b"old".to_vec();
        store.read(1, &mut bytes).unwrap();
        assert_eq!(bytes, b"one");
        store.read(0, &mut bytes).unwrap();
        assert_eq!(bytes, b"");
        let beside: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(beside.len(), 1, "no other file in {dir:?}");
    }

    #[test]
    fn a_table_is_read_and_its_rows_are_turned() {
        check_town(&format!(
            "{TABLE} INSERT INTO tiles VALUES (14, 9326, 11641, x'6f6e65'), (6, 36, 45, NULL);"
        ));
    }

    #[test]
    fn a_view_over_map_and_images_is_read() {
        check_town(
            "CREATE TABLE map (zoom_level, tile_column, tile_row, tile_id text);
             CREATE TABLE images (tile_id text, tile_data blob);
             CREATE VIEW tiles AS SELECT map.zoom_level AS zoom_level,
               map.tile_column AS tile_column, map.tile_row AS tile_row,
               images.tile_data AS tile_data
               FROM map JOIN images ON images.tile_id = map.tile_id;
             INSERT INTO map VALUES (14, 9326, 11641, 'a'), (6, 36, 45, 'b');
             INSERT INTO images VALUES ('a', x'6f6e65'), ('b', x'');",
        );
    }

    #[test]
    fn a_table_without_row_ids_is_read() {
        check_town(
            "CREATE TABLE tiles (zoom_level integer, tile_column integer, tile_row integer, \
             tile_data blob, PRIMARY KEY (zoom_level, tile_column, tile_row)) WITHOUT ROWID;
             INSERT INTO tiles VALUES (14, 9326, 11641, x'6f6e65'), (6, 36, 45, x'');",
        );
    }

    #[test]
    fn an_archive_with_a_journal_beside_it_is_read_with_it() {
        let (_dir, path) = archive(&format!("PRAGMA journal_mode = WAL; {TABLE}"));
        let writer = Connection::open(&path).unwrap();
        writer
            .execute("INSERT INTO tiles VALUES (0, 0, 0, x'')", [])
            .unwrap();
        assert!(is_filled(&path, "-wal"));
        assert_eq!(Mbtiles::open(&path).unwrap().tiles().len(), 1);
    }

    #[test]
    fn an_archive_that_had_a_journal_is_read_without_making_one() {
        let (_dir, path) = archive(&format!("PRAGMA journal_mode = WAL; {TABLE}"));
        let store = Mbtiles::open(&path).unwrap();
        let beside = fs::read_dir(path.parent().unwrap()).unwrap();
        assert_eq!((store.tiles().len(), beside.count()), (0, 1));
    }

    #[test]
    fn metadata_tells_name_bounds_zooms_and_layers() {
        let store = open(&format!(
            r#"{TABLE} CREATE TABLE metadata (name text, value text);
             INSERT INTO metadata VALUES ('name', 'Town'), ('format', 'pbf'), ('minzoom', 0),
               ('maxzoom', '14'), ('bounds', '24.9, 60.1,25,60.2'), ('attribution', 'Mapillary'),
               ('json', '{{"vector_layers": [{{"id": "image"}}, {{"id": "sequence"}}]}}');"#
        ));
        let expected = Metadata {
            name: Some("Town".into()),
            attribution: Some("Mapillary".into()),
            bounds: Bbox::from_degrees(24.9, 60.1, 25.0, 60.2).ok(),
            min_zoom: Some(0),
            max_zoom: Some(14),
            layers: vec!["image".into(), "sequence".into()],
        };
        assert_eq!(store.unwrap().metadata(), &expected);
    }

    #[test]
    fn what_is_no_text_is_read_as_one() {
        let store = open(&format!(
            "{TABLE} CREATE TABLE metadata (name, value);
             INSERT INTO metadata VALUES ('name', 1.5), ('attribution', x'00'), ('minzoom', 3);"
        ));
        let expected = Metadata {
            name: Some("1.5".into()),
            min_zoom: Some(3),
            ..Metadata::default()
        };
        assert_eq!(store.unwrap().metadata(), &expected);
    }

    #[test]
    fn an_archive_of_others_has_no_texts_beside_its_tiles() {
        let (_dir, path) = archive(TABLE);
        let store = crate::open(&path, &["images"]).unwrap();
        assert_eq!(store.ledger(), None);
        assert!(store.additions().unwrap().is_empty());
        let shown = format!("{store:?}");
        assert!(
            shown.starts_with("Mbtiles") && shown.contains("tiles: 0"),
            "{shown}"
        );
    }

    #[test]
    fn bounds_that_are_no_box_bound_nothing() {
        for wrong in ["", "1,2,3", "a,b,c,d", "0,10,1,5", "0,0,999,1", "NaN,0,1,1"] {
            assert_eq!(parse_bounds(wrong), None, "{wrong}");
        }
    }

    /// Checks that opening fails, saying why.
    #[track_caller]
    fn check_refused(sql: &str, expected: &str) {
        let message = open(sql).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn what_is_no_archive_of_vector_tiles_is_refused() {
        check_refused("CREATE TABLE t (x);", "no such table: tiles");
        check_refused("CREATE TABLE tiles (a, b);", "no such column");
        let pictures = "CREATE TABLE metadata (name, value); \
                        INSERT INTO metadata VALUES ('format', 'png');";
        check_refused(&format!("{TABLE} {pictures}"), "png");
    }

    #[test]
    fn rows_that_are_no_tiles_are_refused() {
        let insert = |values: &str| format!("{TABLE} INSERT INTO tiles VALUES {values};");
        check_refused(&insert("(14, 16384, 0, x'')"), "14/16384/0");
        check_refused(&insert("(1, 0, -1, x'')"), "1/0/-1");
        check_refused(&insert("(99, 0, 0, x'')"), "99/0/0");
        check_refused(
            &insert("(0, 0, -9223372036854775808, x'')"),
            "-9223372036854775808",
        );
        check_refused(&insert("('a', 0, 0, x'')"), "zoom_level");
        check_refused(
            &insert("(1, 0, 0, x''), (1, 0, 0, x'')"),
            "row 2 of `tiles`",
        );
    }

    #[test]
    fn a_view_that_never_ends_is_interrupted() {
        let endless = |condition: &str| {
            format!(
                "CREATE VIEW tiles AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 \
                 FROM n) SELECT 14 AS zoom_level, i AS tile_column, 0 AS tile_row, x'' AS \
                 tile_data FROM n WHERE {condition};"
            )
        };
        check_refused(&endless("i < 0"), "interrupted");
        check_refused(&endless("1"), "more tiles than its size");
    }

    #[test]
    fn a_value_longer_than_the_archive_is_an_error() {
        let sql = "CREATE VIEW tiles AS SELECT 0 AS zoom_level, 0 AS tile_column, \
                   0 AS tile_row, zeroblob(900000000) AS tile_data;";
        let (_dir, path) = archive(sql);
        let store = Mbtiles::open(&path).unwrap();
        let message = store.read(0, &mut Vec::new()).unwrap_err().to_string();
        assert!(message.contains("too big"), "{message}");
    }

    #[test]
    fn damaged_archives_are_errors_and_not_panics() {
        let rows = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT 200) \
                    INSERT INTO tiles SELECT 14, i, 0, randomblob(300) FROM n;";
        let (dir, path) = archive(&format!("{TABLE} {rows}"));
        let whole = fs::read(&path).unwrap();
        let damaged = dir.path().join("damaged.mbtiles");
        let mut refused = 0;
        for at in (0..whole.len()).step_by(61) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            bytes.truncate(whole.len() - at / 7);
            fs::write(&damaged, &bytes).unwrap();
            refused += u32::from(read_all(&damaged).is_err());
        }
        assert!(refused > 0);
    }

    fn read_all(path: &Path) -> Result<(), Error> {
        let store = Mbtiles::open(path)?;
        let mut bytes = Vec::new();
        (0..store.tiles().len()).try_for_each(|index| store.read(index, &mut bytes))
    }
}
