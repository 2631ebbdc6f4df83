//! What every format sees of an answer: columns of values, and a geometry a row.

use std::borrow::Cow;
#[cfg(feature = "arrow")]
use std::sync::{Arc, OnceLock};

#[cfg(feature = "arrow")]
use arrow_array::ArrayRef;
#[cfg(feature = "arrow")]
use arrow_buffer::ScalarBuffer;
#[cfg(feature = "arrow")]
use tilesight_query::Groups;
use tilesight_query::{FeatureKind, Image, Kind, MapFeature, Place, Selection, Sequence, Track};
use tilesight_tile::LonLat;

#[cfg(feature = "arrow")]
use super::arrays;
#[cfg(feature = "arrow")]
use super::pool::Pool;
use super::{Written, gaps};
use crate::Dataset;

/// Points that are transformed at once.
pub(super) const POINTS_A_CHUNK: usize = 1 << 14;

/// Lines that are transformed at once; each has some hundred vertices.
pub(super) const LINES_A_CHUNK: usize = 1 << 8;

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
    /// A longitude or latitude.
    Degrees(f64),
    /// A finite number as its tile has it.
    Number(f64),
    /// A finite number that a query measured.
    Measure(f64),
    /// How many.
    Count(u32),
}

impl Value<'_> {
    pub(super) fn id(id: Option<i64>) -> Self {
        id.map_or(Self::Null, Self::Id)
    }

    pub(super) fn time(ms: Option<i64>) -> Self {
        ms.map_or(Self::Null, Self::Time)
    }

    pub(super) fn measure(measure: Option<f64>) -> Self {
        measure
            .filter(|measure| measure.is_finite())
            .map_or(Self::Null, Self::Measure)
    }

    fn is_pano(kind: Option<Kind>) -> Self {
        kind.map_or(Self::Null, |kind| Self::Flag(kind == Kind::Pano))
    }
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// [`Value::Id`] or [`Value::Count`].
    Integer,
    /// [`Value::Degrees`], [`Value::Number`] or [`Value::Measure`].
    Real,
    /// [`Value::Text`] or [`Value::Foreign`], different from row to row.
    Text,
    /// The same, with few different ones.
    Category,
    /// [`Value::Time`].
    Time,
    /// [`Value::Flag`].
    Flag,
}

/// A named property of the rows of an answer.
#[cfg_attr(
    not(feature = "arrow"),
    allow(dead_code, reason = "texts need no types")
)]
pub(super) struct Column<R> {
    pub(super) name: &'static str,
    pub(super) type_: Type,
    /// Whether every row has it.
    pub(super) is_required: bool,
    pub(super) value: for<'a> fn(&'a R) -> Value<'a>,
}

impl<R> Clone for Column<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Column<R> {}

pub(super) const fn column<R>(
    name: &'static str,
    type_: Type,
    value: for<'a> fn(&'a R) -> Value<'a>,
) -> Column<R> {
    Column {
        name,
        type_,
        is_required: false,
        value,
    }
}

pub(super) const fn required<R>(
    name: &'static str,
    type_: Type,
    value: for<'a> fn(&'a R) -> Value<'a>,
) -> Column<R> {
    Column {
        is_required: true,
        ..column(name, type_, value)
    }
}

/// What decides which columns an answer has, beside its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'d> {
    /// Whether the question measured distances.
    pub(super) has_distance: bool,
    /// Whether it measured bearings.
    pub(super) has_bearing: bool,
    /// The dataset that was asked, if it is known.
    pub(super) data: Option<&'d Dataset>,
}

impl<'d> Context<'d> {
    pub(super) const fn new(place: &Place, data: Option<&'d Dataset>) -> Self {
        let (has_distance, has_bearing) = match place {
            Place::Everywhere | Place::Bbox(_) | Place::Region(_) => (false, false),
            Place::Near { .. } | Place::Nearest { .. } => (true, false),
            Place::LookingAt { .. } => (true, true),
        };
        Self {
            has_distance,
            has_bearing,
            data,
        }
    }
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
    /// Rows that lie side by side in an answer.
    type Chunk: Send + Sync;

    /// What the rows are, as `images`.
    const NOUN: &'static str;

    /// Whether every row is a point, with a longitude and a latitude.
    const IS_POINT: bool;

    /// Rows of a chunk, which are transformed at once: some megabytes of text or columns.
    const CHUNK_ROWS: usize;

