//! The bars and whether they are met, from the records of all steps.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, ensure};

use super::{OURS, duration, ratio, three_digits};
use crate::bars::{Bar, Comparison, Limit, Places, Record, machine};

/// The steps whose peers stand side by side in one table.
const SIDE_BY_SIDE: &str = "peer-";

/// All tables about a world.
///
/// # Errors
///
/// When nothing was measured in it, or a record cannot be read.
pub(super) fn tables(images: u64) -> Result<String> {
    let mut records = records(images)?;
    ensure!(!records.is_empty(), "no bars were measured");
    let rust: Vec<Comparison> = records
        .iter_mut()
        .filter(|(step, _)| step.starts_with(SIDE_BY_SIDE))
        .flat_map(|(_, record)| std::mem::take(&mut record.comparisons))
        .collect();
    let mut others: Vec<Comparison> = Vec::new();
    let (mut limits, mut notes) = (Vec::new(), Vec::new());
    for record in records.into_values() {
        others.extend(record.comparisons);
        limits.extend(record.limits);
        notes.extend(record.notes);
    }
    others.sort_by_key(|row| row.number);
    let mut text = format!(
        "\n## Bars\n\n{} made images (seed 7, around Helsinki). {}.\n",
        thousands(images),
        machine()
    );
    text += &side_by_side(&rust);
    text += &one_by_one(&others);
    text += &limited(&limits);
    for note in notes {
        let _ = write!(text, "\n- {note}");
    }
    text.push('\n');
    Ok(text)
}

/// The table of what was measured from Python.
pub(super) fn from_python(record: &Record) -> String {
    let rows = one_by_one(&record.comparisons) + &limited(&record.limits);
    format!("\n## From Python\n\n{}.\n{rows}", machine())
}

/// The records by step.
fn records(images: u64) -> Result<BTreeMap<String, Record>> {
    let folder = Places::of(images).records();
    let entries = fs::read_dir(&folder)
        .with_context(|| format!("nothing was measured in {}", folder.display()))?;
    entries
        .map(|entry| {
            let path = entry?.path();
            let step = path.file_stem().unwrap_or_default().to_string_lossy();
            Ok((step.into_owned(), Record::read(&path)?))
        })
        .collect()
}

/// A row for each kind of question, a column for each peer.
fn side_by_side(comparisons: &[Comparison]) -> String {
    if comparisons.is_empty() {
        return String::new();
    }
    let mut rows: BTreeMap<usize, Vec<&Comparison>> = BTreeMap::new();
    let mut peers: Vec<&str> = Vec::new();
    for comparison in comparisons {
        rows.entry(comparison.number).or_default().push(comparison);
        if !peers.contains(&comparison.peer.as_str()) {
            peers.push(&comparison.peer);
        }
    }
    let mut text = format!(
        "\nMean and, after the stroke, the 99th percentile of a question; in brackets, how many \
         times slower a peer is. One thread.\n\n| | {OURS} | {} | best peer | at least | |\n|---|---:|",
        peers.join(" | ")
    );
    text += &"---:|".repeat(peers.len() + 2);
    text += "---|\n";
    for row in rows.values() {
        let first = row[0];
        let _ = write!(text, "| {} | {} |", first.title, our_times(row));
        for peer in &peers {
            let of_peer = row.iter().find(|comparison| comparison.peer == *peer);
            let _ = write!(
                text,
                " {} |",
                of_peer.map_or("–".to_owned(), |it| theirs(it))
            );
        }
        let best = row
            .iter()
            .map(|it| it.ratio())
            .fold(f64::INFINITY, f64::min);
        let is_met = row.iter().all(|it| it.is_met());
        let _ = writeln!(
            text,
            " {} | {} | {} |",
            ratio(best),
            held_to(&first.bar),
            verdict(best, is_met)
        );
    }
    text
}

/// Our mean and 99th percentile beside several peers: the medians.
fn our_times(row: &[&Comparison]) -> String {
    let median = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        values[(values.len() - 1) / 2]
    };
    let mean = median(row.iter().map(|it| it.ours.mean_ns).collect());
    let p99 = median(row.iter().map(|it| it.ours.p99_ns).collect());
    format!("{} / {}", duration(mean), duration(p99))
}

fn theirs(comparison: &Comparison) -> String {
    let Comparison {
        theirs, questions, ..
    } = comparison;
    let few = if *questions < 1_000 {
        format!(", {questions} questions")
    } else {
        String::new()
    };
    format!(
        "{} / {} ({}{few})",
        duration(theirs.mean_ns),
        duration(theirs.p99_ns),
        ratio(comparison.ratio())
    )
}

/// A row for each kind of question and peer.
fn one_by_one(comparisons: &[Comparison]) -> String {
    if comparisons.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\nPeers as they are called from Python, and what takes long.\n\n| | {OURS} | peer | its time | ratio | at least | |\n|---|---:|---|---:|---:|---:|---|\n"
    );
    for it in comparisons {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} |",
            it.title,
            duration(it.ours.mean_ns),
            it.peer,
            duration(it.theirs.mean_ns),
            ratio(it.ratio()),
            held_to(&it.bar),
            if it.bar == Bar::default() && it.ratio() >= 1.0 {
                ""
            } else {
                verdict(it.ratio(), it.is_met())
            }
        );
    }
    text
}

fn limited(limits: &[Limit]) -> String {
    if limits.is_empty() {
        return String::new();
    }
    let mut text = "\n| | measured | at most | |\n|---|---:|---:|---|\n".to_owned();
    for Limit {
        title,
        value,
        at_most,
        unit,
    } in limits
    {
        let verdict = if value <= at_most {
            "met"
        } else {
            "**missed**"
        };
        let (value, at_most) = (three_digits(*value), three_digits(*at_most));
        let _ = writeln!(
            text,
            "| {title} | {value} {unit} | {at_most} {unit} | {verdict} |"
        );
    }
    text
}

fn held_to(bar: &Bar) -> String {
    if *bar == Bar::default() {
        return "–".to_owned();
    }
    let mut text = ratio(bar.faster);
    if let Some(lower) = bar.p99_lower {
        let _ = write!(text, ", p99 {}", ratio(lower));
    }
    if let Some(most) = bar.p99_at_most_ns {
        let _ = write!(text, ", p99 ≤ {}", duration(most));
    }
    text
}

fn verdict(ratio: f64, is_met: bool) -> &'static str {
    match (ratio < 1.0, is_met) {
        (true, _) => "**lost**",
        (false, false) => "**missed**",
        (false, true) => "met",
    }
}

pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    groups.join(",")
}
