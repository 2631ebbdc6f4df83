//! What can be wrong with shapes and the files they come in.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use tilesight_tile::RegionFault;

/// What is wrong with a shape.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeFault {
    /// A position, a ring or a coordinate system that cannot be.
    #[error(transparent)]
    Coordinates(#[from] RegionFault),
    /// A line has less than two positions.
    #[error(
        "the line has {0} positions, but needs at least two positions, as [[24.93, 60.17], [24.94, 60.17]]"
    )]
    LineTooShort(usize),
    /// A line or ring spans too much of the world.
    #[error("a line or ring is wider than 170 degrees of longitude (split it)")]
    TooWide,
    /// There is no position in it.
    #[error("the geometry is empty (give it a position, or leave the feature out)")]
    Empty,
    /// A feature has no geometry.
    #[error("the feature has no geometry (give it one, or leave it out)")]
    NoGeometry,
    /// A geometry that is not taken here.
    #[error("{wanted} are taken here, not {found}")]
    Kind {
        /// What it is.
        found: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A feature lacks the property that should be its id.
    #[error("the feature has no text or integer {0:?} (name a property that all features have)")]
    NoId(String),
    /// The text is no GeoJSON.
    #[error("not GeoJSON: {0}")]
    Json(String),
    /// Well-known binary is not as it should be.
    #[error("not well-known binary: {0}")]
    Wkb(&'static str),
    /// The file is not a Parquet file, or not one with geometry.
    #[error("not GeoParquet: {0}")]
    Parquet(String),
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A file of shapes that was refused: which, where in it, and why.
#[derive(Debug)]
pub struct ReadError {
    /// The file, if it was one.
    pub path: Option<PathBuf>,
    /// The number of the feature that is at fault, counted from 0; none when it is the file.
    pub feature: Option<usize>,
    /// What is wrong.
    pub fault: ShapeFault,
}

impl std::error::Error for ReadError {}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        if let Some(feature) = self.feature {
            write!(f, "feature {feature}, counted from 0: ")?;
        }
        self.fault.fmt(f)
    }
}

impl From<ShapeFault> for ReadError {
    fn from(fault: ShapeFault) -> Self {
        Self {
            path: None,
            feature: None,
            fault,
        }
    }
}

impl ReadError {
    /// Says of which file.
    #[must_use]
    pub fn in_file(self, path: &Path) -> Self {
        Self {
            path: Some(path.to_owned()),
            ..self
        }
    }
}

impl ShapeFault {
    /// Says of which feature.
    pub(crate) fn of_feature(self, number: usize) -> ReadError {
        ReadError {
            feature: Some(number),
            ..self.into()
        }
    }
}
