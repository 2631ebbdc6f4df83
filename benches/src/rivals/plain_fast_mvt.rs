//! `fast-mvt` as its front page shows it.

use crate::columns::{ImageColumns, Interner};
use fast_mvt::{MvtGeometry, MvtReaderRef, MvtValueRef};

/// Decodes feature by feature, property by property.
pub fn plain_fast_mvt(tile: &[u8], images: &mut ImageColumns) -> Option<()> {
    let reader = MvtReaderRef::new(tile).ok()?;
    let layer = reader.layers().find(|layer| layer.name() == "image")?;
    images.clear(layer.feature_count());
    let mut interner = Interner::default();
    for feature in layer.features() {
        let MvtGeometry::Point(point) = feature.geometry().ok()? else {
            return None;
        };
        images.push_position(point.x(), point.y());
        let mut row = Row::default();
        for property in feature.properties() {
            let (key, value) = property.ok()?;
            match key {
                "id" => row.id = integer(value),
                "captured_at" => row.captured_at = integer(value),
                "compass_angle" => row.compass_angle = real(value),
                "is_pano" => row.is_pano = boolean(value),
                "sequence_id" => row.sequence_id = text(value),
                "organization_id" => row.organization_id = integer(value),
                "creator_id" => row.creator_id = integer(value),
                _ => {}
            }
        }
        let sequence = row
            .sequence_id
            .map(|text| interner.intern(text, &mut images.strings));
        images.id.push(row.id);
        images.captured_at.push(row.captured_at);
        images.compass_angle.push(row.compass_angle);
        images.is_pano.push(row.is_pano);
        images.sequence_id.push(sequence);
        images.organization_id.push(row.organization_id);
        images.creator_id.push(row.creator_id);
    }
    Some(())
}

#[derive(Default)]
struct Row<'a> {
    id: Option<i64>,
    captured_at: Option<i64>,
    compass_angle: Option<f64>,
    is_pano: Option<bool>,
    sequence_id: Option<&'a str>,
    organization_id: Option<i64>,
    creator_id: Option<i64>,
}

pub(super) fn integer(value: MvtValueRef<'_>) -> Option<i64> {
    match value {
        MvtValueRef::Int(integer) | MvtValueRef::SInt(integer) => Some(integer),
        MvtValueRef::UInt(integer) => i64::try_from(integer).ok(),
        MvtValueRef::Double(real) if real.fract() == 0.0 => Some(real as i64),
        MvtValueRef::String(text) => text.parse().ok(),
        _ => None,
    }
}

pub(super) fn real(value: MvtValueRef<'_>) -> Option<f64> {
    match value {
        MvtValueRef::Double(real) => Some(real),
        MvtValueRef::Float(real) => Some(f64::from(real)),
        MvtValueRef::Int(integer) | MvtValueRef::SInt(integer) => Some(integer as f64),
        MvtValueRef::UInt(integer) => Some(integer as f64),
        _ => None,
    }
}

pub(super) fn boolean(value: MvtValueRef<'_>) -> Option<bool> {
    match value {
        MvtValueRef::Bool(truth) => Some(truth),
        _ => None,
    }
}

pub(super) fn text(value: MvtValueRef<'_>) -> Option<&str> {
    match value {
        MvtValueRef::String(text) => Some(text),
        _ => None,
    }
}
