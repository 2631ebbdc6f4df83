//! Images: once each, in spatial order.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use hashbrown::HashMap;
use rayon::prelude::*;
use tilesight_tile::GridPoint;

use super::names::{Dictionaries, Names, Numbers};
use super::order::{Key, RawRow, RawRows};
use super::part::Part;
use super::sequences::{SequenceImage, SequenceImages};
use crate::error::Error;
use crate::images::{Group, GroupColumns, IdOrder, ImageColumns, Images, NONE, pack, split_ms};
use crate::scratch::{Scratch, Sorter, Spool};
use crate::tally::Tallies;

/// The share of memory for the order of the ids, one of so many.
const ID_SHARE: usize = 8;

/// An image as its tile has it.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct RawImage {
    id: i64,
    captured_at_ms: i64,
    compass_angle_deg: f64,
    x: u32,
    y: u32,
    /// Number of its group, in the order in which they came.
    group: u32,
    flags: u32,
}

impl RawRow for RawImage {
    fn point(&self) -> GridPoint {
        GridPoint {
            x: self.x,
            y: self.y,
        }
    }

    fn key(&self) -> Key {
        Key::new(self.id, 0)
    }
}

/// Collects the images of parts.
pub(super) struct ImagesBuilder {
    rows: RawRows<RawImage>,
    /// Groups by the numbers that their members have in [`Names`].
    groups: HashMap<Group, u32>,
}

impl ImagesBuilder {
    pub(super) fn new(scratch: &Scratch) -> Self {
        Self {
            rows: RawRows::new(scratch),
            groups: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, part: &Part, names: &Names) -> Result<(), Error> {
        let images = &part.images;
        let mut rows = Vec::new();
        let ends = part.tiles.iter().skip(1).map(|tile| tile.first_image);
        for (tile, end) in part.tiles.iter().zip(ends.chain([images.id.len()])) {
            rows.clear();
            rows.extend((tile.first_image..end).map(|row| RawImage {
                id: images.id[row],
                captured_at_ms: images.captured_at_ms[row],
                compass_angle_deg: images.compass_angle_deg[row],
                x: images.x[row],
                y: images.y[row],
                group: self.group(Group {
                    sequence: names.sequences.of(images.sequence[row]),
                    organization: names.organizations.of(images.organization[row]),
                    creator: names.creators.of(images.creator[row]),
                }),
                flags: u32::from(images.flags[row]),
            }));
            self.rows.extend(tile.fetched_at_ms, &rows)?;
        }
        Ok(())
    }

    fn group(&mut self, group: Group) -> u32 {
        let next = self.groups.len() as u32;
        *self.groups.entry(group).or_insert(next)
    }

    /// The images, and the same again as their sequences need them.
    pub(super) fn finish(
        self,
        dictionaries: Dictionaries,
        numbers: &Numbers,
        scratch: &Scratch,
    ) -> Result<(Images, SequenceImages), Error> {
        let (groups, renumbered) = sorted_groups(self.groups, numbers);
        let mut writer = ImagesWriter::new(scratch);
        self.rows
            .finish(scratch, |rows| writer.push(rows, &groups, &renumbered))?;
        writer.finish(groups, dictionaries, scratch)
    }
}

/// The groups in ascending order, and what the number of each becomes.
fn sorted_groups(groups: HashMap<Group, u32>, numbers: &Numbers) -> (GroupColumns, Vec<u32>) {
    let mut sorted: Vec<(Group, u32)> = groups
        .into_iter()
        .map(|(group, first)| {
            let group = Group {
                sequence: numbers.sequences.of(group.sequence),
                organization: numbers.organizations.of(group.organization),
                creator: numbers.creators.of(group.creator),
            };
            (group, first)
        })
        .collect();
    sorted.par_sort_unstable();
    let mut renumbered = vec![NONE; sorted.len()];
    for (number, (_, first)) in (0..).zip(&sorted) {
        renumbered[*first as usize] = number;
    }
    let columns = GroupColumns {
        sequence: sorted.iter().map(|(group, _)| group.sequence).collect(),
        organization: sorted.iter().map(|(group, _)| group.organization).collect(),
        creator: sorted.iter().map(|(group, _)| group.creator).collect(),
    };
    (columns, renumbered)
}

/// An id and its row.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
struct IdRow {
    id: i64,
    row: u32,
    reserved: u32,
}

/// Collects the columns of images in their last order.
struct ImagesWriter {
    x: Spool<u32>,
    y: Spool<u32>,
    id: Spool<i64>,
    captured_at_high: Spool<u32>,
    captured_at_low: Spool<u16>,
    compass_angle_deg: Spool<f64>,
    group: Spool<u32>,
    flags: Spool<u8>,
    ids: Sorter<IdRow>,
    sequences: SequenceImages,
}

impl ImagesWriter {
    fn new(scratch: &Scratch) -> Self {
        Self {
            x: Spool::new(scratch),
            y: Spool::new(scratch),
            id: Spool::new(scratch),
            captured_at_high: Spool::new(scratch),
            captured_at_low: Spool::new(scratch),
            compass_angle_deg: Spool::new(scratch),
            group: Spool::new(scratch),
            flags: Spool::new(scratch),
            ids: Sorter::new(scratch, ID_SHARE),
            sequences: SequenceImages::new(scratch),
        }
    }

