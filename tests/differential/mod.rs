//! The engine against the rules of every answer, applied literally to all rows of small worlds.
//!
//! Worlds and questions come from seeds. A failure names its seed; `TILESIGHT_SEED=…` runs that
//! world alone, `TILESIGHT_TIMES=…` goes through so many times the usual number of cases, and
//! `TILESIGHT_SOAK=1` through more than a million of them.

mod features;
mod holding;
mod identities;
mod images;
mod lines;
mod metamorphic;
mod sequences;

mod calendar;
mod question;
pub(crate) mod random;
mod rules;
pub(crate) mod runner;
mod walks;
mod world;
