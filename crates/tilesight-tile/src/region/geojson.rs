//! GeoJSON: text to regions.
//!
//! Members are kept as slices of the text until their meaning is known, and coordinates are read
//! straight into arrays, so that memory stays proportional to the text and errors can say where.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::error::shortened;
use super::{Polygon, Region, RegionError, RegionFault};

/// RFC 7946, section 3.1.8 asks not to nest geometry collections at all.
const MAX_DEPTH: usize = 16;

const GEOMETRIES: &str = "Polygon, MultiPolygon, GeometryCollection";

/// Reads a region from a GeoJSON text.
pub fn read(text: &str) -> Result<Region, RegionError> {
    // Editors on Windows begin a file with a byte order mark.
    let text = text.trim_start_matches('\u{feff}');
    let mut polygons = Vec::new();
    let object = Object::parse(text, "")?;
    match object.kind("")? {
        "FeatureCollection" => {
            let features = object.features.as_ref();
            let features = features.ok_or(RegionFault::Missing("features").at(""))?;
            for (at, feature) in features.iter().enumerate() {
                read_feature(feature, &format!("features[{at}]"), &mut polygons)?;
            }
        }
        "Feature" => read_geometry_of(&object, "", Role::Alone, &mut polygons)?,
        _ => read_geometry(&object, "", Role::Alone, 0, &mut polygons)?,
    }
    Region::new(polygons)
}

/// Whether a geometry is all there is, or one of several.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Alone,
    Member,
}

fn read_feature(
    feature: &RawValue,
    path: &str,
    polygons: &mut Vec<Polygon>,
) -> Result<(), RegionError> {
    let object = Object::parse(feature.get(), path)?;
    match object.kind(path)? {
        "Feature" => read_geometry_of(&object, path, Role::Member, polygons),
        other => Err(RegionFault::Type {
            found: shortened(other),
            expected: "Feature",
        }
        .at(path)),
    }
}

fn read_geometry_of(
    feature: &Object<'_>,
    path: &str,
    role: Role,
    polygons: &mut Vec<Polygon>,
) -> Result<(), RegionError> {
    let geometry = feature
        .geometry
        .ok_or(RegionFault::Missing("geometry").at(path))?;
    let path = member(path, "geometry");
    let object = Object::parse(geometry.get(), &path)?;
    read_geometry(&object, &path, role, 0, polygons)
}

fn read_geometry(
    object: &Object<'_>,
    path: &str,
    role: Role,
    depth: usize,
    polygons: &mut Vec<Polygon>,
) -> Result<(), RegionError> {
    match object.kind(path)? {
        "Polygon" => {
            let (rings, path) = object.coordinates::<PolygonCoordinates>(path)?;
            polygons.push(polygon(&rings, &path)?);
        }
        "MultiPolygon" => {
            let (members, path) = object.coordinates::<Vec<PolygonCoordinates>>(path)?;
            for (at, rings) in members.iter().enumerate() {
                polygons.push(polygon(rings, &format!("{path}[{at}]"))?);
            }
        }
        "GeometryCollection" => read_collection(object, path, depth, polygons)?,
        "Point" | "MultiPoint" if role == Role::Member => {}
        kind @ ("Point" | "MultiPoint" | "LineString" | "MultiLineString") => {
            return Err(RegionFault::NoArea(kind.to_owned()).at(path));
        }
        other => {
            let expected = if path.is_empty() {
                "Polygon, MultiPolygon, GeometryCollection, Feature, FeatureCollection"
            } else {
                GEOMETRIES
            };
            let found = shortened(other);
            return Err(RegionFault::Type { found, expected }.at(path));
        }
    }
    Ok(())
}

fn read_collection(
    object: &Object<'_>,
    path: &str,
    depth: usize,
    polygons: &mut Vec<Polygon>,
) -> Result<(), RegionError> {
    if depth == MAX_DEPTH {
        return Err(RegionFault::TooDeep(MAX_DEPTH).at(path));
    }
    let geometries = object.geometries.as_ref();
    let geometries = geometries.ok_or(RegionFault::Missing("geometries").at(path))?;
    for (at, geometry) in geometries.iter().enumerate() {
        let path = member(path, &format!("geometries[{at}]"));
        let object = Object::parse(geometry.get(), &path)?;
        read_geometry(&object, &path, Role::Member, depth + 1, polygons)?;
    }
    Ok(())
}

