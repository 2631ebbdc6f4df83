//! Partitioned datasets: shares of the work to write them, and their files as datasets.

use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, io};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tilesight::TileId;
use tilesight::formats::{Partitions, Shared, in_several, read_images};

use crate::dataset::Dataset;
use crate::error::raise;
use crate::question::ImageWords;

/// Column and row of a tile, whose zoom is that of the partitions.
type Tile = (u32, u32);

/// What a share came to: its tiles, how many rows and files were written, and the ids of all its
/// images as little-endian integers, by their remainder.
type Written<'py> = (Vec<Tile>, u64, u64, Vec<Bound<'py, PyBytes>>);

/// The shares in which a source can be partitioned.
#[pyfunction]
pub fn shares(
    py: Python<'_>,
    source: PathBuf,
    words: ImageWords,
    zoom: u8,
) -> PyResult<Vec<Vec<Tile>>> {
    let partitions = partitions(words, zoom, None)?;
    let shares = py.detach(|| partitions.shares(&source)).map_err(raise)?;
    Ok(shares.iter().map(|share| addresses(share)).collect())
}

/// Writes a share into a folder.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "they have names in Python")]
pub fn write_share(
    py: Python<'_>,
    source: PathBuf,
    share: Vec<Tile>,
    folder: PathBuf,
    words: ImageWords,
    zoom: u8,
    fields: Option<Vec<String>>,
    remainders: u16,
) -> PyResult<Written<'_>> {
    let partitions = partitions(words, zoom, fields)?;
    let tiles = share.into_iter().map(|(x, y)| TileId::new(zoom, x, y));
    let tiles = tiles.collect::<Result<Vec<_>, _>>().map_err(raise)?;
    let written = py.detach(|| partitions.write_share(&source, &tiles, &folder));
    let Shared { tiles, done, ids } = written.map_err(raise)?;
    let mut by_remainder = vec![Vec::new(); remainders.into()];
    for id in ids {
        by_remainder[id.rem_euclid(remainders.into()) as usize].extend(id.to_le_bytes());
    }
    let ids = by_remainder
        .iter()
        .map(|ids| PyBytes::new(py, ids))
        .collect();
    Ok((addresses(&tiles), done.written.rows, done.files, ids))
}

/// The shares that have ids in common, by their places in a list of files of ids.
#[pyfunction]
pub fn in_common(py: Python<'_>, files: Vec<PathBuf>) -> PyResult<Vec<Vec<usize>>> {
    let ids = |path: &PathBuf| {
        let bytes = fs::read(path)?;
        let (ids, _) = bytes.as_chunks();
        Ok(ids.iter().map(|&id| i64::from_le_bytes(id)).collect())
    };
    let common = py.detach(|| {
        let ids = files
            .iter()
            .map(ids)
            .collect::<io::Result<Vec<Vec<i64>>>>()?;
        io::Result::Ok(in_several(&ids))
    });
    Ok(common?)
}

/// Opens the images of files that were written.
#[pyfunction]
pub fn open_parts(py: Python<'_>, paths: Vec<PathBuf>) -> PyResult<Dataset> {
    let data = py.detach(|| read_images(&paths)).map_err(raise)?;
    Ok(Dataset(Arc::new(data)))
}

fn partitions(words: ImageWords, zoom: u8, fields: Option<Vec<String>>) -> PyResult<Partitions> {
    let query = words.images()?;
    Ok(Partitions {
        zoom,
        filter: query.filter,
        fields,
        allow_partial: query.allow_partial,
    })
}

fn addresses(tiles: &[TileId]) -> Vec<Tile> {
    tiles.iter().map(|tile| (tile.x(), tile.y())).collect()
}
