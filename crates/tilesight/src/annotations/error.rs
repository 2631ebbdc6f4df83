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
        "cannot write annotations to {}: {source}; nothing of the change was written{}",
        path.display(),
        remedy(source)
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
        let path = path.to_owned();
        move |source| {
            Self::of_content(&path, source).unwrap_or_else(|source| Self::Read {
                path: path.clone(),
                source,
            })
        }
    }

    /// What a failure to write means, or to begin to: a new file is written as soon as it is held.
    pub(super) fn writing(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| {
            Self::of_content(&path, source).unwrap_or_else(|source| Self::Write {
                path: path.clone(),
                source,
            })
        }
    }

    /// What is wrong with the content of a file; what the system refuses says nothing of it, and is
    /// given back.
    fn of_content(path: &Path, source: rusqlite::Error) -> Result<Self, rusqlite::Error> {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, TooBig, Unknown};
        match source.sqlite_error_code() {
            Some(NotADatabase) => Ok(Self::Foreign(path.to_owned())),
            None | Some(DatabaseCorrupt | TooBig | Unknown) => Ok(Self::damaged(path, source)),
            Some(_) => Err(source),
        }
    }
}

/// What helps against a failure to write.
fn remedy(error: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, SystemIoFailure,
    };
    match error.sqlite_error_code() {
        Some(CannotOpen | DiskFull | SystemIoFailure) => ": make room, then try again",
        Some(DatabaseBusy | DatabaseLocked) => ": another program writes it; try again",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn failure(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    fn written(code: i32) -> AnnotationError {
        AnnotationError::writing(Path::new("town.annotations"))(failure(code))
    }

    fn read(code: i32) -> AnnotationError {
        AnnotationError::reading(Path::new("town.annotations"))(failure(code))
    }

    #[test]
    fn what_the_system_refuses_is_no_damage_and_says_what_to_do() {
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR, ffi::SQLITE_CANTOPEN] {
            let message = written(code).to_string();
            assert!(message.starts_with("cannot write"), "{message}");
            assert!(message.ends_with("make room, then try again"), "{message}");
            assert!(matches!(read(code), AnnotationError::Read { .. }));
        }
        let message = written(ffi::SQLITE_BUSY).to_string();
        assert!(message.ends_with("another program writes it; try again"));
        assert!(!written(ffi::SQLITE_READONLY).to_string().contains("room"));
    }

    #[test]
    fn what_is_wrong_with_the_content_is_told_from_reading_and_from_writing() {
        for error in [read, written] {
            let foreign = error(ffi::SQLITE_NOTADB);
            assert!(matches!(foreign, AnnotationError::Foreign(_)));
            for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_ERROR, ffi::SQLITE_TOOBIG] {
                assert!(matches!(error(code), AnnotationError::Damaged { .. }));
            }
        }
    }
}
