//! The built program on the committed fixtures: every command, place, filter and format, and how
//! it ends.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

mod line;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use line::{fixtures, program, run};

/// The door of `fixtures/README.md`, and a box around the middle of town.
const DOOR: &str = "24.95238,60.17075";
const MIDDLE: &str = "24.935,60.163,24.965,60.174";

/// Standard output of a run that ends well and says nothing else.
#[track_caller]
fn good(line: &str) -> String {
    let output = run(line);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{line}: {said}");
    assert!(
        said.is_empty() || said.contains("ids were rounded"),
        "{line}: {said}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Standard error of a run that ends with a status and prints no result.
#[track_caller]
fn bad(line: &str, status: i32) -> String {
    let output = run(line);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{line}: {said}");
    assert!(output.stdout.is_empty(), "{line}");
    said
}

fn ids(line: &str) -> Vec<String> {
    good(&format!("{line} -f ids"))
        .lines()
        .map(str::to_owned)
        .collect()
}

fn sorted_ids(line: &str) -> BTreeSet<String> {
    ids(line).into_iter().collect()
}

fn features(line: &str) -> Vec<Value> {
    let collection: Value = serde_json::from_str(&good(line)).unwrap();
    assert_eq!(collection["type"], "FeatureCollection");
    assert_eq!(collection["license"], "CC BY-SA 4.0");
    collection["features"].as_array().unwrap().clone()
}

/// Every image of the town, as the program itself lists them without any condition.
fn all_images() -> Vec<Value> {
    features("images town")
}

fn property<'v>(feature: &'v Value, name: &str) -> &'v Value {
    &feature["properties"][name]
}

/// Checks a filter against the list of all images.
#[track_caller]
fn check_filter(options: &str, keeps: impl Fn(&Value) -> bool) {
    let expected: BTreeSet<_> = all_images()
        .iter()
        .filter(|image| keeps(image))
        .map(|image| property(image, "id").as_str().unwrap().to_owned())
        .collect();
    assert!(!expected.is_empty(), "{options}");
    assert_eq!(
        sorted_ids(&format!("images town {options}")),
        expected,
        "{options}"
    );
    assert_eq!(
        good(&format!("images town {options} --count")),
        format!("{}\n", expected.len())
    );
}

fn lon_lat(feature: &Value) -> (f64, f64) {
    let coordinates = &feature["geometry"]["coordinates"];
    (
        coordinates[0].as_f64().unwrap(),
        coordinates[1].as_f64().unwrap(),
    )
}

#[test]
fn a_box_holds_the_images_inside_it() {
    let (west, south, east, north) = (24.935, 60.163, 24.965, 60.174);
    check_filter(&format!("--bbox {MIDDLE}"), |image| {
        let (lon, lat) = lon_lat(image);
        (west..=east).contains(&lon) && (south..=north).contains(&lat)
    });
}

#[test]
fn dates_include_their_whole_period() {
    let year = |image: &Value| {
        property(image, "captured_at")
            .as_str()
            .map(|at| at[..4].parse::<u32>().unwrap())
    };
    check_filter("--since 2023", |image| {
        year(image).is_some_and(|year| year >= 2023)
    });
    check_filter("--until 2018", |image| {
        year(image).is_some_and(|year| year <= 2018)
    });
    check_filter("--since 2019 --until 2019-12-31", |image| {
        year(image) == Some(2019)
    });
}

#[test]
fn kinds_exclude_each_other() {
    check_filter("--pano", |image| property(image, "is_pano") == true);
    check_filter("--flat", |image| property(image, "is_pano") == false);
}

#[test]
fn people_sequences_and_ids_are_exact() {
    for (option, name) in [
        ("org", "organization_id"),
        ("creator", "creator_id"),
        ("sequence", "sequence_id"),
        ("id", "id"),
    ] {
        let wanted: Vec<String> = all_images()
            .iter()
            .filter_map(|image| property(image, name).as_str().map(str::to_owned))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .take(2)
            .collect();
        let option = format!("--{option}={}", wanted.join(","));
        check_filter(&option, |image| {
            let value = property(image, name).as_str();
            value.is_some_and(|value| wanted.iter().any(|wanted| wanted == value))
        });
    }
}

