//! The images of a dataset: columns in spatial order, and what the tree's nodes know of them.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;
use tilesight_tile::{GridBox, GridPoint};

use crate::date::MAX_KNOWN_MS;
use crate::dictionary::{Ids, Texts};
use crate::error::Error;
use crate::index::{FANOUT, LEAF_ROWS, NodesWriter, PackedTree, Points, Summary};
use crate::query::Kind;
use crate::rows::Image;
use crate::scratch::Scratch;
use crate::storage::{Columns, Limits, Sound, Table, Touch, columns};
use crate::tally::Tallies;

/// Stands for an unknown capture time; less than every known one.
pub(crate) const UNKNOWN_MS: i64 = 0;

/// Stands for no sequence, organization or creator.
pub(crate) const NONE: u32 = u32::MAX;

/// What an image or a map feature is, one bit each.
pub(crate) mod flag {
    /// A flat image. Neither this nor [`PANO`] where the tile does not say.
    pub(crate) const FLAT: u8 = 1;
    /// A panorama.
    pub(crate) const PANO: u8 = 2;
    /// The id was rounded on its way.
    pub(crate) const INEXACT_ID: u8 = 4;
    /// A map feature that is a traffic sign, not an object.
    pub(crate) const SIGN: u8 = 8;
}

columns! {
    /// One row an image, in spatial order.
    struct ImageColumns = "image", FANOUT * LEAF_ROWS;
    x: u32,
    y: u32,
    id: i64,
    /// Milliseconds since 1970, [`UNKNOWN_MS`] where unknown: all but the last 16 of 48 bits.
    captured_at_high: u32,
    captured_at_low: u16,
    /// Not a number where unknown, else 0 ≤ heading < 360.
    compass_angle_deg: f64,
    /// Row in [`GroupColumns`], or [`NONE`].
    group: u32,
    flags: u8,
}

impl ImageColumns {
    pub(crate) fn kind(&self, row: usize) -> Option<Kind> {
        kind_of(self.flags[row])
    }

    /// [`UNKNOWN_MS`] where unknown.
    #[inline]
    pub(crate) fn time_ms(&self, row: usize) -> i64 {
        joined_ms(self.captured_at_high[row], self.captured_at_low[row])
    }

    pub(crate) fn captured_at_ms(&self, row: usize) -> Option<i64> {
        let ms = self.time_ms(row);
        (ms != UNKNOWN_MS).then_some(ms)
    }

    pub(crate) fn compass_angle_deg(&self, row: usize) -> Option<f64> {
        let angle = self.compass_angle_deg[row];
        (!angle.is_nan()).then_some(angle)
    }

    pub(crate) fn point(&self, row: usize) -> GridPoint {
        GridPoint {
            x: self.x[row],
            y: self.y[row],
        }
    }
}

impl Sound for ImageColumns {
    fn is_sound(&self, rows: Range<usize>, limits: &Limits) -> bool {
        let is_time = |row| (0..=MAX_KNOWN_MS).contains(&self.time_ms(row));
        let is_heading = |angle: f64| angle.is_nan() || (0.0..360.0).contains(&angle);
        rows.clone().all(is_time)
            && self.compass_angle_deg[rows.clone()]
                .iter()
                .all(|&angle| is_heading(angle))
            && self.group[rows]
                .iter()
                .all(|&group| is_row(group, limits.groups))
    }
}

/// Tells whether a number is that of a row, or none.
pub(crate) const fn is_row(number: u32, rows: usize) -> bool {
    number == NONE || (number as usize) < rows
}

/// A time as its two columns hold it.
pub(crate) const fn split_ms(ms: i64) -> (u32, u16) {
    ((ms >> 16) as u32, ms as u16)
}

#[inline]
pub(crate) const fn joined_ms(high: u32, low: u16) -> i64 {
    (high as i64) << 16 | low as i64
}

columns! {
    /// What images have in common that were taken together: one row for each sequence, but
    /// where tiles contradict each other, or images have no sequence.
    struct GroupColumns = "group", 4096;
    /// Row in the dictionary, or [`NONE`]; so with the next two.
    sequence: u32,
    organization: u32,
    creator: u32,
}

impl GroupColumns {
    /// What an image of a group belongs to; nothing for [`NONE`].
    pub(crate) fn get(&self, group: u32) -> Group {
        match group {
            NONE => Group {
                sequence: NONE,
                organization: NONE,
                creator: NONE,
            },
            group => Group {
                sequence: self.sequence[group as usize],
                organization: self.organization[group as usize],
                creator: self.creator[group as usize],
            },
        }
    }
}

impl Sound for GroupColumns {
    fn is_sound(&self, rows: Range<usize>, limits: &Limits) -> bool {
        let all = |column: &[u32], limit| column[rows.clone()].iter().all(|&n| is_row(n, limit));
        all(&self.sequence, limits.sequences)
            && all(&self.organization, limits.organizations)
            && all(&self.creator, limits.creators)
    }
}

