//! The share of a segment that lies near another one.

use super::frame::Metres;

/// From where to where on a segment: 0 is its beginning, 1 its end.
pub(super) type Span = [f64; 2];

/// A whole segment.
pub(super) const WHOLE: Span = [0.0, 1.0];

/// Finds the span of `segment` that is within `radius_m` of `other`, both ends included.
///
/// What is near a segment is a capsule: two discs and the rectangle between them. It is convex, so
/// a line meets it in one span, which reaches from the first to the last of those in which the
/// line meets the three.
pub(super) fn span_near(segment: [Metres; 2], other: [Metres; 2], radius_m: f64) -> Option<Span> {
    let spans = [
        span_in_disc(segment, other[0], radius_m),
        span_in_disc(segment, other[1], radius_m),
        span_beside(segment, other, radius_m),
    ];
    let spans = spans.into_iter().flatten();
    spans.reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])])
}

/// Solves |a + t·u − c|² ≤ r² for t.
fn span_in_disc([a, b]: [Metres; 2], centre: Metres, radius_m: f64) -> Option<Span> {
    let (from_centre, along) = (difference(a, centre), difference(b, a));
    let squared = dot(along, along);
    let outside = dot(from_centre, from_centre) - radius_m * radius_m;
    if squared == 0.0 {
        return (outside <= 0.0).then_some(WHOLE);
    }
    let half = dot(from_centre, along);
    let discriminant = half * half - squared * outside;
    if discriminant < 0.0 {
        return None;
    }
    let root = discriminant.sqrt();
    overlap([(-half - root) / squared, (-half + root) / squared], WHOLE)
}

/// The span that lies in the rectangle between the ends of `other`.
fn span_beside([a, b]: [Metres; 2], [c, d]: [Metres; 2], radius_m: f64) -> Option<Span> {
    let axis = difference(d, c);
    let length = dot(axis, axis).sqrt();
    if length == 0.0 {
        return None;
    }
    let unit = axis.map(|metres| metres / length);
    let normal = [-unit[1], unit[0]];
    let (start, whole) = (difference(a, c), difference(b, a));
    let between_ends = span_within(dot(start, unit), dot(whole, unit), [0.0, length])?;
    let beside = span_within(
        dot(start, normal),
        dot(whole, normal),
        [-radius_m, radius_m],
    )?;
    overlap(between_ends, beside)
}

/// Solves low ≤ start + t·slope ≤ high for t.
fn span_within(start: f64, slope: f64, [low, high]: [f64; 2]) -> Option<Span> {
    if slope == 0.0 {
        return (low <= start && start <= high).then_some(WHOLE);
    }
    let (enters, leaves) = ((low - start) / slope, (high - start) / slope);
    overlap([enters.min(leaves), enters.max(leaves)], WHOLE)
}

fn overlap(a: Span, b: Span) -> Option<Span> {
    let [from, to] = [a[0].max(b[0]), a[1].min(b[1])];
    (from <= to).then_some([from, to])
}

/// Finds what spans leave of a segment, in order; ends that they share with it belong to them.
pub(super) fn left_by(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let (mut left, mut at) = (Vec::new(), 0.0);
    for [from, to] in spans {
        if from > at {
            left.push([at, from]);
        }
        at = to.max(at);
    }
    if at < 1.0 {
        left.push([at, 1.0]);
    }
    left
}

fn difference(a: Metres, b: Metres) -> Metres {
    [a[0] - b[0], a[1] - b[1]]
}

fn dot(a: Metres, b: Metres) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_of_simple_scenes() {
        let street = [[0.0, 0.0], [100.0, 0.0]];
        let near = |segment| span_near(segment, street, 10.0);
        assert_eq!(near([[20.0, 5.0], [30.0, 5.0]]), Some(WHOLE), "beside");
        assert_eq!(near([[20.0, 11.0], [30.0, 11.0]]), None, "too far");
        assert_eq!(
            near([[50.0, -20.0], [50.0, 20.0]]),
            Some([0.25, 0.75]),
            "across"
        );
        assert_eq!(
            near([[90.0, 0.0], [130.0, 0.0]]),
            Some([0.0, 0.5]),
            "beyond the end"
        );
        assert_eq!(
            near([[110.0, 0.0], [110.0, 0.0]]),
            Some(WHOLE),
            "a point on the edge"
        );
        assert_eq!(
            near([[111.0, 0.0], [111.0, 0.0]]),
            None,
            "a point beyond it"
        );
        let point = [[5.0, 5.0], [5.0, 5.0]];
        assert_eq!(
            span_near([[5.0, -15.0], [5.0, 25.0]], point, 10.0),
            Some([0.25, 0.75])
        );
    }

    #[test]
    fn what_is_left() {
        assert_eq!(left_by(vec![]), [WHOLE]);
        assert_eq!(left_by(vec![WHOLE]), [WHOLE; 0]);
        assert_eq!(
            left_by(vec![[0.5, 0.75], [0.0, 0.25]]),
            [[0.25, 0.5], [0.75, 1.0]]
        );
        assert_eq!(left_by(vec![[0.0, 0.5], [0.25, 0.375]]), [[0.5, 1.0]]);
    }

    fn distance_m(position: Metres, [from, to]: [Metres; 2]) -> f64 {
        let axis = difference(to, from);
        let share = match dot(axis, axis) {
            0.0 => 0.0,
            squared => (dot(difference(position, from), axis) / squared).clamp(0.0, 1.0),
        };
        let nearest = [from[0] + share * axis[0], from[1] + share * axis[1]];
        let [x, y] = difference(position, nearest);
        x.hypot(y)
    }

    fn metres() -> impl Strategy<Value = Metres> {
        [-20_i32..20, -20_i32..20].prop_map(|at| at.map(f64::from))
    }

    proptest! {
        /// A position is in the span if and only if it is near.
        #[test]
        fn spans_are_what_is_near(a in metres(), b in metres(), c in metres(), d in metres(), radius in 1.0..20.0_f64) {
            let span = span_near([a, b], [c, d], radius);
            for step in 0..=100 {
                let t = f64::from(step) / 100.0;
                let at = [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
                let excess = distance_m(at, [c, d]) - radius;
                let is_inside = span.is_some_and(|[from, to]| from <= t && t <= to);
                prop_assert!(excess.abs() < 1e-9 || is_inside == (excess < 0.0), "{t} {span:?}");
            }
        }
    }
}
