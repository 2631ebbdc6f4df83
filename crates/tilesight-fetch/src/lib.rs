//! Fetches what Mapillary serves, politely.
//!
//! This is the only crate that touches the network. [`Client`] sends one request, bounded in time
//! and size, and lets nobody see the [`Token`]; [`Politeness`] decides when it is sent and how
//! often. A [`Fetcher`] brings the tiles of a region into a store, whatever happens on the way;
//! [`graph`] asks for single entities, and [`download()`] keeps their pictures.
//!
//! It does not know what is inside a tile, but for whether it can be decoded at all, and nothing
//! of questions and answers.

#![forbid(unsafe_code)]

mod token;

mod client;
mod retry_after;

mod politeness;

mod tileset;

mod answer;
mod content;

mod fetcher;
mod run;
mod sparse;

mod error;

mod download;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod graph;

pub use client::{Auth, Client, Origin, OriginError, Reply, Request, RequestError, Timeouts};
pub use download::{DownloadError, DownloadOptions, DownloadSummary, Outcome, Wanted, download};
pub use error::FetchError;
pub use fetcher::{Arrival, Event, FetchOptions, FetchPlan, FetchReport, Fetcher, Stopper, plan};
pub use politeness::{Admission, GaveUp, Manners, Politeness, Setback};
pub use tileset::{TileKey, Tileset};
pub use token::{Token, TokenError};
