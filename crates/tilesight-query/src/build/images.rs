//! Images: once each, in spatial order.

use rayon::prelude::*;

use super::part::{Part, PartTile};
use super::{Images, Numbers, checked_count};
use crate::error::Error;
use crate::images::{ImageColumns, pack};
use crate::index::{Ranked, sort_spatially};

/// Joins the images of all parts.
pub(super) fn build(parts: Vec<Part>, numbers: Numbers) -> Result<Images, Error> {
    checked_count(parts.iter().map(|part| part.images.id.len()).sum())?;
    let tiles = TilesOfRows::of(&parts);
    let mut columns = concatenate(parts, &numbers);
    let kept = once_each(&columns.id, &tiles);
    let mut order = ranked(&columns, &kept);
    sort_spatially(&mut order);
    let rows: Vec<u32> = order.iter().map(|row| kept[row.rank as usize]).collect();
    columns.reorder(&rows);
    Ok(Images {
        tree: pack(&columns),
        by_id: positions_of_ranks(&order),
        columns,
        sequence_ids: numbers.sequence_ids,
        organization_ids: numbers.organization_ids,
        creator_ids: numbers.creator_ids,
    })
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

fn concatenate(parts: Vec<Part>, numbers: &Numbers) -> ImageColumns {
    let rows = parts.iter().map(|part| part.images.id.len()).sum();
    let mut all = ImageColumns::with_capacity(rows);
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

fn ranked(columns: &ImageColumns, kept: &[u32]) -> Vec<Ranked> {
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
