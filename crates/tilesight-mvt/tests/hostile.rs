//! Tiles that nobody should have made: no panic, no hang, no memory out of proportion, and the
//! same columns as the reference decoder wherever that accepts.
//!
//! With `TILESIGHT_SOAK=1` ten times as many are tried.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod common;

use common::random::{Random, tile};
use common::raw::{field, layer, varints};
use common::{FRAME, IMAGE};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::time::{Duration, Instant};
use std::{fs, thread};
use tilesight_heap::{Counting, peak as peak_heap};
use tilesight_mvt::{Columns, Decoder, Error, reference};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Tiles that are mutated, and as many that are crafted.
const TILES: u64 = 520_000;

/// The same where all is tried.
const TILES_IN_A_SOAK: u64 = 5_200_000;

/// Damages of each real tile, which take as long as thousands of others.
const DAMAGES_OF_REAL_TILES: u64 = 2;

/// The same where all is tried.
const DAMAGES_OF_REAL_TILES_IN_A_SOAK: u64 = 400;

/// Whether all is tried, and not only what takes seconds.
fn is_soak() -> bool {
    std::env::var_os("TILESIGHT_SOAK").is_some_and(|value| value == "1")
}

#[test]
#[expect(clippy::print_stdout, reason = "figures are for people to read")]
fn hostile_tiles_do_no_harm() {
    let (tiles, damages) = if is_soak() {
        (TILES_IN_A_SOAK, DAMAGES_OF_REAL_TILES_IN_A_SOAK)
    } else {
        (TILES, DAMAGES_OF_REAL_TILES)
    };
    let real = real_tiles();
    let (mutated, crafted) = thread::scope(|scope| {
        let mutated = scope.spawn(|| mutated_tiles(tiles, &real));
        let crafted = crafted_tiles(tiles);
        (mutated.join().unwrap(), crafted)
    });
    let damaged = damaged_tiles(damages, &real);
    for tally in [&mutated, &crafted] {
        assert!(
            tally.accepted > tally.tiles / 10,
            "only {} layers were compared",
            tally.accepted
        );
    }
    println!(
        "reliability: decoder: {} mutated, {} crafted and {} damaged real tiles: 0 panics, \
         {} accepted layers as the reference has them, peak heap at most {:.2} of what is \
         allowed, slowest {:?}",
        mutated.tiles,
        crafted.tiles,
        damaged.tiles,
        mutated.accepted + crafted.accepted + damaged.accepted,
        mutated.heap.max(crafted.heap).max(damaged.heap),
        mutated.slowest.max(crafted.slowest).max(damaged.slowest),
    );
}

/// Small tiles that were damaged, with stretches of real ones where there are any.
fn mutated_tiles(tiles: u64, real: &[Vec<u8>]) -> Tally {
    let seeds: Vec<Vec<u8>> = (0..200)
        .map(|seed| tile(&mut Random::new(seed), 1 + seed as usize % 5))
        .collect();
    let others = [&seeds, real].concat();
    let mut tally = Tally::default();
    for seed in 0..tiles {
        let random = &mut Random::new(seed);
        let mut bytes = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(3) {
            mutate(&mut bytes, &others, random);
        }
        tally.check(&bytes, seed);
    }
    tally
}

fn crafted_tiles(tiles: u64) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..tiles {
        let bytes = crafted::tile(&mut Random::new(seed ^ (1 << 40)));
        tally.check(&bytes, seed);
    }
    tally
}

/// Real tiles, each damaged so many times.
fn damaged_tiles(damages: u64, real: &[Vec<u8>]) -> Tally {
    let mut tally = Tally::default();
    for (seed, tile) in (0..damages).flat_map(|seed| real.iter().map(move |tile| (seed, tile))) {
        let mut bytes = tile.clone();
        mutate(&mut bytes, real, &mut Random::new(seed ^ (1 << 41)));
        tally.check(&bytes, seed);
    }
    tally
}

/// Tiles of images as the service has them, where there are any.
fn real_tiles() -> Vec<Vec<u8>> {
    let Some(folder) = common::shared_data("tiles/mly1_public/14") else {
        return Vec::new();
    };
    let names = ["3252/6257.mvt", "8574/5736.mvt"];
    names
        .map(|name| fs::read(folder.join(name)).unwrap())
        .into()
}

#[test]
fn gzip_bombs_cost_no_more_than_the_limit() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 100 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let mut decoder = Decoder::with_inflate_limit(1 << 20);
    let (refused, peak) = peak_heap(|| decoder.tile(&bomb).map(drop));
    assert_eq!(refused, Err(Error::InflateLimit { limit: 1 << 20 }));
    assert!(peak <= 4 << 20, "{peak}");
}

#[test]
fn damaged_gzip_streams_do_no_harm() {
    let mut columns = Columns::new();
    for seed in 0..3_000 {
        let random = &mut Random::new(seed);
        let plain = tile(random, 3);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&plain).unwrap();
        let mut stored = encoder.finish().unwrap();
        let at = random.below(stored.len());
        stored[at] ^= 1 << random.below(8);
        drop(decode_all(&stored, &mut columns, |_, _, _| {}));
    }
}

