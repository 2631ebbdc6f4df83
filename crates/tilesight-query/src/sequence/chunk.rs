//! Runs of a sequence's images, or of the vertices of its line, that lie close together: a box
//! around each run, and what is in it as differences, which are small.
//!
//! The box decides most questions; where it does not, a run is short to read. Images and vertices
//! that follow each other lie near each other, so two bytes mostly do for what took four.

use std::io::{self, Seek, Write};
use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use tilesight_tile::{GridBox, GridPoint};

use crate::error::Error;
use crate::index::union_box;
use crate::scratch::{Scratch, Spool};
use crate::storage::{
    Damage, FileReader, FileWriter, Limits, Sound, Table, Touch, columns, prefetch,
};

/// Images of a chunk, but for the last one of a sequence.
pub(super) const LEN: usize = 64;

/// Segments of a chunk, but for the last one of a part.
const SEGMENTS: usize = 16;

/// Bytes that the longest difference of two numbers takes.
const MAX_BYTES: usize = 5;

/// Stands before the vertices of a chunk that begins a part, added to their number.
const BEGINS_PART: u8 = 0x80;

columns! {
    /// Where each chunk lies.
    struct ChunkColumns = "chunk", 1024;
    place: ChunkPlace,
}

/// Where a chunk lies, on the plane and among the bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct ChunkPlace {
    min_x: u32,
    min_y: u32,
    max_x: u32,
    max_y: u32,
    start: u64,
}

impl ChunkPlace {
    const fn bounds(&self) -> GridBox {
        GridBox {
            min_x: self.min_x,
            min_y: self.min_y,
            max_x: self.max_x,
            max_y: self.max_y,
        }
    }
}

impl Sound for ChunkColumns {
    /// Where bytes lie is not believed as they are read; boxes are ranges.
    fn is_sound(&self, rows: Range<usize>, _: &Limits) -> bool {
        let is_range =
            |place: &ChunkPlace| place.min_x <= place.max_x && place.min_y <= place.max_y;
        self.place[rows].iter().all(is_range)
    }
}

columns! {
    /// The chunks one after the other.
    struct ChunkBytes = "chunk byte", 65536;
    byte: u8,
}

impl Sound for ChunkBytes {
    /// Whatever they are, reading them ends.
    fn is_sound(&self, _: Range<usize>, _: &Limits) -> bool {
        true
    }
}

/// Chunks of images or of lines.
#[derive(Debug, Clone)]
pub(super) struct Chunks {
    table: Table<ChunkColumns>,
    bytes: Table<ChunkBytes>,
    /// How many images the dataset has.
    images: usize,
}

impl Chunks {
    pub(super) fn open(file: &FileReader, number: u32) -> Result<Self, Damage> {
        let images = file.rows::<crate::images::ImageColumns>(0);
        Ok(Self {
            table: file.table(number)?,
            bytes: file.table(number)?,
            images,
        })
    }

    pub(super) fn write<W: Write + Seek>(
        &self,
        file: &mut FileWriter<W>,
        number: u32,
    ) -> io::Result<()> {
        file.table(number, self.table.columns())?;
        file.table(number, self.bytes.columns())
    }

    pub(super) fn damaged(&self) -> impl Iterator<Item = Damage> {
        self.table.damaged().into_iter().chain(self.bytes.damaged())
    }

    pub(super) fn touch_all(&self) -> Result<(), Error> {
        self.table.touch_all()?;
        self.bytes.touch_all()?;
        Ok(())
    }

    /// Makes sure that some chunks may be read.
    pub(super) fn touch(&self, chunks: Range<usize>) -> Result<(), Error> {
        if chunks.is_empty() {
            return Ok(());
        }
        self.touch_boxes(chunks.clone())?;
        let places = &self.table.columns().place;
        // Nothing in a chunk is longer than its images or its vertices can be.
        let longest = 1 + MAX_BYTES * LEN.max(2 * (SEGMENTS + 1));
        let last = places[chunks.end - 1].start as usize;
        let bytes = places[chunks.start].start as usize..last.saturating_add(longest);
        self.bytes
            .touch(bytes.start..bytes.end.min(self.bytes.len()))
    }

    /// Tells whether all may be read without being touched.
    pub(super) fn is_open(&self) -> bool {
        self.table.is_open() && self.bytes.is_open()
    }

    /// Asks for the boxes of some chunks that will be read soon.
    pub(super) fn prefetch_boxes(&self, chunks: Range<usize>) {
        prefetch(&self.table.columns().place[chunks]);
    }

