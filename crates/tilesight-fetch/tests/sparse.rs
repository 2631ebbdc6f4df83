//! Leaving out what no line comes near to: fewer requests, the same images, and no false promise.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/fetching.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use support::{Place, fetcher, options};
use tilesight_fault_server::{Fault, FaultServer};
use tilesight_fetch::{Event, FetchOptions, FetchReport, TileKey, Tileset, plan};
use tilesight_generate::{IMAGE_ZOOM, Plan, World};
use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};
use tilesight_mvt::{Columns, Decoder, LayerSchema, TileFrame};
use tilesight_store::{Mbtiles, TileStore};
use tilesight_tile::{LonLat, TileId};

/// The zoom of the first pass.
const SHALLOW: u8 = 12;

fn path(tileset: Tileset, id: TileId) -> String {
    format!("/maps/vtp/{}/2/{id}", tileset.name())
}

/// Few images on a wide square.
fn world(seed: u64) -> World {
    let plan = Plan {
        seed,
        images: 4_000,
        centre: LonLat::new(24.94, 60.17).unwrap(),
        side_tiles: Some(24),
    };
    World::new(&plan).unwrap()
}

/// All tiles of a world and above it, by their paths; `shallow` draws those above.
fn served(world: &World, shallow: impl Fn(TileId) -> Vec<u8>) -> FaultServer {
    let mut bodies = BTreeMap::new();
    for block in world.blocks() {
        let tiles = block
            .tiles()
            .map(|tile| (path(Tileset::Images, tile.id()), tile.encode()));
        bodies.extend(tiles);
    }
    for id in world
        .tile_ids()
        .flat_map(surroundings)
        .collect::<BTreeSet<_>>()
    {
        bodies.insert(path(Tileset::Images, id), shallow(id));
    }
    FaultServer::start(bodies).unwrap()
}

/// The shallow tiles around a tile, and more.
fn surroundings(id: TileId) -> Vec<TileId> {
    let shifts = [-1, 0, 1]
        .into_iter()
        .flat_map(|dx| [-1, 0, 1].map(|dy| (dx, dy)));
    let near = shifts.map(|(dx, dy)| {
        let (x, y) = (
            id.x().saturating_add_signed(dx),
            id.y().saturating_add_signed(dy),
        );
        TileId::new(IMAGE_ZOOM, x, y)
            .unwrap()
            .ancestor(SHALLOW)
            .unwrap()
    });
    near.collect()
}

fn tiles(world: &World, tileset: Tileset) -> Vec<TileKey> {
    world.tile_ids().map(|id| TileKey { tileset, id }).collect()
}

fn fetch(server: &FaultServer, store: &Path, tiles: &[TileKey], sparse: bool) -> FetchReport {
    let options = FetchOptions {
        sparse,
        ..options(server)
    };
    fetcher(options).fetch(store, tiles, |_| ()).unwrap()
}

/// The tiles at zoom 14 that a store holds something of, and those it knows to be empty.
fn held(store: &Path) -> (BTreeMap<TileId, Vec<u8>>, BTreeSet<TileId>) {
    let store = Mbtiles::open_with_ledger(store, &[Tileset::Images.name()]).unwrap();
    let mut bytes = Vec::new();
    let mut stored = BTreeMap::new();
    for (index, tile) in store.tiles().iter().enumerate() {
        store.read(index, &mut bytes).unwrap();
        stored.insert(tile.id, bytes.clone());
    }
    let empty = store
        .ledger()
        .unwrap()
        .empty
        .iter()
        .map(|tile| tile.id)
        .collect();
    stored.retain(|id, _| id.z() == IMAGE_ZOOM);
    (stored, empty)
}

#[test]
fn regions_whose_sequences_have_lines_have_the_same_images_for_fewer_requests() {
    for seed in 1..=4 {
        let world = world(seed);
        let tiles = tiles(&world, Tileset::Images);
        let server = served(&world, |id| world.shallow_tile(id));
        // Images that stand alone, or on one spot, make no line.
        for block in world.blocks() {
            for tile in block.tiles().filter(|tile| !has_line(&tile.encode())) {
                server.set(&path(Tileset::Images, tile.id()), Vec::new());
            }
        }
        let (full, sparse) = (Place::new(), Place::new());
        fetch(&server, &full.store(), &tiles, false);
        let before = server.requests().len();
        let report = fetch(&server, &sparse.store(), &tiles, true);
        let requests = (server.requests().len() - before) as i64;
        let is_same = held(&sparse.store()).0 == held(&full.store()).0;
        assert!(is_same, "seed {seed}: {report:?}");
        assert_eq!(requests, tiles.len() as i64 - report.saved_requests());
        assert!(report.saved_requests() > 100, "seed {seed}: {report:?}");
        // The second run knows it all, and the full one brings the rest.
        let again = fetch(&server, &sparse.store(), &tiles, true);
        assert_eq!((again.requests, again.left_out), (0, report.left_out));
        let rest = fetch(&server, &sparse.store(), &tiles, false);
        assert_eq!(rest.requests, report.left_out);
    }
}

