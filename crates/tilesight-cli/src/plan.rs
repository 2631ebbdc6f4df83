//! What to do: from what was typed to questions.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tilesight::formats::{Format, Rows, SequenceShape, check_fields};
use tilesight::{
    Bbox, FeatureKind, FeatureQuery, Filter, GroupBy, ImageQuery, Kind, LonLat, Place, Region,
    SequenceQuery,
};

use crate::annotate;
use crate::args::{self, Source};
use crate::failure::Failure;

/// Rows of a table on a terminal where no limit is given.
const TERMINAL_ROWS: usize = 40;

/// A question about a source, and what becomes of the answer.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) source: Source,
    pub(crate) question: Question,
    pub(crate) answer: Answer,
    pub(crate) columns: args::Columns,
    pub(crate) target: Target,
}

/// What is asked.
#[derive(Debug)]
pub(crate) enum Question {
    Images(ImageQuery),
    Sequences(SequenceQuery),
    Features(FeatureQuery),
}

/// What is wanted of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Its rows.
    Rows(Format),
    /// Sequences in the shape of another service, as one or line by line.
    Shape {
        shape: SequenceShape,
        as_lines: bool,
    },
    /// Their number.
    Count,
    /// The number of images in each group, as CSV or as lines to read.
    Groups { by: GroupBy, as_csv: bool },
}

/// Where the answer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Stdout,
    File { path: PathBuf, overwrite: bool },
}

impl Plan {
    pub(crate) fn images(typed: args::Images, on_terminal: bool) -> Result<Self, Failure> {
        let answer = match typed.count_by {
            Some(by) => groups(by, &typed.output, on_terminal)?,
            None => answer(&typed.output, on_terminal)?,
        };
        let query = ImageQuery {
            place: place(&typed.place)?,
            filter: annotate::narrowed(filter(typed.filter), typed.annotated, &typed.source)?,
            limit: typed.output.limit,
            allow_partial: typed.output.partial,
        };
        check_columns(&typed.output.columns, answer, Rows::Images, &query.place)?;
        let question = Question::Images(query);
        Ok(Self::new(typed.source, question, answer, typed.output))
    }

    pub(crate) fn sequences(typed: args::Sequences, on_terminal: bool) -> Result<Self, Failure> {
        let answer = match shape(typed.shape) {
            Some(shape) => shaped(shape, &typed.output)?,
            None => answer(&typed.output, on_terminal)?,
        };
        let query = SequenceQuery {
            place: place(&typed.place)?,
            filter: annotate::narrowed(filter(typed.filter), typed.annotated, &typed.source)?,
            limit: typed.output.limit,
            allow_partial: typed.output.partial,
        };
        check_columns(&typed.output.columns, answer, Rows::Sequences, &query.place)?;
        let question = Question::Sequences(query);
        Ok(Self::new(typed.source, question, answer, typed.output))
    }

    pub(crate) fn features(typed: args::Features, on_terminal: bool) -> Result<Self, Failure> {
        let answer = answer(&typed.output, on_terminal)?;
        let args::FeatureFilter { points, signs, .. } = typed.filter;
        let query = FeatureQuery {
            place: place(&typed.place)?,
            kind: either(points, FeatureKind::Point, signs, FeatureKind::TrafficSign),
            values: typed.filter.values,
            first_seen_since: typed.filter.first_seen_since,
            first_seen_until: typed.filter.first_seen_until,
            last_seen_since: typed.filter.last_seen_since,
            last_seen_until: typed.filter.last_seen_until,
            ids: typed.filter.ids,
            limit: typed.output.limit,
            allow_partial: typed.output.partial,
        };
        check_columns(&typed.output.columns, answer, Rows::Features, &query.place)?;
        let question = Question::Features(query);
        Ok(Self::new(typed.source, question, answer, typed.output))
    }

