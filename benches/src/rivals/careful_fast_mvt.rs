//! `fast-mvt` as fast as its public interface allows: keys resolved once, values turned into a
//! flat table once, geometry and tags read from the raw integers, strings interned once a value.

use super::plain_fast_mvt::{boolean, integer, real, text};
use crate::columns::{ImageColumns, Interner};
use fast_mvt::{MvtReaderRef, MvtValueRef};

/// No such value.
const NONE: usize = usize::MAX;

/// Decodes through tables.
pub fn careful_fast_mvt(tile: &[u8], images: &mut ImageColumns) -> Option<()> {
    let reader = MvtReaderRef::new(tile).ok()?;
    let layer = reader.layers().find(|layer| layer.name() == "image")?;
    let columns: Vec<usize> = layer.keys().iter().map(|key| column(key)).collect();
    let values: Vec<MvtValueRef<'_>> = layer.values().collect();
    let mut interned = vec![u32::MAX; values.len()];
    let mut interner = Interner::default();
    images.clear(layer.feature_count());
    for feature in layer.features() {
        let &[9, x, y] = feature.geometry_commands() else {
            return None;
        };
        images.push_position(unzigzag(x), unzigzag(y));
        let mut row = [NONE; 8];
        let (pairs, []) = feature.tags().as_chunks::<2>() else {
            return None;
        };
        for &[key, value] in pairs {
            row[*columns.get(key as usize)?] = value as usize;
        }
        let value = |column: usize| values.get(row[column]).copied();
        images.id.push(value(0).and_then(integer));
        images.captured_at.push(value(1).and_then(integer));
        images.compass_angle.push(value(2).and_then(real));
        images.is_pano.push(value(3).and_then(boolean));
        let sequence = value(4).and_then(text).map(|text| {
            let number = &mut interned[row[4]];
            if *number == u32::MAX {
                *number = interner.intern(text, &mut images.strings);
            }
            *number
        });
        images.sequence_id.push(sequence);
        images.organization_id.push(value(5).and_then(integer));
        images.creator_id.push(value(6).and_then(integer));
    }
    Some(())
}

/// The column of a key; the last one is for those of no interest.
fn column(key: &str) -> usize {
    match key {
        "id" => 0,
        "captured_at" => 1,
        "compass_angle" => 2,
        "is_pano" => 3,
        "sequence_id" => 4,
        "organization_id" => 5,
        "creator_id" => 6,
        _ => 7,
    }
}

pub(super) fn unzigzag(integer: u32) -> i32 {
    (integer >> 1) as i32 ^ -((integer & 1) as i32)
}
