//! The commands `fetch` and `verify` against a server of faults, and killed at any moment.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tilesight_fault_server::{Fault, FaultServer};
use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};
use tilesight_store::{Mbtiles, StoredTile, TileStore};
use tilesight_tile::{Bbox, TileId, cover_bbox};

const CANARY: &str = "MLY|4711|c4n4ry";

const BBOX: &str = "24.80,60.10,25.20,60.25";

/// How often a fetch is killed; a longer run sets another number in the environment.
const KILLS: &str = "TILESIGHT_TEST_KILLS";
const DEFAULT_KILLS: usize = 100;

fn ids() -> Vec<TileId> {
    let edges: Vec<f64> = BBOX.split(',').map(|edge| edge.parse().unwrap()).collect();
    let bbox = Bbox::from_degrees(edges[0], edges[1], edges[2], edges[3]).unwrap();
    cover_bbox(14, &bbox, 10_000).unwrap().iter().collect()
}

fn path(id: TileId) -> String {
    format!("/maps/vtp/mly1_public/2/{id}")
}

/// A tile of one image; every seventh column is empty.
fn body(id: TileId) -> Vec<u8> {
    if id.x().is_multiple_of(7) {
        return Vec::new();
    }
    let mut images = LayerWriter::new("image");
    let number = i64::from(id.x()) << 20 | i64::from(id.y());
    images.point((1, 2), &[("id", Value::Int(number))]);
    let mut tile = TileWriter::new();
    tile.push(images);
    tile.finish()
}

fn server() -> FaultServer {
    FaultServer::start(ids().into_iter().map(|id| (path(id), body(id))).collect()).unwrap()
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("town.mbtiles")
    }

    fn has_canary(&self) -> bool {
        let mut files = fs::read_dir(self.0.path()).unwrap();
        files.any(|file| contains(&fs::read(file.unwrap().path()).unwrap(), b"c4n4ry"))
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tilesight"));
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(variable);
    }
    command.env("MAPILLARY_ACCESS_TOKEN", CANARY);
    command
}

fn fetch(server: &FaultServer, store: &Path) -> Command {
    let mut command = program();
    command.args(["fetch", "-vv", "--rate", "5000", "--bbox", BBOX]);
    command
        .args(["--tile-url", &server.origin()])
        .arg("-o")
        .arg(store);
    command
}

/// Runs a command, checks its exit status and that it shows no token; gives what it said.
#[track_caller]
fn run(command: &mut Command, status: i32) -> String {
    let Output {
        status: ended,
        stdout,
        stderr,
    } = command.output().unwrap();
    let said = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert_eq!(ended.code(), Some(status), "{said}");
    assert!(!said.contains("c4n4ry"), "{said}");
    said
}

/// Checks that a store holds what the server has.
#[track_caller]
fn check_store(store: &Path) {
    let store = Mbtiles::open_with_ledger(store, &["mly1_public"]).unwrap();
    let mut bytes = Vec::new();
    let mut read = |(index, tile): (usize, &StoredTile)| {
        store.read(index, &mut bytes).unwrap();
        let mut decoder = flate2::read::GzDecoder::new(&bytes[..]);
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut decoder, &mut content).unwrap();
        (tile.id, content)
    };
    let held: BTreeMap<_, _> = store.tiles().iter().enumerate().map(&mut read).collect();
    let (empty, full): (Vec<_>, Vec<_>) = ids().into_iter().partition(|&id| body(id).is_empty());
    assert_eq!(held, full.into_iter().map(|id| (id, body(id))).collect());
    let ledger = store.ledger().unwrap();
    assert_eq!((ledger.empty.len(), ledger.failed.len()), (empty.len(), 0));
}

#[test]
fn a_region_is_fetched_once_and_answers_questions() {
    let (server, place) = (server(), Place::new());
    let planned = run(fetch(&server, &place.store()).arg("--dry-run"), 0);
    assert!(
        planned.contains("requests") && server.requests().is_empty(),
        "{planned}"
    );
    assert!(!place.store().exists());
    run(&mut fetch(&server, &place.store()), 0);
    check_store(&place.store());
    let requests = server.requests().len();
    assert_eq!(requests, ids().len());
    run(&mut fetch(&server, &place.store()), 0);
    assert_eq!(
        server.requests().len(),
        requests,
        "nothing is fetched twice"
    );
    let store = place.store();
    let count = run(program().arg("images").arg(&store).arg("--count"), 0);
    let images = ids().into_iter().filter(|&id| !body(id).is_empty()).count();
    assert_eq!(count.trim(), images.to_string());
    let beyond = ["--near", "24.0,60.0", "--radius", "5", "--count"];
    run(program().arg("images").arg(&store).args(beyond), 3);
    assert!(!place.has_canary());
}

