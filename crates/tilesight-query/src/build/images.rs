//! Images: once each, in spatial order.

use hashbrown::HashMap;
use rayon::prelude::*;

use super::part::{Part, PartTile, RawImages};
use super::{Images, Numbers, checked_count};
use crate::error::Error;
use crate::images::{Group, GroupColumns, IdOrder, ImageColumns, pack, split_ms};
use crate::index::{Ranked, sort_spatially};
use crate::storage::Column;

/// Joins the images of all parts.
pub(super) fn build(parts: Vec<Part>, numbers: Numbers) -> Result<Images, Error> {
    checked_count(parts.iter().map(|part| part.images.id.len()).sum())?;
    let tiles = TilesOfRows::of(&parts);
    let raw = concatenate(parts, &numbers);
    let kept = once_each(&raw.id, &tiles);
    let mut order = ranked(&raw, &kept);
    sort_spatially(&mut order);
    let rows: Vec<u32> = order.iter().map(|row| kept[row.rank as usize]).collect();
    let (groups, group) = grouped(&raw, &rows);
    let columns = columns_of(&raw, &rows, group);
    Ok(Images {
        tree: pack(&columns, &groups),
        id_order: IdOrder {
            row: positions_of_ranks(&order).into(),
        }
        .into(),
        groups: groups.into(),
        table: columns.into(),
        sequence_ids: numbers.sequence_ids,
        organization_ids: numbers.organization_ids,
        creator_ids: numbers.creator_ids,
    })
}

/// The groups of some rows, ascending, and which of them each row belongs to.
fn grouped(raw: &RawImages, rows: &[u32]) -> (GroupColumns, Vec<u32>) {
    let group_of = |row: u32| Group {
        sequence: raw.sequence[row as usize],
        organization: raw.organization[row as usize],
        creator: raw.creator[row as usize],
    };
    let mut numbers: HashMap<Group, u32> = HashMap::new();
    let firsts: Vec<u32> = rows
        .iter()
        .map(|&row| {
            let next = numbers.len() as u32;
            *numbers.entry(group_of(row)).or_insert(next)
        })
        .collect();
    let mut groups: Vec<(Group, u32)> = numbers.into_iter().collect();
    groups.par_sort_unstable();
    let mut renumbered = vec![0; groups.len()];
    for (number, (_, first)) in (0..).zip(&groups) {
        renumbered[*first as usize] = number;
    }
    let columns = GroupColumns {
        sequence: groups.iter().map(|(group, _)| group.sequence).collect(),
        organization: groups.iter().map(|(group, _)| group.organization).collect(),
        creator: groups.iter().map(|(group, _)| group.creator).collect(),
    };
    let of_row = firsts
        .into_iter()
        .map(|first| renumbered[first as usize])
        .collect();
    (columns, of_row)
}

fn columns_of(raw: &RawImages, rows: &[u32], group: Vec<u32>) -> ImageColumns {
    let times = &raw.captured_at_ms;
    ImageColumns {
        x: gather(&raw.x, rows),
        y: gather(&raw.y, rows),
        id: gather(&raw.id, rows),
        captured_at_high: gathered(rows, |row| split_ms(times[row]).0),
        captured_at_low: gathered(rows, |row| split_ms(times[row]).1),
        compass_angle_deg: gather(&raw.compass_angle_deg, rows),
        group: group.into(),
        flags: gather(&raw.flags, rows),
    }
}

fn gather<T: Copy + Send + Sync>(column: &[T], rows: &[u32]) -> Column<T> {
    gathered(rows, |row| column[row])
}

fn gathered<T: Send>(rows: &[u32], value: impl Fn(usize) -> T + Sync) -> Column<T> {
    rows.par_iter()
        .map(|&row| value(row as usize))
        .collect::<Vec<_>>()
        .into()
}

/// Which tile each row came from.
struct TilesOfRows {
    tiles: Vec<PartTile>,
}

impl TilesOfRows {
    fn of(parts: &[Part]) -> Self {
        let mut tiles = Vec::new();
        let mut rows_before = 0;
        for part in parts {
            tiles.extend(part.tiles.iter().map(|tile| PartTile {
                first_image: rows_before + tile.first_image,
                ..*tile
            }));
            rows_before += part.images.id.len();
        }
        Self { tiles }
    }

    fn fetched_at_ms(&self, row: u32) -> i64 {
        let beyond = self
            .tiles
            .partition_point(|tile| tile.first_image <= row as usize);
        self.tiles[beyond - 1].fetched_at_ms
    }
}

/// The rows of all parts one after the other, with the dataset's numbers.
fn concatenate(parts: Vec<Part>, numbers: &Numbers) -> RawImages {
    let rows = parts.iter().map(|part| part.images.id.len()).sum();
    let mut all = RawImages::with_capacity(rows);
    for (mut part, numbers) in parts.into_iter().zip(&numbers.parts) {
        let images = &mut part.images;
        all.x.append(&mut images.x);
        all.y.append(&mut images.y);
        all.id.append(&mut images.id);
        all.captured_at_ms.append(&mut images.captured_at_ms);
        all.compass_angle_deg.append(&mut images.compass_angle_deg);
        all.flags.append(&mut images.flags);
        all.sequence
            .extend(numbers.sequences.of_all(&images.sequence));
        all.organization
            .extend(numbers.organizations.of_all(&images.organization));
        all.creator.extend(numbers.creators.of_all(&images.creator));
    }
    all
}

/// The rows to keep, ascending by id: of each image the most recently fetched, else the first.
fn once_each(ids: &[i64], tiles: &TilesOfRows) -> Vec<u32> {
    let mut rows: Vec<(i64, u32)> = ids.iter().copied().zip(0..).collect();
    rows.par_sort_unstable();
    rows.chunk_by(|a, b| a.0 == b.0)
        .map(|same| best(same, tiles))
        .collect()
}

/// Of the rows of one image, in the order of their tiles, the one that stays.
fn best(same: &[(i64, u32)], tiles: &TilesOfRows) -> u32 {
    let mut best = same[0].1;
    for &(_, row) in &same[1..] {
        if tiles.fetched_at_ms(row) > tiles.fetched_at_ms(best) {
            best = row;
        }
    }
    best
}

fn ranked(columns: &RawImages, kept: &[u32]) -> Vec<Ranked> {
    let at = |row: u32| (columns.x[row as usize], columns.y[row as usize]);
    (0..)
        .zip(kept)
        .map(|(rank, &row)| Ranked {
            x: at(row).0,
            y: at(row).1,
            rank,
        })
        .collect()
}

/// Where each rank stands in an order of ranks.
pub(super) fn positions_of_ranks(order: &[Ranked]) -> Vec<u32> {
    let mut positions = vec![0; order.len()];
    for (position, row) in (0..).zip(order) {
        positions[row.rank as usize] = position;
    }
    positions
}
