//! What a value becomes in a column of another type; `None` where it cannot.

use crate::tables::Kind;

/// Beyond this a double no longer tells neighbouring integers apart.
const EXACT_DOUBLE: f64 = (1_u64 << 53) as f64;

/// Beyond this a float no longer tells neighbouring integers apart.
const EXACT_FLOAT: f64 = (1_u64 << 24) as f64;

/// An integer, and whether it may have been rounded on its way.
///
/// `string` is the content of a string value.
pub(crate) fn to_integer(kind: Kind, bits: u64, string: &[u8]) -> Option<(i64, bool)> {
    match kind {
        Kind::Int => Some((bits as i64, false)),
        Kind::Uint => i64::try_from(bits).ok().map(|integer| (integer, false)),
        Kind::Double => integral(f64::from_bits(bits), EXACT_DOUBLE),
        Kind::Float => integral(f64::from_bits(bits), EXACT_FLOAT),
        Kind::String | Kind::Interned => parse_integer(string).map(|integer| (integer, false)),
        Kind::Bool | Kind::Absent => None,
    }
}

/// A finite number.
pub(crate) fn to_real(kind: Kind, bits: u64, string: &[u8]) -> Option<f64> {
    let real = match kind {
        Kind::Double | Kind::Float => f64::from_bits(bits),
        Kind::Int => bits as i64 as f64,
        Kind::Uint => bits as f64,
        Kind::String | Kind::Interned => str::from_utf8(string).ok()?.parse().ok()?,
        Kind::Bool | Kind::Absent => return None,
    };
    real.is_finite().then_some(real)
}

/// A boolean, or an integer that stands for one.
pub(crate) fn to_boolean(kind: Kind, bits: u64) -> Option<bool> {
    match (kind, bits) {
        (Kind::Bool | Kind::Int | Kind::Uint, 0) => Some(false),
        (Kind::Bool | Kind::Int | Kind::Uint, 1) => Some(true),
        _ => None,
    }
}

fn integral(real: f64, exact: f64) -> Option<(i64, bool)> {
    const END: f64 = 9_223_372_036_854_775_808.0;
    let fits = real.trunc() == real && (-END..END).contains(&real);
    fits.then_some((real as i64, real.abs() > exact))
}

/// Reads a decimal integer as `str::parse` does, most of all one of 8 to 18 digits.
fn parse_integer(string: &[u8]) -> Option<i64> {
    if !(1..=18).contains(&string.len()) || !string[0].is_ascii_digit() {
        return str::from_utf8(string).ok()?.parse().ok();
    }
    let mut integer = 0;
    let mut rest = string;
    while let Some((eight, after)) = rest.split_first_chunk::<8>() {
        integer = integer * 100_000_000 + parse_eight(*eight)? as i64;
        rest = after;
    }
    for &byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        integer = integer * 10 + i64::from(digit);
    }
    Some(integer)
}

/// Eight digits at once: pairs, then fours, then all are joined by one multiplication each.
fn parse_eight(bytes: [u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(bytes);
    let digits = word.wrapping_sub(0x3030_3030_3030_3030);
    // A byte outside '0'..='9' sets its highest bit in one of the two sums.
    let above = word.wrapping_add(0x4646_4646_4646_4646);
    if (above | digits) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slow(string: &[u8]) -> Option<i64> {
        str::from_utf8(string).ok()?.parse().ok()
    }

    proptest! {
        #[test]
        fn integers_are_read_as_the_standard_library_reads_them(integer: i64, zeros in 0..4_usize) {
            let string = format!("{}{integer}", "0".repeat(zeros));
            prop_assert_eq!(parse_integer(string.as_bytes()), slow(string.as_bytes()));
            let plain = integer.to_string();
            prop_assert_eq!(parse_integer(plain.as_bytes()), Some(integer));
        }

        #[test]
        fn so_is_what_is_not_an_integer(string in "[0-9]{0,9}[-+0-9./:a\u{80}]{0,2}[0-9]{0,9}") {
            prop_assert_eq!(parse_integer(string.as_bytes()), slow(string.as_bytes()));
        }

        #[test]
        fn and_any_bytes(bytes: [u8; 8]) {
            prop_assert_eq!(parse_eight(bytes).map(|eight| eight as i64),
                slow(&bytes).filter(|_| bytes[0].is_ascii_digit()));
        }
    }

    #[test]
    fn doubles_become_integers_only_where_they_are_integral() {
        let integer = |real: f64| to_integer(Kind::Double, real.to_bits(), b"");
        assert_eq!(integer(17.0), Some((17, false)));
        assert_eq!(integer(-0.0), Some((0, false)));
        assert_eq!(integer(17.5), None);
        assert_eq!(integer(f64::NAN), None);
        assert_eq!(integer(f64::INFINITY), None);
        assert_eq!(integer(9_007_199_254_740_992.0), Some((1 << 53, false)));
        assert_eq!(
            integer(9_007_199_254_740_994.0),
            Some(((1 << 53) + 2, true))
        );
        assert_eq!(
            integer(-9_223_372_036_854_775_808.0),
            Some((i64::MIN, true))
        );
        assert_eq!(integer(9_223_372_036_854_775_808.0), None);
    }

    #[test]
    fn floats_are_exact_to_24_bits() {
        let integer = |real: f64| to_integer(Kind::Float, real.to_bits(), b"");
        assert_eq!(integer(16_777_216.0), Some((1 << 24, false)));
        assert_eq!(integer(16_777_218.0), Some(((1 << 24) + 2, true)));
    }

    #[test]
    fn integers_beyond_the_range_of_i64_are_unusable() {
        assert_eq!(to_integer(Kind::Uint, u64::MAX, b""), None);
        assert_eq!(to_integer(Kind::String, 0, b"9223372036854775808"), None);
        assert_eq!(to_integer(Kind::Bool, 1, b""), None);
    }

    #[test]
    fn reals_are_finite() {
        assert_eq!(to_real(Kind::Int, (-3_i64) as u64, b""), Some(-3.0));
        assert_eq!(
            to_real(Kind::Uint, u64::MAX, b""),
            Some(18_446_744_073_709_551_615.0)
        );
        assert_eq!(to_real(Kind::String, 0, b"-1.5"), Some(-1.5));
        assert_eq!(to_real(Kind::String, 0, b"inf"), None);
        assert_eq!(to_real(Kind::String, 0, b"NaN"), None);
        assert_eq!(to_real(Kind::Double, f64::NAN.to_bits(), b""), None);
        assert_eq!(to_real(Kind::Bool, 1, b""), None);
    }

    #[test]
    fn booleans_are_also_0_and_1() {
        assert_eq!(to_boolean(Kind::Int, 1), Some(true));
        assert_eq!(to_boolean(Kind::Uint, 0), Some(false));
        assert_eq!(to_boolean(Kind::Int, 2), None);
        assert_eq!(to_boolean(Kind::Double, 0), None);
        assert_eq!(to_boolean(Kind::String, 1), None);
    }
}