    /// Makes sure that the boxes of some chunks may be read.
    pub(super) fn touch_boxes(&self, chunks: Range<usize>) -> Result<(), Error> {
        self.table.touch(chunks)
    }

    /// The box around a chunk; its box was touched.
    pub(super) fn bounds(&self, chunk: usize) -> GridBox {
        self.table.columns().place[chunk].bounds()
    }

    /// The rows of the images of a chunk, at most [`LEN`]; it was touched.
    pub(super) fn rows(&self, chunk: usize) -> impl Iterator<Item = u32> {
        let mut bytes = self.bytes_of(chunk);
        let (count, images) = (bytes.byte(), self.images);
        let mut row = 0;
        let rows = (0..usize::from(count).min(LEN)).map(move |_| {
            row = bytes.next_after(row);
            row
        });
        rows.filter(move |&row| (row as usize) < images)
    }

    /// The vertices of a chunk; it was touched.
    pub(super) fn vertices(&self, chunk: usize) -> Vertices {
        let mut bytes = self.bytes_of(chunk);
        let first = bytes.byte();
        let mut vertices = Vertices {
            begins_part: first & BEGINS_PART != 0,
            len: usize::from(first & !BEGINS_PART).clamp(1, SEGMENTS + 1),
            points: [GridPoint { x: 0, y: 0 }; SEGMENTS + 1],
        };
        let bounds = self.bounds(chunk);
        let mut at = GridPoint {
            x: bounds.min_x,
            y: bounds.min_y,
        };
        for point in &mut vertices.points[..vertices.len] {
            at = GridPoint {
                x: bytes.next_after(at.x),
                y: bytes.next_after(at.y),
            };
            *point = at;
        }
        vertices
    }

    fn bytes_of(&self, chunk: usize) -> Bytes<'_> {
        let start = self.table.columns().place[chunk].start as usize;
        Bytes(self.bytes.columns().byte.get(start..).unwrap_or_default())
    }
}

/// The vertices of a chunk, between 1 and 17.
pub(super) struct Vertices {
    /// Whether it does not go on from the chunk before it.
    pub(super) begins_part: bool,
    len: usize,
    points: [GridPoint; SEGMENTS + 1],
}

impl Vertices {
    pub(super) fn points(&self) -> &[GridPoint] {
        &self.points[..self.len]
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = (GridPoint, GridPoint)> {
        self.points().windows(2).map(|ends| (ends[0], ends[1]))
    }
}

/// Bytes of chunks that are being read; beyond their end there are zeros.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    /// The number after `last`: their difference, the shorter way round, with its sign in the
    /// lowest bit, seven bits a byte.
    fn next_after(&mut self, last: u32) -> u32 {
        let zigzag = match *self.0 {
            // Mostly it has two bytes.
            [first, second, ref rest @ ..] if first >= 0x80 && second < 0x80 => {
                self.0 = rest;
                u32::from(first & 0x7F) | u32::from(second) << 7
            }
            _ => self.number_by_bytes(),
        };
        last.wrapping_add((zigzag >> 1) ^ (zigzag & 1).wrapping_neg())
    }

