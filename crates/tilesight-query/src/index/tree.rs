//! The nodes of the tree: a box and a summary each, sixteen siblings side by side.

use std::ops::Range;

use tilesight_tile::GridBox;

use super::FANOUT;

/// What is true of every row below a node.
pub(crate) trait Summary: Copy + Send + Sync {
    /// What is true of the rows below either.
    fn union(self, other: Self) -> Self;
}

impl Summary for () {
    fn union(self, (): Self) -> Self {}
}

/// Boxes and summaries of entries packed `FANOUT` to a node, level by level.
///
/// An entry is a block of rows in a tree over points, one sequence in a tree over sequences.
#[derive(Debug, Clone)]
pub(crate) struct PackedTree<S> {
    levels: Vec<Level<S>>,
}

#[derive(Debug, Clone)]
struct Level<S> {
    boxes: Boxes,
    summaries: Vec<S>,
}

/// Boxes as columns, padded to whole groups with boxes that meet nothing.
#[derive(Debug, Clone, Default)]
struct Boxes {
    min_x: Vec<u32>,
    min_y: Vec<u32>,
    max_x: Vec<u32>,
    max_y: Vec<u32>,
}

/// The boxes of sixteen sibling nodes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoxGroup<'a> {
    pub(crate) min_x: &'a [u32; FANOUT],
    pub(crate) min_y: &'a [u32; FANOUT],
    pub(crate) max_x: &'a [u32; FANOUT],
    pub(crate) max_y: &'a [u32; FANOUT],
}

/// Which of sixteen boxes may meet a shape, and which of those lie wholly inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdicts {
    pub(crate) meets: u16,
    pub(crate) inside: u16,
}

impl<S: Summary> PackedTree<S> {
    /// Builds the tree over entries in their order.
    pub(crate) fn new(entries: impl ExactSizeIterator<Item = (GridBox, S)>) -> Self {
        let mut levels = vec![Level::of(entries)];
        while let Some(top) = levels.last()
            && top.summaries.len() > FANOUT
        {
            let parents: Vec<_> = top.parents().collect();
            levels.push(Level::of(parents.into_iter()));
        }
        Self { levels }
    }

    /// How many levels there are; entries are level 0.
    pub(crate) fn height(&self) -> usize {
        self.levels.len()
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.levels[0].summaries.len()
    }

    /// How many nodes a group of siblings has: [`FANOUT`], or fewer in the last one.
    pub(crate) fn nodes_in_group(&self, level: usize, group: usize) -> usize {
        self.levels[level]
            .summaries
            .len()
            .saturating_sub(group * FANOUT)
            .min(FANOUT)
    }

    /// The boxes of one group of siblings.
    pub(crate) fn group(&self, level: usize, group: usize) -> BoxGroup<'_> {
        self.levels[level].boxes.group(group)
    }

    /// The box of one node.
    pub(crate) fn bounds(&self, level: usize, node: usize) -> GridBox {
        self.levels[level].boxes.get(node)
    }

    /// What is true of every row below one node.
    pub(crate) fn summary(&self, level: usize, node: usize) -> &S {
        &self.levels[level].summaries[node]
    }

    /// The entries below one node.
    pub(crate) fn entries(&self, level: usize, node: usize) -> Range<usize> {
        let width = FANOUT.pow(level as u32);
        node * width..((node + 1) * width).min(self.len())
    }

    /// The box around everything; none of nothing.
    pub(crate) fn total_bounds(&self) -> Option<GridBox> {
        let top = self.levels.last()?;
        (0..top.summaries.len())
            .map(|node| top.boxes.get(node))
            .reduce(union_box)
    }
}

impl<S: Summary> Level<S> {
    fn of(nodes: impl ExactSizeIterator<Item = (GridBox, S)>) -> Self {
        let mut boxes = Boxes::with_capacity(nodes.len().next_multiple_of(FANOUT));
        let mut summaries = Vec::with_capacity(nodes.len());
        for (bounds, summary) in nodes {
            boxes.push(bounds);
            summaries.push(summary);
        }
        boxes.pad();
        Self { boxes, summaries }
    }

