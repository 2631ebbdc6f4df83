use geo::Intersects;
use proptest::prelude::*;

use super::*;
use crate::LonLat;
use crate::test_shapes::{any_offsets, any_region, probes};

fn point(lon: f64, lat: f64) -> GridPoint {
    GridPoint::nearest_to(LonLat::new(lon, lat).unwrap())
}

fn ring(positions: &[[f64; 2]]) -> Vec<Position> {
    let mut closed = positions.to_vec();
    closed.push(positions[0]);
    closed
}

fn polygon(rings: &[&[[f64; 2]]]) -> Region {
    let rings = rings.iter().map(|positions| ring(positions)).collect();
    Region::from_polygons(&[rings]).unwrap()
}

fn check_contains(region: &Region, inside: &[[f64; 2]], outside: &[[f64; 2]]) {
    for &[lon, lat] in inside {
        assert!(region.contains(point(lon, lat)), "{lon} {lat} is outside");
    }
    for &[lon, lat] in outside {
        assert!(!region.contains(point(lon, lat)), "{lon} {lat} is inside");
    }
}

/// Reads a GeoJSON text that must be refused with exactly this message.
fn check_refused(text: &str, message: &str) {
    let error = Region::from_geojson(text).unwrap_err();
    assert_eq!(error.to_string(), message);
}

