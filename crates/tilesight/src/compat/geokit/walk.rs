//! Points put in the order in which they were captured.

use std::collections::HashMap;

use tilesight_tile::LonLat;

use super::Error;
use super::collection::{Collection, Feature};

/// What is needed of a point, and where the rest of it is.
#[derive(Debug, Clone)]
pub(super) struct Step<'a> {
    pub(super) at: usize,
    /// The feature as it was written.
    pub(super) text: &'a str,
    pub(super) position: LonLat,
    pub(super) id: Option<i64>,
    /// Which unbroken part of its sequence it belongs to.
    pub(super) part: i64,
    pub(super) is_pano: Option<bool>,
    captured_at_ms: Option<i64>,
}

/// The images of a sequence, each once, by (capture time, id), those without a time last. A point of
/// no sequence is a walk of its own.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) sequence_id: Option<String>,
    pub(super) steps: Vec<Step<'a>>,
}

/// Name of the property that tells the parts of a broken sequence apart.
pub(super) const PART: &str = "sequence_part";

/// Puts points together by sequence, in the order in which sequences first come.
pub(super) fn walks<'a>(points: &Collection<'a>) -> Result<Vec<Walk<'a>>, Error> {
    let mut walks: Vec<Walk<'a>> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for (at, feature) in points.features().enumerate() {
        let feature = feature?;
        let sequence_id = feature.sequence_id();
        let number = match &sequence_id {
            Some(id) => *known.entry(id.clone()).or_insert(walks.len()),
            None => walks.len(),
        };
        if number == walks.len() {
            let steps = Vec::new();
            walks.push(Walk { sequence_id, steps });
        }
        walks[number].steps.push(step(at, &feature)?);
    }
    for walk in &mut walks {
        walk.steps.sort_by_key(order);
        walk.steps.dedup_by_key(|step| step.id.ok_or(step.at));
    }
    Ok(walks)
}

fn step<'a>(at: usize, feature: &Feature<'a>) -> Result<Step<'a>, Error> {
    Ok(Step {
        at,
        text: feature.text(),
        position: feature.position()?,
        id: feature.image_id(),
        part: feature.integer(PART).unwrap_or(0),
        is_pano: feature.is_pano(),
        captured_at_ms: feature.captured_at_ms(),
    })
}

fn order(step: &Step<'_>) -> (i64, Option<i64>) {
    (step.captured_at_ms.unwrap_or(i64::MAX), step.id)
}
