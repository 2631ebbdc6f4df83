//! A buffer in front of a writer, filled row by row.

use std::io::{self, Write};

/// Bytes gathered before they are handed on.
const BUFFER_BYTES: usize = 1 << 16;

/// Gathers rows as bytes; the memory of the largest row, not of the answer.
pub(super) struct Sink<'w> {
    out: &'w mut dyn Write,
    buffer: Vec<u8>,
}

impl<'w> Sink<'w> {
    pub(super) fn new(out: &'w mut dyn Write) -> Self {
        Self {
            out,
            buffer: Vec::with_capacity(BUFFER_BYTES + (BUFFER_BYTES >> 2)),
        }
    }

    /// Appends a row.
    pub(super) fn row(&mut self, push: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        push(&mut self.buffer);
        if self.buffer.len() < BUFFER_BYTES {
            return Ok(());
        }
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Hands on what is left.
    pub(super) fn finish(self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.out.flush()
    }
}
