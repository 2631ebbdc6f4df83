//! The built program makes dataset files, replaces them under their readers, and examines them.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

mod line;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tempfile::TempDir;
use tilesight::{Dataset, ImageQuery};

use line::{fixtures, program, run};

/// How many generations are published under readers.
const GENERATIONS: usize = 12;

/// Standard output of a run that ends well.
#[track_caller]
fn good(line: &str) -> String {
    let output = run(line);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Both outputs of a run that ends with a status.
#[track_caller]
fn bad(line: &str, status: i32) -> (String, String) {
    let output = run(line);
    let [printed, said] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(output.status.code(), Some(status), "{line}: {said}");
    (printed, said)
}

/// A folder, and the path of a dataset in it.
fn place() -> (TempDir, String) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("town.tsight").display().to_string();
    (dir, path)
}

/// A folder, and a dataset of the town in it.
fn town() -> (TempDir, String) {
    let (dir, path) = place();
    good(&format!("build town -o {path}"));
    (dir, path)
}

fn files_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.collect()
}

#[test]
fn a_dataset_answers_as_its_folder_does() {
    let (_dir, path) = town();
    for question in [
        "images {} -f csv",
        "images {} --bbox 24.935,60.163,24.965,60.174 --since 2020 -f geojson",
        "images {} --looking-at 24.95238,60.17075 -f geojson",
        "images {} --near 24.95238,60.17075 --nearest 20 --pano -f csv",
        "images {} --aoi areas/district.geojson --count",
        "sequences {} --bbox 24.935,60.163,24.965,60.174 -f geojson",
        "features {} --aoi areas/quarters.geojson -f geojson",
    ] {
        let of = |source: &str| good(&question.replace("{}", source));
        let answer = of(&path);
        assert!(answer == of("town"), "{question}");
        assert!(
            answer == of(&format!("--io read {path}")),
            "{question}, read"
        );
    }
}

#[test]
fn a_dataset_tells_what_it_holds_as_its_folder_does() {
    let (_dir, path) = town();
    let info = |source: &str| -> Value {
        serde_json::from_str(&good(&format!("info {source} --json"))).unwrap()
    };
    let (of_file, of_folder) = (info(&path), info("town"));
    for key in ["images", "sequences", "points", "traffic_signs", "tilesets"] {
        assert_eq!(of_file[key], of_folder[key], "{key}");
    }
    assert_eq!(of_file["images"], 6000);
}

#[test]
fn several_stores_make_one_dataset() {
    let (_dir, path) = place();
    good(&format!(
        "build town.mbtiles town/mly_map_feature_point -o {path}"
    ));
    assert_eq!(good(&format!("images {path} --count")), "6000\n");
    let points = good(&format!("features {path} -f ids"));
    assert!(!points.is_empty());
    assert_eq!(points, good("features town/mly_map_feature_point -f ids"));
}

#[test]
fn memory_does_not_show() {
    let (dir, path) = town();
    let small = dir.path().join("small.tsight");
    good(&format!("build town --memory 1MiB -o {}", small.display()));
    assert!(fs::read(small).unwrap() == fs::read(path).unwrap());
}

#[test]
fn a_dataset_is_replaced_only_when_asked() {
    let (dir, path) = town();
    let before = fs::read(&path).unwrap();
    let (_, said) = bad(&format!("build town.mbtiles -o {path}"), 1);
    assert!(said.contains("--overwrite"), "{said}");
    assert!(fs::read(&path).unwrap() == before);
    good(&format!("build town.mbtiles -o {path} --overwrite"));
    assert!(fs::read(&path).unwrap() != before);
    assert_eq!(files_in(dir.path()), ["town.tsight"]);
}

#[test]
fn wrong_targets_and_sources_are_refused() {
    let (dir, path) = place();
    let folder = dir.path().display();
    assert!(bad("build town -o -", 2).1.contains("-o town.tsight"));
    assert!(
        bad(&format!("build town -o {folder}"), 1)
            .1
            .contains("is a folder")
    );
    let (_, said) = bad(&format!("build town -o {folder}/none/a.tsight"), 1);
    assert!(said.contains("does not exist"), "{said}");
    bad(&format!("build nowhere -o {path}"), 1);
    bad("build town", 2);
    assert!(files_in(dir.path()).is_empty());
}

#[test]
fn verify_names_the_damaged_block() {
    let (_dir, path) = town();
    let verify = format!("verify {path}");
    assert_eq!(good(&verify), "");
    let mut bytes = fs::read(&path).unwrap();
    // The first column of the first table, the positions of images, begins after the header.
    bytes[64 + 4 * 1500] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (printed, said) = bad(&verify, 1);
    assert!(
        printed.starts_with("block 1 of the table \"image\""),
        "{printed}"
    );
    assert!(said.contains("build it anew"), "{said}");
    let (_, said) = bad(&format!("images {path} -f ids"), 1);
    assert!(said.contains("block 1 of the table \"image\""), "{said}");
    bytes[20] ^= 1;
    fs::write(&path, &bytes).unwrap();
    for line in [verify, format!("info {path}")] {
        assert!(bad(&line, 1).1.contains("the header is damaged"), "{line}");
    }
    bad(&format!("verify {path} --repair"), 2);
}

#[test]
fn readers_of_an_old_generation_go_on() {
    let (dir, path) = town();
    let old = Dataset::open(&path).unwrap();
    let before = image_ids(&old);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    check_generation(&path);
                }
            });
        }
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                good(&format!("verify {path}"));
            }
        });
        for generation in 0..GENERATIONS {
            let source = ["town/mly1_computed_public", "town"][generation % 2];
            let output = run(&format!("build {source} -o {path} --overwrite"));
            if !output.status.success() || generation + 1 == GENERATIONS {
                done.store(true, Ordering::Relaxed);
            }
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
        }
    });
    assert_eq!(image_ids(&old), before);
    assert!(old.verify().is_empty());
    assert_eq!(files_in(dir.path()), ["town.tsight"]);
}

fn image_ids(data: &Dataset) -> Vec<i64> {
    let query = ImageQuery {
        allow_partial: true,
        ..ImageQuery::default()
    };
    data.images(&query).unwrap().ids().collect()
}

/// Whatever generation is there, it is a whole one.
fn check_generation(path: &str) {
    let data = Dataset::open(path).unwrap();
    assert!(data.verify().is_empty());
    assert_eq!(image_ids(&data).len() as u64, data.len());
}

#[cfg(unix)]
#[test]
fn an_interrupted_build_leaves_nothing() {
    let (dir, path) = place();
    // Read so many times over, the town takes a while.
    let mut child = program()
        .arg("build")
        .args(["town"; 100])
        .args(["-o", &path])
        .spawn()
        .unwrap();
    while files_in(dir.path()).is_empty() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(files_in(dir.path()).is_empty(), "nothing is left behind");
}

#[cfg(unix)]
#[test]
fn a_full_disk_says_what_to_do_and_leaves_what_was_there() {
    let (dir, path) = town();
    let before = fs::read(&path).unwrap();
    // No file may grow beyond 64 blocks of 512 or 1024 bytes; the signal for it is ignored, so
    // that writing fails as it does on a full disk.
    let script = "trap '' XFSZ; ulimit -f 64 || exit 99; exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_tilesight")])
        .args(["build", "town", "--overwrite", "-o", &path])
        .current_dir(fixtures())
        .output()
        .unwrap();
    if output.status.code() == Some(99) {
        return println!("SKIPPED: this shell cannot limit the size of files");
    }
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("make room, or write it elsewhere"), "{said}");
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(files_in(dir.path()), ["town.tsight"]);
}
