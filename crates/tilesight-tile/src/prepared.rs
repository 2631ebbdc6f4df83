//! Regions prepared for many questions: integers decide, floats only where they must.

mod box_tree;
mod chain;
mod local;
mod piece;
mod segments;

use std::sync::OnceLock;

use box_tree::{BoxTree, union};
use chain::Chain;
pub use local::LocalRegion;
pub(crate) use local::cancel_pairs;
use local::{Depth, LocalPolygon};
use segments::EdgeBands;

use crate::predicates::Ray;
use crate::region::{Polygon, Region};
use crate::{GridBox, GridPoint};

/// How the positions of a box lie to a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// No position of the box is in the region.
    Outside,
    /// The region's boundary passes through the box, or so close that only the positions
    /// themselves can tell.
    Crossing,
    /// Every position of the box is in the region.
    Inside,
}

/// A [`Region`] indexed on the grid: the same answers as [`Region::contains`] for every grid
/// position, at the cost of the few edges nearby.
///
/// Edges become straight pieces on the grid, each with a band that is sure to hold the true edge,
/// straight in degrees. Comparing columns decides outside the band; within it, the exact predicate
/// is asked about the original edge.
///
/// # Cost
///
/// Building is O(n log n) for n vertices, about 70 to 1000 bytes each (the longer the edges, the
/// more); the vertices themselves are shared with the region. A question visits O(log n) boxes and
/// the edges that meet the one asked about.
///
/// # Example
///
/// Narrow the region to the box of a block of positions, then ask for all of them at once:
///
/// ```
/// use tilesight_tile::{GridBox, GridPoint, LonLat, PreparedRegion, Region, Relation};
///
/// let shell = vec![[24.0, 60.0], [26.0, 60.0], [25.0, 61.0], [24.0, 60.0]];
/// let region = PreparedRegion::new(&Region::from_polygons(&[vec![shell]])?);
///
/// let inside = GridPoint::nearest_to(LonLat::new(24.6, 60.5)?);
/// let outside = GridPoint::nearest_to(LonLat::new(24.4, 60.5)?);
/// let block = GridBox { min_x: outside.x, min_y: inside.y, max_x: inside.x, max_y: inside.y };
///
/// let local = region.narrow(&block);
/// assert_eq!(local.relation(), Relation::Crossing);
/// assert_eq!(local.mask(&[inside.x, outside.x], &[inside.y, outside.y]), 0b01);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct PreparedRegion {
    polygons: Vec<PreparedPolygon>,
    tree: BoxTree,
    bounds: Vec<GridBox>,
    region: Region,
    /// Made of the region's edges when segments are first asked about; positions need none.
    bands: OnceLock<EdgeBands>,
}

impl PreparedRegion {
    /// Indexes a region.
    pub fn new(region: &Region) -> Self {
        let mut polygons: Vec<_> = region
            .polygons()
            .iter()
            .filter_map(PreparedPolygon::new)
            .collect();
        polygons.sort_by_cached_key(|polygon| z_order(&polygon.bounds));
        let chains = polygons.iter().flat_map(|polygon| polygon.tree.items());
        Self {
            bounds: bounds_of(chains.copied().collect()),
            tree: BoxTree::new(polygons.iter().map(|polygon| polygon.bounds).collect()),
            polygons,
            region: region.clone(),
            bands: OnceLock::new(),
        }
    }

    /// The boxes around the region: none if no grid position can lie in it, two if they leave out
    /// more together than one could (as on both sides of the antimeridian), else one.
    pub fn bounds(&self) -> &[GridBox] {
        &self.bounds
    }

    /// Tells whether a grid position lies in the region, boundary included.
    pub fn contains(&self, point: GridPoint) -> bool {
        let mut inside = false;
        self.tree.walk(|node, items| {
            let enter = !inside && node.contains(point);
            if enter && items.len() == 1 {
                inside = self.polygons[items.start].contains(point);
            }
            enter && items.len() > 1
        });
        inside
    }

    /// Tells how the positions of a box lie to the region; stops at the first edge that may touch
    /// the box.
    ///
    /// `Outside` and `Inside` are certain. Where the boundary passes through the box it is
    /// `Crossing`; rarely so where it passes within a few units outside of it.
    pub fn relate(&self, bounds: &GridBox) -> Relation {
        let mut relation = Relation::Outside;
        self.tree.walk(|node, items| {
            let enter = relation != Relation::Inside && node.intersects(bounds);
            if enter && items.len() == 1 {
                match self.polygons[items.start]
                    .narrow(bounds, Depth::Relation)
                    .relation()
                {
                    Relation::Outside => {}
                    found => relation = found,
                }
            }
            enter && items.len() > 1
        });
        relation
    }

