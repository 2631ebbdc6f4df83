//! A region narrowed to a box: the few edges that matter to the positions in it.

use std::sync::Arc;

use super::Relation;
use super::chord::{Block, POSITIONS};
use super::edge_tree::EdgeTree;
use super::frame::Frame;
use super::narrowing::{Depth, FEW_EDGES, Narrowing};
use super::near::Near;
use crate::predicates::Ray;
use crate::{GridBox, GridPoint};

/// Latitudes up to which it is cheaper to look at all positions for each than the other way round.
const FEW_FLIPS: usize = POSITIONS;

/// What of a [`PreparedRegion`](super::PreparedRegion) matters to the positions of a box.
///
/// It can be narrowed again: of boxes within boxes each comes at the cost of what was near the one
/// around it, whatever the region is like.
#[derive(Debug, Clone)]
pub struct LocalRegion {
    tree: Arc<EdgeTree>,
    frame: Frame,
    relation: Relation,
    /// Nothing unless the boundary crosses the box.
    near: Near,
}

impl LocalRegion {
    /// What of all edges matters to a box.
    pub(super) fn new(tree: &Arc<EdgeTree>, bounds: &GridBox, depth: Depth) -> Self {
        let frame = Frame::new(*bounds);
        let mut narrowing = Narrowing::new(tree, frame, depth);
        tree.search(bounds, |nodes| {
            nodes.for_each(|node| narrowing.node(node));
            narrowing.end_polygon()
        });
        Self::found(tree, frame, narrowing)
    }

    /// Narrows the region further, to a box within its own: the same as
    /// [`PreparedRegion::narrow`](super::PreparedRegion::narrow) to that box, at less cost.
    #[must_use]
    pub fn narrow(&self, bounds: &GridBox) -> Self {
        let frame = self.frame.within(bounds);
        if self.relation != Relation::Crossing {
            return Self {
                frame,
                ..self.clone()
            };
        }
        let mut narrowing = Narrowing::new(&self.tree, frame, Depth::Edges);
        narrowing.reserve(self.near.edges.len());
        for polygon in self.near.polygons() {
            narrowing.polygon(polygon);
            if narrowing.end_polygon() {
                break;
            }
        }
        Self::found(&self.tree, frame, narrowing)
    }

    /// How the positions of the box lie to the region, as [`PreparedRegion::relate`] says.
    ///
    /// [`PreparedRegion::relate`]: super::PreparedRegion::relate
    pub fn relation(&self) -> Relation {
        self.relation
    }

    /// The box.
    pub fn bounds(&self) -> &GridBox {
        &self.frame.bounds
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
            xs.len() == ys.len() && xs.len() <= POSITIONS,
            "a mask is of at most 64 positions, each a column and a row"
        );
        match (self.relation, xs.len()) {
            (Relation::Outside, _) | (_, 0) => 0,
            (Relation::Inside, len) => u64::MAX >> (POSITIONS - len),
            (Relation::Crossing, _) => self.mask_crossing(xs, ys),
        }
    }

    /// Tells whether a position of the box lies in the region.
    pub(super) fn contains(&self, point: GridPoint) -> bool {
        match self.relation {
            Relation::Outside => false,
            Relation::Inside => true,
            Relation::Crossing => self.near.polygons().any(|polygon| {
                let mut odd = polygon.odd;
                for &lat in polygon.flips {
                    odd ^= lat > point.lat();
                }
                let mut on = false;
                for &lon in polygon.meridians {
                    odd ^= lon < point.lon();
                    on |= lon == point.lon();
                }
                polygon.each_edge(&self.tree, |at, _| match self.tree.cast_ray(at, point) {
                    Ray::Misses => {}
                    Ray::Crosses => odd = !odd,
                    Ray::Starts => on = true,
                });
                on || odd
            }),
        }
    }

    fn found(tree: &Arc<EdgeTree>, frame: Frame, narrowing: Narrowing) -> Self {
        Self {
            tree: Arc::clone(tree),
            frame,
            relation: narrowing.relation(),
            near: narrowing.into_near(),
        }
    }

    fn mask_crossing(&self, xs: &[u32], ys: &[u32]) -> u64 {
        let in_nodes = self.near.nodes.iter();
        let edges: usize = in_nodes
            .map(|&node| self.tree.node(node).edges as usize)
            .sum();
        if edges > FEW_EDGES
            && let Some(is_in_half) = halves(xs, ys)
        {
            return self.mask_half(xs, ys, &is_in_half)
                | self.mask_half(xs, ys, |bit| !is_in_half(bit));
        }
        let mut block = Block::new(&self.frame, xs, ys);
        self.near.polygons().fold(0, |mask, polygon| {
            block.begin(polygon.odd);
            if polygon.flips.len() > FEW_FLIPS {
                block.cross_south_of_each(polygon.flips);
            } else {
                for &lat in polygon.flips {
                    block.cross_south_of(lat);
                }
            }
            block.cross_meridians(polygon.meridians);
            polygon.each_edge(&self.tree, |at, ends| {
                block.cross_edge(&self.tree, at, ends);
            });
            mask | block.inside()
        })
    }

    /// The mask of some of the positions, by the box around these alone.
    fn mask_half(&self, xs: &[u32], ys: &[u32], is_in_half: impl Fn(usize) -> bool) -> u64 {
        let bits: Vec<_> = (0..xs.len()).filter(|&bit| is_in_half(bit)).collect();
        let (xs, ys) = (picked(xs, &bits), picked(ys, &bits));
        let mask = self.narrow(&box_around(&xs, &ys)).mask(&xs, &ys);
        let set = bits.iter().enumerate();
        set.fold(0, |all, (at, bit)| all | (mask >> at & 1) << bit)
    }
}

/// Divides positions in two by the middle of the wider side of the box around them; none when they
/// are all the same.
fn halves<'a>(xs: &'a [u32], ys: &'a [u32]) -> Option<impl Fn(usize) -> bool + use<'a>> {
    let around = box_around(xs, ys);
    let (width, height) = (around.max_x - around.min_x, around.max_y - around.min_y);
    let (along, first) = if width > height {
        (xs, around.min_x)
    } else {
        (ys, around.min_y)
    };
    let size = width.max(height);
    (size > 0).then_some(move |bit: usize| along[bit] - first <= size / 2)
}

/// The box around positions, of which there is at least one.
fn box_around(xs: &[u32], ys: &[u32]) -> GridBox {
    let points = xs.iter().zip(ys);
    let start = GridBox {
        min_x: u32::MAX,
        min_y: u32::MAX,
        max_x: 0,
        max_y: 0,
    };
    points.fold(start, |around, (&x, &y)| GridBox {
        min_x: around.min_x.min(x),
        min_y: around.min_y.min(y),
        max_x: around.max_x.max(x),
        max_y: around.max_y.max(y),
    })
}

fn picked(values: &[u32], bits: &[usize]) -> Vec<u32> {
    bits.iter().map(|&bit| values[bit]).collect()
}
