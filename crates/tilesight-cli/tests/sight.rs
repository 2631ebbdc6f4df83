//! The built program on the committed fixtures: what looks at the shapes of a file, and how much of
//! roads is covered.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The door of `fixtures/README.md`.
const DOOR: [f64; 2] = [24.95238, 60.17075];

struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of features and returns its path.
    fn file(&self, name: &str, features: &[Value]) -> String {
        let collection = json!({"type": "FeatureCollection", "features": features});
        fs::write(self.path(name), collection.to_string()).unwrap();
        self.path(name).display().to_string()
    }

    /// Writes the lines of the town's sequences; some sequences have none.
    fn streets(&self, format: &str) {
        let all: Value = serde_json::from_str(&self.good("sequences town -f geojson")).unwrap();
        let has_line = |feature: &&Value| {
            feature["geometry"]["type"]
                .as_str()
                .unwrap()
                .ends_with("LineString")
        };
        let ids = all["features"].as_array().unwrap().iter().filter(has_line);
        let ids: Vec<_> = ids
            .map(|feature| feature["properties"]["id"].as_str().unwrap())
            .collect();
        let line = format!(
            "sequences town --fields id,geometry --sequence={} -o {{}}/streets.{format}",
            ids.join(",")
        );
        self.good(&line);
    }

    fn run(&self, line: &str) -> Output {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
        let folder = self.folder.path().display().to_string();
        let words = line
            .split_whitespace()
            .map(|word| word.replace("{}", &folder));
        Command::new(env!("CARGO_BIN_EXE_tilesight"))
            .current_dir(fixtures)
            .args(words)
            .output()
            .unwrap()
    }

    #[track_caller]
    fn good(&self, line: &str) -> String {
        let output = self.run(line);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{line}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[track_caller]
    fn bad(&self, line: &str, status: i32, expected: &str) {
        let output = self.run(line);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{line}: {said}");
        assert!(said.contains(expected), "{line}: {said}");
    }
}

fn feature(id: &str, kind: &str, coordinates: &Value) -> Value {
    json!({
        "type": "Feature",
        "id": id,
        "properties": {"name": format!("the {id}")},
        "geometry": {"type": kind, "coordinates": coordinates},
    })
}

/// A square around a position, with sides of so many degrees.
fn square(id: &str, [lon, lat]: [f64; 2], side: f64) -> Value {
    let (half, tall) = (side / 2.0, side / 4.0);
    let ring = [
        [-half, -tall],
        [half, -tall],
        [half, tall],
        [-half, tall],
        [-half, -tall],
    ];
    let ring = ring.map(|[x, y]| [lon + x, lat + y]);
    feature(id, "Polygon", &json!([ring]))
}

fn column(csv: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let at = reader
        .headers()
        .unwrap()
        .iter()
        .position(|header| header == name)
        .unwrap();
    reader
        .records()
        .map(|row| row.unwrap()[at].to_owned())
        .collect()
}

#[test]
fn a_point_is_seen_as_by_looking_at_it() {
    let scene = Scene::new();
    scene.file("doors.geojson", &[feature("door", "Point", &json!(DOOR))]);
    for options in [
        "",
        "--radius 80 --fov 60",
        "--pano",
        "--since 2023 --limit 3",
    ] {
        let sees = scene.good(&format!(
            "images town --sees {{}}/doors.geojson {options} -f ids"
        ));
        let looking = format!(
            "images town --looking-at {},{} {options} -f ids",
            DOOR[0], DOOR[1]
        );
        assert!(!sees.is_empty(), "{options}");
        assert_eq!(sees, scene.good(&looking), "{options}");
    }
}

#[test]
fn rows_name_their_target_in_every_format() {
    let scene = Scene::new();
    let doors = [feature("a", "Point", &json!(DOOR)), square("b", DOOR, 2e-4)];
    scene.file("doors.geojson", &doors);
    let ask = "images town --sees {}/doors.geojson --per-target 2";
    let csv = scene.good(&format!("{ask} -f csv"));
    assert_eq!(column(&csv, "target_id"), ["a", "a", "b", "b"]);
    let names = scene.good(&format!("{ask} --target-id name -f csv"));
    assert_eq!(
        column(&names, "target_id"),
        ["the a", "the a", "the b", "the b"]
    );
    let distances: Vec<f64> = column(&csv, "distance_m")
        .iter()
        .map(|cell| cell.parse().unwrap())
        .collect();
    assert!(
        distances[2] < distances[0],
        "the square's edge is nearer than its middle"
    );
    assert_eq!(scene.good(&format!("{ask} --count")), "4\n");
    let collection: Value =
        serde_json::from_str(&scene.good(&format!("{ask} -f geojson"))).unwrap();
    let first = &collection["features"][0];
    assert_eq!(first["properties"]["target_id"], "a");
    assert_eq!(first["properties"]["id"], column(&csv, "id")[0].as_str());
    assert_eq!(first["geometry"]["type"], "Point");
    let table = scene.good(&format!("{ask} -f table --fields target_id,id,offset_deg"));
    assert!(
        table.starts_with("target_id") && table.ends_with("4 sightings\n"),
        "{table}"
    );
    let central = scene.good(&format!("{ask} --target-order central -f csv"));
    let offset = |csv: &str| column(csv, "offset_deg")[0].parse::<f64>().unwrap_or(180.0);
    assert!(offset(&central) <= offset(&csv));
}

