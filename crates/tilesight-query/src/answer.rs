//! The rows of an answer: as ranges and masks where the order is that of the table, as a list
//! where it is that of the distance.

use std::ops::Range;
use std::slice;
use std::sync::Arc;

use tilesight_tile::{GridPoint, LonLat, haversine_m, initial_bearing_deg};

use crate::error::Error;
use crate::index::{LEAF_ROWS, RowAt, Sink, Target, bits};
use crate::storage::{Touch, prefetch};

/// Rows in the order of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Ascending.
    Rows(RowSet),
    /// Nearest first, measured when they are read.
    Ranked(RankedRows),
    /// Nearest first.
    Hits(Vec<Hit>),
    /// As the answers came that were joined, measured when they are read.
    Joined(JoinedRows),
}

/// Positions near a target in the order of their distance.
#[derive(Debug, Clone)]
pub(crate) struct RankedRows {
    pub(crate) target: Target,
    pub(crate) places: Vec<RowAt>,
    /// Whether the rows look at the target.
    pub(crate) look: bool,
}

/// Rows of several answers, one answer after the other.
#[derive(Debug, Clone)]
pub(crate) struct JoinedRows {
    pub(crate) places: Vec<JoinedPlace>,
    /// What each answer was found around, if it was around something.
    pub(crate) targets: Arc<Vec<Option<Around>>>,
}

/// A row of one of several answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JoinedPlace {
    pub(crate) row: u32,
    pub(crate) point: GridPoint,
    /// The number of its answer.
    pub(crate) target: u32,
}

/// What rows were found around.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around {
    target: LonLat,
    /// The grid position nearest to the target.
    point: GridPoint,
    /// Whether the rows look at the target.
    look: bool,
}

impl Around {
    pub(crate) fn new(target: LonLat, look: bool) -> Self {
        Self {
            target,
            point: GridPoint::nearest_to(target),
            look,
        }
    }

    fn distance_m(self, from: GridPoint) -> f64 {
        haversine_m(self.target, from.to_lon_lat())
    }

    /// Nothing where the row is where the target is, as the grid has it.
    fn bearing_deg(self, from: GridPoint) -> Option<f64> {
        let bearing = || initial_bearing_deg(from.to_lon_lat(), self.target);
        (self.look && from != self.point).then(bearing)
    }

    pub(crate) fn hit(self, (row, point): RowAt) -> Hit {
        Hit {
            row,
            distance_m: self.distance_m(point),
            bearing_deg: self.bearing_deg(point),
        }
    }
}

/// A row and where it lies from the target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit {
    pub(crate) row: u32,
    pub(crate) distance_m: f64,
    /// Bearing from the row to the target in degrees, where the row looks at it from beside it.
    pub(crate) bearing_deg: Option<f64>,
}

impl RankedRows {
    pub(crate) const fn around(&self) -> Around {
        Around {
            target: self.target.position(),
            point: self.target.point(),
            look: self.look,
        }
    }

    fn hits(&self) -> impl Iterator<Item = Hit> + Clone + '_ {
        let around = self.around();
        self.places.iter().map(move |&place| around.hit(place))
    }
}

impl JoinedRows {
    fn around(&self, place: &JoinedPlace) -> Option<Around> {
        self.targets[place.target as usize]
    }
}

