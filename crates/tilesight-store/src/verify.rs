//! Finding damage in a fetched store.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row};
use tilesight_tile::TileId;

use crate::ledger::{self, TileState};
use crate::{Error, Mbtiles, mbtiles};

/// What the examination of a store found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examination {
    /// How many tiles were compared with the hashes of the ledger.
    pub examined: u64,
    /// Tiles whose bytes are not those that were stored.
    pub damaged: Vec<DamagedTile>,
    /// What SQLite says of the archive as a whole, unless it is in order.
    pub structure: Option<String>,
}

/// A tile whose bytes are not those that were stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedTile {
    /// Name of its tileset.
    pub tileset: String,
    /// Its address.
    pub id: TileId,
    /// What is wrong.
    pub reason: String,
}

impl Examination {
    /// Whether nothing is damaged.
    pub const fn is_clean(&self) -> bool {
        self.damaged.is_empty() && self.structure.is_none()
    }
}

/// Compares every stored tile with the hash that the ledger keeps of it.
///
/// # Returns
///
/// What is damaged, in the order of the ledger; that is a result, not an error. None when the
/// source has no ledger, so that nothing is known of what its tiles should be.
///
/// # Errors
///
/// [`Error::Sqlite`] when the archive cannot be read at all.
///
/// # Cost
///
/// Every byte of the archive is read once or twice.
pub fn verify(path: &Path) -> Result<Option<Examination>, Error> {
    if path.is_dir() || !crate::starts_with(path, mbtiles::MAGIC)? {
        return Ok(None);
    }
    let connection = mbtiles::connect_to_read(path)?;
    if !ledger::is_in(&connection).map_err(Error::sqlite(path))? {
        return Ok(None);
    }
    let mut found = Examination::default();
    if let Err(error) = examine_tiles(&connection, &mut found) {
        found.structure = Some(error.to_string());
    }
    if found.structure.is_none() {
        found.structure = examine_structure(&connection);
    }
    if found.structure.is_none() {
        // What other programs need is in order, too.
        found.structure = Mbtiles::open(path).err().map(|error| error.to_string());
    }
    Ok(Some(found))
}

fn examine_tiles(connection: &Connection, found: &mut Examination) -> rusqlite::Result<()> {
    let mut lines = connection.prepare(
        "SELECT id, tileset, zoom_level, tile_column, tile_row, state, hash, length, reason, etag, \
         fetched_at, tries FROM tilesight_ledger ORDER BY id",
    )?;
    let mut tile = connection.prepare("SELECT tile_data FROM tilesight_data WHERE id = ?1")?;
    let mut lines = lines.query([])?;
    while let Some(line) = lines.next()? {
        let Ok(id) = mbtiles::tile_id(line.get(2)?, line.get(3)?, line.get(4)?) else {
            found.structure = Some("the ledger has a line of a tile that cannot exist".into());
            continue;
        };
        let row_id: i64 = line.get(0)?;
        let expected = Expected {
            state: line.get(5)?,
            hash: line.get(6)?,
            length: line.get(7)?,
        };
        check_rest(line)?;
        found.examined += u64::from(expected.state == TileState::Stored.name());
        let damage = tile
            .query_row([row_id], |row| {
                Ok(expected.compare(Some(row.get_ref(0)?.as_blob()?)))
            })
            .optional();
        let damage = match damage {
            Ok(damage) => damage.unwrap_or_else(|| expected.compare(None)),
            Err(error) => Some(error.to_string()),
        };
        if let Some(reason) = damage {
            let tileset = line.get(1)?;
            found.damaged.push(DamagedTile {
                tileset,
                id,
                reason,
            });
        }
    }
    Ok(())
}

/// Reads what nothing can be compared with, so that it is readable at least.
fn check_rest(line: &Row) -> rusqlite::Result<()> {
    let _: [Option<String>; 2] = [line.get(8)?, line.get(9)?];
    let _: [i64; 2] = [line.get(10)?, line.get(11)?];
    Ok(())
}

/// What the ledger says of a tile.
struct Expected {
    state: String,
    hash: Option<i64>,
    length: Option<i64>,
}

impl Expected {
    /// What is wrong with the bytes of the tile, if anything.
    fn compare(&self, bytes: Option<&[u8]>) -> Option<String> {
        let state = TileState::from_name(&self.state);
        match (state, bytes) {
            (None, _) => Some("its state is none that there is".into()),
            (Some(TileState::Stored), None) => Some("its bytes are missing".into()),
            (Some(TileState::Stored), Some(bytes)) => self.compare_bytes(bytes),
            (Some(_), Some(_)) => Some("it has bytes, and its state says it has none".into()),
            (Some(_), None) => None,
        }
    }

    fn compare_bytes(&self, bytes: &[u8]) -> Option<String> {
        if self.length != Some(bytes.len() as i64) {
            return Some(format!(
                "it has {} bytes, not as many as stored",
                bytes.len()
            ));
        }
        let is_same = self.hash == Some(ledger::hash(bytes));
        (!is_same).then(|| "its bytes are not those that were stored".into())
    }
}

fn examine_structure(connection: &Connection) -> Option<String> {
    // Unlike the quick check this compares the addresses of tiles with their index.
    let check = connection.query_row("PRAGMA integrity_check(1)", [], |row| {
        row.get::<_, String>(0)
    });
    match check {
        Ok(verdict) if verdict == "ok" => None,
        Ok(verdict) => Some(verdict),
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_is_not_clean() {
        assert!(Examination::default().is_clean());
        let structure = Some("row 7 missing from index".to_owned());
        let broken = Examination {
            structure,
            ..Examination::default()
        };
        assert!(!broken.is_clean());
        let tile = DamagedTile {
            tileset: "images".to_owned(),
            id: TileId::new(0, 0, 0).unwrap(),
            reason: "its bytes are missing".to_owned(),
        };
        let damaged = Examination {
            damaged: vec![tile],
            ..Examination::default()
        };
        assert!(!damaged.is_clean());
    }
}
