//! Tile cover: which tiles a place touches.
//!
//! A tile is the closed rectangle, in degrees, around its grid positions, and a place touches it
//! if they share a point. So a tile in the cover may hold an image in the place, and one outside
//! of it cannot.

mod circle;
mod outline;

use std::ops::RangeInclusive;

use circle::Circle;
use outline::Outline;

use crate::bbox::{first_row_south_of, first_where};
use crate::grid::{GRID_SIDE, lat_of_y, lon_of_x, x_of_lon, y_of_lat};
use crate::predicates::{Edge, meets_box};
use crate::region::Polygon;
use crate::tile_rows::Span;
use crate::{Bbox, GridBox, LonLat, Region, TileId, TileRows};

/// Covers a box.
///
/// # Errors
///
/// [`CoverError::TooManyTiles`], with the exact number, when it takes more than `max_tiles`;
/// nothing has been enumerated then.
///
/// # Panics
///
/// When `z` is beyond [`TileId::MAX_ZOOM`].
///
/// # Example
///
/// ```
/// use tilesight_tile::{Bbox, cover_bbox};
///
/// let kamppi = Bbox::from_degrees(24.92, 60.16, 24.95, 60.18)?;
/// assert_eq!(cover_bbox(14, &kamppi, 100)?.count(), 6);
///
/// let world = Bbox::from_degrees(-180.0, -90.0, 180.0, 90.0)?;
/// let error = cover_bbox(14, &world, 50_000).unwrap_err();
/// assert!(error.to_string().contains("268435456 tiles"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cover_bbox(z: u8, bbox: &Bbox, max_tiles: u64) -> Result<TileRows, CoverError> {
    let zoom = Zoom::new(z);
    let estimate = bbox
        .grid_boxes()
        .map(|bounds| zoom.tiles_of(&bounds))
        .sum::<u64>();
    if estimate.min(zoom.all_tiles()) > max_tiles {
        return Err(zoom.too_many(estimate, max_tiles));
    }
    let nothing = TileRows::from_tiles(z, []);
    Ok(bbox.grid_boxes().fold(nothing, |cover, bounds| {
        cover.union(&TileRows::from_grid_box(z, &bounds))
    }))
}

/// Covers a region: edges are followed through the rows of tiles and what lies between them is
/// filled, so the cost is that of the boundary and not of the area.
///
/// # Errors
///
/// [`CoverError::TooManyTiles`] when it takes more than `max_tiles`; with the exact number, or,
/// if even the rows of one polygon are more than `max_tiles` or its edges touch a tile a million
/// times before they have touched all, with [`estimate_region`]'s.
///
/// # Panics
///
/// When `z` is beyond [`TileId::MAX_ZOOM`].
///
/// # Example
///
/// ```
/// use tilesight_tile::{Region, cover_region};
///
/// let shell = vec![[24.0, 60.0], [26.0, 60.0], [25.0, 61.0], [24.0, 60.0]];
/// let triangle = Region::from_polygons(&[vec![shell]])?;
/// assert_eq!(cover_region(8, &triangle, 100)?.count(), 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cover_region(z: u8, region: &Region, max_tiles: u64) -> Result<TileRows, CoverError> {
    let zoom = Zoom::new(z);
    let mut outline = Outline::new();
    for polygon in region.polygons() {
        // A row the polygon reaches has a tile in all but contrived shapes, so this bounds the work
        // without refusing what would fit.
        let is_too_many = zoom.rows_of(polygon).count() as u64 > max_tiles
            || !cover_polygon(zoom, polygon, max_tiles, &mut outline);
        if is_too_many {
            return Err(zoom.too_many(estimate_region(z, region), max_tiles));
        }
    }
    let cover = TileRows::from_spans(z, outline.into_spans());
    match cover.count() {
        tiles if tiles > max_tiles => Err(zoom.too_many(tiles, max_tiles)),
        _ => Ok(cover),
    }
}

/// Bounds the number of tiles in the cover of a region from above, by the boxes around its
/// polygons.
///
/// # Panics
///
/// When `z` is beyond [`TileId::MAX_ZOOM`].
///
/// # Cost
///
/// Linear in the vertices, at any zoom.
pub fn estimate_region(z: u8, region: &Region) -> u64 {
    let zoom = Zoom::new(z);
    let tiles = |polygon| zoom.rows_of(polygon).count() as u64 * zoom.columns_of(polygon);
    let sum = region
        .polygons()
        .iter()
        .map(tiles)
        .fold(0, u64::saturating_add);
    sum.min(zoom.all_tiles())
}

