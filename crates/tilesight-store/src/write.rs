//! Writing a fetched store: an MBTiles archive with a ledger.
//!
//! Everything is written in transactions, so a process that is killed loses the records it had
//! not committed yet and nothing else.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use tilesight_publish::Draft;
use tilesight_tile::TileId;

use crate::ledger::{self, TileState, row_from_south};
use crate::lock::Lock;
use crate::{Error, additions, mbtiles};

/// Marks MBTiles archives among SQLite databases: "MPBX".
const APPLICATION_ID: i64 = 0x4d50_4258;

/// How long to wait for a reader that blocks the writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How many tiles tell how long a tile is on average.
const TYPICAL_TILES: u32 = 10_000;

/// What a new store says of itself to other programs.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The tileset that other programs see.
    pub tileset: &'a str,
    /// Rows of the table `metadata`, such as `name` and `attribution`; `format`, zooms and bounds
    /// are added.
    pub metadata: &'a [(&'a str, &'a str)],
}

/// What became of a tile, to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Name of its tileset.
    pub tileset: &'static str,
    /// Its address.
    pub id: TileId,
    /// What became of it.
    pub outcome: Outcome,
    /// When: milliseconds since 1970, UTC.
    pub fetched_at_ms: i64,
    /// How many requests it took.
    pub tries: u32,
}

/// What became of a tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It came.
    Stored {
        /// Its bytes as they are to be stored.
        bytes: Vec<u8>,
        /// Name of this version, if the service gave one.
        etag: Option<String>,
    },
    /// It is as it was when it was fetched before.
    Unchanged,
    /// Nothing is on it, for a reason if that is not plain.
    Empty {
        /// What tells so.
        reason: Option<String>,
        /// Name of this version, if the service gave one.
        etag: Option<String>,
    },
    /// It could not be fetched. What is known from before stays.
    Failed {
        /// Why not.
        reason: String,
    },
    /// What came was complete and yet no tile. What is known from before stays.
    Quarantined {
        /// What is wrong with it.
        reason: String,
    },
}

/// What a store knows of a tile already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What became of it.
    pub state: TileState,
    /// When it was fetched or found unchanged: milliseconds since 1970, UTC.
    pub fetched_at_ms: i64,
    /// Name of the version that is held.
    pub etag: Option<String>,
}

/// A store that is being written, by this process alone.
pub struct StoreWriter {
    connection: Connection,
    path: PathBuf,
    _lock: Lock,
}

impl StoreWriter {
    /// Opens a store to write into it, making it if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Held`] while another process writes it; a retry helps once that has ended.
    /// [`Error::NoLedger`] when the file there is something else, which stays as it is;
    /// [`Error::Newer`] when a later version made it; [`Error::Write`] or [`Error::WriteIo`] when it
    /// cannot be written.
    pub fn open(path: &Path, about: &About<'_>) -> Result<Self, Error> {
        let lock = Lock::take(path)?;
        if is_missing_or_empty(path) {
            publish_new(path, about)?;
        } else {
            refuse_others(path)?;
            refuse_newer(path)?;
        }
        let connection = connect(path).map_err(Error::write(path))?;
        let mut writer = Self {
            connection,
            path: path.to_owned(),
            _lock: lock,
        };
        writer.prepare(about)?;
        Ok(writer)
    }

    /// Lists what is known of some tiles of a tileset; those that nothing is known of are not in
    /// it.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] when the ledger cannot be read.
    ///
    /// # Cost
    ///
    /// That of the part of the ledger between the first and the last of the tiles in each column
    /// of tiles, however large the rest is.
    pub fn known(&self, tileset: &str, tiles: &[TileId]) -> Result<BTreeMap<TileId, Known>, Error> {
        known(&self.connection, tileset, tiles).map_err(Error::write(&self.path))
    }

