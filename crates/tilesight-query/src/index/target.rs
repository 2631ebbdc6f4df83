//! Distances on the sphere decided in grid units.
//!
//! Moving a distance δ (in radians) from latitude φ₀ changes the Mercator position by most when
//! it leads straight to the nearer pole, and by least straight to the equator. With
//! ψ(φ) = asinh(tan φ) that bounds the great-circle distance by the planar one on the grid:
//! what lies farther than ψ(|φ₀|+δ) − ψ(|φ₀|) on the plane lies farther than δ on the sphere, and
//! what lies within ψ(|φ₀|) − ψ(|φ₀|−δ) lies within δ. Trigonometry is left for the ring between.

use std::f64::consts::{FRAC_PI_2, TAU};

use tilesight_tile::{EARTH_RADIUS_M, GridBox, GridPoint, LonLat, haversine_m};

use super::tree::BoxGroup;
use super::{FANOUT, LEAF_ROWS};
use crate::storage::vectorized;

/// Grid units in a radian of longitude.
const UNITS_PER_RADIAN: f64 = 4_294_967_296.0 / TAU;

/// Radians of longitude in a grid unit.
const RADIANS_PER_UNIT: f64 = TAU / 4_294_967_296.0;

/// Covers the rounding of the target to the grid, and more than that of the arithmetic.
const SLACK_UNITS: f64 = 4.0;

/// Relative error of the bounds, far above that of the arithmetic.
const SLACK: f64 = 1e-9;

/// Just within the Mercator square, whose edges lie at atan(sinh π).
const MAX_LATITUDE: f64 = 1.484_422_229;

/// Planar distances above this are never trusted to mean inside: the other way round the world
/// might be meant.
const MAX_INSIDE_UNITS: f64 = 536_870_912.0;

/// Distances below this are bounded by the slope at their worst, which is as good there as
/// trigonometry.
const NEARBY_M: f64 = 50_000.0;

/// How far to the east or west, and to the north or south, the series of
/// [`Target::haversine`] are trusted: a sixteenth of a radian.
pub(super) const MAX_SERIES_UNITS: u32 = 42_722_829;

/// How far the square root of [`Target::haversine`] may be from that of the haversine of which
/// [`haversine_m`] takes the root: this much by the rounding of degrees…
const ROUNDING: f64 = 1e-14;

/// …and this part of it by the series, which end at a sixth power of a sixteenth.
const TRUNCATION: f64 = 1e-11;

/// A position from which distances are measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    position: LonLat,
    point: GridPoint,
    /// How far to the east of `point` the target lies, in columns.
    east_of_point: f64,
    /// The target's own row, unrounded.
    row: f64,
    /// |φ₀| in radians.
    latitude: f64,
    /// ψ(|φ₀|).
    ordinate: f64,
    /// sin φ₀ and cos φ₀.
    sine: f64,
    cosine: f64,
}

