//! Arrow streams, `GeoParquet` files and partitions, read back by the readers of their own crates.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType,
};
use arrow_array::{Array, RecordBatch, RecordBatchReader};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{DataType, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;
use tilesight::formats::{Export, Format, Options, Partitions};
use tilesight::{
    Dataset, FeatureQuery, Filter, GridPoint, Image, ImageQuery, Kind, LonLat, Place,
    SequenceQuery, TileId,
};

fn town() -> Dataset {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    Dataset::open(fixtures.join("town")).unwrap()
}

/// More images than fit in one chunk or one row group, with everything that can be unknown.
fn many() -> Dataset {
    let sequences: Vec<String> = (0..700)
        .map(|number| format!("sequence-{number}"))
        .collect();
    let images = (0..150_000_i64).map(|i| Image {
        id_is_exact: i % 1000 != 0,
        captured_at_ms: (i % 7 != 0).then_some(1_600_000_000_000 + i * 977),
        compass_angle_deg: (i % 5 != 0).then_some((i % 3600) as f64 / 10.0),
        kind: [None, Some(Kind::Flat), Some(Kind::Pano)][i as usize % 3],
        sequence_id: (i % 11 != 0).then(|| &*sequences[i as usize % 700]),
        organization_id: (i % 2 == 0).then_some(9_007_199_254_740_993 + i % 3),
        creator_id: (i % 13 != 0).then_some(i % 50),
        ..Image::at(
            i64::MAX - i,
            24.0 + (i % 431) as f64 / 300.0,
            60.0 + (i % 373) as f64 / 500.0,
        )
    });
    Dataset::from_images(images).unwrap()
}

fn written(found: &impl Export, options: &Options<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    found.write_with(options, &mut bytes).unwrap();
    bytes
}

fn read_arrow(bytes: &[u8]) -> (SchemaRef, Vec<RecordBatch>) {
    let reader = StreamReader::try_new(bytes, None).unwrap();
    (reader.schema(), reader.map(Result::unwrap).collect())
}

fn read_parquet(bytes: &[u8]) -> (SchemaRef, Vec<RecordBatch>, ParquetMetaData) {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let (schema, metadata) = (
        builder.schema().clone(),
        builder.metadata().as_ref().clone(),
    );
    let batches = builder.build().unwrap().map(Result::unwrap).collect();
    (schema, batches, metadata)
}

fn entry(metadata: &ParquetMetaData, key: &str) -> Option<String> {
    let entries = metadata.file_metadata().key_value_metadata()?;
    let entry = entries.iter().find(|entry| entry.key == key)?;
    entry.value.clone()
}

/// Reads one cell; nothing where it is null.
fn cell<T>(
    batch: &RecordBatch,
    name: &str,
    row: usize,
    read: impl Fn(&dyn Array) -> T,
) -> Option<T> {
    let column = batch.column_by_name(name).unwrap();
    (!column.is_null(row)).then(|| read(column))
}

fn integer(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    cell(batch, name, row, |column| {
        column.as_primitive::<Int64Type>().value(row)
    })
}

fn real(batch: &RecordBatch, name: &str, row: usize) -> Option<f64> {
    cell(batch, name, row, |column| {
        column.as_primitive::<Float64Type>().value(row)
    })
}

fn time(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    cell(batch, name, row, |column| {
        column.as_primitive::<TimestampMillisecondType>().value(row)
    })
}

fn flag(batch: &RecordBatch, name: &str, row: usize) -> Option<bool> {
    cell(batch, name, row, |column| column.as_boolean().value(row))
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    cell(batch, name, row, |column| {
        if column.data_type() == &DataType::Utf8 {
            return column.as_string::<i32>().value(row).to_owned();
        }
        let texts = column.as_dictionary::<Int32Type>();
        let key = texts.keys().value(row) as usize;
        texts.values().as_string::<i32>().value(key).to_owned()
    })
}

fn geometry(batch: &RecordBatch, row: usize) -> Vec<Vec<[f64; 2]>> {
    let column = batch.column_by_name("geometry").unwrap();
    Wkb(column.as_binary::<i32>().value(row)).geometry()
}

/// A slow and literal reader of well-known binary: geometries as parts of vertices.
struct Wkb<'b>(&'b [u8]);

