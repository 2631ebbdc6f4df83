//! Sequences: which images they are, and their lines.

mod chunk;
pub(crate) mod line;
mod query;
mod stitch;

pub use query::{SequenceSelection, Track};

use std::io::{self, Seek, Write};
use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;
use tilesight_tile::{GridBox, GridPoint, LonLat, haversine_m};

use chunk::{ChunkColumns, ChunkWriter, Chunks};

use crate::date::MAX_KNOWN_MS;
use crate::error::Error;
use crate::images::{Images, NONE, UNKNOWN_MS, flag, is_row};
use crate::index::{PackedTree, Summary};
use crate::scratch::{Scratch, Spool};
use crate::storage::{
    Columns, Damage, FileReader, FileWriter, Limits, Sound, Table, Touch, columns, prefetch,
};

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

columns! {
    /// One row a sequence, numbered as in the dictionary of their ids.
    struct SequenceColumns = "sequence", 1024;
    chunks: SequenceChunks,
    /// [`UNKNOWN_MS`] where unknown; so with the next.
    first_captured_at_ms: i64,
    last_captured_at_ms: i64,
    /// Row in the dictionary, or [`NONE`]; so with the next.
    organization: u32,
    creator: u32,
    flags: u8,
}

/// Which chunks hold the images of a sequence, and which its line.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(crate) struct SequenceChunks {
    first_image_chunk: u32,
    image_count: u32,
    first_line_chunk: u32,
    line_chunks: u32,
}

impl SequenceColumns {
    /// The chunks that hold the rows of a sequence's images.
    fn image_chunks(&self, sequence: u32) -> Range<usize> {
        let chunks = &self.chunks[sequence as usize];
        let first = chunks.first_image_chunk as usize;
        first..first + (chunks.image_count as usize).div_ceil(chunk::LEN)
    }

    /// The chunks that hold the vertices of a sequence's line.
    fn line_chunks(&self, sequence: u32) -> Range<usize> {
        let chunks = &self.chunks[sequence as usize];
        let first = chunks.first_line_chunk as usize;
        first..first + chunks.line_chunks as usize
    }

    fn image_count(&self, sequence: u32) -> u32 {
        self.chunks[sequence as usize].image_count
    }

    fn facts(&self, sequence: u32) -> SequenceFacts {
        let i = sequence as usize;
        SequenceFacts {
            first_captured_at_ms: self.first_captured_at_ms[i],
            last_captured_at_ms: self.last_captured_at_ms[i],
            flags: self.flags[i],
            organization: self.organization[i],
            creator: self.creator[i],
        }
    }
}

impl Sound for SequenceColumns {
    fn is_sound(&self, mut rows: Range<usize>, limits: &Limits) -> bool {
        let is_time = |ms: i64| (UNKNOWN_MS..=MAX_KNOWN_MS).contains(&ms);
        rows.all(|i| {
            self.image_chunks(i as u32).end <= limits.image_chunks
                && self.line_chunks(i as u32).end <= limits.line_chunks
                && is_time(self.first_captured_at_ms[i])
                && is_time(self.last_captured_at_ms[i])
                && is_row(self.organization[i], limits.organizations)
                && is_row(self.creator[i], limits.creators)
        })
    }
}

columns! {
    /// The sequences that lie anywhere, in the order of the tree's entries.
    struct PlaceOrder = "sequence order", 4096;
    sequence: u32,
}

impl Sound for PlaceOrder {
    fn is_sound(&self, rows: Range<usize>, limits: &Limits) -> bool {
        self.sequence[rows]
            .iter()
            .all(|&i| (i as usize) < limits.sequences)
    }
}

impl Summary for () {
    const TABLE: &'static str = "sequence node";

    fn union(self, (): Self) -> Self {}
}

/// Numbers of the tables of [`ChunkColumns`] in a file.
const IMAGE_CHUNKS: u32 = 0;
const LINE_CHUNKS: u32 = 1;

/// All sequences.
#[derive(Debug, Clone)]
pub(crate) struct Sequences {
    table: Table<SequenceColumns>,
    /// Rows of images, in capture order within a sequence.
    images: Chunks,
    /// Vertices of lines, parts in capture order within a sequence.
    lines: Chunks,
    order: Table<PlaceOrder>,
    pub(crate) tree: PackedTree<()>,
}

