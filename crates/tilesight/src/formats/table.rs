//! A table to read on a terminal.

use std::io::{self, Write};

use super::Written;
use super::csv::push_wkt;
use super::fields::{Field, GEOMETRY};
use super::number::{push_integer, push_time};
use super::record::{Context, Record, Value};
use super::sink::Sink;

/// Widest a cell gets, in characters; longer texts end in an ellipsis.
const MAX_CELL_WIDTH: usize = 40;

/// Digits after the point of degrees, enough to find a place.
const DEGREE_DECIMALS: usize = 6;

/// Between two columns.
const GAP: &str = "  ";

/// Writes the first rows of an answer in aligned columns under a header, and how many there are.
///
/// `chunks` gives the rows from the first on; it is asked twice, once for the widths and once for
/// what is written, so that none is kept.
pub(super) fn write<R: Record, I: Iterator<Item = R::Chunk>>(
    fields: &[Field<R>],
    chunks: impl Fn() -> I,
    size: Size,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> io::Result<Written> {
    let first = |chunk: R::Chunk| -> Vec<R> {
        let rows = R::rows(&chunk, context);
        rows.take(size.max_rows).collect()
    };
    let shown = || chunks().flat_map(first).take(size.max_rows);
    let header = || fields.iter().map(name).map(str::to_owned);
    let mut widths: Vec<usize> = header().map(|name| name.len()).collect();
    for row in shown() {
        for (width, cell) in widths.iter_mut().zip(cells(fields, &row)) {
            *width = (*width).max(cell.text.chars().count());
        }
    }
    let mut sink = Sink::new(out);
    sink.row(|buffer| push_line(buffer, header().map(Cell::left).collect(), &widths))?;
    let mut written = Written::default();
    for row in shown() {
        sink.row(|buffer| push_line(buffer, cells(fields, &row), &widths))?;
        written.add(Written::one(&row));
    }
    sink.row(|buffer| buffer.extend_from_slice(size.summary(R::NOUN).as_bytes()))?;
    sink.finish()?;
    Ok(written)
}

/// How much of an answer a table shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) max_rows: usize,
}

impl Size {
    fn summary(self, noun: &str) -> String {
        let Self { rows, max_rows } = self;
        if rows > max_rows {
            return format!("{max_rows} of {rows} {noun}\n");
        }
        let noun = if rows == 1 {
            noun.trim_end_matches('s')
        } else {
            noun
        };
        format!("{rows} {noun}\n")
    }
}

fn name<R>(field: &Field<R>) -> &'static str {
    match field {
        Field::Geometry => GEOMETRY,
        Field::Column(column) => column.name,
    }
}

fn cells<R: Record>(fields: &[Field<R>], row: &R) -> Vec<Cell> {
    let cell = |field: &Field<R>| match field {
        Field::Geometry => {
            let mut text = Vec::new();
            push_wkt(&mut text, &row.geometry());
            Cell::left(printable(&String::from_utf8_lossy(&text)))
        }
        Field::Column(column) => cell((column.value)(row)),
    };
    fields.iter().map(cell).collect()
}

/// A text and the side at which the column's cells meet.
struct Cell {
    text: String,
    is_right: bool,
}

impl Cell {
    fn left(text: String) -> Self {
        Self {
            text,
            is_right: false,
        }
    }

    fn number(number: f64, decimals: usize) -> Self {
        Self {
            text: format!("{number:.decimals$}"),
            is_right: true,
        }
    }

    /// A time without its milliseconds.
    fn time(ms: i64) -> Self {
        let cell = Self::right(|out| push_time(out, ms));
        match cell.text.split_once('.') {
            Some((seconds, _)) => Self {
                text: format!("{seconds}Z"),
                ..cell
            },
            None => cell,
        }
    }

    fn right(push: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut text = Vec::new();
        push(&mut text);
        Self {
            text: String::from_utf8_lossy(&text).into_owned(),
            is_right: true,
        }
    }
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::left(String::new()),
        Value::Id(id) => Cell::right(|out| push_integer(out, id)),
        Value::Text(text) | Value::Foreign(text) => Cell::left(printable(text)),
        Value::Time(ms) => Cell::time(ms),
        Value::Flag(flag) => Cell::left(flag.to_string()),
        Value::Degrees(degrees) => Cell::number(degrees, DEGREE_DECIMALS),
        Value::Number(number) | Value::Measure(number) => Cell::number(number, 1),
        Value::Count(count) => Cell::right(|out| push_integer(out, count)),
    }
}

/// A text of at most [`MAX_CELL_WIDTH`] characters that cannot command a terminal.
fn printable(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(MAX_CELL_WIDTH + 1)
        .map(|char| {
            if char.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                char
            }
        })
        .collect();
    if let Some((beyond, _)) = shown.char_indices().nth(MAX_CELL_WIDTH) {
        shown.truncate(beyond);
        shown.pop();
        shown.push('…');
    }
    shown
}

fn push_line(out: &mut Vec<u8>, cells: Vec<Cell>, widths: &[usize]) {
    let start = out.len();
    for (index, (cell, &width)) in cells.into_iter().zip(widths).enumerate() {
        let gap = if index == 0 { "" } else { GAP };
        // Writing to memory does not fail.
        let _ = if cell.is_right {
            write!(out, "{gap}{:>width$}", cell.text)
        } else {
            write!(out, "{gap}{:<width$}", cell.text)
        };
    }
    while out.len() > start && out.last() == Some(&b' ') {
        out.pop();
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_and_cannot_command_a_terminal() {
        assert_eq!(printable("a\u{1b}[31mb"), "a\u{fffd}[31mb");
        assert_eq!(
            printable(&"ä".repeat(MAX_CELL_WIDTH)),
            "ä".repeat(MAX_CELL_WIDTH)
        );
        let cut = printable(&"ä".repeat(MAX_CELL_WIDTH + 1));
        assert_eq!(cut, "ä".repeat(MAX_CELL_WIDTH - 1) + "…");
    }

    #[test]
    fn one_row_is_not_rows() {
        let size = |rows| Size { rows, max_rows: 5 };
        assert_eq!(size(1).summary("images"), "1 image\n");
        assert_eq!(size(0).summary("images"), "0 images\n");
        assert_eq!(size(6).summary("images"), "5 of 6 images\n");
    }
}
