//! Fetching through every fault, alone and mixed: the store ends up as if there were none.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/fetching.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::PrivatePkcs8KeyDer;
use support::{Place, fetcher, options};
use tilesight_fault_server::{Fault, FaultServer};
use tilesight_fetch::{
    Event, FetchError, FetchOptions, FetchReport, Fetcher, TileKey, Tileset, Token, plan,
};
use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};
use tilesight_store::{About, Mbtiles, StoreWriter, TileState, TileStore, verify};
use tilesight_tile::TileId;

/// Tiles of the region: enough that a fifth of them is more than what is in flight.
const TILES: u32 = 30;

/// Runs after which the tests give up.
const MAX_RUNS: usize = 10;

/// Cases that run at a time: most of them wait.
const THREADS: usize = 12;

fn key(number: u32) -> TileKey {
    TileKey {
        tileset: Tileset::Images,
        id: TileId::new(14, 9326 + number % 6, 4742 + number / 6).unwrap(),
    }
}

fn path(number: u32) -> String {
    format!("/maps/vtp/mly1_public/2/{}", key(number).id)
}

/// A tile of some images; every fifth is empty.
fn body(number: u32) -> Vec<u8> {
    if number % 5 == 4 {
        return Vec::new();
    }
    let mut images = LayerWriter::new("image");
    for n in 0..60 {
        let id = (i64::from(number) << 32) + n;
        let at = (n as i32 * 61 % 4096, n as i32 * 37 % 4096);
        let is_pano = Value::Bool(n % 3 == 0);
        images.point(at, &[("id", Value::Int(id)), ("is_pano", is_pano)]);
    }
    let mut tile = TileWriter::new();
    tile.push(images);
    tile.finish()
}

fn server() -> FaultServer {
    FaultServer::start((0..TILES).map(|n| (path(n), body(n))).collect()).unwrap()
}

fn region() -> Vec<TileKey> {
    (0..TILES).map(key).collect()
}

/// Runs until the region is fetched, as somebody would who heeds the messages.
fn fetch_until_done(fetcher: &Fetcher, store: &Path) -> Result<FetchReport, Vec<FetchError>> {
    let mut errors = Vec::new();
    while errors.len() < MAX_RUNS {
        let mut events = Vec::new();
        match fetcher.fetch(store, &region(), |event| events.push(format!("{event:?}"))) {
            Ok(report) => return Ok(report),
            Err(error) => {
                assert_no_canary(&[error.to_string(), format!("{error:?}")]);
                errors.push(error);
            }
        }
        assert_no_canary(&events);
    }
    Err(errors)
}

/// Checks that a store holds what the server has, byte for byte.
#[track_caller]
fn check_store(store: &Path) {
    let names = Tileset::ALL.map(Tileset::name);
    let store = Mbtiles::open_with_ledger(store, &names).unwrap();
    let mut held = BTreeMap::new();
    for (index, tile) in store.tiles().iter().enumerate() {
        let mut bytes = Vec::new();
        store.read(index, &mut bytes).unwrap();
        held.insert(tile.id, inflate(&bytes));
    }
    let ledger = store.ledger().unwrap();
    assert_eq!(ledger.failed, [], "no tile failed");
    let empty: BTreeSet<_> = ledger.empty.iter().map(|tile| tile.id).collect();
    let (no_images, images): (Vec<_>, Vec<_>) = (0..TILES).partition(|&n| body(n).is_empty());
    assert_eq!(empty, no_images.iter().map(|&n| key(n).id).collect());
    assert_eq!(held, images.iter().map(|&n| (key(n).id, body(n))).collect());
}

fn inflate(gzip: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(gzip);
    decoder.read_to_end(&mut bytes).unwrap();
    bytes
}

#[track_caller]
fn assert_no_canary(texts: &[String]) {
    for text in texts {
        assert!(!text.contains("c4n4ry"), "{text}");
    }
}

