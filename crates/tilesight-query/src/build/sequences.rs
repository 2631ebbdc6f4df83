//! Sequences: their images in capture order, and their lines.

use bytemuck::{Pod, Zeroable};
use hashbrown::HashMap;
use rayon::prelude::*;
use std::cmp::Ordering;
use std::iter::Peekable;
use tilesight_tile::{GridBox, GridPoint, TileId};

use super::checked_count;
use super::names::{Names, Numbers};
use super::part::{Part, RawPiece};
use crate::coverage::Coverage;
use crate::error::Error;
use crate::images::{Images, NONE, UNKNOWN_MS};
use crate::index::{Ranked, sort_spatially, union_box};
use crate::schema::{DATA_ZOOM, SEQUENCE_MIN_ZOOM};
use crate::scratch::{Scratch, Sorted, Sorter, Spool};
use crate::sequence::line::{Place, Run, Vertices, lines_of};
use crate::sequence::{SequenceFacts, Sequences, SequencesWriter};
use crate::storage::Column;

/// The shares of memory for images by sequence and for pieces of lines, one of so many.
const IMAGE_SHARE: usize = 4;
const PIECE_SHARE: usize = 16;

/// An image as its sequence needs it. Ordered by sequence, then by (capture time, id), unknown
/// times last.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
pub(super) struct SequenceImage {
    captured_at_ms: i64,
    id: i64,
    sequence: u32,
    row: u32,
    x: u32,
    y: u32,
}

impl SequenceImage {
    pub(super) const fn new(
        row: u32,
        id: i64,
        captured_at_ms: i64,
        point: GridPoint,
        sequence: u32,
    ) -> Self {
        Self {
            captured_at_ms,
            id,
            sequence,
            row,
            x: point.x,
            y: point.y,
        }
    }

    const fn key(&self) -> (u32, bool, i64, i64) {
        let is_unknown = self.captured_at_ms == UNKNOWN_MS;
        (self.sequence, is_unknown, self.captured_at_ms, self.id)
    }

    const fn point(&self) -> GridPoint {
        GridPoint {
            x: self.x,
            y: self.y,
        }
    }
}

impl Ord for SequenceImage {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for SequenceImage {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Collects the images that have a sequence.
pub(super) struct SequenceImages(Sorter<SequenceImage>);

impl SequenceImages {
    pub(super) fn new(scratch: &Scratch) -> Self {
        Self(Sorter::new(scratch, IMAGE_SHARE))
    }

