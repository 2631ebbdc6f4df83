//! GeoParquet: the geometry column of a file, and the one that names its rows.

use std::fs::File;
use std::panic::{self, AssertUnwindSafe};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{ArrowError, DataType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use rayon::prelude::*;
use serde_json::Value;
use tilesight_tile::RegionFault;

use super::{Feature, ReadError, Shape, ShapeFault, wkb};

/// What the geometry is called where the file does not say.
const GEOMETRY: &str = "geometry";

impl From<ParquetError> for ShapeFault {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error.to_string())
    }
}

impl From<ArrowError> for ShapeFault {
    fn from(error: ArrowError) -> Self {
        Self::Parquet(error.to_string())
    }
}

/// Reads the rows of a file.
pub(super) fn read(file: File, id_field: Option<&str>) -> Result<Vec<Feature>, ReadError> {
    // The reader asserts what a damaged file claims. Nothing that it had in hand is used again.
    let rows = panic::catch_unwind(AssertUnwindSafe(|| read_rows(file, id_field)));
    rows.unwrap_or_else(|_| Err(ShapeFault::Parquet("the file is damaged".to_owned()).into()))
}

fn read_rows(file: File, id_field: Option<&str>) -> Result<Vec<Feature>, ReadError> {
    // The types of Parquet tell enough, and what reads a damaged Arrow schema panics.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options);
    let builder = builder.map_err(ShapeFault::from)?;
    let metadata = builder.metadata().file_metadata().key_value_metadata();
    let geometry = geometry_column(metadata)?;
    for name in [Some(&geometry[..]), id_field].into_iter().flatten() {
        if builder.schema().field_with_name(name).is_err() {
            return Err(ShapeFault::Parquet(format!("there is no column {name:?}")).into());
        }
    }
    let names = [Some(&geometry[..]), id_field].into_iter().flatten();
    let mask = ProjectionMask::columns(builder.parquet_schema(), names);
    let reader = builder.with_projection(mask).build();
    let mut features = Vec::new();
    for batch in reader.map_err(ShapeFault::from)? {
        let batch = batch.map_err(ShapeFault::from)?;
        read_batch(&batch, &geometry, id_field, &mut features)?;
    }
    Ok(features)
}

/// The primary column of the metadata `geo`, once its encoding and coordinate system are found to
/// be known here.
fn geometry_column(metadata: Option<&Vec<KeyValue>>) -> Result<String, ShapeFault> {
    let entry = metadata.and_then(|entries| entries.iter().find(|entry| entry.key == "geo"));
    let Some(text) = entry.and_then(|entry| entry.value.as_deref()) else {
        return Ok(GEOMETRY.to_owned());
    };
    let geo: Value = serde_json::from_str(text)
        .map_err(|error| ShapeFault::Parquet(format!("the metadata \"geo\": {error}")))?;
    let name = geo["primary_column"].as_str().unwrap_or(GEOMETRY);
    let column = &geo["columns"][name];
    match column["encoding"].as_str() {
        Some("WKB") | None => {}
        Some(encoding) => {
            let problem = format!("the geometry is encoded as {encoding}; write it as WKB");
            return Err(ShapeFault::Parquet(problem));
        }
    }
    match column.get("crs") {
        Some(crs) if !is_wgs84(crs) => Err(RegionFault::Crs(crs_name(crs)).into()),
        _ => Ok(name.to_owned()),
    }
}

/// Knows OGC:CRS84 and EPSG:4326, whose axes GeoParquet has in the same order.
fn is_wgs84(crs: &Value) -> bool {
    let id = &crs["id"];
    match (id["authority"].as_str(), &id["code"]) {
        (Some("OGC"), Value::String(code)) => code == "CRS84",
        (Some("EPSG"), Value::Number(code)) => code.as_u64() == Some(4326),
        (Some("EPSG"), Value::String(code)) => code == "4326",
        _ => false,
    }
}

fn crs_name(crs: &Value) -> String {
    crs["name"].as_str().unwrap_or("not known").to_owned()
}

fn read_batch(
    batch: &RecordBatch,
    geometry: &str,
    id_field: Option<&str>,
    features: &mut Vec<Feature>,
) -> Result<(), ReadError> {
    let column = |name| {
        let column = batch.column_by_name(name);
        column.ok_or_else(|| ShapeFault::Parquet(format!("{name:?} has columns of its own")))
    };
    let geometries = column(geometry)?.as_ref();
    let ids = id_field.map(column).transpose()?;
    let first = features.len();
    let read = |row: usize| -> Result<Feature, ShapeFault> {
        let bytes = binary(geometries, row)?.ok_or(ShapeFault::NoGeometry)?;
        let id = match (ids, id_field) {
            (Some(ids), Some(name)) => {
                let id = id_text(ids.as_ref(), row);
                id.ok_or_else(|| ShapeFault::NoId(name.to_owned()))?
            }
            _ => (first + row).to_string(),
        };
        Ok(Feature {
            id,
            shape: Shape::new(wkb::read(bytes)?)?,
        })
    };
    let rows = (0..batch.num_rows()).into_par_iter();
    let rows: Vec<_> = rows
        .map(|row| read(row).map_err(|fault| fault.of_feature(first + row)))
        .collect();
    for feature in rows {
        features.push(feature?);
    }
    Ok(())
}

