//! The search: a shape and a filter go down the tree together.

use std::ops::{BitOr, Range};

use tilesight_tile::GridBox;

use super::nearest::Points;
use super::tree::{BoxGroup, PackedTree, Summary, Verdicts};
use super::{FANOUT, LEAF_ROWS};
use crate::error::Error;
use crate::storage::vectorized;

/// A place, as the tree asks for it.
///
/// A box that does not meet the shape holds no row of it; a box inside has no other rows.
pub(crate) trait Shape {
    /// Judges sixteen boxes.
    fn classify(&self, boxes: &BoxGroup) -> Verdicts;

    /// Judges up to 64 positions, which lie within `bounds`: bit `i` for position `i`.
    fn mask(&self, bounds: &GridBox, xs: &[u32], ys: &[u32]) -> u64;
}

/// What a filter says of all the rows below a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// None of them pass.
    None,
    /// Some may.
    Some,
    /// All of them pass.
    All,
}

impl Match {
    /// What holds of rows that must pass both of two conditions.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::All, Self::All) => Self::All,
            _ => Self::Some,
        }
    }
}

/// Conditions on the columns of a table.
pub(crate) trait RowFilter<S> {
    /// Judges all rows below a node by what is true of them.
    fn classify(&self, summary: &S) -> Match;

    /// Judges up to 64 rows: bit `i` for the row `rows.start + i`.
    fn mask(&self, rows: Range<usize>) -> u64;

    /// Judges those of up to 64 rows whose bit is set.
    fn mask_among(&self, rows: Range<usize>, among: u64) -> u64 {
        self.mask(rows) & among
    }

    /// Asks for what [`mask`](Self::mask) will read of rows that are judged soon.
    fn prefetch(&self, _: Range<usize>) {}
}

/// Takes the answer, in ascending order of rows.
pub(crate) trait Sink {
    /// All of some rows.
    fn range(&mut self, rows: Range<u32>);

    /// Some of the 64 rows from `first` on: those whose bit is set.
    fn block(&mut self, first: u32, mask: u64);
}

/// Every position.
pub(crate) struct Anywhere;

impl Shape for Anywhere {
    fn classify(&self, _: &BoxGroup) -> Verdicts {
        Verdicts {
            meets: u16::MAX,
            inside: u16::MAX,
        }
    }

    fn mask(&self, _: &GridBox, xs: &[u32], _: &[u32]) -> u64 {
        mask_of_all(xs.len())
    }
}

/// Judges up to 64 values: sets bit `i` where `test` holds of the value `i`.
#[inline]
pub(crate) fn mask_of<T: Copy>(values: &[T], test: impl Fn(T) -> bool) -> u64 {
    match values.as_array::<LEAF_ROWS>() {
        Some(values) if size_of::<T>() == 1 => packed_of_bytes(|i| test(values[i])),
        Some(values) => packed::<LEAF_ROWS>(|i| test(values[i])),
        None => mask_of_few(values.len(), |i| test(values[i])),
    }
}

/// Judges up to 64 positions: sets bit `i` where `test` holds of the position `i`.
#[inline]
pub(crate) fn mask_of_points(xs: &[u32], ys: &[u32], test: impl Fn(u32, u32) -> bool) -> u64 {
    match (xs.as_array::<LEAF_ROWS>(), ys.as_array::<LEAF_ROWS>()) {
        (Some(xs), Some(ys)) => packed::<LEAF_ROWS>(|i| test(xs[i], ys[i])),
        _ => mask_of_few(xs.len(), |i| test(xs[i], ys[i])),
    }
}

/// Judges the rows of the last block, which is not full.
fn mask_of_few(len: usize, test: impl Fn(usize) -> bool) -> u64 {
    debug_assert!(len < LEAF_ROWS);
    (0..len).fold(0, |mask, i| mask | u64::from(test(i)) << i)
}

