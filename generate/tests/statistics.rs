//! Generated images look like real ones: the figures are those of a real tile of 2024.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use std::collections::{BTreeMap, HashMap, HashSet};

use tilesight_generate::{ImageRow, Plan, SequenceId, TILE_PIXELS, TileView, World};
use tilesight_tile::{LonLat, TileId};

/// Milliseconds of the years before 2006 and until the end of 2024.
const FIRST_MS: i64 = 1_136_073_600_000;
const LAST_MS: i64 = 1_735_689_599_999;

fn world(images: u64) -> World {
    let centre = LonLat::new(24.94, 60.17).unwrap();
    World::new(&Plan {
        seed: 11,
        images,
        centre,
        side_tiles: None,
    })
    .unwrap()
}

/// The rows of 200,000 images, tile by tile.
fn tiles() -> BTreeMap<TileId, Vec<ImageRow>> {
    let mut tiles = BTreeMap::new();
    for block in world(200_000).blocks() {
        tiles.extend(block.tiles().map(|tile| (tile.id(), tile.rows().collect())));
    }
    tiles
}

fn share<T>(items: &[T], holds: impl Fn(&T) -> bool) -> f64 {
    items.iter().filter(|item| holds(item)).count() as f64 / items.len() as f64
}

/// The value below which a share of the values lies.
fn quantile<T: Copy + PartialOrd>(values: &mut [T], share: f64) -> T {
    values.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap());
    values[((values.len() - 1) as f64 * share) as usize]
}

#[track_caller]
fn check(what: &str, value: f64, expected: std::ops::RangeInclusive<f64>) {
    println!("{what}: {value:.3}");
    assert!(
        expected.contains(&value),
        "{what} is {value}, not within {expected:?}"
    );
}

/// Images by sequence, in the order they were taken in.
fn sequences(rows: &[ImageRow]) -> HashMap<SequenceId, Vec<ImageRow>> {
    let mut sequences: HashMap<SequenceId, Vec<ImageRow>> = HashMap::new();
    for row in rows {
        sequences.entry(row.sequence_id).or_default().push(*row);
    }
    for images in sequences.values_mut() {
        images.sort_by_key(|row| (row.captured_at_ms, row.id));
    }
    sequences
}

#[test]
fn tiles_are_dense_sparse_and_empty() {
    let tiles = tiles();
    let counts: Vec<usize> = tiles.values().map(Vec::len).collect();
    assert_eq!(counts.iter().sum::<usize>(), 200_000);
    check(
        "empty tiles",
        share(&counts, |&count| count == 0),
        0.05..=0.5,
    );
    check(
        "tiles with dozens",
        share(&counts, |&count| (10..500).contains(&count)),
        0.3..=0.9,
    );
    check(
        "densest tile",
        *counts.iter().max().unwrap() as f64,
        3_000.0..=30_000.0,
    );
}

#[test]
fn images_lie_in_their_tile_and_ids_are_unique() {
    let mut ids = HashSet::new();
    for (tile, rows) in tiles() {
        for row in rows {
            assert_eq!(
                (row.x / TILE_PIXELS, row.y / TILE_PIXELS),
                (tile.x(), tile.y())
            );
            assert!(tile.grid_box().contains(row.grid_point()));
            assert!(ids.insert(row.id));
        }
    }
}

#[test]
fn attributes_are_as_often_there_as_in_real_tiles() {
    let rows: Vec<ImageRow> = tiles().into_values().flatten().collect();
    check("panoramas", share(&rows, |row| row.is_pano), 0.19..=0.25);
    check(
        "with organization",
        share(&rows, |row| row.organization_id.is_some()),
        0.21..=0.27,
    );
    check(
        "without creator",
        share(&rows, |row| row.creator_id.is_none()),
        0.002..=0.03,
    );
    check(
        "without time",
        share(&rows, |row| row.captured_at_ms.is_none()),
        0.002..=0.03,
    );
    check(
        "without heading",
        share(&rows, |row| row.compass_angle_deg.is_none()),
        0.005..=0.05,
    );
    check(
        "heading 0",
        share(&rows, |row| row.compass_angle_deg == Some(0.0)),
        0.004..=0.008,
    );
    let absurd = |row: &ImageRow| row.captured_at_ms.is_some_and(|ms| ms > LAST_MS);
    check("absurd time", share(&rows, absurd), 0.0005..=0.02);
    let right = |row: &ImageRow| {
        row.captured_at_ms
            .is_some_and(|ms| (FIRST_MS..=LAST_MS).contains(&ms))
    };
    check("time of 2006 to 2024", share(&rows, right), 0.95..=0.998);
    let creators: HashSet<_> = rows.iter().filter_map(|row| row.creator_id).collect();
    check("creators", creators.len() as f64, 30.0..=900.0);
    let organizations: HashSet<_> = rows.iter().filter_map(|row| row.organization_id).collect();
    check("organizations", organizations.len() as f64, 3.0..=24.0);
    check(
        "id above 2^53",
        share(&rows, |row| row.id > 1 << 53),
        0.001..=0.05,
    );
    let headings = rows.iter().filter_map(|row| row.compass_angle_deg);
    assert!(
        headings
            .into_iter()
            .all(|heading| (0.0..360.0).contains(&heading))
    );
}

