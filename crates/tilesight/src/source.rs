//! Reading a source: every tile of a store, in parallel, into one dataset.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use tilesight_query::build::{FailedTile, Holding, Part, build};
use tilesight_query::{DATA_ZOOM, Dataset, Tileset};
use tilesight_store::{Metadata, StoredTile, TileStore};
use tilesight_tile::TileId;

use crate::decode::{TileDecoder, Tilesets};
use crate::error::Error;

/// Positions of images as they were recorded.
const RECORDED: &str = "mly1_public";

/// Positions of the same images from reconstruction.
const COMPUTED: &str = "mly1_computed_public";

/// What subfolders of a source may be called.
const TILESET_NAMES: [&str; 4] =
    [RECORDED, COMPUTED, "mly_map_feature_point", "mly_map_feature_traffic_sign"];

/// Most tiles that one thread decodes before it takes others: enough that sequences which cross
/// tiles are mostly kept once, few enough that no thread waits long for the last.
const MAX_TILES_A_PART: usize = 256;

/// Parts for each thread, so that one with few images does not idle.
const PARTS_A_THREAD: usize = 8;

/// How far the reading of a source has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Tiles read so far.
    pub tiles_read: u64,
    /// Tiles to be read.
    pub tiles: u64,
}

/// What was read to make a dataset, beyond what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The name that the source gives itself.
    pub name: Option<String>,
    /// Whom the source says to credit.
    pub attribution: Option<String>,
    /// The tilesets that were read and whose names are known.
    pub tilesets: Vec<&'static str>,
    /// The tilesets that are there and were not read, since others have the same images.
    pub ignored: Vec<&'static str>,
    /// How many rows were left out because they break the tile specification or lack an id.
    pub left_out: u64,
    /// The first tile that has such a row.
    pub left_out_first: Option<TileId>,
}

/// Reads and indexes a source.
pub(crate) fn read(
    path: &Path,
    on_progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Dataset, Source), Error> {
    let store = tilesight_store::open(path, &TILESET_NAMES)?;
    let indices = tiles_to_read(store.tiles());
    let (parts, outcomes) = decode_all(&*store, &indices, on_progress);
    let source = describe(&*store, &indices, &outcomes);
    let dataset = build(parts, holdings(store.metadata(), outcomes))?;
    Ok((dataset, source))
}

/// The tiles of a store but for the images' second positions.
fn tiles_to_read(tiles: &[StoredTile]) -> Vec<usize> {
    let has = |name| tiles.iter().any(|tile| tile.tileset == Some(name));
    let ignored = if has(RECORDED) { Some(COMPUTED) } else { None };
    let is_read = |index: &usize| ignored.is_none() || tiles[*index].tileset != ignored;
    (0..tiles.len()).filter(is_read).collect()
}

/// What became of one tile.
struct Outcome {
    tile: TileId,
    /// The tilesets that it is known to belong to; none of them when nothing is known.
    tilesets: Tilesets,
    left_out: u64,
    /// Why it could not be read.
    failure: Option<String>,
}

/// Decodes tiles into parts that follow each other in their order.
fn decode_all(
    store: &dyn TileStore,
    indices: &[usize],
    on_progress: &(dyn Fn(Progress) + Sync),
) -> (Vec<Part>, Vec<Outcome>) {
    let tiles_read = AtomicU64::new(0);
    let tick = || {
        let tiles_read = tiles_read.fetch_add(1, Ordering::Relaxed) + 1;
        on_progress(Progress { tiles_read, tiles: indices.len() as u64 });
    };
    let parts = rayon::current_num_threads() * PARTS_A_THREAD;
    let tiles_a_part = indices.len().div_ceil(parts).clamp(1, MAX_TILES_A_PART);
    let (parts, outcomes): (Vec<_>, Vec<_>) = indices
        .par_chunks(tiles_a_part)
        .map_init(TileDecoder::new, |decoder, indices| {
            decode_part(store, indices, decoder, &tick)
        })
        .unzip();
    (parts, outcomes.into_iter().flatten().collect())
}

fn decode_part(
    store: &dyn TileStore,
    indices: &[usize],
    decoder: &mut TileDecoder,
    tick: &(dyn Fn() + Sync),
) -> (Part, Vec<Outcome>) {
    let mut part = Part::new();
    let mut bytes = Vec::new();
    let decode = |&index: &usize| {
        let StoredTile { tileset, id } = store.tiles()[index];
        let contents = store
            .read(index, &mut bytes)
            .map_err(|error| error.to_string())
            .and_then(|()| decoder.decode(id, &bytes, &mut part).map_err(|error| error.to_string()));
        tick();
        let (contents, failure) = match contents {
            Ok(contents) => (contents, None),
            Err(reason) => (Default::default(), Some(reason)),
        };
        let named = tileset.and_then(Tileset::from_name).map(Tilesets::only);
        let tilesets = named.unwrap_or(contents.tilesets);
        Outcome { tile: id, tilesets, left_out: contents.left_out, failure }
    };
    let outcomes = indices.iter().map(decode).collect();
    (part, outcomes)
}

fn describe(store: &dyn TileStore, indices: &[usize], outcomes: &[Outcome]) -> Source {
    let Metadata { name, attribution, .. } = store.metadata().clone();
    let tiles = store.tiles();
    let is_held = |name: &&str| tiles.iter().any(|tile| tile.tileset == Some(*name));
    let is_read = |name: &&str| indices.iter().any(|&index| tiles[index].tileset == Some(*name));
    let (tilesets, ignored) =
        TILESET_NAMES.into_iter().filter(is_held).partition(|name| is_read(name));
    let first = outcomes.iter().find(|outcome| outcome.left_out > 0);
    Source {
        name,
        attribution,
        tilesets,
        ignored,
        left_out: outcomes.iter().map(|outcome| outcome.left_out).sum(),
        left_out_first: first.map(|outcome| outcome.tile),
    }
}

/// Tells for each tileset of the source which tiles were there.
fn holdings(metadata: &Metadata, outcomes: Vec<Outcome>) -> Vec<Holding> {
    let tilesets = tilesets_of_source(metadata, &outcomes);
    let empty = |tileset| Holding { bounds: bounds(metadata), ..Holding::nothing(tileset) };
    let mut holdings: Vec<Holding> = tilesets.iter().map(empty).collect();
    for Outcome { tile, tilesets, failure, .. } in outcomes {
        let is_of = |tileset| tilesets.is_empty() || tilesets.contains(tileset);
        for holding in holdings.iter_mut().filter(|holding| is_of(holding.tileset)) {
            match &failure {
                None => holding.tiles.push(tile),
                Some(reason) => {
                    holding.failed.push(FailedTile { tile, reason: reason.clone() });
                }
            }
        }
    }
    holdings
}

/// The tilesets that a source has: those of its tiles and those it declares, or images where
/// neither says anything.
fn tilesets_of_source(metadata: &Metadata, outcomes: &[Outcome]) -> Tilesets {
    let mut tilesets = Tilesets::of_layers(metadata.layers.iter().map(String::as_str));
    for outcome in outcomes {
        tilesets = tilesets.union(outcome.tilesets);
    }
    if tilesets.is_empty() { Tilesets::only(Tileset::Images) } else { tilesets }
}

/// The box that an archive declares, if it goes down to the zoom at which images are.
fn bounds(metadata: &Metadata) -> Option<tilesight_tile::Bbox> {
    let from = metadata.min_zoom.unwrap_or(0);
    let to = metadata.max_zoom.unwrap_or(DATA_ZOOM);
    metadata.bounds.filter(|_| (from..=to).contains(&DATA_ZOOM))
}
