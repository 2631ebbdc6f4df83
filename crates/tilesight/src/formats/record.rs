//! What every format sees of an answer: columns of values, and a geometry a row.

use tilesight_query::{FeatureKind, Image, Kind, MapFeature, Sequence};
use tilesight_tile::LonLat;

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    /// Unknown.
    Null,
    /// An integer id, which JSON gets as text: its readers lose integers above 2⁵³.
    Id(i64),
    /// A text of our own, or a sequence id.
    Text(&'a str),
    /// A text of which tiles decide what is in it.
    Foreign(&'a str),
    /// Milliseconds since 1970, UTC.
    Time(i64),
    /// Yes or no.
    Flag(bool),
    /// A finite number as its tile has it.
    Number(f64),
    /// A finite number that a query measured.
    Measure(f64),
    /// How many.
    Count(u32),
}

impl Value<'_> {
    fn id(id: Option<i64>) -> Self {
        id.map_or(Self::Null, Self::Id)
    }

    fn time(ms: Option<i64>) -> Self {
        ms.map_or(Self::Null, Self::Time)
    }

    fn measure(measure: Option<f64>) -> Self {
        measure.filter(|measure| measure.is_finite()).map_or(Self::Null, Self::Measure)
    }

    fn is_pano(kind: Option<Kind>) -> Self {
        kind.map_or(Self::Null, |kind| Self::Flag(kind == Kind::Pano))
    }
}

/// A named property of the rows of an answer.
pub(super) struct Column<R> {
    pub(super) name: &'static str,
    pub(super) value: for<'a> fn(&'a R) -> Value<'a>,
}

const fn column<R>(name: &'static str, value: for<'a> fn(&'a R) -> Value<'a>) -> Column<R> {
    Column { name, value }
}

/// Which columns the question adds to those that every row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) distance: bool,
    pub(super) bearing: bool,
}

/// Where a row lies. Positions are longitude and latitude in degrees.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Geometry {
    Point([f64; 2]),
    MultiPoint(Vec<[f64; 2]>),
    Line(Vec<[f64; 2]>),
    MultiLine(Vec<Vec<[f64; 2]>>),
}

/// A row of an answer.
pub(super) trait Record: Sized {
    /// The columns of an answer, the id among them.
    fn columns(measured: Measured) -> Vec<Column<Self>>;

    /// The id, which every row has.
    fn id(&self) -> Value<'_>;

    /// Whether the id is as the service gave it.
    fn id_is_exact(&self) -> bool;

    fn geometry(&self) -> Geometry;
}

impl Record for Image<'_> {
    fn columns(measured: Measured) -> Vec<Column<Self>> {
        let mut columns = vec![
            column("id", |image: &Self| Value::Id(image.id)),
            column("captured_at", |image: &Self| Value::time(image.captured_at_ms)),
            column("compass_angle", |image: &Self| {
                let known = image.compass_angle_deg.filter(|angle| angle.is_finite());
                known.map_or(Value::Null, Value::Number)
            }),
            column("is_pano", |image: &Self| Value::is_pano(image.kind)),
            column("sequence_id", |image: &Self| image.sequence_id.map_or(Value::Null, Value::Text)),
            column("organization_id", |image: &Self| Value::id(image.organization_id)),
            column("creator_id", |image: &Self| Value::id(image.creator_id)),
        ];
        if measured.distance {
            columns.push(column("distance_m", |image: &Self| Value::measure(image.distance_m)));
        }
        if measured.bearing {
            columns.push(column("bearing_deg", |image: &Self| Value::measure(image.bearing_deg)));
            columns.push(column("offset_deg", |image: &Self| Value::measure(image.offset_deg)));
        }
        columns
    }

    fn id(&self) -> Value<'_> {
        Value::Id(self.id)
    }

    fn id_is_exact(&self) -> bool {
        self.id_is_exact
    }

    fn geometry(&self) -> Geometry {
        Geometry::Point([self.lon, self.lat])
    }
}

