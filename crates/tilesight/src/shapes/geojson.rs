//! GeoJSON: text to features.
//!
//! Members are kept as slices of the text until their meaning is known, so that the features of a
//! collection are read on all threads and memory stays proportional to the text.

use std::borrow::Cow;
use std::collections::HashMap;

use rayon::prelude::*;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tilesight_tile::RegionFault;

use super::{Feature, Geometry, Position, ReadError, Shape, ShapeFault};

/// Reads the features of one or several GeoJSON objects.
pub(super) fn read(bytes: &[u8], id_field: Option<&str>) -> Result<Vec<Feature>, ReadError> {
    let text = str::from_utf8(bytes)
        .map_err(|_| ShapeFault::Json("the file is not text in UTF-8".to_owned()))?;
    // Editors on Windows begin a file with a byte order mark; RFC 8142 puts a separator before each
    // line.
    let text = text.trim_start_matches('\u{feff}').replace('\u{1e}', " ");
    let mut objects = Vec::new();
    for object in serde_json::Deserializer::from_str(&text).into_iter::<&RawValue>() {
        let object = object.map_err(|error| json(&error))?.get();
        match Object::parse(object)?.features {
            Some(features) => objects.extend(features.into_iter().map(RawValue::get)),
            None => objects.push(object),
        }
    }
    let read = |(number, object)| feature(object, number, id_field);
    let features: Vec<_> = objects.into_par_iter().enumerate().map(read).collect();
    features.into_iter().collect()
}

fn json(error: &serde_json::Error) -> ShapeFault {
    ShapeFault::Json(error.to_string())
}

/// Reads a feature, or a geometry that stands for one.
fn feature(text: &str, number: usize, id_field: Option<&str>) -> Result<Feature, ReadError> {
    let read = || {
        let object = Object::parse(text)?;
        let id = match id_field {
            Some(field) => object.property(field)?,
            None => object.id.and_then(id_text),
        };
        let geometry = match object.kind.as_deref() {
            Some("Feature") => object.geometry()?,
            _ => object.coordinates()?,
        };
        Ok(Feature {
            id: id.unwrap_or_else(|| number.to_string()),
            shape: Shape::new(geometry)?,
        })
    };
    read().map_err(|fault: ShapeFault| fault.of_feature(number))
}

/// The members of any GeoJSON object that matter here.
#[derive(Deserialize)]
#[serde(expecting = "a GeoJSON object")]
struct Object<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    geometry: Option<&'a RawValue>,
    #[serde(borrow)]
    properties: Option<&'a RawValue>,
    #[serde(borrow)]
    coordinates: Option<&'a RawValue>,
    #[serde(borrow)]
    features: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    geometries: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    crs: Option<&'a RawValue>,
}

impl<'a> Object<'a> {
    fn parse(text: &'a str) -> Result<Self, ShapeFault> {
        // An array would do for the members in their order.
        if !text.trim_start().starts_with('{') {
            return Err(ShapeFault::Json(
                "a GeoJSON object begins with {".to_owned(),
            ));
        }
        let object: Self = serde_json::from_str(text).map_err(|error| json(&error))?;
        match object.crs {
            Some(crs) if !is_wgs84(crs.get()) => Err(RegionFault::Crs(crs.get().to_owned()).into()),
            _ => Ok(object),
        }
    }

    fn geometry(&self) -> Result<Geometry, ShapeFault> {
        let geometry = self.geometry.filter(|geometry| geometry.get() != "null");
        let geometry = geometry.ok_or(ShapeFault::NoGeometry)?;
        Object::parse(geometry.get())?.coordinates()
    }

    fn coordinates(&self) -> Result<Geometry, ShapeFault> {
        let kind = self.kind.as_deref().unwrap_or_default();
        Ok(match kind {
            "Point" => Geometry::Points(vec![self.read::<Vertex>()?.position()]),
            "MultiPoint" => Geometry::Points(line(&self.read::<Vertices>()?)),
            "LineString" => Geometry::Lines(vec![line(&self.read::<Vertices>()?)]),
            "MultiLineString" => Geometry::Lines(lines(&self.read::<Vec<_>>()?)),
            "Polygon" => Geometry::Polygons(vec![lines(&self.read::<Vec<_>>()?)]),
            "MultiPolygon" => {
                let polygons: Vec<Vec<Vertices>> = self.read()?;
                Geometry::Polygons(polygons.iter().map(|rings| lines(rings)).collect())
            }
            "GeometryCollection" => self.collected()?,
            _ => return Err(not_taken(kind)),
        })
    }

