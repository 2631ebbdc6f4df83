//! Every command of the program on real tiles and real answers of the Graph API, which are read
//! from `../shared/data` beside the workspace where they are there.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

mod common;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Answer, Asked, Server, asked_ids, program};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A tile of the real ones, a box inside of it, and how many images it is known to have.
const TILE: &str = "14/8574/5736";
const INSIDE_TILE: &str = "8.404,47.390,8.405,47.391";
const IMAGES_OF_TILE: u64 = 10_231;

/// A sequence, an image of it and a map feature that there are real answers for.
const SEQUENCE: &str = "7nfcwfvjdtphz7yj6zat6a";
const IMAGE: &str = "148137757289079";
const FEATURE: &str = "496980935069177";

/// A service that has the real tiles and answers, and pictures of all images.
fn answer(data: &Path, pictures: &str, asked: &Asked) -> Answer {
    let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    let tile = path.strip_prefix("/maps/vtp/mly1_public/2/");
    let key = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("sequence_id="));
    let file = match (tile, key) {
        (Some(tile), _) => format!("tiles/mly1_public/{tile}.mvt"),
        (_, Some(key)) => format!("graph/image_ids/{key}.json"),
        _ => format!("graph{path}.json"),
    };
    if let Ok(body) = fs::read(data.join(file)) {
        return Answer::ok(body);
    }
    if tile.is_some() {
        return Answer::status(404, "");
    }
    let entity = |id: String| {
        let known = fs::read(data.join(format!("graph/{id}.json")));
        let mut entity =
            known.map_or_else(|_| json!({}), |text| serde_json::from_slice(&text).unwrap());
        entity["id"] = json!(id);
        entity["thumb_1024_url"] = json!(format!("{pictures}/{id}.jpg?oe=65F0A1B2"));
        (id, entity)
    };
    let entities = asked_ids(asked).into_iter().map(entity).collect();
    Answer::ok(Value::Object(entities).to_string())
}

/// A folder in which the program runs, and what it was told.
struct Scene {
    folder: TempDir,
    tiles: PathBuf,
    service: Server,
    _pictures: Server,
    lines: RefCell<Vec<String>>,
}

impl Scene {
    fn new(data: &Path) -> Self {
        let pictures = Server::start(|_, _| Answer::ok(b"\xff\xd8\xff\xe0 a picture"));
        let (origin, folder) = (pictures.origin(), data.to_owned());
        Self {
            folder: tempfile::tempdir().unwrap(),
            tiles: data.join("tiles/mly1_public"),
            service: Server::start(move |asked, _| answer(&folder, &origin, asked)),
            _pictures: pictures,
            lines: RefCell::default(),
        }
    }

    /// Runs a line, in which `{}` is the folder of the tiles, and gives its results and what it said.
    #[track_caller]
    fn run(&self, line: &str, status: i32) -> [String; 2] {
        let tiles = self.tiles.to_str().unwrap();
        let words = line
            .split_whitespace()
            .map(|word| word.replace("{}", tiles));
        let output = program()
            .current_dir(&self.folder)
            .env("MAPILLARY_ACCESS_TOKEN", "token")
            .env("TILESIGHT_TILE_URL", self.service.origin())
            .env("TILESIGHT_GRAPH_URL", self.service.origin())
            .args(words)
            .output()
            .unwrap();
        let [results, said] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(output.status.code(), Some(status), "{line}: {said}");
        [results, said]
    }

    #[track_caller]
    fn good(&self, line: &str) -> String {
        self.lines.borrow_mut().push(line.to_owned());
        let [results, _] = self.run(line, 0);
        results
    }

