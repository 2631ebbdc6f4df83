//! Whether an image looks at a target, with hardly a bearing computed.

#![expect(
    clippy::inline_always,
    reason = "what is called from wide instructions has to be made of them"
)]

use tilesight_tile::{GridPoint, initial_bearing_deg};

use super::LEAF_ROWS;
use super::search::{bits, mask_of};
use super::target::Target;
use crate::storage::vectorized;

/// How far to the east or west, and to the north or south, a bearing is told from the plane: a
/// 128th of a radian.
const MAX_UNITS: u32 = 5_340_353;

/// How far such a bearing may be off, in degrees.
const MARGIN_DEG: f64 = 0.01;

/// Up to so many images are judged one by one: that takes as long as judging all of a block.
const ONE_BY_ONE: u32 = 6;

/// A target and how wide images look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(crate) target: &'a Target,
    /// Half the field of view.
    pub(crate) half_fov_deg: f64,
}

impl Sight<'_> {
    /// Judges those of up to 64 images whose bit is set, by their positions and their headings, which
    /// are not numbers where unknown: as [`is_seen`](Self::is_seen) has it.
    pub(crate) fn mask_among(
        &self,
        xs: &[u32],
        ys: &[u32],
        headings_deg: &[f64],
        among: u64,
    ) -> u64 {
        let (surely, unsure) = if among.count_ones() > ONE_BY_ONE {
            let offsets = self.offsets_roughly_deg(xs, ys, headings_deg);
            let within = |offset_deg: f64| {
                let most = offset_deg as f32;
                mask_of(&offsets[..xs.len()], |offset| offset <= most) & among
            };
            let surely = within(self.half_fov_deg - MARGIN_DEG);
            (surely, within(self.half_fov_deg + MARGIN_DEG) & !surely)
        } else {
            (0, among)
        };
        let is_seen = |&i: &usize| {
            let heading_deg = headings_deg[i];
            let known = (!heading_deg.is_nan()).then_some(heading_deg);
            self.is_seen(GridPoint { x: xs[i], y: ys[i] }, known)
        };
        let seen = bits(unsure).filter(is_seen);
        seen.fold(surely, |mask, i| mask | 1 << i)
    }

    /// Tells whether an image at a position looks at the target; from the target itself every
    /// image does.
    pub(crate) fn is_seen(&self, from: GridPoint, heading_deg: Option<f64>) -> bool {
        if from == self.target.point() {
            return true;
        }
        let Some(heading_deg) = heading_deg else {
            return false;
        };
        let roughly = self.offset_roughly_deg(from, heading_deg);
        if roughly <= (self.half_fov_deg - MARGIN_DEG) as f32 {
            return true;
        }
        if roughly > (self.half_fov_deg + MARGIN_DEG) as f32 {
            return false;
        }
        let bearing_deg = initial_bearing_deg(from.to_lon_lat(), self.target.position());
        offset_deg(heading_deg, bearing_deg) <= self.half_fov_deg
    }

    /// The same as [`offset_roughly_deg`](Self::offset_roughly_deg) of up to 64 images.
    fn offsets_roughly_deg(
        &self,
        xs: &[u32],
        ys: &[u32],
        headings_deg: &[f64],
    ) -> [f32; LEAF_ROWS] {
        let rows = xs.iter().zip(ys).zip(headings_deg);
        let mut offsets = [f32::NAN; LEAF_ROWS];
        vectorized(
            #[inline(always)]
            || {
                // Copies, of which it is plain that what is written does not change them.
                let target = *self.target;
                let sight = Sight {
                    target: &target,
                    ..*self
                };
                for (place, ((&x, &y), &heading_deg)) in offsets.iter_mut().zip(rows) {
                    *place = sight.offset_roughly_deg(GridPoint { x, y }, heading_deg);
                }
            },
        );
        offsets
    }

    /// How far a heading differs from the bearing to the target, within [`MARGIN_DEG`]; half the
    /// field of view, which says nothing, where that is not found so easily.
    #[inline(always)]
    fn offset_roughly_deg(&self, from: GridPoint, heading_deg: f64) -> f32 {
        let around = (heading_deg as f32 - bearing_roughly_deg(from, self.target)).abs();
        let is_near = self.target.is_within_units(from, MAX_UNITS);
        if is_near & (from != self.target.point()) {
            lesser(around, 360.0 - around)
        } else {
            self.half_fov_deg as f32
        }
    }
}

/// How far two directions lie apart, 0…180 degrees.
pub(crate) fn offset_deg(a_deg: f64, b_deg: f64) -> f64 {
    let around = (a_deg - b_deg).abs();
    around.min(360.0 - around)
}

