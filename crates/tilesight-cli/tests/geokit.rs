//! The commands of geokit as the built program has them, on the committed fixtures and against
//! servers on loopback: each with the options, defaults and file names of geokit, and each of its
//! defects put right.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Answer, Asked, Server, asked_ids, program};
use serde_json::{Value, json};
use tempfile::TempDir;
use tilesight_fault_server::{Fault, FaultServer};
use tilesight_tile::{Bbox, LonLat, TileId, cover_bbox, haversine_m};

/// A box around the middle of town.
const MIDDLE: &str = "24.935,60.163,24.965,60.174";

/// A token that must turn up nowhere but in requests.
const CANARY: &str = "MLY|4711|c4n4ry";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .canonicalize()
        .unwrap()
}

fn town() -> String {
    fixtures().join("town").display().to_string()
}

/// An empty folder in which the program runs.
struct Folder(TempDir);

struct Ended {
    status: i32,
    stdout: String,
    stderr: String,
}

/// Runs a line of words; nothing that comes of it may have the token.
fn end(command: &mut Command, line: &str) -> Ended {
    let output = command.args(line.split_whitespace()).output().unwrap();
    let ended = Ended {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(
        !ended.stdout.contains("c4n4ry") && !ended.stderr.contains("c4n4ry"),
        "{line}"
    );
    ended
}

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn program(&self) -> Command {
        let mut command = program();
        command.current_dir(self.path());
        command
    }

    fn run(&self, line: &str) -> Ended {
        end(&mut self.program(), line)
    }

    #[track_caller]
    fn good(&self, line: &str) -> Ended {
        let ended = self.run(line);
        assert_eq!(ended.status, 0, "{line}: {}", ended.stderr);
        ended
    }

    /// What a line says that ends with a status other than 0.
    #[track_caller]
    fn bad(&self, line: &str, status: i32) -> String {
        let ended = self.run(line);
        assert_eq!(ended.status, status, "{line}: {}", ended.stderr);
        assert!(ended.stdout.is_empty(), "{line}");
        ended.stderr
    }

    /// Runs `get_mapillary_points` on the town.
    #[track_caller]
    fn get(&self, options: &str) {
        self.good(&format!(
            "geokit get_mapillary_points --source {} {options}",
            town()
        ));
    }

    fn write(&self, file: &str, features: &[Value]) {
        let collection = json!({"type": "FeatureCollection", "features": features});
        fs::write(self.path().join(file), collection.to_string()).unwrap();
    }

    #[track_caller]
    fn features(&self, file: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path().join(file)).unwrap();
        let collection: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(collection["type"], "FeatureCollection");
        assert_eq!(collection["license"], "CC BY-SA 4.0");
        collection["features"].as_array().unwrap().clone()
    }

    /// Names of the files in a subfolder.
    fn files(&self, folder: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(self.path().join(folder)).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// Ids that `tilesight images` finds.
    fn ids(&self, options: &str) -> BTreeSet<String> {
        let found = self.good(&format!("images {} {options} -f ids", town()));
        found.stdout.lines().map(str::to_owned).collect()
    }
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

fn property<'v>(feature: &'v Value, name: &str) -> &'v Value {
    &feature["properties"][name]
}

fn text<'v>(feature: &'v Value, name: &str) -> &'v str {
    property(feature, name).as_str().unwrap()
}

fn ids_of(points: &[Value]) -> BTreeSet<String> {
    let id = |point: &Value| property(point, "id").as_i64().unwrap().to_string();
    points.iter().map(id).collect()
}

/// The positions of each part of a sequence.
fn parts(geometry: &Value) -> Vec<Vec<(f64, f64)>> {
    let coordinates = geometry["coordinates"].as_array();
    let position = |at: &Value| (at[0].as_f64().unwrap(), at[1].as_f64().unwrap());
    let line = |line: &Value| line.as_array().unwrap().iter().map(position).collect();
    match geometry["type"].as_str().unwrap() {
        "Point" => vec![vec![position(&geometry["coordinates"])]],
        "MultiPoint" => coordinates
            .unwrap()
            .iter()
            .map(|at| vec![position(at)])
            .collect(),
        "LineString" => vec![line(&geometry["coordinates"])],
        "MultiLineString" => coordinates.unwrap().iter().map(line).collect(),
        "GeometryCollection" => {
            let members = geometry["geometries"].as_array().unwrap();
            members.iter().flat_map(parts).collect()
        }
        other => panic!("{other} is neither points nor lines"),
    }
}

