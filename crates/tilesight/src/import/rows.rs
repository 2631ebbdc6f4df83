//! Imported sequences as rows of a dataset, beside what tiles tell.

use std::collections::{BTreeMap, HashMap, HashSet};

use tilesight_query::Tileset;
use tilesight_query::build::{Builder, Holding, ImageRow, LineRow, Part};
use tilesight_query::schema::{DATA_ZOOM, SEQUENCE_MIN_ZOOM};
use tilesight_store::TileStore;
use tilesight_tile::{GridPoint, TileId, TileRows, cover_bbox};

use super::ImportedSequence;
use super::v3::{self, V3Image, V3Sequence};
use crate::error::Error;

/// Half the way round the world: farther apart in longitude, two positions are nearer across the
/// antimeridian.
const HALF_WORLD: u32 = 1 << 31;

/// The imported sequences of some stores, and what their tiles tell of them.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    sequences: Vec<V3Sequence>,
    /// When tiles say that images were taken.
    captured_at_ms: HashMap<i64, Option<i64>>,
    /// The sequences that a tile knows.
    known: HashSet<String>,
}

impl Imports {
    /// Reads the imports of stores; of a sequence that several have, that of the first.
    pub(crate) fn of(stores: &[Box<dyn TileStore>]) -> Result<Self, Error> {
        let mut imports = Self::default();
        let mut keys = HashSet::new();
        for store in stores {
            for text in store.additions()? {
                let sequence = v3::from_text(&text)?;
                if keys.insert(sequence.about.key.clone()) {
                    imports.sequences.push(sequence);
                }
            }
        }
        let images = imports.sequences.iter().flat_map(|s| &s.images);
        imports.captured_at_ms = images.map(|image| (image.id, None)).collect();
        Ok(imports)
    }

    /// Takes note of what tiles tell of these sequences.
    pub(crate) fn note(&mut self, part: &Part) {
        if self.sequences.is_empty() {
            return;
        }
        for (id, captured_at_ms) in part.capture_times() {
            if let Some(time) = self.captured_at_ms.get_mut(&id) {
                *time = captured_at_ms.or(*time);
            }
        }
        for sequence in &self.sequences {
            let key = &sequence.about.key;
            if part.has_sequence(key) {
                self.known.insert(key.clone());
            }
        }
    }

    /// Adds the rows: after those of all tiles, so that theirs come first.
    pub(crate) fn add_to(&self, builder: &mut Builder, held: &[Holding]) -> Result<(), Error> {
        if self.sequences.is_empty() {
            return Ok(());
        }
        let mut part = Part::new();
        self.add_images(&mut part);
        self.add_lines(&mut part, &HeldTiles::of(held));
        Ok(builder.add(&part)?)
    }

    /// What rows do not tell, by the keys of the sequences.
    pub(crate) fn into_sequences(self) -> Vec<ImportedSequence> {
        let sequences = self.sequences.into_iter();
        let mut sequences: Vec<_> = sequences.map(|sequence| sequence.about).collect();
        sequences.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        sequences
    }

    /// The images of a sequence that are rows: those with old keys are not where a tile knows the
    /// sequence, since it has the same images by other ids.
    fn images_of<'s>(&self, sequence: &'s V3Sequence) -> Vec<&'s V3Image> {
        let is_known = self.known.contains(&sequence.about.key);
        let images = sequence.images.iter();
        images.filter(|image| image.has_id || !is_known).collect()
    }

    fn add_images(&self, part: &mut Part) {
        // Which tile an image comes from does not matter: its place is its own.
        let world = TileId::containing(0, GridPoint { x: 0, y: 0 });
        let mut rows = part.tile(world, None);
        for sequence in &self.sequences {
            let creator_id = creator_id(&sequence.about);
            let images = self.images_of(sequence);
            for (image, captured_at_ms) in images.iter().zip(self.times(sequence, &images)) {
                let row = ImageRow {
                    captured_at_ms,
                    compass_angle_deg: image.heading_deg,
                    is_pano: sequence.is_pano,
                    sequence: Some(rows.sequence(&sequence.about.key)),
                    creator_id,
                    ..ImageRow::at(image.point, image.id)
                };
                rows.image(row);
            }
        }
    }

    /// When images were taken: as tiles tell, or a millisecond after the one before, but never after
    /// the next of which a tile tells.
    fn times(&self, sequence: &V3Sequence, images: &[&V3Image]) -> Vec<Option<i64>> {
        let told_ms = |image: &&V3Image| self.captured_at_ms.get(&image.id).copied().flatten();
        let mut next_told_ms = None;
        let mut bounds_ms: Vec<Option<i64>> = Vec::new();
        for image in images.iter().rev() {
            next_told_ms = told_ms(image).or(next_told_ms);
            bounds_ms.push(next_told_ms);
        }
        let mut before_ms: Option<i64> = None;
        let bounded = images.iter().zip(bounds_ms.into_iter().rev());
        bounded
            .map(|(image, bound_ms)| {
                let after_ms = before_ms.map(|ms| ms.saturating_add(1));
                let guessed_ms = after_ms.or(sequence.captured_at_ms);
                let guessed_ms = guessed_ms.map(|ms| ms.min(bound_ms.unwrap_or(ms)));
                before_ms = told_ms(image).or(guessed_ms);
                before_ms
            })
            .collect()
    }

    /// Adds the lines, tile by tile as tiles have them, where no tile is held that would have
    /// its own.
    fn add_lines(&self, part: &mut Part, held: &HeldTiles) {
        let mut of_tiles: BTreeMap<TileId, Vec<(&V3Sequence, Vec<GridPoint>)>> = BTreeMap::new();
        for sequence in &self.sequences {
            let images = self.images_of(sequence);
            let points: Vec<GridPoint> = images.iter().map(|image| image.point).collect();
            for (tile, run) in runs(&points) {
                if !held.has_lines(tile) {
                    of_tiles.entry(tile).or_default().push((sequence, run));
                }
            }
        }
        for (tile, runs) in of_tiles {
            let mut rows = part.tile(tile, None);
            for (sequence, run) in runs {
                let line = LineRow {
                    sequence: rows.sequence(&sequence.about.key),
                    captured_at_ms: sequence.captured_at_ms,
                    is_pano: sequence.is_pano,
                    organization_id: None,
                    creator_id: creator_id(&sequence.about),
                };
                let (xs, ys): (Vec<u32>, Vec<u32>) = run.iter().map(|p| (p.x, p.y)).unzip();
                rows.line(line, [(&xs[..], &ys[..])]);
            }
        }
    }
}

