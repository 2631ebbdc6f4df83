//! Names of files that are made of what somebody else wrote.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use tilesight::compat::geokit::{OutputFiles, boundaries, output_files};
use tilesight::compat::interface::{SaveOptions, save_locally};
use tilesight::formats::Partitions;

use super::{hostile_text, is_whole_edition};
use crate::differential::random::Random;

const TRIANGLE: &str = r#"{"type":"Polygon","coordinates":[[[24,60],[26,60],[25,61],[24,60]]]}"#;

fn number_of_names() -> usize {
    if is_whole_edition() { 100_000 } else { 3_000 }
}

/// Areas that are named like that, as a file of them.
fn areas(names: &[String]) -> String {
    let feature = |name: &String| {
        let name = serde_json::Value::from(name.as_str());
        format!(r#"{{"type":"Feature","properties":{{"name":{name}}},"geometry":{TRIANGLE}}}"#)
    };
    let features: Vec<String> = names.iter().map(feature).collect();
    format!(
        r#"{{"type":"FeatureCollection","features":[{}]}}"#,
        features.join(",")
    )
}

fn all_of(files: &OutputFiles) -> [&PathBuf; 4] {
    let OutputFiles {
        points_pano,
        points_no_pano,
        sequences_pano,
        sequences_no_pano,
    } = files;
    [
        points_pano,
        points_no_pano,
        sequences_pano,
        sequences_no_pano,
    ]
}

fn names_in(folder: &Path) -> HashSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect()
}

/// The files are made for real: the file system has the last word on what a name means.
#[test]
fn output_files_of_areas_stay_in_their_folder_each_its_own() {
    let mut random = Random::new(1);
    let names: Vec<String> = (0..number_of_names())
        .map(|_| hostile_text(&mut random))
        .collect();
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("out");
    fs::create_dir(&folder).unwrap();
    let boundaries = boundaries(&areas(&names), Some("name")).unwrap();
    let (points, sequences) = (folder.join("points.geojson"), folder.join("lines.geojson"));
    let files = output_files(&boundaries, &points, &sequences).unwrap();
    assert_eq!(files.len(), names.len());
    let mut folded = HashSet::new();
    for (path, name) in files
        .iter()
        .zip(&names)
        .flat_map(|(files, name)| all_of(files).map(|path| (path, name)))
    {
        let below: Vec<Component<'_>> = path.strip_prefix(&folder).unwrap().components().collect();
        assert!(
            matches!(below[..], [Component::Normal(_)]),
            "{name:?}: {path:?}"
        );
        File::create_new(path).unwrap_or_else(|error| panic!("{name:?}: {path:?}: {error}"));
        assert!(
            folded.insert(path.to_str().unwrap().to_lowercase()),
            "{name:?}: {path:?}"
        );
    }
    assert_eq!(names_in(&folder).len(), 4 * names.len());
    assert_eq!(names_in(root.path()), HashSet::from(["out".to_owned()]));
    println!(
        "reliability: output: {} files of {} names stay in their folder, each its own",
        folded.len(),
        names.len()
    );
}

/// Nobody waits for a number that is free, although everything has the same name.
#[test]
fn output_files_of_equal_names_are_numbered() {
    let names = vec!["Old Town".to_owned(); 20_000];
    let boundaries = boundaries(&areas(&names), Some("name")).unwrap();
    let files = output_files(&boundaries, Path::new("p.geojson"), Path::new("s.geojson"));
    let last = &files.unwrap()[names.len() - 1];
    assert_eq!(
        last.points_pano,
        Path::new("Old_Town_20000_p__pano.geojson")
    );
}

#[test]
fn output_of_save_locally_has_a_plain_name_or_is_refused() {
    let mut random = Random::new(2);
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("out");
    fs::create_dir(&folder).unwrap();
    let data = r#"{"type":"FeatureCollection","features":[]}"#;
    let (mut saved, names) = (HashSet::new(), number_of_names());
    for at in 0..names {
        let (name, extension) = match at % 8 {
            0 => (format!("town-{at}"), "geojson".to_owned()),
            1 => ("town".to_owned(), hostile_text(&mut random)),
            _ => (hostile_text(&mut random), "csv".to_owned()),
        };
        let options = SaveOptions {
            file_path: Some(folder.clone()),
            file_name: Some(name.clone()),
            extension,
        };
        if let Ok(path) = save_locally(data, &options) {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            assert!(name.bytes().all(is_plain), "{name:?}");
            assert_eq!(path.parent(), Some(&*folder));
            saved.insert(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    assert!(
        saved.len() >= names / 8,
        "names that are plain are not refused"
    );
    assert_eq!(names_in(&folder), saved);
    assert_eq!(names_in(root.path()), HashSet::from(["out".to_owned()]));
    println!(
        "reliability: output: {names} names given to save_locally: refused or in their folder"
    );
}

#[test]
fn output_of_partitions_is_named_after_tiles_alone() {
    let mut random = Random::new(3);
    let texts: Vec<String> = (0..500).map(|_| hostile_text(&mut random)).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hostile.tsight");
    let file = File::create(&path).unwrap();
    super::dataset_of(&texts, 1).write(&file, "").unwrap();
    let data = tilesight::Dataset::open(&path).unwrap();
    let folder = dir.path().join("out");
    let partitions = Partitions {
        zoom: 14,
        ..Partitions::default()
    };
    let done = partitions.write(&data, &folder, &|_| ()).unwrap();
    assert_eq!((done.tiles, done.files, done.written.rows), (1, 1, 500));
    assert_eq!(
        names_in(dir.path()),
        HashSet::from(["hostile.tsight".into(), "out".into()])
    );
    assert_eq!(names_in(&folder), HashSet::from(["z=14".into()]));
    assert_eq!(
        names_in(&folder.join("z=14")),
        HashSet::from(["tile=9326-4742".into()])
    );
    let tile = folder.join("z=14/tile=9326-4742");
    assert_eq!(names_in(&tile), HashSet::from(["part-0.parquet".into()]));
}