    /// The rows of a chunk.
    fn rows(chunk: &Self::Chunk, context: &Context<'_>) -> impl Iterator<Item = Self>;

    /// What there is to say of a chunk when it was written.
    fn written(chunk: &Self::Chunk) -> Written;

    /// Longitudes and latitudes of a chunk, where every row is a point.
    #[cfg(feature = "arrow")]
    fn positions(_chunk: &Self::Chunk, _pool: &Arc<Pool>) -> Option<[ScalarBuffer<f64>; 2]> {
        None
    }

    /// A column of a chunk by its name, where it can be made at once, instead of value by value.
    #[cfg(feature = "arrow")]
    fn array(_chunk: &Self::Chunk, _name: &str, _pool: &Arc<Pool>) -> Option<ArrayRef> {
        None
    }

    /// The columns of an answer, longitude and latitude first where there are such.
    fn columns(context: &Context<'_>) -> Vec<Column<Self>>;

    /// The id, which every row has.
    fn id(&self) -> Value<'_>;

    /// Whether the id is as the service gave it.
    fn id_is_exact(&self) -> bool;

    fn geometry(&self) -> Cow<'_, Geometry>;
}

/// Images that lie side by side in an answer.
#[derive(Debug)]
pub(super) struct ImageChunk<'a> {
    pub(super) images: Selection<'a>,
    /// What they belong to, of which several columns are made.
    #[cfg(feature = "arrow")]
    groups: OnceLock<Groups<'a>>,
}

impl<'a> ImageChunk<'a> {
    /// Cuts an answer into chunks.
    pub(super) fn all<'s>(
        images: &'s Selection<'a>,
        chunk_rows: usize,
    ) -> impl Iterator<Item = Self> + Send + use<'a, 's> {
        images.parts(chunk_rows).map(Self::new)
    }

    pub(super) const fn new(images: Selection<'a>) -> Self {
        Self {
            images,
            #[cfg(feature = "arrow")]
            groups: OnceLock::new(),
        }
    }

    #[cfg(feature = "arrow")]
    pub(super) fn groups(&self) -> &Groups<'a> {
        self.groups.get_or_init(|| self.images.groups())
    }
}

impl<'a> Record for Image<'a> {
    type Chunk = ImageChunk<'a>;
    const NOUN: &'static str = "images";
    const IS_POINT: bool = true;
    const CHUNK_ROWS: usize = POINTS_A_CHUNK;

    fn rows(chunk: &Self::Chunk, _: &Context<'_>) -> impl Iterator<Item = Self> {
        chunk.images.iter()
    }

    fn written(chunk: &Self::Chunk) -> Written {
        Written {
            rows: chunk.images.len() as u64,
            inexact_ids: chunk.images.inexact_ids() as u64,
        }
    }

    #[cfg(feature = "arrow")]
    fn positions(chunk: &Self::Chunk, pool: &Arc<Pool>) -> Option<[ScalarBuffer<f64>; 2]> {
        Some(arrays::positions(&chunk.images, pool))
    }

    #[cfg(feature = "arrow")]
    fn array(chunk: &Self::Chunk, name: &str, pool: &Arc<Pool>) -> Option<ArrayRef> {
        arrays::of_images(chunk, name, pool)
    }

    fn columns(context: &Context<'_>) -> Vec<Column<Self>> {
        image_columns(context)
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

/// A row that is an image, or has one among other things.
pub(super) trait HasImage {
    fn image(&self) -> &Image<'_>;
}

impl HasImage for Image<'_> {
    fn image(&self) -> &Image<'_> {
        self
    }
}

/// The columns of images, longitude and latitude first.
pub(super) fn image_columns<R: HasImage>(context: &Context<'_>) -> Vec<Column<R>> {
    use Type::{Category, Flag, Integer, Real, Time};
    let mut columns = vec![
        required("lon", Real, |row: &R| Value::Degrees(row.image().lon)),
        required("lat", Real, |row: &R| Value::Degrees(row.image().lat)),
        required("id", Integer, |row: &R| Value::Id(row.image().id)),
        column("captured_at", Time, |row: &R| {
            Value::time(row.image().captured_at_ms)
        }),
        column("compass_angle", Real, |row: &R| {
            let angle = row.image().compass_angle_deg;
            let known = angle.filter(|angle| angle.is_finite());
            known.map_or(Value::Null, Value::Number)
        }),
        column("is_pano", Flag, |row: &R| Value::is_pano(row.image().kind)),
        column("sequence_id", Category, |row: &R| {
            row.image().sequence_id.map_or(Value::Null, Value::Text)
        }),
        column("organization_id", Integer, |row: &R| {
            Value::id(row.image().organization_id)
        }),
        column("creator_id", Integer, |row: &R| {
            Value::id(row.image().creator_id)
        }),
    ];
    if context.has_distance {
        columns.push(column("distance_m", Real, |row: &R| {
            Value::measure(row.image().distance_m)
        }));
    }
    if context.has_bearing {
        columns.push(column("bearing_deg", Real, |row: &R| {
            Value::measure(row.image().bearing_deg)
        }));
        columns.push(column("offset_deg", Real, |row: &R| {
            Value::measure(row.image().offset_deg)
        }));
    }
    columns
}

/// Where the column of a target stands among those of images: behind longitude and latitude.
pub(super) const TARGET_COLUMN: usize = 2;

/// The columns of images that were found for targets.
pub(super) fn image_columns_of<R: HasImage>(
    target: Column<R>,
    context: &Context<'_>,
) -> Vec<Column<R>> {
    let mut columns = image_columns(context);
    columns.insert(TARGET_COLUMN, target);
    columns
}

