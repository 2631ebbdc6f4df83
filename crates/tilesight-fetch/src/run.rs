//! The loop that fetches: a few workers, a list of what is left, and a thread that stores.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::hint::black_box;
use std::num::NonZero;
use std::pin::pin;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::{Either, join_all, select};
use tilesight_store::{Outcome, Record, StoreWriter, TileState};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::answer::{self, Answer, TileError};
use crate::client::{Auth, Client, Reply, Request, RequestError};
use crate::content::{Content, Examiners};
use crate::error::FetchError;
use crate::fetcher::{Arrival, Event, FetchOptions, FetchReport, Job, now_ms};
use crate::politeness::{GaveUp, Politeness, Setback};
use crate::tileset::TileKey;

/// Waits before tiles are asked for again that were not found, or were absurdly large.
const LATER: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];

/// Bytes that wait to be stored, so that a slow disk slows the requests down.
const MAX_WAITING_BYTES: u32 = 16 << 20;

/// What a record counts for beyond its tile's bytes.
const RECORD_BYTES: usize = 256;

/// Most records of one transaction.
const MAX_BATCH: usize = 64;

/// A block as large as all that comes and goes at a time.
const LARGE_BLOCK_BYTES: usize = 8 << 20;

/// Requests that are taken from a day's allowance at a time, ahead of being made: at first, and
/// when many were made already. A run that is killed leaves that many counted and not made.
const REQUESTS_AHEAD: [u64; 2] = [16, 512];

/// How long requests in flight may take to end when the run has to.
const GRACE: Duration = Duration::from_secs(2);

const SECONDS_A_DAY: u64 = 86_400;

/// What a run works with.
pub(crate) struct Context<'a> {
    pub(crate) client: &'a Client,
    pub(crate) options: &'a FetchOptions,
    pub(crate) writer: Arc<Mutex<StoreWriter>>,
    pub(crate) arrivals: Option<&'a Sender<Arrival>>,
    pub(crate) stop: watch::Receiver<bool>,
}

/// Fetches tiles until all are dealt with or something ends the run early.
pub(crate) fn run(
    context: &Context<'_>,
    jobs: Vec<Job>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<FetchReport, FetchError> {
    keep_freed_memory();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    // Bodies are examined as many at a time as there are processors to do it.
    builder.max_blocking_threads(available_parallelism().map_or(1, NonZero::get));
    let runtime = builder.enable_all().build().map_err(FetchError::Runtime)?;
    let allowance = Arc::new(Allowance::new(context));
    let admission = {
        let allowance = allowance.clone();
        Box::new(move || allowance.take_one())
    };
    let (sender, receiver) = mpsc::unbounded_channel();
    let (report, ended) = std::thread::scope(|scope| {
        let saving = scope.spawn(|| save_all(receiver, &context.writer));
        let run = Run {
            context,
            politeness: Politeness::new(context.options.manners, admission),
            sender,
            room: Arc::new(Semaphore::new(MAX_WAITING_BYTES as usize)),
            examiners: Arc::default(),
            state: RefCell::new(State::new(jobs)),
            ended: Notify::new(),
            on_event: RefCell::new(on_event),
        };
        let ended = runtime.block_on(run.until_stopped());
        let report = run.into_report();
        // Connections end while the last tiles are stored, and before the store is closed.
        drop(runtime);
        let saved = saving
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // When storing fails, that is why the rest did.
        let ended = saved.map_err(FetchError::from).and(ended);
        (report, ended)
    });
    let returned = allowance.give_back().map_err(FetchError::from);
    ended.and(returned).map(|()| report)
}

/// Lets the allocator keep the memory of bodies that were stored for those that come.
///
/// That of glibc gives free memory back to the system beyond twice the largest block that it has
/// seen come and go; at first that is so little that pages go back and forth for every few tiles,
/// which takes a fifth of the time of a fetch over loopback.
fn keep_freed_memory() {
    drop(black_box(Vec::<u8>::with_capacity(LARGE_BLOCK_BYTES)));
}

/// A record on its way to the store, and the room that it takes there.
type Waiting = (Record, OwnedSemaphorePermit);

/// Stores what comes, as much at a time as has come meanwhile.
fn save_all(
    mut receiver: mpsc::UnboundedReceiver<Waiting>,
    writer: &Mutex<StoreWriter>,
) -> Result<(), tilesight_store::Error> {
    let mut waiting = Vec::new();
    while receiver.blocking_recv_many(&mut waiting, MAX_BATCH) > 0 {
        let (batch, room): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
        lock(writer).commit(&batch)?;
        drop(room);
    }
    Ok(())
}

/// What became of a tile, and when: milliseconds since 1970, UTC.
struct Fetched {
    outcome: Outcome,
    at_ms: i64,
}

impl Fetched {
    fn now(outcome: Outcome) -> Self {
        let at_ms = now_ms();
        Self { outcome, at_ms }
    }
}

/// Tells of a tile that came. Nobody may be listening any more; it is stored all the same.
fn hand_on(arrivals: &Sender<Arrival>, tile: TileKey, fetched_at_ms: i64, bytes: Option<&[u8]>) {
    let _ = arrivals.send(Arrival {
        tile,
        fetched_at_ms,
        bytes: bytes.map(<[u8]>::to_vec),
    });
}

struct Run<'a> {
    context: &'a Context<'a>,
    politeness: Politeness,
    sender: mpsc::UnboundedSender<Waiting>,
    /// Bytes that may still wait to be stored.
    room: Arc<Semaphore>,
    examiners: Arc<Examiners>,
    state: RefCell<State>,
    /// Tells that the run has to end.
    ended: Notify,
    on_event: RefCell<&'a mut (dyn FnMut(Event) + Send)>,
}

