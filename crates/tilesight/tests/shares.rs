//! Partitions written share by share, against all of them written at once.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tilesight::formats::{Partitions, read_images};
use tilesight::{BuildOptions, Dataset, Filter, ImageQuery, Kind, LonLat, Place, TileId, build};
use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};

const TOWN: &str = "../../fixtures/town";

fn partitions(zoom: u8) -> Partitions {
    Partitions {
        zoom,
        ..Partitions::default()
    }
}

/// The files below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// The images of each file as text, in the order of their ids.
fn rows(folder: &Path) -> BTreeMap<PathBuf, Vec<String>> {
    let of_file = |name: PathBuf| {
        let data = read_images(&[folder.join(&name)]).unwrap();
        let found = data.images(&ImageQuery::default()).unwrap();
        let mut rows: Vec<_> = found.iter().map(|image| format!("{image:?}")).collect();
        rows.sort_unstable();
        (name, rows)
    };
    files(folder).into_keys().map(of_file).collect()
}

fn written_at_once(partitions: &Partitions, source: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let data = Dataset::open(source).unwrap();
    partitions.write(&data, folder.path(), &|_| ()).unwrap();
    folder
}

fn written_by_share(partitions: &Partitions, source: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for share in partitions.shares(source).unwrap() {
        partitions
            .write_share(source, &share, folder.path())
            .unwrap();
    }
    folder
}

#[test]
fn shares_of_tiles_have_the_rows_of_the_whole() {
    let panoramas = Filter {
        kind: Some(Kind::Pano),
        ..Filter::default()
    };
    for (zoom, filter) in [
        (0, Filter::default()),
        (13, panoramas),
        (14, Filter::default()),
    ] {
        let partitions = Partitions {
            filter,
            ..partitions(zoom)
        };
        let whole = written_at_once(&partitions, Path::new(TOWN));
        let shares = written_by_share(&partitions, Path::new(TOWN));
        assert_eq!(rows(shares.path()), rows(whole.path()));
    }
}

#[test]
fn shares_of_a_dataset_are_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("town.tsight");
    let mut out = fs::File::create(&file).unwrap();
    build(&[TOWN], &mut out, &BuildOptions::default(), &|_| ()).unwrap();
    let whole = written_at_once(&partitions(13), &file);
    let shares = written_by_share(&partitions(13), &file);
    assert!(files(shares.path()).len() > 1);
    assert!(files(shares.path()) == files(whole.path()));
}

#[test]
fn a_share_that_is_written_again_changes_nothing() {
    let source = Path::new(TOWN);
    let folder = written_by_share(&partitions(13), source);
    let before = files(folder.path());
    let first = before.keys().next().unwrap();
    let surplus = folder.path().join(first).with_file_name("part-1.parquet");
    fs::write(&surplus, "of a share that was larger").unwrap();
    for share in partitions(13).shares(source).unwrap() {
        partitions(13)
            .write_share(source, &share, folder.path())
            .unwrap();
    }
    assert!(files(folder.path()) == before);
}

#[test]
fn ids_tell_of_images_that_two_shares_have() {
    let folder = tempfile::tempdir().unwrap();
    let tiles = [(9_326, 4_742), (9_327, 4_742)].map(|(x, y)| TileId::new(14, x, y).unwrap());
    for (tile, x) in tiles.iter().zip([10, 5_000]) {
        let mut layer = LayerWriter::new("image");
        layer.point((x, 7), &[("id", Value::Int(17))]);
        layer.point((20, 7), &[("id", Value::Int(i64::from(tile.x())))]);
        let mut bytes = TileWriter::new();
        bytes.push(layer);
        let path = folder.path().join(format!("{tile}.mvt"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes.finish()).unwrap();
    }
    let shares = partitions(14).shares(folder.path()).unwrap();
    assert_eq!(shares, tiles.map(|tile| vec![tile]));
    let out = tempfile::tempdir().unwrap();
    let mut ids = shares.iter().map(|share| {
        let written = partitions(14)
            .write_share(folder.path(), share, out.path())
            .unwrap();
        let mut ids = written.ids;
        ids.sort_unstable();
        (ids, written.tiles)
    });
    assert_eq!(ids.next(), Some((vec![17, 9_326], vec![tiles[0]])));
    // One lies beyond its tile.
    let beyond = TileId::new(14, 9_328, 4_742).unwrap();
    assert_eq!(ids.next(), Some((vec![17, 9_327], vec![tiles[1], beyond])));
    // Both together are as the whole.
    let (joint, whole) = (
        tempfile::tempdir().unwrap(),
        written_at_once(&partitions(14), folder.path()),
    );
    partitions(14)
        .write_share(folder.path(), &tiles, joint.path())
        .unwrap();
    assert_eq!(rows(joint.path()), rows(whole.path()));
}

#[test]
fn files_answer_as_the_dataset_does() {
    let town = Dataset::open(TOWN).unwrap();
    let folder = written_at_once(&partitions(13), Path::new(TOWN));
    let paths: Vec<PathBuf> = files(folder.path()).into_keys().collect();
    let paths: Vec<PathBuf> = paths.iter().map(|name| folder.path().join(name)).collect();
    let again = read_images(&paths).unwrap();
    let door = LonLat::new(24.95238, 60.17075).unwrap();
    for place in [Place::Everywhere, Place::looking_at(door)] {
        let query = ImageQuery {
            place,
            ..ImageQuery::default()
        };
        let rows = |data: &Dataset| -> Vec<String> {
            let found = data.images(&query).unwrap();
            let mut rows: Vec<_> = found
                .iter()
                .map(|image| {
                    format!(
                        "{:?}",
                        tilesight::Image {
                            id_is_exact: true,
                            ..image
                        }
                    )
                })
                .collect();
            rows.sort_unstable();
            rows
        };
        assert_eq!(rows(&again), rows(&town));
    }
}

#[test]
fn what_is_no_file_of_images_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("part-0.parquet");
    let refused = || read_images(&[&file]).unwrap_err().to_string();
    assert!(refused().contains("part-0.parquet"));
    let without_ids = Partitions {
        fields: Some(vec!["lon".to_owned(), "lat".to_owned()]),
        ..partitions(0)
    };
    let written = written_at_once(&without_ids, Path::new(TOWN));
    let (_, bytes) = files(written.path()).pop_first().unwrap();
    fs::write(&file, &bytes).unwrap();
    assert!(refused().contains("id is missing"), "{}", refused());
    for end in (0..bytes.len()).step_by(1 + bytes.len() / 200) {
        fs::write(&file, &bytes[..end]).unwrap();
        refused();
    }
    let whole = written_at_once(&partitions(0), Path::new(TOWN));
    let (_, bytes) = files(whole.path()).pop_first().unwrap();
    for at in (0..bytes.len()).step_by(1 + bytes.len() / 500) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&file, &damaged).unwrap();
        // Without checksums some damages are other values; none is a panic.
        let _ = read_images(&[&file]);
    }
}
