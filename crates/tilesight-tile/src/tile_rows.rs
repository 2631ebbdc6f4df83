//! Sets of tiles as rows of intervals.

use std::f64::consts::{PI, TAU};

use crate::{EARTH_RADIUS_M, GridBox, GridPoint, TileId};

/// A set of tiles of one zoom, kept as intervals of columns in each row, so that the whole world
/// at zoom 14 is 16,384 intervals and not 268 million tiles.
///
/// # Example
///
/// ```
/// use tilesight_tile::{Bbox, TileId, TileRows, cover_bbox};
///
/// let wanted = cover_bbox(14, &Bbox::from_degrees(24.92, 60.16, 24.95, 60.18)?, 100)?;
/// let held = TileRows::from_tiles(14, wanted.iter().filter(|tile| tile.y() != 4742));
///
/// let missing = wanted.difference(&held);
/// assert_eq!((wanted.count(), missing.count()), (6, 2));
/// assert_eq!(missing.iter().next(), Some("14/9326/4742".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileRows {
    z: u8,
    /// Ascending; never touching within a row.
    spans: Vec<Span>,
}

/// Consecutive tiles of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub y: u32,
    pub first_x: u32,
    /// Included.
    pub last_x: u32,
}

impl TileRows {
    /// Collects tiles, in any order, repeated or not.
    ///
    /// # Panics
    ///
    /// When a tile is of another zoom than `z`.
    pub fn from_tiles(z: u8, tiles: impl IntoIterator<Item = TileId>) -> Self {
        let span_of = |tile: TileId| {
            assert!(tile.z() == z, "{tile} is not of zoom {z}");
            Span {
                y: tile.y(),
                first_x: tile.x(),
                last_x: tile.x(),
            }
        };
        Self::from_spans(z, tiles.into_iter().map(span_of).collect())
    }

    /// The tiles of a zoom that hold the positions of a box.
    ///
    /// # Panics
    ///
    /// When `z` is beyond [`TileId::MAX_ZOOM`].
    pub fn from_grid_box(z: u8, bounds: &GridBox) -> Self {
        let (first, last) = corner_tiles(z, bounds);
        let row = |y| Span {
            y,
            first_x: first.x(),
            last_x: last.x(),
        };
        Self {
            z,
            spans: (first.y()..=last.y()).map(row).collect(),
        }
    }

    /// The zoom of the tiles.
    pub fn z(&self) -> u8 {
        self.z
    }

    /// How many tiles there are.
    pub fn count(&self) -> u64 {
        self.spans.iter().map(Span::len).sum()
    }

    /// Area of the tiles on the globe in square metres.
    pub fn area_m2(&self) -> f64 {
        // A zone of a sphere has the area of the cylinder around it.
        let height = |y: u64| {
            let mercator = PI * (1.0 - 2.0 * y as f64 / (1u64 << self.z) as f64);
            EARTH_RADIUS_M * mercator.tanh()
        };
        let width = TAU * EARTH_RADIUS_M / (1u64 << self.z) as f64;
        let area = |span: &Span| {
            let y = u64::from(span.y);
            span.len() as f64 * width * (height(y) - height(y + 1))
        };
        self.spans.iter().map(area).sum()
    }

    /// Tells whether there is no tile.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Tells whether a tile is among them; one of another zoom is not.
    pub fn contains(&self, tile: TileId) -> bool {
        tile.z() == self.z && holds_row(&self.spans, tile.y(), tile.x(), tile.x()).is_some()
    }

    /// Tells whether every position of a box lies on one of the tiles.
    ///
    /// # Cost
    ///
    /// One search for each row of tiles that the box touches, short where rows follow each other.
    pub fn holds_box(&self, bounds: &GridBox) -> bool {
        let (first, last) = corner_tiles(self.z, bounds);
        let mut rest = &self.spans[..];
        (first.y()..=last.y()).all(|y| {
            let held = holds_row(rest, y, first.x(), last.x());
            rest = held.unwrap_or_default();
            held.is_some()
        })
    }

    /// The tiles, row by row from the north, each row from the west.
    pub fn iter(&self) -> impl Iterator<Item = TileId> {
        self.spans.iter().flat_map(|span| {
            (span.first_x..=span.last_x).filter_map(|x| TileId::new(self.z, x, span.y).ok())
        })
    }