impl Target {
    pub(crate) fn new(position: LonLat) -> Self {
        let (point, [east_of_point, south_of_point]) = position.to_grid();
        let row = f64::from(point.y) + south_of_point;
        let (sine, cosine) = position.lat().to_radians().sin_cos();
        Self {
            position,
            point,
            east_of_point,
            row,
            latitude: position.lat().to_radians().abs(),
            ordinate: ((2_147_483_648.0 - row) * RADIANS_PER_UNIT).abs(),
            sine,
            cosine,
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

    /// Haversine of the angle to a grid position, nearly: it ranks positions by distance where
    /// [`Ties`] do not doubt it.
    ///
    /// With t = ψ − ψ₀ and cos φ = sech ψ, sin φ = tanh ψ, the haversine of the angle d is
    ///
    /// ```text
    /// (1 − cos d)/2 = (1 − sin φ sin φ₀ − cos φ cos φ₀ cos Δλ)/2
    ///               = sech ψ sech ψ₀ (cosh ψ cosh ψ₀ − sinh ψ sinh ψ₀ − cos Δλ)/2
    ///               = sech ψ sech ψ₀ (cosh t − cos Δλ)/2
    ///               = sech ψ sech ψ₀ (sinh²(t/2) + sin²(Δλ/2)),
    /// sech ψ        = sech ψ₀ / (cosh t + tanh ψ₀ sinh t),    cosh t = 1 + 2 sinh²(t/2).
    /// ```
    ///
    /// So near the target a few terms of three series do, and a division.
    pub(crate) fn haversine(&self, point: GridPoint) -> f64 {
        if !self.is_within_units(point, MAX_SERIES_UNITS) {
            let half_angle = self.distance_m(point) / (2.0 * EARTH_RADIUS_M);
            return half_angle.sin().powi(2);
        }
        self.haversine_by_series(point)
    }

    /// Puts the [haversines](Self::haversine) of positions into the first of `haversines`:
    /// near the target several at once.
    pub(crate) fn haversines(&self, points: &[GridPoint], haversines: &mut [f64]) {
        let is_near = |&point: &GridPoint| self.is_within_units(point, MAX_SERIES_UNITS);
        let places = points.iter().zip(haversines);
        if points.iter().fold(true, |all, point| all & is_near(point)) {
            vectorized(
                #[inline(always)]
                || places.for_each(|(&point, place)| *place = self.haversine_by_series(point)),
            );
        } else {
            places.for_each(|(&point, place)| *place = self.haversine(point));
        }
    }

    #[inline]
    fn haversine_by_series(&self, point: GridPoint) -> f64 {
        let [east, north] = self.radians_to(point);
        let (uu, vv) = (north * north, east * east);
        // Times and not divided by: a division takes as long as all else here.
        let sinh_squared = uu * 0.25 * (1.0 + uu * (1.0 / 12.0) * (1.0 + uu * (1.0 / 30.0)));
        let sin_squared = vv * 0.25 * (1.0 - vv * (1.0 / 12.0) * (1.0 - vv * (1.0 / 30.0)));
        let sinh = north * (1.0 + uu * (1.0 / 6.0) * (1.0 + uu * (1.0 / 20.0)));
        self.cosine * self.cosine * (sinh_squared + sin_squared)
            / (1.0 + 2.0 * sinh_squared + self.sine * sinh)
    }

    /// How far to the east and north a position near the target lies, in radians of the plane.
    #[inline]
    fn radians_to(&self, point: GridPoint) -> [f64; 2] {
        let east = f64::from(point.x.wrapping_sub(self.point.x) as i32) - self.east_of_point;
        let north = self.row - f64::from(point.y);
        [east, north].map(|units| units * RADIANS_PER_UNIT)
    }

    /// The same in grid units, roughly.
    #[inline]
    pub(super) fn units_to_roughly(&self, point: GridPoint) -> [f32; 2] {
        let GridPoint { x, y } = self.point;
        let east = point.x.wrapping_sub(x) as i32 as f32;
        let south = point.y.wrapping_sub(y) as i32 as f32;
        let south_of_point = self.row - f64::from(y);
        [
            east - self.east_of_point as f32,
            south_of_point as f32 - south,
        ]
    }

    /// Tells whether a position is no more than so many columns and rows away from a target on
    /// the Mercator square.
    #[inline]
    pub(super) fn is_within_units(&self, point: GridPoint, units: u32) -> bool {
        wrapped_distance(point.x, self.point.x) <= units
            && point.y.abs_diff(self.point.y) <= units
            && self.is_on_plane()
    }

    /// Half of sin φ₀ times the radians of a grid unit.
    pub(super) const fn half_sine_of_unit(&self) -> f32 {
        (self.sine * RADIANS_PER_UNIT / 2.0) as f32
    }

    /// Whether the target lies on the Mercator square.
    pub(crate) const fn is_on_plane(&self) -> bool {
        self.latitude < MAX_LATITUDE
    }

    /// Square of the planar distance to a position in grid units, the shorter way round.
    #[inline]
    pub(crate) fn planar_squared(&self, x: u32, y: u32) -> f64 {
        let dx = f64::from(x.wrapping_sub(self.point.x) as i32);
        let dy = f64::from(y) - f64::from(self.point.y);
        dx * dx + dy * dy
    }

    /// Squares of the planar distances to the nearest positions of sixteen boxes.
    #[inline]
    pub(crate) fn planar_squared_to_each(&self, boxes: &BoxGroup) -> [f64; FANOUT] {
        vectorized(
            #[inline(always)]
            || {
                let GridPoint { x, y } = self.point;
                // Column by column of the group, which compilers make several boxes at a time.
                let mut dx = [0; FANOUT];
                for (i, dx) in dx.iter_mut().enumerate() {
                    *dx = columns_to(x, boxes.min_x[i], boxes.max_x[i]);
                }
                let mut dy = [0; FANOUT];
                for (i, dy) in dy.iter_mut().enumerate() {
                    *dy = rows_to(y, boxes.min_y[i], boxes.max_y[i]);
                }
                std::array::from_fn(|i| squared(dx[i], dy[i]))
            },
        )
    }

    /// Squares of the planar distances to up to 64 positions; what is beyond them is infinite.
    #[inline]
    pub(crate) fn planar_squared_of_each(&self, xs: &[u32], ys: &[u32]) -> [f64; LEAF_ROWS] {
        let few = || {
            let mut distances = [f64::INFINITY; LEAF_ROWS];
            for (i, distance) in distances[..xs.len()].iter_mut().enumerate() {
                *distance = self.planar_squared(xs[i], ys[i]);
            }
            distances
        };
        let (Some(xs), Some(ys)) = (xs.as_array::<LEAF_ROWS>(), ys.as_array::<LEAF_ROWS>()) else {
            return few();
        };
        vectorized(
            #[inline(always)]
            || std::array::from_fn(|i| self.planar_squared(xs[i], ys[i])),
        )
    }

    /// Square of the planar distance to the nearest position of a box.
    #[inline]
    pub(crate) fn planar_squared_to(&self, b: &GridBox) -> f64 {
        let GridPoint { x, y } = self.point;
        squared(
            columns_to(x, b.min_x, b.max_x),
            rows_to(y, b.min_y, b.max_y),
        )
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
        if distance_m < NEARBY_M {
            return self.outside_squared_roughly(distance_m);
        }
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

    /// The same as [`outside_squared`](Self::outside_squared), or more, without trigonometry.
    ///
    /// The slope of ψ is sec φ, up to sec(|φ₀|+δ) on the way there, and
    /// cos(|φ₀|+δ) ≥ cos φ₀ (1 − δ²/2) − sin |φ₀| δ.
    pub(crate) fn outside_squared_roughly(&self, distance_m: f64) -> f64 {
        let delta = distance_m / EARTH_RADIUS_M;
        let cosine = self.cosine * (1.0 - delta * delta / 2.0) - self.sine.abs() * delta;
        // Also true of an infinite distance.
        if cosine.is_nan() || cosine <= SLACK {
            return f64::INFINITY;
        }
        squared_with_slack(delta / cosine * UNITS_PER_RADIAN)
    }

    /// A distance in metres that nothing within a planar one, given by its square, exceeds.
    ///
    /// Along a straight line of length u on the plane the sphere is shorter by cos φ, at most m
    /// say. Latitude changes by at most um there, so m ≤ cos φ₀ + sin |φ₀| um, and the distance
    /// is at most um ≤ u cos φ₀ / (1 − u sin |φ₀|).
    pub(crate) fn reach_m(&self, planar_squared: f64) -> f64 {
        let u = squared_with_slack(planar_squared.sqrt()).sqrt() * RADIANS_PER_UNIT;
        let left = 1.0 - u * self.sine.abs();
        if !self.is_on_plane() || left <= SLACK {
            return f64::INFINITY;
        }
        u * self.cosine / left * EARTH_RADIUS_M
    }

    /// Squared planar distance up to which everything lies within `distance_m`; negative when
    /// nothing is certain.
    pub(crate) fn inside_squared(&self, distance_m: f64) -> f64 {
        // Off the square the target is farther away than its grid position.
        if !self.is_on_plane() {
            return -1.0;
        }
        let delta = distance_m / EARTH_RADIUS_M;
        let reach = self.latitude - delta;
        let radians = if distance_m < NEARBY_M {
            // The slope of ψ is at least sec(|φ₀|−δ), and cos(|φ₀|−δ) ≤ cos φ₀ + sin |φ₀| δ, which
            // is no less than 1 where the equator lies within δ.
            delta / (self.cosine + self.sine.abs() * delta)
        } else if reach >= 0.0 {
            self.ordinate - mercator(reach)
        } else {
            // Beyond the equator a radian of latitude is at least one of Mercator.
            self.ordinate - reach
        };
        let units = radians * UNITS_PER_RADIAN;
        let units = (units * (1.0 - SLACK) - SLACK_UNITS).min(MAX_INSIDE_UNITS);
        if units <= 0.0 { -1.0 } else { units * units }
    }

    /// Boxes that hold every position within a distance: two across the antimeridian, else one,
    /// of the whole world where the plane does not decide.
    pub(crate) fn boxes_around(&self, distance_m: f64) -> impl Iterator<Item = GridBox> + use<> {
        let units = self.outside_squared(distance_m).sqrt().ceil();
        let (GridPoint { x, y }, reach) = (self.point, units as u32);
        let columns = match (x.checked_sub(reach), x.checked_add(reach)) {
            _ if units >= MAX_INSIDE_UNITS => [Some((0, u32::MAX)), None],
            (Some(west), Some(east)) => [Some((west, east)), None],
            _ => [
                Some((x.wrapping_sub(reach), u32::MAX)),
                Some((0, x.wrapping_add(reach))),
            ],
        };
        let (min_y, max_y) = if units >= MAX_INSIDE_UNITS {
            (0, u32::MAX)
        } else {
            (y.saturating_sub(reach), y.saturating_add(reach))
        };
        let boxed = move |(min_x, max_x)| GridBox {
            min_x,
            min_y,
            max_x,
            max_y,
        };
        columns.into_iter().flatten().map(boxed)
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

/// Distance of a column from the nearest of a range, the shorter way round the world.
#[inline]
fn columns_to(x: u32, first: u32, last: u32) -> u32 {
    let nearest = first.wrapping_sub(x).min(x.wrapping_sub(last));
    // All ones where the column lies outside of the range.
    let outside = u32::from((x < first) | (last < x)).wrapping_neg();
    nearest & outside
}

/// Distance of a row from the nearest of a range.
#[inline]
fn rows_to(y: u32, first: u32, last: u32) -> u32 {
    first.saturating_sub(y).max(y.saturating_sub(last))
}

#[inline]
fn squared(dx: u32, dy: u32) -> f64 {
    let (dx, dy) = (f64::from(dx), f64::from(dy));
    dx * dx + dy * dy
}

/// Distance between two columns the shorter way round the world.
#[inline]
const fn wrapped_distance(a: u32, b: u32) -> u32 {
    (a.wrapping_sub(b) as i32).unsigned_abs()
}

/// Which [haversines](Target::haversine) are too close to say which position is nearer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ties {
    /// The part of itself by which a haversine may be too small, beside its own error.
    blur: f64,
    /// By how much haversines that tie differ at most.
    widest: f64,
}

impl Ties {
    /// For haversines up to `greatest`, each of which may be too small by the part `blur`.
    pub(crate) fn new(greatest: f64, blur: f64) -> Self {
        let root = greatest.sqrt();
        // √b − √a ≤ d means b − a ≤ d (√a + √b).
        let widest = 2.0 * root * widest_between_roots(root, blur) * (1.0 + SLACK);
        Self { blur, widest }
    }

    /// Tells whether two haversines, the first not greater, are too close.
    #[inline]
    pub(crate) fn may_tie(&self, near: f64, far: f64) -> bool {
        // Roots take long, and hardly any rows are so near to each other.
        far - near <= self.widest && {
            let (near, far) = (near.sqrt(), far.sqrt());
            far - near <= widest_between_roots(far, self.blur)
        }
    }
}

/// By how much the roots of haversines that tie differ at most, if the farther one is `root`: both
/// are off by their margin, and the nearer one is too small by half of the blur.
fn widest_between_roots(root: f64, blur: f64) -> f64 {
    2.0 * margin(root) + blur * root
}

/// What the square root of a haversine may be off by.
fn margin(root: f64) -> f64 {
    ROUNDING + TRUNCATION * root
}

/// A distance to compare with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Radius {
    metres: f64,
    /// Haversines up to the first are within it, those above the second beyond.
    inside: f64,
    outside: f64,
}

impl Radius {
    pub(crate) fn new(metres: f64) -> Self {
        let root = (metres / (2.0 * EARTH_RADIUS_M)).min(FRAC_PI_2).sin();
        let inside = root - margin(root);
        Self {
            metres,
            inside: if inside < 0.0 { -1.0 } else { inside * inside },
            outside: (root + margin(root)).powi(2),
        }
    }

    /// Tells whether a position lies within this distance of a target.
    pub(crate) fn holds(&self, target: &Target, point: GridPoint) -> bool {
        let haversine = target.haversine(point);
        haversine <= self.inside
            || haversine <= self.outside && target.distance_m(point) <= self.metres
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in super::super) fn anywhere() -> impl Strategy<Value = LonLat> {
        let rim = prop_oneof![
            Just(-180.0),
            Just(180.0),
            179.999..=180.0f64,
            -180.0..=-179.999f64
        ];
        let polar = prop_oneof![Just(-90.0), Just(90.0), 85.0..=85.1f64, -85.1..=-85.0f64];
        let lon = prop_oneof![4 => -180.0..=180.0f64, 1 => rim];
        let lat = prop_oneof![4 => -90.0..=90.0f64, 1 => polar];
        (lon, lat).prop_map(|(lon, lat)| LonLat::new(lon, lat).unwrap())
    }

    /// A target, and two positions each up to so many powers of two away from it.
    pub(in super::super) fn around() -> impl Strategy<Value = (Target, GridPoint, GridPoint)> {
        let offset = || (any::<(i32, i32)>(), 0u32..32);
        (anywhere(), offset(), offset()).prop_map(|(target, a, b)| {
            let target = Target::new(target);
            let at = |((dx, dy), shift): ((i32, i32), u32)| GridPoint {
                x: target.point.x.wrapping_add_signed(dx >> shift),
                y: target.point.y.saturating_add_signed(dy >> shift),
            };
            (target, at(a), at(b))
        })
    }

    /// The root of the haversine as [`haversine_m`] has it.
    fn root_of(distance_m: f64) -> f64 {
        (distance_m / (2.0 * EARTH_RADIUS_M)).sin()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50_000))]

        #[test]
        fn haversines_are_within_their_margin((target, a, _) in around()) {
            let exact = root_of(target.distance_m(a));
            let error = (target.haversine(a).sqrt() - exact).abs();
            prop_assert!(error <= margin(exact), "{error:e} at {exact:e}");
        }

        #[test]
        fn haversines_order_as_distances_do((target, a, b) in around(), cut in 0..40u32) {
            let blurred = |point| f64::from_bits(target.haversine(point).to_bits() >> cut << cut);
            let (near, far) = (blurred(a), blurred(b));
            let ties = Ties::new(far, f64::EPSILON * (1u64 << cut) as f64);
            if near <= far && !ties.may_tie(near, far) {
                prop_assert!(target.distance_m(a) < target.distance_m(b));
            }
            let between = far.sqrt() - near.sqrt();
            if near <= far && between <= widest_between_roots(far.sqrt(), ties.blur) {
                prop_assert!(ties.may_tie(near, far));
            }
        }

        #[test]
        fn a_radius_holds_what_is_within_it((target, a, b) in around(), part in -1e-9..1e-9f64) {
            for point in [a, b] {
                let distance_m = target.distance_m(point);
                let radii = [distance_m, distance_m.next_down().max(0.0), distance_m * (1.0 + part)];
                for radius_m in radii.into_iter().chain([target.distance_m(a)]) {
                    let holds = Radius::new(radius_m).holds(&target, point);
                    prop_assert_eq!(holds, distance_m <= radius_m);
                }
            }
        }

        #[test]
        fn planar_bounds_hold((target, point, _) in around(), radius in 0.0..2e7f64) {
            let planar = target.planar_squared(point.x, point.y);
            let distance = target.distance_m(point);
            for radius in [radius, distance, distance * (1.0 + 1e-6), distance * (1.0 - 1e-6)] {
                if planar > target.outside_squared(radius) {
                    prop_assert!(distance > radius, "{distance} > {radius}");
                }
                if planar > target.outside_squared_roughly(radius) {
                    prop_assert!(distance > radius, "{distance} > {radius}, roughly");
                }
                if planar <= target.inside_squared(radius) {
                    prop_assert!(distance <= radius, "{distance} <= {radius}");
                }
            }
            prop_assert!(distance <= target.reach_m(planar));
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
