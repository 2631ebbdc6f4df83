use proptest::prelude::*;

use super::box_tree::union;
use super::*;
use crate::predicates::meets_box;
use crate::test_shapes::{any_large_region, any_offsets, any_region, probes};

fn box_around(points: &[GridPoint]) -> GridBox {
    let boxes: Vec<_> = points.iter().map(|&point| GridBox::at(point)).collect();
    union(&boxes)
}

/// Holds every fast answer for some positions to the definition.
fn check(region: &Region, prepared: &PreparedRegion, points: &[GridPoint]) {
    for &point in points {
        let inside = region.contains(point);
        assert_eq!(prepared.contains(point), inside, "{point:?}");
        let in_bounds = prepared.bounds().iter().any(|b| b.contains(point));
        assert!(in_bounds || !inside, "{point:?} is out of bounds");
    }
    let around = check_local(region, prepared, points);
    for pair in points.chunks(2) {
        let local = check_local(region, prepared, pair);
        check_narrowed(&around, &local, pair);
    }
}

/// Holds what was narrowed in two steps, `around` first, to what was narrowed in one.
fn check_narrowed(around: &LocalRegion, local: &LocalRegion, points: &[GridPoint]) {
    let (xs, ys) = columns_and_rows(points);
    let narrowed = around.narrow(local.bounds());
    assert_eq!(narrowed.mask(&xs, &ys), local.mask(&xs, &ys), "{local:?}");
    let certain = |relation| relation != Relation::Crossing;
    let agree = narrowed.relation() == local.relation();
    assert!(
        agree || !(certain(narrowed.relation()) && certain(local.relation())),
        "{local:?}"
    );
}

fn columns_and_rows(points: &[GridPoint]) -> (Vec<u32>, Vec<u32>) {
    points.iter().map(|point| (point.x, point.y)).unzip()
}

/// Holds `relate`, `narrow` and `mask` on the box around the positions to the definition.
fn check_local(region: &Region, prepared: &PreparedRegion, points: &[GridPoint]) -> LocalRegion {
    let bounds = box_around(points);
    let expected = points.iter().enumerate().fold(0, |mask, (bit, &point)| {
        mask | (u64::from(region.contains(point)) << bit)
    });
    let (xs, ys) = columns_and_rows(points);
    let local = prepared.narrow(&bounds);
    assert_eq!(local.mask(&xs, &ys), expected, "{bounds:?}");
    assert_eq!(local.relation(), prepared.relate(&bounds), "{bounds:?}");
    match local.relation() {
        Relation::Outside => assert_eq!(expected, 0, "{bounds:?}"),
        Relation::Inside => assert_eq!(expected.count_ones() as usize, points.len(), "{bounds:?}"),
        Relation::Crossing => {}
    }
    local
}

/// Rectangles whose sides run along few meridians, some of which are columns of the grid, past rows
/// that are asked about: columns and rows from the first position on, each in eighths.
fn any_rectangles() -> impl Strategy<Value = (GridPoint, Vec<[(u32, u32); 2]>)> {
    let first = (0u32..u32::MAX - 64, (u32::MAX / 4)..(u32::MAX / 4 * 3));
    let corner = || (0u32..96, 0u32..96);
    let rectangles = prop::collection::vec([corner(), corner()], 1..12);
    (first, rectangles).prop_map(|((x, y), rectangles)| (GridPoint { x, y }, rectangles))
}

fn rectangle(first: GridPoint, corners: [(u32, u32); 2]) -> Vec<[f64; 2]> {
    let between = |from: f64, to: f64, eighths: u32| from + (to - from) * f64::from(eighths) / 8.0;
    let at = |(x, y): (u32, u32)| {
        let point = GridPoint {
            x: first.x + x / 8,
            y: first.y + y / 8,
        };
        let next = GridPoint {
            x: point.x + 1,
            y: point.y + 1,
        };
        [
            between(point.lon(), next.lon(), x % 8),
            between(point.lat(), next.lat(), y % 8),
        ]
    };
    let [[west, north], [east, south]] = corners.map(at);
    vec![
        [west, south],
        [east, south],
        [east, north],
        [west, north],
        [west, south],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn rectangles_answer_as_defined((first, corners) in any_rectangles(), in_one: bool, row in 0u32..12) {
        let rings = corners.into_iter().map(|corners| rectangle(first, corners));
        let polygons: Vec<Vec<_>> = if in_one { vec![rings.collect()] } else { rings.map(|ring| vec![ring]).collect() };
        let region = Region::from_polygons(&polygons).unwrap();
        let prepared = PreparedRegion::new(&region);
        let at = |x, y| GridPoint { x: first.x + x, y: first.y + y };
        check(&region, &prepared, &(0..12).map(|x| at(x, row)).collect::<Vec<_>>());
        check(&region, &prepared, &(0..12).map(|x| at(x, row + x % 3)).collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn large_regions_answer_as_defined(region in any_large_region(), offsets in any_offsets()) {
        let prepared = PreparedRegion::new(&region);
        check(&region, &prepared, &probes(&region, &offsets));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn prepared_answers_as_defined(region in any_region(), offsets in any_offsets()) {
        let prepared = PreparedRegion::new(&region);
        check(&region, &prepared, &probes(&region, &offsets));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn segments_meet_prepared_regions_as_defined(region in any_region(), offsets in any_offsets()) {
        let prepared = PreparedRegion::new(&region);
        for ends in probes(&region, &offsets).windows(2) {
            let (a, b) = (ends[0], ends[1]);
            let defined = region.meets_segment(a, b);
            assert_eq!(prepared.meets_segment(a, b), defined, "{a:?} {b:?}");
            assert_eq!(region.meets_segment(b, a), defined, "{b:?} {a:?}");
        }
    }

    #[test]
    fn boxes_meet_prepared_regions_as_defined(region in any_region(), offsets in any_offsets()) {
        let prepared = PreparedRegion::new(&region);
        for points in probes(&region, &offsets).windows(2) {
            let bounds = box_around(points);
            let southwest = GridPoint { x: bounds.min_x, y: bounds.max_y };
            let northeast = GridPoint { x: bounds.max_x, y: bounds.min_y };
            let corners = [southwest, northeast].map(GridPoint::degrees);
            let defined = region.contains(northeast)
                || region.edges().any(|edge| meets_box(edge, corners));
            assert_eq!(prepared.meets_box(&bounds), defined, "{bounds:?}");
        }
    }
}
