//! What services answer.

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tilesight_fetch::fuzzing;
use tilesight_fetch::graph::{Image, MapFeature, Organization, decode_rings};

use crate::input::{text, within};

/// Entities of the Graph API are read back as they are written.
pub(crate) fn graph(bytes: &[u8]) {
    is_read_back::<Image>(bytes);
    is_read_back::<MapFeature>(bytes);
    is_read_back::<Organization>(bytes);
}

fn is_read_back<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) {
    // A value of JSON takes some dozens of bytes, and a list doubles as it grows.
    let read = within(200 * bytes.len(), || serde_json::from_slice::<T>(bytes));
    if let Ok(entity) = read {
        let written = serde_json::to_string(&entity).unwrap();
        assert_eq!(serde_json::from_str::<T>(&written).unwrap(), entity);
    }
}

/// Lists of detections are read or refused, and outlines stay near their picture.
pub(crate) fn detections(bytes: &[u8]) {
    if let Some(Ok(rings)) = text(bytes).map(decode_rings) {
        let mut numbers = rings.iter().flatten().flatten();
        assert!(numbers.all(|number| (-0.5..=1.5).contains(number)));
    }
    for status in [200, 500] {
        let read = fuzzing::detections(status, bytes);
        assert!(read.is_err() || status == 200);
        for detection in read.unwrap_or_default() {
            serde_json::to_string(&detection).unwrap();
        }
    }
}

/// What is stored of a body is a tile, and stored in one form.
pub(crate) fn content(bytes: &[u8]) {
    if let Ok(Some(stored)) = fuzzing::content(bytes.to_vec()) {
        assert_eq!(fuzzing::content(stored.clone()), Ok(Some(stored)));
    }
}

/// Seconds are seconds, and dates are read as they are written.
pub(crate) fn retry_after(bytes: &[u8]) {
    let Some(value) = text(bytes) else {
        return;
    };
    let now = SystemTime::UNIX_EPOCH + Duration::from_hours(400_000);
    let Some(wait) = fuzzing::retry_after(value, now) else {
        return;
    };
    let seconds = value.trim();
    if seconds.bytes().all(|byte| byte.is_ascii_digit()) {
        let expected = seconds.parse().unwrap_or(u64::MAX);
        assert_eq!(wait, Duration::from_secs(expected));
    } else {
        let date = httpdate::fmt_http_date(now + wait);
        assert_eq!(fuzzing::retry_after(&date, now), Some(wait));
    }
}
