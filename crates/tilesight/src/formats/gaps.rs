//! What is missing of the lines of sequences.

use std::collections::BTreeSet;

use tilesight_query::schema::DATA_ZOOM;
use tilesight_query::{Place, SequenceQuery};
use tilesight_tile::{Bbox, GridPoint, LonLat, TileId};

use crate::Dataset;

/// Side of a tile in grid units, at the zoom of images. Tiles of shallower zooms end where some
/// of these do.
const TILE_SIDE: u32 = 1 << (32 - DATA_ZOOM as u32);

/// Counts the tiles that a line runs into and that are not held.
pub(super) fn tiles_missing(parts: &[Vec<[f64; 2]>], data: &Dataset) -> u32 {
    missing_tiles(parts, data).len() as u32
}

/// Lists the tiles that a line runs into and that are not held, ascending.
///
/// Tiles cut lines at their edges. So where a part ends on an edge, the line goes on in the tile
/// beyond; how much of it is there, and in which tiles after that one, nobody can tell who does
/// not hold it.
pub(super) fn missing_tiles(parts: &[Vec<[f64; 2]>], data: &Dataset) -> Vec<TileId> {
    let ends = parts.iter().flat_map(|part| [part.first(), part.last()]);
    let positions = ends.flatten().filter_map(|&end| grid_point(end));
    let beyond = positions.flat_map(around_edge);
    let tile = |point| (TileId::containing(DATA_ZOOM, point), point);
    let tiles: BTreeSet<(TileId, GridPoint)> = beyond.map(tile).collect();
    let mut missing: Vec<TileId> = tiles
        .into_iter()
        .filter(|&(_, point)| !holds_lines_at(data, point))
        .map(|(tile, _)| tile)
        .collect();
    missing.dedup();
    missing
}

fn grid_point([lon, lat]: [f64; 2]) -> Option<GridPoint> {
    Some(GridPoint::nearest_to(LonLat::new(lon, lat).ok()?))
}

/// Positions on either side of the edges on which a position lies; none off the edges.
fn around_edge(point: GridPoint) -> Vec<GridPoint> {
    let sides = |at: u32| match at % TILE_SIDE {
        0 => vec![at.wrapping_sub(1), at],
        _ => vec![at],
    };
    let (columns, rows) = (sides(point.x), sides(point.y));
    if columns.len() + rows.len() == 2 {
        return Vec::new();
    }
    let column = |x| rows.iter().map(move |&y| GridPoint { x, y });
    columns.into_iter().flat_map(column).collect()
}

/// Tells whether the tile of a position is held, at any zoom that holds lines.
fn holds_lines_at(data: &Dataset, point: GridPoint) -> bool {
    let position = point.to_lon_lat();
    let (lon, lat) = (position.lon(), position.lat());
    let Ok(bbox) = Bbox::from_degrees(lon, lat, lon, lat) else {
        return false;
    };
    let query = SequenceQuery {
        place: Place::Bbox(bbox),
        limit: Some(0),
        allow_partial: true,
        ..SequenceQuery::default()
    };
    let found = data.sequences(&query);
    found.is_ok_and(|found| found.missing().is_none())
}
