//! From rows as tiles have them to rows once each, in spatial order: in memory that does not grow
//! with their number.
//!
//! Rows are counted by tile of zoom 14. The tiles are split into cells as a k-d tree splits
//! points, each cell of so many rows as are ordered in memory at a time; the cells follow each
//! other in the order of the split. Where the cuts lie depends on the rows alone.

use bytemuck::{Pod, Zeroable};
use hashbrown::HashMap;
use rayon::prelude::*;
use tilesight_tile::GridPoint;

use super::checked_count;
use crate::error::Error;
use crate::index::{Ranked, sort_spatially};
use crate::schema::DATA_ZOOM;
use crate::scratch::{Scratch, Sorter, Spool};
use crate::storage::Column;

/// Rows of a cell, where one tile alone has not more.
const CELL_ROWS: u64 = 1 << 20;

/// Sides of a tile of the data zoom are this power of two.
const TILE_SHIFT: u32 = 32 - DATA_ZOOM as u32;

/// A row as its tile has it.
pub(super) trait RawRow: Pod + Send + Sync {
    fn point(&self) -> GridPoint;

    /// What two rows of one thing share.
    fn key(&self) -> Key;
}

/// An id, and which of the things that may share it.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
pub(super) struct Key {
    pub(super) id: i64,
    pub(super) kind: u32,
    /// Rows of one key come in the order of their tiles.
    row: u32,
}

impl Key {
    pub(super) const fn new(id: i64, kind: u32) -> Self {
        Self { id, kind, row: 0 }
    }
}

/// Collects rows, tile after tile.
pub(super) struct RawRows<R> {
    rows: Spool<R>,
    keys: Sorter<Key>,
    /// Rows on each tile of the data zoom, by its column and row.
    counts: HashMap<(u32, u32), u64>,
    /// When the rows from some row on were fetched.
    fetched_at_ms: Vec<(usize, i64)>,
}

impl<R: RawRow> RawRows<R> {
    pub(super) fn new(scratch: &Scratch) -> Self {
        Self {
            rows: Spool::new(scratch),
            keys: Sorter::new(scratch, KEY_SHARE),
            counts: HashMap::new(),
            fetched_at_ms: Vec::new(),
        }
    }

    /// Adds the rows of one tile.
    pub(super) fn extend(&mut self, fetched_at_ms: i64, rows: &[R]) -> Result<(), Error> {
        checked_count(self.rows.len() + rows.len())?;
        if self
            .fetched_at_ms
            .last()
            .is_none_or(|&(_, last)| last != fetched_at_ms)
        {
            self.fetched_at_ms.push((self.rows.len(), fetched_at_ms));
        }
        let numbers = self.rows.len() as u32..;
        self.keys
            .extend(numbers.zip(rows).map(|(row, raw)| Key { row, ..raw.key() }))?;
        for run in rows.chunk_by(|a, b| tile_of(a.point()) == tile_of(b.point())) {
            *self.counts.entry(tile_of(run[0].point())).or_default() += run.len() as u64;
        }
        self.rows.extend(rows.iter().copied())
    }