    fn new(source: Source, question: Question, answer: Answer, output: args::Output) -> Self {
        Self {
            source,
            question,
            answer,
            target: target(&output),
            columns: output.columns,
        }
    }
}

/// The source and the question of a download.
pub(crate) fn pictures(typed: args::DownloadImages) -> Result<(Source, ImageQuery), Failure> {
    let query = ImageQuery {
        place: place(&typed.place)?,
        filter: filter(typed.filter),
        limit: typed.limit,
        allow_partial: typed.partial,
    };
    Ok((typed.source, query))
}

/// The images of a heat map.
pub(crate) fn heatmap(typed: &args::Info) -> Result<ImageQuery, Failure> {
    Ok(ImageQuery {
        place: area(typed.bbox, typed.aoi.as_deref())?.unwrap_or_default(),
        ..ImageQuery::default()
    })
}

/// A box or a region, where either is given.
fn area(bbox: Option<Bbox>, aoi: Option<&Path>) -> Result<Option<Place>, Failure> {
    match (bbox, aoi) {
        (Some(bbox), _) => Ok(Some(Place::Bbox(bbox))),
        (_, Some(path)) => Ok(Some(Place::Region(region(path)?))),
        _ => Ok(None),
    }
}

fn place(typed: &args::Place) -> Result<Place, Failure> {
    check_companions(typed)?;
    if let Some(area) = area(typed.bbox, typed.aoi.as_deref())? {
        return Ok(area);
    }
    if let Some(target) = typed.near {
        return near(target, typed);
    }
    if let Some(target) = typed.looking_at {
        return Ok(Place::LookingAt {
            target,
            radius_m: typed.radius.unwrap_or(Place::DEFAULT_RADIUS_M),
            fov_deg: typed.fov.unwrap_or(Place::DEFAULT_FOV_DEG),
        });
    }
    Ok(Place::Everywhere)
}

/// Refuses options that would silently have no effect.
fn check_companions(typed: &args::Place) -> Result<(), Failure> {
    let (near, looking_at) = (typed.near.is_some(), typed.looking_at.is_some());
    for (is_given, is_used, message) in [
        (
            typed.radius.is_some(),
            near || looking_at,
            "--radius needs a centre: --near 24.9384,60.1699 --radius 50",
        ),
        (
            typed.nearest.is_some(),
            near,
            "--nearest needs a centre: --near 24.9384,60.1699 --nearest 10",
        ),
        (
            typed.fov.is_some(),
            looking_at,
            "--fov belongs to --looking-at: --looking-at 24.9384,60.1699 --fov 100",
        ),
    ] {
        if is_given && !is_used {
            return Err(Failure::usage(message));
        }
    }
    Ok(())
}

fn near(target: LonLat, typed: &args::Place) -> Result<Place, Failure> {
    match (typed.nearest, typed.radius) {
        (Some(k), radius_m) => Ok(Place::Nearest {
            target,
            k,
            radius_m,
        }),
        (None, Some(radius_m)) => Ok(Place::Near { target, radius_m }),
        (None, None) => Err(Failure::usage(
            "--near needs to know how far: add --radius 50 (metres), --nearest 10, or both",
        )),
    }
}

