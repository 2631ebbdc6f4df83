//! The nodes of the tree: a box and a summary each, sixteen siblings side by side.

use std::mem;
use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use tilesight_tile::GridBox;

use super::FANOUT;
use crate::error::Error;
use crate::scratch::{Scratch, Spool};
use crate::storage::{
    Column, ColumnReader, Columns, Damage, FileReader, FileWriter, Limits, Sound, Table, Touch,
    bytes_of, prefetch,
};

/// What is true of every row below a node.
pub(crate) trait Summary: Pod + Send + Sync {
    /// What the levels of such a tree are called in a file.
    const TABLE: &'static str;

    /// What is true of the rows below either.
    fn union(self, other: Self) -> Self;
}

/// Boxes and summaries of entries packed `FANOUT` to a node, level by level.
///
/// An entry is a block of rows in a tree over points, one sequence in a tree over sequences.
#[derive(Debug, Clone)]
pub(crate) struct PackedTree<S> {
    entries: usize,
    levels: Vec<Table<Nodes<S>>>,
}

/// The nodes of a level, sixteen siblings a row, padded with boxes that meet nothing.
#[derive(Debug, Clone)]
pub(crate) struct Nodes<S> {
    boxes: Column<BoxGroup>,
    summaries: Column<[S; FANOUT]>,
}

/// The boxes of sixteen sibling nodes, which are looked at together and lie so: edge by edge, in
/// neighbouring cache lines of one page.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(crate) struct BoxGroup {
    pub(crate) min_x: [u32; FANOUT],
    pub(crate) min_y: [u32; FANOUT],
    pub(crate) max_x: [u32; FANOUT],
    pub(crate) max_y: [u32; FANOUT],
}

/// Which of sixteen boxes may meet a shape, and which of those lie wholly inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdicts {
    pub(crate) meets: u16,
    pub(crate) inside: u16,
}

impl<S: Summary> PackedTree<S> {
    /// Builds the tree over entries in their order.
    ///
    /// # Errors
    ///
    /// [`Error::Scratch`] when a temporary file cannot be written.
    pub(crate) fn new(
        entries: impl Iterator<Item = (GridBox, S)>,
        scratch: &Scratch,
    ) -> Result<Self, Error> {
        let mut nodes = NodesWriter::new(scratch);
        for (bounds, summary) in entries {
            nodes.push(bounds, summary)?;
        }
        Self::over(nodes, scratch)
    }

