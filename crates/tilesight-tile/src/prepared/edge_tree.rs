//! All edges of a region, under trees of boxes in degrees.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use super::box_tree::BoxTree;
use super::extent::{Extent, grid_box};
use super::frame::{Degrees, at};
use crate::bbox::is_lat_of_row;
use crate::predicates::{Edge, Position, Ray, cast_ray};
use crate::region::{Polygon, Ring};
use crate::{GridBox, GridPoint, Region};

/// Edges of a run, and nodes below a node.
const FANOUT: usize = 16;

/// The edges of a region: what questions about positions are answered from.
///
/// Making it takes one look at every vertex and no trigonometry but a polygon's: whatever costs
/// more is left to the questions, which come to the edges nearby alone.
#[derive(Debug)]
pub struct EdgeTree {
    /// Of all rings, one after the other.
    vertices: Vec<Position>,
    nodes: Vec<Node>,
    /// The topmost nodes of each polygon that holds grid positions.
    polygons: Vec<Range<u32>>,
    tree: BoxTree,
}

/// Edges that follow each other in a polygon.
#[derive(Debug)]
pub struct Node {
    pub bounds: Degrees,
    /// The latitudes at which it begins and ends. All that lies to the west of a ray is crossed as
    /// one edge between these would be. Not a number where it begins more than once: in nodes over
    /// the last part of one ring and the first part of another.
    pub ends: [f64; 2],
    /// Number of the first vertex, or of the first node below.
    first: usize,
    /// How many edges there are below.
    pub edges: u32,
    /// Which edges of a run positions can lie on or to the east of; of nodes, whether there are any
    /// below.
    live: u16,
    /// How many nodes there are below; none below a run of edges.
    children: u8,
    /// Whether it is met one turn of the globe to the west of where its vertices are.
    turned: bool,
}

/// An edge: the number of its first vertex, and in the last bit whether it is turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EdgeAt(u64);

/// What there is right below a node.
pub enum Below<E> {
    Nodes(Range<u32>),
    Edges(E),
}

impl EdgeTree {
    /// The tree, and where on the grid the region lies.
    pub fn new(region: &Region) -> (Self, Extent) {
        let mut tree = Self {
            vertices: Vec::new(),
            nodes: Vec::new(),
            polygons: Vec::new(),
            tree: BoxTree::new(Vec::new()),
        };
        let polygons = without_repeated(region.polygons());
        tree.reserve(&polygons);
        let mut extent = Extent::default();
        let mut placed: Vec<_> = polygons
            .iter()
            .filter_map(|polygon| tree.add(polygon, &mut extent))
            .collect();
        placed.sort_by_cached_key(|(bounds, _)| z_order(bounds));
        let (bounds, nodes) = placed.into_iter().unzip();
        tree.tree = BoxTree::new(bounds);
        tree.polygons = nodes;
        (tree, extent)
    }

