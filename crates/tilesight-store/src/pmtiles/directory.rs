//! Lists of entries: where the tiles of an archive, or further lists, lie.
//!
//! PMTiles 3, sections "Entries" and "Directory Serialization".

/// A run of equal tiles, or a further directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Number of the first tile.
    pub tile_code: u64,
    /// Where its bytes begin in their section.
    pub offset: u64,
    /// How many bytes.
    pub len: u32,
    /// How many tiles with following numbers have these bytes; 0 marks a directory.
    pub run_len: u32,
}

/// Fewest bytes of an entry: one for each of its four numbers.
const MIN_ENTRY_LEN: usize = 4;

/// Most bytes of a 64-bit number in groups of seven bits.
const MAX_VARINT_LEN: usize = 10;

/// Reads a directory: the numbers of all entries column by column, tile numbers as differences.
///
/// Tile numbers come out ascending, without two alike.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Entry>, &'static str> {
    let mut numbers = Numbers(bytes);
    let count = numbers.next()?;
    if count > (bytes.len() / MIN_ENTRY_LEN) as u64 {
        return Err("a directory claims more entries than it has bytes for");
    }
    let mut entries = tile_codes(&mut numbers, count as usize)?;
    for entry in &mut entries {
        entry.run_len = numbers.next_u32()?;
    }
    for entry in &mut entries {
        entry.len = numbers.next_u32()?;
    }
    let mut end_before = None;
    for entry in &mut entries {
        entry.offset = match (numbers.next()?, end_before) {
            (0, Some(end)) => end,
            (0, None) => return Err("the first entry of a directory follows none"),
            (above, _) => above - 1,
        };
        end_before = entry.offset.checked_add(entry.len.into());
        if end_before.is_none() {
            return Err("an entry lies beyond any file");
        }
    }
    match numbers.0 {
        [] => Ok(entries),
        _ => Err("a directory is longer than its entries"),
    }
}

fn tile_codes(numbers: &mut Numbers, count: usize) -> Result<Vec<Entry>, &'static str> {
    let mut entries = Vec::with_capacity(count);
    let mut tile_code = 0_u64;
    for index in 0..count {
        let step = numbers.next()?;
        if step == 0 && index > 0 {
            return Err("a directory lists a tile twice");
        }
        tile_code = tile_code
            .checked_add(step)
            .ok_or("a tile number is beyond all zooms")?;
        entries.push(Entry {
            tile_code,
            offset: 0,
            len: 0,
            run_len: 0,
        });
    }
    Ok(entries)
}

/// Writes a directory of entries in ascending order.
pub(super) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, entries.len() as u64);
    let mut code_before = 0;
    for entry in entries {
        put(&mut bytes, entry.tile_code - code_before);
        code_before = entry.tile_code;
    }
    for entry in entries {
        put(&mut bytes, entry.run_len.into());
    }
    for entry in entries {
        put(&mut bytes, entry.len.into());
    }
    let mut end_before = None;
    for entry in entries {
        let follows = end_before == Some(entry.offset);
        put(&mut bytes, if follows { 0 } else { entry.offset + 1 });
        end_before = Some(entry.offset + u64::from(entry.len));
    }
    bytes
}

/// Appends a number in groups of seven bits, the lowest first.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// The numbers that are left.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn next(&mut self) -> Result<u64, &'static str> {
        let mut number = 0;
        for (index, &byte) in self.0.iter().take(MAX_VARINT_LEN).enumerate() {
            let group = u64::from(byte & 0x7f);
            number |= group << (7 * index);
            if number >> (7 * index) != group {
                break;
            }
            if byte < 0x80 {
                self.0 = &self.0[index + 1..];
                return Ok(number);
            }
        }
        Err("a directory ends within a number, or has one of more than 64 bits")
    }

    fn next_u32(&mut self) -> Result<u32, &'static str> {
        u32::try_from(self.next()?).map_err(|_| "a length has more than 32 bits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn entry()(
            step in prop_oneof![1..3_u64, 1..1_u64 << 40], offset in 0..1_u64 << 50,
            follows: bool, len: u32, run_len in 0..5_u32,
        ) -> (u64, bool, Entry) {
            (step, follows, Entry { tile_code: 0, offset, len, run_len })
        }
    }

    fn in_order(drawn: Vec<(u64, bool, Entry)>) -> Vec<Entry> {
        let (mut tile_code, mut end) = (0, 0);
        let place = |(step, follows, entry): (u64, bool, Entry)| {
            tile_code += step;
            let offset = if follows { end } else { entry.offset };
            end = offset + u64::from(entry.len);
            Entry {
                tile_code,
                offset,
                ..entry
            }
        };
        drawn.into_iter().map(place).collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(drawn in prop::collection::vec(entry(), 0..50)) {
            let entries = in_order(drawn);
            prop_assert_eq!(decode(&encode(&entries)), Ok(entries));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(entries) = decode(&bytes) {
                prop_assert!(entries.len() * MIN_ENTRY_LEN <= bytes.len());
                prop_assert!(entries.is_sorted_by(|a, b| a.tile_code < b.tile_code));
            }
        }

        #[test]
        fn numbers_come_back(number: u64) {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            prop_assert_eq!(Numbers(&bytes).next(), Ok(number));
        }
    }

    #[test]
    fn broken_directories_are_refused() {
        for (bytes, expected) in [
            (&[][..], "ends within a number"),
            (&[0x80; 20], "64 bits"),
            (&[0xff, 0xff, 0xff, 0xff, 0x7f], "more entries"),
            (&[2, 1, 0, 1, 1, 1, 1, 1, 1], "twice"),
            (&[1, 0, 1, 1, 0], "follows none"),
            (
                &[
                    1, 0, 1, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
                ],
                "beyond any file",
            ),
            (&[1, 0, 1, 1, 1, 0], "longer"),
        ] {
            let reason = decode(bytes).unwrap_err();
            assert!(reason.contains(expected), "{bytes:?}: {reason}");
        }
    }
}