/// Plays faults to a fetch of the region, and checks what came of it.
#[track_caller]
fn check(faults: &[(u32, Fault)]) {
    let server = server();
    for &(number, fault) in faults {
        server.inject(&path(number), [fault]);
    }
    let place = Place::new();
    let report = fetch_until_done(&fetcher(options(&server)), &place.store());
    let report = report.unwrap_or_else(|errors| panic!("{faults:?}: {errors:?}"));
    assert_eq!(report.failed, [], "{faults:?}");
    check_store(&place.store());
    let requests = server.requests().len() as f64;
    let allowed = 1.2 * f64::from(TILES) + server.faults_met() as f64;
    assert!(
        requests <= allowed,
        "{requests} > {allowed} requests: {faults:?}"
    );
    let referer = |request: &tilesight_fault_server::Request| request.header("referer").is_some();
    assert!(!server.requests().iter().any(referer));
    assert_no_canary_in(place.0.path());
    assert_small();
}

fn assert_no_canary_in(folder: &Path) {
    for file in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"c4n4ry"));
    }
}

/// Checks the peak so far of this process: of many fetches at a time and their servers.
fn assert_small() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let Some(peak) = peak else { return };
    let peak_kb: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kb < 200_000, "{peak_kb} kB");
}

fn check_all(cases: Vec<Vec<(u32, Fault)>>) {
    let cases = Mutex::new(cases.into_iter());
    let work = || {
        loop {
            let case = cases.lock().unwrap().next();
            let Some(case) = case else { return };
            check(&case);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(work);
        }
    });
}

#[test]
fn no_fault() {
    check(&[]);
}

#[test]
fn each_fault_alone() {
    let all = Fault::PASSING.into_iter().chain(Fault::ENDING);
    check_all(all.map(|fault| vec![(0, fault), (7, fault)]).collect());
}

#[test]
fn random_mixes_of_faults() {
    let mut random = fastrand::Rng::with_seed(20_261_121);
    let mut mix = || {
        let mut numbers: Vec<u32> = (0..TILES).chain(0..TILES).collect();
        random.shuffle(&mut numbers);
        let count = random.usize(3..12);
        let pick = |number| match random.u8(0..24) {
            0 => (number, Fault::ENDING[random.usize(..Fault::ENDING.len())]),
            _ => (number, Fault::PASSING[random.usize(..Fault::PASSING.len())]),
        };
        numbers.into_iter().take(count).map(pick).collect()
    };
    check_all((0..200).map(|_| mix()).collect());
}

#[test]
fn endings_say_what_to_do() {
    for (fault, expected) in [
        (Fault::LoginPage, "banned"),
        (Fault::Redirect, "banned"),
        (Fault::RedirectForGood, "banned"),
        (Fault::Unauthorized, "token"),
        (Fault::Forbidden, "token"),
        (Fault::TokenAsJson, "token"),
    ] {
        let server = server();
        server.inject(&path(0), [fault]);
        let place = Place::new();
        let fetcher = fetcher(FetchOptions {
            jobs: 1,
            ..options(&server)
        });
        let ended = fetcher.fetch(&place.store(), &region(), |_| ());
        let error = ended.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(
            server.requests().len(),
            1,
            "no other request after {fault:?}"
        );
    }
}

#[test]
fn what_is_never_found_has_failed_and_is_not_empty() {
    let server = server();
    server.inject(&path(0), [Fault::NotFound; 3]);
    let place = Place::new();
    let fetcher = fetcher(options(&server));
    let report = fetcher.fetch(&place.store(), &region(), |_| ()).unwrap();
    assert_eq!(report.failed.len(), 1);
    assert_eq!(report.failed[0].0, key(0));
    assert!(!report.is_complete());
    // The next run asks for it alone.
    let report = fetcher.fetch(&place.store(), &region(), |_| ()).unwrap();
    assert_eq!((report.requests, report.stored, report.held), (1, 1, 29));
    check_store(&place.store());
}

#[test]
fn what_is_never_a_tile_is_quarantined() {
    let server = server();
    server.inject(&path(0), [Fault::Garbage; 6]);
    let place = Place::new();
    let mut states = Vec::new();
    let report = fetcher(options(&server)).fetch(&place.store(), &region(), |event| {
        if let Event::Done { tile, state, .. } = event
            && tile == key(0)
        {
            states.push(state);
        }
    });
    assert_eq!(report.unwrap().failed.len(), 1);
    assert_eq!(states, [TileState::Quarantined]);
}