#[test]
fn headings_go_through_north() {
    let heading = |image: &Value| property(image, "compass_angle").as_f64();
    check_filter("--heading 350,10", |image| {
        heading(image).is_some_and(|h| h >= 350.0 || h <= 10.0)
    });
    check_filter("--heading 80,100", |image| {
        heading(image).is_some_and(|h| (80.0..=100.0).contains(&h))
    });
}

#[test]
fn looking_at_the_door_comes_nearest_first() {
    let images = features(&format!("images town --looking-at {DOOR}"));
    assert_eq!(images.len(), 16, "as fixtures/README.md says");
    let distances: Vec<f64> = images
        .iter()
        .map(|image| property(image, "distance_m").as_f64().unwrap())
        .collect();
    assert!(distances.is_sorted() && distances.iter().all(|&distance| distance <= 50.0));
    for image in &images {
        let offset = property(image, "offset_deg").as_f64();
        let is_pano = property(image, "is_pano") == true;
        assert!(
            is_pano || offset.is_some_and(|offset| offset <= 50.0),
            "{image}"
        );
        assert!(property(image, "bearing_deg").is_f64());
    }
    let panoramas = images
        .iter()
        .filter(|image| property(image, "is_pano") == true)
        .count();
    assert_eq!(panoramas, 6, "as fixtures/README.md says");
    let narrow = ids(&format!(
        "images town --looking-at {DOOR} --fov 20 --radius 30"
    ));
    assert!(!narrow.is_empty() && narrow.len() < images.len());
}

#[test]
fn near_by_radius_by_number_and_by_both() {
    let near = ids(&format!("images town --near {DOOR} --radius 50"));
    assert!(near.len() > 16);
    let nearest = ids(&format!("images town --near {DOOR} --nearest 5"));
    assert_eq!(nearest, near[..5]);
    let both = ids(&format!(
        "images town --near {DOOR} --nearest 1000 --radius 50"
    ));
    assert_eq!(both, near);
    assert_eq!(
        ids(&format!("images town --near {DOOR} --radius 50 --limit 3")),
        near[..3]
    );
}

#[test]
fn regions_of_every_kind() {
    let quarters = ids("images town --aoi areas/quarters.geojson");
    assert!(!quarters.is_empty());
    let collection = ids("images town --region areas/collection.geojson");
    assert_eq!(
        collection, quarters,
        "the same areas, as fixtures/README.md says"
    );
    let district = sorted_ids("images town --aoi areas/district.geojson");
    let around = sorted_ids("images town --bbox 24.934573,60.164475,24.96422,60.173323");
    assert!(!district.is_empty() && district.len() < around.len());
    assert!(district.is_subset(&around));
}