/// What an image belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Group {
    pub(crate) sequence: u32,
    pub(crate) organization: u32,
    pub(crate) creator: u32,
}

columns! {
    /// Rows in ascending order of their ids.
    struct IdOrder = "id order", 4096;
    row: u32,
}

impl Sound for IdOrder {
    fn is_sound(&self, rows: Range<usize>, limits: &Limits) -> bool {
        self.row[rows]
            .iter()
            .all(|&row| (row as usize) < limits.images)
    }
}

pub(crate) fn kind_of(flags: u8) -> Option<Kind> {
    match flags & (flag::FLAT | flag::PANO) {
        flag::FLAT => Some(Kind::Flat),
        flag::PANO => Some(Kind::Pano),
        _ => None,
    }
}

pub(crate) fn flag_of(kind: Option<Kind>) -> u8 {
    match kind {
        Some(Kind::Flat) => flag::FLAT,
        Some(Kind::Pano) => flag::PANO,
        None => 0,
    }
}

/// What is true of the images below a node.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(crate) struct ImageSummary {
    /// Earliest capture time; [`UNKNOWN_MS`] if one is unknown.
    pub(crate) earliest_ms: i64,
    /// Latest capture time; [`UNKNOWN_MS`] if none is known.
    pub(crate) latest_ms: i64,
    pub(crate) organizations: OrdinalSummary,
    pub(crate) creators: OrdinalSummary,
    /// All flags that some image has.
    pub(crate) any_flags: u8,
    /// All flags that every image has.
    pub(crate) all_flags: u8,
    reserved: [u8; 6],
}

/// A set of dictionary rows, roughly: one bit for every 64th, and their range.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(crate) struct OrdinalSummary {
    bloom: u64,
    min: u32,
    max: u32,
}

impl OrdinalSummary {
    pub(crate) const fn of(ordinal: u32) -> Self {
        Self {
            bloom: bloom_bit(ordinal),
            min: ordinal,
            max: ordinal,
        }
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self {
            bloom: self.bloom | other.bloom,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }

    /// The only member, if there is but one.
    pub(crate) fn single(&self) -> Option<u32> {
        (self.min == self.max).then_some(self.min)
    }

    /// Tells whether a set with this bloom and range may share a member.
    pub(crate) fn may_meet(&self, bloom: u64, min: u32, max: u32) -> bool {
        self.bloom & bloom != 0 && self.min <= max && min <= self.max
    }
}

/// The bit that stands for a dictionary row; none for [`NONE`].
pub(crate) const fn bloom_bit(ordinal: u32) -> u64 {
    if ordinal == NONE {
        0
    } else {
        1 << (ordinal % 64)
    }
}

impl Summary for ImageSummary {
    const TABLE: &'static str = "image node";

    fn union(self, other: Self) -> Self {
        Self {
            earliest_ms: self.earliest_ms.min(other.earliest_ms),
            latest_ms: self.latest_ms.max(other.latest_ms),
            organizations: self.organizations.union(other.organizations),
            creators: self.creators.union(other.creators),
            any_flags: self.any_flags | other.any_flags,
            all_flags: self.all_flags & other.all_flags,
            reserved: [0; 6],
        }
    }
}

/// How many groups and their names can be read at once in the time that a name takes by itself.
const GROUPS_PER_NAME: usize = 8;

/// The images, the tree over them, and the dictionaries their columns point into.
#[derive(Debug, Clone)]
pub(crate) struct Images {
    pub(crate) table: Table<ImageColumns>,
    pub(crate) tree: PackedTree<ImageSummary>,
    pub(crate) tallies: Tallies,
    pub(crate) id_order: Table<IdOrder>,
    pub(crate) groups: Table<GroupColumns>,
    pub(crate) sequence_ids: Texts,
    pub(crate) organization_ids: Ids,
    pub(crate) creator_ids: Ids,
    /// Images whose names were touched by themselves so far.
    pub(crate) named: Arc<AtomicUsize>,
}

impl Images {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// The columns, of which only rows that were touched may be read.
    #[inline]
    pub(crate) const fn columns(&self) -> &ImageColumns {
        self.table.columns()
    }

    pub(crate) fn points(&self) -> Points<'_> {
        Points {
            xs: &self.columns().x,
            ys: &self.columns().y,
            ids: &self.columns().id,
            table: &self.table,
        }
    }

    /// Makes sure that a row may be read.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when it lies in a damaged block of a file; so with the next two.
    #[inline]
    pub(crate) fn touch(&self, row: u32) -> Result<(), Error> {
        self.table.touch(row as usize..row as usize + 1)
    }

