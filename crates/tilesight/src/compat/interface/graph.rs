//! Answers of the Graph API as GeoJSON.

use serde_json::{Map, Value, json};
use tilesight_fetch::graph::{self, Fields, Graph, Id, Ring, decode_rings, wait};

use super::{Error, arguments};

/// What an id must be.
const KEY: &str = "an id, as 1805883732926354";

/// An entity of the Graph API as it is written there.
type Entity = Map<String, Value>;

/// Reads an id.
pub(super) fn id(name: &'static str, key: &str) -> Result<Id, Error> {
    let number = key.trim().parse().map(Id);
    number.map_err(|_| arguments::wrong(name, format!("{key:?}"), KEY))
}

/// The fields to ask for: all where none is named or `all` is.
pub(super) fn fields(names: &[&str]) -> Result<Fields, Error> {
    if names.is_empty() || names.contains(&"all") {
        return Ok(Fields::All);
    }
    let parsed = names.join(",").parse();
    parsed.map_err(|error: graph::ParseFieldsError| Error::Argument {
        name: "fields",
        value: error.to_string(),
        expected: "a list of names, as [\"captured_at\", \"make\"] or [\"all\"]",
    })
}

/// The same fields, where the entity lies among them.
pub(super) fn fields_with_geometry(names: &[&str]) -> Result<Fields, Error> {
    Ok(match fields(names)? {
        Fields::Named(mut names) if !names.iter().any(|name| name == "geometry") => {
            names.push("geometry".to_owned());
            Fields::Named(names)
        }
        fields => fields,
    })
}

/// Asks, and waits for the answer.
pub(super) fn ask<T: Send>(
    graph: &Graph,
    question: impl AsyncFnOnce(&Graph) -> Result<T, graph::Error> + Send,
) -> Result<T, Error> {
    Ok(wait(async || question(graph).await).map_err(Error::System)??)
}

/// A collection of one entity.
pub(super) fn entity(mut entity: Entity) -> String {
    let geometry = entity.remove("geometry");
    collection(&[feature(geometry.as_ref(), &entity)])
}

/// A collection of detections, each where the image that shows it was taken.
pub(super) fn detections(list: Vec<Entity>) -> Result<String, Error> {
    let features: Result<Vec<_>, Error> = list.into_iter().map(detection).collect();
    Ok(collection(&features?))
}

fn detection(mut detection: Entity) -> Result<Value, Error> {
    let image = detection.remove("image").unwrap_or_default();
    if let Some(outline) = detection.remove("geometry") {
        let polygon = pixel_geometry(&detection, &outline)?;
        detection.insert("pixel_geometry".to_owned(), polygon);
    }
    if let Some(id) = image.get("id") {
        detection.insert("image_id".to_owned(), id.clone());
    }
    Ok(feature(image.get("geometry"), &detection))
}

/// An outline as GeoJSON has polygons, in fractions of the picture.
fn pixel_geometry(detection: &Entity, outline: &Value) -> Result<Value, Error> {
    let rings = decode_rings(outline.as_str().unwrap_or_default());
    let rings = rings.map_err(|reason| graph::Error::Outline {
        id: Id(detection
            .get("id")
            .and_then(arguments::id)
            .unwrap_or_default()),
        reason,
    })?;
    let mut polygons: Vec<Vec<Ring>> = Vec::new();
    for mut ring in rings {
        let is_shell = doubled_area(&ring) > 0.0;
        ring.extend(ring.first().copied());
        match polygons.last_mut() {
            Some(polygon) if !is_shell => polygon.push(ring),
            _ => polygons.push(vec![ring]),
        }
    }
    Ok(match &polygons[..] {
        [polygon] => json!({"type": "Polygon", "coordinates": polygon}),
        _ => json!({"type": "MultiPolygon", "coordinates": polygons}),
    })
}

/// Twice the area of a ring, by the surveyor's formula: positive for a shell and negative for a
/// hole (vector tile specification, section 4.3.4.4).
fn doubled_area(ring: &Ring) -> f64 {
    let next = ring.iter().cycle().skip(1);
    let pairs = ring.iter().zip(next);
    pairs.map(|([x1, y1], [x2, y2])| x1 * y2 - x2 * y1).sum()
}

fn feature(geometry: Option<&Value>, properties: &Entity) -> Value {
    json!({"type": "Feature", "geometry": geometry, "properties": properties})
}

fn collection(features: &[Value]) -> String {
    json!({"type": "FeatureCollection", "features": features}).to_string()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use tilesight_mvt::writer::{LayerWriter, TileWriter};

    use super::*;

    #[test]
    fn an_outline_of_two_shells_and_a_hole_is_a_multi_polygon() {
        let shell = [(0, 0), (4096, 0), (4096, 4096), (0, 4096)];
        let hole = [(1024, 1024), (1024, 2048), (2048, 1024)];
        let mut layer = LayerWriter::new("mpy-or");
        layer.polygon(&[&shell[..], &hole], &[]);
        layer.polygon(&[&shell[..]], &[]);
        let mut tile = TileWriter::new();
        tile.push(layer);
        let outline = Value::from(STANDARD.encode(tile.finish()));
        let found = pixel_geometry(&Entity::new(), &outline).unwrap();
        let shell = json!([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]);
        let hole = json!([[0.25, 0.25], [0.25, 0.5], [0.5, 0.25], [0.25, 0.25]]);
        let expected = json!([[shell, hole], [shell]]);
        assert_eq!(
            found,
            json!({"type": "MultiPolygon", "coordinates": expected})
        );
    }

    #[test]
    fn fields_have_the_geometry_once() {
        let named = |names: &[&str]| match fields_with_geometry(names).unwrap() {
            Fields::Named(names) => names,
            other => panic!("{other:?}"),
        };
        assert_eq!(named(&["make"]), ["make", "geometry"]);
        assert_eq!(named(&["geometry", "make"]), ["geometry", "make"]);
        assert_eq!(fields(&["make", "all"]).unwrap(), Fields::All);
        assert!(fields(&["make&x"]).is_err());
    }
}
