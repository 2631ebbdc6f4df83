//! The tiles of a store that were asked about lately, decoded and indexed in memory.
//!
//! A store grows with every region that is asked about, while a question is about few tiles. So
//! each is answered by a dataset of the tiles it needs, which is kept for the next question about
//! the same tiles, as long as they are in the store what they were. Of tiles that are fetched it is
//! made while they are stored, and counts when the store says that it holds them.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;
use tilesight_fetch::{Arrival, FetchError, Tileset};
use tilesight_store::{Ledger, Mbtiles, StoredTile, TileStore};
use tilesight_tile::{TileId, TileRows};

use super::arriving::{Arriving, Memory};
use super::needed::Needed;
use super::service::{Service, lock};
use super::{Error, Options};
use crate::Dataset;

/// Most datasets that are kept: each question looks through them.
const MAX_LOADED: usize = 256;

/// Longest wait for another process that writes the store.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Pause between two looks whether it has ended.
const PAUSE: Duration = Duration::from_millis(100);

/// A store, and what of it is in memory.
#[derive(Debug)]
pub(super) struct Tiles {
    path: PathBuf,
    /// Removes the store in the end, where it is not to be kept.
    _temporary: Option<TempDir>,
    offline: bool,
    max_images: u64,
    /// The one that was used last comes last.
    loaded: Mutex<Vec<Arc<Loaded>>>,
    /// Held while fetching: a store has one writer.
    writing: Mutex<()>,
}

/// A dataset of some tiles of a store.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) data: Dataset,
    /// The tiles it was made of.
    asked: Vec<StoredTile>,
    /// What the store said of them.
    tiles: Vec<StoredTile>,
    ledger: Ledger,
    /// The tiles it answers for.
    held: Vec<(&'static str, TileRows)>,
    /// The state of the file in which that was so.
    stamp: Mutex<Stamp>,
}

/// Length and time of change of a store and of the journal beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Stamp([Option<(u64, SystemTime)>; 2]);