#[test]
fn a_wall_of_footprints_hides_the_door() {
    let scene = Scene::new();
    scene.file("doors.geojson", &[feature("door", "Point", &json!(DOOR))]);
    // Four walls of some metres around the door, 2 m away from it; the door is in none of them.
    let (near, far) = (4e-5, 1.2e-4);
    let wall = |id: &str, [west, south, east, north]: [f64; 4]| {
        let ring = [
            [west, south],
            [east, south],
            [east, north],
            [west, north],
            [west, south],
        ];
        let ring = ring.map(|[x, y]| [DOOR[0] + x, DOOR[1] + y / 2.0]);
        feature(id, "Polygon", &json!([ring]))
    };
    let walls = [
        wall("west", [-far, -far, -near, far]),
        wall("east", [near, -far, far, far]),
        wall("south", [-far, -far, far, -near]),
        wall("north", [-far, near, far, far]),
    ];
    scene.file("walls.geojson", &walls);
    let ask = "images town --sees {}/doors.geojson";
    let all = scene.good(&format!("{ask} -f csv"));
    let degrees = |name| {
        column(&all, name)
            .into_iter()
            .map(|cell| cell.parse::<f64>().unwrap())
    };
    // What stands in a wall, or within all four, sees the door.
    let is_inside = |(lon, lat): &(f64, f64)| {
        (lon - DOOR[0]).abs() <= far && (lat - DOOR[1]).abs() <= far / 2.0
    };
    let inside = degrees("lon").zip(degrees("lat")).filter(is_inside).count();
    let all = degrees("lon").count();
    let seen = scene.good(&format!("{ask} --occluders {{}}/walls.geojson --count"));
    assert!(all > 5 + inside, "{all}, {inside}");
    assert_eq!(seen.trim(), inside.to_string());
    // The house that the door is in hides nothing.
    scene.file("house.geojson", &[square("house", DOOR, 2.0 * far)]);
    let own = scene.good(&format!("{ask} --occluders {{}}/house.geojson --count"));
    assert_eq!(own.trim(), all.to_string());
}

#[test]
fn streets_that_images_were_taken_along_are_covered() {
    let scene = Scene::new();
    scene.streets("geojson");
    let csv =
        scene.good("coverage town --roads {}/streets.geojson --within 30 --road-id id -f csv");
    let covered: Vec<f64> = column(&csv, "covered")
        .iter()
        .filter_map(|cell| cell.parse().ok())
        .collect();
    assert!(covered.len() > 10);
    assert!(covered.iter().all(|share| (0.0..=1.0).contains(share)));
    let mean = covered.iter().sum::<f64>() / covered.len() as f64;
    assert!(mean > 0.9, "{mean}");
    let sum = scene.good("coverage town --roads {}/streets.geojson --within 30 -f table");
    let lines: Vec<&str> = sum.lines().collect();
    assert!(
        lines[1].starts_with("all ") && lines[1].ends_with("100.0 %"),
        "{sum}"
    );
    assert!(
        lines[2].starts_with("covered ") && lines[10].ends_with(" roads"),
        "{sum}"
    );
    let share = |options: &str| -> f64 {
        let line = format!("coverage town --roads {{}}/streets.geojson -f table {options}");
        let sum = scene.good(&line);
        let covered = sum
            .lines()
            .nth(2)
            .unwrap()
            .split_whitespace()
            .nth(2)
            .unwrap();
        covered.parse().unwrap()
    };
    assert!(share("--heading-aware --flat") < share("--flat"));
    assert!(share("--within 2") < share("--within 20"));
    assert!(share("--since 2023") < share(""));
}

