//! The rows of some tiles, as one thread decodes them.

use std::hash::Hash;

use hashbrown::HashMap;
use tilesight_tile::{GridPoint, TileId};

use crate::date::known_ms;
use crate::images::{NONE, UNKNOWN_MS, flag, flag_of};
use crate::query::{FeatureKind, Kind};

/// The rows of some tiles, not yet ordered: what [`build`](crate::build::build) joins.
///
/// Each thread that decodes fills one of its own, tile after tile.
///
/// ```
/// use tilesight_query::build::{Holding, ImageRow, Part, build};
/// use tilesight_query::{ImageQuery, Tileset};
/// use tilesight_tile::{GridPoint, TileId};
///
/// let tile = TileId::new(14, 9326, 4742)?;
/// let mut part = Part::new();
/// let mut rows = part.tile(tile, None);
/// let sequence = rows.sequence("tYcXv0Gp3kL1mN9qRs2B5w");
/// rows.image(ImageRow { sequence: Some(sequence), ..ImageRow::at(tile.origin(), 17) });
///
/// let held = Holding { tiles: vec![tile], ..Holding::nothing(Tileset::Images) };
/// let data = build(vec![part], &[held])?;
/// assert_eq!(data.images(&ImageQuery::default())?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Part {
    pub(super) tiles: Vec<PartTile>,
    pub(super) images: RawImages,
    pub(super) lines: RawLines,
    pub(super) features: Vec<RawFeature>,
    pub(super) sequences: Interner<Box<str>>,
    pub(super) organizations: Interner<i64>,
    pub(super) creators: Interner<i64>,
    pub(super) values: Interner<Box<str>>,
    pub(super) overview_points: u64,
}

/// A tile of a part, and where its rows begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartTile {
    pub(super) tile: TileId,
    /// `i64::MIN` where unknown.
    pub(super) fetched_at_ms: i64,
    pub(super) first_image: usize,
}

/// Images as columns; sequences, organizations and creators by their numbers in the part.
#[derive(Debug, Default)]
pub(super) struct RawImages {
    pub(super) x: Vec<u32>,
    pub(super) y: Vec<u32>,
    pub(super) id: Vec<i64>,
    pub(super) captured_at_ms: Vec<i64>,
    pub(super) compass_angle_deg: Vec<f64>,
    pub(super) sequence: Vec<u32>,
    pub(super) organization: Vec<u32>,
    pub(super) creator: Vec<u32>,
    pub(super) flags: Vec<u8>,
}

/// Sequence features with their runs of vertices.
#[derive(Debug, Default)]
pub(super) struct RawLines {
    pub(super) pieces: Vec<RawPiece>,
    /// Where each run of vertices ends.
    pub(super) run_ends: Vec<usize>,
    pub(super) x: Vec<u32>,
    pub(super) y: Vec<u32>,
}

/// One sequence feature of one tile.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawPiece {
    pub(super) tile: TileId,
    /// Which of the part's tiles, should one be there twice.
    pub(super) copy: usize,
    pub(super) fetched_at_ms: i64,
    pub(super) sequence: u32,
    pub(super) captured_at_ms: i64,
    pub(super) flags: u8,
    pub(super) organization: u32,
    pub(super) creator: u32,
    /// Its runs of vertices.
    pub(super) first_run: usize,
    pub(super) beyond_run: usize,
}

/// One map feature.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawFeature {
    pub(super) kind: FeatureKind,
    pub(super) point: GridPoint,
    pub(super) id: i64,
    pub(super) id_is_exact: bool,
    pub(super) value: u32,
    pub(super) first_seen_at_ms: i64,
    pub(super) last_seen_at_ms: i64,
    pub(super) fetched_at_ms: i64,
}

/// A sequence of a [`TilePart`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceRef(u32);

/// A value of a map feature of a [`TilePart`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueRef(u32);

/// An image as its tile has it: raw values, of which the build makes out what is unknown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageRow {
    /// Position.
    pub point: GridPoint,
    /// Id at Mapillary.
    pub id: i64,
    /// Whether the id arrived as an integer.
    pub id_is_exact: bool,
    /// Capture time in milliseconds since 1970; 0, negative and absurd ones are unknown.
    pub captured_at_ms: Option<i64>,
    /// Heading in degrees clockwise from north; negative ones are unknown.
    pub compass_angle_deg: Option<f64>,
    /// Panorama or not.
    pub is_pano: Option<bool>,
    /// Sequence, from [`TilePart::sequence`].
    pub sequence: Option<SequenceRef>,
    /// Organization.
    pub organization_id: Option<i64>,
    /// Creator.
    pub creator_id: Option<i64>,
}

