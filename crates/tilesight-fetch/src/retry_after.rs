//! The header `Retry-After`, in both of its spellings.

use std::time::{Duration, SystemTime};

/// Reads how long to wait: seconds, or the time from `now` to a date; none if it is neither.
///
/// A date that is past means at once. RFC 9110, section 10.2.3.
pub(crate) fn parse(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit mean longer than anybody waits.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn noon() -> SystemTime {
        httpdate::parse_http_date("Sun, 06 Nov 1994 12:00:00 GMT").unwrap()
    }

    #[track_caller]
    fn check(value: &str, expected_s: Option<u64>) {
        assert_eq!(parse(value, noon()), expected_s.map(Duration::from_secs));
    }

    #[test]
    fn seconds() {
        check("120", Some(120));
        check(" 0 ", Some(0));
        check("99999999999999999999", Some(u64::MAX));
    }

    #[test]
    fn dates_in_all_three_forms() {
        check("Sun, 06 Nov 1994 12:01:40 GMT", Some(100));
        check("Sunday, 06-Nov-94 12:01:40 GMT", Some(100));
        check("Sun Nov  6 12:01:40 1994", Some(100));
        check("Sun, 06 Nov 1994 11:00:00 GMT", Some(0));
    }

    #[test]
    fn anything_else_says_nothing() {
        for wrong in ["", "soon", "-5", "1.5", "Sun, 06 Nov"] {
            check(wrong, None);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(value: String) {
            let _ = parse(&value, noon());
        }
    }
}
