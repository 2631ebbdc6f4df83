//! Ids in JSON, as JavaScript reads them: all of its numbers are doubles.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tilesight::formats::{Export, Format, SequenceShape};
use tilesight::{FeatureQuery, ImageQuery, Place, SequenceQuery};

use super::dataset_of;

/// Largest integer of which JavaScript is sure.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Odd numbers beyond [`MAX_SAFE_INTEGER`]: half of them are no doubles.
const FIRST_ID: i64 = (1 << 60) + 1;

/// All that is written as JSON, a document or line each: images, features, sequences in each shape.
fn documents() -> Vec<String> {
    let texts = ["walk", "ride", "drive"].map(str::to_owned);
    let data = dataset_of(&texts, FIRST_ID);
    let images = data.images(&ImageQuery::default()).unwrap();
    let sequences = data.sequences(&SequenceQuery::default()).unwrap();
    let features = data.features(&FeatureQuery::default()).unwrap();
    let answers: [&dyn Export; 3] = [&images, &sequences, &features];
    let mut documents = Vec::new();
    for answer in answers {
        for format in [Format::GeoJson, Format::GeoJsonSeq] {
            let mut json = Vec::new();
            answer.write(format, &Place::Everywhere, &mut json).unwrap();
            documents.push(json);
        }
    }
    for shape in [
        SequenceShape::V2,
        SequenceShape::V2GeoJson,
        SequenceShape::V3,
    ] {
        for as_lines in [false, true] {
            let mut json = Vec::new();
            shape.write(&sequences, as_lines, &mut json).unwrap();
            documents.push(json);
        }
    }
    let texts = documents
        .into_iter()
        .map(|json| String::from_utf8(json).unwrap());
    texts.flat_map(split).collect()
}

/// A document, or the lines of one that has a document a line.
fn split(text: String) -> Vec<String> {
    match serde_json::from_str::<Value>(&text) {
        Ok(_) => vec![text],
        Err(_) => text.lines().map(str::to_owned).collect(),
    }
}

fn check_numbers(value: &Value) {
    match value {
        Value::Number(number) => {
            let beyond = |magnitude: u64| magnitude > MAX_SAFE_INTEGER;
            let magnitude = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
            assert!(!magnitude.is_some_and(beyond), "{number} is no double");
        }
        Value::Array(values) => values.iter().for_each(check_numbers),
        Value::Object(members) => members.values().for_each(check_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[test]
fn output_ids_are_no_numbers_that_javascript_loses() {
    let documents = documents();
    for document in &documents {
        check_numbers(&serde_json::from_str(document).unwrap());
    }
    let all = documents.concat();
    for id in (0..3).map(|at| (FIRST_ID + at).to_string()) {
        assert!(all.contains(&format!("\"{id}\"")), "{id}");
    }
}

#[test]
fn output_ids_survive_javascript() {
    const SCRIPT: &str = "const fs = require('fs');
        const lines = JSON.parse(fs.readFileSync(process.argv[1], 'utf8'));
        console.log(JSON.stringify(lines.map(line => JSON.stringify(JSON.parse(line)))));";
    let documents = documents();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), Value::from(documents.clone()).to_string()).unwrap();
    let output = match Command::new("node")
        .args(["-e", SCRIPT])
        .arg(file.path())
        .output()
    {
        Ok(output) => output,
        Err(error) => return println!("SKIPPED: there is no node ({error})"),
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let through: Vec<String> = serde_json::from_slice(&output.stdout).unwrap();
    let parsed = |text: &String| serde_json::from_str::<Value>(text).unwrap();
    for (before, after) in documents.iter().zip(&through) {
        assert_eq!(parsed(before), parsed(after));
    }
    assert_eq!(documents.len(), through.len());
    println!(
        "reliability: output: {} documents are the same after JavaScript",
        documents.len()
    );
}
