//! Filters, made ready to be asked of nodes, of blocks of rows and of single rows.

use std::ops::Range;

use crate::date::{MAX_KNOWN_MS, Period};
use crate::error::Error;
use crate::images::{
    GroupColumns, ImageColumns, ImageSummary, Images, NONE, OrdinalSummary, UNKNOWN_MS, bloom_bit,
    flag_of, split_ms,
};
use crate::index::{Match, RowFilter, bits, mask_of, mask_of_all};
use crate::query::Filter;
use crate::storage::prefetch;

/// A [`Filter`] whose ids have been looked up in the dictionaries of one dataset.
pub(crate) struct ImageFilter<'a> {
    columns: &'a ImageColumns,
    groups: &'a GroupColumns,
    /// First and last capture time; later than the mark of the unknown, which never pass.
    captured_ms: Option<(i64, i64)>,
    /// The flag that is asked for.
    kind: Option<u8>,
    organizations: Option<OrdinalSet>,
    creators: Option<OrdinalSet>,
    heading: Option<HeadingRange>,
    sequences: Option<OrdinalSet>,
    /// Ascending.
    ids: Option<Vec<i64>>,
}

impl<'a> ImageFilter<'a> {
    /// Looks up what a filter names.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] when a heading is not within 0…360, [`Error::Damaged`] when the
    /// dictionaries are not what was written.
    pub(crate) fn new(filter: &Filter, images: &'a Images) -> Result<Self, Error> {
        let ordinals = |ids: &[i64], find: &dyn Fn(i64) -> Option<u32>| {
            (!ids.is_empty()).then(|| OrdinalSet::new(ids.iter().filter_map(|&id| find(id))))
        };
        if filter.has_names() {
            images.touch_names()?;
        }
        Ok(Self {
            columns: images.columns(),
            groups: images.groups.columns(),
            captured_ms: known_between(filter.since, filter.until),
            kind: filter.kind.map(|kind| flag_of(Some(kind))),
            organizations: ordinals(&filter.organizations, &|id| {
                images.organization_ids.find(id)
            }),
            creators: ordinals(&filter.creators, &|id| images.creator_ids.find(id)),
            heading: filter.heading.map(HeadingRange::new).transpose()?,
            sequences: (!filter.sequences.is_empty()).then(|| {
                OrdinalSet::new(
                    filter
                        .sequences
                        .iter()
                        .filter_map(|id| images.sequence_ids.find(id)),
                )
            }),
            ids: (!filter.ids.is_empty()).then(|| sorted(&filter.ids)),
        })
    }

    /// The sequences asked for, if any are.
    pub(crate) fn sequences(&self) -> Option<&[u32]> {
        self.sequences.as_ref().map(|set| set.members.as_slice())
    }

    /// The ids asked for, ascending, if any are.
    pub(crate) fn ids(&self) -> Option<&[i64]> {
        self.ids.as_deref()
    }

    /// Tells whether everything passes.
    pub(crate) fn is_any(&self) -> bool {
        self.kind.is_none() && self.is_any_but_kind()
    }

    /// Tells whether everything passes that is of the right kind.
    pub(crate) fn is_any_but_kind(&self) -> bool {
        self.captured_ms.is_none()
            && self.organizations.is_none()
            && self.creators.is_none()
            && self.heading.is_none()
            && self.sequences.is_none()
            && self.ids.is_none()
    }

    /// Tells whether a row, which must have been touched, passes.
    pub(crate) fn passes(&self, row: u32) -> bool {
        self.mask(row as usize..row as usize + 1) == 1
    }

    /// Tells whether something passes of which only these properties are known.
    pub(crate) fn passes_properties(&self, properties: &Properties) -> bool {
        let within = |set: &Option<OrdinalSet>, ordinal| {
            set.as_ref().is_none_or(|set| set.contains(ordinal))
        };
        self.heading.is_none()
            && self.ids.is_none()
            && self.captured_ms.is_none_or(|(first, last)| {
                properties.captured_at_ms >= first && properties.captured_at_ms <= last
            })
            && self.kind.is_none_or(|flag| properties.flags & flag != 0)
            && within(&self.organizations, properties.organization)
            && within(&self.creators, properties.creator)
            && within(&self.sequences, properties.sequence)
    }
}

impl Filter {
    /// Tells whether it names anything that is looked up in dictionaries.
    fn has_names(&self) -> bool {
        !(self.organizations.is_empty() && self.creators.is_empty() && self.sequences.is_empty())
    }
}

/// What is known of a sequence without its images.
pub(crate) struct Properties {
    pub(crate) captured_at_ms: i64,
    pub(crate) flags: u8,
    pub(crate) organization: u32,
    pub(crate) creator: u32,
    pub(crate) sequence: u32,
}