#[test]
fn a_day_has_a_limit_that_runs_share() {
    let server = server();
    let place = Place::new();
    let limited = fetcher(FetchOptions {
        daily_limit: 20,
        ..options(&server)
    });
    for _ in 0..2 {
        let ended = limited.fetch(&place.store(), &region(), |_| ());
        assert!(matches!(ended, Err(FetchError::Closed { .. })), "{ended:?}");
        assert_eq!(server.requests().len(), 20);
    }
    let unlimited = fetcher(options(&server));
    unlimited.fetch(&place.store(), &region(), |_| ()).unwrap();
    assert_eq!(server.requests().len() as u32, TILES);
    check_store(&place.store());
}

#[test]
fn refreshing_asks_conditionally_and_forgets_what_vanished() {
    let server = server();
    server.send_etags();
    let place = Place::new();
    let first = fetcher(options(&server));
    first.fetch(&place.store(), &region(), |_| ()).unwrap();
    server.set(&path(0), body(1));
    server.set(&path(2), Vec::new());
    std::thread::sleep(Duration::from_millis(20));
    let refreshing = |age| FetchOptions {
        refresh: Some(age),
        ..options(&server)
    };
    let at_once = refreshing(Duration::from_millis(10));
    let planned = plan(&place.store(), &region(), &at_once).unwrap();
    assert_eq!((planned.requests(), planned.stale), (30, 30));
    let second = fetcher(at_once);
    let report = second.fetch(&place.store(), &region(), |_| ()).unwrap();
    assert_eq!((report.stored, report.empty, report.unchanged), (1, 1, 28));
    let yearly = refreshing(Duration::from_hours(365 * 24));
    let planned = plan(&place.store(), &region(), &yearly).unwrap();
    assert_eq!(planned.requests(), 0);
}

#[test]
fn out_of_reach_ends_the_run_without_a_token() {
    let server = server();
    let no_tls = server.origin().replace("http:", "https:");
    for origin in ["http://127.0.0.1:9", &no_tls] {
        let place = Place::new();
        let unreachable = FetchOptions {
            tile_origin: origin.parse().unwrap(),
            ..options(&server)
        };
        let mut said = Vec::new();
        let ended = fetcher(unreachable).fetch(&place.store(), &region(), |event| {
            said.push(format!("{event:?}"));
        });
        let error = ended.unwrap_err();
        assert!(matches!(error, FetchError::OutOfReach(_)), "{error}");
        said.push(error.to_string());
        assert_no_canary(&said);
        fetch_until_done(&fetcher(options(&server)), &place.store()).unwrap();
        check_store(&place.store());
    }
}

#[test]
fn a_run_can_be_stopped_and_goes_on_later() {
    let server = server();
    let place = Place::new();
    let first = fetcher(options(&server));
    let stopper = first.stopper();
    let mut done = 0;
    let ended = first.fetch(&place.store(), &region(), |event| {
        done += u32::from(matches!(event, Event::Done { .. }));
        if done == 10 {
            stopper.stop();
        }
    });
    assert!(matches!(ended, Err(FetchError::Stopped)));
    let second = fetcher(options(&server));
    let report = second.fetch(&place.store(), &region(), |_| ()).unwrap();
    assert!(report.held >= 9, "{report:?}");
    check_store(&place.store());
}

#[test]
fn bursts_of_faults_are_waited_out() {
    for fault in [
        Fault::Unavailable,
        Fault::ResetBeforeHead,
        Fault::LimitInSeconds,
    ] {
        let burst = (0..TILES).flat_map(|number| [(number, fault); 3]);
        check(&burst.collect::<Vec<_>>());
    }
}

