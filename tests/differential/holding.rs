//! Rule 10: never silently short.

use std::collections::BTreeSet;

use tilesight_query::build::{FailedTile, Holding};
use tilesight_query::{Dataset, Error, ImageQuery, NotHeld, Place, SequenceQuery, Tileset};
use tilesight_tile::{
    GridBox, GridPoint, LonLat, PreparedRegion, TileId, TileRows, cover_bbox, cover_circle,
    cover_region, haversine_m,
};

use super::question::{image_query, modest_place};
use super::random::Random;
use super::rules::{ImageFacts, facts_of, in_place};
use super::runner::run;
use super::world::{CENTRES, RawImage, World, neighbour, scattered};

const CASES: usize = 6_000;

const QUESTIONS: usize = 60;

/// Half the circumference of the Earth.
const FARTHEST_M: f64 = 20_015_115.0;

#[test]
fn what_is_not_held_is_an_error_and_never_an_empty_answer() {
    run(CASES, |random, case| {
        let (world, held) = partly_held(random);
        let data = world.build();
        let anchors = match random.below(20) {
            0 => world.anchors(random),
            _ => world.own_anchors(random),
        };
        for _ in 0..QUESTIONS {
            let place = modest_place(random, &anchors, world_size(&world));
            case.ask(&(place.clone(), held.clone()));
            check(&data, &held, &place, &probes(random, &world, &anchors));
        }
        QUESTIONS
    });
}

/// What of a world is held, at zoom 14.
#[derive(Debug, Clone)]
struct HeldTiles {
    held: BTreeSet<TileId>,
    failed: BTreeSet<TileId>,
}

/// A world whose dataset holds the tiles with rows, some empty ones around, and some that failed.
fn partly_held(random: &mut Random) -> (World, HeldTiles) {
    let mut world = scattered(random);
    for tile in &mut world.tiles {
        tile.images.truncate(30);
    }
    let centre = world.tiles[0].tile;
    let around = (-2..=2).flat_map(|dy| (-2..=2).map(move |dx| (dx, dy)));
    let (mut held, mut failed) = (BTreeSet::new(), BTreeSet::new());
    for (dx, dy) in around {
        let tile = neighbour((centre.x(), centre.y()), dx, dy);
        match random.below(8) {
            0 => {}
            1 => drop(failed.insert(tile)),
            _ => drop(held.insert(tile)),
        }
    }
    held.extend(world.tiles.iter().map(|tile| tile.tile));
    failed.retain(|tile| !held.contains(tile));
    let fail = |&tile: &TileId| FailedTile {
        tile,
        reason: "cut short".to_owned(),
    };
    world.holdings = vec![Holding {
        tiles: held.iter().copied().collect(),
        failed: failed.iter().map(fail).collect(),
        ..Holding::nothing(Tileset::Images)
    }];
    (world, HeldTiles { held, failed })
}

fn world_size(world: &World) -> usize {
    world.tiles.iter().map(|tile| tile.images.len()).sum()
}

/// Positions that might be in a place: on and around the tiles, and around the anchors.
fn probes(random: &mut Random, world: &World, anchors: &[LonLat]) -> Vec<ImageFacts> {
    let centre = world.tiles[0].tile;
    let mut points: Vec<GridPoint> = anchors.iter().copied().map(GridPoint::nearest_to).collect();
    for _ in 0..20 {
        let (dx, dy) = (random.below(7) as i64 - 3, random.below(7) as i64 - 3);
        let bounds = neighbour((centre.x(), centre.y()), dx, dy).grid_box();
        points.push(GridPoint {
            x: bounds.min_x + random.pick(&[0, 77, 131_072, 262_143]),
            y: bounds.min_y + random.pick(&[0, 77, 131_072, 262_143]),
        });
    }
    let centres = CENTRES.map(|(x, y)| TileId::new(14, x, y).unwrap().origin());
    points.extend(centres);
    points
        .into_iter()
        .map(|point| {
            facts_of(&RawImage {
                row: tilesight_query::build::ImageRow {
                    is_pano: Some(true),
                    ..tilesight_query::build::ImageRow::at(point, 0)
                },
                sequence: None,
            })
        })
        .collect()
}

fn check(data: &Dataset, held: &HeldTiles, place: &Place, probes: &[ImageFacts]) {
    let strict = ImageQuery {
        place: place.clone(),
        ..ImageQuery::default()
    };
    let partial = ImageQuery {
        allow_partial: true,
        ..strict.clone()
    };
    let all_of_it = data.images(&partial).unwrap();
    let farthest_m = all_of_it.distances_m().last().flatten();
    let reached = reached(place, all_of_it.len(), farthest_m);
    let expected = expected(held, &reached);
    match data.images(&strict) {
        Ok(selection) => {
            assert!(selection.missing().is_none() && all_of_it.missing().is_none());
            assert!(selection.iter().eq(all_of_it.iter()));
            assert_eq!(data.count_images(&strict), Ok(selection.len() as u64));
            assert!(expected.is_none() || has_no_position_beyond(held, &reached));
            check_every_probe_is_held(held, &reached, probes);
        }
        Err(Error::NotHeld(missing)) => {
            assert_eq!(all_of_it.missing(), Some(&missing));
            assert_eq!(data.count_images(&strict), Err(Error::NotHeld(missing)));
            check_missing(held, &reached, &missing, expected);
        }
        Err(error) => panic!("{error}"),
    }
    let is_nearest = matches!(place, Place::Nearest { .. });
    if !is_nearest && !has_no_position_beyond(held, &reached) {
        check_sequences(data, place, expected.is_some());
    }
}