    pub fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }

    /// Calls `visit` with the topmost nodes of every polygon that may hold positions of a box,
    /// until it says that it has seen enough.
    pub fn search(&self, bounds: &GridBox, mut visit: impl FnMut(Range<u32>) -> bool) {
        let mut enough = false;
        self.tree.walk(|node, items| {
            let enter = !enough && node.intersects(bounds);
            if enter && items.len() == 1 {
                enough = visit(self.polygons[items.start].clone());
            }
            enter && items.len() > 1
        });
    }

    /// Calls `visit` with all edges below a node.
    pub fn each_edge(&self, node: u32, visit: &mut impl FnMut(EdgeAt)) {
        match self.node(node).below() {
            Below::Nodes(nodes) => nodes.for_each(|node| self.each_edge(node, visit)),
            Below::Edges(edges) => edges.for_each(visit),
        }
    }

    /// An edge where it is met on the grid, but for rounding.
    pub fn edge(&self, at: EdgeAt) -> Edge {
        let ([a, b], turn) = (self.drawn(at), at.turn());
        [[a[0] - turn, a[1]], [b[0] - turn, b[1]]]
    }

    /// Follows a ray from a position due west to an edge, exactly.
    pub fn cast_ray(&self, at: EdgeAt, point: GridPoint) -> Ray {
        cast_ray(self.drawn(at), [point.lon() + at.turn(), point.lat()])
    }

    fn drawn(&self, at: EdgeAt) -> Edge {
        let first = (at.0 >> 1) as usize;
        [self.vertices[first], self.vertices[first + 1]]
    }

    fn reserve(&mut self, polygons: &[&Polygon]) {
        let rings = || polygons.iter().flat_map(|polygon| polygon.rings());
        let runs_of = |ring: &Ring| {
            let edges = ring.vertices().len() - 1;
            edges.div_ceil(FANOUT) * ring.turns().count()
        };
        self.vertices
            .reserve_exact(rings().map(|ring| ring.vertices().len()).sum());
        let runs: usize = rings().map(runs_of).sum();
        self.nodes.reserve(runs + runs / (FANOUT - 1));
    }

    /// Adds a polygon; none when no grid position can be in it.
    fn add(&mut self, polygon: &Polygon, extent: &mut Extent) -> Option<(GridBox, Range<u32>)> {
        let before = (self.vertices.len(), self.nodes.len());
        let mut bounds = Degrees::NONE;
        for ring in polygon.rings() {
            let vertices = self.vertices.len();
            self.vertices.extend_from_slice(ring.vertices());
            for turn in ring.turns() {
                let part = self.add_runs(vertices, turn > 0.0);
                extent.add(part);
                bounds = bounds.union(part);
            }
        }
        let Some(bounds) = grid_box(&bounds) else {
            self.vertices.truncate(before.0);
            self.nodes.truncate(before.1);
            return None;
        };
        Some((bounds, self.add_levels(before.1)))
    }

    /// Adds the last ring's runs of edges, and tells what they lie within.
    fn add_runs(&mut self, vertices: usize, turned: bool) -> Degrees {
        let turn = if turned { 360.0 } else { 0.0 };
        let ring = &self.vertices[vertices..];
        let mut all = Degrees::NONE;
        let mut rows = Rows::default();
        for first in (0..ring.len() - 1).step_by(FANOUT) {
            let last = (first + FANOUT).min(ring.len() - 1);
            let run = &ring[first..=last];
            let mut bounds = run.iter().fold(Degrees::NONE, |b, &v| b.union(at(v)));
            bounds.west -= turn;
            bounds.east -= turn;
            all = all.union(bounds);
            self.nodes.push(Node {
                bounds,
                ends: [ring[first][1], ring[last][1]],
                first: vertices + first,
                edges: (last - first) as u32,
                live: rows.live_edges(run),
                children: 0,
                turned,
            });
        }
        all
    }

    /// Adds nodes over those from `first` on until few are topmost: these.
    fn add_levels(&mut self, first: usize) -> Range<u32> {
        let mut level = first..self.nodes.len();
        while level.len() > FANOUT {
            let next = self.nodes.len();
            for first in level.clone().step_by(FANOUT) {
                let last = (first + FANOUT).min(level.end);
                let node = Node::over(first, &self.nodes[first..last]);
                self.nodes.push(node);
            }
            level = next..self.nodes.len();
        }
        level.start as u32..level.end as u32
    }
}

impl Node {
    fn over(first: usize, below: &[Self]) -> Self {
        Self {
            bounds: below
                .iter()
                .fold(Degrees::NONE, |bounds, node| bounds.union(node.bounds)),
            ends: ends_of(below),
            first,
            edges: below
                .iter()
                .fold(0, |edges, node| edges.saturating_add(node.edges)),
            live: below.iter().fold(0, |live, node| live | node.live),
            children: below.len() as u8,
            turned: false,
        }
    }

