//! The same images written in every format, by us and by peers that are called from Python.
//!
//! Both write in turns, and the best turn of each counts. What is written first is read back: the
//! times of a peer are believed when its file says the same as ours.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tilesight::formats::{Export, Format, Options};
use tilesight::{Dataset, ImageQuery, Place};

/// A format that is measured, named as its files end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Exported {
    /// One collection.
    Geojson,
    /// With `lon,lat`.
    Csv,
    /// Compressed with zstd at level 1.
    Parquet,
    /// A stream of record batches.
    Arrow,
}

impl Exported {
    /// How files of it end.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Geojson => "geojson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }

    const fn format(self) -> Format {
        match self {
            Self::Geojson => Format::GeoJson,
            Self::Csv => Format::Csv,
            Self::Parquet => Format::Parquet,
            Self::Arrow => Format::Arrow,
        }
    }
}

/// What an Arrow stream is compared with beside other writers.
const SAME_BYTES: &str = "the same bytes again, from memory";
const MEMORY: &str = "record batches, not written";
const MEMCPY: &str = "copying as many bytes in memory";

/// Bytes copied at a time, as many as a record batch has.
const COPIED_BYTES: usize = 1 << 20;

/// All that was measured of a format.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exports {
    /// How many images.
    pub images: u64,
    /// Peer by peer.
    pub rows: Vec<ExportRow>,
    /// What could not be measured, and why.
    pub notes: Vec<String>,
}

/// A format beside one peer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExportRow {
    /// The format.
    pub format: String,
    /// The peer.
    pub peer: String,
    /// Our time.
    pub ours: Measured,
    /// The peer's time.
    pub theirs: Measured,
    /// How many times faster we are to be, where that is asked.
    pub at_least: Option<f64>,
}

/// The best of some turns.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Measured {
    /// How long it took.
    pub seconds: f64,
    /// How many bytes it gave.
    pub bytes: u64,
}

impl ExportRow {
    /// How many times faster we are.
    pub fn ratio(&self) -> f64 {
        self.theirs.seconds / self.ours.seconds
    }
}

/// Writes all images of a dataset in a format, beside each peer, into files in `folder`, which are
/// removed.
///
/// # Errors
///
/// When Python cannot be run, a file cannot be written, or our own file has other rows than there
/// are.
pub fn measure_exports(
    data: &Dataset,
    exported: Exported,
    folder: &Path,
    turns: usize,
) -> Result<Exports> {
    fs::create_dir_all(folder)?;
    let bench = Bench {
        data,
        folder,
        turns,
    };
    let images = data.count_images(&everything())?;
    let (mut peers, about) = Peers::start(&bench.ours(Exported::Arrow)?.0, exported)?;
    let mut notes = about.notes;
    let ours = peers.check(&bench.ours(exported)?.0)?;
    ensure!(
        ours["count"] == images,
        "our file has {} rows",
        ours["count"]
    );
    let mut rows = Vec::new();
    for peer in about.peers {
        match bench.beside(&mut peers, exported, &peer, &ours) {
            Ok(row) => rows.push(row),
            Err(error) => notes.push(format!("{}: {peer}: {error:#}.", exported.name())),
        }
    }
    drop(peers);
    if exported == Exported::Arrow {
        rows.extend(bench.speed_of_memory()?);
    }
    Ok(Exports {
        images,
        rows,
        notes,
    })
}

fn everything() -> ImageQuery {
    ImageQuery::default()
}

/// How many times faster than a peer we are to be.
fn at_least(format: &str, peer: &str) -> Option<f64> {
    match (format, peer) {
        ("geojson" | "csv", "pyogrio") => Some(5.0),
        ("geojson" | "csv", peer) if peer.starts_with("DuckDB") => Some(1.5),
        ("parquet", peer) if peer.starts_with("DuckDB") => Some(1.0),
        ("arrow", "pyarrow") => Some(1.0),
        _ => None,
    }
}

/// What is written, where to, and how often.
struct Bench<'b> {
    data: &'b Dataset,
    folder: &'b Path,
    turns: usize,
}

