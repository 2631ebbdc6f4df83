//! Objects found in images, and the outlines they have there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tilesight_mvt::{Columns, Decoder, LayerSchema, Lines, TileFrame};

use super::Error;
use super::entity::ImagePlace;
use super::scalar::{Id, TimestampMs};

/// The layer of the outlines.
const LAYER: &str = "mpy-or";

/// Where the picture lies on the grid of the decoder: in its middle, so that an outline may leave
/// the picture by half of its size before it is cut.
const FRAME: TileFrame = TileFrame {
    origin_x: 1 << 30,
    origin_y: 1 << 30,
    side: 1 << 31,
};

/// An object that was found in an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Detection {
    /// Which one.
    pub id: Id,
    /// What it is: `object--junction-box`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// When it was found.
    #[serde(rename = "created_at", skip_serializing_if = "Option::is_none")]
    pub created_at_ms: Option<TimestampMs>,
    /// The image that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImagePlace>,
    /// Its outline; what lies within an odd number of rings is inside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rings: Vec<Ring>,
    /// Whatever else the answer had.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A closed line in a picture, its first vertex not repeated: `x` grows rightwards and `y`
/// downwards, both from 0 to 1.
pub type Ring = Vec<[f64; 2]>;

/// A detection as it comes: the outline is a tile in base64.
#[derive(Deserialize)]
pub(super) struct RawDetection {
    id: Id,
    value: Option<String>,
    #[serde(rename = "created_at")]
    created_at_ms: Option<TimestampMs>,
    image: Option<ImagePlace>,
    geometry: Option<String>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl Detection {
    pub(super) fn decode(raw: RawDetection) -> Result<Self, Error> {
        let geometry = raw.geometry.as_deref().map(decode_rings).transpose();
        let rings = geometry.map_err(|reason| Error::Outline { id: raw.id, reason })?;
        Ok(Self {
            id: raw.id,
            value: raw.value,
            created_at_ms: raw.created_at_ms,
            image: raw.image,
            rings: rings.unwrap_or_default(),
            other: raw.other,
        })
    }
}

/// Decodes the outline of a detection: a vector tile in base64 with polygons in one layer,
/// `mpy-or`, whose extent is the picture.
///
/// # Returns
///
/// The rings of all its polygons. Bytes without that layer have none.
///
/// # Errors
///
/// What is wrong with the base64 or the tile, in a sentence.
///
/// # Example
///
/// ```
/// use tilesight_fetch::graph::decode_rings;
///
/// assert_eq!(decode_rings(""), Ok(vec![])); // no outline
/// assert!(decode_rings("%").is_err());
/// ```
pub fn decode_rings(geometry: &str) -> Result<Vec<Ring>, String> {
    let bytes = STANDARD
        .decode(geometry)
        .map_err(|error| error.to_string())?;
    // An outline is not gzipped; inflated it would still be no larger than this.
    let mut decoder = Decoder::with_inflate_limit(1 << 20);
    let tile = decoder.tile(&bytes).map_err(|error| error.to_string())?;
    let Some(layer) = tile.layer(LAYER) else {
        return Ok(Vec::new());
    };
    let mut columns = Columns::new();
    layer
        .decode(&LayerSchema { keys: &[] }, FRAME, &mut columns)
        .map_err(|error| error.to_string())?;
    Ok(rings(columns.len(), columns.lines()))
}

fn rings(rows: usize, lines: &Lines) -> Vec<Ring> {
    let parts = (0..rows).flat_map(|row| lines.parts(row));
    let vertices = |part: tilesight_mvt::Part| {
        let (x, y) = (part.x.iter(), part.y.iter());
        x.zip(y)
            .map(|(&x, &y)| [fraction(x), fraction(y)])
            .collect()
    };
    parts.map(vertices).collect()
}

/// From the grid to the picture; exact for extents that are powers of two.
fn fraction(grid: u32) -> f64 {
    (f64::from(grid) - f64::from(FRAME.origin_x)) / FRAME.side as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tilesight_mvt::writer::{LayerWriter, TileWriter};

    #[test]
    fn an_outline_is_decoded_to_fractions_of_the_picture() {
        let outer = [(0, 0), (4096, 0), (4096, 4096), (0, 4096)];
        let hole = [(1024, 1024), (1024, 2048), (2048, 1024)];
        let mut layer = LayerWriter::new(LAYER);
        layer.polygon(&[&outer[..], &hole], &[]);
        let mut tile = TileWriter::new();
        tile.push(layer);
        let rings = decode_rings(&STANDARD.encode(tile.finish())).unwrap();
        let expected = [
            vec![[0., 0.], [1., 0.], [1., 1.], [0., 1.]],
            vec![[0.25, 0.25], [0.25, 0.5], [0.5, 0.25]],
        ];
        assert_eq!(rings, expected);
    }

    #[test]
    fn damage_is_named() {
        assert!(decode_rings("%%%").unwrap_err().contains("Invalid"));
        assert!(!decode_rings("GjgK").unwrap_err().is_empty());
        assert_eq!(decode_rings(""), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(rings) = decode_rings(&STANDARD.encode(bytes)) {
                prop_assert!(rings.iter().flatten().flatten().all(|c| (-0.5..1.5).contains(c)));
            }
        }
    }
}