/// All of up to 64 rows.
pub(crate) const fn mask_of_all(rows: usize) -> u64 {
    debug_assert!(rows <= LEAF_ROWS);
    match rows {
        0 => 0,
        _ => u64::MAX >> (LEAF_ROWS - rows),
    }
}

/// Sets bit `i` of `N`, at most 64, where `test(i)` holds, without a branch.
#[inline]
pub(crate) fn packed<const N: usize>(test: impl Fn(usize) -> bool) -> u64 {
    vectorized(
        #[inline(always)]
        || {
            // Words of 32 bits, as wide as most of what is tested, are made many at a time.
            let word = |first: usize, len: usize| {
                let bits = (0..len).map(|i| u32::from(test(first + i)) << i);
                u64::from(bits.fold(0, BitOr::bitor))
            };
            let half = N.min(32);
            word(0, half)
                | if N > half {
                    word(half, N - half) << 32
                } else {
                    0
                }
        },
    )
}

/// The same for tests of single bytes, whose verdicts are bytes first, and bits afterwards.
#[inline]
fn packed_of_bytes(test: impl Fn(usize) -> bool) -> u64 {
    /// The product moves the last bit of each of eight bytes into the highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    vectorized(
        #[inline(always)]
        || {
            let verdicts: [u8; LEAF_ROWS] = std::array::from_fn(|i| u8::from(test(i)));
            let eights = verdicts.as_chunks::<8>().0.iter().rev();
            eights.fold(0, |mask, eight| {
                mask << 8 | u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56
            })
        },
    )
}

/// Judges sixteen boxes by whether they meet something, and whether they lie inside it.
#[inline]
pub(crate) fn verdicts(meets: impl Fn(usize) -> bool, inside: impl Fn(usize) -> bool) -> Verdicts {
    let both = vectorized(
        #[inline(always)]
        || {
            let mut both = 0;
            for i in 0..FANOUT {
                both |= (u32::from(meets(i)) | u32::from(inside(i)) << FANOUT) << i;
            }
            both
        },
    );
    Verdicts {
        meets: both as u16,
        inside: (both >> FANOUT) as u16,
    }
}

/// The numbers of the bits that are set, ascending.
pub(crate) const fn bits(mask: u64) -> Bits {
    Bits(mask)
}

/// Iterates over set bits; see [`bits`].
#[derive(Clone)]
pub(crate) struct Bits(u64);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let bit = (self.0 != 0).then(|| self.0.trailing_zeros() as usize)?;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

/// Hands every row that lies in `shape` and passes `filter` to `sink`.
///
/// `points` are the rows in blocks of [`LEAF_ROWS`] as `tree` has them.
///
/// # Errors
///
/// [`Error::Damaged`] when a node or a row that was needed lies in a damaged block of a file.
pub(crate) fn search<S: Summary>(
    tree: &PackedTree<S>,
    points: Points<'_>,
    shape: &impl Shape,
    filter: &impl RowFilter<S>,
    sink: &mut impl Sink,
) -> Result<(), Error> {
    let mut search = Search {
        tree,
        points,
        shape,
        filter,
        sink,
    };
    search.visit(
        tree.height() - 1,
        0,
        Open {
            shape: true,
            filter: true,
        },
    )
}

struct Search<'a, S, P, F, K> {
    tree: &'a PackedTree<S>,
    points: Points<'a>,
    shape: &'a P,
    filter: &'a F,
    sink: &'a mut K,
}

/// Which of the two questions an ancestor has not settled yet.
#[derive(Clone, Copy)]
struct Open {
    shape: bool,
    filter: bool,
}

