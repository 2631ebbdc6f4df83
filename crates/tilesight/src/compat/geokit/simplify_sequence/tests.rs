use std::fmt::Write as _;

use proptest::prelude::*;
use tilesight_tile::{GridPoint, LonLat, Region, haversine_m};

use super::super::Counts;
use super::*;

/// East and north of the middle of the scenes, in metres.
type Place = (f64, f64);

const MIDDLE: Degrees = [24.95, 60.17];

fn degrees(middle: Degrees, (east, north): Place) -> Degrees {
    Frame::between(middle, middle).degrees([east, north])
}

/// A collection of lines, each named after its number.
fn sequences(middle: Degrees, lines: &[&[Place]]) -> String {
    let mut features = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let line: Vec<Degrees> = line.iter().map(|&at| degrees(middle, at)).collect();
        let wrapped = line
            .iter()
            .map(|[lon, lat]| [lon - turn_of([*lon, *lat]), *lat]);
        let coordinates: Vec<Degrees> = wrapped.collect();
        let geometry = serde_json::json!({"type": "LineString", "coordinates": coordinates});
        features.push(format!(
            r#"{{"type":"Feature","properties":{{"sequence_id":"{number}"}},"geometry":{geometry}}}"#
        ));
    }
    format!(
        r#"{{"type":"FeatureCollection","features":[{}]}}"#,
        features.join(",")
    )
}

struct Area {
    sequence: String,
    region: Region,
    square_metres: f64,
}

impl Area {
    fn contains(&self, middle: Degrees, place: Place) -> bool {
        let [lon, lat] = degrees(middle, place);
        let lon = lon - turn_of([lon, lat]);
        self.region
            .contains(GridPoint::nearest_to(LonLat::new(lon, lat).unwrap()))
    }
}

fn simplified(text: &str, buffer_m: f64) -> (Counts, Vec<Area>) {
    let mut out = Vec::new();
    let counts = simplify_sequence(text, buffer_m, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    let written = Collection::read(&out).unwrap();
    let area = |feature: Result<super::super::collection::Feature<'_>, Error>| {
        let feature = feature.unwrap();
        Area {
            sequence: feature.needed_sequence_id().unwrap(),
            region: Region::from_geojson(feature.geometry().unwrap()).unwrap(),
            square_metres: feature.property("area").unwrap().as_f64().unwrap(),
        }
    };
    (counts, written.features().map(area).collect())
}

#[test]
fn the_longer_of_two_parallel_sequences_stays() {
    let short: &[Place] = &[(20.0, 5.0), (60.0, 5.0)];
    let long: &[Place] = &[(0.0, 0.0), (100.0, 0.0)];
    let (counts, areas) = simplified(&sequences(MIDDLE, &[short, long]), 10.0);
    assert_eq!(
        counts,
        Counts {
            read: 2,
            written: 1
        }
    );
    assert_eq!(areas[0].sequence, "1");
}

#[test]
fn what_leaves_a_longer_sequence_stays_from_there_on() {
    let long: &[Place] = &[(0.0, 0.0), (1000.0, 0.0)];
    let turns_off: &[Place] = &[(400.0, 2.0), (500.0, 2.0), (500.0, 102.0)];
    let (_, areas) = simplified(&sequences(MIDDLE, &[long, turns_off]), 10.0);
    let beside = &areas[1];
    assert_eq!(beside.sequence, "1");
    assert!(
        !beside.contains(MIDDLE, (450.0, 2.0)),
        "covered by the longer"
    );
    assert!(
        !beside.contains(MIDDLE, (500.0, 9.0)),
        "covered by the longer"
    );
    assert!(beside.contains(MIDDLE, (500.0, 10.5)) && beside.contains(MIDDLE, (500.0, 111.0)));
    assert!(!beside.contains(MIDDLE, (500.0, 112.5)));
}

#[test]
fn areas_are_in_true_square_metres() {
    let line: &[Place] = &[(0.0, 0.0), (5000.0, 0.0)];
    for middle in [[0.0, 0.0], MIDDLE, [-70.0, -53.0]] {
        let (_, areas) = simplified(&sequences(middle, &[line]), 10.0);
        let expected = 5000.0 * 20.0 + 100.0 * std::f64::consts::PI;
        assert!(
            (areas[0].square_metres / expected - 1.0).abs() < 1e-3,
            "{}",
            areas[0].square_metres
        );
        assert!(
            areas[0].contains(middle, (2500.0, 9.9)) && !areas[0].contains(middle, (2500.0, 10.1))
        );
    }
}

