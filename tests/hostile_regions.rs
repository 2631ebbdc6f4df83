//! Regions that mean no good: each is refused by a message that names the value, or answered as
//! its definition answers, in memory proportional to its vertices.
//!
//! By default they have some ten thousand vertices; `TILESIGHT_SOAK=1` makes it millions, and tells
//! how long the slowest question took.

#![allow(
    clippy::unwrap_used,
    reason = "what is not there fails the test, in helpers as well"
)]

use std::f64::consts::TAU;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tilesight::{Dataset, Image, ImageQuery, Place, Region};
use tilesight_heap::{Counting, peak};
use tilesight_tile::{GridPoint, LonLat, cover_region};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Ring = Vec<[f64; 2]>;
type Polygons = Vec<Vec<Ring>>;

const IMAGES: i64 = 20_000;

/// What a question may hold for each vertex, and beside that.
const MAX_BYTES_A_VERTEX: usize = 1500;
const MAX_BYTES_BESIDE: usize = 64 << 20;

/// Longest message: one that quotes all of a hostile text would be as long as the text.
const MAX_MESSAGE_LEN: usize = 1000;

/// What a question should take at most; it is told, not tested.
const ONE_SECOND: Duration = Duration::from_secs(1);

/// Tiles that a fetch would ask about.
const MAX_TILES: u64 = 50_000;

fn is_whole_edition() -> bool {
    std::env::var_os("TILESIGHT_SOAK").is_some()
}

/// A number of vertices, or of rings: small unless the whole edition is asked for.
fn size(whole: usize) -> usize {
    if is_whole_edition() {
        whole
    } else {
        whole / 500
    }
}

/// Tests that count memory do it one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Images all over the world and, of each four, three around the middle of the regions; every
/// seventh on whole degrees, where regions have their corners.
fn images() -> Vec<Image<'static>> {
    let part = |id: i64, step: f64| (id as f64 * step).fract() * 2.0 - 1.0;
    let position = |id| {
        let reach = if id % 4 == 0 {
            [180.0, 85.0]
        } else {
            [12.0, 12.0]
        };
        let lon = part(id, 0.618_033_988_749_895) * reach[0];
        let lat = part(id, 0.414_213_562_373_095) * reach[1];
        if id % 7 == 0 {
            [lon.round(), lat.round()]
        } else {
            [lon, lat]
        }
    };
    let image = |id| {
        let [lon, lat] = position(id);
        Image::at(id, lon, lat)
    };
    (1..=IMAGES).map(image).collect()
}

/// What a question cost.
struct Cost {
    name: &'static str,
    vertices: usize,
    time: Duration,
    bytes: usize,
}

/// Asks which images lie in a region, and holds the answer to the definition, which visits every
/// edge: for as many images as there is time for.
fn check(name: &'static str, data: &Dataset, polygons: Polygons) -> Cost {
    let vertices: usize = polygons.iter().flatten().map(Vec::len).sum();
    let region = Region::from_polygons(&polygons).unwrap();
    drop(polygons);
    let query = ImageQuery {
        place: Place::Region(region.clone()),
        ..ImageQuery::default()
    };
    let start = Instant::now();
    let (mut found, bytes) = peak(|| data.images(&query).unwrap().ids().collect::<Vec<i64>>());
    let time = start.elapsed();
    println!(
        "{name}: {vertices} vertices, {} found, {time:?}, {bytes} bytes",
        found.len()
    );
    check_cover(name, &region, vertices);
    found.sort_unstable();
    let budget = if is_whole_edition() { 1 << 31 } else { 1 << 26 };
    let apart = (IMAGES as usize * vertices).div_ceil(budget);
    for image in images().iter().step_by(apart) {
        let position = LonLat::new(image.lon, image.lat).unwrap();
        let expected = region.contains(GridPoint::nearest_to(position));
        assert_eq!(
            found.binary_search(&image.id).is_ok(),
            expected,
            "{name}: {image:?}"
        );
    }
    check_bytes(name, bytes, vertices);
    Cost {
        name,
        vertices,
        time,
        bytes,
    }
}

/// A region is covered, or found to take too many tiles, in memory for its vertices however often
/// they pass the same tiles.
fn check_cover(name: &str, region: &Region, vertices: usize) {
    let start = Instant::now();
    let (cover, bytes) = peak(|| cover_region(14, region, MAX_TILES));
    let tiles = cover.map_or("too many".to_owned(), |cover| cover.count().to_string());
    println!("    {tiles} tiles, {:?}, {bytes} bytes", start.elapsed());
    check_bytes(name, bytes, vertices);
}