impl Bench<'_> {
    /// Writes a file of ours.
    fn ours(&self, exported: Exported) -> Result<(Removed, Measured)> {
        let path = Removed(self.folder.join(format!("ours.{}", exported.name())));
        let place = Place::Everywhere;
        let options = Options {
            data: Some(self.data),
            ..Options::new(exported.format(), &place)
        };
        let begun = Instant::now();
        let found = self.data.images(&everything())?;
        found.write_with(&options, &mut File::create(&path.0)?)?;
        let measured = measured(begun, path.0.metadata()?.len());
        Ok((path, measured))
    }

    fn beside(
        &self,
        peers: &mut Peers,
        exported: Exported,
        peer: &str,
        expected: &Value,
    ) -> Result<ExportRow> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for turn in 0..self.turns {
            ours.push(self.ours(exported)?.1);
            let path = Removed(self.folder.join(format!("theirs.{}", exported.name())));
            theirs.push(peers.write(peer, &path)?);
            if turn == 0 {
                let found = peers.check(&path)?;
                ensure!(
                    *expected == found,
                    "differs: {}",
                    difference(expected, &found)
                );
            }
        }
        Ok(row(exported.name(), peer, best(&ours)?, best(&theirs)?))
    }

    /// What an Arrow stream costs that cannot be saved: handing its bytes to the system, and making
    /// them at all.
    fn speed_of_memory(&self) -> Result<[ExportRow; 2]> {
        let bytes = fs::read(&self.ours(Exported::Arrow)?.0.0)?;
        let mut copy = vec![0; bytes.len()];
        let mut turns: [Vec<Measured>; 4] = Default::default();
        for _ in 0..self.turns {
            turns[0].push(self.ours(Exported::Arrow)?.1);
            let path = Removed(self.folder.join("again.arrow"));
            let begun = Instant::now();
            let mut file = File::create(&path.0)?;
            let mut chunks = bytes.chunks(COPIED_BYTES);
            chunks.try_for_each(|chunk| file.write_all(chunk))?;
            turns[1].push(measured(begun, bytes.len() as u64));
            turns[2].push(self.batches()?);
            let begun = Instant::now();
            let chunks = copy
                .chunks_mut(COPIED_BYTES)
                .zip(bytes.chunks(COPIED_BYTES));
            chunks.for_each(|(to, from)| black_box(to).copy_from_slice(black_box(from)));
            turns[3].push(measured(begun, bytes.len() as u64));
        }
        let [written, again, made, copied] = turns.map(|turns| best(&turns));
        Ok([
            row("arrow", SAME_BYTES, written?, again?),
            row(MEMORY, MEMCPY, made?, copied?),
        ])
    }

    /// Makes record batches on one thread.
    fn batches(&self) -> Result<Measured> {
        let begun = Instant::now();
        let place = Place::Everywhere;
        let found = self.data.images(&everything())?;
        let mut bytes = 0;
        for batch in found.batches(&Options::new(Format::Arrow, &place))? {
            bytes += black_box(batch?).get_array_memory_size() as u64;
        }
        Ok(measured(begun, bytes))
    }
}

fn measured(begun: Instant, bytes: u64) -> Measured {
    Measured {
        seconds: begun.elapsed().as_secs_f64(),
        bytes,
    }
}

fn best(turns: &[Measured]) -> Result<Measured> {
    let best = turns.iter().min_by(|a, b| a.seconds.total_cmp(&b.seconds));
    best.copied().context("nothing was timed: --turns 3")
}

fn row(format: &str, peer: &str, ours: Measured, theirs: Measured) -> ExportRow {
    ExportRow {
        format: format.to_owned(),
        peer: peer.to_owned(),
        ours,
        theirs,
        at_least: at_least(format, peer),
    }
}

/// A file that is there for as long as it is looked at, so that neither the next one nor the disk has
/// to do with it.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        // It may not have been written at all.
        let _ = fs::remove_file(&self.0);
    }
}

/// The first thing that two summaries do not agree on.
fn difference(expected: &Value, found: &Value) -> String {
    let rows = |summary: &Value| summary["rows"].as_array().cloned().unwrap_or_default();
    let (expected_rows, found_rows) = (rows(expected), rows(found));
    let differ = expected_rows.iter().zip(&found_rows).find(|(a, b)| a != b);
    differ.map_or_else(
        || format!("{} rows and ids {}", found["count"], found["ids"]),
        |(expected, found)| format!("{found} instead of {expected}"),
    )
}

/// The peers, in a program of their own.
struct Peers {
    program: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

/// What the peers can write.
#[derive(Debug, Deserialize)]
struct About {
    peers: Vec<String>,
    notes: Vec<String>,
}

impl Peers {
    fn start(rows: &Removed, exported: Exported) -> Result<(Self, About)> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/exports.py");
        let mut program = Command::new("python3")
            .arg(script)
            .arg(&rows.0)
            .arg(exported.name())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run python3")?;
        let to = program.stdin.take().context("no way to ask Python")?;
        let from = program.stdout.take().context("no way to hear Python")?;
        let from = BufReader::new(from);
        let mut peers = Self { program, to, from };
        let about = peers.hear()?;
        Ok((peers, about))
    }

    fn hear<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("the peers say {line:?}"))
    }

    fn ask(&mut self, words: &Value) -> Result<Value> {
        writeln!(self.to, "{words}")?;
        let answer: Value = self.hear()?;
        ensure!(answer["problem"].is_null(), "{}", answer["problem"]);
        Ok(answer)
    }

    fn write(&mut self, peer: &str, path: &Removed) -> Result<Measured> {
        let answer = self.ask(&json!(["write", peer, path.0]))?;
        Ok(Measured {
            seconds: answer["seconds"].as_f64().context("no time")?,
            bytes: path.0.metadata()?.len(),
        })
    }

    fn check(&mut self, path: &Removed) -> Result<Value> {
        self.ask(&json!(["check", path.0]))
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // It ends by itself when it is asked no more; there is nobody to tell if it does not.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
