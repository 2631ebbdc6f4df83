//! Fetching the tiles of a place into a store.

use std::path::PathBuf;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tilesight::Place as Asked;
use tilesight::fetch::{
    Event, FetchOptions, FetchReport, Fetcher, Manners, Origin, TileKey, Tileset, Token,
};
use tilesight_tile::{TileRows, cover_bbox, cover_region};

use crate::error::raise;
use crate::place::Place;
use crate::watch::{Work, watch};

/// How tiles are fetched.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct FetchWords {
    token: String,
    tile_url: Option<String>,
    rate: Option<f64>,
    jobs: usize,
    daily_limit: u64,
    refresh_s: Option<f64>,
    sparse: bool,
    max_tiles: u64,
}

impl FetchWords {
    fn options(&self) -> PyResult<FetchOptions> {
        let origin = self.tile_url.as_ref().map(|url| url.parse::<Origin>());
        let origin = origin.transpose().map_err(wrong)?;
        let defaults = FetchOptions::new(origin).map_err(wrong)?;
        let refresh = self.refresh_s.map(Duration::try_from_secs_f64);
        Ok(FetchOptions {
            jobs: self.jobs,
            manners: Manners {
                rate: self.rate,
                ..defaults.manners
            },
            daily_limit: self.daily_limit,
            refresh: refresh.transpose().map_err(wrong)?,
            sparse: self.sparse,
            ..defaults
        })
    }
}

/// What became of the tiles.
#[derive(IntoPyObject)]
pub struct Report {
    held: u64,
    stored: u64,
    unchanged: u64,
    empty: u64,
    failed: Vec<(String, String)>,
    left_out: u64,
    requests: u64,
    bytes: u64,
}

/// Fetches what a store lacks of a place.
#[pyfunction]
pub fn fetch(
    py: Python<'_>,
    store: PathBuf,
    place: Py<Place>,
    tilesets: Vec<String>,
    words: FetchWords,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<Report> {
    let ids = cover(&place.get().asked(), words.max_tiles)?;
    let tilesets: Vec<Tileset> = tilesets
        .iter()
        .map(|word| tileset(word))
        .collect::<Result<_, _>>()?;
    let of_tileset = |&tileset| ids.iter().map(move |id| TileKey { tileset, id });
    let tiles: Vec<TileKey> = tilesets.iter().flat_map(of_tileset).collect();
    let token = Token::new(&words.token).map_err(wrong)?;
    let fetcher = Fetcher::new(token, words.options()?).map_err(wrong)?;
    let stopper = fetcher.stopper();
    let report = watch(
        py,
        on_progress.as_ref(),
        || stopper.stop(),
        |work| {
            let mut progress = Progress::default();
            fetcher.fetch(&store, &tiles, |event| progress.follow(&event, work))
        },
    )?;
    Ok(report.map_err(raise)?.into())
}

impl From<FetchReport> for Report {
    fn from(report: FetchReport) -> Self {
        let failed = report.failed.into_iter();
        Self {
            held: report.held,
            stored: report.stored,
            unchanged: report.unchanged,
            empty: report.empty,
            failed: failed
                .map(|(tile, reason)| (tile.to_string(), reason))
                .collect(),
            left_out: report.left_out,
            requests: report.requests,
            bytes: report.bytes,
        }
    }
}

/// Tiles that are dealt with, of those that have to be.
#[derive(Default)]
struct Progress {
    done: u64,
    total: u64,
}

impl Progress {
    fn follow(&mut self, event: &Event, work: &Work) {
        match event {
            Event::Planned(plan) => self.total = plan.requests(),
            Event::LeftOut { tiles } => self.total = self.total.saturating_sub(*tiles),
            Event::Done { .. } => self.done += 1,
            _ => (),
        }
        work.note(self.done, self.total);
    }
}

fn cover(place: &Asked, max_tiles: u64) -> PyResult<TileRows> {
    let zoom = Tileset::DATA_ZOOM;
    match place {
        Asked::Bbox(bbox) => cover_bbox(zoom, bbox, max_tiles).map_err(raise),
        Asked::Region(region) => cover_region(zoom, region, max_tiles).map_err(raise),
        _ => Err(wrong(
            "a box or a region is fetched: bbox=(24.92, 60.16, 24.95, 60.18)",
        )),
    }
}

fn tileset(word: &str) -> PyResult<Tileset> {
    let named = Tileset::ALL
        .into_iter()
        .find(|tileset| tileset.word() == word);
    named.ok_or_else(|| {
        wrong(format!(
            "{word:?} is none of images, computed, points and signs"
        ))
    })
}

fn wrong(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}