fn check_bytes(name: &str, bytes: usize, vertices: usize) {
    let most = vertices * MAX_BYTES_A_VERTEX + MAX_BYTES_BESIDE;
    assert!(
        bytes <= most,
        "{name}: {bytes} bytes for {vertices} vertices"
    );
}

fn closed(mut ring: Ring) -> Ring {
    ring.push(ring[0]);
    ring
}

fn square(reach: f64) -> Ring {
    around([0.0, 0.0], reach)
}

fn around([lon, lat]: [f64; 2], reach: f64) -> Ring {
    let corners = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]];
    closed(
        corners
            .map(|[x, y]| [lon + x * reach, lat + y * reach])
            .to_vec(),
    )
}

/// As many spikes as half of its vertices.
fn star(vertices: usize) -> Ring {
    let spike = |at: usize| {
        let (sin, cos) = (at as f64 / vertices as f64 * TAU).sin_cos();
        let reach = if at.is_multiple_of(2) { 10.0 } else { 7.0 };
        [cos * reach, sin * reach]
    };
    closed((0..vertices).map(spike).collect())
}

/// Teeth side by side, each as long as the comb is high.
fn comb(vertices: usize) -> Ring {
    let tooth = |at: usize| {
        let lat = if at.is_multiple_of(2) { 10.0 } else { -10.0 };
        [at as f64 / vertices as f64 * 20.0 - 10.0, lat]
    };
    closed((0..vertices).map(tooth).collect())
}

/// A square of which one corner is there again and again.
fn repeated_corner(vertices: usize) -> Ring {
    let mut ring = square(9.0);
    ring.splice(0..0, vec![[-9.0, -9.0]; vertices]);
    ring
}

/// To the east along a parallel and back: a line.
fn there_and_back(vertices: usize) -> Ring {
    let half = vertices / 2;
    let lon = |at: usize| at as f64 / half as f64 * 20.0 - 10.0;
    let there = (0..half).map(|at| [lon(at), 5.0]);
    let back = (0..half).rev().map(|at| [lon(at), 5.0]);
    there.chain(back).collect()
}

/// Around a square an even number of times: nothing is inside, but its edges belong to it.
fn laps(times: usize) -> Ring {
    let lap = square(8.0);
    closed((0..times / 2 * 2).flat_map(|_| lap[..4].to_vec()).collect())
}

/// A square with holes side by side in it.
fn holes(count: usize) -> Vec<Ring> {
    let side = (count as f64).sqrt() as usize;
    let step = 20.0 / side as f64;
    let centre = |at: usize| at as f64 * step - 10.0 + step / 2.0;
    let hole = |at: usize| around([centre(at % side), centre(at / side)], step / 4.0);
    let shell = std::iter::once(square(10.0));
    shell.chain((0..side * side).map(hole)).collect()
}

/// Squares around each other, which take turns at being area and hole.
fn nested(count: usize) -> Vec<Ring> {
    let reach = |at: usize| 10.0 * (at + 1) as f64 / count as f64;
    (0..count).map(|at| square(reach(at))).collect()
}

/// Random corners all over each other.
fn tangle(vertices: usize) -> Ring {
    let part = |at: usize, step: f64| (at as f64 * step).fract() * 20.0 - 10.0;
    let corner = |at| {
        [
            part(at, 0.754_877_666_246_693),
            part(at, 0.569_840_290_998_053),
        ]
    };
    closed((0..vertices).map(corner).collect())
}

/// The same square many times.
fn copies(count: usize) -> Polygons {
    vec![vec![square(6.0)]; count]
}

fn lat_90_corners() -> Ring {
    closed(vec![
        [-180.0, 60.0],
        [0.0, 70.0],
        [180.0, 60.0],
        [180.0, 90.0],
        [-180.0, 90.0],
    ])
}

fn frame(west: f64) -> Ring {
    let east = west + 360.0;
    closed(vec![
        [west, -90.0],
        [east, -90.0],
        [east, 90.0],
        [west, 90.0],
    ])
}

