//! Measures what is called from Python beside what Python's users have, and writes the table of it
//! into `benches/README.md`.
//!
//! `cargo run --release -p tilesight-benches --bin python`

#![expect(clippy::print_stderr, reason = "a program says what it is doing")]

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use tilesight_benches::bars::{Places, build, write_tiles};
use tilesight_benches::{python, report};

#[derive(Debug, Parser)]
struct Cli {
    /// Images that targets are joined with.
    #[arg(long, env = "TILESIGHT_BENCH_IMAGES", default_value_t = 10_000_000)]
    images: u64,
    /// A dataset that was made before, instead.
    #[arg(long)]
    dataset: Option<PathBuf>,
    /// Targets that are joined.
    #[arg(long, default_value_t = 1_000_000)]
    targets: u64,
    /// Targets that the peer joins; its time is scaled.
    #[arg(long, default_value_t = 10_000)]
    sample: u64,
    /// How often the SDK is asked each question.
    #[arg(long, default_value_t = 3)]
    turns: usize,
    /// What to measure; everything, if nothing is named.
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Step {
    /// Mapillary's SDK and the drop-in for it.
    Sdk,
    /// Many targets with many images, beside `GeoPandas`.
    Join,
    /// What a call from Python takes beyond the same question in Rust.
    Call,
    /// Only write the table.
    Table,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let steps = match &cli.steps[..] {
        [] => Step::value_variants(),
        steps => steps,
    };
    for step in steps {
        eprintln!("{step:?} …");
        match step {
            Step::Sdk => python::measure_sdk(cli.turns)?,
            Step::Join => python::measure_join(&dataset(&cli)?, cli.targets, cli.sample)?,
            Step::Call => python::measure_call(&dataset(&cli)?)?,
            Step::Table => report::write_python()?,
        }
    }
    Ok(())
}

fn dataset(cli: &Cli) -> Result<PathBuf> {
    if let Some(file) = &cli.dataset {
        return Ok(file.clone());
    }
    let places = Places::of(cli.images);
    if !places.dataset().exists() {
        write_tiles(cli.images)?;
        build(&places)?;
    }
    Ok(places.dataset())
}
