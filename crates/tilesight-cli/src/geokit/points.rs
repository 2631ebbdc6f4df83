//! `get_mapillary_points`: the images and sequences of an area.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use tilesight::compat::geokit::{self, Boundary, OutputFiles, PointsQuery};
use tilesight::formats::Written;
use tilesight::{Bbox, Dataset, Place};
use tilesight_fetch::{FetchOptions, Origin};

use super::{read, write};
use crate::args;
use crate::ask;
use crate::failure::Failure;
use crate::fetch;
use crate::output::{self, Voice};

/// Where fetched tiles are kept, unless it is said.
const STORE: &str = "data/mapillary.mbtiles";

#[derive(Debug, Args)]
#[command(rename_all = "snake_case")]
pub(crate) struct GetMapillaryPoints {
    /// A box in degrees, or a GeoJSON file of boundaries, of which each makes files of its own
    #[arg(long, value_name = "xMin,yMin,xMax,yMax|FILE", allow_hyphen_values = true,
          value_parser = InputAoi::from_str)]
    input_aoi: InputAoi,

    /// The field of the boundaries that their files are named after, instead of their number
    #[arg(long, value_name = "NAME")]
    field_name: Option<String>,

    /// Captured at this time or later, in milliseconds since 1970; 0 is any time
    #[arg(long, value_name = "MS", default_value_t = 0)]
    timestamp_from: i64,

    /// Panoramas alone
    #[arg(long)]
    only_pano: bool,

    /// By these organizations, panoramas or not
    #[arg(long, value_name = "ID,…", value_delimiter = ',', value_parser = args::id)]
    organization_ids: Vec<i64>,

    #[arg(
        long,
        value_name = "FILE",
        default_value = "data/mapillary_points.geojson",
        help = "File for points: with __pano and __no__pano before its ending, and names of \
                boundaries before its name"
    )]
    output_file_point: PathBuf,

    /// File for sequences, in the same way
    #[arg(
        long,
        value_name = "FILE",
        default_value = "data/mapillary_sequence.geojson"
    )]
    output_file_sequence: PathBuf,

    /// Ask this dataset file, folder of tiles, .mbtiles or .pmtiles archive, and fetch nothing
    #[arg(long, value_name = "SOURCE", help_heading = "Source")]
    source: Option<PathBuf>,

    /// Keep fetched tiles in this store; what it holds is not fetched again
    #[arg(long, value_name = "STORE", default_value = STORE, conflicts_with = "source",
          help_heading = "Source")]
    store: PathBuf,

    /// Write what is held, with a warning, where tiles of the area are not
    #[arg(long, help_heading = "Source")]
    partial: bool,

    #[command(flatten)]
    fetching: Fetching,

    #[command(flatten)]
    service: args::Service,
}

/// How tiles are fetched, as `tilesight fetch` does.
#[derive(Debug, Args)]
#[command(next_help_heading = "Service")]
struct Fetching {
    /// Fetch more than 20,000 tiles
    #[arg(long)]
    yes: bool,

    /// Requests at the same time
    #[arg(long, value_name = "N", default_value_t = 4)]
    jobs: usize,

    /// Requests a day (UTC) into the store
    #[arg(long, value_name = "N", default_value_t = FetchOptions::DAILY_LIMIT)]
    daily_limit: u64,

    #[arg(
        long,
        value_name = "ORIGIN",
        value_parser = Origin::from_str,
        help = "Where the tiles are, instead of TILESIGHT_TILE_URL or the service itself"
    )]
    tile_url: Option<Origin>,
}

/// An area as it was typed.
#[derive(Debug, Clone)]
enum InputAoi {
    Bbox(Bbox),
    File(PathBuf),
}

impl FromStr for InputAoi {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_number = |text: &str| text.trim().parse::<f64>().is_ok();
        if text.split(',').all(is_number) {
            return args::bbox(text).map(Self::Bbox);
        }
        Ok(Self::File(text.into()))
    }
}

