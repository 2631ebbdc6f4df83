//! Images that look at targets, as rows.

use std::borrow::Cow;
use std::io::{self, Write};

use tilesight_query::{Image, Kind};

#[cfg(feature = "arrow")]
use super::Batches;
use super::chunks::chunks_of;
use super::record::{Column, Context, Geometry, POINTS_A_CHUNK, Record, Type, Value};
use super::record::{column, required};
use super::{Export, Options, Written};
use crate::sight::Sightings;

/// An image and the name of the target that it looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct SightingRecord<'a> {
    target_id: &'a str,
    image: Image<'a>,
}

impl Record for SightingRecord<'_> {
    type Chunk = Vec<Self>;
    const NOUN: &'static str = "sightings";
    const IS_POINT: bool = true;
    const CHUNK_ROWS: usize = POINTS_A_CHUNK;

    fn rows(chunk: &Self::Chunk, _: &Context<'_>) -> impl Iterator<Item = Self> {
        chunk.iter().copied()
    }

    fn written(chunk: &Self::Chunk) -> Written {
        Written::of(chunk)
    }

    fn columns(_: &Context<'_>) -> Vec<Column<Self>> {
        use Type::{Category, Flag, Integer, Real, Text, Time};
        vec![
            required("lon", Real, |row: &Self| Value::Degrees(row.image.lon)),
            required("lat", Real, |row: &Self| Value::Degrees(row.image.lat)),
            required("target_id", Text, |row: &Self| {
                Value::Foreign(row.target_id)
            }),
            required("id", Integer, |row: &Self| Value::Id(row.image.id)),
            column("distance_m", Real, |row: &Self| {
                Value::measure(row.image.distance_m)
            }),
            column("bearing_deg", Real, |row: &Self| {
                Value::measure(row.image.bearing_deg)
            }),
            column("offset_deg", Real, |row: &Self| {
                Value::measure(row.image.offset_deg)
            }),
            column("captured_at", Time, |row: &Self| {
                Value::time(row.image.captured_at_ms)
            }),
            column("compass_angle", Real, |row: &Self| {
                row.image
                    .compass_angle_deg
                    .map_or(Value::Null, Value::Number)
            }),
            column("is_pano", Flag, |row: &Self| {
                (row.image.kind).map_or(Value::Null, |kind| Value::Flag(kind == Kind::Pano))
            }),
            column("sequence_id", Category, |row: &Self| {
                row.image.sequence_id.map_or(Value::Null, Value::Text)
            }),
            column("organization_id", Integer, |row: &Self| {
                Value::id(row.image.organization_id)
            }),
            column("creator_id", Integer, |row: &Self| {
                Value::id(row.image.creator_id)
            }),
        ]
    }

    fn id(&self) -> Value<'_> {
        Value::Id(self.image.id)
    }

    fn id_is_exact(&self) -> bool {
        self.image.id_is_exact
    }

    fn geometry(&self) -> Cow<'_, Geometry> {
        Cow::Owned(Geometry::Point([self.image.lon, self.image.lat]))
    }
}

impl<'a> Sightings<'a> {
    fn records(&self) -> impl Iterator<Item = SightingRecord<'a>> + use<'a, '_> {
        self.iter().map(|(target, image)| SightingRecord {
            target_id: &target.id,
            image,
        })
    }
}

/// Rows are images, at whose positions they lie; the target is `target_id`.
impl Export for Sightings<'_> {
    fn write_with(&self, options: &Options<'_>, out: &mut dyn Write) -> io::Result<Written> {
        let chunks = || chunks_of(self.records(), SightingRecord::CHUNK_ROWS);
        super::write::<SightingRecord<'_>, _>(chunks, self.len(), options, out)
    }

    #[cfg(feature = "arrow")]
    fn batches<'s>(&'s self, options: &Options<'s>) -> io::Result<Batches<'s>> {
        let chunks = chunks_of(self.records(), SightingRecord::CHUNK_ROWS);
        Batches::new::<SightingRecord<'s>>(chunks, options)
    }
}
