//! Varints, tags, lengths: the only file that knows protobuf.

use crate::error::Damage;

/// How the payload of a field is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireType {
    Varint,
    Fixed64,
    Length,
    Fixed32,
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub field: u32,
    pub wire_type: WireType,
}

/// Damage, and the byte where it was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub damage: Damage,
    pub offset: usize,
}

/// Reads one message, or one packed field, inside a tile.
///
/// It keeps hold of the whole tile: offsets are those of the tile, and eight bytes can be loaded
/// at once near the end of a short message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    tile: &'a [u8],
    position: usize,
    /// At most the length of the tile.
    end: usize,
}

/// The highest bit of each byte: set where a varint goes on.
const CONTINUES: u64 = 0x8080_8080_8080_8080;

impl<'a> Reader<'a> {
    pub(crate) fn new(tile: &'a [u8]) -> Self {
        Self {
            tile,
            position: 0,
            end: tile.len(),
        }
    }

    /// A reader over the same tile between two offsets, which must lie in it, in this order.
    pub(crate) fn between(self, position: usize, end: usize) -> Self {
        debug_assert!(position <= end && end <= self.tile.len());
        Self {
            tile: self.tile,
            position,
            end,
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.position == self.end
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.end - self.position
    }

    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// What is left of this message.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        &self.tile[self.position..self.end]
    }

    /// Reads the number and the wire type of the next field.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Key, Fault> {
        let offset = self.position;
        let key = self.varint()?;
        let field = key >> 3;
        if field == 0 || key > u64::from(u32::MAX) {
            return Err(Fault {
                damage: Damage::FieldNumber,
                offset,
            });
        }
        let wire_type = match key & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Length,
            5 => WireType::Fixed32,
            _ => {
                return Err(Fault {
                    damage: Damage::UnknownWireType,
                    offset,
                });
            }
        };
        Ok(Key {
            field: field as u32,
            wire_type,
        })
    }

    /// Reads a varint that is most often a single byte.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Fault> {
        match self.bytes().first() {
            Some(&byte) if byte < 0x80 => {
                self.position += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    /// Reads a varint whose length is hard to foretell, without a branch on it.
    #[inline]
    pub(crate) fn long_varint(&mut self) -> Result<u64, Fault> {
        let Some(word) = self.word() else {
            return self.varint_by_bytes();
        };
        let stops = !word & CONTINUES;
        if stops == 0 {
            return self.varint_by_bytes();
        }
        let position = self.position + (stops.trailing_zeros() as usize).div_ceil(8);
        if position > self.end {
            return Err(self.truncated());
        }
        self.position = position;
        // All bits up to the one that stops the varint.
        Ok(join_groups(word & (stops ^ (stops - 1))))
    }

    /// Reads the payload of a length-delimited field.
    #[inline]
    pub(crate) fn message(&mut self) -> Result<Reader<'a>, Fault> {
        let len = self.varint()?;
        if len > self.len() as u64 {
            return Err(self.truncated());
        }
        let message = Reader {
            end: self.position + len as usize,
            ..*self
        };
        self.position = message.end;
        Ok(message)
    }

    #[inline]
    pub(crate) fn fixed32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(crate) fn fixed64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }

    /// Passes over the payload of a field that is of no interest.
    #[inline]
    pub(crate) fn skip(&mut self, wire_type: WireType) -> Result<(), Fault> {
        match wire_type {
            WireType::Varint => self.long_varint().map(drop),
            WireType::Fixed64 => self.fixed64().map(drop),
            WireType::Length => self.message().map(drop),
            WireType::Fixed32 => self.fixed32().map(drop),
        }
    }

    /// A fault at the field just read.
    pub(crate) fn fault(&self, damage: Damage) -> Fault {
        Fault {
            damage,
            offset: self.position,
        }
    }

    /// Eight bytes from here, which may reach beyond this message but not beyond the tile.
    #[inline]
    fn word(&self) -> Option<u64> {
        let bytes = self.tile.get(self.position..)?.first_chunk::<8>()?;
        Some(u64::from_le_bytes(*bytes))
    }

    /// The plain definition of a varint; also the way for those of nine and ten bytes.
    #[inline(never)]
    fn varint_by_bytes(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for (index, &byte) in self.bytes().iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                if index == 9 && byte > 1 {
                    break;
                }
                self.position += index + 1;
                return Ok(value);
            }
        }
        let whole = self.len() >= 10;
        Err(if whole {
            self.fault(Damage::OverlongVarint)
        } else {
            self.truncated()
        })
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let Some(&bytes) = self.bytes().first_chunk::<N>() else {
            return Err(self.truncated());
        };
        self.position += N;
        Ok(bytes)
    }

    #[cold]
    fn truncated(&self) -> Fault {
        self.fault(Damage::Truncated)
    }
}

/// Undoes the zigzag encoding of the `sint64` type.
#[inline]
pub(crate) fn zigzag64(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Undoes the zigzag encoding of a parameter integer.
#[inline]
pub(crate) fn zigzag32(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

/// Joins the lower seven bits of each byte.
#[inline]
fn join_groups(bytes: u64) -> u64 {
    let by_7 = bytes & 0x7f7f_7f7f_7f7f_7f7f;
    let by_14 = (by_7 & 0x007f_007f_007f_007f) | ((by_7 & 0x7f00_7f00_7f00_7f00) >> 1);
    let by_28 = (by_14 & 0x0000_3fff_0000_3fff) | ((by_14 & 0x3fff_0000_3fff_0000) >> 2);
    (by_28 & 0x0fff_ffff) | ((by_28 & 0x0fff_ffff_0000_0000) >> 4)
}