#[test]
fn what_is_left_out_has_no_line_and_is_not_known() {
    let world = world(1);
    let tiles = tiles(&world, Tileset::Images);
    let server = served(&world, |id| world.shallow_tile(id));
    let place = Place::new();
    let report = fetch(&server, &place.store(), &tiles, true);
    let (stored, empty) = held(&place.store());
    let mut with_lone_images = 0;
    for block in world.blocks() {
        for tile in block.tiles().filter(|tile| !tile.encode().is_empty()) {
            assert!(!empty.contains(&tile.id()));
            if !stored.contains_key(&tile.id()) {
                assert!(!has_line(&tile.encode()), "{}", tile.id());
                with_lone_images += 1;
            }
        }
    }
    assert!(
        with_lone_images > 0,
        "this world shows that there is a difference"
    );
    let known = stored.len() + empty.iter().filter(|id| id.z() == IMAGE_ZOOM).count();
    assert_eq!(known as u64, report.stored + report.empty);
    assert_eq!(known as u64 + report.left_out, tiles.len() as u64);
}

/// Whether a tile has a line that is at least as long as a pixel of the first pass.
fn has_line(tile: &[u8]) -> bool {
    let pixels = TileFrame {
        origin_x: 0,
        origin_y: 0,
        side: 4096,
    };
    let (mut decoder, mut columns) = (Decoder::new(), Columns::new());
    let tile = decoder.tile(tile).unwrap();
    let Some(lines) = tile.layer("sequence") else {
        return false;
    };
    let geometry = LayerSchema { keys: &[] };
    lines.decode(&geometry, pixels, &mut columns).unwrap();
    let spread = |at: &[u32]| at.iter().max().unwrap() - at.iter().min().unwrap();
    let mut parts = (0..columns.len()).flat_map(|row| columns.lines().parts(row));
    parts.any(|part| spread(part.x).max(spread(part.y)) >> (IMAGE_ZOOM - SHALLOW) > 0)
}

#[test]
fn an_image_without_a_line_is_never_called_empty() {
    let world = world(1);
    let tiles = tiles(&world, Tileset::Images);
    // A sky without lines, over the same images.
    let server = served(&world, |_| Vec::new());
    let place = Place::new();
    let report = fetch(&server, &place.store(), &tiles, true);
    assert_eq!(report.left_out, tiles.len() as u64);
    let (stored, empty) = held(&place.store());
    assert!(stored.is_empty());
    assert!(empty.iter().all(|id| id.z() == SHALLOW));
    fetch(&server, &place.store(), &tiles, false);
    assert!(!held(&place.store()).0.is_empty());
}

#[test]
fn nothing_is_left_out_below_a_tile_that_nobody_could_read() {
    let world = world(1);
    let tiles = tiles(&world, Tileset::Images);
    let mut image = LayerWriter::new("image");
    image.point((1, 2), &[("id", Value::Int(17))]);
    let mut odd = TileWriter::new();
    odd.push(image);
    let odd = odd.finish();
    let server = served(&world, |_| odd.clone());
    let place = Place::new();
    let report = fetch(&server, &place.store(), &tiles, true);
    assert_eq!(report.left_out, 0);
    assert_eq!(report.saved_requests(), -(report.first_pass as i64));
    let server = served(&world, |_| Vec::new());
    let middle = world.middle();
    for id in surroundings(middle) {
        server.inject(&path(Tileset::Images, id), [Fault::NotFound; 9]);
    }
    let place = Place::new();
    let report = fetch(&server, &place.store(), &tiles, true);
    assert!(
        report.is_complete(),
        "tiles of the first pass are not those asked for"
    );
    assert!(report.left_out < tiles.len() as u64);
    assert!(held(&place.store()).0.contains_key(&middle));
}

#[test]
fn what_has_no_lines_is_fetched_whole() {
    let world = world(1);
    let signs = tiles(&world, Tileset::Signs);
    let bodies = signs
        .iter()
        .map(|tile| (path(tile.tileset, tile.id), Vec::new()));
    let server = FaultServer::start(bodies.collect()).unwrap();
    let report = fetch(&server, &Place::new().store(), &signs, true);
    assert_eq!((report.first_pass, report.empty), (0, signs.len() as u64));
}

#[test]
fn what_is_held_is_refreshed_and_not_left_out() {
    let world = world(1);
    let tiles = tiles(&world, Tileset::Images);
    let server = served(&world, |_| Vec::new());
    let place = Place::new();
    fetch(&server, &place.store(), &tiles, false);
    std::thread::sleep(std::time::Duration::from_millis(20));
    let refreshing = FetchOptions {
        sparse: true,
        refresh: Some(std::time::Duration::from_millis(10)),
        ..options(&server)
    };
    let planned = plan(&place.store(), &tiles, &refreshing).unwrap();
    assert_eq!((planned.stale, planned.first_pass), (tiles.len() as u64, 0));
}

#[test]
fn a_plan_tells_of_the_first_pass() {
    let world = world(2);
    let tiles = tiles(&world, Tileset::Images);
    let server = served(&world, |id| world.shallow_tile(id));
    let place = Place::new();
    let sparse = FetchOptions {
        sparse: true,
        ..options(&server)
    };
    let planned = plan(&place.store(), &tiles, &sparse).unwrap();
    let mut events = Vec::new();
    let report = fetcher(sparse)
        .fetch(&place.store(), &tiles, |event| events.push(event))
        .unwrap();
    assert_eq!(events[0], Event::Planned(planned));
    assert_eq!(planned.first_pass, report.first_pass);
    assert_eq!(planned.requests(), report.requests + report.left_out);
    assert!(events.contains(&Event::LeftOut {
        tiles: report.left_out
    }));
}