    /// The intervals, row by row from the north, each row from the west: row, first column, last
    /// column.
    pub fn spans(&self) -> impl Iterator<Item = [u32; 3]> {
        self.spans
            .iter()
            .map(|span| [span.y, span.first_x, span.last_x])
    }

    /// Collects intervals as [`spans`](Self::spans) gives them, in any order; nothing where one
    /// is not of this zoom, or inside out.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight_tile::TileRows;
    ///
    /// let rows = TileRows::from_checked_spans(14, &[[4742, 9325, 9326]]);
    /// assert_eq!(rows.map(|rows| rows.count()), Some(2));
    /// assert_eq!(TileRows::from_checked_spans(14, &[[0, 7, 6]]), None);
    /// ```
    pub fn from_checked_spans(z: u8, spans: &[[u32; 3]]) -> Option<Self> {
        let checked = |&[y, first_x, last_x]: &[u32; 3]| {
            let is_there = TileId::new(z, last_x, y).is_ok() && first_x <= last_x;
            is_there.then_some(Span { y, first_x, last_x })
        };
        let spans = spans.iter().map(checked).collect::<Option<Vec<_>>>()?;
        Some(Self::from_spans(z, spans))
    }

    /// The tiles that are in this set or in the other.
    ///
    /// # Panics
    ///
    /// When the zooms differ.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.assert_same_zoom(other);
        Self::from_spans(self.z, [&self.spans[..], &other.spans[..]].concat())
    }

    /// The tiles of this set that are not in the other.
    ///
    /// # Panics
    ///
    /// When the zooms differ.
    ///
    /// # Cost
    ///
    /// Linear in the intervals of both; tiles are not enumerated.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.assert_same_zoom(other);
        let mut spans = Vec::new();
        let mut theirs = other.spans.iter().peekable();
        for &ours in &self.spans {
            let mut rest = Some(ours);
            while theirs.next_if(|span| span.is_before(&ours)).is_some() {}
            while let (Some(left), Some(span)) = (rest, theirs.peek())
                && span.overlaps(&left)
            {
                spans.extend(left.before(span.first_x));
                rest = left.after(span.last_x);
                if rest.is_none() {
                    break;
                }
                theirs.next();
            }
            spans.extend(rest);
        }
        Self { z: self.z, spans }
    }

    /// Sorts intervals and joins those that touch.
    pub(crate) fn from_spans(z: u8, mut spans: Vec<Span>) -> Self {
        Span::merge(&mut spans);
        Self { z, spans }
    }

    fn assert_same_zoom(&self, other: &Self) {
        assert!(
            self.z == other.z,
            "tiles of zoom {} and {} do not compare",
            self.z,
            other.z
        );
    }
}

impl Span {
    /// Orders spans and joins those that touch.
    pub(crate) fn merge(spans: &mut Vec<Self>) {
        spans.sort_unstable();
        spans.dedup_by(|next, kept| {
            let joins = kept.y == next.y && next.first_x as u64 <= kept.last_x as u64 + 1;
            if joins {
                kept.last_x = kept.last_x.max(next.last_x);
            }
            joins
        });
    }

    pub(crate) fn len(&self) -> u64 {
        (self.last_x - self.first_x) as u64 + 1
    }

    /// Whether the span ends before the other begins.
    fn is_before(&self, other: &Self) -> bool {
        (self.y, self.last_x) < (other.y, other.first_x)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.y == other.y && self.first_x <= other.last_x && other.first_x <= self.last_x
    }

    /// What of the span lies to the west of a column.
    fn before(self, x: u32) -> Option<Self> {
        let last_x = x.checked_sub(1)?;
        (self.first_x <= last_x).then_some(Self { last_x, ..self })
    }

    /// What of the span lies to the east of a column.
    fn after(self, x: u32) -> Option<Self> {
        (x < self.last_x).then_some(Self {
            first_x: x + 1,
            ..self
        })
    }

    /// Orders spans, and points in rows, by row and column.
    fn key(y: u32, x: u32) -> u64 {
        (y as u64) << 32 | x as u64
    }
}

