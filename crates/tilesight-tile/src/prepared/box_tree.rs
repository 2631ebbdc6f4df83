//! A packed tree of boxes over items in a given order.

use std::ops::Range;

use crate::GridBox;

/// Children of a node.
const FANOUT: usize = 8;

/// Boxes of items, the boxes of each eight of these, and so on up to one root. Neighbours in the
/// order of the items should be neighbours on the grid.
#[derive(Debug, Clone)]
pub struct BoxTree {
    /// Level by level, the items first, the root last.
    boxes: Vec<GridBox>,
    /// Where each level begins in `boxes`.
    level_starts: Vec<usize>,
}

impl BoxTree {
    /// Packs a tree over the boxes of items.
    pub fn new(items: Vec<GridBox>) -> Self {
        let mut boxes = items;
        // A tree of nothing has no levels.
        let mut level_starts = Vec::new();
        level_starts.extend((!boxes.is_empty()).then_some(0));
        let mut level = 0..boxes.len();
        while level.len() > 1 {
            let parents: Vec<_> = boxes[level].chunks(FANOUT).map(union).collect();
            level = boxes.len()..boxes.len() + parents.len();
            level_starts.push(level.start);
            boxes.extend(parents);
        }
        Self {
            boxes,
            level_starts,
        }
    }

    /// Calls `enter` on nodes from the root down with the node's box and the range of items below
    /// it (of length 1 for an item), and goes on to the children where it says so. Items come in
    /// order.
    pub fn walk(&self, mut enter: impl FnMut(&GridBox, Range<usize>) -> bool) {
        if !self.boxes.is_empty() {
            self.walk_node(self.level_starts.len() - 1, 0, &mut enter);
        }
    }

    fn walk_node(
        &self,
        level: usize,
        node: usize,
        enter: &mut impl FnMut(&GridBox, Range<usize>) -> bool,
    ) {
        let span = FANOUT.pow(level as u32);
        let items = node * span..((node + 1) * span).min(self.level_len(0));
        let bounds = &self.boxes[self.level_starts[level] + node];
        if items.len() == 1 {
            enter(bounds, items);
        } else if enter(bounds, items) {
            let children = node * FANOUT..((node + 1) * FANOUT).min(self.level_len(level - 1));
            for child in children {
                self.walk_node(level - 1, child, enter);
            }
        }
    }

    fn level_len(&self, level: usize) -> usize {
        let end = self.level_starts.get(level + 1);
        end.copied().unwrap_or(self.boxes.len()) - self.level_starts[level]
    }
}

/// The smallest box around some, of which there is at least one.
pub fn union(boxes: &[GridBox]) -> GridBox {
    boxes[1..].iter().fold(boxes[0], |a, b| GridBox {
        min_x: a.min_x.min(b.min_x),
        min_y: a.min_y.min(b.min_y),
        max_x: a.max_x.max(b.max_x),
        max_y: a.max_y.max(b.max_y),
    })
}