#[test]
fn the_exit_status_tells_what_to_do() {
    let first = path(ids()[0]);
    for (fault, status, expected) in [
        (Fault::Redirect, 1, "banned"),
        (Fault::LoginPage, 1, "banned"),
        (Fault::TokenAsJson, 1, "token"),
    ] {
        let (server, place) = (server(), Place::new());
        server.inject(&first, [fault]);
        let said = run(fetch(&server, &place.store()).args(["--jobs", "1"]), status);
        assert!(said.contains(expected), "{said}");
        assert!(!place.has_canary());
    }
    let (server, place) = (server(), Place::new());
    let said = run(
        fetch(&server, &place.store()).args(["--daily-limit", "9"]),
        3,
    );
    assert!(
        said.contains("from") && server.requests().len() == 9,
        "{said}"
    );
    let said = run(
        fetch(&server, &place.store()).env_remove("MAPILLARY_ACCESS_TOKEN"),
        2,
    );
    assert!(said.contains("MAPILLARY_ACCESS_TOKEN"), "{said}");
    let world = ["fetch", "--bbox", "-10,40,20,60", "-o", "no-such.mbtiles"];
    let said = run(program().args(world), 2);
    assert!(said.contains("--yes"), "{said}");
}

/// Above the region nothing is but one line, through the middle.
#[test]
fn what_no_line_comes_near_to_is_left_out_and_not_held() {
    let (server, place) = (server(), Place::new());
    let middle = ids()[ids().len() / 2];
    let mut shallow: Vec<_> = ids().iter().filter_map(|id| id.ancestor(12)).collect();
    shallow.dedup();
    let around = shallow.iter().flat_map(|id| {
        let near = |n: u32| [n - 1, n, n + 1];
        let x = near(id.x()).into_iter();
        x.flat_map(move |x| near(id.y()).map(|y| TileId::new(12, x, y).unwrap()))
    });
    for id in around {
        let is_above = Some(id) == middle.ancestor(12);
        server.set(&path(id), if is_above { line(middle) } else { Vec::new() });
    }
    let mut sparse = fetch(&server, &place.store());
    sparse.arg("--sparse");
    let planned = run(sparse.args(["--dry-run"]), 0);
    assert!(planned.contains("for the first pass"), "{planned}");
    let mut sparse = fetch(&server, &place.store());
    let said = run(sparse.arg("--sparse"), 0);
    assert!(said.contains("left out and not held"), "{said}");
    assert!(server.requests().len() < ids().len(), "{said}");
    let store = place.store();
    let count = ["images", store.to_str().unwrap(), "--bbox", BBOX, "--count"];
    let said = run(program().args(count), 3);
    assert!(said.contains("--partial"), "{said}");
    run(program().args(count).arg("--partial"), 0);
    run(&mut fetch(&server, &store), 0);
    run(program().args(count), 0);
    let wrong: [&[&str]; 2] = [
        &["--sparse", "--zoom", "13"],
        &["--sparse", "--tileset", "signs"],
    ];
    for arguments in wrong {
        run(fetch(&server, &store).args(arguments), 2);
    }
}