    /// Mean length of the tiles of a tileset that came last, empty ones included, in bytes; none
    /// if there are none.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] when the ledger cannot be read.
    pub fn mean_length(&self, tileset: &str) -> Result<Option<f64>, Error> {
        mean_length(&self.connection, tileset).map_err(Error::write(&self.path))
    }

    /// Reads the stored bytes of a tile; none of one that has none.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] when the store cannot be read.
    pub fn tile(&self, tileset: &str, id: TileId) -> Result<Option<Vec<u8>>, Error> {
        let read = || {
            let Some(row_id) = row_id(&self.connection, tileset, id)? else {
                return Ok(None);
            };
            let sql = "SELECT tile_data FROM tilesight_data WHERE id = ?1";
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row([row_id], |row| row.get(0)).optional()
        };
        read().map_err(Error::write(&self.path))
    }

    /// Records what became of tiles: of all of them or, with an error, of none.
    ///
    /// # Errors
    ///
    /// [`Error::Write`], as when the disk is full.
    pub fn commit(&mut self, records: &[Record]) -> Result<(), Error> {
        let mut commit = || {
            let transaction = self.connection.transaction()?;
            for record in records {
                write_record(&transaction, record)?;
            }
            transaction.commit()
        };
        commit().map_err(Error::write(&self.path))
    }

    /// Takes up to `wanted` of the requests that a day allows, and tells how many it got.
    ///
    /// They count as made from now on, whatever happens to the process.
    ///
    /// # Errors
    ///
    /// [`Error::Write`].
    pub fn take_requests(&mut self, day: i64, wanted: u64, limit: u64) -> Result<u64, Error> {
        let mut take = || {
            let transaction = self.connection.transaction()?;
            let made = requests_on(&transaction, day)?;
            let taken = wanted.min(limit.saturating_sub(made));
            set_requests(&transaction, day, made + taken)?;
            transaction.commit()?;
            Ok(taken)
        };
        take().map_err(Error::write(&self.path))
    }

    /// Gives requests back that were taken and not made.
    ///
    /// # Errors
    ///
    /// [`Error::Write`].
    pub fn give_back_requests(&mut self, day: i64, unused: u64) -> Result<(), Error> {
        let made = requests_on(&self.connection, day).map_err(Error::write(&self.path))?;
        set_requests(&self.connection, day, made.saturating_sub(unused))
            .map_err(Error::write(&self.path))
    }

    /// How many requests were made on a day.
    ///
    /// # Errors
    ///
    /// [`Error::Write`].
    pub fn requests_on(&self, day: i64) -> Result<u64, Error> {
        requests_on(&self.connection, day).map_err(Error::write(&self.path))
    }

    /// Keeps texts beside the tiles, by their keys: all of them or, with an error, none. A text
    /// replaces the one of its key.
    ///
    /// # Errors
    ///
    /// [`Error::Write`], as when the disk is full.
    pub fn add(&mut self, texts: &[(&str, String)]) -> Result<(), Error> {
        let mut add = || {
            let transaction = self.connection.transaction()?;
            additions::add(&transaction, texts)?;
            transaction.commit()
        };
        add().map_err(Error::write(&self.path))
    }

    /// Forgets tiles, so that they are fetched anew.
    ///
    /// # Errors
    ///
    /// [`Error::Write`].
    pub fn forget(&mut self, tiles: &[(&str, TileId)]) -> Result<(), Error> {
        let mut forget = || {
            let transaction = self.connection.transaction()?;
            for &(tileset, id) in tiles {
                if let Some(row_id) = row_id(&transaction, tileset, id)? {
                    transaction.execute("DELETE FROM tilesight_data WHERE id = ?1", [row_id])?;
                    transaction.execute("DELETE FROM tilesight_ledger WHERE id = ?1", [row_id])?;
                }
            }
            transaction.commit()
        };
        forget().map_err(Error::write(&self.path))
    }

