//! A reader of the file in another language, written from `docs/format.md` alone.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use tilesight::{BuildOptions, Dataset, ImageQuery, SequenceQuery};

pub(super) fn town() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/town")
}

/// A line for each image, its id and where it stands, and one for each sequence.
fn lines(data: &Dataset) -> String {
    let mut lines = String::new();
    let images = data.images(&ImageQuery::default()).unwrap();
    for (id, point) in images.ids().zip(images.positions()) {
        writeln!(lines, "image {id} {} {}", point.x, point.y).unwrap();
    }
    let sequences = data.sequences(&SequenceQuery::default()).unwrap();
    for id in sequences.ids() {
        writeln!(lines, "sequence {id}").unwrap();
    }
    lines
}

#[test]
fn a_stranger_reads_ids_and_positions() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("town.tsight");
    let mut file = File::create(&path).unwrap();
    tilesight::build(&[town()], &mut file, &BuildOptions::default(), &|_| ()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/read_dataset.py");
    let output = match Command::new("python3").arg(script).arg(&path).output() {
        Ok(output) => output,
        Err(error) => return println!("SKIPPED: there is no python3 ({error})"),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let expected = lines(&Dataset::open(&path).unwrap());
    assert!(expected.lines().count() > 6000);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}
