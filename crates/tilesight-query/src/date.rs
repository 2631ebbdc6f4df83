//! Dates as people write them, on UTC milliseconds.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::{Span, Timestamp, Unit};

/// Milliseconds in a day.
const DAY_MS: i64 = 86_400_000;

/// Day 0.
const EPOCH: Date = Date::constant(1970, 1, 1);

/// Last millisecond of the year 9999; tiles hold garbage beyond it.
pub(crate) const MAX_KNOWN_MS: i64 = 253_402_300_799_999;

/// Keeps a capture time that can be one: 1970 to 9999, and not 0, which means unknown.
pub(crate) fn known_ms(captured_at_ms: i64) -> Option<i64> {
    (1..=MAX_KNOWN_MS)
        .contains(&captured_at_ms)
        .then_some(captured_at_ms)
}

/// A stretch of time as a date names it: first and last millisecond, both included, in UTC.
///
/// Parsed from `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, `YYYY-MM-DDTHH:MM[:SS]` with `Z`, an offset or
/// nothing (UTC), or from integer milliseconds since 1970. A partial date means its whole period.
///
/// ```
/// use tilesight_query::Period;
///
/// let february: Period = "2024-02".parse()?;
/// assert_eq!(february.to_string(), "2024-02-01T00:00:00.000Z/2024-02-29T23:59:59.999Z");
/// let instant: Period = "1706745600000".parse()?;
/// assert_eq!(instant.first_ms, february.first_ms);
/// assert!("last summer".parse::<Period>().is_err());
/// # Ok::<(), tilesight_query::ParsePeriodError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    /// First millisecond since 1970 in UTC.
    pub first_ms: i64,
    /// Last millisecond since 1970 in UTC, included.
    pub last_ms: i64,
}

/// A text that names no date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a date: write 2023, 2023-05, 2023-05-01, 2023-05-01T10:30:00Z or milliseconds since 1970"
)]
pub struct ParsePeriodError(String);

impl FromStr for Period {
    type Err = ParsePeriodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text.trim()).ok_or_else(|| ParsePeriodError(text.to_owned()))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", rfc3339(self.first_ms), rfc3339(self.last_ms))
    }
}

/// Writes milliseconds since 1970 as RFC 3339 in UTC, with milliseconds.
///
/// ```
/// assert_eq!(tilesight_query::rfc3339(1_706_745_600_000), "2024-02-01T00:00:00.000Z");
/// ```
pub fn rfc3339(ms: i64) -> String {
    let Some(date) = date_of(day_of(ms)) else {
        return ms.to_string();
    };
    let of_day = ms.rem_euclid(DAY_MS);
    let (hours, minutes) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (seconds, millis) = (of_day / 1_000 % 60, of_day % 1_000);
    format!("{date}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z")
}

fn parse(text: &str) -> Option<Period> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|b| b.is_ascii_digit()) && text.len() != 4 {
        return milliseconds(text);
    }
    match text.len() {
        4 => from_days(&format!("{text}-01-01"), Span::new().years(1)),
        7 => from_days(&format!("{text}-01"), Span::new().months(1)),
        10 => from_days(text, Span::new().days(1)),
        _ => from_time(text),
    }
}

/// An instant. Eight digits are a date without its hyphens more likely than January 1970, and
/// are refused rather than misread.
fn milliseconds(text: &str) -> Option<Period> {
    if text.len() == 8 {
        return None;
    }
    let ms = text.parse().ok()?;
    Some(Period {
        first_ms: ms,
        last_ms: ms,
    })
}

fn from_days(first_day: &str, length: Span) -> Option<Period> {
    let first: Date = first_day.parse().ok()?;
    // The end of the last year there is has no following day to subtract from.
    let last_ms = match first.checked_add(length) {
        Ok(beyond) => start_ms(beyond)? - 1,
        Err(_) => MAX_KNOWN_MS,
    };
    Some(Period {
        first_ms: start_ms(first)?,
        last_ms,
    })
}

fn start_ms(day: Date) -> Option<i64> {
    let days = EPOCH.until((Unit::Day, day)).ok()?.get_days();
    Some(i64::from(days) * DAY_MS)
}

/// The date of a day given by its number since 1970.
fn date_of(day: i64) -> Option<Date> {
    EPOCH.checked_add(Span::new().try_days(day).ok()?).ok()
}

fn from_time(text: &str) -> Option<Period> {
    // A timestamp first: a civil time would drop the offset without a word.
    let first_ms = match text.parse::<Timestamp>() {
        Ok(timestamp) => timestamp.as_millisecond(),
        Err(_) => civil_ms(text)?,
    };
    Some(Period {
        first_ms,
        last_ms: first_ms + precision_ms(text)? - 1,
    })
}

