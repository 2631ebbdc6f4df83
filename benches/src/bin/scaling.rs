//! Measures how building, opening and asking grow with the number of images, and writes
//! `docs/scaling.md` with a picture.
//!
//! `cargo build --release && cargo run --release -p tilesight-benches --bin scaling -- 1000000
//! 3000000 10000000`: each size is measured in a process of its own.

#![expect(
    clippy::print_stdout,
    reason = "a size is handed over as a line of output"
)]
#![expect(clippy::print_stderr, reason = "a program says what it is doing")]

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde::{Deserialize, Serialize};
use tilesight::{Bbox, Dataset, ImageQuery, LonLat, Place};
use tilesight_benches::bars::{Built, Places, build, machine, open_dataset, write_tiles};
use tilesight_benches::query::plan_world;
use tilesight_benches::report::with_tables;
use tilesight_generate::{Positions, TileView, World};

/// How often each question is asked.
const ROUNDS: usize = 5;

#[derive(Debug, Parser)]
struct Cli {
    /// Numbers of images to measure.
    #[arg(default_values_t = [1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000])]
    images: Vec<u64>,
    /// Measure the first size in this process and print the result.
    #[arg(long, hide = true)]
    alone: bool,
}

/// What was measured of one size.
#[derive(Debug, Serialize, Deserialize)]
struct Size {
    images: u64,
    build_s: f64,
    build_peak_bytes: u64,
    file_bytes: u64,
    open_s: f64,
    /// The 100 nearest: an answer of the same size everywhere.
    nearest_us: f64,
    /// Boxes of 200 m, and how many images are in one.
    box_us: f64,
    box_images: f64,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if cli.alone {
        println!("{}", serde_json::to_string(&measure(cli.images[0])?)?);
        return Ok(());
    }
    let mut sizes = Vec::new();
    for images in cli.images {
        eprintln!("{images} images …");
        sizes.push(measure_in_child(images)?);
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let page = docs.join("scaling.md");
    let text = with_tables(&fs::read_to_string(&page)?, MEASURED, &table(&sizes))?;
    fs::write(page, text)?;
    draw(&sizes, &docs.join("scaling.png"))
}

fn measure_in_child(images: u64) -> Result<Size> {
    let output = Command::new(env::current_exe()?)
        .args(["--alone", &images.to_string()])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{images} images were not measured");
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn measure(images: u64) -> Result<Size> {
    write_tiles(images)?;
    let places = Places::of(images);
    let Built { time, peak_bytes } = build(&places)?;
    let start = Instant::now();
    let data = open_dataset(&places)?;
    let open_s = start.elapsed().as_secs_f64();
    let sites = sites(&plan_world(images));
    let nearest = |target: &LonLat| Place::Nearest {
        target: *target,
        k: 100,
        radius_m: None,
    };
    let (nearest_us, _) = ask(&data, sites.iter().map(nearest))?;
    let (box_us, box_images) = ask(&data, sites.iter().map(box_around))?;
    Ok(Size {
        images,
        build_s: time.as_secs_f64(),
        build_peak_bytes: peak_bytes,
        file_bytes: fs::metadata(places.dataset())?.len(),
        open_s,
        nearest_us,
        box_us,
        box_images,
    })
}

/// Places where images are, a few in each of blocks all over the world.
fn sites(world: &World) -> Vec<LonLat> {
    let blocks = 100.min(world.block_count());
    let mut sites = Vec::new();
    for i in 0..blocks {
        let block = world.block(
            (u64::from(i) * u64::from(world.block_count()) / u64::from(blocks)) as u32,
            Positions::Recorded,
        );
        let rows: Vec<_> = block.tiles().flat_map(TileView::rows).collect();
        let step = (rows.len() / 10).max(1);
        let some = rows.iter().step_by(step).take(10);
        sites.extend(some.map(|row| row.grid_point().to_lon_lat()));
    }
    sites
}

/// A box of about 200 m, at the latitude of the world.
fn box_around(at: &LonLat) -> Place {
    let (lon, lat) = (at.lon(), at.lat());
    let bbox = Bbox::from_degrees(lon - 0.0018, lat - 0.0009, lon + 0.0018, lat + 0.0009);
    Place::Bbox(bbox.expect("the world is far from the edges"))
}

/// Mean time of a question in microseconds, each at its best, and mean number of ids.
fn ask(data: &Dataset, places: impl Iterator<Item = Place>) -> Result<(f64, f64)> {
    let queries: Vec<ImageQuery> = places
        .map(|place| ImageQuery {
            place,
            allow_partial: true,
            ..ImageQuery::default()
        })
        .collect();
    let mut best_ns = vec![u128::MAX; queries.len()];
    let mut ids = 0;
    for _ in 0..ROUNDS {
        ids = 0;
        for (query, best_ns) in queries.iter().zip(&mut best_ns) {
            let start = Instant::now();
            ids += data.images(query)?.ids().collect::<Vec<_>>().len();
            *best_ns = (*best_ns).min(start.elapsed().as_nanos());
        }
    }
    let count = queries.len() as f64;
    let sum_us = best_ns.iter().sum::<u128>() as f64 / 1e3;
    Ok((sum_us / count, ids as f64 / count))
}

/// What is written lies between these lines.
const MEASURED: [&str; 2] = [
    "<!-- measured: written by the command below -->",
    "<!-- end of what was measured -->",
];

fn table(sizes: &[Size]) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "\n{}. Made images (seed 7), as dense everywhere whatever their number. Written by\n\
         `cargo run --release -p tilesight-benches --bin scaling`.\n",
        machine()
    );
    text += "| images | build | build memory, peak | file | open | the 100 nearest | box of 200 m | images in it |\n";
    text += "|---:|---:|---:|---:|---:|---:|---:|---:|\n";
    for size in sizes {
        let _ = writeln!(
            text,
            "| {} | {:.1} s | {:.0} MB | {:.0} MB | {:.3} ms | {:.1} µs | {:.1} µs | {:.0} |",
            size.images,
            size.build_s,
            size.build_peak_bytes as f64 / 1e6,
            size.file_bytes as f64 / 1e6,
            size.open_s * 1e3,
            size.nearest_us,
            size.box_us,
            size.box_images,
        );
    }
    text
}

/// Draws the picture, by a script that brings its own environment.
fn draw(sizes: &[Size], picture: &Path) -> Result<()> {
    let numbers = Places::of(0).records().join("scaling.json");
    fs::create_dir_all(numbers.parent().context("the path has a folder")?)?;
    fs::write(&numbers, serde_json::to_string(sizes)?)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/plot_scaling.py");
    let status = Command::new("python3")
        .args([script.as_path(), &numbers, picture])
        .status()
        .context("cannot run python3")?;
    ensure!(status.success(), "the picture was not drawn");
    Ok(())
}
