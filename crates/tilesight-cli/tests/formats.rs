//! The built program's formats on the committed fixtures, byte by byte where they are text.
//!
//! With `UPDATE_GOLDEN` in the environment the golden files are written anew.

#![cfg(feature = "parquet")]
#![allow(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

mod line;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

/// The door of `fixtures/README.md`.
const DOOR: &str = "24.95238,60.17075";

/// Golden files and what writes them.
const GOLDEN: [(&str, &str); 25] = [
    (
        "images.geojson",
        "images town --near DOOR --nearest 3 -f geojson",
    ),
    (
        "images.geojsonl",
        "images town --near DOOR --nearest 3 -f geojsonseq",
    ),
    ("images.csv", "images town --near DOOR --nearest 3 -f csv"),
    (
        "images-wkt.csv",
        "images town --near DOOR --nearest 3 -f csv --wkt",
    ),
    ("images.ids", "images town --near DOOR --nearest 3 -f ids"),
    (
        "images.txt",
        "images town --looking-at DOOR --limit 3 -f table",
    ),
    (
        "fields.csv",
        "images town --near DOOR --nearest 3 -f csv --fields id,geometry,captured_at",
    ),
    (
        "fields.geojson",
        "images town --near DOOR --nearest 3 --fields lat,id,distance_m",
    ),
    (
        "features.csv",
        "features town --near DOOR --nearest 3 -f csv",
    ),
    (
        "sequences.csv",
        "sequences town --near DOOR --nearest 2 -f csv",
    ),
    (
        "sequences.geojson",
        "sequences town --near DOOR --nearest 2 -f geojson",
    ),
    (
        "v2.json",
        "sequences town --near DOOR --nearest 2 --shape v2",
    ),
    (
        "v2-geojson.json",
        "sequences town --near DOOR --nearest 2 --shape v2-geojson",
    ),
    (
        "v3.json",
        "sequences town --near DOOR --nearest 2 --shape v3",
    ),
    (
        "sequences.geojsonl",
        "sequences town --near DOOR --nearest 2 -f geojsonseq",
    ),
    (
        "sequences.ids",
        "sequences town --near DOOR --nearest 2 -f ids",
    ),
    (
        "sequences.txt",
        "sequences town --near DOOR --nearest 2 -f table",
    ),
    (
        "features.geojson",
        "features town --near DOOR --nearest 3 -f geojson",
    ),
    (
        "features.geojsonl",
        "features town --near DOOR --nearest 3 -f geojsonseq",
    ),
    (
        "features-wkt.csv",
        "features town --near DOOR --nearest 3 -f csv --wkt",
    ),
    (
        "features.ids",
        "features town --near DOOR --nearest 3 -f ids",
    ),
    (
        "features.txt",
        "features town --near DOOR --nearest 3 -f table",
    ),
    (
        "v2.jsonl",
        "sequences town --near DOOR --nearest 2 --shape v2 -f geojsonseq",
    ),
    (
        "v2-geojson.jsonl",
        "sequences town --near DOOR --nearest 2 --shape v2-geojson -f geojsonseq",
    ),
    (
        "v3.jsonl",
        "sequences town --near DOOR --nearest 2 --shape v3 -f geojsonseq",
    ),
];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn run(line: &str) -> Output {
    line::run(&line.replace("DOOR", DOOR))
}

#[track_caller]
fn good(line: &str) -> Vec<u8> {
    let output = run(line);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}");
    output.stdout
}

#[track_caller]
fn bad(line: &str, status: i32) -> String {
    let output = run(line);
    assert_eq!(output.status.code(), Some(status), "{line}");
    String::from_utf8(output.stderr).unwrap()
}

fn json(line: &str) -> Value {
    serde_json::from_slice(&good(line)).unwrap()
}

#[test]
fn golden_files_come_again_byte_by_byte() {
    for (name, line) in GOLDEN {
        let (path, bytes) = (here("tests/golden").join(name), good(line));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &bytes).unwrap();
        }
        let expected = fs::read(&path).unwrap();
        assert!(
            bytes == expected,
            "{name}:\n{}",
            String::from_utf8_lossy(&bytes)
        );
    }
}

/// The images of a sequence as the program itself lists them, in capture order.
fn images_of(sequence: &str) -> Vec<Value> {
    let listed = json(&format!("images town --sequence={sequence} -f geojson"));
    let mut images = listed["features"].as_array().unwrap().clone();
    let time = |image: &Value| {
        image["properties"]["captured_at"]
            .as_str()
            .map(str::to_owned)
    };
    let id = |image: &Value| {
        image["properties"]["id"]
            .as_str()
            .unwrap()
            .parse::<i64>()
            .unwrap()
    };
    images.sort_by_key(|image| (time(image).is_none(), time(image), id(image)));
    images
}

fn each(images: &[Value], pointer: &str) -> Value {
    images
        .iter()
        .map(|image| image.pointer(pointer).unwrap().clone())
        .collect()
}

