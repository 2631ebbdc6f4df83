//! Arrow streams, `GeoParquet` files and partitions of the committed fixtures, byte by byte; and
//! beside each a text of what it says, for people to compare.
//!
//! With `UPDATE_GOLDEN` in the environment the golden files are written anew.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_schema::Schema;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;
use tilesight::formats::{Export, Format, Options, Partitions};
use tilesight::{Dataset, FeatureQuery, ImageQuery, LonLat, Place, SequenceQuery};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn town() -> Dataset {
    Dataset::open(here("../../fixtures/town")).unwrap()
}

/// The nearest to the door of `fixtures/README.md`.
fn near_the_door() -> Place {
    Place::Nearest {
        target: LonLat::new(24.95238, 60.17075).unwrap(),
        k: 3,
        radius_m: None,
    }
}

/// Compares with a golden file, and writes it anew when that is asked.
#[track_caller]
fn check_golden(name: &str, bytes: &[u8]) {
    let path = here("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, bytes).unwrap();
    }
    let expected = fs::read(&path).unwrap();
    assert!(
        bytes == expected,
        "{name}:\n{}",
        String::from_utf8_lossy(bytes)
    );
}

#[track_caller]
fn check(name: &str, found: &impl Export, data: &Dataset, place: &Place) {
    for (extension, format) in [("arrow", Format::Arrow), ("parquet", Format::Parquet)] {
        let options = Options {
            data: Some(data),
            ..Options::new(format, place)
        };
        let mut bytes = Vec::new();
        found.write_with(&options, &mut bytes).unwrap();
        let text = match format {
            Format::Arrow => text_of_arrow(&bytes),
            _ => text_of_parquet(bytes.clone()),
        };
        check_golden(&format!("{name}.{extension}.txt"), text.as_bytes());
        check_golden(&format!("{name}.{extension}"), &bytes);
    }
}

fn text_of_arrow(bytes: &[u8]) -> String {
    let reader = StreamReader::try_new(bytes, None).unwrap();
    let mut text = text_of_schema(&reader.schema());
    for batch in reader {
        text += &text_of_batch(&batch.unwrap());
    }
    text
}

fn text_of_parquet(bytes: Vec<u8>) -> String {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
    let mut text = text_of_file(builder.metadata()) + &text_of_schema(builder.schema());
    for batch in builder.build().unwrap() {
        text += &text_of_batch(&batch.unwrap());
    }
    text
}

/// Columns, and what is said of them, in the order of names.
fn text_of_schema(schema: &Schema) -> String {
    let mut text = String::new();
    for field in schema.fields() {
        let needed = if field.is_nullable() {
            ""
        } else {
            ", never null"
        };
        writeln!(
            text,
            "column {}: {}{needed}",
            field.name(),
            field.data_type()
        )
        .unwrap();
        text += &entries(field.metadata());
    }
    text + &entries(schema.metadata())
}

fn entries(metadata: &std::collections::HashMap<String, String>) -> String {
    let mut lines: Vec<String> = metadata
        .iter()
        .map(|(key, value)| format!("  {key} = {value}\n"))
        .collect();
    lines.sort();
    lines.concat()
}

/// Row groups, and how their columns lie in the file.
fn text_of_file(metadata: &ParquetMetaData) -> String {
    let mut text = String::new();
    for entry in metadata
        .file_metadata()
        .key_value_metadata()
        .into_iter()
        .flatten()
    {
        writeln!(
            text,
            "{} = {}",
            entry.key,
            entry.value.as_deref().unwrap_or("")
        )
        .unwrap();
    }
    for (number, group) in metadata.row_groups().iter().enumerate() {
        writeln!(text, "row group {number}: {} rows", group.num_rows()).unwrap();
        for column in group.columns() {
            let encodings: Vec<_> = column.encodings().collect();
            let (name, compression) = (column.column_path(), column.compression());
            writeln!(text, "  {name}: {encodings:?}, {compression}").unwrap();
        }
    }
    text
}

fn text_of_batch(batch: &RecordBatch) -> String {
    let mut text = format!("batch of {} rows\n", batch.num_rows());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        writeln!(text, "{}: {column:?}", field.name()).unwrap();
    }
    text
}

#[test]
fn images() {
    let (data, place) = (town(), near_the_door());
    let query = ImageQuery {
        place,
        ..ImageQuery::default()
    };
    check("images", &data.images(&query).unwrap(), &data, &query.place);
    let everywhere = ImageQuery {
        limit: Some(5),
        ..ImageQuery::default()
    };
    let found = data.images(&everywhere).unwrap();
    check("images-first", &found, &data, &everywhere.place);
}

#[test]
fn sequences() {
    let (data, place) = (town(), near_the_door());
    let query = SequenceQuery {
        place,
        ..SequenceQuery::default()
    };
    let found = data.sequences(&query).unwrap();
    check("sequences", &found, &data, &query.place);
}

#[test]
fn features() {
    let (data, place) = (town(), near_the_door());
    let query = FeatureQuery {
        place,
        ..FeatureQuery::default()
    };
    let found = data.features(&query).unwrap();
    check("features", &found, &data, &query.place);
}

#[test]
fn partitions() {
    let (data, folder) = (town(), tempfile::tempdir().unwrap());
    let partitions = Partitions {
        zoom: 13,
        ..Partitions::default()
    };
    partitions.write(&data, folder.path(), &|_| ()).unwrap();
    let mut lines = Vec::new();
    for tile in fs::read_dir(folder.path().join("z=13")).unwrap() {
        let tile = tile.unwrap();
        for part in fs::read_dir(tile.path()).unwrap() {
            let part = part.unwrap();
            let bytes = fs::read(part.path()).unwrap();
            let (size, builder) = (
                bytes.len(),
                ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)),
            );
            let rows = builder.unwrap().metadata().file_metadata().num_rows();
            let (tile, part) = (tile.file_name(), part.file_name());
            lines.push(format!(
                "z=13/{}/{}: {rows} rows, {size} bytes\n",
                tile.display(),
                part.display()
            ));
        }
    }
    lines.sort();
    check_golden("partitions.txt", lines.concat().as_bytes());
}
