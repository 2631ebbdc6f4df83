//! Making a dataset file of sources.

use std::path::Path;
use std::time::Instant;

use tilesight::{BuildOptions, Built, Error, QueryError};

use crate::args;
use crate::failure::Failure;
use crate::output::{self, Voice};

/// Builds a dataset file.
pub(crate) fn build(typed: &args::Build, voice: Voice) -> Result<(), Failure> {
    let args::Build {
        sources,
        target,
        overwrite,
        memory,
    } = typed;
    if target.as_os_str() == "-" {
        let message = "a dataset is not written to standard output: -o town.tsight";
        return Err(Failure::usage(message));
    }
    let begun = Instant::now();
    let bar = voice.reading_bar();
    let options = BuildOptions {
        memory_bytes: *memory,
        scratch: output::folder_of(target).to_owned(),
    };
    let built = output::write_archive(target, *overwrite, |file| {
        let on_progress = |progress| bar.update(progress);
        tilesight::build(sources, file, &options, &on_progress).map_err(of_target(target))
    });
    bar.finish();
    let Built {
        images,
        bytes,
        source,
        ..
    } = built?;
    if let Some(tile) = source.left_out_first {
        voice.warn(format_args!(
            "{} rows without an id or against the specification were left out, the first on tile \
             {tile}",
            source.left_out
        ));
    }
    voice.conclude(format_args!(
        "{images} images in {bytes} bytes: {}, in {:.1?}",
        target.display(),
        begun.elapsed()
    ));
    Ok(())
}

/// Names the dataset that cannot be written.
fn of_target(target: &Path) -> impl Fn(Error) -> Failure {
    move |error| match error {
        Error::WriteDataset(_) | Error::Query(QueryError::Scratch(_)) => {
            Failure::failed(format_args!("{}: {error}", target.display()))
        }
        error => error.into(),
    }
}
