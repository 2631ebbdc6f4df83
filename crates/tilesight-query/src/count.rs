//! Counts of images by what they have in common.

use std::fmt;
use std::ops::Range;

use crate::answer::{Answer, RowSet, Run};
use crate::date::{Period, day_of, day_period, month_period, rfc3339, year_index, year_period};
use crate::error::Error;
use crate::images::{Images, NONE, UNKNOWN_MS, flag};
use crate::index::bits;
use crate::query::Kind;
use crate::storage::Touch;

/// What images are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupBy {
    /// Day of capture, UTC.
    Day,
    /// Month of capture, UTC.
    Month,
    /// Year of capture, UTC.
    Year,
    /// Organization.
    Organization,
    /// Creator.
    Creator,
    /// Panorama or flat.
    Kind,
}

/// What the images of a group have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKey {
    /// The day of capture.
    Day(Period),
    /// The month of capture.
    Month(Period),
    /// The year of capture.
    Year(Period),
    /// Id of the organization or creator.
    Id(i64),
    /// Panorama or flat.
    Kind(Kind),
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = |period: &Period, letters: usize| rfc3339(period.first_ms)[..letters].to_owned();
        match self {
            Self::Day(period) => f.write_str(&date(period, 10)),
            Self::Month(period) => f.write_str(&date(period, 7)),
            Self::Year(period) => f.write_str(&date(period, 4)),
            Self::Id(id) => id.fmt(f),
            Self::Kind(Kind::Flat) => f.write_str("flat"),
            Self::Kind(Kind::Pano) => f.write_str("pano"),
        }
    }
}

/// How many images a group has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupCount {
    /// What they have in common; nothing for those of which it is not known.
    pub key: Option<GroupKey>,
    /// How many there are, at least one.
    pub images: u64,
}

impl fmt::Display for GroupCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key {
            Some(key) => write!(f, "{key}: {}", self.images),
            None => write!(f, "unknown: {}", self.images),
        }
    }
}

/// Counts the rows of answers by small numbers: by year where capture times need not be told
/// apart further, by day, by number in a dictionary or by kind.
pub(crate) struct Grouping<'a> {
    images: &'a Images,
    by: GroupBy,
    /// How many rows have each number, one more than its own; the first are the unknown.
    counts: Vec<u64>,
}

/// What flags say of the kind: unknown, flat, panorama, and both, which is unknown.
const KIND_NUMBERS: [usize; 4] = [UNKNOWN, FLAT, PANO, UNKNOWN];
const UNKNOWN: usize = 0;
const FLAT: usize = 1;
const PANO: usize = 2;

impl<'a> Grouping<'a> {
    pub(crate) fn new(images: &'a Images, by: GroupBy) -> Self {
        Self {
            images,
            by,
            counts: vec![0; PANO + 1],
        }
    }

    /// Counts the rows of an answer.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when something that is needed lies in a damaged block of a file.
    pub(crate) fn add(&mut self, answer: &Answer) -> Result<(), Error> {
        if matches!(self.by, GroupBy::Organization | GroupBy::Creator) {
            self.images.touch_names()?;
        }
        match answer {
            Answer::Rows(rows) => self.add_set(rows)?,
            _ => self.add_rows(answer.rows()),
        }
        Ok(())
    }

    fn add_set(&mut self, rows: &RowSet) -> Result<(), Error> {
        rows.runs().iter().try_for_each(|run| match *run {
            Run::Range { first, beyond } => self.add_range(first as usize..beyond as usize),
            Run::Block { first, mask } => {
                self.add_rows(bits(mask).map(|bit| first + bit as u32));
                Ok(())
            }
        })
    }

    /// Counts all of some rows: whole blocks by their tallies, where there are any.
    fn add_range(&mut self, rows: Range<usize>) -> Result<(), Error> {
        let tallied = self.add_tallies(&rows)?;
        for rest in [rows.start..tallied.start, tallied.end..rows.end] {
            self.images.table.touch(rest.clone())?;
            self.add_rows(rest.start as u32..rest.end as u32);
        }
        Ok(())
    }

