//! What was typed, checked word by word and nothing more: [`plan`](crate::plan) makes sense of
//! it.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tilesight::formats::Format;
use tilesight::{Bbox, LonLat, Period, TileCount};
use tilesight_fetch::graph::{Fields, ThumbnailSize};
use tilesight_fetch::{FetchOptions, Manners, Origin};
use tilesight_tile::Error as PlaceError;

use crate::geokit::Geokit;
use crate::{coverage, sees};

/// Ask a folder or archive of street-level imagery tiles, offline.
///
/// SOURCE is a dataset file (.tsight), a folder of tiles {z}/{x}/{y}.mvt (or .pbf, gzipped or not),
/// a folder of such folders named after their tilesets, or an .mbtiles or .pmtiles archive.
#[derive(Debug, Parser)]
#[command(name = "tilesight", version, max_term_width = 100, after_long_help = EXIT_STATUS)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say what was read and how long it took; twice, what happens to each tile that is fetched
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

const EXIT_STATUS: &str = "\
Exit status: 0 done, 1 failed, 2 wrong usage, 3 the place is not fully held, 130 interrupted.

Data that comes out is licensed CC BY-SA 4.0 and credited to Mapillary.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch the tiles of a region into a store, once
    ///
    /// What the store holds is not fetched again, so that the same command goes on where it was
    /// stopped.
    #[command(after_help = "\
Examples:
  tilesight fetch --bbox 24.92,60.16,24.95,60.18 -o town.mbtiles --dry-run
  tilesight fetch --aoi district.geojson --tileset images,signs -o district.mbtiles
  tilesight fetch --aoi district.geojson --refresh 30d -o district.mbtiles
  tilesight fetch --aoi country.geojson --sparse --yes -o country.mbtiles")]
    Fetch(Fetch),
    /// Compare a store or a dataset file with what was stored
    #[command(after_help = "\
Example:
  tilesight verify town.mbtiles --repair")]
    Verify(Verify),
    /// Find images, or those that show a place
    #[command(after_help = "\
Examples:
  tilesight images town.mbtiles --looking-at 24.9384,60.1699 --since 2023
  tilesight images town.mbtiles --bbox 24.92,60.16,24.95,60.18 --pano -o panoramas.geojson
  tilesight images town.mbtiles --aoi district.geojson --count-by month
  tilesight images town.mbtiles --sees doors.geojson --per-target 3 --occluders houses.parquet")]
    Images(Images),
    /// Find sequences, whole, of which any part is in a place
    #[command(after_help = "\
Examples:
  tilesight sequences town.mbtiles --aoi district.geojson -o sequences.geojson
  tilesight sequences town.mbtiles --near 24.9384,60.1699 --radius 100 -f table")]
    Sequences(Sequences),
    /// Say something of sequences: titles, transport types, tags, likes and tours
    ///
    /// It is kept beside the source, as town.annotations for town, town.mbtiles and town.tsight,
    /// and is what --tag, --transport, --tour and --title of images and sequences look at.
    #[command(after_help = "\
Examples:
  tilesight annotate town set _ix-TQiaz8DnY0_8JeS3if --title 'To the sea' --transport walk
  tilesight annotate town tag _ix-TQiaz8DnY0_8JeS3if --add sea,winter
  tilesight annotate town like _ix-TQiaz8DnY0_8JeS3if --user 549053432678742
  tilesight annotate town tour Shores --add _ix-TQiaz8DnY0_8JeS3if
  tilesight annotate town export -o annotations.json")]
    Annotate(crate::annotate::Annotate),
    /// Find map features: traffic signs and objects
    #[command(after_help = "\
Examples:
  tilesight features town --signs --value 'regulatory--*' --bbox 24.92,60.16,24.95,60.18
  tilesight features town --points --value object--bench --near 24.9384,60.1699 --nearest 5")]
    Features(Features),
    /// Measure how much of roads is covered by images, by kind and by age
    #[command(after_help = "\
