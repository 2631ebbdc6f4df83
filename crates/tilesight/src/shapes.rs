//! Points, lines and polygons that people bring along, read from GeoJSON and GeoParquet: targets to
//! be looked at, footprints that stand in the way, roads.
//!
//! A [`Shape`] is checked where it comes in and cannot be invalid behind that.

mod error;
mod geojson;
#[cfg(feature = "parquet")]
mod geoparquet;
#[cfg(any(feature = "fuzzing", feature = "parquet"))]
pub(crate) mod wkb;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use tilesight_tile::{LonLat, RegionFault};

pub use error::{ReadError, ShapeFault};

/// Longitude and latitude in degrees on WGS 84.
pub type Position = [f64; 2];

/// Widest a line or ring may be, in degrees of longitude. Something narrower than half a turn lies
/// on one side of whoever stands beside it.
const MAX_WIDTH_DEG: f64 = 170.0;

/// The positions of a [`Shape`], as they are written: one of several kinds, of which a single point
/// or line is a list of one.
#[derive(Debug, Clone, PartialEq)]
pub enum Geometry {
    /// Points.
    Points(Vec<Position>),
    /// Lines, of two positions or more each.
    Lines(Vec<Vec<Position>>),
    /// Polygons, each a list of closed rings of which an odd number is around what is inside.
    Polygons(Vec<Vec<Vec<Position>>>),
}

/// A checked [`Geometry`]: finite, on Earth, rings closed, nothing empty, and continuous across the
/// antimeridian.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    geometry: Geometry,
}

impl Shape {
    /// A single point.
    pub fn at(position: LonLat) -> Self {
        Self {
            geometry: Geometry::Points(vec![[position.lon(), position.lat()]]),
        }
    }

    /// Checks a geometry.
    ///
    /// Edges are straight in degrees and lead the shorter way around the world: one of more than
    /// 180° of longitude crosses the antimeridian.
    ///
    /// # Errors
    ///
    /// A [`ShapeFault`]: a position that is not on Earth, a line of less than two positions, a ring
    /// that is open or of less than four, a line or ring wider than 170°, nothing at all.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight::shapes::{Geometry, Shape};
    ///
    /// let wall = vec![[24.938, 60.17], [24.939, 60.17]];
    /// assert!(Shape::new(Geometry::Lines(vec![wall])).is_ok());
    /// let stub = vec![[24.938, 60.17]];
    /// let error = Shape::new(Geometry::Lines(vec![stub])).unwrap_err();
    /// assert!(error.to_string().contains("two positions"));
    /// ```
    pub fn new(geometry: Geometry) -> Result<Self, ShapeFault> {
        let mut shape = Self { geometry };
        shape.check()?;
        shape.unwind();
        let is_narrow = shape.chains().all(|chain| {
            let [west, _, east, _] = bounds_of(chain);
            east - west <= MAX_WIDTH_DEG
        });
        is_narrow.then_some(shape).ok_or(ShapeFault::TooWide)
    }

    /// The positions. Longitudes run on across the antimeridian, beyond ±180.
    pub const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// West, south, east and north in degrees; the east may lie beyond 180.
    pub fn bounds(&self) -> [f64; 4] {
        let all = self.chains().map(bounds_of);
        all.fold(NOWHERE, |a, b| union(&a, &b))
    }

    /// The point, where there is one and nothing else.
    pub(crate) fn single_point(&self) -> Option<LonLat> {
        match &self.geometry {
            Geometry::Points(points) if points.len() == 1 => {
                LonLat::new(points[0][0], points[0][1]).ok()
            }
            _ => None,
        }
    }

    /// Points one by one, lines, and rings.
    pub(crate) fn chains(&self) -> impl Iterator<Item = &[Position]> {
        let (points, lines, polygons): (&[_], &[_], &[_]) = match &self.geometry {
            Geometry::Points(points) => (points, &[], &[]),
            Geometry::Lines(lines) => (&[], lines, &[]),
            Geometry::Polygons(polygons) => (&[], &[], polygons),
        };
        let lines = lines.iter().chain(polygons.iter().flatten());
        points.chunks(1).chain(lines.map(Vec::as_slice))
    }

    /// The polygons; none of points and lines.
    pub(crate) fn polygons(&self) -> &[Vec<Vec<Position>>] {
        match &self.geometry {
            Geometry::Polygons(polygons) => polygons,
            _ => &[],
        }
    }

    /// The lines; none of points and polygons.
    pub(crate) fn lines(&self) -> &[Vec<Position>] {
        match &self.geometry {
            Geometry::Lines(lines) => lines,
            _ => &[],
        }
    }

