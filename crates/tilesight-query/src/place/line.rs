//! Places as they meet lines. Lines, like the edges of regions, are straight in degrees.

use tilesight_tile::{Bbox, GridBox, GridPoint, LonLat, Relation, haversine_m};

use super::{BoxShape, Circle, RegionShape};
use crate::index::{BoxGroup, FANOUT, Shape, Verdicts};

/// A place that lines can pass through.
pub(crate) trait LineShape {
    /// Judges the boxes around sixteen lines: what lies inside meets the place.
    fn classify(&self, boxes: &BoxGroup) -> Verdicts;

    /// Judges the box around one line.
    fn relate(&self, bounds: &GridBox) -> Relation;

    /// Tells whether a position lies in the place.
    fn contains(&self, point: GridPoint) -> bool;

    /// Tells whether any part of a segment lies in the place.
    fn meets_segment(&self, a: GridPoint, b: GridPoint) -> bool;
}

/// A box. Lines may pass between the grid positions of one that is thinner than the grid, such
/// as a gate drawn across a road, so degrees decide.
pub(crate) struct LineBox {
    bbox: Bbox,
    shape: BoxShape,
    /// Every position within a unit of the box, and a few more.
    around: BoxShape,
}

impl LineBox {
    /// Of a box and its positions on the grid.
    pub(crate) fn new(bbox: &Bbox, shape: &BoxShape) -> Self {
        Self {
            bbox: *bbox,
            shape: shape.clone(),
            around: shape.widened().unwrap_or_else(|| BoxShape::around(bbox)),
        }
    }
}

impl LineShape for LineBox {
    fn classify(&self, boxes: &BoxGroup) -> Verdicts {
        let inside = self.shape.classify(boxes).inside;
        Verdicts {
            meets: self.around.classify(boxes).meets,
            inside,
        }
    }

    fn relate(&self, bounds: &GridBox) -> Relation {
        if !self.around.intersects(bounds) {
            Relation::Outside
        } else if self.shape.covers(bounds) {
            Relation::Inside
        } else {
            Relation::Crossing
        }
    }

    fn contains(&self, point: GridPoint) -> bool {
        self.shape.contains(point)
    }

    fn meets_segment(&self, a: GridPoint, b: GridPoint) -> bool {
        // An end inside settles it without a conversion to degrees.
        self.around.intersects(&box_around(a, b))
            && (self.contains(a) || self.contains(b) || self.bbox.meets_segment(a, b))
    }
}

impl LineShape for RegionShape {
    fn classify(&self, boxes: &BoxGroup) -> Verdicts {
        let mut verdicts = Shape::classify(self, boxes);
        // Lines may meet it between the grid positions, where it is thin.
        for i in 0..FANOUT {
            let meets = verdicts.meets >> i & 1 == 1 || self.region().meets_box(&boxes.get(i));
            verdicts.meets |= u16::from(meets) << i;
        }
        verdicts
    }

    fn relate(&self, bounds: &GridBox) -> Relation {
        match self.region().relate(bounds) {
            Relation::Outside if self.region().meets_box(bounds) => Relation::Crossing,
            relation => relation,
        }
    }

    fn contains(&self, point: GridPoint) -> bool {
        self.region().contains(point)
    }

    fn meets_segment(&self, a: GridPoint, b: GridPoint) -> bool {
        self.region().meets_segment(a, b)
    }
}

impl LineShape for Circle {
    fn classify(&self, boxes: &BoxGroup) -> Verdicts {
        Shape::classify(self, boxes)
    }

    fn relate(&self, bounds: &GridBox) -> Relation {
        Self::relate(self, bounds)
    }

    fn contains(&self, point: GridPoint) -> bool {
        Self::contains(self, point)
    }

    fn meets_segment(&self, a: GridPoint, b: GridPoint) -> bool {
        !self.is_beyond(&box_around(a, b))
            && distance_to_segment_m(self.target().position(), a, b) <= self.radius_m()
    }
}