/// A point of a sequence, some metres east of a place in town.
fn point(id: i64, sequence: &str, captured_at: i64, east_m: f64) -> Value {
    let lon = 24.95 + east_m / (111_195.08 * 60.17_f64.to_radians().cos());
    json!({
        "type": "Feature",
        "properties": {"id": id, "sequence_id": sequence, "captured_at": captured_at, "is_pano": true},
        "geometry": {"type": "Point", "coordinates": [lon, 60.17]},
    })
}

#[test]
fn every_command_has_the_options_and_defaults_of_geokit() {
    let folder = Folder::new();
    for (command, options) in [
        (
            "get_mapillary_points",
            "--input_aoi --field_name --timestamp_from --only_pano --organization_ids \
             --output_file_point=data/mapillary_points.geojson \
             --output_file_sequence=data/mapillary_sequence.geojson",
        ),
        (
            "merge_sequences",
            "--geojson_input --geojson_output=data/mapillary_merge_sequences.geojson",
        ),
        (
            "create_custom_sequences",
            "--geojson_points --output_file_sequence=data/mapillary_custome_sequences.geojson",
        ),
        (
            "match_point_sequences",
            "--geojson_polygons --geojson_points \
             --geojson_output=data/mapillary_match_point_sequences.geojson",
        ),
        (
            "simplify_sequence",
            "--geojson_input --buffer --geojson_out=data/mapillary_simplify_sequence.geojson",
        ),
        (
            "simplify_points",
            "--input_points --points_distance \
             --output_points=data/mapillary_simplify_points.geojson",
        ),
        (
            "download_mapillary_imgs",
            "--input_file_points --output_images_path=data/mapillary_images \
             --output_file_points=data/mapillary_points_imgs_url.geojson",
        ),
    ] {
        let help = folder.good(&format!("geokit {command} --help")).stdout;
        for option in options.split_whitespace() {
            let (name, default) = option.split_once('=').unwrap_or((option, ""));
            assert!(
                help.contains(&format!("{name} ")) || help.contains(&format!("{name}\n")),
                "{command} {name}"
            );
            assert!(help.contains(default), "{command} {option}");
        }
    }
}

#[test]
fn points_and_sequences_come_as_panoramas_and_others() {
    let folder = Folder::new();
    folder.get(&format!("--input_aoi {MIDDLE}"));
    assert_eq!(
        folder.files("data"),
        set([
            "mapillary_points__no__pano.geojson",
            "mapillary_points__pano.geojson",
            "mapillary_sequence__no__pano.geojson",
            "mapillary_sequence__pano.geojson",
        ])
    );
    let panoramas = folder.features("data/mapillary_points__pano.geojson");
    let others = folder.features("data/mapillary_points__no__pano.geojson");
    assert!(!panoramas.is_empty() && !others.is_empty());
    assert_eq!(
        ids_of(&panoramas),
        folder.ids(&format!("--bbox {MIDDLE} --pano"))
    );
    let both: BTreeSet<_> = ids_of(&panoramas)
        .union(&ids_of(&others))
        .cloned()
        .collect();
    assert_eq!(both, folder.ids(&format!("--bbox {MIDDLE}")));
    assert!(
        panoramas
            .iter()
            .all(|point| property(point, "is_pano") == true)
    );
    for kind in ["pano", "no__pano"] {
        let points = folder.features(&format!("data/mapillary_points__{kind}.geojson"));
        let mut expected: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for point in points
            .iter()
            .filter(|point| property(point, "sequence_id").is_string())
        {
            let id = property(point, "id").to_string();
            expected
                .entry(text(point, "sequence_id"))
                .or_default()
                .insert(id);
        }
        let sequences = folder.features(&format!("data/mapillary_sequence__{kind}.geojson"));
        let images = |sequence: &Value| {
            text(sequence, "images_id")
                .split(',')
                .map(str::to_owned)
                .collect()
        };
        let found = sequences
            .iter()
            .map(|s| (text(s, "sequence_id"), images(s)))
            .collect();
        assert_eq!(expected, found);
    }
}

#[test]
fn a_box_may_have_spaces_and_only_panoramas_be_asked_for() {
    let folder = Folder::new();
    let mut command = folder.program();
    command.args([
        "geokit",
        "get_mapillary_points",
        "--input_aoi",
        "24.935, 60.163, 24.965, 60.174",
    ]);
    command.args(["--source", &town(), "--only_pano", "-q"]);
    let ended = end(
        &mut command,
        "--output_file_point a/b/p.geojson --output_file_sequence s.geojson",
    );
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    assert_eq!(folder.files("a/b"), set(["p__pano.geojson"]));
    assert_eq!(folder.files("."), set(["a", "s__pano.geojson"]));
}