    pub(super) fn extend(
        &mut self,
        images: impl Iterator<Item = SequenceImage>,
    ) -> Result<(), Error> {
        self.0.extend(images.filter(|image| image.sequence != NONE))
    }
}

/// A sequence feature of one tile.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Piece {
    captured_at_ms: i64,
    fetched_at_ms: i64,
    /// Which of all tiles, of which one may be there twice.
    copy: u64,
    /// Its runs of vertices.
    first_run: u64,
    beyond_run: u64,
    /// Numbers in the order in which names came.
    sequence: u32,
    organization: u32,
    creator: u32,
    flags: u32,
}

/// A sequence's number and one of its pieces.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
struct PieceOf {
    sequence: u32,
    piece: u32,
}

/// Collects the sequence features of parts.
pub(super) struct PiecesBuilder {
    pieces: Spool<Piece>,
    run_ends: Spool<u64>,
    x: Spool<u32>,
    y: Spool<u32>,
    tiles: Vec<TileId>,
    /// The most recently fetched copy of each tile, else the first.
    newest: HashMap<TileId, (i64, u64)>,
}

impl PiecesBuilder {
    pub(super) fn new(scratch: &Scratch) -> Self {
        Self {
            pieces: Spool::new(scratch),
            run_ends: Spool::new(scratch),
            x: Spool::new(scratch),
            y: Spool::new(scratch),
            tiles: Vec::new(),
            newest: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, part: &Part, names: &Names) -> Result<(), Error> {
        checked_count(self.x.len() + part.lines.x.len())?;
        checked_count(self.pieces.len() + part.lines.pieces.len())?;
        for piece in &part.lines.pieces {
            self.add_piece(piece, names)?;
        }
        let vertices_before = self.x.len() as u64;
        let run_ends = part.lines.run_ends.iter();
        self.run_ends
            .extend(run_ends.map(|&end| vertices_before + end as u64))?;
        self.x.extend(part.lines.x.iter().copied())?;
        self.y.extend(part.lines.y.iter().copied())?;
        self.tiles.extend(part.tiles.iter().map(|tile| tile.tile));
        Ok(())
    }

    fn add_piece(&mut self, piece: &RawPiece, names: &Names) -> Result<(), Error> {
        let copy = (self.tiles.len() + piece.copy) as u64;
        let kept = self
            .newest
            .entry(piece.tile)
            .or_insert((piece.fetched_at_ms, copy));
        if piece.fetched_at_ms > kept.0 {
            *kept = (piece.fetched_at_ms, copy);
        }
        let runs_before = self.run_ends.len() as u64;
        self.pieces.push(Piece {
            captured_at_ms: piece.captured_at_ms,
            fetched_at_ms: piece.fetched_at_ms,
            copy,
            first_run: runs_before + piece.first_run as u64,
            beyond_run: runs_before + piece.beyond_run as u64,
            sequence: names.sequences.of(piece.sequence),
            organization: names.organizations.of(piece.organization),
            creator: names.creators.of(piece.creator),
            flags: u32::from(piece.flags),
        })
    }

    /// The pieces of the newest copies, by sequence.
    pub(super) fn finish(self, numbers: &Numbers, scratch: &Scratch) -> Result<Pieces, Error> {
        let pieces = self.pieces.finish()?;
        let mut order = Sorter::new(scratch, PIECE_SHARE);
        let is_newest =
            |piece: &Piece| self.newest[&self.tiles[piece.copy as usize]].1 == piece.copy;
        let kept = (0..)
            .zip(pieces.iter())
            .filter(|(_, piece)| is_newest(piece));
        order.extend(kept.map(|(number, piece)| PieceOf {
            sequence: numbers.sequences.of(piece.sequence),
            piece: number,
        }))?;
        Ok(Pieces {
            order: order.finish().peekable(),
            all: pieces,
            tiles: self.tiles,
            run_ends: self.run_ends.finish()?,
            x: self.x.finish()?,
            y: self.y.finish()?,
        })
    }
}

/// Sequence features, by sequence.
pub(super) struct Pieces {
    order: Peekable<Sorted<PieceOf>>,
    all: Column<Piece>,
    tiles: Vec<TileId>,
    run_ends: Column<u64>,
    x: Column<u32>,
    y: Column<u32>,
}

impl Pieces {
    /// Takes the pieces of the next sequence.
    fn take(&mut self, sequence: u32) -> Vec<u32> {
        let mut taken = Vec::new();
        while let Some(next) = self.order.next_if(|next| next.sequence <= sequence) {
            taken.push(next.piece);
        }
        taken
    }

    /// The runs of vertices of some pieces, each with the tile it lies on.
    fn runs<'a>(&'a self, pieces: &'a [u32]) -> impl Iterator<Item = (TileId, Vertices<'a>)> {
        pieces.iter().flat_map(move |&piece| {
            let piece = &self.all[piece as usize];
            let tile = self.tiles[piece.copy as usize];
            (piece.first_run..piece.beyond_run).map(move |run| (tile, self.run(run)))
        })
    }

    fn run(&self, run: u64) -> Vertices<'_> {
        let run = run as usize;
        let start = run.checked_sub(1).map_or(0, |before| self.run_ends[before]);
        let vertices = start as usize..self.run_ends[run] as usize;
        (&self.x[vertices.clone()], &self.y[vertices])
    }
}

