//! Worlds of sequences that walk through tiles, cut into pieces as tiles have them.

use std::collections::HashSet;

use tilesight_query::build::{Holding, ImageRow};
use tilesight_query::{Kind, Tileset};
use tilesight_tile::{GridPoint, TileId};

use super::random::Random;
use super::world::{PIXEL, RawImage, RawLine, RawTile, World};

/// Pixels along the side of a tile.
const SIDE: i64 = 4096;

/// Tiles around which sequences walk: away from the ends of the grid, and at its corners.
const CENTRES: [(i64, i64); 4] = [(8192, 8192), (9326, 4742), (1, 1), (16382, 16382)];

const NAMES: [&str; 4] = ["b", "B", "ba", "aZ9_-é"];

/// A position in pixels from the north-west of the grid.
type Pixel = (i64, i64);

/// What one tile has of a walk: vertices in capture order.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) tile: TileId,
    pub(crate) vertices: Vec<GridPoint>,
}

/// A sequence and its pieces in capture order, those of tiles that are not held among them.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    pub(crate) id: &'static str,
    pub(crate) kind: Option<Kind>,
    pub(crate) organization_id: Option<i64>,
    pub(crate) captured_at_ms: Option<i64>,
    pub(crate) pieces: Vec<Piece>,
    /// The tiles whose pieces of it the world has.
    pub(crate) tiles_with_pieces: HashSet<TileId>,
}

/// A world of walks. Some of its tiles are not held, some hold images without lines, others
/// lines without images.
pub(crate) fn walking(random: &mut Random) -> (World, Vec<Walk>) {
    let (x, y) = random.pick(&CENTRES);
    let block: Vec<TileId> = (-1..=1)
        .flat_map(|dy| (-1..=1).map(move |dx| (x + dx, y + dy)))
        .map(|(x, y)| TileId::new(14, x as u32, y as u32).unwrap())
        .collect();
    let all_held = random.one_in(2);
    let mut tiles: Vec<RawTile> = block
        .into_iter()
        .filter(|_| all_held || !random.one_in(5))
        .map(RawTile::empty)
        .collect();
    random.shuffle(&mut tiles);
    let count = 1 + random.below(NAMES.len());
    let walks = NAMES[..count]
        .iter()
        .map(|id| walk(random, id, (x, y), &mut tiles))
        .collect();
    let mut world = World::held_whole(tiles);
    if !all_held {
        world.holdings = vec![Holding {
            tiles: world.tiles.iter().map(|tile| tile.tile).collect(),
            ..Holding::nothing(Tileset::Images)
        }];
    }
    (world, walks)
}

fn walk(random: &mut Random, id: &'static str, centre: (i64, i64), tiles: &mut [RawTile]) -> Walk {
    let path = path(random, centre);
    let mut walk = Walk {
        id,
        kind: random.pick(&[None, Some(Kind::Flat), Some(Kind::Pano)]),
        organization_id: random.pick(&[None, Some(5), Some(-6)]),
        captured_at_ms: random.pick(&[None, Some(1_600_000_000_000)]),
        pieces: pieces(random, &path),
        tiles_with_pieces: HashSet::new(),
    };
    if !random.one_in(4) {
        let images = images(random, &walk, &path);
        for tile in tiles.iter_mut() {
            let is_here = |image: &&RawImage| tile.tile.grid_box().contains(image.row.point);
            let here: Vec<_> = images.iter().filter(is_here).copied().collect();
            tile.images.extend(here);
        }
    }
    add_lines(random, &mut walk, tiles);
    walk
}

/// A walk along meridians and parallels within the tiles around a centre.
fn path(random: &mut Random, (x, y): (i64, i64)) -> Vec<Pixel> {
    let west_north = ((x - 1) * SIDE + 1, (y - 1) * SIDE + 1);
    let mut at = (
        west_north.0 + random.below(3 * SIDE as usize - 2) as i64,
        west_north.1 + random.below(3 * SIDE as usize - 2) as i64,
    );
    let mut path = vec![at];
    for _ in 0..random.below(25) {
        let reach = random.pick(&[2, 40, 900, 5000]);
        let step = random.below(2 * reach + 1) as i64 - reach as i64;
        let within = |value: i64, first: i64| value.clamp(first, first + 3 * SIDE - 2);
        if random.one_in(2) {
            at.0 = within(at.0 + step, west_north.0);
        } else {
            at.1 = within(at.1 + step, west_north.1);
        }
        path.push(at);
    }
    path
}

