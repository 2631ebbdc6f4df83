//! The commands of geokit's `mapillary`, from GeoJSON to GeoJSON.
//!
//! They make a chain: [`get_mapillary_points`] asks a dataset for the images and sequences of an
//! area, [`merge_sequences`] makes one feature of each sequence, [`simplify_sequence()`] leaves out
//! what runs beside a longer one, [`match_point_sequences`] keeps the images that lie where
//! something is left, [`simplify_points()`] one of them every so many metres, and
//! [`images_of_points`] and [`add_image_urls`] stand before and after their download.
//! [`custom_sequences`] is for looking at some pictures of each sequence.
//!
//! What comes in is the text of a GeoJSON `FeatureCollection`, ours or geokit's, and is kept in
//! memory; what goes out is written as it is made. Properties that are not known here go through
//! unchanged. Every length is in metres on the sphere (haversine, or in the plane of a local
//! projection where it is a matter of metres), positions are degrees, longitude first.
//!
//! ```
//! use tilesight::compat::geokit;
//!
//! let points = r#"{"type": "FeatureCollection", "features": [
//!     {"type": "Feature", "properties": {"id": 1, "sequence_id": "walk", "captured_at": 1000},
//!      "geometry": {"type": "Point", "coordinates": [24.95, 60.17]}},
//!     {"type": "Feature", "properties": {"id": 2, "sequence_id": "walk", "captured_at": 2000},
//!      "geometry": {"type": "Point", "coordinates": [24.95001, 60.17]}}
//! ]}"#;
//! let mut kept = Vec::new();
//! let counts = geokit::simplify_points(points, 10.0, &mut kept)?;
//! assert_eq!((counts.read, counts.written), (2, 1)); // the second is half a metre away
//! # Ok::<(), geokit::Error>(())
//! ```
//!
//! What geokit does otherwise, and why, is in `docs/compatibility.md`.

mod boundaries;
mod breaks;
mod capsule;
mod collection;
mod custom;
mod frame;
mod geometry;
mod matching;
mod merge;
mod pictures;
mod points;
mod simplify_points;
mod simplify_sequence;
mod walk;

use std::io;

pub use boundaries::{Boundary, OutputFiles, boundaries, output_files};
pub use custom::{CustomSequences, custom_sequences};
pub use matching::match_point_sequences;
pub use merge::merge_sequences;
pub use pictures::{Picture, Pictures, add_image_urls, images_of_points};
pub use points::{MapillaryPoints, PointsQuery, get_mapillary_points};
pub use simplify_points::simplify_points;
pub use simplify_sequence::{BUFFER_M, simplify_sequence};

/// How many features came in, and how many went out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Features read; where they are put together, what they make.
    pub read: u64,
    /// Features written.
    pub written: u64,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text that is not what it should be.
    #[error(
        "this is no GeoJSON FeatureCollection: {0}; write \
         {{\"type\":\"FeatureCollection\",\"features\":[…]}}"
    )]
    Collection(String),
    /// A feature that cannot be used.
    #[error("features[{at}]{problem}")]
    Feature {
        /// Its number in the collection, from 0.
        at: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A field that no boundary has.
    #[error("no boundary has the field {field:?}; there are: {known}")]
    NoSuchField {
        /// What was asked for.
        field: String,
        /// The fields that there are.
        known: String,
    },
    /// A file name that cannot be used.
    #[error("{path} {problem}")]
    FileName {
        /// Which.
        path: String,
        /// What is wrong with it, and what would be right.
        problem: &'static str,
    },
    /// A length that cannot be.
    #[error("{name} is {value}: {expected}")]
    OutOfRange {
        /// Of what.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What would be right.
        expected: String,
    },
    /// An area that was refused.
    #[error(transparent)]
    Region(#[from] tilesight_tile::RegionError),
    /// The dataset has no answer: [`NotHeld`](tilesight_query::Error::NotHeld) for one.
    #[error(transparent)]
    Query(#[from] tilesight_query::Error),
    /// The result could not be written.
    #[error("cannot write the result: {0}")]
    Write(#[from] io::Error),
}
