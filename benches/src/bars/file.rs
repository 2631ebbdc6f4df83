//! The dataset file: how it is built, opened and held in memory.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tilesight::{Bbox, Dataset, ImageQuery, Place};

use super::{Limit, Places, Record};
use crate::query::plan_world;

/// Boxes asked before memory is looked at.
const BOXES: usize = 1_000;

/// How often the memory of another process is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How often something short is measured; the median counts.
const REPEATS: usize = 25;

/// Opens the dataset of a world: its file where there is one, else its tiles, indexed in memory.
///
/// # Errors
///
/// When neither can be read.
pub fn open_dataset(places: &Places) -> Result<Dataset> {
    let file = places.dataset();
    let source = if file.exists() { file } else { places.tiles() };
    Ok(Dataset::open(source)?)
}

/// What building cost.
#[derive(Debug, Clone, Copy)]
pub struct Built {
    /// How long it took.
    pub time: Duration,
    /// The most memory of its own that the process was seen to have. Pages of temporary files are
    /// not part of it: the system takes them back whenever it wants to.
    pub peak_bytes: u64,
}

/// Builds the dataset file of a world from its tiles, looking at the program's memory as it goes.
///
/// # Errors
///
/// When the program is not there or fails.
pub fn build(places: &Places) -> Result<Built> {
    let start = Instant::now();
    let mut child = Command::new(program())
        .arg("build")
        .arg(places.tiles())
        .arg("-o")
        .arg(places.dataset())
        .arg("--overwrite")
        .spawn()
        .with_context(|| format!("cannot run {}", program().display()))?;
    let mut peak_bytes = 0;
    loop {
        // It cannot be read any more when the process has ended.
        let now_bytes = status_bytes(&child.id().to_string(), "RssAnon:");
        peak_bytes = now_bytes.unwrap_or_default().max(peak_bytes);
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "tilesight build failed");
            return Ok(Built {
                time: start.elapsed(),
                peak_bytes,
            });
        }
        thread::sleep(LOOK);
    }
}

/// The program `tilesight`, which is built into the same folder as this one.
fn program() -> PathBuf {
    let this = env::current_exe().unwrap_or_default();
    this.with_file_name(format!("tilesight{}", env::consts::EXE_SUFFIX))
}

fn run(arguments: &[PathBuf]) -> Result<()> {
    let status = Command::new(program())
        .args(arguments)
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {}", program().display()))?;
    ensure!(status.success(), "tilesight {arguments:?} failed");
    Ok(())
}

/// Measures what is said of the dataset file: how large it is, how fast it opens, how much of it
/// stays in memory.
///
/// # Errors
///
/// When it cannot be built or opened.
pub fn measure_file(images: u64) -> Result<Record> {
    let places = Places::of(images);
    if !places.dataset().exists() {
        build(&places)?;
    }
    let boxes = boxes(images)?;
    let size = fs::metadata(places.dataset())?.len() as f64;
    // Memory first, as long as this process has touched nothing else.
    let resident = resident_after(&places, &boxes)?;
    let mut limits = vec![
        limit(
            "bytes an image in the file",
            size / images as f64,
            48.0,
            "B",
        ),
        limit(
            &format!("resident memory after opening it and {BOXES} boxes"),
            resident / 1e6,
            size * 0.05 / 1e6 + 20.0,
            "MB",
        ),
    ];
    limits.extend(opening(&places, &boxes[0])?);
    Ok(Record {
        limits,
        ..Record::default()
    })
}

fn limit(title: &str, value: f64, at_most: f64, unit: &str) -> Limit {
    Limit {
        title: title.to_owned(),
        value,
        at_most,
        unit: unit.to_owned(),
    }
}

/// Boxes of about 200 m in the middle of tiles spread over the world.
fn boxes(images: u64) -> Result<Vec<Bbox>> {
    let tiles: Vec<_> = plan_world(images).tile_ids().collect();
    let spread = (0..BOXES).map(|i| tiles[i * tiles.len() / BOXES]);
    spread
        .map(|tile| {
            let middle = tile.grid_box();
            let at = tilesight::GridPoint {
                x: middle.min_x + (tile.side() / 2) as u32,
                y: middle.min_y + (tile.side() / 2) as u32,
            }
            .to_lon_lat();
            let (lon, lat) = (at.lon(), at.lat());
            Ok(Bbox::from_degrees(
                lon - 0.0018,
                lat - 0.0009,
                lon + 0.0018,
                lat + 0.0009,
            )?)
        })
        .collect()
}

fn ask(data: &Dataset, bbox: &Bbox) -> Result<usize> {
    let query = ImageQuery {
        place: Place::Bbox(*bbox),
        allow_partial: true,
        ..ImageQuery::default()
    };
    Ok(data.images(&query)?.ids().count())
}

/// Bytes of this process that are in memory once boxes were asked.
fn resident_after(places: &Places, boxes: &[Bbox]) -> Result<f64> {
    let data = open_dataset(places)?;
    for bbox in boxes {
        ask(&data, bbox)?;
    }
    Ok(status_bytes("self", "VmRSS:")? as f64)
}

/// An entry of what Linux tells of a process, in bytes.
fn status_bytes(process: &str, entry: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(entry));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes = kilobytes.with_context(|| format!("the system does not tell {entry}"))?;
    Ok(kilobytes.trim().parse::<u64>()? * 1024)
}

fn opening(places: &Places, bbox: &Bbox) -> Result<Vec<Limit>> {
    let mut opens = Vec::new();
    let mut first_answers = Vec::new();
    let mut programs = Vec::new();
    let (west, south, east, north) = (bbox.west(), bbox.south(), bbox.east(), bbox.north());
    let question = [
        "images".into(),
        places.dataset(),
        format!("--bbox={west},{south},{east},{north}").into(),
        "--count".into(),
    ];
    for _ in 0..REPEATS {
        let start = Instant::now();
        let data = open_dataset(places)?;
        opens.push(start.elapsed());
        ask(&data, bbox)?;
        first_answers.push(start.elapsed());
        let start = Instant::now();
        run(&question)?;
        programs.push(start.elapsed());
    }
    forget_pages(&places.dataset())?;
    let start = Instant::now();
    ask(&open_dataset(places)?, bbox)?;
    let cold = start.elapsed();
    Ok(vec![
        limit("opening it, warm pages", micros(median(opens)), 100.0, "µs"),
        limit(
            "opening it and the first box, warm pages",
            millis(median(first_answers)),
            2.0,
            "ms",
        ),
        limit(
            "opening it and the first box, from disk",
            millis(cold),
            30.0,
            "ms",
        ),
        limit(
            "the whole program, warm pages",
            millis(median(programs)),
            10.0,
            "ms",
        ),
    ])
}

/// Has the system drop what it keeps of a file: reading nothing of it with `nocache` asks for
/// just that.
fn forget_pages(path: &Path) -> Result<()> {
    let status = Command::new("dd")
        .arg(format!("if={}", path.display()))
        .args(["iflag=nocache", "count=0", "status=none"])
        .status()
        .context("cannot run dd")?;
    ensure!(status.success(), "dd failed");
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
