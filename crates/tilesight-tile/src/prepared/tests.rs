use proptest::prelude::*;

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
    for relation in [narrowed.relation(), around.relate(local.bounds())] {
        let agree = relation == local.relation();
        assert!(
            agree || !(certain(relation) && certain(local.relation())),
            "{local:?}"
        );
    }
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
