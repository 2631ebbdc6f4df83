//! Regions as shapes.

use tilesight_tile::{GridBox, PreparedRegion, Relation};

use super::bbox::classify as classify_box;
use crate::index::{BoxGroup, Shape, Verdicts, bits};

/// A region indexed on the grid.
pub(crate) struct RegionShape(pub(crate) PreparedRegion);

impl Shape for RegionShape {
    fn classify(&self, nodes: &BoxGroup) -> Verdicts {
        let near = self
            .0
            .bounds()
            .iter()
            .fold(0, |near, b| near | classify_box(b, nodes).meets);
        let mut verdicts = Verdicts::NONE;
        for i in bits(u64::from(near)) {
            match self.0.relate(&nodes.get(i)) {
                Relation::Outside => {}
                Relation::Crossing => verdicts.meets |= 1 << i,
                Relation::Inside => {
                    verdicts.meets |= 1 << i;
                    verdicts.inside |= 1 << i;
                }
            }
        }
        verdicts
    }

    fn mask(&self, bounds: &GridBox, xs: &[u32], ys: &[u32]) -> u64 {
        self.0.narrow(bounds).mask(xs, ys)
    }
}