#[test]
fn a_sequence_of_one_image_is_a_circle_or_nothing() {
    let (far, near): (&[Place], &[Place]) = (&[(50.0, 50.0)], &[(50.0, 5.0)]);
    let long: &[Place] = &[(0.0, 0.0), (100.0, 0.0)];
    let (_, areas) = simplified(&sequences(MIDDLE, &[far, near, long]), 10.0);
    let names: Vec<&str> = areas.iter().map(|area| area.sequence.as_str()).collect();
    assert_eq!(names, ["2", "0"]);
    assert!(
        (areas[1].square_metres - 314.0).abs() < 5.0,
        "{}",
        areas[1].square_metres
    );
}

#[test]
fn parallel_sequences_meet_across_the_antimeridian() {
    let middle = [180.0, -17.0];
    let long: &[Place] = &[(-1000.0, 0.0), (1000.0, 0.0)];
    let short: &[Place] = &[(-100.0, 5.0), (100.0, 5.0)];
    let east: &[Place] = &[(50.0, 5.0), (90.0, 5.0)];
    let (counts, areas) = simplified(&sequences(middle, &[long, short, east]), 10.0);
    assert_eq!(counts.written, 1);
    for at in [(-900.0, 0.0), (-0.1, 0.0), (0.1, 0.0), (900.0, 9.5)] {
        assert!(areas[0].contains(middle, at), "{at:?}");
    }
    assert!(!areas[0].contains(middle, (0.0, 11.0)));
}

