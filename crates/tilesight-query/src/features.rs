//! Map features: signs and objects.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use tilesight_tile::{GridBox, GridPoint};

use crate::answer::{Answer, Hit};
use crate::coverage::Need;
use crate::dataset::{Dataset, partial};
use crate::date::MAX_KNOWN_MS;
use crate::dictionary::Texts;
use crate::error::{Error, NotHeld};
use crate::filter::{OrdinalSet, known_between};
use crate::images::{OrdinalSummary, UNKNOWN_MS, bounds_of, flag, is_row};
use crate::index::{
    FANOUT, LEAF_ROWS, Match, PackedTree, Points, RowFilter, Summary, mask_of, mask_of_all,
};
use crate::place::{self, Candidates, PreparedPlace};
use crate::query::{FeatureKind, FeatureQuery, Place};
use crate::rows::MapFeature;
use crate::schema::Tileset;
use crate::scratch::Scratch;
use crate::storage::{Columns, Limits, Sound, Table, columns};

/// Map features: columns in spatial order and the tree over them.
#[derive(Debug, Clone)]
pub(crate) struct Features {
    pub(crate) table: Table<FeatureColumns>,
    pub(crate) tree: PackedTree<FeatureSummary>,
    pub(crate) id_order: Table<FeatureIdOrder>,
    pub(crate) values: Texts,
}

columns! {
    /// One row a feature, in spatial order.
    struct FeatureColumns = "feature", FANOUT * LEAF_ROWS;
    x: u32,
    y: u32,
    id: i64,
    /// Number in the dictionary of values, or none.
    value: u32,
    /// [`UNKNOWN_MS`] where unknown; so with the next.
    first_seen_at_ms: i64,
    last_seen_at_ms: i64,
    flags: u8,
}

impl Sound for FeatureColumns {
    fn is_sound(&self, rows: Range<usize>, limits: &Limits) -> bool {
        let times = [&self.first_seen_at_ms, &self.last_seen_at_ms];
        let is_time = |ms: &i64| (UNKNOWN_MS..=MAX_KNOWN_MS).contains(ms);
        times
            .iter()
            .all(|column| column[rows.clone()].iter().all(is_time))
            && self.value[rows]
                .iter()
                .all(|&value| is_row(value, limits.values))
    }
}

columns! {
    /// Rows in ascending order of their ids, points before signs.
    struct FeatureIdOrder = "feature id order", 4096;
    row: u32,
}

impl Sound for FeatureIdOrder {
    fn is_sound(&self, rows: Range<usize>, limits: &Limits) -> bool {
        self.row[rows]
            .iter()
            .all(|&row| (row as usize) < limits.features)
    }
}

/// What is true of the features below a node.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(crate) struct FeatureSummary {
    values: OrdinalSummary,
    /// Whether there is a sign, and whether there is an object: 0 or 1.
    some_sign: u8,
    some_point: u8,
    reserved: [u8; 6],
}

impl Summary for FeatureSummary {
    const TABLE: &'static str = "feature node";

    fn union(self, other: Self) -> Self {
        Self {
            values: self.values.union(other.values),
            some_sign: self.some_sign | other.some_sign,
            some_point: self.some_point | other.some_point,
            reserved: [0; 6],
        }
    }
}

impl FeatureColumns {
    pub(crate) fn kind(&self, row: usize) -> FeatureKind {
        kind_of(self.flags[row])
    }
}

impl Features {
    fn table(&self) -> place::Table<'_, FeatureSummary> {
        let FeatureColumns { x, y, id, .. } = self.table.columns();
        place::Table {
            points: Points {
                xs: x,
                ys: y,
                ids: id,
                table: &self.table,
            },
            tree: &self.tree,
        }
    }

    fn get(&self, row: u32, hit: Option<Hit>) -> MapFeature<'_> {
        let columns = self.table.columns();
        let i = row as usize;
        let position = GridPoint {
            x: columns.x[i],
            y: columns.y[i],
        }
        .to_lon_lat();
        let known = |ms: i64| (ms != UNKNOWN_MS).then_some(ms);
        MapFeature {
            id: columns.id[i],
            id_is_exact: columns.flags[i] & flag::INEXACT_ID == 0,
            kind: columns.kind(i),
            value: self.values.get(columns.value[i]),
            lon: position.lon(),
            lat: position.lat(),
            first_seen_at_ms: known(columns.first_seen_at_ms[i]),
            last_seen_at_ms: known(columns.last_seen_at_ms[i]),
            distance_m: hit.map(|hit| hit.distance_m),
        }
    }

    /// Rows of some ids, ascending; they may be read.
    fn rows_of(&self, ids: &[i64]) -> Result<Vec<u32>, Error> {
        let order = &self.id_order.touch_all()?.row;
        let columns = self.table.touch_all()?;
        let id_of = |row: &u32| columns.id[*row as usize];
        let mut rows: Vec<u32> = ids
            .iter()
            .flat_map(|&id| {
                let first = order.partition_point(|row| id_of(row) < id);
                let rest = &order[first..];
                rest[..rest.partition_point(|row| id_of(row) == id)]
                    .iter()
                    .copied()
            })
            .collect();
        rows.sort_unstable();
        rows.dedup();
        Ok(rows)
    }
}

