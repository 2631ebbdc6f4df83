//! What is kept in `fuzz/corpus` and mutations of it, through every parser.
//!
//! A thousand mutations each, with `TILESIGHT_SOAK=1` a million.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]
#![allow(clippy::print_stdout, reason = "figures are for people to read")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tilesight_hostile::mutate::mutate;
use tilesight_hostile::{TARGETS, check};

const MUTATIONS: u64 = 1_000;
const MUTATIONS_IN_A_SOAK: u64 = 1_000_000;

fn mutations() -> u64 {
    let is_soak = std::env::var_os("TILESIGHT_SOAK").is_some_and(|value| value == "1");
    if is_soak {
        MUTATIONS_IN_A_SOAK
    } else {
        MUTATIONS
    }
}

/// The files that are kept for a parser, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(name);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Names what was being tried when something turned out not to be true.
struct Trial<'a> {
    name: &'a str,
    bytes: &'a [u8],
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{} of b\"{}\"", self.name, self.bytes.escape_ascii());
        }
    }
}

/// Returns how long it took.
fn attempt(name: &str, bytes: &[u8]) -> Duration {
    let start = Instant::now();
    let trial = Trial { name, bytes };
    check(trial.name, trial.bytes);
    start.elapsed()
}

fn replay(name: &str) {
    let corpus = corpus(name);
    let of_corpus = corpus.iter().map(|bytes| attempt(name, bytes));
    let mut slowest = of_corpus.max().unwrap();
    for seed in 0..mutations() {
        let mut random = Rng::with_seed(seed);
        let mut bytes = corpus[random.usize(0..corpus.len())].clone();
        mutate(&mut bytes, &corpus, &mut random);
        slowest = slowest.max(attempt(name, &bytes));
    }
    println!(
        "reliability: parsers: {name}: {} kept files and {} mutations of them: 0 panics, slowest \
         {slowest:?}",
        corpus.len(),
        mutations(),
    );
}

/// A test for each parser, so that they run side by side, and one that none was forgotten.
macro_rules! replayed {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn every_parser_is_replayed() {
            let replayed = [$(stringify!($name)),*];
            assert_eq!(TARGETS.map(|target| target.name), replayed);
        }
    };
}

replayed! {
    annotations_file annotations_json content dataset_file detections geokit geoparquet graph
    import_v3 inflate interface mbtiles mbtiles_rows period pmtiles region retry_after shapes tile
    typed wkb
}
