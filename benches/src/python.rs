//! What is called from Python, beside what Python's users have: three scripts, one server, one table.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tilesight_fault_server::FaultServer;
use tilesight_fetch::Tileset;
use tilesight_tile::TileId;

use crate::bars::Record;
use crate::{call, tiles};

/// Tiles that are asked for, in columns and rows.
const COLUMNS: u32 = 10;
const ROWS: u32 = 5;

const IMAGES_A_TILE: u64 = 5_000;

/// The tile in the north-west.
const FIRST: (u32, u32) = (9_325, 4_730);

/// Much less than what positions are told apart by: a box without its edges has the same images for
/// those who count the edges in and those who do not.
const INSET_DEG: f64 = 1e-9;

/// Where scripts leave what they measured.
fn record(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = env::var_os("CARGO_TARGET_DIR").map_or(root.join("../target"), PathBuf::from);
    target.join("bars/from-python").join(format!("{name}.json"))
}

/// What the scripts left behind when they ran last.
///
/// # Errors
///
/// When none of them ran, or a record cannot be read.
pub fn records() -> Result<Record> {
    let mut all = Record::default();
    for path in [SDK, JOIN, CALL]
        .map(record)
        .iter()
        .filter(|path| path.exists())
    {
        let record = Record::read(path)?;
        all.comparisons.extend(record.comparisons);
        all.limits.extend(record.limits);
        all.notes.extend(record.notes);
    }
    ensure!(
        !(all.comparisons.is_empty() && all.limits.is_empty()),
        "nothing was measured from Python"
    );
    Ok(all)
}

const SDK: &str = "sdk";
const JOIN: &str = "join";
const CALL: &str = "call";

/// Measures the functions of Mapillary's SDK and ours, on one service on loopback.
///
/// # Errors
///
/// When the script cannot be run, or answers differ.
pub fn measure_sdk(turns: usize) -> Result<()> {
    let tiles = (0..COLUMNS * ROWS).map(tile).collect::<Result<Vec<_>>>()?;
    let edges = box_of(&tiles);
    let bodies: BTreeMap<String, Vec<u8>> = tiles.into_iter().zip(1..).flat_map(bodies).collect();
    let server = FaultServer::start(bodies)?;
    let arguments = [
        server.origin(),
        edges.map(|edge| edge.to_string()).join(","),
    ];
    run(SDK, &arguments, &[turns.to_string()])
}

/// Measures joins of targets with the images of a dataset, beside those of `GeoPandas`.
///
/// # Errors
///
/// When the script cannot be run, or answers differ.
pub fn measure_join(dataset: &Path, targets: u64, sample: u64) -> Result<()> {
    let dataset = dataset.to_string_lossy().into_owned();
    run(
        JOIN,
        &[dataset],
        &[targets, sample].map(|count| count.to_string()),
    )
}

/// Measures what a call from Python takes beyond the same question asked in Rust.
///
/// # Errors
///
/// When the script cannot be run, or answers differ.
pub fn measure_call(dataset: &Path) -> Result<()> {
    let in_rust = serde_json::to_string(&call::measure(dataset)?)?;
    run(CALL, &[dataset.to_string_lossy().into_owned()], &[in_rust])
}

fn tile(number: u32) -> Result<TileId> {
    let (x, y) = (number % COLUMNS, number / COLUMNS);
    Ok(TileId::new(Tileset::DATA_ZOOM, FIRST.0 + x, FIRST.1 + y)?)
}

/// What is at the path of a tile; the SDK puts a stroke behind it.
fn bodies((tile, seed): (TileId, u64)) -> [(String, Vec<u8>); 2] {
    let path = format!("/maps/vtp/{}/2/{tile}", Tileset::Images.name());
    let body = tiles::made_flat(seed, IMAGES_A_TILE);
    [(format!("{path}/"), body.clone()), (path, body)]
}

/// West, south, east and north of tiles in a rectangle.
fn box_of(tiles: &[TileId]) -> [f64; 4] {
    let (first, last) = (tiles[0].edges_deg(), tiles[tiles.len() - 1].edges_deg());
    [
        first[0] + INSET_DEG,
        last[1] + INSET_DEG,
        last[2] - INSET_DEG,
        first[3] - INSET_DEG,
    ]
}

fn run(script: &str, before: &[String], after: &[String]) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("python/{script}.py"));
    let status = Command::new("python3")
        .arg(path)
        .args(before)
        .arg(record(script))
        .args(after)
        .status()
        .context("cannot run python3")?;
    ensure!(status.success(), "{script}.py ended with {status}");
    Ok(())
}
