//! Varints, tags, lengths: the only file that knows protobuf.
//!
//! There are two ways to read each thing. The plain way takes whatever protobuf allows and says
//! what is wrong with the rest. The short way, for what nearly every byte of a tile belongs to,
//! loads a word and looks at all of its bytes at once; it gives `None` for anything longer or
//! broken, and the caller then starts again the plain way. It never yields an error by itself:
//! a result that is either a value or a fault does not stay in registers.
#![expect(
    clippy::inline_always,
    reason = "a call for each varint doubles the time of a tile"
)]

use crate::error::Damage;

/// What stands before a payload: the number of the field and its wire type, in one integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u64);

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;

impl Key {
    pub(crate) const fn varint(field: u32) -> Self {
        Self((field as u64) << 3 | VARINT)
    }

    pub(crate) const fn fixed64(field: u32) -> Self {
        Self((field as u64) << 3 | FIXED64)
    }

    pub(crate) const fn length(field: u32) -> Self {
        Self((field as u64) << 3 | LENGTH)
    }

    pub(crate) const fn fixed32(field: u32) -> Self {
        Self((field as u64) << 3 | FIXED32)
    }

    fn field(self) -> u64 {
        self.0 >> 3
    }
}

/// A stretch of a tile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub start: u32,
    pub end: u32,
}

/// Damage, and the byte where it was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub damage: Damage,
    pub offset: u32,
}

/// Reads one message, or one packed field, inside a tile.
///
/// It keeps hold of the rest of the tile: offsets are those of the tile, and eight bytes can be
/// loaded at once near the end of a short message. Since the rest begins where the reader is, one
/// comparison tells whether they are there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    /// From what is to be read next to the end of the tile.
    rest: &'a [u8],
    /// How much of it belongs to this message.
    len: usize,
    tile_len: usize,
}

/// The highest bit of each byte: set where a varint goes on.
const CONTINUES: u64 = 0x8080_8080_8080_8080;

impl<'a> Reader<'a> {
    /// `tile` has less than 4 GiB.
    pub(crate) fn new(tile: &'a [u8]) -> Self {
        Self {
            rest: tile,
            len: tile.len(),
            tile_len: tile.len(),
        }
    }

    /// A reader over another part of the same tile, not before this one unless it is empty.
    #[inline]
    pub(crate) fn at(self, span: Span) -> Self {
        debug_assert!(span.start <= span.end && span.end as usize <= self.tile_len);
        let ahead = (span.start as usize).saturating_sub(self.position());
        Self {
            rest: &self.rest[ahead..],
            len: (span.end - span.start) as usize,
            ..self
        }
    }

    /// The part of the tile that is left to read.
    #[inline]
    pub(crate) fn span(&self) -> Span {
        let start = self.position();
        Span {
            start: start as u32,
            end: (start + self.len) as u32,
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.tile_len - self.rest.len()
    }

    /// What is left of this message.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        &self.rest[..self.len]
    }

    /// Passes over bytes of this message.
    #[inline(always)]
    fn advance(&mut self, len: usize) {
        self.rest = &self.rest[len..];
        self.len -= len;
    }

    /// Reads what stands before a field. It is not checked before it is [skipped](Self::skip).
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Key, Fault> {
        self.varint().map(Key)
    }

