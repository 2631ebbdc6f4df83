//! Ids alone, one a line.

use super::number::push_integer;
use super::record::{Record, Value};
use super::text::TextFormat;

/// An id a line, in answer order.
pub(super) struct Ids;

impl<R: Record> TextFormat<R> for Ids {
    fn push(&self, out: &mut Vec<u8>, row: &R) {
        match row.id() {
            Value::Id(id) => push_integer(out, id),
            Value::Text(id) => out.extend_from_slice(id.as_bytes()),
            _ => {}
        }
        out.push(b'\n');
    }
}