impl RowFilter<ImageSummary> for ImageFilter<'_> {
    fn classify(&self, summary: &ImageSummary) -> Match {
        let of_rows = if self.heading.is_some() || self.sequences.is_some() || self.ids.is_some() {
            Match::Some
        } else {
            Match::All
        };
        of_rows
            .and(
                self.captured_ms
                    .map_or(Match::All, |range| classify_time(range, summary)),
            )
            .and(
                self.kind
                    .map_or(Match::All, |flag| classify_flag(flag, summary)),
            )
            .and(classify_set(
                self.organizations.as_ref(),
                &summary.organizations,
            ))
            .and(classify_set(self.creators.as_ref(), &summary.creators))
    }

    fn mask(&self, rows: Range<usize>) -> u64 {
        let columns = self.columns;
        let mut mask = mask_of_all(rows.len());
        if let Some(range) = self.captured_ms {
            mask &= captured_within(columns, range, rows.clone());
        }
        if let Some(flag) = self.kind {
            mask &= mask_of(&columns.flags[rows.clone()], |flags| flags & flag != 0);
        }
        if let Some(heading) = &self.heading {
            let angles = &columns.compass_angle_deg[rows.clone()];
            mask &= mask_of(angles, |angle| heading.contains(angle));
        }
        let sets = [
            (&self.organizations, &self.groups.organization),
            (&self.creators, &self.groups.creator),
            (&self.sequences, &self.groups.sequence),
        ];
        for (set, of_group) in sets {
            if let Some(set) = set {
                let groups = &columns.group[rows.clone()];
                mask &= set.mask_by(groups, |group| ordinal(of_group, group));
            }
        }
        if let Some(ids) = &self.ids {
            mask &= mask_of(&columns.id[rows], |id| ids.binary_search(&id).is_ok());
        }
        mask
    }

    fn prefetch(&self, rows: Range<usize>) {
        let columns = self.columns;
        if self.captured_ms.is_some() {
            prefetch(&columns.captured_at_high[rows.clone()]);
        }
        if self.kind.is_some() {
            prefetch(&columns.flags[rows.clone()]);
        }
        if self.heading.is_some() {
            prefetch(&columns.compass_angle_deg[rows.clone()]);
        }
        if self.organizations.is_some() || self.creators.is_some() || self.sequences.is_some() {
            prefetch(&columns.group[rows]);
        }
    }
}

/// Judges rows by the first half of their times; only of rows within a minute of an end of the
/// range, of which there are hardly any, is the second half read.
fn captured_within(columns: &ImageColumns, (first, last): (i64, i64), rows: Range<usize>) -> u64 {
    let (first_high, last_high) = (split_ms(first).0, split_ms(last).0);
    let highs = &columns.captured_at_high[rows.clone()];
    let maybe = mask_of(highs, |high| (first_high <= high) & (high <= last_high));
    let surely = mask_of(highs, |high| (first_high < high) & (high < last_high));
    let is_within = |&i: &usize| (first..=last).contains(&columns.time_ms(rows.start + i));
    let at_an_end = bits(maybe & !surely).filter(is_within);
    at_an_end.fold(surely, |mask, i| mask | 1 << i)
}

/// What a group belongs to; nothing where there is no group.
#[inline]
fn ordinal(of_group: &[u32], group: u32) -> u32 {
    of_group.get(group as usize).copied().unwrap_or(NONE)
}

/// The known times between two periods, both included; nothing when any will do, known or not.
pub(crate) fn known_between(since: Option<Period>, until: Option<Period>) -> Option<(i64, i64)> {
    if since.is_none() && until.is_none() {
        return None;
    }
    let first = since.map_or(i64::MIN, |period| period.first_ms);
    let last = until.map_or(i64::MAX, |period| period.last_ms);
    Some((
        first.clamp(UNKNOWN_MS + 1, MAX_KNOWN_MS + 1),
        last.clamp(UNKNOWN_MS, MAX_KNOWN_MS),
    ))
}

fn classify_time((first, last): (i64, i64), summary: &ImageSummary) -> Match {
    if summary.latest_ms < first || summary.earliest_ms > last {
        Match::None
    } else if first <= summary.earliest_ms && summary.latest_ms <= last {
        Match::All
    } else {
        Match::Some
    }
}

fn classify_flag(flag: u8, summary: &ImageSummary) -> Match {
    if summary.any_flags & flag == 0 {
        Match::None
    } else if summary.all_flags & flag != 0 {
        Match::All
    } else {
        Match::Some
    }
}