    /// Ends writing: bounds and zooms are brought up to date, and all is in one file.
    ///
    /// # Errors
    ///
    /// [`Error::Write`]. What was committed is safe all the same.
    pub fn close(mut self) -> Result<(), Error> {
        let mut close = || {
            let transaction = self.connection.transaction()?;
            describe_extent(&transaction)?;
            transaction.commit()?;
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            let is_partial: bool = self
                .connection
                .query_row(checkpoint, [], |row| row.get(0))?;
            if !is_partial {
                // All is on the disk; a change of mode that is lost matters to nobody.
                self.connection.pragma_update(None, "synchronous", "OFF")?;
            }
            // A program that reads the archive at this moment keeps its journal; so be it.
            let _ = set_journal_mode(&self.connection, "MEMORY");
            Ok(())
        };
        close().map_err(Error::write(&self.path))
    }

    fn prepare(&mut self, about: &About<'_>) -> Result<(), Error> {
        let mut create = || {
            if version_of(&self.connection)? == ledger::VERSION {
                return Ok(());
            }
            let transaction = self.connection.transaction()?;
            create_tables(&transaction, about)?;
            transaction.commit()
        };
        create().map_err(Error::write(&self.path))
    }
}

impl fmt::Debug for StoreWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreWriter")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What a store knows of its tiles, to be read without writing.
pub struct KnownTiles {
    connection: Connection,
    path: PathBuf,
}

impl KnownTiles {
    /// Opens a fetched store; none where nothing was written yet.
    ///
    /// # Errors
    ///
    /// [`Error::NoLedger`] when it is something else, [`Error::Sqlite`] when it cannot be read.
    pub fn open(path: &Path) -> Result<Option<Self>, Error> {
        if is_missing_or_empty(path) {
            return Ok(None);
        }
        refuse_others(path)?;
        let connection = mbtiles::connect_to_read(path)?;
        let has_ledger = ledger::is_in(&connection).map_err(Error::sqlite(path))?;
        let known = Self {
            connection,
            path: path.to_owned(),
        };
        Ok(has_ledger.then_some(known))
    }

    /// As [`StoreWriter::known`].
    ///
    /// # Errors
    ///
    /// [`Error::Sqlite`] when the ledger cannot be read.
    pub fn of(&self, tileset: &str, tiles: &[TileId]) -> Result<BTreeMap<TileId, Known>, Error> {
        known(&self.connection, tileset, tiles).map_err(Error::sqlite(&self.path))
    }

    /// As [`StoreWriter::mean_length`].
    ///
    /// # Errors
    ///
    /// [`Error::Sqlite`] when the ledger cannot be read.
    pub fn mean_length(&self, tileset: &str) -> Result<Option<f64>, Error> {
        mean_length(&self.connection, tileset).map_err(Error::sqlite(&self.path))
    }
}

impl fmt::Debug for KnownTiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownTiles")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn known(
    connection: &Connection,
    tileset: &str,
    tiles: &[TileId],
) -> rusqlite::Result<BTreeMap<TileId, Known>> {
    let mut statement = connection.prepare(
        "SELECT zoom_level, tile_column, tile_row, state, fetched_at, etag \
         FROM tilesight_ledger WHERE tileset = ?1 AND zoom_level = ?2 AND tile_column = ?3 \
         AND tile_row BETWEEN ?4 AND ?5",
    )?;
    let mut asked = tiles.to_vec();
    asked.sort_unstable();
    let mut known = BTreeMap::new();
    for ((zoom, column), [first, last]) in columns_of(tiles) {
        let mut rows = statement.query(params![tileset, zoom, column, first, last])?;
        while let Some(row) = rows.next()? {
            let line = known_line(row)?;
            known.extend(line.filter(|(tile, _)| asked.binary_search(tile).is_ok()));
        }
    }
    Ok(known)
}

