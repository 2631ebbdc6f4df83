//! Building dataset files.

use std::path::PathBuf;

use pyo3::prelude::*;
use tilesight::{BuildOptions, Built};

use crate::error::raise;
use crate::publish;
use crate::watch::watch;

/// Builds a dataset file of sources: how many images and bytes it has.
#[pyfunction]
pub fn build(
    py: Python<'_>,
    sources: Vec<PathBuf>,
    file: PathBuf,
    overwrite: bool,
    memory_bytes: Option<usize>,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<(u64, u64)> {
    publish::check(&file, overwrite)?;
    let options = BuildOptions {
        scratch: publish::folder_of(&file).to_owned(),
        memory_bytes: memory_bytes.unwrap_or(BuildOptions::default().memory_bytes),
    };
    publish::publish(&file, overwrite, |file| {
        let built = watch(
            py,
            on_progress.as_ref(),
            || (),
            |work| {
                tilesight::build(&sources, file, &options, &|progress| {
                    work.note_or_unwind(progress.tiles_read, progress.tiles);
                })
            },
        )?;
        let Built { images, bytes, .. } = built.map_err(raise)?;
        Ok((images, bytes))
    })
}
