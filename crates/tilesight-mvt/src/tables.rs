//! The keys and values that the features of a layer share.

use crate::budget::Budget;
use crate::budget::Exhausted;
use crate::error::{Error, LayerBreach};
use crate::layer::RawLayer;
use crate::rows;
use crate::schema::LayerSchema;
use crate::wire::{Fault, Key, Reader, Span, zigzag64};

/// Beyond all columns, for a key that is not in the schema.
const NOWHERE: u32 = u32::MAX / 2;

/// How many keys are found without asking whether they are there.
pub(crate) const SHORT_KEYS: usize = 64;

/// Which of the seven types a value has; `sint64` is `Int` here.
///
/// Each is a bit, so that the kinds of many values can be joined and judged at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// There is no value; the bits are 0.
    Absent = 0,
    /// The bits are the start (upper half) and the end (lower half) of the bytes in the tile.
    String = 1,
    /// The bits are the index of an interned string.
    Interned = 1 << 1,
    /// The bits are those of the same number as `f64`.
    Float = 1 << 2,
    Double = 1 << 3,
    Int = 1 << 4,
    Uint = 1 << 5,
    Bool = 1 << 6,
}

/// The tables of one layer, ready to be looked up by the tags of its features.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    /// For each key where its column begins in [`Rows`](crate::rows::Rows), or [`NOWHERE`], as it
    /// also is after the last key up to [`SHORT_KEYS`].
    key_columns: Vec<u32>,
    key_count: usize,
    /// One a value, and [`Kind::Absent`] after the last.
    kinds: Vec<Kind>,
    /// As long as `kinds`.
    bits: Vec<u64>,
}

impl Tables {
    pub(crate) fn read(
        &mut self,
        layer: &RawLayer<'_>,
        schema: &LayerSchema<'_>,
        budget: &mut Budget,
    ) -> Result<(), Error> {
        self.clear();
        self.reserve(layer, budget)
            .map_err(|exhausted| layer.memory_error(exhausted))?;
        self.key_columns.extend(
            layer
                .key_messages()
                .map(|key| column_of(key.bytes(), schema)),
        );
        self.key_count = self.key_columns.len();
        let len = self.key_count.max(SHORT_KEYS);
        self.key_columns.resize(len, NOWHERE);
        self.read_values(layer)
    }

    /// A function of its own, for its loop needs all registers there are.
    #[inline(never)]
    fn read_values(&mut self, layer: &RawLayer<'_>) -> Result<(), Error> {
        self.kinds.resize(layer.value_count() + 1, Kind::Absent);
        self.bits.resize(layer.value_count() + 1, 0);
        let entries = self.kinds.iter_mut().zip(&mut self.bits);
        for (message, (kind, bits)) in layer.value_messages().zip(entries) {
            (*kind, *bits) = match read_usual_value(message) {
                Some(value) => value,
                None => read_any_value(message).map_err(|broken| broken.at(layer, message))?,
            };
        }
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.key_columns.clear();
        self.key_count = 0;
        self.kinds.clear();
        self.bits.clear();
    }

    /// Where the column of a key begins; `None` beyond the table.
    pub(crate) fn column(&self, key: u32) -> Option<u32> {
        let columns = self.key_columns.get(..self.key_count)?;
        columns.get(key as usize).copied()
    }

    /// Where the columns of the first keys begin, also of those that are not there.
    #[inline]
    pub(crate) fn short_columns(&self) -> Option<&[u32; SHORT_KEYS]> {
        self.key_columns.first_chunk()
    }

    /// Which of the first keys are there.
    #[inline]
    pub(crate) fn short_keys(&self) -> u64 {
        let absent = 64_u32.saturating_sub(self.key_count as u32);
        u64::MAX.checked_shr(absent).unwrap_or(0)
    }

    /// The index that stands for no value, beyond that of all values.
    #[inline]
    pub(crate) fn absent(&self) -> u32 {
        self.kinds.len().saturating_sub(1) as u32
    }

    /// Kinds and bits of all values and of [`absent`](Self::absent), as long as each other.
    #[inline]
    pub(crate) fn values(&self) -> (&[Kind], &[u64]) {
        (&self.kinds, &self.bits[..self.kinds.len()])
    }

