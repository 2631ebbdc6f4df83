//! Circles as shapes.

use tilesight_tile::{GridBox, GridPoint, Relation};

use super::BoxShape;
use crate::index::{
    BoxGroup, LEAF_ROWS, Radius, Shape, Target, Verdicts, bits, mask_of_all, packed,
};

/// All positions within a distance of a target, by haversine, the distance included.
pub(crate) struct Circle {
    target: Target,
    radius_m: f64,
    radius: Radius,
    /// Everything in the circle lies in it.
    around: BoxShape,
    /// Squared planar distances: beyond the first nothing lies in the circle, up to the second
    /// everything does.
    outside: f64,
    inside: f64,
}

impl Circle {
    pub(crate) fn new(target: Target, radius_m: f64) -> Self {
        Self {
            target,
            radius_m,
            radius: Radius::new(radius_m),
            around: BoxShape::of(target.boxes_around(radius_m)),
            outside: target.outside_squared(radius_m),
            inside: target.inside_squared(radius_m),
        }
    }

    pub(crate) const fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) const fn radius_m(&self) -> f64 {
        self.radius_m
    }

    /// Everything in the circle lies in one of these boxes.
    pub(crate) fn around(&self) -> &[GridBox] {
        self.around.boxes()
    }

    pub(crate) fn contains(&self, point: GridPoint) -> bool {
        self.radius.holds(&self.target, point)
    }

    /// Tells whether nothing in a box can be in the circle, as far as the plane tells.
    pub(super) fn is_beyond(&self, bounds: &GridBox) -> bool {
        self.target.planar_squared_to(bounds) > self.outside
    }

    /// Judges a box.
    pub(super) fn relate(&self, bounds: &GridBox) -> Relation {
        if self.is_beyond(bounds) || !self.may_meet(bounds) {
            Relation::Outside
        } else if self.target.planar_squared_across(bounds) <= self.inside {
            Relation::Inside
        } else {
            Relation::Crossing
        }
    }

    /// Tells whether a box may meet a circle that reaches so near a pole, or so far, that the
    /// plane does not decide. The boxes that fill up a group of nodes are inside out, and meet
    /// nothing.
    fn may_meet(&self, bounds: &GridBox) -> bool {
        self.outside.is_finite()
            || (bounds.min_x <= bounds.max_x && self.target.lower_bound_m(bounds) <= self.radius_m)
    }
}

impl Shape for Circle {
    fn classify(&self, nodes: &BoxGroup) -> Verdicts {
        let mut verdicts = Verdicts::NONE;
        for i in bits(u64::from(self.around.classify(nodes).meets)) {
            let bounds = nodes.get(i);
            let relation = self.relate(&bounds);
            verdicts.meets |= u16::from(relation != Relation::Outside) << i;
            verdicts.inside |= u16::from(relation == Relation::Inside) << i;
        }
        verdicts
    }

    fn mask(&self, _: &GridBox, xs: &[u32], ys: &[u32]) -> u64 {
        let distances = self.target.planar_squared_of_each(xs, ys);
        let within = |squared| packed::<LEAF_ROWS>(|i| distances[i] <= squared);
        let near = within(self.outside) & mask_of_all(xs.len());
        if near == 0 {
            return 0;
        }
        let inside = within(self.inside) & near;
        bits(near & !inside)
            .filter(|&i| self.contains(GridPoint { x: xs[i], y: ys[i] }))
            .fold(inside, |mask, i| mask | 1 << i)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Dataset, Image, ImageQuery, Place};
    use tilesight_tile::LonLat;

    #[test]
    fn a_circle_around_a_pole_meets_no_box_that_is_not_there() {
        let data = Dataset::from_images([Image::at(1, 20.0, 60.0)]).unwrap();
        let near = |radius_m| Place::Near {
            target: LonLat::new(-170.0, 89.0).unwrap(),
            radius_m,
        };
        let found = |radius_m| {
            let place = near(radius_m);
            let query = ImageQuery {
                place,
                ..ImageQuery::default()
            };
            data.images(&query).unwrap().len()
        };
        assert_eq!((found(3_000_000.0), found(3_500_000.0)), (0, 1));
    }
}
