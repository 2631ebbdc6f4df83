//! Regions prepared for many questions: integers decide, floats only where they must.

mod box_tree;
mod chord;
mod edge_tree;
mod extent;
mod frame;
mod local;
mod narrowing;
mod near;
mod segments;

use std::sync::{Arc, OnceLock};

use edge_tree::EdgeTree;
pub use local::LocalRegion;
use narrowing::Depth;
pub(crate) use narrowing::cancel_pairs;
use segments::EdgeBands;

use crate::region::Region;
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
/// Edges are kept in degrees, in which they are straight, in runs under a tree of boxes. What lies
/// to the west of a box is crossed by rays from it as one edge from its beginning to its end would
/// be, so runs and whole subtrees count as one. Only the edges near a block of positions become
/// chords on the grid; comparing columns decides beside them, and on them, the exact predicate.
///
/// # Cost
///
/// Building looks once at each of n vertices and takes 20 to 40 bytes for each (where rings are
/// tiny, more). A question visits O(log n) boxes and the edges that meet the one asked about.
/// Where many boxes are asked about, narrow the region to a box around them and ask what is left.
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
    tree: Arc<EdgeTree>,
    bounds: Vec<GridBox>,
    region: Region,
    /// Made of the region's edges when segments are first asked about; positions need none.
    bands: OnceLock<EdgeBands>,
}

impl PreparedRegion {
    /// Indexes a region.
    pub fn new(region: &Region) -> Self {
        let (tree, extent) = EdgeTree::new(region);
        Self {
            tree: Arc::new(tree),
            bounds: extent.boxes(),
            region: region.clone(),
            bands: OnceLock::new(),
        }
    }

    /// The boxes around the region, as far as they hold grid positions: two if they leave out more
    /// together than one could (as on both sides of the antimeridian), else one, or none.
    pub fn bounds(&self) -> &[GridBox] {
        &self.bounds
    }

    /// Tells whether a grid position lies in the region, boundary included.
    pub fn contains(&self, point: GridPoint) -> bool {
        LocalRegion::new(&self.tree, &GridBox::at(point), Depth::Edges).contains(point)
    }

    /// Tells how the positions of a box lie to the region; stops at the first edge that may touch
    /// the box.
    ///
    /// `Outside` and `Inside` are certain. Where the boundary passes through the box it is
    /// `Crossing`; rarely so where it passes within a few units outside of it.
    pub fn relate(&self, bounds: &GridBox) -> Relation {
        LocalRegion::new(&self.tree, bounds, Depth::Relation).relation()
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
    pub fn narrow(&self, bounds: &GridBox) -> LocalRegion {
        LocalRegion::new(&self.tree, bounds, Depth::Edges)
    }
}

#[cfg(test)]
mod tests;
