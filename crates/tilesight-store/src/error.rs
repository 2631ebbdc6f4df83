//! Why a store could not be read.

use std::io;
use std::path::{Path, PathBuf};

use tilesight_tile::TileId;

/// Why a store could not be opened or one of its tiles not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Something that is neither a folder nor an archive.
    #[error(
        "{} is {what}; give a folder {{z}}/{{x}}/{{y}}.mvt (or .pbf), an .mbtiles or a .pmtiles \
         archive",
        path.display()
    )]
    NotAStore {
        /// Where it lies.
        path: PathBuf,
        /// What it seems to be.
        what: &'static str,
    },
    /// A folder without a single tile.
    #[error(
        "{} holds no tile; expected are files {{z}}/{{x}}/{{y}}.mvt (or .pbf, also with .gz), \
         such as 14/9326/4742.mvt{}",
        path.display(),
        or_subfolders(tilesets)
    )]
    NoTiles {
        /// The folder.
        path: PathBuf,
        /// Names of subfolders in which the tiles of one tileset may lie.
        tilesets: Vec<&'static str>,
    },
    /// Two files or rows for one tile.
    #[error("{first} and {second} both claim to be tile {tile}; remove one of them")]
    Twice {
        /// The tile.
        tile: TileId,
        /// Where it was found first.
        first: String,
        /// Where it was found again.
        second: String,
    },
    /// A file or row whose address no tile has.
    #[error("{place} is not a tile: {source}")]
    Address {
        /// The file or row.
        place: String,
        /// What is wrong with the address.
        source: tilesight_tile::Error,
    },
    /// An archive of pictures.
    #[error("{} holds {format} tiles; street-level imagery is read from vector tiles (pbf)", path.display())]
    NotVector {
        /// The archive.
        path: PathBuf,
        /// The format it declares.
        format: String,
    },
    /// An archive that claims more tiles than its size allows.
    #[error("{} lists more tiles than its size can hold: it is damaged", path.display())]
    TooManyTiles {
        /// The archive.
        path: PathBuf,
    },
    /// A store that another process is writing.
    #[error("{} is being written by {holder}; wait for it to end", path.display())]
    Held {
        /// The store.
        path: PathBuf,
        /// Who writes it.
        holder: String,
    },
    /// A file that was not made by fetching, so nothing is fetched into it.
    #[error("{} is there and was not made by fetching; give another file", path.display())]
    NoLedger {
        /// The file.
        path: PathBuf,
    },
    /// A store made by a later version.
    #[error("{} was made by a later version of this program", path.display())]
    Newer {
        /// The store.
        path: PathBuf,
    },
    /// A store that cannot be written.
    #[error("cannot write {}: {source}{}", path.display(), remedy(source))]
    Write {
        /// The store.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A file beside a store that cannot be written.
    #[error("cannot write {}: {source}; make room, and the same command goes on", path.display())]
    WriteIo {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// An archive that SQLite cannot read, or that has no `tiles` as the MBTiles specification
    /// says.
    #[error("{} is not a readable MBTiles archive: {source}", path.display())]
    Sqlite {
        /// The archive.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// An archive that is not as the PMTiles specification says.
    #[error("{} is not a readable PMTiles archive: at byte {offset}: {reason}", path.display())]
    Pmtiles {
        /// The archive.
        path: PathBuf,
        /// Where in the file the part begins that is wrong.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// Packing without a tile.
    #[error("there is no tile{} to pack", of_tileset(tileset.as_deref()))]
    NothingToPack {
        /// The tileset that was chosen.
        tileset: Option<String>,
    },
    /// Packing several tilesets into an archive, which has place for one.
    #[error("there are several tilesets ({}) and an archive holds one", tilesets.join(", "))]
    SeveralTilesets {
        /// Their names.
        tilesets: Vec<&'static str>,
    },
    /// Packing tiles so much alike that the archive would be taken for a damaged one.
    #[error("the archive would list more tiles than readers accept in a file of its size")]
    Unreadable,
    /// An archive that cannot be written.
    #[error("cannot write the archive: {0}")]
    Pack(#[source] io::Error),
}

impl Error {
    /// Tells whether the same call may succeed later without any change: when the operating
    /// system was interrupted or the archive locked by a program that writes it.
    pub fn is_retryable(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        match self {
            Self::Held { .. } => true,
            Self::Io { source, .. } | Self::WriteIo { source, .. } | Self::Pack(source) => {
                matches!(
                    source.kind(),
                    io::ErrorKind::Interrupted
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::ResourceBusy
                )
            }
            Self::Sqlite { source, .. } | Self::Write { source, .. } => {
                matches!(
                    source.sqlite_error_code(),
                    Some(DatabaseBusy | DatabaseLocked)
                )
            }
            _ => false,
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn sqlite(path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Sqlite { path, source }
    }

    pub(crate) fn pmtiles(path: &Path, offset: u64, reason: &'static str) -> Self {
        Self::Pmtiles {
            path: path.to_owned(),
            offset,
            reason,
        }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }

    pub(crate) fn write_io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::WriteIo { path, source }
    }

    pub(crate) fn not_a_store(path: &Path, what: &'static str) -> Self {
        Self::NotAStore {
            path: path.to_owned(),
            what,
        }
    }
}

/// What helps against a failure to write.
fn remedy(error: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, SystemIoFailure};
    match error.sqlite_error_code() {
        Some(DiskFull | SystemIoFailure | CannotOpen) => {
            "; make room, and the same command goes on: what was written before stays"
        }
        _ => "",
    }
}

fn or_subfolders(tilesets: &[&str]) -> String {
    if tilesets.is_empty() {
        return String::new();
    }
    format!(", there or in subfolders {}", tilesets.join(", "))
}

fn of_tileset(tileset: Option<&str>) -> String {
    tileset.map_or_else(String::new, |name| format!(" of {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    fn town() -> &'static Path {
        Path::new("town.mbtiles")
    }

    fn sqlite_error(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn what_passes_by_itself_is_worth_a_retry() {
        let holder = "process 1".to_owned();
        let path = town().to_owned();
        assert!(Error::Held { path, holder }.is_retryable());
        for (kind, expected) in [
            (io::ErrorKind::Interrupted, true),
            (io::ErrorKind::TimedOut, true),
            (io::ErrorKind::ResourceBusy, true),
            (io::ErrorKind::StorageFull, false),
            (io::ErrorKind::NotFound, false),
        ] {
            assert_eq!(Error::io(town())(kind.into()).is_retryable(), expected);
            assert_eq!(
                Error::write_io(town())(kind.into()).is_retryable(),
                expected
            );
            assert_eq!(Error::Pack(kind.into()).is_retryable(), expected);
        }
        for (code, expected) in [
            (ffi::SQLITE_BUSY, true),
            (ffi::SQLITE_LOCKED, true),
            (ffi::SQLITE_FULL, false),
        ] {
            assert_eq!(
                Error::sqlite(town())(sqlite_error(code)).is_retryable(),
                expected
            );
            assert_eq!(
                Error::write(town())(sqlite_error(code)).is_retryable(),
                expected
            );
        }
        assert!(!Error::Unreadable.is_retryable());
    }

    #[test]
    fn room_is_asked_for_where_it_helps() {
        let asks = |code| {
            let message = Error::write(town())(sqlite_error(code)).to_string();
            assert!(
                message.starts_with("cannot write town.mbtiles: "),
                "{message}"
            );
            message.contains("make room")
        };
        let helps = [ffi::SQLITE_FULL, ffi::SQLITE_IOERR, ffi::SQLITE_CANTOPEN];
        assert_eq!(helps.map(asks), [true; 3]);
        assert_eq!(
            [ffi::SQLITE_CORRUPT, ffi::SQLITE_BUSY].map(asks),
            [false; 2]
        );
    }

    #[test]
    fn only_names_that_there_are_are_told() {
        let no_tiles = |tilesets: &[&'static str]| {
            let (path, tilesets) = (town().to_owned(), tilesets.to_vec());
            Error::NoTiles { path, tilesets }.to_string()
        };
        assert!(no_tiles(&[]).ends_with("such as 14/9326/4742.mvt"));
        assert!(no_tiles(&["images"]).ends_with(".mvt, there or in subfolders images"));
        let nothing = |tileset: Option<&str>| {
            let tileset = tileset.map(str::to_owned);
            Error::NothingToPack { tileset }.to_string()
        };
        assert_eq!(nothing(None), "there is no tile to pack");
        assert_eq!(nothing(Some("signs")), "there is no tile of signs to pack");
    }
}
