//! The committed `fixtures/`: a small town, made again byte by byte.

mod areas;
mod door;

use std::collections::BTreeSet;
use std::path::Path;

use tilesight_tile::{LonLat, TileId};

use crate::store::{StoreError, TileStore, gzip, tile_path, write_file};
use crate::tileset::Tileset;
use crate::world::{Plan, World};

use door::Door;

/// A seed whose town shows every oddity there is: ids as doubles, clocks unset and absurd, tiles
/// without images, sequences without a line.
const SEED: u64 = 149;

const IMAGES: u64 = 6_000;

const SIDE_TILES: u32 = 4;

/// Zooms above the image tiles of which there are tiles: one of points, one of lines.
const SHALLOW_ZOOMS: [u8; 2] = [5, 10];

/// What the folder says of itself; the door is filled in.
const README: &str = include_str!("fixtures/README.md");

/// Makes the town of the fixtures.
///
/// # Panics
///
/// Never, as long as the plan is the one written here.
pub fn town() -> World {
    let centre = LonLat::new(24.94, 60.17).expect("a place in the north");
    let plan = Plan {
        seed: SEED,
        images: IMAGES,
        centre,
        side_tiles: Some(SIDE_TILES),
    };
    World::new(&plan).expect("so small a plan fits the world")
}

/// Writes all fixtures into a folder, over those that are there.
///
/// # Errors
///
/// [`StoreError`] when a file cannot be written.
pub fn write(folder: &Path) -> Result<(), StoreError> {
    let town = town();
    let tiles = folder.join("town");
    for tileset in [
        Tileset::Images,
        Tileset::Computed,
        Tileset::Points,
        Tileset::Signs,
    ] {
        write_tiles(&town, tileset, &tiles.join(tileset.name()))?;
    }
    write_shallow_tiles(&town, &tiles.join(Tileset::Images.name()))?;
    write_archive(&town, &folder.join("town.mbtiles"))?;
    for (name, geojson) in areas::of(&town) {
        write_file(&folder.join("areas").join(name), geojson.as_bytes())?;
    }
    let readme = Door::of(&town)
        .fill_in(README)
        .replace("{town_images}", &IMAGES.to_string());
    write_file(&folder.join("README.md"), readme.as_bytes())
}

/// Writes the tiles of a tileset, some of them compressed: readers must tell by the bytes.
fn write_tiles(town: &World, tileset: Tileset, folder: &Path) -> Result<(), StoreError> {
    for (tile, bytes) in encoded_tiles(town, tileset) {
        // The middle holds most images; without it the computed tiles stay small.
        if tileset == Tileset::Computed && tile == town.middle() {
            continue;
        }
        let is_compressed = (tile.x() + tile.y()) % 3 == 0;
        let stored = if is_compressed {
            compressed(bytes)
        } else {
            bytes
        };
        write_file(&tile_path(folder, tile), &stored)?;
    }
    Ok(())
}

fn write_shallow_tiles(town: &World, folder: &Path) -> Result<(), StoreError> {
    for zoom in SHALLOW_ZOOMS {
        let tiles: BTreeSet<TileId> = town
            .tile_ids()
            .filter_map(|tile| tile.ancestor(zoom))
            .collect();
        for tile in tiles {
            write_file(&tile_path(folder, tile), &town.shallow_tile(tile))?;
        }
    }
    Ok(())
}

fn write_archive(town: &World, path: &Path) -> Result<(), StoreError> {
    let mut archive = TileStore::create(path)?;
    for (tile, bytes) in encoded_tiles(town, Tileset::Images) {
        archive.put(tile, &compressed(bytes))?;
    }
    archive.finish(town, Tileset::Images)
}

fn encoded_tiles(town: &World, tileset: Tileset) -> impl Iterator<Item = (TileId, Vec<u8>)> {
    (0..town.block_count()).flat_map(move |block| town.encoded_block(block, tileset))
}

/// An empty tile stays one of no bytes.
fn compressed(bytes: Vec<u8>) -> Vec<u8> {
    if bytes.is_empty() {
        bytes
    } else {
        gzip(&bytes)
    }
}
