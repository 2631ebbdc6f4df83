//! One image every so many metres.

use std::io::Write;

use tilesight_tile::haversine_m;

use super::collection::{Collection, CollectionWriter};
use super::walk::{Step, walks};
use super::{Counts, Error};

/// Keeps of each sequence its first point, and after that every point that is at least
/// `points_distance_m` metres away from the one kept before it.
///
/// Points are taken in the order of their `captured_at`, then `id`; those of no sequence are all
/// kept. Features go through unchanged, sequence after sequence, in the order in which sequences
/// first come.
///
/// # Errors
///
/// [`Error::OutOfRange`] for a distance that is negative or no number; [`Error::Collection`] and
/// [`Error::Feature`] for what is no collection of points.
///
/// # Cost
///
/// O(n log n), without a search: only the last point kept matters.
pub fn simplify_points(
    points: &str,
    points_distance_m: f64,
    out: &mut dyn Write,
) -> Result<Counts, Error> {
    if !(points_distance_m >= 0.0 && points_distance_m.is_finite()) {
        return Err(Error::OutOfRange {
            name: "points_distance",
            value: points_distance_m,
            expected: "give metres, as 10".to_owned(),
        });
    }
    let collection = Collection::read(points)?;
    let mut writer = CollectionWriter::new(out)?;
    for walk in walks(&collection)? {
        for step in spaced(&walk.steps, points_distance_m) {
            writer.write_text(step.text)?;
        }
    }
    Ok(Counts {
        read: collection.len(),
        written: writer.finish()?,
    })
}

/// The first step, and each that is far enough from the one kept before.
fn spaced<'s, 'a>(
    steps: &'s [Step<'a>],
    distance_m: f64,
) -> impl Iterator<Item = &'s Step<'a>> + use<'s, 'a> {
    let mut last = None;
    steps.iter().filter(move |step| {
        let is_far = last.is_none_or(|last| haversine_m(last, step.position) >= distance_m);
        if is_far {
            last = Some(step.position);
        }
        is_far
    })
}