impl Tiles {
    /// Tiles of a store at a path, or of a temporary one. The folder is made if there is none.
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        let offline = options.offline;
        let (path, temporary) = if let Some(path) = options.store.clone() {
            (path, None)
        } else {
            let folder = tempfile::tempdir().map_err(Error::System)?;
            (folder.path().join("tiles.mbtiles"), Some(folder))
        };
        if let Some(folder) = path.parent().filter(|_| !offline) {
            std::fs::create_dir_all(folder).map_err(|error| Error::Save {
                path: path.clone(),
                error,
            })?;
        }
        Ok(Self {
            path,
            _temporary: temporary,
            offline,
            max_images: options.max_images_in_memory,
            loaded: Mutex::default(),
            writing: Mutex::default(),
        })
    }

    /// A dataset that answers for the tiles of a question, or for as many as can be had. What
    /// the store lacks of them is fetched first.
    pub(super) fn get(&self, needed: &Needed, service: &Service) -> Result<Arc<Loaded>, Error> {
        if let Some(loaded) = self.find(needed)? {
            return Ok(loaded);
        }
        let asked = needed.stored();
        let stamp = Stamp::of(&self.path);
        let store = self.open(&asked)?;
        let loaded = if self.offline || !self.lacks(needed, &*store, service)? {
            Loaded::new(asked, store, stamp)?
        } else {
            self.fetch_and_load(needed, asked, service)?
        };
        let loaded = Arc::new(loaded);
        self.keep(&loaded);
        Ok(loaded)
    }

    fn fetch_and_load(
        &self,
        needed: &Needed,
        asked: Vec<StoredTile>,
        service: &Service,
    ) -> Result<Loaded, Error> {
        if let Some(loaded) = self.fetch(needed, &asked, service)?
            && loaded.is_as_stored(&self.path)?
        {
            return Ok(loaded);
        }
        let stamp = Stamp::of(&self.path);
        let store = self.open(&asked)?;
        Ok(Loaded::new(asked, store, stamp)?)
    }

    /// A dataset in memory that holds all that is needed as the store has it.
    fn find(&self, needed: &Needed) -> Result<Option<Arc<Loaded>>, Error> {
        let Some(loaded) = self.take_up(needed) else {
            return Ok(None);
        };
        if loaded.is_as_stored(&self.path)? {
            return Ok(Some(loaded));
        }
        lock(&self.loaded).retain(|other| !Arc::ptr_eq(other, &loaded));
        Ok(None)
    }

    /// Finds a dataset that holds all that is needed, and makes it the one used last.
    fn take_up(&self, needed: &Needed) -> Option<Arc<Loaded>> {
        let mut all = lock(&self.loaded);
        let index = all.iter().rposition(|loaded| loaded.holds(needed))?;
        let loaded = all.remove(index);
        all.push(loaded.clone());
        Some(loaded)
    }

    /// Keeps a dataset instead of those that hold no more, and lets go of those used longest ago
    /// when there are too many images.
    fn keep(&self, loaded: &Arc<Loaded>) {
        let mut all = lock(&self.loaded);
        all.retain(|other| !loaded.holds_all_of(other));
        all.push(loaded.clone());
        let mut images: u64 = all.iter().map(|loaded| loaded.data.len()).sum();
        let mut surplus = 0;
        while surplus + 1 < all.len()
            && (images > self.max_images || all.len() - surplus > MAX_LOADED)
        {
            images -= all[surplus].data.len();
            surplus += 1;
        }
        all.drain(..surplus);
    }

    fn open(&self, asked: &[StoredTile]) -> Result<Box<dyn TileStore>, Error> {
        let store = Mbtiles::open_some(&self.path, asked).map_err(crate::Error::from)?;
        Ok(match store {
            Some(store) => Box::new(store),
            None => Box::new(Memory::default()),
        })
    }

    /// Whether the store lacks some of the tiles, or has them from too long ago.
    fn lacks(
        &self,
        needed: &Needed,
        store: &dyn TileStore,
        service: &Service,
    ) -> Result<bool, Error> {
        if service.fetch_options().refresh.is_none() {
            let tiles = needed.tiles.count() * needed.tilesets.len() as u64;
            return Ok((held_tiles(store).count() as u64) < tiles);
        }
        let plan = tilesight_fetch::plan(&self.path, &needed.keys(), service.fetch_options());
        Ok(plan.map_err(crate::Error::from)?.requests() > 0)
    }

    /// Fetches what the store lacks, and loads meanwhile what it will hold, where that can be told.
    ///
    /// What is loaded is indexed by a pool of threads, of which the calling one may be, and which may
    /// ask for other tiles while it waits for the rest of the pool. So another thread fetches and
    /// holds the lock.
    fn fetch(
        &self,
        needed: &Needed,
        asked: &[StoredTile],
        service: &Service,
    ) -> Result<Option<Loaded>, Error> {
        let (sender, runs) = mpsc::channel();
        thread::scope(|scope| {
            let fetching = scope.spawn(move || self.fetch_in_turn(needed, asked, service, &sender));
            let loaded = runs.iter().map(|run| run.load(asked)).last();
            let fetched = fetching.join().unwrap_or_else(|panic| resume_unwind(panic));
            fetched.map(|()| loaded.flatten())
        })
    }

    /// Fetches when nobody else does; tells of each run before it begins.
    fn fetch_in_turn(
        &self,
        needed: &Needed,
        asked: &[StoredTile],
        service: &Service,
        runs: &Sender<Run>,
    ) -> Result<(), Error> {
        let _one_at_a_time = lock(&self.writing);
        let (begun, fetcher) = (Instant::now(), service.fetcher()?);
        loop {
            // Another thread or process may have fetched them meanwhile.
            let store = self.open(asked)?;
            if !self.lacks(needed, &*store, service)? {
                return Ok(());
            }
            let (sender, arrivals) = mpsc::channel();
            // What is there may be asked for again, so that nobody knows when all has come.
            let may_change = service.fetch_options().refresh.is_some();
            if let Some(before) = Arriving::into(&*store)
                && (before.is_empty() || !may_change)
            {
                // Nobody listens when the other thread panics, which the end of the scope tells.
                let _ = runs.send(Run { before, arrivals });
            }
            drop(store);
            match fetcher.fetch_and_hand_on(&self.path, &needed.keys(), sender) {
                Err(FetchError::Store(tilesight_store::Error::Held { .. }))
                    if begun.elapsed() < LONGEST_WAIT =>
                {
                    thread::sleep(PAUSE);
                }
                outcome => return Ok(outcome.map(drop).map_err(crate::Error::from)?),
            }
        }
    }
}