    /// A value, or [`Kind::Absent`].
    #[inline]
    pub(crate) fn value(&self, index: u32) -> (Kind, u64) {
        (self.kinds[index as usize], self.bits[index as usize])
    }

    /// Remembers that a string value was interned.
    pub(crate) fn set_interned(&mut self, index: u32, string: u32) {
        self.kinds[index as usize] = Kind::Interned;
        self.bits[index as usize] = u64::from(string);
    }

    fn reserve(&mut self, layer: &RawLayer<'_>, budget: &mut Budget) -> Result<(), Exhausted> {
        budget.reserve(&mut self.key_columns, layer.key_count().max(SHORT_KEYS))?;
        budget.reserve(&mut self.kinds, layer.value_count() + 1)?;
        budget.reserve(&mut self.bits, layer.value_count() + 1)
    }
}

/// Where the content of a value of kind [`Kind::String`] is.
pub(crate) fn string_span(bits: u64) -> Span {
    Span {
        start: (bits >> 32) as u32,
        end: bits as u32,
    }
}

fn column_of(key: &[u8], schema: &LayerSchema<'_>) -> u32 {
    let column = schema
        .keys
        .iter()
        .position(|(name, _)| name.as_bytes() == key);
    column.map_or(NOWHERE, |column| (column * rows::CAPACITY) as u32)
}

enum BrokenValue {
    Damaged(Fault),
    NotOneValue,
}

impl BrokenValue {
    #[cold]
    fn at(self, layer: &RawLayer<'_>, message: Reader<'_>) -> Error {
        match self {
            Self::Damaged(fault) => layer.wire_error(fault),
            Self::NotOneValue => Error::Layer {
                layer: Some(layer.name().to_owned()),
                offset: message.position(),
                breach: LayerBreach::NotOneValue,
            },
        }
    }
}

impl From<Fault> for BrokenValue {
    fn from(fault: Fault) -> Self {
        Self::Damaged(fault)
    }
}

const STRING: Key = Key::length(1);
const FLOAT: Key = Key::fixed32(2);
const DOUBLE: Key = Key::fixed64(3);
const INT: Key = Key::varint(4);
const UINT: Key = Key::varint(5);
const SINT: Key = Key::varint(6);
const BOOL: Key = Key::varint(7);

/// Reads a value that is one short field and nothing else.
#[inline]
fn read_usual_value(message: Reader<'_>) -> Option<(Kind, u64)> {
    let mut message = message.window()?;
    let value = match message.key()? {
        INT => (Kind::Int, message.varint64()?),
        DOUBLE => (Kind::Double, message.fixed64()),
        _ => return None,
    };
    message.is_spent().then_some(value)
}

/// 4.1 "A value MUST contain exactly one of these optional fields"; others are passed over.
#[inline(never)]
fn read_any_value(mut message: Reader<'_>) -> Result<(Kind, u64), BrokenValue> {
    let mut value = None;
    while !message.is_empty() {
        if let Some(read) = read_field(&mut message)?
            && value.replace(read).is_some()
        {
            return Err(BrokenValue::NotOneValue);
        }
    }
    value.ok_or(BrokenValue::NotOneValue)
}

/// Reads one field of a value; `None` if it is not one of the seven.
fn read_field(message: &mut Reader<'_>) -> Result<Option<(Kind, u64)>, Fault> {
    Ok(Some(match message.key()? {
        STRING => (Kind::String, span_bits(message.message()?.span())),
        FLOAT => (
            Kind::Float,
            f64::from(f32::from_bits(message.fixed32()?)).to_bits(),
        ),
        DOUBLE => (Kind::Double, message.fixed64()?),
        INT => (Kind::Int, message.varint()?),
        UINT => (Kind::Uint, message.varint()?),
        SINT => (Kind::Int, zigzag64(message.varint()?) as u64),
        BOOL => (Kind::Bool, u64::from(message.varint()? != 0)),
        key => {
            message.skip(key, |field| (1..=7).contains(&field))?;
            return Ok(None);
        }
    }))
}

fn span_bits(string: Span) -> u64 {
    u64::from(string.start) << 32 | u64::from(string.end)
}
