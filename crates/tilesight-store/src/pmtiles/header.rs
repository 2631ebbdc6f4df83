//! The first 127 bytes of an archive.
//!
//! PMTiles 3, section "Header Design".

use std::ops::Range;

use tilesight_tile::Bbox;

/// First bytes of every archive; the next is the version.
pub(crate) const MAGIC: &[u8] = b"PMTiles";

/// The version that is read and written.
const VERSION: u8 = 3;

/// Length of the header.
pub(super) const LEN: usize = 127;

/// Degrees are stored as whole numbers of this part of one.
const UNITS_A_DEGREE: f64 = 1e7;

/// Where the sections lie and what the archive says of its tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Header {
    pub root: Section,
    pub metadata: Section,
    pub leaves: Section,
    pub tile_data: Section,
    pub addressed_tiles: u64,
    pub tile_entries: u64,
    pub tile_contents: u64,
    pub is_clustered: bool,
    pub internal_compression: Compression,
    pub tile_compression: Compression,
    pub tile_type: TileType,
    pub min_zoom: u8,
    pub max_zoom: u8,
    pub bounds: Bounds,
}

/// A part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Section {
    pub offset: u64,
    pub len: u64,
}

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Compression {
    /// Not told, or not known to the specification.
    #[default]
    Unknown,
    None,
    Gzip,
    Brotli,
    Zstd,
}

/// What the tiles are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum TileType {
    #[default]
    Unknown,
    Vector,
    /// The number of another type.
    Other(u8),
}

/// West, south, east, north in 10⁻⁷ degrees; all of them 0 where nothing is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bounds([i32; 4]);

impl Section {
    /// The end of the section, if it lies in a file of this size.
    pub(super) fn end_within(self, size: u64) -> Option<u64> {
        let end = self.offset.checked_add(self.len)?;
        (end <= size).then_some(end)
    }

    /// The section `len` bytes long that begins at `offset` of this one.
    pub(super) fn part(self, offset: u64, len: u64) -> Option<Self> {
        let part = Self { offset, len };
        part.end_within(self.len)?;
        let offset = self.offset.checked_add(offset)?;
        Some(Self { offset, len })
    }
}

impl Header {
    /// Reads a header; anything may stand in it, but for the version.
    pub(super) fn decode(bytes: &[u8; LEN]) -> Result<Self, &'static str> {
        if !bytes.starts_with(MAGIC) {
            return Err("it does not begin with PMTiles");
        }
        if bytes[7] != VERSION {
            return Err("its version is not 3");
        }
        Ok(Self {
            root: section(bytes, 8),
            metadata: section(bytes, 24),
            leaves: section(bytes, 40),
            tile_data: section(bytes, 56),
            addressed_tiles: u64_at(bytes, 72),
            tile_entries: u64_at(bytes, 80),
            tile_contents: u64_at(bytes, 88),
            is_clustered: bytes[96] == 1,
            internal_compression: Compression::decode(bytes[97]),
            tile_compression: Compression::decode(bytes[98]),
            tile_type: TileType::decode(bytes[99]),
            min_zoom: bytes[100],
            max_zoom: bytes[101],
            bounds: Bounds([102, 106, 110, 114].map(|at| i32_at(bytes, at))),
        })
    }

    /// Writes the header; a map is shown around the middle of the bounds at the deepest zoom.
    pub(super) fn encode(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        let mut put = |range: Range<usize>, value: &[u8]| bytes[range].copy_from_slice(value);
        put(0..7, MAGIC);
        put(7..8, &[VERSION]);
        let sections = [self.root, self.metadata, self.leaves, self.tile_data];
        let places = sections
            .iter()
            .flat_map(|section| [section.offset, section.len]);
        let counts = [self.addressed_tiles, self.tile_entries, self.tile_contents];
        for (index, number) in places.chain(counts).enumerate() {
            put(8 + 8 * index..16 + 8 * index, &number.to_le_bytes());
        }
        put(96..97, &[self.is_clustered.into()]);
        put(97..98, &[self.internal_compression as u8]);
        put(98..99, &[self.tile_compression as u8]);
        put(99..100, &[self.tile_type.encode()]);
        put(100..102, &[self.min_zoom, self.max_zoom]);
        for (index, edge) in self.bounds.0.iter().enumerate() {
            put(102 + 4 * index..106 + 4 * index, &edge.to_le_bytes());
        }
        put(118..119, &[self.max_zoom]);
        let [lon, lat] = self.bounds.middle();
        put(119..123, &lon.to_le_bytes());
        put(123..127, &lat.to_le_bytes());
        bytes
    }
}

