//! Questions about sequences: which of them a place meets, judged by their images and lines.

use tilesight_query::{Dataset, Place, Sequence, SequenceQuery};
use tilesight_tile::{GridPoint, LonLat, haversine_m};

use super::lines::{everything, images_in_order, line_of, segments};
use super::question::image_query;
use super::random::Random;
use super::rules::{ImageFacts, in_place, in_time, is_among, passes};
use super::runner::run;
use super::walks::{Walk, walking};
use super::world::{World, scattered};

const CASES: usize = 20_000;

const QUESTIONS: usize = 60;

/// Where a segment is nearest to a target is told by sampling, in metres and parts of the
/// distance apart from the truth by at most this.
const TOLERANCE_M: f64 = 0.05;
const TOLERANCE: f64 = 1e-3;

#[test]
fn sequences_of_walks_are_those_of_brute_force() {
    run(CASES, |random, case| {
        let (world, walks) = walking(random);
        let data = world.build();
        let subjects = subjects(&data, &world, &walks);
        ask(random, case, &world, &data, &subjects)
    });
}

#[test]
fn sequences_of_scattered_images_are_those_of_brute_force() {
    run(CASES / 4, |random, case| {
        let mut world = scattered(random);
        for tile in &mut world.tiles {
            tile.images.truncate(40);
        }
        let data = world.build();
        let subjects = subjects(&data, &world, &[]);
        ask(random, case, &world, &data, &subjects)
    });
}

/// A sequence as the rules see it.
struct Subject {
    id: String,
    images: Vec<ImageFacts>,
    /// As the dataset has it; that it is right is for another test.
    line: Vec<Vec<GridPoint>>,
    row: Sequence<'static>,
}

/// Every sequence, ascending by id.
fn subjects(data: &Dataset, world: &World, walks: &[Walk]) -> Vec<Subject> {
    let selection = data.sequences(&everything()).unwrap();
    let mut subjects: Vec<Subject> = selection
        .tracks()
        .map(|track| Subject {
            id: track.sequence.id.to_owned(),
            images: images_in_order(world, track.sequence.id),
            line: line_of(&track),
            row: Sequence {
                id: "",
                ..track.sequence
            },
        })
        .collect();
    assert!(subjects.is_sorted_by(|a, b| a.id < b.id));
    let is_known = |walk: &&Walk| subjects.iter().any(|subject| subject.id == walk.id);
    let known = walks.iter().filter(is_known).count();
    assert!(walks.is_empty() || known == subjects.len());
    subjects.sort_by(|a, b| a.id.cmp(&b.id));
    subjects
}

fn ask(
    random: &mut Random,
    case: &mut super::runner::Case,
    world: &World,
    data: &Dataset,
    subjects: &[Subject],
) -> usize {
    let anchors = world.anchors(random);
    let ids: Vec<i64> = subjects
        .iter()
        .flat_map(|subject| subject.images.iter().map(|facts| facts.image.id))
        .collect();
    for _ in 0..QUESTIONS {
        let query = sequence_query(random, &anchors, &ids, subjects);
        case.ask(&query);
        check(data, subjects, &query);
    }
    QUESTIONS
}

fn sequence_query(
    random: &mut Random,
    anchors: &[LonLat],
    ids: &[i64],
    subjects: &[Subject],
) -> SequenceQuery {
    let query = image_query(random, anchors, ids);
    let mut filter = query.filter;
    if !filter.sequences.is_empty() && !subjects.is_empty() {
        filter.sequences = vec![subjects[random.below(subjects.len())].id.clone()];
    }
    SequenceQuery {
        place: query.place,
        filter,
        limit: query.limit,
        allow_partial: true,
    }
}

fn check(data: &Dataset, subjects: &[Subject], query: &SequenceQuery) {
    let unlimited = SequenceQuery {
        limit: None,
        ..query.clone()
    };
    let selection = data.sequences(&unlimited).unwrap();
    let found: Vec<Sequence<'_>> = selection.iter().collect();
    let is_nearer = |a: &Sequence<'_>, b: &Sequence<'_>| match (a.distance_m, b.distance_m) {
        (Some(a_m), Some(b_m)) => (a_m, a.id) < (b_m, b.id),
        _ => a.id < b.id,
    };
    assert!(found.is_sorted_by(is_nearer), "{found:?}");
    for row in &found {
        let subject = subjects.iter().find(|subject| subject.id == row.id);
        let expected = Sequence {
            id: row.id,
            distance_m: row.distance_m,
            ..subject.unwrap().row
        };
        assert_eq!(*row, expected);
    }
    check_membership(subjects, query, &found);
    let limited = data.sequences(query).unwrap();
    let first = found.iter().take(query.limit.unwrap_or(usize::MAX));
    assert!(limited.iter().eq(first.copied()), "limited");
}

