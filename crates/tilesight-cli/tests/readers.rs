//! Readers of a dataset while one generation of it after the other is published: each answer is of
//! one generation, whole, and there is always one.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test ends where the unexpected begins, and prints its figures"
)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tempfile::TempDir;
use tilesight::{Dataset, ImageQuery};
use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};

/// Ids of a generation begin at its number times this.
const IDS_A_GENERATION: i64 = 1_000_000;

/// How many read, and how many generations are published.
struct Edition {
    threads: usize,
    processes: usize,
    generations: i64,
}

const SMALL: Edition = Edition {
    threads: 8,
    processes: 2,
    generations: 50,
};

const WHOLE: Edition = Edition {
    threads: 64,
    processes: 8,
    generations: 1000,
};

/// How many images a generation has, each another number than the one before.
const fn images_of(generation: i64) -> i64 {
    500 + generation % 100 * 37
}

/// A tile of a generation's images.
fn tile(generation: i64) -> Vec<u8> {
    let mut images = LayerWriter::new("image");
    for n in 0..images_of(generation) {
        let id = generation * IDS_A_GENERATION + n;
        let at = ((n * 61 % 4096) as i32, (n * 37 % 4096) as i32);
        images.point(at, &[("id", Value::Int(id))]);
    }
    let mut tile = TileWriter::new();
    tile.push(images);
    tile.finish()
}

/// Builds a generation over the one before.
fn publish(dir: &Path, generation: i64) {
    let folder = dir.join("tiles/14/9326");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("4742.mvt"), tile(generation)).unwrap();
    let mut build = Command::new(env!("CARGO_BIN_EXE_tilesight"));
    build
        .current_dir(dir)
        .args(["build", "tiles", "-o", "town.tsight", "--overwrite"]);
    let output = build.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Checks that ids are all those of one generation and none but those, and tells which one.
#[track_caller]
fn generation_of(ids: impl IntoIterator<Item = i64>) -> i64 {
    let mut ids: Vec<i64> = ids.into_iter().collect();
    ids.sort_unstable();
    let generation = ids.first().unwrap() / IDS_A_GENERATION;
    let first = generation * IDS_A_GENERATION;
    assert!(ids.iter().copied().eq(first..first + images_of(generation)));
    generation
}

fn ask(data: &Dataset) -> i64 {
    let found = data.images(&ImageQuery::default()).unwrap();
    let generation = generation_of(found.ids());
    let count = data.count_images(&ImageQuery::default()).unwrap();
    assert_eq!(count as i64, images_of(generation));
    generation
}

/// Asks the same path again and again; generations come in their order, and one that was opened
/// stays as it was.
fn read_on(path: &Path, is_over: &AtomicBool, answers: &AtomicU64) {
    let mut before = Dataset::open(path).unwrap();
    let mut last = ask(&before);
    while !is_over.load(Relaxed) {
        let data = Dataset::open(path).unwrap();
        let generation = ask(&data);
        assert!(generation >= last, "{generation} after {last}");
        assert_eq!(ask(&before), last);
        (before, last) = (data, generation);
        answers.fetch_add(1, Relaxed);
        // The writer needs a turn, too.
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The same by the program, a process for every question.
fn run_on(path: &Path, is_over: &AtomicBool, answers: &AtomicU64) {
    let mut last = 0;
    while !is_over.load(Relaxed) {
        let mut images = Command::new(env!("CARGO_BIN_EXE_tilesight"));
        let output = images
            .arg("images")
            .arg(path)
            .args(["-f", "ids"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let ids = String::from_utf8(output.stdout).unwrap();
        let generation = generation_of(ids.lines().map(|id| id.parse().unwrap()));
        assert!(generation >= last, "{generation} after {last}");
        last = generation;
        answers.fetch_add(1, Relaxed);
    }
}

/// Ends the readers when the writer ends, in whatever way.
struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn every_answer_is_of_one_generation() {
    let is_whole = std::env::var("TILESIGHT_SOAK").is_ok_and(|value| value == "1");
    let Edition {
        threads,
        processes,
        generations,
    } = if is_whole { WHOLE } else { SMALL };
    let dir = TempDir::new().unwrap();
    publish(dir.path(), 0);
    let path = &dir.path().join("town.tsight");
    let (is_over, answers) = (&AtomicBool::new(false), &AtomicU64::new(0));
    std::thread::scope(|scope| {
        let _end = EndOnDrop(is_over);
        for _ in 0..threads {
            scope.spawn(|| read_on(path, is_over, answers));
        }
        for _ in 0..processes {
            scope.spawn(|| run_on(path, is_over, answers));
        }
        for generation in 1..=generations {
            publish(dir.path(), generation);
        }
    });
    let answers = answers.load(Relaxed);
    assert!(answers >= (threads + processes) as u64);
    assert_eq!(ask(&Dataset::open(path).unwrap()), generations);
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        2,
        "tiles and dataset"
    );
    println!(
        "reliability: readers while publishing: {threads} threads and {processes} processes over \
         {generations} published generations, {answers} answers, 0 torn, 0 missing"
    );
}
