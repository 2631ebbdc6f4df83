//! Questions about images.

use std::collections::{BTreeMap, HashMap};

use tilesight_query::{Dataset, GroupBy, Image, ImageQuery, Kind, Place};

use super::calendar::date_of;
use super::question::image_query;
use super::random::Random;
use super::rules::{ImageFacts, images_of, in_place, passes};
use super::runner::{Case, run};
use super::world::scattered;

const CASES: usize = 60_000;

/// Questions for each world.
const QUESTIONS: usize = 120;

const GROUPS: [GroupBy; 6] = [
    GroupBy::Day,
    GroupBy::Month,
    GroupBy::Year,
    GroupBy::Organization,
    GroupBy::Creator,
    GroupBy::Kind,
];

#[test]
fn images_are_those_of_brute_force() {
    run(CASES, |random, case| {
        let world = scattered(random);
        let (data, rows) = (world.build(), images_of(&world));
        let anchors = world.anchors(random);
        let mut ids: Vec<i64> = rows.keys().copied().collect();
        ids.sort_unstable();
        let everything = everything(&data);
        assert_eq!(everything.len(), rows.len());
        let queries: Vec<ImageQuery> = (0..QUESTIONS)
            .map(|_| image_query(random, &anchors, &ids))
            .collect();
        for query in &queries {
            case.ask(query);
            check(&data, &rows, &everything, query, random);
        }
        check_batch(&data, &queries, case);
        QUESTIONS
    });
}

/// Where each image stands in the dataset's own order.
fn everything(data: &Dataset) -> HashMap<i64, usize> {
    let all = data.images(&ImageQuery::default()).unwrap();
    all.ids().enumerate().map(|(at, id)| (id, at)).collect()
}

fn check(
    data: &Dataset,
    rows: &HashMap<i64, ImageFacts>,
    order: &HashMap<i64, usize>,
    query: &ImageQuery,
    random: &mut Random,
) {
    let expected = expected(rows, order, query);
    let selection = data.images(query).unwrap();
    let found: Vec<Image<'_>> = selection.iter().collect();
    assert_eq!(found, expected);
    assert_eq!(selection.len(), expected.len());
    assert!(selection.ids().eq(expected.iter().map(|image| image.id)));
    assert_eq!(data.count_images(query).unwrap(), expected.len() as u64);
    let by = random.pick(&GROUPS);
    check_groups(data, &expected, query, by);
}

/// The answer in its order: the dataset's own, or by (distance, id).
fn expected(
    rows: &HashMap<i64, ImageFacts>,
    order: &HashMap<i64, usize>,
    query: &ImageQuery,
) -> Vec<Image<'static>> {
    let mut expected: Vec<Image<'static>> = rows
        .values()
        .filter(|facts| passes(&query.filter, &facts.image))
        .filter_map(|facts| in_place(&query.place, facts))
        .collect();
    expected.sort_by(|a, b| match (a.distance_m, b.distance_m) {
        (Some(a_m), Some(b_m)) => a_m.total_cmp(&b_m).then(a.id.cmp(&b.id)),
        _ => order[&a.id].cmp(&order[&b.id]),
    });
    if let Place::Nearest { k, .. } = query.place {
        expected.truncate(k);
    }
    expected.truncate(query.limit.unwrap_or(usize::MAX));
    expected
}

fn check_groups(data: &Dataset, expected: &[Image<'_>], query: &ImageQuery, by: GroupBy) {
    let mut known: BTreeMap<Vec<i64>, (String, u64)> = BTreeMap::new();
    let mut unknown = 0;
    for image in expected {
        match group_of(image, by) {
            Some((key, name)) => known.entry(key).or_insert((name, 0)).1 += 1,
            None => unknown += 1,
        }
    }
    let mut lines: Vec<String> = known
        .into_values()
        .map(|(name, count)| format!("{name}: {count}"))
        .collect();
    if unknown > 0 {
        lines.push(format!("unknown: {unknown}"));
    }
    let counts = data.count_images_by(query, by).unwrap();
    let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
    assert_eq!(counts, lines, "{by:?}");
}

/// What a group is ordered by, and its name.
fn group_of(image: &Image<'_>, by: GroupBy) -> Option<(Vec<i64>, String)> {
    let date = image.captured_at_ms.map(date_of);
    let of_id = |id: i64| (vec![id], id.to_string());
    match by {
        GroupBy::Day => date.map(|(y, m, d)| (vec![y, m, d], format!("{y}-{m:02}-{d:02}"))),
        GroupBy::Month => date.map(|(y, m, _)| (vec![y, m], format!("{y}-{m:02}"))),
        GroupBy::Year => date.map(|(y, _, _)| (vec![y], y.to_string())),
        GroupBy::Organization => image.organization_id.map(of_id),
        GroupBy::Creator => image.creator_id.map(of_id),
        GroupBy::Kind => image.kind.map(|kind| match kind {
            Kind::Flat => (vec![0], "flat".to_owned()),
            Kind::Pano => (vec![1], "pano".to_owned()),
        }),
    }
}

/// Many questions at once are the same as one by one.
fn check_batch(data: &Dataset, queries: &[ImageQuery], case: &mut Case) {
    let batch = data.images_each(queries).unwrap();
    assert_eq!(batch.len(), queries.len());
    for (query, selection) in queries.iter().zip(&batch) {
        case.ask(query);
        let alone = data.images(query).unwrap();
        assert!(selection.iter().eq(alone.iter()), "in a batch");
    }
}
