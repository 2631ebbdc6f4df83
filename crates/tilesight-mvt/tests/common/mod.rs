//! What the test binaries share.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::print_stdout, reason = "a test that cannot run says so")]

pub mod random;
pub mod raw;

use flate2::read::GzDecoder;
use std::io::Read;
use std::path::{Path, PathBuf};
use tilesight_mvt::{ColumnType, Columns, Decoder, Error, LayerSchema, TileFrame};

/// The attributes of an image in a coverage tile.
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

/// The attributes of a sequence in a coverage tile.
pub const SEQUENCE: LayerSchema = LayerSchema {
    keys: &[
        ("id", ColumnType::Text),
        ("captured_at", ColumnType::Integer),
        ("image_id", ColumnType::Integer),
        ("is_pano", ColumnType::Boolean),
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

/// Decodes one layer; `None` if the tile lacks it.
pub fn decode(tile: &[u8], layer: &str, schema: &LayerSchema) -> Result<Option<Columns>, Error> {
    let mut decoder = Decoder::new();
    let tile = decoder.tile(tile)?;
    let Some(layer) = tile.layer(layer) else {
        return Ok(None);
    };
    let mut columns = Columns::new();
    layer.decode(schema, FRAME, &mut columns)?;
    Ok(Some(columns))
}

/// The tile itself, if it is stored as a gzip stream.
pub fn gunzip(stored: &[u8]) -> Vec<u8> {
    let mut tile = Vec::new();
    match GzDecoder::new(stored).read_to_end(&mut tile) {
        Ok(_) => tile,
        Err(_) => stored.to_vec(),
    }
}

/// A folder of real data beside the workspace; says so and gives `None` where there is none.
pub fn shared_data(folder: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = root.join(folder);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: no {folder} in ../shared/data");
    None
}
