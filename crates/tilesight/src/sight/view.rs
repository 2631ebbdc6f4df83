//! Where cameras look, and what of a shape they look at.

use tilesight_query::Kind;

use crate::plane::{Plane, Segment, Vector, cross, crosses_eastward, dot, nearest_on};
use crate::shapes::Shape;

/// Keeps what lies on the edge of a view in it, in metres.
const SLACK_M: f64 = 1e-6;

/// An image within this distance of a shape stands on it, in metres: about a unit of the grid.
const TOUCH_M: f64 = 0.01;

/// Where a camera looks.
#[derive(Debug, Clone, Copy)]
pub(super) enum View {
    /// All around.
    Around,
    /// Between two directions at most half a turn apart.
    Within(Wedge),
    /// More than half a turn wide.
    Either([Wedge; 2]),
}

impl View {
    /// The view of an image; none where nobody knows its heading.
    pub(super) fn of(kind: Option<Kind>, heading_deg: Option<f64>, fov_deg: f64) -> Option<Self> {
        if kind == Some(Kind::Pano) {
            return Some(Self::Around);
        }
        let heading = heading_deg?;
        let half = fov_deg / 2.0;
        Some(if fov_deg <= 180.0 {
            Self::Within(Wedge::between(heading - half, heading + half))
        } else {
            Self::Either([
                Wedge::between(heading - half, heading),
                Wedge::between(heading, heading + half),
            ])
        })
    }

    /// The nearest point of an edge that is in view.
    fn nearest(&self, edge: Segment) -> Option<Vector> {
        let within = |wedge: &Wedge| Some(nearest_on(edge, wedge.clip(edge)?));
        match self {
            Self::Around => Some(nearest_on(edge, [0.0, 1.0])),
            Self::Within(wedge) => within(wedge),
            Self::Either(wedges) => {
                let points = wedges.iter().filter_map(within);
                points.min_by(|a, b| dot(*a, *a).total_cmp(&dot(*b, *b)))
            }
        }
    }
}

/// What lies clockwise of one direction and counterclockwise of another, at most half a turn on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wedge {
    left: Vector,
    right: Vector,
}

impl Wedge {
    /// Between two bearings in degrees.
    fn between(left_deg: f64, right_deg: f64) -> Self {
        let direction = |bearing: f64| {
            let (east, north) = bearing.to_radians().sin_cos();
            [east, north]
        };
        Self {
            left: direction(left_deg),
            right: direction(right_deg),
        }
    }

    /// The part of an edge within the wedge, as parts of its length.
    fn clip(&self, [a, b]: Segment) -> Option<[f64; 2]> {
        let whole = [0.0, 1.0];
        let part = keep(whole, cross(a, self.left), cross(b, self.left))?;
        keep(part, cross(self.right, a), cross(self.right, b))
    }
}

/// The part of a range where a function is not negative that is linear from `at_0` to `at_1`.
fn keep([first, last]: [f64; 2], at_0: f64, at_1: f64) -> Option<[f64; 2]> {
    let (at_0, at_1) = (at_0 + SLACK_M, at_1 + SLACK_M);
    let part = match (at_0 < 0.0, at_1 < 0.0) {
        (false, false) => [first, last],
        (true, true) => return None,
        (true, false) => [first.max(at_0 / (at_0 - at_1)), last],
        (false, true) => [first, last.min(at_0 / (at_0 - at_1))],
    };
    (part[0] <= part[1]).then_some(part)
}

/// What an image sees of a shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Sight {
    /// It stands on the shape.
    On,
    /// It looks at this point, the nearest in view.
    At(Vector),
}