impl Answer {
    /// Places around a target, nearest first; and whether they look at it.
    pub(crate) const fn ranked(target: &Target, places: Vec<RowAt>, look: bool) -> Self {
        Self::Ranked(RankedRows {
            target: *target,
            places,
            look,
        })
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.len() as usize,
            Self::Ranked(ranked) => ranked.places.len(),
            Self::Hits(hits) => hits.len(),
            Self::Joined(joined) => joined.places.len(),
        }
    }

    /// Distance of the last row, where there is a target and a row.
    pub(crate) fn farthest_m(&self) -> Option<f64> {
        match self {
            Self::Rows(_) | Self::Joined(_) => None,
            Self::Ranked(ranked) => {
                let last = ranked.places.last();
                last.map(|&(_, point)| ranked.target.distance_m(point))
            }
            Self::Hits(hits) => hits.last().map(|hit| hit.distance_m),
        }
    }

    /// A distance that the last row does not exceed, where one is found without measuring.
    pub(crate) fn farthest_at_most_m(&self) -> Option<f64> {
        let Self::Ranked(RankedRows { target, places, .. }) = self else {
            return None;
        };
        let &(_, point) = places.last()?;
        Some(target.reach_m(target.planar_squared(point.x, point.y)))
    }

    pub(crate) fn truncate(&mut self, limit: usize) {
        match self {
            Self::Rows(rows) => rows.truncate(limit as u64),
            Self::Ranked(ranked) => ranked.places.truncate(limit),
            Self::Hits(hits) => hits.truncate(limit),
            Self::Joined(joined) => joined.places.truncate(limit),
        }
    }

    /// Makes sure that the rows may be read. All but ascending ones were read already.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when one lies in a damaged block of a file.
    pub(crate) fn touch(&self, table: &dyn Touch) -> Result<(), Error> {
        match self {
            Self::Rows(rows) => rows.touch(table),
            Self::Ranked(_) | Self::Hits(_) | Self::Joined(_) => Ok(()),
        }
    }

    /// The rows.
    pub(crate) fn rows(&self) -> impl Iterator<Item = u32> + Clone + '_ {
        let (rows, ranked, hits, joined) = self.parts();
        let ranked = ranked.into_iter().flat_map(|ranked| &ranked.places);
        let joined = joined.into_iter().flat_map(|joined| &joined.places);
        rows.chain(ranked.map(|&(row, _)| row))
            .chain(hits.iter().map(|hit| hit.row))
            .chain(joined.map(|place| place.row))
    }

    /// What a column says of the rows.
    pub(crate) fn gather<T: Copy + Default>(&self, column: &[T]) -> Vec<T> {
        let of = |row: u32| column[row as usize];
        match self {
            Self::Rows(rows) => rows.gather(column),
            Self::Ranked(ranked) => ranked.places.iter().map(|&(row, _)| of(row)).collect(),
            Self::Hits(hits) => hits.iter().map(|hit| of(hit.row)).collect(),
            Self::Joined(joined) => joined.places.iter().map(|place| of(place.row)).collect(),
        }
    }

    /// The rows, and where each lies from the target if there is one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Option<Hit>)> + Clone + '_ {
        let (rows, ranked, hits, joined) = self.parts();
        let ranked = ranked.into_iter().flat_map(RankedRows::hits);
        let hits = ranked.chain(hits.iter().copied());
        let joined = joined.into_iter().flat_map(|joined| {
            joined.places.iter().map(move |place| {
                let at = (place.row, place.point);
                (place.row, joined.around(place).map(|around| around.hit(at)))
            })
        });
        rows.map(|row| (row, None))
            .chain(hits.map(|hit| (hit.row, Some(hit))))
            .chain(joined)
    }

    /// Puts the distance of each row from its target, in metres, into its place; not a number
    /// without a target.
    pub(crate) fn fill_distances_m(&self, column: &mut [f64]) {
        let of_place = |around: Around, from| Some(around.distance_m(from));
        self.fill_measured(column, of_place, |hit| Some(hit.distance_m));
    }

    /// Puts the bearing of its target from each row, in degrees, into its place; not a number where
    /// there is none.
    pub(crate) fn fill_bearings_deg(&self, column: &mut [f64]) {
        self.fill_measured(column, Around::bearing_deg, |hit| hit.bearing_deg);
    }

    fn fill_measured(
        &self,
        column: &mut [f64],
        of_place: impl Fn(Around, GridPoint) -> Option<f64>,
        of_hit: impl Fn(&Hit) -> Option<f64>,
    ) {
        assert_eq!(column.len(), self.len(), "a place for each row");
        let known = |measure: Option<f64>| measure.unwrap_or(f64::NAN);
        match self {
            Self::Rows(_) => column.fill(f64::NAN),
            Self::Ranked(ranked) => {
                let around = ranked.around();
                for (value, &(_, point)) in column.iter_mut().zip(&ranked.places) {
                    *value = known(of_place(around, point));
                }
            }
            Self::Hits(hits) => {
                for (value, hit) in column.iter_mut().zip(hits) {
                    *value = known(of_hit(hit));
                }
            }
            Self::Joined(joined) => {
                for (value, place) in column.iter_mut().zip(&joined.places) {
                    let around = joined.around(place);
                    *value = known(around.and_then(|around| of_place(around, place.point)));
                }
            }
        }
    }

    /// The rows of whichever this is; of the others none.
    fn parts(&self) -> (Rows<'_>, Option<&RankedRows>, &[Hit], Option<&JoinedRows>) {
        let none = Rows::default();
        match self {
            Self::Rows(rows) => (rows.iter(), None, &[], None),
            Self::Ranked(ranked) => (none, Some(ranked), &[], None),
            Self::Hits(hits) => (none, None, hits, None),
            Self::Joined(joined) => (none, None, &[], Some(joined)),
        }
    }
}