fn classify_set(set: Option<&OrdinalSet>, summary: &OrdinalSummary) -> Match {
    let Some(set) = set else { return Match::All };
    if let Some(single) = summary.single() {
        return if set.contains(single) {
            Match::All
        } else {
            Match::None
        };
    }
    if summary.may_meet(set.bloom, set.min(), set.max()) {
        Match::Some
    } else {
        Match::None
    }
}

/// Some rows of a dictionary.
pub(crate) struct OrdinalSet {
    /// Ascending, each once.
    members: Vec<u32>,
    bloom: u64,
}

impl OrdinalSet {
    pub(crate) fn new(members: impl IntoIterator<Item = u32>) -> Self {
        let members = sorted(&members.into_iter().collect::<Vec<_>>());
        let bloom = members
            .iter()
            .fold(0, |bloom, &ordinal| bloom | bloom_bit(ordinal));
        Self { members, bloom }
    }

    fn min(&self) -> u32 {
        self.members.first().copied().unwrap_or(NONE)
    }

    fn max(&self) -> u32 {
        self.members.last().copied().unwrap_or(0)
    }

    pub(crate) fn contains(&self, ordinal: u32) -> bool {
        self.members.binary_search(&ordinal).is_ok()
    }

    /// Judges up to 64 ordinals: bit `i` for ordinal `i`.
    pub(crate) fn mask(&self, ordinals: &[u32]) -> u64 {
        self.mask_by(ordinals, |ordinal| ordinal)
    }

    /// Judges up to 64 values by the ordinal of each.
    fn mask_by(&self, values: &[u32], ordinal: impl Fn(u32) -> u32) -> u64 {
        match self.members[..] {
            [only] => mask_of(values, |value| ordinal(value) == only),
            _ => mask_of(values, |value| self.contains(ordinal(value))),
        }
    }

    /// Tells whether a node may hold, or holds only, members of the set.
    pub(crate) fn classify(&self, summary: &OrdinalSummary) -> Match {
        classify_set(Some(self), summary)
    }
}

fn sorted<T: Ord + Copy>(values: &[T]) -> Vec<T> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.dedup();
    values
}

/// Headings from one to another, clockwise, both included.
#[derive(Debug, Clone, Copy)]
struct HeadingRange {
    from_deg: f64,
    to_deg: f64,
}

impl HeadingRange {
    fn new((from_deg, to_deg): (f64, f64)) -> Result<Self, Error> {
        for value in [from_deg, to_deg] {
            if !(0.0..=360.0).contains(&value) {
                let (range, example) =
                    ("0 to 360 degrees", "350,10 for within 10 degrees of north");
                return Err(Error::OutOfRange {
                    name: "heading",
                    value,
                    range,
                    example,
                });
            }
        }
        Ok(Self { from_deg, to_deg })
    }

    /// Judges a heading, 0 ≤ heading < 360; one that is not a number is never contained.
    fn contains(&self, heading_deg: f64) -> bool {
        let after = heading_deg >= self.from_deg;
        let before = heading_deg <= self.to_deg;
        if self.from_deg > self.to_deg {
            after | before
        } else {
            // 360 is north again.
            (after & before) | (self.to_deg == 360.0 && heading_deg == 0.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_heading(range: (f64, f64), inside: &[f64], outside: &[f64]) {
        let range = HeadingRange::new(range).unwrap();
        for &heading in inside {
            assert!(range.contains(heading), "{heading} in {range:?}");
        }
        for &heading in outside {
            assert!(!range.contains(heading), "{heading} not in {range:?}");
        }
    }

    #[test]
    fn headings_are_closed_and_wrap_through_north() {
        check_heading(
            (10.0, 20.0),
            &[10.0, 15.0, 20.0],
            &[9.9, 20.1, 0.0, f64::NAN],
        );
        check_heading(
            (350.0, 10.0),
            &[350.0, 359.0, 0.0, 10.0],
            &[349.0, 11.0, f64::NAN],
        );
        check_heading((350.0, 360.0), &[350.0, 0.0], &[1.0, 349.0]);
        check_heading((0.0, 360.0), &[0.0, 180.0, 359.9], &[f64::NAN]);
    }

    #[test]
    fn headings_beyond_the_circle_are_refused() {
        let error = HeadingRange::new((-10.0, 10.0)).unwrap_err().to_string();
        assert!(error.contains("-10") && error.contains("350,10"), "{error}");
    }

    #[test]
    fn a_set_that_was_not_found_holds_nothing() {
        let empty = OrdinalSet::new([]);
        assert_eq!(empty.mask(&[0, 1, NONE]), 0);
        assert_eq!(empty.classify(&OrdinalSummary::of(3)), Match::None);
        assert_eq!(empty.classify(&OrdinalSummary::of(NONE)), Match::None);
    }
}
