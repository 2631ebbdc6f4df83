//! Sequences: which images they are, and their lines.

pub(crate) mod line;
mod query;
mod stitch;

pub use query::{SequenceSelection, Track};

use std::ops::Range;

use rayon::prelude::*;
use tilesight_tile::{GridPoint, haversine_m};

use crate::images::{NONE, UNKNOWN_MS, flag};
use crate::index::PackedTree;

/// What is known of a sequence as a whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SequenceFacts {
    /// [`UNKNOWN_MS`] where unknown; so with the next.
    pub(crate) first_captured_at_ms: i64,
    pub(crate) last_captured_at_ms: i64,
    pub(crate) flags: u8,
    pub(crate) organization: u32,
    pub(crate) creator: u32,
}

impl SequenceFacts {
    pub(crate) const UNKNOWN: Self = Self {
        first_captured_at_ms: UNKNOWN_MS,
        last_captured_at_ms: UNKNOWN_MS,
        flags: 0,
        organization: NONE,
        creator: NONE,
    };

    /// Takes over what is not known yet.
    pub(crate) fn add(&mut self, flags: u8, organization: u32, creator: u32) {
        if self.flags == 0 {
            self.flags = flags & (flag::FLAT | flag::PANO);
        }
        if self.organization == NONE {
            self.organization = organization;
        }
        if self.creator == NONE {
            self.creator = creator;
        }
    }

    /// Widens the span of capture times.
    pub(crate) fn add_time(&mut self, ms: i64) {
        if ms == UNKNOWN_MS {
            return;
        }
        if self.first_captured_at_ms == UNKNOWN_MS || ms < self.first_captured_at_ms {
            self.first_captured_at_ms = ms;
        }
        self.last_captured_at_ms = self.last_captured_at_ms.max(ms);
    }
}

/// All sequences, numbered as in the dictionary of their ids.
#[derive(Debug, Clone)]
pub(crate) struct Sequences {
    /// Where the rows of each sequence start, and where the last one's end.
    pub(crate) row_starts: Vec<u32>,
    /// Rows of images, in capture order within a sequence.
    pub(crate) rows: Vec<u32>,
    pub(crate) facts: Vec<SequenceFacts>,
    pub(crate) lines: Lines,
    /// The sequences that lie anywhere, in the order of the tree's entries.
    pub(crate) by_place: Vec<u32>,
    pub(crate) tree: PackedTree<()>,
}

impl Sequences {
    /// The rows of a sequence's images, in capture order.
    pub(crate) fn rows(&self, sequence: u32) -> &[u32] {
        let i = sequence as usize;
        &self.rows[self.row_starts[i] as usize..self.row_starts[i + 1] as usize]
    }

    /// Length of all lines in metres.
    pub(crate) fn length_m(&self) -> f64 {
        let each = (0..self.facts.len() as u32).into_par_iter();
        // Added up in one order, whatever the threads.
        let lengths_m: Vec<f64> = each.map(|i| self.lines.length_m(i)).collect();
        lengths_m.iter().sum()
    }

    /// How many there are that lie anywhere.
    pub(crate) fn len(&self) -> usize {
        self.by_place.len()
    }
}

/// The lines of sequences: vertices by part, parts by sequence.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    part_starts: Vec<u32>,
    vertex_starts: Vec<u32>,
    x: Vec<u32>,
    y: Vec<u32>,
}

impl Lines {
    pub(crate) fn collect<'a>(sequences: impl Iterator<Item = &'a [Vec<GridPoint>]>) -> Self {
        let mut lines = Self {
            part_starts: vec![0],
            vertex_starts: vec![0],
            ..Self::default()
        };
        for parts in sequences {
            for part in parts {
                lines.x.extend(part.iter().map(|point| point.x));
                lines.y.extend(part.iter().map(|point| point.y));
                lines.vertex_starts.push(lines.x.len() as u32);
            }
            lines.part_starts.push(lines.vertex_starts.len() as u32 - 1);
        }
        lines
    }

    /// The parts of a sequence's line, each as its vertices.
    pub(crate) fn parts(&self, sequence: u32) -> impl Iterator<Item = Part<'_>> + Clone {
        let i = sequence as usize;
        (self.part_starts[i]..self.part_starts[i + 1]).map(|part| self.part(part as usize))
    }

    fn part(&self, part: usize) -> Part<'_> {
        let vertices: Range<usize> =
            self.vertex_starts[part] as usize..self.vertex_starts[part + 1] as usize;
        Part {
            x: &self.x[vertices.clone()],
            y: &self.y[vertices],
        }
    }

    /// Length of a sequence's line in metres.
    pub(crate) fn length_m(&self, sequence: u32) -> f64 {
        self.parts(sequence).map(Part::length_m).sum()
    }

    /// The segments of a sequence's line.
    pub(crate) fn segments(&self, sequence: u32) -> impl Iterator<Item = (GridPoint, GridPoint)> {
        self.parts(sequence)
            .flat_map(|part| part.vertices().zip(part.vertices().skip(1)))
    }
}

/// One unbroken part of a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    x: &'a [u32],
    y: &'a [u32],
}

impl<'a> Part<'a> {
    pub(crate) fn vertices(self) -> impl ExactSizeIterator<Item = GridPoint> + Clone + use<'a> {
        self.x.iter().zip(self.y).map(|(&x, &y)| GridPoint { x, y })
    }

    fn length_m(self) -> f64 {
        let mut degrees = self.vertices().map(GridPoint::to_lon_lat);
        let Some(first) = degrees.next() else {
            return 0.0;
        };
        let add = |(length_m, from), to| (length_m + haversine_m(from, to), to);
        degrees.fold((0.0, first), add).0
    }
}