impl Wkb<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.0.split_at(N);
        self.0 = rest;
        head.try_into().unwrap()
    }

    fn position(&mut self) -> [f64; 2] {
        [0; 2].map(|_| f64::from_le_bytes(self.take()))
    }

    fn geometry(mut self) -> Vec<Vec<[f64; 2]>> {
        let parts = self.parts();
        assert!(self.0.is_empty());
        parts
    }

    fn parts(&mut self) -> Vec<Vec<[f64; 2]>> {
        assert_eq!(self.take::<1>(), [1]);
        let kind = u32::from_le_bytes(self.take());
        if kind == 1 {
            return vec![vec![self.position()]];
        }
        let count = u32::from_le_bytes(self.take());
        match kind {
            2 => vec![(0..count).map(|_| self.position()).collect()],
            4 | 5 => (0..count).flat_map(|_| self.parts()).collect(),
            _ => panic!("{kind} is no geometry that is written"),
        }
    }
}

/// Compares images, in their order, with what was read.
#[track_caller]
fn check_images<'a>(images: impl Iterator<Item = Image<'a>>, batches: &[RecordBatch]) {
    let rows = batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
    let mut rows = rows.fuse();
    for image in images {
        let (b, row) = rows.next().expect("as many rows as images");
        assert_eq!(integer(b, "id", row), Some(image.id));
        assert_eq!(
            (real(b, "lon", row), real(b, "lat", row)),
            (Some(image.lon), Some(image.lat))
        );
        assert_eq!(time(b, "captured_at", row), image.captured_at_ms);
        assert_eq!(real(b, "compass_angle", row), image.compass_angle_deg);
        assert_eq!(
            flag(b, "is_pano", row),
            image.kind.map(|kind| kind == Kind::Pano)
        );
        assert_eq!(text(b, "sequence_id", row).as_deref(), image.sequence_id);
        assert_eq!(integer(b, "organization_id", row), image.organization_id);
        assert_eq!(integer(b, "creator_id", row), image.creator_id);
        assert_eq!(geometry(b, row), [[[image.lon, image.lat]]]);
    }
    assert!(rows.next().is_none());
}

#[track_caller]
fn check_geometry_type(schema: &SchemaRef) {
    let field = schema.field_with_name("geometry").unwrap();
    assert_eq!(field.extension_type_name(), Some("geoarrow.wkb"));
    let metadata: serde_json::Value =
        serde_json::from_str(field.extension_type_metadata().unwrap()).unwrap();
    assert_eq!(metadata["crs"]["id"]["code"], "CRS84");
    assert_eq!(metadata["crs_type"], "projjson");
}

#[test]
fn images_read_back_from_arrow() {
    for data in [town(), many()] {
        let query = ImageQuery::default();
        let found = data.images(&query).unwrap();
        let options = Options::new(Format::Arrow, &query.place);
        let (schema, batches) = read_arrow(&written(&found, &options));
        check_geometry_type(&schema);
        assert_eq!(schema.metadata()["license"], "CC BY-SA 4.0");
        check_images(found.iter(), &batches);
        let lazy = found.batches(&options).unwrap();
        assert_eq!(lazy.schema(), schema);
        assert_eq!(lazy.map(Result::unwrap).collect::<Vec<_>>(), batches);
    }
}

#[test]
fn images_read_back_from_parquet() {
    for data in [town(), many()] {
        let query = ImageQuery::default();
        let found = data.images(&query).unwrap();
        let options = Options::new(Format::Parquet, &query.place);
        let (_, batches, metadata) = read_parquet(&written(&found, &options));
        check_images(found.iter(), &batches);
        assert_eq!(metadata.num_row_groups(), found.len().div_ceil(131_072));
        check_boxes(&batches);
    }
}

/// Every box of single precision holds its position and reaches no farther than it must.
#[track_caller]
fn check_boxes(batches: &[RecordBatch]) {
    for batch in batches {
        let boxes = batch.column_by_name("bbox").unwrap().as_struct();
        let part = |name| {
            boxes
                .column_by_name(name)
                .unwrap()
                .as_primitive::<Float32Type>()
        };
        for row in 0..batch.num_rows() {
            for (at, from, to) in [("lon", "xmin", "xmax"), ("lat", "ymin", "ymax")] {
                let at = real(batch, at, row).unwrap();
                let (from, to) = (part(from).value(row), part(to).value(row));
                assert!(f64::from(from) <= at && at <= f64::from(to));
                assert!(to == from || to == from.next_up());
            }
        }
    }
}

