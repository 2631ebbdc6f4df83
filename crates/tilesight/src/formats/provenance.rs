//! Where rows come from, as metadata of the files that carry some.

use tilesight_query::rfc3339;

use super::{ATTRIBUTION, LICENSE};
use crate::Dataset;

/// The coordinate reference system of all positions, WGS 84 with longitude first, as PROJJSON.
pub(super) const CRS84: &str = r#"{"$schema":"https://proj.org/schemas/v0.7/projjson.schema.json","type":"GeographicCRS","name":"WGS 84 (CRS84)","datum_ensemble":{"name":"World Geodetic System 1984 ensemble","members":[{"name":"World Geodetic System 1984 (Transit)","id":{"authority":"EPSG","code":1166}},{"name":"World Geodetic System 1984 (G730)","id":{"authority":"EPSG","code":1152}},{"name":"World Geodetic System 1984 (G873)","id":{"authority":"EPSG","code":1153}},{"name":"World Geodetic System 1984 (G1150)","id":{"authority":"EPSG","code":1154}},{"name":"World Geodetic System 1984 (G1674)","id":{"authority":"EPSG","code":1155}},{"name":"World Geodetic System 1984 (G1762)","id":{"authority":"EPSG","code":1156}},{"name":"World Geodetic System 1984 (G2139)","id":{"authority":"EPSG","code":1309}}],"ellipsoid":{"name":"WGS 84","semi_major_axis":6378137,"inverse_flattening":298.257223563},"accuracy":"2.0","id":{"authority":"EPSG","code":6326}},"coordinate_system":{"subtype":"ellipsoidal","axis":[{"name":"Geodetic longitude","abbreviation":"Lon","direction":"east","unit":"degree"},{"name":"Geodetic latitude","abbreviation":"Lat","direction":"north","unit":"degree"}]},"scope":"Not known.","area":"World.","bbox":{"south_latitude":-90,"west_longitude":-180,"north_latitude":90,"east_longitude":180},"id":{"authority":"OGC","code":"CRS84"}}"#;

/// Names and texts: licence, attribution, and what the dataset knows of its tiles.
pub(super) fn provenance(data: Option<&Dataset>) -> Vec<(&'static str, String)> {
    let mut entries = vec![
        ("license", LICENSE.to_owned()),
        ("attribution", ATTRIBUTION.to_owned()),
    ];
    let Some(source) = data.map(Dataset::source) else {
        return entries;
    };
    if let Some(attribution) = &source.attribution {
        entries.push(("source_attribution", attribution.clone()));
    }
    if !source.tilesets.is_empty() {
        entries.push(("tilesets", source.tilesets.join(",")));
    }
    if let Some((first_ms, last_ms)) = source.fetched_at_ms {
        entries.push(("first_fetched_at", rfc3339(first_ms)));
        entries.push(("last_fetched_at", rfc3339(last_ms)));
    }
    entries
}