fn check_membership(subjects: &[Subject], query: &SequenceQuery, found: &[Sequence<'_>]) {
    let eligible: Vec<&Subject> = subjects
        .iter()
        .filter(|subject| passes_filter(subject, query))
        .collect();
    assert!(
        found
            .iter()
            .all(|row| eligible.iter().any(|subject| subject.id == row.id))
    );
    for subject in &eligible {
        let row = found.iter().find(|row| row.id == subject.id);
        match &query.place {
            Place::Near { target, radius_m } => {
                check_distance(subject, row, *target, *radius_m);
            }
            Place::Nearest {
                target,
                k,
                radius_m,
            } => {
                let is_full = found.len() == *k;
                let farthest_m = found.last().map_or(0.0, |last| last.distance_m.unwrap());
                let within_m = radius_m.unwrap_or(f64::INFINITY);
                let reach_m = if is_full { farthest_m } else { within_m };
                assert!(found.len() <= *k);
                check_distance(subject, row, *target, reach_m);
            }
            place => assert_eq!(
                row.is_some(),
                meets(subject, place, query),
                "{}",
                subject.id
            ),
        }
    }
}

/// One of its images passes; without images its line does, of which no heading is known.
fn passes_filter(subject: &Subject, query: &SequenceQuery) -> bool {
    let filter = &query.filter;
    if !subject.images.is_empty() {
        let mut images = subject.images.iter();
        return images.any(|facts| passes(filter, &facts.image));
    }
    let row = &subject.row;
    filter.heading.is_none()
        && filter.ids.is_empty()
        && in_time(filter.since, filter.until, row.first_captured_at_ms)
        && filter.kind.is_none_or(|kind| row.kind == Some(kind))
        && is_among(&filter.organizations, row.organization_id)
        && is_among(&filter.creators, row.creator_id)
        && (filter.sequences.is_empty() || filter.sequences.contains(&subject.id))
}

/// Any part of it, image or line, lies in the place. One that looks at a target does with one
/// image that passes the filter.
fn meets(subject: &Subject, place: &Place, query: &SequenceQuery) -> bool {
    let mut lines = segments(&subject.line);
    let mut images = subject.images.iter();
    match place {
        Place::LookingAt { .. } => images
            .any(|facts| in_place(place, facts).is_some() && passes(&query.filter, &facts.image)),
        Place::Bbox(bbox) => {
            images.any(|facts| in_place(place, facts).is_some())
                || lines.any(|(a, b)| bbox.meets_segment(a, b))
        }
        Place::Region(region) => {
            images.any(|facts| in_place(place, facts).is_some())
                || lines.any(|(a, b)| region.meets_segment(a, b))
        }
        _ => true,
    }
}

fn check_distance(subject: &Subject, row: Option<&Sequence<'_>>, target: LonLat, reach_m: f64) {
    let distance_m = distance_m(subject, target);
    let tolerance_m = TOLERANCE_M + distance_m * TOLERANCE;
    match row {
        Some(row) => {
            let found_m = row.distance_m.unwrap();
            assert!(found_m <= reach_m, "{} is too far", subject.id);
            let is_right = (found_m - distance_m).abs() <= tolerance_m;
            assert!(is_right, "{}: {found_m} for {distance_m}", subject.id);
        }
        None => assert!(
            distance_m >= reach_m - tolerance_m,
            "{} at {distance_m} is missing within {reach_m}",
            subject.id
        ),
    }
}

/// Distance to the nearest image, or position on the line.
fn distance_m(subject: &Subject, target: LonLat) -> f64 {
    let to_images = subject
        .images
        .iter()
        .map(|facts| haversine_m(target, facts.point.to_lon_lat()));
    let to_image_m = to_images.fold(f64::INFINITY, f64::min);
    segments(&subject.line).fold(to_image_m, |nearest_m, (a, b)| {
        nearest_m.min(distance_to_segment_m(target, a, b, nearest_m))
    })
}

/// Samples a segment, straight in degrees, more and more finely around the nearest sample; once
/// only, if all of it is farther than `enough_m`.
fn distance_to_segment_m(target: LonLat, a: GridPoint, b: GridPoint, enough_m: f64) -> f64 {
    const SAMPLES: usize = 16;
    let (a, b) = (a.to_lon_lat(), b.to_lon_lat());
    let at = |t: f64| {
        let between = |a: f64, b: f64| a + t * (b - a);
        let position = LonLat::new(between(a.lon(), b.lon()), between(a.lat(), b.lat()));
        haversine_m(target, position.unwrap())
    };
    let between_samples_m = haversine_m(a, b) / SAMPLES as f64;
    let (mut first, mut last) = (0.0, 1.0);
    let mut nearest_m = f64::INFINITY;
    while last - first > 1e-7 {
        let step = (last - first) / SAMPLES as f64;
        let samples = (0..=SAMPLES).map(|i| first + step * i as f64);
        let (sample_m, nearest) = samples
            .map(|t| (at(t), t))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap();
        nearest_m = nearest_m.min(sample_m);
        if sample_m - 2.0 * between_samples_m > enough_m {
            break;
        }
        (first, last) = ((nearest - step).max(0.0), (nearest + step).min(1.0));
    }
    nearest_m
}
