//! Partitions that are written by several processes, each its share of the tiles of a source.

use std::collections::BTreeSet;
use std::path::Path;

use rayon::prelude::*;
use tilesight_query::ImageQuery;
use tilesight_query::schema::DATA_ZOOM;
use tilesight_store::{Ledger, Metadata, StoredTile, TileStore};
use tilesight_tile::TileId;

use super::{Partitioned, Partitions};
use crate::source::{self, COMPUTED, RECORDED, TILESET_NAMES};
use crate::{Dataset, Error, is_dataset_file};

/// What became of a share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared {
    /// The tiles whose images were written: mostly those of the share. An image whose position lies
    /// beyond its tile is written where it is.
    pub tiles: Vec<TileId>,
    /// What was written.
    pub done: Partitioned,
    /// The ids of all images on the share's tiles, whatever the filter. Where two shares have an id
    /// in common the tile that was fetched last has it, which each of them alone cannot tell. None
    /// where the source is a dataset file, which has each image once.
    pub ids: Vec<i64>,
}

impl Partitions {
    /// The shares in which a source can be partitioned: lists of tiles of [`zoom`](Self::zoom), for
    /// [`write_share`](Self::write_share). No tile is read.
    ///
    /// # Returns
    ///
    /// A share for each tile below which the source has something; one share of all of them where
    /// sequences were [imported](crate::import), which lie across tiles.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] or [`Error::Open`] when there is no such source, [`Error::Position`] when
    /// the zoom is beyond the deepest.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight::formats::Partitions;
    ///
    /// let partitions = Partitions { zoom: 13, ..Partitions::default() };
    /// let folder = tempfile::tempdir()?;
    /// let mut rows = 0;
    /// for share in partitions.shares("../../fixtures/town".as_ref())? {
    ///     let town = "../../fixtures/town".as_ref();
    ///     rows += partitions.write_share(town, &share, folder.path())?.done.written.rows;
    /// }
    /// assert_eq!(rows, 6_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shares(&self, source: &Path) -> Result<Vec<Vec<TileId>>, Error> {
        // Refuses a zoom that there is not.
        TileId::new(self.zoom, 0, 0)?;
        if is_dataset_file(source) {
            let tiles = self.tiles_with_images(&Dataset::open(source)?)?;
            return Ok(tiles.into_iter().map(|tile| vec![tile]).collect());
        }
        let store = tilesight_store::open(source, &TILESET_NAMES)?;
        let Some(division) = Division::of(&*store, self.zoom) else {
            // Says what is missing.
            return self.missing(&Dataset::open(source)?).map(|_| Vec::new());
        };
        let tiles = tiles_of_images(&*store).map(|tile| division.share_of(tile));
        let tiles: BTreeSet<TileId> = tiles.collect();
        Ok(if store.additions()?.is_empty() {
            tiles.into_iter().map(|tile| vec![tile]).collect()
        } else {
            vec![tiles.into_iter().collect()]
        })
    }

    /// Writes the images of a share of a source, as [`write`](Self::write) writes all of them.
    ///
    /// Files are written beside their places and moved there, and replace what is there: writing a
    /// share again changes nothing, however the first time ended.
    ///
    /// # Returns
    ///
    /// What was written. Of a dataset file the files are those that `write` makes, byte for byte; of
    /// tiles they have the same rows, in the order in which the share alone puts them.
    ///
    /// # Errors
    ///
    /// As [`Dataset::open`] and [`write`](Self::write).
    ///
    /// # Cost
    ///
    /// That of [`Dataset::open`] for the tiles of the share, after a look at the list of all.
    pub fn write_share(
        &self,
        source: &Path,
        share: &[TileId],
        folder: &Path,
    ) -> Result<Shared, Error> {
        self.check()?;
        if is_dataset_file(source) {
            let tiles = share.to_vec();
            return self.write_tiles(&Dataset::open(source)?, tiles, folder);
        }
        let store = tilesight_store::open(source, &TILESET_NAMES)?;
        let data = Dataset::of_store(Box::new(Under::new(store, self.zoom, share)))?;
        let everything = ImageQuery {
            allow_partial: true,
            ..ImageQuery::default()
        };
        let written = self.write_tiles(&data, self.tiles_with_images(&data)?, folder)?;
        Ok(Shared {
            ids: data.images(&everything)?.to_ids(),
            ..written
        })
    }

    fn write_tiles(
        &self,
        data: &Dataset,
        tiles: Vec<TileId>,
        folder: &Path,
    ) -> Result<Shared, Error> {
        // Fails where tiles failed, unless that is allowed.
        self.missing(data)?;
        let mut done = Partitioned::default();
        for &tile in &tiles {
            done.add(self.write_tile(data, tile, folder, &mut |_| ())?);
        }
        Ok(Shared {
            tiles,
            done,
            ids: Vec::new(),
        })
    }
}

/// How tiles are divided into shares.
struct Division {
    zoom: u8,
    /// Where tiles of other zooms than that of all images belong: a share that has such.
    elsewhere: TileId,
}