#[test]
fn the_organization_filter_holds_for_panoramas_too() {
    let folder = Folder::new();
    folder.get(&format!("--input_aoi {MIDDLE}"));
    let panoramas = folder.features("data/mapillary_points__pano.geojson");
    let organization = panoramas
        .iter()
        .find_map(|point| property(point, "organization_id").as_i64());
    let organization = organization.unwrap();
    folder.get(&format!(
        "--input_aoi {MIDDLE} --organization_ids {organization},1"
    ));
    let kept = folder.features("data/mapillary_points__pano.geojson");
    assert!(kept.len() < panoramas.len());
    assert!(
        kept.iter()
            .all(|point| property(point, "organization_id") == organization)
    );
    assert_eq!(
        ids_of(&kept),
        folder.ids(&format!("--bbox {MIDDLE} --pano --org {organization}"))
    );
}

#[test]
fn timestamps_are_milliseconds_and_included() {
    let folder = Folder::new();
    folder.get(&format!("--input_aoi {MIDDLE}"));
    let all = folder.features("data/mapillary_points__no__pano.geojson");
    let mut times: Vec<i64> = all
        .iter()
        .filter_map(|p| property(p, "captured_at").as_i64())
        .collect();
    times.sort_unstable();
    let middle = times[times.len() / 2];
    folder.get(&format!("--input_aoi {MIDDLE} --timestamp_from {middle}"));
    let kept = folder.features("data/mapillary_points__no__pano.geojson");
    let since = times.iter().filter(|&&time| time >= middle).count();
    assert_eq!(kept.len(), since);
}

#[test]
fn boundaries_without_a_field_name_do_not_overwrite_one_another() {
    let folder = Folder::new();
    let areas = fixtures().join("areas/collection.geojson");
    folder.get(&format!("--input_aoi {} --partial", areas.display()));
    let files = folder.files("data");
    assert_eq!(files.len(), 8);
    assert!(
        files.contains("1_mapillary_points__pano.geojson"),
        "{files:?}"
    );
    assert!(
        files.contains("2_mapillary_sequence__no__pano.geojson"),
        "{files:?}"
    );
    let [first, second] = ["1", "2"].map(|name| {
        ids_of(&folder.features(&format!("data/{name}_mapillary_points__no__pano.geojson")))
    });
    assert_ne!(first, second);
}

fn boundary(name: &Value) -> Value {
    let ring = json!([
        [24.94, 60.165],
        [24.95, 60.165],
        [24.95, 60.17],
        [24.94, 60.17],
        [24.94, 60.165]
    ]);
    json!({
        "type": "Feature",
        "properties": {"name": name},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    })
}

#[test]
fn field_values_name_files_that_stay_in_the_folder_and_apart() {
    let folder = Folder::new();
    let names = ["Old Town", "old town", "../../away", "/etc/x", ".."];
    let boundaries: Vec<Value> = names.iter().map(|&name| boundary(&name.into())).collect();
    folder.write("areas.geojson", &boundaries);
    folder.get("--input_aoi areas.geojson --field_name name --only_pano --output_file_point data/p.geojson --output_file_sequence data/s.geojson");
    let points = [
        "Old_Town_p",
        "old_town_2_p",
        "___.._away_p",
        "_etc_x_p",
        "___p",
    ];
    let points: BTreeSet<String> = points
        .iter()
        .map(|name| format!("{name}__pano.geojson"))
        .collect();
    let files = folder.files("data");
    assert!(points.is_subset(&files), "{files:?}");
    assert_eq!(files.len(), 10);
    assert_eq!(folder.files("."), set(["areas.geojson", "data"]));
    let said = folder.bad(
        &format!(
            "geokit get_mapillary_points --source {} --input_aoi areas.geojson --field_name nam",
            town()
        ),
        2,
    );
    assert!(said.contains("\"nam\"") && said.contains("name"), "{said}");
}

/// Longitude and latitude in degrees.
type Degrees = (f64, f64);

/// All images of the town by sequence, in capture order: their ids and where they stand.
fn whole_sequences(folder: &Folder) -> BTreeMap<String, Vec<(i64, Degrees)>> {
    folder.get("--input_aoi -180,-85,180,85 --partial --output_file_point all/p.geojson --output_file_sequence all/s.geojson");
    let mut sequences: BTreeMap<String, Vec<(i64, i64, Degrees)>> = BTreeMap::new();
    for kind in ["pano", "no__pano"] {
        for point in folder.features(&format!("all/p__{kind}.geojson")) {
            let Some(sequence) = property(&point, "sequence_id").as_str() else {
                continue;
            };
            let time = property(&point, "captured_at").as_i64().unwrap_or(i64::MAX);
            let id = property(&point, "id").as_i64().unwrap();
            let at = parts(&point["geometry"])[0][0];
            sequences
                .entry(sequence.to_owned())
                .or_default()
                .push((time, id, at));
        }
    }
    let mut ordered = BTreeMap::new();
    for (key, mut images) in sequences {
        images.sort_by_key(|image| (image.0, image.1));
        let images = images.into_iter().map(|(_, id, at)| (id, at)).collect();
        ordered.insert(key, images);
    }
    ordered
}

