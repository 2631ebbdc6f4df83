//! What the formats that are text have in common: rows are written on all threads.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

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
    // Buffers that were handed on are filled again: the system must clear the pages of new ones.
    let buffers = Mutex::new(Vec::new());
    let with_buffers = || buffers.lock().unwrap_or_else(PoisonError::into_inner);
    let transform = |chunk: &R::Chunk| {
        let mut text = with_buffers().pop().unwrap_or_default();
        push_rows(&mut text, format, chunk, context);
        (text, R::written(chunk))
    };
    in_order(chunks, transform, |(mut text, of_chunk)| {
        let is_first = written.rows == 0;
        written.add(of_chunk);
        out.write_all(&text[if is_first { F::SEPARATOR.len() } else { 0 }..])?;
        text.clear();
        with_buffers().push(text);
        Ok::<_, io::Error>(())
    })?;
    out.write_all(format.tail())?;
    out.flush()?;
    Ok(written)
}

/// Appends rows, each after a separator.
fn push_rows<R: Record, F: TextFormat<R>>(
    out: &mut Vec<u8>,
    format: &F,
    chunk: &R::Chunk,
    context: &Context<'_>,
) {
    R::rows(chunk, context).for_each(|row| {
        out.extend_from_slice(F::SEPARATOR);
        format.push(out, &row);
    });
}