impl Sequences {
    /// How many there are that lie anywhere.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// The sequences of some entries of the tree.
    pub(crate) fn at(&self, entries: Range<usize>) -> Result<&[u32], Error> {
        self.order.touch(entries.clone())?;
        Ok(&self.order.columns().sequence[entries])
    }

    /// Makes sure that what is known of some sequences may be read: their lines or, without one,
    /// where their images are.
    fn touch(
        &self,
        mut sequences: impl Iterator<Item = u32>,
        images: &Images,
    ) -> Result<(), Error> {
        let chunks_are_open = self.lines.is_open() && self.images.is_open();
        if chunks_are_open && self.table.is_open() && images.table.is_open() {
            return Ok(());
        }
        sequences.try_for_each(|sequence| {
            let line = self.touched(sequence)?.line_chunks(sequence);
            if line.is_empty() {
                let mut rows = self.rows(sequence)?.into_iter();
                return rows.try_for_each(|row| images.touch(row));
            }
            self.lines.touch(line)
        })
    }

    /// Asks for what tells where the line of a sequence lies, which will be read soon.
    fn prefetch(&self, sequence: u32) {
        let i = sequence as usize;
        prefetch(&self.table.columns().chunks[i..=i]);
    }

    /// Makes sure that all may be read.
    pub(crate) fn touch_all(&self) -> Result<(), Error> {
        self.table.touch_all()?;
        self.lines.touch_all()
    }

    fn touched(&self, sequence: u32) -> Result<&SequenceColumns, Error> {
        self.table.touch(sequence as usize..sequence as usize + 1)?;
        Ok(self.table.columns())
    }

    /// The rows of a sequence's images, in capture order.
    pub(crate) fn rows(&self, sequence: u32) -> Result<Vec<u32>, Error> {
        let table = self.touched(sequence)?;
        let mut rows = Vec::with_capacity(table.image_count(sequence) as usize);
        for chunk in table.image_chunks(sequence) {
            self.images.touch(chunk..chunk + 1)?;
            rows.extend(self.images.rows(chunk));
        }
        Ok(rows)
    }

    /// The parts of a sequence's line, each of at least two vertices; it was touched.
    fn line(&self, sequence: u32) -> Vec<Vec<GridPoint>> {
        let mut parts: Vec<Vec<GridPoint>> = Vec::new();
        for chunk in self.table.columns().line_chunks(sequence) {
            let vertices = self.lines.vertices(chunk);
            match parts.last_mut() {
                // A chunk begins where the one before it ends.
                Some(part) if !vertices.begins_part => part.extend(&vertices.points()[1..]),
                _ => parts.push(vertices.points().to_vec()),
            }
        }
        parts
    }

    /// Length of a sequence's line in metres; it was touched.
    fn line_length_m(&self, sequence: u32) -> f64 {
        let parts = self.line(sequence);
        parts
            .iter()
            .map(|part| length_m(part.iter().map(|point| point.to_lon_lat())))
            .sum()
    }

    /// Length of all lines in metres; they were touched.
    pub(crate) fn length_m(&self) -> f64 {
        let each = (0..self.table.len() as u32).into_par_iter();
        // Added up in one order, whatever the threads.
        let lengths_m: Vec<f64> = each.map(|i| self.line_length_m(i)).collect();
        lengths_m.iter().sum()
    }

    /// The sequences of a file, one for each of `ids` ids.
    pub(crate) fn open(file: &FileReader, ids: usize) -> Result<Self, Damage> {
        let order: Table<PlaceOrder> = file.table(0)?;
        let table: Table<SequenceColumns> = file.table(0)?;
        if table.len() != ids {
            return Err(Damage::Table {
                table: SequenceColumns::NAME.to_owned(),
                problem: "has another number of rows than there are ids of sequences",
            });
        }
        Ok(Self {
            table,
            images: Chunks::open(file, IMAGE_CHUNKS)?,
            lines: Chunks::open(file, LINE_CHUNKS)?,
            tree: PackedTree::open(file, order.len())?,
            order,
        })
    }

    /// How many chunks of images and of lines a file has.
    pub(crate) fn chunk_counts(file: &FileReader) -> (usize, usize) {
        (
            file.rows::<ChunkColumns>(IMAGE_CHUNKS),
            file.rows::<ChunkColumns>(LINE_CHUNKS),
        )
    }