/// Covers the positions within `radius_m` metres of `centre`, by haversine distance.
///
/// # Errors
///
/// [`CoverError::Radius`] when the radius is negative or not finite. [`CoverError::TooManyTiles`]
/// when it takes more than `max_tiles`; with the exact number, or, if even the rows are more, with
/// an upper bound.
///
/// # Panics
///
/// When `z` is beyond [`TileId::MAX_ZOOM`].
///
/// # Cost
///
/// A binary search for each row of tiles.
///
/// # Example
///
/// ```
/// use tilesight_tile::{LonLat, cover_circle};
///
/// let door = LonLat::new(24.9384, 60.1699)?; // 31 m from the next tile to the east
/// assert_eq!(cover_circle(14, door, 30.0, 100)?.count(), 1);
/// assert_eq!(cover_circle(14, door, 50.0, 100)?.count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cover_circle(
    z: u8,
    centre: LonLat,
    radius_m: f64,
    max_tiles: u64,
) -> Result<TileRows, CoverError> {
    if !(0.0..f64::INFINITY).contains(&radius_m) {
        return Err(CoverError::Radius(radius_m));
    }
    let zoom = Zoom::new(z);
    let circle = Circle::new(centre, radius_m);
    let rows = circle.rows(zoom);
    let row_count = rows.clone().count() as u64;
    if row_count > max_tiles {
        let square = row_count.saturating_mul(row_count).min(zoom.all_tiles());
        return Err(zoom.too_many(square, max_tiles));
    }
    let spans = rows.flat_map(|y| circle.spans(zoom, y)).collect();
    let cover = TileRows::from_spans(z, spans);
    match cover.count() {
        tiles if tiles > max_tiles => Err(zoom.too_many(tiles, max_tiles)),
        _ => Ok(cover),
    }
}

/// A place that is not covered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CoverError {
    /// A place takes more tiles than allowed.
    #[error(
        "the place takes {tiles} tiles of zoom {z}, more than the {max_tiles} allowed (take a smaller place, or allow more)"
    )]
    TooManyTiles {
        /// How many it takes, or an upper bound where even that is too much to count.
        tiles: u64,
        /// Their zoom.
        z: u8,
        /// How many are allowed.
        max_tiles: u64,
    },
    /// A radius is negative or not finite.
    #[error("radius {0} is not a distance in metres (50, for example)")]
    Radius(f64),
}

/// The tiles of one zoom.
#[derive(Clone, Copy)]
struct Zoom {
    z: u8,
    /// Tiles in a row.
    width: u32,
    /// Grid units in the side of a tile.
    side: u64,
}

impl Zoom {
    fn new(z: u8) -> Self {
        assert!(z <= TileId::MAX_ZOOM, "a tile's zoom is at most 30");
        Self {
            z,
            width: 1 << z,
            side: 1 << (32 - z),
        }
    }

    fn all_tiles(self) -> u64 {
        self.width as u64 * self.width as u64
    }

    fn too_many(self, tiles: u64, max_tiles: u64) -> CoverError {
        CoverError::TooManyTiles {
            tiles,
            z: self.z,
            max_tiles,
        }
    }

    /// How many tiles hold the positions of a box.
    fn tiles_of(self, bounds: &GridBox) -> u64 {
        let tiles = |first: u32, last: u32| self.tile_at(last) - self.tile_at(first) + 1;
        tiles(bounds.min_x, bounds.max_x) as u64 * tiles(bounds.min_y, bounds.max_y) as u64
    }

    /// The tile, along a row or a column, that holds a grid coordinate.
    fn tile_at(self, coordinate: u32) -> u32 {
        (coordinate as u64 / self.side) as u32
    }

    /// First and last grid coordinate of a tile along a row or a column.
    fn grid_range(self, tile: u32) -> (u32, u32) {
        let first = tile as u64 * self.side;
        (first as u32, (first + self.side - 1) as u32)
    }

    /// South and north of a row of tiles, in degrees.
    fn lats(self, y: u32) -> [f64; 2] {
        let (first, last) = self.grid_range(y);
        [lat_of_y(last), lat_of_y(first)]
    }

    /// West and east of a column of tiles, in degrees.
    fn lons(self, x: u32) -> [f64; 2] {
        let (first, last) = self.grid_range(x);
        [lon_of_x(first), lon_of_x(last)]
    }

