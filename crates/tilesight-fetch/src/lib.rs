//! Fetches from Mapillary.
#![forbid(unsafe_code)]

pub mod graph;
