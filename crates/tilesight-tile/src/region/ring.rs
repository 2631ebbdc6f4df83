//! Rings: closed, finite, and continuous across the antimeridian.

use std::sync::Arc;

use super::{RegionError, RegionFault};
use crate::predicates::{Edge, Position};

/// Longitudes are taken up to one whole turn either way.
const MAX_LON: f64 = 360.0;

/// A closed ring, unwrapped: its longitudes run on across the antimeridian, start within
/// −180…180 at their westernmost, and span at most 360°.
///
/// "Unwrapped" are the numbers as rounded to `f64` after whole turns have been added; they, and
/// not what was written, define the edges.
#[derive(Debug, Clone)]
pub struct Ring {
    /// Shared with what is prepared of the ring.
    vertices: Arc<Vec<Position>>,
    max_lon: f64,
}

impl Ring {
    /// Checks the positions of a ring and unwraps them.
    pub fn new(positions: &[Position], path: &str) -> Result<Self, RegionError> {
        check(positions, path)?;
        let vertices = unwrap_ring(positions).ok_or(RegionFault::WindsAroundPole.at(path))?;
        let (min_lon, max_lon) = lon_range(&vertices);
        if max_lon - min_lon > 360.0 {
            return Err(RegionFault::RingTooWide(max_lon - min_lon).at(path));
        }
        let vertices = Arc::new(vertices);
        Ok(Self { vertices, max_lon })
    }

    /// The vertices, the last equal to the first.
    pub fn vertices(&self) -> &[Position] {
        &self.vertices
    }

    pub fn edges(&self) -> impl Iterator<Item = Edge> {
        self.vertices.windows(2).map(|pair| [pair[0], pair[1]])
    }

    /// What to add to a longitude within −180…180 for the ring to be met there: nothing, and a
    /// whole turn where the ring reaches the antimeridian from the west.
    pub fn turns(&self) -> impl Iterator<Item = f64> + use<> {
        let crosses = self.max_lon >= 180.0;
        [Some(0.0), crosses.then_some(360.0)].into_iter().flatten()
    }
}

/// How an edge of exactly 360° is read.
#[derive(Clone, Copy, PartialEq)]
enum FullCircle {
    /// As a step of no length across the antimeridian.
    Crosses,
    /// As a line all around the world.
    AsDrawn,
}

fn check(positions: &[Position], path: &str) -> Result<(), RegionError> {
    for (at, &[lon, lat]) in positions.iter().enumerate() {
        let fault = if !(-MAX_LON..=MAX_LON).contains(&lon) {
            RegionFault::Longitude(lon)
        } else if !(-90.0..=90.0).contains(&lat) {
            RegionFault::Latitude {
                latitude: lat,
                swapped: lon.abs() <= 90.0 && lat.abs() <= 180.0,
            }
        } else {
            continue;
        };
        return Err(fault.at(&format!("{path}[{at}]")));
    }
    match positions {
        [_, _, _, .., _] if positions.first() == positions.last() => Ok(()),
        [first, _, _, .., last] => {
            let (first, last) = (*first, *last);
            Err(RegionFault::RingOpen { first, last }.at(path))
        }
        _ => Err(RegionFault::RingTooShort(positions.len()).at(path)),
    }
}

/// Unwraps a ring and brings its westernmost longitude to within −180…180.
///
/// Edges of 360° cross the antimeridian if that leaves the ring with an area (it was cut at both
/// 180 and −180), and are as drawn if not (it frames the world, or closes along a pole). None if
/// the ring closes either way only by running around the globe.
fn unwrap_ring(positions: &[Position]) -> Option<Vec<Position>> {
    let unwrapped = |full_circle| {
        let vertices = unwrap_from(positions, 0.0, full_circle)?;
        let (min_lon, _) = lon_range(&vertices);
        match ((min_lon + 180.0) / 360.0).floor() {
            0.0 => Some(vertices),
            turns => unwrap_from(positions, -turns, full_circle),
        }
    };
    unwrapped(FullCircle::Crosses)
        .filter(|vertices| has_area(vertices))
        .or_else(|| unwrapped(FullCircle::AsDrawn))
}

/// Adds whole turns to the longitudes, beginning with `first_turn`, so that no edge is longer
/// than 180°. None if the ring does not return to where it began.
fn unwrap_from(
    positions: &[Position],
    first_turn: f64,
    full_circle: FullCircle,
) -> Option<Vec<Position>> {
    let mut turn = first_turn;
    let mut previous = positions[0][0];
    let vertices = positions
        .iter()
        .map(|&[lon, lat]| {
            turn -= surplus_turns(lon - previous, full_circle);
            previous = lon;
            [lon + 360.0 * turn, lat]
        })
        .collect();
    (turn == first_turn).then_some(vertices)
}

/// The whole turns by which a step in longitude is too long.
fn surplus_turns(step: f64, full_circle: FullCircle) -> f64 {
    let as_drawn = full_circle == FullCircle::AsDrawn && step.abs() == 360.0;
    if step.abs() <= 180.0 || as_drawn {
        0.0
    } else {
        (step / 360.0).round()
    }
}

fn lon_range(vertices: &[Position]) -> (f64, f64) {
    vertices.iter().fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(min, max), &[lon, _]| (min.min(lon), max.max(lon)),
    )
}

/// Tells whether the ring encloses anything, by the shoelace formula around its first vertex.
fn has_area(vertices: &[Position]) -> bool {
    let [lon, lat] = vertices[0];
    let doubled: f64 = vertices
        .windows(2)
        .map(|pair| {
            let [a, b] = [pair[0], pair[1]].map(|vertex| [vertex[0] - lon, vertex[1] - lat]);
            a[0] * b[1] - b[0] * a[1]
        })
        .sum();
    doubled != 0.0
}