    fn push(
        &mut self,
        rows: &[RawImage],
        groups: &GroupColumns,
        renumbered: &[u32],
    ) -> Result<(), Error> {
        let numbered = || (self.x.len() as u32..).zip(rows);
        let ids = numbered().map(|(row, image)| IdRow {
            id: image.id,
            row,
            reserved: 0,
        });
        self.ids.extend(ids)?;
        self.sequences.extend(numbered().map(|(row, image)| {
            let group = groups.get(renumbered[image.group as usize]);
            SequenceImage::new(
                row,
                image.id,
                image.captured_at_ms,
                image.point(),
                group.sequence,
            )
        }))?;
        let times = || rows.iter().map(|image| split_ms(image.captured_at_ms));
        self.x.extend(rows.iter().map(|image| image.x))?;
        self.y.extend(rows.iter().map(|image| image.y))?;
        self.id.extend(rows.iter().map(|image| image.id))?;
        self.captured_at_high
            .extend(times().map(|(high, _)| high))?;
        self.captured_at_low.extend(times().map(|(_, low)| low))?;
        self.compass_angle_deg
            .extend(rows.iter().map(|image| image.compass_angle_deg))?;
        self.group
            .extend(rows.iter().map(|image| renumbered[image.group as usize]))?;
        self.flags
            .extend(rows.iter().map(|image| image.flags as u8))
    }

    fn finish(
        self,
        groups: GroupColumns,
        dictionaries: Dictionaries,
        scratch: &Scratch,
    ) -> Result<(Images, SequenceImages), Error> {
        let columns = ImageColumns {
            x: self.x.finish()?,
            y: self.y.finish()?,
            id: self.id.finish()?,
            captured_at_high: self.captured_at_high.finish()?,
            captured_at_low: self.captured_at_low.finish()?,
            compass_angle_deg: self.compass_angle_deg.finish()?,
            group: self.group.finish()?,
            flags: self.flags.finish()?,
        };
        let mut by_id = Spool::new(scratch);
        by_id.extend_in_blocks(self.ids.finish().map(|entry| entry.row))?;
        let images = Images {
            tree: pack(&columns, &groups, scratch)?,
            tallies: Tallies::over(&columns, scratch)?,
            id_order: IdOrder {
                row: by_id.finish()?,
            }
            .into(),
            groups: groups.into(),
            table: columns.into(),
            sequence_ids: dictionaries.sequences,
            organization_ids: dictionaries.organizations,
            creator_ids: dictionaries.creators,
            named: Arc::default(),
        };
        Ok((images, self.sequences))
    }
}
