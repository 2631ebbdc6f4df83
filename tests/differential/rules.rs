//! The rules of every answer, as the design states them, in loops over all rows.

use std::collections::HashMap;

use tilesight_query::build::ImageRow;
use tilesight_query::{Filter, Image, Kind, Period, Place};
use tilesight_tile::{GridPoint, LonLat, haversine_m, initial_bearing_deg};

use super::world::{RawImage, World};

/// The first millisecond of the year 10000.
const YEAR_10_000_MS: i64 = 253_402_300_800_000;

/// An image after rules 5, 6 and 8.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImageFacts {
    pub(crate) point: GridPoint,
    pub(crate) image: Image<'static>,
}

/// Rule 8: by id, the most recently fetched tile wins; the first of those fetched at once, and a
/// tile of which the time is not known is older than any.
pub(crate) fn images_of(world: &World) -> HashMap<i64, ImageFacts> {
    let mut newest: HashMap<i64, (Option<i64>, ImageFacts)> = HashMap::new();
    for tile in &world.tiles {
        for raw in &tile.images {
            let facts = facts_of(raw);
            let (fetched_at_ms, kept) = newest
                .entry(raw.row.id)
                .or_insert((tile.fetched_at_ms, facts));
            if tile.fetched_at_ms > *fetched_at_ms {
                (*fetched_at_ms, *kept) = (tile.fetched_at_ms, facts);
            }
        }
    }
    newest
        .into_iter()
        .map(|(id, (_, facts))| (id, facts))
        .collect()
}

pub(crate) fn facts_of(raw: &RawImage) -> ImageFacts {
    let ImageRow {
        point, id, is_pano, ..
    } = raw.row;
    let position = point.to_lon_lat();
    let image = Image {
        id_is_exact: raw.row.id_is_exact,
        captured_at_ms: raw.row.captured_at_ms.and_then(known_time),
        compass_angle_deg: raw.row.compass_angle_deg.and_then(known_heading),
        kind: is_pano.map(|is_pano| if is_pano { Kind::Pano } else { Kind::Flat }),
        sequence_id: raw.sequence,
        organization_id: raw.row.organization_id,
        creator_id: raw.row.creator_id,
        ..Image::at(id, position.lon(), position.lat())
    };
    ImageFacts { point, image }
}

/// Rule 5: 0, negative and later than the year 9999 are unknown.
pub(crate) fn known_time(ms: i64) -> Option<i64> {
    (ms > 0 && ms < YEAR_10_000_MS).then_some(ms)
}

/// Rule 6: negative is unknown. North is 0, not 360.
fn known_heading(degrees: f64) -> Option<f64> {
    let is_known = degrees.is_finite() && degrees >= 0.0;
    is_known.then_some(if degrees == 360.0 { 0.0 } else { degrees })
}

/// Rules 2 to 4: tells whether an image lies in a place, and notes what the answer carries. The
/// nearest are only measured here.
pub(crate) fn in_place(place: &Place, facts: &ImageFacts) -> Option<Image<'static>> {
    let image = facts.image;
    let measured = |target: LonLat| Image {
        distance_m: Some(haversine_m(target, facts.point.to_lon_lat())),
        ..image
    };
    match place {
        Place::Everywhere => Some(image),
        Place::Bbox(bbox) => bbox.contains(facts.point).then_some(image),
        Place::Region(region) => region.contains(facts.point).then_some(image),
        Place::Near { target, radius_m } => within(measured(*target), *radius_m),
        Place::Nearest {
            target, radius_m, ..
        } => within(measured(*target), radius_m.unwrap_or(f64::INFINITY)),
        Place::LookingAt {
            target,
            radius_m,
            fov_deg,
        } => {
            let image = within(measured(*target), *radius_m)?;
            looking_at(*target, *fov_deg, facts.point, image)
        }
    }
}

fn within(image: Image<'static>, radius_m: f64) -> Option<Image<'static>> {
    (image.distance_m? <= radius_m).then_some(image)
}

fn looking_at(
    target: LonLat,
    fov_deg: f64,
    point: GridPoint,
    image: Image<'static>,
) -> Option<Image<'static>> {
    if point == GridPoint::nearest_to(target) {
        return Some(image);
    }
    let bearing = initial_bearing_deg(point.to_lon_lat(), target);
    let offset_deg = image.compass_angle_deg.map(|heading| {
        let apart = (bearing - heading).abs();
        if apart > 180.0 { 360.0 - apart } else { apart }
    });
    let sees =
        image.kind == Some(Kind::Pano) || offset_deg.is_some_and(|offset| offset <= fov_deg / 2.0);
    sees.then_some(Image {
        bearing_deg: Some(bearing),
        offset_deg,
        ..image
    })
}

/// Rules 2, 5 and 6: what is not known matches no condition.
pub(crate) fn passes(filter: &Filter, image: &Image<'_>) -> bool {
    in_time(filter.since, filter.until, image.captured_at_ms)
        && filter.kind.is_none_or(|kind| image.kind == Some(kind))
        && is_among(&filter.organizations, image.organization_id)
        && is_among(&filter.creators, image.creator_id)
        && (filter.sequences.is_empty()
            || filter
                .sequences
                .iter()
                .any(|id| image.sequence_id == Some(id)))
        && filter.heading.is_none_or(|range| {
            image
                .compass_angle_deg
                .is_some_and(|heading| in_heading(range, heading))
        })
        && is_among(&filter.ids, Some(image.id))
}

pub(crate) fn in_time(since: Option<Period>, until: Option<Period>, ms: Option<i64>) -> bool {
    since.is_none_or(|since| ms.is_some_and(|ms| ms >= since.first_ms))
        && until.is_none_or(|until| ms.is_some_and(|ms| ms <= until.last_ms))
}

pub(crate) fn is_among(wanted: &[i64], id: Option<i64>) -> bool {
    wanted.is_empty() || id.is_some_and(|id| wanted.contains(&id))
}

/// North is both 0 and 360.
fn in_heading((from, to): (f64, f64), heading: f64) -> bool {
    let contains = |heading: f64| {
        if from > to {
            heading >= from || heading <= to
        } else {
            from <= heading && heading <= to
        }
    };
    contains(heading) || (heading == 0.0 && contains(360.0))
}