/// Reads a region from a GeoJSON file, or from standard input.
pub(crate) fn region(path: &Path) -> Result<Region, Failure> {
    let name = if is_dash(path) {
        "standard input".into()
    } else {
        path.display().to_string()
    };
    let bytes = if is_dash(path) {
        read_stdin()
    } else {
        fs::read(path)
    };
    let bytes = bytes
        .map_err(|error| Failure::usage(format!("cannot read the region in {name}: {error}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("the region in {name} is not text in UTF-8")))?;
    // Some editors mark UTF-8 files, which JSON does not allow for.
    Region::from_geojson(text.trim_start_matches('\u{feff}'))
        .map_err(|error| Failure::usage(format!("the region in {name} is refused: {error}")))
}

fn read_stdin() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

pub(crate) fn filter(typed: args::Filter) -> Filter {
    Filter {
        since: typed.since,
        until: typed.until,
        kind: either(typed.pano, Kind::Pano, typed.flat, Kind::Flat),
        organizations: typed.organizations,
        creators: typed.creators,
        sequences: typed.sequences,
        heading: typed.heading,
        ids: typed.ids,
    }
}

/// Which of two options that exclude each other was given.
fn either<T>(first: bool, of_first: T, second: bool, of_second: T) -> Option<T> {
    match (first, second) {
        (true, _) => Some(of_first),
        (_, true) => Some(of_second),
        _ => None,
    }
}

pub(crate) fn target(typed: &args::Output) -> Target {
    file(typed).map_or(Target::Stdout, |path| Target::File {
        path: path.to_owned(),
        overwrite: typed.overwrite,
    })
}

pub(crate) fn answer(typed: &args::Output, on_terminal: bool) -> Result<Answer, Failure> {
    if typed.count {
        return Ok(Answer::Count);
    }
    let format = match (typed.format, file(typed)) {
        (Some(format), _) => format,
        (None, Some(path)) => Format::of_path(path).ok_or_else(|| unknown_extension(path))?,
        (None, None) if on_terminal => Format::Table {
            max_rows: usize::MAX,
        },
        (None, None) => Format::GeoJson,
    };
    if format.is_binary() && on_terminal && file(typed).is_none() {
        return Err(Failure::usage(
            "a terminal does not show this format: write a file, as -o town.parquet",
        ));
    }
    let shortens = on_terminal && file(typed).is_none() && typed.limit.is_none();
    Ok(Answer::Rows(match format {
        Format::Table { .. } if shortens => Format::Table {
            max_rows: TERMINAL_ROWS,
        },
        format => format,
    }))
}

const fn shape(typed: args::Shape) -> Option<SequenceShape> {
    match typed {
        args::Shape::Tilesight => None,
        args::Shape::V2 => Some(SequenceShape::V2),
        args::Shape::V2Geojson => Some(SequenceShape::V2GeoJson),
        args::Shape::V3 => Some(SequenceShape::V3),
    }
}

fn shaped(shape: SequenceShape, typed: &args::Output) -> Result<Answer, Failure> {
    let format = typed
        .format
        .or_else(|| file(typed).and_then(Format::of_path));
    let as_lines = match format {
        Some(Format::GeoJsonSeq) => true,
        Some(Format::GeoJson) | None => false,
        Some(_) => {
            return Err(Failure::usage(
                "these shapes are JSON, as one (-f geojson) or line by line (-f geojsonseq)",
            ));
        }
    };
    Ok(Answer::Shape { shape, as_lines })
}

/// Refuses columns that there are not, and those that would silently have no effect.
pub(crate) fn check_columns(
    typed: &args::Columns,
    answer: Answer,
    rows: Rows,
    place: &Place,
) -> Result<(), Failure> {
    let Some(fields) = &typed.fields else {
        let has_effect = !typed.wkt || answer == Answer::Rows(Format::Csv);
        let problem = "--wkt belongs to csv: --wkt -f csv";
        return has_effect.then_some(()).ok_or(Failure::usage(problem));
    };
    match answer {
        Answer::Rows(Format::Ids) => Err(Failure::usage(
            "ids have no fields: --fields id,captured_at -f csv",
        )),
        Answer::Groups { .. } => Err(Failure::usage(
            "--fields chooses columns of rows, not of counts: leave out --count-by",
        )),
        _ => check_fields(fields, rows, place).map_err(Failure::usage),
    }
}

fn groups(by: args::GroupBy, typed: &args::Output, on_terminal: bool) -> Result<Answer, Failure> {
    let format = typed
        .format
        .or_else(|| file(typed).and_then(Format::of_path));
    let as_csv = match format {
        Some(Format::Csv) => true,
        Some(Format::Table { .. }) => false,
        None => !on_terminal || file(typed).is_some(),
        Some(_) => {
            return Err(Failure::usage(
                "--count-by is written as csv or table: -f csv",
            ));
        }
    };
    let by = match by {
        args::GroupBy::Day => GroupBy::Day,
        args::GroupBy::Month => GroupBy::Month,
        args::GroupBy::Year => GroupBy::Year,
        args::GroupBy::Organization => GroupBy::Organization,
        args::GroupBy::Creator => GroupBy::Creator,
        args::GroupBy::Kind => GroupBy::Kind,
    };
    Ok(Answer::Groups { by, as_csv })
}

/// The file that the answer goes to, unless that is standard output.
fn file(typed: &args::Output) -> Option<&Path> {
    typed.target.as_deref().filter(|path| !is_dash(path))
}

fn unknown_extension(path: &Path) -> Failure {
    Failure::usage(format!(
        "{} does not tell its format: end it in .geojson, .geojsonl, .csv, .parquet, .arrow, \
         .ids or .txt, or add \
         -f geojson",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn plan(line: &str, on_terminal: bool) -> Result<Plan, String> {
        let words = std::iter::once("tilesight").chain(line.split_whitespace());
        let arguments =
            args::Arguments::try_parse_from(words).map_err(|error| error.to_string())?;
        let plan = match arguments.command {
            args::Command::Images(typed) => Plan::images(typed, on_terminal),
            args::Command::Sequences(typed) => Plan::sequences(typed, on_terminal),
            args::Command::Features(typed) => Plan::features(typed, on_terminal),
            _ => unreachable!("not a question"),
        };
        plan.map_err(|failure| failure.message().unwrap().into_owned())
    }

    fn place_of(line: &str) -> Place {
        match plan(line, false).unwrap().question {
            Question::Images(query) => query.place,
            Question::Sequences(query) => query.place,
            Question::Features(query) => query.place,
        }
    }

    fn answer_of(line: &str, on_terminal: bool) -> Answer {
        plan(line, on_terminal).unwrap().answer
    }

    #[test]
    fn negative_numbers_in_every_spelling() {
        for line in [
            "images t --bbox -71.2,42,-71.1,42.5",
            "images t --bbox=-71.2,42,-71.1,42.5",
        ] {
            let Place::Bbox(bbox) = place_of(line) else {
                panic!("{line}")
            };
            assert_eq!((bbox.west(), bbox.north()), (-71.2, 42.5));
        }
        for line in [
            "features t --near -71.2,-42 --radius 5",
            "images t --near=-71.2,-42 --radius=5",
        ] {
            let Place::Near { target, radius_m } = place_of(line) else {
                panic!("{line}")
            };
            assert_eq!((target.lon(), target.lat(), radius_m), (-71.2, -42.0, 5.0));
        }
    }

    #[test]
    fn near_is_a_radius_a_number_or_both() {
        assert!(matches!(
            place_of("images t --near 1,2 --radius 5"),
            Place::Near { .. }
        ));
        assert!(matches!(
            place_of("images t --near 1,2 --nearest 3"),
            Place::Nearest {
                k: 3,
                radius_m: None,
                ..
            }
        ));
        assert!(matches!(
            place_of("images t --near 1,2 --nearest 3 --radius 5"),
            Place::Nearest {
                k: 3,
                radius_m: Some(5.0),
                ..
            }
        ));
    }

    #[test]
    fn looking_at_has_defaults() {
        let Place::LookingAt {
            radius_m, fov_deg, ..
        } = place_of("images t --looking-at 1,2")
        else {
            panic!()
        };
        assert_eq!((radius_m, fov_deg), (50.0, 100.0));
    }

    #[test]
    fn the_format_follows_the_file_the_terminal_and_the_option() {
        let rows = |max_rows| Answer::Rows(Format::Table { max_rows });
        assert_eq!(answer_of("images t", false), Answer::Rows(Format::GeoJson));
        assert_eq!(answer_of("images t", true), rows(TERMINAL_ROWS));
        assert_eq!(answer_of("images t --limit 9", true), rows(usize::MAX));
        assert_eq!(answer_of("images t -f table", false), rows(usize::MAX));
        assert_eq!(
            answer_of("images t -o a.csv", true),
            Answer::Rows(Format::Csv)
        );
        assert_eq!(
            answer_of("images t -o a.csv -f ids", true),
            Answer::Rows(Format::Ids)
        );
        assert_eq!(
            answer_of("images t -o -", false),
            Answer::Rows(Format::GeoJson)
        );
        assert_eq!(answer_of("images t --count", true), Answer::Count);
        let groups = |as_csv| Answer::Groups {
            by: GroupBy::Month,
            as_csv,
        };
        assert_eq!(answer_of("images t --count-by month", true), groups(false));
        assert_eq!(answer_of("images t --count-by month", false), groups(true));
    }

    #[test]
    fn shapes_are_whole_or_line_by_line() {
        let shaped = |as_lines| Answer::Shape {
            shape: SequenceShape::V3,
            as_lines,
        };
        assert_eq!(answer_of("sequences t --shape v3", true), shaped(false));
        assert_eq!(
            answer_of("sequences t --shape v3 -o a.geojsonl", true),
            shaped(true)
        );
        assert_eq!(
            answer_of("sequences t --shape tilesight", false),
            Answer::Rows(Format::GeoJson)
        );
    }

    #[test]
    fn fields_of_a_measured_place_are_there() {
        let plan = plan(
            "images t --near 1,2 --radius 5 --fields id,distance_m",
            false,
        )
        .unwrap();
        assert_eq!(plan.columns.fields.unwrap(), ["id", "distance_m"]);
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn a_terminal_shows_no_columns() {
        let message = plan("images t -f parquet", true).unwrap_err();
        assert!(message.contains("-o town.parquet"), "{message}");
        assert_eq!(
            answer_of("images t -f parquet", false),
            Answer::Rows(Format::Parquet)
        );
    }

    #[track_caller]
    fn check_refused(line: &str, expected: &str) {
        let message = plan(line, false).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn mistakes_are_answered_with_a_right_one() {
        check_refused("images t --near 1,2", "--radius 50");
        check_refused("images t --radius 5", "--near 24.9384,60.1699 --radius 50");
        check_refused("images t --bbox 1,2,3,4 --nearest 5", "--nearest 10");
        check_refused("images t --near 1,2 --radius 1 --fov 9", "--looking-at");
        check_refused("images t --bbox 1,2,3", "24.92,60.16,24.95,60.18");
        check_refused("images t --bbox 1,2,3,4 --near 1,2", "cannot be used with");
        check_refused("images t --pano --flat", "cannot be used with");
        check_refused("images t --since yesterday", "2023-05-01");
        check_refused("images t --near 200,10 --radius 1", "-180 to 180");
        check_refused("images t --near 1,2 --radius x", "12.5");
        check_refused("images t -f shapefile", "geojsonseq");
        check_refused("images t -o town.shp", "-f geojson");
        check_refused("images t --fields id,colour", "captured_at");
        check_refused("images t --fields distance_m", "compass_angle");
        check_refused("images t --fields id,id", "twice");
        check_refused("images t --fields id -f ids", "-f csv");
        check_refused("images t --fields id --count-by year", "--count-by");
        check_refused("images t --wkt", "-f csv");
        check_refused("sequences t --shape v2 -f csv", "-f geojsonseq");
        check_refused("sequences t --shape v4", "v2-geojson");
        check_refused("sequences t --fields lon", "length_m");
        check_refused("images t --count-by month -f geojson", "-f csv");
        check_refused("images t --org acme", "498763468214164");
        check_refused("images t --aoi no/such.geojson", "no/such.geojson");
    }
}