    /// Makes sure that groups and dictionaries may be read: all of them, since rows that lie
    /// side by side belong to groups that do not.
    pub(crate) fn touch_names(&self) -> Result<(), Error> {
        self.groups.touch_all()?;
        self.sequence_ids.touch()?;
        self.organization_ids.touch()?;
        self.creator_ids.touch()
    }

    /// Makes sure that the groups and names of some rows may be read, which were touched.
    ///
    /// The first answers from a file read only what they need; once they have looked at as many
    /// names as reading all of them is worth, all are read, and no answer looks again.
    pub(crate) fn touch_names_of(
        &self,
        mut rows: impl Iterator<Item = u32>,
        count: usize,
    ) -> Result<(), Error> {
        if self.groups.is_open() && self.sequence_ids.is_open() {
            return self.touch_names();
        }
        let named = self.named.fetch_add(count, Relaxed).saturating_add(count);
        if named > self.groups.len() / GROUPS_PER_NAME {
            return self.touch_names();
        }
        self.organization_ids.touch()?;
        self.creator_ids.touch()?;
        rows.try_for_each(|row| {
            let group = self.columns().group[row as usize];
            if group == NONE {
                return Ok(());
            }
            self.groups.touch(group as usize..group as usize + 1)?;
            self.sequence_ids
                .touch_text(self.groups.columns().get(group).sequence)
        })
    }

    /// The row of an id, if it is here; it may be read.
    pub(crate) fn row_of(&self, id: i64) -> Result<Option<u32>, Error> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            self.id_order.touch(middle..middle + 1)?;
            let row = self.id_order.columns().row[middle];
            self.touch(row)?;
            match self.columns().id[row as usize].cmp(&id) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok(Some(row)),
                Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    /// What an image belongs to.
    pub(crate) fn group(&self, row: u32) -> Group {
        let group = self.columns().group[row as usize];
        self.groups.columns().get(group)
    }

    pub(crate) fn get(&self, row: u32) -> Image<'_> {
        let columns = self.columns();
        let group = self.group(row);
        let row = row as usize;
        let position = columns.point(row).to_lon_lat();
        Image {
            id: columns.id[row],
            id_is_exact: columns.flags[row] & flag::INEXACT_ID == 0,
            lon: position.lon(),
            lat: position.lat(),
            captured_at_ms: columns.captured_at_ms(row),
            compass_angle_deg: columns.compass_angle_deg(row),
            kind: columns.kind(row),
            sequence_id: self.sequence_ids.get(group.sequence),
            organization_id: self.organization_ids.get(group.organization),
            creator_id: self.creator_ids.get(group.creator),
            distance_m: None,
            bearing_deg: None,
            offset_deg: None,
        }
    }
}

/// Packs the tree over images in spatial order.
pub(crate) fn pack(
    columns: &ImageColumns,
    groups: &GroupColumns,
    scratch: &Scratch,
) -> Result<PackedTree<ImageSummary>, Error> {
    /// Leaves that are made at a time, on all threads.
    const LEAVES: usize = 1 << 14;
    let mut nodes = NodesWriter::new(scratch);
    for first in (0..columns.len()).step_by(LEAVES * LEAF_ROWS) {
        let firsts = (0..LEAVES).into_par_iter().map(|i| first + i * LEAF_ROWS);
        let leaves: Vec<_> = firsts
            .filter_map(|first| leaf(columns, groups, first))
            .collect();
        leaves
            .into_iter()
            .try_for_each(|(bounds, summary)| nodes.push(bounds, summary))?;
    }
    PackedTree::over(nodes, scratch)
}

fn leaf(
    columns: &ImageColumns,
    groups: &GroupColumns,
    first: usize,
) -> Option<(GridBox, ImageSummary)> {
    let rows = first.min(columns.len())..(first + LEAF_ROWS).min(columns.len());
    let bounds = bounds_of(&columns.x[rows.clone()], &columns.y[rows.clone()])?;
    let summary = rows
        .map(|row| summary_of(columns, groups, row))
        .reduce(ImageSummary::union)?;
    Some((bounds, summary))
}

fn summary_of(columns: &ImageColumns, groups: &GroupColumns, row: usize) -> ImageSummary {
    let group = groups.get(columns.group[row]);
    ImageSummary {
        earliest_ms: columns.time_ms(row),
        latest_ms: columns.time_ms(row),
        organizations: OrdinalSummary::of(group.organization),
        creators: OrdinalSummary::of(group.creator),
        any_flags: columns.flags[row],
        all_flags: columns.flags[row],
        reserved: [0; 6],
    }
}

/// The box around some positions; none around no positions.
pub(crate) fn bounds_of(xs: &[u32], ys: &[u32]) -> Option<GridBox> {
    Some(GridBox {
        min_x: *xs.iter().min()?,
        min_y: *ys.iter().min()?,
        max_x: *xs.iter().max()?,
        max_y: *ys.iter().max()?,
    })
}
