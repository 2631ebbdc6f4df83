//! Why a question to the Graph API has no answer.

use std::time::{Duration, SystemTime};

use super::scalar::Id;
use crate::{GaveUp, RequestError, Setback};

/// Why a question to the Graph API has no answer.
///
/// None of them shows the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No reply came.
    #[error("the service cannot be asked: {0}")]
    Request(RequestError),
    /// Too many requests, and a longer pause than is waited for.
    #[error("the limit of requests is reached, try again in {} s", seconds_until(*until))]
    Closed {
        /// When to go on.
        until: SystemTime,
    },
    /// Too many requests: status 429, or code 4.
    #[error("the limit of requests is reached, try again later: {message}")]
    Limit {
        /// What the service says.
        message: String,
    },
    /// The token is missing, wrong or expired: status 401 or 403, or code 190.
    #[error(
        "the access token was refused ({message}); set MAPILLARY_ACCESS_TOKEN to a valid one, \
         from https://www.mapillary.com/dashboard/developers"
    )]
    Token {
        /// What the service says.
        message: String,
    },
    /// There is no such thing, or it cannot be seen with this token: status 404, or code 100.
    #[error("there is no such thing: {message}")]
    NotFound {
        /// What the service says.
        message: String,
    },
    /// The service has a problem that passes: status 500 and beyond, or told so.
    #[error("the service has a passing problem (status {status}): {message}")]
    Transient {
        /// Status of the answer.
        status: u16,
        /// What the service says.
        message: String,
    },
    /// Any other error that the service tells.
    #[error("the service refused (status {status}{}): {message}", with_code(*code))]
    Refused {
        /// Status of the answer.
        status: u16,
        /// Code of the error, where there is one.
        code: Option<i64>,
        /// What the service says.
        message: String,
    },
    /// An answer that is not what was asked for.
    #[error("the answer cannot be read: {reason}")]
    Answer {
        /// What is wrong with it.
        reason: String,
    },
    /// A detection whose outline is damaged.
    #[error("the outline of detection {id} cannot be read: {reason}")]
    Outline {
        /// Which detection.
        id: Id,
        /// What is wrong with it.
        reason: String,
    },
    /// A text that is no key of a sequence.
    #[error("{0:?} is not the key of a sequence, which is like aB3dE5gH7jK9mN1pQ3sT5u")]
    SequenceKey(String),
}

impl Error {
    /// Tells whether the same question may be answered later: the questions that the service had
    /// no time for, and those that it could not be asked.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Closed { .. } | Self::Limit { .. } | Self::Transient { .. } => true,
            Self::Request(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// What to do about it; `after` is what the service asks for.
    pub(crate) const fn into_setback(self, after: Option<Duration>) -> Setback<Self> {
        match self {
            Self::Limit { .. } => Setback::Limited { error: self, after },
            _ if self.is_retryable() => Setback::Retry { error: self, after },
            _ => Setback::Final(self),
        }
    }

    pub(crate) fn from_giving_up(gave_up: GaveUp<Self>) -> Self {
        match gave_up {
            GaveUp::Failed { error, .. } | GaveUp::OutOfReach { error } => error,
            GaveUp::Closed { until } => Self::Closed { until },
        }
    }
}

fn seconds_until(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::now())
        .map_or(0, |wait| wait.as_secs())
}

fn with_code(code: Option<i64>) -> String {
    code.map_or_else(String::new, |code| format!(", code {code}"))
}