Examples:
  tilesight coverage town.mbtiles --roads streets.geojson
  tilesight coverage town.mbtiles --roads streets.parquet --since 2022 --heading-aware -o out.csv")]
    Coverage(coverage::Coverage),
    /// Write all images as a partitioned GeoParquet dataset, a folder a tile
    #[cfg(feature = "parquet")]
    #[command(after_help = "\
Example:
  tilesight export country.mbtiles --partition-zoom 8 -o country")]
    Export(Export),
    /// Say what a source holds: tiles, area, counts, dates, licence
    Info(Info),
    /// The commands of geokit's mapillary module, under their own names and options
    #[command(subcommand)]
    Geokit(Geokit),
    /// Import sequences of Mapillary's API v3 or of Map the Paths into a store
    #[command(after_help = "\
Example:
  tilesight import sequences.geojson --store town.mbtiles")]
    Import(crate::import::Import),
    /// Ask the Graph API about images, map features, organizations and sequences
    #[command(
        subcommand,
        after_help = "\
Examples:
  tilesight graph image 498763468214164 --fields captured_at,make,model
  tilesight graph detections 498763468214164"
    )]
    Graph(Graph),
    /// Download the pictures of images into {DIR}/{sequence}/{id}.jpg
    ///
    /// What is there is not downloaded again, so that the same command goes on where it was
    /// stopped.
    #[command(after_help = "\
Example:
  tilesight download-images town.mbtiles --looking-at 24.9384,60.1699 --size 2048 -o pictures")]
    DownloadImages(DownloadImages),
    /// Build a dataset file of the tiles of sources, which opens at once
    #[command(after_help = "\
Examples:
  tilesight build town.mbtiles -o town.tsight
  tilesight build north.mbtiles south.mbtiles --memory 4GiB -o country.tsight")]
    Build(Build),
    /// Pack the tiles of a source into a .pmtiles archive
    #[command(after_help = "\
Example:
  tilesight pack town --tileset images -o town.pmtiles")]
    Pack(Pack),
    /// Print completions for a shell
    Completions {
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Print the manual page of the program or of a command
    Man {
        #[arg(value_name = "COMMAND")]
        command: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// A box in degrees; west > east crosses the antimeridian
    #[arg(long, value_name = "W,S,E,N", required_unless_present = "aoi", conflicts_with = "aoi",
          allow_hyphen_values = true, value_parser = bbox)]
    pub(crate) bbox: Option<Bbox>,

    /// The polygons of a GeoJSON file, or of standard input
    #[arg(long, value_name = "FILE|-", visible_alias = "region")]
    pub(crate) aoi: Option<PathBuf>,

    /// The .mbtiles store to fetch into; other programs see its first tileset
    #[arg(short = 'o', long = "output", value_name = "STORE")]
    pub(crate) store: PathBuf,

    /// What to fetch
    #[arg(
        long = "tileset",
        value_name = "TILESET,…",
        value_delimiter = ',',
        default_value = "images"
    )]
    pub(crate) tilesets: Vec<Tileset>,

    /// Zoom: 14 has everything, images have sequences from 6 and overview points from 0 to 5
    #[arg(long, value_name = "Z", default_value_t = 14)]
    pub(crate) zoom: u8,

    /// Fetch what is held, too, where it is older than this and has changed: 30d, 12h
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) refresh: Option<Duration>,

    /// Leave out tiles that no line of a sequence comes near to
    ///
    /// A first pass over tiles of zoom 12, a sixteenth as many, tells where lines are; how many
    /// requests that saved is said at the end. It is for wide regions with few roads. Lines do not
    /// tell everything: an image that is alone, or a sequence taken on one spot, makes none. So what
    /// is left out does not count as empty, nor as held: questions that touch it say so, and are
    /// answered with --partial. The same command without --sparse fetches the rest. Points and
    /// signs have no lines and are fetched whole.
    #[arg(long)]
    pub(crate) sparse: bool,

    /// Say what there is to fetch and how long it takes, and fetch nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Fetch more than 20,000 tiles
    #[arg(long)]
    pub(crate) yes: bool,

    /// Requests at the same time
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = "Service")]
    pub(crate) jobs: usize,

    /// Requests a day (UTC) into this store
    ///
    /// The count is kept in the store and goes where the store goes. The service counts for each
    /// token: who fills several stores with one token on one day shares the limit out among them.
    /// Where the service itself says that its limit is reached, the run pauses or ends all the
    /// same.
    #[arg(long, value_name = "N", default_value_t = FetchOptions::DAILY_LIMIT, help_heading = "Service")]
    pub(crate) daily_limit: u64,

    #[arg(
        long,
        value_name = "ORIGIN",
        value_parser = Origin::from_str,
        help_heading = "Service",
        help = "Where the tiles are, instead of TILESIGHT_TILE_URL or the service itself: \
                http://127.0.0.1:8080"
    )]
    pub(crate) tile_url: Option<Origin>,

    #[command(flatten)]
    pub(crate) service: Service,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) source: Source,

    /// Drop damaged tiles from a fetched store, so that the next fetch brings them anew
    #[arg(long)]
    pub(crate) repair: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Images {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) sees: sees::Sees,
    #[command(flatten)]
    pub(crate) filter: Filter,
    #[command(flatten)]
    pub(crate) annotated: crate::annotate::Annotated,
    #[command(flatten)]
    pub(crate) output: Output,

    /// Print how many there are for each of something
    #[arg(long, value_name = "WHAT", help_heading = "Output", conflicts_with_all = ["count", "limit"])]
    pub(crate) count_by: Option<GroupBy>,
}

