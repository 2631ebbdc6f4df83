//! Comparing answers, then timing in turns.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Comparison, Row, Times};
use crate::query::{Engine, Question};

/// Questions that even the slowest peer is asked.
const FEWEST: usize = 10;

/// Turns that each side has; fewer when time runs out, but enough that in one of them nothing
/// came between.
const TURNS: usize = 5;
const FEWEST_TURNS: usize = 3;

/// More than any cache holds.
const CACHES_BYTES: usize = 256 << 20;

/// Compares all answers of a peer with ours, then times both.
///
/// Either may take `patience` for one kind of question: a slow peer is asked as many questions as
/// it answers in that time, and a slow kind of question has fewer turns.
///
/// # Errors
///
/// When an answer differs; nothing is timed then.
pub fn compare(
    ours: &dyn Engine,
    peer: &dyn Engine,
    rows: &[Row],
    patience: Duration,
) -> Result<Vec<Comparison>> {
    let mut able = Vec::new();
    for row in rows {
        if let Some(asked) = check(ours, peer, row, patience)? {
            able.push((row, asked));
        }
    }
    Ok(able
        .into_iter()
        .map(|(row, asked)| {
            let (ours, theirs) = time(ours, peer, row, &row.questions[..asked], patience);
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
fn check(
    ours: &dyn Engine,
    peer: &dyn Engine,
    row: &Row,
    patience: Duration,
) -> Result<Option<usize>> {
    let start = Instant::now();
    for (asked, question) in row.questions.iter().enumerate() {
        if asked >= FEWEST && start.elapsed() > patience {
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

/// Asks in turns.
fn time(
    ours: &dyn Engine,
    peer: &dyn Engine,
    row: &Row,
    questions: &[Question],
    patience: Duration,
) -> (Times, Times) {
    let start = Instant::now();
    let mut turns = (Vec::new(), Vec::new());
    while turns.0.len() < FEWEST_TURNS || (turns.0.len() < TURNS && start.elapsed() < patience) {
        turns.0.push(turn(ours, row, questions));
        turns.1.push(turn(peer, row, questions));
    }
    (Times::of(fastest(&turns.0)), Times::of(fastest(&turns.1)))
}

/// Asks all questions of a row, in turns.
pub(super) fn times_of(engine: &dyn Engine, row: &Row) -> Times {
    let turns: Vec<_> = (0..TURNS)
        .map(|_| turn(engine, row, &row.questions))
        .collect();
    Times::of(fastest(&turns))
}

/// Asks each question once; returns the nanoseconds of each.
fn turn(engine: &dyn Engine, row: &Row, questions: &[Question]) -> Vec<u64> {
    if row.is_cold {
        empty_caches();
    }
    let each_ns = questions.iter().map(|question| {
        let start = Instant::now();
        row.ask(engine, black_box(question));
        start.elapsed().as_nanos() as u64
    });
    each_ns.collect()
}

/// Of each question the turn in which nothing else on the machine came between.
fn fastest(turns: &[Vec<u64>]) -> Vec<u64> {
    let of_question = |question: usize| turns.iter().map(|turn| turn[question]).min();
    (0..turns[0].len()).filter_map(of_question).collect()
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