#[test]
fn roads_are_written_and_their_sum_is_printed() {
    let scene = Scene::new();
    scene.streets("geojson");
    let ask = "coverage town --roads {}/streets.geojson --as-of 2024";
    let sum = scene.good(&format!("{ask} -o {{}}/out.geojson"));
    assert_eq!(sum, scene.good(&format!("{ask} -f table")));
    let written = fs::read_to_string(scene.path("out.geojson")).unwrap();
    assert_eq!(written, scene.good(ask), "a pipe gets the roads");
    let roads: Value = serde_json::from_str(&written).unwrap();
    let streets = fs::read_to_string(scene.path("streets.geojson")).unwrap();
    let streets: Value = serde_json::from_str(&streets).unwrap();
    let (roads, streets) = (&roads["features"], &streets["features"]);
    assert_eq!(
        roads.as_array().unwrap().len(),
        streets.as_array().unwrap().len()
    );
    for (road, street) in roads
        .as_array()
        .unwrap()
        .iter()
        .zip(streets.as_array().unwrap())
    {
        assert_eq!(road["geometry"], street["geometry"]);
    }
    scene.bad(&format!("{ask} -o {{}}/out.geojson"), 1, "--overwrite");
}

#[cfg(feature = "parquet")]
#[test]
fn geoparquet_goes_in_as_it_came_out() {
    let scene = Scene::new();
    scene.streets("geojson");
    scene.streets("parquet");
    let of = |extension: &str| {
        let roads = format!("coverage town --roads {{}}/streets.{extension} --road-id id");
        let mut lines: Vec<String> = scene
            .good(&format!(
                "{roads} -f csv --fields id,length_m,covered,covered_pano"
            ))
            .lines()
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    };
    let (text, binary) = (of("geojson"), of("parquet"));
    assert_eq!(text.len(), binary.len());
    for (text, binary) in text.iter().zip(&binary) {
        let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
        let (text, binary) = (cells(text), cells(binary));
        assert_eq!(text[0], binary[0]);
        for (a, b) in text[1..].iter().zip(&binary[1..]) {
            // GeoJSON rounds positions to nine decimals.
            let (a, b) = (a.parse::<f64>(), b.parse::<f64>());
            assert!(a == b || (a.unwrap() - b.unwrap()).abs() < 1e-3);
        }
    }
    scene.good("images town --near 24.95238,60.17075 --radius 30 -o {}/doors.parquet");
    let seen =
        scene.good("images town --sees {}/doors.parquet --target-id id --per-target 1 -f csv");
    // Each image stands on a target.
    assert!(column(&seen, "distance_m").iter().all(|cell| cell == "0"));
    assert_eq!(column(&seen, "target_id"), column(&seen, "id"));
    for format in ["parquet", "arrow"] {
        scene.good(&format!(
            "images town --sees {{}}/doors.parquet -o {{}}/seen.{format}"
        ));
        scene.good(&format!(
            "coverage town --roads {{}}/streets.parquet -o {{}}/covered.{format}"
        ));
        assert!(
            fs::metadata(scene.path(&format!("seen.{format}")))
                .unwrap()
                .len()
                > 1000
        );
    }
    // What was written reads back as roads.
    let again = scene.good("coverage town --roads {}/covered.parquet --road-id id -f csv");
    assert_eq!(column(&again, "id").len(), text.len() - 1);
}

#[test]
fn mistakes_are_answered_with_a_right_one() {
    let scene = Scene::new();
    scene.file("doors.geojson", &[feature("door", "Point", &json!(DOOR))]);
    scene.file(
        "far.geojson",
        &[feature("far", "Point", &json!([10.0, 50.0]))],
    );
    scene.file(
        "far_road.geojson",
        &[feature(
            "far",
            "LineString",
            &json!([[10.0, 50.0], [10.0, 50.001]]),
        )],
    );
    let sees = "images town --sees {}/doors.geojson";
    scene.bad("images town --per-target 3", 2, "--sees");
    scene.bad(&format!("{sees} --bbox 1,2,3,4"), 2, "cannot be used with");
    scene.bad(&format!("{sees} --nearest 5"), 2, "--per-target 10");
    scene.bad(&format!("{sees} --count-by year"), 2, "--count-by");
    scene.bad(&format!("{sees} --radius 5000"), 2, "0 to 1000 metres");
    scene.bad(&format!("{sees} --fields colour"), 2, "target_id");
    scene.bad(&format!("{sees} --target-id osm_id"), 2, "osm_id");
    scene.bad(
        &format!("{sees} --occluders {{}}/doors.geojson"),
        2,
        "polygons",
    );
    scene.bad("images town --sees {}/no.geojson", 2, "no.geojson");
    scene.bad("images town --sees {}/far.geojson", 3, "1 of the 1 tiles");
    scene.bad(
        "coverage town --roads {}/doors.geojson",
        2,
        "feature 0, counted from 0",
    );
    scene.bad("coverage town --roads {}/far_road.geojson", 3, "--partial");
    scene.bad(
        "coverage town --roads {}/far_road.geojson --within x",
        2,
        "--within",
    );
    let partial = scene.run("images town --sees {}/far.geojson --partial --count");
    assert_eq!(String::from_utf8(partial.stdout).unwrap(), "0\n");
    assert!(
        String::from_utf8(partial.stderr)
            .unwrap()
            .contains("the answer is partial")
    );
}