    /// Builds the tree over entries that were collected in their order.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub(crate) fn over(entries: NodesWriter<S>, scratch: &Scratch) -> Result<Self, Error> {
        let count = entries.len;
        let mut levels = vec![entries.finish()?];
        let mut below = count;
        for nodes in levels_above(count) {
            let level = levels[levels.len() - 1].parents(below, scratch)?;
            levels.push(level);
            below = nodes;
        }
        Ok(Self {
            entries: count,
            levels: levels.into_iter().map(Table::from).collect(),
        })
    }

    /// The tree over `entries` entries that a file holds.
    ///
    /// # Errors
    ///
    /// [`Damage::Table`] when a level is not there, or has not as many nodes as it should.
    pub(crate) fn open(file: &FileReader, entries: usize) -> Result<Self, Damage> {
        let levels = std::iter::once(entries)
            .chain(levels_above(entries))
            .zip(0..);
        let open = |(nodes, level)| {
            let table: Table<Nodes<S>> = file.table(level)?;
            let problem = "has another number of nodes than its rows need";
            let damage = || Damage::Table {
                table: S::TABLE.to_owned(),
                problem,
            };
            (table.len() == groups_of(nodes))
                .then_some(table)
                .ok_or_else(damage)
        };
        Ok(Self {
            entries,
            levels: levels.map(open).collect::<Result<_, _>>()?,
        })
    }

    /// Writes the levels, entries first.
    pub(crate) fn write<W: std::io::Write + std::io::Seek>(
        &self,
        file: &mut FileWriter<W>,
    ) -> std::io::Result<()> {
        (0..)
            .zip(&self.levels)
            .try_for_each(|(i, level)| file.table(i, level.columns()))
    }

    /// The blocks of a file's nodes that are not what was written.
    pub(crate) fn damaged(&self) -> impl Iterator<Item = Damage> {
        self.levels.iter().flat_map(Table::damaged)
    }

    /// How many levels there are; entries are level 0.
    pub(crate) fn height(&self) -> usize {
        self.levels.len()
    }

    /// How many nodes a group of siblings has: [`FANOUT`], or fewer in the last one.
    pub(crate) fn nodes_in_group(&self, level: usize, group: usize) -> usize {
        let nodes = self.entries.div_ceil(FANOUT.pow(level as u32));
        nodes.saturating_sub(group * FANOUT).min(FANOUT)
    }

    /// The boxes of one group of siblings, whose summaries may be read from then on.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when they lie in a damaged block of a file.
    #[inline]
    pub(crate) fn group(&self, level: usize, group: usize) -> Result<&BoxGroup, Error> {
        let level = &self.levels[level];
        level.touch(group..group + 1)?;
        Ok(&level.columns().boxes[group])
    }

    /// Asks for the boxes of a group that will be read soon.
    #[inline]
    pub(crate) fn prefetch_group(&self, level: usize, group: usize) {
        let BoxGroup {
            min_x,
            min_y,
            max_x,
            max_y,
        } = &self.levels[level].columns().boxes[group];
        for edges in [min_x, min_y, max_x, max_y] {
            prefetch(edges);
        }
    }

    /// The box of one node, of a [`group`](Self::group) that was asked for before.
    pub(crate) fn bounds(&self, level: usize, node: usize) -> GridBox {
        self.levels[level].columns().get(node)
    }

    /// What is true of every row below one node, of a [`group`](Self::group) that was asked for
    /// before.
    pub(crate) fn summary(&self, level: usize, node: usize) -> &S {
        &self.levels[level].columns().summaries[node / FANOUT][node % FANOUT]
    }

    /// The entries below one node.
    pub(crate) fn entries(&self, level: usize, node: usize) -> Range<usize> {
        let width = FANOUT.pow(level as u32);
        node * width..((node + 1) * width).min(self.entries)
    }

    /// The box around everything; none of nothing.
    ///
    /// # Errors
    ///
    /// As [`group`](Self::group).
    pub(crate) fn total_bounds(&self) -> Result<Option<GridBox>, Error> {
        let top = self.height() - 1;
        let boxes = self.group(top, 0)?;
        Ok((0..self.nodes_in_group(top, 0))
            .map(|i| boxes.get(i))
            .reduce(union_box))
    }

    /// What is true of everything; nothing is true of nothing.
    ///
    /// # Errors
    ///
    /// As [`group`](Self::group).
    pub(crate) fn total_summary(&self) -> Result<Option<S>, Error> {
        let top = self.height() - 1;
        self.group(top, 0)?;
        Ok((0..self.nodes_in_group(top, 0))
            .map(|node| *self.summary(top, node))
            .reduce(S::union))
    }
}

/// How many nodes each level above the entries has, up to the one that is a single group.
fn levels_above(entries: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(entries), |&nodes| {
        (nodes > FANOUT).then(|| nodes.div_ceil(FANOUT))
    })
    .skip(1)
}

/// At least one group, so that an empty tree has a root to look at.
fn groups_of(nodes: usize) -> usize {
    nodes.div_ceil(FANOUT).max(1)
}

/// Collects the nodes of a level.
pub(crate) struct NodesWriter<S> {
    len: usize,
    /// Siblings that are not sixteen yet.
    group: (BoxGroup, [S; FANOUT]),
    boxes: Spool<BoxGroup>,
    summaries: Spool<[S; FANOUT]>,
}

impl<S: Summary> NodesWriter<S> {
    pub(crate) fn new(scratch: &Scratch) -> Self {
        Self {
            len: 0,
            group: (BoxGroup::NOTHING, [S::zeroed(); FANOUT]),
            boxes: Spool::new(scratch),
            summaries: Spool::new(scratch),
        }
    }

    pub(crate) fn push(&mut self, bounds: GridBox, summary: S) -> Result<(), Error> {
        let place = self.len % FANOUT;
        self.group.0.set(place, bounds);
        self.group.1[place] = summary;
        self.len += 1;
        if place == FANOUT - 1 {
            self.end_group()?;
        }
        Ok(())
    }

