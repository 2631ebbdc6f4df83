//! The ledger of a fetched store: what became of each tile.
//!
//! It lies in the archive itself, in tables that other programs ignore. `tiles`, which they read,
//! is a view of one tileset, the first that was fetched into the store; the ledger tells all
//! tilesets apart.

use rusqlite::{Connection, Row};
use tilesight_tile::TileId;
use xxhash_rust::xxh3::xxh3_64;

use crate::mbtiles::tile_id;
use crate::{Error, StoredTile};

/// Version of the tables below, kept as `user_version`.
pub(crate) const VERSION: i64 = 1;

/// The tables of a fetched store but for the view `tiles`, which names a tileset.
///
/// `tile_row` counts from the south, as in `tiles`. The bytes lie apart so that reading the
/// ledger does not touch them.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE metadata (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);
    CREATE TABLE tilesight_ledger (
        id INTEGER PRIMARY KEY,
        tileset TEXT NOT NULL,
        zoom_level INTEGER NOT NULL,
        tile_column INTEGER NOT NULL,
        tile_row INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('stored', 'empty', 'failed', 'quarantined')),
        reason TEXT,
        hash INTEGER,
        length INTEGER,
        fetched_at INTEGER NOT NULL,
        etag TEXT,
        tries INTEGER NOT NULL,
        UNIQUE (tileset, zoom_level, tile_column, tile_row)
    );
    CREATE TABLE tilesight_data (id INTEGER PRIMARY KEY, tile_data BLOB NOT NULL);
    CREATE TABLE tilesight_requests (day INTEGER PRIMARY KEY, requests INTEGER NOT NULL);
";

/// What a store knows of tiles beyond the bytes of those it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// When each of the store's [`tiles`](crate::TileStore::tiles) was fetched, or last found
    /// unchanged: milliseconds since 1970, UTC.
    pub fetched_at_ms: Vec<i64>,
    /// Tiles of which it is known that nothing is on them.
    pub empty: Vec<StoredTile>,
    /// Tiles that could not be fetched, and why.
    pub failed: Vec<(StoredTile, String)>,
}

/// What became of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TileState {
    /// It is held.
    Stored,
    /// Nothing is on it.
    Empty,
    /// It could not be fetched.
    Failed,
    /// What came was complete and yet no tile.
    Quarantined,
}

impl TileState {
    /// Its name in the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Empty => "empty",
            Self::Failed => "failed",
            Self::Quarantined => "quarantined",
        }
    }

    /// Whether the store can answer for the tile.
    pub const fn is_held(self) -> bool {
        matches!(self, Self::Stored | Self::Empty)
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Stored, Self::Empty, Self::Failed, Self::Quarantined];
        all.into_iter().find(|state| state.name() == name)
    }
}

/// The hash that the ledger keeps of a tile's bytes: XXH3, 64 bits.
pub(crate) fn hash(bytes: &[u8]) -> i64 {
    xxh3_64(bytes).cast_signed()
}

/// Whether a database has a ledger.
pub(crate) fn is_in(connection: &Connection) -> rusqlite::Result<bool> {
    let exists = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'tilesight_ledger'";
    connection.prepare(exists)?.exists([])
}

/// Row of a tile as it is in tables, counted from the south.
pub(crate) fn row_from_south(id: TileId) -> u32 {
    (1 << id.z()) - 1 - id.y()
}

/// A line of the ledger, as far as readers need it.
pub(crate) struct Line {
    pub(crate) row_id: i64,
    pub(crate) tile: StoredTile,
    pub(crate) state: Option<TileState>,
    pub(crate) reason: Option<String>,
    pub(crate) fetched_at_ms: i64,
}

impl Line {
    pub(crate) const SELECT: &str = "SELECT id, tileset, zoom_level, tile_column, tile_row, \
                                     state, reason, fetched_at FROM tilesight_ledger";

    /// Reads a line; none if its tileset is not one of those known.
    pub(crate) fn read(row: &Row, tilesets: &[&'static str]) -> Result<Option<Self>, LineError> {
        let name: String = row.get(1)?;
        let Some(&tileset) = tilesets.iter().find(|&&known| known == name) else {
            return Ok(None);
        };
        let id = tile_id(row.get(2)?, row.get(3)?, row.get(4)?)?;
        let state: String = row.get(5)?;
        Ok(Some(Self {
            row_id: row.get(0)?,
            tile: StoredTile {
                tileset: Some(tileset),
                id,
            },
            state: TileState::from_name(&state),
            reason: row.get(6)?,
            fetched_at_ms: row.get(7)?,
        }))
    }
}

/// Why a line cannot be read.
#[derive(Debug)]
pub(crate) enum LineError {
    Sqlite(rusqlite::Error),
    Address(Error),
}

impl From<rusqlite::Error> for LineError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for LineError {
    fn from(error: Error) -> Self {
        Self::Address(error)
    }
}
