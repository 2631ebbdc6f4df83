//! The program `tilesight-generate`: makes fixtures and bench data.

#![expect(clippy::print_stderr, reason = "a program says why it failed")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use tilesight_generate::{Plan, TileStore, Tileset, World, fixtures, gzip};
use tilesight_tile::{LonLat, TileId};

/// Makes realistic tiles of street-level imagery from a seed: equal arguments, equal bytes.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the committed fixtures again, byte by byte.
    Fixtures {
        /// Folder to write into; what is there already is written over.
        #[arg(short, long, default_value = "fixtures")]
        output: PathBuf,
    },
    /// Make tiles of any number of images; memory does not grow with the number.
    Tiles(TilesArgs),
}

#[derive(Debug, Args)]
struct TilesArgs {
    /// How many images, exactly.
    #[arg(long, value_name = "N")]
    images: u64,
    /// Chooses one of as many worlds.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where the middle lies, a city: longitude before latitude, in degrees.
    #[arg(long, value_name = "LON,LAT", default_value = "24.94,60.17", allow_hyphen_values = true, value_parser = parse_lon_lat)]
    centre: LonLat,
    /// Side of the square in zoom-14 tiles; by default it grows with the number of images, so
    /// that cities are as dense as real ones.
    #[arg(long, value_name = "TILES")]
    side: Option<u32>,
    /// What to make.
    #[arg(long, value_enum, default_value_t = TilesetArg::Images)]
    tileset: TilesetArg,
    /// Compress the tiles.
    #[arg(long)]
    gzip: bool,
    /// An archive when the name ends in .mbtiles, else a folder of {z}/{x}/{y}.mvt.
    #[arg(short, long, value_name = "PATH")]
    output: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TilesetArg {
    /// `mly1_public`: images and sequences.
    Images,
    /// `mly1_computed_public`: the same, at positions from reconstruction.
    Computed,
    /// `mly_map_feature_point`: objects.
    Points,
    /// `mly_map_feature_traffic_sign`: traffic signs.
    Signs,
}

impl From<TilesetArg> for Tileset {
    fn from(arg: TilesetArg) -> Self {
        match arg {
            TilesetArg::Images => Self::Images,
            TilesetArg::Computed => Self::Computed,
            TilesetArg::Points => Self::Points,
            TilesetArg::Signs => Self::Signs,
        }
    }
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Fixtures { output } => fixtures::write(&output).map_err(anyhow::Error::from),
        Command::Tiles(args) => make_tiles(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn make_tiles(args: &TilesArgs) -> anyhow::Result<()> {
    ensure_absent(&args.output)?;
    let world = World::new(&Plan {
        seed: args.seed,
        images: args.images,
        centre: args.centre,
        side_tiles: args.side,
    })?;
    let progress = progress_of(&world);
    let tileset = args.tileset.into();
    let mut store = TileStore::create(&args.output)?;
    let blocks: Vec<u32> = (0..world.block_count()).collect();
    // A few blocks at a time: they are made in parallel and written in order.
    for batch in blocks.chunks(rayon::current_num_threads()) {
        let made: Vec<Vec<(TileId, Vec<u8>)>> = batch
            .par_iter()
            .map(|&block| encode_block(&world, block, tileset, args.gzip))
            .collect();
        for (tile, bytes) in made.into_iter().flatten() {
            store.put(tile, &bytes)?;
            progress.inc(1);
        }
    }
    store.finish(&world, tileset)?;
    progress.finish();
    Ok(())
}

fn encode_block(
    world: &World,
    block: u32,
    tileset: Tileset,
    compresses: bool,
) -> Vec<(TileId, Vec<u8>)> {
    let mut tiles = world.encoded_block(block, tileset);
    for (_, bytes) in tiles
        .iter_mut()
        .filter(|(_, bytes)| compresses && !bytes.is_empty())
    {
        *bytes = gzip(bytes);
    }
    tiles
}

/// Shows how many tiles are done, on a terminal.
fn progress_of(world: &World) -> ProgressBar {
    let template = "{bar:40} {human_pos}/{human_len} tiles, {per_sec}, {eta} left";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(world.tile_ids().count() as u64).with_style(style)
}

fn ensure_absent(output: &Path) -> anyhow::Result<()> {
    let path = output.display();
    ensure!(
        !output.exists(),
        "{path} is there already; remove it, or choose another with -o"
    );
    Ok(())
}

fn parse_lon_lat(text: &str) -> anyhow::Result<LonLat> {
    let (lon, lat) = text
        .split_once(',')
        .context("write longitude,latitude: 24.94,60.17")?;
    let degrees = |number: &str| {
        let parsed = number.trim().parse::<f64>();
        parsed.with_context(|| format!("{number:?} is not a number of degrees"))
    };
    Ok(LonLat::new(degrees(lon)?, degrees(lat)?)?)
}
