//! What was typed, checked word by word and nothing more: [`plan`](crate::plan) makes sense of
//! it.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tilesight::formats::Format;
use tilesight::{Bbox, LonLat, Period};

/// Ask a folder or archive of street-level imagery tiles, offline.
///
/// SOURCE is a folder of tiles {z}/{x}/{y}.mvt (or .pbf, gzipped or not), a folder of such folders
/// named after their tilesets, or an .mbtiles archive.
#[derive(Debug, Parser)]
#[command(name = "tilesight", version, max_term_width = 100, after_long_help = EXIT_STATUS)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say what was read and how long it took
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

const EXIT_STATUS: &str = "\
Exit status: 0 done, 1 failed, 2 wrong usage, 3 the place is not fully held, 130 interrupted.

Data that comes out is licensed CC BY-SA 4.0 and credited to Mapillary.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find images, or those that show a place
    #[command(after_help = "\
Examples:
  tilesight images town.mbtiles --looking-at 24.9384,60.1699 --since 2023
  tilesight images town.mbtiles --bbox 24.92,60.16,24.95,60.18 --pano -o panoramas.geojson
  tilesight images town.mbtiles --aoi district.geojson --count-by month")]
    Images(Images),
    /// Find sequences, whole, of which any part is in a place
    #[command(after_help = "\
Examples:
  tilesight sequences town.mbtiles --aoi district.geojson -o sequences.geojson
  tilesight sequences town.mbtiles --near 24.9384,60.1699 --radius 100 -f table")]
    Sequences(Sequences),
    /// Find map features: traffic signs and objects
    #[command(after_help = "\
Examples:
  tilesight features town --signs --value 'regulatory--*' --bbox 24.92,60.16,24.95,60.18
  tilesight features town --points --value object--bench --near 24.9384,60.1699 --nearest 5")]
    Features(Features),
    /// Say what a source holds: tiles, area, counts, dates, licence
    Info(Info),
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
pub(crate) struct Images {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) filter: Filter,
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
    pub(crate) output: Output,
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
}

#[derive(Debug, Args)]
pub(crate) struct Source {
    /// A folder of tiles or an .mbtiles archive
    #[arg(value_name = "SOURCE")]
    pub(crate) path: PathBuf,
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
    /// Format: geojson, geojsonseq, csv, ids or table; where nothing is said, by the extension of
    /// -o, else a table on a terminal and geojson in a pipe
    #[arg(short, long, value_name = "FORMAT", value_parser = Format::from_str)]
    pub(crate) format: Option<Format>,

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

fn bbox(text: &str) -> Result<Bbox, String> {
    let [west, south, east, north] = numbers(text)
        .ok_or("a box is west,south,east,north in degrees, as 24.92,60.16,24.95,60.18")?;
    Bbox::from_degrees(west, south, east, north).map_err(|error| error.to_string())
}

fn position(text: &str) -> Result<LonLat, String> {
    let [lon, lat] =
        numbers(text).ok_or("a position is longitude,latitude in degrees, as 24.9384,60.1699")?;
    LonLat::new(lon, lat).map_err(|error| error.to_string())
}

fn headings(text: &str) -> Result<(f64, f64), String> {
    let [first, last] = numbers(text)
        .ok_or("headings are two directions in degrees, clockwise from the first, as 315,45")?;
    Ok((first, last))
}

fn number(text: &str) -> Result<f64, String> {
    let [number] = numbers(text).ok_or("it is not a number, as 50 or 12.5")?;
    Ok(number)
}

fn id(text: &str) -> Result<i64, String> {
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
    fn numbers_are_finite_and_as_many_as_wanted() {
        assert_eq!(numbers("-71.2, 42"), Some([-71.2, 42.0]));
        for wrong in ["", "1", "1,2,3", "1,x", "1,NaN", "1,inf", "1,,2"] {
            assert_eq!(numbers::<2>(wrong), None, "{wrong}");
        }
    }
}