#[test]
fn a_sequence_that_leaves_the_area_and_comes_back_is_broken_and_never_bridged() {
    let folder = Folder::new();
    let whole = whole_sequences(&folder);
    folder.get(&format!("--input_aoi {MIDDLE}"));
    let mut broken = 0;
    for kind in ["pano", "no__pano"] {
        for sequence in folder.features(&format!("data/mapillary_sequence__{kind}.geojson")) {
            let images = &whole[text(&sequence, "sequence_id")];
            let chosen: BTreeSet<i64> = text(&sequence, "images_id")
                .split(',')
                .map(|id| id.parse().unwrap())
                .collect();
            let expected: BTreeSet<String> = images
                .chunk_by(|a, b| chosen.contains(&a.0) == chosen.contains(&b.0))
                .filter(|part| chosen.contains(&part[0].0))
                .map(|part| format!("{:?}", part.iter().map(|image| image.1).collect::<Vec<_>>()))
                .collect();
            let found = parts(&sequence["geometry"]);
            broken += usize::from(found.len() > 1);
            let found: BTreeSet<String> = found.iter().map(|part| format!("{part:?}")).collect();
            // A part whose images stand in one place is that place.
            let lines = |parts: BTreeSet<String>| {
                parts
                    .into_iter()
                    .filter(|p| p.matches('(').count() > 1 && !is_one_place(p))
                    .collect::<Vec<_>>()
            };
            assert_eq!(lines(found), lines(expected));
        }
    }
    assert!(broken > 0, "no sequence of the town comes back");
}

/// Whether all positions of a part as it is shown are one.
fn is_one_place(part: &str) -> bool {
    let places: BTreeSet<&str> = part
        .trim_matches(['[', ']'])
        .split("), ")
        .map(|p| p.trim_end_matches(')'))
        .collect();
    places.len() == 1
}

#[test]
fn parts_of_broken_sequences_are_told_apart_by_their_points() {
    let folder = Folder::new();
    folder.get(&format!("--input_aoi {MIDDLE}"));
    let points = folder.features("data/mapillary_points__no__pano.geojson");
    let sequences = folder.features("data/mapillary_sequence__no__pano.geojson");
    let mut of_points: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for point in &points {
        if let (Some(key), Some(part)) = (
            property(point, "sequence_id").as_str(),
            property(point, "sequence_part").as_i64(),
        ) {
            of_points.entry(key).or_default().insert(part);
        }
    }
    let broken = sequences
        .iter()
        .map(|s| (text(s, "sequence_id"), parts(&s["geometry"]).len()));
    let broken: BTreeMap<&str, usize> = broken.filter(|(_, parts)| *parts > 1).collect();
    let counted = of_points
        .into_iter()
        .map(|(key, parts)| (key, parts.len()))
        .collect();
    assert_eq!(broken, counted);
}

#[test]
fn long_sequences_keep_all_their_images_and_single_images_are_points() {
    let folder = Folder::new();
    let whole = whole_sequences(&folder);
    let (mut longest, mut single) = (0, 0);
    for kind in ["pano", "no__pano"] {
        for sequence in folder.features(&format!("all/s__{kind}.geojson")) {
            let images = &whole[text(&sequence, "sequence_id")];
            let ids: Vec<String> = images.iter().map(|(id, _)| id.to_string()).collect();
            assert_eq!(text(&sequence, "images_id"), ids.join(","));
            assert_eq!(property(&sequence, "total_points"), ids.len());
            longest = longest.max(ids.len());
            if ids.len() == 1 {
                assert_eq!(sequence["geometry"]["type"], "Point");
                single += 1;
            }
        }
    }
    assert!(longest > 100 && single > 0, "{longest} {single}");
}

#[test]
fn a_place_that_is_not_held_is_an_error_unless_part_of_it_will_do() {
    let folder = Folder::new();
    let line = format!(
        "geokit get_mapillary_points --source {} --input_aoi 24,60,24.1,60.1",
        town()
    );
    let said = folder.bad(&line, 3);
    assert!(said.contains("--partial"), "{said}");
    assert!(!folder.path().join("data").exists(), "nothing was written");
    let ended = folder.good(&format!("{line} --partial"));
    assert!(
        ended.stderr.contains("warning: the answer is partial"),
        "{}",
        ended.stderr
    );
}

