//! `packed_spatial_index`: a packed Hilbert R-tree searched with SIMD.

use std::cell::RefCell;

use packed_spatial_index::{Box2D, Index2DBuilder, SearchWorkspace, SimdIndex2D};
use tilesight_tile::GridBox;

use super::rival::Beside;
use super::{Ground, PointIndex, Row};

thread_local! {
    /// Buffers that its user is advised to reuse.
    static WORKSPACE: RefCell<SearchWorkspace> = RefCell::default();
}

/// Positions in a packed tree, which lead to rows beside it.
pub struct SimdTree<T> {
    tree: SimdIndex2D,
    beside: Beside<T>,
}

impl<T: Row> PointIndex<T> for SimdTree<T> {
    fn build(rows: Vec<T>) -> Self {
        let points = rows.iter().map(|row| {
            let point = row.point();
            let (x, y) = (f64::from(point.x), f64::from(point.y));
            Box2D::new(x, y, x, y)
        });
        Self {
            tree: simd_tree(points),
            beside: Beside::new(rows),
        }
    }

    fn search<'a>(&'a self, bounds: &GridBox, visit: impl FnMut(&'a T)) {
        with_found(&self.tree, on_plane(bounds), |found| {
            found
                .iter()
                .map(|&row| &self.beside.rows[row])
                .for_each(visit);
        });
    }

    fn ids(&self, bounds: &GridBox) -> Vec<i64> {
        with_found(&self.tree, on_plane(bounds), |found| {
            found.iter().map(|&row| self.beside.ids[row]).collect()
        })
    }

    fn count(&self, bounds: &GridBox) -> u64 {
        with_found(&self.tree, on_plane(bounds), <[usize]>::len) as u64
    }

    fn nearest(&self, _: &Ground, _: usize, _: impl Fn(&T) -> bool) -> Option<Vec<(f64, i64)>> {
        None
    }
}

/// Indexes boxes, numbered in their order.
pub(super) fn simd_tree(boxes: impl ExactSizeIterator<Item = Box2D>) -> SimdIndex2D {
    let mut builder = Index2DBuilder::new(boxes.len());
    for bounds in boxes {
        builder.add(bounds);
    }
    builder
        .finish_simd()
        .expect("as many boxes were added as announced")
}

/// Hands over the numbers of the boxes that meet a box.
pub(super) fn with_found<R>(
    tree: &SimdIndex2D,
    bounds: Box2D,
    read: impl FnOnce(&[usize]) -> R,
) -> R {
    WORKSPACE.with_borrow_mut(|workspace| read(tree.search_with(bounds, workspace)))
}

fn on_plane(bounds: &GridBox) -> Box2D {
    let [min_x, min_y, max_x, max_y] =
        [bounds.min_x, bounds.min_y, bounds.max_x, bounds.max_y].map(f64::from);
    Box2D::new(min_x, min_y, max_x, max_y)
}