    /// Counts whole blocks, and tells which rows these are; none where they are not tallied by
    /// what is asked for.
    fn add_tallies(&mut self, rows: &Range<usize>) -> Result<Range<usize>, Error> {
        let none = rows.start..rows.start;
        let tallies = &self.images.tallies;
        let blocks = tallies.blocks_within(rows);
        if blocks.is_empty() {
            return Ok(none);
        }
        let tallied = tallies.rows_of(&blocks);
        match self.by {
            GroupBy::Kind => {
                let (flat, pano) = tallies.kinds(&blocks)?;
                self.counts[FLAT] += flat;
                self.counts[PANO] += pano;
                self.counts[UNKNOWN] += (tallied.len() as u64).saturating_sub(flat + pano);
            }
            GroupBy::Year => {
                let Some(years) = tallies.years(&blocks)? else {
                    return Ok(none);
                };
                years.for_each(|(year, images)| add(&mut self.counts, year + 1, images));
                self.counts[UNKNOWN] += tallies.undated(&blocks)?;
            }
            _ => return Ok(none),
        }
        Ok(tallied)
    }

    /// Counts rows that were touched.
    fn add_rows(&mut self, rows: impl Iterator<Item = u32>) {
        let (columns, groups) = (self.images.columns(), self.images.groups.columns());
        let rows = rows.map(|row| row as usize);
        let counts = &mut self.counts;
        // Of no time there is no number, nor of the last number that stands for none.
        let of_time = |row, number: fn(i64) -> usize| match columns.time_ms(row) {
            UNKNOWN_MS => UNKNOWN,
            ms => number(ms) + 1,
        };
        let of_group = |row, ordinals: &[u32]| {
            let group = columns.group[row] as usize;
            let ordinal = ordinals.get(group).copied().unwrap_or(NONE);
            ordinal.wrapping_add(1) as usize
        };
        match self.by {
            GroupBy::Day | GroupBy::Month => {
                rows.for_each(|row| add(counts, of_time(row, |ms| day_of(ms) as usize), 1));
            }
            GroupBy::Year => rows.for_each(|row| add(counts, of_time(row, year_index), 1)),
            GroupBy::Organization => {
                rows.for_each(|row| add(counts, of_group(row, &groups.organization), 1));
            }
            GroupBy::Creator => {
                rows.for_each(|row| add(counts, of_group(row, &groups.creator), 1));
            }
            GroupBy::Kind => rows.for_each(|row| {
                let number =
                    KIND_NUMBERS[usize::from(columns.flags[row] & (flag::FLAT | flag::PANO))];
                add(counts, number, 1);
            }),
        }
    }

    /// How many rows are of a kind, where they were counted by kind.
    pub(crate) fn of_kind(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Flat => self.counts[FLAT],
            Kind::Pano => self.counts[PANO],
        }
    }

    pub(crate) fn into_counts(self) -> Vec<GroupCount> {
        let mut groups: Vec<GroupCount> = Vec::new();
        for (number, &images) in self.counts[1..].iter().enumerate() {
            if images == 0 {
                continue;
            }
            match groups.last_mut() {
                Some(last) if is_day_of(last.key, number) => last.images += images,
                _ => groups.push(GroupCount {
                    key: self.group_key(number),
                    images,
                }),
            }
        }
        if self.counts[UNKNOWN] > 0 {
            groups.push(GroupCount {
                key: None,
                images: self.counts[UNKNOWN],
            });
        }
        groups
    }

    fn group_key(&self, number: usize) -> Option<GroupKey> {
        match self.by {
            GroupBy::Day => Some(GroupKey::Day(day_period(number as i64))),
            GroupBy::Month => month_period(number as i64).map(GroupKey::Month),
            GroupBy::Year => year_period(number).map(GroupKey::Year),
            GroupBy::Organization => {
                let id = self.images.organization_ids.get(number as u32);
                id.map(GroupKey::Id)
            }
            GroupBy::Creator => {
                let id = self.images.creator_ids.get(number as u32);
                id.map(GroupKey::Id)
            }
            GroupBy::Kind if number + 1 == FLAT => Some(GroupKey::Kind(Kind::Flat)),
            GroupBy::Kind => Some(GroupKey::Kind(Kind::Pano)),
        }
    }
}