    /// Reads a varint.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Fault> {
        if let Some(&byte) = self.bytes().first()
            && byte < 0x80
        {
            self.advance(1);
            return Ok(u64::from(byte));
        }
        self.varint_by_bytes()
    }

    /// Reads an integer of a packed field.
    #[inline]
    pub(crate) fn varint32(&mut self) -> Result<u32, Fault> {
        match self.short_varint32() {
            Some(value) => Ok(value),
            None => self.varint_by_bytes().map(|value| value as u32),
        }
    }

    /// Reads the payload of a length-delimited field.
    #[inline]
    pub(crate) fn message(&mut self) -> Result<Reader<'a>, Fault> {
        let len = self.varint()?;
        if len > self.len() as u64 {
            return Err(self.truncated());
        }
        let len = len as usize;
        let message = Reader { len, ..*self };
        self.advance(len);
        Ok(message)
    }

    /// Reads a varint of up to four bytes, without a branch on its length; otherwise it reads
    /// nothing.
    #[inline(always)]
    pub(crate) fn short_varint32(&mut self) -> Option<u32> {
        let (value, len) = low_varint(self.word()? as u32);
        if len == 0 || len > self.len {
            return None;
        }
        self.advance(len);
        Some(value)
    }

    /// Reads a field that is this message, if its length takes one byte; otherwise it reads
    /// nothing. The key is one of those that take one byte.
    #[inline(always)]
    pub(crate) fn short_message(&mut self, key: Key) -> Option<Reader<'a>> {
        debug_assert!(key.0 < 0x80);
        let (head, rest) = self.rest.split_first_chunk()?;
        let head = u16::from_le_bytes(*head);
        let len = usize::from(head >> 8);
        // The key, and no further byte of the length.
        if u64::from(head & 0x80ff) != key.0 || 2 + len > self.len {
            return None;
        }
        let message = Reader { rest, len, ..*self };
        self.rest = rest.get(len..)?;
        self.len -= 2 + len;
        Some(message)
    }

    #[inline]
    pub(crate) fn fixed32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(crate) fn fixed64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }

    /// Passes over a field that is of no interest.
    ///
    /// The fields that `known` tells are of interest: that one of them comes here means that its
    /// wire type is another than it should be.
    #[inline(never)]
    pub(crate) fn skip(&mut self, key: Key, known: impl Fn(u64) -> bool) -> Result<(), Fault> {
        if key.field() == 0 || key.0 > u64::from(u32::MAX) {
            return Err(self.fault(Damage::FieldNumber));
        }
        if known(key.field()) {
            return Err(self.fault(Damage::WrongWireType));
        }
        match key.0 & 7 {
            VARINT => self.varint().map(drop),
            FIXED64 => self.fixed64().map(drop),
            LENGTH => self.message().map(drop),
            FIXED32 => self.fixed32().map(drop),
            _ => Err(self.fault(Damage::UnknownWireType)),
        }
    }

    /// A fault at the field just read.
    pub(crate) fn fault(&self, damage: Damage) -> Fault {
        Fault {
            damage,
            offset: self.position() as u32,
        }
    }

    /// Passes over the short fields that are this message, as long as they follow each other, and
    /// counts them.
    ///
    /// Each begins where its length puts it, so the time this takes is that of a load a field.
    #[inline]
    pub(crate) fn skip_short_messages(&mut self, key: Key) -> usize {
        debug_assert!(key.0 < 0x80);
        let mut rest = self.bytes();
        let mut count = 0;
        while let [head, len, after @ ..] = rest
            && u64::from(*head) == key.0
            && *len < 0x80
            && let Some(after) = after.get(usize::from(*len)..)
        {
            rest = after;
            count += 1;
        }
        self.advance(self.len - rest.len());
        count
    }

    /// A view of this message, if it is short and the tile goes on for a while after it.
    #[inline(always)]
    pub(crate) fn window(&self) -> Option<Window<'a>> {
        let bytes = self.rest.first_chunk()?;
        (self.len <= LONGEST).then_some(Window {
            bytes,
            position: 0,
            end: self.len,
        })
    }

    /// Eight bytes from here, which may reach beyond this message but not beyond the tile.
    #[inline(always)]
    fn word(&self) -> Option<u64> {
        let bytes = self.rest.first_chunk::<8>()?;
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
                self.advance(index + 1);
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
        self.advance(N);
        Ok(bytes)
    }

    #[cold]
    fn truncated(&self) -> Fault {
        self.fault(Damage::Truncated)
    }
}

/// The longest message that a [`Window`] shows.
const LONGEST: usize = 127;

/// A short message, read without looking where the tile ends.
///
/// The array is of a fixed length and the position is held within it, so no load has to be
/// checked. Neither is it checked that what is read belongs to the message: a reader that ends
/// [where the message does](Self::is_spent) has read nothing else, for it only moves forward.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    /// The message and whatever follows it.
    bytes: &'a [u8; LONGEST + 9],
    position: usize,
    end: usize,
}

impl<'a> Window<'a> {
    /// Whether all of the message was read, and nothing beyond it.
    #[inline(always)]
    pub(crate) fn is_spent(&self) -> bool {
        self.position == self.end
    }