#[derive(Debug, Args)]
pub(crate) struct Sequences {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) filter: Filter,
    #[command(flatten)]
    pub(crate) annotated: crate::annotate::Annotated,
    #[command(flatten)]
    pub(crate) output: Output,

    /// Shape of the JSON: our own, or that of older services
    #[arg(long, value_name = "SHAPE", default_value = "tilesight", help_heading = "Output",
          conflicts_with_all = ["count", "fields", "wkt"])]
    pub(crate) shape: Shape,
}

#[derive(Debug, Args)]
pub(crate) struct Features {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) filter: FeatureFilter,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Info {
    #[command(flatten)]
    pub(crate) source: Source,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Print instead how many images lie in each tile of a zoom from 0 to 20, as CSV with the
    /// columns z,x,y,images,west,south,east,north; tiles without images are left out
    #[arg(long, value_name = "Z", conflicts_with = "json",
          value_parser = clap::value_parser!(u8).range(0..=i64::from(TileCount::MAX_ZOOM)))]
    pub(crate) heatmap: Option<u8>,

    /// Of a heat map, the images in a box in degrees; west > east crosses the antimeridian
    #[arg(long, value_name = "W,S,E,N", requires = "heatmap", allow_hyphen_values = true,
          value_parser = bbox)]
    pub(crate) bbox: Option<Bbox>,

    /// Of a heat map, the images in the polygons of a GeoJSON file, or of standard input
    #[arg(
        long,
        value_name = "FILE|-",
        requires = "heatmap",
        conflicts_with = "bbox",
        visible_alias = "region"
    )]
    pub(crate) aoi: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Graph {
    /// Print images, a GeoJSON feature a line
    Image(Entities),
    /// Print map features, a GeoJSON feature a line
    Feature(Entities),
    /// Print what was detected in images or makes map features, a JSON object a line, with
    /// outlines from 0 to 1 across and down the picture
    Detections(Entities),
    /// Print organizations, a JSON object a line
    Organization(Entities),
    /// Print the ids of the images of sequences in their order, a JSON object a line
    Sequence(Sequence),
    /// Print where the pictures of images can be got, until it expires, a JSON object a line
    Thumbnail(Thumbnail),
}

#[derive(Debug, Args)]
pub(crate) struct Entities {
    /// Which ones
    #[arg(value_name = "ID", required = true, value_parser = id)]
    pub(crate) ids: Vec<i64>,

