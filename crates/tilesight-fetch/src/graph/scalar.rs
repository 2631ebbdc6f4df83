//! Numbers, ids and dates as the Graph API writes them, which is in more than one way.

use std::fmt;

use jiff::Timestamp;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The first magnitude at which not every integer is a double.
const INEXACT: f64 = 9_007_199_254_740_992.0;

/// An id: written as a string, since it may exceed what a double holds exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub i64);

/// A point in time: Unix time in milliseconds.
///
/// Read from milliseconds or an ISO 8601 date and time with an offset, with or without a colon in
/// it; written as RFC 3339 in UTC, and as milliseconds beyond the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimestampMs(pub i64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Integer).map(Self)
    }
}

impl Serialize for TimestampMs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => serializer.collect_str(&format_args!("{timestamp:.3}")),
            Err(_) => serializer.serialize_i64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for TimestampMs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DateOrMs).map(Self)
    }
}

/// Integers of any spelling: JSON integers, whole doubles that are exact, decimal strings.
struct Integer;

impl Visitor<'_> for Integer {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer of 64 bits, or a string of one")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<i64, E> {
        if number.fract() == 0.0 && number.abs() < INEXACT {
            return Ok(number as i64);
        }
        Err(E::custom(format_args!("{number} is not an exact integer")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
        text.parse()
            .map_err(|_| E::custom(format_args!("{text:?} is not an integer")))
    }
}

/// Milliseconds of any spelling, or a date and time.
struct DateOrMs;

impl Visitor<'_> for DateOrMs {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("milliseconds, or a date and time as 2017-08-23T21:32:26+0000")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
        Integer.visit_i64(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
        Integer.visit_u64(number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<i64, E> {
        Integer.visit_f64(number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
        let without_colon = Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", text);
        without_colon
            .or_else(|_| text.parse())
            .map(Timestamp::as_millisecond)
            .or_else(|_| Integer.visit_str(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_come_back_exactly(id: i64) {
            let text = serde_json::to_string(&Id(id)).unwrap();
            prop_assert_eq!(&text, &format!("\"{id}\""));
            prop_assert_eq!(serde_json::from_str::<Id>(&text).unwrap(), Id(id));
            prop_assert_eq!(serde_json::from_str::<Id>(&id.to_string()).unwrap(), Id(id));
        }

        #[test]
        fn times_come_back_exactly(ms: i64) {
            let text = serde_json::to_string(&TimestampMs(ms)).unwrap();
            prop_assert_eq!(serde_json::from_str::<TimestampMs>(&text).unwrap(), TimestampMs(ms));
        }
    }

    #[test]
    fn what_is_no_exact_id_is_refused() {
        for wrong in [
            "1.5",
            "1e300",
            "9007199254740993.0",
            "\"\"",
            "\"12x\"",
            "null",
            "[]",
        ] {
            assert!(serde_json::from_str::<Id>(wrong).is_err(), "{wrong}");
        }
        assert_eq!(serde_json::from_str::<Id>("17.0").unwrap(), Id(17));
    }

    #[test]
    fn times_are_read_in_every_spelling() {
        for text in [
            "1503523946000",
            "\"1503523946000\"",
            "\"2017-08-23T21:32:26+0000\"",
            "\"2017-08-23T23:32:26+02:00\"",
            "\"2017-08-23T21:32:26Z\"",
        ] {
            let time: TimestampMs = serde_json::from_str(text).unwrap();
            assert_eq!(time.0, 1_503_523_946_000, "{text}");
        }
        let written = serde_json::to_string(&TimestampMs(1_503_523_946_000)).unwrap();
        assert_eq!(written, "\"2017-08-23T21:32:26.000Z\"");
        assert!(serde_json::from_str::<TimestampMs>("\"yesterday\"").is_err());
    }
}