impl Record for MapFeature<'_> {
    fn columns(measured: Measured) -> Vec<Column<Self>> {
        let mut columns = vec![
            column("id", |feature: &Self| Value::Id(feature.id)),
            column("value", |feature: &Self| feature.value.map_or(Value::Null, Value::Foreign)),
            column("kind", |feature: &Self| {
                Value::Text(match feature.kind {
                    FeatureKind::Point => "point",
                    FeatureKind::TrafficSign => "traffic_sign",
                })
            }),
            column("first_seen_at", |feature: &Self| Value::time(feature.first_seen_at_ms)),
            column("last_seen_at", |feature: &Self| Value::time(feature.last_seen_at_ms)),
        ];
        if measured.distance {
            columns.push(column("distance_m", |feature: &Self| Value::measure(feature.distance_m)));
        }
        columns
    }

    fn id(&self) -> Value<'_> {
        Value::Id(self.id)
    }

    fn id_is_exact(&self) -> bool {
        self.id_is_exact
    }

    fn geometry(&self) -> Geometry {
        Geometry::Point([self.lon, self.lat])
    }
}

/// A sequence with its line: unbroken parts, each of one or more positions.
#[derive(Debug, Clone)]
pub(super) struct SequenceRecord<'a> {
    pub(super) sequence: Sequence<'a>,
    pub(super) parts: Vec<Vec<LonLat>>,
}

impl Record for SequenceRecord<'_> {
    fn columns(measured: Measured) -> Vec<Column<Self>> {
        let mut columns = vec![
            column("id", |row: &Self| Value::Text(row.sequence.id)),
            column("image_count", |row: &Self| Value::Count(row.sequence.image_count)),
            column("first_captured_at", |row: &Self| {
                Value::time(row.sequence.first_captured_at_ms)
            }),
            column("last_captured_at", |row: &Self| Value::time(row.sequence.last_captured_at_ms)),
            column("is_pano", |row: &Self| Value::is_pano(row.sequence.kind)),
            column("organization_id", |row: &Self| Value::id(row.sequence.organization_id)),
            column("creator_id", |row: &Self| Value::id(row.sequence.creator_id)),
            column("length_m", |row: &Self| Value::measure(Some(row.sequence.length_m))),
        ];
        if measured.distance {
            columns.push(column("distance_m", |row: &Self| {
                Value::measure(row.sequence.distance_m)
            }));
        }
        columns
    }

    fn id(&self) -> Value<'_> {
        Value::Text(self.sequence.id)
    }

    fn id_is_exact(&self) -> bool {
        true
    }

    /// The line. Parts of a single position are left out beside longer ones, since no line has
    /// fewer than two; where there is no longer one, the positions themselves are the geometry.
    fn geometry(&self) -> Geometry {
        let position = |vertex: &LonLat| [vertex.lon(), vertex.lat()];
        let positions = |part: &Vec<LonLat>| part.iter().map(position).collect::<Vec<_>>();
        let lines = self.parts.iter().filter(|part| part.len() > 1);
        let mut lines: Vec<_> = lines.map(positions).collect();
        if lines.is_empty() {
            return points(self.parts.iter().flatten().map(position).collect());
        }
        match lines.len() {
            1 => Geometry::Line(lines.remove(0)),
            _ => Geometry::MultiLine(lines),
        }
    }
}

fn points(mut positions: Vec<[f64; 2]>) -> Geometry {
    positions.dedup();
    match positions[..] {
        [position] => Geometry::Point(position),
        _ => Geometry::MultiPoint(positions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(parts: &[&[[f64; 2]]], expected: &Geometry) {
        let vertex = |&[lon, lat]: &[f64; 2]| LonLat::new(lon, lat).unwrap();
        let record = SequenceRecord {
            sequence: Sequence {
                id: "a",
                image_count: 1,
                first_captured_at_ms: None,
                last_captured_at_ms: None,
                kind: None,
                organization_id: None,
                creator_id: None,
                length_m: 0.0,
                distance_m: None,
            },
            parts: parts.iter().map(|part| part.iter().map(vertex).collect()).collect(),
        };
        assert_eq!(&record.geometry(), expected);
    }

    #[test]
    fn lines_of_sequences() {
        let (a, b, c, d) = ([1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0]);
        check(&[&[a, b]], &Geometry::Line(vec![a, b]));
        check(&[&[a, b], &[c, d]], &Geometry::MultiLine(vec![vec![a, b], vec![c, d]]));
        check(&[&[a, b], &[c]], &Geometry::Line(vec![a, b]));
        check(&[&[a], &[a]], &Geometry::Point(a));
        check(&[&[a], &[c]], &Geometry::MultiPoint(vec![a, c]));
    }
}