/// The columns in which tiles lie, and the first and the last row in each, counted from the south.
fn columns_of(tiles: &[TileId]) -> BTreeMap<(u8, u32), [u32; 2]> {
    let mut columns = BTreeMap::new();
    for tile in tiles {
        let row = row_from_south(*tile);
        let [first, last] = columns.entry((tile.z(), tile.x())).or_insert([row, row]);
        *first = row.min(*first);
        *last = row.max(*last);
    }
    columns
}

/// Reads a line of the ledger. One that no writer made is as good as none: it is written anew.
fn known_line(row: &Row) -> rusqlite::Result<Option<(TileId, Known)>> {
    let state: String = row.get(3)?;
    let tile = mbtiles::tile_id(row.get(0)?, row.get(1)?, row.get(2)?);
    let (Ok(tile), Some(state)) = (tile, TileState::from_name(&state)) else {
        return Ok(None);
    };
    let known = Known {
        state,
        fetched_at_ms: row.get(4)?,
        etag: row.get(5)?,
    };
    Ok(Some((tile, known)))
}

fn mean_length(connection: &Connection, tileset: &str) -> rusqlite::Result<Option<f64>> {
    // Without an index the lines are read from the last to the first, as far as needed.
    let mean = "SELECT avg(length) FROM (SELECT length FROM tilesight_ledger NOT INDEXED \
                WHERE tileset = ?1 AND state IN ('stored', 'empty') ORDER BY id DESC LIMIT ?2)";
    connection.query_row(mean, params![tileset, TYPICAL_TILES], |row| row.get(0))
}

/// Refuses to write into a file that is there and no fetched store.
fn refuse_others(path: &Path) -> Result<(), Error> {
    // A writer that was killed at its very beginning leaves an archive without tables.
    if is_missing_or_empty(path) || mbtiles::is_fetched_or_blank(path)? {
        return Ok(());
    }
    Err(Error::NoLedger {
        path: path.to_owned(),
    })
}

/// Refuses a store of a later version before anything of it is changed, be it the journal mode.
fn refuse_newer(path: &Path) -> Result<(), Error> {
    let connection = mbtiles::connect_to_read(path)?;
    if version_of(&connection).map_err(Error::sqlite(path))? <= ledger::VERSION {
        return Ok(());
    }
    Err(Error::Newer {
        path: path.to_owned(),
    })
}

fn version_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn is_missing_or_empty(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |metadata| metadata.len() == 0)
}

/// Makes a store without tiles beside its place and moves it there: of one that is begun in its
/// place, a loss of power may leave zeros, which nobody could tell from a store that was damaged.
fn publish_new(path: &Path, about: &About<'_>) -> Result<(), Error> {
    remove_journals(path).map_err(Error::write_io(path))?;
    let draft = draft_of(path).map_err(Error::write_io(path))?;
    create(draft.path(), about).map_err(Error::write(path))?;
    draft.publish(true).map_err(Error::write_io(path))
}

/// A draft of a name that only this store's has: it takes the place of one that was left behind by
/// a writer that was killed.
fn draft_of(path: &Path) -> io::Result<Draft> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    Draft::named(path.with_file_name(name), &path)
}