    /// The parts of a collection as one geometry. Tools that simplify or cut lines leave points of
    /// no length beside them, which are passed over.
    fn collected(&self) -> Result<Geometry, ShapeFault> {
        let (mut points, mut lines, mut polygons) = (Vec::new(), Vec::new(), Vec::new());
        for part in self.geometries.iter().flatten() {
            let part = Object::parse(part.get())?;
            // RFC 7946, section 3.1.8: collections should not be nested.
            if part.geometries.is_some() {
                return Err(not_taken("a collection within a collection"));
            }
            match part.coordinates()? {
                Geometry::Points(more) => points.extend(more),
                Geometry::Lines(more) => lines.extend(more),
                Geometry::Polygons(more) => polygons.extend(more),
            }
        }
        match [lines.is_empty(), polygons.is_empty()] {
            [true, true] => Ok(Geometry::Points(points)),
            [false, true] => Ok(Geometry::Lines(lines)),
            [true, false] if points.is_empty() => Ok(Geometry::Polygons(polygons)),
            _ => Err(not_taken("a collection of polygons and others")),
        }
    }

    fn read<T: Deserialize<'a>>(&self) -> Result<T, ShapeFault> {
        let missing = || ShapeFault::Json("the member \"coordinates\" is missing".to_owned());
        let coordinates = self.coordinates.ok_or_else(missing)?;
        serde_json::from_str(coordinates.get()).map_err(|error| json(&error))
    }

    fn property(&self, name: &str) -> Result<Option<String>, ShapeFault> {
        let properties = self.properties.map_or("null", RawValue::get);
        let properties: Option<HashMap<Cow<'_, str>, &RawValue>> =
            serde_json::from_str(properties).map_err(|error| json(&error))?;
        let value = properties.and_then(|properties| id_text(properties.get(name)?));
        value
            .map(Some)
            .ok_or_else(|| ShapeFault::NoId(name.to_owned()))
    }
}

fn not_taken(found: &str) -> ShapeFault {
    ShapeFault::Kind {
        found: found.to_owned(),
        wanted: "points, lines and polygons, alone or as Multi…, and collections of one of them",
    }
}

/// A text or an integer as text.
fn id_text(value: &RawValue) -> Option<String> {
    match value.get().as_bytes() {
        [b'"', ..] => serde_json::from_str(value.get()).ok(),
        [b'-' | b'0'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit) => {
            Some(value.get().to_owned())
        }
        _ => None,
    }
}

/// A position; an altitude and a measure are passed over.
#[derive(Deserialize)]
#[serde(expecting = "a position of two numbers, as [24.94, 60.17]")]
#[expect(dead_code, reason = "what is passed over must be there to be read")]
struct Vertex(
    f64,
    f64,
    #[serde(default)] Option<IgnoredAny>,
    #[serde(default)] Option<IgnoredAny>,
);

impl Vertex {
    const fn position(&self) -> Position {
        [self.0, self.1]
    }
}

type Vertices = Vec<Vertex>;

fn line(vertices: &[Vertex]) -> Vec<Position> {
    vertices.iter().map(Vertex::position).collect()
}

fn lines(lines: &[Vertices]) -> Vec<Vec<Position>> {
    lines.iter().map(|vertices| line(vertices)).collect()
}

