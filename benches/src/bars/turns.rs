//! Comparing answers, then timing in turns.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Comparison, Row, Times};
use crate::query::{Engine, Question};

/// How long the answers to one kind of question may be compared; slow peers are asked as many
/// questions as they answer in that time, and at least [`FEWEST`].
const CHECK_TIME: Duration = Duration::from_secs(8);
const FEWEST: usize = 10;

/// How long one kind of question is timed, unless a single turn takes longer.
const TURNS_TIME: Duration = Duration::from_secs(6);
const TURNS: usize = 5;

/// More than any cache holds.
const CACHES_BYTES: usize = 256 << 20;

/// Compares all answers of a peer with ours, then times both.
///
/// # Errors
///
/// When an answer differs; nothing is timed then.
pub fn compare(ours: &dyn Engine, peer: &dyn Engine, rows: &[Row]) -> Result<Vec<Comparison>> {
    let mut able = Vec::new();
    for row in rows {
        if let Some(asked) = check(ours, peer, row)? {
            able.push((row, asked));
        }
    }
    Ok(able
        .into_iter()
        .map(|(row, asked)| {
            let (ours, theirs) = time(ours, peer, row, &row.questions[..asked]);
            Comparison {
                number: row.number,
                title: row.title.clone(),
                peer: peer.name().to_owned(),
                questions: asked,
                ours,
                theirs,
                bar: row.bar,
            }
        })
        .collect())
}

/// Compares answers, and tells how many there was time for; nothing when the peer has none.
fn check(ours: &dyn Engine, peer: &dyn Engine, row: &Row) -> Result<Option<usize>> {
    let start = Instant::now();
    for (asked, question) in row.questions.iter().enumerate() {
        if asked >= FEWEST && start.elapsed() > CHECK_TIME {
            return Ok(Some(asked));
        }
        let Some(theirs) = row.answer(peer, question) else {
            return Ok(None);
        };
        let expected = row.answer(ours, question);
        ensure!(
            expected == Some(theirs),
            "{} differs: {}, question {asked}: {theirs:?} instead of {expected:?}",
            peer.name(),
            row.title
        );
    }
    Ok(Some(row.questions.len()))
}

/// Asks in turns; of each side the turn with the median mean counts.
fn time(ours: &dyn Engine, peer: &dyn Engine, row: &Row, questions: &[Question]) -> (Times, Times) {
    let start = Instant::now();
    let mut turns = (Vec::new(), Vec::new());
    while turns.0.len() < TURNS && (turns.0.is_empty() || start.elapsed() < TURNS_TIME) {
        turns.0.push(turn(ours, row, questions));
        turns.1.push(turn(peer, row, questions));
    }
    (median(turns.0), median(turns.1))
}

/// Asks all questions of a row, in turns of which the median counts.
pub(super) fn times_of(engine: &dyn Engine, row: &Row) -> Times {
    median((0..3).map(|_| turn(engine, row, &row.questions)).collect())
}

fn turn(engine: &dyn Engine, row: &Row, questions: &[Question]) -> Times {
    if row.is_cold {
        empty_caches();
    }
    let each_ns = questions.iter().map(|question| {
        let start = Instant::now();
        row.ask(engine, black_box(question));
        start.elapsed().as_nanos() as u64
    });
    Times::of(each_ns.collect())
}

fn median(mut turns: Vec<Times>) -> Times {
    turns.sort_unstable_by(|a, b| a.mean_ns.total_cmp(&b.mean_ns));
    turns[(turns.len() - 1) / 2]
}

fn empty_caches() {
    let bytes = vec![1_u8; CACHES_BYTES];
    black_box(bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>());
}

/// The processor, as Linux names it, and how much of it there is.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("an unnamed processor", |name| {
            name.trim_start_matches([' ', '\t', ':'])
        });
    format!("Measured on {model}, {cores} cores")
}
