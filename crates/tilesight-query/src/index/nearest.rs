//! Distances on the sphere decided in grid units, and the best-first search for the nearest.
//!
//! Moving a distance δ (in radians) from latitude φ₀ changes the Mercator position by most when
//! it leads straight to the nearer pole, and by least straight to the equator. With
//! ψ(φ) = asinh(tan φ) that bounds the great-circle distance by the planar one on the grid:
//! what lies farther than ψ(|φ₀|+δ) − ψ(|φ₀|) on the plane lies farther than δ on the sphere, and
//! what lies within ψ(|φ₀|) − ψ(|φ₀|−δ) lies within δ. Trigonometry is left for the ring between.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::f64::consts::{FRAC_PI_2, TAU};
use std::ops::Range;

use tilesight_tile::{EARTH_RADIUS_M, GridBox, GridPoint, LonLat, haversine_m};

use super::search::{Match, RowFilter, bits, mask_of};
use super::tree::{BoxGroup, PackedTree, Summary};
use super::{FANOUT, LEAF_ROWS};
use crate::error::Error;
use crate::storage::Touch;

/// Grid units in a radian of longitude.
const UNITS_PER_RADIAN: f64 = 4_294_967_296.0 / TAU;

/// Covers the rounding of the target to the grid, and more than that of the arithmetic.
const SLACK_UNITS: f64 = 4.0;

/// Relative error of the bounds, far above that of the arithmetic.
const SLACK: f64 = 1e-9;

/// Just within the Mercator square, whose edges lie at atan(sinh π).
const MAX_LATITUDE: f64 = 1.484_422_229;

/// Planar distances above this are never trusted to mean inside: the other way round the world
/// might be meant.
const MAX_INSIDE_UNITS: f64 = 536_870_912.0;

/// A position from which distances are measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    position: LonLat,
    point: GridPoint,
    /// |φ₀| in radians.
    latitude: f64,
    /// ψ(|φ₀|).
    ordinate: f64,
}

/// A row and where it lies from the target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit {
    pub(crate) row: u32,
    pub(crate) distance_m: f64,
    /// Bearing from the row to the target and its difference from the heading, in degrees.
    pub(crate) sight: Option<Sight>,
}

/// How an image sees a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sight {
    pub(crate) bearing_deg: f64,
    pub(crate) offset_deg: Option<f64>,
}

impl Target {
    pub(crate) fn new(position: LonLat) -> Self {
        let latitude = position.lat().to_radians().abs();
        Self {
            position,
            point: GridPoint::nearest_to(position),
            latitude,
            ordinate: mercator(latitude),
        }
    }

    pub(crate) const fn position(&self) -> LonLat {
        self.position
    }

    /// The grid position nearest to the target.
    pub(crate) const fn point(&self) -> GridPoint {
        self.point
    }

    /// Great-circle distance to a grid position in metres: what every bound here is a bound of.
    pub(crate) fn distance_m(&self, point: GridPoint) -> f64 {
        haversine_m(self.position, point.to_lon_lat())
    }

    /// Square of the planar distance to a position in grid units, the shorter way round.
    #[inline]
    pub(crate) fn planar_squared(&self, x: u32, y: u32) -> f64 {
        let dx = f64::from(wrapped_distance(x, self.point.x));
        let dy = f64::from(y.abs_diff(self.point.y));
        dx * dx + dy * dy
    }

    /// Square of the planar distance to the nearest position of a box.
    #[inline]
    pub(crate) fn planar_squared_to(&self, b: &GridBox) -> f64 {
        let GridPoint { x, y } = self.point;
        let outside_x = b.min_x.wrapping_sub(x).min(x.wrapping_sub(b.max_x));
        let dx = if b.min_x <= x && x <= b.max_x {
            0
        } else {
            outside_x
        };
        let dy = b.min_y.saturating_sub(y).max(y.saturating_sub(b.max_y));
        let (dx, dy) = (f64::from(dx), f64::from(dy));
        dx * dx + dy * dy
    }