#[test]
fn a_region_from_standard_input() {
    let mut child = program()
        .args(["images", "town", "--aoi", "-", "-f", "ids"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let area = fs::read(fixtures().join("areas/district.geojson")).unwrap();
    child.stdin.take().unwrap().write_all(&area).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let found = String::from_utf8(output.stdout).unwrap();
    let expected = good("images town --aoi areas/district.geojson -f ids");
    assert_eq!(found, expected);
}

#[test]
fn negative_numbers_in_both_spellings() {
    for line in [
        "images town --bbox -71.2,42.3,-71.1,42.4",
        "images town --bbox=-71.2,42.3,-71.1,42.4",
        "images town --near -71.2,42.3 --radius 5",
        "images town --near=-71.2,42.3 --radius=5",
        "images town --looking-at -71.2,-42.3",
    ] {
        assert!(bad(line, 3).contains("not held"), "{line}");
    }
}

#[test]
fn formats_agree() {
    let line = format!("images town --bbox {MIDDLE}");
    let expected = ids(&line);
    let id = |feature: &Value| property(feature, "id").as_str().unwrap().to_owned();
    assert_eq!(features(&line).iter().map(id).collect::<Vec<_>>(), expected);
    let lines = good(&format!("{line} -f geojsonseq"));
    let features: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(features.iter().map(id).collect::<Vec<_>>(), expected);
    let text = good(&format!("{line} -f csv"));
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<_> = csv
        .records()
        .map(|row| row.unwrap()[2].to_owned())
        .collect();
    assert_eq!(rows, expected);
    let table = good(&format!("{line} -f table"));
    assert_eq!(
        table.lines().count(),
        expected.len() + 2,
        "a header and a sum"
    );
    assert!(table.ends_with(&format!("{} images\n", expected.len())));
}

#[test]
fn counts_by_group_add_up() {
    let total = all_images().len();
    for by in ["day", "month", "year", "organization", "creator", "kind"] {
        let text = good(&format!("images town --count-by {by}"));
        let sum: usize = text
            .lines()
            .skip(1)
            .map(|line| line.rsplit_once(',').unwrap().1.parse::<usize>().unwrap())
            .sum();
        assert_eq!(sum, total, "{text}");
    }
    let kinds = good("images town --count-by kind -f table");
    assert!(kinds.contains("pano") && kinds.contains("flat"), "{kinds}");
}

#[test]
fn sequences_come_whole_and_once() {
    let found = features(&format!("sequences town --near {DOOR} --radius 20"));
    assert!(!found.is_empty());
    let mut seen = BTreeSet::new();
    for sequence in &found {
        let id = property(sequence, "id").as_str().unwrap();
        assert!(seen.insert(id.to_owned()), "{id} twice");
        let images = good(&format!("images town --sequence={id} --count"));
        let count = property(sequence, "image_count").as_u64().unwrap();
        assert_eq!(images.trim().parse(), Ok(count), "{id}");
        let kind = sequence["geometry"]["type"].as_str().unwrap();
        assert!(matches!(
            kind,
            "Point" | "MultiPoint" | "LineString" | "MultiLineString"
        ));
    }
    let csv = good(&format!("sequences town --near {DOOR} --radius 20 -f csv"));
    assert_eq!(csv.lines().count(), found.len() + 1);
    assert_eq!(
        good(&format!("sequences town --near {DOOR} --radius 20 --count")).trim(),
        found.len().to_string()
    );
}

#[test]
fn features_by_kind_value_and_date() {
    let all = features("features town");
    let count = |keeps: &dyn Fn(&Value) -> bool| all.iter().filter(|f| keeps(f)).count();
    let check = |options: &str, expected: usize| {
        assert!(expected > 0, "{options}");
        assert_eq!(
            ids(&format!("features town {options}")).len(),
            expected,
            "{options}"
        );
    };
    let value = |feature: &Value| property(feature, "value").as_str().unwrap_or("").to_owned();
    let first_seen = |feature: &Value| {
        property(feature, "first_seen_at")
            .as_str()
            .unwrap_or("")
            .to_owned()
    };
    check("--signs", count(&|f| property(f, "kind") == "traffic_sign"));
    check("--points", count(&|f| property(f, "kind") == "point"));
    check(
        "--value object--fire-hydrant",
        count(&|f| value(f) == "object--fire-hydrant"),
    );
    check(
        "--value regulatory--*",
        count(&|f| value(f).starts_with("regulatory--")),
    );
    check(
        "--first-seen-since 2020",
        count(&|f| first_seen(f).as_str() >= "2020"),
    );
    check(
        "--last-seen-until 2019",
        count(&|f| {
            property(f, "last_seen_at")
                .as_str()
                .is_some_and(|at| at < "2020")
        }),
    );
    check(&format!("--near {DOOR} --nearest 4"), 4);
    assert!(bad(&format!("features town --looking-at {DOOR}"), 2).contains("look at nothing"));
}

#[test]
fn an_archive_answers_as_its_folder_does() {
    let line = |source: &str| format!("images {source} --near {DOOR} --radius 200");
    assert_eq!(good(&line("town.mbtiles")), good(&line("town")));
    let beside: Vec<_> = fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("town.mbtiles"))
        .collect();
    assert_eq!(beside, ["town.mbtiles"], "no journal is left");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    for line in ["images town", "sequences town", "features town -f csv"] {
        let alone = program()
            .args(line.split(' '))
            .env("RAYON_NUM_THREADS", "1")
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(alone.stdout).unwrap(),
            good(line),
            "{line}"
        );
    }
}

#[test]
fn info_as_text_and_json() {
    let json: Value = serde_json::from_str(&good("info town --json")).unwrap();
    assert_eq!(json["images"], all_images().len());
    assert_eq!(json["license"], "CC BY-SA 4.0");
    assert_eq!(json["tilesets"].as_array().unwrap().len(), 3);
    assert_eq!(json["not_read"][0], "mly1_computed_public");
    let text = good("info town");
    assert!(
        text.contains("6,000") && text.contains("mly1_computed_public"),
        "{text}"
    );
}

