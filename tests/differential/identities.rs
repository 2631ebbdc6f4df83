//! Answers that follow from other answers: parts make up a whole, fewer are the first of more, and
//! neither the place on the world, nor how a dataset is kept, nor how many threads there are show.

use std::collections::BTreeSet;
use std::io::Cursor;

use tilesight::formats::{Export, Format};
use tilesight_query::build::Builder;
use tilesight_query::{
    Dataset, FeatureQuery, Filter, ImageQuery, Io, Kind, Period, Place, SequenceQuery,
};
use tilesight_tile::{Bbox, LonLat, Region};

use super::metamorphic::make_order_irrelevant;
use super::question::{image_query, modest_place, period};
use super::random::Random;
use super::runner::run;
use super::walks::walking;
use super::world::{World, scattered};

const CASES: usize = 3_000;

const QUESTIONS: usize = 30;

/// Worlds that are written to files or built several times.
const WORLDS: usize = 60;

const THREADS: [usize; 4] = [1, 2, 3, 8];

/// What about a world of images, and a place for a question.
struct Asked {
    data: Dataset,
    place: Place,
}

impl Asked {
    fn ids(&self, filter: Filter) -> BTreeSet<i64> {
        let query = ImageQuery {
            place: self.place.clone(),
            filter,
            allow_partial: true,
            limit: None,
        };
        self.data.images(&query).unwrap().ids().collect()
    }

    fn all(&self) -> BTreeSet<i64> {
        self.ids(Filter::default())
    }

