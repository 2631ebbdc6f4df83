//! Roads and how much of them is covered, as rows.

use std::borrow::Cow;
use std::io::{self, Write};

#[cfg(feature = "arrow")]
use super::Batches;
use super::chunks::chunks_of;
use super::record::{Column, Context, Geometry, LINES_A_CHUNK, Record, Type, Value};
use super::record::{column, required};
use super::{Export, Options, Written};
use crate::roads::{AGES_YEARS, CoveredRoads, RoadCoverage};
use crate::shapes::{Feature, Position, turn_of};

/// A road and how much of it is covered.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoadRecord<'a> {
    road: &'a Feature,
    coverage: RoadCoverage,
}

impl RoadRecord<'_> {
    fn share(&self, covered_m: f64) -> Value<'_> {
        Value::measure(self.coverage.share(covered_m))
    }

    /// The share covered by images of an age.
    fn fresh<const AGE: usize>(&self) -> Value<'_> {
        self.share(self.coverage.covered.fresh_m[AGE])
    }
}

impl Record for RoadRecord<'_> {
    type Chunk = Vec<Self>;
    const NOUN: &'static str = "roads";
    const IS_POINT: bool = false;
    const CHUNK_ROWS: usize = LINES_A_CHUNK;

    fn rows(chunk: &Self::Chunk, _: &Context<'_>) -> impl Iterator<Item = Self> {
        chunk.iter().copied()
    }

    fn written(chunk: &Self::Chunk) -> Written {
        Written::of(chunk)
    }

    fn columns(_: &Context<'_>) -> Vec<Column<Self>> {
        const _: () = assert!(
            matches!(AGES_YEARS, [1, 2, 3, 5, 10]),
            "as the columns are named"
        );
        use Type::{Real, Text, Time};
        vec![
            required("id", Text, |row: &Self| Value::Foreign(&row.road.id)),
            required("length_m", Real, |row: &Self| {
                Value::Measure(row.coverage.length_m)
            }),
            column("covered", Real, |row: &Self| {
                row.share(row.coverage.covered.by_any_m)
            }),
            column("covered_pano", Real, |row: &Self| {
                row.share(row.coverage.covered.by_panoramas_m)
            }),
            column("covered_flat", Real, |row: &Self| {
                row.share(row.coverage.covered.by_flat_m)
            }),
            column("covered_1y", Real, Self::fresh::<0>),
            column("covered_2y", Real, Self::fresh::<1>),
            column("covered_3y", Real, Self::fresh::<2>),
            column("covered_5y", Real, Self::fresh::<3>),
            column("covered_10y", Real, Self::fresh::<4>),
            column("newest_captured_at", Time, |row: &Self| {
                Value::time(row.coverage.newest_captured_at_ms)
            }),
        ]
    }

    fn id(&self) -> Value<'_> {
        Value::Foreign(&self.road.id)
    }

    fn id_is_exact(&self) -> bool {
        true
    }

    fn geometry(&self) -> Cow<'_, Geometry> {
        let lines = self.road.shape.lines().iter();
        let mut lines: Vec<_> = lines.map(|line| on_the_map(line)).collect();
        Cow::Owned(match lines.len() {
            1 => Geometry::Line(lines.remove(0)),
            _ => Geometry::MultiLine(lines),
        })
    }
}

/// Positions between −180 and 180, as they came.
fn on_the_map(line: &[Position]) -> Vec<Position> {
    line.iter()
        .map(|&[lon, lat]| [lon - turn_of(lon), lat])
        .collect()
}

impl<'a> CoveredRoads<'a> {
    fn records(&self) -> impl Iterator<Item = RoadRecord<'a>> + use<'a, '_> {
        self.iter()
            .map(|(road, coverage)| RoadRecord { road, coverage })
    }
}

/// Rows are roads; shares of their length are numbers from 0 to 1.
impl Export for CoveredRoads<'_> {
    fn write_with(&self, options: &Options<'_>, out: &mut dyn Write) -> io::Result<Written> {
        let chunks = || chunks_of(self.records(), RoadRecord::CHUNK_ROWS);
        super::write::<RoadRecord<'_>, _>(chunks, self.len(), options, out)
    }

    #[cfg(feature = "arrow")]
    fn batches<'s>(&'s self, options: &Options<'s>) -> io::Result<Batches<'s>> {
        let chunks = chunks_of(self.records(), RoadRecord::CHUNK_ROWS);
        Batches::new::<RoadRecord<'s>>(chunks, options)
    }
}