/// How many runs ahead values are asked for.
const AHEAD: usize = 4;

/// Ascending rows: whole ranges where nodes lie inside a place, masks where they do not.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowSet {
    runs: Vec<Run>,
    len: u64,
}

/// Neighbouring rows, at least one.
#[derive(Debug, Clone)]
pub(crate) enum Run {
    /// All of them.
    Range { first: u32, beyond: u32 },
    /// Those of the 64 from `first` on whose bit is set, which were read already.
    Block { first: u32, mask: u64 },
}

impl Run {
    fn rows(&self) -> Rows<'_> {
        Rows {
            runs: slice::from_ref(self).iter(),
            left: self.len() as usize,
            ..Rows::default()
        }
    }

    fn len(&self) -> u64 {
        match *self {
            Self::Range { first, beyond } => u64::from(beyond - first),
            Self::Block { mask, .. } => u64::from(mask.count_ones()),
        }
    }
}

impl RowSet {
    /// Collects rows that ascend.
    pub(crate) fn from_ascending(rows: impl IntoIterator<Item = u32>) -> Self {
        let mut set = Self::default();
        for row in rows {
            set.range(row..row + 1);
        }
        set
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The rows as they were found: ranges that meet are one.
    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    pub(crate) fn iter(&self) -> Rows<'_> {
        Rows {
            runs: self.runs.iter(),
            left: self.len as usize,
            ..Rows::default()
        }
    }

    /// What a column says of the rows: ranges are copied at once.
    fn gather<T: Copy + Default>(&self, column: &[T]) -> Vec<T> {
        let mut values = Vec::with_capacity(self.len as usize);
        let mut chosen = [T::default(); LEAF_ROWS];
        for (i, run) in self.runs.iter().enumerate() {
            if let Some(Run::Block { first, .. }) = self.runs.get(i + AHEAD) {
                let block = &column[*first as usize..];
                prefetch(&block[..block.len().min(LEAF_ROWS)]);
            }
            match *run {
                Run::Range { first, beyond } => {
                    values.extend_from_slice(&column[first as usize..beyond as usize]);
                }
                Run::Block { first, mask } => {
                    let block = &column[first as usize..];
                    for (place, i) in chosen.iter_mut().zip(bits(mask)) {
                        *place = block[i];
                    }
                    values.extend_from_slice(&chosen[..mask.count_ones() as usize]);
                }
            }
        }
        values
    }

    /// Makes sure that the rows may be read: those of masks were, as they were judged.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when one lies in a damaged block of a file.
    pub(crate) fn touch(&self, table: &dyn Touch) -> Result<(), Error> {
        self.runs.iter().try_for_each(|run| match *run {
            Run::Range { first, beyond } => table.touch(first as usize..beyond as usize),
            Run::Block { .. } => Ok(()),
        })
    }

    fn truncate(&mut self, limit: u64) {
        while self.len > limit
            && let Some(last) = self.runs.pop()
        {
            self.len -= last.len();
            let room = limit.saturating_sub(self.len) as usize;
            for row in last.rows().take(room) {
                self.range(row..row + 1);
            }
        }
    }
}

