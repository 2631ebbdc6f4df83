//! `static_aabb2d_index`: a packed Hilbert R-tree, after flatbush.

use static_aabb2d_index::{StaticAABB2DIndex, StaticAABB2DIndexBuilder};
use tilesight_tile::GridBox;

use super::rival::Beside;
use super::{Ground, PointIndex, Row};

/// Positions in a packed tree, which lead to rows beside it.
pub struct StaticTree<T> {
    tree: StaticAABB2DIndex<u32>,
    beside: Beside<T>,
}

impl<T: Row> StaticTree<T> {
    fn visit(&self, bounds: &GridBox, mut visit: impl FnMut(usize)) {
        let GridBox {
            min_x,
            min_y,
            max_x,
            max_y,
        } = *bounds;
        self.tree
            .visit_query(min_x, min_y, max_x, max_y, &mut |row: usize| visit(row));
    }
}

impl<T: Row> PointIndex<T> for StaticTree<T> {
    fn build(rows: Vec<T>) -> Self {
        let mut builder = StaticAABB2DIndexBuilder::new(rows.len());
        for row in &rows {
            let point = row.point();
            builder.add(point.x, point.y, point.x, point.y);
        }
        Self {
            tree: builder
                .build()
                .expect("as many positions were added as announced"),
            beside: Beside::new(rows),
        }
    }

    fn search<'a>(&'a self, bounds: &GridBox, mut visit: impl FnMut(&'a T)) {
        self.visit(bounds, |row| visit(&self.beside.rows[row]));
    }

    fn ids(&self, bounds: &GridBox) -> Vec<i64> {
        let mut ids = Vec::new();
        self.visit(bounds, |row| ids.push(self.beside.ids[row]));
        ids
    }

    fn count(&self, bounds: &GridBox) -> u64 {
        let mut count = 0;
        self.visit(bounds, |_| count += 1);
        count
    }

    fn nearest(&self, _: &Ground, _: usize, _: impl Fn(&T) -> bool) -> Option<Vec<(f64, i64)>> {
        None
    }
}
