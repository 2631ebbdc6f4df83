//! What a body turns out to be, and the form in which it is stored.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use tilesight_mvt::Decoder;

/// Tiles inflate to about 1.6 times their size; a stream that inflates to more than this many
/// times its size is a bomb. Deflate reaches 1032.
const MAX_RATIO: usize = 48;

/// What small streams may inflate to all the same.
const FREE_BYTES: usize = 1 << 20;

/// Largest tile that is accepted: the largest known has 142 MB.
const MAX_TILE_BYTES: usize = 384 << 20;

/// The layer that tiles of map features have where there are none.
const FILLER_LAYER: &str = "water";

/// Level at which tiles are stored: a tile of 20 KB takes half the time of level 3, which is most of
/// the time that it takes at all, and a seventh more room.
const LEVEL: Compression = Compression::fast();

/// What the body of an answer turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// A tile, gzipped as MBTiles wants it; equal tiles give equal bytes.
    Tile(Vec<u8>),
    /// A tile that holds nothing.
    Empty,
}

/// Examines a body, gzipped or not, told by its first bytes.
///
/// # Errors
///
/// What is wrong with it, when it is no tile.
pub(crate) fn examine(body: Vec<u8>) -> Result<Content, String> {
    let tile = if body.starts_with(&[0x1f, 0x8b]) {
        inflate(&body)?
    } else {
        body
    };
    let mut decoder = Decoder::with_inflate_limit(0);
    let layers = decoder.tile(&tile).map_err(|error| error.to_string())?;
    let is_filler = |layer: &tilesight_mvt::RawLayer<'_>| layer.name() == FILLER_LAYER;
    if layers.layers().iter().all(is_filler) {
        return Ok(Content::Empty);
    }
    Ok(Content::Tile(deflate(&tile)))
}

fn inflate(gzip: &[u8]) -> Result<Vec<u8>, String> {
    let limit = FREE_BYTES.max(gzip.len().saturating_mul(MAX_RATIO));
    let limit = limit.min(MAX_TILE_BYTES);
    // The trailer tells the length, but for multiples of 4 GiB.
    let claimed = gzip
        .last_chunk()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize);
    if claimed > limit {
        return Err(format!("it inflates to more than {limit} bytes"));
    }
    let mut tile = Vec::with_capacity(claimed);
    let mut decoder = GzDecoder::new(gzip);
    let read = (&mut decoder)
        .take(limit as u64 + 1)
        .read_to_end(&mut tile)
        .map_err(|error| format!("its gzip stream is damaged: {error}"))?;
    if read > limit {
        return Err(format!("it inflates to more than {limit} bytes"));
    }
    if !decoder.into_inner().is_empty() {
        return Err("something follows its gzip stream".into());
    }
    Ok(tile)
}

fn deflate(tile: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(tile.len() / 2), LEVEL);
    // Writing into memory does not fail.
    let _ = encoder.write_all(tile);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};

    use super::*;

    fn tile(layer: &str) -> Vec<u8> {
        let mut points = LayerWriter::new(layer);
        points.point((1, 2), &[("id", Value::Int(17))]);
        let mut tile = TileWriter::new();
        tile.push(points);
        tile.finish()
    }

    #[test]
    fn a_tile_is_stored_in_one_form_however_it_came() {
        let Ok(Content::Tile(stored)) = examine(tile("image")) else {
            panic!("it is a tile")
        };
        let mut other = GzEncoder::new(Vec::new(), Compression::best());
        other.write_all(&tile("image")).unwrap();
        let came_gzipped = examine(other.finish().unwrap()).unwrap();
        assert_eq!(came_gzipped, Content::Tile(stored.clone()));
        assert_eq!(inflate(&stored).unwrap(), tile("image"));
    }

    #[test]
    fn nothing_and_filler_are_empty() {
        assert_eq!(examine(Vec::new()), Ok(Content::Empty));
        assert_eq!(examine(deflate(&[])), Ok(Content::Empty));
        assert_eq!(examine(tile("water")), Ok(Content::Empty));
    }

    #[test]
    fn every_truncation_is_found() {
        let whole = tile("image");
        for end in 1..whole.len() {
            assert!(examine(whole[..end].to_vec()).is_err(), "{end}");
        }
        let gzipped = deflate(&whole);
        for end in 1..gzipped.len() {
            assert!(examine(gzipped[..end].to_vec()).is_err(), "{end}");
        }
        assert!(examine([gzipped, vec![0]].concat()).is_err());
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = deflate(&vec![0; 64 << 20]);
        let error = examine(bomb.clone()).unwrap_err();
        assert!(error.contains("inflates"), "{error}");
        // One that lies about its length.
        let trailer = bomb.len() - 4;
        let lying = [&bomb[..trailer], &[0; 4]].concat();
        let error = examine(lying).unwrap_err();
        assert!(error.contains("inflates"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(body: Vec<u8>) {
            let _ = examine(body.clone());
            let _ = examine([&[0x1f, 0x8b][..], &body].concat());
        }
    }
}
