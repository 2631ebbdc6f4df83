//! Prints how long it takes to fetch 2,000 tiles of 20 KB over loopback, without a limit, against
//! curl on the same addresses.
//!
//! ```sh
//! cargo run --release -p tilesight-benches --bin fetch
//! ```
//!
//! The fetcher checks, compresses and stores what comes. curl throws it away: making 2,000 files
//! takes some file systems longer than all the rest. What both brought is compared with what was
//! served in a first round that is not timed. Each has its turn in every round; where curl is missing
//! this says so and times the fetcher alone.
#![expect(clippy::print_stdout, reason = "it is a program that prints a table")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use tempfile::TempDir;
use tilesight_benches::tiles;
use tilesight_fault_server::FaultServer;
use tilesight_fetch::{FetchOptions, Fetcher, Manners, TileKey, Tileset, Token};
use tilesight_store::{Mbtiles, TileStore};
use tilesight_tile::TileId;

const TILES: u32 = 2_000;

/// Images that make a tile of 20 KB.
const IMAGES_A_TILE: u64 = 320;

/// Requests at a time, of both.
const JOBS: usize = 16;

const ROUNDS: usize = 15;

/// Bodies by tile.
type Served = BTreeMap<TileId, Vec<u8>>;

fn main() -> Result<()> {
    let served: Served = (0..TILES).map(tile).collect::<Result<_>>()?;
    let bodies = served.iter().map(|(id, body)| (path(*id), body.clone()));
    let server = FaultServer::start(bodies.collect())?;
    let has_curl = Command::new("curl")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok();
    if !has_curl {
        println!("SKIPPED: there is no curl to compare with");
    }
    let (mut ours, mut curls) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let folder = tempfile::tempdir()?;
        let took = fetch(&server, &served, &folder, round == 0)?;
        ours.push(took);
        if has_curl {
            curls.push(curl(&server, &served, &folder, round == 0)?);
        }
    }
    let mean_length = served.values().map(Vec::len).sum::<usize>() / served.len();
    println!("{TILES} tiles of {mean_length} bytes, {JOBS} at a time, median of {ROUNDS} rounds");
    let ours = report("tilesight", &mut ours);
    if has_curl {
        let curl = report("curl", &mut curls);
        println!(
            "curl takes {:.2} times as long",
            curl.as_secs_f64() / ours.as_secs_f64()
        );
    }
    Ok(())
}

fn tile(number: u32) -> Result<(TileId, Vec<u8>)> {
    let id = TileId::new(14, 9_000 + number % 50, 4_700 + number / 50)?;
    let body = tiles::made_from(u64::from(number) + 1, IMAGES_A_TILE);
    Ok((id, body))
}

fn path(id: TileId) -> String {
    format!("/maps/vtp/{}/2/{id}", Tileset::Images.name())
}

fn fetch(server: &FaultServer, served: &Served, folder: &TempDir, check: bool) -> Result<Duration> {
    let store = folder.path().join("town.mbtiles");
    let defaults = FetchOptions::new(Some(server.origin().parse()?))?;
    let options = FetchOptions {
        jobs: JOBS,
        manners: Manners {
            rate: None,
            ..defaults.manners
        },
        ..defaults
    };
    let fetcher = Fetcher::new(Token::new("token")?, options)?;
    let tileset = Tileset::Images;
    let tiles: Vec<_> = served.keys().map(|&id| TileKey { tileset, id }).collect();
    let begun = Instant::now();
    let report = fetcher.fetch(&store, &tiles, |_| ())?;
    let took = begun.elapsed();
    ensure!(report.stored == u64::from(TILES), "{report:?}");
    if check {
        check_store(&store, served)?;
    }
    Ok(took)
}

fn check_store(store: &Path, served: &Served) -> Result<()> {
    let store = Mbtiles::open(store)?;
    ensure!(store.tiles().len() == served.len());
    let (mut gzipped, mut bytes) = (Vec::new(), Vec::new());
    for (index, tile) in store.tiles().iter().enumerate() {
        store.read(index, &mut gzipped)?;
        bytes.clear();
        GzDecoder::new(&gzipped[..]).read_to_end(&mut bytes)?;
        ensure!(served.get(&tile.id) == Some(&bytes), "{} differs", tile.id);
    }
    Ok(())
}

fn curl(server: &FaultServer, served: &Served, folder: &TempDir, check: bool) -> Result<Duration> {
    let file = |id: TileId| folder.path().join(format!("{}-{}.mvt", id.x(), id.y()));
    let mut config = String::new();
    for &id in served.keys() {
        let (origin, path, file) = (server.origin(), path(id), file(id));
        let output = if check { file } else { "/dev/null".into() };
        let output = output.display();
        writeln!(config, "url = \"{origin}{path}?access_token=token\"")?;
        writeln!(config, "output = \"{output}\"")?;
    }
    let list = folder.path().join("list");
    fs::write(&list, config)?;
    let mut curl = Command::new("curl");
    curl.args(["--no-progress-meter", "--fail", "--parallel"]);
    curl.args(["--parallel-max", &JOBS.to_string(), "--config"])
        .arg(list);
    let begun = Instant::now();
    let status = curl.status()?;
    let took = begun.elapsed();
    ensure!(status.success(), "curl ended with {status}");
    for (&id, body) in served.iter().filter(|_| check) {
        let came = fs::read(file(id)).with_context(|| format!("curl brought no {id}"))?;
        ensure!(came == *body, "{id} differs");
    }
    Ok(took)
}

/// Prints the median of all rounds but the first, which warms up, and returns it.
fn report(name: &str, times: &mut [Duration]) -> Duration {
    let times = &mut times[1..];
    times.sort_unstable();
    let median = times[times.len() / 2];
    let (least, most) = (times[0], times[times.len() - 1]);
    println!("{name:>10}: {median:.0?} ({least:.0?} to {most:.0?})");
    median
}
