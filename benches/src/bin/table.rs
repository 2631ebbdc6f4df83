//! Writes the tables of `benches/README.md` from what was measured last, by `cargo bench` and by
//! the program `bars`.

use clap::Parser;
use tilesight_benches::report;

#[derive(Debug, Parser)]
struct Cli {
    /// Size of the world whose bars are written.
    #[arg(long, env = "TILESIGHT_BENCH_IMAGES", default_value_t = 10_000_000)]
    images: u64,
}

fn main() -> anyhow::Result<()> {
    report::write_readme(Cli::parse().images)
}
