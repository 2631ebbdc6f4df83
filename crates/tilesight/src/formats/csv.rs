//! Comma-separated values (RFC 4180), with a header.

use std::io::{self, Write};

use super::number::{push_degrees, push_integer, push_measure, push_shortest, push_time};
use super::record::{Column, Geometry, Record, Value};

/// Writes points as `lon,lat` and their properties; other geometries as a column `WKT` instead.
pub(super) fn write<R: Record>(
    columns: &[Column<R>],
    rows: impl Iterator<Item = R>,
    is_points: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    write_rows(columns, rows, is_points, out).map_err(io_error)
}

fn write_rows<R: Record>(
    columns: &[Column<R>],
    rows: impl Iterator<Item = R>,
    is_points: bool,
    out: &mut dyn Write,
) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    let place: &[&str] = if is_points { &["lon", "lat"] } else { &["WKT"] };
    let names = columns.iter().map(|column| column.name);
    csv.write_record(place.iter().copied().chain(names))?;
    let mut cell = Vec::new();
    for row in rows {
        for part in 0..place.len() {
            cell.clear();
            push_place(&mut cell, &row.geometry(), part, is_points);
            csv.write_field(&cell)?;
        }
        for column in columns {
            cell.clear();
            push_value(&mut cell, (column.value)(&row));
            csv.write_field(&cell)?;
        }
        csv.write_record(None::<&[u8]>)?;
    }
    Ok(csv.flush()?)
}

/// The error of the writer underneath, whose kind a conversion by `csv` would hide.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn push_place(cell: &mut Vec<u8>, geometry: &Geometry, part: usize, is_points: bool) {
    match geometry {
        Geometry::Point(position) if is_points => push_degrees(cell, position[part]),
        _ => push_wkt(cell, geometry),
    }
}

fn push_value(cell: &mut Vec<u8>, value: Value) {
    match value {
        Value::Null => {}
        Value::Id(id) => push_integer(cell, id),
        Value::Text(text) => cell.extend_from_slice(text.as_bytes()),
        Value::Foreign(text) => push_guarded(cell, text),
        Value::Time(ms) => push_time(cell, ms),
        Value::Flag(flag) => cell.extend_from_slice(if flag { b"true" } else { b"false" }),
        Value::Number(number) => push_shortest(cell, number),
        Value::Measure(measure) => push_measure(cell, measure),
        Value::Count(count) => push_integer(cell, count),
    }
}

/// Keeps a spreadsheet from running a text of unknown origin as a formula.
fn push_guarded(cell: &mut Vec<u8>, text: &str) {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        cell.push(b'\'');
    }
    cell.extend_from_slice(text.as_bytes());
}

/// Well-known text (OGC 06-103r4).
fn push_wkt(out: &mut Vec<u8>, geometry: &Geometry) {
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

fn push_positions(out: &mut Vec<u8>, positions: &[[f64; 2]]) {
    push_list(out, positions, |out, &[lon, lat]| {
        push_degrees(out, lon);
        out.push(b' ');
        push_degrees(out, lat);
    });
}

fn push_list<T>(out: &mut Vec<u8>, items: &[T], push: impl Fn(&mut Vec<u8>, &T)) {
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

    #[test]
    fn formulas_are_guarded_in_foreign_text_alone() {
        let cell = |value| {
            let mut cell = Vec::new();
            push_value(&mut cell, value);
            String::from_utf8(cell).unwrap()
        };
        assert_eq!(cell(Value::Foreign("=1+1")), "'=1+1");
        assert_eq!(cell(Value::Foreign("object--bench")), "object--bench");
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
}