fn server_of_town() -> FaultServer {
    let edges: Vec<f64> = MIDDLE
        .split(',')
        .map(|edge| edge.parse().unwrap())
        .collect();
    let bbox = Bbox::from_degrees(edges[0], edges[1], edges[2], edges[3]).unwrap();
    let body = |id: TileId| {
        let file = fixtures().join(format!("town/mly1_public/{id}.mvt"));
        (
            format!("/maps/vtp/mly1_public/2/{id}"),
            fs::read(file).unwrap(),
        )
    };
    let tiles = cover_bbox(14, &bbox, 100).unwrap();
    FaultServer::start(tiles.iter().map(body).collect()).unwrap()
}

#[test]
fn without_a_source_tiles_are_fetched_once_and_kept() {
    let (folder, server) = (Folder::new(), server_of_town());
    let first = server_of_town_path();
    server.inject(&first, [Fault::Unavailable]);
    let line = format!(
        "geokit get_mapillary_points --input_aoi {MIDDLE} --rate 1000 --tile-url {}",
        server.origin()
    );
    let ended = end(
        folder.program().env("MAPILLARY_ACCESS_TOKEN", CANARY),
        &line,
    );
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(server.faults_met(), 1);
    let requests = server.requests().len();
    let fetched = ids_of(&folder.features("data/mapillary_points__pano.geojson"));
    assert_eq!(fetched, folder.ids(&format!("--bbox {MIDDLE} --pano")));
    assert!(folder.files("data").contains("mapillary.mbtiles"));
    folder.good(&line); // without a token
    assert_eq!(server.requests().len(), requests);
}

/// Path of a tile of the middle of town.
fn server_of_town_path() -> String {
    let place = LonLat::new(24.95, 60.17).unwrap();
    let id = TileId::containing(14, tilesight_tile::GridPoint::nearest_to(place));
    format!("/maps/vtp/mly1_public/2/{id}")
}

#[test]
fn what_is_fetched_asks_for_a_token_and_tells_what_failed() {
    let (folder, server) = (Folder::new(), server_of_town());
    let line = format!(
        "geokit get_mapillary_points --input_aoi {MIDDLE} --rate 1000 --tile-url {}",
        server.origin()
    );
    let said = folder.bad(&line, 2);
    assert!(said.contains("MAPILLARY_ACCESS_TOKEN"), "{said}");
    server.inject(
        &server_of_town_path(),
        std::iter::repeat_n(Fault::Garbage, 50),
    );
    let with_token = |line: &str| end(folder.program().env("MAPILLARY_ACCESS_TOKEN", CANARY), line);
    let ended = with_token(&line);
    assert_eq!(ended.status, 3, "{}", ended.stderr);
    let ended = with_token(&format!("{line} --partial"));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("partial"), "{}", ended.stderr);
}

#[test]
fn sequences_are_merged_into_one_feature_each_with_metres() {
    let folder = Folder::new();
    let piece = |sequence: &str, coordinates: Value, images: &str| {
        let geometry = json!({"type": "LineString", "coordinates": coordinates});
        json!({"type": "Feature", "geometry": geometry, "properties": {"sequence_id": sequence, "images_id": images}})
    };
    folder.write(
        "pieces.geojson",
        &[
            piece("walk", json!([[24.95, 60.0], [24.96, 60.0]]), "1,2"),
            piece("ride", json!([[0.0, 0.0], [0.0, 1.0]]), "9"),
            piece("walk", json!([[24.97, 60.0], [24.98, 60.0]]), "2,3"),
            piece("walk", json!([[24.95, 60.0], [24.96, 60.0]]), "1,2"),
            piece("alone", json!([[24.95, 60.0]]), "7"),
        ],
    );
    folder.good("geokit merge_sequences --geojson_input pieces.geojson");
    let merged = folder.features("data/mapillary_merge_sequences.geojson");
    let ids: Vec<&str> = merged.iter().map(|feature| text(feature, "id")).collect();
    assert_eq!(ids, ["walk", "ride", "alone"]);
    let at = |lon| LonLat::new(lon, 60.0).unwrap();
    let length_m = haversine_m(at(24.95), at(24.96)) + haversine_m(at(24.97), at(24.98));
    assert!((property(&merged[0], "length").as_f64().unwrap() - length_m).abs() < 0.001);
    assert_eq!(property(&merged[0], "points"), 4);
    assert_eq!(merged[0]["geometry"]["type"], "MultiLineString");
    assert_eq!(text(&merged[0], "images_id"), "1,2,3");
    assert_eq!(property(&merged[0], "total_points"), 3);
    assert_eq!(merged[1]["geometry"]["type"], "LineString");
    assert_eq!(
        merged[2]["geometry"]["type"], "Point",
        "geokit's line of one position is read"
    );
}

