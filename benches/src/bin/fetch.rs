//! Prints how long it takes to fetch 2,000 tiles of 20 KB over loopback, without a limit, against
//! curl on the same addresses.
//!
//! ```sh
//! cargo run --release -p tilesight-benches --bin fetch
//! ```
//!
//! Every side is a process of its own, timed from its start to its end, and has its turn in every
//! round; one server, in this process, answers all. Tiles are served once as services compress
//! them and once as they are. curl stores files, as somebody would who wants the tiles, and once
//! more throws all away. What both stored is compared with what was served in a first round that
//! is not timed. Two more rows tell how much of the time is not ours to save: the same client that
//! throws all away unseen, and the checks alone.
#![expect(clippy::print_stdout, reason = "it is a program that prints a table")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;
use futures_util::future::try_join_all;
use tilesight_benches::tiles;
use tilesight_fault_server::FaultServer;
use tilesight_fetch::{
    Auth, Client, FetchOptions, Fetcher, Manners, Origin, Request, TileKey, Tileset, Timeouts,
    Token,
};
use tilesight_mvt::Decoder;
use tilesight_store::{Mbtiles, TileStore};
use tilesight_tile::TileId;

/// Columns and rows of the tiles that are fetched: 2,000.
const COLUMNS: [u32; 2] = [9_000, 9_049];
const ROWS: [u32; 2] = [4_700, 4_739];

/// Requests at a time, of both.
const JOBS: usize = 16;

/// Threads that check, where that alone is timed.
const CHECKERS: usize = 2;

const ROUNDS: usize = 15;

const TOKEN: &str = "token";

/// What this program is told to do where it is itself one of the sides.
const FETCH: &str = "fetch";
const RECEIVE: &str = "receive";

/// The archive that is fetched into.
const STORE: &str = "town.mbtiles";

/// Bodies by tile, and the server that gives them.
struct Service {
    bodies: BTreeMap<TileId, Vec<u8>>,
    server: FaultServer,
}

/// Makes the command that fetches into a folder.
type Fetching = fn(&Service, &Path) -> Command;

/// The sides, and what each does with the tiles.
const SIDES: [(&str, Fetching); 4] = [
    ("tilesight: checked and stored in an archive", ours),
    ("curl: stored in files", curl_into_files),
    ("curl: thrown away", curl_into_nothing),
    ("tilesight's client: thrown away", our_client),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments[..] {
        [] => compare(),
        [what, origin, store] if what == FETCH => fetch(origin.parse()?, Path::new(store)),
        [what, origin] if what == RECEIVE => receive(&origin.parse()?),
        _ => bail!("it takes no arguments"),
    }
}

/// Times all sides with tiles that are compressed and with tiles that are not.
fn compare() -> Result<()> {
    let mut curl = Command::new("curl");
    let found = curl.arg("--version").stdout(Stdio::null()).status();
    found.context("there is no curl to compare with")?;
    compare_with("compressed by the service", |seed| {
        tiles::gzip(&tiles::made_from(seed, 500))
    })?;
    compare_with("uncompressed", |seed| tiles::made_from(seed, 320))
}

fn compare_with(form: &str, body: impl Fn(u64) -> Vec<u8>) -> Result<()> {
    let service = Service::start(body)?;
    let count = service.bodies.len();
    let mean_length = service.bodies.values().map(Vec::len).sum::<usize>() / count;
    println!(
        "{count} tiles of {mean_length} bytes, {form}; {JOBS} at a time; median of {ROUNDS} rounds"
    );
    let mut times = vec![Vec::new(); SIDES.len()];
    let mut checks = Vec::new();
    // They go at the end: where thousands of files were just removed, some file systems take
    // seconds to make new ones.
    let mut folders = Vec::new();
    for round in 0..=ROUNDS {
        for ((_, fetching), times) in SIDES.iter().zip(&mut times) {
            let folder = tempfile::tempdir()?;
            let mut command = fetching(&service, folder.path());
            let begun = Instant::now();
            let status = command.status()?;
            times.push(begun.elapsed());
            ensure!(status.success(), "{command:?} ended with {status}");
            if round == 0 {
                service.compare_with(folder.path())?;
            }
            folders.push(folder);
        }
        checks.push(service.check()?);
    }
    for ((name, _), times) in SIDES.iter().zip(&mut times) {
        report(name, times);
    }
    report("the checks alone, on two threads", &mut checks);
    Ok(())
}

impl Service {
    fn start(body: impl Fn(u64) -> Vec<u8>) -> Result<Self> {
        let bodies: BTreeMap<_, _> = tiles()?.zip(1..).map(|(id, n)| (id, body(n))).collect();
        let by_path = bodies.iter().map(|(id, body)| (path(*id), body.clone()));
        let server = FaultServer::start(by_path.collect())?;
        Ok(Self { bodies, server })
    }

    /// Compares what a side stored, if it did, with what was served.
    fn compare_with(&self, folder: &Path) -> Result<()> {
        let store = folder.join(STORE);
        if store.exists() {
            return self.compare_with_store(&store);
        }
        let is_empty = fs::read_dir(folder)?.next().is_none();
        for (&id, body) in self.bodies.iter().filter(|_| !is_empty) {
            let came = fs::read(folder.join(file_name(id.x(), id.y())))?;
            ensure!(came == *body, "{id} differs");
        }
        Ok(())
    }

