//! What a dataset holds, as JSON.

use serde_json::{Value, json};
use tilesight_query::{TilesetInfo, rfc3339};

use crate::formats::{ATTRIBUTION, LICENSE};
use crate::{Dataset, Error};

impl Dataset {
    /// Sums up what the dataset holds and what was read to make it.
    ///
    /// # Returns
    ///
    /// An object with the figures of [`Info`](crate::Info), times as RFC 3339 in UTC, what
    /// [`Source`](crate::Source) knows, and the licence.
    ///
    /// # Errors
    ///
    /// As [`info`](tilesight_query::Dataset::info).
    ///
    /// # Example
    ///
    /// ```
    /// let town = tilesight::Dataset::open("../../fixtures/town")?;
    /// assert_eq!(town.info_json()?["images"], 6_000);
    /// # Ok::<(), tilesight::Error>(())
    /// ```
    pub fn info_json(&self) -> Result<Value, Error> {
        let (info, source) = (self.info()?, self.source());
        Ok(json!({
            "name": source.name,
            "bytes": source.bytes,
            "read": source.tilesets,
            "not_read": source.ignored,
            "rows_left_out": source.left_out,
            "imported_sequences": source.imported.len(),
            "images": info.images,
            "panoramas": info.panoramas,
            "flat_images": info.flat_images,
            "first_captured_at": info.first_captured_at_ms.map(rfc3339),
            "last_captured_at": info.last_captured_at_ms.map(rfc3339),
            "undated_images": info.undated_images,
            "inexact_ids": info.inexact_ids,
            "sequences": info.sequences,
            "sequence_length_m": info.length_m,
            "organizations": info.organizations,
            "creators": info.creators,
            "points": info.points,
            "traffic_signs": info.traffic_signs,
            "overview_points": info.overview_points,
            "bounds": info.bounds,
            "tilesets": info.tilesets.iter().map(tileset_json).collect::<Vec<_>>(),
            "source_attribution": source.attribution,
            "attribution": ATTRIBUTION,
            "license": LICENSE,
        }))
    }
}

fn tileset_json(held: &TilesetInfo) -> Value {
    let failed = held.failed.iter();
    let failed =
        failed.map(|failed| json!({"tile": failed.tile.to_string(), "reason": failed.reason}));
    json!({
        "tileset": held.tileset.option_name(),
        "tiles": held.tiles,
        "area_m2": held.area_m2,
        "failed": failed.collect::<Vec<_>>(),
    })
}