    /// The polygons, or the shape itself where it has none.
    pub(crate) fn into_polygons(self) -> Result<Vec<Vec<Vec<Position>>>, Self> {
        match self.geometry {
            Geometry::Polygons(polygons) => Ok(polygons),
            _ => Err(self),
        }
    }

    /// What the geometry is, to people.
    pub(crate) const fn kind(&self) -> &'static str {
        match self.geometry {
            Geometry::Points(_) => "points",
            Geometry::Lines(_) => "lines",
            Geometry::Polygons(_) => "polygons",
        }
    }

    fn check(&self) -> Result<(), ShapeFault> {
        let is_empty = |polygon: &Vec<_>| polygon.is_empty();
        if self.chains().next().is_none() || self.polygons().iter().any(is_empty) {
            return Err(ShapeFault::Empty);
        }
        self.chains()
            .flatten()
            .try_for_each(|&position| check_position(position))?;
        self.lines().iter().try_for_each(|line| check_line(line))?;
        let mut rings = self.polygons().iter().flatten();
        rings.try_for_each(|ring| check_ring(ring))
    }

    /// Adds whole turns to longitudes so that no edge is longer than half a turn, and every chain
    /// begins within half a turn of the first.
    fn unwind(&mut self) {
        let first = self.chains().next().map_or(0.0, |chain| chain[0][0]);
        let first = first - turn_of(first);
        let mut unwind = |chain: &mut [Position]| {
            let mut previous = first;
            for [lon, _] in chain {
                *lon -= turn_of(*lon - previous);
                previous = *lon;
            }
        };
        match &mut self.geometry {
            Geometry::Points(points) => points.chunks_mut(1).for_each(&mut unwind),
            Geometry::Lines(lines) => lines.iter_mut().for_each(|line| unwind(line)),
            Geometry::Polygons(polygons) => {
                let rings = polygons.iter_mut().flatten();
                rings.for_each(|ring| unwind(ring));
            }
        }
    }
}

/// The whole turns by which a difference of longitudes is longer than half a turn, in degrees.
pub(crate) fn turn_of(degrees: f64) -> f64 {
    if degrees.abs() <= 180.0 {
        0.0
    } else {
        (degrees / 360.0).round() * 360.0
    }
}

/// West, south, east and north of nothing.
const NOWHERE: [f64; 4] = [
    f64::INFINITY,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NEG_INFINITY,
];

/// West, south, east and north of positions.
pub(crate) fn bounds_of(chain: &[Position]) -> [f64; 4] {
    let all = chain.iter().map(|&[lon, lat]| [lon, lat, lon, lat]);
    all.fold(NOWHERE, |a, b| union(&a, &b))
}

fn union(a: &[f64; 4], b: &[f64; 4]) -> [f64; 4] {
    [
        a[0].min(b[0]),
        a[1].min(b[1]),
        a[2].max(b[2]),
        a[3].max(b[3]),
    ]
}

fn check_position([lon, lat]: Position) -> Result<(), ShapeFault> {
    let fault = if !(-360.0..=360.0).contains(&lon) {
        RegionFault::Longitude(lon)
    } else if !(-90.0..=90.0).contains(&lat) {
        RegionFault::Latitude {
            latitude: lat,
            swapped: lon.abs() <= 90.0 && lat.abs() <= 180.0,
        }
    } else {
        return Ok(());
    };
    Err(fault.into())
}

fn check_line(line: &[Position]) -> Result<(), ShapeFault> {
    match line.len() {
        0 | 1 => Err(ShapeFault::LineTooShort(line.len())),
        _ => Ok(()),
    }
}

fn check_ring(ring: &[Position]) -> Result<(), ShapeFault> {
    let fault = match ring {
        [first, _, _, .., last] if first == last && ring.len() > 3 => return Ok(()),
        [first, _, _, .., last] if ring.len() > 3 => RegionFault::RingOpen {
            first: *first,
            last: *last,
        },
        _ => RegionFault::RingTooShort(ring.len()),
    };
    Err(fault.into())
}

/// A shape with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// What it is called: an id of its file, or its number there.
    pub id: String,
    /// Where it is.
    pub shape: Shape,
}

impl Feature {
    /// A point with a name.
    pub fn at(id: impl Into<String>, position: LonLat) -> Self {
        Self {
            id: id.into(),
            shape: Shape::at(position),
        }
    }