    /// What there is right below the node.
    pub fn below(&self) -> Below<impl Iterator<Item = EdgeAt> + use<>> {
        if self.children > 0 {
            let first = self.first as u32;
            return Below::Nodes(first..first + self.children as u32);
        }
        let (first, turned) = (self.first as u64, self.turned as u64);
        let edge = move |at| EdgeAt((first + at) << 1 | turned);
        let live = self.live;
        let edges = (0..self.edges as u64).filter(move |at| live >> at & 1 == 1);
        Below::Edges(edges.map(edge))
    }

    /// Whether positions can lie on or to the east of any edge below.
    pub fn is_live(&self) -> bool {
        self.live != 0
    }

    /// Whether [`ends`](Self::ends) are known.
    pub fn has_ends(&self) -> bool {
        !self.ends[0].is_nan()
    }
}

impl EdgeAt {
    /// Whether the edge is met one turn of the globe to the west of where its vertices are.
    pub fn is_turned(self) -> bool {
        self.0 & 1 == 1
    }

    /// What to add to a position's longitude to meet the edge.
    fn turn(self) -> f64 {
        if self.is_turned() { 360.0 } else { 0.0 }
    }
}

/// Tells whether there are grid positions on parallels, and remembers the last one.
#[derive(Default)]
struct Rows {
    last: Option<(f64, bool)>,
}

impl Rows {
    /// The bits of a run's edges but for those along a parallel between two rows, which no ray
    /// crosses and on which there is no position.
    fn live_edges(&mut self, run: &[Position]) -> u16 {
        let edges = run.windows(2).enumerate();
        edges.fold(0, |live, (at, edge)| {
            let (from, to) = (edge[0][1], edge[1][1]);
            live | u16::from(from != to || self.has_row(from)) << at
        })
    }

    fn has_row(&mut self, lat: f64) -> bool {
        match self.last {
            Some((last, has_row)) if last == lat => has_row,
            _ => {
                let has_row = is_lat_of_row(lat);
                self.last = Some((lat, has_row));
                has_row
            }
        }
    }
}

/// Where nodes that follow each other begin and end: what ends where the next begins does neither.
fn ends_of(nodes: &[Node]) -> [f64; 2] {
    let mut ends = Vec::with_capacity(2 * nodes.len());
    for end in nodes.iter().flat_map(|node| node.ends) {
        if ends.last() == Some(&end) {
            ends.pop();
        } else {
            ends.push(end);
        }
    }
    match ends[..] {
        [] => [0.0; 2],
        [begin, end] => [begin, end],
        _ => [f64::NAN; 2],
    }
}

/// The polygons without those that were there before: they add nothing to a union.
fn without_repeated(polygons: &[Polygon]) -> Vec<&Polygon> {
    if let [only] = polygons {
        return vec![only];
    }
    let mut seen = HashSet::with_capacity(polygons.len());
    let mut distinct = Vec::with_capacity(polygons.len());
    distinct.extend(
        polygons
            .iter()
            .filter(|&polygon| seen.insert(Drawn(polygon))),
    );
    distinct
}

/// A polygon, the same as those of the very same vertices.
struct Drawn<'a>(&'a Polygon);

impl Drawn<'_> {
    fn bits(&self) -> impl Iterator<Item = [u64; 2]> {
        let vertices = self.0.rings().iter().flat_map(Ring::vertices);
        vertices.map(|vertex| vertex.map(f64::to_bits))
    }
}

impl PartialEq for Drawn<'_> {
    fn eq(&self, other: &Self) -> bool {
        let lens = |polygon: &Self| {
            let rings = polygon.0.rings().iter();
            rings.map(|ring| ring.vertices().len()).collect::<Vec<_>>()
        };
        lens(self) == lens(other) && self.bits().eq(other.bits())
    }
}

impl Eq for Drawn<'_> {}

impl Hash for Drawn<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.bits().for_each(|bits| bits.hash(hasher));
    }
}

/// Orders boxes by their centres, so that neighbours come close.
fn z_order(bounds: &GridBox) -> u64 {
    let between = |from: u32, to: u32| from + (to - from) / 2;
    let centre = GridPoint {
        x: between(bounds.min_x, bounds.max_x),
        y: between(bounds.min_y, bounds.max_y),
    };
    centre.z_order()
}