    /// Square of the planar distance to the farthest position of a box; infinite where the box
    /// goes more than half around the world.
    #[inline]
    pub(crate) fn planar_squared_across(&self, b: &GridBox) -> f64 {
        let GridPoint { x, y } = self.point;
        if b.max_x.wrapping_sub(b.min_x) >= 1 << 31 {
            return f64::INFINITY;
        }
        let dx = f64::from(wrapped_distance(b.min_x, x).max(wrapped_distance(b.max_x, x)));
        let dy = f64::from(b.min_y.abs_diff(y).max(b.max_y.abs_diff(y)));
        dx * dx + dy * dy
    }

    /// Squared planar distance beyond which everything lies farther than `distance_m`; infinite
    /// when the pole is as near.
    pub(crate) fn outside_squared(&self, distance_m: f64) -> f64 {
        squared_with_slack(self.reach_units(distance_m))
    }

    /// How far on the plane a distance can lead, in grid units.
    fn reach_units(&self, distance_m: f64) -> f64 {
        let reach = self.latitude + distance_m / EARTH_RADIUS_M;
        // Also true of an infinite distance.
        if reach >= FRAC_PI_2 - SLACK {
            return f64::INFINITY;
        }
        (mercator(reach) - self.ordinate) * UNITS_PER_RADIAN
    }

    /// Squared planar distance up to which everything lies within `distance_m`; negative when
    /// nothing is certain.
    pub(crate) fn inside_squared(&self, distance_m: f64) -> f64 {
        // Off the square the target is farther away than its grid position.
        if self.latitude >= MAX_LATITUDE {
            return -1.0;
        }
        let reach = self.latitude - distance_m / EARTH_RADIUS_M;
        // Beyond the equator a radian of latitude is at least one of Mercator.
        let lowest = if reach >= 0.0 { mercator(reach) } else { reach };
        let units = (self.ordinate - lowest) * UNITS_PER_RADIAN;
        let units = (units * (1.0 - SLACK) - SLACK_UNITS).min(MAX_INSIDE_UNITS);
        if units <= 0.0 { -1.0 } else { units * units }
    }

    /// Boxes that hold every position within a distance: two across the antimeridian, else one,
    /// of the whole world where the plane does not decide.
    pub(crate) fn boxes_around(&self, distance_m: f64) -> Vec<GridBox> {
        let units = self.outside_squared(distance_m).sqrt().ceil();
        if units >= MAX_INSIDE_UNITS {
            return vec![GridBox::WORLD];
        }
        let (GridPoint { x, y }, units) = (self.point, units as u32);
        let (min_y, max_y) = (y.saturating_sub(units), y.saturating_add(units));
        let columns = match (x.checked_sub(units), x.checked_add(units)) {
            (Some(west), Some(east)) => vec![(west, east)],
            _ => vec![
                (x.wrapping_sub(units), u32::MAX),
                (0, x.wrapping_add(units)),
            ],
        };
        let boxed = |(min_x, max_x)| GridBox {
            min_x,
            min_y,
            max_x,
            max_y,
        };
        columns.into_iter().map(boxed).collect()
    }

    /// A distance that nothing in a box is nearer than, in metres. Costs trigonometry, and holds
    /// around the poles too, where the planar bounds give up.
    pub(crate) fn lower_bound_m(&self, b: &GridBox) -> f64 {
        let northwest = GridPoint {
            x: b.min_x,
            y: b.min_y,
        }
        .to_lon_lat();
        let southeast = GridPoint {
            x: b.max_x,
            y: b.max_y,
        }
        .to_lon_lat();
        let (south, north) = (southeast.lat(), northwest.lat());
        let lat = self.position.lat();
        let in_columns = b.min_x <= self.point.x && self.point.x <= b.max_x;
        let bound = if in_columns {
            let degrees = (south - lat).max(lat - north).max(0.0);
            degrees.to_radians() * EARTH_RADIUS_M
        } else {
            let to_meridian = |lon| self.distance_to_meridian_m(lon, south, north);
            to_meridian(northwest.lon()).min(to_meridian(southeast.lon()))
        };
        // The target may lie up to half a unit, 5 mm, beside its grid position.
        (bound * (1.0 - SLACK) - 0.1).max(0.0)
    }

