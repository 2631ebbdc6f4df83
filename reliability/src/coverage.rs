//! Which lines the tests run through, as `cargo tarpaulin` finds them: a tool that is optional.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::measure::{Reached, run};

/// What gets the tool.
const INSTALL: &str = "cargo install cargo-tarpaulin --locked";

/// Where the report goes, from the workspace on.
const REPORT_FOLDER: &str = "target/coverage";

/// Parts of the workspace that have a figure of their own: name, beginnings of paths.
const AREAS: [(&str, &[&str]); 4] = [
    ("all crates", &["crates/"]),
    ("decoder", &["crates/tilesight-mvt/src/"]),
    (
        "dataset file",
        &[
            "crates/tilesight-query/src/storage/",
            "crates/tilesight-query/src/file.rs",
        ],
    ),
    ("store", &["crates/tilesight-store/src/"]),
];

/// Packages whose tests run through the crates; the rest is Python, benches and this.
const PACKAGES: [&str; 8] = [
    "tilesight",
    "tilesight-cli",
    "tilesight-fetch",
    "tilesight-mvt",
    "tilesight-query",
    "tilesight-store",
    "tilesight-tests",
    "tilesight-tile",
];

/// The report: of each file, its lines and how often each was run.
#[derive(Debug, Deserialize)]
struct Report {
    files: Vec<Covered>,
}

#[derive(Debug, Deserialize)]
struct Covered {
    /// Absolute, part by part.
    path: Vec<String>,
    traces: Vec<Trace>,
}

#[derive(Debug, Deserialize)]
struct Trace {
    line: u64,
    stats: Stats,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stats {
    line: u64,
}

/// Runs the tests of the workspace at `root`, and counts the lines that were run.
pub fn measure(root: &Path) -> Result<Reached> {
    if !is_installed() {
        let why = format!("cargo-tarpaulin is not installed ({INSTALL})");
        return Ok(Reached::Nothing(why));
    }
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "tarpaulin",
        "--engine",
        "llvm",
        "--skip-clean",
        "--out",
        "Json",
    ]);
    command.args([
        "--output-dir",
        REPORT_FOLDER,
        "--features",
        "tilesight/parquet",
    ]);
    // Apart, since every crate is compiled with counters.
    command.args(["--target-dir", "target/coverage/build"]);
    command.args(PACKAGES.iter().flat_map(|package| ["-p", package]));
    let status = run(command.current_dir(root), |_| ())?;
    if !status.success() {
        return Ok(Reached::Nothing(format!(
            "cargo tarpaulin ends with {status}"
        )));
    }
    let path = root.join(REPORT_FOLDER).join("tarpaulin-report.json");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let root = root.canonicalize()?;
    Ok(Reached::Figures(figures(&text, &root)?))
}

fn is_installed() -> bool {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tarpaulin", "--version"]);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// A figure for each area; lines that no test ran are named on the way.
fn figures(report: &str, root: &Path) -> Result<Vec<String>> {
    let report: Report = serde_json::from_str(report)?;
    let files: Vec<(String, &Covered)> = report
        .files
        .iter()
        .filter_map(|file| Some((path_below(root, &file.path)?, file)))
        .collect();
    let figures = AREAS.iter().map(|(name, beginnings)| {
        let is_of_area = |path: &str| beginnings.iter().any(|start| path.starts_with(start));
        let files = files.iter().filter(|(path, _)| is_of_area(path));
        figure(name, files.map(|(_, file)| *file))
    });
    let figures = figures.collect();
    for (path, file) in &files {
        show_missed(path, file);
    }
    Ok(figures)
}

fn figure<'a>(name: &str, files: impl Iterator<Item = &'a Covered>) -> String {
    let (mut lines, mut run) = (0_u64, 0_u64);
    for trace in files.flat_map(|file| &file.traces) {
        lines += 1;
        run += u64::from(trace.stats.line > 0);
    }
    let percent = run as f64 / lines.max(1) as f64 * 100.0;
    format!("{name}: {percent:.1} % of {lines} lines")
}

/// A path from the workspace on, if it lies in it.
fn path_below(root: &Path, parts: &[String]) -> Option<String> {
    let path: std::path::PathBuf = parts.iter().collect();
    let below = path.strip_prefix(root).ok()?;
    Some(below.to_string_lossy().into_owned())
}

fn show_missed(path: &str, file: &Covered) {
    let missed = file.traces.iter().filter(|trace| trace.stats.line == 0);
    let missed: Vec<String> = missed.map(|trace| trace.line.to_string()).collect();
    if !missed.is_empty() {
        println!("not run: {path}: {}", missed.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_by_area() {
        let file = |path: &str, lines: &str| {
            let parts: Vec<String> = path.split('/').map(|part| format!("{part:?}")).collect();
            let parts = parts.join(",");
            format!(r#"{{"path":["/",{parts}],"content":"","traces":[{lines}]}}"#)
        };
        let run = r#"{"line":1,"address":[],"length":1,"stats":{"Line":3}}"#;
        let missed = r#"{"line":2,"address":[],"length":1,"stats":{"Line":0}}"#;
        let files = [
            file("w/crates/tilesight-mvt/src/wire.rs", run),
            file(
                "w/crates/tilesight-store/src/lib.rs",
                &format!("{run},{missed}"),
            ),
            file("w/generate/src/lib.rs", missed),
            file("elsewhere/crates/a.rs", missed),
        ];
        let report = format!(r#"{{"files":[{}]}}"#, files.join(","));
        let figures = figures(&report, Path::new("/w")).unwrap();
        let expected = [
            "all crates: 66.7 % of 3 lines",
            "decoder: 100.0 % of 1 lines",
            "dataset file: 0.0 % of 0 lines",
            "store: 50.0 % of 2 lines",
        ];
        assert_eq!(figures, expected);
    }
}
