//! The images of a dataset: columns in spatial order, and what the tree's nodes know of them.

use rayon::prelude::*;
use tilesight_tile::{GridBox, GridPoint};

use crate::dictionary::{Ids, Texts};
use crate::index::{LEAF_ROWS, PackedTree, Points, Summary};
use crate::query::Kind;
use crate::rows::Image;

/// Stands for an unknown capture time; less than every known one.
pub(crate) const UNKNOWN_MS: i64 = i64::MIN;

/// Stands for no sequence, organization or creator.
pub(crate) const NONE: u32 = u32::MAX;

/// What an image is, one bit each.
pub(crate) mod flag {
    /// A flat image. Neither this nor [`PANO`] where the tile does not say.
    pub(crate) const FLAT: u8 = 1;
    /// A panorama.
    pub(crate) const PANO: u8 = 2;
    /// The id was rounded on its way.
    pub(crate) const INEXACT_ID: u8 = 4;
}

/// Columns of equal length, one row an image.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImageColumns {
    pub(crate) x: Vec<u32>,
    pub(crate) y: Vec<u32>,
    pub(crate) id: Vec<i64>,
    /// [`UNKNOWN_MS`] where unknown.
    pub(crate) captured_at_ms: Vec<i64>,
    /// Not a number where unknown, else 0 ≤ heading < 360.
    pub(crate) compass_angle_deg: Vec<f64>,
    /// Row in the dictionary, or [`NONE`]; so with the next two.
    pub(crate) sequence: Vec<u32>,
    pub(crate) organization: Vec<u32>,
    pub(crate) creator: Vec<u32>,
    pub(crate) flags: Vec<u8>,
}

impl ImageColumns {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self {
            x: Vec::with_capacity(rows),
            y: Vec::with_capacity(rows),
            id: Vec::with_capacity(rows),
            captured_at_ms: Vec::with_capacity(rows),
            compass_angle_deg: Vec::with_capacity(rows),
            sequence: Vec::with_capacity(rows),
            organization: Vec::with_capacity(rows),
            creator: Vec::with_capacity(rows),
            flags: Vec::with_capacity(rows),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.id.len()
    }

    /// Keeps the rows that `order` says, in its order. One column at a time, so that no more
    /// than one exists twice.
    pub(crate) fn reorder(&mut self, order: &[u32]) {
        self.x = gather(&self.x, order);
        self.y = gather(&self.y, order);
        self.id = gather(&self.id, order);
        self.captured_at_ms = gather(&self.captured_at_ms, order);
        self.compass_angle_deg = gather(&self.compass_angle_deg, order);
        self.sequence = gather(&self.sequence, order);
        self.organization = gather(&self.organization, order);
        self.creator = gather(&self.creator, order);
        self.flags = gather(&self.flags, order);
    }

    pub(crate) fn kind(&self, row: usize) -> Option<Kind> {
        kind_of(self.flags[row])
    }

    pub(crate) fn captured_at_ms(&self, row: usize) -> Option<i64> {
        let ms = self.captured_at_ms[row];
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

fn gather<T: Copy + Send + Sync>(column: &[T], order: &[u32]) -> Vec<T> {
    order.par_iter().map(|&row| column[row as usize]).collect()
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
#[derive(Debug, Clone, Copy)]
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
}

/// A set of dictionary rows, roughly: one bit for every 64th, and their range.
#[derive(Debug, Clone, Copy)]
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
    fn union(self, other: Self) -> Self {
        Self {
            earliest_ms: self.earliest_ms.min(other.earliest_ms),
            latest_ms: self.latest_ms.max(other.latest_ms),
            organizations: self.organizations.union(other.organizations),
            creators: self.creators.union(other.creators),
            any_flags: self.any_flags | other.any_flags,
            all_flags: self.all_flags & other.all_flags,
        }
    }
}

/// The images, the tree over them, and the dictionaries their columns point into.
#[derive(Debug, Clone)]
pub(crate) struct Images {
    pub(crate) columns: ImageColumns,
    pub(crate) tree: PackedTree<ImageSummary>,
    /// Rows in ascending order of their ids.
    pub(crate) by_id: Vec<u32>,
    pub(crate) sequence_ids: Texts,
    pub(crate) organization_ids: Ids,
    pub(crate) creator_ids: Ids,
}

impl Images {
    pub(crate) fn points(&self) -> Points<'_> {
        Points {
            xs: &self.columns.x,
            ys: &self.columns.y,
            ids: &self.columns.id,
        }
    }

    /// The row of an id, if it is here.
    pub(crate) fn row_of(&self, id: i64) -> Option<u32> {
        let ids = &self.columns.id;
        let at = self
            .by_id
            .binary_search_by_key(&id, |&row| ids[row as usize])
            .ok()?;
        Some(self.by_id[at])
    }

    pub(crate) fn get(&self, row: u32) -> Image<'_> {
        let columns = &self.columns;
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
            sequence_id: self.sequence_ids.get(columns.sequence[row]),
            organization_id: self.organization_ids.get(columns.organization[row]),
            creator_id: self.creator_ids.get(columns.creator[row]),
            distance_m: None,
            bearing_deg: None,
            offset_deg: None,
        }
    }
}

/// Packs the tree over images in spatial order.
pub(crate) fn pack(columns: &ImageColumns) -> PackedTree<ImageSummary> {
    let leaves: Vec<_> = (0..columns.len())
        .step_by(LEAF_ROWS)
        .filter_map(|first| leaf(columns, first))
        .collect();
    PackedTree::new(leaves.into_iter())
}

fn leaf(columns: &ImageColumns, first: usize) -> Option<(GridBox, ImageSummary)> {
    let rows = first..(first + LEAF_ROWS).min(columns.len());
    let bounds = bounds_of(&columns.x[rows.clone()], &columns.y[rows.clone()])?;
    let summary = rows
        .map(|row| summary_of(columns, row))
        .reduce(ImageSummary::union)?;
    Some((bounds, summary))
}

fn summary_of(columns: &ImageColumns, row: usize) -> ImageSummary {
    ImageSummary {
        earliest_ms: columns.captured_at_ms[row],
        latest_ms: columns.captured_at_ms[row],
        organizations: OrdinalSummary::of(columns.organization[row]),
        creators: OrdinalSummary::of(columns.creator[row]),
        any_flags: columns.flags[row],
        all_flags: columns.flags[row],
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
