//! The table of exports.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::bars::thousands;
use super::{OURS, duration, ratio, three_digits};
use crate::bars::{Places, machine};
use crate::exports::{ExportRow, Exported, Exports, Measured};

/// Keeps what was measured of a format.
///
/// # Errors
///
/// When it cannot be written.
pub(super) fn keep(places: &Places, format: Exported, exports: &Exports) -> Result<()> {
    fs::create_dir_all(places.exports())?;
    let text = serde_json::to_string_pretty(exports)?;
    Ok(fs::write(kept(places, format), text)?)
}

/// The table of what was measured last.
///
/// # Errors
///
/// When nothing was, or it cannot be read.
pub(super) fn table(places: &Places) -> Result<String> {
    let formats = Exported::value_variants().iter();
    let kept = formats
        .map(|&format| kept(places, format))
        .filter(|path| path.exists());
    let exports: Vec<Exports> = kept
        .map(|path| Ok(serde_json::from_str(&fs::read_to_string(path)?)?))
        .collect::<Result<_>>()?;
    let first = exports.first().context("no exports were measured")?;
    let mut text = format!(
        "\n## Exports\n\n{} made images (seed 7, around Helsinki), all columns; the best turn of each. \
         {}.\n\n\
         | | {OURS} | peer | its time | ratio | at least | |\n|---|---:|---|---:|---:|---:|---|\n",
        thousands(first.images),
        machine()
    );
    for row in exports.iter().flat_map(|exports| &exports.rows) {
        text += &line(row);
    }
    for note in exports.iter().flat_map(|exports| &exports.notes) {
        let _ = write!(text, "\n- {note}");
    }
    Ok(text)
}

fn kept(places: &Places, format: Exported) -> PathBuf {
    places.exports().join(format!("{}.json", format.name()))
}

fn line(row: &ExportRow) -> String {
    let verdict = match row.at_least {
        None => "",
        Some(least) if row.ratio() >= least => "met",
        Some(_) if row.ratio() < 1.0 => "**lost**",
        Some(_) => "**missed**",
    };
    format!(
        "| {} | {} | {} | {} | {} | {} | {verdict} |\n",
        row.format,
        time_and_size(row.ours),
        row.peer,
        time_and_size(row.theirs),
        ratio(row.ratio()),
        row.at_least.map_or("–".to_owned(), ratio),
    )
}

fn time_and_size(measured: Measured) -> String {
    let megabytes = three_digits(measured.bytes as f64 / 1e6);
    format!("{}, {megabytes} MB", duration(measured.seconds * 1e9))
}