/// A tile of zoom 12 with a line across one of those below it.
fn line(below: TileId) -> Vec<u8> {
    let at = |n: u32| (n % 4 * 1024 + 512) as i32;
    let (x, y) = (at(below.x()), at(below.y()));
    let mut lines = LayerWriter::new("sequence");
    lines.lines(
        &[[(x - 300, y), (x + 300, y)]],
        &[("id", Value::String("line"))],
    );
    let mut tile = TileWriter::new();
    tile.push(lines);
    tile.finish()
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_in_order() {
    let (server, place) = (server(), Place::new());
    server.inject(&path(ids()[0]), [Fault::StallBeforeHead]);
    let mut running = start(fetch(&server, &place.store()).args(["--jobs", "1"]));
    while server.faults_met() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let process = running.id().to_string();
    let sent = Command::new("kill")
        .args(["-INT", &process])
        .status()
        .unwrap();
    assert!(sent.success());
    assert_eq!(running.wait().unwrap().code(), Some(130));
    assert_eq!(
        fs::read_dir(place.0.path()).unwrap().count(),
        1,
        "no journal, no lock"
    );
    run(&mut fetch(&server, &place.store()), 0);
    check_store(&place.store());
}

#[test]
fn the_second_of_two_is_told_who_was_first() {
    let (server, place) = (server(), Place::new());
    server.inject(&path(ids()[0]), [Fault::StallBeforeHead]);
    let mut first = start(&mut fetch(&server, &place.store()));
    while server.faults_met() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let said = run(&mut fetch(&server, &place.store()), 1);
    assert!(said.contains(&format!("process {}", first.id())), "{said}");
    first.kill().unwrap();
    first.wait().unwrap();
    run(&mut fetch(&server, &place.store()), 0);
    check_store(&place.store());
}

#[test]
fn a_fetch_killed_at_any_moment_goes_on_where_it_was() {
    let kills = std::env::var(KILLS).ok().and_then(|text| text.parse().ok());
    let mut random = fastrand::Rng::with_seed(21);
    let server = server();
    let (mut place, mut requests_before) = (Place::new(), 0);
    let mut finished = 0;
    for _ in 0..kills.unwrap_or(DEFAULT_KILLS) {
        let mut running = start(&mut fetch(&server, &place.store()));
        std::thread::sleep(Duration::from_millis(random.u64(1..60)));
        running.kill().unwrap();
        if running.wait().unwrap().success() {
            check_store(&place.store());
            (place, requests_before) = (Place::new(), server.requests().len());
            finished += 1;
        } else if place.store().exists() {
            let found = program().arg("verify").arg(place.store()).output().unwrap();
            let is_blank = fs::metadata(place.store()).unwrap().len() <= 4096;
            assert!(found.status.success() || is_blank, "{found:?}");
        }
    }
    run(&mut fetch(&server, &place.store()), 0);
    check_store(&place.store());
    // Each kill loses what was in flight and what waited to be stored, and nothing else.
    let requests = server.requests().len() - requests_before;
    let lost = requests - ids().len();
    assert!(
        finished > 0 || lost < 100 * kills.unwrap_or(DEFAULT_KILLS),
        "{lost}"
    );
    assert!(!place.has_canary());
}

fn start(command: &mut Command) -> Child {
    let silent = command.stdout(Stdio::null()).stderr(Stdio::null());
    silent.spawn().unwrap()
}

#[test]
fn damage_is_named_dropped_and_fetched_again() {
    let (server, place) = (server(), Place::new());
    run(&mut fetch(&server, &place.store()), 0);
    run(program().arg("verify").arg(place.store()), 0);
    let mut bytes = fs::read(place.store()).unwrap();
    // Pages that were split keep stale copies of what they held: all are damaged alike.
    let tile = first_tile(&place.store());
    let copies: Vec<_> = (0..bytes.len() - tile.len())
        .filter(|&at| bytes[at..].starts_with(&tile))
        .collect();
    for at in copies {
        bytes[at + 12] ^= 4;
    }
    fs::write(place.store(), bytes).unwrap();
    let said = run(program().arg("verify").arg(place.store()), 1);
    assert!(said.starts_with("mly1_public 14/"), "{said}");
    run(
        program().arg("verify").arg(place.store()).arg("--repair"),
        0,
    );
    let before = server.requests().len();
    run(&mut fetch(&server, &place.store()), 0);
    assert_eq!(server.requests().len() - before, 1);
    check_store(&place.store());
}

fn first_tile(store: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let store = Mbtiles::open(store).unwrap();
    store.read(0, &mut bytes).unwrap();
    bytes
}

/// A gigabyte in disguise, answers without end, and a full disk.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded_and_a_full_disk_is_survived() {
    let (server, place) = (server(), Place::new());
    let faults = [
        Fault::GzipBomb,
        Fault::HeadersWithoutEnd,
        Fault::BodyWithoutEnd,
    ];
    for (id, fault) in ids().into_iter().zip(faults) {
        server.inject(&path(id), [fault]);
    }
    // Small files alone: the store cannot grow beyond 64 kB, nor the address space far.
    let program = env!("CARGO_BIN_EXE_tilesight");
    let limited = |limits: &str| {
        let mut shell = Command::new("sh");
        let script = format!("trap '' XFSZ; {limits}; exec \"$0\" \"$@\"");
        shell.args(["-c", &script, program]);
        let fetch = fetch(&server, &place.store());
        shell.args(fetch.get_args());
        shell.env("MAPILLARY_ACCESS_TOKEN", CANARY);
        shell
    };
    let said = run(&mut limited("ulimit -f 128"), 1);
    assert!(said.contains("cannot write"), "{said}");
    let mut running = limited(":").stderr(Stdio::null()).spawn().unwrap();
    let mut peak_kb = 0;
    while running.try_wait().unwrap().is_none() {
        peak_kb = peak_kb.max(peak_of(running.id()));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(peak_kb < 200_000, "{peak_kb} kB");
    check_store(&place.store());
}

#[cfg(target_os = "linux")]
fn peak_of(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
    peak.unwrap_or(0)
}
