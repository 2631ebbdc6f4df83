//! The functions of `mapillary.interface` against a server on loopback, row by row of what they
//! promise: the right answer, by brute force where there is much to compare, and by hand at the
//! edges.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "what is skipped is said")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tilesight::compat::interface::{
    Error, FeatureFilters, ImageFilters, Interface, Options, SaveOptions, TargetOptions, read_bbox,
    read_position, save_locally,
};
use tilesight::fetch::Token;
use tilesight::fetch::graph::{self, ThumbnailSize};
use tilesight::{
    Bbox, Dataset, Error as TilesightError, FeatureQuery, GridPoint, Image, ImageQuery, Kind,
    LonLat, MapFeature, NotHeld, QueryError, TileId,
};
use tilesight_fault_server::{Fault, FaultServer};
use tilesight_mvt::writer::{LayerWriter, TileWriter, Value as Property};

/// Radius of the Earth in metres.
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// The door of the town that is part of this repository.
const DOOR: &str = "[24.95238, 60.17075]";

const TILESETS: [&str; 3] = [
    "mly1_public",
    "mly_map_feature_point",
    "mly_map_feature_traffic_sign",
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

/// The town, and a service that knows it and that nothing is around it.
struct Town {
    server: FaultServer,
    data: Dataset,
}

impl Town {
    fn new() -> Self {
        let mut bodies = BTreeMap::new();
        for tileset in TILESETS {
            for (x, y) in (9320..9334).flat_map(|x| (4735..4749).map(move |y| (x, y))) {
                let file = fixtures().join(format!("town/{tileset}/14/{x}/{y}.mvt"));
                let body = fs::read(file).unwrap_or_default();
                bodies.insert(path(tileset, x, y), body);
            }
        }
        Self {
            server: FaultServer::start(bodies).unwrap(),
            data: Dataset::open(fixtures().join("town")).unwrap(),
        }
    }

    fn interface(&self) -> Interface {
        Interface::new(options(&self.server)).unwrap()
    }

    /// Images that a rule, written out, picks.
    fn images(&self, is_right: impl Fn(&Image<'_>) -> bool) -> BTreeSet<i64> {
        let all = self.data.images(&ImageQuery::default()).unwrap();
        let right = all.iter().filter(is_right);
        right.map(|image| image.id).collect()
    }

    fn features(&self, is_right: impl Fn(&MapFeature<'_>) -> bool) -> BTreeSet<i64> {
        let all = self.data.features(&FeatureQuery::default()).unwrap();
        let right = all.iter().filter(is_right);
        right.map(|feature| feature.id).collect()
    }

    /// Asks for the whole town, and compares with a rule that picks some of it but not all.
    #[track_caller]
    fn check_filter(&self, filters: &str, is_right: impl Fn(&Image<'_>) -> bool) {
        let filters = ImageFilters::from_json(filters).unwrap();
        let found = self.interface().images_in_bbox(&whole(), &filters).unwrap();
        let expected = self.images(is_right);
        assert!((1..6_000).contains(&expected.len()), "{}", expected.len());
        assert_eq!(set(&found), expected);
    }
}

fn path(tileset: &str, x: u32, y: u32) -> String {
    format!("/maps/vtp/{tileset}/2/14/{x}/{y}")
}

fn options(server: &FaultServer) -> Options {
    let mut options = Options::new().unwrap();
    options.token = Some(Token::new("MLY|1|canary").unwrap());
    options.fetch.tile_origin = server.origin().parse().unwrap();
    options.fetch.manners.rate = None;
    options.fetch.manners.clock_speed = 10_000.0;
    options.graph_origin = server.origin().parse().unwrap();
    options.graph_manners = options.fetch.manners;
    options
}

/// The box of the town's tiles.
fn whole() -> Bbox {
    let [west, _, _, north] = TileId::new(14, 9325, 4740).unwrap().edges_deg();
    let [_, south, east, _] = TileId::new(14, 9328, 4743).unwrap().edges_deg();
    Bbox::from_degrees(west, south, east, north).unwrap()
}

/// A box in the middle of it, over several tiles.
fn middle() -> Bbox {
    Bbox::from_degrees(24.93, 60.165, 24.965, 60.178).unwrap()
}

fn any() -> ImageFilters {
    ImageFilters::default()
}

fn parsed(geojson: &str) -> Vec<Value> {
    let mut document: Value = serde_json::from_str(geojson).unwrap();
    assert_eq!(document["type"], "FeatureCollection");
    let Value::Array(features) = document["features"].take() else {
        panic!("no features in {geojson}");
    };
    features
}

/// Ids in the order of the answer.
fn ids(geojson: &str) -> Vec<i64> {
    let features = parsed(geojson);
    let id = |feature: &Value| feature["properties"]["id"].as_i64().unwrap();
    features.iter().map(id).collect()
}

/// Ids, each of which is there once.
fn set(geojson: &str) -> BTreeSet<i64> {
    let ids = ids(geojson);
    let set: BTreeSet<i64> = ids.iter().copied().collect();
    assert_eq!(set.len(), ids.len(), "an id is there twice");
    set
}

/// A dataset of images given one by one, to be asked without a service.
fn on(images: &[Image<'_>]) -> Interface {
    let data = Dataset::from_images(images.iter().copied()).unwrap();
    Interface::on(data, Options::new().unwrap())
}

fn ms(date: &str) -> i64 {
    date.parse::<tilesight::Period>().unwrap().first_ms
}

/// The position on the world grid that an image given there has.
fn on_grid(lon: f64, lat: f64) -> LonLat {
    GridPoint::nearest_to(LonLat::new(lon, lat).unwrap()).to_lon_lat()
}

/// Great-circle distance, by the haversine formula.
fn distance_m(image: &Image<'_>, to: LonLat) -> f64 {
    let (lat1, lat2) = (image.lat.to_radians(), to.lat().to_radians());
    let (dlat, dlon) = (lat2 - lat1, (to.lon() - image.lon).to_radians());
    let h = (dlat / 2.0).sin().powi(2) + lat1.cos() * lat2.cos() * (dlon / 2.0).sin().powi(2);
    2.0 * EARTH_RADIUS_M * h.sqrt().asin()
}

/// Initial bearing from an image, in degrees clockwise from north.
fn bearing_deg(image: &Image<'_>, to: LonLat) -> f64 {
    let (lat1, lat2) = (image.lat.to_radians(), to.lat().to_radians());
    let dlon = (to.lon() - image.lon).to_radians();
    let y = dlon.sin() * lat2.cos();
    let x = lat1.cos() * lat2.sin() - lat1.sin() * lat2.cos() * dlon.cos();
    y.atan2(x).to_degrees().rem_euclid(360.0)
}

fn looks_at(image: &Image<'_>, at: LonLat, fov_deg: f64) -> bool {
    if image.kind == Some(Kind::Pano) {
        return true;
    }
    image.compass_angle_deg.is_some_and(|heading| {
        let turn = (bearing_deg(image, at) - heading).rem_euclid(360.0);
        turn.min(360.0 - turn) <= fov_deg / 2.0
    })
}

// Filters, row by row.

#[test]
fn captured_at_is_closed_utc_and_a_partial_maximum_is_a_whole_period() {
    let town = Town::new();
    town.check_filter(
        r#"{"min_captured_at": "2019", "max_captured_at": "2021-06"}"#,
        |image| {
            image
                .captured_at_ms
                .is_some_and(|at| (ms("2019")..ms("2021-07")).contains(&at))
        },
    );
    let at = |id, captured_at_ms| Image {
        captured_at_ms,
        ..Image::at(id, 24.9, 60.1)
    };
    let last_of_2023 = ms("2024") - 1;
    let noon = ms("2023-05-01T12:00:00Z");
    let mly = on(&[
        at(1, Some(last_of_2023)),
        at(2, Some(last_of_2023 + 1)),
        at(3, None),
        at(4, Some(noon)),
    ]);
    let found = |filters: &str| {
        let filters = ImageFilters::from_json(filters).unwrap();
        set(&mly.images_in_bbox(&Bbox::WORLD, &filters).unwrap())
    };
    assert_eq!(found(r#"{"max_captured_at": "2023"}"#), [1, 4].into());
    assert_eq!(found(r#"{"min_captured_at": "2024"}"#), [2].into());
    assert_eq!(found(r#"{"max_captured_at": "2023-05-01"}"#), [4].into());
    assert_eq!(
        found(&format!(r#"{{"max_captured_at": {noon}}}"#)),
        [4].into()
    );
    // The documented spelling without a zone is UTC, whatever the zone of the machine.
    let naive =
        r#"{"min_captured_at": "2023-05-01T12:00:00", "max_captured_at": "2023-05-01 12:00:00"}"#;
    assert_eq!(found(naive), [4].into());
    let offset = r#"{"min_captured_at": "2023-05-01T14:00:00+02:00"}"#;
    assert_eq!(found(offset), [1, 2, 4].into());
    let error = ImageFilters::from_json(r#"{"min_captured_at": "last summer"}"#).unwrap_err();
    assert!(error.to_string().contains("2023-05"), "{error}");
}

#[test]
fn a_bbox_is_closed_and_may_cross_the_antimeridian() {
    let town = Town::new();
    let bbox = middle();
    let found = town.interface().images_in_bbox(&bbox, &any()).unwrap();
    let expected = town.images(|image| contains(&bbox, [image.lon, image.lat]));
    assert!((1..6_000).contains(&expected.len()));
    assert_eq!(set(&found), expected);
    let corner = GridPoint {
        x: 1 << 31,
        y: 1 << 31,
    }
    .to_lon_lat();
    let at = |id, lon, lat| Image::at(id, lon, lat);
    let mly = on(&[
        at(1, corner.lon(), corner.lat()),
        at(2, 179.9, -17.0),
        at(3, -179.9, -17.0),
    ]);
    let found = |json: &str| {
        set(&mly
            .images_in_bbox(&read_bbox(json).unwrap(), &any())
            .unwrap())
    };
    assert_eq!(
        found("[0, 0, 1, 1]"),
        [1].into(),
        "its corner belongs to it"
    );
    assert_eq!(found("[179, -18, -179, -16]"), [2, 3].into());
    let upside_down = read_bbox(r#"{"west": 0, "south": 2, "east": 1, "north": 1}"#);
    assert!(upside_down.is_err());
}

#[test]
fn a_radius_is_closed_and_reaches_into_every_tile_it_touches() {
    let town = Town::new();
    let at = read_position(DOOR).unwrap();
    let options = TargetOptions::from_json(r#"{"radius": 900}"#).unwrap();
    let found = town
        .interface()
        .get_image_close_to(at.lat(), at.lon(), &options)
        .unwrap();
    let expected = town.images(|image| distance_m(image, at) <= 900.0);
    assert_eq!(set(&found), expected);
    assert!(
        town.server.requests().len() > 1,
        "the circle touches more than the tile of its centre"
    );
    let mly = on(&[Image::at(1, 24.9, 60.1)]);
    let image = on_grid(24.9, 60.1);
    let edge_m = distance_m(&Image::at(1, image.lon(), image.lat()), at);
    for (radius_m, expected) in [(edge_m * (1.0 + 1e-9), 1), (edge_m * (1.0 - 1e-9), 0)] {
        let options = TargetOptions {
            radius_m: Some(radius_m),
            ..TargetOptions::default()
        };
        let found = mly
            .get_image_close_to(at.lat(), at.lon(), &options)
            .unwrap();
        assert_eq!(ids(&found).len(), expected);
    }
    let wrong = TargetOptions {
        radius_m: Some(-1.0),
        ..TargetOptions::default()
    };
    assert!(
        town.interface()
            .get_image_close_to(60.1, 24.9, &wrong)
            .is_err()
    );
}

#[test]
fn image_type_is_pano_flat_or_all() {
    let town = Town::new();
    town.check_filter(r#"{"image_type": "pano"}"#, |image| {
        image.kind == Some(Kind::Pano)
    });
    town.check_filter(r#"{"image_type": "flat"}"#, |image| {
        image.kind == Some(Kind::Flat)
    });
    for all in [
        "{}",
        r#"{"image_type": "all"}"#,
        r#"{"image_type": "both"}"#,
    ] {
        let filters = ImageFilters::from_json(all).unwrap();
        let found = town.interface().images_in_bbox(&whole(), &filters).unwrap();
        assert_eq!(set(&found), town.images(|_| true), "{all}");
    }
    assert!(ImageFilters::from_json(r#"{"image_type": "round"}"#).is_err());
}

#[test]
fn organizations_are_numbers_texts_or_lists_of_either() {
    let town = Town::new();
    let all = town.data.images(&ImageQuery::default()).unwrap();
    let known: BTreeSet<i64> = all.organization_ids().flatten().collect();
    let known: Vec<i64> = known.into_iter().take(2).collect();
    let [first, second] = known[..] else {
        panic!("the town has more than one organization");
    };
    let is_first = |image: &Image<'_>| image.organization_id == Some(first);
    for one in [
        json!({"organization_id": first}),
        json!({"organization_id": first.to_string()}),
        json!({"org_id": first}),
        json!({"organization_id": [first]}),
    ] {
        town.check_filter(&one.to_string(), is_first);
    }
    let both = json!({"organization_id": [first, second.to_string()]});
    town.check_filter(&both.to_string(), |image| {
        [Some(first), Some(second)].contains(&image.organization_id)
    });
    for wrong in [json!("town"), json!([]), json!(1.5), json!({})] {
        let filters = json!({"organization_id": wrong}).to_string();
        assert!(ImageFilters::from_json(&filters).is_err(), "{filters}");
    }
}

#[test]
fn sequences_are_named_exactly() {
    let town = Town::new();
    let all = town.data.images(&ImageQuery::default()).unwrap();
    let known: BTreeSet<&str> = all.sequence_ids().flatten().collect();
    let known: Vec<&str> = known.into_iter().take(2).collect();
    let is_one_of =
        |names: &[&str], image: &Image<'_>| image.sequence_id.is_some_and(|id| names.contains(&id));
    town.check_filter(&json!({"sequence_id": known[0]}).to_string(), |image| {
        is_one_of(&known[..1], image)
    });
    town.check_filter(&json!({"sequence_id": known}).to_string(), |image| {
        is_one_of(&known, image)
    });
    for part in [&known[0][..10], &format!("{}{}", known[0], known[1])] {
        let filters = ImageFilters::from_json(&json!({"sequence_id": part}).to_string()).unwrap();
        let found = town.interface().images_in_bbox(&whole(), &filters).unwrap();
        assert_eq!(
            ids(&found),
            [] as [i64; 0],
            "{part} is part of a name, or has one as its part"
        );
    }
}

#[test]
fn compass_angles_are_closed_and_wrap_through_north() {
    let town = Town::new();
    let heading = |image: &Image<'_>, is_right: &dyn Fn(f64) -> bool| {
        image.compass_angle_deg.is_some_and(is_right)
    };
    town.check_filter(r#"{"compass_angle": [45, 135]}"#, |image| {
        heading(image, &|deg| (45.0..=135.0).contains(&deg))
    });
    town.check_filter(r#"{"compass_angle": [315, 45]}"#, |image| {
        heading(image, &|deg| !(45.0 < deg && deg < 315.0))
    });
    let unknown = Image::at(1, 24.9, 60.1);
    let of = |id, deg| Image {
        compass_angle_deg: Some(deg),
        ..Image::at(id, 24.9, 60.1)
    };
    let mly = on(&[unknown, of(2, 0.0), of(3, 90.0), of(4, 359.5)]);
    let found = |angles: &str| {
        let filters = ImageFilters::from_json(&format!(r#"{{"compass_angle": {angles}}}"#));
        set(&mly.images_in_bbox(&Bbox::WORLD, &filters.unwrap()).unwrap())
    };
    assert_eq!(
        found("[0, 360]"),
        [2, 3, 4].into(),
        "all that have a heading"
    );
    assert_eq!(found("[90, 90]"), [3].into());
    assert_eq!(found("[359.5, 0]"), [2, 4].into());
}

#[test]
fn looking_at_is_a_field_of_view_around_the_circle() {
    let town = Town::new();
    let at = read_position(DOOR).unwrap();
    for (json, radius_m, fov_deg) in [
        ("{}", 50.0, 100.0),
        (r#"{"radius": 400}"#, 400.0, 100.0),
        (r#"{"radius": 400, "fov": 60}"#, 400.0, 60.0),
    ] {
        let options = TargetOptions::from_json(json).unwrap();
        let found = town.interface().get_image_looking_at(at, &options).unwrap();
        let expected =
            town.images(|image| distance_m(image, at) <= radius_m && looks_at(image, at, fov_deg));
        assert_eq!(set(&found), expected, "{json}");
        assert!(!expected.is_empty());
    }
    let of = |id, lon, lat, deg| Image {
        compass_angle_deg: deg,
        kind: Some(Kind::Flat),
        ..Image::at(id, lon, lat)
    };
    let pano = Image {
        kind: Some(Kind::Pano),
        ..Image::at(5, 24.9001, 60.1)
    };
    let mly = on(&[
        of(1, 24.9, 60.0999, Some(0.0)), // south of it, looks north
        of(2, 24.9, 60.0999, Some(359.0)),
        of(3, 24.9, 60.0999, Some(180.0)),
        of(4, 24.9, 60.0999, None),
        pano,
        of(6, 24.9, 60.1, Some(180.0)), // stands on it
    ]);
    let target = on_grid(24.9, 60.1);
    let found = mly
        .get_image_looking_at(target, &TargetOptions::default())
        .unwrap();
    assert_eq!(set(&found), [1, 2, 5, 6].into());
}

#[test]
fn shapes_are_closed_and_may_have_many_polygons_and_holes() {
    let town = Town::new();
    for name in ["district", "quarters", "collection"] {
        let shape = fs::read_to_string(fixtures().join(format!("areas/{name}.geojson"))).unwrap();
        let region = tilesight::Region::from_geojson(&shape).unwrap();
        let expected = town.images(|image| {
            let position = LonLat::new(image.lon, image.lat).unwrap();
            region.contains(GridPoint::nearest_to(position))
        });
        let mly = town.interface();
        assert!(!expected.is_empty());
        assert_eq!(
            set(&mly.images_in_geojson(&shape, &any()).unwrap()),
            expected,
            "{name}"
        );
        assert_eq!(
            set(&mly.images_in_shape(&shape, &any()).unwrap()),
            expected,
            "{name}"
        );
    }
    let square =
        |from: f64, to: f64| json!([[from, from], [to, from], [to, to], [from, to], [from, from]]);
    // Eighths of a quarter of the globe lie on the grid exactly.
    let in_hole = Image::at(1, 15.0, 15.0);
    let on_hole = Image::at(2, 11.25, 15.0);
    let on_shell = Image::at(3, 0.0, 0.0);
    let apart = Image::at(4, 60.0, 60.0);
    let mly = on(&[in_hole, on_hole, on_shell, apart]);
    let polygon =
        json!({"type": "Polygon", "coordinates": [square(0.0, 45.0), square(11.25, 22.5)]});
    let both = json!({"type": "MultiPolygon", "coordinates": [
        [square(0.0, 45.0), square(11.25, 22.5)], [square(50.0, 70.0)],
    ]});
    let feature = json!({"type": "Feature", "properties": {}, "geometry": polygon});
    let collection = json!({"type": "GeometryCollection", "geometries": [polygon, both]});
    for (shape, expected) in [
        (polygon.clone(), [2, 3].into()),
        (feature.clone(), [2, 3].into()),
        (
            json!({"type": "FeatureCollection", "features": [feature]}),
            [2, 3].into(),
        ),
        (both, [2, 3, 4].into()),
        (collection, BTreeSet::from([2, 3, 4])),
    ] {
        let found = mly.images_in_shape(&shape.to_string(), &any()).unwrap();
        assert_eq!(set(&found), expected, "{shape}");
    }
    assert!(
        mly.images_in_shape(r#"{"type": "Point", "coordinates": [1, 2]}"#, &any())
            .is_err()
    );
}

#[test]
fn existed_at_and_existed_before_share_out_the_features() {
    let town = Town::new();
    let mly = town.interface();
    let found = |filters: &str| {
        let filters = FeatureFilters::from_json(filters).unwrap();
        set(&mly.map_feature_points_in_bbox(&whole(), &filters).unwrap())
    };
    let points = |is_right: &dyn Fn(i64) -> bool| {
        town.features(|feature| {
            feature.kind == tilesight::FeatureKind::Point
                && feature.first_seen_at_ms.is_some_and(is_right)
        })
    };
    let after = found(r#"{"existed_at": "2021"}"#);
    assert_eq!(after, points(&|at| at > ms("2021")));
    let before = found(r#"{"existed_before": "2021"}"#);
    assert_eq!(before, points(&|at| at <= ms("2021")));
    assert!(after.is_disjoint(&before) && !after.is_empty() && !before.is_empty());
    let some = town.data.features(&FeatureQuery::default()).unwrap();
    let moment = some
        .iter()
        .find(|feature| feature.kind == tilesight::FeatureKind::Point)
        .and_then(|feature| feature.first_seen_at_ms)
        .unwrap();
    let at_moment = points(&|at| at == moment);
    assert!(found(&json!({"existed_before": moment}).to_string()).is_superset(&at_moment));
    assert!(found(&json!({"existed_at": moment}).to_string()).is_disjoint(&at_moment));
}

#[test]
fn filter_values_are_exact_or_begin_alike() {
    let town = Town::new();
    let mly = town.interface();
    let all = town.data.features(&FeatureQuery::default()).unwrap();
    let value = all
        .iter()
        .filter(|feature| feature.kind == tilesight::FeatureKind::TrafficSign)
        .find_map(|feature| feature.value)
        .unwrap();
    let begin = &value[..value.find("--").unwrap()];
    let found = |values: Value| {
        let filters = FeatureFilters::from_json(&json!({"filter_values": values}).to_string());
        set(&mly
            .traffic_signs_in_bbox(&whole(), &filters.unwrap())
            .unwrap())
    };
    let signs = |is_right: &dyn Fn(&str) -> bool| {
        town.features(|feature| {
            feature.kind == tilesight::FeatureKind::TrafficSign
                && feature.value.is_some_and(is_right)
        })
    };
    assert_eq!(found(json!([value])), signs(&|other| other == value));
    assert_eq!(found(json!(value)), signs(&|other| other == value));
    let pattern = format!("{begin}--*");
    let alike = signs(&|other| other.starts_with(&format!("{begin}--")));
    assert_eq!(found(json!([pattern])), alike);
    assert_eq!(found(json!([begin])), BTreeSet::new());
}

// Functions, row by row.

#[test]
fn set_access_token_is_needed_to_fetch_and_goes_to_the_service_alone() {
    let town = Town::new();
    town.server.accept_only("MLY%7C2%7Cc4n4ry2");
    let mly = Interface::new(Options {
        token: None,
        ..options(&town.server)
    })
    .unwrap();
    let ask = || mly.images_in_bbox(&middle(), &any());
    assert!(matches!(ask(), Err(Error::NoToken)));
    assert!(matches!(mly.image_from_key("1", &[]), Err(Error::NoToken)));
    assert!(mly.set_access_token("two words").is_err());
    mly.set_access_token("MLY|1|c4n4ry1").unwrap();
    let error = ask().unwrap_err();
    assert!(
        matches!(error, Error::Tilesight(TilesightError::Fetch(_))),
        "{error:?}"
    );
    assert!(!format!("{error} {error:?} {mly:?}").contains("c4n4ry"));
    mly.set_access_token("MLY|2|c4n4ry2").unwrap();
    assert!(!ids(&ask().unwrap()).is_empty());
    assert!(!format!("{mly:?}").contains("c4n4ry"));
}

#[test]
fn get_image_close_to_is_nearest_first() {
    let town = Town::new();
    let at = read_position(DOOR).unwrap();
    let all = town.data.images(&ImageQuery::default()).unwrap();
    let mut near: Vec<(f64, i64)> = all
        .iter()
        .map(|image| (distance_m(&image, at), image.id))
        .collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let close = |json: &str| {
        let options = TargetOptions::from_json(json).unwrap();
        ids(&town
            .interface()
            .get_image_close_to(at.lat(), at.lon(), &options)
            .unwrap())
    };
    let expected = near
        .iter()
        .take_while(|(distance_m, _)| *distance_m <= 200.0);
    let expected: Vec<i64> = expected.map(|&(_, id)| id).collect();
    assert_eq!(
        close(r#"{"radius": 200, "zoom": 14, "fields": ["all"]}"#),
        expected
    );
    // Without a radius it is the tile that holds the position, as with the SDK.
    let tile = TileId::containing(14, GridPoint::nearest_to(at));
    let in_tile = town.images(|image| {
        let position = LonLat::new(image.lon, image.lat).unwrap();
        TileId::containing(14, GridPoint::nearest_to(position)) == tile
    });
    let expected = near
        .iter()
        .map(|&(_, id)| id)
        .filter(|id| in_tile.contains(id));
    let expected: Vec<i64> = expected.collect();
    assert!(expected.len() > 100);
    assert_eq!(close("{}"), expected);
    for wrong in [
        r#"{"radius": "far"}"#,
        r#"{"zoom": 3}"#,
        r#"{"compas_angle": [1, 2]}"#,
    ] {
        assert!(TargetOptions::from_json(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn get_image_looking_at_is_nearest_first_and_takes_positions_of_every_form() {
    let town = Town::new();
    let mly = town.interface();
    let at = read_position(DOOR).unwrap();
    for form in [
        json!({"lng": at.lon(), "lat": at.lat()}),
        json!({"longitude": at.lon(), "latitude": at.lat()}),
        json!([at.lon(), at.lat()]),
        json!({"type": "Point", "coordinates": [at.lon(), at.lat()]}),
    ] {
        assert_eq!(read_position(&form.to_string()).unwrap(), at);
    }
    for wrong in [
        "{}",
        "[24]",
        r#"{"lat": 60.1}"#,
        "[24.9, 91]",
        "\"door\"",
        "nonsense",
    ] {
        assert!(read_position(wrong).is_err(), "{wrong}");
    }
    let found = mly
        .get_image_looking_at(at, &TargetOptions::default())
        .unwrap();
    let all = town.data.images(&ImageQuery::default()).unwrap();
    let distance = |id: i64| distance_m(&all.iter().find(|image| image.id == id).unwrap(), at);
    let distances: Vec<f64> = ids(&found).into_iter().map(distance).collect();
    assert_eq!(distances.len(), 16, "as fixtures/README.md says");
    assert!(distances.is_sorted());
}

#[test]
fn is_image_being_looked_at_is_true_where_any_image_looks() {
    let town = Town::new();
    let mly = town.interface();
    let at = read_position(DOOR).unwrap();
    let ask = |json: &str| {
        let options = TargetOptions::from_json(json).unwrap();
        mly.is_image_being_looked_at(at, &options).unwrap()
    };
    assert!(ask("{}"));
    assert!(ask(r#"{"image_type": "pano"}"#));
    assert!(!ask(r#"{"min_captured_at": "2100"}"#));
    assert!(!ask(r#"{"radius": 0.001}"#));
}

#[test]
fn images_in_bbox_passes_the_properties_of_tiles() {
    let full = Image {
        captured_at_ms: Some(1_682_935_815_250),
        compass_angle_deg: Some(90.25),
        kind: Some(Kind::Flat),
        sequence_id: Some("tYcXv0Gp3kL1mN9qRs2B5w"),
        organization_id: Some(9_007_199_254_740_993),
        ..Image::at(9_223_372_036_854_775_807, 24.938, 60.1699)
    };
    let mly = on(&[full, Image::at(7, 25.0, 60.0)]);
    let found = parsed(&mly.images_in_bbox(&Bbox::WORLD, &any()).unwrap());
    let with_id = |id: i64| {
        found
            .iter()
            .find(|image| image["properties"]["id"] == id)
            .unwrap()
    };
    assert_eq!(
        with_id(9_223_372_036_854_775_807)["properties"],
        json!({
            "captured_at": 1_682_935_815_250_i64,
            "compass_angle": 90.25,
            "id": 9_223_372_036_854_775_807_i64,
            "is_pano": false,
            "sequence_id": "tYcXv0Gp3kL1mN9qRs2B5w",
            "organization_id": 9_007_199_254_740_993_i64,
        })
    );
    assert_eq!(
        with_id(7)["properties"],
        json!({
            "captured_at": null, "compass_angle": null, "id": 7, "is_pano": null,
            "sequence_id": null,
        })
    );
    let [lon, lat] = [0, 1].map(|i| with_id(7)["geometry"]["coordinates"][i].as_f64().unwrap());
    assert!((lon - 25.0).abs() < 1e-6 && (lat - 60.0).abs() < 1e-6);
    let nothing = read_bbox("[0, 0, 1, 1]").unwrap();
    let nothing = mly.images_in_bbox(&nothing, &any()).unwrap();
    assert_eq!(nothing, r#"{"type":"FeatureCollection","features":[]}"#);
}

/// All positions of a geometry.
fn collect_positions(coordinates: &Value, positions: &mut Vec<[f64; 2]>) {
    match coordinates.as_array().unwrap()[..] {
        [Value::Number(ref lon), Value::Number(ref lat)] => {
            positions.push([lon.as_f64().unwrap(), lat.as_f64().unwrap()]);
        }
        ref parts => {
            for part in parts {
                collect_positions(part, positions);
            }
        }
    }
}

fn contains(bbox: &Bbox, [lon, lat]: [f64; 2]) -> bool {
    (bbox.west()..=bbox.east()).contains(&lon) && (bbox.south()..=bbox.north()).contains(&lat)
}

/// The sequences of a dataset that have an image in a box, told without the engine's sequences.
fn sequences_of_images<'a>(data: &'a Dataset, bbox: &Bbox) -> BTreeSet<&'a str> {
    let all = data.images(&ImageQuery::default()).unwrap();
    let inside = all
        .iter()
        .filter(|image| contains(bbox, [image.lon, image.lat]));
    inside.filter_map(|image| image.sequence_id).collect()
}

#[test]
fn sequences_in_bbox_come_once_and_whole() {
    let town = Town::new();
    // Few tiles, of which many sequences run out.
    let bbox = Bbox::from_degrees(24.945, 60.168, 24.955, 60.172).unwrap();
    let mly = town.interface();
    let found = parsed(&mly.sequences_in_bbox(&bbox, &any()).unwrap());
    let id = |feature: &Value| feature["properties"]["id"].as_str().unwrap().to_owned();
    let found: BTreeMap<String, Value> = found
        .into_iter()
        .map(|feature| (id(&feature), feature))
        .collect();
    for name in sequences_of_images(&town.data, &bbox) {
        assert!(found.contains_key(name), "{name} has an image in the box");
    }
    // Whoever holds the whole town has every sequence whole.
    let everything = town.interface();
    let whole_town = parsed(&everything.sequences_in_bbox(&whole(), &any()).unwrap());
    let in_town: BTreeMap<String, Value> = whole_town
        .into_iter()
        .map(|feature| (id(&feature), feature))
        .collect();
    assert!(!found.is_empty() && found.len() < in_town.len());
    for (name, feature) in &in_town {
        let mut vertices = Vec::new();
        collect_positions(&feature["geometry"]["coordinates"], &mut vertices);
        if vertices.iter().any(|&position| contains(&bbox, position)) {
            assert!(found.contains_key(name), "{name} has a vertex in the box");
        }
        match found.get(name) {
            Some(whole) => assert_eq!(whole, feature),
            None => assert!(!sequences_of_images(&town.data, &bbox).contains(&**name)),
        }
    }
    assert!(found.keys().all(|name| in_town.contains_key(name)));
    let filtered = |json: &str| {
        let filters = ImageFilters::from_json(json).unwrap();
        parsed(&mly.sequences_in_bbox(&bbox, &filters).unwrap())
    };
    let panoramas = filtered(r#"{"image_type": "pano"}"#);
    assert!(!panoramas.is_empty() && panoramas.len() < found.len());
    assert!(
        panoramas
            .iter()
            .all(|sequence| sequence["properties"]["is_pano"] == true)
    );
    assert!(filtered(r#"{"min_captured_at": "2100"}"#).is_empty());
    let requests = town.server.requests().len();
    mly.sequences_in_bbox(&bbox, &any()).unwrap();
    assert_eq!(
        town.server.requests().len(),
        requests,
        "nothing is fetched again"
    );
}

#[test]
fn map_feature_points_and_traffic_signs_in_bbox_are_those_of_the_box() {
    let town = Town::new();
    let mly = town.interface();
    let (bbox, filters) = (middle(), FeatureFilters::default());
    let inside = |feature: &MapFeature<'_>| contains(&bbox, [feature.lon, feature.lat]);
    let expected = |kind| town.features(|feature| feature.kind == kind && inside(feature));
    let points = mly.map_feature_points_in_bbox(&bbox, &filters).unwrap();
    assert_eq!(set(&points), expected(tilesight::FeatureKind::Point));
    let signs = mly.traffic_signs_in_bbox(&bbox, &filters).unwrap();
    assert_eq!(set(&signs), expected(tilesight::FeatureKind::TrafficSign));
    assert!(!set(&signs).is_empty());
    for feature in parsed(&points) {
        let names: Vec<&String> = feature["properties"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["first_seen_at", "id", "last_seen_at", "value"]);
        assert!(feature["properties"]["first_seen_at"].is_i64());
    }
    let asked = town.server.requests();
    assert!(
        asked
            .iter()
            .all(|request| request.path.contains("map_feature"))
    );
}

#[test]
fn map_features_in_geojson_and_shape_reach_traffic_signs() {
    let town = Town::new();
    let mly = town.interface();
    let shape = fs::read_to_string(fixtures().join("areas/district.geojson")).unwrap();
    let region = tilesight::Region::from_geojson(&shape).unwrap();
    let inside = |feature: &MapFeature<'_>| {
        let position = LonLat::new(feature.lon, feature.lat).unwrap();
        region.contains(GridPoint::nearest_to(position))
    };
    let expected = |kind| town.features(|feature| feature.kind == kind && inside(feature));
    let points = expected(tilesight::FeatureKind::Point);
    let signs = expected(tilesight::FeatureKind::TrafficSign);
    assert!(!points.is_empty() && !signs.is_empty());
    let both = points.union(&signs).copied().collect();
    for (filters, expected) in [
        ("{}", &points),
        (r#"{"feature_type": "point", "zoom": 14}"#, &points),
        (r#"{"feature_type": "traffic_signs"}"#, &signs),
        (r#"{"feature_type": "all"}"#, &both),
    ] {
        let filters = FeatureFilters::from_json(filters).unwrap();
        assert_eq!(
            &set(&mly.map_features_in_geojson(&shape, &filters).unwrap()),
            expected
        );
        assert_eq!(
            &set(&mly.map_features_in_shape(&shape, &filters).unwrap()),
            expected
        );
    }
    let error = FeatureFilters::from_json(r#"{"image_type": "pano"}"#).unwrap_err();
    assert!(error.to_string().contains("feature_type"), "{error}");
}

/// Real answers of the Graph API, by path; none where they are not at hand.
fn graph_answers() -> Option<BTreeMap<String, Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/graph");
    if !folder.exists() {
        println!("skipped: no real answers at {}", folder.display());
        return None;
    }
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let mut bodies = BTreeMap::new();
    for id in [IMAGE, FEATURE] {
        bodies.insert(format!("/{id}"), read(&format!("{id}.json")));
        let detections = read(&format!("{id}/detections.json"));
        bodies.insert(format!("/{id}/detections"), detections);
    }
    bodies.insert("/1".into(), read("internal_server_error.json"));
    Some(bodies)
}

const IMAGE: &str = "135511895288847";
const FEATURE: &str = "496980935069177";

fn asking(server: &FaultServer) -> Interface {
    Interface::new(options(server)).unwrap()
}

#[test]
fn image_from_key_and_feature_from_key_always_have_a_geometry() {
    let Some(bodies) = graph_answers() else {
        return;
    };
    let server = FaultServer::start(bodies).unwrap();
    let mly = asking(&server);
    let image = parsed(&mly.image_from_key(IMAGE, &["captured_at", "make"]).unwrap());
    assert_eq!(image.len(), 1);
    assert_eq!(image[0]["geometry"]["type"], "Point");
    assert_eq!(image[0]["properties"]["captured_at"], 1_563_721_072_184_i64);
    assert_eq!(image[0]["properties"]["id"], IMAGE);
    assert_eq!(image[0]["properties"].get("geometry"), None);
    let feature = parsed(&mly.feature_from_key(FEATURE, &["all"]).unwrap());
    let coordinates = &feature[0]["geometry"]["coordinates"];
    assert_eq!(
        coordinates,
        &json!([-83.417_193_328_459, 41.341_166_490_122])
    );
    // Spelled as the service spells it.
    assert_eq!(
        feature[0]["properties"]["first_seen_at"],
        "2017-08-23T21:32:26+0000"
    );
    let asked = server.requests();
    assert!(asked[0].query.contains("make") && asked[0].query.contains("geometry"));
    assert!(asked[1].query.contains("object_value") && asked[1].query.contains("geometry"));
    assert!(
        asked
            .iter()
            .all(|request| !request.query.contains("canary"))
    );
    for wrong in ["", "x", "1.5"] {
        let refused = mly.image_from_key(wrong, &[]);
        assert!(
            matches!(refused, Err(Error::Argument { name: "key", .. })),
            "{wrong}"
        );
    }
    assert!(mly.image_from_key(IMAGE, &["make&access_token"]).is_err());
    let unknown = mly.feature_from_key("2", &[]).unwrap_err();
    assert!(
        matches!(unknown, Error::Graph(graph::Error::NotFound { .. })),
        "{unknown:?}"
    );
    let refused = mly.image_from_key("1", &[]).unwrap_err();
    assert!(
        matches!(refused, Error::Graph(graph::Error::Token { .. })),
        "{refused:?}"
    );
}

#[test]
fn detections_have_their_image_and_their_outline() {
    let Some(bodies) = graph_answers() else {
        return;
    };
    let server = FaultServer::start(bodies).unwrap();
    let mly = asking(&server);
    let found = parsed(&mly.get_detections_with_image_id(IMAGE, &[]).unwrap());
    assert_eq!(found.len(), 2);
    assert_eq!(found[0]["geometry"]["type"], "Point");
    let properties = &found[1]["properties"];
    assert_eq!(properties["image_id"], IMAGE);
    assert_eq!(properties["value"], "information--general-directions--g1");
    assert_eq!(properties["created_at"], "2021-05-23T00:40:55+0000");
    assert_eq!(properties["id"], "138571594982877");
    let outline = &properties["pixel_geometry"];
    assert_eq!(outline["type"], "Polygon");
    let ring = outline["coordinates"][0].as_array().unwrap();
    assert_eq!(ring.first(), ring.last(), "a closed ring");
    let numbers = ring.iter().flat_map(|vertex| vertex.as_array().unwrap());
    assert!(
        numbers
            .filter_map(Value::as_f64)
            .all(|part| (0.0..=1.0).contains(&part))
    );
    let found = parsed(
        &mly.get_detections_with_map_feature_id(FEATURE, &["all"])
            .unwrap(),
    );
    assert!(found.len() > 1);
    let images: BTreeSet<&str> = found
        .iter()
        .map(|detection| detection["properties"]["image_id"].as_str().unwrap())
        .collect();
    assert!(images.contains("828719391332432"));
}

#[test]
fn image_thumbnail_is_an_address_of_any_size() {
    let address = "http://127.0.0.1/p.jpg?oh=1&oe=7FFFFFFF";
    let image = json!({"id": "7", "thumb_1024_url": address, "thumb_original_url": address});
    let body = json!({"7": image}).to_string().into_bytes();
    let server = FaultServer::start(BTreeMap::from([("/".into(), body)])).unwrap();
    let mly = asking(&server);
    for size in [ThumbnailSize::default(), ThumbnailSize::Original] {
        assert_eq!(mly.image_thumbnail("7", size).unwrap(), address);
    }
    let missing = mly.image_thumbnail("7", ThumbnailSize::Px256).unwrap_err();
    assert!(
        matches!(missing, Error::Graph(graph::Error::NotFound { .. })),
        "{missing:?}"
    );
}

#[test]
fn save_locally_keeps_every_row_in_every_format() {
    let town = Town::new();
    let mly = town.interface();
    let images = mly.images_in_bbox(&middle(), &any()).unwrap();
    let rows = parsed(&images);
    let folder = tempfile::tempdir().unwrap();
    let save = |data: &str, extension: &str| {
        let options = SaveOptions {
            file_path: Some(folder.path().to_owned()),
            file_name: Some("middle".into()),
            extension: extension.into(),
        };
        save_locally(data, &options)
    };
    let saved = |extension: &str| fs::read_to_string(save(&images, extension).unwrap()).unwrap();
    assert_eq!(parsed(&saved("geojson")), rows);
    let lines = saved("geojsonl");
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines, rows);
    assert_eq!(saved("ids").lines().count(), rows.len());
    assert_eq!(saved("txt").lines().count(), rows.len() + 2);
    // The first row of the SDK's CSV decides for all: here rows differ, and all are there.
    let csv = saved("csv");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    assert_eq!(&header[0], "ID");
    assert_eq!(&header[1], "WKT");
    let organization = header
        .iter()
        .position(|name| name == "organization_id")
        .unwrap();
    let cells: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(cells.len(), rows.len());
    for (cells, row) in cells.iter().zip(&rows) {
        assert_eq!(cells[0], row["properties"]["id"].to_string());
        let known = row["properties"]
            .get("organization_id")
            .map(Value::to_string);
        assert_eq!(cells[organization], known.unwrap_or_default());
        assert!(cells[1].starts_with("POINT ("));
    }
    #[cfg(feature = "parquet")]
    check_columns(
        &save(&images, "parquet").unwrap(),
        &save(&images, "arrow").unwrap(),
        &rows,
    );
    let error = save(&images, "shp").unwrap_err();
    assert!(matches!(error, Error::Format(_)), "{error:?}");
    let error = save("[]", "csv").unwrap_err();
    assert!(matches!(error, Error::Save { .. }), "{error:?}");
    for wrong in ["../out", "", "a.b", "C:x"] {
        let options = SaveOptions {
            file_path: Some(folder.path().to_owned()),
            file_name: Some(wrong.into()),
            ..SaveOptions::default()
        };
        assert!(save_locally(&images, &options).is_err(), "{wrong}");
    }
}

/// Reads both back with the readers of their own crates.
#[cfg(feature = "parquet")]
fn check_columns(parquet: &Path, arrow: &Path, rows: &[Value]) {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{Array, RecordBatch};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    let check = |batches: Vec<RecordBatch>| {
        let ids = batches.iter().flat_map(|batch| {
            let ids = batch.column_by_name("id").unwrap();
            ids.as_primitive::<Int64Type>().values().to_vec()
        });
        let expected = rows
            .iter()
            .map(|row| row["properties"]["id"].as_i64().unwrap());
        assert!(ids.eq(expected));
        let wkb = batches[0].column_by_name("geometry").unwrap();
        assert_eq!(wkb.as_binary::<i32>().value(0).len(), 21);
        assert_eq!(wkb.null_count(), 0);
    };
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(fs::File::open(parquet).unwrap()).unwrap();
    let file = reader.metadata().file_metadata();
    let entries = file.key_value_metadata().unwrap();
    let geo = entries.iter().find(|entry| entry.key == "geo").unwrap();
    let geo: Value = serde_json::from_str(geo.value.as_ref().unwrap()).unwrap();
    assert_eq!(
        geo["columns"]["geometry"]["geometry_types"],
        json!(["Point"])
    );
    let west = geo["columns"]["geometry"]["bbox"][0].as_f64().unwrap();
    assert!(west >= middle().west());
    check(reader.build().unwrap().map(Result::unwrap).collect());
    let stream = arrow_ipc::reader::StreamReader::try_new(fs::File::open(arrow).unwrap(), None);
    check(stream.unwrap().map(Result::unwrap).collect());
}

// The store.

fn store_in(folder: &TempDir, server: &FaultServer) -> Options {
    Options {
        store: Some(folder.path().join("deep/er/store.mbtiles")),
        ..options(server)
    }
}

#[test]
fn what_was_fetched_is_fetched_once_and_answers_offline() {
    let town = Town::new();
    let folder = tempfile::tempdir().unwrap();
    let mly = Interface::new(store_in(&folder, &town.server)).unwrap();
    let first = mly.images_in_bbox(&middle(), &any()).unwrap();
    let requests = town.server.requests().len();
    assert!(requests > 1);
    assert_eq!(mly.images_in_bbox(&middle(), &any()).unwrap(), first);
    let at = read_position(DOOR).unwrap();
    mly.get_image_looking_at(at, &TargetOptions::default())
        .unwrap();
    let again = Interface::new(store_in(&folder, &town.server)).unwrap();
    assert_eq!(again.images_in_bbox(&middle(), &any()).unwrap(), first);
    assert_eq!(
        town.server.requests().len(),
        requests,
        "nothing is fetched twice"
    );
    let offline = Interface::new(Options {
        offline: true,
        token: None,
        ..store_in(&folder, &town.server)
    })
    .unwrap();
    assert_eq!(offline.images_in_bbox(&middle(), &any()).unwrap(), first);
    check_not_held(offline.images_in_bbox(&whole(), &any()));
    let partial = Interface::new(Options {
        offline: true,
        allow_partial: true,
        ..store_in(&folder, &town.server)
    })
    .unwrap();
    assert!(set(&partial.images_in_bbox(&whole(), &any()).unwrap()).is_superset(&set(&first)));
}

#[track_caller]
fn check_not_held(answer: Result<String, Error>) {
    let error = answer.unwrap_err();
    let is_not_held = matches!(
        error,
        Error::Tilesight(TilesightError::Query(QueryError::NotHeld(NotHeld {
            missing: 1..,
            ..
        })))
    );
    assert!(is_not_held, "{error:?}");
}

#[test]
fn a_tile_that_fails_is_an_error_until_it_comes() {
    let town = Town::new();
    town.server
        .inject(&path(TILESETS[0], 9326, 4742), [Fault::NotFound; 6]);
    let mly = town.interface();
    check_not_held(mly.images_in_bbox(&whole(), &any()));
    let partial = Interface::new(Options {
        allow_partial: true,
        ..options(&town.server)
    })
    .unwrap();
    let found = partial.images_in_bbox(&whole(), &any()).unwrap();
    let expected = town.images(|image| {
        let position = LonLat::new(image.lon, image.lat).unwrap();
        let tile = TileId::containing(14, GridPoint::nearest_to(position));
        tile.to_string() != "14/9326/4742"
    });
    assert_eq!(set(&found), expected);
    let found = mly.images_in_bbox(&whole(), &any()).unwrap();
    assert_eq!(set(&found).len(), 6_000, "the next call tries it again");
}

/// A tile of one image in its middle.
fn one_image(id: i64) -> Vec<u8> {
    let mut images = LayerWriter::new("image");
    images.point((2048, 2048), &[("id", Property::Int(id))]);
    let mut tile = TileWriter::new();
    tile.push(images);
    tile.finish()
}

fn bbox_of(x: u32, y: u32) -> Bbox {
    let [west, south, east, north] = TileId::new(14, x, y).unwrap().edges_deg();
    let inset = 0.001;
    Bbox::from_degrees(west + inset, south + inset, east - inset, north - inset).unwrap()
}

#[test]
fn what_another_process_fetches_anew_is_read_anew() {
    let tile = path(TILESETS[0], 9326, 4742);
    let server = FaultServer::start(BTreeMap::from([(tile.clone(), one_image(1))])).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mly = Interface::new(store_in(&folder, &server)).unwrap();
    let ask = |mly: &Interface| ids(&mly.images_in_bbox(&bbox_of(9326, 4742), &any()).unwrap());
    assert_eq!(ask(&mly), [1]);
    server.set(&tile, one_image(2));
    assert_eq!(ask(&mly), [1], "it is held");
    thread::sleep(Duration::from_millis(20));
    let mut refreshing = store_in(&folder, &server);
    refreshing.fetch.refresh = Some(Duration::from_millis(1));
    assert_eq!(ask(&Interface::new(refreshing).unwrap()), [2]);
    assert_eq!(ask(&mly), [2]);
    fs::remove_file(folder.path().join("deep/er/store.mbtiles")).unwrap();
    server.set(&tile, one_image(3));
    assert_eq!(ask(&mly), [3], "a store that was removed is made anew");
}

#[test]
fn little_memory_makes_no_difference() {
    let town = Town::new();
    let small = Interface::new(Options {
        max_images_in_memory: 0,
        ..options(&town.server)
    })
    .unwrap();
    let large = town.interface();
    for (x, y) in [
        (9325, 4741),
        (9326, 4742),
        (9325, 4741),
        (9327, 4742),
        (9326, 4742),
    ] {
        let ask = |mly: &Interface| mly.images_in_bbox(&bbox_of(x, y), &any()).unwrap();
        assert_eq!(ask(&small), ask(&large));
    }
}

#[test]
fn many_threads_ask_at_once() {
    let town = Town::new();
    let mly = town.interface();
    let at = read_position(DOOR).unwrap();
    thread::scope(|scope| {
        for thread in 0..8_u32 {
            let mly = &mly;
            let expected = &town;
            scope.spawn(move || {
                let bbox = bbox_of(9325 + thread % 4, 4741 + thread % 2);
                let found = mly.images_in_bbox(&bbox, &any()).unwrap();
                let right = expected.images(|image| contains(&bbox, [image.lon, image.lat]));
                assert_eq!(set(&found), right);
                assert!(
                    mly.is_image_being_looked_at(at, &TargetOptions::default())
                        .unwrap()
                );
            });
        }
    });
    let requests = town.server.requests();
    let paths: BTreeSet<&str> = requests.iter().map(|request| &*request.path).collect();
    assert_eq!(paths.len(), requests.len(), "no tile is fetched twice");
}
