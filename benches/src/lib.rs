//! What the benchmarks share: tiles to decode and rivals to decode them with, a world to ask about
//! and engines to ask.

pub mod columns;
pub mod heap;
pub mod query;
pub mod rivals;
pub mod tiles;
