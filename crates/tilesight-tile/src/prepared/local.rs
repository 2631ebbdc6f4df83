//! A region narrowed to a box: the few edges that matter to the positions in it.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Relation;
use super::chord::{Block, POSITIONS};
use super::edge_tree::{Below, EdgeAt, EdgeTree, Node};
use super::frame::{Frame, Lies};
use crate::predicates::{Edge, Ray};
use crate::{GridBox, GridPoint};

/// Edges in nodes up to which they are all looked at for a block of positions; with more, the
/// block is divided.
const FEW_EDGES: usize = 256;

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
    /// The polygons that cross the box; none when it is inside one.
    polygons: Vec<LocalPolygon>,
    near: Near,
}

/// Where in what is near a region's box the part of a polygon ends, and the next one's begins.
#[derive(Debug, Clone, Copy, Default)]
struct LocalPolygon {
    nodes: usize,
    edges: usize,
    flips: usize,
    /// Whether all positions see an odd number of edges to the west, beside what follows.
    odd: bool,
}

/// What is near a box, polygon by polygon.
#[derive(Debug, Clone, Default)]
struct Near {
    /// Those that lie in the box with all that is below them.
    nodes: Vec<u32>,
    edges: Vec<NearEdge>,
    /// Positions south of each of these latitudes, which ascend polygon by polygon, see one edge
    /// more to the west.
    flips: Vec<f64>,
}

/// An edge with its ends at hand.
#[derive(Debug, Clone, Copy)]
struct NearEdge {
    at: EdgeAt,
    ends: Edge,
}

/// What of one polygon is near.
#[derive(Clone, Copy)]
struct PolygonNear<'a> {
    nodes: &'a [u32],
    edges: &'a [NearEdge],
    flips: &'a [f64],
    odd: bool,
}

/// How much is asked for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Depth {
    /// Enough to tell how the box lies: one edge near it will do.
    Relation,
    /// All that tells the positions in the box apart.
    Edges,
}

impl LocalRegion {
    /// What of all edges matters to a box.
    pub(super) fn new(tree: &Arc<EdgeTree>, bounds: &GridBox, depth: Depth) -> Self {
        let mut narrowing = Narrowing::new(tree, Frame::new(*bounds), depth);
        tree.search(bounds, |nodes| {
            nodes.for_each(|node| narrowing.node(node));
            narrowing.end_polygon()
        });
        narrowing.into_region(tree)
    }

    /// Narrows the region further, to a box within its own: the same as
    /// [`PreparedRegion::narrow`](super::PreparedRegion::narrow) to that box, at less cost.
    #[must_use]
    pub fn narrow(&self, bounds: &GridBox) -> Self {
        let narrowed = self.narrowed(self.frame.within(bounds), Depth::Edges);
        narrowed.into_region(&self.tree)
    }

    /// Tells how the positions of a box within this one lie to the region.
    pub fn relate(&self, bounds: &GridBox) -> Relation {
        match self.relation {
            Relation::Crossing => {
                let frame = self.frame.within(bounds);
                self.narrowed(frame, Depth::Relation).relation()
            }
            relation => relation,
        }
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
            Relation::Crossing => self.polygons().any(|polygon| {
                let mut odd = polygon.odd;
                for &lat in polygon.flips {
                    odd ^= lat > point.lat();
                }
                let mut on = false;
                polygon.each_edge(&self.tree, |at, _| match self.tree.cast_ray(at, point) {
                    Ray::Misses => {}
                    Ray::Crosses => odd = !odd,
                    Ray::Starts => on = true,
                });
                on || odd
            }),
        }
    }

    fn narrowed(&self, frame: Frame, depth: Depth) -> Narrowing<'_> {
        let mut narrowing = Narrowing::new(&self.tree, frame, depth);
        if depth == Depth::Edges {
            narrowing
                .near
                .edges
                .reserve(self.near.edges.len().min(POSITIONS));
        }
        if self.relation == Relation::Inside {
            narrowing.inside = true;
            return narrowing;
        }
        for polygon in self.polygons() {
            narrowing.odd = polygon.odd;
            polygon.flips.iter().for_each(|&lat| narrowing.flip(lat));
            polygon.nodes.iter().for_each(|&node| narrowing.node(node));
            polygon.edges.iter().for_each(|&edge| narrowing.edge(edge));
            if narrowing.end_polygon() {
                break;
            }
        }
        narrowing
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
        self.polygons().fold(0, |mask, polygon| {
            block.begin(polygon.odd);
            if polygon.flips.len() > FEW_FLIPS {
                block.cross_south_of_each(polygon.flips);
            } else {
                for &lat in polygon.flips {
                    block.cross_south_of(lat);
                }
            }
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

    fn polygons(&self) -> impl Iterator<Item = PolygonNear<'_>> {
        let mut start = LocalPolygon::default();
        self.polygons.iter().map(move |end| {
            let near = PolygonNear {
                nodes: &self.near.nodes[start.nodes..end.nodes],
                edges: &self.near.edges[start.edges..end.edges],
                flips: &self.near.flips[start.flips..end.flips],
                odd: end.odd,
            };
            start = *end;
            near
        })
    }
}

impl PolygonNear<'_> {
    fn each_edge(&self, tree: &EdgeTree, mut visit: impl FnMut(EdgeAt, Edge)) {
        for &node in self.nodes {
            tree.each_edge(node, &mut |at| visit(at, tree.edge(at)));
        }
        for &NearEdge { at, ends } in self.edges {
            visit(at, ends);
        }
    }
}

