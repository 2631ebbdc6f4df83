//! Benchmarks of Tilesight against its rivals.