#[test]
fn many_tiny_things_are_refused_rather_than_multiplied() {
    // A multipoint of a million points of two bytes, each to become a row of seven columns.
    let mut geometry = varints(&[1 | 1_000_000 << 3]);
    geometry.resize(geometry.len() + 2_000_000, 2);
    let feature = [field(3, 0, &[1]), field(4, 2, &geometry)].concat();
    let bytes = layer(&[field(2, 2, &feature)].concat());
    let mut columns = Columns::new();
    let (outcome, peak) = peak_heap(|| decode_all(&bytes, &mut columns, |_, _, _| {}));
    assert!(matches!(outcome, Err(Error::Memory { .. })), "{outcome:?}");
    assert!(peak <= 4 * bytes.len() + (1 << 20), "{peak}");

    // A million layers of a few bytes.
    let names = (0..400_000_u32).map(|name| varints(&[name]));
    let layers = names.map(|name| {
        let layer = [field(1, 2, &name), vec![15 << 3, 2]].concat();
        field(3, 2, &layer)
    });
    let bytes = layers.collect::<Vec<_>>().concat();
    let (_, peak) = peak_heap(|| Decoder::new().tile(&bytes).map(drop));
    assert!(peak <= 4 * bytes.len() + (1 << 20), "{peak}");
}

/// What became of many tiles.
#[derive(Default)]
struct Tally {
    tiles: u64,
    /// Layers of at least one row that the reference accepts.
    accepted: u64,
    /// The most memory that a tile took, as a share of what it may take.
    heap: f64,
    /// How long the slowest tile took.
    slowest: Duration,
    columns: Columns,
}

impl Tally {
    /// Decodes all layers of a tile and compares them with the reference.
    fn check(&mut self, bytes: &[u8], seed: u64) {
        let start = Instant::now();
        let (outcome, peak) = peak_heap(|| {
            self.columns = Columns::new();
            decode_all(bytes, &mut self.columns, |_, _, _| {})
        });
        self.tiles += 1;
        self.slowest = self.slowest.max(start.elapsed());
        let allowed = 4 * bytes.len() + (1 << 20);
        assert!(peak <= allowed, "seed {seed}: {peak} bytes");
        self.heap = self.heap.max(peak as f64 / allowed as f64);
        if let Err(error) = &outcome {
            // An error is something that can be printed, in a word about this tile.
            assert!(error.to_string().len() < 400 + bytes.len());
        }
        self.compare(bytes, &outcome, seed);
    }

    fn compare(&mut self, bytes: &[u8], outcome: &Result<(), Error>, seed: u64) {
        let Self {
            accepted, columns, ..
        } = self;
        let compared = decode_all(bytes, columns, |name, decoded, columns| {
            // Where the reference refuses, it may be for layers and strings that nobody asked for.
            if let Ok(slow) = reference::decode(bytes, name, &IMAGE, FRAME) {
                let same = decoded.is_ok() && slow.as_ref() == Some(columns);
                assert!(same, "seed {seed}: {name} differs: {decoded:?}");
                *accepted += u64::from(!columns.is_empty());
            }
        });
        assert_eq!(compared, *outcome, "seed {seed}: the second time differs");
        if compared.is_err() && Decoder::new().tile(bytes).is_err() {
            let slow = reference::decode(bytes, "no such layer", &IMAGE, FRAME);
            assert!(slow.is_err(), "seed {seed}: {compared:?}");
        }
    }
}

/// Decodes layer by layer; `visit` sees the outcome of each.
fn decode_all(
    bytes: &[u8],
    columns: &mut Columns,
    mut visit: impl FnMut(&str, &Result<(), Error>, &Columns),
) -> Result<(), Error> {
    let mut decoder = Decoder::with_inflate_limit(1 << 20);
    let mut outcome = Ok(());
    for layer in decoder.tile(bytes)?.layers() {
        let decoded = layer.decode(&IMAGE, FRAME, columns);
        visit(layer.name(), &decoded, columns);
        outcome = outcome.and(decoded);
    }
    outcome
}

/// Does one kind of damage to a tile.
fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    let len = random.below(bytes.len() - at + 1).min(1 << random.below(8));
    match random.below(9) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = random.pick(&[0, 1, 0x7f, 0x80, 0xff]),
        3 => bytes[at] = bytes[at].wrapping_add(random.pick(&[1, 255])),
        4 => drop(bytes.drain(at..at + len)),
        // A stretch again, here or elsewhere.
        5 => {
            let stretch = bytes[at..at + len].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, stretch);
        }
        // A stretch of another tile.
        6 => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len());
            let until = (from + len).min(other.len());
            bytes.splice(at..at, other[from..until].iter().copied());
        }
        // A varint that is huge, or too long.
        7 => {
            let mut varint = vec![0xff; random.below(12)];
            varint.push(random.pick(&[0, 1, 0x0f, 0x7f]));
            bytes.splice(at..=at, varint);
        }
        _ => bytes[at..at + len].fill(random.pick(&[0, 0xff])),
    }
}

/// Tiles whose framing is sound and whose content is anything.
mod crafted {
    use super::common::random::Random;
    use super::common::raw::{field, varints};

