//! Sequences: their images in capture order, and their lines.

use hashbrown::HashMap;
use rayon::prelude::*;
use tilesight_tile::{GridBox, GridPoint, TileId};

use super::part::{Part, RawPiece};
use super::{Numbers, PartNumbers, checked_count};
use crate::coverage::Coverage;
use crate::error::Error;
use crate::images::{Images, NONE, UNKNOWN_MS};
use crate::index::{Ranked, sort_spatially, union_box};
use crate::schema::{DATA_ZOOM, SEQUENCE_MIN_ZOOM};
use crate::sequence::line::{Place, Run, Vertices, lines_of};
use crate::sequence::{SequenceFacts, Sequences, SequencesWriter};

/// Sequence features of all parts, ordered by sequence, with the dataset's numbers.
pub(super) struct RawPieces {
    pieces: Vec<RawPiece>,
    run_ends: Vec<usize>,
    x: Vec<u32>,
    y: Vec<u32>,
}

impl RawPieces {
    pub(super) fn collect(parts: &[Part], numbers: &Numbers) -> Result<Self, Error> {
        checked_count(parts.iter().map(|part| part.lines.x.len()).sum())?;
        let mut all = Self {
            pieces: vec![],
            run_ends: vec![],
            x: vec![],
            y: vec![],
        };
        let mut tiles_before = 0;
        for (part, numbers) in parts.iter().zip(&numbers.parts) {
            all.append(part, numbers, tiles_before);
            tiles_before += part.tiles.len();
        }
        all.keep_newest();
        all.pieces.sort_by_key(|piece| piece.sequence);
        Ok(all)
    }

    fn append(&mut self, part: &Part, numbers: &PartNumbers, tiles_before: usize) {
        let (runs_before, vertices_before) = (self.run_ends.len(), self.x.len());
        self.x.extend_from_slice(&part.lines.x);
        self.y.extend_from_slice(&part.lines.y);
        self.run_ends
            .extend(part.lines.run_ends.iter().map(|end| vertices_before + end));
        self.pieces
            .extend(part.lines.pieces.iter().map(|piece| RawPiece {
                copy: tiles_before + piece.copy,
                sequence: numbers.sequences.of(piece.sequence),
                organization: numbers.organizations.of(piece.organization),
                creator: numbers.creators.of(piece.creator),
                first_run: runs_before + piece.first_run,
                beyond_run: runs_before + piece.beyond_run,
                ..*piece
            }));
    }

    /// Keeps the pieces of the most recently fetched copy of each tile, else of the first.
    fn keep_newest(&mut self) {
        let mut newest: HashMap<TileId, (i64, usize)> = HashMap::new();
        for piece in &self.pieces {
            let candidate = (piece.fetched_at_ms, piece.copy);
            let kept = newest.entry(piece.tile).or_insert(candidate);
            if candidate.0 > kept.0 {
                *kept = candidate;
            }
        }
        self.pieces
            .retain(|piece| newest[&piece.tile].1 == piece.copy);
    }

    fn of_sequence(&self, sequence: u32) -> &[RawPiece] {
        let first = self
            .pieces
            .partition_point(|piece| piece.sequence < sequence);
        let rest = &self.pieces[first..];
        &rest[..rest.partition_point(|piece| piece.sequence == sequence)]
    }

    fn run(&self, run: usize) -> Vertices<'_> {
        let start = run.checked_sub(1).map_or(0, |before| self.run_ends[before]);
        let vertices = start..self.run_ends[run];
        (&self.x[vertices.clone()], &self.y[vertices])
    }
}

