//! Shapes for property tests: awkward on purpose.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::grid::{x_of_lon, y_of_lat};
use crate::predicates::Position;
use crate::region::{Polygon, Ring};
use crate::{GridPoint, Region};

/// Regions of up to three polygons of up to three rings that cross themselves and each other at
/// will, on a coarse lattice of grid positions (so that vertices, edges and positions coincide),
/// or off it, from a few units to half the world wide, anywhere, the antimeridian and the rim of
/// the square included.
pub fn any_region() -> impl Strategy<Value = Region> {
    (any_frame(), vec(vec(any_ring(), 1..=3), 1..=3)).prop_filter_map(
        "winds around a pole",
        |(frame, polygons)| {
            let polygons: Vec<_> = polygons
                .iter()
                .map(|rings| rings.iter().map(|ring| frame.place(ring)).collect())
                .collect();
            Region::from_polygons(&polygons).ok()
        },
    )
}

/// Such regions with so many vertices that there are trees over them: each edge in pieces, straight
/// or ragged, rings drawn more than once, and polygons too.
pub fn any_large_region() -> impl Strategy<Value = Region> {
    let ragged = prop_oneof![Just(0.0), 0.0..0.2f64];
    (any_region(), 1usize..100, ragged, 1usize..4, any::<bool>()).prop_filter_map(
        "reaches too far to the east",
        |(region, pieces, ragged, laps, is_repeated)| {
            let ring = |ring: &Ring| {
                let lap = ring
                    .edges()
                    .flat_map(|edge| (0..pieces).map(move |at| along(edge, at, pieces, ragged)));
                let lap: Vec<_> = lap.collect();
                let mut ring = lap.repeat(laps);
                ring.push(ring[0]);
                ring
            };
            let polygons = region.polygons().iter();
            let polygons = polygons.map(|polygon| polygon.rings().iter().map(ring).collect());
            let mut polygons: Vec<Vec<_>> = polygons.collect();
            if is_repeated {
                polygons.extend_from_within(..);
            }
            Region::from_polygons(&polygons).ok()
        },
    )
}

/// The position where one of some pieces of an edge begins, to one side of it and the other.
fn along([a, b]: [Position; 2], at: usize, pieces: usize, ragged: f64) -> Position {
    let part = at as f64 / pieces as f64;
    let aside = if at % 2 == 1 { ragged } else { 0.0 };
    let (run, rise) = (b[0] - a[0], b[1] - a[1]);
    let lat = a[1] + part * rise + aside * run;
    [a[0] + part * run - aside * rise, lat.clamp(-90.0, 90.0)]
}

/// Positions at, beside and between the places where something happens to the region.
pub fn probes(region: &Region, offsets: &[(u16, i8, i8)]) -> Vec<GridPoint> {
    let rings = region.polygons().iter().flat_map(Polygon::rings);
    let edges: Vec<_> = rings.flat_map(Ring::edges).collect();
    let at = |&(along, east, south): &(u16, i8, i8)| {
        let [from, to] = edges[along as usize % edges.len()];
        let part = (along / 61) as f64 % 9.0 / 8.0;
        let [lon, lat] = [0, 1].map(|axis| from[axis] + (to[axis] - from[axis]) * part);
        let x = x_of_lon(lon).round() as i64;
        let y = y_of_lat(lat).round() as i64;
        GridPoint {
            x: (x + i64::from(east)) as u32,
            y: (y + i64::from(south)).clamp(0, u32::MAX.into()) as u32,
        }
    };
    offsets.iter().map(at).collect()
}

/// Offsets for [`probes`].
pub fn any_offsets() -> impl Strategy<Value = Vec<(u16, i8, i8)>> {
    let near = prop_oneof![3 => -2i8..=2, 1 => any::<i8>()];
    vec((any::<u16>(), near.clone(), near), 1..=64)
}

/// Where lattice coordinates land on the world.
#[derive(Debug, Clone)]
struct Frame {
    origin: GridPoint,
    step: u32,
    /// Moves vertices off the grid, in degrees.
    nudge: f64,
}

impl Frame {
    fn place(&self, ring: &[(u8, u8)]) -> Vec<Position> {
        let mut placed: Vec<_> = ring.iter().map(|&at| self.position(at)).collect();
        placed.push(placed[0]);
        placed
    }

    fn position(&self, (column, row): (u8, u8)) -> Position {
        let at = GridPoint {
            x: self
                .origin
                .x
                .wrapping_add(u32::from(column).wrapping_mul(self.step)),
            y: self
                .origin
                .y
                .saturating_add(u32::from(row).saturating_mul(self.step)),
        }
        .to_lon_lat();
        let lat = if row == 0 && self.origin.y == 0 {
            90.0
        } else {
            at.lat() + self.nudge
        };
        [at.lon() + self.nudge, lat.clamp(-90.0, 90.0)]
    }
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let x = prop_oneof![any::<u32>(), (-20i32..20).prop_map(|x| x as u32)];
    let y = prop_oneof![4 => any::<u32>(), 1 => Just(0), 1 => Just(u32::MAX - 40)];
    let step = prop_oneof![Just(1), Just(3), 4u32..10_000, 10_000u32..200_000_000];
    let nudge = prop_oneof![2 => Just(0.0), 1 => -1e-7..1e-7, 1 => Just(1e-13)];
    (x, y, step, nudge).prop_map(|(x, y, step, nudge)| Frame {
        origin: GridPoint { x, y },
        step,
        nudge,
    })
}

/// A ring on a lattice of 12 × 12, open; neighbours often share a row or a column.
fn any_ring() -> impl Strategy<Value = Vec<(u8, u8)>> {
    vec((0u8..12, 0u8..12), 3..14)
}