/// A time of the calendar in UTC, said or not: the last day of 9999 is no timestamp, for it may be
/// over already elsewhere.
fn civil_ms(text: &str) -> Option<i64> {
    let unmarked = text.strip_suffix(['Z', 'z']);
    let civil = unmarked.filter(|civil| civil.contains(':')).unwrap_or(text);
    let time: DateTime = civil.parse().ok()?;
    let minutes = i64::from(time.hour()) * 60 + i64::from(time.minute());
    let of_minute = i64::from(time.second()) * 1000 + i64::from(time.millisecond());
    Some(start_ms(time.date())? + minutes * 60_000 + of_minute)
}

/// How long the moment is that a text `YYYY-MM-DDTHH…` names: an hour, a minute, a second or a
/// millisecond. Years may have a sign and six digits, and times no colons.
fn precision_ms(text: &str) -> Option<i64> {
    let (_, time) = text.split_once(['T', 't', ' '])?;
    let end = time.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.'));
    let time = &time[..end.unwrap_or(time.len())];
    let digits = time.bytes().filter(u8::is_ascii_digit).count();
    Some(match (time.contains('.'), digits) {
        (true, _) => 1,
        (_, ..=2) => 3_600_000,
        (_, ..=4) => 60_000,
        _ => 1_000,
    })
}

/// Number of the day since 1970 in which a moment lies.
pub(crate) fn day_of(ms: i64) -> i64 {
    ms.div_euclid(DAY_MS)
}

/// A day given by its number since 1970.
pub(crate) const fn day_period(day: i64) -> Period {
    Period {
        first_ms: day * DAY_MS,
        last_ms: (day + 1) * DAY_MS - 1,
    }
}

/// The month that holds a day given by its number since 1970.
pub(crate) fn month_period(day: i64) -> Option<Period> {
    let date = date_of(day)?;
    Some(Period {
        first_ms: start_ms(date.first_of_month())?,
        last_ms: start_ms(date.last_of_month())? + DAY_MS - 1,
    })
}

/// How many years have known capture times.
pub(crate) const YEARS: usize = (LAST_YEAR - FIRST_YEAR) as usize + 1;

/// First year with known capture times.
pub(crate) const FIRST_YEAR: i64 = 1970;

/// Last year with known capture times.
pub(crate) const LAST_YEAR: i64 = 9999;

/// The first millisecond of each year, and of the one after the last.
static YEAR_STARTS_MS: [i64; YEARS + 1] = year_starts_ms();

#[expect(
    clippy::large_stack_arrays,
    reason = "the compiler evaluates it; it lies on no stack"
)]
const fn year_starts_ms() -> [i64; YEARS + 1] {
    let mut starts = [0; YEARS + 1];
    let mut i = 0;
    while i < YEARS {
        starts[i + 1] = starts[i] + days_in(FIRST_YEAR + i as i64) * DAY_MS;
        i += 1;
    }
    starts
}

const fn days_in(year: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    365 + is_leap as i64
}

/// Which year after 1970 a moment lies in, which is known or the mark of the unknown.
#[inline]
pub(crate) fn year_index(ms: i64) -> usize {
    /// Of 400 years, after which the calendar repeats itself.
    const MEAN_YEAR_MS: u64 = 146_097 * DAY_MS as u64 / 400;
    // No year begins as much as three days from where years of equal length would, so that the
    // guess is wrong by one at most.
    let guess = (ms as u64 / MEAN_YEAR_MS).min(YEARS as u64 - 1) as usize;
    let is_later = ms >= YEAR_STARTS_MS[guess + 1];
    let is_earlier = ms < YEAR_STARTS_MS[guess];
    guess + usize::from(is_later) - usize::from(is_earlier)
}

