//! Measures every bar and writes the result into `benches/README.md`.
//!
//! `cargo build --release && cargo run --release -p tilesight-benches --bin bars`: each step runs
//! in a process of its own, and can be run by itself: `… --bin bars -- kiddo`.

#![expect(clippy::print_stderr, reason = "a program says what it is doing")]

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use tilesight::Dataset;
use tilesight_benches::bars::{
    Comparison, Places, Record, Row, compare, export, measure_build, measure_decode, measure_file,
    open_dataset, rows, write_tiles,
};
use tilesight_benches::query::{
    Engine, Feature, Image, Kiddo, LineIndex, MadeWorld, PackedLines, PackedTree, PointIndex,
    RStar, Rival, Segments, SimdTree, StaticTree, Tilesight, in_order_of, lines_of, plan_world,
};
use tilesight_benches::report;

#[derive(Debug, Parser)]
struct Cli {
    /// Images of the world.
    #[arg(long, env = "TILESIGHT_BENCH_IMAGES", default_value_t = 10_000_000)]
    images: u64,
    /// Questions of each kind.
    #[arg(long, default_value_t = 1_000)]
    questions: usize,
    /// How long each kind of question is compared, and how long it is timed, unless asking all of
    /// it once takes longer.
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// What to do; everything, if nothing is named.
    steps: Vec<Step>,
}

/// A step is a process. They come in the order in which they need each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Make the tiles of the world, once.
    Tiles,
    /// Build from tiles, ours and a peer's way.
    Build,
    /// Size, opening and memory of the dataset file.
    File,
    /// From gzipped tiles to columns.
    Decode,
    PackedSpatialIndex,
    /// The same with a box around each line, instead of each segment; sequences only.
    PackedLines,
    Kiddo,
    Rstar,
    GeoIndex,
    StaticAabb2dIndex,
    /// Peers that are called from Python.
    Python,
    /// Write the tables.
    Table,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    match cli.steps[..] {
        [step] => run(step, &cli),
        [] => each_by_itself(&cli, Step::value_variants()),
        _ => each_by_itself(&cli, &cli.steps),
    }
}

fn each_by_itself(cli: &Cli, steps: &[Step]) -> Result<()> {
    for step in steps {
        let name = name(*step);
        eprintln!("{name} …");
        let start = Instant::now();
        let status = Command::new(env::current_exe()?)
            .args(["--images", &cli.images.to_string()])
            .args(["--questions", &cli.questions.to_string()])
            .args(["--seconds", &cli.seconds.to_string(), &name])
            .status()?;
        ensure!(status.success(), "the step {name} failed");
        eprintln!("{name}: {:.0} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}

fn name(step: Step) -> String {
    let value = step.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

fn run(step: Step, cli: &Cli) -> Result<()> {
    let images = cli.images;
    let places = Places::of(images);
    let world = || World::new(&places, cli);
    let peer = |comparisons: Result<Vec<Comparison>>| {
        let record = Record {
            comparisons: comparisons?,
            ..Record::default()
        };
        record.write(&places.records().join(format!("peer-{}.json", name(step))))
    };
    let keep = |record: Record| {
        let file = format!("{}.json", name(step));
        record.write(&places.records().join(file))
    };
    match step {
        Step::Tiles => write_tiles(images),
        Step::Build => keep(measure_build(images)?),
        Step::File => keep(measure_file(images)?),
        Step::Decode => keep(measure_decode(images)?),
        Step::PackedSpatialIndex => peer(world()?.against_packed()),
        Step::PackedLines => peer(world()?.against_packed_lines()),
        Step::Kiddo => peer(world()?.against_kiddo()),
        Step::Rstar => peer(world()?.against_rstar()),
        Step::GeoIndex => peer(world()?.against_index::<PackedTree<Image>>("geo-index", None)),
        Step::StaticAabb2dIndex => {
            peer(world()?.against_index::<StaticTree<Image>>("static_aabb2d_index", None))
        }
        Step::Python => {
            let world = world()?;
            export(&places, &world.ours, &world.images, &world.rows)?;
            // What was exported is all that the other program needs.
            drop(world);
            ask_python(&places)
        }
        Step::Table => report::write_readme(images),
    }
}

/// What all steps with peers begin with.
struct World {
    ours: Tilesight<Dataset>,
    images: Vec<Image>,
    rows: Vec<Row>,
    patience: Duration,
}

impl World {
    fn new(places: &Places, cli: &Cli) -> Result<Self> {
        let made = MadeWorld::of_images(&plan_world(cli.images));
        Ok(Self {
            images: made.plain_images(),
            rows: rows(&made, cli.questions),
            ours: Tilesight::of(open_dataset(places)?),
            patience: Duration::from_secs(cli.seconds),
        })
    }

    fn against(&self, peer: &dyn Engine) -> Result<Vec<Comparison>> {
        compare(&self.ours, peer, &self.rows, self.patience)
    }

    fn against_index<I: PointIndex<Image>>(
        mut self,
        name: &'static str,
        lines: Option<Box<dyn LineIndex>>,
    ) -> Result<Vec<Comparison>> {
        let images = in_order_of::<Image, I>(std::mem::take(&mut self.images));
        let peer = Rival::<I, PackedTree<Feature>>::of_images(name, images, lines);
        self.against(&peer)
    }

    fn against_packed(self) -> Result<Vec<Comparison>> {
        let segments = PackedLines::new(&lines_of(self.ours.data())?, 1);
        self.against_index::<SimdTree<Image>>("packed_spatial_index", Some(Box::new(segments)))
    }

    fn against_packed_lines(self) -> Result<Vec<Comparison>> {
        let lines = PackedLines::new(&lines_of(self.ours.data())?, usize::MAX);
        self.against(&lines)
    }

    fn against_kiddo(mut self) -> Result<Vec<Comparison>> {
        let kiddo = Kiddo::new(std::mem::take(&mut self.images));
        self.against(&kiddo)
    }

    fn against_rstar(self) -> Result<Vec<Comparison>> {
        let segments = Segments::of_lines(&lines_of(self.ours.data())?);
        self.against_index::<RStar<Image>>("rstar", Some(Box::new(segments)))
    }
}

/// Runs the peers that are called from Python, in an environment of their own.
fn ask_python(places: &Places) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/peers.py");
    let status = Command::new("python3")
        .arg(script)
        .arg(places.exported())
        .arg(places.records().join("python.json"))
        .status()
        .context("cannot run python3")?;
    ensure!(status.success(), "the peers of Python failed");
    Ok(())
}
