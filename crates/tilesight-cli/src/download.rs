//! Downloading the pictures of selected images.

use tilesight::Selection;
use tilesight_fetch::graph::Id;
use tilesight_fetch::{DownloadOptions, DownloadSummary, Outcome, Wanted};

use crate::args;
use crate::ask;
use crate::failure::Failure;
use crate::output::Voice;
use crate::plan;
use crate::service;

/// Downloads the pictures of the images that were asked for.
pub(crate) fn download(typed: args::DownloadImages, voice: Voice) -> Result<(), Failure> {
    let graph = service::graph(&typed.service)?;
    let (folder, options) = (typed.folder.clone(), options(&typed));
    let (source, query) = plan::pictures(typed)?;
    let data = ask::open(&source, voice)?;
    let found = data.images(&query)?;
    ask::voice_missing(found.missing(), voice);
    let images = wanted(&found);
    let bar = voice.download_bar(images.len() as u64);
    let report = |image: &Wanted, outcome: &Outcome| {
        bar.inc(1);
        if let Outcome::Failed { reason } = outcome {
            bar.suspend(|| voice.warn(format_args!("image {}: {reason}", image.id)));
        }
    };
    let summary = service::wait(async {
        Ok(tilesight_fetch::download(&graph, &images, &folder, options, report).await?)
    });
    bar.finish_and_clear();
    conclude(summary?, voice)
}

fn options(typed: &args::DownloadImages) -> DownloadOptions {
    DownloadOptions {
        size: typed.size,
        jobs: typed.jobs,
    }
}

fn wanted(found: &Selection<'_>) -> Vec<Wanted> {
    let image = |image: tilesight::Image| Wanted {
        id: Id(image.id),
        sequence: image.sequence_id.map(str::to_owned),
    };
    found.iter().map(image).collect()
}

/// Says how a download ended.
pub(crate) fn conclude(summary: DownloadSummary, voice: Voice) -> Result<(), Failure> {
    let DownloadSummary {
        downloaded,
        already_there,
        not_found,
        failed,
        bytes,
    } = summary;
    voice.tell(format_args!(
        "{downloaded} pictures downloaded ({bytes} bytes), {already_there} were there"
    ));
    if not_found > 0 {
        voice.warn(format_args!(
            "{not_found} images have no such picture any more"
        ));
    }
    if failed > 0 {
        let message = format!("{failed} pictures failed; the same command tries them again");
        return Err(Failure::Failed(message));
    }
    Ok(())
}