/// Cuts a path at the edges of tiles. The two pieces may differ by a pixel where they meet; none
/// is only a point.
fn pieces(random: &mut Random, path: &[Pixel]) -> Vec<Piece> {
    let mut pieces: Vec<(TileId, Vec<Pixel>)> = Vec::new();
    for ends in path.windows(2) {
        let steps = steps_between_edges(ends[0], ends[1]).into_iter();
        for (a, b) in steps.filter(|(a, b)| a != b) {
            let tile = tile_of(a, b);
            match pieces.last_mut() {
                Some((last, vertices)) if *last == tile => vertices.push(b),
                _ => pieces.push((tile, vec![a, b])),
            }
        }
    }
    for (tile, vertices) in &mut pieces {
        if random.one_in(4) {
            shift_along_edge(random, *tile, &mut vertices[0]);
        }
    }
    pieces
        .into_iter()
        .filter(|(_, vertices)| vertices.iter().any(|vertex| *vertex != vertices[0]))
        .map(|(tile, vertices)| Piece {
            tile,
            vertices: vertices.into_iter().map(grid_point).collect(),
        })
        .collect()
}

/// The parts of a step that lie between the edges of tiles.
fn steps_between_edges(a: Pixel, b: Pixel) -> Vec<(Pixel, Pixel)> {
    let is_between = |edge: i64, a: i64, b: i64| a.min(b) < edge && edge < a.max(b);
    let edges = |a: i64, b: i64| {
        let mut edges: Vec<i64> = (a.min(b) / SIDE..=a.max(b) / SIDE)
            .map(|tile| tile * SIDE)
            .filter(|&edge| is_between(edge, a, b))
            .collect();
        if a > b {
            edges.reverse();
        }
        edges
    };
    let mut stops = vec![a];
    stops.extend(edges(a.0, b.0).into_iter().map(|x| (x, a.1)));
    stops.extend(edges(a.1, b.1).into_iter().map(|y| (a.0, y)));
    stops.push(b);
    stops.windows(2).map(|ends| (ends[0], ends[1])).collect()
}

/// The tile that holds the middle of a step.
fn tile_of(a: Pixel, b: Pixel) -> TileId {
    let at = |a: i64, b: i64| ((a + b) / (2 * SIDE)) as u32;
    TileId::new(14, at(a.0, b.0), at(a.1, b.1)).unwrap()
}

fn shift_along_edge(random: &mut Random, tile: TileId, at: &mut Pixel) {
    let shift = random.below(3) as i64 - 1;
    let within = |value: i64, tile: u32| {
        let first = i64::from(tile) * SIDE;
        value.clamp(first, first + SIDE)
    };
    if at.0 % SIDE == 0 {
        at.1 = within(at.1 + shift, tile.y());
    } else if at.1 % SIDE == 0 {
        at.0 = within(at.0 + shift, tile.x());
    }
}

/// The far edge of the last tile is the last column or row.
fn grid_point((x, y): Pixel) -> GridPoint {
    let units = |pixels: i64| (pixels * i64::from(PIXEL)).min(i64::from(u32::MAX)) as u32;
    GridPoint {
        x: units(x),
        y: units(y),
    }
}

/// An image at each vertex; ids are not in the order of time, and some share theirs.
fn images(random: &mut Random, walk: &Walk, path: &[Pixel]) -> Vec<RawImage> {
    let first_id = random.bits() as i64;
    let mut time = 1_600_000_000_000;
    let mut images = Vec::new();
    for (i, &at) in (0..).zip(path) {
        time += random.below(3) as i64 * 500;
        let row = ImageRow {
            captured_at_ms: (!random.one_in(30)).then_some(time),
            compass_angle_deg: random.pick(&[None, Some(0.0), Some(90.0), Some(200.0)]),
            is_pano: walk.kind.map(|kind| kind == Kind::Pano),
            organization_id: walk.organization_id,
            ..ImageRow::at(grid_point(at), first_id.wrapping_add(i * 7 % 31))
        };
        images.push(RawImage {
            row,
            sequence: Some(walk.id),
        });
    }
    images
}

/// Gives the tiles their pieces: one feature each, in any order; one tile in six gets none.
fn add_lines(random: &mut Random, walk: &mut Walk, tiles: &mut [RawTile]) {
    for tile in tiles {
        let mut runs: Vec<Vec<GridPoint>> = walk
            .pieces
            .iter()
            .filter(|piece| piece.tile == tile.tile)
            .map(|piece| piece.vertices.clone())
            .collect();
        if runs.is_empty() || random.one_in(6) {
            continue;
        }
        random.shuffle(&mut runs);
        walk.tiles_with_pieces.insert(tile.tile);
        tile.lines.push(RawLine {
            sequence: walk.id.to_owned(),
            captured_at_ms: walk.captured_at_ms,
            is_pano: walk.kind.map(|kind| kind == Kind::Pano),
            organization_id: walk.organization_id,
            runs,
        });
    }
}
