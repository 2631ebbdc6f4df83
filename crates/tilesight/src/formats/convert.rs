//! GeoJSON of any origin, in every format.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{self, Write};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::csv::{push_guarded, push_key, push_list, push_positions, push_text};
use super::number::push_degrees;
use super::{ATTRIBUTION, Format, LICENSE, Written};

#[cfg(feature = "arrow")]
mod columns;

/// The property that comes first.
const ID: &str = "id";

/// Properties that are ids, some of which begin like a formula.
const KEYS: [&str; 3] = [ID, "image_id", "sequence_id"];

/// Spaces between the columns of a table.
const GAP: usize = 2;

/// Writes a GeoJSON feature or feature collection in another format, or in the same.
///
/// The columns are the properties of all features, each once. In columns and cells what a feature
/// lacks is empty; lists and objects are JSON. CSV begins with `ID` and `WKT`, and ends with
/// `longitude` and `latitude` where there are points. Columns of Arrow and GeoParquet are integers,
/// reals, flags or texts, as their values allow.
///
/// # Errors
///
/// Those of `out`, and of kind [`InvalidData`](io::ErrorKind::InvalidData) when the text is no
/// feature and no collection of such, or a geometry is none of the six simple ones.
///
/// # Cost
///
/// The document is kept in memory as a tree.
///
/// # Example
///
/// ```
/// use tilesight::formats::{Format, convert};
///
/// let bench = r#"{"type": "Feature", "geometry": {"type": "Point", "coordinates": [24.5, 60.25]},
///     "properties": {"id": 17, "value": "object--bench"}}"#;
/// let mut csv = Vec::new();
/// convert(bench, Format::Csv, &mut csv)?;
/// assert_eq!(
///     str::from_utf8(&csv)?,
///     "ID,WKT,value,longitude,latitude\n17,POINT (24.5 60.25),object--bench,24.5,60.25\n",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn convert(geojson: &str, format: Format, out: &mut dyn Write) -> io::Result<Written> {
    let document = serde_json::from_str(geojson).map_err(invalid)?;
    let features = features_of(document).ok_or_else(|| invalid(NO_FEATURES))?;
    match format {
        Format::GeoJson => write_collection(&features, out)?,
        Format::GeoJsonSeq => write_lines(&features, out)?,
        _ => write_rows(&rows_of(&features)?, format, out)?,
    }
    out.flush()?;
    Ok(Written {
        rows: features.len() as u64,
        inexact_ids: 0,
    })
}

const NO_FEATURES: &str = "it is neither a GeoJSON FeatureCollection nor a Feature";

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn features_of(mut document: Value) -> Option<Vec<Value>> {
    match document["type"].as_str()? {
        "FeatureCollection" => match document["features"].take() {
            Value::Array(features) => Some(features),
            _ => None,
        },
        "Feature" => Some(vec![document]),
        _ => None,
    }
}

fn rows_of(features: &[Value]) -> io::Result<Vec<Feature>> {
    let rows = features.iter().map(Feature::deserialize);
    rows.collect::<Result<_, _>>().map_err(invalid)
}

fn write_rows(rows: &[Feature], format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        #[cfg(feature = "arrow")]
        Format::Arrow => columns::write_arrow(rows, out),
        #[cfg(feature = "parquet")]
        Format::Parquet => columns::write_parquet(rows, out),
        Format::Ids => write_ids(rows, out),
        Format::Table { max_rows } => write_table(rows, max_rows, out),
        _ => out.write_all(&csv(rows)),
    }
}

fn write_collection(features: &[Value], out: &mut dyn Write) -> io::Result<()> {
    let (attribution, license) = (Value::from(ATTRIBUTION), Value::from(LICENSE));
    write!(
        out,
        "{{\"type\":\"FeatureCollection\",\"attribution\":{attribution},\"license\":{license},\
         \"features\":["
    )?;
    for (index, feature) in features.iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        write!(out, "{separator}\n{feature}")?;
    }
    out.write_all(b"\n]}\n")
}

fn write_lines(features: &[Value], out: &mut dyn Write) -> io::Result<()> {
    features
        .iter()
        .try_for_each(|feature| writeln!(out, "{feature}"))
}

fn write_ids(rows: &[Feature], out: &mut dyn Write) -> io::Result<()> {
    rows.iter()
        .try_for_each(|row| writeln!(out, "{}", cell(row.property(ID))))
}

