//! Why something could not be opened or answered.

/// Why a dataset could not be opened or a question not be answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source could not be read.
    #[error(transparent)]
    Store(#[from] tilesight_store::Error),
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
    /// Columns that there are not.
    #[error(transparent)]
    Fields(#[from] crate::formats::FieldError),
    /// A file could not be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
}

impl Error {
    /// Tells whether the same call may succeed later without any change, as when a program
    /// that writes the source has it locked.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_retryable(),
            Self::Query(error) => error.is_retryable(),
            Self::Position(_)
            | Self::Region(_)
            | Self::Date(_)
            | Self::Fields(_)
            | Self::Write { .. } => false,
        }
    }
}
