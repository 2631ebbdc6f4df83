//! Writes ten million images in every format beside pyogrio, `DuckDB` and pyarrow, and the table
//! of it into `benches/README.md`.
//!
//! `cargo run --release -p tilesight-benches --bin exports`

#![expect(clippy::print_stderr, reason = "a program says what it is doing")]

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use tilesight::Dataset;
use tilesight_benches::bars::{Places, build, open_dataset, write_tiles};
use tilesight_benches::exports::{Exported, measure_exports};
use tilesight_benches::report;

#[derive(Debug, Parser)]
struct Cli {
    /// Images of the world that is made.
    #[arg(long, env = "TILESIGHT_BENCH_IMAGES", default_value_t = 10_000_000)]
    images: u64,
    /// A dataset that was made before, instead.
    #[arg(long)]
    dataset: Option<PathBuf>,
    /// Where to write the files, one at a time; under `target/` where nothing is said.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// How often each writes each format.
    #[arg(long, default_value_t = 3)]
    turns: usize,
    /// What to write; everything, if nothing is named.
    formats: Vec<Exported>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let places = Places::of(cli.images);
    let data = dataset(&cli, &places)?;
    let folder = cli.folder.unwrap_or_else(|| places.exports());
    let formats = match &cli.formats[..] {
        [] => Exported::value_variants(),
        formats => formats,
    };
    for &format in formats {
        eprintln!("{} …", format.name());
        let exports = measure_exports(&data, format, &folder, cli.turns)?;
        report::write_exports(&places, format, &exports)?;
    }
    Ok(())
}

fn dataset(cli: &Cli, places: &Places) -> Result<Dataset> {
    if let Some(file) = &cli.dataset {
        return Ok(Dataset::open(file)?);
    }
    if !places.dataset().exists() {
        write_tiles(cli.images)?;
        build(places)?;
    }
    open_dataset(places)
}
