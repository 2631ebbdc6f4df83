//! The edges of a region by latitude, for asking which a segment meets.

use crate::predicates::{Edge, Position, meets_box, segments_meet};

/// Bands of latitude per edge: with as many bands as edges, most bands hold a few.
const BANDS_PER_EDGE: usize = 1;

/// Upper bound of the bands, and so of how often a long edge is listed.
const MAX_BANDS: usize = 1024;

/// Edges listed in each band of latitude that they touch, in degrees as the grid has them.
#[derive(Debug, Clone)]
pub struct EdgeBands {
    south: f64,
    height: f64,
    /// Where each band's edges start in `edges`, and where the last one's end.
    starts: Vec<usize>,
    edges: Vec<Edge>,
}

impl EdgeBands {
    pub fn new(edges: &[Edge]) -> Self {
        let latitudes = || edges.iter().flatten().map(|position| position[1]);
        let south = latitudes().fold(f64::INFINITY, f64::min);
        let north = latitudes().fold(f64::NEG_INFINITY, f64::max);
        let bands = (edges.len() * BANDS_PER_EDGE).clamp(1, MAX_BANDS);
        // A region along one parallel has no height, and all of it in one band.
        let height = ((north - south) / bands as f64).max(f64::MIN_POSITIVE);
        let mut empty = Self {
            south,
            height,
            starts: vec![0; bands + 1],
            edges: Vec::new(),
        };
        empty.list(edges);
        empty
    }

    /// Tells whether a segment meets an edge.
    pub fn meet(&self, segment: Edge) -> bool {
        let mut edges = self.edges_along(segment).iter();
        edges.any(|&edge| segments_meet(edge, segment))
    }

    /// Tells whether a box, given by its south-western and north-eastern corners, meets an edge.
    pub fn meet_box(&self, corners: [Position; 2]) -> bool {
        let mut edges = self.edges_along(corners).iter();
        edges.any(|&edge| meets_box(edge, corners))
    }

    /// The edges in the bands of latitude that two positions span.
    fn edges_along(&self, ends: Edge) -> &[Edge] {
        let bands = self.bands_of(ends);
        &self.edges[self.starts[bands.start]..self.starts[bands.end]]
    }

    /// Sorts edges into the bands, by counting.
    fn list(&mut self, edges: &[Edge]) {
        for &edge in edges {
            for band in self.bands_of(edge) {
                self.starts[band + 1] += 1;
            }
        }
        for band in 1..self.starts.len() {
            self.starts[band] += self.starts[band - 1];
        }
        let mut next = self.starts.clone();
        let total = self.starts[self.starts.len() - 1];
        self.edges = vec![[Position::default(); 2]; total];
        for &edge in edges {
            for band in self.bands_of(edge) {
                self.edges[next[band]] = edge;
                next[band] += 1;
            }
        }
    }

    fn bands_of(&self, [a, b]: Edge) -> std::ops::Range<usize> {
        let last = self.starts.len() - 2;
        // Casting saturates, so what lies beyond is in the outermost bands.
        let band = |lat: f64| (((lat - self.south) / self.height) as usize).min(last);
        band(a[1].min(b[1]))..band(a[1].max(b[1])) + 1
    }
}