    #[track_caller]
    fn images(&self, source: &str) -> u64 {
        let info: Value =
            serde_json::from_str(&self.good(&format!("info {source} --json"))).unwrap();
        info["images"].as_u64().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[track_caller]
    fn features(&self, name: &str) -> Vec<Value> {
        let text = fs::read(self.path(name)).unwrap();
        let mut collection: Value = serde_json::from_slice(&text).unwrap();
        serde_json::from_value(collection["features"].take()).unwrap()
    }

    fn write(&self, name: &str, features: &[Value]) {
        let collection = json!({"type": "FeatureCollection", "features": features});
        fs::write(self.path(name), collection.to_string()).unwrap();
    }

    fn pictures(&self, folder: &str) -> usize {
        let sequences = fs::read_dir(self.path(folder)).unwrap();
        let sequences = sequences.map(|entry| entry.unwrap().path());
        let files = sequences.filter_map(|path| fs::read_dir(path).ok());
        files.map(Iterator::count).sum()
    }

    /// All commands that have none below them, as help lists them.
    fn commands(&self, above: &str) -> Vec<String> {
        let [help, _] = self.run(&format!("{above} --help"), 0);
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let listed = listed.take_while(|line| !line.is_empty());
        let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
        let below: Vec<&str> = names.filter(|name| !["", "help"].contains(name)).collect();
        match below[..] {
            [] => vec![above.trim().to_owned()],
            _ => below
                .iter()
                .flat_map(|name| self.commands(&format!("{above} {name}")))
                .collect(),
        }
    }

    /// Whether a line has the words of a command.
    fn was_run(&self, command: &str) -> bool {
        let has_all = |line: &String| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let mut command = command.split(' ');
            words.first().copied() == command.next() && command.all(|word| words.contains(&word))
        };
        self.lines.borrow().iter().any(has_all)
    }
}

fn check_stores(scene: &Scene) {
    scene.good("build {} -o real.tsight");
    scene.good("pack {} -o real.pmtiles");
    scene.good(&format!(
        "fetch --bbox={INSIDE_TILE} --rate 1000 -o real.mbtiles"
    ));
    scene.good("sequences real.tsight --shape v3 -o v3.geojson");
    scene.good("import v3.geojson --store imported.mbtiles");
    let images = scene.images("{}");
    for source in ["real.tsight", "real.pmtiles", "imported.mbtiles"] {
        assert_eq!(scene.images(source), images, "{source}");
    }
    assert_eq!(scene.images("real.mbtiles"), IMAGES_OF_TILE, "{TILE}");
    for source in [
        "real.tsight",
        "real.pmtiles",
        "real.mbtiles",
        "imported.mbtiles",
    ] {
        scene.good(&format!("verify {source}"));
    }
    scene.good("export real.tsight -o parts --partition-zoom 8");
    assert_eq!(fs::read_dir(scene.path("parts/z=8")).unwrap().count(), 2);
}

fn check_questions(scene: &Scene) {
    let images = scene.images("real.tsight");
    assert_eq!(
        scene.good("images real.tsight --count"),
        format!("{images}\n")
    );
    let seen = scene.good("images real.tsight --looking-at 8.4045,47.3909 --radius 500 -f ids");
    assert!(seen.lines().count() > 0);
    scene.good("sequences real.tsight -o sequences.geojson");
    let mut lines = scene.features("sequences.geojson");
    lines.retain(|sequence| sequence["geometry"]["type"] == "LineString");
    scene.write("roads.geojson", &lines[..50]);
    scene.good("coverage real.tsight --roads roads.geojson --partial -o covered.geojson");
    let covered = scene.features("covered.geojson");
    let is_covered = |road: &&Value| road["properties"]["covered"].as_f64() > Some(0.9);
    assert_eq!(covered.len(), 50);
    assert!(covered.iter().filter(is_covered).count() > 25);
    scene.good("download-images real.tsight --near 8.4045,47.3909 --nearest 3 --size 1024 --rate 1000 -o pictures");
    assert_eq!(scene.pictures("pictures"), 3);
    // No real tile of map features is at hand.
    let line = "features real.tsight --count";
    scene.lines.borrow_mut().push(line.to_owned());
    let [_, said] = scene.run(line, 2);
    assert!(said.contains("fetch --tileset points"), "{said}");
    assert!(scene.good("completions bash").contains("download-images"));
    assert!(scene.good("man").contains(".TH tilesight"));
}

