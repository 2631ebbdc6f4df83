//! Vector tiles.

use std::io::Read;

use flate2::read::GzDecoder;
use tilesight_mvt::{ColumnType, Columns, Decoder, Error, LayerSchema, TileFrame, reference};

use crate::input::within;

/// Tiles here inflate to no more than this.
const INFLATE_LIMIT: usize = 1 << 20;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// A column of every type, by names that the corpus has.
const SCHEMA: LayerSchema<'_> = LayerSchema {
    keys: &[
        ("id", ColumnType::Integer),
        ("captured_at", ColumnType::Integer),
        ("compass_angle", ColumnType::Real),
        ("is_pano", ColumnType::Boolean),
        ("sequence_id", ColumnType::Text),
        ("value", ColumnType::Text),
    ],
};

const FRAME: TileFrame = TileFrame {
    origin_x: 9326 << 18,
    origin_y: 4742 << 18,
    side: 1 << 18,
};

/// The decoder makes of every layer what the reference makes of it, in memory that the tile pays
/// for.
pub(crate) fn tile(bytes: &[u8]) {
    if bytes.starts_with(GZIP_MAGIC) {
        return;
    }
    let fresh = within(4 * bytes.len(), || {
        decode(bytes, &mut Columns::new(), |_, _, _| {})
    });
    let reused = decode(bytes, &mut Columns::new(), |name, decoded, columns| {
        // Where the reference refuses, it may be for layers and strings that nobody asked for.
        if let Ok(slow) = reference::decode(bytes, name, &SCHEMA, FRAME) {
            assert_eq!(decoded, &Ok(()), "{name}");
            assert!(slow.as_ref() == Some(columns), "{name} differs");
        }
    });
    assert_eq!(fresh, reused);
}

fn decode(
    bytes: &[u8],
    columns: &mut Columns,
    mut visit: impl FnMut(&str, &Result<(), Error>, &Columns),
) -> Result<(), Error> {
    let mut decoder = Decoder::with_inflate_limit(INFLATE_LIMIT);
    let mut outcome = Ok(());
    for layer in decoder.tile(bytes)?.layers() {
        let decoded = layer.decode(&SCHEMA, FRAME, columns);
        visit(layer.name(), &decoded, columns);
        outcome = outcome.and(decoded);
    }
    outcome
}

/// A gzipped tile is what another inflater makes of it, or refused; never more than the limit.
pub(crate) fn inflate(bytes: &[u8]) {
    if !bytes.starts_with(GZIP_MAGIC) {
        return;
    }
    let mut decoder = Decoder::with_inflate_limit(INFLATE_LIMIT);
    let names = |tile: tilesight_mvt::Tile<'_>| -> Vec<_> {
        let layers = tile.layers().iter();
        layers
            .map(|layer| (layer.name().to_owned(), layer.byte_len()))
            .collect()
    };
    // The buffer doubles as it grows, and the old one is held while it is copied.
    let fast = within(4 * INFLATE_LIMIT, || decoder.tile(bytes).map(names));
    let mut plain = Vec::new();
    let limit = INFLATE_LIMIT as u64 + 1;
    let slow = GzDecoder::new(bytes).take(limit).read_to_end(&mut plain);
    match slow {
        Ok(len) if len > INFLATE_LIMIT => {
            let limit = INFLATE_LIMIT;
            assert_eq!(fast, Err(Error::InflateLimit { limit }));
        }
        Ok(_) if plain.starts_with(GZIP_MAGIC) => assert!(fast.is_err()),
        Ok(_) => assert_eq!(fast, Decoder::new().tile(&plain).map(names)),
        Err(_) => assert!(fast.is_err(), "{fast:?}"),
    }
}
