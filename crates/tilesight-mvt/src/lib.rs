//! Decodes Mapbox Vector Tiles into typed columns.
//!
//! A [`Decoder`] cuts the bytes of a tile, gzipped or not, into [`RawLayer`]s. A layer is decoded
//! into [`Columns`]: positions on the world grid, and one typed array with validity bits for each
//! attribute that a [`LayerSchema`] names. Versions 1 and 2 of the specification are read.
//!
//! Any bytes may be given to it: damage is an [`Error`] that says where, never a panic, and no
//! tile can claim memory out of proportion to its size.
//!
//! It does not know degrees (a [`TileFrame`] says where the tile lies), nor what the attributes
//! mean, nor where tiles come from.
//!
//! The feature `oracle` adds the module `writer`, which makes tiles, and the module `reference`,
//! a slow and literal decoder that the fast one is tested against.
#![forbid(unsafe_code)]

pub use crate::bits::Bits;
pub use crate::columns::{Booleans, Columns, Integers, Points, Reals, Skipped, Texts};
pub use crate::decoder::Decoder;
pub use crate::error::{Damage, Error, FeatureBreach, LayerBreach};
pub use crate::frame::TileFrame;
pub use crate::geometry::GeometryType;
pub use crate::layer::{RawLayer, Tile};
pub use crate::schema::{ColumnType, LayerSchema};
pub use crate::shapes::{Lines, Part};
pub use crate::strings::Strings;

mod decoder;
mod inflate;

mod layer;
mod wire;

mod decode;
mod frame;
mod geometry;
mod rows;
mod schema;
mod tables;

mod bits;
mod columns;
mod shapes;
mod strings;

mod budget;
mod coerce;
mod error;

#[cfg(feature = "oracle")]
mod proto;
#[cfg(feature = "oracle")]
pub mod reference;
#[cfg(feature = "oracle")]
pub mod writer;
