//! What the benchmarks share: tiles to decode, and rivals to decode them with.

pub mod columns;
pub mod rivals;
pub mod tiles;
