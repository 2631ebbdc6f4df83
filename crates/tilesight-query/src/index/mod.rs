//! The packed R-tree: how rows are ordered, what its nodes know, how it is searched.
//!
//! Rows lie in blocks of [`LEAF_ROWS`]; a node stands over [`FANOUT`] nodes of the level below,
//! so that which rows a node covers follows from its number alone.

mod nearest;
mod order;
mod rank;
mod search;
mod sight;
mod target;
mod tree;

pub(crate) use nearest::{Points, nearest, nearest_entries};
pub(crate) use order::{Ranked, sort_spatially};
pub(crate) use rank::{RowAt, rank, rank_within};
pub(crate) use search::{
    Anywhere, Match, RowFilter, Shape, Sink, bits, mask_of, mask_of_all, mask_of_points, packed,
    search, verdicts,
};
pub(crate) use sight::{Sight, offset_deg};
pub(crate) use target::{Radius, Target};
pub(crate) use tree::{BoxGroup, NodesWriter, PackedTree, Summary, Verdicts, union_box};

/// Rows in a leaf: one bit each in a 64-bit mask.
pub(crate) const LEAF_ROWS: usize = 64;

/// Children of a node: one bit each in a 16-bit mask.
pub(crate) const FANOUT: usize = 16;