/// Removes what is left of a store that is not there any more, and would be taken for the new one's.
fn remove_journals(path: &Path) -> io::Result<()> {
    for end in ["-wal", "-shm", "-journal"] {
        match fs::remove_file(mbtiles::beside(path, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
    }
    Ok(())
}

/// Writes the tables of a store into an empty file, which is of no use if that fails, and is synced
/// by whoever moves it into its place.
fn create(path: &Path, about: &About<'_>) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    set_journal_mode(&connection, "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    let transaction = connection.transaction()?;
    create_tables(&transaction, about)?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // The path without links, beside which the journal is.
    let archive = connection.path().map(Path::new);
    if archive.is_some_and(|archive| !mbtiles::beside(archive, "-wal").exists()) {
        begin_journal(&connection)?;
    }
    log_ahead(&connection)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// Begins the journal of an archive that has none, and waits for no disk: SQLite syncs the beginning
/// of a journal lest what was left of an older one be taken for more of it, and here is none. What a
/// loss of power leaves of the first transaction, which changes nothing, makes no difference.
fn begin_journal(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "OFF")?;
    log_ahead(connection)?;
    connection.pragma_update(None, "user_version", version_of(connection)?)
}

/// Has transactions appended to a journal beside the archive: a reader sees whole ones throughout.
fn log_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    if mode != "wal" {
        set_journal_mode(connection, "MEMORY")?;
    }
    set_journal_mode(connection, "WAL")
}

/// Sets the journal mode. To and from `WAL` it goes by way of `MEMORY`: a file that undoes the change
/// of mode would, after a kill, keep readers out until somebody writes. The change is within one
/// sector and needs none.
fn set_journal_mode(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA journal_mode = {mode}"), [], |_| Ok(()))
}

fn create_tables(transaction: &Transaction, about: &About<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(ledger::SCHEMA)?;
    let tileset = about.tileset.replace('\'', "''");
    transaction.execute_batch(&format!(
        "CREATE VIEW tiles AS SELECT zoom_level, tile_column, tile_row, tile_data \
         FROM tilesight_ledger JOIN tilesight_data USING (id) WHERE tileset = '{tileset}';"
    ))?;
    set_metadata(transaction, "format", "pbf")?;
    for (name, value) in about.metadata {
        set_metadata(transaction, name, value)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", ledger::VERSION)
}

fn write_record(transaction: &Transaction, record: &Record) -> rusqlite::Result<()> {
    match &record.outcome {
        Outcome::Stored { bytes, etag } => {
            let etag = etag.as_deref();
            let row_id = write_line(transaction, record, TileState::Stored, None, bytes, etag)?;
            let sql = "INSERT OR REPLACE INTO tilesight_data (id, tile_data) VALUES (?1, ?2)";
            let mut statement = transaction.prepare_cached(sql)?;
            statement.execute(params![row_id, bytes]).map(drop)
        }
        Outcome::Empty { reason, etag } => {
            let (reason, etag) = (reason.as_deref(), etag.as_deref());
            let row_id = write_line(transaction, record, TileState::Empty, reason, &[], etag)?;
            let sql = "DELETE FROM tilesight_data WHERE id = ?1";
            transaction.prepare_cached(sql)?.execute([row_id]).map(drop)
        }
        Outcome::Unchanged => {
            let sql = "UPDATE tilesight_ledger SET fetched_at = ?2, tries = ?3 WHERE id = ?1";
            let row_id = row_id(transaction, record.tileset, record.id)?;
            let mut statement = transaction.prepare_cached(sql)?;
            statement
                .execute(params![row_id, record.fetched_at_ms, record.tries])
                .map(drop)
        }
        Outcome::Failed { reason } => write_failure(transaction, record, TileState::Failed, reason),
        Outcome::Quarantined { reason } => {
            write_failure(transaction, record, TileState::Quarantined, reason)
        }
    }
}

/// Writes the line of a tile that is held, and tells its number.
fn write_line(
    transaction: &Transaction,
    record: &Record,
    state: TileState,
    reason: Option<&str>,
    bytes: &[u8],
    etag: Option<&str>,
) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO tilesight_ledger \
        (tileset, zoom_level, tile_column, tile_row, fetched_at, tries, state, reason, hash, \
         length, etag) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
        ON CONFLICT DO UPDATE SET fetched_at = ?5, tries = ?6, state = ?7, reason = ?8, \
         hash = ?9, length = ?10, etag = ?11 RETURNING id";
    let values = params![
        record.tileset,
        record.id.z(),
        record.id.x(),
        row_from_south(record.id),
        record.fetched_at_ms,
        record.tries,
        state.name(),
        reason,
        ledger::hash(bytes),
        bytes.len() as i64,
        etag,
    ];
    transaction
        .prepare_cached(sql)?
        .query_row(values, |row| row.get(0))
}

/// Writes the line of a tile that was not got, unless it is held from before.
fn write_failure(
    transaction: &Transaction,
    record: &Record,
    state: TileState,
    reason: &str,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO tilesight_ledger \
        (tileset, zoom_level, tile_column, tile_row, fetched_at, tries, state, reason) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
        ON CONFLICT DO UPDATE SET fetched_at = ?5, tries = tries + ?6, state = ?7, reason = ?8 \
        WHERE state NOT IN ('stored', 'empty')";
    let values = params![
        record.tileset,
        record.id.z(),
        record.id.x(),
        row_from_south(record.id),
        record.fetched_at_ms,
        record.tries,
        state.name(),
        reason,
    ];
    transaction.prepare_cached(sql)?.execute(values).map(drop)
}

fn row_id(connection: &Connection, tileset: &str, id: TileId) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT id FROM tilesight_ledger WHERE tileset = ?1 AND zoom_level = ?2 \
               AND tile_column = ?3 AND tile_row = ?4";
    let address = params![tileset, id.z(), id.x(), row_from_south(id)];
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row(address, |row| row.get(0)).optional()
}