    /// The rows of tiles that latitudes from `south` to `north` touch. Between two grid positions
    /// of one tile they touch it, between those of two tiles they touch neither.
    fn rows_within(self, south: f64, north: f64) -> RangeInclusive<u32> {
        let first = first_where(y_of_lat(north), |y| lat_of_y(y) <= north);
        let last = first_row_south_of(south).checked_sub(1);
        match (first, last) {
            (Some(first), Some(last)) => self.tile_at(first)..=self.tile_at(last as u32),
            // Wholly south, or wholly north, of the grid.
            _ => NO_ROWS,
        }
    }

    fn rows_of(self, polygon: &Polygon) -> RangeInclusive<u32> {
        let [south, north] = polygon.range(1);
        self.rows_within(south, north)
    }

    /// An upper bound of the columns that a polygon touches.
    fn columns_of(self, polygon: &Polygon) -> u64 {
        let [west, east] = polygon.range(0);
        let tiles = (east - west) / 360.0 * self.width as f64;
        (tiles as u64 + 2).min(self.width as u64)
    }
}

#[expect(clippy::reversed_empty_ranges, reason = "it is meant to be empty")]
const NO_ROWS: RangeInclusive<u32> = 1..=0;

/// Adds what one polygon touches to an outline and fills it, unless that is found to be more than
/// `max_tiles`: then it tells so, and has not looked at all edges.
fn cover_polygon(zoom: Zoom, polygon: &Polygon, max_tiles: u64, outline: &mut Outline) -> bool {
    for ring in polygon.rings() {
        for turn in ring.turns() {
            let mut last = None;
            for edge in ring.edges() {
                // A vertex that is there again and again touches its tile once.
                if last.replace(edge) == Some(edge) {
                    continue;
                }
                cover_edge(zoom, edge, turn, outline);
                if outline.has_more_than(max_tiles) {
                    return false;
                }
            }
        }
    }
    outline.fill();
    true
}

/// Adds the spans of tiles that an edge touches, and where it crosses the northernmost grid row
/// of a row of tiles.
fn cover_edge(zoom: Zoom, edge: Edge, turn: f64, outline: &mut Outline) {
    let [a, b] = edge;
    for y in zoom.rows_within(a[1].min(b[1]), a[1].max(b[1])) {
        let [south, north] = zoom.lats(y);
        let (west, east) = columns_between(edge, turn, south, north);
        let touched = touched_tiles(zoom, edge, turn, y, (west, east));
        if let Some((first_x, last_x)) = touched {
            outline.touch(Span { y, first_x, last_x });
        }
        if (a[1] > north) != (b[1] > north) {
            let next = match touched {
                Some((_, last_x)) => last_x + 1,
                // In the gap between two tiles, or off the grid.
                None => (west.midpoint(east) / zoom.side as f64).ceil() as u32,
            };
            outline.flip(y, next.min(zoom.width));
        }
    }
}

/// The grid columns, unrounded, of the part of an edge within some latitudes that it touches.
fn columns_between([a, b]: Edge, turn: f64, south: f64, north: f64) -> (f64, f64) {
    let lon_at = |lat: f64, otherwise: f64| {
        if a[1] == b[1] {
            otherwise
        } else {
            a[0] + (lat.clamp(a[1].min(b[1]), a[1].max(b[1])) - a[1])
                * ((b[0] - a[0]) / (b[1] - a[1]))
        }
    };
    let (from, to) = (lon_at(south, a[0]), lon_at(north, b[0]));
    let column = |lon| x_of_lon(lon) - turn / 360.0 * GRID_SIDE;
    (column(from.min(to)), column(from.max(to)))
}

/// The first and last tile of a row that an edge touches, given the columns it passes there up to
/// rounding. Those between are passed; the outermost are asked exactly.
fn touched_tiles(
    zoom: Zoom,
    edge: Edge,
    turn: f64,
    y: u32,
    (west, east): (f64, f64),
) -> Option<(u32, u32)> {
    if east + 1.0 < 0.0 || west - 1.0 > GRID_SIDE {
        return None;
    }
    let [south, north] = zoom.lats(y);
    let meets = |&x: &u32| {
        let [west, east] = zoom.lons(x);
        meets_box(edge, [[west + turn, south], [east + turn, north]])
    };
    let tile = |column: f64| zoom.tile_at(column.floor() as u32);
    let mut tiles = tile(west - 1.0)..=tile(east + 1.0);
    let first = tiles.find(meets)?;
    Some((first, tiles.rfind(meets).unwrap_or(first)))
}

#[cfg(test)]
mod tests;
