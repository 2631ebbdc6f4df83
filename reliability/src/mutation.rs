//! Which changes of the code the tests notice, as `cargo mutants` makes them: a tool that is
//! optional.
//!
//! `.cargo/mutants.toml` says what is changed. All changes take many hours: some are tried, evenly
//! spread over the code and the same in every run.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::measure::{Reached, is_installed, run};

/// What gets the tool.
const INSTALL: &str = "cargo install cargo-mutants --locked";

/// Where the outcomes go, from the workspace on.
const OUTCOMES_FOLDER: &str = "target/mutants";

/// How many percent of the changes are to be noticed.
const MIN_PERCENT: f64 = 90.0;

/// What is changed, and the tests that are to notice: quick ones beside the code.
struct Area {
    name: &'static str,
    package: &'static str,
    /// Of how many changes one is tried.
    one_of: u32,
    /// What follows `cargo test`.
    tests: &'static [&'static str],
}

const AREAS: [Area; 3] = [
    Area {
        name: "decoder",
        package: "tilesight-mvt",
        one_of: 12,
        tests: &[
            "--lib",
            "--test=clauses",
            "--test=conformance",
            "--test=differential",
        ],
    },
    Area {
        name: "dataset file",
        package: "tilesight-query",
        one_of: 4,
        tests: &["--lib", "--", "storage::", "file::"],
    },
    Area {
        name: "store",
        package: "tilesight-store",
        one_of: 24,
        tests: &[
            "--lib",
            "--test=fetched_store",
            "--",
            "--skip=flipped_bit",
            "--skip=cut_anywhere",
        ],
    },
];

/// How many changes had which outcome. Those that do not compile are no changes.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Outcomes {
    caught: u32,
    /// Tests that do not end notice, too.
    timeout: u32,
    missed: u32,
}

/// Tries changes of the areas in the workspace at `root`.
pub fn measure(root: &Path) -> Result<Reached> {
    if !is_installed("mutants") {
        let why = format!("cargo-mutants is not installed ({INSTALL})");
        return Ok(Reached::Nothing(why));
    }
    let mut outcomes = Vec::new();
    for area in &AREAS {
        outcomes.push((area, outcomes_of(area, root)?));
    }
    Ok(judged(&outcomes))
}

fn outcomes_of(area: &Area, root: &Path) -> Result<Outcomes> {
    let folder = root.join(OUTCOMES_FOLDER).join(area.package);
    fs::create_dir_all(&folder)?;
    let mut command = Command::new(env!("CARGO"));
    command.args(["mutants", "-p", area.package, "--output"]);
    command.arg(&folder);
    let shard = format!("0/{}", area.one_of);
    command.args(["--sharding", "round-robin", "--shard", &shard]);
    // Each change is compiled anew, and waited for this many seconds.
    command.args(["--timeout", "60", "--"]).args(area.tests);
    command.env("CARGO_PROFILE_TEST_OPT_LEVEL", "1");
    // Its status is that of the changes, which are counted below.
    let status = run(command.current_dir(root), |_| ())?;
    let path = folder.join("mutants.out/outcomes.json");
    let text = fs::read_to_string(&path)
        .with_context(|| format!("cargo mutants ends with {status}: {}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

fn judged(outcomes: &[(&Area, Outcomes)]) -> Reached {
    let mut is_kept = true;
    let mut figure = |(area, outcomes): &(&Area, Outcomes)| {
        let noticed = outcomes.caught + outcomes.timeout;
        let changes = noticed + outcomes.missed;
        let percent = f64::from(noticed) / f64::from(changes.max(1)) * 100.0;
        is_kept &= percent >= MIN_PERCENT;
        let (name, one_of) = (area.name, area.one_of);
        format!(
            "{name}: {noticed} of {changes} changes are noticed ({percent:.0} %), every {one_of}th was tried"
        )
    };
    let figures = outcomes.iter().map(&mut figure).collect();
    Reached::judged(figures, is_kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_that_are_noticed_are_counted() {
        let outcomes = r#"{"outcomes": [], "total_mutants": 24, "missed": 2, "caught": 17,
                           "timeout": 1, "unviable": 4, "success": 0}"#;
        let outcomes: Outcomes = serde_json::from_str(outcomes).unwrap();
        let kept = "decoder: 18 of 20 changes are noticed (90 %), every 12th was tried";
        assert_eq!(judged(&[(&AREAS[0], outcomes)]).to_string(), kept);
        let missed = outcomes.missed + 1;
        let fewer = Outcomes { missed, ..outcomes };
        let lost = judged(&[(&AREAS[0], outcomes), (&AREAS[2], fewer)]).to_string();
        let expected = format!(
            "**not reached**: {kept}; store: 18 of 21 changes are noticed (86 %), every 24th was tried"
        );
        assert_eq!(lost, expected);
    }

    #[test]
    fn nothing_is_noticed_where_nothing_was_tried() {
        let none = Outcomes {
            caught: 0,
            timeout: 0,
            missed: 0,
        };
        assert!(matches!(judged(&[(&AREAS[0], none)]), Reached::Nothing(_)));
    }
}
