//! The world grid of Tilesight: positions, tiles, boxes, regions, and which tiles they touch.
//!
//! A position is a [`GridPoint`]: two `u32` on the Web Mercator square, 2³² units a side, `x`
//! growing eastwards and `y` southwards. Degrees are made from the grid, never stored, so every
//! comparison can be one of integers.
//!
//! ```
//! use tilesight_tile::{Bbox, GridPoint, LonLat, TileId};
//!
//! let door = GridPoint::nearest_to(LonLat::new(24.9384, 60.1699)?);
//! let tile = TileId::containing(14, door);
//! assert_eq!(tile.to_string(), "14/9326/4742");
//!
//! let kamppi = Bbox::from_degrees(24.92, 60.16, 24.95, 60.18)?;
//! assert!(kamppi.contains(door));
//! # Ok::<(), tilesight_tile::Error>(())
//! ```
//!
//! A [`Region`] is checked where it comes in, from GeoJSON or coordinates, and defines what is
//! inside; a [`PreparedRegion`] answers the same fast. [`cover_bbox`], [`cover_region`] and
//! [`cover_circle`] find the tiles of a place, and [`TileRows`] compares them with those at hand.
//!
//! This crate is pure arithmetic: it knows GeoJSON as text, but nothing of tiles' bytes,
//! HTTP or Mapillary.

#![forbid(unsafe_code)]

mod bbox;
mod cover;
mod error;
mod grid;
mod predicates;
mod prepared;
#[cfg(test)]
mod real_areas;
mod region;
#[cfg(test)]
mod test_shapes;
mod tile_id;
mod tile_rows;
mod typed;

pub use bbox::{Bbox, GridBox};
pub use cover::{CoverError, cover_bbox, cover_circle, cover_region, estimate_region};
pub use error::Error;
pub use grid::{EARTH_RADIUS_M, GridPoint, LonLat, haversine_m, initial_bearing_deg};
pub use prepared::{LocalRegion, PreparedRegion, Relation};
pub use region::{Region, RegionError, RegionFault};
pub use tile_id::TileId;
pub use tile_rows::TileRows;
