//! Which images look at which targets: against brute force, in scenes small enough to check by eye,
//! and for any number of threads.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

mod common;

use common::{Ground, TOWN};
use proptest::collection::vec;
use proptest::prelude::*;
use tilesight::shapes::{Feature, Geometry, Position, Shape};
use tilesight::sight::{Occluders, SightOrder, SightQuery, Sightings};
use tilesight::{Dataset, GridPoint, Image, Kind, LonLat, Place};
use tilesight_tile::{haversine_m, initial_bearing_deg};

impl Ground {
    fn at(self, metres: Position) -> LonLat {
        let [lon, lat] = self.position(metres);
        LonLat::new(lon, lat).unwrap()
    }

    fn image<'a>(self, id: i64, metres: Position, heading: Option<f64>) -> Image<'a> {
        let [lon, lat] = self.position(metres);
        Image {
            compass_angle_deg: heading,
            kind: Some(if heading.is_some() {
                Kind::Flat
            } else {
                Kind::Pano
            }),
            ..Image::at(id, lon, lat)
        }
    }

    fn feature(self, id: &str, geometry: Geometry) -> Feature {
        let place = |line: Vec<Position>| line.into_iter().map(|p| self.position(p)).collect();
        let geometry = match geometry {
            Geometry::Points(points) => Geometry::Points(place(points)),
            Geometry::Lines(lines) => Geometry::Lines(lines.into_iter().map(place).collect()),
            Geometry::Polygons(polygons) => {
                let rings = |rings: Vec<_>| rings.into_iter().map(place).collect();
                Geometry::Polygons(polygons.into_iter().map(rings).collect())
            }
        };
        Feature {
            id: id.to_owned(),
            shape: Shape::new(geometry).unwrap(),
        }
    }

    /// A house whose walls run west to east and south to north.
    fn house(self, id: &str, [west, south, east, north]: [f64; 4]) -> Feature {
        let ring = vec![
            [west, south],
            [east, south],
            [east, north],
            [west, north],
            [west, south],
        ];
        self.feature(id, Geometry::Polygons(vec![vec![ring]]))
    }
}

/// Target and image ids.
fn pairs<'a>(found: &Sightings<'a>) -> Vec<(&'a str, i64)> {
    found
        .iter()
        .map(|(target, image)| (&target.id[..], image.id))
        .collect()
}

