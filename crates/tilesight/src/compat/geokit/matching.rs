//! The points that lie in a polygon of their own sequence.

use std::collections::{HashMap, HashSet};
use std::io::Write;

use tilesight_tile::{GridPoint, PreparedRegion, Region};

use super::collection::{Collection, CollectionWriter, Feature};
use super::{Counts, Error};

/// Keeps the points that lie in a polygon of the same `sequence_id`, boundary included.
///
/// Features go through unchanged and in their order. An image that is there twice, by its `id`,
/// is written once; images at the same place are all written. Positions are taken to the world
/// grid, whose unit is less than a centimetre.
///
/// # Errors
///
/// [`Error::Collection`] and [`Error::Feature`] for what are no polygons with a `sequence_id`, or
/// no points.
///
/// # Cost
///
/// O(log n) a point for polygons of n vertices.
///
/// # Example
///
/// ```
/// use tilesight::compat::geokit::match_point_sequences;
///
/// let polygons = r#"{"type": "FeatureCollection", "features": [{"type": "Feature",
///     "properties": {"sequence_id": "walk"}, "geometry": {"type": "Polygon",
///     "coordinates": [[[24.9, 60.1], [25, 60.1], [25, 60.2], [24.9, 60.2], [24.9, 60.1]]]}}]}"#;
/// let points = r#"{"type": "FeatureCollection", "features": [
///     {"type": "Feature", "properties": {"id": 1, "sequence_id": "walk"},
///      "geometry": {"type": "Point", "coordinates": [24.95, 60.17]}},
///     {"type": "Feature", "properties": {"id": 2, "sequence_id": "ride"},
///      "geometry": {"type": "Point", "coordinates": [24.95, 60.17]}}
/// ]}"#;
/// let mut matched = Vec::new();
/// let counts = match_point_sequences(polygons, points, &mut matched)?;
/// assert_eq!((counts.read, counts.written), (2, 1)); // the ride has no polygon
/// # Ok::<(), tilesight::compat::geokit::Error>(())
/// ```
pub fn match_point_sequences(
    polygons: &str,
    points: &str,
    out: &mut dyn Write,
) -> Result<Counts, Error> {
    let regions = regions(&Collection::read(polygons)?)?;
    let points = Collection::read(points)?;
    let mut writer = CollectionWriter::new(out)?;
    let mut seen = HashSet::new();
    for point in points.features() {
        let point = point?;
        let is_new = |id: i64| seen.insert(id);
        if is_matched(&point, &regions)? && point.image_id().is_none_or(is_new) {
            writer.write_text(point.text())?;
        }
    }
    Ok(Counts {
        read: points.len(),
        written: writer.finish()?,
    })
}

/// The polygons of each sequence.
type Regions = HashMap<String, Vec<PreparedRegion>>;

fn regions(polygons: &Collection<'_>) -> Result<Regions, Error> {
    let mut regions = Regions::new();
    for feature in polygons.features() {
        let feature = feature?;
        let region = Region::from_geojson(feature.geometry()?)
            .map_err(|error| feature.problem(format!(": {error}")))?;
        let of_sequence = regions.entry(feature.needed_sequence_id()?).or_default();
        of_sequence.push(PreparedRegion::new(&region));
    }
    Ok(regions)
}

fn is_matched(point: &Feature<'_>, regions: &Regions) -> Result<bool, Error> {
    let place = GridPoint::nearest_to(point.position()?);
    let of_sequence = point.sequence_id().and_then(|id| regions.get(&id));
    Ok(of_sequence.is_some_and(|regions| regions.iter().any(|region| region.contains(place))))
}
