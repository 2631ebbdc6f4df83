//! Images that show a target, as a condition of the search.

use std::ops::Range;

use crate::filter::ImageFilter;
use crate::images::{ImageColumns, ImageSummary, flag};
use crate::index::{Match, RowFilter, Sight, mask_of, mask_of_all};
use crate::storage::prefetch;

/// Images that pass a filter and, where one is given, show a target: panoramas, and those that look
/// at it.
pub(crate) struct Showing<'a> {
    pub(crate) columns: &'a ImageColumns,
    pub(crate) filter: &'a ImageFilter<'a>,
    pub(crate) sight: Option<Sight<'a>>,
}

impl RowFilter<ImageSummary> for Showing<'_> {
    fn classify(&self, summary: &ImageSummary) -> Match {
        match self.sight {
            Some(_) => self.filter.classify(summary).and(Match::Some),
            None => self.filter.classify(summary),
        }
    }

    fn mask(&self, rows: Range<usize>) -> u64 {
        let all = mask_of_all(rows.len());
        self.mask_among(rows, all)
    }

    fn mask_among(&self, rows: Range<usize>, among: u64) -> u64 {
        let passing = self.filter.mask_among(rows.clone(), among);
        let Some(sight) = self.sight else {
            return passing;
        };
        let panoramas = mask_of(&self.columns.flags[rows.clone()], |flags| {
            flags & flag::PANO != 0
        });
        let (xs, ys) = (&self.columns.x[rows.clone()], &self.columns.y[rows.clone()]);
        let headings_deg = &self.columns.compass_angle_deg[rows];
        let looking = sight.mask_among(xs, ys, headings_deg, passing & !panoramas);
        passing & panoramas | looking
    }

    fn prefetch(&self, rows: Range<usize>) {
        self.filter.prefetch(rows.clone());
        if self.sight.is_some() {
            prefetch(&self.columns.flags[rows.clone()]);
            prefetch(&self.columns.compass_angle_deg[rows]);
        }
    }
}
