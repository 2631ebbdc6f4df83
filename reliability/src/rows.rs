//! The rows of the table: what is promised, and what measures it.

use crate::SOAK_VARIABLE;

/// A promise.
#[derive(Debug)]
pub struct Row {
    /// Its name, which the lines of its figures begin with.
    pub name: &'static str,
    /// What is promised.
    pub promised: &'static str,
    /// What measures it.
    pub measure: Measure,
}

/// How a row is measured.
#[derive(Debug)]
pub enum Measure {
    /// By the whole edition of tests: what follows `cargo test`.
    Tests(&'static [&'static str]),
    /// By the lines that the tests run through, the changes that they notice, and Miri.
    Code,
}

/// All rows, in the order of the table. They are measured without `--release`: the profile of tests
/// is optimised as well, and checks overflows.
pub const ROWS: [Row; 12] = [
    Row {
        name: "decoder",
        promised: "10 million mutated tiles: 0 panics, 0 hangs, peak heap ≤ 4 × inflated bytes + 1 MiB; the fast decoder answers as the reference does wherever either accepts",
        measure: Measure::Tests(&["-p", "tilesight-mvt", "--test", "hostile"]),
    },
    Row {
        name: "parsers",
        promised: "every other parser of outside bytes: 1 million executions of each fuzz target, 0 panics",
        measure: Measure::Tests(&["-p", "tilesight-hostile", "--test", "replay"]),
    },
    Row {
        name: "dataset file",
        promised: "every single-bit flip and every truncation of a sample of 64 KiB or more, and 10,000 random damages of a file of 100 MB: `verify` finds all; a question gets an error or the right answer; halves of two generations are refused",
        measure: Measure::Tests(&["-p", "tilesight-tests", "--test", "all", "dataset_file"]),
    },
    Row {
        name: "kill points",
        promised: "stopped at every write, sync and rename of fetch, build and export, with unsynced writes lost, torn and reordered: 0 lost, 0 half files",
        measure: Measure::Tests(&["-p", "tilesight-cli", "--test", "disk", "killed"]),
    },
    Row {
        name: "full disk",
        promised: "no space and I/O errors at every write and sync, once and from then on: a clear message, earlier data intact",
        measure: Measure::Tests(&["-p", "tilesight-cli", "--test", "disk", "refused"]),
    },
    Row {
        name: "answers",
        promised: "1 million questions answered as brute force answers them; what must not change an answer does not",
        measure: Measure::Tests(&["-p", "tilesight-tests", "--test", "all", "differential"]),
    },
    Row {
        name: "readers while publishing",
        promised: "64 threads and 8 processes over 1,000 published generations: 0 torn, 0 missing",
        measure: Measure::Tests(&["-p", "tilesight-cli", "--test", "readers"]),
    },
    Row {
        name: "token",
        promised: "the access token is in 0 bytes of all files, outputs, logs and requests to other hosts, over all fault runs",
        measure: Measure::Tests(&["-p", "tilesight-cli", "--test", "disk", "token"]),
    },
    Row {
        name: "hostile regions",
        promised: "refused with the value named, or answered as brute force answers, in under 1 s (parsing aside), in memory proportional to the region",
        measure: Measure::Tests(&["-p", "tilesight-tests", "--test", "hostile_regions"]),
    },
    Row {
        name: "output",
        promised: "100,000 names of any kind: no file leaves its folder, none meets another; cells of CSV that would start a formula are guarded; ids survive JavaScript",
        measure: Measure::Tests(&["-p", "tilesight-fetch", "-p", "tilesight-tests", "output"]),
    },
    Row {
        name: "old files",
        promised: "files of every released version of the dataset file, the store and the annotations open, with the same answers, forever",
        measure: Measure::Tests(&["-p", "tilesight-tests", "--test", "all", "old_files"]),
    },
    Row {
        name: "code",
        promised: "95 % of all lines are run by tests; of the decoder, the dataset file and the store 100 %, or a reason is given, and 90 % of the changes made to these are noticed; all unsafe code is in one module, in which Miri, where there is one, finds nothing",
        measure: Measure::Code,
    },
];

/// Finds a row by its name.
pub fn named(name: &str) -> Result<&'static Row, String> {
    let found = ROWS.iter().find(|row| row.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        format!("there is no such row; there are: {}", names.join(", "))
    })
}

impl Row {
    /// What reproduces the row, for a shell.
    pub fn command_line(&self) -> String {
        match self.measure {
            Measure::Tests(arguments) => format!(
                "{SOAK_VARIABLE}=1 cargo test {} -- --nocapture",
                arguments.join(" ")
            ),
            Measure::Code => {
                format!("cargo run -p tilesight-reliability -- --row {}", self.name)
            }
        }
    }
}
