//! Rows and questions for peers in other languages, with the answers to expect.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::turns::times_of;
use super::{Asked, Places, Row};
use crate::query::{Condition, Engine, Image, Place, Question, Row as _};

/// Writes rows as a file of plain little-endian values a column, and the questions with our
/// answers and times.
///
/// # Errors
///
/// When a file cannot be written.
pub fn export(places: &Places, ours: &dyn Engine, images: &[Image], rows: &[Row]) -> Result<()> {
    let folder = places.exported();
    fs::create_dir_all(&folder)?;
    write_columns(&folder, images)?;
    let kinds: Option<Vec<Value>> = rows
        .iter()
        .filter(|row| is_asked_elsewhere(row))
        .map(|row| kind(ours, row))
        .collect();
    let kinds = kinds.context("a question has no answer")?;
    Ok(fs::write(
        folder.join("questions.json"),
        json!(kinds).to_string(),
    )?)
}

/// Boxes, circles and polygons, the counts of large boxes by year; no nearest, no sequences.
fn is_asked_elsewhere(row: &Row) -> bool {
    let is_region = !matches!(
        row.questions[0].place,
        Place::Nearest { .. } | Place::LookingAt { .. }
    );
    is_region && matches!(row.asked, Asked::Ids | Asked::Years)
}

fn write_columns(folder: &Path, images: &[Image]) -> Result<()> {
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.join(name), bytes);
    let reals = |value: &dyn Fn(&Image) -> f64| {
        images
            .iter()
            .flat_map(|image| value(image).to_le_bytes())
            .collect()
    };
    let integers = |value: &dyn Fn(&Image) -> i64| {
        images
            .iter()
            .flat_map(|image| value(image).to_le_bytes())
            .collect()
    };
    write("lon.f64", reals(&|image| image.point().to_lon_lat().lon()))?;
    write("lat.f64", reals(&|image| image.point().to_lon_lat().lat()))?;
    write("heading.f64", reals(&|image| image.compass_angle_deg))?;
    write("id.i64", integers(&Image::id))?;
    write("captured_at.i64", integers(&|image| image.captured_at_ms))?;
    write("organization.i64", integers(&|image| image.organization_id))?;
    write("pano.i64", integers(&|image| i64::from(image.is_pano)))?;
    Ok(())
}

/// A kind of question: what is asked, what is to be found, and how long we take.
fn kind(ours: &dyn Engine, row: &Row) -> Option<Value> {
    let questions: Vec<Value> = row.questions.iter().map(question).collect();
    let expected: Option<Vec<Value>> = row
        .questions
        .iter()
        .map(|question| match row.asked {
            Asked::Years => ours.images_by_year(question).map(|years| json!(years)),
            _ => row.answer(ours, question).map(|answer| json!(answer.count)),
        })
        .collect();
    Some(json!({
        "number": row.number,
        "title": row.title,
        "by_year": row.asked == Asked::Years,
        "condition": condition(row.questions[0].condition),
        "questions": questions,
        "expected": expected?,
        "ours": times_of(ours, row),
    }))
}

fn question(question: &Question) -> Value {
    match (&question.place, &question.query.place) {
        (_, tilesight_query::Place::Bbox(bbox)) => {
            json!({"bbox": [bbox.west(), bbox.south(), bbox.east(), bbox.north()]})
        }
        (Place::Polygon(polygon, _), _) => {
            let ring = |ring: &geo::LineString| -> Vec<[f64; 2]> {
                ring.coords().map(|at| [at.x, at.y]).collect()
            };
            let holes = polygon.interiors().iter().map(ring);
            let rings: Vec<_> = std::iter::once(ring(polygon.exterior()))
                .chain(holes)
                .collect();
            json!({ "polygon": rings })
        }
        (Place::Near { target, radius_m }, _) => {
            json!({"lon": target.lon(), "lat": target.lat(), "radius_m": radius_m})
        }
        _ => Value::Null,
    }
}

fn condition(condition: Condition) -> Value {
    match condition {
        Condition::Any => Value::Null,
        Condition::Since(_, ms) => json!({"column": "captured_at", "from": ms}),
        Condition::Pano => json!({"column": "pano", "from": 1, "to": 1}),
        Condition::Organization(id) => json!({"column": "organization", "from": id, "to": id}),
        Condition::Heading(from, to) => json!({"column": "heading", "from": from, "to": to}),
    }
}
