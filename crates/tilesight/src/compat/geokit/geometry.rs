//! Where sequences run: parts of lines, read from GeoJSON and written as it.

use std::mem;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tilesight_tile::{LonLat, haversine_m};

/// Positions one after the other; one of a single position is a point.
pub(super) type Part = Vec<LonLat>;

/// Longitude, latitude in degrees.
pub(super) type Degrees = [f64; 2];

/// Positions have as many decimals as lead back to the same position on the world grid.
const DEGREE_SCALE: f64 = 1e9;

/// RFC 7946, section 3.1.8 asks not to nest geometry collections at all.
const MAX_DEPTH: usize = 8;

/// A GeoJSON geometry to be written.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type")]
pub(super) enum Geometry {
    Point {
        coordinates: Degrees,
    },
    MultiPoint {
        coordinates: Vec<Degrees>,
    },
    LineString {
        coordinates: Vec<Degrees>,
    },
    MultiLineString {
        coordinates: Vec<Vec<Degrees>>,
    },
    Polygon {
        coordinates: Vec<Vec<Degrees>>,
    },
    MultiPolygon {
        coordinates: Vec<Vec<Vec<Degrees>>>,
    },
    #[serde(rename = "GeometryCollection")]
    Collection {
        geometries: Vec<Geometry>,
    },
}

/// Length of all parts in metres.
pub(super) fn length_m(parts: &[Part]) -> f64 {
    let steps = parts.iter().flat_map(|part| part.windows(2));
    // The sum of nothing is a negative zero.
    steps.fold(0.0, |length_m, step| {
        length_m + haversine_m(step[0], step[1])
    })
}

/// Metres or square metres with three decimals.
pub(super) fn measured(measure: f64) -> f64 {
    (measure * 1e3).round() / 1e3
}

/// The geometry of parts: lines, and points where a part has but one place, since a line of one
/// position is none.
pub(super) fn geometry(parts: &[Part]) -> Geometry {
    let (mut lines, mut points) = (Vec::new(), Vec::new());
    for part in parts {
        let is_line = part.windows(2).any(|step| step[0] != step[1]);
        if is_line {
            lines.extend(cut_at_antimeridian(part));
        } else {
            points.extend(part.first().copied().map(degrees));
        }
    }
    match (lines.is_empty(), points.is_empty()) {
        (_, true) => line_geometry(lines),
        (true, _) => point_geometry(points),
        _ => Geometry::Collection {
            geometries: vec![line_geometry(lines), point_geometry(points)],
        },
    }
}

fn line_geometry(mut lines: Vec<Vec<Degrees>>) -> Geometry {
    match lines.len() {
        1 => Geometry::LineString {
            coordinates: lines.remove(0),
        },
        _ => Geometry::MultiLineString { coordinates: lines },
    }
}

fn point_geometry(points: Vec<Degrees>) -> Geometry {
    match points[..] {
        [coordinates] => Geometry::Point { coordinates },
        _ => Geometry::MultiPoint {
            coordinates: points,
        },
    }
}

/// The position as it is written.
pub(super) fn degrees(position: LonLat) -> Degrees {
    [position.lon(), position.lat()].map(rounded)
}

/// A coordinate as it is written.
pub(super) fn rounded(degrees: f64) -> f64 {
    (degrees * DEGREE_SCALE).round() / DEGREE_SCALE
}

/// Cuts a line where it crosses the antimeridian (RFC 7946, section 3.1.9).
fn cut_at_antimeridian(part: &[LonLat]) -> Vec<Vec<Degrees>> {
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    let mut last: Option<LonLat> = None;
    for &position in part {
        if let Some((side, lat)) = last.and_then(|last| crossing(last, position)) {
            line.push([side, lat]);
            lines.push(mem::replace(&mut line, vec![[-side, lat]]));
        }
        line.push(degrees(position));
        last = Some(position);
    }
    lines.push(line);
    lines
}

/// Where a step of more than 180° crosses the antimeridian: on which side, and at which latitude.
fn crossing(from: LonLat, to: LonLat) -> Option<(f64, f64)> {
    if (to.lon() - from.lon()).abs() <= 180.0 {
        return None;
    }
    let side = 180.0_f64.copysign(from.lon());
    let (before, after) = ((side - from.lon()).abs(), (side + to.lon()).abs());
    let share = before / (before + after).max(f64::MIN_POSITIVE);
    Some((side, rounded(from.lat() + share * (to.lat() - from.lat()))))
}

/// The members of a geometry.
#[derive(Deserialize)]
#[serde(expecting = "a GeoJSON geometry")]
struct RawGeometry<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    coordinates: Option<&'a RawValue>,
    #[serde(borrow)]
    geometries: Option<Vec<&'a RawValue>>,
}

/// Reads points and lines; the error is to be read after the feature's number.
pub(super) fn read_parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    read_into(text, 0, &mut parts)?;
    Ok(parts)
}