/// Groups images into sequences and stitches their lines.
pub(super) fn build(images: &Images, pieces: &RawPieces, coverage: &Coverage) -> Sequences {
    let count = images.sequence_ids.len();
    let sequence_of_row: Vec<u32> = (0..images.len() as u32)
        .map(|row| images.group(row).sequence)
        .collect();
    let (row_starts, mut rows) = rows_by_sequence(&sequence_of_row, count);
    sort_by_capture(images, &row_starts, &mut rows);
    let rows_of = |i: usize| &rows[row_starts[i] as usize..row_starts[i + 1] as usize];
    let mut writer = SequencesWriter::default();
    let mut places = Vec::with_capacity(count);
    // Some at a time, so that no more than these are there twice.
    for first in (0..count).step_by(DRAFTS) {
        let drafts: Vec<Draft> = (first..(first + DRAFTS).min(count))
            .into_par_iter()
            .map(|i| Draft::new(images, rows_of(i), pieces, i as u32, coverage))
            .collect();
        for draft in drafts {
            places.push(draft.bounds);
            writer.push(draft.facts, &draft.images, &draft.parts);
        }
    }
    let (order, boxes) = spatial_order(&places);
    writer.finish(order, boxes, images.len())
}

/// Rows grouped by sequence, ascending: where each group starts, and the rows.
fn rows_by_sequence(sequence_of_row: &[u32], count: usize) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0; count + 1];
    for &sequence in sequence_of_row.iter().filter(|&&sequence| sequence != NONE) {
        starts[sequence as usize + 1] += 1;
    }
    for i in 0..count {
        starts[i + 1] += starts[i];
    }
    let mut next = starts.clone();
    let mut rows = vec![0; starts[count] as usize];
    for (row, &sequence) in (0..).zip(sequence_of_row) {
        if sequence != NONE {
            let at = &mut next[sequence as usize];
            rows[*at as usize] = row;
            *at += 1;
        }
    }
    (starts, rows)
}

/// Orders the rows of each sequence by (capture time, id), unknown times last.
fn sort_by_capture(images: &Images, row_starts: &[u32], rows: &mut [u32]) {
    let columns = images.columns();
    let key = |row: u32| {
        let time = columns.time_ms(row as usize);
        (time == UNKNOWN_MS, time, columns.id[row as usize])
    };
    let mut groups = Vec::with_capacity(row_starts.len());
    let mut rest = rows;
    for ends in row_starts.windows(2) {
        let (group, after) = rest.split_at_mut((ends[1] - ends[0]) as usize);
        groups.push(group);
        rest = after;
    }
    groups
        .into_par_iter()
        .for_each(|group| group.sort_by_cached_key(|&row| key(row)));
}

/// Sequences that are made at a time.
const DRAFTS: usize = 1 << 14;

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
        rows: &[u32],
        all: &RawPieces,
        sequence: u32,
        coverage: &Coverage,
    ) -> Self {
        let pieces = all.of_sequence(sequence);
        let points: Vec<_> = rows
            .iter()
            .map(|&row| images.columns().point(row as usize))
            .map(Place::of)
            .collect();
        let runs: Vec<_> = pieces
            .iter()
            .flat_map(|piece| (piece.first_run..piece.beyond_run).map(move |run| (piece, run)))
            .flat_map(|(piece, run)| most_detailed(piece.tile, all.run(run), coverage))
            .collect();
        let is_held_between = |a, b| coverage.holds_between(DATA_ZOOM, a, b);
        let parts = lines_of(&points, &runs, is_held_between);
        Self {
            facts: facts_of(images, rows, pieces),
            bounds: bounds(&points, &parts),
            images: rows
                .iter()
                .copied()
                .zip(points.iter().map(|place| place.point))
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

fn facts_of(images: &Images, rows: &[u32], pieces: &[RawPiece]) -> SequenceFacts {
    let columns = images.columns();
    let mut facts = SequenceFacts::UNKNOWN;
    for &row in rows {
        let group = images.group(row);
        facts.add(
            columns.flags[row as usize],
            group.organization,
            group.creator,
        );
        facts.add_time(columns.time_ms(row as usize));
    }
    for piece in pieces {
        facts.add(piece.flags, piece.organization, piece.creator);
        if rows.is_empty() {
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
    sort_spatially(&mut order);
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