    /// The ids of which something is true that answers tell of each image.
    fn ids_where(&self, is: impl Fn(&tilesight_query::Image<'_>) -> bool) -> BTreeSet<i64> {
        let query = ImageQuery {
            place: self.place.clone(),
            allow_partial: true,
            ..ImageQuery::default()
        };
        let found = self.data.images(&query).unwrap();
        found
            .iter()
            .filter(|image| is(image))
            .map(|image| image.id)
            .collect()
    }
}

/// Calls `check` with questions that any number of images may answer.
fn about_images(check: impl Fn(&mut Random, &Asked)) {
    run(CASES, |random, case| {
        let world = scattered(random);
        let (data, anchors) = (world.build(), world.anchors(random));
        let mut asked = Asked {
            data,
            place: Place::Everywhere,
        };
        for _ in 0..QUESTIONS {
            asked.place = loop {
                // Of the nearest, a filter has others.
                match modest_place(random, &anchors, 0) {
                    Place::Nearest { .. } => {}
                    place => break place,
                }
            };
            case.ask(&asked.place);
            check(random, &asked);
        }
        QUESTIONS
    });
}

#[test]
fn flat_images_panoramas_and_unknown_ones_are_all() {
    about_images(|_, asked| {
        let of_kind = |kind| {
            asked.ids(Filter {
                kind: Some(kind),
                ..Filter::default()
            })
        };
        let (flat, panoramas) = (of_kind(Kind::Flat), of_kind(Kind::Pano));
        let unknown = asked.ids_where(|image| image.kind.is_none());
        assert_eq!(
            flat.len() + panoramas.len() + unknown.len(),
            asked.all().len()
        );
        assert_eq!(&(&flat | &panoramas) | &unknown, asked.all());
    });
}

#[test]
fn headings_to_both_sides_are_all_that_are_known() {
    about_images(|random, asked| {
        let (a, b) = (random.below(360) as f64, random.below(360) as f64);
        let between = |heading| {
            asked.ids(Filter {
                heading: Some(heading),
                ..Filter::default()
            })
        };
        let (one, other) = (between((a, b)), between((b, a)));
        let known = asked.ids_where(|image| image.compass_angle_deg.is_some());
        let is_end = |heading: f64| heading == a || heading == b;
        let ends = asked.ids_where(|image| image.compass_angle_deg.is_some_and(is_end));
        if a != b {
            assert_eq!(&one | &other, known);
        }
        assert_eq!(&one & &other, if a == b { one.clone() } else { ends });
    });
}

#[test]
fn pieces_of_time_are_the_whole_time() {
    about_images(|random, asked| {
        let mut ends = [(); 3].map(|()| period(random).first_ms);
        ends.sort_unstable();
        let [start, middle, end] = ends;
        let at = |ms| {
            Some(Period {
                first_ms: ms,
                last_ms: ms,
            })
        };
        let between = |since, until| {
            asked.ids(Filter {
                since: at(since),
                until: at(until),
                ..Filter::default()
            })
        };
        if middle < end {
            let (first, second) = (between(start, middle), between(middle + 1, end));
            assert!(first.is_disjoint(&second));
            assert_eq!(&first | &second, between(start, end));
        }
        let since = asked.ids(Filter {
            since: at(middle),
            ..Filter::default()
        });
        let before = asked.ids(Filter {
            until: at(middle - 1),
            ..Filter::default()
        });
        let known = asked.ids_where(|image| image.captured_at_ms.is_some());
        assert!(since.is_disjoint(&before));
        assert_eq!(&since | &before, known);
    });
}

#[test]
fn the_nearest_are_the_first_of_the_nearest_and_one_more() {
    run(CASES, |random, case| {
        let world = scattered(random);
        let (data, anchors) = (world.build(), world.own_anchors(random));
        for _ in 0..QUESTIONS {
            let target = random.pick(&anchors);
            let filter = image_query(random, &anchors, &[]).filter;
            let k = random.below(200);
            case.ask(&(target, k, filter.clone()));
            let nearest = |k| {
                let place = Place::Nearest {
                    target,
                    k,
                    radius_m: None,
                };
                let filter = filter.clone();
                let query = ImageQuery {
                    place,
                    filter,
                    allow_partial: true,
                    limit: None,
                };
                data.images(&query).unwrap().ids().collect::<Vec<i64>>()
            };
            let (fewer, more) = (nearest(k), nearest(k + 1));
            assert!(more.len() <= fewer.len() + 1);
            assert_eq!(fewer, more[..fewer.len().min(k)]);
        }
        QUESTIONS
    });
}

/// Longitudes of the grid are exact, and so is a shift by tiles.
#[test]
fn a_world_moved_around_the_globe_has_the_same_images() {
    run(CASES, |random, case| {
        let mut world = scattered(random);
        make_order_irrelevant(&mut world);
        let tiles = random.below(1 << 14) as u32;
        let shift = f64::from(tiles) * (360.0 / f64::from(1 << 14));
        let (data, moved) = (world.build(), world.moved(tiles).build());
        let anchors = world.own_anchors(random);
        for _ in 0..QUESTIONS {
            let (a, b) = (random.pick(&anchors), random.pick(&anchors));
            let c = random.pick(&anchors);
            case.ask(&(tiles, a, b, c));
            let ids = |data: &Dataset, place| {
                let query = ImageQuery {
                    place,
                    ..ImageQuery::default()
                };
                data.images(&query)
                    .unwrap()
                    .ids()
                    .collect::<BTreeSet<i64>>()
            };
            assert_eq!(
                ids(&data, box_of(a, b, 0.0)),
                ids(&moved, box_of(a, b, shift))
            );
            let triangles = [triangle([a, b, c], 0.0), triangle([a, b, c], shift)];
            if let [Some(place), Some(moved_place)] = triangles {
                assert_eq!(ids(&data, place), ids(&moved, moved_place));
            }
        }
        QUESTIONS
    });
}

fn box_of(a: LonLat, b: LonLat, shift: f64) -> Place {
    let lon = |at: LonLat| within_180(at.lon() + shift);
    let (south, north) = (a.lat().min(b.lat()), a.lat().max(b.lat()));
    Place::Bbox(Bbox::from_degrees(lon(a), south, lon(b), north).unwrap())
}

/// None of corners so far apart that their edges would cross the antimeridian.
fn triangle(corners: [LonLat; 3], shift: f64) -> Option<Place> {
    let lons = corners.map(LonLat::lon);
    let is_wide = |a: f64| lons.iter().any(|b| (a - b).abs() >= 180.0);
    if lons.into_iter().any(is_wide) {
        return None;
    }
    let mut ring = corners
        .map(|at| [within_180(at.lon() + shift), at.lat()])
        .to_vec();
    ring.push(ring[0]);
    Region::from_polygons(&[vec![ring]]).ok().map(Place::Region)
}

fn within_180(lon: f64) -> f64 {
    if lon >= 180.0 { lon - 360.0 } else { lon }
}

#[test]
fn a_dataset_answers_the_same_from_memory_and_from_its_file() {
    run(WORLDS, |random, case| {
        let world = world_of_everything(random);
        let data = world.build();
        let anchors = world.own_anchors(random);
        let file = tempfile::NamedTempFile::new().unwrap();
        data.write(file.as_file(), "about").unwrap();
        let opened = [Io::Map, Io::Read].map(|io| Dataset::open(file.path(), io).unwrap().0);
        for _ in 0..QUESTIONS {
            let place = modest_place(random, &anchors, 10);
            let query = ImageQuery {
                place,
                ..image_query(random, &anchors, &[])
            };
            case.ask(&query);
            for other in &opened {
                let (found, same) = (data.images(&query), other.images(&query));
                match (found, same) {
                    (Ok(found), Ok(same)) => assert!(found.iter().eq(same.iter())),
                    (found, same) => assert_eq!(found.err(), same.err()),
                }
            }
        }
        let bytes = bytes_of(&data);
        assert!(opened.iter().all(|other| bytes_of(other) == bytes));
        1
    });
}

#[test]
fn a_dataset_has_the_same_bytes_however_it_is_built() {
    let pools = THREADS.map(pool);
    run(WORLDS, |random, case| {
        let world = world_of_everything(random);
        case.ask(&world);
        let cuts = [(); 3].map(|()| random.below(world.tiles.len() + 1));
        let dir = tempfile::tempdir().unwrap();
        let expected = bytes_of(&world.build_with(Builder::in_memory(), &[]));
        for pool in &pools {
            let builders = [
                Builder::in_memory(),
                Builder::in_folder(dir.path(), 1 << 20),
            ];
            for builder in builders {
                let built = pool.install(|| bytes_of(&world.build_with(builder, &cuts)));
                assert!(built == expected, "{} threads", pool.current_num_threads());
            }
        }
        1
    });
}

#[test]
fn what_is_written_has_the_same_bytes_on_any_threads() {
    let pools = THREADS.map(pool);
    run(WORLDS, |random, case| {
        let world = world_of_everything(random);
        case.ask(&world);
        let data = world.build();
        let expected = pools[0].install(|| written(&data));
        for pool in &pools[1..] {
            let same = pool.install(|| written(&data)) == expected;
            assert!(same, "{} threads", pool.current_num_threads());
        }
        1
    });
}

fn pool(threads: usize) -> rayon::ThreadPool {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    builder.build().unwrap()
}

/// Images, map features, sequences with lines.
fn world_of_everything(random: &mut Random) -> World {
    let (mut world, _) = walking(random);
    world.tiles.extend(scattered(random).tiles);
    world
}

fn bytes_of(data: &Dataset) -> Vec<u8> {
    data.write(Cursor::new(Vec::new()), "about")
        .unwrap()
        .into_inner()
}

/// All rows, in every format.
fn written(data: &Dataset) -> Vec<Vec<u8>> {
    let images = data
        .images(&ImageQuery {
            allow_partial: true,
            ..ImageQuery::default()
        })
        .unwrap();
    let query = SequenceQuery {
        allow_partial: true,
        ..SequenceQuery::default()
    };
    let sequences = data.sequences(&query).unwrap();
    let query = FeatureQuery {
        allow_partial: true,
        ..FeatureQuery::default()
    };
    let features = data.features(&query).unwrap();
    let answers: [&dyn Export; 3] = [&images, &sequences, &features];
    let formats = [
        Format::GeoJson,
        Format::Csv,
        Format::Arrow,
        Format::Parquet,
        Format::Ids,
    ];
    let each = answers
        .iter()
        .flat_map(|answer| formats.map(|format| (answer, format)));
    each.map(|(answer, format)| {
        let mut out = Vec::new();
        answer.write(format, &Place::Everywhere, &mut out).unwrap();
        out
    })
    .collect()
}
