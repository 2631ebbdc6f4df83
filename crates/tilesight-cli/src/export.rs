//! Writing a partitioned dataset.

use std::path::Path;

use tilesight::Error;
use tilesight::formats::{PartitionProgress, Partitioned, Partitions};

use crate::args;
use crate::ask;
use crate::failure::Failure;
use crate::output::{self, Voice};
use crate::plan;

/// Writes the images of a source as a partitioned dataset.
pub(crate) fn export(typed: args::Export, voice: Voice) -> Result<(), Failure> {
    let args::Export {
        source,
        filter,
        folder,
        partition_zoom,
        fields,
        overwrite,
        partial,
    } = typed;
    output::check_folder(&folder, overwrite)?;
    let partitions = Partitions {
        zoom: partition_zoom,
        filter: plan::filter(filter),
        fields,
        allow_partial: partial,
    };
    partitions.check()?;
    let data = ask::open(&source, voice)?;
    ask::voice_missing(partitions.missing(&data)?.as_ref(), voice);
    let bar = voice.export_bar();
    let done = output::write_folder(&folder, overwrite, |draft| {
        let on_progress = |progress: PartitionProgress| {
            bar.set_length(progress.rows);
            bar.set_position(progress.rows_written);
        };
        let done = partitions.write(&data, draft, &on_progress);
        done.map_err(|error| of_target(error, draft, &folder))
    })?;
    bar.finish_and_clear();
    let Partitioned {
        tiles,
        files,
        written,
        ..
    } = done;
    ask::voice_inexact(written, voice);
    voice.tell(format_args!(
        "{} rows of {tiles} tiles in {files} files: {}",
        written.rows,
        folder.display()
    ));
    Ok(())
}

/// Names a file that cannot be written as it would be called in the end.
fn of_target(error: Error, draft: &Path, folder: &Path) -> Failure {
    match error {
        Error::Write { path, error } => {
            let inner = path.strip_prefix(draft).unwrap_or(&path);
            Failure::cannot_write(&folder.join(inner))(error)
        }
        error => error.into(),
    }
}
