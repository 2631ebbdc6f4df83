//! The messages of `vector_tile.proto`, decoded by prost.

use super::careful_fast_mvt::unzigzag;
use crate::columns::{ImageColumns, Interner};
use prost::Message;

/// Decodes the whole tile into messages, then walks them.
pub fn plain_prost(tile: &[u8], images: &mut ImageColumns) -> Option<()> {
    let tile = Tile::decode(tile).ok()?;
    let layer = tile.layers.iter().find(|layer| layer.name == "image")?;
    images.clear(layer.features.len());
    let mut interner = Interner::default();
    for feature in &layer.features {
        let [9, x, y] = feature.geometry[..] else {
            return None;
        };
        images.push_position(unzigzag(x), unzigzag(y));
        let mut row: [Option<&Value>; 7] = [None; 7];
        for pair in feature.tags.chunks(2) {
            let key = layer.keys.get(pair[0] as usize)?;
            if let Some(column) = KEYS.iter().position(|name| name == key) {
                row[column] = Some(layer.values.get(*pair.get(1)? as usize)?);
            }
        }
        images.id.push(row[0].and_then(integer));
        images.captured_at.push(row[1].and_then(integer));
        images
            .compass_angle
            .push(row[2].and_then(|value| value.double));
        images.is_pano.push(row[3].and_then(|value| value.boolean));
        let sequence = row[4].and_then(|value| value.string.as_deref());
        let sequence = sequence.map(|text| interner.intern(text, &mut images.strings));
        images.sequence_id.push(sequence);
        images.organization_id.push(row[5].and_then(integer));
        images.creator_id.push(row[6].and_then(integer));
    }
    Some(())
}

const KEYS: [&str; 7] = [
    "id",
    "captured_at",
    "compass_angle",
    "is_pano",
    "sequence_id",
    "organization_id",
    "creator_id",
];

fn integer(value: &Value) -> Option<i64> {
    value
        .int
        .or(value.sint)
        .or(value.uint.and_then(|integer| i64::try_from(integer).ok()))
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, optional, tag = "1")]
    string: Option<String>,
    #[prost(float, optional, tag = "2")]
    float: Option<f32>,
    #[prost(double, optional, tag = "3")]
    double: Option<f64>,
    #[prost(int64, optional, tag = "4")]
    int: Option<i64>,
    #[prost(uint64, optional, tag = "5")]
    uint: Option<u64>,
    #[prost(sint64, optional, tag = "6")]
    sint: Option<i64>,
    #[prost(bool, optional, tag = "7")]
    boolean: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
struct Feature {
    #[prost(uint32, repeated, tag = "2")]
    tags: Vec<u32>,
    #[prost(uint32, repeated, tag = "4")]
    geometry: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct Layer {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    features: Vec<Feature>,
    #[prost(string, repeated, tag = "3")]
    keys: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    values: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Tile {
    #[prost(message, repeated, tag = "3")]
    layers: Vec<Layer>,
}
