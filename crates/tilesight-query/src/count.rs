//! Counts of images by what they have in common.

use std::fmt;

use hashbrown::HashMap;

use crate::date::{Calendar, Period, day_of, period_of_day, rfc3339};
use crate::images::{Images, NONE, flag};
use crate::query::Kind;

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

/// Counts rows as they come: by day, by number in a dictionary or by kind, and only in the end by
/// what is asked for.
pub(crate) struct Grouping<'a> {
    images: &'a Images,
    by: GroupBy,
    counts: HashMap<i64, u64>,
    unknown: u64,
}

impl<'a> Grouping<'a> {
    pub(crate) fn new(images: &'a Images, by: GroupBy) -> Self {
        Self {
            images,
            by,
            counts: HashMap::new(),
            unknown: 0,
        }
    }

    pub(crate) fn add(&mut self, row: u32) {
        match self.key_of(row as usize) {
            Some(key) => *self.counts.entry(key).or_default() += 1,
            None => self.unknown += 1,
        }
    }

    pub(crate) fn into_counts(self) -> Vec<GroupCount> {
        let mut raw: Vec<(i64, u64)> = self.counts.iter().map(|(&key, &n)| (key, n)).collect();
        raw.sort_unstable();
        let mut counts: Vec<GroupCount> = Vec::new();
        for (key, images) in raw {
            let key = self.group_key(key);
            match counts.last_mut() {
                Some(last) if last.key == key => last.images += images,
                _ => counts.push(GroupCount { key, images }),
            }
        }
        if self.unknown > 0 {
            counts.push(GroupCount {
                key: None,
                images: self.unknown,
            });
        }
        counts
    }

    fn key_of(&self, row: usize) -> Option<i64> {
        let columns = self.images.columns();
        let known = |ordinal: u32| (ordinal != NONE).then_some(i64::from(ordinal));
        let group = || self.images.group(row as u32);
        match self.by {
            GroupBy::Day | GroupBy::Month | GroupBy::Year => {
                columns.captured_at_ms(row).map(day_of)
            }
            GroupBy::Organization => known(group().organization),
            GroupBy::Creator => known(group().creator),
            GroupBy::Kind => columns
                .kind(row)
                .map(|_| i64::from(columns.flags[row] & flag::PANO)),
        }
    }

    fn group_key(&self, key: i64) -> Option<GroupKey> {
        let ordinal = key as u32;
        match self.by {
            GroupBy::Day => period_of_day(key, Calendar::Day).map(GroupKey::Day),
            GroupBy::Month => period_of_day(key, Calendar::Month).map(GroupKey::Month),
            GroupBy::Year => period_of_day(key, Calendar::Year).map(GroupKey::Year),
            GroupBy::Organization => self.images.organization_ids.get(ordinal).map(GroupKey::Id),
            GroupBy::Creator => self.images.creator_ids.get(ordinal).map(GroupKey::Id),
            GroupBy::Kind if key == 0 => Some(GroupKey::Kind(Kind::Flat)),
            GroupBy::Kind => Some(GroupKey::Kind(Kind::Pano)),
        }
    }
}
