//! `mvt-reader` as its front page shows it.

use crate::columns::{ImageColumns, Interner};
use geo_types::Geometry;
use mvt_reader::Reader;
use mvt_reader::feature::Value;

/// Decodes into a list of features, each with a map of properties.
pub fn plain_mvt_reader(tile: &[u8], images: &mut ImageColumns) -> Option<()> {
    let reader = Reader::new(tile.to_vec()).ok()?;
    let names = reader.get_layer_names().ok()?;
    let index = names.iter().position(|name| name == "image")?;
    let features = reader.get_features_as::<i32>(index).ok()?;
    images.clear(features.len());
    let mut interner = Interner::default();
    for feature in &features {
        let Geometry::MultiPoint(points) = feature.get_geometry() else {
            return None;
        };
        let [point] = points.0[..] else {
            return None;
        };
        images.push_position(point.x(), point.y());
        let properties = feature.properties.as_ref()?;
        let value = |key| properties.get(key);
        images.id.push(value("id").and_then(integer));
        images
            .captured_at
            .push(value("captured_at").and_then(integer));
        images
            .compass_angle
            .push(value("compass_angle").and_then(real));
        images.is_pano.push(value("is_pano").and_then(boolean));
        let sequence = value("sequence_id").and_then(text);
        let sequence = sequence.map(|text| interner.intern(text, &mut images.strings));
        images.sequence_id.push(sequence);
        images
            .organization_id
            .push(value("organization_id").and_then(integer));
        images
            .creator_id
            .push(value("creator_id").and_then(integer));
    }
    Some(())
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Int(integer) | Value::SInt(integer) => Some(*integer),
        Value::UInt(integer) => i64::try_from(*integer).ok(),
        Value::Double(real) if real.fract() == 0.0 => Some(*real as i64),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn real(value: &Value) -> Option<f64> {
    match value {
        Value::Double(real) => Some(*real),
        Value::Float(real) => Some(f64::from(*real)),
        Value::Int(integer) | Value::SInt(integer) => Some(*integer as f64),
        Value::UInt(integer) => Some(*integer as f64),
        _ => None,
    }
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        _ => None,
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}