/// Groups images into sequences and stitches their lines.
pub(super) fn build(
    images: &Images,
    of_sequences: SequenceImages,
    mut pieces: Pieces,
    numbers: &Numbers,
    coverage: &Coverage,
    scratch: &Scratch,
) -> Result<Sequences, Error> {
    let count = images.sequence_ids.len() as u32;
    let mut sorted = of_sequences.0.finish().peekable();
    let mut writer = SequencesWriter::new(scratch);
    let mut places = Vec::new();
    let mut next = 0;
    while next < count {
        let mut batch = Vec::new();
        let mut rows = 0;
        while next < count && batch.len() < BATCH && rows < BATCH_ROWS {
            let mut of_sequence = Vec::new();
            while let Some(image) = sorted.next_if(|image| image.sequence == next) {
                of_sequence.push(image);
            }
            rows += of_sequence.len();
            batch.push((of_sequence, pieces.take(next)));
            next += 1;
        }
        let drafts: Vec<Draft> = batch
            .par_iter()
            .map(|(of_sequence, of_line)| {
                Draft::new(images, of_sequence, &pieces, of_line, numbers, coverage)
            })
            .collect();
        for draft in drafts {
            places.push(draft.bounds);
            writer.push(draft.facts, &draft.images, &draft.parts)?;
        }
    }
    let (order, boxes) = spatial_order(&places);
    writer.finish(order, boxes, images.len(), scratch)
}

/// Most sequences, and about as many rows, that are stitched at a time.
const BATCH: usize = 1 << 14;
const BATCH_ROWS: usize = 1 << 20;

/// A sequence before its columns are joined with the others'.
struct Draft {
    facts: SequenceFacts,
    images: Vec<(u32, GridPoint)>,
    parts: Vec<Vec<GridPoint>>,
    /// Around the images and the line; none where there is neither.
    bounds: Option<GridBox>,
}

impl Draft {
    fn new(
        images: &Images,
        of_sequence: &[SequenceImage],
        pieces: &Pieces,
        of_line: &[u32],
        numbers: &Numbers,
        coverage: &Coverage,
    ) -> Self {
        let places: Vec<_> = of_sequence
            .iter()
            .map(|image| Place::of(image.point()))
            .collect();
        let runs: Vec<_> = pieces
            .runs(of_line)
            .flat_map(|(tile, run)| most_detailed(tile, run, coverage))
            .collect();
        let is_held_between = |a, b| coverage.holds_between(DATA_ZOOM, a, b);
        let parts = lines_of(&places, &runs, is_held_between);
        let of_line = of_line.iter().map(|&piece| &pieces.all[piece as usize]);
        Self {
            facts: facts_of(images, of_sequence, of_line, numbers),
            bounds: bounds(&places, &parts),
            images: of_sequence
                .iter()
                .map(|image| (image.row, image.point()))
                .collect(),
            parts,
        }
    }
}

/// The stretches of a run that deeper tiles, which have more detail, do not hold.
fn most_detailed<'a>(tile: TileId, (xs, ys): Vertices<'a>, coverage: &Coverage) -> Vec<Run<'a>> {
    if tile.z() >= DATA_ZOOM {
        return vec![(tile, (xs, ys))];
    }
    let vertex = |i: usize| GridPoint { x: xs[i], y: ys[i] };
    let deeper = (tile.z() + 1).max(SEQUENCE_MIN_ZOOM);
    let is_deeper = |&i: &usize| coverage.holds_between(deeper, vertex(i), vertex(i + 1));
    let segments: Vec<usize> = (0..xs.len() - 1).collect();
    segments
        .chunk_by(|a, b| is_deeper(a) == is_deeper(b))
        .filter(|stretch| !is_deeper(&stretch[0]))
        .map(|stretch| stretch[0]..stretch[0] + stretch.len() + 1)
        .map(|vertices| (tile, (&xs[vertices.clone()], &ys[vertices])))
        .collect()
}

fn facts_of<'a>(
    images: &Images,
    of_sequence: &[SequenceImage],
    pieces: impl Iterator<Item = &'a Piece>,
    numbers: &Numbers,
) -> SequenceFacts {
    let mut facts = SequenceFacts::UNKNOWN;
    for image in of_sequence {
        let group = images.group(image.row);
        let flags = images.columns().flags[image.row as usize];
        facts.add(flags, group.organization, group.creator);
        facts.add_time(image.captured_at_ms);
    }
    for piece in pieces {
        let organization = numbers.organizations.of(piece.organization);
        facts.add(
            piece.flags as u8,
            organization,
            numbers.creators.of(piece.creator),
        );
        if of_sequence.is_empty() {
            facts.add_time(piece.captured_at_ms);
        }
    }
    facts
}

