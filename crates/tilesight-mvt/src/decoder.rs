//! From bytes to layers.

use crate::error::Error;
use crate::inflate::{inflate, is_gzip};
use crate::layer::Tile;

/// Opens tiles one after the other, gzipped or not.
///
/// It keeps the buffer that gzipped tiles are inflated into, so one decoder a thread serves any
/// number of tiles.
///
/// # Example
///
/// ```
/// use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};
/// use tilesight_mvt::{ColumnType, Columns, Decoder, LayerSchema, TileFrame};
///
/// let mut images = LayerWriter::new("image");
/// images.point((1, 2), &[("id", Value::Int(17)), ("is_pano", Value::Bool(true))]);
/// images.point((4095, 0), &[("id", Value::String("18"))]);
/// let mut tile = TileWriter::new();
/// tile.push(images);
/// let bytes = tile.finish();
///
/// let schema = LayerSchema {
///     keys: &[("id", ColumnType::Integer), ("is_pano", ColumnType::Boolean)],
/// };
/// let frame = TileFrame { origin_x: 0, origin_y: 0, side: 1 << 18 };
/// let mut decoder = Decoder::new();
/// let mut columns = Columns::new();
/// let tile = decoder.tile(&bytes)?;
/// let layer = tile.layer("image").expect("the tile has images");
/// layer.decode(&schema, frame, &mut columns)?;
///
/// assert_eq!(columns.points().x, [64, 262_080]);
/// assert_eq!(columns.integers(0).values, [17, 18]);
/// assert_eq!(columns.booleans(1).get(0), Some(true));
/// assert_eq!(columns.booleans(1).get(1), None);
/// # Ok::<(), tilesight_mvt::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    inflated: Vec<u8>,
    inflate_limit: usize,
}

/// Three times the largest tile known, of 2.1 million images.
const DEFAULT_INFLATE_LIMIT: usize = 512 << 20;

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Makes a decoder that inflates up to 512 MiB a tile.
    pub fn new() -> Self {
        Self::with_inflate_limit(DEFAULT_INFLATE_LIMIT)
    }

    /// Makes a decoder that refuses tiles which inflate to more than `limit` bytes.
    pub fn with_inflate_limit(limit: usize) -> Self {
        Self {
            inflated: Vec::new(),
            inflate_limit: limit,
        }
    }

    /// Cuts a tile into its layers, inflating it first if it begins like a gzip stream.
    ///
    /// # Returns
    ///
    /// Borrowed layers; nothing of them is decoded yet. Empty bytes are a tile without layers.
    ///
    /// # Errors
    ///
    /// [`Error::Gzip`] and [`Error::InflateLimit`] from inflating, [`Error::TooLarge`] from
    /// 4 GiB on, [`Error::Wire`] where a field of a layer does not fit its layer or has a wrong
    /// wire type, [`Error::Layer`] for a layer without version or name, of unknown version or of
    /// extent 0. A retry cannot help.
    ///
    /// # Cost
    ///
    /// One pass over the fields of the layers, not into features or values.
    ///
    /// # Source
    ///
    /// Mapbox Vector Tile 2.1, section 4.1.
    pub fn tile<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Tile<'a>, Error> {
        if !is_gzip(bytes) {
            return Tile::read(bytes);
        }
        Tile::read(inflate(bytes, self.inflate_limit, &mut self.inflated)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Damage, Error};
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    /// A gzipped tile of a field that no tile has, this long.
    fn gzipped(len: usize) -> Vec<u8> {
        let mut tile = vec![0x0a, len as u8 | 0x80, (len >> 7) as u8];
        tile.resize(3 + len, 7);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&tile).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn tiles_are_inflated_up_to_the_limit() {
        let bytes = gzipped(1000);
        assert!(Decoder::default().tile(&bytes).is_ok());
        assert_eq!(Decoder::new().inflate_limit, 536_870_912);
        let mut decoder = Decoder::with_inflate_limit(1003);
        assert!(
            decoder
                .tile(&bytes)
                .is_ok_and(|tile| tile.layers().is_empty())
        );
        let refused = Decoder::with_inflate_limit(1002).tile(&bytes).map(drop);
        assert_eq!(refused, Err(Error::InflateLimit { limit: 1002 }));
    }

    /// The bytes are zeros that nothing touches, which take no memory.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn a_tile_that_offsets_cannot_address_is_refused() {
        let bytes = vec![0; 1 << 32];
        let len = bytes.len();
        let refused = Decoder::new().tile(&bytes).map(drop);
        assert_eq!(refused, Err(Error::TooLarge { len }));
        let refused = Decoder::new().tile(&bytes[1..]).map(drop);
        let wire = Error::Wire {
            layer: None,
            offset: 1,
            damage: Damage::FieldNumber,
        };
        assert_eq!(refused, Err(wire));
    }
}