/// Writes points and sequences of every boundary.
pub(super) fn get_mapillary_points(
    typed: &GetMapillaryPoints,
    voice: Voice,
) -> Result<(), Failure> {
    let boundaries = boundaries(typed)?;
    let (points, sequences) = (&typed.output_file_point, &typed.output_file_sequence);
    let files = geokit::output_files(&boundaries, points, sequences)?;
    let data = open(typed, voice)?;
    for (boundary, files) in boundaries.into_iter().zip(files) {
        write_boundary(&data, boundary, &files, typed, voice)?;
    }
    Ok(())
}

fn boundaries(typed: &GetMapillaryPoints) -> Result<Vec<Boundary>, Failure> {
    match &typed.input_aoi {
        InputAoi::Bbox(bbox) => Ok(vec![Boundary {
            name: None,
            place: Place::Bbox(*bbox),
        }]),
        InputAoi::File(path) => {
            let found = geokit::boundaries(&read(path)?, typed.field_name.as_deref());
            let path = path.display();
            found.map_err(|error| {
                Failure::usage(format!("the boundaries in {path} are refused: {error}"))
            })
        }
    }
}

/// Opens the source, or the store after what it lacks was fetched.
fn open(typed: &GetMapillaryPoints, voice: Voice) -> Result<Dataset, Failure> {
    let path = match &typed.source {
        Some(source) => source,
        None => fetched(typed, voice)?,
    };
    let source = args::Source {
        path: path.clone(),
        io: args::Io::Map,
    };
    ask::open(&source, voice)
}

fn fetched(typed: &GetMapillaryPoints, voice: Voice) -> Result<&PathBuf, Failure> {
    let (bbox, aoi) = match &typed.input_aoi {
        InputAoi::Bbox(bbox) => (Some(*bbox), None),
        InputAoi::File(path) => (None, Some(path.clone())),
    };
    let args::Service {
        token_file,
        graph_url,
        rate,
    } = &typed.service;
    let fetch = args::Fetch {
        bbox,
        aoi,
        store: typed.store.clone(),
        tilesets: vec![args::Tileset::Images],
        zoom: tilesight_fetch::Tileset::DATA_ZOOM,
        refresh: None,
        sparse: false,
        dry_run: false,
        yes: typed.fetching.yes,
        jobs: typed.fetching.jobs,
        daily_limit: typed.fetching.daily_limit,
        tile_url: typed.fetching.tile_url.clone(),
        service: args::Service {
            token_file: token_file.clone(),
            graph_url: graph_url.clone(),
            rate: *rate,
        },
    };
    let folder = output::folder_of(&typed.store);
    tilesight_publish::make_folder(folder).map_err(Failure::cannot_write(folder))?;
    match fetch::fetch_missing(&fetch, voice) {
        // What is missing is said again of each boundary that it is missing of.
        Err(Failure::NotHeld(_)) if typed.partial && typed.store.exists() => (),
        outcome => outcome?,
    }
    Ok(&typed.store)
}

fn write_boundary(
    data: &Dataset,
    boundary: Boundary,
    files: &OutputFiles,
    typed: &GetMapillaryPoints,
    voice: Voice,
) -> Result<(), Failure> {
    let query = PointsQuery {
        place: boundary.place,
        timestamp_from_ms: typed.timestamp_from,
        only_pano: typed.only_pano,
        organization_ids: typed.organization_ids.clone(),
        allow_partial: typed.partial,
    };
    let found = geokit::get_mapillary_points(data, &query)?;
    ask::voice_missing(found.missing(), voice);
    let mut kinds = vec![(true, &files.points_pano, &files.sequences_pano)];
    if !typed.only_pano {
        kinds.push((false, &files.points_no_pano, &files.sequences_no_pano));
    }
    let mut rows = 0;
    for (pano, points_file, sequences_file) in kinds {
        let points = write(points_file, |out| found.write_points(pano, out))?;
        let sequences = write(sequences_file, |out| found.write_sequences(pano, out))?;
        rows += points;
        let (points_file, sequences_file) = (points_file.display(), sequences_file.display());
        voice.conclude(format_args!(
            "{points} points in {points_file}, {sequences} sequences in {sequences_file}"
        ));
    }
    let inexact_ids = found.inexact_ids();
    ask::voice_inexact(Written { rows, inexact_ids }, voice);
    Ok(())
}
