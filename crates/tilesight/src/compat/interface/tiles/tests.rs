use std::collections::BTreeMap;

use proptest::prelude::*;
use rayon::prelude::*;
use tilesight_fault_server::{Fault, FaultServer};
use tilesight_fetch::{TileKey, Token};
use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};
use tilesight_query::ImageQuery;
use tilesight_store::{About, Outcome, Record, StoreWriter};

use super::super::needed::{OF_IMAGES, stored};
use super::*;

/// Tiles that are side by side.
const COLUMNS: u32 = 3;
const ROWS: u32 = 2;

fn id(number: usize) -> TileId {
    let (column, row) = (number as u32 % COLUMNS, number as u32 / COLUMNS);
    TileId::new(Tileset::DATA_ZOOM, 9326 + column, 4742 + row).unwrap()
}

fn all() -> impl Iterator<Item = TileId> {
    (0..(COLUMNS * ROWS) as usize).map(id)
}

fn needed(tiles: impl Iterator<Item = TileId>) -> Needed {
    Needed {
        tilesets: OF_IMAGES,
        tiles: TileRows::from_tiles(Tileset::DATA_ZOOM, tiles),
    }
}

/// A tile of images: an id that is elsewhere too is of the same image.
fn of_images(ids: &[u8]) -> Vec<u8> {
    let mut images = LayerWriter::new("image");
    for (place, &id) in (0..).zip(ids) {
        let name = format!("sequence {}", id % 3);
        let sequence = ("sequence_id", Value::String(&name));
        images.point((place, 7), &[("id", Value::Int(id.into())), sequence]);
    }
    let mut tile = TileWriter::new();
    tile.push(images);
    tile.finish()
}

/// A body of each kind: tiles, nothing, filler, and a tile of which a row is none.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let filler = || {
        let mut tile = TileWriter::new();
        tile.push(LayerWriter::new("water"));
        tile.finish()
    };
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 1..40).prop_map(|ids| of_images(&ids)),
        1 => Just(Vec::new()),
        1 => Just(filler()),
    ]
}

/// A service, and the tiles of a store that is not there yet.
struct Town {
    server: FaultServer,
    tiles: Tiles,
    service: Service,
}

impl Town {
    fn new(bodies: &[Vec<u8>]) -> Self {
        let path = |id| format!("/maps/vtp/{}/2/{id}", Tileset::Images.name());
        let bodies: BTreeMap<_, _> = all().map(path).zip(bodies.iter().cloned()).collect();
        let server = FaultServer::start(bodies).unwrap();
        let mut options = Options::new().unwrap();
        options.token = Some(Token::new("token").unwrap());
        options.fetch.tile_origin = server.origin().parse().unwrap();
        options.fetch.manners.rate = None;
        options.fetch.manners.clock_speed = 10_000.0;
        let tiles = Tiles::new(&options).unwrap();
        let service = Service::new(options);
        Self {
            server,
            tiles,
            service,
        }
    }

    /// What is loaded while the tiles are stored.
    fn early(&self, needed: &Needed) -> Option<Loaded> {
        let fetched = self.tiles.fetch(needed, &needed.stored(), &self.service);
        fetched.unwrap()
    }

    /// What is loaded of the store.
    fn late(&self, needed: &Needed) -> Loaded {
        let store = self.tiles.open(&needed.stored()).unwrap();
        Loaded::new(needed.stored(), store, Stamp::default()).unwrap()
    }
}

/// All that a dataset answers.
fn answers(loaded: &Loaded) -> Vec<String> {
    let everything = ImageQuery {
        allow_partial: true,
        ..ImageQuery::default()
    };
    let images = loaded.data.images(&everything).unwrap();
    let rows = images.iter().map(|image| format!("{image:?}"));
    let info = format!("{:?} {:?}", loaded.data.info(), loaded.data.tilesets());
    rows.chain([info]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_loaded_while_tiles_are_stored_is_what_the_store_holds(
        bodies in prop::collection::vec(body(), (COLUMNS * ROWS) as usize),
        held in prop::collection::vec(any::<bool>(), (COLUMNS * ROWS) as usize),
    ) {
        let town = Town::new(&bodies);
        let held = all().zip(held).filter_map(|(id, is_held)| is_held.then_some(id));
        let (held, needed) = (needed(held), needed(all()));
        if held.tiles.count() > 0 {
            town.early(&held);
        }
        if held.tiles.count() < needed.tiles.count() {
            let early = town.early(&needed).unwrap();
            let late = town.late(&needed);
            prop_assert_eq!(&early.tiles, &late.tiles);
            prop_assert_eq!(&early.ledger, &late.ledger);
            prop_assert_eq!(&early.held, &late.held);
            prop_assert_eq!(answers(&early), answers(&late));
            prop_assert!(early.is_as_stored(&town.tiles.path).unwrap());
        }
    }
}

#[test]
fn nothing_is_loaded_early_of_tiles_that_do_not_all_come() {
    let town = Town::new(&vec![of_images(&[1, 2]); (COLUMNS * ROWS) as usize]);
    let missing = TileKey {
        tileset: Tileset::Images,
        id: id(1),
    };
    let path = format!("/maps/vtp/{}/2/{}", Tileset::Images.name(), id(1));
    town.server.inject(&path, vec![Fault::NotFound; 3]);
    let needed = needed(all());
    assert!(town.early(&needed).is_none());
    let late = town.late(&needed);
    assert_eq!(late.ledger.failed[0].0, stored(missing));
    // What is held by now is loaded with the last one.
    let early = town.early(&needed).unwrap();
    assert_eq!(answers(&early), answers(&town.late(&needed)));
}

#[test]
fn what_the_store_does_not_say_any_more_does_not_count() {
    let town = Town::new(&vec![of_images(&[1, 2]); (COLUMNS * ROWS) as usize]);
    let needed = needed(all());
    let early = town.early(&needed).unwrap();
    let about = About {
        tileset: Tileset::Images.name(),
        metadata: &[],
    };
    let mut writer = StoreWriter::open(&town.tiles.path, &about).unwrap();
    let another = Record {
        tileset: Tileset::Images.name(),
        id: id(0),
        outcome: Outcome::Stored {
            bytes: of_images(&[9]),
            etag: None,
        },
        fetched_at_ms: 1,
        tries: 1,
    };
    writer.commit(&[another]).unwrap();
    writer.close().unwrap();
    assert!(!early.is_as_stored(&town.tiles.path).unwrap());
}

#[test]
fn threads_of_a_pool_may_ask_at_once() {
    for threads in [1, 2] {
        let town = Town::new(&vec![of_images(&[1, 2]); (COLUMNS * ROWS) as usize]);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let ask = |number| {
            town.tiles
                .get(&needed([id(number)].into_iter()), &town.service)
        };
        pool.build().unwrap().install(|| {
            let numbers = 0..(COLUMNS * ROWS) as usize;
            numbers.into_par_iter().for_each(|number| {
                assert_eq!(ask(number).unwrap().data.len(), 2);
            });
        });
    }
}
