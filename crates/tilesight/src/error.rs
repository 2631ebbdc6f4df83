//! Why something could not be opened or answered.

/// Why a dataset could not be opened or a question not be answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source could not be read.
    #[error(transparent)]
    Store(#[from] tilesight_store::Error),
    /// The dataset file could not be opened.
    #[error(transparent)]
    Open(#[from] tilesight_query::OpenError),
    /// The dataset file could not be written.
    #[error(
        "cannot write the dataset: {0}; it takes about 50 bytes an image, and while it is built as \
         much again: make room, or write it elsewhere"
    )]
    WriteDataset(std::io::Error),
    /// A file could not be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// A file of images could not be read, or is none that was written here.
    #[error("cannot read images from {}: {problem}", path.display())]
    Images {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        problem: String,
    },
    /// The question was not answered: [`NotHeld`](tilesight_query::Error::NotHeld) for one.
    #[error(transparent)]
    Query(#[from] tilesight_query::Error),
    /// A position or box that is not on Earth.
    #[error(transparent)]
    Position(#[from] tilesight_tile::Error),
    /// A region that was refused.
    #[error(transparent)]
    Region(#[from] tilesight_tile::RegionError),
    /// A text that names no date.
    #[error(transparent)]
    Date(#[from] tilesight_query::ParsePeriodError),
    /// A region that takes more tiles than allowed.
    #[cfg(feature = "fetch")]
    #[error(transparent)]
    Cover(#[from] tilesight_tile::CoverError),
    /// Fetching ended early; what came is in the store.
    #[cfg(feature = "fetch")]
    #[error(transparent)]
    Fetch(#[from] tilesight_fetch::FetchError),
    /// A file of targets, footprints or roads that was refused.
    #[error(transparent)]
    Shapes(#[from] crate::shapes::ReadError),
    /// Columns that there are not.
    #[error(transparent)]
    Fields(#[from] crate::formats::FieldError),
    /// Annotations that could not be read or written, or break a rule.
    #[error(transparent)]
    Annotations(#[from] crate::annotations::AnnotationError),
    /// Sequences of other services that could not be read.
    #[error(transparent)]
    Import(#[from] crate::import::ImportError),
}

impl Error {
    /// Tells whether the same call may succeed later without any change, as when a program
    /// that writes the source has it locked.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_retryable(),
            Self::Query(error) => error.is_retryable(),
            Self::Annotations(error) => error.is_retryable(),
            Self::Open(_)
            | Self::WriteDataset(_)
            | Self::Write { .. }
            | Self::Images { .. }
            | Self::Position(_)
            | Self::Region(_)
            | Self::Date(_)
            | Self::Fields(_)
            | Self::Import(_)
            | Self::Shapes(_) => false,
            #[cfg(feature = "fetch")]
            Self::Cover(_) => false,
            #[cfg(feature = "fetch")]
            Self::Fetch(error) => error.is_retryable(),
        }
    }
}
