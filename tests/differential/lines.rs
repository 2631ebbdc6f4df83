//! Rule 9: lines stitched from pieces, through images where there are none, never bridged.

use std::collections::HashSet;

use tilesight_query::{Dataset, Image, SequenceQuery, Track};
use tilesight_tile::{GridBox, GridPoint, TileId, TileRows};

use super::rules::{ImageFacts, images_of};
use super::runner::run;
use super::walks::{Piece, Walk, walking};
use super::world::{PIXEL, World};

const CASES: usize = 8_000;

#[test]
fn lines_are_stitched_and_never_bridged() {
    run(CASES, |random, case| {
        let (world, walks) = walking(random);
        let data = world.build();
        for walk in &walks {
            case.ask(walk);
            check(&data, &world, walk);
        }
        walks.len()
    });
}

fn check(data: &Dataset, world: &World, walk: &Walk) {
    let all = everything();
    let found = data.sequences(&all).unwrap();
    let images = images_in_order(world, walk.id);
    let Some(track) = found.tracks().find(|track| track.sequence.id == walk.id) else {
        assert!(images.is_empty() && walk.tiles_with_pieces.is_empty());
        return;
    };
    let expected: Vec<Image<'_>> = images.iter().map(|facts| facts.image).collect();
    assert_eq!(track.images().unwrap().collect::<Vec<_>>(), expected);
    check_facts(&track, walk, &images);
    let line = line_of(&track);
    check_line(&line, world, walk, &images);
    let length_m: f64 = segments(&line)
        .map(|(a, b)| tilesight_tile::haversine_m(a.to_lon_lat(), b.to_lon_lat()))
        .sum();
    assert!((track.sequence.length_m - length_m).abs() <= 1e-9 * length_m);
}

pub(crate) fn everything() -> SequenceQuery {
    SequenceQuery {
        allow_partial: true,
        ..SequenceQuery::default()
    }
}

/// Rule 9: by (capture time, id); those without a time come last.
pub(crate) fn images_in_order(world: &World, sequence: &str) -> Vec<ImageFacts> {
    let mut images: Vec<ImageFacts> = images_of(world)
        .into_values()
        .filter(|facts| facts.image.sequence_id == Some(sequence))
        .collect();
    images.sort_by_key(|facts| {
        let time = facts.image.captured_at_ms;
        (time.is_none(), time, facts.image.id)
    });
    images
}

fn check_facts(track: &Track<'_>, walk: &Walk, images: &[ImageFacts]) {
    let times = || images.iter().filter_map(|facts| facts.image.captured_at_ms);
    let of_line = walk.captured_at_ms.filter(|_| images.is_empty());
    let sequence = track.sequence;
    assert_eq!(sequence.image_count as usize, images.len());
    assert_eq!(sequence.first_captured_at_ms, times().min().or(of_line));
    assert_eq!(sequence.last_captured_at_ms, times().max().or(of_line));
    assert_eq!(sequence.kind, walk.kind);
    assert_eq!(sequence.organization_id, walk.organization_id);
}

/// The line on the grid.
pub(crate) fn line_of(track: &Track<'_>) -> Vec<Vec<GridPoint>> {
    let parts = track.line();
    parts
        .map(|part| part.map(GridPoint::nearest_to).collect())
        .collect()
}

pub(crate) fn segments(
    line: &[Vec<GridPoint>],
) -> impl Iterator<Item = (GridPoint, GridPoint)> + '_ {
    let parts = line.iter();
    parts.flat_map(|part| part.windows(2).map(|ends| (ends[0], ends[1])))
}

fn check_line(line: &[Vec<GridPoint>], world: &World, walk: &Walk, images: &[ImageFacts]) {
    let held: Vec<&Piece> = walk
        .pieces
        .iter()
        .filter(|piece| walk.tiles_with_pieces.contains(&piece.tile))
        .collect();
    let drawn = drawn_through_images(world, walk, images);
    assert!(line.iter().all(|part| part.len() > 1));
    check_nothing_is_bridged(line, &held, &drawn);
    check_nothing_is_lost(line, &held, &drawn);
    if is_unambiguous(&walk.pieces) {
        let mut expected: Vec<_> = stitched(walk).into_iter().chain(drawn).collect();
        let mut line = line.to_vec();
        line.sort();
        expected.sort();
        assert_eq!(line, expected);
    }
}

