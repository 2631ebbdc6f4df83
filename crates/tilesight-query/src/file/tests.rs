use std::fs;
use std::io::Cursor;

use super::*;
use crate::error::Error;
use crate::features::FeatureIdOrder;
use crate::images::IdOrder;
use crate::made;
use crate::storage::tests::{place, seal};

const ROWS: usize = 301;

fn bytes_of(data: &Dataset) -> Vec<u8> {
    data.write(Cursor::new(Vec::new()), "made by hand")
        .unwrap()
        .into_inner()
}

fn sample() -> Dataset {
    made::dataset(ROWS, 20, 1)
}

fn open(bytes: &[u8]) -> Result<(Dataset, String), OpenError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    Dataset::open(file.path(), Io::Map)
}

#[track_caller]
fn check_refused(bytes: &[u8], expected: &str) {
    let said = open(bytes).map(drop).unwrap_err().to_string();
    assert!(said.ends_with(expected), "{said}");
}

#[test]
fn what_is_written_is_opened() {
    let data = sample();
    let bytes = bytes_of(&data);
    let (opened, about) = open(&bytes).unwrap();
    assert_eq!(about, "made by hand");
    assert_eq!(opened.verify(), []);
    assert!(bytes_of(&opened) == bytes);
    assert!(data.verify().is_empty() && data.padding.is_empty());
}

/// Each table is damaged in turn, in the first byte of its first column.
#[test]
fn damage_is_found_in_every_table() {
    let bytes = bytes_of(&sample());
    let tables = [
        ("image", 0),
        ("id order", 0),
        ("group", 0),
        ("id", ORGANIZATION_IDS),
        ("id", CREATOR_IDS),
    ];
    for (name, number) in tables {
        let mut damaged = bytes.clone();
        damaged[place(&bytes, name, number, 0).start] ^= 1;
        let (data, _) = open(&damaged).unwrap();
        let found = data.verify();
        let is_it = |damage: &Damage| matches!(damage, Damage::Block { table, block: 0, .. } if *table == name);
        assert!(found.len() == 1 && is_it(&found[0]), "{name}: {found:?}");
    }
}

#[test]
fn padding_that_is_not_zero_is_found() {
    let mut bytes = bytes_of(&sample());
    let end = place(&bytes, "image", 0, 0).end;
    assert_ne!(end % 64, 0);
    bytes[end] = 1;
    let (data, _) = open(&bytes).unwrap();
    let padding = "the padding between the columns is not zero".to_owned();
    assert_eq!(data.verify(), [Damage::File(padding)]);
}

#[test]
fn a_damaged_dataset_is_not_written_anew() {
    let mut bytes = bytes_of(&sample());
    bytes[place(&sample_bytes(), "image", 0, 0).start] ^= 1;
    let (data, _) = open(&bytes).unwrap();
    let refused = data.write(Cursor::new(Vec::new()), "").unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    assert!(
        refused.to_string().contains("differs from its checksum"),
        "{refused}"
    );
    let asked = data.images(&crate::ImageQuery::default()).map(drop);
    assert!(matches!(asked, Err(Error::Damaged(_))), "{asked:?}");
}

fn sample_bytes() -> Vec<u8> {
    bytes_of(&sample())
}

#[test]
fn an_order_of_other_rows_is_refused() {
    let mut images = sample();
    let fewer: Vec<u32> = (0..ROWS as u32 - 1).collect();
    images.images.id_order = IdOrder { row: fewer.into() }.into();
    let problem = "has another number of rows than what it orders";
    check_refused(
        &bytes_of(&images),
        &format!("the table \"id order\" {problem}"),
    );
    let mut features = sample();
    features.features.id_order = FeatureIdOrder {
        row: vec![0].into(),
    }
    .into();
    check_refused(
        &bytes_of(&features),
        &format!("the table \"feature id order\" {problem}"),
    );
}

#[test]
fn notes_that_say_nothing_are_refused() {
    let mut bytes = sample_bytes();
    let about = place(&bytes, "notes", ABOUT, 0);
    bytes[about.start] = 0xff;
    seal(&mut bytes);
    check_refused(&bytes, "the table \"notes\" is not text");
    let mut bytes = sample_bytes();
    let coverage = place(&bytes, "notes", COVERAGE, 0);
    bytes[coverage].fill(0xff);
    seal(&mut bytes);
    check_refused(
        &bytes,
        "the table \"notes\" does not say which tiles are held",
    );
}