    /// Reads any key of one byte.
    #[inline(always)]
    pub(crate) fn key(&mut self) -> Option<Key> {
        let byte = self.bytes[self.position & LONGEST];
        self.position += 1;
        (byte < 0x80).then_some(Key(u64::from(byte)))
    }

    /// Reads a varint of up to eight bytes.
    #[inline(always)]
    pub(crate) fn varint64(&mut self) -> Option<u64> {
        let word = self.word();
        let stops = !word & CONTINUES;
        if stops == 0 {
            return None;
        }
        self.position += stops.trailing_zeros() as usize / 8 + 1;
        // All bits up to the one that stops the varint.
        Some(join_groups(word & (stops ^ (stops - 1))))
    }

    /// Passes over a field that is this varint, of up to seven bytes.
    #[inline(always)]
    pub(crate) fn skip_varint(&mut self, key: Key) -> Option<()> {
        let word = self.word();
        let stops = !word & CONTINUES & !0xff;
        if word & 0xff != key.0 || stops == 0 {
            return None;
        }
        self.position += stops.trailing_zeros() as usize / 8 + 1;
        Some(())
    }

    /// Reads a field that is this varint, if its value takes one byte.
    #[inline(always)]
    pub(crate) fn varint_of_one_byte(&mut self, key: Key) -> Option<u32> {
        let value = self.head(key)?;
        self.position += 2;
        Some(value as u32)
    }

    /// Reads a field that is this message, of up to 127 bytes.
    #[inline(always)]
    pub(crate) fn message(&mut self, key: Key) -> Option<Self> {
        let len = self.head(key)?;
        let position = self.position + 2;
        self.position = position + len;
        Some(Self {
            position,
            end: self.position,
            ..*self
        })
    }

    /// Reads eight bytes.
    #[inline(always)]
    pub(crate) fn fixed64(&mut self) -> u64 {
        let word = self.word();
        self.position += 8;
        word
    }

    /// Finds the integers of this message, a packed field of up to 64 bytes that ends with one.
    #[inline(always)]
    pub(crate) fn packed(&self) -> Option<Packed<'a>> {
        let len = self.end - self.position;
        let bytes = self.bytes.get(self.position..)?.first_chunk()?;
        let stops = Packed::stops(bytes, len)?;
        Some(Packed {
            bytes,
            stops,
            start: 0,
        })
    }

    /// Reads the two integers that follow `first` in a packed field, if the three are all there is,
    /// `first` takes one byte, the others up to four, and all together eight.
    #[inline(always)]
    pub(crate) fn pair_after(&self, first: u8) -> Option<(u32, u32)> {
        let word = self.word();
        let stops = !word & CONTINUES & !0xff;
        let last_stops = stops & stops.wrapping_sub(1);
        if word as u8 != first || first >= 0x80 || last_stops == 0 {
            return None;
        }
        // Where the last bytes of the two begin.
        let (second_end, third_end) = (stops.trailing_zeros(), last_stops.trailing_zeros());
        let second_len = second_end as usize / 8;
        let third_len = (third_end - second_end) as usize / 8;
        let is_all = third_end as usize / 8 + 1 == self.end - self.position;
        if !is_all || second_len > 4 || third_len > 4 {
            return None;
        }
        let second = (word >> 8) as u32 & GROUPS[second_len % 8];
        let third = (word >> 8 >> (8 * second_len)) as u32 & GROUPS[third_len % 8];
        // Both are joined at once, one in each half.
        let joined = join_halves(u64::from(second) | u64::from(third) << 32);
        Some((joined as u32, (joined >> 32) as u32))
    }

    /// The byte after this key, unless it is the first of a longer varint.
    #[inline(always)]
    fn head(&self, key: Key) -> Option<usize> {
        let head = self.word() as u16;
        // The key, and no further byte of the varint.
        (u64::from(head & 0x80ff) == key.0).then_some(usize::from(head >> 8))
    }

    /// Eight bytes from here.
    #[inline(always)]
    fn word(&self) -> u64 {
        let bytes = self.bytes[self.position & LONGEST..].first_chunk();
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

/// The integers of a short packed field, whose ends are found all at once.
///
/// Where one varint ends the next begins: to look for each end by loading the bytes after the last
/// one makes a chain of loads, and waiting for it took nearly half the time of a tile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed<'a> {
    /// The field and whatever follows it.
    bytes: &'a [u8; 64 + 8],
    /// Set for each byte that ends a varint and was not read.
    stops: u64,
    start: usize,
}

