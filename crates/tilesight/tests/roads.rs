//! How much of roads is covered: against brute force, in scenes small enough to check by eye, and
//! for any number of threads.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

mod common;

use common::{Ground, TOWN};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use tilesight::roads::{AGES_YEARS, RoadCoverage, RoadQuery};
use tilesight::shapes::{Feature, Geometry, Position, Shape};
use tilesight::{Dataset, Filter, Image, Kind, LonLat};
use tilesight_tile::haversine_m;

/// 1 July 2024, and a year, in milliseconds.
const JULY_2024: i64 = 1_719_792_000_000;
const YEAR_MS: i64 = 31_556_952_000;

impl Ground {
    fn road(self, line: &[Position]) -> Feature {
        let line = line.iter().map(|&metres| self.position(metres)).collect();
        Feature {
            id: "road".to_owned(),
            shape: Shape::new(Geometry::Lines(vec![line])).unwrap(),
        }
    }

    fn image(self, metres: Position, image: Image<'_>) -> Image<'_> {
        let [lon, lat] = self.position(metres);
        Image { lon, lat, ..image }
    }
}

fn image<'a>(id: i64, kind: Kind, heading: Option<f64>, years_ago: i64) -> Image<'a> {
    Image {
        kind: Some(kind),
        compass_angle_deg: heading,
        captured_at_ms: Some(JULY_2024 - years_ago * YEAR_MS),
        ..Image::at(id, 0.0, 0.0)
    }
}

/// Shares of a road in hundredths.
fn hundredths(road: &RoadCoverage, covered_m: f64) -> f64 {
    (road.share(covered_m).unwrap() * 100.0).round()
}

/// ```text
///    0   20   40   60   80   100 m
///    ├────1────┼────┼────2────┤       ← 5 m to the north of the road: 3, at 90
///         flat,          pano,
///         east           4 years old
/// ```
#[test]
fn a_road_of_100_m() {
    let data = Dataset::from_images([
        TOWN.image([20.0, 0.0], image(1, Kind::Flat, Some(90.0), 0)),
        TOWN.image([80.0, 0.0], image(2, Kind::Pano, None, 4)),
        TOWN.image([90.0, 5.0], image(3, Kind::Flat, Some(0.0), 1)),
    ])
    .unwrap();
    let roads = [TOWN.road(&[[0.0, 0.0], [40.0, 0.0], [100.0, 0.0]])];
    let query = RoadQuery {
        within_m: 13.0,
        ..RoadQuery::default()
    };
    let of = |query: &RoadQuery| data.road_coverage(&roads, query).unwrap().rows()[0];
    let road = of(&query);
    // 1 covers 7 to 33, 2 covers 67 to 93, 3 covers 12 m to either side: 78 to 100.
    assert_eq!(road.length_m.round(), 100.0);
    let share = |covered_m| hundredths(&road, covered_m);
    assert_eq!(share(road.covered.by_any_m), 26.0 + 33.0);
    assert_eq!(share(road.covered.by_panoramas_m), 26.0);
    assert_eq!(share(road.covered.by_flat_m), 26.0 + 22.0);
    let fresh = road.covered.fresh_m.map(share);
    assert_eq!(
        fresh,
        [48.0, 48.0, 48.0, 59.0, 59.0],
        "within {AGES_YEARS:?} years"
    );
    assert_eq!(road.newest_captured_at_ms, Some(JULY_2024));

    let aware = of(&RoadQuery {
        heading_aware: true,
        ..query.clone()
    });
    assert_eq!(
        hundredths(&aware, aware.covered.by_flat_m),
        26.0,
        "3 looks across the road"
    );
    assert_eq!(hundredths(&aware, aware.covered.by_any_m), 52.0);

    let later = RoadQuery {
        as_of_ms: Some(JULY_2024 + 2 * YEAR_MS),
        ..query.clone()
    };
    let later = of(&later);
    assert_eq!(
        later.covered.fresh_m.map(share),
        [0.0, 26.0, 48.0, 48.0, 59.0]
    );

    let filter = Filter {
        kind: Some(Kind::Pano),
        ..Filter::default()
    };
    let panoramas = of(&RoadQuery { filter, ..query });
    assert_eq!(hundredths(&panoramas, panoramas.covered.by_any_m), 26.0);
}

#[test]
fn what_is_covered_whole_is_covered_exactly() {
    let along = (0..40).map(|step| {
        TOWN.image(
            [f64::from(step) * 10.0, 3.0],
            image(i64::from(step) + 1, Kind::Flat, None, 0),
        )
    });
    let data = Dataset::from_images(along).unwrap();
    let roads = [
        TOWN.road(&[[0.0, 0.0], [123.0, 4.0], [390.0, 0.0]]),
        TOWN.road(&[[0.0, 900.0], [9.0, 900.0]]),
    ];
    let found = data.road_coverage(&roads, &RoadQuery::default()).unwrap();
    let [near, far] = found.rows() else { panic!() };
    assert_eq!(near.share(near.covered.by_any_m), Some(1.0));
    assert_eq!(far.covered.by_any_m, 0.0);
    assert_eq!(far.newest_captured_at_ms, None);
    let total = found.total();
    assert_eq!(total.length_m, near.length_m + far.length_m);
    assert_eq!(total.covered, near.covered);
}

#[test]
fn a_road_without_length_has_no_share() {
    let data =
        Dataset::from_images([TOWN.image([0.0, 0.0], image(1, Kind::Pano, None, 0))]).unwrap();
    let point = [TOWN.road(&[[0.0, 0.0], [0.0, 0.0]])];
    let found = data.road_coverage(&point, &RoadQuery::default()).unwrap();
    assert_eq!(found.rows(), [RoadCoverage::default()]);
    assert_eq!(found.rows()[0].share(0.0), None);
    let refused = RoadQuery {
        within_m: -1.0,
        ..RoadQuery::default()
    };
    let message = data
        .road_coverage(&point, &refused)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("0 to 1000 metres (for example 15)"),
        "{message}"
    );
}

