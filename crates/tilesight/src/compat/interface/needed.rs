//! Which tiles a question is about.

use tilesight_fetch::{TileKey, Tileset};
use tilesight_query::FeatureKind;
use tilesight_store::StoredTile;
use tilesight_tile::{
    Bbox, CoverError, LonLat, Region, TileRows, cover_bbox, cover_circle, cover_region,
};

use crate::fetching::MAX_TILES;

/// Tiles of some tilesets at the zoom that has everything.
#[derive(Debug, Clone)]
pub(super) struct Needed {
    pub(super) tilesets: &'static [Tileset],
    pub(super) tiles: TileRows,
}

/// The tilesets of a question for images or sequences.
pub(super) const OF_IMAGES: &[Tileset] = &[Tileset::Images];

/// The tilesets of a question for map features.
pub(super) const fn of_features(kind: Option<FeatureKind>) -> &'static [Tileset] {
    match kind {
        Some(FeatureKind::Point) => &[Tileset::Points],
        Some(FeatureKind::TrafficSign) => &[Tileset::Signs],
        None => &[Tileset::Points, Tileset::Signs],
    }
}

impl Needed {
    pub(super) fn of_bbox(tilesets: &'static [Tileset], bbox: &Bbox) -> Result<Self, CoverError> {
        let tiles = cover_bbox(Tileset::DATA_ZOOM, bbox, MAX_TILES)?;
        Ok(Self { tilesets, tiles })
    }

    pub(super) fn of_region(
        tilesets: &'static [Tileset],
        region: &Region,
    ) -> Result<Self, CoverError> {
        let tiles = cover_region(Tileset::DATA_ZOOM, region, MAX_TILES)?;
        Ok(Self { tilesets, tiles })
    }

    pub(super) fn of_circle(centre: LonLat, radius_m: f64) -> Result<Self, CoverError> {
        let tiles = cover_circle(Tileset::DATA_ZOOM, centre, radius_m, MAX_TILES)?;
        Ok(Self {
            tilesets: OF_IMAGES,
            tiles,
        })
    }

    /// The tiles as they are asked of the service.
    pub(super) fn keys(&self) -> Vec<TileKey> {
        let of_tileset = |&tileset| self.tiles.iter().map(move |id| TileKey { tileset, id });
        self.tilesets.iter().flat_map(of_tileset).collect()
    }

    /// The tiles as they lie in a store.
    pub(super) fn stored(&self) -> Vec<StoredTile> {
        self.keys().into_iter().map(stored).collect()
    }
}

/// A tile as it lies in a store.
pub(super) fn stored(tile: TileKey) -> StoredTile {
    StoredTile {
        tileset: Some(tile.tileset.name()),
        id: tile.id,
    }
}
