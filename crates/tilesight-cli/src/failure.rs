//! Why the program ends without an answer, and with which exit status.

use std::fmt;
use std::process::ExitCode;

/// An end other than a good one.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked cannot be asked.
    Usage(anyhow::Error),
    /// The place is not fully held.
    NotHeld(anyhow::Error),
    /// Something could not be read or written.
    Failed(anyhow::Error),
    /// Nobody reads the output any more.
    PipeClosed,
}

impl Failure {
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::Usage(anyhow::Error::msg(message.to_string()))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::PipeClosed => ExitCode::SUCCESS,
            Self::Failed(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
            Self::NotHeld(_) => ExitCode::from(3),
        }
    }

    /// What to say about it, if anything.
    pub(crate) fn message(&self) -> Option<String> {
        match self {
            Self::PipeClosed => None,
            Self::Usage(error) | Self::Failed(error) => Some(format!("{error:#}")),
            Self::NotHeld(error) => Some(format!(
                "{error:#}, or add --partial to be answered from what is held"
            )),
        }
    }
}

impl From<tilesight::Error> for Failure {
    fn from(error: tilesight::Error) -> Self {
        match error {
            tilesight::Error::Query(error) => error.into(),
            tilesight::Error::Store(_) => Self::Failed(error.into()),
            _ => Self::Usage(error.into()),
        }
    }
}

impl From<tilesight::QueryError> for Failure {
    fn from(error: tilesight::QueryError) -> Self {
        match error {
            tilesight::QueryError::NotHeld(_) => Self::NotHeld(error.into()),
            tilesight::QueryError::TooManyRows(_) => Self::Failed(error.into()),
            _ => Self::Usage(error.into()),
        }
    }
}

/// A failure to write results.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::PipeClosed,
            _ => Self::Failed(anyhow::Error::new(error).context("cannot write the answer")),
        }
    }
}

impl From<tilesight_fetch::graph::Error> for Failure {
    fn from(error: tilesight_fetch::graph::Error) -> Self {
        match error {
            tilesight_fetch::graph::Error::SequenceKey(_) => Self::Usage(error.into()),
            _ => Self::Failed(error.into()),
        }
    }
}

impl From<tilesight_fetch::DownloadError> for Failure {
    fn from(error: tilesight_fetch::DownloadError) -> Self {
        Self::Failed(error.into())
    }
}