/// ```text
///   north
///    30  ┌─────────┐      ┌─────────┐
///        │  bakery │      │  school │
///    10  └─────────┘      └─────────┘
///     0  1→       2→         ←3   4○       street; → and ← look along it, ○ all around
///        0        20      30  35 40  50   east
/// ```
#[test]
fn a_street_with_two_houses() {
    let data = Dataset::from_images([
        TOWN.image(1, [0.0, 0.0], Some(90.0)),
        TOWN.image(2, [20.0, 0.0], Some(90.0)),
        TOWN.image(3, [35.0, 0.0], Some(270.0)),
        TOWN.image(4, [40.0, 0.0], None),
    ])
    .unwrap();
    let targets = [
        TOWN.house("bakery", [0.0, 10.0, 20.0, 30.0]),
        TOWN.house("school", [30.0, 10.0, 50.0, 30.0]),
    ];
    let query = SightQuery::default();
    let found = data.sees(&targets, &query).unwrap();
    // The bakery is behind 2, and the school behind 3.
    assert_eq!(
        pairs(&found),
        [
            ("bakery", 1),
            ("bakery", 3),
            ("bakery", 4),
            ("school", 4),
            ("school", 2),
            ("school", 1)
        ]
    );
    let check = |target: u32, id: i64, distance_m: f64, bearing_deg: f64, offset: Option<f64>| {
        let mut rows = found.rows().iter();
        let row = rows.find(|row| (row.target, row.image.id) == (target, id));
        let image = row.unwrap().image;
        assert!(
            (image.distance_m.unwrap() - distance_m).abs() < 0.05,
            "{image:?}"
        );
        let turned = (image.bearing_deg.unwrap() - bearing_deg).rem_euclid(360.0);
        assert!(turned.min(360.0 - turned) < 0.3, "{image:?}");
        let offsets = image.offset_deg.zip(offset);
        assert!(
            offsets.is_none_or(|(a, b)| (a - b).abs() < 0.3),
            "{image:?}"
        );
        assert_eq!(image.offset_deg.is_some(), offset.is_some());
    };
    // Where the wall of the bakery comes into view of 1, 50° to the left: 10 m / cos 40°.
    check(0, 1, 13.05, 40.0, Some(50.0));
    // The corner of the bakery, 15 m to the west and 10 m to the north.
    check(0, 3, 18.03, 303.7, Some(33.7));
    check(1, 4, 10.0, 0.0, None);
    check(1, 2, 14.14, 45.0, Some(45.0));
    check(1, 1, 31.62, 71.6, Some(18.4));

    let of = |query: SightQuery<'_>| pairs(&data.sees(&targets, &query).unwrap());
    let first = SightQuery {
        per_target: Some(1),
        ..query
    };
    assert_eq!(of(first.clone()), [("bakery", 1), ("school", 4)]);
    let central = SightQuery {
        order: SightOrder::Central,
        ..first
    };
    assert_eq!(of(central), [("bakery", 3), ("school", 1)]);
    let two = SightQuery {
        limit: Some(2),
        ..SightQuery::default()
    };
    assert_eq!(of(two), [("bakery", 1), ("bakery", 3)]);
}

/// ```text
///    20   ┌────┐   ┌────┐
///         │ A  │   │ B  │     cameras 1 and 2 look all around
///     0 1 └────┘ 2 └────┘
///      -6 0   10 15 20  30
/// ```
#[test]
fn houses_hide_each_other() {
    let data = Dataset::from_images([
        TOWN.image(1, [-6.0, 5.0], None),
        TOWN.image(2, [15.0, 5.0], None),
        // In A by an error of its position: A does not hide B from it.
        TOWN.image(3, [9.0, 5.0], None),
    ])
    .unwrap();
    let houses = [
        TOWN.house("A", [0.0, 0.0, 10.0, 20.0]),
        TOWN.house("B", [20.0, 0.0, 30.0, 20.0]),
    ];
    let tree = [Feature::at("tree", TOWN.at([35.0, 5.0]))];
    let address = [Feature::at("address of B", TOWN.at([25.0, 5.0]))];
    let occluders = Occluders::new(houses.to_vec()).unwrap();
    let hidden = SightQuery {
        occluders: Some(&occluders),
        ..SightQuery::default()
    };
    let ids = |targets: &[Feature], query: &SightQuery<'_>| -> Vec<i64> {
        let found = data.sees(targets, query).unwrap();
        found.iter().map(|(_, image)| image.id).collect()
    };
    assert_eq!(ids(&houses, &SightQuery::default()), [3, 2, 1, 2, 3, 1]);
    assert_eq!(ids(&houses, &hidden), [3, 2, 1, 2, 3], "A hides B from 1");
    assert_eq!(ids(&tree, &SightQuery::default()), [2, 3, 1]);
    assert_eq!(ids(&tree, &hidden), [0; 0], "B hides the tree from all");
    assert_eq!(
        ids(&address, &hidden),
        [2, 3],
        "its own house does not hide an address"
    );
    let one = SightQuery {
        per_target: Some(1),
        ..hidden
    };
    assert_eq!(ids(&houses, &one), [3, 2], "the first that is not hidden");
}