impl Division {
    /// That of a store; none where nothing is in it.
    fn of(store: &dyn TileStore, zoom: u8) -> Option<Self> {
        let of_data_zoom = tiles_of_images(store).filter(|tile| tile.z() == DATA_ZOOM);
        let first = of_data_zoom
            .min()
            .or_else(|| tiles_of_images(store).min())?;
        let elsewhere = at_zoom(first, zoom);
        Some(Self { zoom, elsewhere })
    }

    fn share_of(&self, tile: TileId) -> TileId {
        if tile.z() == DATA_ZOOM {
            at_zoom(tile, self.zoom)
        } else {
            self.elsewhere
        }
    }
}

/// The tiles of a store on which images may be, failed ones included.
fn tiles_of_images(store: &dyn TileStore) -> impl Iterator<Item = TileId> {
    let failed = store.ledger().into_iter().flat_map(|ledger| &ledger.failed);
    let tiles = store.tiles().iter().chain(failed.map(|(tile, _)| tile));
    tiles.filter(|tile| has_images(tile)).map(|tile| tile.id)
}

/// Whether images may be on a tile.
fn has_images(tile: &StoredTile) -> bool {
    tile.tileset
        .is_none_or(|name| [RECORDED, COMPUTED].contains(&name))
}

/// The tile of a zoom that a tile lies on; of those on a tile the one in the north-west.
fn at_zoom(tile: TileId, zoom: u8) -> TileId {
    let (x, y) = if tile.z() >= zoom {
        let shift = tile.z() - zoom;
        (tile.x() >> shift, tile.y() >> shift)
    } else {
        let shift = zoom - tile.z();
        (tile.x() << shift, tile.y() << shift)
    };
    // It lies on the grid of its zoom as the other does on that of its own.
    TileId::new(zoom, x, y).unwrap_or(tile)
}

/// The tiles of a store that have images and belong to a share: all others might as well not be
/// there.
#[derive(Debug)]
struct Under {
    store: Box<dyn TileStore>,
    /// Numbers in the store.
    indices: Vec<usize>,
    tiles: Vec<StoredTile>,
    ledger: Option<Ledger>,
}

impl Under {
    fn new(store: Box<dyn TileStore>, zoom: u8, share: &[TileId]) -> Self {
        let share: BTreeSet<&TileId> = share.iter().collect();
        let division = Division::of(&*store, zoom);
        let is_of = |tile: &StoredTile| {
            let of = division.as_ref().map(|division| division.share_of(tile.id));
            has_images(tile) && of.is_some_and(|of| share.contains(&of))
        };
        // What is ignored follows from all tiles.
        let stores = [store];
        let indices = source::tiles_to_read(stores[0].tiles(), source::ignored_tileset(&stores));
        let [store] = stores;
        let all = store.tiles();
        let indices: Vec<usize> = indices.into_iter().filter(|&at| is_of(&all[at])).collect();
        let ledger = store.ledger().map(|ledger| Ledger {
            fetched_at_ms: indices.iter().map(|&at| ledger.fetched_at_ms[at]).collect(),
            empty: ledger.empty.iter().copied().filter(is_of).collect(),
            failed: ledger
                .failed
                .iter()
                .filter(|(tile, _)| is_of(tile))
                .cloned()
                .collect(),
        });
        Self {
            tiles: indices.iter().map(|&at| all[at]).collect(),
            indices,
            ledger,
            store,
        }
    }
}

impl TileStore for Under {
    fn tiles(&self) -> &[StoredTile] {
        &self.tiles
    }

    fn read(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), tilesight_store::Error> {
        self.store.read(self.indices[index], bytes)
    }

    fn metadata(&self) -> &Metadata {
        self.store.metadata()
    }

    fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_ref()
    }

    fn additions(&self) -> Result<Vec<String>, tilesight_store::Error> {
        self.store.additions()
    }
}

/// Finds the shares that have ids in common.
///
/// # Returns
///
/// Lists of two or more numbers of shares, ascending, each once: those that some id is in. They have
/// to be written again as one share, which sees which tile was fetched last.
///
/// # Cost
///
/// That of sorting the ids; where there are too many, ask about those of one remainder after the
/// other.
///
/// ```
/// use tilesight::formats::in_several;
///
/// assert_eq!(in_several(&[vec![17, 18], vec![19], vec![18, 18]]), [[0, 2]]);
/// ```
pub fn in_several(ids: &[Vec<i64>]) -> Vec<Vec<usize>> {
    let numbered = ids.iter().enumerate();
    let each = |(share, ids): (usize, &Vec<i64>)| ids.iter().map(move |&id| (id, share)).collect();
    let mut sorted: Vec<(i64, usize)> = numbered.flat_map::<Vec<_>, _>(each).collect();
    sorted.par_sort_unstable();
    sorted.dedup();
    let of_one_id = sorted
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|same| same.len() > 1);
    let shares = of_one_id.map(|same| same.iter().map(|&(_, share)| share).collect());
    shares.collect::<BTreeSet<_>>().into_iter().collect()
}