    /// Distance to the part of a meridian between two latitudes.
    fn distance_to_meridian_m(&self, lon: f64, south: f64, north: f64) -> f64 {
        let dlon = (lon - self.position.lon()).to_radians();
        let lat = self.position.lat().to_radians();
        let (south, north) = (south.to_radians(), north.to_radians());
        // Cosine of the central angle to latitude t is a·sin t + b·cos t.
        let (a, b) = (lat.sin(), lat.cos() * dlon.cos());
        let nearest = a.atan2(b).clamp(south, north);
        // Where the summit lies on the far half of the circle, an end of the arc is nearest.
        let cosine_at = |t: f64| a * t.sin() + b * t.cos();
        let cosine = cosine_at(nearest)
            .max(cosine_at(south))
            .max(cosine_at(north));
        // Near the target the arccosine is too coarse to be a bound; the chord is not.
        let chord_squared = (2.0 - 2.0 * cosine - 1e-14).max(0.0);
        2.0 * EARTH_RADIUS_M * (chord_squared.sqrt() / 2.0).min(1.0).asin()
    }
}

fn squared_with_slack(units: f64) -> f64 {
    (units * (1.0 + SLACK) + SLACK_UNITS).powi(2)
}

/// ψ(φ), the Mercator ordinate of a latitude, both in radians.
fn mercator(latitude: f64) -> f64 {
    latitude.tan().asinh()
}

/// Distance between two columns the shorter way round the world.
#[inline]
const fn wrapped_distance(a: u32, b: u32) -> u32 {
    (a.wrapping_sub(b) as i32).unsigned_abs()
}

/// Rows of a table as the nearest search reads them.
#[derive(Clone, Copy)]
pub(crate) struct Points<'a> {
    pub(crate) xs: &'a [u32],
    pub(crate) ys: &'a [u32],
    pub(crate) ids: &'a [i64],
    /// The table they are columns of.
    pub(crate) table: &'a dyn Touch,
}

impl Points<'_> {
    /// Makes sure that some rows may be read.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when they lie in a damaged block of a file.
    #[inline]
    pub(crate) fn touch(&self, rows: Range<usize>) -> Result<(), Error> {
        self.table.touch(rows)
    }

    pub(crate) fn at(&self, row: u32) -> GridPoint {
        GridPoint {
            x: self.xs[row as usize],
            y: self.ys[row as usize],
        }
    }
}

/// Finds the `k` rows nearest to a target among those that pass a filter and lie within
/// `radius_m`, by (distance, id).
pub(crate) fn nearest<S: Summary>(
    tree: &PackedTree<S>,
    points: Points<'_>,
    target: &Target,
    k: usize,
    radius_m: f64,
    filter: &impl RowFilter<S>,
) -> Result<Vec<Hit>, Error> {
    let may_pass = |summary: &S| filter.classify(summary) != Match::None;
    nearest_entries(tree, target, k, radius_m, may_pass, |leaf, best| {
        let rows = leaf * LEAF_ROWS..((leaf + 1) * LEAF_ROWS).min(points.xs.len());
        points.touch(rows.clone())?;
        best.take_rows(points, rows, filter);
        Ok(())
    })
}

