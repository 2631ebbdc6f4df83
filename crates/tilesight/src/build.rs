//! Building a dataset file from sources.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use tilesight_query::Dataset;
use tilesight_query::build::Builder;

use crate::about;
use crate::error::Error;
use crate::source::{self, Progress, Source};

/// Most tiles that one thread decodes at a time: tiles of ten thousand images take about a
/// megabyte each.
const TILES_A_PART: usize = 32;

/// How a dataset file is built.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// About how many bytes of memory the build takes; the rest goes to temporary files. The
    /// dataset does not depend on it.
    pub memory_bytes: usize,
    /// Where temporary files lie, which have no names; they need about as much room as the
    /// dataset will.
    pub scratch: PathBuf,
}

impl Default for BuildOptions {
    /// A gibibyte, and the system's folder for temporary files.
    fn default() -> Self {
        Self {
            memory_bytes: 1 << 30,
            scratch: std::env::temp_dir(),
        }
    }
}

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Built {
    /// How many images there are, each once.
    pub images: u64,
    /// How long the file is.
    pub bytes: u64,
    /// What was read.
    pub source: Source,
}

/// Builds a dataset file from the tiles of some sources: folders, MBTiles and PMTiles archives.
///
/// `file` is empty and open for writing. Until the end it is no dataset file; to publish it whole
/// or not at all, give a temporary one, sync and rename it. `on_progress` is called after each
/// tile, from the threads that read them.
///
/// # Returns
///
/// What was written. The same tiles give the same bytes, whatever the memory and the number of
/// threads.
///
/// # Errors
///
/// [`Error::Store`] when a source cannot be read, [`Error::Query`] when there are more rows than
/// can be numbered or temporary files cannot be written, [`Error::WriteDataset`] when `file` cannot be.
///
/// # Example
///
/// ```
/// use tilesight::{BuildOptions, Dataset, ImageQuery, build};
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("town.tsight");
/// let mut file = std::fs::File::create(&path)?;
/// let built = build(&["../../fixtures/town"], &mut file, &BuildOptions::default(), &|_| ())?;
/// assert_eq!(built.images, 6_000);
///
/// let data = Dataset::open(&path)?;
/// assert_eq!(data.count_images(&ImageQuery::default())?, 6_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn build(
    sources: &[impl AsRef<Path>],
    file: &mut File,
    options: &BuildOptions,
    on_progress: &(dyn Fn(Progress) + Sync),
) -> Result<Built, Error> {
    let paths: Vec<&Path> = sources.iter().map(AsRef::as_ref).collect();
    let builder = Builder::in_folder(&options.scratch, options.memory_bytes);
    let (data, source) = source::read_all(&paths, builder, TILES_A_PART, on_progress)?;
    write(&data, &source, file)?;
    Ok(Built {
        images: data.len(),
        bytes: file.metadata().map_err(Error::WriteDataset)?.len(),
        source,
    })
}

/// Writes a dataset with what is known of its source.
pub(crate) fn write(data: &Dataset, source: &Source, file: &File) -> Result<(), Error> {
    let out = BufWriter::with_capacity(1 << 20, file);
    data.write(out, &about::to_json(source))
        .map_err(Error::WriteDataset)?;
    Ok(())
}
