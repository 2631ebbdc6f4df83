//! What was measured, as it lies on disk between the steps.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// All that one step measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Record {
    /// Times beside those of a peer.
    #[serde(default)]
    pub comparisons: Vec<Comparison>,
    /// Values beside what they may be at most.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// What could not be measured, and why.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// One kind of question, asked of us and of a peer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    /// Its place in the table.
    pub number: usize,
    /// What was asked.
    pub title: String,
    /// The peer.
    pub peer: String,
    /// How many questions were asked.
    pub questions: usize,
    /// Our times.
    pub ours: Times,
    /// The peer's times.
    pub theirs: Times,
    /// What we are held to.
    pub bar: Bar,
}

/// How long questions took, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Their mean.
    pub mean_ns: f64,
    /// Half took no longer.
    pub p50_ns: f64,
    /// All but one in a hundred took no longer.
    pub p99_ns: f64,
}

/// What a comparison must show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// How many times faster our mean must be.
    pub faster: f64,
    /// How many times lower our 99th percentile must be, where that is asked.
    #[serde(default)]
    pub p99_lower: Option<f64>,
    /// How long our 99th percentile may be, where that is asked.
    #[serde(default)]
    pub p99_at_most_ns: Option<f64>,
}

/// A value that must not be exceeded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Limit {
    /// What was measured.
    pub title: String,
    /// The value.
    pub value: f64,
    /// What it may be at most.
    pub at_most: f64,
    /// Of both.
    pub unit: String,
}

impl Comparison {
    /// How many times faster our mean is.
    pub fn ratio(&self) -> f64 {
        self.theirs.mean_ns / self.ours.mean_ns
    }

    /// How many times lower our 99th percentile is.
    pub fn p99_ratio(&self) -> f64 {
        self.theirs.p99_ns / self.ours.p99_ns
    }

    /// Whether the bar is met.
    pub fn is_met(&self) -> bool {
        let Bar {
            faster,
            p99_lower,
            p99_at_most_ns,
        } = self.bar;
        self.ratio() >= faster
            && p99_lower.is_none_or(|lower| self.p99_ratio() >= lower)
            && p99_at_most_ns.is_none_or(|most| self.ours.p99_ns <= most)
    }
}

impl Bar {
    /// A mean that is some times faster.
    pub const fn faster(times: f64) -> Self {
        Self {
            faster: times,
            p99_lower: None,
            p99_at_most_ns: None,
        }
    }
}

impl Times {
    /// Sums up times of single questions.
    ///
    /// # Panics
    ///
    /// When there are none.
    pub fn of(mut each_ns: Vec<u64>) -> Self {
        each_ns.sort_unstable();
        let quantile = |share: f64| each_ns[((each_ns.len() - 1) as f64 * share) as usize] as f64;
        Self {
            mean_ns: each_ns.iter().sum::<u64>() as f64 / each_ns.len() as f64,
            p50_ns: quantile(0.5),
            p99_ns: quantile(0.99),
        }
    }

    /// A single measurement.
    pub const fn once(ns: f64) -> Self {
        Self {
            mean_ns: ns,
            p50_ns: ns,
            p99_ns: ns,
        }
    }
}

impl Record {
    /// Reads what a step left behind.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is no record.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no record", path.display()))
    }

    /// Keeps what a step measured.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, serde_json::to_string_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(ours: Times, theirs: Times, bar: Bar) -> Comparison {
        Comparison {
            number: 1,
            title: String::new(),
            peer: String::new(),
            questions: 1,
            ours,
            theirs,
            bar,
        }
    }

    #[test]
    fn times_are_summed_up() {
        let times = Times::of((1..=1000).rev().collect());
        assert_eq!(
            (times.mean_ns, times.p50_ns, times.p99_ns),
            (500.5, 500.0, 990.0)
        );
    }

    #[test]
    fn a_bar_holds_for_all_that_it_names() {
        let (ours, theirs) = (Times::once(10.0), Times::once(30.0));
        let is_met = |bar| comparison(ours, theirs, bar).is_met();
        assert!(is_met(Bar::faster(3.0)) && !is_met(Bar::faster(3.1)));
        let p99 = |lower, most| Bar {
            faster: 1.0,
            p99_lower: lower,
            p99_at_most_ns: most,
        };
        assert!(is_met(p99(Some(3.0), Some(10.0))));
        assert!(!is_met(p99(Some(3.1), None)) && !is_met(p99(None, Some(9.0))));
    }
}