    pub fn tile(random: &mut Random) -> Vec<u8> {
        let layers = (0..=random.below(2)).map(|_| {
            let mut body = Vec::new();
            for _ in 0..random.below(4) {
                body.push(field(2, 2, &feature(random)));
            }
            for key in ["id", "is_pano", "sequence_id"]
                .iter()
                .take(random.below(4))
            {
                body.push(field(3, 2, key.as_bytes()));
            }
            for _ in 0..random.pick(&[4, 4, 4, 4, 3]) {
                body.push(field(4, 2, &value(random)));
            }
            body.push(field(
                15,
                0,
                &[random.pick(&[2, 2, 2, 2, 2, 1, 1, 1, 1, 3])],
            ));
            if random.one_in(4) {
                body.push(field(
                    5,
                    0,
                    &varints(&[random.pick(&[1, 256, 4096, u32::MAX, 0])]),
                ));
            }
            if !random.one_in(20) {
                body.push(field(1, 2, random.pick(&["image", "b"]).as_bytes()));
            }
            shuffle(&mut body, random);
            field(3, 2, &body.concat())
        });
        layers.collect::<Vec<_>>().concat()
    }

    fn feature(random: &mut Random) -> Vec<u8> {
        let geometry_type = random.pick(&[1, 1, 2, 2, 3, 3, 0, 4]);
        let mut fields = Vec::new();
        for _ in 0..random.pick(&[1, 1, 1, 1, 1, 1, 0, 2]) {
            fields.push(field(4, 2, &geometry(random, geometry_type)));
        }
        if !random.one_in(20) {
            fields.push(field(3, 0, &[geometry_type as u8]));
        }
        if !random.one_in(3) {
            let beyond = if random.one_in(20) { 5 } else { 3 };
            let pairs = random.pick(&[0, 2, 2, 4, 6, 6, 5]);
            let tags: Vec<u32> = (0..pairs).map(|_| random.below(beyond) as u32).collect();
            fields.push(field(
                2,
                if random.one_in(60) { 0 } else { 2 },
                &varints(&tags),
            ));
        }
        if random.one_in(2) {
            fields.push(field(1, 0, &varints(&[random.next() as u32])));
        }
        if random.one_in(10) {
            fields.push(any_field(random, 8));
        }
        shuffle(&mut fields, random);
        fields.concat()
    }

    /// Commands that are mostly those the type wants.
    fn geometry(random: &mut Random, geometry_type: u32) -> Vec<u8> {
        let mut integers = Vec::new();
        for _ in 0..=random.below(3) {
            let commands: &[(u32, u32)] = match geometry_type {
                1 => &[(1, 1)],
                2 => &[(1, 1), (2, 2)],
                _ => &[(1, 1), (2, 3), (7, 1)],
            };
            for &(id, count) in commands {
                command(&mut integers, id, count, random);
            }
            if !random.one_in(if geometry_type == 1 { 20 } else { 3 }) {
                break;
            }
        }
        if random.one_in(25) {
            integers.truncate(random.below(integers.len()));
        }
        varints(&integers)
    }

    fn command(integers: &mut Vec<u32>, id: u32, count: u32, random: &mut Random) {
        let id = if random.one_in(60) {
            random.below(8) as u32
        } else {
            id
        };
        let count = if random.one_in(15) {
            random.below(4) as u32
        } else {
            count
        };
        let claimed = if random.one_in(40) {
            random.next() as u32 >> 3
        } else {
            count
        };
        integers.push(id | claimed << 3);
        for _ in 0..if id == 7 { 0 } else { 2 * count } {
            let is_large = random.one_in(30);
            integers.push(if is_large {
                random.next() as u32
            } else {
                random.below(12) as u32
            });
        }
    }

    fn value(random: &mut Random) -> Vec<u8> {
        let count = if random.one_in(40) {
            random.pick(&[0, 2])
        } else {
            1
        };
        let last = if random.one_in(40) { 8 } else { 7 };
        let fields = (0..count).map(|_| any_field(random, last));
        fields.collect::<Vec<_>>().concat()
    }

    /// A field whose wire type is mostly that of a value.
    fn any_field(random: &mut Random, last: usize) -> Vec<u8> {
        let number = 1 + random.below(last) as u32;
        let natural = [2, 5, 1, 0, 0, 0, 0, 2][number as usize - 1];
        let wire_type = if random.one_in(60) {
            random.below(8) as u32
        } else {
            natural
        };
        let payload = random.next().to_le_bytes();
        match wire_type {
            0 => field(
                number,
                0,
                &varints(&[random.next() as u32 >> random.below(32)]),
            ),
            1 => field(number, 1, &payload),
            5 => field(number, 5, &payload[..4]),
            2 => field(
                number,
                2,
                random
                    .pick(&["", "1", "12345678", "abc", "\u{e9}"])
                    .as_bytes(),
            ),
            other => field(number, other, &[]),
        }
    }

    fn shuffle(fields: &mut [Vec<u8>], random: &mut Random) {
        for last in (1..fields.len()).rev() {
            fields.swap(last, random.below(last + 1));
        }
    }
}