#[test]
fn the_lines_of_real_sequences_are_covered() {
    let root = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/data/tiles/mly1_public"
    );
    let Ok(data) = Dataset::open(root) else {
        return println!("skipped: no tiles in ../shared/data");
    };
    let query = tilesight::SequenceQuery {
        allow_partial: true,
        ..Default::default()
    };
    let found = data.sequences(&query).unwrap();
    let line = |track: tilesight::Track<'_>| -> Vec<Vec<Position>> {
        let parts = track.line();
        parts
            .map(|part| part.map(|at| [at.lon(), at.lat()]).collect())
            .collect()
    };
    let lines = found.tracks().map(line).filter(|lines| !lines.is_empty());
    let roads: Vec<Feature> = lines
        .map(|lines| Feature {
            id: String::new(),
            shape: Shape::new(Geometry::Lines(lines)).unwrap(),
        })
        .collect();
    let query = RoadQuery {
        within_m: 30.0,
        allow_partial: true,
        ..RoadQuery::default()
    };
    let found = data.road_coverage(&roads, &query).unwrap();
    let total = found.total();
    let share = total.share(total.covered.by_any_m).unwrap();
    println!(
        "{} lines, {:.1} km, {share:.3} covered",
        roads.len(),
        total.length_m / 1e3
    );
    assert!(share > 0.9, "{share}");
}

#[derive(Debug, Clone)]
struct Snap {
    at: Position,
    kind: Option<Kind>,
    heading: Option<f64>,
    years_ago: Option<i64>,
}

#[derive(Debug, Clone)]
struct World {
    ground: Ground,
    snaps: Vec<Snap>,
    roads: Vec<Vec<Position>>,
    query: RoadQuery,
}

fn metres() -> impl Strategy<Value = Position> {
    [-300.0..300.0_f64, -300.0..300.0_f64]
}