#[test]
fn parquet_says_what_it_is_and_where_it_comes_from() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let data = Dataset::open(fixtures.join("town.mbtiles")).unwrap();
    let query = ImageQuery::default();
    let found = data.images(&query).unwrap();
    let options = Options {
        data: Some(&data),
        ..Options::new(Format::Parquet, &query.place)
    };
    let (_, _, metadata) = read_parquet(&written(&found, &options));
    assert_eq!(entry(&metadata, "license").as_deref(), Some("CC BY-SA 4.0"));
    assert_eq!(
        entry(&metadata, "source_attribution"),
        data.source().attribution
    );
    let geo: serde_json::Value = serde_json::from_str(&entry(&metadata, "geo").unwrap()).unwrap();
    assert_eq!(
        (&geo["version"], &geo["primary_column"]),
        (&"1.1.0".into(), &"geometry".into())
    );
    let column = &geo["columns"]["geometry"];
    assert_eq!(column["encoding"], "WKB");
    assert_eq!(column["geometry_types"], serde_json::json!(["Point"]));
    assert_eq!(column["crs"]["type"], "GeographicCRS");
    assert_eq!(
        column["covering"]["bbox"]["xmax"],
        serde_json::json!(["bbox", "xmax"])
    );
    let bounds: Vec<f64> = serde_json::from_value(column["bbox"].clone()).unwrap();
    assert_eq!(
        Some(&bounds[..]),
        data.info()
            .unwrap()
            .bounds
            .as_ref()
            .map(|bounds| &bounds[..])
    );
}

#[test]
fn row_groups_know_their_bounds() {
    let data = many();
    let query = ImageQuery::default();
    let found = data.images(&query).unwrap();
    let options = Options::new(Format::Parquet, &query.place);
    let (_, _, metadata) = read_parquet(&written(&found, &options));
    for group in metadata.row_groups() {
        for column in group.columns() {
            let is_geometry = column.column_path().string() == "geometry";
            assert_eq!(
                column.statistics().is_none(),
                is_geometry,
                "{}",
                column.column_path()
            );
        }
    }
}

#[test]
fn sequences_and_features_read_back() {
    let data = town();
    let query = SequenceQuery::default();
    let found = data.sequences(&query).unwrap();
    let options = Options::new(Format::Parquet, &query.place);
    let (_, batches, metadata) = read_parquet(&written(&found, &options));
    assert!(entry(&metadata, "geo").unwrap().contains("MultiLineString"));
    let mut rows = batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
    let tracks: BTreeMap<_, _> = found
        .tracks()
        .map(|track| (track.sequence.id, track))
        .collect();
    for (b, row) in rows.by_ref().take(tracks.len()) {
        let track = tracks[&*text(b, "id", row).unwrap()];
        let sequence = track.sequence;
        assert_eq!(text(b, "id", row).as_deref(), Some(sequence.id));
        assert_eq!(real(b, "length_m", row), Some(sequence.length_m));
        assert_eq!(
            integer(b, "image_count", row),
            Some(i64::from(sequence.image_count))
        );
        assert_eq!(
            time(b, "first_captured_at", row),
            sequence.first_captured_at_ms
        );
        let line = track
            .line()
            .map(|part| part.map(|p| [p.lon(), p.lat()]).collect::<Vec<_>>());
        let line: Vec<_> = line.collect();
        assert_eq!(integer(b, "line_parts", row), Some(line.len() as i64));
        if !line.is_empty() {
            assert_eq!(geometry(b, row), line);
        }
    }
    assert!(rows.next().is_none());
    let query = FeatureQuery::default();
    let found = data.features(&query).unwrap();
    let options = Options::new(Format::Arrow, &query.place);
    let (_, batches) = read_arrow(&written(&found, &options));
    let mut rows = batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
    for feature in found.iter() {
        let (b, row) = rows.next().unwrap();
        assert_eq!(integer(b, "id", row), Some(feature.id));
        assert_eq!(text(b, "value", row).as_deref(), feature.value);
        assert_eq!(time(b, "last_seen_at", row), feature.last_seen_at_ms);
        assert_eq!(geometry(b, row), [[[feature.lon, feature.lat]]]);
    }
    assert!(rows.next().is_none());
}

#[test]
fn measured_columns_are_there_and_nearest_rows_first() {
    let data = town();
    let place = Place::looking_at(LonLat::new(24.95238, 60.17075).unwrap());
    let query = ImageQuery {
        place,
        ..ImageQuery::default()
    };
    let found = data.images(&query).unwrap();
    let options = Options::new(Format::Parquet, &query.place);
    let (_, batches, _) = read_parquet(&written(&found, &options));
    check_images(found.iter(), &batches);
    for (row, image) in found.iter().enumerate() {
        assert_eq!(real(&batches[0], "distance_m", row), image.distance_m);
        assert_eq!(real(&batches[0], "bearing_deg", row), image.bearing_deg);
        assert_eq!(real(&batches[0], "offset_deg", row), image.offset_deg);
    }
}

