//! Tile addresses as one number: zoom by zoom, and within a zoom along a Hilbert curve.
//!
//! PMTiles 3, section "Entries" (`TileId`).

use tilesight_tile::TileId;

/// The number of a tile.
pub(super) fn encode(tile: TileId) -> u64 {
    tiles_above(tile.z()) + hilbert_rank(tile.z(), tile.x(), tile.y())
}

/// The tile of a number; none beyond the deepest zoom a [`TileId`] can have.
pub(super) fn decode(code: u64) -> Option<TileId> {
    let z = (0..=TileId::MAX_ZOOM).find(|&z| code < tiles_above(z + 1))?;
    let (x, y) = hilbert_position(z, code - tiles_above(z));
    TileId::new(z, x, y).ok()
}

/// How many tiles all zooms before `z` have: (4ᶻ − 1) / 3.
const fn tiles_above(z: u8) -> u64 {
    ((1 << (2 * z)) - 1) / 3
}

/// Where on the curve through a zoom's tiles one lies, told quadrant by quadrant.
fn hilbert_rank(z: u8, mut x: u32, mut y: u32) -> u64 {
    let mut rank = 0;
    for bit in (0..z).rev() {
        let (east, south) = (x >> bit & 1, y >> bit & 1);
        rank = rank << 2 | u64::from((3 * east) ^ south);
        if south == 0 {
            if east == 1 {
                // Higher bits are turned too, and never looked at again.
                (x, y) = (!x, !y);
            }
            (x, y) = (y, x);
        }
    }
    rank
}

/// The tile at a place of the curve, put together from the smallest quadrant outwards.
fn hilbert_position(z: u8, rank: u64) -> (u32, u32) {
    let (mut x, mut y) = (0, 0);
    for bit in 0..z {
        let quadrant = (rank >> (2 * bit) & 3) as u32;
        let east = quadrant >> 1;
        let south = (quadrant ^ east) & 1;
        if south == 0 {
            if east == 1 {
                let last = (1 << bit) - 1;
                (x, y) = (last - x, last - y);
            }
            (x, y) = (y, x);
        }
        x |= east << bit;
        y |= south << bit;
    }
    (x, y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_tiles_follow_the_curve() {
        let tiles: Vec<_> = (0..6).filter_map(decode).map(|t| t.to_string()).collect();
        assert_eq!(
            tiles,
            ["0/0/0", "1/0/0", "1/0/1", "1/1/1", "1/1/0", "2/0/0"]
        );
    }

    #[test]
    fn numbers_end_with_the_deepest_zoom() {
        let last = tiles_above(TileId::MAX_ZOOM + 1) - 1;
        assert_eq!(decode(last).unwrap().z(), TileId::MAX_ZOOM);
        assert_eq!(decode(last + 1), None);
        assert_eq!(decode(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn numbers_are_those_of_another_implementation(
            z in 0..=TileId::MAX_ZOOM, x: u32, y: u32,
        ) {
            let mask = ((1_u64 << z) - 1) as u32;
            let tile = TileId::new(z, x & mask, y & mask).unwrap();
            let oracle = pmtiles::TileCoord::new(z, tile.x(), tile.y()).unwrap();
            prop_assert_eq!(encode(tile), pmtiles::TileId::from(oracle).value());
            prop_assert_eq!(decode(encode(tile)), Some(tile));
        }

        #[test]
        fn neighbours_on_the_curve_are_neighbours(z in 1..=TileId::MAX_ZOOM, random: u64) {
            let rank = random % ((1 << (2 * z)) - 1);
            let (a, b) = (hilbert_position(z, rank), hilbert_position(z, rank + 1));
            prop_assert_eq!(a.0.abs_diff(b.0) + a.1.abs_diff(b.1), 1);
        }
    }
}
