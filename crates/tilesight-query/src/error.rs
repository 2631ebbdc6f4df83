//! What can be wrong with a question.

use std::fmt;
use std::io;
use std::path::PathBuf;

use tilesight_tile::{Bbox, TileId};

use crate::schema::Tileset;
use crate::storage::Damage;

/// Why a question was not answered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The place touches tiles that the dataset does not hold.
    #[error(transparent)]
    NotHeld(#[from] NotHeld),
    /// Everything was asked for, and there is no tile of the kind at all.
    #[error("nothing of the tileset {name} is held; get it with `tilesight fetch --tileset {name} …`", name = .0.option_name())]
    NoTileset(Tileset),
    /// A radius, field of view or heading that is not a number or out of range.
    #[error("{name} {value} is not within {range} (for example {example})")]
    OutOfRange {
        /// What the number is.
        name: &'static str,
        /// The number as given.
        value: f64,
        /// What it may be.
        range: &'static str,
        /// A right one.
        example: &'static str,
    },
    /// Map features were asked who is looking at something.
    #[error(
        "map features look at nothing: ask `images` for a looking-at place, or features near it"
    )]
    FeaturesLookAtNothing,
    /// More rows than a dataset can number.
    #[error("{0} rows are more than one dataset can hold (4,294,967,294); split the region")]
    TooManyRows(u64),
    /// The dataset file is not as it was written.
    #[error("the dataset is damaged: {0}; build it anew from its tiles with `tilesight build`")]
    Damaged(#[from] Damage),
    /// A build could not write the temporary files that it needs.
    #[error("cannot write temporary files: {0}; they need about as much room as the dataset")]
    Scratch(String),
    /// A position that is not on Earth.
    #[error(transparent)]
    Position(#[from] tilesight_tile::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Scratch(error.to_string())
    }
}

impl Error {
    /// Tells whether the same question may be answered later without any change: never, since
    /// nothing here depends on the moment.
    pub const fn is_retryable(&self) -> bool {
        false
    }
}

/// Why a dataset file was not opened or not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// The file is not a dataset of this version, or not as it was written.
    #[error("{}: {damage}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
}

/// Tiles that a place touches and a dataset does not hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NotHeld {
    /// The tileset that lacks them.
    pub tileset: Tileset,
    /// How many tiles are missing.
    pub missing: u64,
    /// How many of the missing ones were there and could not be read.
    pub failed: u64,
    /// How many tiles the place touches.
    pub wanted: u64,
    /// The first missing tile.
    pub example: TileId,
    /// A box around the place.
    pub bounds: Bbox,
}

impl std::error::Error for NotHeld {}

impl fmt::Display for NotHeld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            missing,
            wanted,
            example,
            ..
        } = self;
        write!(
            f,
            "{missing} of the {wanted} tiles of this place are not held ("
        )?;
        if self.failed > 0 {
            write!(f, "{} of them failed; ", self.failed)?;
        }
        let tileset = self.tileset.option_name();
        write!(
            f,
            "the first is {tileset} {example}); get them with `tilesight fetch"
        )?;
        if self.tileset != Tileset::Images {
            write!(f, " --tileset {tileset}")?;
        }
        write!(f, " --bbox {} -o STORE.mbtiles`", self.bounds)
    }
}
