//! The engine against the rules of every answer, applied literally to all rows of small worlds.
//!
//! Worlds and questions come from seeds. A failure names its seed; `TILESIGHT_SEED=…` runs that
//! world alone, `TILESIGHT_CASES=…` changes how many cases each test goes through.

mod features;
mod images;
mod lines;
mod sequences;

mod calendar;
mod question;
mod random;
mod rules;
mod runner;
mod walks;
mod world;
