//! Which parts of a region matter to a box.

use std::cmp::Ordering;

use super::Relation;
use super::edge_tree::{Below, EdgeTree, Node};
use super::frame::{Frame, Lies};
use super::near::{Near, NearEdge, Part, PolygonNear};

/// Edges up to which it is cheaper to look at all of them than to leave them to smaller boxes.
pub const FEW_EDGES: usize = 256;

/// How much is asked for.
#[derive(Clone, Copy, PartialEq)]
pub enum Depth {
    /// Enough to tell how the box lies: one edge near it will do.
    Relation,
    /// All that tells the positions in the box apart.
    Edges,
}

/// Picks what matters to a box, polygon by polygon.
pub struct Narrowing<'a> {
    tree: &'a EdgeTree,
    frame: Frame,
    depth: Depth,
    near: Near,
    /// How much was near of all polygons before the present one.
    before: Part,
    /// Whether the box was found to be inside a polygon.
    inside: bool,
    /// Of the present polygon: whether all positions see an odd number of edges to the west, beside
    /// what is near.
    odd: bool,
    /// Of the present polygon: whether anything is near.
    is_near: bool,
}

impl<'a> Narrowing<'a> {
    pub fn new(tree: &'a EdgeTree, frame: Frame, depth: Depth) -> Self {
        Self {
            tree,
            frame,
            depth,
            near: Near::default(),
            before: Part::default(),
            inside: false,
            odd: false,
            is_near: false,
        }
    }

    /// Makes room for what may be left of so many edges.
    pub fn reserve(&mut self, edges: usize) {
        let some = edges.min(FEW_EDGES / 4).max(edges / 4);
        self.near.edges.reserve(some);
    }

    pub fn relation(&self) -> Relation {
        match (self.inside, self.near.parts.is_empty()) {
            (true, _) => Relation::Inside,
            (false, true) => Relation::Outside,
            (false, false) => Relation::Crossing,
        }
    }

    /// What is near the box; nothing unless the boundary crosses it.
    pub fn into_near(self) -> Near {
        match self.relation() {
            Relation::Crossing => self.near,
            Relation::Inside | Relation::Outside => Near::default(),
        }
    }

    /// Begins a polygon by what of it is near a box around this one.
    #[inline]
    pub fn polygon(&mut self, near: PolygonNear) {
        self.odd = near.odd;
        near.flips.iter().for_each(|&lat| self.flip(lat));
        self.meridians(near.meridians);
        near.nodes.iter().for_each(|&node| self.node(node));
        near.edges.iter().for_each(|&edge| self.edge(edge));
    }

    /// Adds a node of the present polygon: the whole of it where it lies in the box or beside it,
    /// what is below where it sticks out.
    pub fn node(&mut self, at: u32) {
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

    #[inline]
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
                    self.near_edge(edge);
                }
            }
        }
    }

    fn near_edge(&mut self, edge: NearEdge) {
        match self.frame.meridian(edge.ends) {
            // One that is turned has its own longitude rounded.
            Some(lon) if !edge.at.is_turned() => self.near.meridians.push(lon),
            _ => self.near.edges.push(edge),
        }
    }

    /// Adds meridians, which ascend, of a box around this one.
    #[inline]
    fn meridians(&mut self, longitudes: &[f64]) {
        if longitudes.is_empty() {
            return;
        }
        let (west, east) = self.frame.longitudes();
        let first = longitudes.partition_point(|&lon| lon < west);
        let near = &longitudes[first..longitudes.partition_point(|&lon| lon <= east)];
        self.odd ^= first % 2 == 1;
        self.is_near |= !near.is_empty();
        self.near.meridians.extend_from_slice(near);
    }

    /// Whether no more of the present polygon need be looked at.
    fn is_settled(&self) -> bool {
        self.is_near && self.depth == Depth::Relation
    }

    /// Notes something to the west, by the latitudes at which it begins and ends.
    #[inline]
    fn flip_between(&mut self, [begin, end]: [f64; 2]) {
        self.flip(begin);
        self.flip(end);
    }

    /// Notes that positions south of a latitude see one edge more to the west.
    #[inline]
    fn flip(&mut self, lat: f64) {
        let (south, north) = self.frame.latitudes();
        self.odd ^= lat > north;
        if (lat > south) & (lat <= north) {
            self.flip_within(lat);
        }
    }

    /// The same, of a latitude of the box.
    fn flip_within(&mut self, lat: f64) {
        // One part of a ring ends at the latitude at which the next begins.
        let before = self.before.flips;
        let flips = &mut self.near.flips;
        if flips.len() > before && flips.last() == Some(&lat) {
            flips.pop();
        } else {
            flips.push(lat);
        }
    }

    /// Ends a polygon; tells whether nothing more can change the relation.
    pub fn end_polygon(&mut self) -> bool {
        let (before, near) = (self.before, &mut self.near);
        cancel_pairs_from(&mut near.flips, before.flips, f64::total_cmp);
        near.meridians[before.meridians..].sort_by(f64::total_cmp);
        if self.is_near || near.flips.len() > before.flips {
            self.before = Part {
                nodes: near.nodes.len(),
                edges: near.edges.len(),
                flips: near.flips.len(),
                meridians: near.meridians.len(),
                odd: self.odd,
            };
            near.parts.push(self.before.since(before));
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
