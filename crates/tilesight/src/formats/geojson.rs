//! GeoJSON (RFC 7946), as one collection or a feature a line.

use std::io::{self, Write};

use super::number::{push_degrees, push_integer, push_measure, push_shortest, push_time};
use super::record::{Column, Geometry, Record, Value};
use super::sink::Sink;
use super::{ATTRIBUTION, LICENSE};

/// Writes a `FeatureCollection`, a feature a line, with attribution and licence as foreign
/// members.
pub(super) fn write_collection<R: Record>(
    columns: &[Column<R>],
    rows: impl Iterator<Item = R>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut sink = Sink::new(out);
    let head = format!(
        "{{\"type\":\"FeatureCollection\",\"attribution\":{},\"license\":{},\"features\":[",
        json_text(ATTRIBUTION),
        json_text(LICENSE),
    );
    sink.row(|buffer| buffer.extend_from_slice(head.as_bytes()))?;
    let feature = FeatureWriter::new(columns);
    let mut separator = "\n";
    for row in rows {
        sink.row(|buffer| {
            buffer.extend_from_slice(separator.as_bytes());
            feature.push(buffer, &row);
        })?;
        separator = ",\n";
    }
    sink.row(|buffer| buffer.extend_from_slice(b"\n]}\n"))?;
    sink.finish()
}

/// Writes a feature a line.
///
/// Lines end in a newline and begin with nothing: GDAL and the tools around it read that as well
/// as the record separators of RFC 8142, and line tools read nothing else.
pub(super) fn write_lines<R: Record>(
    columns: &[Column<R>],
    rows: impl Iterator<Item = R>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut sink = Sink::new(out);
    let feature = FeatureWriter::new(columns);
    for row in rows {
        sink.row(|buffer| {
            feature.push(buffer, &row);
            buffer.push(b'\n');
        })?;
    }
    sink.finish()
}

/// Writes features whose property names are escaped once.
struct FeatureWriter<'c, R> {
    columns: &'c [Column<R>],
    names: Vec<String>,
}

impl<'c, R: Record> FeatureWriter<'c, R> {
    fn new(columns: &'c [Column<R>]) -> Self {
        let names = columns
            .iter()
            .map(|column| format!("{}:", json_text(column.name)))
            .collect();
        Self { columns, names }
    }

    fn push(&self, out: &mut Vec<u8>, row: &R) {
        out.extend_from_slice(b"{\"type\":\"Feature\",\"geometry\":");
        push_geometry(out, &row.geometry());
        out.extend_from_slice(b",\"properties\":{");
        for (index, (column, name)) in self.columns.iter().zip(&self.names).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(name.as_bytes());
            push_value(out, (column.value)(row));
        }
        out.extend_from_slice(b"}}");
    }
}

fn push_value(out: &mut Vec<u8>, value: Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Id(id) => push_quoted(out, |out| push_integer(out, id)),
        Value::Text(text) | Value::Foreign(text) => push_text(out, text),
        Value::Time(ms) => push_quoted(out, |out| push_time(out, ms)),
        Value::Flag(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
        Value::Number(number) => push_shortest(out, number),
        Value::Measure(measure) => push_measure(out, measure),
        Value::Count(count) => push_integer(out, count),
    }
}

/// Writes what needs no escaping between quotes.
fn push_quoted(out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    push(out);
    out.push(b'"');
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        push_quoted(out, |out| out.extend_from_slice(text.as_bytes()));
    } else {
        out.extend_from_slice(json_text(text).as_bytes());
    }
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn push_geometry(out: &mut Vec<u8>, geometry: &Geometry) {
    match geometry {
        Geometry::Point(position) => {
            out.extend_from_slice(b"{\"type\":\"Point\",\"coordinates\":");
            push_position(out, *position);
        }
        Geometry::MultiPoint(positions) => {
            out.extend_from_slice(b"{\"type\":\"MultiPoint\",\"coordinates\":");
            push_positions(out, positions);
        }
        Geometry::Line(positions) => {
            out.extend_from_slice(b"{\"type\":\"LineString\",\"coordinates\":");
            push_positions(out, positions);
        }
        Geometry::MultiLine(lines) => {
            out.extend_from_slice(b"{\"type\":\"MultiLineString\",\"coordinates\":");
            push_array(out, lines, |out, line| push_positions(out, line));
        }
    }
    out.push(b'}');
}

fn push_positions(out: &mut Vec<u8>, positions: &[[f64; 2]]) {
    push_array(out, positions, |out, position| {
        push_position(out, *position);
    });
}

fn push_position(out: &mut Vec<u8>, [lon, lat]: [f64; 2]) {
    out.push(b'[');
    push_degrees(out, lon);
    out.push(b',');
    push_degrees(out, lat);
    out.push(b']');
}

fn push_array<T>(out: &mut Vec<u8>, items: &[T], push: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push(out, item);
    }
    out.push(b']');
}
