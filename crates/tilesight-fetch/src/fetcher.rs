//! Fetching many tiles into a store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tilesight_store::{About, Known, KnownTiles, StoreWriter, TileState};
use tilesight_tile::TileId;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::client::{Client, Origin, Timeouts};
use crate::politeness::Manners;
use crate::run::{Context, lock, run};
use crate::sparse::{self, Lines};
use crate::tileset::{TileKey, Tileset};
use crate::token::Token;
use crate::{FetchError, RequestError};

/// Where the service's tiles are.
const TILE_ORIGIN: &str = "https://tiles.mapillary.com";

/// Requests in flight at a time.
const JOBS: usize = 4;

/// Largest body: the largest tile known has 142 MB without compression.
const MAX_BODY_BYTES: usize = 160 << 20;

/// Length of a tile of which nothing is known, in bytes, for estimates: about 1,000 images.
const TYPICAL_LENGTH: f64 = 40_000.0;

/// How tiles are fetched.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchOptions {
    /// Where the tiles are; the service's own origin if nothing is said.
    pub tile_origin: Origin,
    /// Requests in flight at a time.
    pub jobs: usize,
    /// How the service is treated.
    pub manners: Manners,
    /// How long a request may take.
    pub timeouts: Timeouts,
    /// Requests a day (UTC) into one store.
    pub daily_limit: u64,
    /// Fetch what is held, too, when it is older than this, but only if it changed.
    pub refresh: Option<Duration>,
    /// Leave out tiles that no line of a sequence comes near to, by a first pass over tiles of
    /// zoom 12 that costs a sixteenth of the requests.
    ///
    /// It concerns images and computed images at zoom 14. What is left out is not known to be
    /// empty: images that make no line, such as a single one, may be there. The store knows
    /// nothing of such tiles, as if they had not been asked for.
    pub sparse: bool,
    /// Largest body that is accepted, as it comes over the wire.
    pub max_body_bytes: usize,
}

impl FetchOptions {
    /// Requests that the service allows a day and application.
    pub const DAILY_LIMIT: u64 = 50_000;

    /// The service as it is, at its default pace.
    ///
    /// # Errors
    ///
    /// None in practice: the origin is a constant.
    pub fn new(tile_origin: Option<Origin>) -> Result<Self, crate::OriginError> {
        let tile_origin = match tile_origin {
            Some(origin) => origin,
            None => TILE_ORIGIN.parse()?,
        };
        Ok(Self {
            tile_origin,
            jobs: JOBS,
            manners: Manners::default(),
            timeouts: Timeouts::default(),
            daily_limit: Self::DAILY_LIMIT,
            refresh: None,
            sparse: false,
            max_body_bytes: MAX_BODY_BYTES,
        })
    }
}

/// What fetching some tiles will take.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FetchPlan {
    /// Tiles asked for.
    pub tiles: u64,
    /// Those that are held and young enough, so that they need no request.
    pub held: u64,
    /// Those that are held and old, so that they are asked for again.
    pub stale: u64,
    /// Tiles of the first pass that [`FetchOptions::sparse`] asks for and that are not held.
    pub first_pass: u64,
    /// Bytes to come, as an estimate.
    pub estimated_bytes: u64,
    /// Least time that it takes at the rate allowed; none where there is no limit.
    pub estimated_time: Option<Duration>,
}

impl FetchPlan {
    /// Requests needed when nothing goes wrong; at most, where a first pass may spare some.
    pub const fn requests(&self) -> u64 {
        self.tiles - self.held + self.first_pass
    }
}

/// Something that happened on the way.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Fetching begins.
    Planned(FetchPlan),
    /// The first pass is over.
    LeftOut {
        /// Tiles that are not asked for, since no line comes near to them.
        tiles: u64,
    },
    /// A request failed; what follows from it is decided already.
    Setback {
        /// Which tile it was for.
        tile: TileKey,
        /// What happened.
        reason: String,
    },
    /// A tile is dealt with, and on its way into the store.
    Done {
        /// Which.
        tile: TileKey,
        /// What became of it.
        state: TileState,
        /// Length of what is stored in bytes.
        bytes: u64,
        /// How many requests it took.
        tries: u32,
    },
}