#[test]
fn chosen_columns_come_in_their_order_and_without_geometry_where_it_is_not_named() {
    let data = town();
    let query = ImageQuery::default();
    let found = data.images(&query).unwrap();
    let fields = ["is_pano", "id"].map(str::to_owned);
    for format in [Format::Parquet, Format::Arrow] {
        let options = Options {
            fields: Some(&fields),
            ..Options::new(format, &query.place)
        };
        let bytes = written(&found, &options);
        let (schema, geo) = if format == Format::Parquet {
            let (schema, _, metadata) = read_parquet(&bytes);
            (schema, entry(&metadata, "geo"))
        } else {
            (read_arrow(&bytes).0, None)
        };
        let names: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!((names, geo), (vec!["is_pano", "id"], None));
    }
}

#[test]
fn an_empty_answer_has_its_columns() {
    let data = town();
    let query = ImageQuery {
        filter: Filter {
            ids: vec![-1],
            ..Filter::default()
        },
        ..ImageQuery::default()
    };
    let found = data.images(&query).unwrap();
    let (schema, batches) =
        read_arrow(&written(&found, &Options::new(Format::Arrow, &query.place)));
    assert_eq!((schema.fields().len(), batches.len()), (10, 0));
    let options = Options::new(Format::Parquet, &query.place);
    let (schema, batches, metadata) = read_parquet(&written(&found, &options));
    assert_eq!((schema.fields().len(), batches.len()), (11, 0));
    assert!(!entry(&metadata, "geo").unwrap().contains("null"));
}

#[test]
fn bytes_do_not_depend_on_the_threads() {
    let data = many();
    let query = ImageQuery::default();
    let found = data.images(&query).unwrap();
    for format in [
        Format::GeoJson,
        Format::GeoJsonSeq,
        Format::Csv,
        Format::Arrow,
        Format::Parquet,
    ] {
        let options = Options::new(format, &query.place);
        let with_threads = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| written(&found, &options))
        };
        let (one, three) = (with_threads(1), with_threads(3));
        assert!(
            one == three,
            "{format:?}: {} and {} bytes",
            one.len(),
            three.len()
        );
    }
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(
                    path.strip_prefix(folder).unwrap().to_owned(),
                    fs::read(&path).unwrap(),
                );
            }
        }
    }
    found
}

#[test]
fn partitions_hold_each_image_once_in_its_tile() {
    let data = many();
    for zoom in [0, 8, 11] {
        let partitions = Partitions {
            zoom,
            ..Partitions::default()
        };
        let write = || {
            let folder = tempfile::tempdir().unwrap();
            let done = partitions.write(&data, folder.path(), &|_| ()).unwrap();
            (done, files(folder.path()))
        };
        let (done, files) = write();
        assert_eq!(
            (done.files as usize, done.written.rows),
            (files.len(), 150_000)
        );
        assert_eq!(done.written.inexact_ids, 150);
        let mut ids = BTreeSet::new();
        for (path, bytes) in &files {
            let (_, batches, _) = read_parquet(bytes);
            for (batch, row) in batches
                .iter()
                .flat_map(|b| (0..b.num_rows()).map(move |row| (b, row)))
            {
                let (lon, lat) = (
                    real(batch, "lon", row).unwrap(),
                    real(batch, "lat", row).unwrap(),
                );
                let point = GridPoint::nearest_to(LonLat::new(lon, lat).unwrap());
                let tile = TileId::containing(zoom, point);
                let expected = format!("z={zoom}/tile={}-{}/part-0.parquet", tile.x(), tile.y());
                assert_eq!(path, Path::new(&expected));
                assert!(ids.insert(integer(batch, "id", row).unwrap()));
            }
        }
        assert_eq!(ids.len(), 150_000);
        assert!(write() == (done, files), "the same files again");
    }
}

#[test]
fn partitions_keep_to_filters_and_fields() {
    let data = many();
    let partitions = Partitions {
        zoom: 6,
        filter: Filter {
            kind: Some(Kind::Pano),
            ..Filter::default()
        },
        fields: Some(["id", "is_pano"].map(str::to_owned).to_vec()),
        allow_partial: false,
    };
    let folder = tempfile::tempdir().unwrap();
    let done = partitions.write(&data, folder.path(), &|_| ()).unwrap();
    assert_eq!(done.written.rows, 50_000);
    for bytes in files(folder.path()).into_values() {
        let (schema, batches, _) = read_parquet(&bytes);
        assert_eq!(schema.fields().len(), 2);
        assert!(
            batches
                .iter()
                .all(|b| (0..b.num_rows()).all(|row| flag(b, "is_pano", row) == Some(true)))
        );
    }
    let wrong = Partitions {
        fields: Some(vec!["colour".to_owned()]),
        ..partitions
    };
    let error = wrong.write(&data, folder.path(), &|_| ()).unwrap_err();
    assert!(error.to_string().contains("captured_at"), "{error}");
}