#[test]
fn a_heat_map_counts_every_image_once() {
    let csv = good("info town --heatmap 16");
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("z,x,y,images,west,south,east,north"));
    let rows: Vec<Vec<f64>> = lines
        .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect())
        .collect();
    let images: f64 = rows.iter().map(|row| row[3]).sum();
    assert_eq!(images, all_images().len() as f64);
    // One tile as a box, with a margin of less than a pixel kept off its neighbours.
    let most = rows.iter().max_by(|a, b| a[3].total_cmp(&b[3])).unwrap();
    let [west, south, east, north] = [most[4], most[5], most[6], most[7]];
    let bbox = format!(
        "{:.7},{:.7},{:.7},{:.7}",
        west - 5e-7,
        south + 1e-6,
        east - 1e-6,
        north + 5e-7
    );
    let count = good(&format!("images town --bbox {bbox} --count"));
    assert_eq!(count.trim(), most[3].to_string());
    let inside = good(&format!("info town --heatmap 16 --bbox {bbox}"));
    assert_eq!(inside.lines().count(), 2, "the header and the tile");
}

#[test]
fn what_belongs_to_heat_maps_alone_is_refused_elsewhere() {
    let said = bad("info town --bbox 24.9,60.1,24.95,60.2", 2);
    assert!(said.contains("--heatmap"), "{said}");
    assert!(bad("info town --heatmap 21", 2).contains("0..=20"));
}

#[test]
fn the_computed_positions_are_opened_by_their_folder() {
    let json: Value = serde_json::from_str(&good("info town/mly1_computed_public --json")).unwrap();
    assert_eq!(json["read"][0], "mly1_computed_public");
    assert!(json["images"].as_u64().unwrap() > 0);
}

#[test]
fn a_place_that_is_not_held_is_an_error_or_partial() {
    let line = "images town --bbox 24.9,60.1,25.3,60.2";
    let said = bad(line, 3);
    assert!(said.contains("tiles of this place are not held"), "{said}");
    assert!(said.contains("--partial"), "{said}");
    let output = program()
        .args(line.split(' '))
        .args(["--partial", "-f", "ids"])
        .output()
        .unwrap();
    assert!(output.status.success() && !output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the answer is partial"), "{said}");
    let output = program()
        .args(line.split(' '))
        .args(["--partial", "-q", "--count"])
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("found.csv");
    let to_file = format!(
        "images town --near {DOOR} --radius 50 -o {}",
        file.display()
    );
    assert_eq!(good(&to_file), "");
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(
        written,
        good(&format!("images town --near {DOOR} --radius 50 -f csv"))
    );
    assert!(bad(&to_file, 1).contains("--overwrite"));
    assert_eq!(good(&format!("{to_file} --overwrite --limit 1")), "");
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2);
    bad(
        &format!(
            "images town --bbox 0,0,1,1 -o {} --overwrite",
            file.display()
        ),
        3,
    );
    assert_eq!(
        fs::read_to_string(&file).unwrap().lines().count(),
        2,
        "an error changes nothing"
    );
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "no temporary file is left");
}

