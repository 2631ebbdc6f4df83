//! Regions: polygons in degrees, checked and normalised at the door.

mod error;
mod geojson;
mod ring;

use std::sync::Arc;

pub use error::{RegionError, RegionFault};
pub(crate) use ring::Ring;

use crate::GridPoint;
use crate::predicates::{Edge, Position, Ray, cast_ray, segments_meet};

/// The union of polygons with holes, in degrees on WGS 84, boundaries included.
///
/// Edges are straight in degrees (RFC 7946, section 3.1.1), not on the map and not on the globe.
/// Within one polygon a position is inside when it is inside an odd number of its rings, or on
/// any of them: holes are excluded, their edges are not, and a ring that crosses itself is filled
/// even-odd. A ring that has collapsed to a line or a point contains just that.
///
/// A region holds at least one polygon and is valid from the moment it exists: rings are closed,
/// finite, and continuous across the antimeridian.
#[derive(Debug, Clone)]
pub struct Region {
    polygons: Arc<[Polygon]>,
}

impl Region {
    /// Reads a region from GeoJSON.
    ///
    /// A `Polygon`, a `MultiPolygon`, a `GeometryCollection`, a `Feature` or a
    /// `FeatureCollection` is taken. Points beside polygons in a collection are passed over: they
    /// are the labels that exports of OpenStreetMap put there. Lines are refused, since a line
    /// among polygons is most often a boundary that was never closed. Altitudes, properties and
    /// foreign members are ignored.
    ///
    /// # Units
    ///
    /// Positions are longitude, latitude in degrees on WGS 84. An edge of more than 180° of
    /// longitude crosses the antimeridian; so does one from −180 to 180, unless its ring then
    /// has no area or does not close (the frame of the world, Antarctica), when it is taken as
    /// drawn. Longitudes up to ±360 are taken from rings that run on across the antimeridian.
    ///
    /// # Errors
    ///
    /// [`RegionError`] says where in the document, what is wrong there, and what a right one
    /// looks like: no GeoJSON, no area, a ring that is open, too short, too wide or winds around
    /// a pole, a position out of range, a coordinate system other than WGS 84.
    ///
    /// # Cost
    ///
    /// Linear in the text, whose numbers are kept in 16 bytes a vertex.
    ///
    /// # Source
    ///
    /// RFC 7946; `crs` is that of the GeoJSON of 2008.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight_tile::{GridPoint, LonLat, Region};
    ///
    /// let taveuni = Region::from_geojson(
    ///     r#"{"type": "Polygon", "coordinates":
    ///         [[[179.5, -17.5], [-179.5, -17.5], [-179.5, -16.5], [179.5, -16.5], [179.5, -17.5]]]}"#,
    /// )?;
    /// let east_of_the_date_line = GridPoint::nearest_to(LonLat::new(-179.9, -16.9)?);
    /// assert!(taveuni.contains(east_of_the_date_line));
    ///
    /// let error = Region::from_geojson(r#"{"type": "Point", "coordinates": [24.94, 60.17]}"#);
    /// assert!(error.unwrap_err().to_string().contains("Point has no area"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_geojson(text: &str) -> Result<Self, RegionError> {
        geojson::read(text)
    }

    /// Checks a region given as polygons, each a list of closed rings (the shell, then holes) of
    /// `[longitude, latitude]` in degrees.
    ///
    /// # Errors
    ///
    /// As [`from_geojson`](Self::from_geojson) for what the coordinates can have wrong.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight_tile::{GridPoint, LonLat, Region};
    ///
    /// let shell = vec![[24.0, 60.0], [26.0, 60.0], [25.0, 61.0], [24.0, 60.0]];
    /// let triangle = Region::from_polygons(&[vec![shell]])?;
    /// assert!(triangle.contains(GridPoint::nearest_to(LonLat::new(25.0, 60.5)?)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_polygons(polygons: &[Vec<Vec<Position>>]) -> Result<Self, RegionError> {
        let polygons = polygons
            .iter()
            .enumerate()
            .map(|(at, rings)| Polygon::new(rings, &format!("polygons[{at}]")))
            .collect::<Result<_, _>>()?;
        Self::new(polygons)
    }

    /// Tells whether a grid position lies in the region: whether its degrees do.
    ///
    /// This is the definition, literally: it visits every edge. [`PreparedRegion`] answers the
    /// same many times faster.
    ///
    /// [`PreparedRegion`]: crate::PreparedRegion
    pub fn contains(&self, point: GridPoint) -> bool {
        let at = point.to_lon_lat();
        self.polygons
            .iter()
            .any(|polygon| polygon.contains([at.lon(), at.lat()]))
    }

    /// Tells whether any part of a segment lies in the region. The ends are positions of the
    /// grid, the segment is straight in degrees and does not cross the antimeridian.
    ///
    /// Like [`contains`](Self::contains) this is the definition, and visits every edge.
    pub fn meets_segment(&self, a: GridPoint, b: GridPoint) -> bool {
        let segment = [a, b].map(GridPoint::degrees);
        self.contains(a) || self.edges().any(|edge| segments_meet(edge, segment))
    }

    /// The edges of all rings, on each turn of the globe on which they meet the grid.
    pub(crate) fn edges(&self) -> impl Iterator<Item = Edge> {
        let rings = self.polygons.iter().flat_map(Polygon::rings);
        rings.flat_map(|ring| {
            ring.turns().flat_map(|turn| {
                ring.edges()
                    .map(move |edge| edge.map(|[lon, lat]| [lon - turn, lat]))
            })
        })
    }

    pub(crate) fn polygons(&self) -> &[Polygon] {
        &self.polygons
    }

    fn new(polygons: Vec<Polygon>) -> Result<Self, RegionError> {
        if polygons.is_empty() {
            return Err(RegionFault::Empty.at(""));
        }
        Ok(Self {
            polygons: polygons.into(),
        })
    }
}

/// A shell and its holes, of which even-odd filling makes no difference.
#[derive(Debug, Clone)]
pub(crate) struct Polygon {
    rings: Vec<Ring>,
}

impl Polygon {
    pub fn rings(&self) -> &[Ring] {
        &self.rings
    }

    fn new(rings: &[Vec<Position>], path: &str) -> Result<Self, RegionError> {
        if rings.is_empty() {
            return Err(RegionFault::Empty.at(path));
        }
        let rings = rings
            .iter()
            .enumerate()
            .map(|(at, positions)| Ring::new(positions, &format!("{path}[{at}]")))
            .collect::<Result<_, _>>()?;
        Ok(Self { rings })
    }

    /// The least and the greatest longitude (axis 0) or latitude (axis 1) of all vertices.
    pub fn range(&self, axis: usize) -> [f64; 2] {
        let vertices = self.rings.iter().flat_map(Ring::vertices);
        vertices.fold([f64::INFINITY, f64::NEG_INFINITY], |[min, max], vertex| {
            [min.min(vertex[axis]), max.max(vertex[axis])]
        })
    }

    /// Counts, over all rings and on every turn of the globe they reach, the edges to the west.
    fn contains(&self, [lon, lat]: Position) -> bool {
        let mut inside = false;
        for ring in &self.rings {
            for turn in ring.turns() {
                for edge in ring.edges() {
                    match cast_ray(edge, [lon + turn, lat]) {
                        Ray::Misses => {}
                        Ray::Crosses => inside = !inside,
                        Ray::Starts => return true,
                    }
                }
            }
        }
        inside
    }
}

#[cfg(test)]
mod tests;