/// Aligned columns: id, the other properties, and where points are.
fn write_table(rows: &[Feature], max_rows: usize, out: &mut dyn Write) -> io::Result<()> {
    let names = names(rows);
    let head = names.iter().map(|&name| Cow::from(name)).collect();
    let shown = rows.iter().take(max_rows);
    let cells = shown.map(|row| names.iter().map(|name| cell(row.property(name))).collect());
    let lines: Vec<Vec<Cow<'_, str>>> = std::iter::once(head).chain(cells).collect();
    let width = |column: usize| {
        let lengths = lines.iter().map(|line| line[column].chars().count());
        lengths.max().unwrap_or_default() + GAP
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    for line in &lines {
        let padded = line.iter().zip(&widths);
        let padded: Vec<String> = padded
            .map(|(cell, &width)| format!("{cell:width$}"))
            .collect();
        writeln!(out, "{}", padded.concat().trim_end())?;
    }
    writeln!(out, "{} rows", rows.len())
}

fn csv(rows: &[Feature]) -> Vec<u8> {
    let names: Vec<&str> = names(rows).into_iter().filter(|&name| name != ID).collect();
    let has_points = rows.iter().any(|row| row.point().is_some());
    let mut out = Vec::from(b"ID,WKT");
    let places = ["longitude", "latitude"];
    let places = places.iter().take(if has_points { 2 } else { 0 });
    for name in names.iter().chain(places) {
        out.push(b',');
        push_guarded(&mut out, name);
    }
    out.push(b'\n');
    for row in rows {
        push_csv_row(&mut out, row, &names, has_points);
    }
    out
}

fn push_csv_row(out: &mut Vec<u8>, row: &Feature, names: &[&str], has_points: bool) {
    push_cell(out, row, ID);
    out.push(b',');
    if let Some(geometry) = &row.geometry {
        push_text(out, &wkt(geometry));
    }
    for name in names {
        out.push(b',');
        push_cell(out, row, name);
    }
    if has_points {
        let [lon, lat] = row.point().map_or([None; 2], |position| position.map(Some));
        for degrees in [lon, lat] {
            out.push(b',');
            if let Some(degrees) = degrees {
                push_degrees(out, degrees);
            }
        }
    }
    out.push(b'\n');
}

fn push_cell(out: &mut Vec<u8>, row: &Feature, name: &str) {
    match row.property(name) {
        Value::String(text) if KEYS.contains(&name) => push_key(out, text),
        Value::String(text) => push_guarded(out, text),
        other => push_text(out, &cell(other)),
    }
}

/// The names of all properties, the id first, the others as they come.
fn names(rows: &[Feature]) -> Vec<&str> {
    let mut names = vec![ID];
    let mut seen = HashSet::from([ID]);
    let all = rows.iter().flat_map(|row| &row.properties).flatten();
    names.extend(
        all.map(|(name, _)| name.as_str())
            .filter(|&name| seen.insert(name)),
    );
    names
}

/// A value as text: nothing for null, JSON for what has parts.
fn cell(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => "".into(),
        Value::String(text) => text.into(),
        other => other.to_string().into(),
    }
}

/// Well-known text (OGC 06-103r4).
fn wkt(geometry: &Geometry) -> String {
    let mut out = Vec::new();
    let line = |out: &mut Vec<u8>, line: &Vec<Position>| push_positions(out, &degrees(line));
    let lines = |out: &mut Vec<u8>, lines: &Vec<Vec<Position>>| push_list(out, lines, line);
    out.extend_from_slice(geometry.name().to_ascii_uppercase().as_bytes());
    out.push(b' ');
    match geometry {
        Geometry::Point(Position(position)) => push_positions(&mut out, &[*position]),
        Geometry::MultiPoint(points) => push_list(&mut out, points, |out, point| {
            push_positions(out, &[point.0]);
        }),
        Geometry::LineString(positions) => line(&mut out, positions),
        Geometry::MultiLineString(parts) | Geometry::Polygon(parts) => lines(&mut out, parts),
        Geometry::MultiPolygon(polygons) => push_list(&mut out, polygons, lines),
    }
    String::from_utf8(out).unwrap_or_default()
}

fn degrees(positions: &[Position]) -> Vec<[f64; 2]> {
    positions.iter().map(|position| position.0).collect()
}

#[derive(Deserialize)]
struct Feature {
    geometry: Option<Geometry>,
    properties: Option<Map<String, Value>>,
}

impl Feature {
    fn property(&self, name: &str) -> &Value {
        let found = self.properties.as_ref().and_then(|all| all.get(name));
        found.unwrap_or(&Value::Null)
    }

    fn point(&self) -> Option<[f64; 2]> {
        match self.geometry {
            Some(Geometry::Point(Position(position))) => Some(position),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "coordinates")]
enum Geometry {
    Point(Position),
    MultiPoint(Vec<Position>),
    LineString(Vec<Position>),
    MultiLineString(Vec<Vec<Position>>),
    Polygon(Vec<Vec<Position>>),
    MultiPolygon(Vec<Vec<Vec<Position>>>),
}

impl Geometry {
    /// Its type, as GeoJSON and GeoParquet name it.
    const fn name(&self) -> &'static str {
        match self {
            Self::Point(_) => "Point",
            Self::MultiPoint(_) => "MultiPoint",
            Self::LineString(_) => "LineString",
            Self::MultiLineString(_) => "MultiLineString",
            Self::Polygon(_) => "Polygon",
            Self::MultiPolygon(_) => "MultiPolygon",
        }
    }
}

/// Longitude and latitude; an altitude is passed over.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "Vec<f64>")]
struct Position([f64; 2]);

impl TryFrom<Vec<f64>> for Position {
    type Error = &'static str;

    fn try_from(numbers: Vec<f64>) -> Result<Self, Self::Error> {
        match numbers[..] {
            [lon, lat, ..] => Ok(Self([lon, lat])),
            _ => Err("a position has a longitude and a latitude"),
        }
    }
}
