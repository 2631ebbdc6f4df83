//! Tile addresses.

use std::fmt;
use std::str::FromStr;

use crate::grid::{lat_of_edge, lon_of_edge};
use crate::{Error, GridBox, GridPoint};

/// The address of a tile: zoom, column, row (row 0 in the north), checked when it is made.
///
/// Tiles are ordered by zoom, then row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TileId {
    z: u8,
    x: u32,
    y: u32,
}

impl TileId {
    /// Deepest zoom a tile can have.
    pub const MAX_ZOOM: u8 = 30;

    /// Checks a tile address.
    ///
    /// # Errors
    ///
    /// [`Error::TileId`] when `z` is beyond [`MAX_ZOOM`](Self::MAX_ZOOM) or `x` or `y` is not
    /// less than 2ᶻ.
    pub const fn new(z: u8, x: u32, y: u32) -> Result<Self, Error> {
        if z > Self::MAX_ZOOM || x >> z != 0 || y >> z != 0 {
            return Err(Error::TileId { z, x, y });
        }
        Ok(Self { z, x, y })
    }

    /// Finds the tile of a zoom that holds a position.
    ///
    /// # Panics
    ///
    /// When `z` is beyond [`MAX_ZOOM`](Self::MAX_ZOOM).
    pub const fn containing(z: u8, point: GridPoint) -> Self {
        assert!(z <= Self::MAX_ZOOM, "a tile's zoom is at most 30");
        let shift = 32 - z as u32;
        // At zoom 0 the shift is by the whole width.
        Self {
            z,
            x: (point.x as u64 >> shift) as u32,
            y: (point.y as u64 >> shift) as u32,
        }
    }

    /// Zoom.
    pub const fn z(self) -> u8 {
        self.z
    }

    /// Column, from the west.
    pub const fn x(self) -> u32 {
        self.x
    }

    /// Row, from the north.
    pub const fn y(self) -> u32 {
        self.y
    }

    /// Length of the tile's side in grid units: 2¹⁸ at zoom 14.
    pub const fn side(self) -> u64 {
        1 << (32 - self.z as u32)
    }

    /// The tile's north-western grid position.
    pub const fn origin(self) -> GridPoint {
        GridPoint {
            x: (self.x as u64 * self.side()) as u32,
            y: (self.y as u64 * self.side()) as u32,
        }
    }

    /// The grid positions that belong to the tile, and to no other of its zoom.
    pub const fn grid_box(self) -> GridBox {
        let GridPoint { x, y } = self.origin();
        let last = (self.side() - 1) as u32;
        GridBox {
            min_x: x,
            min_y: y,
            max_x: x + last,
            max_y: y + last,
        }
    }

    /// The edges in degrees: west, south, east, north; those of neighbours are equal.
    ///
    /// ```
    /// use tilesight_tile::TileId;
    ///
    /// let [west, south, east, north] = TileId::new(1, 1, 0)?.edges_deg();
    /// assert_eq!([west, south, east], [0.0, 0.0, 180.0]);
    /// assert_eq!(format!("{north:.4}"), "85.0511");
    /// # Ok::<(), tilesight_tile::Error>(())
    /// ```
    pub fn edges_deg(self) -> [f64; 4] {
        let edge = |number: u32| u64::from(number) * self.side();
        [
            lon_of_edge(edge(self.x)),
            lat_of_edge(edge(self.y + 1)),
            lon_of_edge(edge(self.x + 1)),
            lat_of_edge(edge(self.y)),
        ]
    }

    /// The tile of a shallower zoom that holds this one; itself at its own zoom, none deeper.
    pub const fn ancestor(self, z: u8) -> Option<Self> {
        if z > self.z {
            return None;
        }
        let levels = self.z - z;
        Some(Self {
            z,
            x: self.x >> levels,
            y: self.y >> levels,
        })
    }
}

impl Ord for TileId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.z, self.y, self.x).cmp(&(other.z, other.y, other.x))
    }
}

impl PartialOrd for TileId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.z, self.x, self.y)
    }
}

impl FromStr for TileId {
    type Err = ParseTileIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseTileIdError(text.to_owned());
        let mut numbers = text.split('/').map(str::parse::<u32>);
        let mut next = || numbers.next()?.ok();
        let (Some(z), Some(x), Some(y), None) = (next(), next(), next(), next()) else {
            return Err(error());
        };
        u8::try_from(z)
            .ok()
            .and_then(|z| Self::new(z, x, y).ok())
            .ok_or_else(error)
    }
}

/// A text that is not `z/x/y`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a tile: zoom/column/row, as 14/9326/4742")]
pub struct ParseTileIdError(String);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_checked() {
        assert!(TileId::new(14, 16383, 0).is_ok());
        assert_eq!(
            TileId::new(14, 16384, 0),
            Err(Error::TileId {
                z: 14,
                x: 16384,
                y: 0
            })
        );
        assert!(TileId::new(31, 0, 0).is_err());
        assert!("14/1/2".parse::<TileId>().is_ok());
        for wrong in ["14/1", "14/1/2/3", "14/x/2", "14/16384/0", "300/0/0", ""] {
            assert_eq!(wrong.parse::<TileId>(), Err(ParseTileIdError(wrong.into())));
        }
    }

    #[test]
    fn the_world_tile_is_the_world() {
        assert_eq!(TileId::new(0, 0, 0).unwrap().grid_box(), GridBox::WORLD);
    }

    proptest! {
        #[test]
        fn a_position_lies_in_its_tile(x: u32, y: u32, z in 0..=TileId::MAX_ZOOM) {
            let point = GridPoint { x, y };
            let tile = TileId::containing(z, point);
            prop_assert!(tile.grid_box().contains(point));
            prop_assert_eq!(tile.to_string().parse::<TileId>().unwrap(), tile);
            let parent = tile.ancestor(z / 2).unwrap();
            prop_assert_eq!(parent, TileId::containing(z / 2, point));
        }
    }
}
