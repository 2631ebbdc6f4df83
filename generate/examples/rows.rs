//! Measures how fast plain rows are made, on one core:
//! `cargo run --release -p tilesight-generate --example rows -- 10000000`.

#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::time::Instant;

use tilesight_generate::{Plan, TileView, World};
use tilesight_tile::LonLat;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let images = std::env::args()
        .nth(1)
        .map_or(Ok(1_000_000), |count| count.parse())?;
    let centre = LonLat::new(24.94, 60.17)?;
    let world = World::new(&Plan {
        seed: 7,
        images,
        centre,
        side_tiles: None,
    })?;
    let start = Instant::now();
    let mut densest = 0;
    let mut checksum = 0;
    for block in world.blocks() {
        let rows = block.tiles().map(TileView::rows);
        for tile in rows {
            densest = densest.max(tile.len());
            checksum = tile.fold(checksum, |sum, row| sum ^ row.id);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let side = world.side_tiles();
    println!(
        "{images} images on {side} by {side} tiles, {densest} on the densest (checksum {checksum:x})"
    );
    println!(
        "{seconds:.2} s, {:.2} million rows a second",
        images as f64 / seconds / 1e6
    );
    Ok(())
}
