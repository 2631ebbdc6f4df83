//! Reading a source: every tile of a store, in parallel, into one dataset.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use tilesight_query::build::{Builder, FailedTile, Holding, Part};
use tilesight_query::schema::DATA_ZOOM;
use tilesight_query::{Dataset, Tileset};
use tilesight_store::{Ledger, Metadata, StoredTile, TileStore};
use tilesight_tile::TileId;

use crate::decode::{Contents, TileDecoder, Tilesets};
use crate::error::Error;
use crate::import::{ImportedSequence, Imports};

/// Positions of images as they were recorded.
pub(crate) const RECORDED: &str = "mly1_public";

/// Positions of the same images from reconstruction.
pub(crate) const COMPUTED: &str = "mly1_computed_public";

/// What subfolders of a source may be called.
pub(crate) const TILESET_NAMES: [&str; 4] = [
    RECORDED,
    COMPUTED,
    "mly_map_feature_point",
    "mly_map_feature_traffic_sign",
];

/// Most tiles that one thread decodes before it takes others: enough that sequences which cross
/// tiles are mostly kept once, few enough that no thread waits long for the last.
const MAX_TILES_A_PART: usize = 256;

/// Parts for each thread, so that one with few images does not idle.
const PARTS_A_THREAD: usize = 8;

/// Parts for each thread that are decoded before the next are begun.
const PARTS_AT_A_TIME: usize = 2;

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
    /// Size of the tiles that were read in bytes, as they are stored.
    pub bytes: u64,
    /// How many rows were left out because they break the tile specification or lack an id.
    pub left_out: u64,
    /// The first tile that has such a row.
    pub left_out_first: Option<TileId>,
    /// When the first and the last of the tiles were fetched, or found unchanged: milliseconds
    /// since 1970, UTC. Fetched stores alone know.
    pub fetched_at_ms: Option<(i64, i64)>,
    /// The sequences that were [imported](crate::import), ascending by key.
    pub imported: Vec<ImportedSequence>,
}

impl Source {
    /// What was imported of a sequence, if it was.
    pub fn imported(&self, key: &str) -> Option<&ImportedSequence> {
        let imported = &self.imported;
        let at = imported.binary_search_by(|sequence| sequence.key.as_str().cmp(key));
        at.ok().map(|at| &imported[at])
    }

    /// Takes over what was read of a further source. Its name is that of all only where there is
    /// but one.
    fn add(&mut self, other: Self) {
        if self.bytes == 0 && self.tilesets.is_empty() {
            *self = other;
            return;
        }
        self.name = None;
        self.attribution = self.attribution.take().or(other.attribution);
        let is_new = |name: &&str| !self.tilesets.contains(name);
        let new: Vec<_> = other.tilesets.into_iter().filter(is_new).collect();
        self.tilesets.extend(new);
        let is_new = |name: &&str| !self.ignored.contains(name);
        let new: Vec<_> = other.ignored.into_iter().filter(is_new).collect();
        self.ignored.extend(new);
        self.bytes += other.bytes;
        self.left_out += other.left_out;
        self.left_out_first = self.left_out_first.or(other.left_out_first);
        self.fetched_at_ms = match (self.fetched_at_ms, other.fetched_at_ms) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }
}

/// Reads and indexes a source in memory.
pub(crate) fn read(
    path: &Path,
    on_progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Dataset, Source), Error> {
    read_all(&[path], Builder::in_memory(), MAX_TILES_A_PART, on_progress)
}

/// Reads and indexes what a store that is open lists, in memory. All of it on threads of the pool: work
/// that is handed to them from outside waits for them to wake up, time and again.
#[cfg(any(feature = "fetch", feature = "parquet"))]
pub(crate) fn read_store(store: Box<dyn TileStore>) -> Result<(Dataset, Source), Error> {
    let read = |_: &_| read_stores(&[store], Builder::in_memory(), MAX_TILES_A_PART, &|_| ());
    rayon::scope(read)
}

/// Reads sources one after the other into one dataset; `tiles_a_part` are decoded at most before
/// they are handed over.
pub(crate) fn read_all(
    paths: &[&Path],
    builder: Builder,
    tiles_a_part: usize,
    on_progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Dataset, Source), Error> {
    let open = |path: &&Path| tilesight_store::open(path, &TILESET_NAMES);
    let stores = paths.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    read_stores(&stores, builder, tiles_a_part, on_progress)
}