const fn kind_of(flags: u8) -> FeatureKind {
    if flags & flag::SIGN != 0 {
        FeatureKind::TrafficSign
    } else {
        FeatureKind::Point
    }
}

/// Packs the tree over features in spatial order.
pub(crate) fn pack(
    columns: &FeatureColumns,
    scratch: &Scratch,
) -> Result<PackedTree<FeatureSummary>, Error> {
    let leaves = (0..columns.len()).step_by(LEAF_ROWS);
    PackedTree::new(leaves.filter_map(|first| leaf(columns, first)), scratch)
}

fn leaf(columns: &FeatureColumns, first: usize) -> Option<(GridBox, FeatureSummary)> {
    let rows = first..(first + LEAF_ROWS).min(columns.len());
    let bounds = bounds_of(&columns.x[rows.clone()], &columns.y[rows.clone()])?;
    let summary = |row: usize| FeatureSummary {
        values: OrdinalSummary::of(columns.value[row]),
        some_sign: u8::from(columns.kind(row) == FeatureKind::TrafficSign),
        some_point: u8::from(columns.kind(row) == FeatureKind::Point),
        reserved: [0; 6],
    };
    Some((bounds, rows.map(summary).reduce(FeatureSummary::union)?))
}

/// A [`FeatureQuery`]'s conditions, made ready for one dataset.
struct FeatureFilter<'a> {
    columns: &'a FeatureColumns,
    kind: Option<FeatureKind>,
    values: Option<OrdinalSet>,
    first_seen_ms: Option<(i64, i64)>,
    last_seen_ms: Option<(i64, i64)>,
    /// Ascending.
    ids: Option<Vec<i64>>,
}

impl<'a> FeatureFilter<'a> {
    fn new(query: &FeatureQuery, features: &'a Features) -> Self {
        let mut ids = query.ids.clone();
        ids.sort_unstable();
        Self {
            columns: features.table.columns(),
            kind: query.kind,
            values: (!query.values.is_empty()).then(|| {
                OrdinalSet::new(
                    query
                        .values
                        .iter()
                        .flat_map(|v| matching(&features.values, v)),
                )
            }),
            first_seen_ms: known_between(query.first_seen_since, query.first_seen_until),
            last_seen_ms: known_between(query.last_seen_since, query.last_seen_until),
            ids: (!ids.is_empty()).then_some(ids),
        }
    }
}

/// The values that a pattern means: itself, or all that start with what stands before its `*`.
fn matching(values: &Texts, pattern: &str) -> Range<u32> {
    match pattern.strip_suffix('*') {
        Some(prefix) => values.with_prefix(prefix),
        None => values.find(pattern).map_or(0..0, |value| value..value + 1),
    }
}

impl RowFilter<FeatureSummary> for FeatureFilter<'_> {
    fn classify(&self, summary: &FeatureSummary) -> Match {
        let of_rows =
            self.first_seen_ms.is_some() || self.last_seen_ms.is_some() || self.ids.is_some();
        let of_kind = match self.kind {
            None => Match::All,
            Some(FeatureKind::Point) => has(summary.some_point == 1, summary.some_sign == 1),
            Some(FeatureKind::TrafficSign) => has(summary.some_sign == 1, summary.some_point == 1),
        };
        let of_value = self
            .values
            .as_ref()
            .map_or(Match::All, |values| values.classify(&summary.values));
        of_kind
            .and(of_value)
            .and(if of_rows { Match::Some } else { Match::All })
    }

    fn mask(&self, rows: Range<usize>) -> u64 {
        let columns = self.columns;
        let mut mask = mask_of_all(rows.len());
        if let Some(kind) = self.kind {
            mask &= mask_of(&columns.flags[rows.clone()], |flags| kind_of(flags) == kind);
        }
        if let Some(values) = &self.values {
            mask &= values.mask(&columns.value[rows.clone()]);
        }
        let times = [
            (self.first_seen_ms, &columns.first_seen_at_ms),
            (self.last_seen_ms, &columns.last_seen_at_ms),
        ];
        for (range, column) in times {
            if let Some((first, last)) = range {
                mask &= mask_of(&column[rows.clone()], |ms| (first <= ms) & (ms <= last));
            }
        }
        if let Some(ids) = &self.ids {
            mask &= mask_of(&columns.id[rows], |id| ids.binary_search(&id).is_ok());
        }
        mask
    }
}

fn has(wanted: bool, other: bool) -> Match {
    match (wanted, other) {
        (false, _) => Match::None,
        (true, true) => Match::Some,
        (true, false) => Match::All,
    }
}