impl ImageRow {
    /// An image of which only the position and the id are known.
    pub const fn at(point: GridPoint, id: i64) -> Self {
        Self {
            point,
            id,
            id_is_exact: true,
            captured_at_ms: None,
            compass_angle_deg: None,
            is_pano: None,
            sequence: None,
            organization_id: None,
            creator_id: None,
        }
    }
}

/// A sequence feature as its tile has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LineRow {
    /// Sequence, from [`TilePart::sequence`].
    pub sequence: SequenceRef,
    /// Capture time of the whole sequence's first image, in milliseconds since 1970.
    pub captured_at_ms: Option<i64>,
    /// Panoramas or not.
    pub is_pano: Option<bool>,
    /// Organization.
    pub organization_id: Option<i64>,
    /// Creator.
    pub creator_id: Option<i64>,
}

/// A map feature as its tile has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureRow {
    /// Object or traffic sign.
    pub kind: FeatureKind,
    /// Position.
    pub point: GridPoint,
    /// Id at Mapillary.
    pub id: i64,
    /// Whether the id arrived as an integer.
    pub id_is_exact: bool,
    /// What it is, from [`TilePart::value`].
    pub value: Option<ValueRef>,
    /// First seen, in milliseconds since 1970.
    pub first_seen_at_ms: Option<i64>,
    /// Last seen, in milliseconds since 1970.
    pub last_seen_at_ms: Option<i64>,
}

impl Part {
    /// A part without tiles.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the rows of a tile. When it was fetched decides which of two rows of one image
    /// stays, and which lines of a tile that is there twice: those of the latest; without a time,
    /// those of the first tile.
    pub fn tile(&mut self, tile: TileId, fetched_at_ms: Option<i64>) -> TilePart<'_> {
        let fetched_at_ms = fetched_at_ms.unwrap_or(i64::MIN);
        let first_image = self.images.id.len();
        let tile = PartTile {
            tile,
            fetched_at_ms,
            first_image,
        };
        self.tiles.push(tile);
        TilePart { part: self, tile }
    }

    /// The ids of its images, and when each was taken where that is known.
    pub fn capture_times(&self) -> impl Iterator<Item = (i64, Option<i64>)> {
        let times = self.images.captured_at_ms.iter();
        let known = |&ms: &i64| (ms != UNKNOWN_MS).then_some(ms);
        self.images.id.iter().copied().zip(times.map(known))
    }

    /// Whether a row of it is of a sequence, or names it.
    pub fn has_sequence(&self, id: &str) -> bool {
        self.sequences.numbers.contains_key(id)
    }
}

/// Takes the rows of one tile.
#[derive(Debug)]
pub struct TilePart<'a> {
    part: &'a mut Part,
    tile: PartTile,
}

