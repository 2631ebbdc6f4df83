//! Random questions, most of them about the very positions and values of a world.

use tilesight_query::{Filter, ImageQuery, Kind, Period, Place};
use tilesight_tile::{Bbox, LonLat, Region, haversine_m};

use super::calendar;
use super::random::Random;
use super::world::{CREATORS, ORGANIZATIONS, SEQUENCES};

pub(crate) fn image_query(random: &mut Random, anchors: &[LonLat], ids: &[i64]) -> ImageQuery {
    ImageQuery {
        place: place(random, anchors, ids.len()),
        filter: filter(random, ids),
        limit: limit(random, ids.len()),
        allow_partial: random.one_in(2),
    }
}

pub(crate) fn limit(random: &mut Random, rows: usize) -> Option<usize> {
    random.one_in(6).then(|| random.below(rows + 2))
}

pub(crate) fn place(random: &mut Random, anchors: &[LonLat], rows: usize) -> Place {
    let target = near(random, anchors);
    match random.below(12) {
        0 => Place::Everywhere,
        1..=3 => Place::Bbox(bbox(random, anchors)),
        4..=6 => region(random, anchors),
        7 | 8 => Place::Near {
            target,
            radius_m: radius_m(random, target, anchors),
        },
        9 | 10 => Place::Nearest {
            target,
            k: k(random, rows),
            radius_m: random.one_in(3).then(|| radius_m(random, target, anchors)),
        },
        _ => Place::LookingAt {
            target,
            radius_m: radius_m(random, target, anchors),
            fov_deg: random.pick(&[1.0, 100.0, 100.0, 179.5, 360.0]),
        },
    }
}

fn k(random: &mut Random, rows: usize) -> usize {
    random.pick(&[0, 1, 2, 5, 17, 64, rows, rows + 1, usize::MAX])
}

/// One of the anchors, or a position so far from one that both may lie in one place.
fn near(random: &mut Random, anchors: &[LonLat]) -> LonLat {
    let anchor = random.pick(anchors);
    if random.one_in(2) {
        return anchor;
    }
    let reach = random.pick(&[1e-9, 1e-6, 1e-3, 0.02, 5.0]);
    let lon = anchor.lon() + random.real(-reach, reach);
    let lat = anchor.lat() + random.real(-reach, reach);
    LonLat::new(wrapped(lon), lat.clamp(-90.0, 90.0)).unwrap()
}

fn wrapped(lon: f64) -> f64 {
    if lon > 180.0 {
        lon - 360.0
    } else if lon < -180.0 {
        lon + 360.0
    } else {
        lon
    }
}

/// Nothing, exactly as far as an anchor, around half the globe and beyond, or anything between.
fn radius_m(random: &mut Random, target: LonLat, anchors: &[LonLat]) -> f64 {
    match random.below(8) {
        0 => 0.0,
        1..=3 => haversine_m(target, random.pick(anchors)),
        4 => random.pick(&[10_007_557.0, 20_015_115.0, 2e7, 3e7, f64::INFINITY]),
        _ => 10f64.powf(random.real(-1.0, 7.0)),
    }
}

/// A box between two positions; with one of them twice a point, with their longitudes as they
/// come across the antimeridian.
fn bbox(random: &mut Random, anchors: &[LonLat]) -> Bbox {
    if random.one_in(30) {
        return Bbox::WORLD;
    }
    let (a, mut b) = (near(random, anchors), near(random, anchors));
    match random.below(8) {
        0 => b = a,
        1 => b = LonLat::new(a.lon(), b.lat()).unwrap(),
        2 => b = LonLat::new(b.lon(), a.lat()).unwrap(),
        _ => {}
    }
    let (mut west, mut east) = (a.lon(), b.lon());
    if (west > east) != random.one_in(4) {
        (west, east) = (east, west);
    }
    let (south, north) = (a.lat().min(b.lat()), a.lat().max(b.lat()));
    Bbox::from_degrees(west, south, east, north).unwrap()
}

/// One to three polygons, some with holes; a box where the rings happen to be impossible.
fn region(random: &mut Random, anchors: &[LonLat]) -> Place {
    let polygons: Vec<Vec<Vec<[f64; 2]>>> = (0..=random.below(3))
        .map(|_| {
            let centre = near(random, anchors);
            (0..=random.below(3))
                .map(|_| ring(random, centre, anchors))
                .collect()
        })
        .collect();
    match Region::from_polygons(&polygons) {
        Ok(region) => Place::Region(region),
        Err(_) => Place::Bbox(bbox(random, anchors)),
    }
}

fn ring(random: &mut Random, centre: LonLat, anchors: &[LonLat]) -> Vec<[f64; 2]> {
    let corners = 3 + random.below(5);
    let mut ring = match random.below(4) {
        0 => box_ring(random, centre, anchors),
        1 => bow_tie(random, corners, anchors),
        _ => star(random, centre, corners),
    };
    ring.push(ring[0]);
    ring
}