#[test]
fn points_are_matched_with_polygons_of_their_own_sequence_and_by_id_not_place() {
    let folder = Folder::new();
    let square = json!([
        [24.9, 60.1],
        [25.0, 60.1],
        [25.0, 60.2],
        [24.9, 60.2],
        [24.9, 60.1]
    ]);
    folder.write(
        "polygons.geojson",
        &[
            json!({"type": "Feature", "properties": {"sequence_id": "walk"},
                 "geometry": {"type": "Polygon", "coordinates": [square]}}),
        ],
    );
    folder.write(
        "points.geojson",
        &[
            point(1, "walk", 1, 0.0),
            point(2, "ride", 2, 0.0),
            point(3, "walk", 3, 0.0), // at the place of the first
            point(3, "walk", 3, 0.0),
            point(4, "walk", 4, 9000.0),
        ],
    );
    folder.good("geokit match_point_sequences --geojson_polygons polygons.geojson --geojson_points points.geojson");
    let matched = folder.features("data/mapillary_match_point_sequences.geojson");
    assert_eq!(ids_of(&matched), set(["1", "3"]));
    assert_eq!(matched.len(), 2);
    assert_eq!(matched[0], point(1, "walk", 1, 0.0));
}

#[test]
fn points_are_simplified_in_true_metres_and_sequence_by_sequence() {
    let folder = Folder::new();
    folder.write(
        "points.geojson",
        &[
            // Seven metres are fourteen on the Web Mercator map at this latitude.
            point(12, "walk", 2, 7.0),
            point(11, "walk", 1, 0.0),
            point(13, "walk", 3, 10.5),
            // Near the last one kept of another sequence.
            point(21, "ride", 1, 10.6),
            point(22, "ride", 2, 11.0),
        ],
    );
    folder.good("geokit simplify_points --input_points points.geojson --points_distance 10");
    let kept = folder.features("data/mapillary_simplify_points.geojson");
    let ids: Vec<i64> = kept
        .iter()
        .map(|point| property(point, "id").as_i64().unwrap())
        .collect();
    assert_eq!(ids, [11, 13, 21]);
    let said = folder.bad(
        "geokit simplify_points --input_points points.geojson --points_distance -1",
        2,
    );
    assert!(
        said.contains("-1") && said.contains("metres, as 10"),
        "{said}"
    );
}

#[test]
fn parallel_sequences_are_dropped_and_the_longer_one_stays() {
    let folder = Folder::new();
    let line = |sequence: &str, north_m: f64, east_m: f64| {
        let lat = 60.17 + north_m / 111_195.08;
        let [west, east] =
            [0.0, east_m].map(|m| 24.95 + m / (111_195.08 * 60.17_f64.to_radians().cos()));
        json!({"type": "Feature", "properties": {"sequence_id": sequence, "tag": [1]},
               "geometry": {"type": "LineString", "coordinates": [[west, lat], [east, lat]]}})
    };
    folder.write(
        "lines.geojson",
        &[
            line("short", 6.0, 50.0),
            line("long", 0.0, 90.0),
            line("apart", 11.0, 40.0),
        ],
    );
    folder.good("geokit simplify_sequence --geojson_input lines.geojson --buffer 10");
    let kept = folder.features("data/mapillary_simplify_sequence.geojson");
    let ids: Vec<&str> = kept
        .iter()
        .map(|feature| text(feature, "sequence_id"))
        .collect();
    assert_eq!(
        ids,
        ["long", "apart"],
        "eleven metres are twenty-two on the Web Mercator map"
    );
    assert_eq!(kept[0]["geometry"]["type"], "Polygon");
    assert_eq!(property(&kept[0], "tag"), &json!([1]));
    let area = property(&kept[0], "area").as_f64().unwrap();
    assert!((area - (90.0 * 20.0 + 314.16)).abs() < 5.0, "{area}");
    let said = folder.bad(
        "geokit simplify_sequence --geojson_input lines.geojson --buffer 0.00015",
        2,
    );
    assert!(
        said.contains("0.00015") && said.contains("16.7 m"),
        "{said}"
    );
}

/// Takes a source through all commands that need no network; returns how many points are left
/// after each.
fn chain(folder: &Folder, kind: &str) -> [usize; 3] {
    for line in [
        format!("geokit merge_sequences --geojson_input data/mapillary_sequence__{kind}.geojson"),
        "geokit simplify_sequence --geojson_input data/mapillary_merge_sequences.geojson --buffer 10".into(),
        format!(
            "geokit match_point_sequences --geojson_polygons data/mapillary_simplify_sequence.geojson \
             --geojson_points data/mapillary_points__{kind}.geojson"
        ),
        "geokit simplify_points --input_points data/mapillary_match_point_sequences.geojson --points_distance 10".into(),
    ] {
        folder.good(&line);
    }
    [
        format!("data/mapillary_points__{kind}.geojson"),
        "data/mapillary_match_point_sequences.geojson".into(),
        "data/mapillary_simplify_points.geojson".into(),
    ]
    .map(|file| folder.features(&file).len())
}

