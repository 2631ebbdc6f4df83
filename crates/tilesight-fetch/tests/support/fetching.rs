//! What tests of fetching share.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tilesight_fault_server::FaultServer;
use tilesight_fetch::{FetchOptions, Fetcher, Manners, Timeouts, Token};

/// A token that must turn up nowhere but in requests to its own host.
pub const CANARY: &str = "MLY|4711|c4n4ry/t0ken+";

/// Fetches from a server without patience.
pub fn options(server: &FaultServer) -> FetchOptions {
    FetchOptions {
        manners: Manners {
            rate: None,
            clock_speed: 200.0,
            ..Manners::default()
        },
        timeouts: Timeouts {
            connect: Duration::from_secs(3),
            head: Duration::from_secs(3),
            window: Duration::from_millis(1500),
            min_window_bytes: 64,
            total: Duration::from_secs(20),
        },
        max_body_bytes: 2 << 20,
        ..FetchOptions::new(Some(server.origin().parse().unwrap())).unwrap()
    }
}

pub fn fetcher(options: FetchOptions) -> Fetcher {
    Fetcher::new(Token::new(CANARY).unwrap(), options).unwrap()
}

/// A store in a folder of its own.
pub struct Place(pub TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn store(&self) -> PathBuf {
        self.0.path().join("town.mbtiles")
    }
}