    /// Names of fields, or all; where nothing is said, all without signed URLs
    #[arg(long, value_name = "NAME,…|all", value_parser = Fields::from_str)]
    pub(crate) fields: Option<Fields>,

    #[command(flatten)]
    pub(crate) service: Service,
}

#[derive(Debug, Args)]
pub(crate) struct Sequence {
    /// Which ones
    #[arg(value_name = "ID", required = true, allow_hyphen_values = true)]
    pub(crate) keys: Vec<String>,

    #[command(flatten)]
    pub(crate) service: Service,
}

#[derive(Debug, Args)]
pub(crate) struct Thumbnail {
    /// Of which images
    #[arg(value_name = "ID", required = true, value_parser = id)]
    pub(crate) ids: Vec<i64>,

    /// How large: 256, 1024 or 2048 pixels across, or original
    #[arg(long, value_name = "SIZE", default_value_t, value_parser = ThumbnailSize::from_str)]
    pub(crate) size: ThumbnailSize,

    #[command(flatten)]
    pub(crate) service: Service,
}

#[derive(Debug, Args)]
pub(crate) struct DownloadImages {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) filter: Filter,

    /// The folder to write to; it is made where there is none
    #[arg(
        short = 'o',
        long = "output",
        value_name = "DIR",
        help_heading = "Output"
    )]
    pub(crate) folder: PathBuf,

    /// How large: 256, 1024 or 2048 pixels across, or original
    #[arg(long, value_name = "SIZE", default_value_t, value_parser = ThumbnailSize::from_str,
          help_heading = "Output")]
    pub(crate) size: ThumbnailSize,

    /// At most this many, the first in answer order
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub(crate) limit: Option<usize>,

    /// Download what is held, with a warning, where tiles of the place are not
    #[arg(long, help_heading = "Output")]
    pub(crate) partial: bool,

    /// Pictures at the same time
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = "Service")]
    pub(crate) jobs: usize,

    #[command(flatten)]
    pub(crate) service: Service,
}

/// How the service is asked.
#[derive(Debug, Args)]
#[command(next_help_heading = "Service")]
pub(crate) struct Service {
    #[arg(
        long,
        value_name = "FILE",
        help = "A file that holds the access token, instead of MAPILLARY_ACCESS_TOKEN"
    )]
    pub(crate) token_file: Option<PathBuf>,

    #[arg(
        long,
        value_name = "ORIGIN",
        value_parser = Origin::from_str,
        help = "Where the Graph API is, instead of TILESIGHT_GRAPH_URL or the service itself: \
                http://127.0.0.1:8080"
    )]
    pub(crate) graph_url: Option<Origin>,

    /// Requests a second at most
    #[arg(long, value_name = "N", default_value_t = Manners::DEFAULT_RATE, value_parser = rate)]
    pub(crate) rate: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Pack {
    #[command(flatten)]
    pub(crate) source: Source,

    /// The tiles of this tileset, where the source has several
    #[arg(long, value_name = "TILESET")]
    pub(crate) tileset: Option<Tileset>,

    /// The archive to write, whole or not at all
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub(crate) target: PathBuf,

    /// Replace the archive if it is there
    #[arg(long)]
    pub(crate) overwrite: bool,
}