impl<'a> Record for MapFeature<'a> {
    type Chunk = Vec<MapFeature<'a>>;
    const NOUN: &'static str = "features";
    const IS_POINT: bool = true;
    const CHUNK_ROWS: usize = POINTS_A_CHUNK;

    fn rows(chunk: &Self::Chunk, _: &Context<'_>) -> impl Iterator<Item = Self> {
        chunk.iter().copied()
    }

    fn written(chunk: &Self::Chunk) -> Written {
        Written::of(chunk)
    }

    fn columns(context: &Context<'_>) -> Vec<Column<Self>> {
        use Type::{Category, Integer, Real, Time};
        let mut columns = vec![
            required("lon", Real, |feature: &Self| Value::Degrees(feature.lon)),
            required("lat", Real, |feature: &Self| Value::Degrees(feature.lat)),
            required("id", Integer, |feature: &Self| Value::Id(feature.id)),
            column("value", Category, |feature: &Self| {
                feature.value.map_or(Value::Null, Value::Foreign)
            }),
            required("kind", Category, |feature: &Self| {
                Value::Text(match feature.kind {
                    FeatureKind::Point => "point",
                    FeatureKind::TrafficSign => "traffic_sign",
                })
            }),
            column("first_seen_at", Time, |feature: &Self| {
                Value::time(feature.first_seen_at_ms)
            }),
            column("last_seen_at", Time, |feature: &Self| {
                Value::time(feature.last_seen_at_ms)
            }),
        ];
        if context.has_distance {
            columns.push(column("distance_m", Real, |feature: &Self| {
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
    /// Unbroken parts of the line.
    line_parts: u32,
    /// Tiles not held into which the line runs, where the dataset is there to be asked.
    tiles_missing: Option<u32>,
}

impl<'a> SequenceRecord<'a> {
    fn new(track: &Track<'a>, context: &Context<'_>) -> Self {
        let parts = line_parts(track);
        Self {
            sequence: track.sequence,
            line_parts: parts.len() as u32,
            tiles_missing: context.data.map(|data| gaps::tiles_missing(&parts, data)),
            geometry: geometry(parts, || places_of(track)),
        }
    }
}

impl<'a> Record for SequenceRecord<'a> {
    type Chunk = Vec<Track<'a>>;
    const NOUN: &'static str = "sequences";
    const IS_POINT: bool = false;
    const CHUNK_ROWS: usize = LINES_A_CHUNK;

    fn rows(chunk: &Self::Chunk, context: &Context<'_>) -> impl Iterator<Item = Self> {
        chunk.iter().map(|track| Self::new(track, context))
    }

    fn written(chunk: &Self::Chunk) -> Written {
        Written {
            rows: chunk.len() as u64,
            inexact_ids: 0,
        }
    }

    fn columns(context: &Context<'_>) -> Vec<Column<Self>> {
        use Type::{Flag, Integer, Real, Text, Time};
        let mut columns = vec![
            required("id", Text, |row: &Self| Value::Text(row.sequence.id)),
            required("image_count", Integer, |row: &Self| {
                Value::Count(row.sequence.image_count)
            }),
            column("first_captured_at", Time, |row: &Self| {
                Value::time(row.sequence.first_captured_at_ms)
            }),
            column("last_captured_at", Time, |row: &Self| {
                Value::time(row.sequence.last_captured_at_ms)
            }),
            column("is_pano", Flag, |row: &Self| {
                Value::is_pano(row.sequence.kind)
            }),
            column("organization_id", Integer, |row: &Self| {
                Value::id(row.sequence.organization_id)
            }),
            column("creator_id", Integer, |row: &Self| {
                Value::id(row.sequence.creator_id)
            }),
            required("length_m", Real, |row: &Self| {
                Value::Measure(row.sequence.length_m)
            }),
            required("line_parts", Integer, |row: &Self| {
                Value::Count(row.line_parts)
            }),
            column("tiles_missing", Integer, |row: &Self| {
                row.tiles_missing.map_or(Value::Null, Value::Count)
            }),
        ];
        if context.has_distance {
            columns.push(column("distance_m", Real, |row: &Self| {
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

/// The unbroken parts of the line of a sequence.
pub(super) fn line_parts(track: &Track<'_>) -> Vec<Vec<[f64; 2]>> {
    let parts = track.line().map(|part| part.map(degrees).collect());
    parts.collect()
}

/// Where a sequence lies: its line or, without one, its images.
#[cfg(feature = "fetch")]
pub(super) fn geometry_of(track: &Track<'_>) -> Geometry {
    geometry(line_parts(track), || places_of(track))
}

/// The images of a sequence without a line, in capture order.
pub(super) fn images_of<'a>(track: &Track<'a>) -> impl Iterator<Item = Image<'a>> + use<'a> {
    // They are all that there is of it, and were found readable.
    track.images().into_iter().flatten()
}

fn places_of(track: &Track<'_>) -> Vec<[f64; 2]> {
    let images = images_of(track);
    images.map(|image| [image.lon, image.lat]).collect()
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