/// What an image at the origin of a plane sees of a shape that is within a reach.
pub(super) fn sight_of(
    shape: &Shape,
    plane: Plane,
    view: Option<&View>,
    reach_m: f64,
) -> Option<Sight> {
    if is_on(shape, plane) {
        return Some(Sight::On);
    }
    let view = view?;
    let edges = shape.chains().flat_map(|chain| plane.edges(chain));
    let is_near = |edge: &Segment| {
        let point = nearest_on(*edge, [0.0, 1.0]);
        dot(point, point) <= reach_m * reach_m
    };
    let points = edges.filter(is_near).filter_map(|edge| view.nearest(edge));
    let nearest = points.min_by(|a, b| dot(*a, *a).total_cmp(&dot(*b, *b)))?;
    (dot(nearest, nearest) <= reach_m * reach_m).then_some(Sight::At(nearest))
}

/// Tells whether the origin lies in a shape or on its edge.
pub(super) fn is_on(shape: &Shape, plane: Plane) -> bool {
    let touches = |edge: Segment| {
        let point = nearest_on(edge, [0.0, 1.0]);
        dot(point, point) <= TOUCH_M * TOUCH_M
    };
    let mut polygons = shape.polygons().iter();
    polygons.any(|rings| surrounds(rings, plane))
        || shape.chains().any(|chain| plane.edges(chain).any(touches))
}

/// Tells whether the origin lies within an odd number of rings.
pub(super) fn surrounds(rings: &[Vec<[f64; 2]>], plane: Plane) -> bool {
    let edges = rings.iter().flat_map(|ring| plane.edges(ring));
    edges.filter(|&edge| crosses_eastward(edge)).count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn view(heading: f64, fov_deg: f64) -> View {
        View::of(None, Some(heading), fov_deg).unwrap()
    }

    #[track_caller]
    fn check(view: View, edge: Segment, expected: Option<Vector>) {
        let found = view.nearest(edge);
        let is_same = match (found, expected) {
            (Some(a), Some(b)) => (a[0] - b[0]).abs() < 1e-5 && (a[1] - b[1]).abs() < 1e-5,
            (a, b) => a == b,
        };
        assert!(is_same, "{found:?} instead of {expected:?}");
    }

    /// ```text
    ///   a──────────b    wall, 10 m to the north
    ///
    ///        C          camera at the origin
    /// ```
    #[test]
    fn a_wall_is_seen_as_far_as_the_view_goes() {
        let wall = [[-20.0, 10.0], [20.0, 10.0]];
        check(view(0.0, 90.0), wall, Some([0.0, 10.0]));
        // To the northeast, from north to east: still straight ahead of the wall at its edge.
        check(view(45.0, 90.0), wall, Some([0.0, 10.0]));
        // From northeast to southeast: the wall begins at the left edge of the view.
        check(view(90.0, 90.0), wall, Some([10.0, 10.0]));
        // To the east, so narrow that the wall ends before.
        check(view(90.0, 20.0), wall, None);
        check(view(180.0, 90.0), wall, None);
        // Three quarters of a turn, to the southeast: from north by south to west.
        check(view(135.0, 270.0), wall, Some([0.0, 10.0]));
        // The same to the south, where the wall is seen at both edges of the view.
        let behind = view(180.0, 270.0)
            .nearest(wall)
            .map(|[east, north]| [east.abs(), north]);
        assert!(behind.is_some_and(|[east, north]| (east - 10.0).abs() < 1e-5 && north == 10.0));
        check(view(180.0, 360.0), wall, Some([0.0, 10.0]));
        check(View::Around, wall, Some([0.0, 10.0]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn points_in_view_are_those_by_their_bearing(
            heading in 0.0..360.0_f64, fov in 1.0..=360.0_f64,
            point in [-50.0..50.0_f64, -50.0..50.0_f64],
        ) {
            let bearing = point[0].atan2(point[1]).to_degrees();
            let turned = (bearing - heading).rem_euclid(360.0);
            let offset = turned.min(360.0 - turned);
            prop_assume!((offset - fov / 2.0).abs() > 1e-3);
            let is_seen = view(heading, fov).nearest([point, point]).is_some();
            prop_assert_eq!(is_seen, offset < fov / 2.0);
        }
    }
}
