//! Cells of CSV, as a spreadsheet takes them: what begins like a formula is run.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tilesight::formats::{Export, Format, convert};
use tilesight::{FeatureQuery, ImageQuery, Place, SequenceQuery};

use super::{dataset_of, hostile_text, is_whole_edition};
use crate::differential::random::Random;

/// What a spreadsheet takes for the beginning of a formula.
const STARTS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

fn texts(seed: u64) -> Vec<String> {
    let mut random = Random::new(seed);
    let number = if is_whole_edition() { 100_000 } else { 3_000 };
    let texts: BTreeSet<String> = (0..number).map(|_| hostile_text(&mut random)).collect();
    texts.into_iter().collect()
}

/// The rows of a text, with the header.
fn rows(csv: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(csv);
    let row = |row: csv::StringRecord| row.iter().map(str::to_owned).collect();
    reader
        .records()
        .map(|record| row(record.unwrap()))
        .collect()
}

/// A number, a key or a text, none of which is run.
fn is_harmless(cell: &str) -> bool {
    let is_of_key = |char: char| char.is_ascii_alphanumeric() || "-_".contains(char);
    !cell.starts_with(STARTS) || cell.parse::<f64>().is_ok() || cell.chars().all(is_of_key)
}

/// What stood in a cell before it was guarded.
fn unguarded(cell: &str) -> &str {
    let text = cell.strip_prefix('\'');
    text.filter(|text| text.starts_with(STARTS)).unwrap_or(cell)
}

fn column<'a>(rows: &'a [Vec<String>], name: &str) -> BTreeSet<&'a str> {
    let at = rows[0].iter().position(|cell| cell == name).unwrap();
    rows[1..].iter().map(|row| unguarded(&row[at])).collect()
}

fn check_harmless(rows: &[Vec<String>]) -> usize {
    for cell in rows.iter().flatten() {
        assert!(is_harmless(cell), "{cell:?}");
    }
    rows.iter().map(Vec::len).sum()
}

#[test]
fn output_cells_of_answers_are_no_formulas_and_lose_nothing() {
    let texts = texts(4);
    let expected: BTreeSet<&str> = texts.iter().map(String::as_str).collect();
    let data = dataset_of(&texts, -1000);
    let mut cells = 0;
    let mut check = |answer: &dyn Export, name: &str| {
        let mut csv = Vec::new();
        answer
            .write(Format::Csv, &Place::Everywhere, &mut csv)
            .unwrap();
        let rows = rows(&csv);
        cells += check_harmless(&rows);
        assert_eq!(rows.len() - 1, texts.len());
        assert_eq!(column(&rows, name), expected, "{name}");
    };
    check(&data.images(&ImageQuery::default()).unwrap(), "sequence_id");
    check(&data.sequences(&SequenceQuery::default()).unwrap(), "id");
    check(&data.features(&FeatureQuery::default()).unwrap(), "value");
    println!("reliability: output: {cells} cells of answers are no formulas");
}

#[test]
fn output_cells_of_any_geojson_are_no_formulas_and_lose_nothing() {
    let texts = texts(5);
    let keys = ["id", "image_id", "sequence_id", "value"];
    let feature = |text: &String| {
        let properties: serde_json::Map<String, Value> = keys
            .iter()
            .map(|&key| (key.to_owned(), json!(text)))
            .collect();
        json!({"type": "Feature", "geometry": null, "properties": properties})
    };
    let features: Vec<Value> = texts.iter().map(feature).collect();
    let collection = json!({"type": "FeatureCollection", "features": features}).to_string();
    let mut csv = Vec::new();
    convert(&collection, Format::Csv, &mut csv).unwrap();
    let rows = rows(&csv);
    let cells = check_harmless(&rows);
    let expected: BTreeSet<&str> = texts.iter().map(String::as_str).collect();
    for name in ["ID", "image_id", "sequence_id", "value"] {
        assert_eq!(column(&rows, name), expected, "{name}");
    }
    println!("reliability: output: {cells} cells of any GeoJSON are no formulas");
}

/// Names of properties become the header.
#[test]
fn output_headers_are_no_formulas() {
    for text in texts(6).iter().take(2000).filter(|text| *text != "id") {
        let feature = json!({"type": "Feature", "geometry": null, "properties": {text: 1}});
        let mut csv = Vec::new();
        convert(&feature.to_string(), Format::Csv, &mut csv).unwrap();
        let rows = rows(&csv);
        check_harmless(&rows);
        assert_eq!((unguarded(&rows[0][2]), &*rows[1][2]), (text.as_str(), "1"));
    }
}

#[test]
fn output_numbers_stay_numbers() {
    let properties = json!({"id": -7, "image_id": -8, "value": -0.5, "list": [-1], "flag": true});
    let geometry = json!({"type": "Point", "coordinates": [-24.5, -60.25]});
    let feature = json!({"type": "Feature", "geometry": geometry, "properties": properties});
    let mut csv = Vec::new();
    convert(&feature.to_string(), Format::Csv, &mut csv).unwrap();
    let rows = rows(&csv);
    let cell = |name: &str| {
        let at = rows[0].iter().position(|cell| cell == name).unwrap();
        rows[1][at].as_str()
    };
    let names = [
        "ID",
        "image_id",
        "value",
        "list",
        "flag",
        "longitude",
        "latitude",
    ];
    let expected = ["-7", "-8", "-0.5", "[-1]", "true", "-24.5", "-60.25"];
    assert_eq!(names.map(cell), expected);
}
