//! A region narrowed to a box: the few edges that matter to the positions in it.

use super::Relation;
use super::chain::{Chain, Met, Next};
use super::piece::{Piece, packed};
use crate::predicates::Side;
use crate::{GridBox, GridPoint};

/// What of a [`PreparedRegion`](super::PreparedRegion) matters to the positions of a box.
#[derive(Debug, Clone)]
pub struct LocalRegion<'a> {
    bounds: GridBox,
    relation: Relation,
    /// The polygons that cross the box; meaningless when it is inside one.
    crossing: Vec<LocalPolygon<'a>>,
}

impl<'a> LocalRegion<'a> {
    pub(super) fn outside(bounds: GridBox) -> Self {
        Self {
            bounds,
            relation: Relation::Outside,
            crossing: Vec::new(),
        }
    }

    /// How the positions of the box lie to the region, as [`PreparedRegion::relate`] says.
    ///
    /// [`PreparedRegion::relate`]: super::PreparedRegion::relate
    pub fn relation(&self) -> Relation {
        self.relation
    }

    /// Tells which of up to 64 positions of the box lie in the region, boundary included: bit `i`
    /// is for column `xs[i]`, row `ys[i]`.
    ///
    /// The answer for positions outside the box is meaningless.
    ///
    /// # Panics
    ///
    /// When `xs` and `ys` differ in length or are more than 64.
    pub fn mask(&self, xs: &[u32], ys: &[u32]) -> u64 {
        assert!(
            xs.len() == ys.len() && xs.len() <= 64,
            "a mask is of at most 64 positions, each a column and a row"
        );
        let all = if xs.is_empty() {
            0
        } else {
            u64::MAX >> (64 - xs.len())
        };
        match self.relation {
            Relation::Outside => 0,
            Relation::Inside => all,
            Relation::Crossing => {
                let mut mask = 0;
                for polygon in &self.crossing {
                    mask |= polygon.mask(xs, ys, all);
                }
                mask
            }
        }
    }

    pub(super) fn add(&mut self, polygon: LocalPolygon<'a>) {
        debug_assert!(self.bounds == polygon.bounds);
        match polygon.relation() {
            Relation::Outside => {}
            Relation::Inside => self.relation = Relation::Inside,
            Relation::Crossing => {
                self.relation = Relation::Crossing;
                self.crossing.push(polygon);
            }
        }
    }
}

/// How much of a polygon is asked for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Depth {
    /// Enough to tell how the box lies: one edge near it will do.
    Relation,
    /// All that tells the positions in the box apart.
    Edges,
}

/// A polygon narrowed to a box.
#[derive(Debug, Clone)]
pub(super) struct LocalPolygon<'a> {
    bounds: GridBox,
    /// Whether what lies to the west of the box is crossed an odd number of times by a ray from
    /// its first row.
    odd_at_top: bool,
    /// The further rows of the box from which on that changes.
    flips: Vec<u64>,
    near: Vec<(&'a Chain, Piece)>,
    /// Positions on the boundary that no piece crosses.
    touched: Vec<GridBox>,
}

impl<'a> LocalPolygon<'a> {
    pub fn new(bounds: GridBox) -> Self {
        Self {
            bounds,
            odd_at_top: false,
            flips: Vec::new(),
            near: Vec::new(),
            touched: Vec::new(),
        }
    }

    /// Adds what of a chain matters to the box.
    pub fn add(&mut self, chain: &'a Chain, depth: Depth) {
        let bounds = self.bounds;
        chain.search_touched(&bounds, |touched| self.touched.push(*touched));
        chain.visit(&bounds, |met| {
            match met {
                Met::West { rows } => {
                    self.flip_from(rows.start);
                    self.flip_from(rows.end);
                }
                Met::Near(piece) => self.near.push((chain, *piece)),
            }
            if depth == Depth::Relation && !self.near.is_empty() {
                Next::Stop
            } else {
                Next::GoOn
            }
        });
    }

    /// Cancels flips that come in pairs, once all chains are added: most do, since one part of a
    /// ring ends at the row where the next begins.
    pub fn settle(&mut self) {
        cancel_pairs(&mut self.flips);
    }

    pub fn relation(&self) -> Relation {
        let uniform = self.near.is_empty() && self.flips.is_empty();
        match (uniform, self.odd_at_top) {
            (true, true) => Relation::Inside,
            (true, false) if self.touched.is_empty() => Relation::Outside,
            _ => Relation::Crossing,
        }
    }

    fn flip_from(&mut self, row: u64) {
        if row <= self.bounds.min_y as u64 {
            self.odd_at_top = !self.odd_at_top;
        } else if row <= self.bounds.max_y as u64 {
            self.flips.push(row);
        }
    }

    fn mask(&self, xs: &[u32], ys: &[u32], all: u64) -> u64 {
        let mut odd = if self.odd_at_top { all } else { 0 };
        let mut on = 0;
        for &row in &self.flips {
            odd ^= bits(ys, |_, &y| y as u64 >= row);
        }
        for (chain, piece) in &self.near {
            let (east, doubtful) = piece.east_and_doubtful(xs, ys);
            odd ^= east;
            for bit in ones(doubtful) {
                let point = GridPoint {
                    x: xs[bit],
                    y: ys[bit],
                };
                match chain.side_of(piece, point) {
                    Side::West => {}
                    Side::On => on |= 1 << bit,
                    Side::East => odd ^= 1 << bit,
                }
            }
        }
        for touched in &self.touched {
            on |= bits(ys, |bit, &y| touched.contains(GridPoint { x: xs[bit], y }));
        }
        odd | on
    }
}

/// Orders items and leaves, of those that are equal, one where their number is odd, else none.
pub fn cancel_pairs<T: Ord + Copy>(items: &mut Vec<T>) {
    items.sort_unstable();
    let mut kept = 0;
    for at in 0..items.len() {
        if kept > 0 && items[kept - 1] == items[at] {
            kept -= 1;
        } else {
            items[kept] = items[at];
            kept += 1;
        }
    }
    items.truncate(kept);
}

/// The bits of the items for which `holds`.
fn bits<T>(items: &[T], holds: impl Fn(usize, &T) -> bool) -> u64 {
    let mut flags = [0; 64];
    for ((bit, item), flag) in items.iter().enumerate().zip(&mut flags) {
        *flag = u8::from(holds(bit, item));
    }
    packed(&flags)
}

/// The numbers of the bits that are set.
fn ones(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (bit < 64).then_some(bit)
    })
}
