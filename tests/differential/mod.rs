//! The engine against the rules of every answer, applied literally to all rows of small worlds.
//!
//! Worlds and questions come from seeds. A failure names its seed; `TILESIGHT_SEED=…` runs that
//! world alone, `TILESIGHT_CASES=…` changes how many cases each test goes through.

mod calendar;
mod images;
mod question;
mod random;
mod rules;
mod runner;
mod world;