#[cfg(feature = "parquet")]
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) filter: Filter,

    /// The folder to write, whole or not at all
    #[arg(
        short = 'o',
        long = "output",
        value_name = "DIR",
        help_heading = "Output"
    )]
    pub(crate) folder: PathBuf,

    /// Zoom of the tiles by which files are told apart: z=8/tile=X-Y/part-0.parquet
    #[arg(long, value_name = "Z", default_value_t = 8, value_parser = clap::value_parser!(u8).range(0..=14),
          help_heading = "Output")]
    pub(crate) partition_zoom: u8,

    /// Columns in this order, geometry among them
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        help_heading = "Output"
    )]
    pub(crate) fields: Option<Vec<String>>,

    /// Replace the folder if it is there
    #[arg(long, help_heading = "Output")]
    pub(crate) overwrite: bool,

    /// Write what is held, with a warning, where tiles are not
    #[arg(long, help_heading = "Output")]
    pub(crate) partial: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Build {
    /// Folders of tiles, .mbtiles or .pmtiles archives; of an image that several have, the most
    /// recently fetched stays
    #[arg(value_name = "STORE", required = true)]
    pub(crate) sources: Vec<PathBuf>,

    /// The dataset file to write, whole or not at all
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub(crate) target: PathBuf,

    /// Replace the dataset if it is there; who has it open goes on with the old one
    #[arg(long)]
    pub(crate) overwrite: bool,

    /// About how much memory to take; the rest goes to temporary files beside the dataset
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = bytes)]
    pub(crate) memory: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Source {
    /// A dataset file, a folder of tiles, an .mbtiles or a .pmtiles archive
    #[arg(value_name = "SOURCE")]
    pub(crate) path: PathBuf,

    /// How a dataset file is read: mapped, or whole into memory where it may be cut short while
    /// it is open
    #[arg(
        long,
        value_name = "map|read",
        default_value = "map",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(crate) io: Io,
}

/// How dataset files are read.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Io {
    Map,
    Read,
}

impl From<Io> for tilesight::Io {
    fn from(io: Io) -> Self {
        match io {
            Io::Map => Self::Map,
            Io::Read => Self::Read,
        }
    }
}

/// A number of bytes, with or without a unit.
fn bytes(text: &str) -> Result<usize, String> {
    const UNITS: [(&str, usize); 4] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("B", 1),
    ];
    let lower = text.to_ascii_lowercase();
    let unit = UNITS
        .iter()
        .find(|(unit, _)| lower.ends_with(&unit.to_ascii_lowercase()));
    let (number, factor) = match unit {
        Some((unit, factor)) => (&text[..text.len() - unit.len()], *factor),
        None => (text, 1),
    };
    let parsed = number.trim().parse::<usize>().ok();
    let bytes = parsed.and_then(|number| number.checked_mul(factor));
    bytes.ok_or_else(|| format!("{text} is not a number of bytes, such as 512MiB or 4GiB"))
}

/// Where to look: one of these at most. Without any, everything that is held is meant.
#[derive(Debug, Args)]
#[command(next_help_heading = "Place (one of)")]
pub(crate) struct Place {
    /// In a box in degrees; west > east crosses the antimeridian
    #[arg(long, value_name = "W,S,E,N", group = "place", allow_hyphen_values = true,
          value_parser = bbox)]
    pub(crate) bbox: Option<Bbox>,

    /// In the polygons of a GeoJSON file, or of standard input
    #[arg(long, value_name = "FILE|-", group = "place", visible_alias = "region")]
    pub(crate) aoi: Option<PathBuf>,

    /// Near a position, nearest first; with --radius, --nearest or both
    #[arg(long, value_name = "LON,LAT", group = "place", allow_hyphen_values = true,
          value_parser = position)]
    pub(crate) near: Option<LonLat>,

    /// Images that show a position, nearest first
    #[arg(long, value_name = "LON,LAT", group = "place", allow_hyphen_values = true,
          value_parser = position)]
    pub(crate) looking_at: Option<LonLat>,

    /// Greatest distance in metres; 50 for --looking-at where nothing else is said
    #[arg(long, value_name = "M", allow_hyphen_values = true, value_parser = number)]
    pub(crate) radius: Option<f64>,

    /// The K nearest
    #[arg(long, value_name = "K")]
    pub(crate) nearest: Option<usize>,

    /// Field of view of flat images in degrees; 100 where nothing else is said
    #[arg(long, value_name = "DEG", allow_hyphen_values = true, value_parser = number)]
    pub(crate) fov: Option<f64>,
}

