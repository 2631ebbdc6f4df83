//! Parsers of what comes over the wire, for those who try them with hostile bytes.

use std::time::{Duration, SystemTime};

use crate::content::{Content, Examiners};
use crate::graph::{Detection, Error, fuzzing};
use crate::retry_after;

/// Reads the header `Retry-After`: how long to wait from `now` on; none where it says nothing.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    retry_after::parse(value, now)
}

/// Examines the body of an answer that should be a tile.
///
/// # Returns
///
/// The bytes that are stored; none of a tile that holds nothing.
///
/// # Errors
///
/// What is wrong with it.
pub fn content(body: Vec<u8>) -> Result<Option<Vec<u8>>, String> {
    Ok(match Examiners::default().examine(body, &|_| ())? {
        Content::Tile(stored) => Some(stored),
        Content::Empty => None,
    })
}

/// Reads an answer of the Graph API that should be a list of detections.
///
/// # Errors
///
/// As [`Graph::detections`](crate::graph::Graph::detections).
pub fn detections(status: u16, body: &[u8]) -> Result<Vec<Detection>, Error> {
    fuzzing::detections(status, body)
}