/// The initial bearing to a target within [`MARGIN_DEG`], where it is within [`MAX_UNITS`].
///
/// Multiplied by cosh ψ₁ cosh ψ₂, the direction of a great circle is, with t = ψ₂ − ψ₁,
///
/// ```text
/// east  = sin Δλ sech ψ₂                                  ∝ sin Δλ
/// north = sech ψ₁ tanh ψ₂ − tanh ψ₁ sech ψ₂ cos Δλ        ∝ sinh t + tanh ψ₁ (cosh t − cos Δλ)
/// ```
///
/// when divided by cosh ψ₁. Of each the first terms are taken, and tanh ψ₂ for tanh ψ₁, which
/// leaves an angle of less than the distance squared, in radians.
#[inline(always)]
fn bearing_roughly_deg(from: GridPoint, target: &Target) -> f32 {
    let [east, north] = target.units_to_roughly(from);
    let bend = target.half_sine_of_unit() * (east * east + north * north);
    clockwise_from_north_deg(-east, bend - north)
}

/// The direction of a vector, 0…360 degrees, by a polynomial.
#[inline(always)]
fn clockwise_from_north_deg(east: f32, north: f32) -> f32 {
    let (along_x, along_y) = (east.abs(), north.abs());
    let (short, long) = (lesser(along_x, along_y), greater(along_x, along_y));
    let from_axis = arctangent_deg(short / greater(long, f32::MIN_POSITIVE));
    let from_pole = if along_x > along_y {
        90.0 - from_axis
    } else {
        from_axis
    };
    let from_north = if north < 0.0 {
        180.0 - from_pole
    } else {
        from_pole
    };
    if east < 0.0 {
        360.0 - from_north
    } else {
        from_north
    }
}

/// The arctangent of 0…1 within a thousandth of a degree (Hastings, *Approximations for Digital
/// Computers*).
#[inline(always)]
fn arctangent_deg(x: f32) -> f32 {
    let xx = x * x;
    let terms = [
        -0.011_721_2,
        0.052_653_32,
        -0.116_432_87,
        0.193_543_46,
        -0.332_623_47,
        0.999_977_26,
    ];
    let sum = terms.iter().fold(0.0, |sum, term| sum * xx + term);
    (x * sum).to_degrees()
}

/// The lesser of two numbers by a single instruction, which `min` is not: it has a mind for what is
/// no number.
#[inline]
fn lesser(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

#[inline]
fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::super::target::tests::around;
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50_000))]

        #[test]
        fn arctangents_are_within_a_thousandth(x in 0.0..=1.0f64) {
            let roughly = f64::from(arctangent_deg(x as f32));
            prop_assert!((roughly - x.atan().to_degrees()).abs() < 1e-3);
        }

        #[test]
        fn rough_bearings_are_within_their_margin((target, from, _) in around()) {
            let exact = initial_bearing_deg(from.to_lon_lat(), target.position());
            if from != target.point() && target.is_within_units(from, MAX_UNITS) {
                let rough = f64::from(bearing_roughly_deg(from, &target));
                // Half of the margin is left for the heading and its difference.
                prop_assert!(offset_deg(rough, exact) <= MARGIN_DEG / 2.0, "{rough} {exact}");
            }
        }

        #[test]
        fn a_target_is_seen_as_by_its_bearing(
            (target, from, _) in around(), heading in 0.0..360.0f64, aside in -0.02..0.02f64, exactly: bool,
        ) {
            let bearing = initial_bearing_deg(from.to_lon_lat(), target.position());
            let offset = offset_deg(heading, bearing);
            let half_fov_deg = if exactly { offset } else { offset + aside };
            let sight = Sight { target: &target, half_fov_deg };
            let expected = from == target.point() || offset <= half_fov_deg;
            prop_assert_eq!(sight.is_seen(from, Some(heading)), expected);
        }

        #[test]
        fn images_are_judged_together_as_one_by_one(
            (target, from, _) in around(),
            others in vec((any::<(i32, i32)>(), 0u32..31, -0.1..1.0f64, any::<bool>()), 0..=LEAF_ROWS),
            half_fov_deg in 0.0..=180.0f64, among in prop_oneof![Just(u64::MAX), any::<u64>()],
        ) {
            let among = among & super::super::mask_of_all(others.len());
            let sight = Sight { target: &target, half_fov_deg };
            let place = |&((dx, dy), shift, ..): &((i32, i32), u32, f64, bool)| GridPoint {
                x: from.x.wrapping_add_signed(dx >> shift),
                y: from.y.saturating_add_signed(dy >> shift),
            };
            let places: Vec<GridPoint> = others.iter().map(place).collect();
            let heading = |(&(_, _, part, at_an_edge), &from): (&(_, _, f64, bool), &GridPoint)| {
                let bearing = initial_bearing_deg(from.to_lon_lat(), target.position());
                match part {
                    ..0.0 => f64::NAN,
                    _ if at_an_edge => (bearing + half_fov_deg) % 360.0,
                    _ => part * 359.9,
                }
            };
            let headings: Vec<f64> = others.iter().zip(&places).map(heading).collect();
            let (xs, ys): (Vec<u32>, Vec<u32>) = places.iter().map(|at| (at.x, at.y)).unzip();
            let seen = (0..places.len()).filter(|&i| {
                let heading = headings[i];
                sight.is_seen(places[i], (!heading.is_nan()).then_some(heading))
            });
            let expected = seen.fold(0u64, |mask, i| mask | 1 << i);
            let found = sight.mask_among(&xs, &ys, &headings, among);
            prop_assert_eq!(found, expected & among);
        }
    }
}