impl Dataset {
    /// Finds map features: signs and objects.
    ///
    /// # Returns
    ///
    /// A [`FeatureSelection`], each feature once: for boxes and regions in the dataset's own
    /// spatial order, which is the same every time; nearest first, then by id, where the place
    /// has a target.
    ///
    /// # Errors
    ///
    /// [`Error::NotHeld`] when the place touches tiles of the kinds asked for that the dataset
    /// does not hold, [`Error::NoTileset`] when it holds none of a kind at all; unless the query
    /// [allows that](FeatureQuery::allow_partial). [`Error::FeaturesLookAtNothing`] for a
    /// looking-at place, [`Error::OutOfRange`] for a radius that cannot be.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight_query::build::{FeatureRow, Holding, Part, build};
    /// use tilesight_query::{FeatureKind, FeatureQuery, Tileset};
    /// use tilesight_tile::TileId;
    ///
    /// let tile = TileId::new(14, 9326, 4742)?;
    /// let mut part = Part::new();
    /// let mut rows = part.tile(tile, None);
    /// let stop = rows.value("regulatory--stop--g1");
    /// rows.feature(FeatureRow {
    ///     kind: FeatureKind::TrafficSign,
    ///     point: tile.origin(),
    ///     id: 7,
    ///     id_is_exact: true,
    ///     value: Some(stop),
    ///     first_seen_at_ms: None,
    ///     last_seen_at_ms: None,
    /// });
    /// let held = Holding { tiles: vec![tile], ..Holding::nothing(Tileset::TrafficSigns) };
    /// let data = build(vec![part], &[held])?;
    ///
    /// let regulatory = FeatureQuery { values: vec!["regulatory--*".into()], ..Default::default() };
    /// assert_eq!(data.features(&regulatory)?.ids().collect::<Vec<_>>(), [7]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Source
    ///
    /// The `point` and `traffic_sign` layers of Mapillary's tiles.
    pub fn features(&self, query: &FeatureQuery) -> Result<FeatureSelection<'_>, Error> {
        if matches!(query.place, Place::LookingAt { .. }) {
            return Err(Error::FeaturesLookAtNothing);
        }
        let features = &self.features;
        features.values.touch()?;
        let filter = FeatureFilter::new(query, features);
        let candidates = match &filter.ids {
            Some(ids) => Candidates::Rows(features.rows_of(ids)?),
            None => Candidates::All,
        };
        let place = PreparedPlace::new(&query.place)?;
        let mut answer = features.table().find(&place, &filter, &candidates)?;
        let missing = self.missing_features(query, &place, &answer)?;
        answer.truncate(query.limit.unwrap_or(usize::MAX));
        answer.touch(&features.table)?;
        Ok(FeatureSelection {
            features,
            answer,
            missing,
        })
    }

    fn missing_features(
        &self,
        query: &FeatureQuery,
        place: &PreparedPlace<'_>,
        answer: &Answer,
    ) -> Result<Option<NotHeld>, Error> {
        let mut first_missing = None;
        for tileset in self.feature_tilesets(query) {
            let need = Need::Rows(tileset);
            let missing = match self.coverage.missing(need, place) {
                Err(Error::NoTileset(_)) if query.allow_partial => None,
                missing => missing?,
            };
            let beyond = self.coverage.missing_of_nearest(need, place, answer);
            let missing = partial(missing.or(beyond), query.allow_partial)?;
            first_missing = first_missing.or(missing);
        }
        Ok(first_missing)
    }

    /// The tilesets that an answer needs: that of the kind asked for, else all of which there is
    /// anything, and the first if there is nothing of either.
    fn feature_tilesets(&self, query: &FeatureQuery) -> Vec<Tileset> {
        match query.kind {
            Some(FeatureKind::Point) => vec![Tileset::Points],
            Some(FeatureKind::TrafficSign) => vec![Tileset::TrafficSigns],
            None => {
                let mut there = vec![Tileset::Points, Tileset::TrafficSigns];
                there.retain(|&tileset| self.coverage.held(tileset).is_some());
                if there.is_empty() {
                    vec![Tileset::Points]
                } else {
                    there
                }
            }
        }
    }
}

/// The map features that a question found, in answer order.
#[derive(Debug, Clone)]
pub struct FeatureSelection<'a> {
    features: &'a Features,
    answer: Answer,
    missing: Option<NotHeld>,
}

impl<'a> FeatureSelection<'a> {
    /// How many features were found.
    pub fn len(&self) -> usize {
        self.answer.len()
    }

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tiles that the place touches and the dataset does not hold, where
    /// [`allow_partial`](FeatureQuery::allow_partial) let them be missing.
    pub const fn missing(&self) -> Option<&NotHeld> {
        self.missing.as_ref()
    }

    /// Ids.
    pub fn ids(&self) -> impl Iterator<Item = i64> + '_ {
        self.answer
            .iter()
            .map(|(row, _)| self.features.table.columns().id[row as usize])
    }

    /// The features.
    pub fn iter(&self) -> impl Iterator<Item = MapFeature<'a>> + '_ {
        self.answer
            .iter()
            .map(|(row, hit)| self.features.get(row, hit))
    }
}