/// What images must be like; all that is said must hold, and the unknown matches nothing.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Filter {
    /// Captured from the start of this date on: 2023, 2023-05, 2023-05-01, 2023-05-01T10:30Z
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    pub(crate) since: Option<Period>,

    /// Captured until the end of this date
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    pub(crate) until: Option<Period>,

    /// Panoramas
    #[arg(long, conflicts_with = "flat")]
    pub(crate) pano: bool,

    /// Flat images
    #[arg(long)]
    pub(crate) flat: bool,

    /// By these organizations
    #[arg(long = "org", value_name = "ID,…", value_delimiter = ',', allow_hyphen_values = true,
          value_parser = id)]
    pub(crate) organizations: Vec<i64>,

    /// By these creators
    #[arg(long = "creator", value_name = "ID,…", value_delimiter = ',', allow_hyphen_values = true,
          value_parser = id)]
    pub(crate) creators: Vec<i64>,

    /// In these sequences
    #[arg(
        long = "sequence",
        value_name = "ID,…",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub(crate) sequences: Vec<String>,

    /// Heading from A clockwise to B in degrees; 315,45 is northwards
    #[arg(long, value_name = "A,B", allow_hyphen_values = true, value_parser = headings)]
    pub(crate) heading: Option<(f64, f64)>,

    /// With these ids
    #[arg(long = "id", value_name = "ID,…", value_delimiter = ',', allow_hyphen_values = true,
          value_parser = id)]
    pub(crate) ids: Vec<i64>,
}

/// What map features must be like; all that is said must hold, and the unknown matches nothing.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct FeatureFilter {
    /// Objects alone
    #[arg(long, conflicts_with = "signs")]
    pub(crate) points: bool,

    /// Traffic signs alone
    #[arg(long)]
    pub(crate) signs: bool,

    /// With these values; a trailing * matches any ending
    #[arg(long = "value", value_name = "VALUE,…", value_delimiter = ',')]
    pub(crate) values: Vec<String>,

    /// First seen from the start of this date on
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    pub(crate) first_seen_since: Option<Period>,

    /// First seen until the end of this date
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    pub(crate) first_seen_until: Option<Period>,

    /// Last seen from the start of this date on
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    pub(crate) last_seen_since: Option<Period>,

    /// Last seen until the end of this date
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    pub(crate) last_seen_until: Option<Period>,

    /// With these ids
    #[arg(long = "id", value_name = "ID,…", value_delimiter = ',', allow_hyphen_values = true,
          value_parser = id)]
    pub(crate) ids: Vec<i64>,
}

/// How the answer is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Format: geojson, geojsonseq, csv, parquet, arrow, ids or table; where nothing is said, by
    /// the extension of -o, else a table on a terminal and geojson in a pipe
    #[arg(short, long, value_name = "FORMAT", value_parser = Format::from_str)]
    pub(crate) format: Option<Format>,

    #[command(flatten)]
    pub(crate) columns: Columns,

    /// File to write, whole or not at all
    #[arg(short = 'o', long = "output", value_name = "FILE|-")]
    pub(crate) target: Option<PathBuf>,

    /// Replace the file if it is there
    #[arg(long)]
    pub(crate) overwrite: bool,

    /// Print how many there are and nothing else
    #[arg(long, conflicts_with = "format")]
    pub(crate) count: bool,

    /// At most this many, the first in answer order
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,

    /// Answer from what is held, with a warning, where tiles of the place are not
    #[arg(long)]
    pub(crate) partial: bool,
}

/// Which columns are written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Columns {
    /// Columns in this order, geometry among them
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        conflicts_with = "count"
    )]
    pub(crate) fields: Option<Vec<String>>,

    /// Write points to csv as WKT too, instead of lon and lat
    #[arg(long, conflicts_with_all = ["count", "fields"])]
    pub(crate) wkt: bool,
}

/// Shapes of sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// Lines that are broken where tiles are missing
    Tilesight,
    /// Objects as Mapillary's API v2 had them
    V2,
    /// Features as Mapillary's API v2 had them
    V2Geojson,
    /// Features as Mapillary's API v3 had them
    V3,
}

/// The tilesets of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tileset {
    /// Images and sequences
    Images,
    /// The same, with positions from reconstruction
    Computed,
    /// Objects
    Points,
    /// Traffic signs
    Signs,
}

