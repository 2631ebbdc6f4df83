//! Fetching the tiles of a region into a store.

use std::time::Duration;

use indicatif::ProgressBar;
use tilesight_fetch::{
    Event, FetchOptions, FetchPlan, FetchReport, Fetcher, Manners, TileKey, Tileset,
};
use tilesight_store::TileState;
use tilesight_tile::{TileRows, cover_bbox, cover_region};

use crate::args;
use crate::failure::Failure;
use crate::output::{self, Voice};
use crate::plan::{self, Target};
use crate::service;

/// Tiles that are fetched without being asked twice.
const MANY_TILES: u64 = 20_000;

/// Tiles that are more than anybody is allowed to fetch in a year.
const MAX_TILES: u64 = 20_000_000;

/// Fetches what the store lacks of the region.
pub(crate) fn fetch(typed: &args::Fetch, voice: Voice) -> Result<(), Failure> {
    let tiles = tiles(typed)?;
    let options = options(typed)?;
    let plan = tilesight_fetch::plan(&typed.store, &tiles, &options)?;
    if typed.dry_run {
        return print_plan(&plan, &options);
    }
    if plan.requests() > MANY_TILES && !typed.yes {
        return Err(Failure::usage(format!(
            "these are {} tiles to fetch, {}; add --yes to fetch them, or --dry-run to see more",
            plan.requests(),
            duration(plan.estimated_time)
        )));
    }
    let token = service::token(&typed.service)?;
    let fetcher = Fetcher::new(token, options).map_err(Failure::failed)?;
    let stopper = fetcher.stopper();
    output::stop_on_interrupt(move || stopper.stop());
    let bar = voice.fetch_bar();
    let mut progress = Progress::new(&bar, voice);
    let report = fetcher.fetch(&typed.store, &tiles, |event| progress.follow(event));
    output::end_on_next_interrupt();
    bar.finish_and_clear();
    conclude(&report?, voice)
}

/// Fetches what the store lacks of the region; where that is nothing, needs neither token nor
/// network.
pub(crate) fn fetch_missing(typed: &args::Fetch, voice: Voice) -> Result<(), Failure> {
    let plan = tilesight_fetch::plan(&typed.store, &tiles(typed)?, &options(typed)?)?;
    match plan.requests() {
        0 => Ok(()),
        _ => fetch(typed, voice),
    }
}

fn tiles(typed: &args::Fetch) -> Result<Vec<TileKey>, Failure> {
    let mut tilesets: Vec<_> = typed.tilesets.iter().map(|&word| tileset(word)).collect();
    tilesets.dedup();
    if let Some(without) = tilesets
        .iter()
        .find(|tileset| !tileset.has_zoom(typed.zoom))
    {
        let (word, zoom) = (without.word(), typed.zoom);
        return Err(Failure::usage(format!(
            "{word} have no tiles of zoom {zoom}: --zoom 14"
        )));
    }
    if typed.sparse {
        check_sparse(&tilesets, typed.zoom)?;
    }
    let ids = cover(typed)?;
    let of_tileset = |tileset| ids.iter().map(move |id| TileKey { tileset, id });
    Ok(tilesets.into_iter().flat_map(of_tileset).collect())
}

/// Refuses what would be fetched whole all the same.
fn check_sparse(tilesets: &[Tileset], zoom: u8) -> Result<(), Failure> {
    let has_lines = |tileset: &Tileset| tileset.has_zoom(Tileset::DATA_ZOOM - 1);
    if zoom != Tileset::DATA_ZOOM {
        let message = format!("--sparse leaves out tiles of zoom 14, and these are of {zoom}");
        return Err(Failure::usage(message));
    }
    if !tilesets.iter().any(has_lines) {
        let message = "points and signs have no lines to go by: fetch them without --sparse";
        return Err(Failure::usage(message));
    }
    Ok(())
}

fn cover(typed: &args::Fetch) -> Result<TileRows, Failure> {
    let covered = match (&typed.bbox, &typed.aoi) {
        (Some(bbox), _) => cover_bbox(typed.zoom, bbox, MAX_TILES),
        (_, Some(path)) => cover_region(typed.zoom, &plan::region(path)?, MAX_TILES),
        _ => {
            return Err(Failure::usage(
                "a region is needed: --bbox W,S,E,N or --aoi FILE",
            ));
        }
    };
    covered.map_err(Failure::usage)
}