#[test]
fn a_token_that_expires_in_the_middle_ends_the_run_and_the_next_one_goes_on() {
    const RENEWED: &str = "MLY-4711-renewed-c4n4ry";
    let server = server();
    let place = Place::new();
    let (mut done, mut said) = (0, Vec::new());
    let ended = fetcher(options(&server)).fetch(&place.store(), &region(), |event| {
        done += u32::from(matches!(event, Event::Done { .. }));
        if done == 10 {
            server.accept_only(RENEWED);
        }
        said.push(format!("{event:?}"));
    });
    let error = ended.unwrap_err();
    assert!(matches!(error, FetchError::Token), "{error}");
    assert!(!error.is_retryable());
    let jobs = options(&server).jobs as u64;
    assert!(
        server.faults_met() <= jobs,
        "{} were refused",
        server.faults_met()
    );
    let renewed = Fetcher::new(Token::new(RENEWED).unwrap(), options(&server)).unwrap();
    let report = renewed.fetch(&place.store(), &region(), |event| {
        said.push(format!("{event:?}"));
    });
    let report = report.unwrap();
    assert!(report.held >= 10, "{report:?}");
    assert_eq!(report.held + report.requests, u64::from(TILES));
    assert_no_canary(&said);
    assert_no_canary_in(place.0.path());
    check_store(&place.store());
}

