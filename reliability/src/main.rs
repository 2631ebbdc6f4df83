//! The program `tilesight-reliability`: measures every promise of `docs/reliability.md`, and writes
//! there what was reached.
//!
//! A row is measured by tests. By default they run a small edition; with [`SOAK_VARIABLE`] set they
//! run the whole one and print a line `reliability: ROW: FIGURE`, which is gathered here.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program shows what it runs"
)]

mod coverage;
mod measure;
mod miri;
mod mutation;
mod reasons;
mod rows;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use measure::Reached;
use rows::{ROWS, Row};
use table::Table;

/// What makes a test run its whole edition.
const SOAK_VARIABLE: &str = "TILESIGHT_SOAK";

/// Measures what Tilesight promises to withstand, and writes the table of docs/reliability.md.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Measure this row alone and leave the others as they stand; may be given several times.
    #[arg(long = "row", value_name = "NAME", value_parser = rows::named)]
    rows: Vec<&'static Row>,
    /// Show the rows and how each is measured, and measure nothing.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Tells whether every row was measured and held.
fn run(cli: &Cli) -> Result<bool> {
    let rows: Vec<&Row> = match &cli.rows[..] {
        [] => ROWS.iter().collect(),
        chosen => chosen.to_vec(),
    };
    if cli.list {
        for row in rows {
            println!("{}: {}\n    {}", row.name, row.promised, row.command_line());
        }
        return Ok(true);
    }
    let root = workspace();
    let page = root.join("docs/reliability.md");
    let mut all_held = true;
    for (at, row) in rows.iter().enumerate() {
        eprintln!("== {} of {}: {}", at + 1, rows.len(), row.name);
        let reached = measure::measure(row, &root)?;
        eprintln!("== {}: {reached}", row.name);
        all_held &= matches!(reached, Reached::Figures(_));
        write(&page, row, &reached)?;
    }
    Ok(all_held)
}

/// Puts one row into the page at once: hours may pass until the next.
fn write(page: &Path, row: &Row, reached: &Reached) -> Result<()> {
    let named = || page.display().to_string();
    let text = fs::read_to_string(page).with_context(named)?;
    let mut table = Table::read(&text).with_context(named)?;
    table.set(row, &reached.to_string());
    fs::write(page, table.put_into(&text)?).with_context(named)
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
