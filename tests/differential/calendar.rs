//! The Gregorian calendar by counting, apart from the library that the engine uses.

const DAY_MS: i64 = 86_400_000;

/// Days in 400 years, after which the calendar repeats.
const CYCLE_DAYS: i64 = 146_097;

/// The first millisecond of a day, since 1970 in UTC.
pub(crate) fn start_ms(year: i64, month: i64, day: i64) -> i64 {
    let days_of_years: i64 = (1970..year).map(days_of_year).sum();
    let days_of_months: i64 = (1..month).map(|month| days_of_month(year, month)).sum();
    (days_of_years + days_of_months + day - 1) * DAY_MS
}

/// Year, month and day of a moment after 1970.
pub(crate) fn date_of(ms: i64) -> (i64, i64, i64) {
    let days = ms.div_euclid(DAY_MS);
    let (mut year, mut month) = (1970 + days / CYCLE_DAYS * 400, 1);
    let mut days = days % CYCLE_DAYS;
    while days >= days_of_year(year) {
        days -= days_of_year(year);
        year += 1;
    }
    while days >= days_of_month(year, month) {
        days -= days_of_month(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of_year(year: i64) -> i64 {
    365 + is_leap(year) as i64
}

const fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + is_leap(year) as i64,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