#[test]
fn an_image_on_the_target_looks_at_it() {
    let data = Dataset::from_images([TOWN.image(1, [5.0, 5.0], Some(0.0))]).unwrap();
    let yard = TOWN.house("yard", [0.0, 0.0, 20.0, 20.0]);
    let hole = vec![[2.0, 2.0], [8.0, 2.0], [8.0, 8.0], [2.0, 8.0], [2.0, 2.0]];
    let shell = vec![
        [0.0, 0.0],
        [20.0, 0.0],
        [20.0, 20.0],
        [0.0, 20.0],
        [0.0, 0.0],
    ];
    let around = TOWN.feature("around", Geometry::Polygons(vec![vec![shell, hole]]));
    let targets = [yard, around];
    let query = SightQuery {
        radius_m: 0.0,
        ..SightQuery::default()
    };
    let found = data.sees(&targets, &query).unwrap();
    assert_eq!(pairs(&found), [("yard", 1)], "a hole is no part of it");
    let image = found.rows()[0].image;
    assert_eq!(
        (image.distance_m, image.bearing_deg, image.offset_deg),
        (Some(0.0), None, None)
    );
    let found = data.sees(&targets, &SightQuery::default()).unwrap();
    assert_eq!(found.len(), 2);
    assert!(
        (found.rows()[1].image.distance_m.unwrap() - 3.0).abs() < 0.1,
        "the edge of the hole"
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let data = Dataset::from_images([TOWN.image(1, [0.0, 0.0], None)]).unwrap();
    let refused = |query: SightQuery<'_>| data.sees(&[], &query).unwrap_err().to_string();
    for radius_m in [-1.0, f64::NAN, 1000.1] {
        let message = refused(SightQuery {
            radius_m,
            ..SightQuery::default()
        });
        assert!(
            message.contains("0 to 1000 metres (for example 50)"),
            "{message}"
        );
    }
    for fov_deg in [0.0, 360.1, f64::NAN] {
        let message = refused(SightQuery {
            fov_deg,
            ..SightQuery::default()
        });
        assert!(message.contains("field of view"), "{message}");
    }
}

#[test]
fn tiles_that_are_not_held_are_counted_once() {
    let town = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/town");
    let data = Dataset::open(town).unwrap();
    let at = |id: &str, lon, lat| Feature::at(id, LonLat::new(lon, lat).unwrap());
    let targets = [
        at("door", 24.95238, 60.17075),
        at("Kuopio", 27.68, 62.89),
        at("beside", 27.68, 62.89),
        at("Suva", 178.44, -18.14),
    ];
    let query = SightQuery {
        radius_m: 5.0,
        ..SightQuery::default()
    };
    let error = data.sees(&targets, &query).unwrap_err();
    let tilesight::Error::Query(tilesight::QueryError::NotHeld(missing)) = error else {
        panic!("{error}");
    };
    assert_eq!((missing.missing, missing.wanted), (2, 3));
    let partial = SightQuery {
        allow_partial: true,
        ..query
    };
    let found = data.sees(&targets, &partial).unwrap();
    assert_eq!(found.missing().map(|missing| missing.missing), Some(2));
    let alone = data.sees(&targets[..1], &SightQuery::default()).unwrap();
    assert!(alone.len() > 5 && alone.missing().is_none());
    let partial = SightQuery {
        allow_partial: true,
        ..SightQuery::default()
    };
    let found = data.sees(&targets, &partial).unwrap();
    assert_eq!(found.rows(), alone.rows());
}

#[test]
fn real_tiles_and_real_areas() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let Ok(data) = Dataset::open(format!("{root}/tiles/mly1_public")) else {
        return println!("skipped: no tiles in ../shared/data");
    };
    let everything = data.images(&tilesight::ImageQuery::default()).unwrap();
    let places: Vec<LonLat> = everything
        .positions()
        .step_by(97)
        .map(GridPoint::to_lon_lat)
        .collect();
    let targets: Vec<Feature> = places.iter().map(|&at| Feature::at("", at)).collect();
    let query = SightQuery {
        per_target: Some(3),
        allow_partial: true,
        ..SightQuery::default()
    };
    let found = data.sees(&targets, &query).unwrap();
    let mut rows = found.rows().iter();
    for &target in &places {
        let engine = tilesight::ImageQuery {
            place: Place::looking_at(target),
            limit: Some(3),
            allow_partial: true,
            ..Default::default()
        };
        for image in data.images(&engine).unwrap().iter() {
            assert_eq!(rows.next().unwrap().image, image);
        }
    }
    assert_eq!(rows.next(), None);
    assert!(found.len() > places.len());
    for name in [
        "osmottawa_ottawa",
        "h3o_SanFranciscoHole",
        "h3o_TransmeridianComplex",
    ] {
        let areas = Feature::read(format!("{root}/aoi/{name}.geojson"), None).unwrap();
        assert!(!areas.is_empty(), "{name}");
        let found = data.sees(&areas, &query).unwrap();
        assert!(found.missing().is_some() && found.is_empty(), "{name}");
    }
}