/// The groups of seven bits in a varint of so many bytes.
const GROUPS: [u32; 8] = [0, 0x7f, 0x7f7f, 0x007f_7f7f, 0x7f7f_7f7f, 0, 0, 0];

impl Packed<'_> {
    /// Whether all integers were read.
    #[inline(always)]
    pub(crate) fn is_spent(&self) -> bool {
        self.stops == 0
    }

    /// Reads two integers, if the first takes one byte and the second up to four.
    #[inline(always)]
    pub(crate) fn pair(&mut self) -> Option<(u32, u32)> {
        let seconds = self.stops & self.stops.wrapping_sub(1);
        if seconds == 0 {
            return None;
        }
        let first_end = self.stops.trailing_zeros() as usize;
        let second_end = seconds.trailing_zeros() as usize;
        let len = second_end - first_end;
        if first_end != self.start || len > 4 {
            return None;
        }
        self.stops = seconds & (seconds - 1);
        self.start = second_end + 1;
        let bytes = self.bytes[first_end % 64..].first_chunk();
        let word = bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let second = join_short_groups((word >> 8) as u32 & GROUPS[len % 8]);
        Some((word as u32 & 0x7f, second))
    }

    /// Which of the first `len` bytes end a varint; nothing if the last one does not.
    #[inline(always)]
    fn stops(bytes: &[u8; 72], len: usize) -> Option<u64> {
        if len == 0 || len > 64 {
            return (len == 0).then_some(0);
        }
        let (words, _) = bytes.as_chunks::<8>();
        let near = stops_of(&words[..4]);
        // Few fields are that long, and they are so in the same layers.
        let stops = if len > 32 {
            near | stops_of(&words[4..8]) << 32
        } else {
            near
        };
        let is_last = stops >> (len - 1) & 1 == 1;
        is_last.then(|| stops & u64::MAX >> (64 - len))
    }
}