/// The place that must be held: of the nearest, the circle through the last one, or all that
/// could be had if there are fewer than asked for.
fn reached(place: &Place, found: usize, farthest_m: Option<f64>) -> Place {
    match *place {
        Place::Nearest {
            target,
            k,
            radius_m,
        } => Place::Near {
            target,
            radius_m: match farthest_m {
                _ if k == 0 => -1.0,
                Some(farthest_m) if found == k => farthest_m,
                _ => radius_m.unwrap_or(FARTHEST_M).min(FARTHEST_M),
            },
        },
        _ => place.clone(),
    }
}

/// How many tiles are wanted, missing and failed, by the covers; nothing where all are held.
fn expected(held: &HeldTiles, place: &Place) -> Option<(u64, u64, u64)> {
    let rows = |tiles: &BTreeSet<TileId>| TileRows::from_tiles(14, tiles.iter().copied());
    let (held, failed) = (rows(&held.held), rows(&held.failed));
    let wanted = match place {
        Place::Everywhere => held.union(&failed),
        Place::Bbox(bbox) => cover_bbox(14, bbox, u64::MAX).unwrap(),
        Place::Region(region) => cover_region(14, region, u64::MAX).unwrap(),
        Place::Near { target, radius_m }
        | Place::LookingAt {
            target, radius_m, ..
        } => {
            let radius_m = radius_m.min(FARTHEST_M);
            match cover_circle(14, *target, radius_m, u64::MAX) {
                Ok(cover) => cover,
                Err(_) => return None,
            }
        }
        Place::Nearest { .. } => unreachable!("it has become a circle"),
    };
    let missing = wanted.difference(&held);
    let not_failed = missing.difference(&failed);
    let counts = (
        wanted.count(),
        missing.count(),
        missing.count() - not_failed.count(),
    );
    (!missing.is_empty()).then_some(counts)
}

/// What was answered without an error touches no tile that is not held.
fn check_every_probe_is_held(held: &HeldTiles, reached: &Place, probes: &[ImageFacts]) {
    if matches!(reached, Place::Everywhere) {
        return;
    }
    for probe in probes {
        let tile = TileId::containing(14, probe.point);
        let is_in_place = in_place(reached, probe).is_some();
        assert!(!is_in_place || held.held.contains(&tile), "{probe:?}");
    }
}

fn check_missing(
    held: &HeldTiles,
    reached: &Place,
    missing: &NotHeld,
    expected: Option<(u64, u64, u64)>,
) {
    assert_eq!(
        Some((missing.wanted, missing.missing, missing.failed)),
        expected
    );
    assert_eq!(missing.tileset, Tileset::Images);
    assert!(!held.held.contains(&missing.example));
    if let Place::Near { target, radius_m } = reached {
        let nearest = GridPoint::nearest_to(*target);
        let rounding_m = haversine_m(*target, nearest.to_lon_lat());
        assert!(missing.bounds.contains(nearest) || rounding_m > *radius_m || *radius_m < 0.01);
    }
}

/// Tells whether a box or a region touches tiles that are not held only where it is so thin that
/// no position of the grid lies in it.
fn has_no_position_beyond(held: &HeldTiles, place: &Place) -> bool {
    let boxes: Vec<GridBox> = match place {
        Place::Bbox(bbox) => bbox.grid_boxes().collect(),
        Place::Region(region) => PreparedRegion::new(region).bounds().to_vec(),
        _ => return false,
    };
    let held = TileRows::from_tiles(14, held.held.iter().copied());
    boxes.iter().all(|bounds| held.holds_box(bounds))
}

/// Lines lie on tiles of zoom 14 here, so that sequences lack what images do.
fn check_sequences(data: &Dataset, place: &Place, is_missing: bool) {
    let query = SequenceQuery {
        place: place.clone(),
        ..SequenceQuery::default()
    };
    assert_eq!(data.sequences(&query).is_err(), is_missing);
}

#[test]
fn a_whole_world_lacks_nothing() {
    run(CASES / 6, |random, case| {
        let world = scattered(random);
        let data = world.build();
        let anchors = world.anchors(random);
        for _ in 0..QUESTIONS {
            let query = image_query(random, &anchors, &[1, 2, 3]);
            case.ask(&query);
            assert!(data.images(&query).unwrap().missing().is_none());
        }
        QUESTIONS
    });
}