impl Compression {
    const fn decode(byte: u8) -> Self {
        match byte {
            1 => Self::None,
            2 => Self::Gzip,
            3 => Self::Brotli,
            4 => Self::Zstd,
            _ => Self::Unknown,
        }
    }
}

impl TileType {
    const fn decode(byte: u8) -> Self {
        match byte {
            0 => Self::Unknown,
            1 => Self::Vector,
            other => Self::Other(other),
        }
    }

    const fn encode(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Vector => 1,
            Self::Other(other) => other,
        }
    }
}

impl Bounds {
    /// The largest bounds within a box, so that nothing is declared that was not before.
    pub(super) fn inside(bbox: &Bbox) -> Self {
        let units = |degrees: f64| degrees * UNITS_A_DEGREE;
        Self([
            units(bbox.west()).ceil() as i32,
            units(bbox.south()).ceil() as i32,
            units(bbox.east()).floor() as i32,
            units(bbox.north()).floor() as i32,
        ])
    }

    /// What is no box bounds nothing.
    pub(super) fn to_bbox(self) -> Option<Bbox> {
        if self.0 == [0; 4] {
            return None;
        }
        let [west, south, east, north] = self.0.map(|units| f64::from(units) / UNITS_A_DEGREE);
        Bbox::from_degrees(west, south, east, north).ok()
    }

    /// Longitude and latitude; of a box across the antimeridian, those of its western half.
    fn middle(self) -> [i32; 2] {
        let [west, south, east, north] = self.0;
        let east = if west <= east { east } else { west };
        [west.midpoint(east), south.midpoint(north)]
    }
}

fn section(bytes: &[u8; LEN], at: usize) -> Section {
    Section {
        offset: u64_at(bytes, at),
        len: u64_at(bytes, at + 8),
    }
}

fn u64_at(bytes: &[u8; LEN], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|index| bytes[at + index]))
}

fn i32_at(bytes: &[u8; LEN], at: usize) -> i32 {
    i32::from_le_bytes(std::array::from_fn(|index| bytes[at + index]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_make_a_header_that_says_the_same(mut bytes in prop::array::uniform32(any::<[u8; 4]>())) {
            bytes[0] = *b"PMTi";
            bytes[1] = *b"les\x03";
            let flat: [u8; LEN] = std::array::from_fn(|at| bytes[at / 4][at % 4]);
            let header = Header::decode(&flat).unwrap();
            prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
        }
    }

    #[test]
    fn compressions_are_those_of_the_specification() {
        use Compression::{Brotli, Gzip, None, Unknown, Zstd};
        let decoded = [0, 1, 2, 3, 4, 5].map(Compression::decode);
        assert_eq!(decoded, [Unknown, None, Gzip, Brotli, Zstd, Unknown]);
    }

    #[test]
    fn another_version_is_refused() {
        let mut bytes = Header::default().encode();
        bytes[7] = 2;
        assert_eq!(Header::decode(&bytes), Err("its version is not 3"));
        bytes[0] = b'p';
        assert!(Header::decode(&bytes).is_err());
    }

    #[test]
    fn bounds_shrink_to_what_can_be_written() {
        let bbox = Bbox::from_degrees(0.000_000_01, -0.000_000_01, 1.0, 1.234_567_89).unwrap();
        let bounds = Bounds::inside(&bbox);
        assert_eq!(bounds.0, [1, 0, 10_000_000, 12_345_678]);
        assert_eq!(Bounds::default().to_bbox(), None);
        assert_eq!(Bounds([0, 5, 0, 4]).to_bbox(), None);
        assert_eq!(Bounds([i32::MAX; 4]).to_bbox(), None);
    }

    #[test]
    fn sections_stay_within_what_holds_them() {
        let data = Section {
            offset: 100,
            len: 50,
        };
        assert_eq!(
            data.part(40, 10),
            Some(Section {
                offset: 140,
                len: 10
            })
        );
        assert_eq!(data.part(41, 10), None);
        assert_eq!(data.part(u64::MAX, 2), None);
        assert_eq!(data.end_within(149), None);
    }
}