struct State {
    left: VecDeque<Job>,
    /// To be asked for again when some time has gone by, and why.
    later: Vec<(Job, TileError)>,
    report: FetchReport,
    /// Why no further request is made.
    end: Option<FetchError>,
}

impl State {
    fn new(jobs: Vec<Job>) -> Self {
        Self {
            left: jobs.into(),
            later: Vec::new(),
            report: FetchReport::default(),
            end: None,
        }
    }
}

impl Run<'_> {
    async fn until_stopped(&self) -> Result<(), FetchError> {
        let mut stop = self.context.stop.clone();
        let stopped = stop.wait_for(|&stopped| stopped);
        match select(pin!(self.all_rounds()), pin!(stopped)).await {
            Either::Left((ended, _)) => ended,
            Either::Right(_) => Err(FetchError::Stopped),
        }
    }

    async fn all_rounds(&self) -> Result<(), FetchError> {
        self.round().await?;
        for wait in LATER {
            let later = std::mem::take(&mut self.state.borrow_mut().later);
            if later.is_empty() {
                return Ok(());
            }
            self.politeness.wait(wait).await;
            self.state.borrow_mut().left = later.into_iter().map(|(job, _)| job).collect();
            self.round().await?;
        }
        let given_up = std::mem::take(&mut self.state.borrow_mut().later);
        for (job, error) in given_up {
            let tries = 1 + LATER.len() as u32;
            self.failed(job.tile, &error, tries).await?;
        }
        Ok(())
    }

    /// Asks for all that is left, unless the run has to end.
    async fn round(&self) -> Result<(), FetchError> {
        let workers = (0..self.context.options.jobs.max(1)).map(|_| self.work());
        let end = async {
            self.ended.notified().await;
            tokio::time::sleep(GRACE).await;
        };
        select(pin!(join_all(workers)), pin!(end)).await;
        self.state.borrow_mut().end.take().map_or(Ok(()), Err)
    }

    async fn work(&self) {
        loop {
            let job = self.state.borrow_mut().left.pop_front();
            let Some(job) = job else { return };
            if let Err(error) = self.fetch(job).await {
                let mut state = self.state.borrow_mut();
                state.left.clear();
                state.end.get_or_insert(error);
                self.ended.notify_one();
            }
        }
    }

    async fn fetch(&self, job: Job) -> Result<(), FetchError> {
        let mut tries = 0;
        let fetched = self
            .politeness
            .run(async || {
                tries += 1;
                self.attempt(&job).await
            })
            .await;
        match fetched {
            Ok(fetched) => self.done(job.tile, fetched, tries).await,
            Err(GaveUp::Failed { error, .. }) => match error {
                TileError::Banned => Err(FetchError::Banned),
                TileError::Token => Err(FetchError::Token),
                TileError::Ended => Ok(()),
                TileError::Request(RequestError::Untrusted(reason)) => {
                    Err(FetchError::Untrusted(reason))
                }
                TileError::NotFound | TileError::Request(RequestError::TooLarge { .. }) => {
                    self.state.borrow_mut().later.push((job, error));
                    Ok(())
                }
                error => self.failed(job.tile, &error, tries).await,
            },
            Err(GaveUp::Closed { until }) => Err(FetchError::Closed { until }),
            Err(GaveUp::OutOfReach { error }) => Err(FetchError::OutOfReach(error.to_string())),
        }
    }

    async fn attempt(&self, job: &Job) -> Result<Fetched, Setback<TileError>> {
        if self.state.borrow().end.is_some() {
            return Err(Setback::Final(TileError::Ended));
        }
        self.state.borrow_mut().report.requests += 1;
        let fetched = self.ask(job).await;
        if let Err(setback) = &fetched {
            let reason = setback.error().to_string();
            self.tell(Event::Setback {
                tile: job.tile,
                reason,
            });
        }
        fetched
    }

    async fn ask(&self, job: &Job) -> Result<Fetched, Setback<TileError>> {
        let request = Request {
            url: self.context.options.tile_origin.url(&job.tile.path()),
            auth: Auth::Query,
            if_none_match: job.etag.as_deref(),
            max_body_bytes: self.context.options.max_body_bytes,
        };
        let reply = self.context.client.get(&request).await;
        match answer::sort(reply.map_err(answer::of_request)?)? {
            Answer::Unchanged if job.etag.is_some() => Ok(Fetched::now(Outcome::Unchanged)),
            Answer::Unchanged => Err(answer::no_tile("nothing was to be unchanged".into())),
            Answer::Body(reply) => self.examine(job.tile, reply).await,
        }
    }

    /// Examines a body on another thread: inflating and checking a large tile takes a second.
    async fn examine(
        &self,
        tile: TileKey,
        mut reply: Reply,
    ) -> Result<Fetched, Setback<TileError>> {
        let body = std::mem::take(&mut reply.body);
        let (examiners, arrivals) = (self.examiners.clone(), self.context.arrivals.cloned());
        let at_ms = now_ms();
        let examine = move || {
            examiners.examine(body, &|bytes| {
                if let Some(arrivals) = &arrivals {
                    hand_on(arrivals, tile, at_ms, bytes);
                }
            })
        };
        let examined = tokio::task::spawn_blocking(examine).await;
        let etag = reply.etag;
        let outcome = match examined.map_err(|error| answer::no_tile(error.to_string()))? {
            Ok(Content::Tile(bytes)) => Outcome::Stored { bytes, etag },
            Ok(Content::Empty) => Outcome::Empty { reason: None, etag },
            Err(reason) => return Err(answer::no_tile(reason)),
        };
        Ok(Fetched { outcome, at_ms })
    }

    async fn done(&self, tile: TileKey, fetched: Fetched, tries: u32) -> Result<(), FetchError> {
        let Fetched { outcome, at_ms } = fetched;
        let (state, bytes) = match &outcome {
            Outcome::Stored { bytes, .. } => (TileState::Stored, bytes.len() as u64),
            Outcome::Unchanged => (TileState::Stored, 0),
            Outcome::Empty { .. } => (TileState::Empty, 0),
            Outcome::Failed { .. } => (TileState::Failed, 0),
            Outcome::Quarantined { .. } => (TileState::Quarantined, 0),
        };
        self.count(tile, &outcome);
        self.tell(Event::Done {
            tile,
            state,
            bytes,
            tries,
        });
        let record = Record {
            tileset: tile.tileset.name(),
            id: tile.id,
            outcome,
            fetched_at_ms: at_ms,
            tries,
        };
        // The receiver is gone when storing failed; its error is the one to tell.
        let room = self.room_for(bytes as usize).await;
        let sent = room.map(|room| self.sender.send((record, room)).is_ok());
        sent.filter(|&sent| sent)
            .map(drop)
            .ok_or(FetchError::Stopped)
    }

    /// Waits for room to wait in; a tile larger than all of it takes all of it.
    async fn room_for(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let wanted = bytes
            .saturating_add(RECORD_BYTES)
            .min(MAX_WAITING_BYTES as usize);
        let room = self.room.clone().acquire_many_owned(wanted as u32);
        room.await.ok()
    }

    async fn failed(&self, tile: TileKey, error: &TileError, tries: u32) -> Result<(), FetchError> {
        let reason = error.to_string();
        let outcome = match error {
            TileError::NotATile(_) => Outcome::Quarantined { reason },
            _ => Outcome::Failed { reason },
        };
        self.done(tile, Fetched::now(outcome), tries).await
    }

    fn count(&self, tile: TileKey, outcome: &Outcome) {
        let report = &mut self.state.borrow_mut().report;
        match outcome {
            Outcome::Stored { bytes, .. } => {
                report.stored += 1;
                report.bytes += bytes.len() as u64;
            }
            Outcome::Unchanged => report.unchanged += 1,
            Outcome::Empty { .. } => report.empty += 1,
            Outcome::Failed { reason } | Outcome::Quarantined { reason } => {
                report.failed.push((tile, reason.clone()));
            }
        }
    }

    fn tell(&self, event: Event) {
        (self.on_event.borrow_mut())(event);
    }

    fn into_report(self) -> FetchReport {
        self.state.into_inner().report
    }
}