/// How far a test lets the plane and the sphere differ.
const TOLERANCE_M: f64 = 0.05;

/// A world of images and targets within a few streets.
#[derive(Debug, Clone)]
struct World {
    ground: Ground,
    images: Vec<(Position, Option<f64>)>,
    targets: Vec<Geometry>,
    footprints: Vec<[f64; 4]>,
    radius_m: f64,
    fov_deg: f64,
}

fn metres() -> impl Strategy<Value = Position> {
    [-100.0..100.0_f64, -100.0..100.0_f64]
}

fn boxes() -> impl Strategy<Value = [f64; 4]> {
    (metres(), 2.0..40.0_f64, 2.0..40.0_f64)
        .prop_map(|([west, south], width, height)| [west, south, west + width, south + height])
}

fn geometries() -> impl Strategy<Value = Geometry> {
    let triangle = [metres(), metres(), metres()];
    prop_oneof![
        metres().prop_map(|point| Geometry::Points(vec![point])),
        vec(metres(), 2..4).prop_map(Geometry::Points),
        vec(metres(), 2..5).prop_map(|line| Geometry::Lines(vec![line])),
        vec(triangle, 1..3).prop_map(|corners| {
            let ring = |[a, b, c]: [Position; 3]| vec![vec![a, b, c, a]];
            Geometry::Polygons(corners.into_iter().map(ring).collect())
        }),
    ]
}

fn worlds() -> impl Strategy<Value = World> {
    let ground = prop_oneof![
        (-180.0..180.0_f64, -80.0..80.0_f64),
        (
            prop_oneof![Just(180.0), Just(-180.0), Just(179.999)],
            -80.0..80.0_f64
        ),
    ];
    let image = (metres(), proptest::option::weighted(0.7, 0.0..360.0_f64));
    (
        ground,
        vec(image, 1..25),
        vec(geometries(), 1..6),
        vec(boxes(), 0..4),
        1.0..150.0_f64,
        prop_oneof![Just(100.0), Just(90.0), 1.0..=360.0_f64],
    )
        .prop_map(
            |((lon, lat), images, targets, footprints, radius_m, fov_deg)| World {
                ground: Ground { lon, lat },
                images,
                targets,
                footprints,
                radius_m,
                fov_deg,
            },
        )
}

impl World {
    fn dataset(&self) -> Dataset {
        let images = self.images.iter().zip(1..);
        let image = |(&(at, heading), id): (&(Position, Option<f64>), i64)| {
            self.ground.image(id, at, heading)
        };
        Dataset::from_images(images.map(image)).unwrap()
    }

    fn features(&self) -> Vec<Feature> {
        let feature = |(geometry, id): (&Geometry, i32)| {
            self.ground.feature(&id.to_string(), geometry.clone())
        };
        self.targets.iter().zip(0..).map(feature).collect()
    }

    fn query(&self) -> SightQuery<'static> {
        SightQuery {
            radius_m: self.radius_m,
            fov_deg: self.fov_deg,
            ..SightQuery::default()
        }
    }
}