#[test]
fn a_sequence_shares_kind_and_people() {
    let rows: Vec<ImageRow> = tiles().into_values().flatten().collect();
    for images in sequences(&rows).into_values() {
        let shared = |row: &ImageRow| (row.is_pano, row.organization_id, row.creator_id);
        assert!(images.iter().all(|row| shared(row) == shared(&images[0])));
    }
}

#[test]
fn sequences_are_as_long_in_a_tile_as_real_ones() {
    let mut lengths = Vec::new();
    for rows in tiles().values().filter(|rows| rows.len() > 2_000) {
        lengths.extend(sequences(rows).values().map(Vec::len));
    }
    check(
        "images a sequence, p50",
        quantile(&mut lengths, 0.5) as f64,
        4.0..=12.0,
    );
    check(
        "images a sequence, p90",
        quantile(&mut lengths, 0.9) as f64,
        90.0..=160.0,
    );
    check(
        "images a sequence, p99",
        quantile(&mut lengths, 0.99) as f64,
        270.0..=430.0,
    );
    check(
        "images a sequence, most",
        quantile(&mut lengths, 1.0) as f64,
        350.0..=500.0,
    );
}

#[test]
fn cameras_travel_as_real_ones_do() {
    let world = world(200_000);
    let rows: Vec<ImageRow> = tiles().into_values().flatten().collect();
    let (mut steps_m, mut intervals_ms, mut along) = (Vec::new(), Vec::new(), Vec::new());
    for images in sequences(&rows).into_values() {
        for pair in images.windows(2) {
            let (dx, dy) = (
                f64::from(pair[1].x) - f64::from(pair[0].x),
                f64::from(pair[1].y) - f64::from(pair[0].y),
            );
            let step_m = dx.hypot(dy) * world.metres_a_pixel();
            let (Some(from_ms), Some(to_ms)) = (pair[0].captured_at_ms, pair[1].captured_at_ms)
            else {
                continue;
            };
            steps_m.push(step_m);
            intervals_ms.push(to_ms - from_ms);
            if let Some(heading) = pair[0].compass_angle_deg.filter(|_| step_m > 1.0) {
                let turn = (dx.atan2(-dy).to_degrees() - heading).rem_euclid(360.0);
                along.push(turn.min(360.0 - turn) <= 30.0);
            }
        }
    }
    check(
        "step in metres, p50",
        quantile(&mut steps_m, 0.5),
        4.0..=5.5,
    );
    check(
        "interval in ms, p50",
        quantile(&mut intervals_ms, 0.5) as f64,
        1_800.0..=2_200.0,
    );
    check(
        "same time as the one before",
        share(&intervals_ms, |&ms| ms == 0),
        0.005..=0.15,
    );
    check(
        "heading along travel",
        share(&along, |&along| along),
        0.80..=0.92,
    );
}

#[test]
fn pixels_are_shared_as_in_real_tiles() {
    let (mut shared, mut images) = (0, 0);
    for rows in tiles().into_values() {
        let mut pixels: HashMap<(u32, u32), u64> = HashMap::new();
        for row in &rows {
            *pixels.entry((row.x, row.y)).or_default() += 1;
        }
        shared += pixels.values().filter(|&&count| count > 1).sum::<u64>();
        images += rows.len() as u64;
    }
    check(
        "images that share a pixel",
        shared as f64 / images as f64,
        0.02..=0.12,
    );
}

#[test]
fn sequences_cross_tiles() {
    let mut tiles_of: HashMap<SequenceId, HashSet<TileId>> = HashMap::new();
    for (tile, rows) in tiles() {
        for row in rows {
            tiles_of.entry(row.sequence_id).or_default().insert(tile);
        }
    }
    let counts: Vec<usize> = tiles_of.values().map(HashSet::len).collect();
    check(
        "sequences in several tiles",
        share(&counts, |&count| count > 1),
        0.05..=0.5,
    );
    assert!(counts.iter().all(|&count| count <= 9));
}

#[test]
fn ids_are_in_no_order_of_time() {
    let rows: Vec<ImageRow> = tiles().into_values().flatten().collect();
    let images = sequences(&rows).into_values().max_by_key(Vec::len).unwrap();
    let ascending = images
        .windows(2)
        .filter(|pair| pair[0].id < pair[1].id)
        .count();
    check(
        "ascending ids",
        ascending as f64 / images.len() as f64,
        0.35..=0.65,
    );
}

#[test]
fn seeds_tell_worlds_apart() {
    let first_tile = |seed| {
        let centre = LonLat::new(24.94, 60.17).unwrap();
        let world = World::new(&Plan {
            seed,
            images: 500,
            centre,
            side_tiles: Some(1),
        })
        .unwrap();
        world
            .blocks()
            .flat_map(|block| block.tiles().flat_map(TileView::rows).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    assert_eq!(first_tile(1), first_tile(1));
    assert_ne!(first_tile(1), first_tile(2));
}
