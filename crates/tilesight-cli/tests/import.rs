//! The program imports sequences of other services.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A sequence as the API v3 gave it, before keys of images were integers.
const OLD: &str = r#"{"type": "FeatureCollection", "features": [{"type": "Feature",
    "properties": {"camera_make": "Apple", "captured_at": "2016-03-14T13:44:37.206Z",
        "coordinateProperties": {"cas": [96.5, 97],
            "image_keys": ["LwrHXqFRN_pszCopTKHF_Q", "Aufjv2hdCKwg9LySWWVSwg"]},
        "created_at": "2016-03-17T10:47:53.106Z", "key": "cHBf9e8n0pG8O0ZVQHGFBQ", "pano": false,
        "user_key": "AGfe-07BEJX0-kxpu9J3rA", "username": "pbb"},
    "geometry": {"type": "LineString", "coordinates": [[24.9384, 60.1699], [24.9386, 60.17]]}}]}"#;

fn run(dir: &Path, line: &str) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tilesight"));
    let town = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/town/mly1_public");
    let words = line.split_whitespace().map(|word| match word {
        "TOWN" => town.clone(),
        word => PathBuf::from(word),
    });
    program.current_dir(dir).args(words).output().unwrap()
}

/// Standard output and standard error of a run that ends well.
#[track_caller]
fn good(dir: &Path, line: &str) -> [String; 2] {
    let output = run(dir, line);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{line}: {said}");
    [String::from_utf8(output.stdout).unwrap(), said]
}

#[track_caller]
fn bad(dir: &Path, line: &str, status: i32, expected: &str) {
    let output = run(dir, line);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{line}: {said}");
    assert!(said.contains(expected), "{line}: {said}");
}

#[test]
fn compat_4_v3_goes_in_and_comes_out() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    good(dir, "sequences TOWN --shape v3 -o town.geojson");
    let [_, said] = good(dir, "import town.geojson --store town.mbtiles");
    assert!(said.contains("sequences with"), "{said}");
    good(dir, "sequences town.mbtiles --shape v3 -o again.geojson");
    assert_eq!(
        fs::read(dir.join("again.geojson")).unwrap(),
        fs::read(dir.join("town.geojson")).unwrap()
    );
    let [images, _] = good(dir, "images town.mbtiles --creator 549053432678742 --count");
    assert_eq!(
        images,
        good(dir, "images TOWN --creator 549053432678742 --count")[0]
    );
    // A dataset file answers as the store it is built of.
    good(dir, "build town.mbtiles -o town.tsight");
    good(dir, "sequences town.tsight --shape v3 -o built.geojson");
    assert_eq!(
        fs::read(dir.join("built.geojson")).unwrap(),
        fs::read(dir.join("town.geojson")).unwrap()
    );
}

#[test]
fn keys_of_before_2021_are_given_numbers_and_given_back() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    fs::write(dir.join("old.geojson"), OLD).unwrap();
    let [_, said] = good(dir, "import old.geojson --store old.mbtiles");
    assert!(said.contains("2 images have keys of before 2021"), "{said}");
    assert!(
        said.contains("1 sequences with 2 images in old.mbtiles"),
        "{said}"
    );
    let [v3, _] = good(dir, "sequences old.mbtiles --shape v3");
    let (v3, old): (Value, Value) = (
        serde_json::from_str(&v3).unwrap(),
        serde_json::from_str(OLD).unwrap(),
    );
    assert_eq!(
        v3["features"][0]["properties"],
        old["features"][0]["properties"]
    );
    let [ids, _] = good(dir, "images old.mbtiles -f ids");
    assert!(
        ids.lines().count() == 2 && ids.lines().all(|id| id.starts_with('-')),
        "{ids}"
    );
    let [info, _] = good(dir, "info old.mbtiles --json");
    assert_eq!(
        serde_json::from_str::<Value>(&info).unwrap()["imported_sequences"],
        1
    );
    assert!(good(dir, "info old.mbtiles")[0].contains("1 sequences"));
    // Who made it is known by both names.
    bad(
        dir,
        "annotate old.mbtiles like cHBf9e8n0pG8O0ZVQHGFBQ --user pbb",
        2,
        "cannot like it",
    );
    good(
        dir,
        "annotate old.mbtiles like cHBf9e8n0pG8O0ZVQHGFBQ --user maria",
    );
}

#[test]
fn rule_10_an_import_holds_no_tile() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    fs::write(dir.join("old.geojson"), OLD).unwrap();
    good(dir, "import old.geojson --store old.mbtiles");
    let place = "--near 24.9384,60.1699 --radius 50";
    bad(
        dir,
        &format!("images old.mbtiles {place}"),
        3,
        "tilesight fetch",
    );
    let [count, said] = good(
        dir,
        &format!("images old.mbtiles {place} --partial --count"),
    );
    assert_eq!(count, "2\n");
    assert!(said.contains("partial"), "{said}");
}

#[test]
fn what_is_not_imported_leaves_the_store_as_it_was() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    fs::write(dir.join("old.geojson"), OLD).unwrap();
    good(dir, "import old.geojson --store old.mbtiles");
    let before = fs::read(dir.join("old.mbtiles")).unwrap();
    fs::write(
        dir.join("wrong.geojson"),
        OLD.replace("[96.5, 97]", "[96.5]"),
    )
    .unwrap();
    bad(
        dir,
        "import wrong.geojson --store old.mbtiles",
        2,
        "cHBf9e8n0pG8O0ZVQHGFBQ",
    );
    fs::write(dir.join("wrong.geojson"), [0xff, 0xfe]).unwrap();
    bad(dir, "import wrong.geojson --store old.mbtiles", 2, "UTF-8");
    bad(
        dir,
        "import no.geojson --store old.mbtiles",
        1,
        "no.geojson",
    );
    assert!(fs::read(dir.join("old.mbtiles")).unwrap() == before);
    fs::write(dir.join("notes.txt"), "not a store").unwrap();
    bad(
        dir,
        "import old.geojson --store notes.txt",
        1,
        "was not made by fetching",
    );
    assert_eq!(fs::read(dir.join("notes.txt")).unwrap(), b"not a store");
}

#[test]
fn an_archive_says_what_is_not_in_it() {
    let dir = TempDir::new().unwrap();
    let dir = dir.path();
    good(dir, "sequences TOWN --shape v3 -o town.geojson");
    let [_, said] = good(dir, "pack TOWN -o town.pmtiles");
    assert!(said.is_empty(), "{said}");
    good(dir, "import town.geojson --store town.mbtiles");
    bad(dir, "pack town.mbtiles -o imported.pmtiles", 1, "no tile");
}
