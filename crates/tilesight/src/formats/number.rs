//! Numbers and times as text, appended to a buffer.

/// Digits after the point of degrees: 10⁻⁹° is less than a tenth of a grid unit up to the edge of
/// the Mercator square, so text leads back to the same position.
const DEGREE_DECIMALS: usize = 9;

/// Digits after the point of what a query measured, in metres or degrees.
const MEASURE_DECIMALS: usize = 6;

/// Milliseconds in a day.
const DAY_MS: i64 = 86_400_000;

/// Last millisecond of the year 9999.
const MAX_RFC3339_MS: i64 = 253_402_300_799_999;

/// Appends an integer.
pub(super) fn push_integer(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a longitude or latitude in degrees, with as many as [`DEGREE_DECIMALS`] decimals.
pub(super) fn push_degrees(out: &mut Vec<u8>, degrees: f64) {
    push_decimal(out, degrees, DEGREE_DECIMALS);
}

/// Appends a distance or an angle that a query measured, with as many as [`MEASURE_DECIMALS`]
/// decimals.
pub(super) fn push_measure(out: &mut Vec<u8>, measure: f64) {
    push_decimal(out, measure, MEASURE_DECIMALS);
}

/// Appends a finite number in the fewest digits that read back as the same number.
pub(super) fn push_shortest(out: &mut Vec<u8>, number: f64) {
    let mut buffer = zmij::Buffer::new();
    let digits = buffer.format_finite(number);
    out.extend_from_slice(digits.strip_suffix(".0").unwrap_or(digits).as_bytes());
}

/// Appends a time in milliseconds since 1970 as RFC 3339 in UTC, with milliseconds; a time that
/// has no such form (before 1970 or after 9999) as the number it is.
pub(super) fn push_time(out: &mut Vec<u8>, ms: i64) {
    if !(0..=MAX_RFC3339_MS).contains(&ms) {
        return push_integer(out, ms);
    }
    let (year, month, day) = civil_date(ms / DAY_MS);
    let of_day = (ms % DAY_MS) as u32;
    let seconds = of_day / 1_000;
    let ([y0, y1], [y2, y3]) = (two_digits(year / 100), two_digits(year % 100));
    let ([m0, m1], [d0, d1]) = (two_digits(month), two_digits(day));
    let ([h0, h1], [n0, n1]) = (two_digits(seconds / 3_600), two_digits(seconds / 60 % 60));
    let ([s0, s1], [f1, f2]) = (two_digits(seconds % 60), two_digits(of_day % 100));
    let f0 = b'0' + (of_day / 100 % 10) as u8;
    out.extend_from_slice(&[
        y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1, b'.',
        f0, f1, f2, b'Z',
    ]);
}

/// The digits of a number below 100.
fn two_digits(number: u32) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}

/// Year, month and day of a day counted from 1970-01-01, not before it.
///
/// Counts in eras of 400 years that begin on 1 March, so that leap days come last:
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn civil_date(day: i64) -> (u32, u32, u32) {
    const DAYS_FROM_0000_03_01_TO_1970: u32 = 719_468;
    const DAYS_AN_ERA: u32 = 146_097;
    let day = day as u32 + DAYS_FROM_0000_03_01_TO_1970;
    let (era, of_era) = (day / DAYS_AN_ERA, day % DAYS_AN_ERA);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year + era * 400 + u32::from(month <= 2);
    (year, month, day_of_month)
}

/// Appends a number with a fixed number of decimals, without the zeros at its end.
fn push_decimal(out: &mut Vec<u8>, number: f64, decimals: usize) {
    let scale = 10_i64.pow(decimals as u32);
    let scaled = (number * scale as f64).round();
    // From here on, a number of this scale is no exact integer.
    if scaled.is_nan() || scaled.abs() >= (1_i64 << f64::MANTISSA_DIGITS) as f64 {
        return push_shortest(out, number);
    }
    let scaled = scaled as i64;
    if scaled < 0 {
        out.push(b'-');
    }
    let scaled = scaled.abs();
    push_integer(out, scaled / scale);
    match scaled % scale {
        0 => {}
        fraction => push_fraction(out, scale + fraction),
    }
}

/// Appends the decimals that follow the first digit of a number, which stands for the point, without
/// the zeros at their end.
fn push_fraction(out: &mut Vec<u8>, one_and_decimals: i64) {
    let mut buffer = itoa::Buffer::new();
    let digits = &buffer.format(one_and_decimals)[1..];
    out.push(b'.');
    out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tilesight_tile::{GridPoint, LonLat};

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn degrees(degrees: f64) -> String {
        text(|out| push_degrees(out, degrees))
    }

    #[test]
    fn decimals_end_without_zeros() {
        assert_eq!(degrees(24.5), "24.5");
        assert_eq!(degrees(-0.000_000_001), "-0.000000001");
        assert_eq!(degrees(-0.0), "0");
        assert_eq!(degrees(-180.0), "-180");
        assert_eq!(text(|out| push_measure(out, 12.345_678_9)), "12.345679");
        assert_eq!(text(|out| push_measure(out, 1e300)), "1e+300");
    }

    #[test]
    fn shortest_numbers_read_back() {
        assert_eq!(text(|out| push_shortest(out, 359.9)), "359.9");
        assert_eq!(text(|out| push_shortest(out, 0.0)), "0");
    }

    #[test]
    fn times_outside_the_calendar_stay_numbers() {
        assert_eq!(text(|out| push_time(out, -1)), "-1");
        assert_eq!(
            text(|out| push_time(out, MAX_RFC3339_MS)),
            "9999-12-31T23:59:59.999Z"
        );
        assert_eq!(
            text(|out| push_time(out, MAX_RFC3339_MS + 1)),
            "253402300800000"
        );
    }

    proptest! {
        #[test]
        fn degrees_lead_back_to_the_grid(x: u32, y: u32) {
            let point = GridPoint { x, y };
            let position = point.to_lon_lat();
            let (lon, lat) = (degrees(position.lon()), degrees(position.lat()));
            let read = LonLat::new(lon.parse().unwrap(), lat.parse().unwrap()).unwrap();
            prop_assert_eq!(GridPoint::nearest_to(read), point);
        }

        #[test]
        fn decimals_are_those_of_the_standard_library(thousandths in -360_000..=360_000_i32) {
            let number = f64::from(thousandths) / 1_000.0;
            let slow = format!("{number:.9}");
            let slow = slow.trim_end_matches('0').trim_end_matches('.');
            prop_assert_eq!(degrees(number), slow);
        }

        #[test]
        fn shortest_numbers_are_those_of_the_standard_library(number in -1e4..1e4_f64) {
            let slow = format!("{number}");
            let fast = text(|out| push_shortest(out, number));
            prop_assert_eq!(fast.parse(), Ok(number));
            // Where neither writes an exponent they agree.
            prop_assert!(fast == slow || fast.contains('e'), "{} and {}", fast, slow);
        }

        #[test]
        fn times_are_those_of_the_calendar(ms in 0..=MAX_RFC3339_MS) {
            prop_assert_eq!(text(|out| push_time(out, ms)), tilesight_query::rfc3339(ms));
        }
    }
}
