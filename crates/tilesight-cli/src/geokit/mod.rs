//! The commands of geokit: its names, options and defaults, and what `tilesight` makes of them.

mod pictures;
mod points;

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tilesight::compat::geokit::{self, Counts, Error};

use crate::args;
use crate::failure::Failure;
use crate::output::{self, Voice};
use crate::plan::Target;

/// What files are called that geokit writes.
const EXTENSION: &str = "geojson";

#[derive(Debug, Subcommand)]
#[command(rename_all = "snake_case")]
pub(crate) enum Geokit {
    /// Write the images and sequences of an area, panoramas and others each
    #[command(after_help = "\
Examples:
  tilesight geokit get_mapillary_points --source town.mbtiles --input_aoi 24.92,60.16,24.95,60.18
  tilesight geokit get_mapillary_points --input_aoi districts.geojson --field_name name")]
    GetMapillaryPoints(Box<points::GetMapillaryPoints>),
    /// Make one feature of each sequence, with its length in metres
    MergeSequences(MergeSequences),
    /// Make sequences of points, with the addresses of up to five pictures each
    CreateCustomSequences(pictures::CreateCustomSequences),
    /// Keep the points that lie in a polygon of their own sequence
    MatchPointSequences(MatchPointSequences),
    /// Drop sequences that run beside longer ones, and make areas of the rest
    #[command(after_help = "\
Example:
  tilesight geokit simplify_sequence --geojson_input merged.geojson --buffer 10")]
    SimplifySequence(SimplifySequence),
    /// Keep one image every so many metres of each sequence
    #[command(after_help = "\
Example:
  tilesight geokit simplify_points --input_points points.geojson --points_distance 10")]
    SimplifyPoints(SimplifyPoints),
    /// Download the pictures of points into {DIR}/{sequence}/{id}.jpg
    ///
    /// What is there is not downloaded again.
    DownloadMapillaryImgs(pictures::DownloadMapillaryImgs),
}

#[derive(Debug, Args)]
#[command(rename_all = "snake_case")]
pub(crate) struct MergeSequences {
    /// Sequences, as lines
    #[arg(long, value_name = "FILE")]
    geojson_input: PathBuf,

    /// File to write, whole or not at all
    #[arg(
        long,
        value_name = "FILE",
        default_value = "data/mapillary_merge_sequences.geojson"
    )]
    geojson_output: PathBuf,
}

#[derive(Debug, Args)]
#[command(rename_all = "snake_case")]
pub(crate) struct MatchPointSequences {
    /// Areas of sequences, as their simplification makes them
    #[arg(long = "geojson_polygons", value_name = "FILE")]
    polygons: PathBuf,

    /// Points of sequences
    #[arg(long = "geojson_points", value_name = "FILE")]
    points: PathBuf,

    /// File to write, whole or not at all
    #[arg(
        long = "geojson_output",
        value_name = "FILE",
        default_value = "data/mapillary_match_point_sequences.geojson"
    )]
    output: PathBuf,
}

#[derive(Debug, Args)]
#[command(rename_all = "snake_case")]
pub(crate) struct SimplifySequence {
    /// Sequences, as lines
    #[arg(long, value_name = "FILE")]
    geojson_input: PathBuf,

    /// How near to a longer sequence is too near, in metres (geokit's are degrees)
    #[arg(long, value_name = "M", allow_hyphen_values = true, value_parser = args::number)]
    buffer: f64,

    /// File to write, whole or not at all
    #[arg(
        long,
        value_name = "FILE",
        default_value = "data/mapillary_simplify_sequence.geojson"
    )]
    geojson_out: PathBuf,
}

#[derive(Debug, Args)]
#[command(rename_all = "snake_case")]
pub(crate) struct SimplifyPoints {
    /// Points of sequences
    #[arg(long, value_name = "FILE")]
    input_points: PathBuf,

    /// Least distance of an image to the one kept before it, in metres
    #[arg(long, value_name = "M", allow_hyphen_values = true, value_parser = args::number)]
    points_distance: f64,

    /// File to write, whole or not at all
    #[arg(
        long,
        value_name = "FILE",
        default_value = "data/mapillary_simplify_points.geojson"
    )]
    output_points: PathBuf,
}

/// Does what a command of geokit does.
pub(crate) fn run(command: Geokit, voice: Voice) -> Result<(), Failure> {
    match command {
        Geokit::GetMapillaryPoints(typed) => points::get_mapillary_points(&typed, voice),
        Geokit::CreateCustomSequences(typed) => pictures::create_custom_sequences(&typed, voice),
        Geokit::DownloadMapillaryImgs(typed) => pictures::download_mapillary_imgs(&typed, voice),
        Geokit::MergeSequences(typed) => {
            let sequences = read(&typed.geojson_input)?;
            convert(&typed.geojson_output, "sequences", voice, |out| {
                geokit::merge_sequences(&sequences, out)
            })
        }
        Geokit::MatchPointSequences(typed) => {
            let (polygons, points) = (read(&typed.polygons)?, read(&typed.points)?);
            convert(&typed.output, "points", voice, |out| {
                geokit::match_point_sequences(&polygons, &points, out)
            })
        }
        Geokit::SimplifySequence(typed) => {
            let sequences = read(&typed.geojson_input)?;
            convert(&typed.geojson_out, "sequences", voice, |out| {
                geokit::simplify_sequence(&sequences, typed.buffer, out)
            })
        }
        Geokit::SimplifyPoints(typed) => {
            let points = read(&typed.input_points)?;
            convert(&typed.output_points, "points", voice, |out| {
                geokit::simplify_points(&points, typed.points_distance, out)
            })
        }
    }
}

/// Reads the text of a file.
fn read(path: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(path);
    text.map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
}

/// Writes what is made of features, and says how many there were of them.
fn convert(
    path: &Path,
    noun: &str,
    voice: Voice,
    make: impl FnOnce(&mut dyn Write) -> Result<Counts, Error>,
) -> Result<(), Failure> {
    let Counts { read, written } = write(path, make)?;
    let path = path.display();
    voice.conclude(format_args!(
        "{written} {noun} of {read} features in {path}"
    ));
    Ok(())
}

/// Writes a file, whole or not at all, in a folder that is made where there is none. What is there
/// is replaced, as geokit does.
fn write<T>(
    path: &Path,
    make: impl FnOnce(&mut dyn Write) -> Result<T, Error>,
) -> Result<T, Failure> {
    check_extension(path)?;
    let folder = output::folder_of(path);
    tilesight_publish::make_folder(folder).map_err(Failure::cannot_write(folder))?;
    let target = Target::File {
        path: path.to_owned(),
        overwrite: true,
    };
    output::write(&target, |out| Ok(make(&mut BufWriter::new(out))?))
}

/// Refuses a file that geokit refuses to write.
fn check_extension(path: &Path) -> Result<(), Failure> {
    let extension = path.extension().unwrap_or_default();
    if extension.eq_ignore_ascii_case(EXTENSION) {
        return Ok(());
    }
    let path = path.display();
    Err(Failure::usage(format!(
        "{path} does not end in .{EXTENSION}: data/points.geojson"
    )))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Query(error) => error.into(),
            Error::Write(error) => error.into(),
            _ => Self::usage(error),
        }
    }
}
