//! One writer at a time, and a name for the one that is there.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::Error;

/// Longest note of a holder that is read.
const MAX_NOTE_BYTES: u64 = 256;

/// The right to write a store, held until it is dropped.
///
/// The operating system holds the lock, on a file beside the store, and takes it back when the
/// process ends in whatever way; the file's content only says who holds it.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Takes the lock of a store, or says who holds it.
    pub(crate) fn take(store: &Path) -> Result<Self, Error> {
        let mut path = store.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        loop {
            let mut file = open(&path).map_err(Error::write_io(&path))?;
            match file.try_lock() {
                Ok(()) => (),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Held {
                        path: store.to_owned(),
                        holder: note_in(&mut file),
                    });
                }
                Err(TryLockError::Error(source)) => return Err(Error::write_io(&path)(source)),
            }
            // The holder before may have removed the file between our opening and locking it.
            if is_still_at(&file, &path) {
                let mut lock = Self { path, file };
                // Nothing is left behind where there is no room for the note.
                sign(&mut lock.file).map_err(Error::write_io(&lock.path))?;
                return Ok(lock);
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A file that stays is taken over by the next holder.
        let _ = fs::remove_file(&self.path);
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "process {}", std::process::id())
}

fn note_in(file: &mut File) -> String {
    let mut note = String::new();
    match file.take(MAX_NOTE_BYTES).read_to_string(&mut note) {
        Ok(length) if length > 0 => note.trim().to_owned(),
        _ => "another process".to_owned(),
    }
}

#[cfg(unix)]
fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => identity(ours) == identity(there),
        _ => false,
    }
}

/// Elsewhere an open file cannot be removed.
#[cfg(not(unix))]
fn is_still_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("town.mbtiles");
        let first = Lock::take(&store).unwrap();
        let message = Lock::take(&store).unwrap_err().to_string();
        let holder = format!("process {}", std::process::id());
        assert!(message.contains(&holder), "{message}");
        drop(first);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        Lock::take(&store).unwrap();
    }

    #[test]
    fn a_lock_file_left_behind_holds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("town.mbtiles");
        fs::write(dir.path().join("town.mbtiles.lock"), "process 1\n").unwrap();
        Lock::take(&store).unwrap();
    }

    #[test]
    fn many_take_turns() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("town.mbtiles");
        let inside = std::sync::atomic::AtomicU32::new(0);
        let take_turns = || {
            for _ in 0..200 {
                if let Ok(_lock) = Lock::take(&store) {
                    use std::sync::atomic::Ordering::SeqCst;
                    assert_eq!(inside.fetch_add(1, SeqCst), 0);
                    inside.fetch_sub(1, SeqCst);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(take_turns);
            }
        });
    }
}