fn requests_on(connection: &Connection, day: i64) -> rusqlite::Result<u64> {
    let sql = "SELECT requests FROM tilesight_requests WHERE day = ?1";
    let made: Option<i64> = connection
        .query_row(sql, [day], |row| row.get(0))
        .optional()?;
    Ok(u64::try_from(made.unwrap_or(0)).unwrap_or(0))
}

fn set_requests(connection: &Connection, day: i64, requests: u64) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO tilesight_requests (day, requests) VALUES (?1, ?2)";
    let requests = i64::try_from(requests).unwrap_or(i64::MAX);
    connection.execute(sql, [day, requests]).map(drop)
}

fn set_metadata(connection: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO metadata (name, value) VALUES (?1, ?2)";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute([name, value]).map(drop)
}

/// Tells other programs the zooms and the box of the tiles that they see.
fn describe_extent(connection: &Connection) -> rusqlite::Result<()> {
    let extents = "SELECT zoom_level, min(tile_column), min(tile_row), max(tile_column), \
                   max(tile_row) FROM tiles GROUP BY zoom_level ORDER BY zoom_level";
    let mut statement = connection.prepare(extents)?;
    let extents = statement.query_map([], |row| {
        let edges = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
        Ok((row.get(0)?, edges))
    })?;
    let extents: Vec<(i64, [f64; 4])> = extents.collect::<Result<_, _>>()?;
    let (Some(&(min_zoom, _)), Some(&(max_zoom, edges))) = (extents.first(), extents.last()) else {
        return Ok(());
    };
    set_metadata(connection, "minzoom", &min_zoom.to_string())?;
    set_metadata(connection, "maxzoom", &max_zoom.to_string())?;
    let [west, south, east, north] = degrees(max_zoom, edges);
    let bounds = format!("{west:.6},{south:.6},{east:.6},{north:.6}");
    let (lon, lat) = (f64::midpoint(west, east), f64::midpoint(south, north));
    let center = format!("{lon:.6},{lat:.6},{max_zoom}");
    set_metadata(connection, "bounds", &bounds)?;
    set_metadata(connection, "center", &center)
}

/// West, south, east and north of the tiles from one column and row to another; rows count from
/// the south.
fn degrees(zoom: i64, [first_x, first_row, last_x, last_row]: [f64; 4]) -> [f64; 4] {
    let side = 2_f64.powi(zoom as i32);
    let lon = |x: f64| x / side * 360.0 - 180.0;
    let lat = |row: f64| {
        let mercator = std::f64::consts::PI * (2.0 * row / side - 1.0);
        mercator.sinh().atan().to_degrees()
    };
    [
        lon(first_x),
        lat(first_row),
        lon(last_x + 1.0),
        lat(last_row + 1.0),
    ]
}

#[cfg(test)]
mod tests;
