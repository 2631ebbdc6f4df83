//! What of a region is near a box, polygon by polygon.

use super::edge_tree::{EdgeAt, EdgeTree};
use crate::predicates::Edge;

/// What is near a box: the parts of all polygons that cross it, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Near {
    /// How much of it is each polygon's.
    pub parts: Vec<Part>,
    /// Those that lie in the box with all that is below them.
    pub nodes: Vec<u32>,
    pub edges: Vec<NearEdge>,
    /// Positions south of each of these latitudes see one edge more to the west. They ascend within
    /// a polygon.
    pub flips: Vec<f64>,
    /// The longitudes of edges that run along a meridian, past all rows of the box: positions to
    /// the east of one see one edge more, and those on it are on the edge. They ascend within a
    /// polygon.
    pub meridians: Vec<f64>,
}

/// How much is near of a polygon.
#[derive(Debug, Clone, Copy, Default)]
pub struct Part {
    pub nodes: usize,
    pub edges: usize,
    pub flips: usize,
    pub meridians: usize,
    /// Whether all positions see an odd number of edges to the west, beside what is near.
    pub odd: bool,
}

impl Part {
    /// What came after another.
    pub fn since(self, before: Self) -> Self {
        Self {
            nodes: self.nodes - before.nodes,
            edges: self.edges - before.edges,
            flips: self.flips - before.flips,
            meridians: self.meridians - before.meridians,
            odd: self.odd,
        }
    }
}

/// An edge with its ends at hand.
#[derive(Debug, Clone, Copy)]
pub struct NearEdge {
    pub at: EdgeAt,
    pub ends: Edge,
}

/// What of one polygon is near.
#[derive(Clone, Copy)]
pub struct PolygonNear<'a> {
    pub nodes: &'a [u32],
    pub edges: &'a [NearEdge],
    pub flips: &'a [f64],
    pub meridians: &'a [f64],
    pub odd: bool,
}

impl Near {
    #[inline]
    pub fn polygons(&self) -> impl Iterator<Item = PolygonNear<'_>> {
        let (mut nodes, mut edges) = (&self.nodes[..], &self.edges[..]);
        let (mut flips, mut meridians) = (&self.flips[..], &self.meridians[..]);
        self.parts.iter().map(move |part| PolygonNear {
            nodes: nodes.split_off(..part.nodes).unwrap_or_default(),
            edges: edges.split_off(..part.edges).unwrap_or_default(),
            flips: flips.split_off(..part.flips).unwrap_or_default(),
            meridians: meridians.split_off(..part.meridians).unwrap_or_default(),
            odd: part.odd,
        })
    }
}

impl PolygonNear<'_> {
    pub fn each_edge(&self, tree: &EdgeTree, mut visit: impl FnMut(EdgeAt, Edge)) {
        for &node in self.nodes {
            tree.each_edge(node, &mut |at| visit(at, tree.edge(at)));
        }
        for &NearEdge { at, ends } in self.edges {
            visit(at, ends);
        }
    }
}
