//! Ids alone, one a line.

use std::io::{self, Write};

use super::number::push_integer;
use super::record::{Record, Value};
use super::sink::Sink;

/// Writes an id a line, in answer order.
pub(super) fn write<R: Record>(
    rows: impl Iterator<Item = R>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut sink = Sink::new(out);
    for row in rows {
        sink.row(|buffer| {
            match row.id() {
                Value::Id(id) => push_integer(buffer, id),
                Value::Text(id) => buffer.extend_from_slice(id.as_bytes()),
                _ => {}
            }
            buffer.push(b'\n');
        })?;
    }
    sink.finish()
}