/// The creator as tiles would have it: keys of before 2021 are no ids.
fn creator_id(about: &ImportedSequence) -> Option<i64> {
    let (id, is_key) = super::id_of_key(about.user_key.as_deref()?);
    is_key.then_some(id)
}

/// Where tiles are held that hold the lines of sequences.
struct HeldTiles {
    tiles: HashSet<TileId>,
    declared: Vec<TileRows>,
}

impl HeldTiles {
    fn of(holdings: &[Holding]) -> Self {
        let of_images = || {
            holdings
                .iter()
                .filter(|held| held.tileset == Tileset::Images)
        };
        let bounds = of_images().filter_map(|held| held.bounds);
        Self {
            tiles: of_images()
                .flat_map(|held| held.tiles.iter().copied())
                .collect(),
            declared: bounds
                .filter_map(|bounds| cover_bbox(DATA_ZOOM, &bounds, u64::MAX).ok())
                .collect(),
        }
    }

    /// Whether a tile of the data zoom, or one above it that has lines, is held.
    fn has_lines(&self, tile: TileId) -> bool {
        let mut above = (SEQUENCE_MIN_ZOOM..=DATA_ZOOM).filter_map(|z| tile.ancestor(z));
        above.any(|tile| self.tiles.contains(&tile))
            || self.declared.iter().any(|rows| rows.contains(tile))
    }
}

/// Cuts a line into the runs of vertices on each tile of the data zoom, as tiles have them: a run
/// ends where the line leaves its tile, and the next one begins there. Across the antimeridian
/// the line is broken.
fn runs(points: &[GridPoint]) -> Vec<(TileId, Vec<GridPoint>)> {
    let tile_of = |point: GridPoint| TileId::containing(DATA_ZOOM, point);
    let mut runs: Vec<(TileId, Vec<GridPoint>)> = Vec::new();
    let mut before: Option<GridPoint> = None;
    for &point in points {
        let tile = tile_of(point);
        match (runs.last_mut(), before) {
            (Some((last, run)), _) if *last == tile => run.push(point),
            (Some((last, run)), Some(from)) if from.x.abs_diff(point.x) < HALF_WORLD => {
                let edge = leaving(*last, from, point);
                run.push(edge);
                runs.push((tile, vec![edge, point]));
            }
            _ => runs.push((tile, vec![point])),
        }
        before = Some(point);
    }
    runs
}

/// Where a segment from a tile to a position beyond it leaves the tile. The far edges of a tile
/// are the first column and row of those beyond.
fn leaving(tile: TileId, from: GridPoint, to: GridPoint) -> GridPoint {
    let bounds = tile.grid_box();
    let share = |from: u32, to: u32, min: u32, max: u32| {
        let edge = if to < min {
            f64::from(min)
        } else if to > max {
            f64::from(max) + 1.0
        } else {
            return 1.0;
        };
        (edge - f64::from(from)) / (f64::from(to) - f64::from(from))
    };
    let along = share(from.x, to.x, bounds.min_x, bounds.max_x).min(share(
        from.y,
        to.y,
        bounds.min_y,
        bounds.max_y,
    ));
    let at = |from: u32, to: u32| {
        (f64::from(from) + along * (f64::from(to) - f64::from(from))).round() as u32
    };
    GridPoint {
        x: at(from.x, to.x),
        y: at(from.y, to.y),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: u32 = 1 << 18;

    fn at(x: u32, y: u32) -> GridPoint {
        GridPoint { x, y }
    }

    #[test]
    fn a_line_is_cut_where_it_leaves_a_tile() {
        let points = [
            at(10, 10),
            at(SIDE - 10, 20),
            at(SIDE + 10, 40),
            at(SIDE + 20, SIDE + 40),
        ];
        let tile = |x, y| TileId::new(DATA_ZOOM, x, y).unwrap();
        let (first, second) = (at(SIDE, 30), at(SIDE + 20, SIDE));
        let expected = vec![
            (tile(0, 0), vec![points[0], points[1], first]),
            (tile(1, 0), vec![first, points[2], second]),
            (tile(1, 1), vec![second, points[3]]),
        ];
        assert_eq!(runs(&points), expected);
        let back: Vec<GridPoint> = points.iter().rev().copied().collect();
        assert_eq!(runs(&back).len(), 3);
    }

    #[test]
    fn a_line_is_broken_at_the_antimeridian() {
        let runs = runs(&[at(u32::MAX, 5), at(0, 5)]);
        assert!(runs.iter().all(|(_, run)| run.len() == 1), "{runs:?}");
    }
}
