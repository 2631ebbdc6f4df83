//! Files that appear whole or not at all.

use std::fs::File;
use std::io;
use std::path::Path;

use pyo3::exceptions::PyFileExistsError;
use pyo3::prelude::*;
use tilesight::Error;
use tilesight_publish::Draft;
pub use tilesight_publish::folder_of;

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
    let cannot_write = |error: io::Error| {
        let path = path.to_owned();
        raise(Error::Write { path, error })
    };
    let mut draft = Draft::beside(path).map_err(cannot_write)?;
    let made = make(draft.file())?;
    draft.publish(overwrite).map_err(cannot_write)?;
    Ok(made)
}