fn check_annotations(scene: &Scene) {
    let all = scene.features("sequences.geojson");
    let creator = all[0]["properties"]["creator_id"].as_str().unwrap();
    let ids = scene.good(&format!("sequences real.tsight --creator={creator} -f ids"));
    let ids: Vec<&str> = ids.lines().collect();
    let (count, ids) = (ids.len(), ids.join(","));
    for words in [
        format!("set --title Round --transport car -- {ids}"),
        format!("tag --add real -- {ids}"),
        format!("like --user pbb -- {ids}"),
        format!("tour Round --add={ids}"),
    ] {
        scene.good(&format!("annotate real.tsight {words}"));
    }
    let said = scene.good("annotate real.tsight export");
    fs::write(scene.path("said.json"), &said).unwrap();
    let listed = scene.good("annotate real.tsight list");
    assert_eq!(listed.lines().count(), 1 + count, "{listed}");
    scene.good(&format!("annotate real.tsight forget -- {ids}"));
    assert_eq!(
        scene.good("sequences real.tsight --tag real --count"),
        "0\n"
    );
    scene.good("annotate real.tsight import said.json");
    assert_eq!(scene.good("annotate real.tsight export"), said);
    assert_eq!(
        scene.good("sequences real.tsight --tour Round --count"),
        format!("{count}\n")
    );
}

fn check_graph(scene: &Scene) {
    let first = |line: &str| -> Value {
        let printed = scene.good(&format!("graph {line}"));
        serde_json::from_str(printed.lines().next().unwrap()).unwrap()
    };
    let image = first(&format!("image {IMAGE} --fields all"));
    assert_eq!(image["properties"]["id"], IMAGE);
    assert_eq!(image["geometry"]["type"], "Point");
    let feature = first(&format!("feature {FEATURE} --fields all"));
    assert_eq!(feature["properties"]["id"], FEATURE);
    assert_eq!(
        first(&format!("sequence {SEQUENCE}"))["image_ids"]
            .as_array()
            .unwrap()
            .len(),
        8
    );
    assert!(first(&format!("detections {IMAGE}"))["value"].is_string());
    assert_eq!(first("organization 17")["id"], "17");
    let url = first(&format!("thumbnail {IMAGE}"))["url"].to_string();
    assert!(url.contains(&format!("{IMAGE}.jpg")), "{url}");
}

fn check_geokit(scene: &Scene) {
    scene.good("geokit get_mapillary_points --source {} --input_aoi -180,-85,180,85 --partial");
    for kind in ["pano", "no__pano"] {
        let points = format!("data/mapillary_points__{kind}.geojson");
        let sequences = format!("data/mapillary_sequence__{kind}.geojson");
        let merged = "data/mapillary_merge_sequences.geojson";
        let polygons = "data/mapillary_simplify_sequence.geojson";
        let matched = "data/mapillary_match_point_sequences.geojson";
        scene.good(&format!(
            "geokit merge_sequences --geojson_input {sequences}"
        ));
        scene.good(&format!(
            "geokit simplify_sequence --geojson_input {merged} --buffer 10"
        ));
        scene.good(&format!(
            "geokit match_point_sequences --geojson_polygons {polygons} --geojson_points {points}"
        ));
        scene.good(&format!(
            "geokit simplify_points --input_points {matched} --points_distance 10"
        ));
        let count = |name| scene.features(name).len();
        assert_eq!(count(merged), count(&sequences));
        assert!(count(merged) > count(polygons) && count(polygons) > 10);
        let left = [&points, matched, "data/mapillary_simplify_points.geojson"].map(count);
        assert!(left.is_sorted_by(|a, b| a > b) && left[2] > 100, "{left:?}");
    }
    let few = &scene.features("data/mapillary_simplify_points.geojson")[..3];
    scene.write("few.geojson", few);
    scene.good("geokit create_custom_sequences --rate 1000 --geojson_points few.geojson");
    assert!(
        !scene
            .features("data/mapillary_custome_sequences.geojson")
            .is_empty()
    );
    scene.good("geokit download_mapillary_imgs --rate 1000 --input_file_points few.geojson");
    assert_eq!(scene.pictures("data/mapillary_images"), 3);
}

#[test]
fn every_command_runs_on_real_tiles() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let Ok(data) = data.canonicalize() else {
        return println!("skipped: no real tiles at {}", data.display());
    };
    let scene = Scene::new(&data);
    check_stores(&scene);
    check_questions(&scene);
    check_annotations(&scene);
    check_graph(&scene);
    check_geokit(&scene);
    for Asked { target, headers } in scene.service.asked() {
        assert!(!headers.to_lowercase().contains("referer"), "{target}");
    }
    let commands = scene.commands("");
    assert!(commands.len() > 30, "{commands:?}");
    for command in commands {
        assert!(
            scene.was_run(&command),
            "{command} was not run on real tiles"
        );
    }
}
