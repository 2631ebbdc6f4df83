//! rstar: an R*-tree whose items carry their attributes.

use std::collections::BinaryHeap;

use rstar::{AABB, PointDistance, RTree, RTreeObject};
use tilesight_tile::{GridBox, GridPoint};

use super::{Ground, PointIndex, Row};

/// Rows in an R*-tree on the plane of the grid.
pub struct RStar<T: Row>(RTree<Item<T>>);

#[derive(Debug, Clone, Copy)]
struct Item<T>(T);

impl<T: Row> RTreeObject for Item<T> {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        AABB::from_point(on_plane(self.0.point()))
    }
}

impl<T: Row> PointDistance for Item<T> {
    fn distance_2(&self, point: &[f64; 2]) -> f64 {
        let [x, y] = on_plane(self.0.point());
        let (dx, dy) = (x - point[0], y - point[1]);
        dx * dx + dy * dy
    }
}

impl<T: Row> PointIndex<T> for RStar<T> {
    fn build(rows: Vec<T>) -> Self {
        Self(RTree::bulk_load(rows.into_iter().map(Item).collect()))
    }

    fn search<'a>(&'a self, bounds: &GridBox, visit: impl FnMut(&'a T)) {
        let corner = |x, y| on_plane(GridPoint { x, y });
        let envelope = AABB::from_corners(
            corner(bounds.min_x, bounds.min_y),
            corner(bounds.max_x, bounds.max_y),
        );
        self.0
            .locate_in_envelope(envelope)
            .map(|item| &item.0)
            .for_each(visit);
    }

    /// Walks outwards on the plane until nothing can be nearer on the ground.
    fn nearest(
        &self,
        target: &Ground,
        k: usize,
        passes: impl Fn(&T) -> bool,
    ) -> Option<Vec<(f64, i64)>> {
        // Distances that are not negative order as their bits do.
        let mut best: BinaryHeap<(u64, i64)> = BinaryHeap::with_capacity(k + 1);
        let outwards = self
            .0
            .nearest_neighbor_iter_with_distance_2(on_plane(target.point));
        for (Item(row), squared) in outwards {
            if let Some(&(worst, _)) = best.peek()
                && best.len() == k
                && target.at_least_m(squared.sqrt()) > f64::from_bits(worst)
            {
                break;
            }
            if passes(row) {
                best.push((target.distance_m(row.point()).to_bits(), row.id()));
            }
            if best.len() > k {
                best.pop();
            }
        }
        let distance = |(bits, id)| (f64::from_bits(bits), id);
        Some(best.into_iter().map(distance).collect())
    }
}

fn on_plane(point: GridPoint) -> [f64; 2] {
    [f64::from(point.x), f64::from(point.y)]
}
