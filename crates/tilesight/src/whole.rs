//! Files that appear whole or not at all.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use tilesight_publish::Draft;

/// Writes a file beside its place, then moves it there; a file that is there is replaced.
pub(crate) fn write_whole<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    let mut draft = Draft::beside(path)?;
    let mut out = BufWriter::new(draft.file());
    let written = write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?;
    draft.publish(true)?;
    Ok(written)
}