/// Parts through consecutive images on tiles without a piece, where every tile between two is
/// held.
fn drawn_through_images(world: &World, walk: &Walk, images: &[ImageFacts]) -> Vec<Vec<GridPoint>> {
    let tile_of = |facts: &ImageFacts| TileId::containing(14, facts.point);
    let mut parts: Vec<Vec<GridPoint>> = vec![vec![]];
    let mut previous: Option<&ImageFacts> = None;
    for facts in images {
        let needs_line = !walk.tiles_with_pieces.contains(&tile_of(facts));
        let goes_on = previous.is_some_and(|before| is_held_between(world, before, facts));
        if !(needs_line && goes_on) {
            parts.push(vec![]);
        }
        if needs_line && let Some(part) = parts.last_mut() {
            part.push(facts.point);
        }
        previous = needs_line.then_some(facts);
    }
    without_points(parts)
}

fn is_held_between(world: &World, a: &ImageFacts, b: &ImageFacts) -> bool {
    let (a, b) = (a.point, b.point);
    let between = GridBox {
        min_x: a.x.min(b.x),
        min_y: a.y.min(b.y),
        max_x: a.x.max(b.x),
        max_y: a.y.max(b.y),
    };
    let holding = &world.holdings[0];
    let mut tiles = TileRows::from_grid_box(14, &between)
        .iter()
        .collect::<Vec<_>>();
    tiles.retain(|tile| !holding.tiles.contains(tile));
    holding.bounds.is_some() || tiles.is_empty()
}

/// Removes vertices that repeat the one before, and parts that are in one place.
fn without_points(parts: Vec<Vec<GridPoint>>) -> Vec<Vec<GridPoint>> {
    let parts = parts.into_iter().map(|mut part| {
        part.dedup();
        part
    });
    parts.filter(|part| part.len() > 1).collect()
}

/// Every segment is one of a piece, joins two pieces whose ends are neighbours within a pixel,
/// or was drawn through images.
fn check_nothing_is_bridged(line: &[Vec<GridPoint>], pieces: &[&Piece], drawn: &[Vec<GridPoint>]) {
    let mut allowed: HashSet<(GridPoint, GridPoint)> = segments(drawn).collect();
    for piece in pieces {
        allowed.extend(piece.vertices.windows(2).map(|ends| (ends[0], ends[1])));
        for next in pieces.iter().filter(|next| may_follow(piece, next)) {
            let end = last_of(piece);
            allowed.extend(next.vertices.iter().take(3).map(|&vertex| (end, vertex)));
        }
    }
    for segment in segments(line) {
        assert!(allowed.contains(&segment), "{segment:?} is bridged");
    }
}

fn may_follow(piece: &Piece, next: &Piece) -> bool {
    let (a, b) = (piece.tile, next.tile);
    let (end, start) = (last_of(piece), next.vertices[0]);
    a != b
        && a.x().abs_diff(b.x()) <= 1
        && a.y().abs_diff(b.y()) <= 1
        && end.x.abs_diff(start.x) <= PIXEL
        && end.y.abs_diff(start.y) <= PIXEL
}

fn last_of(piece: &Piece) -> GridPoint {
    piece.vertices[piece.vertices.len() - 1]
}

/// Each piece, but for its first vertex, comes in one part unbroken; so does what was drawn.
fn check_nothing_is_lost(line: &[Vec<GridPoint>], pieces: &[&Piece], drawn: &[Vec<GridPoint>]) {
    for piece in pieces {
        let mut rest = piece.vertices[1..].to_vec();
        rest.dedup();
        let is_point = without_points(vec![piece.vertices.clone()]).is_empty();
        let is_there = line
            .iter()
            .any(|part| part.windows(rest.len()).any(|window| window == rest));
        assert!(is_there || is_point, "{piece:?} is lost");
    }
    for part in drawn {
        assert!(line.contains(part), "{part:?} is lost");
    }
}

/// Tells whether no end of a piece lies near another's but for that which goes on from it.
fn is_unambiguous(pieces: &[Piece]) -> bool {
    let near = |a: GridPoint, b: GridPoint| {
        a.x.abs_diff(b.x) <= 3 * PIXEL && a.y.abs_diff(b.y) <= 3 * PIXEL
    };
    pieces.iter().enumerate().all(|(i, piece)| {
        let others = pieces.iter().enumerate().filter(|&(j, _)| j != i + 1);
        others
            .map(|(_, other)| other.vertices[0])
            .all(|start| !near(last_of(piece), start))
    })
}

/// The pieces that the world has, each joined to the next unless that is missing.
fn stitched(walk: &Walk) -> Vec<Vec<GridPoint>> {
    let mut parts: Vec<Vec<GridPoint>> = vec![vec![]];
    for piece in &walk.pieces {
        let is_there = walk.tiles_with_pieces.contains(&piece.tile);
        match parts.last_mut() {
            Some(part) if is_there && part.is_empty() => part.extend(&piece.vertices),
            Some(part) if is_there => part.extend(&piece.vertices[1..]),
            _ => parts.push(vec![]),
        }
    }
    without_points(parts)
}
