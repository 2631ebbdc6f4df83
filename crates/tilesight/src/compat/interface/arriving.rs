//! What a store will hold once the tiles on their way into it are stored, in memory already.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;

use tilesight_fetch::Arrival;
use tilesight_store::{Error, Ledger, Metadata, StoredTile, TileStore};

use super::needed::stored;

/// Bytes of tiles that are kept to be decoded together, once all are there: the dataset of them takes
/// more.
const MAX_BYTES: usize = 64 << 20;

/// Tiles that a store holds, and those that come.
#[derive(Debug)]
pub(super) struct Arriving {
    tiles: BTreeMap<StoredTile, Tile>,
    additions: Vec<String>,
    /// Bytes that may still be kept.
    room: usize,
}

#[derive(Debug)]
struct Tile {
    /// Of no account where nothing is on it.
    fetched_at_ms: i64,
    /// None where nothing is on it.
    bytes: Option<Vec<u8>>,
}

impl Arriving {
    /// Begins with what a store holds, which is read before anything is written to it. None when that
    /// is too much or cannot be read.
    pub(super) fn into(store: &dyn TileStore) -> Option<Self> {
        let ledger = store.ledger()?;
        let mut arriving = Self {
            tiles: BTreeMap::new(),
            additions: store.additions().ok()?,
            room: MAX_BYTES,
        };
        for (index, (&tile, &at_ms)) in store.tiles().iter().zip(&ledger.fetched_at_ms).enumerate()
        {
            let mut bytes = Vec::new();
            store.read(index, &mut bytes).ok()?;
            arriving.put(tile, at_ms, Some(bytes))?;
        }
        for &tile in &ledger.empty {
            arriving.put(tile, 0, None)?;
        }
        Some(arriving)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tiles.is_empty()
    }

    /// Waits until all tiles that were asked for are there. None when some do not come, or when they
    /// are too much.
    pub(super) fn wait_for(
        mut self,
        asked: &[StoredTile],
        arrivals: &Receiver<Arrival>,
    ) -> Option<Memory> {
        while self.tiles.len() < asked.len() {
            let arrival = arrivals.recv().ok()?;
            self.put(stored(arrival.tile), arrival.fetched_at_ms, arrival.bytes)?;
        }
        Some(self.into_store(asked))
    }

    fn put(&mut self, tile: StoredTile, fetched_at_ms: i64, bytes: Option<Vec<u8>>) -> Option<()> {
        let len = bytes.as_ref().map_or(0, Vec::len);
        self.room = self.room.checked_sub(len)?;
        let put = Tile {
            fetched_at_ms,
            bytes,
        };
        self.tiles.insert(tile, put);
        Some(())
    }

    /// The store, whose ledger lists empty tiles in the order in which they were asked for.
    fn into_store(self, asked: &[StoredTile]) -> Memory {
        let mut store = Memory {
            additions: self.additions,
            ..Memory::default()
        };
        let is_empty = |tile: &StoredTile| {
            self.tiles
                .get(tile)
                .is_some_and(|tile| tile.bytes.is_none())
        };
        store.ledger.empty = asked.iter().copied().filter(is_empty).collect();
        for (id, tile) in self.tiles {
            if let Some(bytes) = tile.bytes {
                store.tiles.push(id);
                store.bytes.push(bytes);
                store.ledger.fetched_at_ms.push(tile.fetched_at_ms);
            }
        }
        store
    }
}

/// A store in memory; by default one where nothing was written yet.
#[derive(Debug, Default)]
pub(super) struct Memory {
    tiles: Vec<StoredTile>,
    /// Of each tile.
    bytes: Vec<Vec<u8>>,
    metadata: Metadata,
    ledger: Ledger,
    additions: Vec<String>,
}

impl TileStore for Memory {
    fn tiles(&self) -> &[StoredTile] {
        &self.tiles
    }

    fn read(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), Error> {
        bytes.clone_from(&self.bytes[index]);
        Ok(())
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn ledger(&self) -> Option<&Ledger> {
        Some(&self.ledger)
    }

    fn additions(&self) -> Result<Vec<String>, Error> {
        Ok(self.additions.clone())
    }
}