#[test]
fn pieces_of_one_sequence_do_not_drop_each_other() {
    let text = sequences(
        MIDDLE,
        &[&[(0.0, 0.0), (100.0, 0.0)], &[(0.0, 4.0), (90.0, 4.0)]],
    );
    let (counts, areas) = simplified(&text.replace(r#""1""#, r#""0""#), 10.0);
    assert_eq!(
        counts,
        Counts {
            read: 1,
            written: 1
        }
    );
    assert!(areas[0].contains(MIDDLE, (50.0, 13.5)));
}

#[test]
fn a_buffer_in_degrees_is_refused_with_its_metres() {
    let error = simplify_sequence("", 0.0001, &mut Vec::new())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("0.0001") && error.contains("11.1 m"),
        "{error}"
    );
    for wrong in [-1.0, 0.0, f64::NAN, f64::INFINITY, 1001.0] {
        let refused = simplify_sequence("", wrong, &mut Vec::new());
        assert!(matches!(refused, Err(Error::OutOfRange { .. })), "{wrong}");
    }
}

#[test]
fn streets_of_many_sequences_take_no_square_of_time() {
    let mut text = String::from(r#"{"type":"FeatureCollection","features":["#);
    for number in 0..1000 {
        let (street, offset) = (f64::from(number % 100), f64::from(number / 100));
        let at = |i: u32| {
            degrees(
                MIDDLE,
                (10.0 * f64::from(i) + offset, 60.0 * street + offset),
            )
        };
        let line: Vec<Degrees> = (0..100 - number / 100).map(at).collect();
        let comma = if number == 0 { "" } else { "," };
        write!(
            text,
            r#"{comma}{{"type":"Feature","properties":{{"sequence_id":"{number}"}},"geometry":{{"type":"LineString","coordinates":{line:?}}}}}"#
        )
        .unwrap();
    }
    text.push_str("]}");
    let (counts, _) = simplified(&text, 15.0);
    assert_eq!(
        counts,
        Counts {
            read: 1000,
            written: 100
        }
    );
}

/// Who takes all pictures at one time goes to and fro along a street in their order by id.
#[test]
fn lines_that_go_to_and_fro_have_the_area_of_their_street() {
    let to_and_fro = |images: u32, north: f64| -> Vec<Place> {
        let at = |i: u32| (f64::from(i * 7919 % 1000), north + f64::from(i * 31 % 4));
        (0..images).map(at).collect()
    };
    let (long, short) = (to_and_fro(600, 0.0), to_and_fro(300, 15.0));
    let (counts, areas) = simplified(&sequences(MIDDLE, &[&short, &long]), 10.0);
    assert_eq!((counts.read, counts.written), (2, 2));
    for (north, expected) in [
        (1.0, [1, 0]),
        (12.0, [1, 0]),
        (14.0, [0, 1]),
        (27.0, [0, 1]),
    ] {
        let inside = |area: &Area| u8::from(area.contains(MIDDLE, (500.0, north)));
        assert_eq!([inside(&areas[0]), inside(&areas[1])], expected, "{north}");
    }
}

/// The slow twin: kept lines in a list, and every position asked about each of them.
#[derive(Default)]
struct Slow(Vec<[Degrees; 2]>);

impl Slow {
    /// Distance in metres to the nearest of what was kept.
    fn distance_m(&self, at: Degrees) -> f64 {
        let frame = Frame::between(at, at);
        let to_segment = |segment: &[Degrees; 2]| {
            let [[ax, ay], [bx, by]] = segment.map(|position| frame.metres(position));
            let (dx, dy) = (bx - ax, by - ay);
            let squared = dx * dx + dy * dy;
            let share = if squared == 0.0 {
                0.0
            } else {
                (-(ax * dx + ay * dy) / squared).clamp(0.0, 1.0)
            };
            (ax + share * dx).hypot(ay + share * dy)
        };
        self.0.iter().map(to_segment).fold(f64::INFINITY, f64::min)
    }
}

fn lines() -> impl Strategy<Value = Vec<Vec<Place>>> {
    let place = (-60_i32..60, -60_i32..60).prop_map(|(x, y)| (f64::from(x), f64::from(y)));
    prop::collection::vec(prop::collection::vec(place, 1..5), 1..7)
}

proptest! {
    /// Every position of every line is kept or near to what was kept before it, and what is kept
    /// is near to nothing that was; so by asking every position about everything.
    #[test]
    fn what_is_left_out_is_near_to_what_is_kept(lines in lines(), buffer_m in 2.0..30.0_f64) {
        let (mut kept, mut slow) = (Kept::new(buffer_m), Slow::default());
        for line in &lines {
            let position = |&at: &Place| {
                let [lon, lat] = degrees(MIDDLE, at);
                LonLat::new(lon, lat).unwrap()
            };
            let part: Part = line.iter().map(position).collect();
            let rest = kept.rest(&part);
            for segment in rest.iter().flat_map(|line| segments(line)) {
                for share in [0.0, 0.3, 0.7, 1.0] {
                    prop_assert!(slow.distance_m(at(segment, share)) > buffer_m - 0.001);
                }
            }
            let before = slow.0.len();
            slow.0.extend(rest.iter().flat_map(|line| segments(line)));
            for segment in segments(&polyline(&part)) {
                for step in 0..=20 {
                    let here = at(segment, f64::from(step) / 20.0);
                    let of_itself = Slow(slow.0[before..].to_vec()).distance_m(here);
                    let near = Slow(slow.0[..before].to_vec()).distance_m(here) - buffer_m;
                    // Pieces of less than a centimetre are left out.
                    prop_assert!(of_itself < 0.011 || near < 0.011, "{of_itself} {near}");
                }
            }
            kept.add(&rest);
        }
    }

    /// The index finds everything that a list of all finds.
    #[test]
    fn the_index_finds_what_a_list_finds(lines in lines(), buffer_m in 2.0..30.0_f64) {
        let mut kept = Kept::new(buffer_m);
        let mut all = Vec::new();
        for line in &lines {
            let line: Polyline = line.iter().map(|&at| degrees(MIDDLE, at)).collect();
            kept.add(std::slice::from_ref(&line));
            all.extend(segments(&line));
        }
        for &segment in &all {
            let frame = Frame::between(segment[0], segment[1]);
            let metres = |segment: [Degrees; 2]| segment.map(|at| frame.metres(at));
            let is_near = |other: &&[Degrees; 2]| span_near(metres(segment), metres(**other), buffer_m).is_some();
            let found: Vec<[Degrees; 2]> =
                kept.near(segment, buffer_m).map(|(_, other)| other).collect();
            for near in all.iter().filter(is_near) {
                prop_assert!(found.contains(near));
            }
        }
    }

    /// Areas hold the positions of their sequence that are kept, and those of no sequence twice.
    #[test]
    fn every_position_lies_in_one_area(lines in lines(), buffer_m in 5.0..30.0_f64) {
        let borrowed: Vec<&[Place]> = lines.iter().map(Vec::as_slice).collect();
        let (_, areas) = simplified(&sequences(MIDDLE, &borrowed), buffer_m);
        for &place in lines.iter().flatten() {
            let inside = areas.iter().filter(|area| area.contains(MIDDLE, place)).count();
            let on_an_edge = is_near_an_edge(&areas, place);
            prop_assert!(inside == 1 || on_an_edge, "{place:?} is in {inside}");
        }
    }
}

/// Whether a place is where circles drawn in steps, rounding or grids decide.
fn is_near_an_edge(areas: &[Area], (x, y): Place) -> bool {
    let around = [(0.2, 0.0), (-0.2, 0.0), (0.0, 0.2), (0.0, -0.2)];
    let counts = around.map(|(dx, dy)| {
        let at = (x + dx, y + dy);
        areas
            .iter()
            .filter(|area| area.contains(MIDDLE, at))
            .count()
    });
    counts.iter().any(|&count| count != counts[0]) || counts[0] == 1
}

#[test]
fn the_frame_of_the_scenes_is_true() {
    let [a, b] = [(0.0, 0.0), (60.0, 80.0)].map(|at| {
        let [lon, lat] = degrees(MIDDLE, at);
        LonLat::new(lon, lat).unwrap()
    });
    assert!((haversine_m(a, b) - 100.0).abs() < 0.01);
}