/// The north-western and the south-eastern tile that a box touches.
fn corner_tiles(z: u8, bounds: &GridBox) -> (TileId, TileId) {
    let northwest = GridPoint {
        x: bounds.min_x,
        y: bounds.min_y,
    };
    let southeast = GridPoint {
        x: bounds.max_x,
        y: bounds.max_y,
    };
    (
        TileId::containing(z, northwest),
        TileId::containing(z, southeast),
    )
}

/// If columns `first_x..=last_x` of row `y` are all in one span, what follows from that span on.
fn holds_row(spans: &[Span], y: u32, first_x: u32, last_x: u32) -> Option<&[Span]> {
    let is_before = |span: &Span| Span::key(span.y, span.first_x) <= Span::key(y, first_x);
    // Rows are asked for one after the other, so that it is mostly the second span.
    let mut reach = 2;
    while spans.get(reach).is_some_and(is_before) {
        reach *= 2;
    }
    let beyond = spans[..reach.min(spans.len())].partition_point(is_before);
    let rest = &spans[beyond.checked_sub(1)?..];
    (rest[0].y == y && rest[0].last_x >= last_x).then_some(rest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;

    const Z: u8 = 4;

    #[test]
    fn the_mercator_square_is_all_but_the_caps() {
        let square = TileRows::from_grid_box(14, &GridBox::WORLD).area_m2();
        let globe = 2.0 * TAU * EARTH_RADIUS_M * EARTH_RADIUS_M;
        assert!(
            (square / globe - 0.996_272_1).abs() < 1e-6,
            "{}",
            square / globe
        );
    }

    fn tile((x, y): (u32, u32)) -> TileId {
        TileId::new(Z, x, y).unwrap()
    }

    fn tiles() -> impl Strategy<Value = BTreeSet<TileId>> {
        btree_set((0u32..16, 0u32..16).prop_map(tile), 0..200)
    }

    fn rows(tiles: &BTreeSet<TileId>) -> TileRows {
        TileRows::from_tiles(Z, tiles.iter().rev().copied())
    }

    #[test]
    fn the_deepest_zoom_has_room() {
        let world = TileRows::from_grid_box(0, &GridBox::WORLD);
        assert_eq!(world.count(), 1);
        assert!(world.holds_box(&GridBox::WORLD));
        let last = TileId::new(30, (1 << 30) - 1, (1 << 30) - 1).unwrap();
        assert!(TileRows::from_tiles(30, [last]).contains(last));
    }

    proptest! {
        #[test]
        fn sets_behave_as_sets(a in tiles(), b in tiles()) {
            let (rows_a, rows_b) = (rows(&a), rows(&b));
            prop_assert_eq!(rows_a.count(), a.len() as u64);
            prop_assert!(rows_a.iter().eq(a.iter().copied()));
            prop_assert_eq!(rows_a.difference(&rows_b), rows(&(&a - &b)));
            prop_assert_eq!(rows_a.union(&rows_b), rows(&(&a | &b)));
            for x in 0..16 {
                for y in 0..16 {
                    prop_assert_eq!(rows_a.contains(tile((x, y))), a.contains(&tile((x, y))));
                }
            }
        }

        #[test]
        fn a_box_is_held_if_all_its_tiles_are(held in tiles(), corner: GridCorner, size: (u8, u8)) {
            let bounds = corner.grid_box(size);
            let wanted = TileRows::from_grid_box(Z, &bounds);
            let held = rows(&held);
            prop_assert_eq!(held.holds_box(&bounds), wanted.difference(&held).is_empty());
            prop_assert!(held.union(&wanted).holds_box(&bounds));
        }
    }

    #[derive(Debug, Clone, Copy)]
    struct GridCorner(GridPoint);

    impl Arbitrary for GridCorner {
        type Parameters = ();
        type Strategy = BoxedStrategy<Self>;

        fn arbitrary_with((): ()) -> Self::Strategy {
            any::<(u32, u32)>()
                .prop_map(|(x, y)| Self(GridPoint { x, y }))
                .boxed()
        }
    }

    impl GridCorner {
        fn grid_box(self, size: (u8, u8)) -> GridBox {
            let Self(GridPoint { x, y }) = self;
            GridBox {
                min_x: x,
                min_y: y,
                max_x: x.saturating_add(u32::from(size.0) << 22),
                max_y: y.saturating_add(u32::from(size.1) << 22),
            }
        }
    }
}
