//! The tables of `benches/README.md`.

mod bars;
mod exports;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bars::{Places, machine};
use crate::exports::{Exported, Exports};
use crate::python;

const OURS: &str = "tilesight";

/// What is written lies between these lines.
const TABLES: [&str; 2] = [
    "<!-- tables: written by the command above -->",
    "<!-- end of the tables -->",
];
const EXPORTS: [&str; 2] = [
    "<!-- exports: written by the command above -->",
    "<!-- end of the exports -->",
];
const BARS: [&str; 2] = [
    "<!-- bars: written by the command above -->",
    "<!-- end of the bars -->",
];
const PYTHON: [&str; 2] = [
    "<!-- python: written by the command above -->",
    "<!-- end of python -->",
];

/// A table for each kind of benchmark: the start of its groups' names, its heading, its data.
const KINDS: [(&str, &str, &str); 3] = [
    (
        "query/",
        "Build and queries",
        "1,000,000 made images (seed 7, around Helsinki), 155,000 map features; time for a question.",
    ),
    (
        "decode/",
        "Decoding",
        "Tiles with all columns of images, not compressed; time for an image.",
    ),
    (
        "decode-gzip/",
        "Decoding, gzipped",
        "The same tiles from their gzipped bytes; time for an image.",
    ),
];

/// Nanoseconds by engine, by row.
type Times = BTreeMap<String, BTreeMap<String, f64>>;

/// Writes what was measured into `benches/README.md`; what was not measured stays as it is.
///
/// # Errors
///
/// When nothing was measured at all, or a file cannot be read or written.
pub fn write_readme(images: u64) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("../target"), PathBuf::from);
    let readme = root.join("README.md");
    let mut text = fs::read_to_string(&readme)?;
    let times = measured(&target.join("criterion"));
    let bars = bars::tables(images);
    let exports = exports::table(&Places::of(images));
    ensure!(
        times.is_ok() || bars.is_ok() || exports.is_ok(),
        "nothing was measured; run `cargo bench` or the program `bars` or `exports` first"
    );
    if let Ok(times) = times {
        let tables: String = KINDS
            .iter()
            .map(|(start, heading, data)| table(&times, start, heading, data))
            .collect();
        text = with_tables(&text, TABLES, &tables)?;
    }
    if let Ok(bars) = bars {
        text = with_tables(&text, BARS, &bars)?;
    }
    if let Ok(exports) = exports {
        text = with_tables(&text, EXPORTS, &exports)?;
    }
    fs::write(&readme, text)?;
    Ok(())
}

/// Keeps what the program `exports` measured, and writes the table of it into `benches/README.md`.
///
/// # Errors
///
/// When a file cannot be read or written.
pub fn write_exports(places: &Places, format: Exported, measured: &Exports) -> Result<()> {
    exports::keep(places, format, measured)?;
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&readme)?;
    fs::write(
        &readme,
        with_tables(&text, EXPORTS, &exports::table(places)?)?,
    )?;
    Ok(())
}

/// Writes the table of what was measured from Python into `benches/README.md`.
///
/// # Errors
///
/// When nothing was measured, or a file cannot be read or written.
pub fn write_python() -> Result<()> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&readme)?;
    let table = bars::from_python(&python::records()?);
    fs::write(&readme, with_tables(&text, PYTHON, &table)?)?;
    Ok(())
}

/// Reads what criterion left behind.
fn measured(criterion: &Path) -> Result<Times> {
    let mut times = Times::new();
    for group in folders(criterion)? {
        for engine in folders(&group)? {
            let new = engine.join("new");
            if let Ok(benchmark) = json(&new.join("benchmark.json")) {
                let (row, name) = names(&benchmark)?;
                let time = nanoseconds(&benchmark, &json(&new.join("estimates.json"))?)?;
                times.entry(row).or_default().insert(name, time);
            }
        }
    }
    ensure!(
        !times.is_empty(),
        "nothing was measured; run `cargo bench` first"
    );
    Ok(times)
}

fn folders(of: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(of).with_context(|| format!("cannot read {}", of.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path()));
    let paths: Vec<PathBuf> = paths.collect::<std::io::Result<_>>()?;
    Ok(paths.into_iter().filter(|path| path.is_dir()).collect())
}

fn json(path: &Path) -> Result<Value> {
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}

fn names(benchmark: &Value) -> Result<(String, String)> {
    let name = |key: &str| benchmark[key].as_str().map(str::to_owned);
    let names = name("group_id").zip(name("function_id"));
    names.context("a benchmark has no name")
}

/// Median time for one of the elements of a benchmark.
fn nanoseconds(benchmark: &Value, estimates: &Value) -> Result<f64> {
    let elements = benchmark["throughput"]["Elements"].as_f64().unwrap_or(1.0);
    let median = estimates["median"]["point_estimate"].as_f64();
    Ok(median.context("a benchmark has no median")? / elements)
}

fn table(times: &Times, start: &str, heading: &str, data: &str) -> String {
    let rows: Vec<_> = times
        .iter()
        .filter_map(|(row, times)| Some((row.strip_prefix(start)?, times)))
        .filter_map(|(row, times)| Some((row, *times.get(OURS)?, times)))
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let rivals: BTreeSet<&str> = rows
        .iter()
        .flat_map(|(_, _, times)| times.keys().map(String::as_str))
        .filter(|name| *name != OURS)
        .collect();
    let mut text = format!("\n## {heading}\n\n{data} {}.\n\n| | {OURS} |", machine());
    for rival in &rivals {
        let _ = write!(text, " {rival} |");
    }
    text += " against the best |\n|---|---:|";
    text += &"---:|".repeat(rivals.len() + 1);
    text.push('\n');
    for (row, ours, times) in rows {
        let _ = write!(text, "| {} | {} |", without_number(row), duration(ours));
        let mut best = f64::INFINITY;
        for rival in &rivals {
            match times.get(*rival) {
                Some(&time) => {
                    best = best.min(time / ours);
                    let _ = write!(text, " {} ({}) |", duration(time), ratio(time / ours));
                }
                None => text += " – |",
            }
        }
        let _ = writeln!(text, " {} |", verdict(best));
    }
    text
}

/// A row's name without the number that keeps it in its place.
fn without_number(row: &str) -> &str {
    row.trim_start_matches(|c: char| c.is_ascii_digit())
        .strip_prefix(' ')
        .unwrap_or(row)
}

fn duration(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        ..1e3 => (nanoseconds, "ns"),
        ..1e6 => (nanoseconds / 1e3, "µs"),
        ..1e9 => (nanoseconds / 1e6, "ms"),
        _ => (nanoseconds / 1e9, "s"),
    };
    format!("{} {unit}", three_digits(value))
}

fn ratio(times_faster: f64) -> String {
    format!("{}×", three_digits(times_faster))
}

fn three_digits(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// How many times faster we are than the best rival; marked where we are not.
fn verdict(best: f64) -> String {
    if best.is_infinite() {
        "–".to_owned()
    } else if best < 1.0 {
        format!("**{} lost**", ratio(best))
    } else {
        ratio(best)
    }
}

/// Replaces what lies between two lines of a page.
///
/// # Errors
///
/// When the page lacks one of them.
pub fn with_tables(page: &str, [start, end]: [&str; 2], tables: &str) -> Result<String> {
    let (before, rest) = page
        .split_once(start)
        .with_context(|| format!("the page has no line {start}"))?;
    let (_, after) = rest
        .split_once(end)
        .with_context(|| format!("the page has no line {end}"))?;
    Ok(format!("{before}{start}\n{tables}\n{end}{after}"))
}