/// Points of a shape, so close that none is far from one: of its edges, and of what is inside.
fn samples(shape: &Shape) -> Vec<LonLat> {
    let position =
        |lon: f64, lat: f64| LonLat::new((lon + 180.0).rem_euclid(360.0) - 180.0, lat).unwrap();
    let along = |a: Position, b: Position| {
        (0..=2000).map(move |step| {
            let part = f64::from(step) / 2000.0;
            position(a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1]))
        })
    };
    let edges = |line: &Vec<Position>| -> Vec<LonLat> {
        line.windows(2)
            .flat_map(|pair| along(pair[0], pair[1]))
            .collect()
    };
    match shape.geometry() {
        Geometry::Points(points) => points.iter().map(|p| position(p[0], p[1])).collect(),
        Geometry::Lines(lines) => lines.iter().flat_map(edges).collect(),
        Geometry::Polygons(polygons) => polygons.iter().flatten().flat_map(edges).collect(),
    }
}

/// Tells whether a position lies in a polygon: whether the angles to its corners add up to turns.
fn is_inside(shape: &Shape, at: LonLat) -> bool {
    let Geometry::Polygons(polygons) = shape.geometry() else {
        return false;
    };
    let angle = |corner: &Position| {
        let lon = (corner[0] - at.lon() + 540.0).rem_euclid(360.0) - 180.0;
        (corner[1] - at.lat()).atan2(lon)
    };
    let turned = |ring: &Vec<Position>| {
        let steps = ring.windows(2).map(|pair| {
            let step = angle(&pair[1]) - angle(&pair[0]);
            (step + 3.0 * std::f64::consts::PI).rem_euclid(std::f64::consts::TAU)
                - std::f64::consts::PI
        });
        (steps.sum::<f64>() / std::f64::consts::TAU).round() as i64
    };
    polygons
        .iter()
        .any(|rings| rings.iter().map(turned).sum::<i64>() % 2 != 0)
}

/// How far a bearing is from what an image looks at, beyond half its field of view; negative in it.
fn beyond_view(image: &Image<'_>, bearing: f64, fov_deg: f64) -> f64 {
    match (image.kind, image.compass_angle_deg) {
        (Some(Kind::Pano), _) => -180.0,
        (_, Some(heading)) => {
            let around = (heading - bearing).abs();
            around.min(360.0 - around) - fov_deg / 2.0
        }
        _ => 180.0,
    }
}

