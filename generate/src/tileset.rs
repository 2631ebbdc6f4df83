//! The tilesets of the service, and how each of them is made.

use tilesight_tile::TileId;

use crate::capture::Positions;
use crate::features::FeatureKind;
use crate::world::World;

/// Keys of the layers, separated by spaces.
const IMAGE_KEYS: &str =
    "captured_at compass_angle creator_id id is_pano organization_id sequence_id";
const COMPUTED_KEYS: &str =
    "captured_at compass_angle creator_id id is_pano organization_id quality_score sequence_id";
const SEQUENCE_KEYS: &str = "captured_at creator_id id image_id is_pano organization_id";
const FEATURE_KEYS: &str = "first_seen_at id last_seen_at value";

/// A tileset of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tileset {
    /// `mly1_public`: images and sequences, as recorded.
    Images,
    /// `mly1_computed_public`: the same, as reconstructed.
    Computed,
    /// `mly_map_feature_point`: objects.
    Points,
    /// `mly_map_feature_traffic_sign`: traffic signs.
    Signs,
}

impl Tileset {
    /// The name that the service gives it, and a folder of its tiles has.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Images => "mly1_public",
            Self::Computed => "mly1_computed_public",
            Self::Points => "mly_map_feature_point",
            Self::Signs => "mly_map_feature_traffic_sign",
        }
    }

    /// The layers and their keys, as an MBTiles archive describes them in JSON.
    pub(crate) fn vector_layers(self) -> String {
        let layers: &[(&str, &str)] = match self {
            Self::Images => &[("image", IMAGE_KEYS), ("sequence", SEQUENCE_KEYS)],
            Self::Computed => &[("image", COMPUTED_KEYS), ("sequence", SEQUENCE_KEYS)],
            Self::Points => &[("point", FEATURE_KEYS)],
            Self::Signs => &[("traffic_sign", FEATURE_KEYS)],
        };
        let layers: Vec<String> = layers
            .iter()
            .map(|(id, keys)| vector_layer(id, keys))
            .collect();
        format!(r#"{{"vector_layers":[{}]}}"#, layers.join(","))
    }
}

impl World {
    /// Encodes the tiles of a block, in the order of [`Block::tiles`](crate::Block::tiles).
    ///
    /// An empty tile comes as no bytes, or in a tileset of map features as one without features.
    ///
    /// # Panics
    ///
    /// When `number` is not less than [`block_count`](Self::block_count).
    pub fn encoded_block(&self, number: u32, tileset: Tileset) -> Vec<(TileId, Vec<u8>)> {
        let images = |positions| {
            let block = self.block(number, positions);
            block
                .tiles()
                .map(|tile| (tile.id(), tile.encode()))
                .collect()
        };
        let features = |kind| {
            let tiles = self.block_tiles(number).into_iter();
            tiles
                .map(|tile| (tile, self.feature_tile(tile, kind)))
                .collect()
        };
        match tileset {
            Tileset::Images => images(Positions::Recorded),
            Tileset::Computed => images(Positions::Computed),
            Tileset::Points => features(FeatureKind::Point),
            Tileset::Signs => features(FeatureKind::TrafficSign),
        }
    }
}

/// Describes one layer.
fn vector_layer(id: &str, keys: &str) -> String {
    let fields: Vec<String> = keys
        .split(' ')
        .map(|key| format!(r#""{key}":"{}""#, field_type(id, key)))
        .collect();
    format!(r#"{{"id":"{id}","fields":{{{}}}}}"#, fields.join(","))
}

fn field_type(layer: &str, key: &str) -> &'static str {
    match (layer, key) {
        (_, "is_pano") => "Boolean",
        (_, "sequence_id" | "value") | ("sequence", "id") => "String",
        _ => "Number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_described_as_json() {
        assert_eq!(
            Tileset::Signs.vector_layers(),
            r#"{"vector_layers":[{"id":"traffic_sign","fields":{"first_seen_at":"Number","id":"Number","last_seen_at":"Number","value":"String"}}]}"#
        );
        let images: serde_json::Value =
            serde_json::from_str(&Tileset::Images.vector_layers()).unwrap();
        assert_eq!(images["vector_layers"][1]["fields"]["id"], "String");
    }
}