/// The requests that a day still allows, counted in the store ahead of being made.
struct Allowance {
    writer: Arc<Mutex<StoreWriter>>,
    daily_limit: u64,
    taken: Mutex<Taken>,
}

/// What was taken from the allowance of a day.
#[derive(Default)]
struct Taken {
    day: i64,
    used: u64,
    left: u64,
}

impl Allowance {
    fn new(context: &Context<'_>) -> Self {
        Self {
            writer: context.writer.clone(),
            daily_limit: context.options.daily_limit,
            taken: Mutex::default(),
        }
    }

    fn take_one(&self) -> Result<(), SystemTime> {
        let mut taken = lock(&self.taken);
        let day = today();
        if taken.day != day || taken.left == 0 {
            let [least, most] = REQUESTS_AHEAD;
            let wanted = taken.used.clamp(least, most);
            let more = lock(&self.writer).take_requests(day, wanted, self.daily_limit);
            taken.day = day;
            // A store that cannot count cannot store either, and will say so.
            taken.left = more.unwrap_or(wanted);
        }
        taken.left = taken.left.checked_sub(1).ok_or_else(|| start_of(day + 1))?;
        taken.used += 1;
        Ok(())
    }

    fn give_back(&self) -> Result<(), tilesight_store::Error> {
        match *lock(&self.taken) {
            Taken { left: 0, .. } => Ok(()),
            Taken { day, left, .. } => lock(&self.writer).give_back_requests(day, left),
        }
    }
}

/// Days since 1970, UTC.
fn today() -> i64 {
    now_ms().div_euclid(1000 * SECONDS_A_DAY as i64)
}

fn start_of(day: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(day).unwrap_or(0) * SECONDS_A_DAY)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic leaves behind is whole: transactions are rolled back.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
