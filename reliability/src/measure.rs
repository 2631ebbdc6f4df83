//! Runs what measures a row, shows it, and gathers its figures.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result};

use crate::rows::{Measure, Row};
use crate::{SOAK_VARIABLE, coverage, miri, mutation};

/// What became of a row.
#[derive(Debug, PartialEq, Eq)]
pub enum Reached {
    /// It held, with these figures.
    Figures(Vec<String>),
    /// It was not measured, or did not hold: why.
    Nothing(String),
}

impl Reached {
    /// Figures that are as promised, or not.
    pub fn judged(figures: Vec<String>, is_kept: bool) -> Self {
        let reached = Self::Figures(figures);
        if is_kept {
            reached
        } else {
            Self::Nothing(reached.to_string())
        }
    }

    /// What two measurements of one row reached: nothing, unless both did.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Figures(mut figures), Self::Figures(others)) => {
                figures.extend(others);
                Self::Figures(figures)
            }
            (Self::Nothing(why), Self::Nothing(other)) => Self::Nothing(format!("{why}; {other}")),
            (Self::Nothing(why), figures) | (figures, Self::Nothing(why)) => {
                Self::Nothing(format!("{why}; {figures}"))
            }
        }
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Figures(figures) => f.write_str(&figures.join("; ")),
            Self::Nothing(why) => write!(f, "**not reached**: {why}"),
        }
    }
}

/// Measures a row in the workspace at `root`.
pub fn measure(row: &Row, root: &Path) -> Result<Reached> {
    match row.measure {
        Measure::Tests(arguments) => run_tests(row.name, arguments, root),
        Measure::Code => {
            let lines = coverage::measure(root)?.and(miri::measure(root)?);
            Ok(lines.and(mutation::measure(root)?))
        }
    }
}

fn run_tests(name: &str, arguments: &[&str], root: &Path) -> Result<Reached> {
    let mut command = Command::new(env!("CARGO"));
    command
        .arg("test")
        .args(arguments)
        .args(["--", "--nocapture"]);
    command.env(SOAK_VARIABLE, "1").current_dir(root);
    let mut figures = Vec::new();
    let mut skipped = Vec::new();
    let status = run(&mut command, |line| {
        figures.extend(figure_in(line, name));
        skipped.extend(skipped_in(line));
    })?;
    Ok(judged(status, figures, skipped))
}

/// A row holds when its tests pass and tell a figure; what they skipped is told with it.
fn judged(status: ExitStatus, mut figures: Vec<String>, skipped: Vec<String>) -> Reached {
    if !status.success() {
        return Reached::Nothing(format!("its tests end with {status}"));
    }
    if figures.is_empty() {
        let why = if skipped.is_empty() {
            "no test told a figure".to_owned()
        } else {
            skipped.join("; ")
        };
        return Reached::Nothing(why);
    }
    figures.extend(skipped);
    Reached::Figures(figures)
}

/// Runs a command and hands on each line of its output, which is shown, too.
pub fn run(command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<ExitStatus> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} does not start"))?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line?;
            println!("{line}");
            on_line(&line);
        }
    }
    Ok(child.wait()?)
}

/// Whether cargo has a subcommand.
pub fn is_installed(subcommand: &str) -> bool {
    let mut command = Command::new(env!("CARGO"));
    command.args([subcommand, "--version"]);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The figure of a row in a line of output, which may begin with what the test harness says.
fn figure_in(line: &str, name: &str) -> Option<String> {
    let (_, figure) = line.split_once(&format!("reliability: {name}: "))?;
    Some(figure.trim().to_owned())
}

/// What a test says that it skips.
fn skipped_in(line: &str) -> Option<String> {
    let at = line.to_ascii_lowercase().find("skipped: ")?;
    Some(line[at..].to_lowercase())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn figures_are_found_wherever_the_harness_puts_them() {
        let figure = |line| figure_in(line, "answers");
        let expected = Some("1,000 cases".to_owned());
        assert_eq!(figure("reliability: answers: 1,000 cases"), expected);
        let after_name = "test images ... reliability: answers: 1,000 cases";
        assert_eq!(figure(after_name), expected);
        assert_eq!(figure("reliability: token: 0 bytes"), None);
        assert_eq!(figure("test answers ... ok"), None);
        let skipped = skipped_in("test ids ... SKIPPED: there is no node");
        assert_eq!(skipped.as_deref(), Some("skipped: there is no node"));
    }

    #[test]
    fn a_row_is_reached_only_with_a_figure() {
        let (good, bad) = (ExitStatus::from_raw(0), ExitStatus::from_raw(101 << 8));
        let figures = || vec!["7 cases".to_owned()];
        let skipped = || vec!["skipped: no node".to_owned()];
        let shown = |status, figures, skipped| judged(status, figures, skipped).to_string();
        assert_eq!(shown(good, figures(), vec![]), "7 cases");
        assert_eq!(
            shown(good, figures(), skipped()),
            "7 cases; skipped: no node"
        );
        let no_node = "**not reached**: skipped: no node";
        assert_eq!(shown(good, vec![], skipped()), no_node);
        let silent = "**not reached**: no test told a figure";
        assert_eq!(shown(good, vec![], vec![]), silent);
        let failed = "**not reached**: its tests end with exit status: 101";
        assert_eq!(shown(bad, figures(), vec![]), failed);
    }

    #[test]
    fn a_row_of_two_measurements_is_reached_by_both() {
        let figure = |text: &str| Reached::Figures(vec![text.to_owned()]);
        let nothing = |text: &str| Reached::Nothing(text.to_owned());
        assert_eq!(figure("a").and(figure("b")).to_string(), "a; b");
        let half = "**not reached**: why; a";
        assert_eq!(figure("a").and(nothing("why")).to_string(), half);
        assert_eq!(nothing("why").and(figure("a")).to_string(), half);
        let none = nothing("why").and(nothing("not")).to_string();
        assert_eq!(none, "**not reached**: why; not");
        let figures = || vec!["5 of 9".to_owned()];
        assert_eq!(
            Reached::judged(figures(), true),
            Reached::Figures(figures())
        );
        assert_eq!(Reached::judged(figures(), false), nothing("5 of 9"));
    }

    #[test]
    fn a_tool_that_is_not_there_is_not_installed() {
        assert!(!is_installed("no-such-subcommand"));
    }

    #[test]
    fn output_is_handed_on_line_by_line() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two; exit 3"]);
        let status = run(&mut command, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(
            (status.code(), lines),
            (Some(3), vec!["one".into(), "two".into()])
        );
    }
}
