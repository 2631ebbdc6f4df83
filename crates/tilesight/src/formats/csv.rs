//! Comma-separated values (RFC 4180), with a header.

use super::fields::Field;
use super::number::{push_degrees, push_integer, push_measure, push_shortest, push_time};
use super::record::{Geometry, Record, Value};
use super::text::TextFormat;

/// What the geometry is called, so that others find it by themselves.
const GEOMETRY_HEADER: &str = "WKT";

/// Cells between commas under a header; geometry as well-known text.
pub(super) struct Csv<R> {
    pub(super) fields: Vec<Field<R>>,
}

impl<R: Record> TextFormat<R> for Csv<R> {
    fn head(&self) -> Vec<u8> {
        let names = self.fields.iter().map(|field| match field {
            Field::Geometry => GEOMETRY_HEADER,
            Field::Column(column) => column.name,
        });
        let mut line = names.collect::<Vec<_>>().join(",").into_bytes();
        line.push(b'\n');
        line
    }

    fn push(&self, out: &mut Vec<u8>, row: &R) {
        let start = out.len();
        for (index, field) in self.fields.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match field {
                Field::Geometry => push_geometry(out, &row.geometry()),
                Field::Column(column) => push_value(out, (column.value)(row)),
            }
        }
        if out.len() == start {
            // An empty line would be no row.
            out.extend_from_slice(b"\"\"");
        }
        out.push(b'\n');
    }
}

fn push_geometry(out: &mut Vec<u8>, geometry: &Geometry) {
    // Of all geometries, a point alone has no comma.
    let quote: &[u8] = match geometry {
        Geometry::Point(_) => b"",
        _ => b"\"",
    };
    out.extend_from_slice(quote);
    push_wkt(out, geometry);
    out.extend_from_slice(quote);
}

fn push_value(out: &mut Vec<u8>, value: Value) {
    match value {
        Value::Null => {}
        Value::Id(id) => push_integer(out, id),
        Value::Text(text) => push_key(out, text),
        Value::Foreign(text) => push_guarded(out, text),
        Value::Time(ms) => push_time(out, ms),
        Value::Flag(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
        Value::Degrees(degrees) => push_degrees(out, degrees),
        Value::Number(number) => push_shortest(out, number),
        Value::Measure(measure) => push_measure(out, measure),
        Value::Count(count) => push_integer(out, count),
    }
}

/// Appends a text, between quotes where it must be (RFC 4180, section 2).
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    let is_plain = |byte: u8| !matches!(byte, b'"' | b',' | b'\n' | b'\r');
    if text.bytes().all(is_plain) {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}

/// Appends what should be the id of a sequence or an image, whose origin is as unknown as that of
/// other texts.
pub(super) fn push_key(out: &mut Vec<u8>, text: &str) {
    if is_id(text) {
        push_text(out, text);
    } else {
        push_guarded(out, text);
    }
}

/// Tells whether a text has the letters of a sequence id alone, of which no formula that does harm
/// can be made. Ids stay as they are, although one in 64 starts with a minus.
fn is_id(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.bytes().all(is_letter)
}

/// What a formula may begin with, the wide forms of Japanese spreadsheets among them (OWASP, "CSV
/// Injection").
const FORMULA_STARTS: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// Keeps a spreadsheet from running a text of unknown origin as a formula.
pub(super) fn push_guarded(out: &mut Vec<u8>, text: &str) {
    if text.starts_with(FORMULA_STARTS) {
        push_text(out, &format!("'{text}"));
    } else {
        push_text(out, text);
    }
}

/// Well-known text (OGC 06-103r4).
pub(super) fn push_wkt(out: &mut Vec<u8>, geometry: &Geometry) {
    match geometry {
        Geometry::Point(position) => {
            out.extend_from_slice(b"POINT ");
            push_positions(out, &[*position]);
        }
        Geometry::MultiPoint(positions) => {
            out.extend_from_slice(b"MULTIPOINT ");
            push_list(out, positions, |out, position| {
                push_positions(out, &[*position]);
            });
        }
        Geometry::Line(positions) => {
            out.extend_from_slice(b"LINESTRING ");
            push_positions(out, positions);
        }
        Geometry::MultiLine(lines) => {
            out.extend_from_slice(b"MULTILINESTRING ");
            push_list(out, lines, |out, line| push_positions(out, line));
        }
    }
}

pub(super) fn push_positions(out: &mut Vec<u8>, positions: &[[f64; 2]]) {
    push_list(out, positions, |out, &[lon, lat]| {
        push_degrees(out, lon);
        out.push(b' ');
        push_degrees(out, lat);
    });
}

pub(super) fn push_list<T>(out: &mut Vec<u8>, items: &[T], push: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'(');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        push(out, item);
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_are_guarded_and_ids_stay_as_they_are() {
        let cell = |value| {
            let mut cell = Vec::new();
            push_value(&mut cell, value);
            String::from_utf8(cell).unwrap()
        };
        assert_eq!(cell(Value::Foreign("=1+1")), "'=1+1");
        assert_eq!(cell(Value::Foreign("object--bench")), "object--bench");
        for formula in [
            "=1+1",
            "+1",
            "-1+1",
            "@SUM(1)",
            "\t=1",
            "=cmd|' /C calc'!A0",
            "\u{ff1d}1+1",
        ] {
            assert_eq!(cell(Value::Foreign(formula)), format!("'{formula}"));
            assert_eq!(cell(Value::Text(formula)), format!("'{formula}"));
        }
        assert_eq!(
            cell(Value::Foreign("=HYPERLINK(\"a\",1)")),
            "\"'=HYPERLINK(\"\"a\"\",1)\""
        );
        assert_eq!(cell(Value::Foreign("\r=1")), "\"'\r=1\"");
        assert_eq!(
            cell(Value::Text("-Rs2B5wtYcXv0Gp3kL1mN9q")),
            "-Rs2B5wtYcXv0Gp3kL1mN9q"
        );
    }

    #[test]
    fn geometries_as_well_known_text() {
        let wkt = |geometry| {
            let mut out = Vec::new();
            push_wkt(&mut out, &geometry);
            String::from_utf8(out).unwrap()
        };
        let (a, b) = ([24.5, 60.25], [-1.0, 0.0]);
        assert_eq!(wkt(Geometry::Point(a)), "POINT (24.5 60.25)");
        assert_eq!(
            wkt(Geometry::MultiPoint(vec![a, b])),
            "MULTIPOINT ((24.5 60.25), (-1 0))"
        );
        assert_eq!(
            wkt(Geometry::Line(vec![a, b])),
            "LINESTRING (24.5 60.25, -1 0)"
        );
        assert_eq!(
            wkt(Geometry::MultiLine(vec![vec![a, b], vec![b, a]])),
            "MULTILINESTRING ((24.5 60.25, -1 0), (-1 0, 24.5 60.25))"
        );
    }

    proptest! {
        #[test]
        fn texts_read_back(text in "(?s).{0,20}", other in "[\",\r\n a]{1,5}") {
            // The reader takes away a byte order mark at the very start.
            let mut line = b"start,".to_vec();
            push_text(&mut line, &text);
            line.push(b',');
            push_text(&mut line, &other);
            line.push(b'\n');
            let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(&line[..]);
            let cells: Vec<_> = reader.records().map(Result::unwrap).collect();
            prop_assert_eq!(cells.len(), 1);
            prop_assert_eq!((&cells[0][1], &cells[0][2]), (&text[..], &other[..]));
        }
    }
}