/// The bytes of a row; none where it has none.
fn binary(column: &dyn Array, row: usize) -> Result<Option<&[u8]>, ShapeFault> {
    if column.is_null(row) {
        return Ok(None);
    }
    Ok(Some(match column.data_type() {
        DataType::Binary => column.as_binary::<i32>().value(row),
        DataType::LargeBinary => column.as_binary::<i64>().value(row),
        DataType::BinaryView => column.as_binary_view().value(row),
        other => {
            let problem = format!("the geometry is {other}; write it as WKB, which is binary");
            return Err(ShapeFault::Parquet(problem));
        }
    }))
}

/// A text or an integer as text.
fn id_text(column: &dyn Array, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row).to_owned(),
        DataType::Utf8View => column.as_string_view().value(row).to_owned(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).to_string(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BinaryArray, Int64Array, StringArray};
    use parquet::arrow::ArrowWriter;
    use parquet::basic::Compression;
    use parquet::file::properties::WriterProperties;
    use proptest::prelude::*;

    use super::*;
    use crate::shapes::Geometry;

    const CRS84: &str = r#"{"id":{"authority":"OGC","code":"CRS84"}}"#;

    /// A triangle as well-known binary.
    fn triangle() -> Vec<u8> {
        let mut bytes = b"\x01\x03\0\0\0\x01\0\0\0\x04\0\0\0".to_vec();
        for number in [0.0_f64, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// A file of triangles, compressed with snappy.
    fn file_bytes(geo: &str, rows: usize) -> Vec<u8> {
        let geometry = triangle();
        let shapes = BinaryArray::from_iter_values((0..rows).map(|_| &geometry));
        let names = StringArray::from_iter_values((0..rows).map(|row| format!("b{row}")));
        let numbers = Int64Array::from_iter_values((0..rows).map(|row| row as i64 - 1));
        let columns: [(&str, ArrayRef); 3] = [
            ("number", Arc::new(numbers)),
            ("outline", Arc::new(shapes)),
            ("name", Arc::new(names)),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(vec![KeyValue::new("geo".to_owned(), geo.to_owned())]))
            .build();
        let mut bytes = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        bytes
    }

    fn geo(encoding: &str, crs: &str) -> String {
        format!(
            r#"{{"version":"1.1.0","primary_column":"outline",
                "columns":{{"outline":{{"encoding":"{encoding}","crs":{crs}}}}}}}"#
        )
    }

    fn read_bytes(bytes: &[u8], id_field: Option<&str>) -> Result<Vec<Feature>, ReadError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        read(file, id_field)
    }

    #[track_caller]
    fn refused(geo: &str, id_field: Option<&str>, expected: &str) {
        let message = read_bytes(&file_bytes(geo, 2), id_field)
            .unwrap_err()
            .to_string();
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn rows_are_features() {
        let bytes = file_bytes(&geo("WKB", CRS84), 3000);
        let ids = |field| {
            let features = read_bytes(&bytes, field).unwrap();
            assert_eq!(features.len(), 3000);
            assert!(matches!(
                features[2999].shape.geometry(),
                Geometry::Polygons(_)
            ));
            [&features[0].id, &features[2999].id].map(Clone::clone)
        };
        assert_eq!(ids(None), ["0", "2999"]);
        assert_eq!(ids(Some("name")), ["b0", "b2999"]);
        assert_eq!(ids(Some("number")), ["-1", "2998"]);
    }

    #[test]
    fn mistakes_are_named() {
        refused(&geo("WKB", CRS84), Some("osm_id"), "no column \"osm_id\"");
        refused(&geo("point", CRS84), None, "write it as WKB");
        refused("{", None, "the metadata \"geo\"");
        refused("{}", None, "no column \"geometry\"");
        refused(r#"{"primary_column":"name"}"#, None, "which is binary");
        refused(
            &geo(
                "WKB",
                r#"{"name":"Mars","id":{"authority":"IAU","code":1}}"#,
            ),
            None,
            "Mars",
        );
        refused(&geo("WKB", "null"), None, "not known");
        assert!(read_bytes(b"PAR1", None).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn damaged_files_are_features_or_an_error(at: usize, byte: u8, cut in 0..4_usize) {
            let mut bytes = file_bytes(&geo("WKB", CRS84), 5);
            let place = at % bytes.len();
            bytes[place] = byte;
            if cut == 0 {
                bytes.truncate(place);
            }
            let _ = read_bytes(&bytes, Some("name"));
        }
    }
}
