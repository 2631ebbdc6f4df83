//! Fetches what Mapillary serves, politely.
//!
//! This is the only crate that touches the network. [`Client`] sends one request, bounded in time
//! and size, and lets nobody see the [`Token`]; [`Politeness`] decides when it is sent and how
//! often.
//!
//! It does not know what is inside a tile, but for whether it can be decoded at all, and nothing
//! of questions and answers.

#![forbid(unsafe_code)]

mod token;

mod client;
mod retry_after;

mod politeness;

mod download;
pub mod graph;

pub use client::{Auth, Client, Origin, OriginError, Reply, Request, RequestError, Timeouts};
pub use download::{DownloadError, DownloadOptions, DownloadSummary, Outcome, Wanted, download};
pub use politeness::{Admission, GaveUp, Manners, Politeness, Setback};
pub use token::{Token, TokenError};
