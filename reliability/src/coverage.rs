//! Which lines the tests run through, as `cargo tarpaulin` finds them: a tool that is optional.

use std::fs;
use std::iter;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::measure::{Reached, is_installed, run};
use crate::reasons::Reasons;

/// What gets the tool.
const INSTALL: &str = "cargo install cargo-tarpaulin --locked";

/// Where the report goes, from the workspace on.
const REPORT_FOLDER: &str = "target/coverage";

/// Lines that no test runs, and why, from the workspace on.
const REASONS: &str = "reliability/unreached.md";

/// How many percent of all lines are to be run.
const MIN_PERCENT: f64 = 95.0;

/// What all lines are in: the beginning of paths.
const ALL: &str = "crates/";

/// Parts of the workspace of which every line is run or has a reason: name, beginnings of paths.
const AREAS: [(&str, &[&str]); 3] = [
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
const PACKAGES: [&str; 9] = [
    "tilesight",
    "tilesight-cli",
    "tilesight-fetch",
    "tilesight-mvt",
    "tilesight-publish",
    "tilesight-query",
    "tilesight-store",
    "tilesight-tests",
    "tilesight-tile",
];

/// Tests that kill programs, or leave them no room on the disk, at hundreds of moments: what such a
/// program has counted is half a file of megabytes, in which the tool finds no sense. The lines are
/// run by other tests.
const SKIPPED: [&str; 5] = [
    "a_full_disk",
    "a_new_store_survives",
    "killed_at_any",
    "refused_at_any",
    "the_token_is_nowhere",
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
    content: String,
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
    if !is_installed("tarpaulin") {
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
    // Seconds that a test may be silent.
    command.args(["--timeout", "3600"]);
    command.args(PACKAGES.iter().flat_map(|package| ["-p", package]));
    command.arg("--");
    command.args(SKIPPED.iter().flat_map(|test| ["--skip", test]));
    let status = run(command.current_dir(root), |_| ())?;
    if !status.success() {
        return Ok(Reached::Nothing(format!(
            "cargo tarpaulin ends with {status}"
        )));
    }
    let path = root.join(REPORT_FOLDER).join("tarpaulin-report.json");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let root = root.canonicalize()?;
    let reasons = root.join(REASONS);
    let reasons = fs::read_to_string(&reasons).with_context(|| reasons.display().to_string())?;
    judged(&text, &root, Reasons::read(&reasons)?)
}

/// A figure of all crates and of each area, and whether they are as promised. Lines that no test
/// ran are named on the way.
fn judged(report: &str, root: &Path, mut reasons: Reasons) -> Result<Reached> {
    let report: Report = serde_json::from_str(report)?;
    let files: Vec<(String, &Covered)> = report
        .files
        .iter()
        .filter_map(|file| Some((path_below(root, &file.path)?, file)))
        .filter(|(path, _)| path.starts_with(ALL))
        .collect();
    let mut all = Lines::default();
    let mut areas = AREAS.map(|(name, beginnings)| (name, beginnings, Lines::default()));
    for (path, file) in &files {
        all.add(path, file, &mut Reasons::default());
        let is_of = |beginnings: &[&str]| beginnings.iter().any(|start| path.starts_with(start));
        if let Some((.., lines)) = areas.iter_mut().find(|(_, starts, _)| is_of(starts)) {
            lines.add(path, file, &mut reasons);
        }
        show_missed(path, file);
    }
    for (path, code) in reasons.left() {
        println!("needs no reason any more: {path}: {code}");
    }
    let is_kept = all.percent() >= MIN_PERCENT
        && areas.iter().all(|(.., lines)| lines.is_explained())
        && reasons.left().next().is_none();
    let all = format!("all crates: {:.1} % of {} lines", all.percent(), all.count);
    let areas = areas.map(|(name, _, lines)| format!("{name}: {}", lines.figure()));
    let figures = iter::once(all).chain(areas).collect();
    Ok(Reached::judged(figures, is_kept))
}

/// How many lines there are, and what became of them.
#[derive(Default)]
struct Lines {
    count: usize,
    run: usize,
    with_reason: usize,
}

impl Lines {
    fn add(&mut self, path: &str, file: &Covered, reasons: &mut Reasons) {
        let text: Vec<&str> = file.content.lines().map(str::trim).collect();
        for Trace { line, stats } in &file.traces {
            self.count += 1;
            if stats.line > 0 {
                self.run += 1;
            } else if let Some(code) = text.get((*line as usize).saturating_sub(1)) {
                self.with_reason += usize::from(reasons.take(path, code));
            }
        }
    }

    fn is_explained(&self) -> bool {
        self.run + self.with_reason == self.count
    }

    fn percent(&self) -> f64 {
        self.run as f64 / self.count.max(1) as f64 * 100.0
    }

    fn figure(&self) -> String {
        let Self {
            count,
            run,
            with_reason,
        } = self;
        let unexplained = count - run - with_reason;
        let figure = format!("{run} of {count} lines, {with_reason} have a reason");
        match unexplained {
            0 => figure,
            _ => format!("{figure}, {unexplained} have none"),
        }
    }
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

    const RUN: &str = r#"{"line":1,"address":[],"length":1,"stats":{"Line":3}}"#;
    const MISSED: &str = r#"{"line":2,"address":[],"length":1,"stats":{"Line":0}}"#;

    /// A report of files whose second line is `missed();`, with the lines that were looked at.
    fn report(files: &[(&str, &[&str])]) -> String {
        let file = |(path, traces): &(&str, &[&str])| {
            let parts: Vec<String> = path.split('/').map(|part| format!("{part:?}")).collect();
            let (parts, traces) = (parts.join(","), traces.join(","));
            let content = r"run();\n    missed();\n";
            format!(r#"{{"path":["/",{parts}],"content":"{content}","traces":[{traces}]}}"#)
        };
        let files: Vec<String> = files.iter().map(file).collect();
        format!(r#"{{"files":[{}]}}"#, files.join(","))
    }

    fn shown(files: &[(&str, &[&str])], reasons: &str) -> String {
        let reasons = Reasons::read(reasons).unwrap();
        let reached = judged(&report(files), Path::new("/w"), reasons).unwrap();
        reached.to_string()
    }

    #[test]
    fn lines_are_counted_by_area() {
        let files: [(&str, &[&str]); 4] = [
            ("w/crates/tilesight-mvt/src/wire.rs", &[RUN]),
            ("w/crates/tilesight-store/src/lib.rs", &[RUN, MISSED]),
            ("w/generate/src/lib.rs", &[MISSED]),
            ("elsewhere/crates/a.rs", &[MISSED]),
        ];
        let expected = "**not reached**: all crates: 66.7 % of 3 lines; \
                        decoder: 1 of 1 lines, 0 have a reason; \
                        dataset file: 0 of 0 lines, 0 have a reason; \
                        store: 1 of 2 lines, 0 have a reason, 1 have none";
        assert_eq!(shown(&files, ""), expected);
    }

    #[test]
    fn every_line_of_an_area_is_run_or_has_a_reason() {
        let store = "crates/tilesight-store/src/lib.rs";
        let path = format!("w/{store}");
        let many = vec![RUN; 30];
        let missed = [&many[..], &[MISSED]].concat();
        let reason = format!("## {store}\n- `missed();`: never on Sundays\n");
        let is_kept = |traces: &[&str], reasons: &str| {
            let shown = shown(&[(path.as_str(), traces)], reasons);
            !shown.starts_with("**not reached**")
        };
        assert!(is_kept(&many, "") && is_kept(&missed, &reason));
        assert!(!is_kept(&missed, ""));
        assert!(!is_kept(&many, &reason), "a reason for a line that is run");
        let missed = [&many[..], &[MISSED; 2]].concat();
        assert!(!is_kept(&missed, &reason), "a reason is good for one line");
        assert!(!is_kept(&[RUN, MISSED], &reason), "half of all lines");
    }

    #[test]
    fn the_reasons_can_be_read() {
        let page = include_str!("../unreached.md");
        let reasons = Reasons::read(page).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (path, code) in reasons.left() {
            let text = fs::read_to_string(root.join(path)).unwrap();
            assert!(
                text.lines().any(|line| line.trim() == code),
                "{path}: {code}"
            );
        }
    }
}
