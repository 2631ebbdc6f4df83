//! Why annotations are refused, and why their file is not read or written.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// An annotation that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A text that cannot be what it is meant to be.
    #[error("{text:?} cannot be {what}: it {problem}")]
    Text {
        /// What it is meant to be, with its article.
        what: &'static str,
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A user who likes what is their own.
    #[error("{user} made the sequence {sequence} and cannot like it: likes come from other users")]
    OwnLike {
        /// Which sequence.
        sequence: String,
        /// Who made it.
        user: String,
    },
    /// A sequence whose owner is not known, where that matters.
    #[error(
        "nothing says who made the sequence {sequence}, without which {what} cannot be checked: \
         name the owner first, by their id or name"
    )]
    NoOwner {
        /// Which sequence.
        sequence: String,
        /// What depends on the owner.
        what: &'static str,
    },
    /// A sequence in a tour of somebody else.
    #[error(
        "the tour {tour:?} of {owner} cannot hold the sequence {sequence}, which {other} made: a \
         tour holds its owner's sequences only"
    )]
    ForeignTour {
        /// The tour.
        tour: String,
        /// Whose tour it is.
        owner: String,
        /// The sequence.
        sequence: String,
        /// Who made the sequence.
        other: String,
    },
}

/// Why annotations could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnnotationError {
    /// There is no file.
    #[error(
        "there are no annotations at {}: make some with `tilesight annotate SOURCE set …`, or \
         name their file with --annotations FILE",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file is something else, and stays as it is.
    #[error("{} is there and holds no annotations; give another file", .0.display())]
    Foreign(PathBuf),
    /// The file was made by a later version.
    #[error("{} was made by a later version of this program", .0.display())]
    Newer(PathBuf),
    /// The file is not as it was written.
    #[error("the annotations in {} are damaged: {reason}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file cannot be read at the moment, or by this user.
    #[error("cannot read annotations from {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The file cannot be written: nothing of the change was.
    #[error(
        "cannot write annotations to {}: {source}; nothing of the change was written: make room, \
         then try again",
        path.display()
    )]
    Write {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A text that is not JSON of annotations.
    #[error("this is not JSON of annotations: {0}")]
    Json(String),
    /// An annotation that breaks a rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

impl AnnotationError {
    /// Tells whether the same call may succeed later without any change: while another process
    /// writes the file.
    pub fn is_retryable(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        let (Self::Read { source, .. } | Self::Write { source, .. }) = self else {
            return false;
        };
        matches!(
            source.sqlite_error_code(),
            Some(DatabaseBusy | DatabaseLocked)
        )
    }

    pub(super) fn damaged(path: &Path, reason: impl Display) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }

    /// What a failure to read means: other programs' files, and text files, are no databases.
    pub(super) fn reading(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, NotADatabase};
        let path = path.to_owned();
        move |source| match source.sqlite_error_code() {
            Some(NotADatabase) => Self::Foreign(path.clone()),
            Some(CannotOpen | DatabaseBusy | DatabaseLocked) => Self::Read {
                path: path.clone(),
                source,
            },
            _ => Self::damaged(&path, source),
        }
    }

    pub(super) fn writing(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write {
            path: path.clone(),
            source,
        }
    }
}
