//! Why the program ends without an answer, and with which exit status.

use std::borrow::Cow;
use std::fmt::Display;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// An end other than a good one, with what to say about it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked cannot be asked.
    Usage(String),
    /// The place is not fully held.
    NotHeld(String),
    /// Something could not be read or written.
    Failed(String),
    /// The answer could not be written; where to is known to whoever chose it.
    Unwritten(io::Error),
    /// Nobody reads the output any more.
    PipeClosed,
    /// The user stopped it.
    Interrupted,
}

impl Failure {
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::Usage(message.to_string())
    }

    pub(crate) fn failed(message: impl Display) -> Self {
        Self::Failed(message.to_string())
    }

    /// A file that could not be made.
    pub(crate) fn cannot_write(path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| {
            Self::Failed(format!(
                "cannot write {}: {error}{}",
                path.display(),
                remedy(&error)
            ))
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::PipeClosed => ExitCode::SUCCESS,
            Self::Failed(_) | Self::Unwritten(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
            Self::NotHeld(_) => ExitCode::from(3),
            Self::Interrupted => ExitCode::from(130),
        }
    }

    pub(crate) fn message(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::PipeClosed | Self::Interrupted => None,
            Self::Usage(message) | Self::NotHeld(message) | Self::Failed(message) => {
                Some(message.into())
            }
            Self::Unwritten(error) => {
                Some(format!("cannot write the answer: {error}{}", remedy(error)).into())
            }
        }
    }
}

/// What helps against a failure to write.
fn remedy(error: &io::Error) -> &'static str {
    use io::ErrorKind::{AlreadyExists, PermissionDenied, ReadOnlyFilesystem};
    match error.kind() {
        PermissionDenied | ReadOnlyFilesystem => "; write it elsewhere",
        AlreadyExists => "; add --overwrite to replace it",
        _ => "; make room, or write it elsewhere",
    }
}

impl From<tilesight::Error> for Failure {
    fn from(error: tilesight::Error) -> Self {
        match error {
            tilesight::Error::Query(error) => error.into(),
            tilesight::Error::Store(tilesight::StoreError::Pack(error)) => Self::Unwritten(error),
            tilesight::Error::Store(error) => Self::failed(error),
            tilesight::Error::Write { path, error } => Self::cannot_write(&path)(error),
            tilesight::Error::Open(_) | tilesight::Error::WriteDataset(_) => Self::failed(error),
            _ => Self::usage(error),
        }
    }
}

impl From<tilesight::QueryError> for Failure {
    fn from(error: tilesight::QueryError) -> Self {
        match error {
            tilesight::QueryError::NotHeld(missing) => Self::NotHeld(format!(
                "{missing}, or add --partial to be answered from what is held"
            )),
            tilesight::QueryError::TooManyRows(_)
            | tilesight::QueryError::Damaged(_)
            | tilesight::QueryError::Scratch(_) => Self::failed(error),
            _ => Self::usage(error),
        }
    }
}

/// A failure to write results.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::PipeClosed,
            _ => Self::Unwritten(error),
        }
    }
}

impl From<tilesight_fetch::graph::Error> for Failure {
    fn from(error: tilesight_fetch::graph::Error) -> Self {
        match error {
            tilesight_fetch::graph::Error::SequenceKey(_) => Self::usage(error),
            _ => Self::failed(error),
        }
    }
}

impl From<tilesight_fetch::DownloadError> for Failure {
    fn from(error: tilesight_fetch::DownloadError) -> Self {
        Self::failed(error)
    }
}

impl From<tilesight_fetch::FetchError> for Failure {
    fn from(error: tilesight_fetch::FetchError) -> Self {
        match error {
            tilesight_fetch::FetchError::Closed { .. } => Self::NotHeld(error.to_string()),
            tilesight_fetch::FetchError::Stopped => Self::Interrupted,
            _ => Self::failed(error),
        }
    }
}