#[test]
fn no_redirect_is_followed() {
    for fault in [Fault::Redirect, Fault::RedirectForGood] {
        let (server, login) = (server(), server());
        server.redirect_to(&login.origin());
        server.inject(&path(3), [fault]);
        let place = Place::new();
        let fetcher = fetcher(options(&server));
        let ended = fetcher.fetch(&place.store(), &region(), |_| ());
        assert!(matches!(ended, Err(FetchError::Banned)), "{ended:?}");
        fetch_until_done(&fetcher, &place.store()).unwrap();
        assert_eq!(login.requests(), []);
        check_store(&place.store());
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_gets_no_token() {
    let (origin, heard) = impostor();
    let server = server();
    let place = Place::new();
    let deceived = FetchOptions {
        tile_origin: origin.parse().unwrap(),
        ..options(&server)
    };
    let mut said = Vec::new();
    let ended = fetcher(deceived).fetch(&place.store(), &region(), |event| {
        said.push(format!("{event:?}"));
    });
    let error = ended.unwrap_err();
    assert!(matches!(error, FetchError::Untrusted(_)), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");
    said.push(format!("{error} {error:?}"));
    assert_no_canary(&said);
    assert_eq!(*heard.lock().unwrap(), b"");
    fetch_until_done(&fetcher(options(&server)), &place.store()).unwrap();
    check_store(&place.store());
}

/// Starts a server whose certificate is its own word; gives its origin and what it is told.
fn impostor() -> (String, Arc<Mutex<Vec<u8>>>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = heard.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut session = rustls::StreamOwned::new(session, stream.unwrap());
            let mut told = Vec::new();
            // Whoever hangs up has understood.
            let _ = session.read_to_end(&mut told);
            hears.lock().unwrap().extend(told);
        }
    });
    (origin, heard)
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_costs_no_request() {
    use std::os::unix::fs::PermissionsExt;
    let server = server();
    let place = Place::new();
    let read_only = std::fs::Permissions::from_mode(0o555);
    std::fs::set_permissions(place.0.path(), read_only).unwrap();
    let is_bound_by_it = std::fs::write(place.0.path().join("note"), "").is_err();
    // Nobody, not even the superuser, makes files there.
    let store = if is_bound_by_it {
        place.store()
    } else {
        "/proc/self/town.mbtiles".into()
    };
    let ended = fetcher(options(&server)).fetch(&store, &region(), |_| ());
    let error = ended.unwrap_err();
    assert!(matches!(error, FetchError::Store(_)), "{error:?}");
    assert!(error.to_string().contains("town.mbtiles"), "{error}");
    assert_eq!(server.requests(), []);
    let writable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(place.0.path(), writable).unwrap();
    fetch_until_done(&fetcher(options(&server)), &place.store()).unwrap();
    check_store(&place.store());
}

#[test]
fn quarantine_and_damage_are_repaired_by_fetching() {
    let server = server();
    server.inject(&path(0), [Fault::Garbage; 6]);
    let place = Place::new();
    let fetcher = fetcher(options(&server));
    let report = fetcher.fetch(&place.store(), &region(), |_| ()).unwrap();
    assert_eq!(report.failed.len(), 1);
    assert!(verify(&place.store()).unwrap().unwrap().is_clean());
    damage(&place.store(), key(7).id);
    let found = verify(&place.store()).unwrap().unwrap();
    let damaged: Vec<_> = found.damaged.iter().map(|damaged| damaged.id).collect();
    assert_eq!((damaged, found.structure), (vec![key(7).id], None));
    let tileset = key(7).tileset.name();
    let about = About {
        tileset,
        metadata: &[],
    };
    let mut writer = StoreWriter::open(&place.store(), &about).unwrap();
    writer.forget(&[(tileset, key(7).id)]).unwrap();
    writer.close().unwrap();
    let report = fetcher.fetch(&place.store(), &region(), |_| ()).unwrap();
    assert_eq!((report.requests, report.stored), (2, 2));
    assert!(verify(&place.store()).unwrap().unwrap().is_clean());
    check_store(&place.store());
}

/// Flips a bit of a stored tile, in all copies that the file has of it.
fn damage(store: &Path, id: TileId) {
    let archive = Mbtiles::open(store).unwrap();
    let index = archive
        .tiles()
        .iter()
        .position(|tile| tile.id == id)
        .unwrap();
    let mut tile = Vec::new();
    archive.read(index, &mut tile).unwrap();
    let mut bytes = std::fs::read(store).unwrap();
    let places = bytes.windows(tile.len()).enumerate();
    let places: Vec<_> = places
        .filter(|(_, part)| *part == tile)
        .map(|(at, _)| at)
        .collect();
    for at in places {
        bytes[at + tile.len() / 2] ^= 16;
    }
    std::fs::write(store, bytes).unwrap();
}

#[test]
fn a_run_stopped_after_any_tile_goes_on_from_there() {
    let server = server();
    for last in 1..TILES {
        let place = Place::new();
        let first = fetcher(options(&server));
        let (stopper, mut done) = (first.stopper(), 0);
        let ended = first.fetch(&place.store(), &region(), |event| {
            done += u32::from(matches!(event, Event::Done { .. }));
            if done == last {
                stopper.stop();
            }
        });
        assert!(
            matches!(ended, Ok(_) | Err(FetchError::Stopped)),
            "{ended:?}"
        );
        let report = fetch_until_done(&fetcher(options(&server)), &place.store()).unwrap();
        // What is done is on its way into the store, but for the one that the stop caught.
        assert!(report.held + 1 >= u64::from(last), "{report:?}");
        assert_eq!(report.held + report.requests, u64::from(TILES));
        check_store(&place.store());
    }
}

/// Every state that a crash can leave while a fetch appends to the journal: it is cut after each
/// frame and within, and the fetch begun again.
#[test]
fn a_fetch_whose_journal_ends_anywhere_goes_on_from_there() {
    const HEADER: usize = 32;
    const FRAME: usize = 24 + 4096;
    let server = server();
    let place = Place::new();
    let (mut done, mut left) = (0, (Vec::new(), Vec::new()));
    let journal = place.0.path().join("town.mbtiles-wal");
    let fetching = fetcher(options(&server));
    let fetched = fetching.fetch(&place.store(), &region(), |event| {
        done += u32::from(matches!(event, Event::Done { .. }));
        if done == TILES {
            left = (
                std::fs::read(place.store()).unwrap(),
                std::fs::read(&journal).unwrap(),
            );
        }
    });
    fetched.unwrap();
    let (archive, journal) = left;
    let within = |cut: &usize| (cut.max(&HEADER) - HEADER) % FRAME;
    let cuts = (0..=journal.len()).filter(|cut| within(cut).is_multiple_of(FRAME / 2));
    let cuts = Mutex::new(cuts);
    let most_held = Mutex::new(0);
    let work = || {
        loop {
            let cut = cuts.lock().unwrap().next();
            let Some(cut) = cut else { return };
            let crashed = Place::new();
            std::fs::write(crashed.store(), &archive).unwrap();
            let beside = crashed.0.path().join("town.mbtiles-wal");
            std::fs::write(beside, &journal[..cut]).unwrap();
            let report = fetcher(options(&server)).fetch(&crashed.store(), &region(), |_| ());
            let report = report.unwrap();
            assert_eq!(report.held + report.requests, u64::from(TILES), "{cut}");
            check_store(&crashed.store());
            let mut most = most_held.lock().unwrap();
            *most = report.held.max(*most);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(work);
        }
    });
    assert!(*most_held.lock().unwrap() > 0, "some of it had been stored");
}
