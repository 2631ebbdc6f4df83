//! Small questions asked in Rust: what is left of their times in Python is the call.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;
use tilesight::{Bbox, Dataset, ImageQuery, LonLat, Place};

/// How often a question is asked in a turn, and how many turns there are, of which the best counts:
/// as in the script.
const CALLS: u32 = 2_000;
const TURNS: u32 = 9;

/// Half the side of a small box.
const HALF_DEG: f64 = 1e-4;

/// What was asked, and what it took and gave.
#[derive(Debug, Serialize)]
pub struct InRust {
    /// A position with an image.
    door: [f64; 2],
    /// West, south, east and north of a small box around it.
    bbox: [f64; 4],
    questions: Vec<Question>,
}

#[derive(Debug, Serialize)]
struct Question {
    name: &'static str,
    /// The time of a call.
    ns: f64,
    /// How many images there are.
    images: usize,
}

/// Asks each small question again and again.
///
/// # Errors
///
/// When the dataset cannot be opened or asked, or has no image.
pub fn measure(dataset: &Path) -> Result<InRust> {
    let data = Dataset::open(dataset)?;
    let first = ImageQuery {
        limit: Some(1),
        ..ImageQuery::default()
    };
    let door = data.images(&first)?.iter().next().context("no image")?;
    let bbox = [
        door.lon - HALF_DEG,
        door.lat - HALF_DEG,
        door.lon + HALF_DEG,
        door.lat + HALF_DEG,
    ];
    let [west, south, east, north] = bbox;
    let at = |place| ImageQuery {
        place,
        allow_partial: true,
        ..ImageQuery::default()
    };
    let inside = at(Place::Bbox(Bbox::from_degrees(west, south, east, north)?));
    let looking = at(Place::looking_at(LonLat::new(door.lon, door.lat)?));
    let ids = |query: &ImageQuery| Ok(black_box(data.images(query)?.to_ids()).len());
    let count = || Ok(black_box(data.count_images(&inside)?) as usize);
    Ok(InRust {
        door: [door.lon, door.lat],
        bbox,
        questions: vec![
            timed("count(bbox=…)", count)?,
            timed("images(bbox=…).ids()", || ids(&inside))?,
            timed("images(looking_at=…).ids()", || ids(&looking))?,
        ],
    })
}

fn timed(name: &'static str, ask: impl Fn() -> Result<usize>) -> Result<Question> {
    let images = ask()?;
    let mut best_ns = f64::INFINITY;
    for _ in 0..TURNS {
        let begun = Instant::now();
        for _ in 0..CALLS {
            ask()?;
        }
        best_ns = best_ns.min(begun.elapsed().as_nanos() as f64 / f64::from(CALLS));
    }
    Ok(Question {
        name,
        ns: best_ns,
        images,
    })
}
