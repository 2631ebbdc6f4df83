//! GeoJSON (RFC 7946), as one collection or a feature a line.

use super::fields::Field;
use super::number::{push_degrees, push_integer, push_measure, push_shortest, push_time};
use super::record::{Column, Geometry, Record, Value};
use super::text::TextFormat;
use super::{ATTRIBUTION, LICENSE};

/// A `FeatureCollection`, a feature a line, with attribution and licence as foreign members.
pub(super) struct Collection<R>(pub(super) Features<R>);

impl<R: Record> TextFormat<R> for Collection<R> {
    const SEPARATOR: &'static [u8] = b",\n";

    fn head(&self) -> Vec<u8> {
        let (attribution, license) = (json_text(ATTRIBUTION), json_text(LICENSE));
        format!(
            "{{\"type\":\"FeatureCollection\",\"attribution\":{attribution},\
             \"license\":{license},\"features\":[\n"
        )
        .into_bytes()
    }

    fn push(&self, out: &mut Vec<u8>, row: &R) {
        self.0.push(out, row);
    }

    fn tail(&self) -> &'static [u8] {
        b"\n]}\n"
    }
}

/// A feature a line.
///
/// Lines end in a newline and begin with nothing: GDAL and the tools around it read that as well
/// as the record separators of RFC 8142, and line tools read nothing else.
pub(super) struct Lines<R>(pub(super) Features<R>);

impl<R: Record> TextFormat<R> for Lines<R> {
    fn push(&self, out: &mut Vec<u8>, row: &R) {
        self.0.push(out, row);
        out.push(b'\n');
    }
}

/// Features whose property names are escaped once.
pub(super) struct Features<R> {
    properties: Vec<(String, Column<R>)>,
}

impl<R: Record> Features<R> {
    /// Features with these properties; the geometry is there in any case.
    pub(super) fn new(fields: Vec<Field<R>>) -> Self {
        let columns = fields.into_iter().filter_map(|field| match field {
            Field::Geometry => None,
            Field::Column(column) => Some(column),
        });
        let named = columns.enumerate().map(|(index, column)| {
            let separator = if index == 0 { "" } else { "," };
            (format!("{separator}{}:", json_text(column.name)), column)
        });
        Self {
            properties: named.collect(),
        }
    }

    fn push(&self, out: &mut Vec<u8>, row: &R) {
        out.extend_from_slice(b"{\"type\":\"Feature\",\"geometry\":");
        push_geometry(out, &row.geometry());
        out.extend_from_slice(b",\"properties\":{");
        for (name, column) in &self.properties {
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
        Value::Degrees(degrees) => push_degrees(out, degrees),
        Value::Number(number) => push_shortest(out, number),
        Value::Measure(measure) => push_measure(out, measure),
        Value::Count(count) => push_integer(out, count),
    }
}

/// Writes what needs no escaping between quotes.
pub(super) fn push_quoted(out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    push(out);
    out.push(b'"');
}

pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
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

pub(super) fn push_geometry(out: &mut Vec<u8>, geometry: &Geometry) {
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

pub(super) fn push_positions(out: &mut Vec<u8>, positions: &[[f64; 2]]) {
    push_array(out, positions, |out, position| {
        push_position(out, *position);
    });
}

pub(super) fn push_position(out: &mut Vec<u8>, [lon, lat]: [f64; 2]) {
    out.push(b'[');
    push_degrees(out, lon);
    out.push(b',');
    push_degrees(out, lat);
    out.push(b']');
}

pub(super) fn push_array<T>(out: &mut Vec<u8>, items: &[T], push: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push(out, item);
    }
    out.push(b']');
}
