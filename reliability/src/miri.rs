//! The module with the unsafe code, interpreted by Miri, which finds undefined behaviour: an
//! optional part of nightly compilers.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::measure::{Reached, run};

/// What gets the tool.
const INSTALL: &str = "rustup component add miri --toolchain nightly";

/// What follows `cargo miri test`.
const TESTS: [&str; 4] = ["-p", "tilesight-query", "--lib", "storage::column"];

/// Runs the module's tests in the workspace at `root`. Where there is no Miri, the figure says so.
pub fn measure(root: &Path) -> Result<Reached> {
    let installed = cargo_miri()
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !installed.is_ok_and(|status| status.success()) {
        let skipped = format!("unsafe code: skipped: Miri is not installed ({INSTALL})");
        eprintln!("{skipped}");
        return Ok(Reached::Figures(vec![skipped]));
    }
    let mut command = cargo_miri();
    command.arg("test").args(TESTS);
    // The tests start threads and read the clock.
    command.env("MIRIFLAGS", "-Zmiri-disable-isolation");
    let status = run(command.current_dir(root), |_| ())?;
    Ok(if status.success() {
        Reached::Figures(vec![
            "unsafe code: Miri finds nothing in its tests".to_owned(),
        ])
    } else {
        Reached::Nothing(format!(
            "unsafe code: its tests under Miri end with {status}"
        ))
    })
}

fn cargo_miri() -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo", "miri"]);
    command
}