/// Which bytes end a varint.
#[inline(always)]
fn stops_of(words: &[[u8; 8]]) -> u64 {
    // The highest bits of eight bytes, moved side by side.
    let gather = |word: [u8; 8]| {
        let stops = (!u64::from_le_bytes(word) & CONTINUES) >> 7;
        stops.wrapping_mul(0x0102_0408_1020_4080) >> 56
    };
    let words = words.iter().enumerate();
    words.fold(0, |stops, (index, &word)| {
        stops | gather(word) << (8 * index)
    })
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

/// The varint that begins in the lowest byte, and its length; 0 if it has more than four bytes.
#[inline(always)]
fn low_varint(bytes: u32) -> (u32, usize) {
    let stops = !bytes & CONTINUES as u32;
    // Without a stop there are 32 zeros, and (32 + 1) / 8 would be 4.
    let len = if stops == 0 {
        0
    } else {
        (stops.trailing_zeros() as usize + 1) / 8
    };
    let by_7 = bytes & (stops ^ stops.wrapping_sub(1)) & 0x7f7f_7f7f;
    (join_short_groups(by_7), len)
}

/// Joins the lower seven bits of each byte, whose highest bits are 0.
#[inline(always)]
fn join_short_groups(by_7: u32) -> u32 {
    let by_14 = (by_7 & 0x007f_007f) | ((by_7 & 0x7f00_7f00) >> 1);
    (by_14 & 0x3fff) | ((by_14 & 0x3fff_0000) >> 2)
}

/// Joins the lower seven bits of each byte.
#[inline(always)]
fn join_groups(bytes: u64) -> u64 {
    let by_28 = join_halves(bytes & 0x7f7f_7f7f_7f7f_7f7f);
    (by_28 & 0x0fff_ffff) | ((by_28 & 0x0fff_ffff_0000_0000) >> 4)
}

/// [`join_short_groups`] for two integers at once.
#[inline(always)]
fn join_halves(by_7: u64) -> u64 {
    let by_14 = (by_7 & 0x007f_007f_007f_007f) | ((by_7 & 0x7f00_7f00_7f00_7f00) >> 1);
    (by_14 & 0x0000_3fff_0000_3fff) | ((by_14 & 0x3fff_0000_3fff_0000) >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A reader of a message that other bytes of the tile follow.
    fn reader(tile: &[u8], len: usize) -> Reader<'_> {
        Reader {
            len: len.min(tile.len()),
            ..Reader::new(tile)
        }
    }

    /// Runs of continued and of final bytes, so that varints of all lengths occur.
    fn varint_bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![0..0x80_u8, 0x80..=0xff_u8, 0x80..=0xff_u8];
        proptest::collection::vec(byte, 0..24)
    }

    proptest! {
        #[test]
        fn the_short_ways_agree_with_the_plain_one(tile in varint_bytes(), len in 0..24_usize) {
            let start = reader(&tile, len);
            let expected = plain(start);
            let mut rest = start;
            if let Some(value) = rest.short_varint32() {
                prop_assert_eq!(expected, Some((u64::from(value), rest.position())));
            }
            let mut rest = start;
            prop_assert_eq!(expected, rest.varint().map(|value| (value, rest.position())).ok());
        }

        #[test]
        fn a_window_shows_what_the_plain_way_reads(tile in varint_bytes(), len in 0..24_usize) {
            let tile = padded(&tile);
            let start = reader(&tile, len);
            let window = start.window().unwrap();

            let mut rest = window;
            if let Some(value) = rest.varint64() {
                let whole = reader(&tile, tile.len());
                prop_assert_eq!(plain(whole), Some((value, rest.position)));
                prop_assert_eq!(rest.is_spent(), rest.position == len);
            }
            let mut rest = window;
            if let Some(mut message) = rest.message(Key::length(1)) {
                let mut slow = reader(&tile, tile.len());
                prop_assert_eq!(slow.key(), Ok(Key::length(1)));
                let slow = slow.message().unwrap();
                prop_assert_eq!(message.end - message.position, slow.len());
                prop_assert_eq!(message.fixed64().to_le_bytes(), &slow.rest[..8]);
            }
        }

        #[test]
        fn packed_integers_are_varints_one_after_the_other(
            tile in varint_bytes(), len in 0..24_usize, shift in 0..48_usize
        ) {
            let mut shifted = vec![5; shift];
            shifted.extend(tile);
            let tile = padded(&shifted);
            let mut slow = reader(&tile, shift + len);
            let window = slow.window().unwrap();
            let Some(mut packed) = window.packed() else {
                prop_assert!(shift + len > 64 || tile[shift + len - 1] >= 0x80);
                return Ok(());
            };
            while !packed.is_spent() {
                let expected = plain_pair(&mut slow);
                prop_assert_eq!(packed.pair(), expected);
                if expected.is_none() {
                    return Ok(());
                }
            }
            prop_assert!(slow.is_empty());
        }

        #[test]
        fn a_pair_after_a_byte_is_all_there_is(tile in varint_bytes(), len in 0..24_usize) {
            let tile = padded(&[&[9], &tile[..]].concat());
            let mut slow = reader(&tile, len);
            if let Some((second, third)) = slow.window().unwrap().pair_after(9) {
                for value in [9, second, third] {
                    prop_assert_eq!(slow.varint_by_bytes().unwrap(), u64::from(value));
                }
                prop_assert!(slow.is_empty());
            }
        }
    }

    fn plain(mut reader: Reader<'_>) -> Option<(u64, usize)> {
        let value = reader.varint_by_bytes().ok()?;
        Some((value, reader.position()))
    }

    /// Two varints, of one byte and of up to four.
    fn plain_pair(reader: &mut Reader<'_>) -> Option<(u32, u32)> {
        let start = reader.position();
        let first = reader.varint_by_bytes().ok()?;
        let middle = reader.position();
        let second = reader.varint_by_bytes().ok()?;
        let is_short = middle - start == 1 && reader.position() - middle <= 4;
        is_short.then_some((first as u32, second as u32))
    }

    /// The tile with as many bytes after it as a window shows.
    fn padded(tile: &[u8]) -> Vec<u8> {
        let mut padded = tile.to_vec();
        padded.resize(tile.len() + LONGEST + 9, 0xff);
        padded
    }

    #[test]
    fn short_things_are_read_the_short_way() {
        let tile = padded(&[0x0a, 0x02, 9, 9, 0x96, 0x01, 5, 0x96, 0x01]);
        let mut message = reader(&tile, 9);
        let two = message
            .short_message(Key::length(1))
            .map(|message| message.bytes().to_vec());
        assert_eq!(two, Some(vec![9, 9]));
        assert_eq!(message.short_varint32(), Some(150));
        let window = message.window().unwrap();
        assert_eq!(window.pair_after(4), None);
        assert_eq!(window.pair_after(5), None, "there is no third");
        let mut packed = window.packed().unwrap();
        assert_eq!(packed.pair(), Some((5, 150)));
        assert!(packed.is_spent());
        let tile = padded(&[9, 0x96, 0x01, 5]);
        let window = reader(&tile, 4).window().unwrap();
        assert_eq!(window.pair_after(9), Some((150, 5)));
    }

    /// Whoever reads the short way goes on the plain way where it gives nothing, so that no answer
    /// tells whether it ever gives something.
    #[test]
    fn windows_show_short_fields() {
        let varint = [0x08, 0x96, 0x01];
        let small = [0x18, 0x7f];
        let message = [0x12, 0x02, 9, 9];
        let eight = [0x21, 1, 2, 3, 4, 5, 6, 7, 8];
        let tile = padded(&[&varint[..], &small, &message, &eight].concat());
        let mut window = reader(&tile, 18).window().unwrap();
        assert_eq!(window.skip_varint(Key::varint(2)), None);
        assert_eq!(window.skip_varint(Key::varint(1)), Some(()));
        assert_eq!(window.varint_of_one_byte(Key::varint(1)), None);
        assert_eq!(window.varint_of_one_byte(Key::varint(3)), Some(0x7f));
        assert!(window.message(Key::length(1)).is_none());
        let inner = window.message(Key::length(2)).unwrap();
        assert_eq!((inner.position, inner.end), (7, 9));
        assert_eq!(window.key(), Some(Key::fixed64(4)));
        assert_eq!(window.fixed64(), 0x0807_0605_0403_0201);
        assert!(window.is_spent());
        assert!(reader(&tile, LONGEST).window().is_some());
        assert!(reader(&tile, LONGEST + 1).window().is_none());
        assert!(reader(&tile[1..], 3).window().is_some());
        assert!(reader(&tile[19..], 3).window().is_none(), "the tile ends");
    }

    #[test]
    fn windows_show_no_long_ones() {
        let tile = padded(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
        let window = reader(&tile, 8).window().unwrap();
        assert_eq!(window.clone().key(), None);
        assert_eq!(window.clone().varint64(), Some(1 << 49));
        let tile = padded(&[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
        let mut window = reader(&tile, 9).window().unwrap();
        assert_eq!(window.skip_varint(Key::varint(1)), None);
        assert_eq!(window.varint_of_one_byte(Key::varint(1)), None);
    }

    #[test]
    fn ten_bytes_hold_64_bits_and_no_more() {
        let mut bytes = vec![0xff; 9];
        bytes.push(1);
        assert_eq!(Reader::new(&bytes).varint(), Ok(u64::MAX));
        bytes[9] = 2;
        let fault = Fault {
            damage: Damage::OverlongVarint,
            offset: 0,
        };
        assert_eq!(Reader::new(&bytes).varint(), Err(fault));
        let fault = Fault {
            damage: Damage::Truncated,
            offset: 0,
        };
        assert_eq!(Reader::new(&bytes[..9]).varint(), Err(fault));
    }

    #[test]
    fn keys_are_fields_and_wire_types() {
        let keys = [
            Key::varint(15),
            Key::fixed64(3),
            Key::length(1),
            Key::fixed32(2),
        ];
        assert_eq!(keys.map(|key| key.0), [0x78, 0x19, 0x0a, 0x15]);
        assert_eq!(keys.map(Key::field), [15, 3, 1, 2]);
    }

    #[test]
    fn zigzag_is_undone_at_its_limits() {
        assert_eq!([0, 1, 2, u32::MAX].map(zigzag32), [0, -1, 1, i32::MIN]);
        assert_eq!([0, 1, 2, u64::MAX].map(zigzag64), [0, -1, 1, i64::MIN]);
    }
}
