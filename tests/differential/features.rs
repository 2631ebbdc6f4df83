//! Questions about map features.

use std::collections::HashMap;

use tilesight_query::build::ImageRow;
use tilesight_query::{Dataset, FeatureKind, FeatureQuery, MapFeature, Place};
use tilesight_tile::LonLat;

use super::question::{ids_asked_for, limit, period, place};
use super::random::Random;
use super::rules::{ImageFacts, facts_of, in_place, in_time, is_among, known_time};
use super::runner::run;
use super::world::{RawFeature, RawImage, VALUES, World, scattered};

const CASES: usize = 20_000;

const QUESTIONS: usize = 100;

#[test]
fn features_are_those_of_brute_force() {
    run(CASES, |random, case| {
        let world = scattered(random);
        let (data, rows) = (world.build(), features_of(&world));
        let anchors = world.anchors(random);
        let ids: Vec<i64> = rows.iter().map(|row| row.feature.id).collect();
        let order = everything(&data);
        assert_eq!(order.len(), rows.len());
        for _ in 0..QUESTIONS {
            let query = feature_query(random, &anchors, &ids);
            case.ask(&query);
            check(&data, &rows, &order, &query);
        }
        QUESTIONS
    });
}

/// A map feature after rules 5 and 8.
struct FeatureFacts {
    position: ImageFacts,
    feature: MapFeature<'static>,
}

/// Rule 8 for each kind, ascending by id.
fn features_of(world: &World) -> Vec<FeatureFacts> {
    let mut newest: HashMap<(i64, FeatureKind), (Option<i64>, &RawFeature)> = HashMap::new();
    for tile in &world.tiles {
        for raw in &tile.features {
            let kept = newest
                .entry((raw.row.id, raw.row.kind))
                .or_insert((tile.fetched_at_ms, raw));
            if tile.fetched_at_ms > kept.0 {
                *kept = (tile.fetched_at_ms, raw);
            }
        }
    }
    let mut facts: Vec<FeatureFacts> = newest.into_values().map(|(_, raw)| of_raw(raw)).collect();
    facts.sort_by_key(|facts| facts.feature.id);
    facts
}

fn of_raw(raw: &RawFeature) -> FeatureFacts {
    let row = raw.row;
    let position = row.point.to_lon_lat();
    let as_image = RawImage {
        row: ImageRow::at(row.point, row.id),
        sequence: None,
    };
    FeatureFacts {
        position: facts_of(&as_image),
        feature: MapFeature {
            id: row.id,
            id_is_exact: row.id_is_exact,
            kind: row.kind,
            value: raw.value,
            lon: position.lon(),
            lat: position.lat(),
            first_seen_at_ms: row.first_seen_at_ms.and_then(known_time),
            last_seen_at_ms: row.last_seen_at_ms.and_then(known_time),
            distance_m: None,
        },
    }
}

/// Where each feature stands in the dataset's own order.
fn everything(data: &Dataset) -> HashMap<(i64, FeatureKind), usize> {
    let all = data.features(&FeatureQuery::default()).unwrap();
    let keys = all.iter().map(|feature| (feature.id, feature.kind));
    keys.enumerate().map(|(at, key)| (key, at)).collect()
}

fn feature_query(random: &mut Random, anchors: &[LonLat], ids: &[i64]) -> FeatureQuery {
    let kinds = [
        None,
        None,
        Some(FeatureKind::Point),
        Some(FeatureKind::TrafficSign),
    ];
    let mut date = || random.one_in(6).then(|| period(random));
    FeatureQuery {
        first_seen_since: date(),
        first_seen_until: date(),
        last_seen_since: date(),
        last_seen_until: date(),
        place: place_of_features(random, anchors, ids.len()),
        kind: random.pick(&kinds),
        values: if random.one_in(2) {
            values(random)
        } else {
            vec![]
        },
        ids: if random.one_in(6) {
            ids_asked_for(random, ids)
        } else {
            vec![]
        },
        limit: limit(random, ids.len()),
        allow_partial: random.one_in(2),
    }
}

fn place_of_features(random: &mut Random, anchors: &[LonLat], rows: usize) -> Place {
    loop {
        let place = place(random, anchors, rows);
        if !matches!(place, Place::LookingAt { .. }) {
            return place;
        }
    }
}

/// Whole values and beginnings of values, cut between any two characters.
fn values(random: &mut Random) -> Vec<String> {
    (0..=random.below(3))
        .map(|_| {
            let value = random.pick(&VALUES);
            let letters = value.chars().count();
            match random.below(3) {
                0 => value.to_owned(),
                1 => format!("{value}*"),
                _ => {
                    let start: String = value.chars().take(random.below(letters + 1)).collect();
                    start + "*"
                }
            }
        })
        .collect()
}

fn check(
    data: &Dataset,
    rows: &[FeatureFacts],
    order: &HashMap<(i64, FeatureKind), usize>,
    query: &FeatureQuery,
) {
    let expected = expected(rows, order, query);
    let selection = data.features(query).unwrap();
    assert_eq!(selection.iter().collect::<Vec<_>>(), expected);
    assert_eq!(selection.len(), expected.len());
    assert!(
        selection
            .ids()
            .eq(expected.iter().map(|feature| feature.id))
    );
}

fn expected(
    rows: &[FeatureFacts],
    order: &HashMap<(i64, FeatureKind), usize>,
    query: &FeatureQuery,
) -> Vec<MapFeature<'static>> {
    let mut expected: Vec<MapFeature<'static>> = rows
        .iter()
        .filter(|facts| passes(query, &facts.feature))
        .filter_map(|facts| {
            let distance_m = in_place(&query.place, &facts.position)?.distance_m;
            Some(MapFeature {
                distance_m,
                ..facts.feature
            })
        })
        .collect();
    let place_of = |feature: &MapFeature<'_>| order[&(feature.id, feature.kind)];
    expected.sort_by(|a, b| match (a.distance_m, b.distance_m) {
        (Some(a_m), Some(b_m)) => (a_m.total_cmp(&b_m))
            .then(a.id.cmp(&b.id))
            .then(place_of(a).cmp(&place_of(b))),
        _ => place_of(a).cmp(&place_of(b)),
    });
    if let Place::Nearest { k, .. } = query.place {
        expected.truncate(k);
    }
    expected.truncate(query.limit.unwrap_or(usize::MAX));
    expected
}

fn passes(query: &FeatureQuery, feature: &MapFeature<'_>) -> bool {
    let matches = |wanted: &String| match wanted.strip_suffix('*') {
        Some(start) => feature.value.is_some_and(|value| value.starts_with(start)),
        None => feature.value == Some(wanted),
    };
    query.kind.is_none_or(|kind| feature.kind == kind)
        && (query.values.is_empty() || query.values.iter().any(matches))
        && in_time(
            query.first_seen_since,
            query.first_seen_until,
            feature.first_seen_at_ms,
        )
        && in_time(
            query.last_seen_since,
            query.last_seen_until,
            feature.last_seen_at_ms,
        )
        && is_among(&query.ids, Some(feature.id))
}