fn worlds() -> impl Strategy<Value = World> {
    let ground = prop_oneof![
        (-180.0..180.0_f64, -80.0..80.0_f64),
        (Just(180.0), -80.0..80.0_f64),
    ];
    let kind = weighted(
        0.9,
        any::<bool>().prop_map(|pano| if pano { Kind::Pano } else { Kind::Flat }),
    );
    let snap = (
        metres(),
        kind,
        weighted(0.8, 0.0..360.0_f64),
        weighted(0.9, 0..12_i64),
    );
    let snap = snap.prop_map(|(at, kind, heading, years_ago)| Snap {
        at,
        kind,
        heading,
        years_ago,
    });
    let roads = vec(vec(metres(), 2..5), 1..4);
    (
        ground,
        vec(snap, 0..40),
        roads,
        0.0..80.0_f64,
        any::<bool>(),
    )
        .prop_map(
            |((lon, lat), snaps, roads, within_m, heading_aware)| World {
                ground: Ground { lon, lat },
                snaps,
                roads,
                query: RoadQuery {
                    within_m,
                    heading_aware,
                    as_of_ms: Some(JULY_2024),
                    ..RoadQuery::default()
                },
            },
        )
}

impl World {
    fn dataset(&self) -> Dataset {
        let image = |(snap, id): (&Snap, i64)| {
            let image = Image {
                kind: snap.kind,
                compass_angle_deg: snap.heading,
                // Half a year away from where ages end.
                captured_at_ms: snap
                    .years_ago
                    .map(|years| JULY_2024 - years * YEAR_MS - YEAR_MS / 2),
                ..Image::at(id, 0.0, 0.0)
            };
            self.ground.image(snap.at, image)
        };
        Dataset::from_images(self.snaps.iter().zip(1..).map(image)).unwrap()
    }

    fn features(&self) -> Vec<Feature> {
        self.roads
            .iter()
            .map(|line| self.ground.road(line))
            .collect()
    }
}

fn edges(road: &Shape) -> Vec<[Position; 2]> {
    let Geometry::Lines(lines) = road.geometry() else {
        panic!("a road is a line");
    };
    let pairs = lines.iter().flat_map(|line| line.windows(2));
    pairs.map(|pair| [pair[0], pair[1]]).collect()
}

/// The cosine of the angle between the heading of an image and an edge, whichever way it runs.
fn cosine(image: &Image<'_>, [a, b]: [Position; 2]) -> Option<f64> {
    let scale = a[1].to_radians().cos();
    let direction = ((b[0] - a[0]) * scale).atan2(b[1] - a[1]);
    let heading = image.compass_angle_deg?.to_radians();
    Some((heading - direction).cos().abs())
}

/// Whether an image looks as much along as across an edge, within what the plane is off by.
fn is_between(image: &Image<'_>, edge: [Position; 2]) -> bool {
    cosine(image, edge).is_some_and(|cosine| (cosine - 0.5_f64.sqrt()).abs() < 2e-4)
}