fn read_into(text: &str, depth: usize, parts: &mut Vec<Part>) -> Result<(), String> {
    let raw: RawGeometry<'_> = parse(text)?;
    let coordinates = raw.coordinates.map_or("null", RawValue::get);
    match raw.kind.as_str() {
        "Point" => parts.push(part(&[parse(coordinates)?])?),
        "MultiPoint" => {
            for position in parse::<Vec<Position>>(coordinates)? {
                parts.push(part(&[position])?);
            }
        }
        "LineString" => parts.push(part(&parse::<Vec<Position>>(coordinates)?)?),
        "MultiLineString" => {
            for line in parse::<Vec<Vec<Position>>>(coordinates)? {
                parts.push(part(&line)?);
            }
        }
        "GeometryCollection" if depth < MAX_DEPTH => {
            for geometry in raw.geometries.unwrap_or_default() {
                read_into(geometry.get(), depth + 1, parts)?;
            }
        }
        kind => return Err(format!(" is a {kind}, and neither a point nor a line")),
    }
    Ok(())
}

/// A position; what follows longitude and latitude is passed over.
type Position = Vec<f64>;

fn part(positions: &[Position]) -> Result<Part, String> {
    let position = |position: &Position| match position[..] {
        [lon, lat, ..] => LonLat::new(lon, lat).map_err(|error| format!(": {error}")),
        _ => Err(" has a position of less than two numbers: [24.95, 60.17]".to_owned()),
    };
    let part: Part = positions.iter().map(position).collect::<Result<_, _>>()?;
    if part.is_empty() {
        return Err(" has a line without positions".to_owned());
    }
    Ok(part)
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!(" has another geometry: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn part_of(positions: &[Degrees]) -> Part {
        let position = |&[lon, lat]: &Degrees| LonLat::new(lon, lat).unwrap();
        positions.iter().map(position).collect()
    }

    #[track_caller]
    fn check(parts: &[&[Degrees]], expected: &serde_json::Value) {
        let parts: Vec<Part> = parts.iter().map(|part| part_of(part)).collect();
        let written = serde_json::to_value(geometry(&parts)).unwrap();
        assert_eq!(&written, expected);
        assert_eq!(read_parts(&written.to_string()).unwrap().len(), parts.len());
    }

    #[test]
    fn parts_are_lines_or_points() {
        let [a, b, c] = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
        let line = json!({"type": "LineString", "coordinates": [a, b]});
        let point = json!({"type": "Point", "coordinates": c});
        check(&[&[a, b]], &line);
        check(&[&[c]], &point);
        check(&[&[c, c]], &point);
        check(
            &[&[a], &[b]],
            &json!({"type": "MultiPoint", "coordinates": [a, b]}),
        );
        check(
            &[&[a, b], &[b, c]],
            &json!({"type": "MultiLineString", "coordinates": [[a, b], [b, c]]}),
        );
        check(
            &[&[c], &[a, b]],
            &json!({"type": "GeometryCollection", "geometries": [line, point]}),
        );
    }

    #[test]
    fn lines_are_cut_at_the_antimeridian() {
        let written = geometry(&[part_of(&[[179.0, 10.0], [-179.0, 12.0], [-178.0, 12.0]])]);
        let east = vec![[179.0, 10.0], [180.0, 11.0]];
        let west = vec![[-180.0, 11.0], [-179.0, 12.0], [-178.0, 12.0]];
        let coordinates = vec![east, west];
        assert_eq!(written, Geometry::MultiLineString { coordinates });
        assert_eq!(
            crossing(part_of(&[[180.0, 5.0]])[0], part_of(&[[-180.0, 5.0]])[0]),
            Some((180.0, 5.0))
        );
    }

    #[test]
    fn a_line_of_one_position_is_read_as_the_point_it_is() {
        let parts = read_parts(r#"{"type":"LineString","coordinates":[[24.95,60.17,12.5]]}"#);
        assert_eq!(parts.unwrap(), [part_of(&[[24.95, 60.17]])]);
    }

    #[test]
    fn what_is_no_point_or_line_is_refused() {
        for wrong in [
            r#"{"type":"Polygon","coordinates":[]}"#,
            r#"{"type":"Point","coordinates":[1]}"#,
            r#"{"type":"Point","coordinates":[181,1]}"#,
            r#"{"type":"LineString","coordinates":[]}"#,
            r#"{"type":"LineString"}"#,
            r#"{"coordinates":[1,2]}"#,
            "[]",
        ] {
            assert!(read_parts(wrong).is_err(), "{wrong}");
        }
        let nested = (0..=MAX_DEPTH).fold(
            r#"{"type":"Point","coordinates":[1,2]}"#.to_owned(),
            |inner, _| format!(r#"{{"type":"GeometryCollection","geometries":[{inner}]}}"#),
        );
        assert!(read_parts(&nested).is_err());
    }
}
