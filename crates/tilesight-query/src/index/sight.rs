//! Whether an image looks at a target, with hardly a bearing computed.

use tilesight_tile::{GridPoint, initial_bearing_deg};

use super::target::Target;

/// How far to the east or west, and to the north or south, a bearing is told from the plane: a
/// 128th of a radian.
const MAX_UNITS: u32 = 5_340_353;

/// How far such a bearing may be off, in degrees.
const MARGIN_DEG: f64 = 0.01;

/// A target and how wide images look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(crate) target: &'a Target,
    /// Half the field of view.
    pub(crate) half_fov_deg: f64,
}

impl Sight<'_> {
    /// Tells whether an image at a position looks at the target; from the target itself every
    /// image does.
    pub(crate) fn is_seen(&self, from: GridPoint, heading_deg: Option<f64>) -> bool {
        if from == self.target.point() {
            return true;
        }
        let Some(heading_deg) = heading_deg else {
            return false;
        };
        let roughly = bearing_roughly_deg(from, self.target);
        match roughly.map(|bearing_deg| offset_deg(heading_deg, bearing_deg)) {
            Some(offset) if offset <= self.half_fov_deg - MARGIN_DEG => true,
            Some(offset) if offset > self.half_fov_deg + MARGIN_DEG => false,
            _ => {
                let bearing_deg = initial_bearing_deg(from.to_lon_lat(), self.target.position());
                offset_deg(heading_deg, bearing_deg) <= self.half_fov_deg
            }
        }
    }
}

/// How far two directions lie apart, 0…180 degrees.
pub(crate) fn offset_deg(a_deg: f64, b_deg: f64) -> f64 {
    let around = (a_deg - b_deg).abs();
    around.min(360.0 - around)
}

/// The initial bearing to a target within [`MARGIN_DEG`]; none where the target is too far.
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
fn bearing_roughly_deg(from: GridPoint, target: &Target) -> Option<f64> {
    if !target.is_within_units(from, MAX_UNITS) {
        return None;
    }
    let [east, north] = target.radians_to(from);
    let bend = target.sine() * (east * east + north * north) / 2.0;
    Some(clockwise_from_north_deg(-east, bend - north))
}

/// The direction of a vector, 0…360 degrees, by a polynomial.
fn clockwise_from_north_deg(east: f64, north: f64) -> f64 {
    let (along_x, along_y) = (east.abs(), north.abs());
    let (short, long) = (along_x.min(along_y), along_x.max(along_y));
    let from_axis = arctangent_deg(short / long.max(f64::MIN_POSITIVE));
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
fn arctangent_deg(x: f64) -> f64 {
    let xx = x * x;
    let terms = [
        -0.011_721_20,
        0.052_653_32,
        -0.116_432_87,
        0.193_543_46,
        -0.332_623_47,
        0.999_977_26,
    ];
    let sum = terms.iter().fold(0.0, |sum, term| sum * xx + term);
    (x * sum).to_degrees()
}

#[cfg(test)]
mod tests {
    use super::super::target::tests::around;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50_000))]

        #[test]
        fn arctangents_are_within_a_thousandth(x in 0.0..=1.0f64) {
            prop_assert!((arctangent_deg(x) - x.atan().to_degrees()).abs() < 1e-3);
        }

        #[test]
        fn rough_bearings_are_within_their_margin((target, from, _) in around()) {
            let exact = initial_bearing_deg(from.to_lon_lat(), target.position());
            if from != target.point() && let Some(rough) = bearing_roughly_deg(from, &target) {
                prop_assert!(offset_deg(rough, exact) <= MARGIN_DEG, "{rough} {exact}");
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
    }
}
