//! Makes realistic tiles of street-level imagery from a seed.
//!
//! A [`World`] is a square of cities and countryside, with as many images as its [`Plan`] says,
//! captured in sequences along roads. It comes in [`Block`]s of tiles, each made by itself, as
//! plain [`ImageRow`]s or as encoded tiles: equal plans give equal bytes, on every machine and
//! with any number of threads.
//!
//! Used by tests, benches and for the committed `fixtures/`; never part of what is shipped.

#![forbid(unsafe_code)]

mod attributes;
mod block;
mod capture;
mod classes;
mod density;
mod features;
pub mod fixtures;
mod line;
mod overview;
mod random;
mod roads;
mod store;
mod tile;
mod tileset;
mod walk;
mod world;

pub use attributes::SequenceId;
pub use block::{Block, ImageRow, TileView};
pub use capture::Positions;
pub use features::{FeatureKind, FeatureRow};
pub use store::{StoreError, TileStore, gzip};
pub use tileset::Tileset;
pub use world::{IMAGE_ZOOM, Plan, PlanError, TILE_PIXELS, World};
