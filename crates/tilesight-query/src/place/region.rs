//! Regions as shapes.

use std::cell::RefCell;

use tilesight_tile::{GridBox, LocalRegion, PreparedRegion, Region, Relation};

use super::bbox::classify as classify_box;
use crate::index::{BoxGroup, Shape, Verdicts, bits, union_box};

/// A region indexed on the grid, and narrowed to where the search is.
pub(crate) struct RegionShape {
    region: PreparedRegion,
    /// The region narrowed to boxes within each other, each followed by those of its nodes that the
    /// boundary crosses, backwards. A search goes down a tree depth first, so that it mostly asks
    /// about the last.
    narrowed: RefCell<Vec<LocalRegion>>,
}

impl RegionShape {
    pub(crate) fn new(region: &Region) -> Self {
        Self {
            region: PreparedRegion::new(region),
            narrowed: RefCell::default(),
        }
    }

    /// The region by itself.
    pub(crate) const fn region(&self) -> &PreparedRegion {
        &self.region
    }

    /// Asks the region as it was narrowed to the smallest box around the one asked about.
    fn with_narrowed<T>(
        &self,
        bounds: &GridBox,
        ask: impl FnOnce(&mut Vec<LocalRegion>) -> T,
    ) -> T {
        let mut narrowed = self.narrowed.borrow_mut();
        while let Some(last) = narrowed.last()
            && !last.bounds().covers(bounds)
        {
            narrowed.pop();
        }
        ask(&mut narrowed)
    }

    fn narrow(&self, bounds: &GridBox, around: Option<&LocalRegion>) -> LocalRegion {
        match around {
            Some(around) => around.narrow(bounds),
            None => self.region.narrow(bounds),
        }
    }
}

impl Shape for RegionShape {
    fn classify(&self, nodes: &BoxGroup) -> Verdicts {
        let met = self
            .region
            .bounds()
            .iter()
            .fold(0, |met, b| met | classify_box(b, nodes).meets);
        // The boxes that fill up a group of nodes are inside out, and meet a region all around; so
        // may be others of a file that was made by hand.
        let is_box =
            |&i: &usize| nodes.min_x[i] <= nodes.max_x[i] && nodes.min_y[i] <= nodes.max_y[i];
        let near = bits(u64::from(met)).filter(is_box);
        let mut verdicts = Verdicts::NONE;
        let boxes = near.clone().map(|i| nodes.get(i));
        let Some(around) = boxes.reduce(union_box) else {
            return verdicts;
        };
        self.with_narrowed(&around, |narrowed| {
            if narrowed.is_empty() {
                narrowed.push(self.region.narrow(&around));
            }
            let parent = narrowed.len() - 1;
            for i in near {
                let node = narrowed[parent].narrow(&nodes.get(i));
                let relation = node.relation();
                verdicts.meets |= u16::from(relation != Relation::Outside) << i;
                verdicts.inside |= u16::from(relation == Relation::Inside) << i;
                if relation == Relation::Crossing {
                    narrowed.push(node);
                }
            }
            narrowed[parent + 1..].reverse();
        });
        verdicts
    }

    fn mask(&self, bounds: &GridBox, xs: &[u32], ys: &[u32]) -> u64 {
        self.with_narrowed(bounds, |narrowed| match narrowed.last() {
            Some(last) if last.bounds() == bounds => last.mask(xs, ys),
            last => self.narrow(bounds, last).mask(xs, ys),
        })
    }
}
