//! geo-index: packed trees of positions, which lead to rows beside them.

use geo_index::kdtree::{KDTree, KDTreeBuilder, KDTreeIndex};
use geo_index::rtree::sort::HilbertSort;
use geo_index::rtree::{NeighborsOptions, RTree, RTreeBuilder, RTreeIndex};
use tilesight_tile::GridBox;

use super::rival::Beside;
use super::{Ground, PointIndex, Row};

/// A packed Hilbert R-tree.
pub struct PackedTree<T> {
    tree: RTree<i32>,
    beside: Beside<T>,
}

/// A packed k-d tree, which knows no nearest.
pub struct KdTree<T> {
    tree: KDTree<i32>,
    beside: Beside<T>,
}

impl<T: Row> PointIndex<T> for PackedTree<T> {
    fn build(rows: Vec<T>) -> Self {
        let mut builder = RTreeBuilder::new(rows.len() as u32);
        for row in &rows {
            let point = row.point();
            let (x, y) = (signed(point.x), signed(point.y));
            builder.add(x, y, x, y);
        }
        Self {
            tree: builder.finish::<HilbertSort>(),
            beside: Beside::new(rows),
        }
    }

    fn search<'a>(&'a self, bounds: &GridBox, visit: impl FnMut(&'a T)) {
        let [min_x, min_y, max_x, max_y] = corners(bounds);
        let found = self.tree.search(min_x, min_y, max_x, max_y);
        found
            .into_iter()
            .map(|row| &self.beside.rows[row as usize])
            .for_each(visit);
    }

    fn ids(&self, bounds: &GridBox) -> Vec<i64> {
        let [min_x, min_y, max_x, max_y] = corners(bounds);
        let found = self.tree.search(min_x, min_y, max_x, max_y);
        found
            .into_iter()
            .map(|row| self.beside.ids[row as usize])
            .collect()
    }

    fn count(&self, bounds: &GridBox) -> u64 {
        let [min_x, min_y, max_x, max_y] = corners(bounds);
        self.tree.search(min_x, min_y, max_x, max_y).len() as u64
    }

    fn nearest(
        &self,
        target: &Ground,
        k: usize,
        passes: impl Fn(&T) -> bool,
    ) -> Option<Vec<(f64, i64)>> {
        let (x, y) = (signed(target.point.x), signed(target.point.y));
        let beside = |at: i32, min: i32, max: i32| f64::from(min.max(at.min(max)).abs_diff(at));
        let nearest: Vec<(u32, f64)> = self.tree.neighbors_with_callbacks(
            NeighborsOptions::k(k).include_tie_breakers(true),
            |[min_x, min_y, max_x, max_y]| {
                target.at_least_m(beside(x, min_x, max_x).hypot(beside(y, min_y, max_y)))
            },
            |row, _| {
                let row = &self.beside.rows[row as usize];
                passes(row).then(|| target.distance_m(row.point()))
            },
        );
        let with_id = |(row, distance_m)| (distance_m, self.beside.rows[row as usize].id());
        Some(nearest.into_iter().map(with_id).collect())
    }
}

impl<T: Row> PointIndex<T> for KdTree<T> {
    fn build(rows: Vec<T>) -> Self {
        let mut builder = KDTreeBuilder::new(rows.len() as u32);
        for row in &rows {
            let point = row.point();
            builder.add(signed(point.x), signed(point.y));
        }
        Self {
            tree: builder.finish(),
            beside: Beside::new(rows),
        }
    }

    fn search<'a>(&'a self, bounds: &GridBox, visit: impl FnMut(&'a T)) {
        let [min_x, min_y, max_x, max_y] = corners(bounds);
        let found = self.tree.range(min_x, min_y, max_x, max_y);
        found
            .into_iter()
            .map(|row| &self.beside.rows[row as usize])
            .for_each(visit);
    }

    fn ids(&self, bounds: &GridBox) -> Vec<i64> {
        let [min_x, min_y, max_x, max_y] = corners(bounds);
        let found = self.tree.range(min_x, min_y, max_x, max_y);
        found
            .into_iter()
            .map(|row| self.beside.ids[row as usize])
            .collect()
    }

    fn count(&self, bounds: &GridBox) -> u64 {
        let [min_x, min_y, max_x, max_y] = corners(bounds);
        self.tree.range(min_x, min_y, max_x, max_y).len() as u64
    }

    fn nearest(&self, _: &Ground, _: usize, _: impl Fn(&T) -> bool) -> Option<Vec<(f64, i64)>> {
        None
    }
}

fn corners(bounds: &GridBox) -> [i32; 4] {
    [bounds.min_x, bounds.min_y, bounds.max_x, bounds.max_y].map(signed)
}

/// A column or row counted from the middle of the world. Integers take half the memory of `f64`;
/// the Hilbert sort adds the edges of a box, which overflows a `u32` east of Greenwich.
const fn signed(coordinate: u32) -> i32 {
    coordinate.wrapping_sub(1 << 31) as i32
}