    /// Tells whether any part of a segment lies in the region: the same as
    /// [`Region::meets_segment`]. The ends are positions of the grid, the segment is straight in
    /// degrees and does not cross the antimeridian.
    pub fn meets_segment(&self, a: GridPoint, b: GridPoint) -> bool {
        self.contains(a) || self.bands().meet([a, b].map(GridPoint::degrees))
    }

    /// Tells whether any part of the region lies in the rectangle around the positions of a box,
    /// edges included. Unlike [`relate`](Self::relate) it sees what passes between positions: a
    /// segment that meets the region where the region is thinner than the grid.
    pub fn meets_box(&self, bounds: &GridBox) -> bool {
        let corner = |x, y| GridPoint { x, y };
        let southwest = corner(bounds.min_x, bounds.max_y);
        let northeast = corner(bounds.max_x, bounds.min_y);
        let corners = [southwest, northeast].map(GridPoint::degrees);
        self.bands().meet_box(corners) || self.contains(southwest)
    }

    fn bands(&self) -> &EdgeBands {
        let new = || EdgeBands::new(&self.region.edges().collect::<Vec<_>>());
        self.bands.get_or_init(new)
    }

    /// Narrows the region to a box: what remains is what the positions of the box need.
    pub fn narrow(&self, bounds: &GridBox) -> LocalRegion<'_> {
        let mut local = LocalRegion::outside(*bounds);
        self.tree.search(bounds, |_, at| {
            if local.relation() != Relation::Inside {
                local.add(self.polygons[at].narrow(bounds, Depth::Edges));
            }
        });
        local
    }
}

/// A polygon as chains, those with grid positions on or in them.
#[derive(Debug, Clone)]
struct PreparedPolygon {
    chains: Vec<Chain>,
    tree: BoxTree,
    bounds: GridBox,
}

impl PreparedPolygon {
    /// None when no grid position can be in the polygon.
    fn new(polygon: &Polygon) -> Option<Self> {
        let (chains, boxes): (Vec<_>, Vec<_>) = polygon
            .rings()
            .iter()
            .flat_map(|ring| ring.turns().map(|turn| Chain::new(ring, turn)))
            .filter_map(|chain| {
                let bounds = chain.bounds()?;
                Some((chain, bounds))
            })
            .unzip();
        let tree = BoxTree::new(boxes);
        Some(Self {
            bounds: tree.bounds()?,
            chains,
            tree,
        })
    }

    fn contains(&self, point: GridPoint) -> bool {
        let (mut on, mut inside) = (false, false);
        self.tree.search(&GridBox::at(point), |_, at| {
            match self.chains[at].cast_ray(point) {
                Ray::Misses => {}
                Ray::Crosses => inside = !inside,
                Ray::Starts => on = true,
            }
        });
        on || inside
    }

    fn narrow(&self, bounds: &GridBox, depth: Depth) -> LocalPolygon<'_> {
        let mut local = LocalPolygon::new(*bounds);
        self.tree
            .search(bounds, |_, at| local.add(&self.chains[at], depth));
        local.settle();
        local
    }
}

/// The one box, or the two, that leave out the widest range of columns.
fn bounds_of(mut boxes: Vec<GridBox>) -> Vec<GridBox> {
    boxes.sort_unstable_by_key(|bounds| bounds.min_x);
    let [first, ..] = boxes[..] else {
        return Vec::new();
    };
    let mut reach = first.max_x;
    let (mut widest, mut split) = (0, 0);
    for (at, next) in boxes.iter().enumerate() {
        let gap = next.min_x.saturating_sub(reach);
        if gap > widest {
            (widest, split) = (gap, at);
        }
        reach = reach.max(next.max_x);
    }
    let around_the_antimeridian = first.min_x as u64 + (u32::MAX - reach) as u64;
    if (widest as u64) <= around_the_antimeridian {
        return vec![union(&boxes)];
    }
    let (west, east) = boxes.split_at(split);
    vec![union(west), union(east)]
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

#[cfg(test)]
mod tests;