impl TilePart<'_> {
    /// Gives a sequence's id a short name. Worth calling once for each distinct id of a tile.
    pub fn sequence(&mut self, id: &str) -> SequenceRef {
        SequenceRef(self.part.sequences.number_of_text(id))
    }

    /// Gives a map feature's value a short name.
    pub fn value(&mut self, value: &str) -> ValueRef {
        ValueRef(self.part.values.number_of_text(value))
    }

    /// Adds an image.
    pub fn image(&mut self, row: ImageRow) {
        let Part {
            images,
            organizations,
            creators,
            ..
        } = &mut *self.part;
        images.x.push(row.point.x);
        images.y.push(row.point.y);
        images.id.push(row.id);
        images
            .captured_at_ms
            .push(known_or_unknown(row.captured_at_ms));
        images
            .compass_angle_deg
            .push(normalised_heading(row.compass_angle_deg));
        images
            .sequence
            .push(row.sequence.map_or(NONE, |sequence| sequence.0));
        images
            .organization
            .push(organizations.number_of_id(row.organization_id));
        images.creator.push(creators.number_of_id(row.creator_id));
        let inexact = if row.id_is_exact { 0 } else { flag::INEXACT_ID };
        images.flags.push(kind_flag(row.is_pano) | inexact);
    }

    /// Adds a sequence feature: the runs of vertices, columns and rows, of its line on this
    /// tile. Empty runs are left out.
    pub fn line<'v>(
        &mut self,
        row: LineRow,
        runs: impl IntoIterator<Item = (&'v [u32], &'v [u32])>,
    ) {
        let Part {
            tiles,
            lines,
            organizations,
            creators,
            ..
        } = &mut *self.part;
        let first_run = lines.run_ends.len();
        for (xs, ys) in runs {
            if !xs.is_empty() && xs.len() == ys.len() {
                lines.x.extend_from_slice(xs);
                lines.y.extend_from_slice(ys);
                lines.run_ends.push(lines.x.len());
            }
        }
        lines.pieces.push(RawPiece {
            tile: self.tile.tile,
            copy: tiles.len() - 1,
            fetched_at_ms: self.tile.fetched_at_ms,
            sequence: row.sequence.0,
            captured_at_ms: known_or_unknown(row.captured_at_ms),
            flags: kind_flag(row.is_pano),
            organization: organizations.number_of_id(row.organization_id),
            creator: creators.number_of_id(row.creator_id),
            first_run,
            beyond_run: lines.run_ends.len(),
        });
    }

    /// Adds a map feature.
    pub fn feature(&mut self, row: FeatureRow) {
        self.part.features.push(RawFeature {
            kind: row.kind,
            point: row.point,
            id: row.id,
            id_is_exact: row.id_is_exact,
            value: row.value.map_or(NONE, |value| value.0),
            first_seen_at_ms: known_or_unknown(row.first_seen_at_ms),
            last_seen_at_ms: known_or_unknown(row.last_seen_at_ms),
            fetched_at_ms: self.tile.fetched_at_ms,
        });
    }

    /// Counts points of the `overview` layer, of which nothing more is kept.
    pub fn overview_points(&mut self, count: u64) {
        self.part.overview_points += count;
    }
}

fn known_or_unknown(ms: Option<i64>) -> i64 {
    ms.and_then(known_ms).unwrap_or(UNKNOWN_MS)
}

/// A heading within 0 ≤ heading < 360; not a number where it is unknown.
fn normalised_heading(degrees: Option<f64>) -> f64 {
    match degrees {
        Some(degrees) if degrees.is_finite() && degrees >= 0.0 => degrees % 360.0,
        _ => f64::NAN,
    }
}

fn kind_flag(is_pano: Option<bool>) -> u8 {
    flag_of(is_pano.map(|is_pano| if is_pano { Kind::Pano } else { Kind::Flat }))
}

/// Numbers distinct values in the order in which they come.
#[derive(Debug)]
pub(super) struct Interner<T> {
    numbers: HashMap<T, u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self {
            numbers: HashMap::default(),
        }
    }
}

impl<T: Eq + Hash> Interner<T> {
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.numbers.keys()
    }

    /// What each number becomes when the values are numbered anew.
    pub(super) fn renumbered(&self, mut number_of: impl FnMut(&T) -> u32) -> Renumbering {
        let mut numbers = vec![NONE; self.numbers.len()];
        for (value, &number) in &self.numbers {
            numbers[number as usize] = number_of(value);
        }
        Renumbering(numbers)
    }
}

impl Interner<Box<str>> {
    pub(super) fn number_of_text(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = self.numbers.len() as u32;
        self.numbers.insert(text.into(), number);
        number
    }
}

impl Interner<i64> {
    pub(super) fn number_of_id(&mut self, id: Option<i64>) -> u32 {
        let next = self.numbers.len() as u32;
        id.map_or(NONE, |id| *self.numbers.entry(id).or_insert(next))
    }
}

/// From the numbers of a part to those of the dataset.
pub(super) struct Renumbering(Vec<u32>);

impl Renumbering {
    pub(super) fn of(&self, number: u32) -> u32 {
        self.0.get(number as usize).copied().unwrap_or(NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_normalised_or_unknown() {
        assert_eq!(normalised_heading(Some(360.0)), 0.0);
        assert_eq!(normalised_heading(Some(359.5)), 359.5);
        for unknown in [None, Some(-1.0), Some(f64::NAN), Some(f64::INFINITY)] {
            assert!(normalised_heading(unknown).is_nan());
        }
    }

    #[test]
    fn kinds_are_three() {
        assert_eq!(kind_flag(None), 0);
        assert_eq!(kind_flag(Some(true)), flag::PANO);
        assert_eq!(kind_flag(Some(false)), flag::FLAT);
    }
}