fn read_stores(
    stores: &[Box<dyn TileStore>],
    mut builder: Builder,
    tiles_a_part: usize,
    on_progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Dataset, Source), Error> {
    let mut imports = Imports::of(stores)?;
    let ignored = ignored_tileset(stores);
    let chosen: Vec<Vec<usize>> = stores
        .iter()
        .map(|store| tiles_to_read(store.tiles(), ignored))
        .collect();
    let tiles_read = AtomicU64::new(0);
    let tiles = chosen.iter().map(|indices| indices.len() as u64).sum();
    let tick = || {
        let tiles_read = tiles_read.fetch_add(1, Ordering::Relaxed) + 1;
        on_progress(Progress { tiles_read, tiles });
    };
    let (mut holdings, mut source) = (Vec::new(), Source::default());
    for (store, indices) in stores.iter().zip(&chosen) {
        let mut add = |parts: &[Part]| add_all(&mut builder, &mut imports, parts);
        let outcomes = decode_into(&mut add, &**store, indices, tiles_a_part, &tick)?;
        source.add(describe(&**store, indices, &outcomes));
        holdings.extend(holdings_of(&**store, outcomes, &source.ignored));
    }
    imports.add_to(&mut builder, &holdings)?;
    source.imported = imports.into_sequences();
    Ok((builder.finish(&holdings)?, source))
}

fn holdings_of(
    store: &dyn TileStore,
    outcomes: Vec<Outcome>,
    ignored: &[&'static str],
) -> Vec<Holding> {
    match store.ledger() {
        Some(ledger) => {
            let of_ledger = ledger_outcomes(ledger, ignored);
            holdings_of_ledger(outcomes.into_iter().chain(of_ledger).collect())
        }
        None => holdings(store.metadata(), outcomes),
    }
}

/// The images' second positions, where the first ones are there too.
pub(crate) fn ignored_tileset(stores: &[Box<dyn TileStore>]) -> Option<&'static str> {
    let mut tiles = stores.iter().flat_map(|store| store.tiles());
    tiles
        .any(|tile| tile.tileset == Some(RECORDED))
        .then_some(COMPUTED)
}

/// The tiles of a store but for those of a tileset.
pub(crate) fn tiles_to_read(tiles: &[StoredTile], ignored: Option<&'static str>) -> Vec<usize> {
    let is_read = |index: &usize| ignored.is_none() || tiles[*index].tileset != ignored;
    (0..tiles.len()).filter(is_read).collect()
}

/// What became of one tile.
struct Outcome {
    tile: TileId,
    /// The tilesets that it is known to belong to; none of them when nothing is known.
    tilesets: Tilesets,
    bytes: u64,
    left_out: u64,
    /// Why it could not be read.
    failure: Option<String>,
}

/// Decodes tiles into parts that follow each other in their order, and hands them to `add`: some
/// while the next are decoded.
fn decode_into(
    add: &mut (dyn FnMut(&[Part]) -> Result<(), Error> + Send),
    store: &dyn TileStore,
    indices: &[usize],
    tiles_a_part: usize,
    tick: &(dyn Fn() + Sync),
) -> Result<Vec<Outcome>, Error> {
    let threads = rayon::current_num_threads();
    let even = indices.len().div_ceil(threads * PARTS_A_THREAD);
    let tiles_a_part = even.clamp(1, tiles_a_part);
    let (mut outcomes, mut decoded) = (Vec::new(), Vec::new());
    for batch in indices.chunks(tiles_a_part * threads * PARTS_AT_A_TIME) {
        let (next, added) = rayon::join(
            || decode_all(store, batch, tiles_a_part, tick),
            || add(&decoded),
        );
        added?;
        decoded = next.0;
        outcomes.extend(next.1);
    }
    add(&decoded)?;
    Ok(outcomes)
}

fn add_all(builder: &mut Builder, imports: &mut Imports, parts: &[Part]) -> Result<(), Error> {
    for part in parts {
        imports.note(part);
        builder.add(part)?;
    }
    Ok(())
}