/// What images are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GroupBy {
    Day,
    Month,
    Year,
    Organization,
    Creator,
    Kind,
}

pub(crate) fn bbox(text: &str) -> Result<Bbox, String> {
    text.parse().map_err(|error: PlaceError| error.to_string())
}

fn position(text: &str) -> Result<LonLat, String> {
    text.parse().map_err(|error: PlaceError| error.to_string())
}

fn headings(text: &str) -> Result<(f64, f64), String> {
    let [first, last] = numbers(text)
        .ok_or("headings are two directions in degrees, clockwise from the first, as 315,45")?;
    Ok((first, last))
}

pub(crate) fn number(text: &str) -> Result<f64, String> {
    let [number] = numbers(text).ok_or("it is not a number, as 50 or 12.5")?;
    Ok(number)
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = number(text)?;
    let is_rate = rate >= 0.001;
    is_rate
        .then_some(rate)
        .ok_or_else(|| "it is not at least 0.001, as 5 or 0.5".to_owned())
}

/// A number and a unit: s, m, h, d or w.
fn age(text: &str) -> Result<Duration, String> {
    let age = || {
        let (at, unit) = text.char_indices().last()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return None,
        };
        let count: u64 = text.get(..at)?.parse().ok()?;
        Some(Duration::from_secs(count.checked_mul(seconds)?))
    };
    age().ok_or_else(|| "an age is a number and one of s, m, h, d and w, as 30d".to_owned())
}

pub(crate) fn id(text: &str) -> Result<i64, String> {
    let id = text.trim().parse();
    id.map_err(|_| "an id is a whole number, as 498763468214164".to_owned())
}

/// Finite numbers between commas, exactly as many as wanted.
fn numbers<const N: usize>(text: &str) -> Option<[f64; N]> {
    let numbers: Option<Vec<f64>> = text
        .split(',')
        .map(|number| number.trim().parse().ok().filter(|n: &f64| n.is_finite()))
        .collect();
    numbers?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn ages_have_units() {
        assert_eq!(age("30d"), Ok(Duration::from_hours(30 * 24)));
        assert_eq!(age("90s"), Ok(Duration::from_secs(90)));
        for wrong in [
            "",
            "d",
            "30",
            "-1d",
            "1.5h",
            "30x",
            "99999999999999999999w",
            "3é",
        ] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }

    /// Texts made of what the parsers look for: numbers, units, and what is neither.
    #[test]
    fn any_text_is_a_value_or_an_error() {
        const WORDS: [&str; 24] = [
            "",
            "0",
            "1",
            "-",
            ",",
            ".",
            "e",
            "e308",
            "inf",
            "NaN",
            "99999999999999999999",
            "s",
            "d",
            "w",
            "B",
            "KiB",
            "GiB",
            "\u{e9}",
            "\u{130}",
            "\u{212a}",
            " ",
            "\0",
            "180",
            "24.94",
        ];
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let text: String = (0..random.usize(0..6))
                .map(|_| WORDS[random.usize(0..WORDS.len())])
                .collect();
            if let Ok(degrees) = headings(&text) {
                assert!(degrees.0.is_finite() && degrees.1.is_finite(), "{text:?}");
            }
            if let Ok(count) = bytes(&text) {
                assert_eq!(bytes(&count.to_string()), Ok(count), "{text:?}");
            }
            let refused = [
                age(&text).is_err(),
                id(&text).is_err(),
                rate(&text).is_err(),
            ];
            let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
            assert!(has_digit || refused == [true; 3], "{text:?}");
        }
    }

    #[test]
    fn numbers_are_finite_and_as_many_as_wanted() {
        assert_eq!(numbers("-71.2, 42"), Some([-71.2, 42.0]));
        for wrong in ["", "1", "1,2,3", "1,x", "1,NaN", "1,inf", "1,,2"] {
            assert_eq!(numbers::<2>(wrong), None, "{wrong}");
        }
    }
}
