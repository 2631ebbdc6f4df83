//! Image tiles, encoded as the service does it.

use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};
use tilesight_tile::TileId;

use crate::block::TileView;
use crate::capture::{Pixel, Positions, Sequence, Shot};
use crate::line::{TilePoint, clip};
use crate::random::{hash, topic, unit};
use crate::roads::Point;
use crate::world::{IMAGE_ZOOM, TILE_PIXELS};

/// Share of the tiles whose ids come as doubles, as some do since 2026.
const DOUBLE_ID_SHARE: f64 = 0.06;

impl TileView<'_> {
    /// Encodes the tile's layers `image` and `sequence`.
    ///
    /// # Returns
    ///
    /// A vector tile, not compressed; no bytes at all where the tile is empty.
    ///
    /// # Source
    ///
    /// Images lie within 0…4095 in random order, lines within 0…4096 and in capture order. An
    /// unknown time is 0, an unknown heading absent or −1, and what else is unknown is absent. In
    /// some tiles the order of the layers is the other one, in few every id is a double.
    pub fn encode(self) -> Vec<u8> {
        let draw = |topic: u64| {
            unit(hash(&[
                self.seed,
                topic,
                self.id.x().into(),
                self.id.y().into(),
            ]))
        };
        let ids = if draw(topic::ID_TYPE) < DOUBLE_ID_SHARE {
            Ids::Doubles
        } else {
            Ids::Integers
        };
        let mut layers = vec![self.sequence_layer(ids), self.image_layer(ids)];
        if draw(topic::LAYER_ORDER) < 0.3 {
            layers.reverse();
        }
        let mut tile = TileWriter::new();
        for layer in layers.into_iter().filter(|layer| !layer.is_empty()) {
            tile.push(layer);
        }
        tile.finish()
    }

    fn image_layer(self, ids: Ids) -> LayerWriter {
        let mut layer = LayerWriter::new("image");
        let mut properties = Vec::with_capacity(8);
        for shot in self.shots {
            let sequence = &self.captures.sequences[shot.sequence as usize];
            properties.clear();
            image_properties(shot, sequence, ids, self.positions, &mut properties);
            layer.point(tile_point(shot.at, self.id), &properties);
        }
        layer
    }

    fn sequence_layer(self, ids: Ids) -> LayerWriter {
        let mut layer = LayerWriter::new("sequence");
        for sequence in &self.captures.sequences {
            write_sequence(
                &mut layer,
                sequence,
                self.captures.line(sequence),
                self.id,
                ids,
            );
        }
        layer
    }
}

/// How ids are written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ids {
    Integers,
    Doubles,
}

impl Ids {
    fn value(self, id: i64) -> Value<'static> {
        match self {
            Self::Integers => Value::Int(id),
            Self::Doubles => Value::Double(id as f64),
        }
    }
}

/// Writes what a tile holds of a sequence's line, if anything.
pub(crate) fn write_sequence(
    layer: &mut LayerWriter,
    sequence: &Sequence,
    line: &[Point],
    tile: TileId,
    ids: Ids,
) {
    let parts = clip(line, tile);
    if parts.is_empty() {
        return;
    }
    let mut properties = vec![(
        "captured_at",
        Value::Int(sequence.first_shot.captured_at_ms.unwrap_or(0)),
    )];
    properties.extend(sequence.creator_id.map(|id| ("creator_id", ids.value(id))));
    properties.push(("id", Value::String(sequence.id.as_str())));
    properties.push(("image_id", ids.value(sequence.first_shot.id)));
    properties.push(("is_pano", Value::Bool(sequence.is_pano)));
    properties.extend(
        sequence
            .organization_id
            .map(|id| ("organization_id", ids.value(id))),
    );
    layer.lines(&parts, &properties);
}

/// Lists the properties of an image in the order of their keys.
fn image_properties<'a>(
    shot: &Shot,
    sequence: &'a Sequence,
    ids: Ids,
    positions: Positions,
    properties: &mut Vec<(&'static str, Value<'a>)>,
) {
    properties.push(("captured_at", Value::Int(shot.captured_at_ms.unwrap_or(0))));
    properties.extend(compass_angle(shot).map(|angle| ("compass_angle", Value::Double(angle))));
    properties.extend(sequence.creator_id.map(|id| ("creator_id", ids.value(id))));
    properties.push(("id", ids.value(shot.id)));
    properties.push(("is_pano", Value::Bool(sequence.is_pano)));
    properties.extend(
        sequence
            .organization_id
            .map(|id| ("organization_id", ids.value(id))),
    );
    if positions == Positions::Computed {
        let quality_score = unit(hash(&[shot.id as u64, topic::QUALITY]));
        properties.push(("quality_score", Value::Double(quality_score)));
    }
    properties.push(("sequence_id", Value::String(sequence.id.as_str())));
}

/// An unknown heading is absent or −1; both are seen.
fn compass_angle(shot: &Shot) -> Option<f64> {
    let unknown = (shot.id % 2 == 0).then_some(-1.0);
    shot.compass_angle_deg.or(unknown)
}

/// Where a pixel lies in a tile of its zoom or of a shallower one.
pub(crate) fn tile_point(at: Pixel, tile: TileId) -> TilePoint {
    let levels = IMAGE_ZOOM - tile.z();
    let within = |at: u32, tile: u32| ((at >> levels) - tile * TILE_PIXELS) as i32;
    (within(at.x, tile.x()), within(at.y, tile.y()))
}
