//! The rows of an answer: as ranges and masks where the order is that of the table, as a list
//! where it is that of the distance.

use std::ops::Range;

use crate::index::{Hit, Sink, bits};

/// Rows in the order of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Ascending.
    Rows(RowSet),
    /// Nearest first.
    Hits(Vec<Hit>),
}

impl Answer {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.len() as usize,
            Self::Hits(hits) => hits.len(),
        }
    }

    /// Distance of the last row, where there is a target and a row.
    pub(crate) fn farthest_m(&self) -> Option<f64> {
        match self {
            Self::Rows(_) => None,
            Self::Hits(hits) => hits.last().map(|hit| hit.distance_m),
        }
    }

    pub(crate) fn truncate(&mut self, limit: usize) {
        match self {
            Self::Rows(rows) => rows.truncate(limit as u64),
            Self::Hits(hits) => hits.truncate(limit),
        }
    }

    /// The rows, and where each lies from the target if there is one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Option<Hit>)> + Clone + '_ {
        let (rows, hits) = match self {
            Self::Rows(rows) => (rows.runs.as_slice(), [].as_slice()),
            Self::Hits(hits) => ([].as_slice(), hits.as_slice()),
        };
        let rows = rows.iter().flat_map(Run::rows).map(|row| (row, None));
        rows.chain(hits.iter().map(|hit| (hit.row, Some(*hit))))
    }
}

/// Ascending rows: whole ranges where nodes lie inside a place, masks where they do not.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowSet {
    runs: Vec<Run>,
    len: u64,
}

#[derive(Debug, Clone)]
enum Run {
    Range { first: u32, beyond: u32 },
    Block { first: u32, mask: u64 },
}

impl Run {
    fn rows(&self) -> impl Iterator<Item = u32> + Clone + use<> {
        let (range, first, mask) = match *self {
            Self::Range { first, beyond } => (first..beyond, 0, 0),
            Self::Block { first, mask } => (0..0, first, mask),
        };
        range.chain(bits(mask).map(move |bit| first + bit as u32))
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

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.runs.iter().flat_map(Run::rows)
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

impl Sink for RowSet {
    fn range(&mut self, rows: Range<u32>) {
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