/// A tile that came and is whole, on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Which.
    pub tile: TileKey,
    /// When it came, as the store will have it: milliseconds since 1970, UTC.
    pub fetched_at_ms: i64,
    /// Its bytes, inflated; none where nothing is on it.
    pub bytes: Option<Vec<u8>>,
}

/// What fetching came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchReport {
    /// Tiles that needed no request.
    pub held: u64,
    /// Tiles stored.
    pub stored: u64,
    /// Tiles that had not changed.
    pub unchanged: u64,
    /// Tiles that hold nothing.
    pub empty: u64,
    /// Tiles that could not be fetched or are none, and why; the next run tries them again.
    pub failed: Vec<(TileKey, String)>,
    /// Tiles that were not asked for, since no line comes near to them; see
    /// [`FetchOptions::sparse`].
    pub left_out: u64,
    /// Tiles of the first pass that told so and were asked for; in no other count of tiles.
    pub first_pass: u64,
    /// Requests made.
    pub requests: u64,
    /// Bytes stored.
    pub bytes: u64,
}

impl FetchReport {
    /// Whether no tile failed: the store can answer for all but those that were left out.
    pub const fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }

    /// Requests that the first pass saved; less than none where it cost more.
    pub const fn saved_requests(&self) -> i64 {
        self.left_out.cast_signed() - self.first_pass.cast_signed()
    }

    /// Adds what a first pass took.
    fn after(self, first_pass: &Self, left_out: u64) -> Self {
        Self {
            left_out,
            first_pass: first_pass.dealt_with(),
            requests: self.requests + first_pass.requests,
            bytes: self.bytes + first_pass.bytes,
            ..self
        }
    }

    const fn dealt_with(&self) -> u64 {
        self.stored + self.unchanged + self.empty + self.failed.len() as u64
    }
}

/// Ends a run from another thread: what is in flight is dropped, what came is kept.
#[derive(Debug, Clone)]
pub struct Stopper(Arc<watch::Sender<bool>>);

impl Stopper {
    /// Ends the run.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// Fetches tiles into a store, any number of times.
///
/// ```no_run
/// use std::path::Path;
/// use tilesight_fetch::{FetchOptions, Fetcher, TileKey, Tileset, Token};
/// use tilesight_tile::{Bbox, cover_bbox};
///
/// let token = Token::new("MLY|…")?;
/// let fetcher = Fetcher::new(token, FetchOptions::new(None)?)?;
/// let market = Bbox::from_degrees(24.92, 60.16, 24.95, 60.18)?;
/// let tiles: Vec<_> = cover_bbox(14, &market, 1_000)?
///     .iter()
///     .map(|id| TileKey { tileset: Tileset::Images, id })
///     .collect();
/// let report = fetcher.fetch(Path::new("market.mbtiles"), &tiles, |_event| ())?;
/// println!("{} tiles, {} of them empty", tiles.len(), report.empty);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Fetcher {
    client: Client,
    options: FetchOptions,
    stop: Arc<watch::Sender<bool>>,
}

impl Fetcher {
    /// Prepares to fetch; nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`RequestError::Connect`] when TLS cannot be set up on this machine.
    pub fn new(token: Token, options: FetchOptions) -> Result<Self, RequestError> {
        Ok(Self {
            client: Client::new(Some(token), options.timeouts)?,
            options,
            stop: Arc::new(watch::Sender::new(false)),
        })
    }

