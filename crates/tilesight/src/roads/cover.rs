//! Which parts of a straight piece of road images cover.

use tilesight_query::Kind;
use tilesight_tile::LonLat;

use super::RoadQuery;
use crate::plane::{Plane, Segment, dot};
use crate::shapes::Position;

/// Most that a heading along a road differs from that of the road, in degrees.
const ALONG_DEG: f64 = 45.0;

/// What matters of an image here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Camera {
    plane: Plane,
    kind: Option<Kind>,
    heading_deg: Option<f64>,
    captured_at_ms: Option<i64>,
}

impl Camera {
    pub(super) fn new(
        at: LonLat,
        kind: Option<Kind>,
        heading_deg: Option<f64>,
        captured_at_ms: Option<i64>,
    ) -> Self {
        Self {
            plane: Plane::around(at),
            kind,
            heading_deg,
            captured_at_ms,
        }
    }

    /// The part of a piece that it covers, from 0 to 1 along its length.
    fn covered(&self, ends: [Position; 2], query: &RoadQuery) -> Option<[f64; 2]> {
        let piece = self.plane.edges(&ends).next()?;
        let part = within(piece, query.within_m)?;
        (!query.heading_aware || self.looks_along(piece)).then_some(part)
    }

    /// Tells whether it looks along a piece, in either direction, rather than across it.
    fn looks_along(&self, [a, b]: Segment) -> bool {
        let direction_deg = (b[0] - a[0]).atan2(b[1] - a[1]).to_degrees();
        let aside = |heading: f64| {
            let turned = (heading - direction_deg).rem_euclid(180.0);
            turned.min(180.0 - turned)
        };
        self.kind == Some(Kind::Pano)
            || (self.heading_deg).is_some_and(|heading| aside(heading) <= ALONG_DEG)
    }
}

/// The part of a segment that lies within a distance of the origin: where |a + t·(b − a)|² is at
/// most that squared.
fn within([a, b]: Segment, distance_m: f64) -> Option<[f64; 2]> {
    let along = [b[0] - a[0], b[1] - a[1]];
    let (square, half) = (dot(along, along), dot(a, along));
    let rest = dot(a, a) - distance_m * distance_m;
    let root = (half * half - square * rest).sqrt();
    let part = [(-half - root) / square, (-half + root) / square];
    // Also where the root is that of a negative number, or the segment has no length.
    (part[0] <= 1.0 && part[1] >= 0.0).then(|| part.map(|end| end.clamp(0.0, 1.0)))
}

/// What an image covers of a piece, from 0 to 1 along its length, and what counts of the image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    first: f64,
    last: f64,
    pub(super) kind: Option<Kind>,
    pub(super) captured_at_ms: Option<i64>,
}

/// The parts of a piece that images cover, by where they begin.
#[derive(Debug, Default)]
pub(super) struct Intervals {
    parts: Vec<Part>,
}

impl Intervals {
    /// Finds the parts of a piece that images cover.
    pub(super) fn find(&mut self, ends: [Position; 2], cameras: &[Camera], query: &RoadQuery) {
        self.parts.clear();
        let covered = |camera: &Camera| {
            let [first, last] = camera.covered(ends, query)?;
            Some(Part {
                first,
                last,
                kind: camera.kind,
                captured_at_ms: camera.captured_at_ms,
            })
        };
        self.parts.extend(cameras.iter().filter_map(covered));
        // What follows depends on the beginnings alone, so their equals may come in any order.
        self.parts
            .sort_unstable_by(|a, b| a.first.total_cmp(&b.first));
    }

    /// The share of the piece that some of the images cover together, exactly 1 for all of it.
    pub(super) fn share(&self, is_counted: impl Fn(&Part) -> bool) -> f64 {
        let mut sum = 0.0;
        let mut joined = [0.0; 2];
        for part in self.parts.iter().filter(|part| is_counted(part)) {
            if part.first > joined[1] {
                sum += joined[1] - joined[0];
                joined = [part.first, part.last];
            } else {
                joined[1] = joined[1].max(part.last);
            }
        }
        sum + (joined[1] - joined[0])
    }

    /// When the newest of the images was captured.
    pub(super) fn newest_ms(&self) -> Option<i64> {
        self.parts
            .iter()
            .filter_map(|part| part.captured_at_ms)
            .max()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn intervals(parts: &[[f64; 2]]) -> Intervals {
        let part = |&[first, last]: &[f64; 2]| Part {
            first,
            last,
            kind: None,
            captured_at_ms: None,
        };
        let mut parts: Vec<Part> = parts.iter().map(part).collect();
        parts.sort_unstable_by(|a, b| a.first.total_cmp(&b.first));
        Intervals { parts }
    }

    #[test]
    fn joined_parts_count_once() {
        let share = |parts: &[[f64; 2]]| intervals(parts).share(|_| true);
        assert_eq!(share(&[]), 0.0);
        assert_eq!(share(&[[0.0, 0.1], [0.1, 0.7], [0.3, 1.0]]), 1.0);
        assert_eq!(share(&[[0.25, 0.5], [0.25, 0.375], [0.75, 1.0]]), 0.5);
    }

    #[test]
    fn a_circle_cuts_a_line() {
        let line = [[-10.0, 3.0], [10.0, 3.0]];
        assert_eq!(within(line, 5.0), Some([0.3, 0.7]));
        assert_eq!(within(line, 3.0), Some([0.5, 0.5]));
        assert_eq!(within(line, 2.9), None);
        assert_eq!(within(line, 50.0), Some([0.0, 1.0]));
        assert_eq!(within([[4.0, 0.0], [8.0, 0.0]], 3.9), None);
        assert_eq!(within([[1.0, 0.0], [1.0, 0.0]], 3.0), None);
    }

    /// ```text
    ///        N
    ///   315  │  45      Looking within 45° of the road, which runs to the north, or back.
    ///      ╲ │ ╱
    /// ```
    #[test]
    fn looking_along_is_within_45_degrees_of_the_road() {
        let looks = |kind, heading_deg| {
            let at = LonLat::new(0.0, 0.0).unwrap();
            let road = [[0.0, -5.0], [0.0, 5.0]];
            Camera::new(at, kind, heading_deg, None).looks_along(road)
        };
        for heading in [0.0, 45.0, 315.0, 359.9, 180.0, 135.0, 225.0] {
            assert!(looks(Some(Kind::Flat), Some(heading)), "{heading}");
        }
        for heading in [46.0, 90.0, 134.0, 226.0, 270.0, 314.0] {
            assert!(!looks(Some(Kind::Flat), Some(heading)), "{heading}");
            assert!(looks(Some(Kind::Pano), Some(heading)), "{heading}");
        }
        assert!(looks(Some(Kind::Pano), None) && !looks(None, None));
        assert!(looks(None, Some(0.0)));
    }

    proptest! {
        #[test]
        fn shares_are_those_of_samples(parts in vec((0_u32..=100, 0_u32..=100), 0..12)) {
            let parts: Vec<[u32; 2]> =
                parts.into_iter().map(|(a, b)| [a.min(b), a.max(b)]).collect();
            let is_covered = |step: &u32| parts.iter().any(|[a, b]| a <= step && step < b);
            let sampled = (0..100).filter(is_covered).count();
            let hundredths = |[a, b]: &[u32; 2]| [f64::from(*a) / 100.0, f64::from(*b) / 100.0];
            let exact: Vec<[f64; 2]> = parts.iter().map(hundredths).collect();
            let share = intervals(&exact).share(|_| true);
            prop_assert!((share * 100.0 - sampled as f64).abs() < 1e-9);
        }
    }
}
