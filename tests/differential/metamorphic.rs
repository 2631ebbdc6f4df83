//! What must not change an answer: the order of rows, tiles and parts, the number of threads, a
//! region cut in two, a dataset built again.

use std::collections::BTreeSet;

use tilesight_query::{Dataset, Filter, Image, ImageQuery, Place};
use tilesight_tile::{LonLat, Region};

use super::question::{image_query, modest_place};
use super::random::Random;
use super::runner::{Case, run};
use super::walks::walking;
use super::world::{World, scattered};

const WORLDS: usize = 100;

const QUESTIONS: usize = 20;

#[test]
fn order_of_rows_tiles_and_parts_changes_nothing() {
    run(WORLDS, |random, case| {
        let mut world = scattered(random);
        make_order_irrelevant(&mut world);
        check_shuffled(random, case, &world);
        1
    });
}

#[test]
fn order_of_pieces_changes_no_line() {
    run(WORLDS, |random, case| {
        let (world, _) = walking(random);
        check_shuffled(random, case, &world);
        1
    });
}

#[test]
fn number_of_threads_changes_nothing() {
    let pool = |threads| {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
        builder.build().unwrap()
    };
    let (one, two) = (pool(1), pool(2));
    run(WORLDS / 3, |random, case| {
        let (world, _) = walking(random);
        let mut world = world;
        world.tiles.extend(scattered(random).tiles);
        case.ask(&world);
        let alone = one.install(|| world.build());
        let together = two.install(|| world.build());
        let queries = queries(random, &world);
        check_same(case, &alone, &together, &queries);
        let batch_alone = one.install(|| ids_of_each(&alone, &queries));
        let batch_together = two.install(|| ids_of_each(&together, &queries));
        assert_eq!(batch_alone, batch_together);
        1
    });
}

/// Gives every tile a time of its own, so that not its place among the others decides; within a
/// tile every id is once.
pub(super) fn make_order_irrelevant(world: &mut World) {
    for (time, tile) in (1..).zip(&mut world.tiles) {
        tile.fetched_at_ms = Some(time);
        let mut seen = BTreeSet::new();
        tile.images.retain(|image| seen.insert(image.row.id));
        let mut seen = BTreeSet::new();
        tile.features.retain(|feature| seen.insert(feature.row.id));
    }
}

fn check_shuffled(random: &mut Random, case: &mut Case, world: &World) {
    let mut shuffled = world.clone();
    random.shuffle(&mut shuffled.tiles);
    for tile in &mut shuffled.tiles {
        random.shuffle(&mut tile.images);
        random.shuffle(&mut tile.features);
        random.shuffle(&mut tile.lines);
    }
    let cuts: Vec<usize> = (0..3)
        .map(|_| random.below(world.tiles.len() + 1))
        .collect();
    let (data, other) = (world.build(), shuffled.build_in_parts(&cuts));
    check_same(case, &data, &other, &queries(random, world));
}

fn queries(random: &mut Random, world: &World) -> Vec<ImageQuery> {
    let anchors = world.anchors(random);
    let images = world.tiles.iter().flat_map(|tile| &tile.images);
    let ids: Vec<i64> = images.map(|image| image.row.id).collect();
    (0..QUESTIONS)
        .map(|_| ImageQuery {
            place: modest_place(random, &anchors, ids.len()),
            allow_partial: true,
            ..image_query(random, &anchors, &ids)
        })
        .collect()
}

fn check_same(case: &mut Case, a: &Dataset, b: &Dataset, queries: &[ImageQuery]) {
    assert_eq!(a.info(), b.info());
    for query in queries {
        case.ask(query);
        let (found, same) = (a.images(query).unwrap(), b.images(query).unwrap());
        assert!(found.rows().eq(same.rows()));
        assert!(found.iter().eq(same.iter()));
        assert_eq!(found.missing(), same.missing());
    }
    check_same_lines(a, b);
    let (features, same) = (
        a.features(&features_query()).unwrap(),
        b.features(&features_query()).unwrap(),
    );
    assert!(features.iter().eq(same.iter()));
}

fn features_query() -> tilesight_query::FeatureQuery {
    tilesight_query::FeatureQuery {
        allow_partial: true,
        ..tilesight_query::FeatureQuery::default()
    }
}

fn check_same_lines(a: &Dataset, b: &Dataset) {
    let all = super::lines::everything();
    let (tracks, same) = (a.sequences(&all).unwrap(), b.sequences(&all).unwrap());
    assert_eq!(tracks.len(), same.len());
    for (track, same) in tracks.tracks().zip(same.tracks()) {
        assert_eq!(track.sequence, same.sequence);
        assert!(track.images().unwrap().eq(same.images().unwrap()));
        let line = super::lines::line_of(&track);
        assert_eq!(line, super::lines::line_of(&same));
    }
}

fn ids_of_each(data: &Dataset, queries: &[ImageQuery]) -> Vec<Vec<i64>> {
    let selections = data.images_each(queries).unwrap();
    selections
        .iter()
        .map(|selection| selection.ids().collect())
        .collect()
}

#[test]
fn a_region_cut_in_two_has_the_same_images() {
    run(3_000, |random, case| {
        let world = scattered(random);
        let data = world.build();
        let anchors = world.anchors(random);
        for _ in 0..QUESTIONS {
            let (west, middle, east) = longitudes(random, &anchors);
            let (a, b) = (random.pick(&anchors).lat(), random.pick(&anchors).lat());
            let found = |west, east| ids_within(&data, (west, a.min(b)), (east, a.max(b)));
            case.ask(&(west, middle, east, a, b));
            let halves = &found(west, middle) | &found(middle, east);
            assert_eq!(found(west, east), halves);
        }
        QUESTIONS
    });
}

/// Three, ascending, less than half the world apart.
fn longitudes(random: &mut Random, anchors: &[LonLat]) -> (f64, f64, f64) {
    let west = random.pick(anchors).lon().min(170.0);
    let middle = random.pick(anchors).lon().clamp(west, west + 90.0);
    let east = random.pick(anchors).lon().clamp(middle, middle + 89.0);
    (west, middle, east)
}

fn ids_within(
    data: &Dataset,
    (west, south): (f64, f64),
    (east, north): (f64, f64),
) -> BTreeSet<i64> {
    let ring = vec![
        [west, south],
        [east, south],
        [east, north],
        [west, north],
        [west, south],
    ];
    let query = ImageQuery {
        place: Place::Region(Region::from_polygons(&[vec![ring]]).unwrap()),
        filter: Filter::default(),
        ..ImageQuery::default()
    };
    let found = data.images(&query).unwrap();
    found.iter().map(|image: Image<'_>| image.id).collect()
}
