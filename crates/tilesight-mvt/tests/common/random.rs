//! A small generator of numbers and of tiles, from a seed.

use tilesight_mvt::writer::{LayerWriter, TilePoint, TileWriter, Value};

/// Xorshift.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// `seed` and the next seed give unrelated numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (((self.next() >> 32) * end as u64) >> 32) as usize
    }

    pub fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// A few keys, so that features share them.
const KEYS: [&str; 6] = [
    "id",
    "captured_at",
    "compass_angle",
    "is_pano",
    "sequence_id",
    "other",
];

const STRINGS: [&str; 9] = [
    "",
    "a",
    "héllo",
    "17",
    "-42",
    "9007199254740993",
    "99999999999999999999",
    "1.5",
    "inf",
];

const REALS: [f64; 8] = [
    0.0,
    -1.0,
    1.5,
    16_777_218.0,
    9_007_199_254_740_994.0,
    1e300,
    f64::NAN,
    f64::NEG_INFINITY,
];

fn value(random: &mut Random) -> Value<'static> {
    let integer = random.next() as i64 >> random.below(64);
    match random.below(8) {
        0 => Value::String(random.pick(&STRINGS)),
        1 => Value::Float(random.pick(&REALS) as f32),
        2 => Value::Double(random.pick(&REALS)),
        3 => Value::Int(integer),
        4 => Value::Uint(integer as u64),
        5 => Value::Sint(integer),
        6 => Value::Int(random.below(3) as i64),
        _ => Value::Bool(random.one_in(2)),
    }
}

fn properties(random: &mut Random) -> Vec<(&'static str, Value<'static>)> {
    let mut properties = Vec::new();
    for key in KEYS {
        if !random.one_in(4) {
            properties.push((key, value(random)));
        }
    }
    properties
}

fn position(random: &mut Random) -> TilePoint {
    let ordinary = |random: &mut Random| random.below(4300) as i32 - 100;
    if random.one_in(50) {
        (random.next() as i32, random.next() as i32)
    } else {
        (ordinary(random), ordinary(random))
    }
}

/// Positions no two neighbours of which are alike.
fn path(random: &mut Random) -> Vec<TilePoint> {
    let mut path: Vec<TilePoint> = (0..2 + random.below(6)).map(|_| position(random)).collect();
    path.dedup();
    if path.len() < 2 { path_of_two() } else { path }
}

fn path_of_two() -> Vec<TilePoint> {
    vec![(0, 0), (1, 1)]
}

/// A square, clockwise or not.
fn ring(random: &mut Random) -> Vec<TilePoint> {
    let (x, y) = (random.below(4096) as i32, random.below(4096) as i32);
    let side = 1 + random.below(100) as i32;
    let mut ring = vec![(x, y), (x + side, y), (x + side, y + side), (x, y + side)];
    if random.one_in(3) {
        ring.reverse();
    }
    ring
}

/// A layer of points, lines and polygons with properties of all types.
pub fn layer(random: &mut Random, name: &str, features: usize) -> LayerWriter {
    let mut layer = LayerWriter::new(name)
        .with_version(random.pick(&[1, 2, 2, 2]))
        .with_extent(random.pick(&[4096, 4096, 4096, 256, 1000, 1, u32::MAX]));
    let only_points = random.one_in(2);
    for _ in 0..features {
        let properties = properties(random);
        match if only_points { 0 } else { random.below(5) } {
            0 | 1 => layer.point(position(random), &properties),
            2 => {
                let points: Vec<_> = (0..=random.below(5)).map(|_| position(random)).collect();
                layer.points(&points, &properties);
            }
            3 => {
                let parts: Vec<_> = (0..=random.below(3)).map(|_| path(random)).collect();
                layer.lines(&parts, &properties);
            }
            _ => {
                let rings: Vec<_> = (0..=random.below(3)).map(|_| ring(random)).collect();
                layer.polygon(&rings, &properties);
            }
        }
    }
    layer
}

/// A tile of one or two layers.
pub fn tile(random: &mut Random, features: usize) -> Vec<u8> {
    let mut tile = TileWriter::new();
    tile.push(layer(random, "image", features));
    if random.one_in(3) {
        tile.push(layer(random, "sequence", features));
    }
    tile.finish()
}