/// Picks what matters to a box, polygon by polygon.
struct Narrowing<'a> {
    tree: &'a EdgeTree,
    frame: Frame,
    depth: Depth,
    polygons: Vec<LocalPolygon>,
    near: Near,
    /// Whether the box was found to be inside a polygon.
    inside: bool,
    /// Of the present polygon: see [`LocalPolygon`].
    odd: bool,
    /// Of the present polygon: whether anything is near.
    is_near: bool,
}

impl<'a> Narrowing<'a> {
    fn new(tree: &'a EdgeTree, frame: Frame, depth: Depth) -> Self {
        Self {
            tree,
            frame,
            depth,
            polygons: Vec::new(),
            near: Near::default(),
            inside: false,
            odd: false,
            is_near: false,
        }
    }

    fn relation(&self) -> Relation {
        match (self.inside, self.polygons.is_empty()) {
            (true, _) => Relation::Inside,
            (false, true) => Relation::Outside,
            (false, false) => Relation::Crossing,
        }
    }

    fn into_region(self, tree: &Arc<EdgeTree>) -> LocalRegion {
        LocalRegion {
            tree: Arc::clone(tree),
            frame: self.frame,
            relation: self.relation(),
            polygons: self.polygons,
            near: self.near,
        }
    }

    /// Adds a node of the present polygon: the whole of it where it lies in the box or beside it,
    /// what is below where it sticks out.
    fn node(&mut self, at: u32) {
        let node = self.tree.node(at);
        if self.is_settled() || !node.is_live() {
            return;
        }
        match self.frame.judge(&node.bounds) {
            Lies::Apart => {}
            Lies::West if node.has_ends() => self.flip_between(node.ends),
            Lies::Near if self.is_kept_whole(node) => {
                self.is_near = true;
                if self.depth == Depth::Edges {
                    self.near.nodes.push(at);
                }
            }
            Lies::West | Lies::Near => match node.below() {
                Below::Nodes(nodes) => nodes.for_each(|node| self.node(node)),
                Below::Edges(edges) => {
                    for at in edges {
                        let ends = self.tree.edge(at);
                        self.edge(NearEdge { at, ends });
                    }
                }
            },
        }
    }

    /// Tells whether a node lies in the box, or comes near it with many edges of which most
    /// positions see little: then it is left to smaller boxes to look at them.
    fn is_kept_whole(&self, node: &Node) -> bool {
        self.frame.covers(&node.bounds)
            || (node.edges as usize >= FEW_EDGES
                && self.frame.is_thin(&node.bounds)
                && self.has_near(node))
    }

    /// Tells whether an edge below a node comes near the box.
    fn has_near(&self, node: &Node) -> bool {
        let is_near = |edge| self.frame.judge_edge(self.tree.edge(edge)) == Lies::Near;
        node.is_live()
            && self.frame.judge(&node.bounds) == Lies::Near
            && match node.below() {
                Below::Nodes(mut nodes) => nodes.any(|at| self.has_near(self.tree.node(at))),
                Below::Edges(mut edges) => edges.any(is_near),
            }
    }

    fn edge(&mut self, edge: NearEdge) {
        if self.is_settled() {
            return;
        }
        match self.frame.judge_edge(edge.ends) {
            Lies::Apart => {}
            Lies::West => self.flip_between(edge.ends.map(|[_, lat]| lat)),
            Lies::Near => {
                self.is_near = true;
                if self.depth == Depth::Edges {
                    self.near.edges.push(edge);
                }
            }
        }
    }

    /// Whether no more of the present polygon need be looked at.
    fn is_settled(&self) -> bool {
        self.is_near && self.depth == Depth::Relation
    }

    /// Notes something to the west, by the latitudes at which it begins and ends.
    fn flip_between(&mut self, ends: [f64; 2]) {
        for lat in ends {
            self.flip(lat);
        }
    }

    /// Notes that positions south of a latitude see one edge more to the west.
    fn flip(&mut self, lat: f64) {
        let (south, north) = self.frame.latitudes();
        if lat > north {
            self.odd = !self.odd;
        } else if lat > south {
            // One part of a ring ends at the latitude at which the next begins.
            let before = self.flips_before();
            let flips = &mut self.near.flips;
            if flips.len() > before && flips.last() == Some(&lat) {
                flips.pop();
            } else {
                flips.push(lat);
            }
        }
    }

    fn flips_before(&self) -> usize {
        self.polygons.last().map_or(0, |polygon| polygon.flips)
    }

    /// Ends a polygon; tells whether nothing more can change the relation.
    fn end_polygon(&mut self) -> bool {
        let before = self.flips_before();
        cancel_pairs_from(&mut self.near.flips, before, f64::total_cmp);
        let near = LocalPolygon {
            nodes: self.near.nodes.len(),
            edges: self.near.edges.len(),
            flips: self.near.flips.len(),
            odd: self.odd,
        };
        if self.is_near || near.flips > before {
            self.polygons.push(near);
        } else {
            self.inside = self.odd;
        }
        (self.odd, self.is_near) = (false, false);
        self.inside
    }
}

/// Orders items and leaves, of those that are equal, one where their number is odd, else none.
pub fn cancel_pairs<T: Ord + Copy>(items: &mut Vec<T>) {
    cancel_pairs_from(items, 0, T::cmp);
}

/// The same for the items from `first` on.
fn cancel_pairs_from<T: Copy>(
    items: &mut Vec<T>,
    first: usize,
    compare: impl Fn(&T, &T) -> Ordering,
) {
    // Mostly they consist of some parts that are in order already, which this sort finds.
    items[first..].sort_by(&compare);
    let mut kept = first;
    for at in first..items.len() {
        if kept > first && compare(&items[kept - 1], &items[at]).is_eq() {
            kept -= 1;
        } else {
            items[kept] = items[at];
            kept += 1;
        }
    }
    items.truncate(kept);
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