    fn number_by_bytes(&mut self) -> u32 {
        let (mut number, mut shift) = (0, 0);
        for _ in 0..MAX_BYTES {
            let byte = self.byte();
            number |= u32::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        number
    }
}

/// Collects chunks.
pub(super) struct ChunkWriter {
    places: Spool<ChunkPlace>,
    bytes: Spool<u8>,
    /// The bytes of one chunk.
    chunk: Vec<u8>,
}

impl ChunkWriter {
    pub(super) fn new(scratch: &Scratch) -> Self {
        Self {
            places: Spool::new(scratch),
            bytes: Spool::new(scratch),
            chunk: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> u32 {
        self.places.len() as u32
    }

    /// Adds up to [`LEN`] images.
    pub(super) fn push_rows(&mut self, images: &[(u32, GridPoint)]) -> Result<(), Error> {
        self.chunk.push(images.len() as u8);
        let mut last = 0;
        for &(row, _) in images {
            self.put_after(last, row);
            last = row;
        }
        self.end(bounds_of(images.iter().map(|&(_, point)| point)))
    }

    /// Adds a part of a line, of at least two vertices.
    pub(super) fn push_part(&mut self, vertices: &[GridPoint]) -> Result<(), Error> {
        let mut mark = BEGINS_PART;
        for first in (0..vertices.len() - 1).step_by(SEGMENTS) {
            let chunk = &vertices[first..(first + SEGMENTS + 1).min(vertices.len())];
            let bounds = bounds_of(chunk.iter().copied());
            self.chunk.push(chunk.len() as u8 | mark);
            let mut last = GridPoint {
                x: bounds.min_x,
                y: bounds.min_y,
            };
            for &point in chunk {
                self.put_after(last.x, point.x);
                self.put_after(last.y, point.y);
                last = point;
            }
            self.end(bounds)?;
            mark = 0;
        }
        Ok(())
    }

    fn put_after(&mut self, last: u32, next: u32) {
        let difference = next.wrapping_sub(last) as i32;
        let mut zigzag = ((difference << 1) ^ (difference >> 31)) as u32;
        while zigzag >= 0x80 {
            self.chunk.push(zigzag as u8 | 0x80);
            zigzag >>= 7;
        }
        self.chunk.push(zigzag as u8);
    }

    /// Ends a chunk, which lies within some bounds.
    fn end(&mut self, bounds: GridBox) -> Result<(), Error> {
        self.places.push(ChunkPlace {
            min_x: bounds.min_x,
            min_y: bounds.min_y,
            max_x: bounds.max_x,
            max_y: bounds.max_y,
            start: self.bytes.len() as u64,
        })?;
        self.bytes.extend(self.chunk.drain(..))
    }

    /// The chunks, of a dataset of so many images.
    pub(super) fn finish(self, images: usize) -> Result<Chunks, Error> {
        let table = ChunkColumns {
            place: self.places.finish()?,
        };
        let bytes = ChunkBytes {
            byte: self.bytes.finish()?,
        };
        Ok(Chunks {
            table: table.into(),
            bytes: bytes.into(),
            images,
        })
    }
}

fn bounds_of(points: impl Iterator<Item = GridPoint>) -> GridBox {
    points
        .map(GridBox::at)
        .reduce(union_box)
        .unwrap_or(GridBox::WORLD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(coordinates: &[(u32, u32)]) -> Vec<GridPoint> {
        coordinates
            .iter()
            .map(|&(x, y)| GridPoint { x, y })
            .collect()
    }

    proptest! {
        #[test]
        fn lines_come_back_as_they_went_in(
            parts in prop::collection::vec(prop::collection::vec(any::<(u32, u32)>(), 2..60), 0..6),
        ) {
            let mut writer = ChunkWriter::new(&Scratch::Memory);
            for part in &parts {
                writer.push_part(&points(part)).unwrap();
            }
            let chunks = writer.finish(0).unwrap();
            let mut found: Vec<Vec<GridPoint>> = Vec::new();
            for chunk in 0..chunks.table.len() {
                let vertices = chunks.vertices(chunk);
                let bounds = chunks.bounds(chunk);
                prop_assert!(vertices.points().iter().all(|&point| bounds.contains(point)));
                if vertices.begins_part {
                    found.push(vertices.points().to_vec());
                } else {
                    let part = found.last_mut().unwrap();
                    prop_assert_eq!(part.last(), vertices.points().first());
                    part.extend(&vertices.points()[1..]);
                }
            }
            let expected: Vec<_> = parts.iter().map(|part| points(part)).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn rows_come_back_as_they_went_in(rows in prop::collection::vec(0u32..u32::MAX, 1..=LEN)) {
            let mut writer = ChunkWriter::new(&Scratch::Memory);
            let images: Vec<_> = rows.iter().map(|&row| (row, GridPoint { x: row, y: 1 })).collect();
            writer.push_rows(&images).unwrap();
            let chunks = writer.finish(usize::MAX).unwrap();
            prop_assert_eq!(chunks.rows(0).collect::<Vec<_>>(), rows);
        }

        #[test]
        fn reading_any_bytes_ends(bytes: Vec<u8>, start in 0u64..20) {
            let place = ChunkPlace { min_x: 5, min_y: 5, max_x: 9, max_y: 9, start };
            let table = ChunkColumns { place: vec![place].into() };
            let bytes = ChunkBytes { byte: bytes.into() };
            let chunks = Chunks { table: table.into(), bytes: bytes.into(), images: 10 };
            prop_assert!(chunks.rows(0).all(|row| row < 10));
            prop_assert!((1..=SEGMENTS + 1).contains(&chunks.vertices(0).points().len()));
        }
    }
}
