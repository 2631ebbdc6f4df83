//! Lines of sequences in an index of boxes, each tested exactly.

use std::ops::Range;

use geo::{Coord, Intersects, Line, Rect};
use packed_spatial_index::{Box2D, SimdIndex2D};
use tilesight_query::{Dataset, Error, SequenceQuery};
use tilesight_tile::Bbox;

use super::Engine;
use super::packed::{simd_tree, with_found};

/// An index that finds sequences by their lines.
pub trait LineIndex: Sync {
    /// Finds the sequences of which a part lies in a box, ascending by id.
    fn meeting(&self, bbox: &Bbox) -> Vec<&str>;
}

/// A sequence as a set of vertices in degrees that are joined part by part.
pub struct SequenceLine {
    /// Its id.
    pub id: String,
    /// The vertices of each part; a single vertex is an image by itself.
    pub parts: Vec<Vec<Coord>>,
}

/// The lines of all sequences of a dataset, ascending by id.
///
/// # Errors
///
/// Those of [`Dataset::sequences`].
pub fn lines_of(data: &Dataset) -> Result<Vec<SequenceLine>, Error> {
    let all = data.sequences(&SequenceQuery::default())?;
    let lines = all.tracks().map(|track| -> Result<SequenceLine, Error> {
        let part = |part: &mut dyn Iterator<Item = tilesight_tile::LonLat>| {
            part.map(|at| Coord::from((at.lon(), at.lat()))).collect()
        };
        let mut parts: Vec<Vec<Coord>> = track.line().map(|mut line| part(&mut line)).collect();
        // An image that stands beside its line is a part of the sequence too.
        let mut vertices: Vec<Coord> = parts.concat();
        vertices.sort_unstable_by(by_place);
        let images = track
            .images()?
            .map(|image| Coord::from((image.lon, image.lat)));
        let beside = images.filter(|at| {
            vertices
                .binary_search_by(|vertex| by_place(vertex, at))
                .is_err()
        });
        parts.extend(beside.map(|at| vec![at]));
        Ok(SequenceLine {
            id: track.sequence.id.to_owned(),
            parts,
        })
    });
    lines.collect()
}

fn by_place(a: &Coord, b: &Coord) -> std::cmp::Ordering {
    a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y))
}

/// Boxes around pieces of lines in `packed_spatial_index`.
pub struct PackedLines {
    tree: SimdIndex2D,
    /// One a box.
    pieces: Vec<Piece>,
    /// The vertices of all pieces.
    vertices: Vec<Coord>,
    ids: Vec<String>,
}

/// Joined vertices of one sequence.
struct Piece {
    sequence: u32,
    vertices: Range<usize>,
}

impl PackedLines {
    /// Indexes lines in pieces of at most `segments` segments, which lie in memory as their boxes
    /// do in the tree.
    pub fn new(lines: &[SequenceLine], segments: usize) -> Self {
        let mut pieces: Vec<(u32, &[Coord])> = Vec::new();
        for (sequence, line) in (0..).zip(lines) {
            for part in &line.parts {
                pieces.extend(cut(part, segments).map(|piece| (sequence, piece)));
            }
        }
        let tree_of = |pieces: &[(u32, &[Coord])]| {
            simd_tree(pieces.iter().map(|(_, vertices)| box_around(vertices)))
        };
        let everywhere = Box2D::new(-180.0, -90.0, 180.0, 90.0);
        let in_order: Vec<_> = with_found(&tree_of(&pieces), everywhere, |order| {
            order.iter().map(|&piece| pieces[piece]).collect()
        });
        let mut vertices = Vec::new();
        let piece = |&(sequence, piece): &(u32, &[Coord])| {
            let start = vertices.len();
            vertices.extend_from_slice(piece);
            Piece {
                sequence,
                vertices: start..vertices.len(),
            }
        };
        Self {
            pieces: in_order.iter().map(piece).collect(),
            tree: tree_of(&in_order),
            vertices,
            ids: lines.iter().map(|line| line.id.clone()).collect(),
        }
    }
}

impl LineIndex for PackedLines {
    fn meeting(&self, bbox: &Bbox) -> Vec<&str> {
        let rect = Rect::new((bbox.west(), bbox.south()), (bbox.east(), bbox.north()));
        let bounds = box_around(&[rect.min(), rect.max()]);
        let mut numbers: Vec<u32> = with_found(&self.tree, bounds, |found| {
            let pieces = found.iter().map(|&piece| &self.pieces[piece]);
            pieces
                .filter(|piece| meets(&rect, &self.vertices[piece.vertices.clone()]))
                .map(|piece| piece.sequence)
                .collect()
        });
        numbers.sort_unstable();
        numbers.dedup();
        numbers
            .into_iter()
            .map(|number| self.ids[number as usize].as_str())
            .collect()
    }
}

/// Asked by itself it knows sequences and nothing else.
impl Engine for PackedLines {
    fn name(&self) -> &'static str {
        "packed_spatial_index, a box a line"
    }

    fn sequences(&self, bbox: &Bbox) -> Option<Vec<&str>> {
        Some(self.meeting(bbox))
    }
}

/// Pieces that share the vertex between them; a single vertex is a piece too.
fn cut(part: &[Coord], segments: usize) -> impl Iterator<Item = &[Coord]> {
    let starts = (0..(part.len() - 1).max(1)).step_by(segments);
    // A piece has one vertex more than segments.
    let end = move |start: usize| start.saturating_add(segments).min(part.len() - 1) + 1;
    starts.map(move |start| &part[start..end(start)])
}

fn meets(rect: &Rect, vertices: &[Coord]) -> bool {
    let segments = || vertices.windows(2).map(|ends| Line::new(ends[0], ends[1]));
    vertices.iter().any(|at| rect.intersects(at))
        || segments().any(|segment| rect.intersects(&segment))
}

fn box_around(vertices: &[Coord]) -> Box2D {
    let Coord { x, y } = vertices[0];
    let around = |bounds: [f64; 4], at: &Coord| {
        let [min_x, min_y, max_x, max_y] = bounds;
        [
            min_x.min(at.x),
            min_y.min(at.y),
            max_x.max(at.x),
            max_y.max(at.y),
        ]
    };
    let [min_x, min_y, max_x, max_y] = vertices.iter().fold([x, y, x, y], around);
    Box2D::new(min_x, min_y, max_x, max_y)
}
