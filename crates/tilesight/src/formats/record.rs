//! What every format sees of an answer: columns of values, and a geometry a row.

use std::borrow::Cow;

use tilesight_query::{FeatureKind, Image, Kind, MapFeature, Sequence, Track};
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
        measure
            .filter(|measure| measure.is_finite())
            .map_or(Self::Null, Self::Measure)
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

    fn geometry(&self) -> Cow<'_, Geometry>;
}

impl Record for Image<'_> {
    fn columns(measured: Measured) -> Vec<Column<Self>> {
        let mut columns = vec![
            column("id", |image: &Self| Value::Id(image.id)),
            column("captured_at", |image: &Self| {
                Value::time(image.captured_at_ms)
            }),
            column("compass_angle", |image: &Self| {
                let known = image.compass_angle_deg.filter(|angle| angle.is_finite());
                known.map_or(Value::Null, Value::Number)
            }),
            column("is_pano", |image: &Self| Value::is_pano(image.kind)),
            column("sequence_id", |image: &Self| {
                image.sequence_id.map_or(Value::Null, Value::Text)
            }),
            column("organization_id", |image: &Self| {
                Value::id(image.organization_id)
            }),
            column("creator_id", |image: &Self| Value::id(image.creator_id)),
        ];
        if measured.distance {
            columns.push(column("distance_m", |image: &Self| {
                Value::measure(image.distance_m)
            }));
        }
        if measured.bearing {
            columns.push(column("bearing_deg", |image: &Self| {
                Value::measure(image.bearing_deg)
            }));
            columns.push(column("offset_deg", |image: &Self| {
                Value::measure(image.offset_deg)
            }));
        }
        columns
    }

    fn id(&self) -> Value<'_> {
        Value::Id(self.id)
    }

    fn id_is_exact(&self) -> bool {
        self.id_is_exact
    }

    fn geometry(&self) -> Cow<'_, Geometry> {
        Cow::Owned(Geometry::Point([self.lon, self.lat]))
    }
}

impl Record for MapFeature<'_> {
    fn columns(measured: Measured) -> Vec<Column<Self>> {
        let mut columns = vec![
            column("id", |feature: &Self| Value::Id(feature.id)),
            column("value", |feature: &Self| {
                feature.value.map_or(Value::Null, Value::Foreign)
            }),
            column("kind", |feature: &Self| {
                Value::Text(match feature.kind {
                    FeatureKind::Point => "point",
                    FeatureKind::TrafficSign => "traffic_sign",
                })
            }),
            column("first_seen_at", |feature: &Self| {
                Value::time(feature.first_seen_at_ms)
            }),
            column("last_seen_at", |feature: &Self| {
                Value::time(feature.last_seen_at_ms)
            }),
        ];
        if measured.distance {
            columns.push(column("distance_m", |feature: &Self| {
                Value::measure(feature.distance_m)
            }));
        }
        columns
    }

    fn id(&self) -> Value<'_> {
        Value::Id(self.id)
    }

    fn id_is_exact(&self) -> bool {
        self.id_is_exact
    }

    fn geometry(&self) -> Cow<'_, Geometry> {
        Cow::Owned(Geometry::Point([self.lon, self.lat]))
    }
}

/// A sequence with its geometry.
#[derive(Debug, Clone)]
pub(super) struct SequenceRecord<'a> {
    sequence: Sequence<'a>,
    geometry: Geometry,
}

impl<'a> SequenceRecord<'a> {
    pub(super) fn new(track: Track<'a>) -> Self {
        let parts = track.line().map(|part| part.map(degrees).collect());
        // Images are all that there is of a sequence without a line: they can be read.
        let images = || track.images().into_iter().flatten();
        let places = || images().map(|image| [image.lon, image.lat]).collect();
        Self {
            sequence: track.sequence,
            geometry: geometry(parts.collect(), places),
        }
    }
}

impl Record for SequenceRecord<'_> {
    fn columns(measured: Measured) -> Vec<Column<Self>> {
        let mut columns = vec![
            column("id", |row: &Self| Value::Text(row.sequence.id)),
            column("image_count", |row: &Self| {
                Value::Count(row.sequence.image_count)
            }),
            column("first_captured_at", |row: &Self| {
                Value::time(row.sequence.first_captured_at_ms)
            }),
            column("last_captured_at", |row: &Self| {
                Value::time(row.sequence.last_captured_at_ms)
            }),
            column("is_pano", |row: &Self| Value::is_pano(row.sequence.kind)),
            column("organization_id", |row: &Self| {
                Value::id(row.sequence.organization_id)
            }),
            column("creator_id", |row: &Self| {
                Value::id(row.sequence.creator_id)
            }),
            column("length_m", |row: &Self| {
                Value::measure(Some(row.sequence.length_m))
            }),
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

    fn geometry(&self) -> Cow<'_, Geometry> {
        Cow::Borrowed(&self.geometry)
    }
}

fn degrees(position: LonLat) -> [f64; 2] {
    [position.lon(), position.lat()]
}

/// The parts of a line, or where there are none the places of the images.
fn geometry(mut parts: Vec<Vec<[f64; 2]>>, places: impl FnOnce() -> Vec<[f64; 2]>) -> Geometry {
    match parts.len() {
        0 => points(places()),
        1 => Geometry::Line(parts.remove(0)),
        _ => Geometry::MultiLine(parts),
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

    #[test]
    fn sequences_are_lines_or_the_places_of_their_images() {
        let [a, b, c, d] = [1.0, 2.0, 3.0, 4.0].map(|lon| [lon, 0.0]);
        let line = |parts: &[[[f64; 2]; 2]]| {
            geometry(parts.iter().map(|part| part.to_vec()).collect(), Vec::new)
        };
        assert_eq!(line(&[[a, b]]), Geometry::Line(vec![a, b]));
        assert_eq!(
            line(&[[a, b], [c, d]]),
            Geometry::MultiLine(vec![vec![a, b], vec![c, d]])
        );
        let places = |places: &[[f64; 2]]| geometry(Vec::new(), || places.to_vec());
        assert_eq!(places(&[a, a]), Geometry::Point(a));
        assert_eq!(places(&[a, c]), Geometry::MultiPoint(vec![a, c]));
    }
}