    /// What ends a run of this fetcher from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.stop.clone())
    }

    /// Fetches what a store lacks of some tiles, and no more.
    ///
    /// # Returns
    ///
    /// What became of the tiles. Tiles that failed are in it, not an error: all others were
    /// fetched nevertheless. `on_event` is called as things happen, from one thread.
    ///
    /// # Errors
    ///
    /// [`FetchError`] when the run ended before its end: everything that had come by then is
    /// stored, and the same call goes on from there.
    ///
    /// # Cost
    ///
    /// One request for each tile that is not held, at [`Manners::rate`]. Memory holds the bodies
    /// in flight and a few that wait to be written.
    pub fn fetch(
        &self,
        store: &Path,
        tiles: &[TileKey],
        mut on_event: impl FnMut(Event) + Send,
    ) -> Result<FetchReport, FetchError> {
        self.fetch_to(store, tiles, &mut on_event, None)
    }

    /// Fetches as [`fetch`](Self::fetch) does, and hands on each tile that comes while it is being
    /// stored: before it is compressed and safe, so that what is made of it meanwhile counts only
    /// once this has returned.
    ///
    /// Tiles come in any order; one that the store has already, that did not change or that could
    /// not be fetched does not. The sender is gone once this has returned; a receiver that is gone
    /// before changes nothing.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch).
    ///
    /// # Cost
    ///
    /// That of [`fetch`](Self::fetch), a copy of each tile, and what the receiver keeps of them.
    pub fn fetch_and_hand_on(
        &self,
        store: &Path,
        tiles: &[TileKey],
        arrivals: Sender<Arrival>,
    ) -> Result<FetchReport, FetchError> {
        let fetched = self.fetch_to(store, tiles, &mut |_| (), Some(&arrivals));
        drop(arrivals);
        fetched
    }

    fn fetch_to(
        &self,
        store: &Path,
        tiles: &[TileKey],
        on_event: &mut (dyn FnMut(Event) + Send),
        arrivals: Option<&Sender<Arrival>>,
    ) -> Result<FetchReport, FetchError> {
        let Some(first) = tiles.first() else {
            return Ok(FetchReport::default());
        };
        let writer = Arc::new(Mutex::new(open(store, first.tileset)?));
        let fetched = self.fetch_into(&writer, tiles, on_event, arrivals);
        let closed = Arc::into_inner(writer).map_or(Ok(()), |writer| {
            let writer = writer.into_inner();
            writer.unwrap_or_else(PoisonError::into_inner).close()
        });
        let report = fetched?;
        closed?;
        Ok(report)
    }

    fn fetch_into(
        &self,
        writer: &Arc<Mutex<StoreWriter>>,
        tiles: &[TileKey],
        on_event: &mut (dyn FnMut(Event) + Send),
        arrivals: Option<&Sender<Arrival>>,
    ) -> Result<FetchReport, FetchError> {
        let todo = Todo::new(tiles, &self.options, &|tileset, tiles| {
            lock(writer).known(tileset.name(), tiles)
        })?;
        let mean_length = lock(writer).mean_length(tiles[0].tileset.name())?;
        on_event(Event::Planned(todo.plan(mean_length, &self.options)));
        let Todo {
            held,
            mut jobs,
            first_pass,
            ..
        } = todo;
        let (mut first, mut left_out) = (FetchReport::default(), 0);
        if self.options.sparse {
            first = self.run(writer, first_pass, on_event, None)?;
            left_out = leave_out(&mut jobs, &lock(writer))?;
            on_event(Event::LeftOut { tiles: left_out });
        }
        let report = self.run(writer, jobs, on_event, arrivals)?;
        let report = report.after(&first, left_out);
        Ok(FetchReport { held, ..report })
    }

    fn run(
        &self,
        writer: &Arc<Mutex<StoreWriter>>,
        jobs: Vec<Job>,
        on_event: &mut (dyn FnMut(Event) + Send),
        arrivals: Option<&Sender<Arrival>>,
    ) -> Result<FetchReport, FetchError> {
        let context = Context {
            client: &self.client,
            options: &self.options,
            writer: writer.clone(),
            arrivals,
            stop: self.stop.subscribe(),
        };
        if Handle::try_current().is_err() {
            return run(&context, jobs, on_event);
        }
        // Within another runtime it works on a thread of its own.
        std::thread::scope(|scope| {
            let running = scope.spawn(|| run(&context, jobs, on_event));
            running
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Tells what fetching some tiles would take, without a request and without writing.
    ///
    /// # Errors
    ///
    /// [`FetchError::Store`] when there is a store that cannot be read.
    pub fn plan(&self, store: &Path, tiles: &[TileKey]) -> Result<FetchPlan, FetchError> {
        plan(store, tiles, &self.options)
    }
}

/// Tells what fetching some tiles would take, without a request, a token, or writing.
///
/// # Errors
///
/// [`FetchError::Store`] when there is a store that cannot be read.
pub fn plan(
    store: &Path,
    tiles: &[TileKey],
    options: &FetchOptions,
) -> Result<FetchPlan, FetchError> {
    let reader = KnownTiles::open(store)?;
    let todo = Todo::new(tiles, options, &|tileset, tiles| match &reader {
        Some(reader) => reader.of(tileset.name(), tiles),
        None => Ok(BTreeMap::new()),
    })?;
    let mean_length = match (&reader, tiles.first()) {
        (Some(reader), Some(tile)) => reader.mean_length(tile.tileset.name())?,
        _ => None,
    };
    Ok(todo.plan(mean_length, options))
}

/// A tile to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) tile: TileKey,
    /// Name of the version that is held.
    pub(crate) etag: Option<String>,
    /// Whether the store answers for it as it is.
    pub(crate) is_stale: bool,
}

/// What there is to do for some tiles.
struct Todo {
    tiles: u64,
    held: u64,
    jobs: Vec<Job>,
    /// What tells which of them may be left out.
    first_pass: Vec<Job>,
}

/// What is known of tiles, by tileset.
type KnownOf = BTreeMap<Tileset, BTreeMap<TileId, Known>>;

/// Asks a store what it knows of tiles of a tileset.
type Ask<'a> =
    dyn Fn(Tileset, &[TileId]) -> Result<BTreeMap<TileId, Known>, tilesight_store::Error> + 'a;

impl Todo {
    fn new(tiles: &[TileKey], options: &FetchOptions, ask: &Ask<'_>) -> Result<Self, FetchError> {
        let jobs = jobs(tiles, ask, options.refresh)?;
        let first_pass = if options.sparse {
            self::jobs(&shallow_of(&jobs), ask, options.refresh)?
        } else {
            Vec::new()
        };
        let tiles = tiles.len() as u64;
        let held = tiles - jobs.len() as u64;
        Ok(Self {
            tiles,
            held,
            jobs,
            first_pass,
        })
    }

    fn plan(&self, mean_length: Option<f64>, options: &FetchOptions) -> FetchPlan {
        let requests = (self.jobs.len() + self.first_pass.len()) as f64;
        let rate = options.manners.rate;
        FetchPlan {
            tiles: self.tiles,
            held: self.held,
            stale: self.jobs.iter().filter(|job| job.is_stale).count() as u64,
            first_pass: self.first_pass.len() as u64,
            estimated_bytes: (requests * mean_length.unwrap_or(TYPICAL_LENGTH)) as u64,
            estimated_time: rate.map(|rate| Duration::from_secs_f64(requests / rate)),
        }
    }
}

/// The tiles that need a request.
fn jobs(
    tiles: &[TileKey],
    ask: &Ask<'_>,
    refresh: Option<Duration>,
) -> Result<Vec<Job>, tilesight_store::Error> {
    let known = known_of(tiles, ask)?;
    let young_ms = refresh.map_or(i64::MIN, |age| now_ms().saturating_sub(millis(age)));
    let job = |&tile: &TileKey| {
        let known = known
            .get(&tile.tileset)
            .and_then(|known| known.get(&tile.id));
        let held = known.filter(|known| known.state.is_held());
        let is_needed = held.is_none_or(|held| held.fetched_at_ms < young_ms);
        is_needed.then(|| Job {
            tile,
            etag: held.and_then(|held| held.etag.clone()),
            is_stale: held.is_some(),
        })
    };
    Ok(tiles.iter().filter_map(job).collect())
}

fn known_of(tiles: &[TileKey], ask: &Ask<'_>) -> Result<KnownOf, tilesight_store::Error> {
    let mut by_tileset = BTreeMap::<Tileset, Vec<TileId>>::new();
    for tile in tiles {
        by_tileset.entry(tile.tileset).or_default().push(tile.id);
    }
    let known = |(tileset, tiles): (Tileset, Vec<TileId>)| Ok((tileset, ask(tileset, &tiles)?));
    by_tileset.into_iter().map(known).collect()
}

/// The shallow tiles that tell which tiles may be left out.
fn shallow_of(jobs: &[Job]) -> Vec<TileKey> {
    let around =
        |tile: TileKey| sparse::shallow_around(tile.id).map(move |id| TileKey { id, ..tile });
    let may_go = jobs.iter().filter(|job| may_be_left_out(job));
    let shallow: BTreeSet<_> = may_go.flat_map(|job| around(job.tile)).collect();
    shallow.into_iter().collect()
}

/// Drops the tiles that no line of a shallow tile in the store comes near to, and counts them.
fn leave_out(jobs: &mut Vec<Job>, writer: &StoreWriter) -> Result<u64, FetchError> {
    let needed = jobs.len();
    for tileset in Tileset::ALL {
        let is_in_question = |job: &Job| job.tile.tileset == tileset && may_be_left_out(job);
        let in_question = jobs.iter().filter(|job| is_in_question(job));
        let shallow = in_question.flat_map(|job| sparse::shallow_around(job.tile.id));
        let lines = lines_of(tileset, shallow.collect(), writer)?;
        jobs.retain(|job| !is_in_question(job) || lines.may_pass(job.tile.id));
    }
    Ok((needed - jobs.len()) as u64)
}

/// Reads the shallow tiles of a tileset that the store holds.
fn lines_of(
    tileset: Tileset,
    shallow: BTreeSet<TileId>,
    writer: &StoreWriter,
) -> Result<Lines, tilesight_store::Error> {
    let mut lines = Lines::default();
    if shallow.is_empty() {
        return Ok(lines);
    }
    let shallow: Vec<_> = shallow.into_iter().collect();
    let known = writer.known(tileset.name(), &shallow)?;
    for id in shallow {
        match known.get(&id).map(|known| known.state) {
            Some(TileState::Empty) => lines.add(id, &[]),
            Some(TileState::Stored) => {
                if let Some(bytes) = writer.tile(tileset.name(), id)? {
                    lines.add(id, &bytes);
                }
            }
            _ => (),
        }
    }
    Ok(lines)
}

/// Whether a tile may be left out where no line is: it has lines above it, and the store does not
/// answer for it yet.
fn may_be_left_out(job: &Job) -> bool {
    let TileKey { tileset, id } = job.tile;
    id.z() == Tileset::DATA_ZOOM && tileset.has_zoom(sparse::ZOOM) && !job.is_stale
}

/// Milliseconds since 1970, UTC.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, millis)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn open(store: &Path, tileset: Tileset) -> Result<StoreWriter, tilesight_store::Error> {
    let name = format!("Mapillary {}", tileset.word());
    let layers = serde_json::json!({
        "vector_layers": tileset.layers().iter().map(|id| {
            serde_json::json!({ "id": id, "fields": {} })
        }).collect::<Vec<_>>(),
    });
    let layers = layers.to_string();
    let about = About {
        tileset: tileset.name(),
        metadata: &[
            ("name", &name),
            ("type", "overlay"),
            ("version", "1"),
            ("description", "Street-level imagery coverage, CC BY-SA 4.0"),
            (
                "attribution",
                "<a href=\"https://www.mapillary.com\">Mapillary</a>",
            ),
            ("json", &layers),
        ],
    };
    StoreWriter::open(store, &about)
}
