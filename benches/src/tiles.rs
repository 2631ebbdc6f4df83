//! Tiles of images, real and made.

use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::path::Path;
use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};
use tilesight_mvt::{ColumnType, LayerSchema, TileFrame};

/// The attributes of an image, in the order that all decoders here produce them.
pub const IMAGE: LayerSchema = LayerSchema {
    keys: &[
        ("id", ColumnType::Integer),
        ("captured_at", ColumnType::Integer),
        ("compass_angle", ColumnType::Real),
        ("is_pano", ColumnType::Boolean),
        ("sequence_id", ColumnType::Text),
        ("organization_id", ColumnType::Integer),
        ("creator_id", ColumnType::Integer),
    ],
};

/// Some tile at zoom 14.
pub const FRAME: TileFrame = TileFrame {
    origin_x: 8574 << 18,
    origin_y: 5736 << 18,
    side: 1 << 18,
};

/// A tile and what to call it in a table.
pub struct NamedTile {
    /// Where it is from and how many images it has.
    pub name: String,
    /// Not gzipped.
    pub bytes: Vec<u8>,
}

/// The real tiles, where they are, and one made tile.
pub fn all() -> Vec<NamedTile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/tiles/mly1_public/14");
    let real = ["8574/5736", "3251/6257", "3252/6257"]
        .into_iter()
        .filter_map(|place| {
            let bytes = std::fs::read(root.join(format!("{place}.mvt"))).ok()?;
            Some(NamedTile {
                name: format!("real-{}", place.replace('/', "-")),
                bytes,
            })
        });
    let made = NamedTile {
        name: "made-20000".to_owned(),
        bytes: made(20_000),
    };
    real.chain([made]).collect()
}

/// A tile of `count` images, about as real ones are.
pub fn made(count: u64) -> Vec<u8> {
    made_from(0x9e37_79b9_7f4a_7c15, count)
}

/// One of as many tiles of `count` images as there are seeds but 0.
pub fn made_from(seed: u64, count: u64) -> Vec<u8> {
    encoded(seed, count, 5)
}

/// The same without panoramas.
pub fn made_flat(seed: u64, count: u64) -> Vec<u8> {
    encoded(seed, count, u64::MAX)
}

/// One in so many sequences is of panoramas.
fn encoded(seed: u64, count: u64, pano_one_in: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut layer = LayerWriter::new("image");
    let mut sequence = String::new();
    let (mut captured_at, mut creator, mut organization, mut is_pano) = (0, 0, None, false);
    for image in 0..count {
        if image % 46 == 0 {
            sequence = (0..22)
                .map(|_| char::from(b'A' + random.below(26) as u8))
                .collect();
            captured_at = 1_400_000_000_000 + random.below(300_000_000_000) as i64;
            creator = 100_000_000_000_000 + random.below(49) as i64;
            organization = (random.below(4) == 0).then(|| 300_000_000_000 + random.below(3) as i64);
            is_pano = random.below(pano_one_in) == 0;
        }
        captured_at += 1_000 + random.below(2_000) as i64;
        let mut properties = vec![
            ("captured_at", Value::Int(captured_at)),
            (
                "compass_angle",
                Value::Double(random.below(3_600_000) as f64 / 10_000.0),
            ),
            ("creator_id", Value::Int(creator)),
            (
                "id",
                Value::Int(100_000_000_000_000 + random.below(900_000_000_000_000) as i64),
            ),
            ("is_pano", Value::Bool(is_pano)),
            ("sequence_id", Value::String(&sequence)),
        ];
        properties.extend(organization.map(|id| ("organization_id", Value::Int(id))));
        let at = (random.below(4096) as i32, random.below(4096) as i32);
        layer.point(at, &properties);
    }
    let mut tile = TileWriter::new();
    tile.push(layer);
    tile.finish()
}

/// The same bytes as a server would compress them.
///
/// # Panics
///
/// Never: writing to memory cannot fail.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("memory takes all bytes")
}

/// Xorshift: random enough to keep a branch predictor from learning a tile.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}
