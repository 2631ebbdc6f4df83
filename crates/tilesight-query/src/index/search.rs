//! The search: a shape and a filter go down the tree together.

use std::ops::Range;

use tilesight_tile::GridBox;

use super::nearest::Points;
use super::tree::{BoxGroup, PackedTree, Summary, Verdicts};
use super::{FANOUT, LEAF_ROWS};
use crate::error::Error;

/// A place, as the tree asks for it.
///
/// A box that does not meet the shape holds no row of it; a box inside has no other rows.
pub(crate) trait Shape {
    /// Judges sixteen boxes.
    fn classify(&self, boxes: &BoxGroup<'_>) -> Verdicts;

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
    fn classify(&self, _: &BoxGroup<'_>) -> Verdicts {
        Verdicts {
            meets: u16::MAX,
            inside: u16::MAX,
        }
    }

    fn mask(&self, _: &GridBox, xs: &[u32], _: &[u32]) -> u64 {
        mask_of(xs.len(), |_| true)
    }
}

/// Sets bit `i` of up to 64 where `test(i)` holds.
#[inline]
pub(crate) fn mask_of(len: usize, test: impl Fn(usize) -> bool) -> u64 {
    debug_assert!(len <= LEAF_ROWS);
    (0..len).fold(0, |mask, i| mask | u64::from(test(i)) << i)
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
            self.shape.classify(&boxes)
        } else {
            Verdicts {
                meets: u16::MAX,
                inside: u16::MAX,
            }
        };
        // The last group may have fewer nodes than places.
        let nodes = self.tree.nodes_in_group(level, group);
        let meets = u64::from(verdicts.meets) & ((1 << nodes) - 1);
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
        let mut mask = u64::MAX >> (LEAF_ROWS - range.len());
        if open.shape {
            let bounds = self.tree.bounds(0, leaf);
            mask &= self.shape.mask(
                &bounds,
                &self.points.xs[range.clone()],
                &self.points.ys[range.clone()],
            );
        }
        if open.filter && mask != 0 {
            mask &= self.filter.mask(range);
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
    fn both_conditions_must_hold() {
        assert_eq!(Match::All.and(Match::All), Match::All);
        assert_eq!(Match::All.and(Match::Some), Match::Some);
        assert_eq!(Match::Some.and(Match::None), Match::None);
    }
}
