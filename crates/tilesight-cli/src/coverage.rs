//! Measuring how much of roads is covered by images.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use tilesight::formats::{Export, Format, Options, Rows};
use tilesight::roads::{AGES_YEARS, CoveredRoads, RoadCoverage, RoadQuery, check_roads};
use tilesight::shapes::Feature;
use tilesight::{Period, Place};

use crate::args;
use crate::ask;
use crate::failure::Failure;
use crate::output::{self, Voice};
use crate::plan::{self, Answer, Target};

#[derive(Debug, Args)]
pub(crate) struct Coverage {
    #[command(flatten)]
    source: args::Source,

    /// The lines of a GeoJSON or GeoParquet file
    #[arg(long, value_name = "FILE")]
    roads: PathBuf,

    /// The property or column that names the roads, instead of their ids or numbers from 0
    #[arg(long, value_name = "NAME")]
    road_id: Option<String>,

    /// Farthest that an image covers a road from, in metres
    #[arg(long, value_name = "M", default_value_t = RoadQuery::DEFAULT_WITHIN_M,
          allow_hyphen_values = true)]
    within: f64,

    /// Flat images cover only roads that they look along, within 45° of either direction
    #[arg(long)]
    heading_aware: bool,

    /// Count ages back from the end of this date, instead of from the newest image of the source
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    as_of: Option<Period>,

    #[command(flatten)]
    filter: args::Filter,
    #[command(flatten)]
    output: Output,
}

/// How the answer is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct Output {
    /// Format of the roads: geojson, geojsonseq, csv, parquet, arrow or ids; or table, which is
    /// their sum; where nothing is said, by the extension of -o, else table on a terminal and
    /// geojson in a pipe
    #[arg(short, long, value_name = "FORMAT", value_parser = Format::from_str)]
    format: Option<Format>,

    /// Columns in this order, geometry among them
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    fields: Option<Vec<String>>,

    /// File to write, whole or not at all; the sum is printed then
    #[arg(short = 'o', long = "output", value_name = "FILE|-")]
    target: Option<PathBuf>,

    /// Replace the file if it is there
    #[arg(long)]
    overwrite: bool,

    /// Answer from what is held, with a warning, where tiles around roads are not
    #[arg(long)]
    partial: bool,
}

impl From<Output> for args::Output {
    fn from(typed: Output) -> Self {
        Self {
            format: typed.format,
            columns: args::Columns {
                fields: typed.fields,
                wkt: false,
            },
            target: typed.target,
            overwrite: typed.overwrite,
            count: false,
            limit: None,
            partial: typed.partial,
        }
    }
}

/// Measures, and writes the roads, their sum, or both.
pub(crate) fn measure(typed: Coverage, on_terminal: bool, voice: Voice) -> Result<(), Failure> {
    let output = args::Output::from(typed.output);
    let answer = plan::answer(&output, on_terminal)?;
    plan::check_columns(&output.columns, answer, Rows::Roads, &Place::Everywhere)?;
    let target = plan::target(&output);
    output::check(&target)?;
    let roads = Feature::read(&typed.roads, typed.road_id.as_deref());
    let roads = roads.map_err(tilesight::Error::from)?;
    check_roads(&roads).map_err(|error| tilesight::Error::from(error.in_file(&typed.roads)))?;
    let data = ask::open(&typed.source, voice)?;
    let query = RoadQuery {
        within_m: typed.within,
        filter: plan::filter(typed.filter),
        heading_aware: typed.heading_aware,
        as_of_ms: typed.as_of.map(|period| period.last_ms),
        allow_partial: output.partial,
    };
    let found = data.road_coverage(&roads, &query)?;
    ask::voice_missing(found.missing(), voice);
    let format = match answer {
        Answer::Rows(Format::Table { .. }) => return write_sum(&found, &target),
        Answer::Rows(format) => format,
        _ => return Err(Failure::usage("roads are written as rows: -f geojson")),
    };
    let options = Options {
        fields: output.columns.fields.as_deref(),
        data: Some(&data),
        ..Options::new(format, &Place::Everywhere)
    };
    output::write(&target, |out| Ok(found.write_with(&options, out)?))?;
    match target {
        Target::File { .. } => write_sum(&found, &Target::Stdout),
        Target::Stdout => Ok(()),
    }
}

/// Writes how much of all roads together is covered, by kind and age.
fn write_sum(found: &CoveredRoads<'_>, target: &Target) -> Result<(), Failure> {
    let total = found.total();
    output::write(target, |out| {
        writeln!(out, "{:<16}{:>12}  {:>7}", "", "km", "share")?;
        for (name, length_m) in lines(&total) {
            let share = total.share(length_m);
            let share = share.map_or("-".to_owned(), |share| format!("{:.1} %", share * 100.0));
            writeln!(out, "{name:<16}{:>12.3}  {share:>7}", length_m / 1000.0)?;
        }
        let noun = if found.len() == 1 { "road" } else { "roads" };
        Ok(writeln!(out, "{} {noun}", found.len())?)
    })
}

/// What is summed up, and its length.
fn lines(total: &RoadCoverage) -> Vec<(String, f64)> {
    let covered = &total.covered;
    let mut lines = vec![
        ("all".to_owned(), total.length_m),
        ("covered".to_owned(), covered.by_any_m),
        ("by panoramas".to_owned(), covered.by_panoramas_m),
        ("by flat images".to_owned(), covered.by_flat_m),
    ];
    for (years, length_m) in AGES_YEARS.iter().zip(covered.fresh_m) {
        let noun = if *years == 1 { "year" } else { "years" };
        lines.push((format!("within {years} {noun}"), length_m));
    }
    lines
}