fn decode_all(
    store: &dyn TileStore,
    indices: &[usize],
    tiles_a_part: usize,
    tick: &(dyn Fn() + Sync),
) -> (Vec<Part>, Vec<Outcome>) {
    let (parts, outcomes): (Vec<_>, Vec<_>) = indices
        .par_chunks(tiles_a_part)
        .map_init(TileDecoder::new, |decoder, indices| {
            decode_part(store, indices, decoder, tick)
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
            .and_then(|()| {
                // The times of files change as they are copied: a ledger alone knows.
                let fetched_at_ms = store.ledger().map(|ledger| ledger.fetched_at_ms[index]);
                decoder
                    .decode(id, fetched_at_ms, &bytes, &mut part)
                    .map_err(|error| error.to_string())
            });
        tick();
        let (contents, failure) = match contents {
            Ok(contents) => (contents, None),
            Err(reason) => (Contents::default(), Some(reason)),
        };
        let named = tileset.and_then(Tileset::from_name).map(Tilesets::only);
        let tilesets = named.unwrap_or(contents.tilesets);
        Outcome {
            tile: id,
            tilesets,
            bytes: bytes.len() as u64,
            left_out: contents.left_out,
            failure,
        }
    };
    let outcomes = indices.iter().map(decode).collect();
    (part, outcomes)
}

fn describe(store: &dyn TileStore, indices: &[usize], outcomes: &[Outcome]) -> Source {
    let Metadata {
        name, attribution, ..
    } = store.metadata().clone();
    let tiles = store.tiles();
    let is_held = |name: &&str| tiles.iter().any(|tile| tile.tileset == Some(*name));
    let is_read = |name: &&str| {
        indices
            .iter()
            .any(|&index| tiles[index].tileset == Some(*name))
    };
    let (tilesets, ignored) = TILESET_NAMES
        .into_iter()
        .filter(is_held)
        .partition(|name| is_read(name));
    let first = outcomes.iter().find(|outcome| outcome.left_out > 0);
    Source {
        name,
        attribution,
        tilesets,
        ignored,
        bytes: outcomes.iter().map(|outcome| outcome.bytes).sum(),
        left_out: outcomes.iter().map(|outcome| outcome.left_out).sum(),
        left_out_first: first.map(|outcome| outcome.tile),
        fetched_at_ms: fetched_at_ms(store, indices),
        imported: Vec::new(),
    }
}

fn fetched_at_ms(store: &dyn TileStore, indices: &[usize]) -> Option<(i64, i64)> {
    let times_ms = &store.ledger()?.fetched_at_ms;
    let times_ms = || indices.iter().map(|&index| times_ms[index]);
    times_ms().min().zip(times_ms().max())
}

/// What a ledger knows of tiles that have no bytes: that they are empty, or could not be fetched.
fn ledger_outcomes(ledger: &Ledger, ignored: &[&'static str]) -> Vec<Outcome> {
    let empty = ledger.empty.iter().map(|&tile| (tile, None));
    let failed = ledger.failed.iter();
    let failed = failed.map(|(tile, reason)| (*tile, Some(reason.clone())));
    let is_read = |tile: &StoredTile| tile.tileset.is_none_or(|name| !ignored.contains(&name));
    let outcome = |(tile, failure): (StoredTile, Option<String>)| Outcome {
        tile: tile.id,
        tilesets: tile
            .tileset
            .and_then(Tileset::from_name)
            .map(Tilesets::only)
            .unwrap_or_default(),
        bytes: 0,
        left_out: 0,
        failure,
    };
    let tiles = empty.chain(failed).filter(|(tile, _)| is_read(tile));
    tiles.map(outcome).collect()
}

/// As [`holdings`], of a store whose ledger knows every tile: what it declares adds nothing.
fn holdings_of_ledger(outcomes: Vec<Outcome>) -> Vec<Holding> {
    holdings(&Metadata::default(), outcomes)
}

/// Tells for each tileset of the source which tiles were there.
fn holdings(metadata: &Metadata, outcomes: Vec<Outcome>) -> Vec<Holding> {
    let tilesets = tilesets_of_source(metadata, &outcomes);
    let empty = |tileset| Holding {
        bounds: bounds(metadata),
        ..Holding::nothing(tileset)
    };
    let mut holdings: Vec<Holding> = tilesets.iter().map(empty).collect();
    for Outcome {
        tile,
        tilesets,
        failure,
        ..
    } in outcomes
    {
        let is_of = |tileset| tilesets.is_empty() || tilesets.contains(tileset);
        for holding in holdings.iter_mut().filter(|holding| is_of(holding.tileset)) {
            match &failure {
                None => holding.tiles.push(tile),
                Some(reason) => {
                    holding.failed.push(FailedTile {
                        tile,
                        reason: reason.clone(),
                    });
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
    if tilesets.is_empty() {
        Tilesets::only(Tileset::Images)
    } else {
        tilesets
    }
}

/// The box that an archive declares, if it goes down to the zoom at which images are.
fn bounds(metadata: &Metadata) -> Option<tilesight_tile::Bbox> {
    let from = metadata.min_zoom.unwrap_or(0);
    let to = metadata.max_zoom.unwrap_or(DATA_ZOOM);
    metadata.bounds.filter(|_| (from..=to).contains(&DATA_ZOOM))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Mutex;

    use tempfile::TempDir;
    use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};
    use tilesight_query::{Error::NotHeld, FeatureQuery, ImageQuery, SequenceQuery};

    use super::*;

    /// A tile with a layer of points, of these ids.
    fn tile(layer: &str, ids: &[i64]) -> Vec<u8> {
        let mut points = LayerWriter::new(layer);
        for (x, &id) in ids.iter().enumerate() {
            points.point((x as i32, 0), &[("id", Value::Int(id))]);
        }
        let mut tile = TileWriter::new();
        tile.push(points);
        tile.finish()
    }

    fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (file, bytes) in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
        }
        dir
    }

    fn open(dir: &TempDir) -> (Dataset, Source) {
        read(dir.path(), &|_| ()).unwrap()
    }

    fn ids(data: &Dataset) -> Vec<i64> {
        let everything = ImageQuery {
            allow_partial: true,
            ..ImageQuery::default()
        };
        let mut ids: Vec<_> = data.images(&everything).unwrap().ids().collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn layers_tell_the_tilesets_of_unnamed_tiles() {
        let dir = folder(&[
            ("14/1/2.mvt", tile("image", &[1, 2])),
            ("14/1/3.mvt", tile("traffic_sign", &[3])),
            ("14/1/4.mvt", Vec::new()),
            ("14/1/5.mvt", tile("water", &[])),
        ]);
        let (data, source) = open(&dir);
        assert_eq!(ids(&data), [1, 2]);
        let tiles = data
            .tilesets()
            .iter()
            .map(|held| held.tiles)
            .collect::<Vec<_>>();
        assert_eq!(tiles, [3, 3], "one of each, and the two empty ones");
        assert!(source.bytes > 0);
    }

    #[test]
    fn recorded_positions_come_before_computed_ones() {
        let dir = folder(&[
            ("mly1_public/14/1/2.mvt", tile("image", &[1])),
            ("mly1_computed_public/14/1/2.mvt", tile("image", &[2])),
            ("mly_map_feature_point/14/1/2.mvt", Vec::new()),
        ]);
        let (data, source) = open(&dir);
        assert_eq!(ids(&data), [1]);
        assert_eq!(source.tilesets, [RECORDED, "mly_map_feature_point"]);
        assert_eq!(source.ignored, [COMPUTED]);
        let (data, source) = read(&dir.path().join(COMPUTED), &|_| ()).unwrap();
        assert_eq!(ids(&data), [2]);
        assert_eq!(source.tilesets, [COMPUTED]);
    }

    #[test]
    fn a_broken_tile_is_not_held_and_none_of_its_rows_is() {
        let mut broken = tile("image", &[2]);
        broken.extend_from_slice(&tile("sequence", &[3])[..9]);
        let dir = folder(&[("14/1/2.mvt", tile("image", &[1])), ("14/1/3.mvt", broken)]);
        let (data, _) = open(&dir);
        assert_eq!(ids(&data), [1]);
        let failed = &data.tilesets()[0].failed;
        assert_eq!(failed[0].tile.to_string(), "14/1/3");
        assert!(!failed[0].reason.is_empty());
    }

    #[test]
    fn rows_without_an_id_are_counted() {
        let mut images = LayerWriter::new("image");
        images.point((1, 1), &[("id", Value::Int(7))]);
        images.point((2, 2), &[("captured_at", Value::Int(5))]);
        let mut tile = TileWriter::new();
        tile.push(images);
        let (data, source) = open(&folder(&[("14/1/2.mvt", tile.finish())]));
        assert_eq!((ids(&data), source.left_out), (vec![7], 1));
        assert_eq!(source.left_out_first, TileId::new(14, 1, 2).ok());
    }

    #[test]
    fn nothing_known_of_a_tileset_is_not_an_empty_one() {
        let (data, _) = open(&folder(&[("14/1/2.mvt", tile("image", &[1]))]));
        let asked = FeatureQuery {
            place: tilesight_query::Place::Near {
                target: TileId::new(14, 1, 2).unwrap().origin().to_lon_lat(),
                radius_m: 0.0,
            },
            ..FeatureQuery::default()
        };
        assert!(matches!(data.features(&asked), Err(NotHeld(_))));
    }

    #[test]
    fn progress_ends_with_all_tiles() {
        let dir = folder(&[("14/1/2.mvt", Vec::new()), ("14/1/3.mvt", Vec::new())]);
        let seen = Mutex::new(Vec::new());
        read(dir.path(), &|progress| {
            seen.lock().unwrap().push(progress.tiles_read);
        })
        .unwrap();
        let mut seen = seen.into_inner().unwrap();
        seen.sort_unstable();
        assert_eq!(seen, [1, 2]);
    }

    #[test]
    fn every_name_is_that_of_a_tileset() {
        for name in TILESET_NAMES {
            assert!(Tileset::from_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn real_tiles_are_read_whole() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/tiles");
        if !Path::new(path).exists() {
            println!("skipped: no real tiles at {path}");
            return;
        }
        let (data, source) = read(Path::new(path), &|_| ()).unwrap();
        assert_eq!(source.left_out, 0);
        assert_eq!(data.info().unwrap().images, 10_231 + 31_261 + 8_695);
        let sequences = data.sequences(&SequenceQuery::default()).unwrap();
        assert_eq!(sequences.len() as u64, data.info().unwrap().sequences);
    }
}
