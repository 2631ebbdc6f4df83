//! The commands that need the Graph API: pictures, and where they are.

use std::path::PathBuf;

use clap::Args;
use tilesight::compat::geokit::{self, Picture, Pictures};
use tilesight_fetch::graph::{Graph, Id, Thumbnail, ThumbnailSize};
use tilesight_fetch::{DownloadOptions, DownloadSummary, Outcome, Wanted};

use super::{check_extension, convert, read};
use crate::args;
use crate::download;
use crate::failure::Failure;
use crate::output::Voice;
use crate::service;

/// Addresses that are asked for together, between which a bar moves on.
const ADDRESSES_A_STEP: usize = 50;

#[derive(Debug, Args)]
#[command(rename_all = "snake_case")]
pub(crate) struct CreateCustomSequences {
    /// Points of sequences
    #[arg(long, value_name = "FILE")]
    geojson_points: PathBuf,

    /// File to write, whole or not at all
    #[arg(
        long,
        value_name = "FILE",
        default_value = "data/mapillary_custome_sequences.geojson"
    )]
    output_file_sequence: PathBuf,

    #[command(flatten)]
    service: args::Service,
}

#[derive(Debug, Args)]
#[command(rename_all = "snake_case")]
pub(crate) struct DownloadMapillaryImgs {
    /// Points of sequences
    #[arg(long, value_name = "FILE")]
    input_file_points: PathBuf,

    /// Folder for the pictures; it is made where there is none
    #[arg(long, value_name = "DIR", default_value = "data/mapillary_images")]
    output_images_path: PathBuf,

    /// File for the points with the addresses of their pictures, which expire
    #[arg(
        long,
        value_name = "FILE",
        default_value = "data/mapillary_points_imgs_url.geojson"
    )]
    output_file_points: PathBuf,

    /// Pictures at the same time
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = "Service")]
    jobs: usize,

    #[command(flatten)]
    service: args::Service,
}

/// Makes sequences of points, with some of their pictures.
pub(super) fn create_custom_sequences(
    typed: &CreateCustomSequences,
    voice: Voice,
) -> Result<(), Failure> {
    check_extension(&typed.output_file_sequence)?;
    let sequences = geokit::custom_sequences(&read(&typed.geojson_points)?)?;
    let graph = service::graph(&typed.service)?;
    let pictures = service::wait(pictures(&graph, &sequences.sample_ids(), voice))?;
    convert(&typed.output_file_sequence, "sequences", voice, |out| {
        sequences.write(&pictures, out)
    })
}

/// Downloads the pictures of points.
pub(super) fn download_mapillary_imgs(
    typed: &DownloadMapillaryImgs,
    voice: Voice,
) -> Result<(), Failure> {
    check_extension(&typed.output_file_points)?;
    let points = read(&typed.input_file_points)?;
    let images = geokit::images_of_points(&points)?;
    let ids: Vec<i64> = images.iter().map(|(id, _)| *id).collect();
    let wanted: Vec<Wanted> = images.into_iter().map(wanted).collect();
    let graph = service::graph(&typed.service)?;
    let (summary, pictures) = service::wait(async {
        let summary = download(&graph, &wanted, typed, voice).await?;
        Ok((summary, pictures(&graph, &ids, voice).await?))
    })?;
    convert(&typed.output_file_points, "points", voice, |out| {
        geokit::add_image_urls(&points, &pictures, out)
    })?;
    download::conclude(summary, voice)
}

fn wanted((id, sequence): (i64, Option<String>)) -> Wanted {
    let id = Id(id);
    Wanted { id, sequence }
}

async fn download(
    graph: &Graph,
    images: &[Wanted],
    typed: &DownloadMapillaryImgs,
    voice: Voice,
) -> Result<DownloadSummary, Failure> {
    let options = DownloadOptions {
        jobs: typed.jobs,
        ..DownloadOptions::default()
    };
    let bar = voice.download_bar(images.len() as u64);
    let folder = &typed.output_images_path;
    let summary = tilesight_fetch::download(graph, images, folder, options, |image, outcome| {
        bar.inc(1);
        if let Outcome::Failed { reason } = outcome {
            bar.suspend(|| voice.warn(format_args!("image {}: {reason}", image.id)));
        }
    });
    let summary = summary.await;
    bar.finish_and_clear();
    Ok(summary?)
}

/// Asks where the pictures of images are.
async fn pictures(graph: &Graph, ids: &[i64], voice: Voice) -> Result<Pictures, Failure> {
    let bar = voice.address_bar(ids.len() as u64);
    let ids: Vec<Id> = ids.iter().copied().map(Id).collect();
    let mut pictures = Pictures::new();
    for ids in ids.chunks(ADDRESSES_A_STEP) {
        let thumbnails = graph.thumbnails(ids, ThumbnailSize::Px1024).await?;
        pictures.extend(thumbnails.iter().flatten().map(picture));
        bar.inc(ids.len() as u64);
    }
    bar.finish_and_clear();
    Ok(pictures)
}

fn picture(thumbnail: &Thumbnail) -> (i64, Picture) {
    let picture = Picture {
        url: thumbnail.url.reveal().to_string(),
        expires_at_ms: thumbnail.url.expires_at().map(|time| time.0),
    };
    (thumbnail.id.0, picture)
}
