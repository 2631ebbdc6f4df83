//! Why a function of the interface has no answer.

use std::fmt;
use std::io;
use std::path::PathBuf;

use tilesight_fetch::graph;
use tilesight_fetch::{OriginError, RequestError, TokenError};

use crate::formats::ParseFormatError;

/// Why a function of the interface has no answer.
///
/// None of them shows the token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tiles could not be fetched, read or asked.
    #[error(transparent)]
    Tilesight(#[from] crate::Error),
    /// The Graph API did not answer.
    #[error(transparent)]
    Graph(#[from] graph::Error),
    /// Something has to be fetched and no token was set.
    #[error(
        "there is no access token: call set_access_token, or set MAPILLARY_ACCESS_TOKEN, to one \
         from https://www.mapillary.com/dashboard/developers"
    )]
    NoToken,
    /// A text that is no token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The network cannot be used on this machine.
    #[error(transparent)]
    Client(#[from] RequestError),
    /// An environment variable that names no origin.
    #[error("{variable} is not usable: {error}")]
    Origin {
        /// Its name.
        variable: &'static str,
        /// What is wrong.
        #[source]
        error: OriginError,
    },
    /// An argument that is not what the function takes.
    #[error("{name} = {value} is not {expected}")]
    Argument {
        /// Which.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is taken, and a right one.
        expected: &'static str,
    },
    /// An argument that the function does not take.
    #[error("there is no argument {name:?} here: there are {}", known.join(", "))]
    UnknownArgument {
        /// What was given.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// No thread or no folder for temporary files is left.
    #[error("cannot begin: {0}")]
    System(#[source] io::Error),
    /// An extension that is no format.
    #[error(transparent)]
    Format(#[from] ParseFormatError),
    /// Whoever was to take an answer up, piece by piece, did not.
    #[error("the answer could not be handed over")]
    Output(#[from] fmt::Error),
    /// Answers could not be saved: the file cannot be written, or the data is not GeoJSON.
    #[error("cannot save {}: {error}", path.display())]
    Save {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
}

impl Error {
    /// Tells whether the same call may succeed later without any change.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Tilesight(error) => error.is_retryable(),
            Self::Graph(error) => error.is_retryable(),
            Self::System(_) => true,
            _ => false,
        }
    }
}