    /// Hands over the rows, each thing once, in spatial order: cell by cell.
    ///
    /// Of rows of one key the most recently fetched stays, else the first.
    pub(super) fn finish(
        self,
        scratch: &Scratch,
        mut take: impl FnMut(&[R]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let repeated = repeated(self.keys, &self.fetched_at_ms);
        let rows = self.rows.finish()?;
        let mut taken = 0;
        for cell in cells(&rows, self.counts, scratch)? {
            let ordered = ordered(&rows, &cell.finish()?, &repeated, taken);
            taken += ordered.len();
            take(&ordered)?;
        }
        Ok(())
    }
}

/// The share of memory for the keys, one of so many.
const KEY_SHARE: usize = 4;

/// Column and row of the tile of the data zoom that a position lies on.
const fn tile_of(point: GridPoint) -> (u32, u32) {
    (point.x >> TILE_SHIFT, point.y >> TILE_SHIFT)
}

/// The rows that others of their key replace, ascending.
fn repeated(keys: Sorter<Key>, fetched_at_ms: &[(usize, i64)]) -> Vec<u32> {
    let fetched = |row: u32| {
        let beyond = fetched_at_ms.partition_point(|&(first, _)| first <= row as usize);
        fetched_at_ms[beyond - 1].1
    };
    let mut repeated = Vec::new();
    let mut kept: Option<Key> = None;
    for key in keys.finish() {
        match &mut kept {
            Some(kept) if (kept.id, kept.kind) == (key.id, key.kind) => {
                let is_newer = fetched(key.row) > fetched(kept.row);
                let replaced = if is_newer {
                    std::mem::replace(kept, key)
                } else {
                    key
                };
                repeated.push(replaced.row);
            }
            _ => kept = Some(key),
        }
    }
    repeated.par_sort_unstable();
    repeated
}

/// The numbers of the rows of each cell, ascending.
fn cells<R: RawRow>(
    rows: &Column<R>,
    counts: HashMap<(u32, u32), u64>,
    scratch: &Scratch,
) -> Result<Vec<Spool<u32>>, Error> {
    let mut tiles: Vec<_> = counts.into_iter().collect();
    tiles.sort_unstable();
    let mut cell_of = HashMap::new();
    let cells = split(&mut tiles, 0, &mut cell_of);
    let mut spools: Vec<_> = (0..cells).map(|_| Spool::new(scratch)).collect();
    let mut first = 0;
    for run in rows.chunk_by(|a, b| tile_of(a.point()) == tile_of(b.point())) {
        let beyond = first + run.len() as u32;
        spools[cell_of[&tile_of(run[0].point())]].extend(first..beyond)?;
        first = beyond;
    }
    Ok(spools)
}

/// Gives each tile the number of its cell, from `first` on; returns the number after the last.
fn split(
    tiles: &mut [((u32, u32), u64)],
    first: usize,
    cell_of: &mut HashMap<(u32, u32), usize>,
) -> usize {
    let rows: u64 = tiles.iter().map(|(_, rows)| rows).sum();
    if tiles.len() < 2 || rows <= CELL_ROWS {
        cell_of.extend(tiles.iter().map(|&(tile, _)| (tile, first)));
        return first + usize::from(!tiles.is_empty());
    }
    let extent = |axis: fn(&(u32, u32)) -> u32| {
        let along = || tiles.iter().map(|(tile, _)| axis(tile));
        along().max().unwrap_or(0) - along().min().unwrap_or(0)
    };
    if extent(|tile| tile.0) > extent(|tile| tile.1) {
        tiles.sort_unstable_by_key(|&((x, y), _)| (x, y));
    } else {
        tiles.sort_unstable_by_key(|&((x, y), _)| (y, x));
    }
    let mut before = 0;
    let half = tiles.iter().position(|(_, count)| {
        before += count;
        before * 2 >= rows
    });
    let half = half.map_or(1, |at| at + 1).clamp(1, tiles.len() - 1);
    let (left, right) = tiles.split_at_mut(half);
    let middle = split(left, first, cell_of);
    split(right, middle, cell_of)
}

/// The rows of a cell in spatial order, without those that are repeated; `first` rows come before
/// them.
fn ordered<R: RawRow>(rows: &[R], cell: &[u32], repeated: &[u32], first: usize) -> Vec<R> {
    let is_kept = |row: &&u32| repeated.binary_search(row).is_err();
    let mut kept: Vec<(Key, R)> = cell
        .par_iter()
        .filter(is_kept)
        .map(|&row| (rows[row as usize].key(), rows[row as usize]))
        .collect();
    kept.par_sort_unstable_by_key(|&(key, _)| key);
    let mut order: Vec<Ranked> = (0..)
        .zip(&kept)
        .map(|(rank, (_, row))| Ranked {
            x: row.point().x,
            y: row.point().y,
            rank,
        })
        .collect();
    sort_spatially(&mut order, first);
    order
        .par_iter()
        .map(|row| kept[row.rank as usize].1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[repr(C)]
    #[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
    struct Row {
        id: i64,
        x: u32,
        y: u32,
    }

    impl RawRow for Row {
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

    fn folder() -> Scratch {
        Scratch::Folder {
            path: std::env::temp_dir(),
            memory: 1 << 12,
        }
    }

    fn finished(tiles: &[(i64, Vec<Row>)], scratch: &Scratch) -> Vec<Row> {
        let mut raw = RawRows::new(scratch);
        for (fetched_at_ms, rows) in tiles {
            raw.extend(*fetched_at_ms, rows).unwrap();
        }
        let mut found = Vec::new();
        let take = |rows: &[Row]| {
            found.extend_from_slice(rows);
            Ok(())
        };
        raw.finish(scratch, take).unwrap();
        found
    }

    proptest! {
        #[test]
        fn each_is_there_once_and_the_newest(
            tiles in prop::collection::vec(
                (0i64..4, prop::collection::vec((0i64..40, any::<(u32, u32)>()), 0..80)), 0..6,
            ),
        ) {
            let row = |&(id, (x, y)): &(i64, (u32, u32))| Row { id, x, y };
            let tiles: Vec<(i64, Vec<Row>)> = tiles
                .iter()
                .map(|(fetched, rows)| (*fetched, rows.iter().map(row).collect()))
                .collect();
            let mut expected: HashMap<i64, (i64, Row)> = HashMap::new();
            for (fetched, row) in tiles.iter().flat_map(|(f, rows)| rows.iter().map(|r| (*f, *r))) {
                let kept = expected.entry(row.id).or_insert((fetched, row));
                if fetched > kept.0 {
                    *kept = (fetched, row);
                }
            }
            let found = finished(&tiles, &Scratch::Memory);
            prop_assert_eq!(found.len(), expected.len());
            prop_assert!(found.iter().all(|row| expected[&row.id].1 == *row));
            prop_assert_eq!(found, finished(&tiles, &folder()));
        }

        #[test]
        fn cells_are_whole_tiles_and_not_too_large(
            counts in prop::collection::hash_map((0u32..9, 0u32..9), 1..CELL_ROWS, 0..30),
        ) {
            let mut tiles: Vec<_> = counts.iter().map(|(&tile, &rows)| (tile, rows)).collect();
            tiles.sort_unstable();
            let mut cell_of = HashMap::new();
            let cells = split(&mut tiles, 0, &mut cell_of);
            prop_assert_eq!(cell_of.len(), counts.len());
            let mut rows = vec![0; cells];
            for (tile, cell) in &cell_of {
                rows[*cell] += counts[tile];
            }
            prop_assert!(rows.iter().all(|&rows| 0 < rows && rows <= CELL_ROWS));
        }
    }
}