impl<S: Summary, P: Shape, F: RowFilter<S>, K: Sink> Search<'_, S, P, F, K> {
    fn visit(&mut self, level: usize, group: usize, open: Open) -> Result<(), Error> {
        let boxes = self.tree.group(level, group)?;
        let verdicts = if open.shape {
            self.shape.classify(boxes)
        } else {
            Verdicts {
                meets: u16::MAX,
                inside: u16::MAX,
            }
        };
        // The last group may have fewer nodes than places.
        let nodes = self.tree.nodes_in_group(level, group);
        let meets = u64::from(verdicts.meets) & ((1 << nodes) - 1);
        self.prefetch(level, group, meets, verdicts.inside, open);
        for i in bits(meets) {
            let inside = verdicts.inside >> i & 1 == 1;
            self.enter(
                level,
                group * FANOUT + i,
                Open {
                    shape: !inside,
                    ..open
                },
            )?;
        }
        Ok(())
    }

    /// Asks for what the nodes of a group that are entered will look at.
    fn prefetch(&self, level: usize, group: usize, meets: u64, inside: u16, open: Open) {
        let settled = if open.filter { 0 } else { u64::from(inside) };
        for i in bits(meets & !settled) {
            let node = group * FANOUT + i;
            if level > 0 {
                self.tree.prefetch_group(level - 1, node);
                continue;
            }
            let rows = self.rows(0, node);
            let rows = rows.start as usize..rows.end as usize;
            if inside >> i & 1 == 0 {
                self.points.prefetch(rows.clone());
            }
            if open.filter {
                self.filter.prefetch(rows);
            }
        }
    }

    fn enter(&mut self, level: usize, node: usize, mut open: Open) -> Result<(), Error> {
        if open.filter {
            match self.filter.classify(self.tree.summary(level, node)) {
                Match::None => return Ok(()),
                Match::Some => {}
                Match::All => open.filter = false,
            }
        }
        if !open.shape && !open.filter {
            self.sink.range(self.rows(level, node));
            Ok(())
        } else if level == 0 {
            self.leaf(node, open)
        } else {
            self.visit(level - 1, node, open)
        }
    }

    fn leaf(&mut self, leaf: usize, open: Open) -> Result<(), Error> {
        let rows = self.rows(0, leaf);
        let range = rows.start as usize..rows.end as usize;
        self.points.touch(range.clone())?;
        let mut mask = mask_of_all(range.len());
        if open.shape {
            let bounds = self.tree.bounds(0, leaf);
            mask &= self.shape.mask(
                &bounds,
                &self.points.xs[range.clone()],
                &self.points.ys[range.clone()],
            );
        }
        if open.filter && mask != 0 {
            mask = self.filter.mask_among(range, mask);
        }
        if mask != 0 {
            self.sink.block(rows.start, mask);
        }
        Ok(())
    }

    fn rows(&self, level: usize, node: usize) -> Range<u32> {
        let leaves = self.tree.entries(level, node);
        (leaves.start * LEAF_ROWS) as u32..(leaves.end * LEAF_ROWS).min(self.points.xs.len()) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_listed_in_order() {
        assert_eq!(bits(0b1001_0010).collect::<Vec<_>>(), [1, 4, 7]);
        assert_eq!(bits(0).count(), 0);
        assert_eq!(bits(u64::MAX).count(), 64);
    }

    #[test]
    fn a_mask_has_the_bits_of_what_holds() {
        let values: Vec<u32> = (0..64).map(|i| i * 7 % 13).collect();
        for len in 0..=LEAF_ROWS {
            let values = &values[..len];
            let bits_of = |test: fn(u32) -> bool| {
                let set = (0..len).filter(|&i| test(values[i]));
                set.fold(0, |mask, i| mask | 1u64 << i)
            };
            for test in [|v| v < 5, |v| v == 12, |_| true, |_| false] {
                assert_eq!(mask_of(values, test), bits_of(test), "of {len}");
                assert_eq!(
                    mask_of_points(values, values, |x, y| test(x.min(y))),
                    bits_of(test)
                );
            }
            assert_eq!(mask_of_all(len), bits_of(|_| true));
        }
    }

    #[test]
    fn both_conditions_must_hold() {
        assert_eq!(Match::All.and(Match::All), Match::All);
        assert_eq!(Match::All.and(Match::Some), Match::Some);
        assert_eq!(Match::Some.and(Match::None), Match::None);
    }
}