/// Edges along the very meridians and parallels of positions.
fn box_ring(random: &mut Random, centre: LonLat, anchors: &[LonLat]) -> Vec<[f64; 2]> {
    let other = near(random, anchors);
    let ((west, south), (east, north)) = ((centre.lon(), centre.lat()), (other.lon(), other.lat()));
    vec![[west, south], [east, south], [east, north], [west, north]]
}

/// Positions in any order: the ring crosses itself, and may collapse.
fn bow_tie(random: &mut Random, corners: usize, anchors: &[LonLat]) -> Vec<[f64; 2]> {
    (0..corners)
        .map(|_| random.pick(anchors))
        .map(|anchor| [anchor.lon(), anchor.lat()])
        .collect()
}

/// Corners all around a centre, at different distances; across the antimeridian they run on
/// beyond 180° or jump.
fn star(random: &mut Random, centre: LonLat, corners: usize) -> Vec<[f64; 2]> {
    let reach = random.pick(&[1e-8, 1e-4, 0.01, 0.05, 10.0]);
    let runs_on = random.one_in(2);
    (0..corners)
        .map(|i| {
            let (sin, cos) = (i as f64 / corners as f64 * std::f64::consts::TAU).sin_cos();
            let distance = random.real(0.1, 1.0) * reach;
            let (lon, lat) = (centre.lon() + cos * distance, centre.lat() + sin * distance);
            let lon = if runs_on { lon } else { wrapped(lon) };
            [lon, lat.clamp(-90.0, 90.0)]
        })
        .collect()
}

/// Any conditions together, but for one question in three none, and for another one alone.
fn filter(random: &mut Random, ids: &[i64]) -> Filter {
    let mut filter = Filter::default();
    match random.below(3) {
        0 => {}
        1 => set_condition(random, random.clone().below(8), ids, &mut filter),
        _ => {
            for condition in 0..8 {
                if random.one_in(3) {
                    set_condition(random, condition, ids, &mut filter);
                }
            }
        }
    }
    filter
}

fn set_condition(random: &mut Random, condition: usize, ids: &[i64], filter: &mut Filter) {
    match condition {
        0 => filter.since = Some(period(random)),
        1 => filter.until = Some(period(random)),
        2 => filter.kind = Some(random.pick(&[Kind::Flat, Kind::Pano])),
        3 => {
            filter.organizations = random.some_of(&ORGANIZATIONS, 3);
            filter.organizations.extend(random.one_in(4).then_some(404));
        }
        4 => {
            filter.creators = random.some_of(&CREATORS, 3);
            filter.creators.extend(random.one_in(4).then_some(404));
        }
        5 => {
            filter.sequences = random.some_of(&SEQUENCES, 2).map_strings();
            filter
                .sequences
                .extend(random.one_in(4).then(|| "b".into()));
        }
        6 => filter.heading = Some(heading_range(random)),
        _ => filter.ids = ids_asked_for(random, ids),
    }
}

trait MapStrings {
    fn map_strings(self) -> Vec<String>;
}

impl MapStrings for Vec<&str> {
    fn map_strings(self) -> Vec<String> {
        self.into_iter().map(str::to_owned).collect()
    }
}

/// Ids that are there, each perhaps twice, and one that is not.
pub(crate) fn ids_asked_for(random: &mut Random, ids: &[i64]) -> Vec<i64> {
    let mut asked = vec![-4_000_004];
    if !ids.is_empty() {
        asked.extend(random.some_of(ids, 12));
    }
    asked
}

/// A date as people write it, whose first and last millisecond are computed apart.
pub(crate) fn period(random: &mut Random) -> Period {
    let (year, month) = (2004 + random.below(22) as i64, 1 + random.below(12) as i64);
    let day = 1 + random.below(28) as i64;
    let start = calendar::start_ms(year, month, day);
    let (text, first_ms, last_ms) = match random.below(6) {
        0 => (
            format!("{year}"),
            calendar::start_ms(year, 1, 1),
            calendar::start_ms(year + 1, 1, 1) - 1,
        ),
        1 => (
            format!("{year}-{month:02}"),
            calendar::start_ms(year, month, 1),
            calendar::start_ms(year + month / 12, month % 12 + 1, 1) - 1,
        ),
        2 => (
            format!("{year}-{month:02}-{day:02}"),
            start,
            start + 86_399_999,
        ),
        3 => (
            format!("{year}-{month:02}-{day:02}T10:30+02:00"),
            start + 30_600_000,
            start + 30_659_999,
        ),
        4 => (
            format!("{year}-{month:02}-{day:02}T10:30:05Z"),
            start + 37_805_000,
            start + 37_805_999,
        ),
        _ => (start.to_string(), start, start),
    };
    let period: Period = text.parse().unwrap();
    assert_eq!(period, Period { first_ms, last_ms }, "{text}");
    period
}

fn heading_range(random: &mut Random) -> (f64, f64) {
    let mut end = || match random.below(3) {
        0 => random.real(0.0, 360.0),
        _ => random.pick(&[0.0, 360.0, 0.5, 10.0, 90.0, 180.0, 350.0, 359.5]),
    };
    (end(), end())
}
