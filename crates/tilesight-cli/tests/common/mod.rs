//! What the tests of the program that talk to a service share.

#[path = "../../../tilesight-fetch/tests/support/mod.rs"]
mod support;

use std::process::Command;

pub use support::{Answer, Asked, Server};

/// The program, which finds servers on loopback and no token.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tilesight"));
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(variable);
    }
    command.env_remove("MAPILLARY_ACCESS_TOKEN");
    command
}

/// The ids that are asked for, in one request or alone.
pub fn asked_ids(asked: &Asked) -> Vec<String> {
    let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    let batch = query.split('&').find_map(|pair| pair.strip_prefix("ids="));
    let ids = batch.map_or(path.trim_start_matches('/').to_owned(), |ids| {
        ids.replace("%2C", ",")
    });
    ids.split(',').map(str::to_owned).collect()
}
