//! What was there to be read, tileset by tileset.

use tilesight_tile::{Bbox, TileId};

use crate::coverage::{Coverage, Held};
use crate::schema::Tileset;

/// The tiles of one tileset that a source holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Holding {
    /// Which tileset.
    pub tileset: Tileset,
    /// Tiles that are there, of any zoom, whether or not anything is on them.
    pub tiles: Vec<TileId>,
    /// Everything within this box is there too: declared by an archive without a ledger.
    pub bounds: Option<Bbox>,
    /// Tiles that are there and could not be read; they count as missing.
    pub failed: Vec<FailedTile>,
}

/// A tile that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedTile {
    /// Which tile.
    pub tile: TileId,
    /// Why, in a sentence.
    pub reason: String,
}

impl Holding {
    /// No tile of a tileset.
    pub const fn nothing(tileset: Tileset) -> Self {
        Self {
            tileset,
            tiles: Vec::new(),
            bounds: None,
            failed: Vec::new(),
        }
    }

    /// Every tile of the world, for images.
    pub(super) fn world() -> Self {
        Self {
            bounds: Some(Bbox::WORLD),
            ..Self::nothing(Tileset::Images)
        }
    }
}

/// Joins holdings; several of one tileset add up.
pub(super) fn coverage(holdings: &[Holding]) -> Coverage {
    let mut coverage = Coverage::default();
    for tileset in Tileset::ALL {
        let (mut tiles, mut failed, mut bounds) = (Vec::new(), Vec::new(), Vec::new());
        let mut is_there = false;
        for holding in holdings.iter().filter(|holding| holding.tileset == tileset) {
            is_there = true;
            tiles.extend_from_slice(&holding.tiles);
            failed.extend_from_slice(&holding.failed);
            bounds.extend(holding.bounds);
        }
        if is_there {
            coverage.set(tileset, Held::new(&tiles, &bounds, failed));
        }
    }
    coverage
}
