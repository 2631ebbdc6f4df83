//! Runs cases from seeds, and names the seed and the case of one that fails.

use std::fmt::Debug;

use super::random::Random;

/// How many times the usual number of cases is run; for long runs.
const TIMES_VARIABLE: &str = "TILESIGHT_TIMES";

/// Runs [`WHOLE_EDITION`] times the usual number, unless another is given.
const SOAK_VARIABLE: &str = "TILESIGHT_SOAK";

/// With it, brute force answers more than a million questions.
const WHOLE_EDITION: u64 = 8;

/// The one seed that is run, to repeat a failure.
const SEED_VARIABLE: &str = "TILESIGHT_SEED";

/// Calls `check` with one seed after the other, until it has gone through `usual_cases` cases:
/// it returns how many each seed made.
pub(crate) fn run(usual_cases: usize, check: impl Fn(&mut Random, &mut Case) -> usize) {
    if let Some(seed) = number_in(SEED_VARIABLE) {
        run_seed(seed, &check);
        return;
    }
    let cases = usual_cases * times() as usize;
    let mut done = 0;
    for seed in 0.. {
        if done >= cases {
            break;
        }
        done += run_seed(seed, &check);
    }
    println!("reliability: answers: {}: {done} cases", test_name());
}

fn times() -> u64 {
    let is_whole_edition = std::env::var_os(SOAK_VARIABLE).is_some();
    number_in(TIMES_VARIABLE).unwrap_or(if is_whole_edition { WHOLE_EDITION } else { 1 })
}

/// What the test says it checks; the harness runs each on a thread of its name.
fn test_name() -> String {
    let thread = std::thread::current();
    let path = thread.name().unwrap_or_default();
    path.rsplit("::")
        .next()
        .unwrap_or_default()
        .replace('_', " ")
}

fn run_seed(seed: u64, check: &impl Fn(&mut Random, &mut Case) -> usize) -> usize {
    let mut case = Case {
        seed,
        question: None,
    };
    check(&mut Random::new(seed), &mut case)
}

/// The number in an environment variable, if it is set.
pub(crate) fn number_in(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

/// What is being asked, told when it fails.
pub(crate) struct Case {
    seed: u64,
    question: Option<Box<dyn Debug>>,
}

impl Case {
    /// Notes the question that comes next.
    pub(crate) fn ask(&mut self, question: &(impl Debug + Clone + 'static)) {
        self.question = Some(Box::new(question.clone()));
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, question } = self;
            eprintln!("run it alone with {SEED_VARIABLE}={seed}; it asked {question:#?}");
        }
    }
}