/// Measures by steps of the road, each judged in its middle.
fn by_steps(road: &Shape, images: &[Image<'_>], query: &RoadQuery) -> RoadCoverage {
    const STEPS: u32 = 2_000;
    let at =
        |[lon, lat]: Position| LonLat::new((lon + 180.0).rem_euclid(360.0) - 180.0, lat).unwrap();
    let mut sum = RoadCoverage::default();
    for edge in edges(road) {
        let between =
            |part: f64| [0, 1].map(|axis| edge[0][axis] + part * (edge[1][axis] - edge[0][axis]));
        let length_m = haversine_m(at(edge[0]), at(edge[1])) / f64::from(STEPS);
        for step in 0..STEPS {
            let place = at(between((f64::from(step) + 0.5) / f64::from(STEPS)));
            let covers = |image: &&Image<'_>| {
                let along = cosine(image, edge).is_some_and(|cosine| cosine >= 0.5_f64.sqrt());
                haversine_m(LonLat::new(image.lon, image.lat).unwrap(), place) <= query.within_m
                    && (!query.heading_aware || along || image.kind == Some(Kind::Pano))
            };
            let by: Vec<&Image<'_>> = images.iter().filter(covers).collect();
            let length_if = |is_covered: bool| if is_covered { length_m } else { 0.0 };
            let of_kind = |kind| length_if(by.iter().any(|image| image.kind == Some(kind)));
            sum.length_m += length_m;
            sum.covered.by_any_m += length_if(!by.is_empty());
            sum.covered.by_panoramas_m += of_kind(Kind::Pano);
            sum.covered.by_flat_m += of_kind(Kind::Flat);
            for (fresh_m, years) in sum.covered.fresh_m.iter_mut().zip(AGES_YEARS) {
                let since = JULY_2024 - i64::from(years) * YEAR_MS;
                *fresh_m += length_if(
                    by.iter()
                        .any(|image| image.captured_at_ms.is_some_and(|at| at >= since)),
                );
            }
        }
    }
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn roads_are_covered_as_their_steps_are(world in worlds()) {
        let (data, roads) = (world.dataset(), world.features());
        let everything = data.images(&tilesight::ImageQuery::default()).unwrap();
        let images: Vec<Image<'_>> = everything.iter().collect();
        prop_assume!(!world.query.heading_aware || !roads.iter().any(|road| {
            edges(&road.shape).iter().any(|edge| images.iter().any(|image| is_between(image, *edge)))
        }));
        let found = data.road_coverage(&roads, &world.query).unwrap();
        for (road, found) in roads.iter().zip(found.rows()) {
            let expected = by_steps(&road.shape, &images, &world.query);
            // What an image covers of an edge may begin and end half a step off; it does so by
            // chance, and most of it cancels out.
            let tolerance_m = 0.5 + expected.length_m / 2_000.0 * images.len() as f64 * 0.15;
            let near = |a: f64, b: f64| (a - b).abs() <= tolerance_m;
            prop_assert!((found.length_m / expected.length_m - 1.0).abs() < 1e-6);
            prop_assert!(near(found.covered.by_any_m, expected.covered.by_any_m), "{found:?} {expected:?}");
            prop_assert!(near(found.covered.by_panoramas_m, expected.covered.by_panoramas_m));
            prop_assert!(near(found.covered.by_flat_m, expected.covered.by_flat_m));
            for (a, b) in found.covered.fresh_m.iter().zip(expected.covered.fresh_m) {
                prop_assert!(near(*a, b), "{found:?} {expected:?}");
            }
        }
    }

    #[test]
    fn answers_do_not_depend_on_threads(world in worlds()) {
        let (data, roads) = (world.dataset(), world.features());
        let roads: Vec<Feature> = roads.iter().cycle().take(500).cloned().collect();
        let found = data.road_coverage(&roads, &world.query).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let alone = pool.install(|| data.road_coverage(&roads, &world.query)).unwrap();
        prop_assert_eq!(found.rows(), alone.rows());
        prop_assert_eq!(found.total(), alone.total());
    }

    #[test]
    fn wider_is_never_less(world in worlds(), more_m in 0.0..50.0_f64) {
        let (data, roads) = (world.dataset(), world.features());
        let wide = RoadQuery { within_m: world.query.within_m + more_m, ..world.query.clone() };
        let (narrow, wide) = (data.road_coverage(&roads, &world.query).unwrap(), data.road_coverage(&roads, &wide).unwrap());
        for (narrow, wide) in narrow.rows().iter().zip(wide.rows()) {
            prop_assert!(narrow.covered.by_any_m <= wide.covered.by_any_m + 1e-6);
            prop_assert!(narrow.covered.by_any_m <= narrow.length_m + 1e-6);
            let either = narrow.covered.by_panoramas_m.max(narrow.covered.by_flat_m);
            prop_assert!(either <= narrow.covered.by_any_m + 1e-6);
            prop_assert!(narrow.covered.fresh_m.is_sorted());
        }
    }
}
