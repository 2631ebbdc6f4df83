//! Map features: once each, in spatial order.

use bytemuck::{Pod, Zeroable};
use tilesight_tile::GridPoint;

use super::names::sorted_texts;
use super::order::{Key, RawRow, RawRows};
use super::part::{Interner, Part, RawFeature};
use crate::error::Error;
use crate::features::{FeatureColumns, FeatureIdOrder, Features, pack};
use crate::images::{NONE, flag};
use crate::query::FeatureKind;
use crate::scratch::{Scratch, Spool};

/// A map feature as its tile has it, its value numbered in the order in which they came.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Row {
    id: i64,
    first_seen_at_ms: i64,
    last_seen_at_ms: i64,
    x: u32,
    y: u32,
    value: u32,
    flags: u32,
}

impl RawRow for Row {
    fn point(&self) -> GridPoint {
        GridPoint {
            x: self.x,
            y: self.y,
        }
    }

    /// Points come before signs of the same id.
    fn key(&self) -> Key {
        Key::new(self.id, self.flags & u32::from(flag::SIGN))
    }
}

impl Row {
    fn new(feature: &RawFeature, value: u32) -> Self {
        let sign = if feature.kind == FeatureKind::TrafficSign {
            flag::SIGN
        } else {
            0
        };
        let inexact = if feature.id_is_exact {
            0
        } else {
            flag::INEXACT_ID
        };
        Self {
            id: feature.id,
            first_seen_at_ms: feature.first_seen_at_ms,
            last_seen_at_ms: feature.last_seen_at_ms,
            x: feature.point.x,
            y: feature.point.y,
            value,
            flags: u32::from(sign | inexact),
        }
    }
}

/// Collects the map features of parts.
pub(super) struct FeaturesBuilder {
    rows: RawRows<Row>,
    values: Interner<Box<str>>,
}

impl FeaturesBuilder {
    pub(super) fn new(scratch: &Scratch) -> Self {
        Self {
            rows: RawRows::new(scratch),
            values: Interner::default(),
        }
    }

    pub(super) fn add(&mut self, part: &Part) -> Result<(), Error> {
        let values = part
            .values
            .renumbered(|value| self.values.number_of_text(value));
        for of_tile in part
            .features
            .chunk_by(|a, b| a.fetched_at_ms == b.fetched_at_ms)
        {
            let rows: Vec<Row> = of_tile
                .iter()
                .map(|feature| Row::new(feature, values.of(feature.value)))
                .collect();
            self.rows.extend(of_tile[0].fetched_at_ms, &rows)?;
        }
        Ok(())
    }

    pub(super) fn finish(self, scratch: &Scratch) -> Result<Features, Error> {
        let values = sorted_texts(self.values.values());
        let numbers = self
            .values
            .renumbered(|value| values.find(value).unwrap_or(NONE));
        let mut rows = Spool::new(scratch);
        self.rows
            .finish(scratch, |cell| rows.extend(cell.iter().copied()))?;
        let rows = rows.finish()?;
        let columns = FeatureColumns {
            x: rows.iter().map(|row| row.x).collect(),
            y: rows.iter().map(|row| row.y).collect(),
            id: rows.iter().map(|row| row.id).collect(),
            value: rows.iter().map(|row| numbers.of(row.value)).collect(),
            first_seen_at_ms: rows.iter().map(|row| row.first_seen_at_ms).collect(),
            last_seen_at_ms: rows.iter().map(|row| row.last_seen_at_ms).collect(),
            flags: rows.iter().map(|row| row.flags as u8).collect(),
        };
        Ok(Features {
            tree: pack(&columns, scratch)?,
            id_order: FeatureIdOrder {
                row: by_key(&rows).into(),
            }
            .into(),
            table: columns.into(),
            values,
        })
    }
}

/// The numbers of rows in ascending order of their keys.
fn by_key(rows: &[Row]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    order.sort_unstable_by_key(|&row| rows[row as usize].key());
    order
}