/// Iterates over the rows of runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows<'a> {
    runs: slice::Iter<'a, Run>,
    /// What is left of the current run.
    range: Range<u32>,
    first: u32,
    mask: u64,
    /// How many rows are left in all.
    left: usize,
}

impl Iterator for Rows<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        if self.range.is_empty() && self.mask == 0 {
            match *self.runs.next()? {
                Run::Range { first, beyond } => self.range = first..beyond,
                Run::Block { first, mask } => (self.first, self.mask) = (first, mask),
            }
        }
        self.left -= 1;
        if self.mask == 0 {
            return self.range.next();
        }
        let bit = self.mask.trailing_zeros();
        self.mask &= self.mask - 1;
        Some(self.first + bit)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }

    /// Run by run, which compilers make more of than of rows one by one.
    fn fold<B, F: FnMut(B, u32) -> B>(self, init: B, mut f: F) -> B {
        let first = self.first;
        let bit = |bit: usize| first + bit as u32;
        let init = bits(self.mask).map(bit).fold(init, &mut f);
        let init = self.range.fold(init, &mut f);
        self.runs.fold(init, |init, run| match *run {
            Run::Range { first, beyond } => (first..beyond).fold(init, &mut f),
            Run::Block { first, mask } => {
                bits(mask).fold(init, |init, bit| f(init, first + bit as u32))
            }
        })
    }
}

impl Sink for RowSet {
    fn range(&mut self, rows: Range<u32>) {
        debug_assert!(!rows.is_empty());
        self.len += u64::from(rows.end - rows.start);
        match self.runs.last_mut() {
            Some(Run::Range { beyond, .. }) if *beyond == rows.start => *beyond = rows.end,
            _ => self.runs.push(Run::Range {
                first: rows.start,
                beyond: rows.end,
            }),
        }
    }

    fn block(&mut self, first: u32, mask: u64) {
        debug_assert!(mask != 0);
        self.len += u64::from(mask.count_ones());
        self.runs.push(Run::Block { first, mask });
    }
}

/// Counts rows without keeping them.
#[derive(Debug, Default)]
pub(crate) struct Count(pub(crate) u64);

impl Sink for Count {
    fn range(&mut self, rows: Range<u32>) {
        self.0 += u64::from(rows.end - rows.start);
    }

    fn block(&mut self, _: u32, mask: u64) {
        self.0 += u64::from(mask.count_ones());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> RowSet {
        let mut set = RowSet::default();
        set.range(0..64);
        set.range(64..70);
        set.block(128, 0b1011);
        set
    }

    #[test]
    fn rows_come_back_in_order() {
        let expected: Vec<u32> = (0..70).chain([128, 129, 131]).collect();
        assert_eq!(sample().iter().collect::<Vec<_>>(), expected);
        assert_eq!(sample().len(), 73);
        let column: Vec<u32> = (0..192).map(|row| row * 3).collect();
        let gathered: Vec<u32> = expected.iter().map(|row| row * 3).collect();
        assert_eq!(sample().gather(&column), gathered);
        assert_eq!(sample().iter().skip(69).size_hint(), (4, Some(4)));
        for read in 0..74 {
            let set = sample();
            let mut rows = set.iter();
            let first: Vec<u32> = rows.by_ref().take(read).collect();
            let folded = rows.fold(first, |mut all, row| {
                all.push(row);
                all
            });
            assert_eq!(folded, expected, "one by one, then at once");
        }
        assert_eq!(sample().runs.len(), 2, "ranges that meet are one");
    }

    #[test]
    fn a_limit_keeps_the_first_rows() {
        for limit in 0..75 {
            let mut set = sample();
            set.truncate(limit);
            let expected: Vec<_> = sample().iter().take(limit as usize).collect();
            assert_eq!(set.iter().collect::<Vec<_>>(), expected);
            assert_eq!(set.len(), expected.len() as u64);
        }
    }
}
