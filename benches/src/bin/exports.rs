//! Writes made images in every format and says how long it took:
//! `cargo run --release -p tilesight-benches --bin exports -- 10000000 FOLDER`.
//!
//! `benches/exports/run.py` runs it together with the rivals, which start from the same rows.

#![expect(clippy::print_stdout, reason = "a program prints what it measured")]

use std::fs::File;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::json;
use tilesight::ImageQuery;
use tilesight::formats::{Export, Format};
use tilesight_benches::query::MadeWorld;

const FORMATS: [(&str, Format); 5] = [
    ("geojson", Format::GeoJson),
    ("geojsonl", Format::GeoJsonSeq),
    ("csv", Format::Csv),
    ("arrow", Format::Arrow),
    ("parquet", Format::Parquet),
];

/// How often each is written; the median counts.
const RUNS: usize = 3;

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let rows: u64 = words.next().context("how many rows: 10000000")?.parse()?;
    let folder = PathBuf::from(words.next().context("which folder to write into")?);
    let data = MadeWorld::new(rows).dataset();
    let query = ImageQuery::default();
    let found = data.images(&query)?;
    for (extension, format) in FORMATS {
        let path = folder.join(format!("rows.{extension}"));
        let mut seconds = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            let mut file = File::create(&path)?;
            let begun = Instant::now();
            found.write(format, &query.place, &mut file)?;
            seconds.push(begun.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let bytes = path.metadata()?.len();
        println!(
            "{}",
            json!({"format": extension, "seconds": seconds[RUNS / 2], "bytes": bytes})
        );
    }
    Ok(())
}
