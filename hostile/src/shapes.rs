//! Targets, footprints and roads that people bring along.

use serde_json::{Value, json};
use tilesight::fuzzing;
use tilesight::shapes::{Feature, Geometry, Shape};

use crate::input::{in_file, on_one_thread, text, within};

/// Features are read back as they are written, in memory that the text pays for.
pub(crate) fn geojson(bytes: &[u8]) {
    let Some(text) = text(bytes) else {
        return;
    };
    for id_field in [None, Some("name")] {
        let Ok(features) = within(100 * bytes.len(), || Feature::from_geojson(text, id_field))
        else {
            continue;
        };
        if !features.iter().all(is_on_one_turn) {
            continue;
        }
        let written: Vec<String> = features
            .iter()
            .map(|feature| to_geojson(feature).to_string())
            .collect();
        let again = Feature::from_geojson(&written.join("\n"), Some("name")).unwrap();
        assert_eq!(again, features);
    }
}

/// Whether longitudes do not run on beyond what may be written.
fn is_on_one_turn(feature: &Feature) -> bool {
    let [west, _, east, _] = feature.shape.bounds();
    west >= -360.0 && east <= 360.0
}

fn to_geojson(feature: &Feature) -> Value {
    let (kind, coordinates) = match feature.shape.geometry() {
        Geometry::Points(points) => ("MultiPoint", json!(points)),
        Geometry::Lines(lines) => ("MultiLineString", json!(lines)),
        Geometry::Polygons(polygons) => ("MultiPolygon", json!(polygons)),
    };
    json!({
        "type": "Feature",
        "properties": {"name": feature.id},
        "geometry": {"type": kind, "coordinates": coordinates},
    })
}

/// What is read of a file are valid shapes.
pub(crate) fn geoparquet(bytes: &[u8]) {
    on_one_thread();
    for id_field in [None, Some("name")] {
        let read = in_file(bytes, |path| Feature::read(path, id_field));
        for feature in read.unwrap_or_default().into_iter().filter(is_on_one_turn) {
            let geometry = feature.shape.geometry().clone();
            assert_eq!(Shape::new(geometry).unwrap(), feature.shape);
        }
    }
}

/// A geometry is read back as it is written, in memory that its bytes pay for.
pub(crate) fn wkb(bytes: &[u8]) {
    if let Ok(geometry) = within(100 * bytes.len(), || fuzzing::wkb(bytes)) {
        let again = fuzzing::wkb(&to_wkb(&geometry)).unwrap();
        // As text, since a coordinate may be no number.
        assert_eq!(format!("{again:?}"), format!("{geometry:?}"));
    }
}

fn to_wkb(geometry: &Geometry) -> Vec<u8> {
    let mut out = Vec::new();
    match geometry {
        Geometry::Points(points) => {
            head(&mut out, 4, points.len());
            for point in points {
                out.extend(b"\x01\x01\0\0\0");
                position(&mut out, point);
            }
        }
        Geometry::Lines(lines) => {
            head(&mut out, 5, lines.len());
            for line in lines {
                head(&mut out, 2, line.len());
                line.iter().for_each(|at| position(&mut out, at));
            }
        }
        Geometry::Polygons(polygons) => {
            head(&mut out, 6, polygons.len());
            for rings in polygons {
                head(&mut out, 3, rings.len());
                for ring in rings {
                    out.extend((ring.len() as u32).to_le_bytes());
                    ring.iter().for_each(|at| position(&mut out, at));
                }
            }
        }
    }
    out
}

fn head(out: &mut Vec<u8>, kind: u32, count: usize) {
    out.push(1);
    out.extend(kind.to_le_bytes());
    out.extend((count as u32).to_le_bytes());
}

fn position(out: &mut Vec<u8>, position: &[f64; 2]) {
    position
        .iter()
        .for_each(|number| out.extend(number.to_le_bytes()));
}
