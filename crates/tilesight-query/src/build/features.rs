//! Map features: once each, in spatial order.

use super::images::positions_of_ranks;
use super::part::{Part, RawFeature};
use super::{checked_count, sorted_texts};
use crate::error::Error;
use crate::features::{FeatureColumns, FeatureIdOrder, Features, pack};
use crate::images::{NONE, flag};
use crate::index::{Ranked, sort_spatially};
use crate::query::FeatureKind;

/// Joins the map features of all parts.
pub(super) fn build(parts: &[Part]) -> Result<Features, Error> {
    let values = sorted_texts(parts.iter().flat_map(|part| part.values.values()));
    let mut all: Vec<RawFeature> = Vec::new();
    for part in parts {
        let numbers = part
            .values
            .renumbered(|value| values.find(value).unwrap_or(NONE));
        let renumbered = |feature: &RawFeature| RawFeature {
            value: numbers.of(feature.value),
            ..*feature
        };
        all.extend(part.features.iter().map(renumbered));
    }
    checked_count(all.len())?;
    let kept = once_each(all);
    let mut order = ranked(&kept);
    sort_spatially(&mut order);
    let rows: Vec<_> = order.iter().map(|row| &kept[row.rank as usize]).collect();
    let columns = columns_of(&rows);
    Ok(Features {
        tree: pack(&columns),
        id_order: FeatureIdOrder {
            row: positions_of_ranks(&order).into(),
        }
        .into(),
        table: columns.into(),
        values,
    })
}

/// Of each feature the most recently fetched, else the first; ascending by id, points before
/// signs.
fn once_each(mut all: Vec<RawFeature>) -> Vec<RawFeature> {
    let key = |feature: &RawFeature| (feature.id, is_sign(feature));
    all.sort_by_key(|feature| (key(feature), std::cmp::Reverse(feature.fetched_at_ms)));
    all.dedup_by_key(|feature| key(feature));
    all
}

fn is_sign(feature: &RawFeature) -> bool {
    feature.kind == FeatureKind::TrafficSign
}

fn ranked(kept: &[RawFeature]) -> Vec<Ranked> {
    let at = |(rank, feature): (u32, &RawFeature)| Ranked {
        x: feature.point.x,
        y: feature.point.y,
        rank,
    };
    (0..).zip(kept).map(at).collect()
}

fn columns_of(features: &[&RawFeature]) -> FeatureColumns {
    let each = features.iter();
    FeatureColumns {
        x: each.clone().map(|feature| feature.point.x).collect(),
        y: each.clone().map(|feature| feature.point.y).collect(),
        id: each.clone().map(|feature| feature.id).collect(),
        value: each.clone().map(|feature| feature.value).collect(),
        first_seen_at_ms: each
            .clone()
            .map(|feature| feature.first_seen_at_ms)
            .collect(),
        last_seen_at_ms: each
            .clone()
            .map(|feature| feature.last_seen_at_ms)
            .collect(),
        flags: each.map(|feature| flags_of(feature)).collect(),
    }
}

fn flags_of(feature: &RawFeature) -> u8 {
    let sign = if is_sign(feature) { flag::SIGN } else { 0 };
    let inexact = if feature.id_is_exact {
        0
    } else {
        flag::INEXACT_ID
    };
    sign | inexact
}
