//! The engine of Tilesight: images, sequences and map features on the world grid, the packed
//! R-tree over them, and every question that can be asked of them.
//!
//! Rows come in through [`build`]; questions are structs with public fields ([`ImageQuery`],
//! [`SequenceQuery`], [`FeatureQuery`]), answers are selections of row numbers. The rules of
//! every answer: positions are integers on the grid and compared as such; everything is closed;
//! the unknown matches no condition; a place that is not held is an error, not an empty answer.
//!
//! ```
//! use tilesight_query::{Dataset, Image, ImageQuery, Place};
//! use tilesight_tile::LonLat;
//!
//! let data = Dataset::from_images([Image::at(1, 24.9384, 60.1699), Image::at(2, 25.0, 60.2)])?;
//! let near = Place::Near { target: LonLat::new(24.9385, 60.1699)?, radius_m: 20.0 };
//! let found = data.images(&ImageQuery { place: near, ..ImageQuery::default() })?;
//! assert_eq!(found.ids().collect::<Vec<_>>(), [1]);
//! # Ok::<(), tilesight_query::Error>(())
//! ```
//!
//! The only I/O of this crate is that of dataset files ([`Dataset::open`], [`Dataset::write`]); it
//! knows nothing of protobuf or HTTP.

mod answer;
pub mod build;
mod columns;
mod count;
mod coverage;
mod dataset;
mod date;
mod density;
mod dictionary;
mod error;
mod features;
mod file;
mod filter;
mod first;
mod images;
mod index;
mod info;
mod join;
#[cfg(test)]
mod made;
mod place;
mod query;
mod rows;
pub mod schema;
mod scratch;
mod selection;
mod sequence;
mod showing;
mod storage;
mod tally;

pub use columns::{Groups, Latitudes, Shared, Unread};
pub use count::{GroupBy, GroupCount, GroupKey};
pub use dataset::Dataset;
pub use date::{ParsePeriodError, Period, rfc3339};
pub use density::TileCount;
pub use error::{Error, NotHeld, OpenError};
pub use features::FeatureSelection;
pub use info::{Info, TilesetInfo};
pub use join::{ImageJoin, JoinPart};
pub use query::{FeatureKind, FeatureQuery, Filter, ImageQuery, Kind, Place, SequenceQuery};
pub use rows::{Image, MapFeature, Sequence};
pub use schema::Tileset;
pub use selection::Selection;
pub use sequence::{SequenceSelection, Track};
pub use storage::{Damage, Io};