/// Whether each of some points has one of others within a distance.
fn check_covered(points: &[Value], kept: &[Value], distance_m: f64) {
    let place = |point: &Value| {
        let (lon, lat) = parts(&point["geometry"])[0][0];
        LonLat::new(lon, lat).unwrap()
    };
    let kept: Vec<LonLat> = kept.iter().map(place).collect();
    for point in points
        .iter()
        .filter(|point| property(point, "sequence_id").is_string())
    {
        let at = place(point);
        assert!(
            kept.iter().any(|&kept| haversine_m(at, kept) <= distance_m),
            "{point}"
        );
    }
}

#[test]
fn the_chain_of_commands_thins_out_the_town_and_leaves_no_place_alone() {
    let folder = Folder::new();
    folder.get(&format!("--input_aoi {MIDDLE}"));
    let [all, matched, simplified] = chain(&folder, "no__pano");
    assert!(
        all > matched && matched > simplified && simplified > 0,
        "{all} {matched} {simplified}"
    );
    let points = folder.features("data/mapillary_points__no__pano.geojson");
    let matched = folder.features("data/mapillary_match_point_sequences.geojson");
    assert!(ids_of(&matched).is_subset(&ids_of(&points)));
    let simplified = folder.features("data/mapillary_simplify_points.geojson");
    check_covered(&matched, &simplified, 10.0);
}

/// A Graph API that knows where every picture is.
fn graph(pictures: String) -> Server {
    Server::start(move |asked, _| {
        let entity = |id: String| {
            let url = format!("{pictures}/{id}.jpg?oh=signature&oe=65F0A1B2");
            (id.clone(), json!({"id": id, "thumb_1024_url": url}))
        };
        Answer::ok(Value::Object(asked_ids(asked).into_iter().map(entity).collect()).to_string())
    })
}

fn with_graph<'a>(command: &'a mut Command, service: &Server) -> &'a mut Command {
    command
        .env("MAPILLARY_ACCESS_TOKEN", CANARY)
        .env("TILESIGHT_GRAPH_URL", service.origin())
}

#[test]
fn custom_sequences_are_broken_and_have_up_to_five_pictures() {
    let (folder, service) = (Folder::new(), graph("http://127.0.0.1:9".to_owned()));
    let mut points: Vec<Value> = (0..9)
        .map(|n| point(100 + n, "walk", 1000 - n, 10.0 * n as f64))
        .collect();
    for point in &mut points[..4] {
        point["properties"]["sequence_part"] = json!(1);
    }
    points.push(point(7, "alone", 1, 0.0));
    folder.write("points.geojson", &points);
    let line = "geokit create_custom_sequences --rate 1000 --geojson_points points.geojson";
    let ended = end(with_graph(&mut folder.program(), &service), line);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let [walk, alone] = &folder.features("data/mapillary_custome_sequences.geojson")[..] else {
        panic!("two sequences")
    };
    assert_eq!(
        text(walk, "images_id"),
        "108,107,106,105,104,103,102,101,100"
    );
    assert_eq!(property(walk, "total_points"), 9);
    assert_eq!(property(walk, "is_pano"), true);
    assert_eq!(
        parts(&walk["geometry"])
            .iter()
            .map(Vec::len)
            .collect::<Vec<_>>(),
        [5, 4]
    );
    let url = |id: i64| format!("http://127.0.0.1:9/{id}.jpg?oh=signature&oe=65F0A1B2");
    assert_eq!(text(walk, "custom_url"), url(108));
    assert_eq!(
        text(walk, "custom_urls"),
        [106, 104, 102, 100].map(url).join(",")
    );
    assert_eq!(
        text(walk, "custom_urls_expire_at"),
        "2024-03-12T18:40:50.000Z"
    );
    assert_eq!(
        (text(alone, "custom_url"), text(alone, "custom_urls")),
        (url(7).as_str(), "")
    );
    assert_eq!(alone["geometry"]["type"], "Point");
    assert_eq!(service.asked().len(), 1, "all in one request");
}

