//! Tiles of shallow zooms: points of sequences up to zoom 5, their lines from there on.

use std::collections::HashSet;

use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};
use tilesight_tile::TileId;

use crate::capture::{Captures, Positions, Sequence};
use crate::tile::{Ids, tile_point, write_sequence};
use crate::world::{IMAGE_ZOOM, World};

/// Deepest zoom of the layer `overview`.
const OVERVIEW_ZOOM: u8 = 5;

impl World {
    /// Encodes a tile above the image tiles: layer `overview` to zoom 5, layer `sequence` to 13.
    ///
    /// # Returns
    ///
    /// A vector tile, not compressed; no bytes where it is empty. Of the sequences that begin in
    /// one pixel the overview shows one.
    ///
    /// # Cost
    ///
    /// That of generating all image tiles below it, one after another.
    ///
    /// # Panics
    ///
    /// When the tile is one of the image tiles, or deeper.
    pub fn shallow_tile(&self, tile: TileId) -> Vec<u8> {
        assert!(tile.z() < IMAGE_ZOOM, "{tile} is not above the image tiles");
        let layer = if tile.z() <= OVERVIEW_ZOOM {
            self.overview_layer(tile)
        } else {
            self.line_layer(tile)
        };
        let mut writer = TileWriter::new();
        if !layer.is_empty() {
            writer.push(layer);
        }
        writer.finish()
    }

    fn overview_layer(&self, tile: TileId) -> LayerWriter {
        let mut layer = LayerWriter::new("overview");
        let mut shown = HashSet::new();
        self.for_each_capture_near(tile, |captures| {
            for sequence in &captures.sequences {
                let first = sequence.first_shot.at;
                let is_inside = tile.grid_box().contains(first.grid_point());
                if is_inside && shown.insert(tile_point(first, tile)) {
                    layer.point(tile_point(first, tile), &overview_properties(sequence));
                }
            }
        });
        layer
    }

    fn line_layer(&self, tile: TileId) -> LayerWriter {
        let mut layer = LayerWriter::new("sequence");
        self.for_each_capture_near(tile, |captures| {
            for sequence in &captures.sequences {
                write_sequence(
                    &mut layer,
                    sequence,
                    captures.line(sequence),
                    tile,
                    Ids::Integers,
                );
            }
        });
        layer
    }

    /// Generates, one by one, the cells that lie in a tile or touch it.
    fn for_each_capture_near(&self, tile: TileId, mut visit: impl FnMut(&Captures)) {
        let levels = IMAGE_ZOOM - tile.z();
        let near = |tile: u32, first: u32| {
            let (start, end) = (tile << levels, (tile + 1) << levels);
            start.saturating_sub(first + 1)..(end + 1).saturating_sub(first)
        };
        for cell in self.cells(near(tile.x(), self.first_x), near(tile.y(), self.first_y)) {
            let mut captures = Captures::default();
            captures.add_cell(self, cell, Positions::Recorded);
            visit(&captures);
        }
    }
}

fn overview_properties(sequence: &Sequence) -> [(&'static str, Value<'_>); 4] {
    [
        (
            "captured_at",
            Value::Int(sequence.first_shot.captured_at_ms.unwrap_or(0)),
        ),
        ("id", Value::Int(sequence.first_shot.id)),
        ("is_pano", Value::Bool(sequence.is_pano)),
        ("sequence_id", Value::String(sequence.id.as_str())),
    ]
}