/// What is answered: names and shapes.
fn answered() -> Vec<(&'static str, Box<dyn Fn() -> Polygons>)> {
    fn one(ring: impl Fn() -> Ring + 'static) -> Box<dyn Fn() -> Polygons> {
        Box::new(move || vec![vec![ring()]])
    }
    fn rings(rings: impl Fn() -> Vec<Ring> + 'static) -> Box<dyn Fn() -> Polygons> {
        Box::new(move || vec![rings()])
    }
    vec![
        ("the world", one(|| frame(-180.0))),
        ("the world from Greenwich on", one(|| frame(0.0))),
        (
            "the world without a strip over the antimeridian",
            rings(|| {
                let strip = [
                    [170.0, -10.0],
                    [-170.0, -10.0],
                    [-170.0, 10.0],
                    [170.0, 10.0],
                ];
                vec![frame(-180.0), closed(strip.to_vec())]
            }),
        ),
        ("a cap over the pole", one(lat_90_corners)),
        (
            "a strip over the antimeridian",
            one(|| {
                closed(vec![
                    [175.0, -5.0],
                    [-175.0, -5.0],
                    [-175.0, 5.0],
                    [175.0, 5.0],
                ])
            }),
        ),
        (
            "a bow-tie",
            one(|| closed(vec![[-9.0, -9.0], [9.0, 9.0], [9.0, -9.0], [-9.0, 9.0]])),
        ),
        ("a dot", one(|| vec![[7.0, 7.0]; 4])),
        (
            "a dot of many vertices",
            one(|| vec![[7.0, 7.0]; size(10_000_000)]),
        ),
        ("a star", one(|| star(size(10_000_000)))),
        (
            "a corner again and again",
            one(|| repeated_corner(size(10_000_000))),
        ),
        (
            "a line there and back",
            one(|| there_and_back(size(10_000_000))),
        ),
        ("laps around a square", one(|| laps(size(2_500_000)))),
        ("a comb", one(|| comb(size(1_000_000)))),
        ("a tangle", one(|| tangle(size(100_000)))),
        ("a million holes", rings(|| holes(size(1_000_000)))),
        (
            "squares around each other",
            rings(|| nested(size(1_000_000))),
        ),
        (
            "the same square many times",
            Box::new(|| copies(size(1_000_000))),
        ),
    ]
}

#[test]
fn hostile_regions_are_answered_as_defined() {
    let _alone = alone();
    let data = Dataset::from_images(images()).unwrap();
    let shapes = answered().into_iter();
    let costs: Vec<Cost> = shapes
        .map(|(name, polygons)| check(name, &data, polygons()))
        .collect();
    let (fast, slow): (Vec<&Cost>, Vec<&Cost>) =
        costs.iter().partition(|cost| cost.time < ONE_SECOND);
    println!(
        "reliability: hostile regions: {} answered as defined, {} of them in under 1 s{}",
        costs.len(),
        fast.len(),
        slow.iter().map(|cost| told(cost)).collect::<String>()
    );
}

/// What a question cost that took its time.
fn told(cost: &Cost) -> String {
    let (millions, seconds) = (cost.vertices as f64 / 1e6, cost.time.as_secs_f64());
    let bytes = cost.bytes / cost.vertices;
    let name = cost.name;
    format!(", {name} of {millions:.1} million vertices in {seconds:.1} s and {bytes} bytes each")
}

const TRIANGLE: &str = "[[[24,60],[26,60],[25,61],[24,60]]]";

