//! The bars that Tilesight is held to: every question at scale, against each peer at its best.
//!
//! One peer is in memory at a time, beside ours. First all of its answers are compared with ours,
//! then both are timed in turns, so that whatever else the machine does slows both alike.

mod export;
mod file;
mod places;
mod record;
mod rows;
mod tiles;
mod turns;

pub use export::export;
pub use file::{Built, build, measure_file, open_dataset};
pub use places::Places;
pub use record::{Bar, Comparison, Limit, Record, Times};
pub use rows::{Answer, Asked, Row, rows};
pub use tiles::{measure_build, measure_decode, write_tiles};
pub use turns::{compare, machine};