fn options(typed: &args::Fetch) -> Result<FetchOptions, Failure> {
    let origin = service::tile_origin(typed.tile_url.as_ref())?;
    let defaults = FetchOptions::new(origin).map_err(Failure::failed)?;
    Ok(FetchOptions {
        jobs: typed.jobs,
        manners: Manners {
            rate: Some(typed.service.rate),
            ..defaults.manners
        },
        daily_limit: typed.daily_limit,
        refresh: typed.refresh,
        sparse: typed.sparse,
        ..defaults
    })
}

const fn tileset(word: args::Tileset) -> Tileset {
    match word {
        args::Tileset::Images => Tileset::Images,
        args::Tileset::Computed => Tileset::Computed,
        args::Tileset::Points => Tileset::Points,
        args::Tileset::Signs => Tileset::Signs,
    }
}

fn print_plan(plan: &FetchPlan, options: &FetchOptions) -> Result<(), Failure> {
    let days = match plan.requests().div_ceil(options.daily_limit.max(1)) {
        0 | 1 => "one day".to_owned(),
        days => format!("{days} days"),
    };
    let first_pass = if options.sparse {
        format!(" at most, {} of them for the first pass", plan.first_pass)
    } else {
        String::new()
    };
    let text = format!(
        "tiles      {}\nheld       {}\nrequests   {}{first_pass} (of {} a day: {days})\n\
         bytes      about {} MB\ntime       {}\n",
        plan.tiles,
        plan.held,
        plan.requests(),
        options.daily_limit,
        plan.estimated_bytes.div_ceil(1_000_000),
        duration(plan.estimated_time),
    );
    output::write(&Target::Stdout, |out| Ok(out.write_all(text.as_bytes())?))
}

fn duration(time: Option<Duration>) -> String {
    let seconds = time.unwrap_or_default().as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("about {} s", seconds + 1),
        (0, _) => format!("about {} min", minutes + 1),
        _ => format!("about {hours} h {minutes} min"),
    }
}

/// Most tiles that are named when they could not be fetched.
const MAX_NAMED: usize = 20;

/// What is told while tiles come.
struct Progress<'a> {
    bar: &'a ProgressBar,
    voice: Voice,
    empty: u64,
    failed: u64,
}

impl<'a> Progress<'a> {
    const fn new(bar: &'a ProgressBar, voice: Voice) -> Self {
        Self {
            bar,
            voice,
            empty: 0,
            failed: 0,
        }
    }

    fn follow(&mut self, event: Event) {
        match event {
            Event::Planned(plan) => self.bar.set_length(plan.requests()),
            Event::LeftOut { tiles } => {
                let length = self.bar.length().unwrap_or(0);
                self.bar.set_length(length.saturating_sub(tiles));
            }
            Event::Setback { tile, reason } => {
                let tell = || self.voice.tell(format_args!("{tile}: {reason}"));
                self.bar.suspend(tell);
            }
            Event::Done {
                tile, state, bytes, ..
            } => {
                self.empty += u64::from(state == TileState::Empty);
                self.failed += u64::from(!state.is_held());
                let name = state.name();
                let detail = || {
                    self.voice
                        .detail(format_args!("{tile}: {name}, {bytes} bytes"));
                };
                self.bar.suspend(detail);
                self.bar.inc(1);
                let (empty, failed) = (self.empty, self.failed);
                self.bar
                    .set_message(format!(", {empty} empty, {failed} failed"));
            }
            _ => (),
        }
    }
}

fn conclude(report: &FetchReport, voice: Voice) -> Result<(), Failure> {
    let FetchReport {
        held,
        stored,
        unchanged,
        empty,
        failed,
        left_out,
        first_pass,
        requests,
        bytes,
    } = report;
    voice.conclude(format_args!(
        "{stored} tiles stored ({bytes} bytes), {empty} empty, {unchanged} unchanged, {held} held \
         before; {requests} requests"
    ));
    if *left_out > 0 || *first_pass > 0 {
        let saved = report.saved_requests();
        voice.conclude(format_args!(
            "{left_out} tiles left out and not held, since no line comes near to them; the first \
             pass took {first_pass} requests and saved {saved}"
        ));
    }
    for (tile, reason) in failed.iter().take(MAX_NAMED) {
        voice.warn(format_args!("{tile}: {reason}"));
    }
    if report.is_complete() {
        return Ok(());
    }
    let count = failed.len();
    let message = format!("{count} tiles could not be fetched; the same command tries them again");
    Err(Failure::NotHeld(message))
}