/// How far the nearest sample is that an image looks at, with a margin in degrees at the edges of
/// its view.
fn nearest_seen(image: &Image<'_>, samples: &[LonLat], fov_deg: f64, margin_deg: f64) -> f64 {
    let at = LonLat::new(image.lon, image.lat).unwrap();
    let seen = samples.iter().filter(|&&sample| {
        beyond_view(image, initial_bearing_deg(at, sample), fov_deg) <= margin_deg
    });
    seen.map(|&sample| haversine_m(at, sample))
        .fold(f64::INFINITY, f64::min)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn images_look_at_what_brute_force_finds(world in worlds()) {
        let (data, targets) = (world.dataset(), world.features());
        let found = data.sees(&targets, &world.query()).unwrap();
        let everything = data.images(&tilesight::ImageQuery::default()).unwrap();
        for (number, target) in targets.iter().enumerate() {
            let samples = samples(&target.shape);
            for image in everything.iter() {
                let row = found.rows().iter().find(|row| {
                    (row.target as usize, row.image.id) == (number, image.id)
                });
                let at = LonLat::new(image.lon, image.lat).unwrap();
                let edge = samples.iter().map(|&s| haversine_m(at, s)).fold(f64::INFINITY, f64::min);
                if edge < 0.05 {
                    // Too close to tell whether it stands on the target.
                    continue;
                }
                if is_inside(&target.shape, at) {
                    prop_assert_eq!(row.map(|row| row.image.distance_m), Some(Some(0.0)));
                    continue;
                }
                // Samples are up to 15 cm apart, and directions turn quickly where they are near.
                let spacing_m = 0.16;
                let margin_deg = (spacing_m / edge.max(0.2)).atan().to_degrees() + 0.1;
                let surely = nearest_seen(&image, &samples, world.fov_deg, -margin_deg);
                let maybe = nearest_seen(&image, &samples, world.fov_deg, margin_deg);
                match row {
                    None => prop_assert!(surely > world.radius_m - TOLERANCE_M, "{surely}"),
                    Some(row) => {
                        let distance_m = row.image.distance_m.unwrap();
                        prop_assert!(distance_m <= world.radius_m);
                        prop_assert!(distance_m <= surely + TOLERANCE_M, "{distance_m} {surely}");
                        prop_assert!(maybe <= distance_m + 2.0 * spacing_m, "{distance_m} {maybe}");
                        let bearing = row.image.bearing_deg.unwrap();
                        prop_assert!(beyond_view(&image, bearing, world.fov_deg) < 0.01);
                    }
                }
            }
        }
    }

    #[test]
    fn single_points_are_seen_as_the_engine_has_it(world in worlds()) {
        let data = world.dataset();
        let points: Vec<LonLat> = world.targets.iter().flat_map(|geometry| match geometry {
            Geometry::Points(points) => points.clone(),
            _ => Vec::new(),
        }).map(|metres| world.ground.at(metres)).collect();
        let targets: Vec<Feature> = points.iter().map(|&at| Feature::at("", at)).collect();
        let query = world.query();
        let found = data.sees(&targets, &query).unwrap();
        let mut rows = found.rows().iter();
        for target in points {
            let place = Place::LookingAt { target, radius_m: query.radius_m, fov_deg: query.fov_deg };
            let engine = tilesight::ImageQuery { place, ..Default::default() };
            for image in data.images(&engine).unwrap().iter() {
                prop_assert_eq!(rows.next().unwrap().image, image);
            }
        }
        prop_assert_eq!(rows.next(), None);
    }

    #[test]
    fn footprints_hide_what_brute_force_says(world in worlds()) {
        let (data, targets) = (world.dataset(), world.features());
        let houses: Vec<Feature> =
            world.footprints.iter().map(|&bounds| world.ground.house("", bounds)).collect();
        let occluders = Occluders::new(houses.clone()).unwrap();
        let query = SightQuery { occluders: Some(&occluders), ..world.query() };
        let all = data.sees(&targets, &world.query()).unwrap();
        let seen = data.sees(&targets, &query).unwrap();
        let visible = |row: &tilesight::sight::Sighting<'_>| {
            seen.rows().iter().any(|other| other == row)
        };
        prop_assert_eq!(all.rows().iter().filter(|row| visible(row)).count(), seen.len());
        for row in all.rows() {
            let target = &world.targets[row.target as usize];
            let hides: Vec<Option<bool>> = world.footprints.iter().map(|footprint| {
                hides(&world, footprint, target, row)
            }).collect();
            // Where a house is too close to call, nothing is claimed.
            if hides.contains(&Some(true)) {
                prop_assert!(!visible(row), "{row:?}");
            } else if hides.iter().all(|hides| *hides == Some(false)) {
                prop_assert!(visible(row), "{row:?}");
            }
        }
    }

    #[test]
    fn answers_do_not_depend_on_threads_or_the_order_of_targets(world in worlds()) {
        let (data, targets) = (world.dataset(), world.features());
        let query = world.query();
        let found = data.sees(&targets, &query).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let alone = pool.install(|| data.sees(&targets, &query)).unwrap();
        prop_assert_eq!(found.rows(), alone.rows());
        let backwards: Vec<Feature> = targets.iter().rev().cloned().collect();
        let mirrored = data.sees(&backwards, &query).unwrap();
        let last = targets.len() as u32 - 1;
        let of = |rows: &Sightings<'_>, target: u32| -> Vec<i64> {
            let rows = rows.rows().iter().filter(|row| row.target == target);
            rows.map(|row| row.image.id).collect()
        };
        for target in 0..=last {
            prop_assert_eq!(of(&found, target), of(&mirrored, last - target));
        }
    }

    #[test]
    fn more_is_never_less(world in worlds(), k in 0..4_usize) {
        let (data, targets) = (world.dataset(), world.features());
        let few = SightQuery { per_target: Some(k), ..world.query() };
        let (all, few) = (data.sees(&targets, &world.query()).unwrap(), data.sees(&targets, &few).unwrap());
        let mut left = few.rows().iter();
        for target in 0..targets.len() as u32 {
            let of_target = all.rows().iter().filter(|row| row.target == target);
            for row in of_target.take(k) {
                prop_assert_eq!(left.next(), Some(row));
            }
        }
        prop_assert_eq!(left.next(), None);
        let wide = SightQuery { radius_m: 1000.0, fov_deg: 360.0, ..world.query() };
        let wide = data.sees(&targets, &wide).unwrap();
        let pairs = |found: &Sightings<'_>| -> std::collections::BTreeSet<(u32, i64)> {
            found.rows().iter().map(|row| (row.target, row.image.id)).collect()
        };
        prop_assert!(pairs(&all).is_subset(&pairs(&wide)));
    }
}

