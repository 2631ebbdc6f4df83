//! Runs the program by a line as it would be typed in the folder of the fixtures.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tilesight"));
    command.current_dir(fixtures()).env_remove("NO_COLOR");
    command
}

pub fn run(line: &str) -> Output {
    program().args(line.split_whitespace()).output().unwrap()
}
