//! What the formats that are text have in common: rows are written on all threads.

use std::io::{self, Write};

use super::Written;
use super::chunks::in_order;
use super::record::{Context, Record};

/// A format whose rows are bytes one after another.
pub(super) trait TextFormat<R>: Sync {
    /// What stands between two rows.
    const SEPARATOR: &'static [u8] = b"";

    /// What stands before the rows.
    fn head(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Appends a row.
    fn push(&self, out: &mut Vec<u8>, row: &R);

    /// What stands after the rows.
    fn tail(&self) -> &'static [u8] {
        b""
    }
}

/// Writes the rows of an answer.
pub(super) fn write<R: Record, F: TextFormat<R>>(
    format: &F,
    chunks: impl Iterator<Item = R::Chunk>,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> io::Result<Written> {
    out.write_all(&format.head())?;
    let mut written = Written::default();
    let transform = |chunk: &R::Chunk| (text(format, chunk, context), R::written(chunk));
    in_order(chunks, transform, |(text, of_chunk)| {
        let is_first = written.rows == 0;
        let text = &text[if is_first { F::SEPARATOR.len() } else { 0 }..];
        written.add(of_chunk);
        out.write_all(text)
    })?;
    out.write_all(format.tail())?;
    out.flush()?;
    Ok(written)
}

/// Rows as text, each after a separator.
fn text<R: Record, F: TextFormat<R>>(
    format: &F,
    chunk: &R::Chunk,
    context: &Context<'_>,
) -> Vec<u8> {
    let mut text = Vec::new();
    R::rows(chunk, context).for_each(|row| {
        text.extend_from_slice(F::SEPARATOR);
        format.push(&mut text, &row);
    });
    text
}
