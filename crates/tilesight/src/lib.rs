//! An embedded spatial query engine over the vector tiles of street-level imagery.
//!
//! Open a folder of tiles, an MBTiles or a PMTiles archive, or build a dataset file of them once; from
//! then on ask, offline: which images
//! were taken inside this polygon, within 50 m of this door, *looking at* this door, since 2023,
//! as panoramas, by this organization, and which sequences, signs and objects are there.
//!
//! ```
//! use tilesight::{Dataset, Image, ImageQuery, Kind, LonLat, Place};
//!
//! let data = Dataset::from_images([
//!     Image { kind: Some(Kind::Pano), ..Image::at(1, 24.9380, 60.1699) },
//!     Image { compass_angle_deg: Some(270.0), ..Image::at(2, 24.9381, 60.1699) }, // looks away
//!     Image { kind: Some(Kind::Pano), ..Image::at(3, 24.9500, 60.1699) },         // too far
//! ])?;
//! let door = LonLat::new(24.9384, 60.1699)?;
//! let found = data.images(&ImageQuery { place: Place::looking_at(door), ..Default::default() })?;
//! assert_eq!(found.ids().collect::<Vec<_>>(), [1]);
//! # Ok::<(), tilesight::Error>(())
//! ```
//!
//! The type to begin with is [`Dataset`]: [`Dataset::open`] reads a source, and what it
//! dereferences to answers [`ImageQuery`], [`SequenceQuery`] and [`FeatureQuery`]. Answers are
//! read row by row, or written with [`formats`].
//!
//! # What it does not do
//!
//! It fetches nothing, unless the feature `fetch` is on: then `Dataset::open_or_fetch` brings what
//! a store lacks of a region. It shows no pictures: tiles
//! tell where and when they were taken, not what is in them.

#![forbid(unsafe_code)]

mod about;
pub mod annotations;
mod build;
pub mod compat;
mod dataset;
mod decode;
mod error;
#[cfg(feature = "fetch")]
mod fetching;
pub mod formats;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod holding;
pub mod import;
mod info;
mod pack;
mod plane;
pub mod roads;
pub mod shapes;
pub mod sight;
mod source;
#[cfg(any(feature = "fetch", feature = "parquet"))]
mod whole;

pub use build::{BuildOptions, Built, build};
pub use dataset::{Dataset, is_dataset_file};
pub use error::Error;
pub use pack::pack;
pub use source::{Progress, Source};

#[cfg(feature = "fetch")]
pub use tilesight_fetch as fetch;

pub use tilesight_query::Error as QueryError;
pub use tilesight_query::{Damage, Io, OpenError};
pub use tilesight_query::{
    FeatureKind, FeatureQuery, FeatureSelection, Filter, GroupBy, GroupCount, GroupKey, Image,
    ImageJoin, ImageQuery, Info, Kind, MapFeature, NotHeld, ParsePeriodError, Period, Place,
    Selection, Sequence, SequenceQuery, SequenceSelection, TileCount, Tileset, TilesetInfo, Track,
    rfc3339,
};
pub use tilesight_store::{Error as StoreError, Packed};
pub use tilesight_tile::{Bbox, GridPoint, LonLat, Region, RegionError, TileId};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
