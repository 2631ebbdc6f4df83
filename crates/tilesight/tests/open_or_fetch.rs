//! Opening a store whose missing tiles are fetched first, from a server on loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use tilesight::fetch::{Event, FetchError, FetchOptions, Fetcher, Manners, Tileset, Token};
use tilesight::{Dataset, Error, ImageQuery, Place, QueryError, Region, TileId};
use tilesight_fault_server::{Fault, FaultServer};
use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};
use tilesight_tile::cover_region;

/// A few tiles around a market, from a corner to another.
fn region(west: f64, east: f64) -> Region {
    let (south, north) = (60.16, 60.18);
    let corners = [
        [west, south],
        [east, south],
        [east, north],
        [west, north],
        [west, south],
    ];
    Region::from_polygons(&[vec![corners.to_vec()]]).unwrap()
}

fn ids(region: &Region) -> Vec<TileId> {
    cover_region(14, region, 1_000).unwrap().iter().collect()
}

fn path(id: TileId) -> String {
    format!("/maps/vtp/{}/2/{id}", Tileset::Images.name())
}

/// A tile of one image, whose id is the number of the tile.
fn body(id: TileId) -> Vec<u8> {
    let mut images = LayerWriter::new("image");
    images.point((2048, 2048), &[("id", Value::Int(number(id)))]);
    let mut tile = TileWriter::new();
    tile.push(images);
    tile.finish()
}

fn number(id: TileId) -> i64 {
    i64::from(id.x()) << 20 | i64::from(id.y())
}

fn server(region: &Region) -> FaultServer {
    let bodies: BTreeMap<_, _> = ids(region)
        .into_iter()
        .map(|id| (path(id), body(id)))
        .collect();
    FaultServer::start(bodies).unwrap()
}

fn fetcher(server: &FaultServer) -> Fetcher {
    let defaults = FetchOptions::new(Some(server.origin().parse().unwrap())).unwrap();
    let manners = Manners {
        rate: None,
        clock_speed: 200.0,
        ..defaults.manners
    };
    let options = FetchOptions {
        manners,
        ..defaults
    };
    Fetcher::new(Token::new("token").unwrap(), options).unwrap()
}

/// The ids of all images that a dataset holds.
fn images(data: &Dataset) -> Vec<i64> {
    let mut ids: Vec<_> = data.images(&ImageQuery::default()).unwrap().ids().collect();
    ids.sort_unstable();
    ids
}

fn numbers(region: &Region) -> Vec<i64> {
    let mut numbers: Vec<_> = ids(region).into_iter().map(number).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn what_is_missing_is_fetched_once() {
    let (west, all) = (region(24.92, 24.95), region(24.92, 25.05));
    let server = server(&all);
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("market.mbtiles");
    let open = |region: &Region| {
        let mut events = Vec::new();
        let note = |event| events.push(event);
        let tilesets = [Tileset::Images];
        let data = Dataset::open_or_fetch(region, &store, &tilesets, &fetcher(&server), note);
        (data.unwrap(), events)
    };
    let (data, events) = open(&west);
    assert_eq!(images(&data), numbers(&west));
    assert!(matches!(events[0], Event::Planned(plan) if plan.held == 0));
    let done = events
        .iter()
        .filter(|event| matches!(event, Event::Done { .. }));
    assert_eq!(done.count(), ids(&west).len());
    assert_eq!(server.requests().len(), ids(&west).len());
    let (data, _) = open(&all);
    assert_eq!(images(&data), numbers(&all));
    assert_eq!(
        server.requests().len(),
        ids(&all).len(),
        "nothing is fetched twice"
    );
    let (data, events) = open(&west);
    assert_eq!(images(&data), numbers(&all), "all that the store holds");
    assert_eq!(events, [], "nothing is missing");
    assert_eq!(server.requests().len(), ids(&all).len());
}

#[test]
fn a_tile_that_failed_is_not_held() {
    let market = region(24.92, 24.95);
    let server = server(&market);
    server.inject(&path(ids(&market)[0]), [Fault::NotFound; 3]);
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("market.mbtiles");
    let tilesets = [Tileset::Images];
    let open =
        || Dataset::open_or_fetch(&market, &store, &tilesets, &fetcher(&server), |_| ()).unwrap();
    let here = ImageQuery {
        place: Place::Region(market.clone()),
        ..ImageQuery::default()
    };
    let data = open();
    assert!(matches!(data.images(&here), Err(QueryError::NotHeld(_))));
    assert_eq!(
        images(&open()),
        numbers(&market),
        "the next call tries it again"
    );
}

#[test]
fn an_early_end_is_an_error_and_keeps_what_came() {
    let market = region(24.92, 25.05);
    let server = server(&market);
    let last = *ids(&market).last().unwrap();
    server.inject(&path(last), [Fault::Redirect]);
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("market.mbtiles");
    let tilesets = [Tileset::Images];
    let ended = Dataset::open_or_fetch(&market, &store, &tilesets, &fetcher(&server), |_| ());
    let error = ended.unwrap_err();
    assert!(matches!(error, Error::Fetch(FetchError::Banned)) && error.is_retryable());
    assert!(!images(&Dataset::open(&store).unwrap()).is_empty());
}

#[test]
fn a_region_of_half_the_world_is_refused() {
    let half = [
        [0.0, -80.0],
        [170.0, -80.0],
        [170.0, 80.0],
        [0.0, 80.0],
        [0.0, -80.0],
    ];
    let world = Region::from_polygons(&[vec![half.to_vec()]]).unwrap();
    let server = server(&region(24.92, 24.95));
    let ended = Dataset::open_or_fetch(
        &world,
        "no-such",
        &[Tileset::Images],
        &fetcher(&server),
        |_| (),
    );
    assert!(matches!(ended, Err(Error::Cover(_))), "{ended:?}");
}