    fn end_group(&mut self) -> Result<(), Error> {
        let nothing = (BoxGroup::NOTHING, [S::zeroed(); FANOUT]);
        let (boxes, summaries) = mem::replace(&mut self.group, nothing);
        self.boxes.push(boxes)?;
        self.summaries.push(summaries)
    }

    fn finish(mut self) -> Result<Nodes<S>, Error> {
        if self.boxes.len() < groups_of(self.len) {
            self.end_group()?;
        }
        Ok(Nodes {
            boxes: self.boxes.finish()?,
            summaries: self.summaries.finish()?,
        })
    }
}

impl<S: Summary> Nodes<S> {
    /// The nodes above these, of which the first `count` are no padding.
    fn parents(&self, count: usize, scratch: &Scratch) -> Result<Self, Error> {
        let mut parents = NodesWriter::new(scratch);
        let groups = self.boxes.iter().zip(self.summaries.iter());
        for (group, (boxes, summaries)) in groups.enumerate() {
            let nodes = count.saturating_sub(group * FANOUT).min(FANOUT);
            let bounds = (0..nodes).map(|i| boxes.get(i)).reduce(union_box);
            let summary = summaries[..nodes].iter().copied().reduce(S::union);
            if let (Some(bounds), Some(summary)) = (bounds, summary) {
                parents.push(bounds, summary)?;
            }
        }
        parents.finish()
    }

    fn get(&self, i: usize) -> GridBox {
        self.boxes[i / FANOUT].get(i % FANOUT)
    }
}

impl<S: Summary> Columns for Nodes<S> {
    const NAME: &'static str = S::TABLE;
    const BLOCK_ROWS: usize = FANOUT;

    fn len(&self) -> usize {
        self.boxes.len()
    }

    fn widths() -> Vec<usize> {
        let mut widths = vec![size_of::<BoxGroup>()];
        widths.extend((size_of::<S>() > 0).then_some(size_of::<[S; FANOUT]>()));
        widths
    }

    fn bytes(&self, rows: Range<usize>) -> Vec<&[u8]> {
        let mut bytes = vec![bytes_of(&self.boxes, rows.clone())];
        bytes.extend((size_of::<S>() > 0).then(|| bytes_of(&self.summaries, rows)));
        bytes
    }

    fn open(reader: &mut ColumnReader<'_>) -> Result<Self, Damage> {
        Ok(Self {
            boxes: reader.column()?,
            summaries: match size_of::<S>() {
                0 => vec![[S::zeroed(); FANOUT]; reader.rows()].into(),
                _ => reader.column()?,
            },
        })
    }
}

impl<S> Sound for Nodes<S> {
    /// Boxes may be inside out, as padding is: they meet nothing.
    fn is_sound(&self, _: Range<usize>, _: &Limits) -> bool {
        true
    }
}

impl BoxGroup {
    /// Boxes that are inside out: they meet nothing.
    const NOTHING: Self = Self {
        min_x: [u32::MAX; FANOUT],
        min_y: [u32::MAX; FANOUT],
        max_x: [0; FANOUT],
        max_y: [0; FANOUT],
    };

    /// The box of one of the sixteen; one that meets nothing where there is no such node.
    pub(crate) fn get(&self, i: usize) -> GridBox {
        GridBox {
            min_x: self.min_x[i],
            min_y: self.min_y[i],
            max_x: self.max_x[i],
            max_y: self.max_y[i],
        }
    }

    fn set(&mut self, i: usize, bounds: GridBox) {
        self.min_x[i] = bounds.min_x;
        self.min_y[i] = bounds.min_y;
        self.max_x[i] = bounds.max_x;
        self.max_y[i] = bounds.max_y;
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
        let tree = PackedTree::new((0..300).map(|i| (at(i), ())), &Scratch::Memory).unwrap();
        assert_eq!(tree.height(), 3);
        for level in 0..tree.height() {
            for entry in tree.entries(level, 1) {
                assert!(tree.bounds(level, 1).covers(&tree.bounds(0, entry)));
            }
        }
        assert_eq!(tree.entries(2, 1), 256..300);
        assert_eq!(
            tree.total_bounds().unwrap(),
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
        let tree = PackedTree::<()>::new(std::iter::empty(), &Scratch::Memory).unwrap();
        assert_eq!(tree.total_bounds(), Ok(None));
    }
}