fn box_around(a: GridPoint, b: GridPoint) -> GridBox {
    GridBox {
        min_x: a.x.min(b.x),
        min_y: a.y.min(b.y),
        max_x: a.x.max(b.x),
        max_y: a.y.max(b.y),
    }
}

/// Measures the haversine distance from a target to a segment in metres: to the position on it
/// that is nearest on the plane that touches the globe at the target.
pub(crate) fn distance_to_segment_m(target: LonLat, a: GridPoint, b: GridPoint) -> f64 {
    let (a, b) = (a.to_lon_lat(), b.to_lon_lat());
    let shrink = target.lat().to_radians().cos();
    let east = |at: LonLat| wrapped_deg(at.lon() - target.lon()) * shrink;
    let north = |at: LonLat| at.lat() - target.lat();
    let (dx, dy) = (east(b) - east(a), north(b) - north(a));
    let squared = dx * dx + dy * dy;
    let along = if squared > 0.0 {
        -(east(a) * dx + north(a) * dy) / squared
    } else {
        0.0
    };
    let along = along.clamp(0.0, 1.0);
    let between = |a: f64, b: f64| if along == 1.0 { b } else { a + along * (b - a) };
    LonLat::new(between(a.lon(), b.lon()), between(a.lat(), b.lat()))
        .map_or(f64::INFINITY, |nearest| haversine_m(target, nearest))
}

/// A difference of longitudes, the shorter way round.
fn wrapped_deg(degrees: f64) -> f64 {
    degrees - 360.0 * (degrees / 360.0).round()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(lon: f64, lat: f64) -> GridPoint {
        GridPoint::nearest_to(LonLat::new(lon, lat).unwrap())
    }

    #[track_caller]
    fn check_distance(target: (f64, f64), a: GridPoint, b: GridPoint, expected: LonLat) {
        let target = LonLat::new(target.0, target.1).unwrap();
        let distance = distance_to_segment_m(target, a, b);
        assert!(
            (distance - haversine_m(target, expected)).abs() < 0.01,
            "{distance}"
        );
    }

    #[test]
    fn the_nearest_position_may_be_an_end_or_between() {
        let (a, b) = (at(24.0, 60.0), at(24.01, 60.0));
        check_distance((23.99, 60.0), a, b, a.to_lon_lat());
        check_distance((24.02, 60.001), a, b, b.to_lon_lat());
        check_distance((24.004, 60.002), a, b, LonLat::new(24.004, 60.0).unwrap());
        check_distance((24.004, 60.002), a, a, a.to_lon_lat());
    }

    #[test]
    fn distances_reach_across_the_antimeridian() {
        let (a, b) = (at(-179.99, 0.0), at(-179.98, 0.0));
        check_distance((179.99, 0.0), a, b, a.to_lon_lat());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        /// Boxes as thin as a fraction of a unit among segments of some units.
        #[test]
        fn integers_pass_on_every_segment_that_meets_a_box(
            corner: (u32, u32), size in (0.0..4.0f64, 0.0..4.0f64), offset in (0.0..1.0f64, 0.0..1.0f64),
            a in (-4i32..8, -4i32..8), b in (-4i32..8, -4i32..8),
        ) {
            let units_deg = 360.0 / 4_294_967_296.0;
            let corner = GridPoint { x: corner.0 % 0xFFFF_FF00 + 16, y: corner.1 % 0x8000_0000 + 0x4000_0000 };
            let west = corner.to_lon_lat().lon() + offset.0 * units_deg;
            let north = corner.to_lon_lat().lat() - offset.1 * units_deg;
            let (east, south) = (west + size.0 * units_deg, north - size.1 * units_deg);
            let bbox = Bbox::from_degrees(west, south, east, north).unwrap();
            let at = |(dx, dy): (i32, i32)| GridPoint {
                x: corner.x.wrapping_add_signed(dx), y: corner.y.wrapping_add_signed(dy),
            };
            prop_assert_eq!(LineBox::new(&bbox, &BoxShape::new(&bbox)).meets_segment(at(a), at(b)), bbox.meets_segment(at(a), at(b)));
        }
    }
}
