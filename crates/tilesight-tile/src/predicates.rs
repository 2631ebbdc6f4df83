//! The exact predicates on which every answer about a region rests.
//!
//! They take degrees as they are and decide without rounding, by Shewchuk's adaptive arithmetic.

use robust::{Coord, orient2d};

/// Longitude and latitude in degrees; the longitude may lie beyond ±180 where a ring does.
pub type Position = [f64; 2];

/// The two ends of a straight edge in degrees.
pub type Edge = [Position; 2];

/// Where a position lies relative to an edge that its parallel crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    West,
    On,
    East,
}

/// What a ray from a position due west does at an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ray {
    Misses,
    Crosses,
    /// The position itself lies on the edge.
    Starts,
}

/// Tells on which side of an edge a position lies whose latitude is within the edge's; the edge
/// must not be horizontal.
pub fn side_of([a, b]: Edge, position: Position) -> Side {
    let (south, north) = if a[1] < b[1] { (a, b) } else { (b, a) };
    let turn = orientation(south, north, position);
    if turn > 0.0 {
        Side::West
    } else if turn < 0.0 {
        Side::East
    } else {
        Side::On
    }
}

/// Follows a ray from a position due west to an edge. An edge reaches from its southern end up
/// to, but without, its northern end, so a ray through a vertex counts the ring once or twice,
/// as it should.
pub fn cast_ray([a, b]: Edge, position: Position) -> Ray {
    if is_on([a, b], position) {
        Ray::Starts
    } else if (a[1] > position[1]) != (b[1] > position[1])
        && side_of([a, b], position) == Side::East
    {
        Ray::Crosses
    } else {
        Ray::Misses
    }
}

/// Tells whether an edge and a box share a position, boundaries included.
pub fn meets_box([a, b]: Edge, [southwest, northeast]: [Position; 2]) -> bool {
    let apart = |axis: usize| {
        a[axis].max(b[axis]) < southwest[axis] || a[axis].min(b[axis]) > northeast[axis]
    };
    if apart(0) || apart(1) {
        return false;
    }
    let corners = [
        southwest,
        [northeast[0], southwest[1]],
        northeast,
        [southwest[0], northeast[1]],
    ];
    let turns = corners.map(|corner| orientation(a, b, corner));
    !(turns.iter().all(|&turn| turn > 0.0) || turns.iter().all(|&turn| turn < 0.0))
}

/// Tells whether two segments share a position, ends included.
pub fn segments_meet([a, b]: Edge, [c, d]: Edge) -> bool {
    let apart = |axis: usize| {
        a[axis].max(b[axis]) < c[axis].min(d[axis]) || c[axis].max(d[axis]) < a[axis].min(b[axis])
    };
    let separates = |[a, b]: Edge, [c, d]: Edge| {
        let (left, right) = (orientation(a, b, c), orientation(a, b, d));
        (left > 0.0 && right > 0.0) || (left < 0.0 && right < 0.0)
    };
    !(apart(0) || apart(1) || separates([a, b], [c, d]) || separates([c, d], [a, b]))
}

fn is_on([a, b]: Edge, position: Position) -> bool {
    let between = |axis: usize| {
        a[axis].min(b[axis]) <= position[axis] && position[axis] <= a[axis].max(b[axis])
    };
    between(0) && between(1) && orientation(a, b, position) == 0.0
}

/// Positive when a → b → c turns left, zero when it is straight.
fn orientation(a: Position, b: Position, c: Position) -> f64 {
    let [a, b, c] = [a, b, c].map(|[x, y]| Coord { x, y });
    orient2d(a, b, c)
}
