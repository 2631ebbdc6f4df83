//! What edges leave on rows of tiles, in memory for the tiles and not for the edges.

use crate::prepared::cancel_pairs;
use crate::tile_rows::Span;

/// Entries from which on they are merged now and then: any number of edges may touch the same tile.
const MERGED_FROM: usize = 1 << 20;

/// The tiles that edges touch, and where the rows of tiles are crossed.
pub struct Outline {
    spans: Vec<Span>,
    /// How many spans there may be before they are merged.
    span_room: usize,
    /// How many tiles there were when spans were last merged.
    tiles: u64,
    /// Row, and the column from which on tiles that no edge touches lie east of one more edge.
    flips: Vec<(u32, u32)>,
    flip_room: usize,
}

impl Outline {
    pub fn new() -> Self {
        Self {
            spans: Vec::new(),
            span_room: MERGED_FROM,
            tiles: 0,
            flips: Vec::new(),
            flip_room: MERGED_FROM,
        }
    }

    /// Adds tiles that an edge touches.
    pub fn touch(&mut self, span: Span) {
        if self.spans.len() >= self.span_room {
            Span::merge(&mut self.spans);
            self.tiles = self.spans.iter().map(Span::len).sum();
            self.span_room = MERGED_FROM.max(2 * self.spans.len());
        }
        self.spans.push(span);
    }

    /// Notes that tiles of a row, from a column on, lie east of one more edge.
    pub fn flip(&mut self, y: u32, from_x: u32) {
        if self.flips.len() >= self.flip_room {
            cancel_pairs(&mut self.flips);
            self.flip_room = MERGED_FROM.max(2 * self.flips.len());
        }
        self.flips.push((y, from_x));
    }

    /// Tells whether more tiles than that were found to be touched.
    pub fn has_more_than(&self, max_tiles: u64) -> bool {
        self.tiles > max_tiles
    }

    /// Adds what lies within the edges of a polygon, all of which were added.
    pub fn fill(&mut self) {
        let mut flips = std::mem::take(&mut self.flips);
        flips.sort_unstable();
        // Rings are closed, so that each row is crossed an even number of times.
        for pair in flips.chunks_exact(2) {
            let ((y, first_x), (_, beyond_x)) = (pair[0], pair[1]);
            if first_x < beyond_x {
                self.touch(Span {
                    y,
                    first_x,
                    last_x: beyond_x - 1,
                });
            }
        }
    }

    pub fn into_spans(self) -> Vec<Span> {
        self.spans
    }
}
