//! Map features: once each, in spatial order.

use super::images::positions_of_ranks;
use super::part::{Part, RawFeature};
use super::{checked_count, sorted_texts};
use crate::error::Error;
use crate::features::{FeatureColumns, Features, pack};
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
    let columns = columns(order.iter().map(|row| &kept[row.rank as usize]));
    Ok(Features {
        tree: pack(&columns),
        by_id: positions_of_ranks(&order),
        columns,
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

fn columns<'a>(features: impl Iterator<Item = &'a RawFeature>) -> FeatureColumns {
    let mut columns = FeatureColumns::default();
    for feature in features {
        columns.x.push(feature.point.x);
        columns.y.push(feature.point.y);
        columns.id.push(feature.id);
        columns.value.push(feature.value);
        columns.first_seen_at_ms.push(feature.first_seen_at_ms);
        columns.last_seen_at_ms.push(feature.last_seen_at_ms);
        columns.is_sign.push(is_sign(feature));
        columns.flags.push(if feature.id_is_exact {
            0
        } else {
            flag::INEXACT_ID
        });
    }
    columns
}