fn bounds(points: &[Place], parts: &[Vec<GridPoint>]) -> Option<GridBox> {
    let points = points.iter().map(|place| place.point);
    let all = points.chain(parts.iter().flatten().copied());
    all.map(GridBox::at).reduce(union_box)
}

/// The sequences that lie anywhere in spatial order of their centres, and the box of each.
fn spatial_order(places: &[Option<GridBox>]) -> (Vec<u32>, Vec<GridBox>) {
    let mut order: Vec<Ranked> = (0..)
        .zip(places)
        .filter_map(|(rank, place)| {
            let b = (*place)?;
            let (x, y) = (
                u32::midpoint(b.min_x, b.max_x),
                u32::midpoint(b.min_y, b.max_y),
            );
            Some(Ranked { x, y, rank })
        })
        .collect();
    sort_spatially(&mut order, 0);
    let boxed = |row: &Ranked| Some((row.rank, places[row.rank as usize]?));
    order.iter().filter_map(boxed).unzip()
}

impl Place {
    fn of(point: GridPoint) -> Self {
        Self {
            point,
            tile: TileId::containing(DATA_ZOOM, point),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Holding, ImageRow, LineRow, TilePart, build};
    use super::*;
    use crate::{Dataset, SequenceQuery, Tileset};

    const ROW: u32 = 1000;

    /// Adds a line along one row of the grid.
    fn line(rows: &mut TilePart<'_>, xs: &[u32]) {
        let row = LineRow {
            sequence: rows.sequence("s"),
            captured_at_ms: None,
            is_pano: None,
            organization_id: None,
            creator_id: None,
        };
        rows.line(row, [(xs, &vec![ROW; xs.len()][..])]);
    }

    fn tile(z: u8, x: u32) -> TileId {
        TileId::new(z, x, 0).unwrap()
    }

    #[track_caller]
    fn check(parts: Vec<Part>, tiles: &[TileId], expected: &[&[u32]]) {
        let held = Holding {
            tiles: tiles.to_vec(),
            ..Holding::nothing(Tileset::Images)
        };
        let data: Dataset = build(parts, &[held]).unwrap();
        let found = data.sequences(&SequenceQuery::default()).unwrap();
        let lines: Vec<Vec<Vec<u32>>> = found
            .tracks()
            .map(|track| {
                let parts = track.line();
                parts
                    .map(|part| part.map(|at| GridPoint::nearest_to(at).x).collect())
                    .collect()
            })
            .collect();
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn shallower_tiles_go_on_where_no_deeper_one_is() {
        let side = 1 << 18;
        let (deep, middle, shallow) = (tile(14, 1), tile(12, 0), tile(8, 0));
        let mut part = Part::new();
        line(
            &mut part.tile(shallow, None),
            &[side + 9, 2 * side + 9, 3 * side, 7 * side, 8 * side],
        );
        line(
            &mut part.tile(middle, None),
            &[side + 10, side + 90, 3 * side],
        );
        let mut rows = part.tile(deep, None);
        line(&mut rows, &[side + 11, side + 50, 2 * side]);
        let sequence = Some(rows.sequence("s"));
        let point = GridPoint {
            x: side + 11,
            y: ROW,
        };
        rows.image(ImageRow {
            sequence,
            ..ImageRow::at(point, 1)
        });
        check(
            vec![part],
            &[deep, middle, shallow],
            &[
                &[side + 11, side + 50, 2 * side],
                &[3 * side, 7 * side, 8 * side],
                &[side + 90, 3 * side],
            ],
        );
    }

    #[test]
    fn a_tile_that_is_there_twice_has_its_lines_once() {
        let tile = tile(14, 0);
        let part_of = |fetched_at_ms, x| {
            let mut part = Part::new();
            line(&mut part.tile(tile, fetched_at_ms), &[x, x + 5]);
            part
        };
        let (old, new) = (|| part_of(Some(1), 10), || part_of(Some(2), 20));
        check(vec![old(), new()], &[tile], &[&[20, 25]]);
        check(vec![new(), old()], &[tile], &[&[20, 25]]);
        check(
            vec![part_of(None, 30), part_of(None, 40)],
            &[tile],
            &[&[30, 35]],
        );
    }
}