#[test]
fn shapes_list_the_images_in_capture_order() {
    let whole = json("sequences town --shape v2");
    let whole = whole.as_array().unwrap();
    let features = json("sequences town --shape v2-geojson");
    let v3 = json("sequences town --shape v3");
    assert_eq!(
        (&features["more"], &features["type"]),
        (&false.into(), &"FeatureCollection".into())
    );
    assert_eq!(whole.len(), features["features"].as_array().unwrap().len());
    let step = (whole.len() / 5).max(1);
    for i in (0..whole.len()).step_by(step) {
        let (v2, feature, v3) = (&whole[i], &features["features"][i], &v3["features"][i]);
        let key = v2["key"].as_str().unwrap();
        let images = images_of(key);
        let (ids, headings) = (
            each(&images, "/properties/id"),
            each(&images, "/properties/compass_angle"),
        );
        let positions = each(&images, "/geometry/coordinates");
        assert_eq!(
            (&v2["keys"], &v2["cas"], &v2["coords"]),
            (&ids, &headings, &positions)
        );
        let properties = &feature["properties"];
        assert_eq!((&properties["keys"], &properties["cas"]), (&ids, &headings));
        assert_eq!(properties["boundary"], v2["boundary"]);
        assert_eq!(properties["captured_at"], v2["captured_at"]);
        let arrays = &v3["properties"]["coordinateProperties"];
        assert_eq!((&arrays["image_keys"], &arrays["cas"]), (&ids, &headings));
        assert_eq!(
            v3["properties"]["captured_at"],
            images[0]["properties"]["captured_at"]
        );
        assert_eq!(
            v3["properties"]["user_key"],
            images[0]["properties"]["creator_id"]
        );
        if images.len() > 1 {
            assert_eq!(feature["geometry"]["coordinates"], positions);
        } else {
            assert_eq!(
                feature["geometry"]["coordinates"].as_array().unwrap().len(),
                2
            );
        }
        let bbox: Vec<f64> = serde_json::from_value(feature["geometry"]["bbox"].clone()).unwrap();
        let boundary = |name: &str| v2["boundary"][name].as_f64().unwrap();
        assert_eq!(
            bbox,
            ["min_lon", "min_lat", "max_lon", "max_lat"].map(boundary)
        );
    }
    let lines = String::from_utf8(good("sequences town --shape v2 -f geojsonseq")).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(&lines, whole);
}

#[test]
fn a_line_cut_at_the_edge_of_what_is_held_lacks_tiles() {
    // One tile of many: lines run out of it.
    let dir = TempDir::new().unwrap();
    let tile = "14/9326/4742.mvt";
    fs::create_dir_all(dir.path().join("14/9326")).unwrap();
    fs::copy(
        here("../../fixtures/town/mly1_public").join(tile),
        dir.path().join(tile),
    )
    .unwrap();
    let missing = |source: &str| -> u64 {
        let found = json(&format!("sequences {source} -f geojson"));
        let features = found["features"].as_array().unwrap();
        features
            .iter()
            .map(|f| f["properties"]["tiles_missing"].as_u64().unwrap())
            .sum()
    };
    let (of_one, of_all) = (missing(dir.path().to_str().unwrap()), missing("town"));
    assert!(of_one > 0 && of_all < of_one, "{of_one} and {of_all}");
}

#[test]
fn columns_are_files_and_pipes() {
    let dir = TempDir::new().unwrap();
    for (file, start) in [
        ("a.parquet", &b"PAR1"[..]),
        ("a.geoparquet", b"PAR1"),
        ("a.arrows", &[0xff; 4]),
    ] {
        let path = dir.path().join(file);
        assert!(good(&format!("images town -o {}", path.display())).is_empty());
        let format = if start == b"PAR1" { "parquet" } else { "arrow" };
        let bytes = fs::read(path).unwrap();
        assert!(bytes.starts_with(start), "{file}");
        assert!(bytes == good(&format!("images town -f {format}")), "{file}");
    }
}

#[test]
fn a_folder_is_exported_whole_or_not_at_all() {
    let dir = TempDir::new().unwrap();
    let target = dir.path().join("out");
    let export = format!("export town -o {}", target.display());
    good(&format!("{export} --partition-zoom 13"));
    let tiles = fs::read_dir(target.join("z=13")).unwrap().count();
    assert!(tiles > 1);
    assert!(bad(&format!("{export} --partition-zoom 14"), 1).contains("--overwrite"));
    assert!(bad(&format!("{export} --overwrite --fields colour"), 2).contains("captured_at"));
    assert!(target.join("z=13").exists(), "nothing was touched");
    good(&format!("{export} --partition-zoom 14 --overwrite"));
    assert!(target.join("z=14").exists() && !target.join("z=13").exists());
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing is left over"
    );
    bad("export town -o -", 2);
    bad("export town -o no/such/folder", 1);
    bad("export town -o town.mbtiles --overwrite", 1);
}
