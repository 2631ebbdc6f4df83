//! What the benchmarks share: tiles to decode and rivals to decode them with, a world to ask about
//! and engines to ask.

pub mod bars;
mod call;
pub mod columns;
pub mod exports;
pub mod python;
pub mod query;
pub mod report;
pub mod rivals;
pub mod tiles;