/// The year so many years after 1970; none beyond the last.
pub(crate) fn year_period(index: usize) -> Option<Period> {
    Some(Period {
        first_ms: *YEAR_STARTS_MS.get(index)?,
        last_ms: YEAR_STARTS_MS.get(index + 1)? - 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let parsed = text.parse::<Period>().map(|period| period.to_string());
        assert_eq!(parsed.as_deref(), Ok(expected), "{text}");
    }

    #[test]
    fn partial_dates_mean_their_whole_period() {
        check("2023", "2023-01-01T00:00:00.000Z/2023-12-31T23:59:59.999Z");
        check(
            "2023-12",
            "2023-12-01T00:00:00.000Z/2023-12-31T23:59:59.999Z",
        );
        check(
            "2024-02-29",
            "2024-02-29T00:00:00.000Z/2024-02-29T23:59:59.999Z",
        );
        check("9999", "9999-01-01T00:00:00.000Z/9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn times_mean_their_minute_second_or_millisecond() {
        check(
            "2023-05-01T10:30",
            "2023-05-01T10:30:00.000Z/2023-05-01T10:30:59.999Z",
        );
        check(
            "2023-05-01T10:30Z",
            "2023-05-01T10:30:00.000Z/2023-05-01T10:30:59.999Z",
        );
        check(
            "2023-05-01T10:30:15",
            "2023-05-01T10:30:15.000Z/2023-05-01T10:30:15.999Z",
        );
        check(
            "2023-05-01 10:30:15Z",
            "2023-05-01T10:30:15.000Z/2023-05-01T10:30:15.999Z",
        );
        check(
            "2023-05-01T10:30:15.250Z",
            "2023-05-01T10:30:15.250Z/2023-05-01T10:30:15.250Z",
        );
    }

    #[test]
    fn years_may_have_six_digits_and_times_no_colons() {
        check(
            "-002023-01-01T00:00:00.000Z",
            "-002023-01-01T00:00:00.000Z/-002023-01-01T00:00:00.000Z",
        );
        check(
            "+002023-05-01T10",
            "2023-05-01T10:00:00.000Z/2023-05-01T10:59:59.999Z",
        );
        check(
            "20230501T103015Z",
            "2023-05-01T10:30:15.000Z/2023-05-01T10:30:15.999Z",
        );
    }

    #[test]
    fn every_moment_is_read_as_it_is_written() {
        for ms in [
            0,
            -1,
            1_682_935_815_250,
            MAX_KNOWN_MS - 93_600_000,
            MAX_KNOWN_MS,
        ] {
            let (first_ms, last_ms) = (ms, ms);
            assert_eq!(rfc3339(ms).parse(), Ok(Period { first_ms, last_ms }));
        }
        check(
            "9999-12-31T23:59Z",
            "9999-12-31T23:59:00.000Z/9999-12-31T23:59:59.999Z",
        );
    }

    #[test]
    fn offsets_count() {
        check(
            "2023-05-01T10:30:00+03:00",
            "2023-05-01T07:30:00.000Z/2023-05-01T07:30:00.999Z",
        );
        check(
            "2023-05-01T10:30-02:00",
            "2023-05-01T12:30:00.000Z/2023-05-01T12:30:59.999Z",
        );
    }

    #[test]
    fn milliseconds_are_an_instant() {
        check(
            "1682935815250",
            "2023-05-01T10:10:15.250Z/2023-05-01T10:10:15.250Z",
        );
        check("0", "1970-01-01T00:00:00.000Z/1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn what_names_no_date_is_refused() {
        for wrong in [
            "",
            "23",
            "2023-13",
            "2023-02-30",
            "20230501",
            "2023-05-01T25:00",
            "yesterday",
            "99999999999999999999",
        ] {
            let refused = wrong.parse::<Period>();
            if wrong == "23" {
                assert!(refused.is_ok(), "23 ms");
            } else {
                assert!(refused.is_err(), "{wrong}");
            }
        }
    }

    #[test]
    fn unknown_times() {
        assert_eq!(known_ms(0), None);
        assert_eq!(known_ms(-5), None);
        assert_eq!(known_ms(MAX_KNOWN_MS), Some(MAX_KNOWN_MS));
        assert_eq!(known_ms(MAX_KNOWN_MS + 1), None);
    }

    #[test]
    fn calendar_periods() {
        let ms = "2024-02-29T12:00Z".parse::<Period>().unwrap().first_ms;
        assert_eq!(Some(day_period(day_of(ms))), "2024-02-29".parse().ok());
        assert_eq!(month_period(day_of(ms)), "2024-02".parse().ok());
        assert_eq!(month_period(day_of(MAX_KNOWN_MS)), "9999-12".parse().ok());
        assert_eq!(year_period(year_index(ms)), "2024".parse().ok());
    }

    /// Against the calendar library, at both ends of every day.
    #[test]
    fn every_day_lies_in_its_year() {
        for day in 0..=day_of(MAX_KNOWN_MS) {
            let year = date_of(day).unwrap().year();
            for ms in [day * DAY_MS, (day + 1) * DAY_MS - 1] {
                assert_eq!(year_index(ms), year as usize - 1970, "{ms}");
            }
        }
        for index in 0..YEARS {
            let year = (1970 + index).to_string().parse().ok();
            assert_eq!(year_period(index), year);
        }
        assert_eq!(year_period(YEARS), None);
    }
}