/// Offers the entries of a tree, nearest first, until none that is left can be among the `k`
/// best within `radius_m`. `take` is given each entry to offer what it holds.
pub(crate) fn nearest_entries<S: Summary>(
    tree: &PackedTree<S>,
    target: &Target,
    k: usize,
    radius_m: f64,
    may_pass: impl Fn(&S) -> bool,
    mut take: impl FnMut(usize, &mut Best<'_>) -> Result<(), Error>,
) -> Result<Vec<Hit>, Error> {
    let mut best = Best::new(target, k, radius_m);
    let mut open = Frontier::new();
    open.push_group(tree, target, tree.height() - 1, 0, best.outside)?;
    while let Some((level, node)) = open.pop_within(best.outside) {
        if best.is_beyond(&tree.bounds(level, node)) || !may_pass(tree.summary(level, node)) {
            continue;
        }
        if level > 0 {
            open.push_group(tree, target, level - 1, node, best.outside)?;
        } else {
            take(node, &mut best)?;
        }
    }
    Ok(best.into_hits())
}

/// The nodes still to be looked at, nearest on the plane first.
struct Frontier {
    /// Squared distances by their bits, levels, nodes.
    heap: BinaryHeap<Reverse<(u64, u32, u32)>>,
}

impl Frontier {
    fn new() -> Self {
        Self {
            heap: BinaryHeap::with_capacity(4 * FANOUT),
        }
    }

    fn push_group<S: Summary>(
        &mut self,
        tree: &PackedTree<S>,
        target: &Target,
        level: usize,
        group: usize,
        outside: f64,
    ) -> Result<(), Error> {
        let boxes: BoxGroup<'_> = tree.group(level, group)?;
        for i in 0..tree.nodes_in_group(level, group) {
            let distance = target.planar_squared_to(&boxes.get(i));
            if distance <= outside {
                // Floats that are not negative order as their bits do.
                let node = (group * FANOUT + i) as u32;
                self.heap
                    .push(Reverse((distance.to_bits(), level as u32, node)));
            }
        }
        Ok(())
    }

    fn pop_within(&mut self, outside: f64) -> Option<(usize, usize)> {
        let Reverse((distance, level, node)) = self.heap.pop()?;
        (f64::from_bits(distance) <= outside).then_some((level as usize, node as usize))
    }
}

/// The best rows so far.
pub(crate) struct Best<'a> {
    target: &'a Target,
    k: usize,
    /// Worst on top, by the bits of the distance, then id.
    heap: BinaryHeap<(u64, i64, u32)>,
    /// Nothing farther than this can be among the best.
    worst_m: f64,
    /// The same on the plane, squared.
    outside: f64,
    scale: Scale,
    /// Rows of one leaf with their squared planar distances by their bits.
    near: Vec<(u64, u32)>,
}

/// How many grid units a metre is at most, up to some distance.
///
/// The plane's scale grows polewards, so this holds for every shorter distance too; it is close
/// for those that are not much shorter.
struct Scale {
    up_to_m: f64,
    units_a_metre: f64,
}

impl Scale {
    fn new(target: &Target, up_to_m: f64) -> Self {
        Self {
            up_to_m,
            units_a_metre: target.reach_units(up_to_m) / up_to_m,
        }
    }
}

impl<'a> Best<'a> {
    fn new(target: &'a Target, k: usize, radius_m: f64) -> Self {
        let outside = if k == 0 {
            -1.0
        } else {
            target.outside_squared(radius_m)
        };
        Self {
            target,
            k,
            heap: BinaryHeap::new(),
            worst_m: radius_m,
            outside,
            scale: Scale {
                up_to_m: f64::INFINITY,
                units_a_metre: f64::INFINITY,
            },
            near: Vec::with_capacity(LEAF_ROWS),
        }
    }

    /// Tells whether all of a box is too far, where the planar bound cannot.
    fn is_beyond(&self, bounds: &GridBox) -> bool {
        self.outside.is_infinite()
            && self.worst_m.is_finite()
            && self.target.lower_bound_m(bounds) > self.worst_m
    }

    fn take_rows<S>(&mut self, points: Points<'_>, rows: Range<usize>, filter: &impl RowFilter<S>) {
        let (xs, ys) = (&points.xs[rows.clone()], &points.ys[rows.clone()]);
        let outside = self.outside;
        let mut near = mask_of(xs.len(), |i| {
            self.target.planar_squared(xs[i], ys[i]) <= outside
        });
        if near != 0 {
            near &= filter.mask(rows.clone());
        }
        self.near.clear();
        self.near.extend(bits(near).map(|i| {
            let planar = self.target.planar_squared(xs[i], ys[i]);
            (planar.to_bits(), (rows.start + i) as u32)
        }));
        self.take_near(points);
    }

