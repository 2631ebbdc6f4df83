//! The keys and values that the features of a layer share.

use crate::budget::Budget;
use crate::budget::Exhausted;
use crate::error::{Damage, Error, LayerBreach};
use crate::layer::RawLayer;
use crate::schema::LayerSchema;
use crate::wire::{Fault, Reader, WireType, zigzag64};

/// No column: the key is not in the schema.
pub(crate) const NO_COLUMN: u32 = u32::MAX;

/// Which of the seven types a value has; `sint64` is `Int` here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// The bits are an offset in the tile (upper half) and a length (lower half).
    String,
    /// The bits are the index of an interned string.
    Interned,
    /// The bits are those of the same number as `f64`.
    Float,
    Double,
    Int,
    Uint,
    Bool,
}

/// The tables of one layer, ready to be looked up by the tags of its features.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    /// For each key its column, or [`NO_COLUMN`].
    key_columns: Vec<u32>,
    kinds: Vec<Kind>,
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
        for key in layer.key_messages() {
            let key = key.map_err(|fault| layer.wire_error(fault))?;
            self.key_columns.push(column_of(key.bytes(), schema));
        }
        for message in layer.value_messages() {
            let message = message.map_err(|fault| layer.wire_error(fault))?;
            let (kind, bits) = read_value(message).map_err(|broken| broken.at(layer, message))?;
            self.kinds.push(kind);
            self.bits.push(bits);
        }
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.key_columns.clear();
        self.kinds.clear();
        self.bits.clear();
    }

    /// The column of a key; `None` beyond the table.
    #[inline]
    pub(crate) fn column(&self, key: u32) -> Option<u32> {
        self.key_columns.get(key as usize).copied()
    }

    pub(crate) fn value_count(&self) -> usize {
        self.kinds.len()
    }

    /// A value; `None` beyond the table.
    #[inline]
    pub(crate) fn value(&self, index: u32) -> Option<(Kind, u64)> {
        let kind = *self.kinds.get(index as usize)?;
        let bits = *self.bits.get(index as usize)?;
        Some((kind, bits))
    }

    /// Remembers that a string value was interned.
    pub(crate) fn set_interned(&mut self, index: u32, string: u32) {
        self.kinds[index as usize] = Kind::Interned;
        self.bits[index as usize] = u64::from(string);
    }

    fn reserve(&mut self, layer: &RawLayer<'_>, budget: &mut Budget) -> Result<(), Exhausted> {
        budget.reserve(&mut self.key_columns, layer.key_count())?;
        budget.reserve(&mut self.kinds, layer.value_count())?;
        budget.reserve(&mut self.bits, layer.value_count())
    }
}

/// The bytes of a value of kind [`Kind::String`].
pub(crate) fn string_span(bits: u64) -> (usize, usize) {
    let start = (bits >> 32) as usize;
    (start, start + (bits & 0xffff_ffff) as usize)
}

fn column_of(key: &[u8], schema: &LayerSchema<'_>) -> u32 {
    let column = schema
        .keys
        .iter()
        .position(|(name, _)| name.as_bytes() == key);
    column.map_or(NO_COLUMN, |column| column as u32)
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

/// 4.1 "A value MUST contain exactly one of these optional fields"; others are passed over.
#[inline]
fn read_value(mut message: Reader<'_>) -> Result<(Kind, u64), BrokenValue> {
    let mut value = None;
    while !message.is_empty() {
        let start = message.position();
        let key = message.key()?;
        let read = match (key.field, key.wire_type) {
            (1, WireType::Length) => (Kind::String, span_bits(message.message()?)),
            (2, WireType::Fixed32) => (
                Kind::Float,
                f64::from(f32::from_bits(message.fixed32()?)).to_bits(),
            ),
            (3, WireType::Fixed64) => (Kind::Double, message.fixed64()?),
            (4, WireType::Varint) => (Kind::Int, message.long_varint()?),
            (5, WireType::Varint) => (Kind::Uint, message.long_varint()?),
            (6, WireType::Varint) => (Kind::Int, zigzag64(message.long_varint()?) as u64),
            (7, WireType::Varint) => (Kind::Bool, u64::from(message.varint()? != 0)),
            (1..=7, _) => {
                return Err(Fault {
                    damage: Damage::WrongWireType,
                    offset: start,
                }
                .into());
            }
            _ => {
                message.skip(key.wire_type)?;
                continue;
            }
        };
        if value.replace(read).is_some() {
            return Err(BrokenValue::NotOneValue);
        }
    }
    value.ok_or(BrokenValue::NotOneValue)
}

fn span_bits(string: Reader<'_>) -> u64 {
    (string.position() as u64) << 32 | string.len() as u64
}