fn polygon(coordinates: &str) -> String {
    format!(r#"{{"type":"Polygon","coordinates":{coordinates}}}"#)
}

/// Texts that are refused, and what the message names.
fn refused() -> Vec<(String, &'static str)> {
    let long = "x".repeat(size(10_000_000));
    let deep = size(5_000_000);
    let collections = r#"{"type":"GeometryCollection","geometries":["#;
    let with_crs =
        |crs: &str| format!(r#"{{"type":"Polygon","crs":{crs},"coordinates":{TRIANGLE}}}"#);
    let named_crs = |name: &str| {
        with_crs(&format!(
            r#"{{"type":"name","properties":{{"name":"{name}"}}}}"#
        ))
    };
    let rings = |ring: &str| polygon(&format!("[{ring}]"));
    vec![
        (rings("[[0,0],[NaN,0],[2,2],[0,0]]"), "line 1 column"),
        (rings("[[0,0],[Infinity,0],[2,2],[0,0]]"), "line 1 column"),
        (
            rings("[[0,0],[1e999,0],[2,2],[0,0]]"),
            "number out of range",
        ),
        (
            rings("[[0,0],[1e300,0],[2,2],[0,0]]"),
            "coordinates[0][1]: longitude 1000",
        ),
        (
            rings("[[0,0],[2,-90.5],[2,2],[0,0]]"),
            "coordinates[0][1]: latitude -90.5",
        ),
        (
            rings("[[60,120],[61,120],[61,121],[60,120]]"),
            "longitude and latitude look swapped",
        ),
        (
            rings("[[2770000,8430000],[2780000,8430000],[2770000,8440000],[2770000,8430000]]"),
            "longitude 2770000",
        ),
        (
            rings("[[0,0],[2,0],[2,2],[0,2]]"),
            "the ring is open: it begins at [0.0, 0.0] and ends at [0.0, 2.0]",
        ),
        (rings("[[0,0],[2,0],[0,0]]"), "the ring has 3 positions"),
        (rings("[]"), "coordinates[0]: the ring has 0 positions"),
        (polygon("[]"), "there is no polygon in it"),
        (polygon("null"), r#"the member "coordinates" is missing"#),
        (
            rings("[[0,80],[120,80],[-120,80],[0,80]]"),
            "winds around a pole",
        ),
        (rings("[[0,0],[null,0],[2,2],[0,0]]"), "invalid type: null"),
        (
            rings(&format!(r#"[[0,0],["{long}",0],[2,2],[0,0]]"#)),
            "expected f64 at line 1 column",
        ),
        (
            polygon(&format!("{}{}", "[".repeat(deep), "]".repeat(deep))),
            "invalid type: sequence",
        ),
        (
            format!(
                "{}{}",
                collections.repeat(deep / 50),
                "]}".repeat(deep / 50)
            ),
            "nested more than 16 deep",
        ),
        (
            named_crs("urn:ogc:def:crs:EPSG::3857"),
            "urn:ogc:def:crs:EPSG::3857",
        ),
        (named_crs(&long), "the coordinate system is xxx"),
        (
            with_crs(&format!("{}{}", "[".repeat(deep), "]".repeat(deep))),
            "recursion limit",
        ),
        (format!(r#"{{"type":"{long}"}}"#), r#"the type "xxx"#),
        (format!(r#""{long}""#), "is not a GeoJSON object"),
        (
            format!(r#"{{"type":"Feature","geometry":{{"type":"{long}"}}}}"#),
            r#"geometry: the type "xxx"#,
        ),
        (
            r#"{"type":"FeatureCollection","features":[]}"#.to_owned(),
            "there is no polygon in it",
        ),
        (String::new(), r#""" is not a GeoJSON object"#),
    ]
}

#[test]
fn hostile_regions_are_refused_by_name() {
    let _alone = alone();
    let texts = refused();
    for (text, named) in &texts {
        let (outcome, bytes) = peak(|| Region::from_geojson(text));
        let message = outcome.unwrap_err().to_string();
        let beginning: String = text.chars().take(60).collect();
        assert!(message.contains(named), "{beginning}: {message:.200}");
        assert!(
            message.len() <= MAX_MESSAGE_LEN,
            "{beginning}: {message:.200}"
        );
        assert!(
            bytes <= 32 * text.len() + (1 << 20),
            "{beginning}: {bytes} bytes"
        );
    }
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e300] {
        for axis in [0, 1] {
            let mut ring = square(1.0);
            ring[2][axis] = value;
            let message = Region::from_polygons(&[vec![ring]])
                .unwrap_err()
                .to_string();
            assert!(message.starts_with("polygons[0][0][2]: l"), "{message}");
            assert!(
                message.contains(&format!("itude {value} is not within")),
                "{message}"
            );
        }
    }
    println!(
        "reliability: hostile regions: {} refused by name",
        texts.len() + 8
    );
}

/// What stands beside the geometry is no part of the region, however hostile.
#[test]
fn hostile_members_beside_the_geometry_are_passed_over() {
    let _alone = alone();
    let deep = size(5_000_000);
    let nested = format!("{}{}", "[".repeat(deep), "]".repeat(deep));
    let text = format!(
        r#"{{"type":"Feature","properties":{nested},"id":{nested},"geometry":{}}}"#,
        polygon(TRIANGLE)
    );
    let region = Region::from_geojson(&text).unwrap();
    assert!(region.contains(GridPoint::nearest_to(LonLat::new(25.0, 60.5).unwrap())));
}