    /// Reads the features of a file: GeoJSON (a collection, a feature, a geometry, or several of
    /// them, as line by line), or GeoParquet, told by its first bytes.
    ///
    /// A feature is called as its property or column `id_field` says, a text or an integer; where
    /// that is none, by its GeoJSON `id`, and where there is none of that either, by its number in
    /// the file, counted from 0. Other properties are passed over. A GeoJSON `GeometryCollection` is
    /// its lines, or its points where it has nothing else, or its polygons where it has only these.
    ///
    /// # Units
    ///
    /// Longitude before latitude, in degrees on WGS 84. A file that says that it is in another
    /// coordinate system is refused; altitudes and measures are passed over.
    ///
    /// # Errors
    ///
    /// [`ReadError`] says which feature of which file is at fault and what is wrong with it. Every
    /// feature must have a geometry and, where `id_field` is given, that property: none is left out
    /// silently.
    ///
    /// # Cost
    ///
    /// Linear in the file, on all threads, and memory for the text of GeoJSON and for 16 bytes a
    /// vertex.
    ///
    /// # Source
    ///
    /// RFC 7946; GeoParquet 1.1; OGC 06-103r4 for well-known binary, and the flags that EWKB adds.
    pub fn read(path: impl AsRef<Path>, id_field: Option<&str>) -> Result<Vec<Self>, ReadError> {
        let path = path.as_ref();
        let features = || -> Result<_, ReadError> {
            let mut file = File::open(path).map_err(ShapeFault::from)?;
            let mut bytes = Vec::new();
            let start = PARQUET_MAGIC.len() as u64;
            file.by_ref()
                .take(start)
                .read_to_end(&mut bytes)
                .map_err(ShapeFault::from)?;
            if bytes == PARQUET_MAGIC {
                return from_parquet(file, id_field);
            }
            file.read_to_end(&mut bytes).map_err(ShapeFault::from)?;
            geojson::read(&bytes, id_field)
        };
        features().map_err(|error| error.in_file(path))
    }

    /// Reads the features of a GeoJSON text, as [`read`](Self::read) does those of a file.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight::shapes::Feature;
    ///
    /// let doors = Feature::from_geojson(
    ///     r#"{"type": "Feature", "id": 17, "properties": {"name": "Cathedral"},
    ///         "geometry": {"type": "Point", "coordinates": [24.9522, 60.1704]}}"#,
    ///     Some("name"),
    /// )?;
    /// assert_eq!(doors[0].id, "Cathedral");
    /// # Ok::<(), tilesight::shapes::ReadError>(())
    /// ```
    pub fn from_geojson(text: &str, id_field: Option<&str>) -> Result<Vec<Self>, ReadError> {
        geojson::read(text.as_bytes(), id_field)
    }
}

/// How Parquet files begin.
const PARQUET_MAGIC: &[u8] = b"PAR1";

#[cfg(feature = "parquet")]
fn from_parquet(file: File, id_field: Option<&str>) -> Result<Vec<Feature>, ReadError> {
    geoparquet::read(file, id_field)
}

#[cfg(not(feature = "parquet"))]
fn from_parquet(_: File, _: Option<&str>) -> Result<Vec<Feature>, ReadError> {
    let problem = "this build reads no Parquet: write GeoJSON, or build with the feature parquet";
    Err(ShapeFault::Parquet(problem.to_owned()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(geometry: Geometry) -> Shape {
        Shape::new(geometry).unwrap()
    }

    #[track_caller]
    fn refused(geometry: Geometry, expected: &str) {
        let message = Shape::new(geometry).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn longitudes_run_on_across_the_antimeridian() {
        let line = vec![[179.9, 0.0], [-179.9, 0.0], [179.8, 0.0]];
        let bounds = shape(Geometry::Lines(vec![line])).bounds();
        assert_eq!(
            bounds.map(|degrees| (degrees * 10.0).round()),
            [1798.0, 0.0, 1801.0, 0.0]
        );
        let points = vec![[-179.9, 0.0], [179.9, 0.0]];
        let bounds = shape(Geometry::Points(points)).bounds();
        assert_eq!(
            bounds.map(|degrees| (degrees * 10.0).round()),
            [-1801.0, 0.0, -1799.0, 0.0]
        );
        let beyond = shape(Geometry::Points(vec![[190.0, 0.0]])).bounds();
        assert_eq!(beyond, [-170.0, 0.0, -170.0, 0.0]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        refused(Geometry::Points(vec![]), "empty");
        refused(Geometry::Polygons(vec![vec![]]), "empty");
        refused(Geometry::Points(vec![[f64::NAN, 0.0]]), "longitude NaN");
        refused(Geometry::Points(vec![[60.17, 95.0]]), "swapped");
        refused(Geometry::Lines(vec![vec![]]), "two positions");
        let [a, b, c] = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]];
        refused(Geometry::Polygons(vec![vec![vec![a, b, a]]]), "at least 4");
        refused(Geometry::Polygons(vec![vec![vec![a, b, c, b]]]), "open");
        refused(Geometry::Polygons(vec![vec![vec![]]]), "at least 4");
        refused(
            Geometry::Lines(vec![vec![[-100.0, 0.0], [0.0, 0.0], [100.0, 0.0]]]),
            "170",
        );
    }
}