#[test]
fn pictures_are_downloaded_once_and_never_outside_of_the_folder() {
    let pictures = Server::start(|_, _| Answer::ok(b"\xff\xd8\xff\xe0 a picture"));
    let (folder, service) = (Folder::new(), graph(pictures.origin()));
    folder.write(
        "points.geojson",
        &[point(1, "walk", 1, 0.0), point(2, "../../away", 2, 0.0)],
    );
    let line = "geokit download_mapillary_imgs --rate 1000 --input_file_points points.geojson";
    let download = || {
        let ended = end(with_graph(&mut folder.program(), &service), line);
        assert_eq!(ended.status, 0, "{}", ended.stderr);
    };
    download();
    assert!(
        folder
            .path()
            .join("data/mapillary_images/walk/1.jpg")
            .exists()
    );
    assert!(
        folder
            .path()
            .join("data/mapillary_images/no-sequence/2.jpg")
            .exists()
    );
    assert_eq!(folder.files("."), set(["data", "points.geojson"]));
    let points = folder.features("data/mapillary_points_imgs_url.geojson");
    let url = format!("{}/1.jpg?oh=signature&oe=65F0A1B2", pictures.origin());
    assert_eq!(text(&points[0], "image_url"), url);
    assert_eq!(
        text(&points[0], "image_url_expires_at"),
        "2024-03-12T18:40:50.000Z"
    );
    download();
    assert_eq!(
        pictures.asked().len(),
        2,
        "what is there is not asked for again"
    );
    fs::remove_file(folder.path().join("data/mapillary_images/walk/1.jpg")).unwrap();
    download();
    assert_eq!(pictures.asked().len(), 3);
    for Asked { target, headers } in pictures.asked() {
        assert!(!target.contains("c4n4ry") && !headers.contains("c4n4ry"));
    }
}

#[test]
fn a_picture_that_cannot_be_had_is_told_after_the_rest() {
    let pictures = Server::start(|asked, _| {
        if asked.target.starts_with("/2.") {
            Answer::status(403, "gone")
        } else {
            Answer::ok(b"\xff\xd8\xff\xe0 a picture")
        }
    });
    let (folder, service) = (Folder::new(), graph(pictures.origin()));
    folder.write(
        "points.geojson",
        &[point(1, "walk", 1, 0.0), point(2, "walk", 2, 0.0)],
    );
    let line = "geokit download_mapillary_imgs --rate 1000 --input_file_points points.geojson";
    let ended = end(with_graph(&mut folder.program(), &service), line);
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("image 2:"), "{}", ended.stderr);
    assert!(
        folder
            .path()
            .join("data/mapillary_images/walk/1.jpg")
            .exists()
    );
    assert_eq!(
        folder
            .features("data/mapillary_points_imgs_url.geojson")
            .len(),
        2
    );
}

#[test]
fn a_result_is_whole_or_the_old_one_stays() {
    let folder = Folder::new();
    folder.write("points.geojson", &[point(1, "walk", 1, 0.0)]);
    let line = "geokit simplify_points --input_points points.geojson --points_distance 10 --output_points out.geojson";
    folder.good(line);
    let old = fs::read(folder.path().join("out.geojson")).unwrap();
    let mut wrong = point(2, "walk", 2, 0.0);
    wrong["geometry"] = json!({"type": "Polygon", "coordinates": []});
    folder.write("points.geojson", &[point(1, "walk", 1, 0.0), wrong]);
    let said = folder.bad(line, 2);
    assert!(said.contains("features[1] is a Polygon"), "{said}");
    assert_eq!(fs::read(folder.path().join("out.geojson")).unwrap(), old);
    assert_eq!(folder.files("."), set(["out.geojson", "points.geojson"]));
}

#[test]
fn what_was_typed_wrong_is_told_with_a_right_one() {
    let folder = Folder::new();
    folder.write("points.geojson", &[]);
    for (line, part) in [
        (
            "get_mapillary_points --input_aoi 1,2,3",
            "west,south,east,north",
        ),
        (
            "get_mapillary_points --input_aoi no/such.geojson",
            "no/such.geojson",
        ),
        (
            "get_mapillary_points --input_aoi 1,2,3,4 --output_file_point p.json",
            "data/points.geojson",
        ),
        (
            "get_mapillary_points --input_aoi 1,2,3,4 --organization_ids x",
            "498763468214164",
        ),
        (
            "merge_sequences --geojson_input points.geojson --geojson_output m.json",
            ".geojson",
        ),
        (
            "simplify_points --input_points points.geojson --points_distance far",
            "12.5",
        ),
        (
            "download_mapillary_imgs --input_file_points points.geojson",
            "MAPILLARY_ACCESS_TOKEN",
        ),
    ] {
        let said = folder.bad(&format!("geokit {line}"), 2);
        assert!(said.contains(part), "{line}: {said}");
    }
}
