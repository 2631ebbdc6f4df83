//! Tests that cross the crates of Tilesight.