/// Tells whether a footprint hides the point that an image sees, by samples along the line; none
/// where that is too close to call.
fn hides(
    world: &World,
    &[west, south, east, north]: &[f64; 4],
    target: &Geometry,
    row: &tilesight::sight::Sighting<'_>,
) -> Option<bool> {
    let within = |[x, y]: Position, margin: f64| {
        let (from_sides, from_ends) = ((x - west).min(east - x), (y - south).min(north - y));
        from_sides.min(from_ends) > margin
    };
    let certainly = |point: Position| match (within(point, 0.05), within(point, -0.05)) {
        (true, _) => Some(true),
        (_, false) => Some(false),
        _ => None,
    };
    let (from, _) = world.images[row.image.id as usize - 1];
    if certainly(from)? {
        return Some(false);
    }
    let centre =
        |ring: &[Position]| [0, 1].map(|axis| ring[..3].iter().map(|p| p[axis]).sum::<f64>() / 3.0);
    let own = match target {
        Geometry::Points(points) => points.clone(),
        Geometry::Lines(lines) => lines.concat(),
        // What the middle of a triangle is has no one answer, so nothing is claimed near it.
        Geometry::Polygons(polygons) => {
            let near = polygons.iter().any(|rings| {
                let far = rings[0].iter().map(|p| {
                    let middle = centre(&rings[0]);
                    (p[0] - middle[0]).hypot(p[1] - middle[1])
                });
                within(centre(&rings[0]), -far.fold(0.0, f64::max))
            });
            if near {
                return None;
            }
            Vec::new()
        }
    };
    for point in own {
        if certainly(point)? {
            return Some(false);
        }
    }
    let (Some(distance_m), Some(bearing_deg)) = (row.image.distance_m, row.image.bearing_deg)
    else {
        return Some(false);
    };
    let (east_part, north_part) = bearing_deg.to_radians().sin_cos();
    let steps = 4_000;
    let inside = (0..steps).filter(|&step| {
        let along = distance_m * (f64::from(step) + 0.5) / f64::from(steps);
        within(
            [from[0] + along * east_part, from[1] + along * north_part],
            0.0,
        )
    });
    let inside_m = inside.count() as f64 * distance_m / f64::from(steps);
    if inside_m > 0.8 {
        Some(true)
    } else if inside_m < 0.2 {
        Some(false)
    } else {
        None
    }
}
