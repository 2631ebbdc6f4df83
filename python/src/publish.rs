//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use pyo3::exceptions::PyFileExistsError;
use pyo3::prelude::*;
use tempfile::NamedTempFile;
use tilesight::Error;

use crate::error::raise;

/// Refuses to write where something is, unless it is to be replaced.
pub fn check(path: &Path, overwrite: bool) -> PyResult<()> {
    if path.exists() && !overwrite {
        let message = format!(
            "{} exists; say overwrite=True to replace it",
            path.display()
        );
        return Err(PyFileExistsError::new_err(message));
    }
    Ok(())
}

/// Makes a file beside its place, and moves it there when it is whole.
pub fn publish<T>(
    path: &Path,
    overwrite: bool,
    make: impl FnOnce(&mut File) -> PyResult<T>,
) -> PyResult<T> {
    // A link is followed, so that what it points to is replaced.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let cannot_write = |error: io::Error| {
        let path = path.to_owned();
        raise(Error::Write { path, error })
    };
    let mut file = create_beside(path).map_err(cannot_write)?;
    let made = make(file.as_file_mut())?;
    file.as_file().sync_all().map_err(cannot_write)?;
    let moved = if overwrite {
        file.persist(path)
    } else {
        file.persist_noclobber(path)
    };
    moved.map_err(|error| cannot_write(error.error))?;
    Ok(made)
}

fn create_beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tilesight-").suffix(".part");
    #[cfg(unix)]
    {
        // Temporary files are private; results are as public as other new files.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder_of(path))
}

/// The folder of a file.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