/// A run that fetches: what the store held before, and what comes.
struct Run {
    before: Arriving,
    arrivals: Receiver<Arrival>,
}

impl Run {
    /// What the store will hold when the run has ended well; none where that cannot be told.
    fn load(self, asked: &[StoredTile]) -> Option<Loaded> {
        let store = self.before.wait_for(asked, &self.arrivals)?;
        // What fails here fails again when it is read from the store.
        Loaded::new(asked.to_vec(), Box::new(store), Stamp::default()).ok()
    }
}

impl Loaded {
    fn new(
        asked: Vec<StoredTile>,
        store: Box<dyn TileStore>,
        stamp: Stamp,
    ) -> Result<Self, crate::Error> {
        Ok(Self {
            asked,
            tiles: store.tiles().to_vec(),
            ledger: store.ledger().cloned().unwrap_or_default(),
            held: held_by_tileset(&*store),
            data: Dataset::of_store(store)?,
            stamp: Mutex::new(stamp),
        })
    }

    fn holds(&self, needed: &Needed) -> bool {
        needed.tilesets.iter().all(|tileset| {
            let held = self.held_of(tileset.name());
            held.is_some_and(|held| needed.tiles.iter().all(|tile| held.contains(tile)))
        })
    }

    fn holds_all_of(&self, other: &Self) -> bool {
        other.held.iter().all(|(tileset, tiles)| {
            let held = self.held_of(tileset);
            held.is_some_and(|held| tiles.difference(held).is_empty())
        })
    }

    fn held_of(&self, tileset: &str) -> Option<&TileRows> {
        let found = self.held.iter().find(|(name, _)| *name == tileset);
        found.map(|(_, tiles)| tiles)
    }

    /// Tells whether the store still says the same of its tiles. It is asked only when its file
    /// has changed, as it does when other tiles are fetched.
    fn is_as_stored(&self, path: &Path) -> Result<bool, Error> {
        let now = Stamp::of(path);
        let mut stamp = lock(&self.stamp);
        if *stamp == now {
            return Ok(true);
        }
        let store = Mbtiles::open_some(path, &self.asked).map_err(crate::Error::from)?;
        let is_same = store.is_some_and(|store| {
            store.tiles() == self.tiles && store.ledger() == Some(&self.ledger)
        });
        if is_same {
            *stamp = now;
        }
        Ok(is_same)
    }
}

impl Stamp {
    fn of(store: &Path) -> Self {
        let mut journal = store.as_os_str().to_owned();
        journal.push("-wal");
        Self([store, Path::new(&journal)].map(|path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.len(), metadata.modified().ok()?))
        }))
    }
}

/// The tiles that a store answers for, empty ones included.
fn held_tiles(store: &dyn TileStore) -> impl Iterator<Item = &StoredTile> {
    let empty = store.ledger().into_iter().flat_map(|ledger| &ledger.empty);
    store.tiles().iter().chain(empty)
}

fn held_by_tileset(store: &dyn TileStore) -> Vec<(&'static str, TileRows)> {
    let tilesets = Tileset::ALL.map(Tileset::name).into_iter();
    let of_tileset = |name| {
        let tiles = held_tiles(store).filter(move |tile| tile.tileset == Some(name));
        let ids: Vec<TileId> = tiles.map(|tile| tile.id).collect();
        let rows = TileRows::from_tiles(Tileset::DATA_ZOOM, ids);
        (!rows.is_empty()).then_some((name, rows))
    };
    tilesets.filter_map(of_tileset).collect()
}

#[cfg(test)]
mod tests;