type PolygonCoordinates = Vec<Vec<Vertex>>;

fn polygon(rings: &PolygonCoordinates, path: &str) -> Result<Polygon, RegionError> {
    let rings: Vec<Vec<_>> = rings
        .iter()
        .map(|ring| ring.iter().map(|vertex| vertex.0).collect())
        .collect();
    Polygon::new(&rings, path)
}

/// The members of any GeoJSON object that matter here.
#[derive(Deserialize)]
#[serde(expecting = "a GeoJSON object")]
struct Object<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(borrow)]
    coordinates: Option<&'a RawValue>,
    #[serde(borrow)]
    geometries: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    geometry: Option<&'a RawValue>,
    #[serde(borrow)]
    features: Option<Vec<&'a RawValue>>,
    crs: Option<serde_json::Value>,
}

impl<'a> Object<'a> {
    fn parse(text: &'a str, path: &str) -> Result<Self, RegionError> {
        let object: Self = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| json_fault(&error).at(path))?
        } else {
            let beginning = text.trim_start().chars().take(20).collect();
            return Err(RegionFault::NotAnObject(beginning).at(path));
        };
        match &object.crs {
            Some(crs) if !is_wgs84(crs) => {
                Err(RegionFault::Crs(shortened(&crs_name(crs))).at(path))
            }
            _ => Ok(object),
        }
    }

    fn kind(&self, path: &str) -> Result<&str, RegionError> {
        let kind = self.kind.as_deref();
        kind.ok_or_else(|| RegionFault::Missing("type").at(path))
    }

    /// Reads the coordinates; returns them with their own path.
    fn coordinates<T: Deserialize<'a>>(&self, path: &str) -> Result<(T, String), RegionError> {
        let raw = self.coordinates;
        let raw = raw.ok_or_else(|| RegionFault::Missing("coordinates").at(path))?;
        let path = member(path, "coordinates");
        let coordinates =
            serde_json::from_str(raw.get()).map_err(|error| json_fault(&error).at(&path))?;
        Ok((coordinates, path))
    }
}

/// A position; what follows longitude and latitude is passed over (RFC 7946, section 3.1.1).
struct Vertex([f64; 2]);

impl<'de> Deserialize<'de> for Vertex {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(VertexVisitor)
    }
}

struct VertexVisitor;

impl<'de> Visitor<'de> for VertexVisitor {
    type Value = Vertex;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a position of two numbers, as [24.94, 60.17]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Vertex, A::Error> {
        let mut next = |at| {
            let number = numbers.next_element::<f64>()?;
            number.ok_or_else(|| de::Error::invalid_length(at, &self))
        };
        let vertex = Vertex([next(0)?, next(1)?]);
        while numbers.next_element::<IgnoredAny>()?.is_some() {}
        Ok(vertex)
    }
}

fn json_fault(error: &serde_json::Error) -> RegionFault {
    RegionFault::Json(shortened(&error.to_string()))
}

fn member(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// Knows `urn:ogc:def:crs:OGC:1.3:CRS84`, `EPSG:4326`, `urn:ogc:def:crs:EPSG::4326` and
/// `http://www.opengis.net/def/crs/EPSG/0/4326`.
fn is_wgs84(crs: &serde_json::Value) -> bool {
    let name = crs_name(crs).to_ascii_uppercase();
    let names = ["CRS84", ":4326", "/4326"];
    crs.is_null() || names.iter().any(|ending| name.ends_with(ending))
}

/// The name of a coordinate system, or the whole member where it has none.
fn crs_name(crs: &serde_json::Value) -> String {
    match crs.pointer("/properties/name").or(Some(crs)) {
        Some(serde_json::Value::String(name)) => name.clone(),
        other => other.map(ToString::to_string).unwrap_or_default(),
    }
}