/// As `check_refused`, for a polygon of one ring.
fn check_ring_refused(ring: &str, message: &str) {
    check_refused(
        &format!(r#"{{"type": "Polygon", "coordinates": [{ring}]}}"#),
        message,
    );
}

const FRAME: [[f64; 2]; 4] = [
    [-180.0, -90.0],
    [180.0, -90.0],
    [180.0, 90.0],
    [-180.0, 90.0],
];
const SQUARE: &str = "[[0,0],[2,0],[2,2],[0,2],[0,0]]";

#[test]
fn holes_are_excluded_but_not_their_edges() {
    let region = polygon(&[
        &[[0.0, 0.0], [8.0, 0.0], [8.0, 8.0], [0.0, 8.0]],
        &[[2.0, -1.0], [4.0, -1.0], [4.0, 4.0], [2.0, 4.0]],
    ]);
    check_contains(
        &region,
        &[[1.0, 1.0], [5.0, 5.0]],
        &[[3.0, 3.0], [9.0, 1.0]],
    );
    // 45° is a grid column, as is every multiple of 360/2³² degrees.
    let on_grid = polygon(&[
        &[[0.0, -45.0], [90.0, -45.0], [90.0, 45.0], [0.0, 45.0]],
        &[[22.5, -30.0], [45.0, -30.0], [45.0, 30.0], [22.5, 30.0]],
    ]);
    check_contains(
        &on_grid,
        &[[22.5, 0.0], [45.0, 0.0], [90.0, 0.0]],
        &[[30.0, 0.0]],
    );
}

#[test]
fn bow_ties_are_filled_even_odd() {
    let region = polygon(&[&[[0.0, 0.0], [4.0, 4.0], [4.0, 0.0], [0.0, 4.0]]]);
    check_contains(
        &region,
        &[[1.0, 2.0], [3.0, 2.0]],
        &[[2.0, 1.0], [2.0, 3.0]],
    );
}

#[test]
fn overlapping_polygons_are_one() {
    let square = |at: f64| {
        vec![ring(&[
            [at, 0.0],
            [at + 4.0, 0.0],
            [at + 4.0, 4.0],
            [at, 4.0],
        ])]
    };
    let region = Region::from_polygons(&[square(0.0), square(2.0)]).unwrap();
    check_contains(
        &region,
        &[[1.0, 1.0], [3.0, 1.0], [5.0, 1.0]],
        &[[7.0, 1.0]],
    );
}

#[test]
fn collapsed_rings_are_their_boundary() {
    let line = polygon(&[&[[0.0, 0.0], [45.0, 0.0], [90.0, 0.0]]]);
    check_contains(&line, &[[0.0, 0.0], [22.5, 0.0]], &[[22.5, 0.001]]);
    let dot = polygon(&[&[[45.0, 0.0]; 3]]);
    check_contains(&dot, &[[45.0, 0.0]], &[[45.001, 0.0]]);
}

#[test]
fn long_edges_cross_the_antimeridian() {
    let fiji = [
        [177.0, -19.0],
        [-178.0, -19.0],
        [-178.0, -16.0],
        [177.0, -16.0],
    ];
    let unwrapped = fiji.map(|[lon, lat]| [if lon < 0.0 { lon + 360.0 } else { lon }, lat]);
    let westwards = unwrapped.map(|[lon, lat]| [lon - 360.0, lat]);
    for shell in [fiji, unwrapped, westwards] {
        let hole = [
            [179.0, -18.0],
            [-179.0, -18.0],
            [-179.0, -17.0],
            [179.0, -17.0],
        ];
        check_contains(
            &polygon(&[&shell, &hole]),
            &[[178.0, -17.5], [-178.5, -17.5], [180.0, -16.5]],
            &[
                [0.0, -17.5],
                [179.5, -17.5],
                [-179.5, -17.5],
                [176.0, -17.5],
            ],
        );
    }
}

#[test]
fn the_frame_of_the_world_is_the_world() {
    check_contains(
        &polygon(&[&FRAME]),
        &[[0.0, 0.0], [-180.0, 85.0], [179.9, -85.0]],
        &[],
    );
    let from_zero = FRAME.map(|[lon, lat]| [lon + 180.0, lat]);
    check_contains(&polygon(&[&from_zero]), &[[-90.0, 0.0], [90.0, 0.0]], &[]);
    let across = [
        [170.0, -10.0],
        [-170.0, -10.0],
        [-170.0, 10.0],
        [170.0, 10.0],
    ];
    check_contains(
        &polygon(&[&FRAME, &across]),
        &[[0.0, 0.0], [160.0, 0.0], [-160.0, 0.0]],
        &[[175.0, 0.0], [-175.0, 0.0]],
    );
}

#[test]
fn a_cap_cut_at_the_antimeridian_reaches_its_pole() {
    let coast = [
        [-180.0, -70.0],
        [-60.0, -75.0],
        [60.0, -65.0],
        [180.0, -70.0],
    ];
    let pole = [[180.0, -90.0], [-180.0, -90.0]];
    let antarctica = polygon(&[&[&coast[..], &pole].concat()]);
    check_contains(
        &antarctica,
        &[[0.0, -80.0], [179.9, -85.0], [60.0, -66.0]],
        &[[0.0, -60.0], [-60.0, -74.0]],
    );
}

#[test]
fn a_ring_may_be_cut_on_both_sides_of_the_antimeridian() {
    let region = polygon(&[&[
        [175.0, 0.0],
        [180.0, 0.0],
        [-180.0, 0.0],
        [-175.0, 0.0],
        [-175.0, 5.0],
        [-180.0, 5.0],
        [180.0, 5.0],
        [175.0, 5.0],
    ]]);
    check_contains(
        &region,
        &[[177.0, 2.0], [-177.0, 2.0]],
        &[[0.0, 2.0], [170.0, 2.0]],
    );
}

#[test]
fn geojson_of_every_kind_with_an_area_is_read() {
    let square = format!(r#"{{"type":"Polygon","coordinates":[{SQUARE}]}}"#);
    let feature = format!(r#"{{"type":"Feature","properties":null,"geometry":{square}}}"#);
    let point = r#"{"type":"Point","coordinates":[9,9]}"#;
    for text in [
        square.clone(),
        format!("\u{feff} {square}"),
        format!(r#"{{"coordinates":[[{SQUARE}]],"type":"MultiPolygon","bbox":[0,0,2,2]}}"#),
        format!(r#"{{"type":"GeometryCollection","geometries":[{point},{square}]}}"#),
        format!(r#"{{"type":"FeatureCollection","features":[{feature}],"name":"a"}}"#),
        feature,
        r#"{"type":"Polygon","coordinates":[[[0,0,7],[2,0,7,1],[2,2],[0,2],[0,0]]]}"#.to_owned(),
    ] {
        let region = Region::from_geojson(&text).unwrap();
        check_contains(&region, &[[1.0, 1.0]], &[[3.0, 1.0], [9.0, 9.0]]);
    }
}

#[test]
fn wgs84_by_any_name_is_no_foreign_coordinate_system() {
    let with_crs =
        |crs: &str| format!(r#"{{"type":"Polygon","crs":{crs},"coordinates":[{SQUARE}]}}"#);
    for name in [
        "urn:ogc:def:crs:OGC:1.3:CRS84",
        "EPSG:4326",
        "urn:ogc:def:crs:EPSG::4326",
    ] {
        let crs = format!(r#"{{"type":"name","properties":{{"name":"{name}"}}}}"#);
        assert!(Region::from_geojson(&with_crs(&crs)).is_ok(), "{name}");
    }
    assert!(Region::from_geojson(&with_crs("null")).is_ok());
    check_refused(
        &with_crs(r#"{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::3857"}}"#),
        "region: the coordinate system is urn:ogc:def:crs:EPSG::3857, but GeoJSON is in WGS 84 (reproject to EPSG:4326 and write urn:ogc:def:crs:OGC:1.3:CRS84, or no \"crs\")",
    );
}

const LOOKS_LIKE: &str =
    r#"(a region looks like {"type":"Polygon","coordinates":[[[24,60],[26,60],[25,61],[24,60]]]})"#;

#[test]
fn what_is_no_geojson_is_named() {
    check_refused(
        r#"{"type": "Polygon""#,
        &format!(
            "region: not GeoJSON: EOF while parsing an object at line 1 column 18 {LOOKS_LIKE}"
        ),
    );
    check_refused(
        "[1, 2]",
        &format!("region: \"[1, 2]\" is not a GeoJSON object {LOOKS_LIKE}"),
    );
    check_refused(
        r#"{"type":"FeatureCollection","features":[null]}"#,
        &format!("features[0]: \"null\" is not a GeoJSON object {LOOKS_LIKE}"),
    );
    check_refused(
        "{}",
        &format!("region: the member \"type\" is missing {LOOKS_LIKE}"),
    );
    check_refused(
        r#"{"type":"FeatureCollection","features":[{"type":"Feature","geometry":null}]}"#,
        &format!("features[0]: the member \"geometry\" is missing {LOOKS_LIKE}"),
    );
    check_refused(
        r#"{"type":"polygon","coordinates":[]}"#,
        "region: the type \"polygon\" is none of Polygon, MultiPolygon, GeometryCollection, Feature, FeatureCollection",
    );
    check_refused(
        r#"{"type":"FeatureCollection","features":[{"type":"Polygon","coordinates":[]}]}"#,
        "features[0]: the type \"Polygon\" is none of Feature",
    );
    check_refused(
        r#"{"type":"Feature","geometry":{"type":"Feature"}}"#,
        "geometry: the type \"Feature\" is none of Polygon, MultiPolygon, GeometryCollection",
    );
}

#[test]
fn what_has_no_area_is_named() {
    check_refused(
        r#"{"type":"FeatureCollection","features":[]}"#,
        &format!("region: there is no polygon in it {LOOKS_LIKE}"),
    );
    check_refused(
        r#"{"type":"MultiPolygon","coordinates":[[]]}"#,
        &format!("coordinates[0]: there is no polygon in it {LOOKS_LIKE}"),
    );
    check_refused(
        r#"{"type":"Point","coordinates":[24.94,60.17]}"#,
        "region: a Point has no area (a region is made of Polygon and MultiPolygon, whose rings are closed)",
    );
    check_refused(
        r#"{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"LineString","coordinates":[]}}]}"#,
        "features[0].geometry: a LineString has no area (a region is made of Polygon and MultiPolygon, whose rings are closed)",
    );
}

#[test]
fn wrong_numbers_are_named() {
    check_ring_refused(
        r#"[[0,0],[2,"0"],[2,2],[0,0]]"#,
        &format!(
            "coordinates: not GeoJSON: invalid type: string \"0\", expected f64 at line 1 column 14 {LOOKS_LIKE}"
        ),
    );
    check_ring_refused(
        "[[0,0],[2],[2,2],[0,0]]",
        &format!(
            "coordinates: not GeoJSON: invalid length 1, expected a position of two numbers, as [24.94, 60.17] at line 1 column 11 {LOOKS_LIKE}"
        ),
    );
    check_ring_refused(
        "[[0,0],[2,1e999],[2,2],[0,0]]",
        &format!("coordinates: not GeoJSON: number out of range at line 1 column 16 {LOOKS_LIKE}"),
    );
    check_ring_refused(
        "[[0,0],[2,0],[400,2],[0,0]]",
        "coordinates[0][2]: longitude 400 is not within -360 to 360 (a position is [24.94, 60.17], in degrees)",
    );
    check_ring_refused(
        "[[60.17,124.94],[60,124],[61,124],[60.17,124.94]]",
        "coordinates[0][0]: latitude 124.94 is not within -90 to 90 (longitude and latitude look swapped: longitude comes first, as [24.94, 60.17])",
    );
    check_ring_refused(
        "[[0,0],[2779000,2],[2,2],[0,0]]",
        "coordinates[0][1]: longitude 2779000 is not within -360 to 360 (a position is [24.94, 60.17], in degrees)",
    );
    let not_numbers = vec![vec![[0.0, f64::NAN]; 4]];
    assert_eq!(
        Region::from_polygons(&[not_numbers])
            .unwrap_err()
            .to_string(),
        "polygons[0][0][0]: latitude NaN is not within -90 to 90 (a position is [24.94, 60.17], in degrees)",
    );
}

#[test]
fn wrong_rings_are_named() {
    check_ring_refused(
        "[[0,0],[2,0],[0,0]]",
        "coordinates[0]: the ring has 3 positions, but needs at least 4, the last equal to the first (a triangle is [[24, 60], [26, 60], [25, 61], [24, 60]])",
    );
    check_refused(
        r#"{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"MultiPolygon","coordinates":[[[[0,0],[2,0],[2,2],[0,2]]]]}}]}"#,
        "features[0].geometry.coordinates[0][0]: the ring is open: it begins at [0.0, 0.0] and ends at [0.0, 2.0] (repeat the first position at the end)",
    );
    check_ring_refused(
        "[[0,80],[120,80],[-120,80],[0,80]]",
        "coordinates[0]: the ring winds around a pole (cut it at the antimeridian, as RFC 7946 asks: let it run along 180 to the pole, to -180 and back, as [180, -84], [180, -90], [-180, -90], [-180, -84])",
    );
    check_ring_refused(
        "[[-300,0],[-150,0],[0,0],[150,0],[300,0],[300,9],[150,9],[0,9],[-150,9],[-300,9],[-300,0]]",
        "coordinates[0]: the ring spans 600 degrees of longitude, but the world is 360 wide (split it)",
    );
}

#[test]
fn nesting_ten_thousand_deep_is_refused() {
    let collections = r#"{"type":"GeometryCollection","geometries":["#;
    check_refused(
        &format!("{}{}", collections.repeat(10_000), "]}".repeat(10_000)),
        &format!(
            "{}: geometry collections are nested more than 16 deep (put their members in one)",
            ["geometries[0]"; 16].join(".")
        ),
    );
    let arrays = "[".repeat(10_000);
    check_refused(
        &format!(
            r#"{{"type":"Polygon","coordinates":{arrays}{}}}"#,
            "]".repeat(10_000)
        ),
        &format!(
            "coordinates: not GeoJSON: invalid type: sequence, expected f64 at line 1 column 3 {LOOKS_LIKE}"
        ),
    );
}

#[test]
fn a_million_vertices_are_read() {
    use std::fmt::Write;
    let mut text = String::from(r#"{"type":"Polygon","coordinates":[[[0,0]"#);
    for at in 0..1_000_000 {
        let angle = f64::from(at) * 6e-6;
        write!(text, ",[{},{}]", angle.cos(), angle.sin()).unwrap();
    }
    text.push_str(",[0,0]]]}");
    let region = Region::from_geojson(&text).unwrap();
    check_contains(&region, &[[0.5, 0.5]], &[[2.0, 0.5]]);
}

/// As `geo` says it, whose polygons are closed sets too.
fn contains_by_geo(region: &Region, point: GridPoint) -> bool {
    let at = point.to_lon_lat();
    let coord = geo::Coord {
        x: at.lon(),
        y: at.lat(),
    };
    let line = |ring: &Ring| geo::LineString::from(ring.vertices().to_vec());
    region
        .polygons()
        .iter()
        .any(|polygon| geo::Polygon::new(line(&polygon.rings()[0]), Vec::new()).intersects(&coord))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// `geo` does not know the antimeridian, and fills rings that cross themselves otherwise.
    #[test]
    fn simple_polygons_are_as_geo_has_them(
        region in any_region().prop_filter_map("is wide or crosses the antimeridian", |region| stars(&region)), offsets in any_offsets(),
    ) {
        for point in probes(&region, &offsets) {
            prop_assert_eq!(region.contains(point), contains_by_geo(&region, point), "{:?}", point);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in r#"[\[\]{}:,"0-9a-z. -]{0,40}"#) {
        let _ = Region::from_geojson(&text);
    }

    /// Damage to a good text is read or refused.
    #[test]
    fn damaged_geojson_is_read_or_refused(at: usize, byte in 32u8..127, length in 0usize..4) {
        let text = format!(
            r#"{{"type":"FeatureCollection","features":[{{"type":"Feature","geometry":
            {{"type":"GeometryCollection","geometries":[{{"type":"Polygon","coordinates":[{SQUARE}]}}]}}}}]}}"#
        );
        let at = at % text.len();
        let end = (at + length).min(text.len());
        let damaged = format!("{}{}{}", &text[..at], byte as char, &text[end..]);
        let _ = Region::from_geojson(&damaged);
    }
}

/// The region without its holes, its shells made simple by walking around their centres.
fn stars(region: &Region) -> Option<Region> {
    // New edges must be no longer than 180°, or they would cross the antimeridian.
    let is_plain = |polygon: &Polygon| {
        let [west, east] = polygon.range(0);
        east < 180.0 && east - west <= 180.0
    };
    if !region.polygons.iter().all(is_plain) {
        return None;
    }
    let star = |polygon: &Polygon| {
        let mut vertices = polygon.rings[0].vertices()[1..].to_vec();
        let count = vertices.len() as f64;
        let centre = [0, 1].map(|axis| vertices.iter().map(|v| v[axis]).sum::<f64>() / count);
        let angle = |v: &Position| (v[1] - centre[1]).atan2(v[0] - centre[0]);
        vertices.sort_by(|a, b| angle(a).total_cmp(&angle(b)));
        let rings = vec![Ring::new(&ring(&vertices), "").unwrap()];
        Polygon { rings }
    };
    Region::new(region.polygons.iter().map(star).collect()).ok()
}
