//! Why a run ended before its end.

use std::io;
use std::time::SystemTime;

/// Why fetching ended early. What had come by then is stored; the same call goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The service answers with a login page instead of tiles.
    #[error(
        "the service has banned this address for a while: it sends to a login page. Wait some \
         hours, then run the same command with a lower --rate; what came is stored"
    )]
    Banned,
    /// The service refuses the token.
    #[error(
        "the service refuses the access token: it is wrong or has expired. Make a new one, then \
         run the same command; what came is stored"
    )]
    Token,
    /// The limit of requests is reached: the service's own, or that of the options for a day.
    #[error(
        "the limit of requests is reached; run the same command from {} on",
        httpdate::fmt_http_date(*until)
    )]
    Closed {
        /// When to go on.
        until: SystemTime,
    },
    /// Too many requests failed in a row.
    #[error("the service is out of reach: {0}. Run the same command later; what came is stored")]
    OutOfReach(String),
    /// What answers is not who it says it is, as far as this machine knows.
    #[error(
        "the certificate of the service is not trusted, so the access token was not sent: {0}. \
         Somebody may be reading along, or this machine lacks root certificates"
    )]
    Untrusted(String),
    /// It was stopped.
    #[error("stopped; run the same command to go on")]
    Stopped,
    /// The store cannot be opened or written.
    #[error(transparent)]
    Store(#[from] tilesight_store::Error),
    /// The machine has no threads or sockets left.
    #[error("cannot start to fetch: {0}")]
    Runtime(io::Error),
}

impl FetchError {
    /// Tells whether the same call may succeed later without any change.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Token | Self::Untrusted(_) => false,
            Self::Store(error) => error.is_retryable(),
            Self::Banned
            | Self::Closed { .. }
            | Self::OutOfReach(_)
            | Self::Stopped
            | Self::Runtime(_) => true,
        }
    }
}