    fn compare_with_store(&self, store: &Path) -> Result<()> {
        let store = Mbtiles::open(store)?;
        ensure!(store.tiles().len() == self.bodies.len());
        let mut bytes = Vec::new();
        for (index, tile) in store.tiles().iter().enumerate() {
            store.read(index, &mut bytes)?;
            let served = self.bodies.get(&tile.id).context("a tile too many")?;
            ensure!(
                inflated(&bytes)? == inflated(served)?,
                "{} differs",
                tile.id
            );
        }
        Ok(())
    }

    /// Inflates and checks all tiles, on two threads, and tells how long it took.
    fn check(&self) -> Result<Duration> {
        let bodies: Vec<_> = self.bodies.values().collect();
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let check_all = |bodies: &[&Vec<u8>]| {
                let mut decoder = Decoder::new();
                bodies
                    .iter()
                    .try_for_each(|body| decoder.tile(body).map(drop))
            };
            let parts = bodies.chunks(bodies.len().div_ceil(CHECKERS));
            let checking: Vec<_> = parts
                .map(|part| scope.spawn(move || check_all(part)))
                .collect();
            checking
                .into_iter()
                .try_for_each(|part| part.join().expect("decoding does not panic"))
        })?;
        Ok(begun.elapsed())
    }
}

fn tiles() -> Result<impl Iterator<Item = TileId>> {
    let [first, last] = COLUMNS;
    let columns = (first..=last).flat_map(|x| (ROWS[0]..=ROWS[1]).map(move |y| (x, y)));
    let tiles: Result<Vec<_>, _> = columns.map(|(x, y)| TileId::new(14, x, y)).collect();
    Ok(tiles?.into_iter())
}

fn path(id: TileId) -> String {
    format!("/maps/vtp/{}/2/{id}", Tileset::Images.name())
}

fn file_name(x: impl std::fmt::Display, y: impl std::fmt::Display) -> String {
    format!("{x}-{y}.mvt")
}

fn inflated(body: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if body.starts_with(&[0x1f, 0x8b]) {
        GzDecoder::new(body).read_to_end(&mut bytes)?;
    } else {
        bytes.extend_from_slice(body);
    }
    Ok(bytes)
}

/// This program; where its path is unknown, starting it fails.
fn this_program() -> Command {
    Command::new(env::current_exe().unwrap_or_default())
}

fn ours(service: &Service, folder: &Path) -> Command {
    let mut command = this_program();
    command
        .args([FETCH, &service.server.origin()])
        .arg(folder.join(STORE));
    command
}

fn our_client(service: &Service, _: &Path) -> Command {
    let mut command = this_program();
    command.args([RECEIVE, &service.server.origin()]);
    command
}

fn curl_into_files(service: &Service, folder: &Path) -> Command {
    let mut command = curl(service);
    command
        .arg("--output-dir")
        .arg(folder)
        .args(["--output", &file_name("#1", "#2")]);
    command
}

fn curl_into_nothing(service: &Service, _: &Path) -> Command {
    let mut command = curl(service);
    command.args(["--output", "/dev/null"]);
    command
}

fn curl(service: &Service) -> Command {
    let range = |[first, last]: [u32; 2]| format!("[{first}-{last}]");
    let origin = service.server.origin();
    let places = format!("14/{}/{}", range(COLUMNS), range(ROWS));
    let tileset = Tileset::Images.name();
    let mut curl = Command::new("curl");
    curl.args([
        "--no-progress-meter",
        "--fail",
        "--header",
        "Accept-Encoding: gzip",
    ]);
    curl.args(["--parallel", "--parallel-max", &JOBS.to_string()]);
    curl.arg(format!(
        "{origin}/maps/vtp/{tileset}/2/{places}?access_token={TOKEN}"
    ));
    curl
}

fn fetch(origin: Origin, store: &Path) -> Result<()> {
    let defaults = FetchOptions::new(Some(origin))?;
    let options = FetchOptions {
        jobs: JOBS,
        manners: Manners {
            rate: None,
            ..defaults.manners
        },
        ..defaults
    };
    let tileset = Tileset::Images;
    let tiles: Vec<_> = tiles()?.map(|id| TileKey { tileset, id }).collect();
    let fetcher = Fetcher::new(Token::new(TOKEN)?, options)?;
    let report = fetcher.fetch(store, &tiles, |_| ())?;
    ensure!(report.stored == tiles.len() as u64, "{report:?}");
    Ok(())
}

/// Receives all tiles with the client alone, and drops them.
fn receive(origin: &Origin) -> Result<()> {
    let client = Client::new(Some(Token::new(TOKEN)?), Timeouts::default())?;
    let left = RefCell::new(tiles()?);
    let work = async || {
        loop {
            let Some(id) = left.borrow_mut().next() else {
                return anyhow::Ok(());
            };
            let request = Request {
                url: origin.url(&path(id)),
                auth: Auth::Query,
                if_none_match: None,
                max_body_bytes: 1 << 20,
            };
            ensure!(client.get(&request).await?.status == 200);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(try_join_all((0..JOBS).map(|_| work())))?;
    Ok(())
}

/// Prints the median of all rounds but the first, which warms up, and their range.
fn report(name: &str, times: &mut [Duration]) {
    let times = &mut times[1..];
    times.sort_unstable();
    let median = times[times.len() / 2];
    let (least, most) = (times[0], times[times.len() - 1]);
    println!("{name:>46}: {median:.0?} ({least:.0?} to {most:.0?})");
}
