//! The spatial index and every predicate of Tilesight.