#[test]
fn formats_follow_the_extension() {
    let dir = TempDir::new().unwrap();
    let starts = |name: &str| {
        let file = dir.path().join(name);
        good(&format!(
            "images town --near {DOOR} --nearest 2 -o {}",
            file.display()
        ));
        fs::read_to_string(file).unwrap()
    };
    assert!(starts("a.geojson").starts_with("{\"type\":\"FeatureCollection\""));
    assert!(starts("a.geojsonl").starts_with("{\"type\":\"Feature\""));
    assert!(starts("a.ids").starts_with(char::is_numeric));
    assert!(starts("a.txt").ends_with("2 images\n"));
    let shapefile = dir.path().join("a.shp");
    assert!(bad(&format!("images town -o {}", shapefile.display()), 2).contains("-f geojson"));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    for format in ["geojson", "geojsonseq", "csv", "ids", "table"] {
        let mut child = program()
            .args(["images", "town", "-f", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{format}: {output:?}");
        assert!(output.stderr.is_empty(), "{format}: {output:?}");
    }
}

#[test]
fn wrong_usage_names_the_value_and_a_right_one() {
    for (line, value, right) in [
        (
            "images town --bbox 1,2,3",
            "1,2,3",
            "24.92,60.16,24.95,60.18",
        ),
        (
            "images town --bbox 24.95,60.18,24.92,60.16",
            "60.18",
            "24.92,60.16,24.95,60.18",
        ),
        ("images town --near 24.9", "24.9", "24.9384,60.1699"),
        (
            "images town --near 91.0,191.0 --radius 1",
            "191",
            "24.94,60.17",
        ),
        ("images town --near 1,2 --radius -5", "-5", ""),
        ("images town --since soon", "soon", "2023-05-01"),
        ("images town --org x", "x", "498763468214164"),
        ("images town --heading 1", "1", "315,45"),
        ("images town --heading 0,400", "400", ""),
        ("images town -f shapefile", "shapefile", "geojsonseq"),
        ("images town --limit -1", "-1", ""),
        ("images town --bbox 1,2,3,4 --near 1,2", "--bbox", ""),
        ("images town --count-by week", "week", "month"),
        ("images town --aoi README.md", "README.md", "Polygon"),
        ("images", "SOURCE", ""),
        ("", "Usage", "images"),
    ] {
        let said = bad(line, 2);
        assert!(said.contains(value), "{line}: {said}");
        assert!(said.contains(right), "{line}: {said}");
    }
}

#[test]
fn what_is_no_source_fails() {
    assert!(bad("images nowhere", 1).contains("nowhere"));
    assert!(bad("images areas", 1).contains("{z}/{x}/{y}.mvt"));
    assert!(bad("images README.md", 1).contains(".mbtiles"));
    assert!(bad("images town -f csv -o town", 1).contains("is a folder"));
    assert!(bad("images town -o no/such/a.csv", 1).contains("does not exist"));
}

#[test]
fn tiles_that_cannot_be_read_are_said_and_missing() {
    let dir = TempDir::new().unwrap();
    let column = dir.path().join("14/9326");
    fs::create_dir_all(&column).unwrap();
    fs::write(column.join("4742.mvt"), b"\x1a\xff\xff\xff\xff\x0f").unwrap();
    let source = dir.path().display();
    let said = bad(
        &format!("images {source} --near 24.9384,60.1699 --radius 10"),
        3,
    );
    assert!(
        said.contains("14/9326/4742") && said.contains("failed"),
        "{said}"
    );
}

#[test]
fn a_packed_archive_answers_as_its_source_does() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("town.pmtiles");
    let archive = path.display();
    assert_eq!(
        good(&format!("pack town --tileset images -o {archive}")),
        ""
    );
    let question = format!("--looking-at {DOOR}");
    let images = ids(&format!("images {archive} {question}"));
    assert_eq!(images, ids(&format!("images town {question}")));
    assert_eq!(
        good(&format!("images {archive} --count")),
        good("images town --count")
    );
    let said = bad(&format!("pack town.mbtiles -o {archive}"), 1);
    assert!(said.contains("--overwrite"), "{said}");
    good(&format!("pack town.mbtiles -o {archive} --overwrite"));
    let images = ids(&format!("images {archive} {question}"));
    assert_eq!(images, ids(&format!("images town.mbtiles {question}")));
    let said = bad(&format!("pack town -o {archive} --overwrite"), 2);
    assert!(said.contains("--tileset images"), "{said}");
    assert!(bad("pack town -o -", 2).contains("-o town.pmtiles"));
}

#[test]
fn completions_and_manual_pages() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            good(&format!("completions {shell}")).contains("looking-at"),
            "{shell}"
        );
    }
    assert!(good("man").contains(".TH tilesight"));
    assert!(good("man images").contains("looking"));
    assert!(bad("man nothing", 2).contains("nothing"));
}

#[test]
fn help_and_version_are_results() {
    assert!(good("--help").contains("images"));
    assert!(good("images --help").contains("--looking-at"));
    assert!(good("--version").starts_with("tilesight "));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_with_130_and_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let pipe = dir.path().join("area.geojson");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    // Nobody writes to the pipe, so the program waits for its region.
    let mut child = program()
        .args(["images", "town", "--aoi"])
        .arg(&pipe)
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