/// Knows `urn:ogc:def:crs:OGC:1.3:CRS84`, `EPSG:4326`, `urn:ogc:def:crs:EPSG::4326` and
/// `http://www.opengis.net/def/crs/EPSG/0/4326`, whatever is around them.
fn is_wgs84(crs: &str) -> bool {
    let names = ["CRS84\"", ":4326\"", "/4326\""];
    crs == "null"
        || names
            .iter()
            .any(|name| crs.to_ascii_uppercase().contains(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(text: &str, field: Option<&str>) -> Vec<String> {
        let features = read(text.as_bytes(), field).unwrap();
        features.into_iter().map(|feature| feature.id).collect()
    }

    #[track_caller]
    fn refused(text: &str, field: Option<&str>, expected: &str) {
        let message = read(text.as_bytes(), field).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }

    fn point(id: &str, properties: &str) -> String {
        format!(
            r#"{{"type":"Feature",{id}"properties":{properties},"geometry":{{"type":"Point","coordinates":[24.9,60.1,12.5]}}}}"#
        )
    }

    #[test]
    fn collections_lines_of_features_and_geometries() {
        let (a, b) = (point(r#""id":"a","#, "null"), point("", "{}"));
        let collection = format!(r#"{{"features":[{a},{b}],"type":"FeatureCollection"}}"#);
        assert_eq!(ids(&collection, None), ["a", "1"]);
        assert_eq!(ids(&format!("\u{feff}{a}\n{b}\n"), None), ["a", "1"]);
        assert_eq!(ids(&format!("\u{1e}{b}\n\u{1e}{a}\n"), None), ["0", "a"]);
        assert_eq!(ids(r#"{"type":"Point","coordinates":[1,2]}"#, None), ["0"]);
        assert_eq!(
            ids(r#"{"type":"FeatureCollection","features":[]}"#, None),
            [""; 0]
        );
        assert_eq!(ids("", None), [""; 0]);
    }

    #[test]
    fn ids_are_members_properties_or_numbers() {
        assert_eq!(
            ids(&point(r#""id":7,"#, r#"{"osm":-12}"#), Some("osm")),
            ["-12"]
        );
        assert_eq!(
            ids(&point(r#""id":7,"#, r#"{"osm":"w\u00e4y"}"#), None),
            ["7"]
        );
        assert_eq!(
            ids(&point("", r#"{"osm":"w\u00e4y"}"#), Some("osm")),
            ["wäy"]
        );
        let message = "no text or integer \"osm\"";
        refused(&point(r#""id":7,"#, "{}"), Some("osm"), message);
        refused(&point("", "null"), Some("osm"), message);
        refused(&point("", r#"{"osm":1.5}"#), Some("osm"), message);
        refused(&point("", r#"{"osm":null}"#), Some("osm"), message);
    }

    #[test]
    fn every_kind_of_geometry() {
        let geometry = |text: &str| {
            let mut read = read(text.as_bytes(), None).unwrap();
            read.remove(0).shape.geometry().clone()
        };
        let [a, b, c] = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]];
        assert_eq!(
            geometry(r#"{"type":"MultiPoint","coordinates":[[0,0],[1,0]]}"#),
            Geometry::Points(vec![a, b])
        );
        assert_eq!(
            geometry(r#"{"type":"MultiLineString","coordinates":[[[0,0],[1,0]]]}"#),
            Geometry::Lines(vec![vec![a, b]])
        );
        let ring = "[[0,0],[1,0],[1,1],[0,0]]";
        assert_eq!(
            geometry(&format!(
                r#"{{"coordinates":[[{ring}]],"type":"MultiPolygon"}}"#
            )),
            Geometry::Polygons(vec![vec![vec![a, b, c, a]]])
        );
    }

    #[test]
    fn collections_are_their_parts() {
        let [a, b, c] = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]];
        let point = r#"{"type":"Point","coordinates":[1,1]}"#;
        let line = r#"{"type":"LineString","coordinates":[[0,0],[1,0]]}"#;
        let lines = r#"{"type":"MultiLineString","coordinates":[[[1,0],[1,1]]]}"#;
        let ring = "[[0,0],[1,0],[1,1],[0,0]]";
        let polygon = format!(r#"{{"type":"Polygon","coordinates":[{ring}]}}"#);
        let of = |parts: &[&str]| {
            let parts = parts.join(",");
            format!(r#"{{"type":"GeometryCollection","geometries":[{parts}]}}"#)
        };
        let check = |parts: &[&str], expected: Geometry| {
            let features = read(of(parts).as_bytes(), None).unwrap();
            assert_eq!(*features[0].shape.geometry(), expected);
        };
        check(
            &[line, lines],
            Geometry::Lines(vec![vec![a, b], vec![b, c]]),
        );
        check(&[point, line], Geometry::Lines(vec![vec![a, b]]));
        check(&[point, point], Geometry::Points(vec![c, c]));
        check(
            &[&polygon],
            Geometry::Polygons(vec![vec![vec![a, b, c, a]]]),
        );
        refused(&of(&[&polygon, line]), None, "polygons and others");
        refused(&of(&[&polygon, point]), None, "polygons and others");
        refused(&of(&[&of(&[line])]), None, "within a collection");
        refused(&of(&[]), None, "empty");
        refused(r#"{"type":"GeometryCollection"}"#, None, "empty");
    }

    #[test]
    fn mistakes_are_named_with_their_feature() {
        let bad = r#"{"type":"Feature","geometry":null,"properties":null}"#;
        refused(
            &format!("{}\n{bad}", point("", "{}")),
            None,
            "feature 1, counted from 0",
        );
        refused(r#"{"type":"Circle"}"#, None, "not Circle");
        refused(r#"{"type":"Point"}"#, None, "coordinates");
        refused(
            r#"{"type":"Point","coordinates":[1]}"#,
            None,
            "[24.94, 60.17]",
        );
        refused("[1]", None, "GeoJSON object");
        refused(
            r#"["Point", 1, null, null, [1, 2]]"#,
            None,
            "GeoJSON object",
        );
        refused("{", None, "not GeoJSON");
        let crs =
            r#"{"type":"Point","coordinates":[1,2],"crs":{"properties":{"name":"EPSG:3857"}}}"#;
        refused(crs, None, "EPSG:3857");
        assert_eq!(ids(&crs.replace("3857", "4326"), None), ["0"]);
        assert!(read(b"\xff", None).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_features_or_an_error(
            text in r#"[\[\]{},:"0-9.eE\-]{0,40}"#,
            kind in "Point|LineString|Polygon|MultiPolygon|GeometryCollection|Feature|FeatureCollection",
            member in "coordinates|geometry|geometries|features",
        ) {
            let _ = read(text.as_bytes(), Some("id"));
            let _ = read(format!(r#"{{"type":"{kind}","{member}":{text}}}"#).as_bytes(), None);
        }
    }
}
