//! Features as Arrow columns, whose types follow from their values.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Field, Schema};
use serde_json::Value;

use super::{Feature, Geometry, Position, cell, names};
use crate::formats::arrow::{geometry_type, io_error};
use crate::formats::provenance::provenance;
use crate::formats::wkb::{
    LINE_STRING, MULTI_LINE_STRING, MULTI_POINT, MULTI_POLYGON, POINT, POLYGON, push_count,
    push_head, push_position,
};

/// Writes an IPC stream.
pub(super) fn write_arrow(rows: &[Feature], out: &mut dyn Write) -> io::Result<()> {
    write_stream(rows, out).map_err(io_error)
}

fn write_stream(rows: &[Feature], out: &mut dyn Write) -> Result<(), ArrowError> {
    let batch = batch(rows)?;
    let mut stream = StreamWriter::try_new(out, &batch.schema())?;
    stream.write(&batch)?;
    stream.finish()
}

/// Writes a GeoParquet file.
#[cfg(feature = "parquet")]
pub(super) fn write_parquet(rows: &[Feature], out: &mut dyn Write) -> io::Result<()> {
    use crate::formats::geoparquet::{Bounds, write_batch};
    let geometries = || rows.iter().map(|row| row.geometry.as_ref());
    let bounds = |geometry: Option<&Geometry>| {
        geometry.map_or(Bounds::NOTHING, |geometry| {
            Bounds::around(&positions(geometry))
        })
    };
    let boxes: Vec<Bounds> = geometries().map(bounds).collect();
    let mut types: Vec<&str> = geometries().flatten().map(Geometry::name).collect();
    types.sort_unstable();
    types.dedup();
    write_batch(&batch(rows).map_err(io_error)?, &boxes, &types, out)
}

/// The properties of all features, and their geometry.
fn batch(rows: &[Feature]) -> Result<RecordBatch, ArrowError> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for name in names(rows) {
        let array = array(rows, name);
        fields.push(Field::new(name, array.data_type().clone(), true));
        columns.push(array);
    }
    fields.push(geometry_type().with_nullable(true));
    columns.push(geometries(rows)?);
    let metadata = provenance(None).into_iter();
    let metadata = metadata.map(|(name, text)| (name.to_owned(), text));
    let schema = Schema::new_with_metadata(fields, metadata.collect());
    RecordBatch::try_new(Arc::new(schema), columns)
}

/// A property as integers, flags or reals where all its values are such, as texts otherwise.
fn array(rows: &[Feature], name: &str) -> ArrayRef {
    let values = || rows.iter().map(|row| row.property(name));
    let all = |is: fn(&Value) -> bool| values().all(|value| value.is_null() || is(value));
    if all(Value::is_i64) {
        Arc::new(values().map(Value::as_i64).collect::<Int64Array>())
    } else if all(Value::is_boolean) {
        Arc::new(values().map(Value::as_bool).collect::<BooleanArray>())
    } else if all(Value::is_number) {
        Arc::new(values().map(Value::as_f64).collect::<Float64Array>())
    } else {
        let text = |value: &Value| (!value.is_null()).then(|| cell(value).into_owned());
        Arc::new(values().map(text).collect::<StringArray>())
    }
}

fn geometries(rows: &[Feature]) -> Result<ArrayRef, ArrowError> {
    let wkb = |row: &Feature| {
        let geometry = row.geometry.as_ref()?;
        let mut bytes = Vec::new();
        push_wkb(&mut bytes, geometry);
        Some(bytes)
    };
    let all: Vec<Option<Vec<u8>>> = rows.iter().map(wkb).collect();
    let length: usize = all.iter().flatten().map(Vec::len).sum();
    i32::try_from(length).map_err(|_| ArrowError::OffsetOverflowError(length))?;
    Ok(Arc::new(all.into_iter().collect::<BinaryArray>()))
}

fn push_wkb(out: &mut Vec<u8>, geometry: &Geometry) {
    match geometry {
        Geometry::Point(position) => push_point(out, position),
        Geometry::MultiPoint(points) => push_parts(out, MULTI_POINT, points, push_point),
        Geometry::LineString(line) => push_line(out, line),
        Geometry::MultiLineString(lines) => {
            push_parts(out, MULTI_LINE_STRING, lines, |out, line| {
                push_line(out, line);
            });
        }
        Geometry::Polygon(rings) => push_polygon(out, rings),
        Geometry::MultiPolygon(polygons) => {
            push_parts(out, MULTI_POLYGON, polygons, |out, rings| {
                push_polygon(out, rings);
            });
        }
    }
}

fn push_point(out: &mut Vec<u8>, position: &Position) {
    push_head(out, POINT);
    push_position(out, position.0);
}

fn push_line(out: &mut Vec<u8>, line: &[Position]) {
    push_head(out, LINE_STRING);
    push_vertices(out, line);
}

fn push_polygon(out: &mut Vec<u8>, rings: &[Vec<Position>]) {
    push_parts(out, POLYGON, rings, |out, ring| push_vertices(out, ring));
}

fn push_parts<T>(out: &mut Vec<u8>, kind: u32, parts: &[T], push: impl Fn(&mut Vec<u8>, &T)) {
    push_head(out, kind);
    push_count(out, parts.len());
    for part in parts {
        push(out, part);
    }
}

fn push_vertices(out: &mut Vec<u8>, vertices: &[Position]) {
    push_count(out, vertices.len());
    for vertex in vertices {
        push_position(out, vertex.0);
    }
}

/// All positions of a geometry.
#[cfg(feature = "parquet")]
fn positions(geometry: &Geometry) -> Vec<[f64; 2]> {
    let of_lines = |lines: &[Vec<Position>]| lines.iter().flatten().copied().collect();
    let positions: Vec<Position> = match geometry {
        Geometry::Point(position) => vec![*position],
        Geometry::MultiPoint(positions) | Geometry::LineString(positions) => positions.clone(),
        Geometry::MultiLineString(lines) | Geometry::Polygon(lines) => of_lines(lines),
        Geometry::MultiPolygon(polygons) => polygons.iter().flatten().flatten().copied().collect(),
    };
    super::degrees(&positions)
}