/// Tells whether a day lies in the month of a group.
fn is_day_of(key: Option<GroupKey>, day: usize) -> bool {
    matches!(key, Some(GroupKey::Month(month)) if day as i64 <= day_of(month.last_ms))
}

/// Adds to the count of a number, of which there may be more than were met so far.
#[inline]
fn add(counts: &mut Vec<u64>, number: usize, images: u64) {
    if number >= counts.len() {
        counts.resize(number + 1, 0);
    }
    counts[number] += images;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use crate::dataset::Dataset;
    use crate::made;
    use crate::query::ImageQuery;

    /// Groups one row after the other.
    fn slow(data: &Dataset, query: &ImageQuery, by: GroupBy) -> Vec<GroupCount> {
        let (mut known, mut unknown) = (BTreeMap::new(), 0);
        for image in data.images(query).unwrap().iter() {
            // The day, month or year by its text.
            let date = |letters: usize, key: fn(Period) -> GroupKey| {
                let period: Period = rfc3339(image.captured_at_ms?)[..letters].parse().ok()?;
                Some((period.first_ms, key(period)))
            };
            let of_id = |id| (id, GroupKey::Id(id));
            let key = match by {
                GroupBy::Day => date(10, GroupKey::Day),
                GroupBy::Month => date(7, GroupKey::Month),
                GroupBy::Year => date(4, GroupKey::Year),
                GroupBy::Organization => image.organization_id.map(of_id),
                GroupBy::Creator => image.creator_id.map(of_id),
                GroupBy::Kind => image.kind.map(|kind| (kind as i64, GroupKey::Kind(kind))),
            };
            match key {
                Some((order, key)) => known.entry(order).or_insert((key, 0)).1 += 1,
                None => unknown += 1,
            }
        }
        let known = known.into_values().map(|(key, images)| (Some(key), images));
        let unknown = (unknown > 0).then_some((None, unknown));
        known
            .chain(unknown)
            .map(|(key, images)| GroupCount { key, images })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// With years that are tallied, and with more of them than are.
        #[test]
        fn counts_are_those_of_the_rows(
            images in 0..9000usize, years in prop_oneof![1..60i64, 1..8030i64], seed: u64,
            queries in prop::collection::vec(made::query(), 8), opened: bool,
        ) {
            let built = made::dataset(images, years, seed);
            let data = if opened { made::in_a_file(&built) } else { built.clone() };
            for query in queries {
                let found = built.images(&query).unwrap().len() as u64;
                prop_assert_eq!(data.count_images(&query).unwrap(), found);
                for by in [
                    GroupBy::Day, GroupBy::Month, GroupBy::Year,
                    GroupBy::Organization, GroupBy::Creator, GroupBy::Kind,
                ] {
                    let counts = data.count_images_by(&query, by).unwrap();
                    prop_assert_eq!(counts, slow(&built, &query, by), "{:?}", by);
                }
            }
        }
    }

    #[test]
    fn what_lies_inside_is_counted_without_being_read() {
        let data = made::dataset(5000, 20, 1);
        let mut blind = Grouping::new(&data.images, GroupBy::Year);
        let tallied = blind.add_tallies(&(10..5000)).unwrap();
        assert_eq!(
            tallied,
            1024..5000,
            "the last block is whole, though shorter"
        );
        assert_eq!(blind.add_tallies(&(1025..3071)).unwrap().len(), 0);
        let mut by_day = Grouping::new(&data.images, GroupBy::Day);
        assert_eq!(by_day.add_tallies(&(0..5000)).unwrap().len(), 0);
    }

    #[test]
    fn too_many_years_are_not_tallied() {
        let tallied = |years| {
            let data = made::dataset(5000, years, 1);
            let mut grouping = Grouping::new(&data.images, GroupBy::Year);
            grouping.add_tallies(&(0..5000)).unwrap().len()
        };
        assert_eq!((tallied(60), tallied(70)), (5000, 0));
    }
}