    /// Measures the rows that are nearest on the plane first, so that those beyond the best need
    /// no trigonometry.
    fn take_near(&mut self, points: Points<'_>) {
        let mut near = std::mem::take(&mut self.near);
        let room = self.k - self.heap.len();
        if room == 0 {
            near.sort_unstable();
        } else if near.len() > room {
            near.select_nth_unstable(room - 1);
        }
        for &(planar, row) in &near {
            if f64::from_bits(planar) <= self.outside {
                let distance_m = self.target.distance_m(points.at(row));
                self.offer(distance_m, points.ids[row as usize], row);
            }
        }
        self.near = near;
    }

    /// Keeps a row if it is among the best; rows as far as each other rank by `id`.
    pub(crate) fn offer(&mut self, distance_m: f64, id: i64, row: u32) {
        if distance_m > self.worst_m {
            return;
        }
        let candidate = (distance_m.to_bits(), id, row);
        if self.heap.len() < self.k {
            self.heap.push(candidate);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && candidate < *worst
        {
            *worst = candidate;
        }
        if self.heap.len() == self.k
            && let Some(&(worst, ..)) = self.heap.peek()
        {
            let worst_m = f64::from_bits(worst);
            if worst_m < self.worst_m {
                self.narrow(worst_m);
            }
        }
    }

    /// Lowers the distance that is too far.
    fn narrow(&mut self, worst_m: f64) {
        // Below a metre the scale changes no more.
        let up_to_m = worst_m.max(1.0);
        if up_to_m < self.scale.up_to_m / 2.0 {
            self.scale = Scale::new(self.target, up_to_m);
        }
        self.worst_m = worst_m;
        self.outside = squared_with_slack(worst_m * self.scale.units_a_metre);
    }

    fn into_hits(self) -> Vec<Hit> {
        let hit = |(distance, _, row)| Hit {
            row,
            distance_m: f64::from_bits(distance),
            sight: None,
        };
        self.heap.into_sorted_vec().into_iter().map(hit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn anywhere() -> impl Strategy<Value = LonLat> {
        (-180.0..=180.0f64, -90.0..=90.0f64).prop_map(|(lon, lat)| LonLat::new(lon, lat).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn planar_bounds_hold(target in anywhere(), near: bool, dx: u32, dy: i32, scale in 0u32..31, radius in 0.0..2e7f64) {
            let target = Target::new(target);
            let shift = if near { scale } else { 0 };
            let point = GridPoint {
                x: target.point.x.wrapping_add_signed(dx as i32 >> shift),
                y: target.point.y.saturating_add_signed(dy >> shift),
            };
            let planar = target.planar_squared(point.x, point.y);
            let distance = target.distance_m(point);
            for radius in [radius, distance, distance * (1.0 + 1e-6), distance * (1.0 - 1e-6)] {
                if planar > target.outside_squared(radius) {
                    prop_assert!(distance > radius, "{distance} > {radius}");
                }
                if planar <= target.inside_squared(radius) {
                    prop_assert!(distance <= radius, "{distance} <= {radius}");
                }
                let scale = Scale::new(&target, radius.max(1.0) * 2.0);
                if planar > squared_with_slack(radius * scale.units_a_metre) {
                    prop_assert!(distance > radius, "{distance} > {radius} by scale");
                }
            }
        }

        #[test]
        fn box_bounds_hold(target in anywhere(), a: (u32, u32), b: (u32, u32), at: (u32, u32)) {
            let target = Target::new(target);
            let bounds = GridBox {
                min_x: a.0.min(b.0), max_x: a.0.max(b.0), min_y: a.1.min(b.1), max_y: a.1.max(b.1),
            };
            let within = |v: u32, min: u32, max: u32| min + ((u64::from(v) * u64::from(max - min)) >> 32) as u32;
            let point = GridPoint {
                x: within(at.0, bounds.min_x, bounds.max_x),
                y: within(at.1, bounds.min_y, bounds.max_y),
            };
            let planar = target.planar_squared(point.x, point.y);
            prop_assert!(target.planar_squared_to(&bounds) <= planar);
            prop_assert!(target.lower_bound_m(&bounds) <= target.distance_m(point));
            if target.planar_squared_across(&bounds) <= MAX_INSIDE_UNITS.powi(2) {
                prop_assert!(planar <= target.planar_squared_across(&bounds));
            }
        }
    }
}