    pub(crate) fn write<W: Write + Seek>(&self, file: &mut FileWriter<W>) -> io::Result<()> {
        file.table(0, self.table.columns())?;
        self.images.write(file, IMAGE_CHUNKS)?;
        self.lines.write(file, LINE_CHUNKS)?;
        file.table(0, self.order.columns())?;
        self.tree.write(file)
    }

    /// The blocks of a file that are not what was written.
    pub(crate) fn damaged(&self) -> impl Iterator<Item = Damage> {
        let tables = self.table.damaged().into_iter().chain(self.order.damaged());
        tables
            .chain(self.images.damaged())
            .chain(self.lines.damaged())
            .chain(self.tree.damaged())
    }
}

/// Collects sequences one by one, in the order of their numbers.
pub(crate) struct SequencesWriter {
    chunks: Spool<SequenceChunks>,
    first_captured_at_ms: Spool<i64>,
    last_captured_at_ms: Spool<i64>,
    organization: Spool<u32>,
    creator: Spool<u32>,
    flags: Spool<u8>,
    images: ChunkWriter,
    lines: ChunkWriter,
}

impl SequencesWriter {
    pub(crate) fn new(scratch: &Scratch) -> Self {
        let (number, time) = (|| Spool::new(scratch), || Spool::new(scratch));
        Self {
            chunks: Spool::new(scratch),
            first_captured_at_ms: time(),
            last_captured_at_ms: time(),
            organization: number(),
            creator: number(),
            flags: Spool::new(scratch),
            images: ChunkWriter::new(scratch),
            lines: ChunkWriter::new(scratch),
        }
    }

    /// Adds a sequence: its images, rows and where they are, in capture order, and the parts of
    /// its line, each of at least two vertices.
    ///
    /// # Errors
    ///
    /// [`Error::Scratch`] when a temporary file cannot be written.
    pub(crate) fn push(
        &mut self,
        facts: SequenceFacts,
        images: &[(u32, GridPoint)],
        line: &[Vec<GridPoint>],
    ) -> Result<(), Error> {
        let first_image_chunk = self.images.len();
        images
            .chunks(chunk::LEN)
            .try_for_each(|chunk| self.images.push_rows(chunk))?;
        let first_line_chunk = self.lines.len();
        line.iter()
            .try_for_each(|part| self.lines.push_part(part))?;
        self.chunks.push(SequenceChunks {
            first_image_chunk,
            image_count: images.len() as u32,
            first_line_chunk,
            line_chunks: self.lines.len() - first_line_chunk,
        })?;
        self.first_captured_at_ms.push(facts.first_captured_at_ms)?;
        self.last_captured_at_ms.push(facts.last_captured_at_ms)?;
        self.organization.push(facts.organization)?;
        self.creator.push(facts.creator)?;
        self.flags.push(facts.flags)
    }

    /// Joins the sequences with their tree: their order on the plane, and the box of each;
    /// `images` is how many images the dataset has.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub(crate) fn finish(
        self,
        order: Vec<u32>,
        boxes: Vec<GridBox>,
        images: usize,
        scratch: &Scratch,
    ) -> Result<Sequences, Error> {
        let columns = SequenceColumns {
            chunks: self.chunks.finish()?,
            first_captured_at_ms: self.first_captured_at_ms.finish()?,
            last_captured_at_ms: self.last_captured_at_ms.finish()?,
            organization: self.organization.finish()?,
            creator: self.creator.finish()?,
            flags: self.flags.finish()?,
        };
        Ok(Sequences {
            table: columns.into(),
            images: self.images.finish(images)?,
            lines: self.lines.finish(images)?,
            order: PlaceOrder {
                sequence: order.into(),
            }
            .into(),
            tree: PackedTree::new(boxes.into_iter().map(|b| (b, ())), scratch)?,
        })
    }
}

/// Length of a line in metres.
fn length_m(mut vertices: impl Iterator<Item = LonLat>) -> f64 {
    let Some(first) = vertices.next() else {
        return 0.0;
    };
    let add = |(length_m, from), to| (length_m + haversine_m(from, to), to);
    vertices.fold((0.0, first), add).0
}