    fn parents(&self) -> impl Iterator<Item = (GridBox, S)> {
        self.summaries
            .chunks(FANOUT)
            .enumerate()
            .filter_map(|(parent, summaries)| {
                let first = parent * FANOUT;
                let boxes = (first..first + summaries.len()).map(|node| self.boxes.get(node));
                Some((
                    boxes.reduce(union_box)?,
                    summaries.iter().copied().reduce(S::union)?,
                ))
            })
    }
}

impl Boxes {
    fn with_capacity(n: usize) -> Self {
        let column = || Vec::with_capacity(n);
        Self {
            min_x: column(),
            min_y: column(),
            max_x: column(),
            max_y: column(),
        }
    }

    fn push(&mut self, bounds: GridBox) {
        self.min_x.push(bounds.min_x);
        self.min_y.push(bounds.min_y);
        self.max_x.push(bounds.max_x);
        self.max_y.push(bounds.max_y);
    }

    fn pad(&mut self) {
        // At least one group, so that an empty tree has a root to look at.
        let len = self.min_x.len().next_multiple_of(FANOUT).max(FANOUT);
        self.min_x.resize(len, u32::MAX);
        self.min_y.resize(len, u32::MAX);
        self.max_x.resize(len, 0);
        self.max_y.resize(len, 0);
    }

    fn get(&self, i: usize) -> GridBox {
        GridBox {
            min_x: self.min_x[i],
            min_y: self.min_y[i],
            max_x: self.max_x[i],
            max_y: self.max_y[i],
        }
    }

    fn group(&self, group: usize) -> BoxGroup<'_> {
        BoxGroup {
            min_x: sixteen(&self.min_x, group),
            min_y: sixteen(&self.min_y, group),
            max_x: sixteen(&self.max_x, group),
            max_y: sixteen(&self.max_y, group),
        }
    }
}

fn sixteen(column: &[u32], group: usize) -> &[u32; FANOUT] {
    &column.as_chunks::<FANOUT>().0[group]
}

impl BoxGroup<'_> {
    /// The box of one of the sixteen; one that meets nothing where there is no such node.
    pub(crate) fn get(&self, i: usize) -> GridBox {
        GridBox {
            min_x: self.min_x[i],
            min_y: self.min_y[i],
            max_x: self.max_x[i],
            max_y: self.max_y[i],
        }
    }
}

impl Verdicts {
    /// Nothing met.
    pub(crate) const NONE: Self = Self {
        meets: 0,
        inside: 0,
    };

    /// What is met by either of two shapes.
    pub(crate) const fn or(self, other: Self) -> Self {
        Self {
            meets: self.meets | other.meets,
            inside: self.inside | other.inside,
        }
    }
}

/// The smallest box around two.
pub(crate) fn union_box(a: GridBox, b: GridBox) -> GridBox {
    GridBox {
        min_x: a.min_x.min(b.min_x),
        min_y: a.min_y.min(b.min_y),
        max_x: a.max_x.max(b.max_x),
        max_y: a.max_y.max(b.max_y),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_enclose_their_entries() {
        let at = |i: u32| GridBox {
            min_x: i,
            min_y: 1000 - i,
            max_x: i + 5,
            max_y: 1000 - i,
        };
        let tree = PackedTree::new((0..300).map(|i| (at(i), ())));
        assert_eq!((tree.len(), tree.height()), (300, 3));
        for level in 0..tree.height() {
            for entry in tree.entries(level, 1) {
                assert!(tree.bounds(level, 1).covers(&tree.bounds(0, entry)));
            }
        }
        assert_eq!(tree.entries(2, 1), 256..300);
        assert_eq!(
            tree.total_bounds(),
            Some(GridBox {
                min_x: 0,
                min_y: 701,
                max_x: 304,
                max_y: 1000
            })
        );
    }

    #[test]
    fn a_tree_of_nothing_has_no_bounds() {
        let tree = PackedTree::<()>::new(std::iter::empty());
        assert_eq!((tree.len(), tree.total_bounds()), (0, None));
    }
}
