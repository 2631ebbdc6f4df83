//! Answers in the shapes of `mapillary.interface`: numbers for ids, milliseconds for times.

use std::fmt;
use std::str;
use std::sync::{Mutex, PoisonError};

use tilesight_query::{Image, Kind, MapFeature, Selection, Track};
use tilesight_tile::TileId;

use super::chunks::{chunks_of, in_order};
use super::gaps;
use super::geojson::{push_geometry, push_position, push_text};
use super::number::{push_integer, push_shortest};
use super::record::{geometry_of, images_of, line_parts};
use crate::Dataset;

/// Points that are transformed at once, and lines: half a megabyte of text, which stays in a cache.
const POINTS_A_CHUNK: usize = 1 << 11;
const LINES_A_CHUNK: usize = 1 << 8;

/// Writes a feature collection of the images that a question found.
pub(crate) fn write_images(found: &Selection<'_>, out: &mut dyn fmt::Write) -> fmt::Result {
    let push_part = |text: &mut Vec<u8>, part: &Selection<'_>| {
        push_each(text, part.iter(), |text, image| push_image(text, &image));
    };
    write_collection(found.parts(POINTS_A_CHUNK), push_part, out)
}

/// A feature collection of images.
pub(crate) fn images<'a>(rows: impl Iterator<Item = Image<'a>>) -> String {
    collection(rows, POINTS_A_CHUNK, push_image)
}

/// A feature collection of sequences.
pub(crate) fn sequences<'a>(rows: impl Iterator<Item = Track<'a>>) -> String {
    collection(rows, LINES_A_CHUNK, push_sequence)
}

/// A feature collection of map features.
pub(crate) fn features<'a>(rows: impl Iterator<Item = MapFeature<'a>>) -> String {
    collection(rows, POINTS_A_CHUNK, push_feature)
}

/// The tiles that the line of a sequence runs into and that a dataset does not hold.
pub(crate) fn tiles_beyond(track: &Track<'_>, data: &Dataset) -> Vec<TileId> {
    gaps::missing_tiles(&line_parts(track), data)
}

fn collection<R: Send + Sync>(
    rows: impl Iterator<Item = R>,
    chunk_rows: usize,
    push_row: impl Fn(&mut Vec<u8>, &R) + Sync,
) -> String {
    let mut text = String::new();
    let push_chunk = |text: &mut Vec<u8>, rows: &Vec<R>| push_each(text, rows.iter(), &push_row);
    // Writing into memory does not fail.
    let _ = write_collection(chunks_of(rows, chunk_rows), push_chunk, &mut text);
    text
}

/// Writes a collection of the features of chunks, before each of which a comma is pushed.
///
/// The text comes in pieces whose memory is used again and again: filling new memory takes the
/// system longer than it takes to make the text.
fn write_collection<C: Send + Sync>(
    chunks: impl Iterator<Item = C>,
    push_chunk: impl Fn(&mut Vec<u8>, &C) + Sync,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    out.write_str("{\"type\":\"FeatureCollection\",\"features\":[")?;
    let spare: Mutex<Vec<Vec<u8>>> = Mutex::default();
    let spare = || spare.lock().unwrap_or_else(PoisonError::into_inner);
    let transform = |chunk: &C| {
        let mut text = spare().pop().unwrap_or_default();
        text.clear();
        push_chunk(&mut text, chunk);
        text
    };
    let mut commas_left_out = 1;
    in_order(chunks, transform, |text| {
        let features = str::from_utf8(&text[commas_left_out..]).map_err(|_| fmt::Error)?;
        out.write_str(features)?;
        commas_left_out = 0;
        spare().push(text);
        Ok(())
    })?;
    out.write_str("]}")
}

fn push_each<R>(
    out: &mut Vec<u8>,
    rows: impl Iterator<Item = R>,
    push_row: impl Fn(&mut Vec<u8>, R),
) {
    for row in rows {
        out.push(b',');
        push_row(out, row);
    }
}

fn push_image(out: &mut Vec<u8>, image: &Image<'_>) {
    push_point(out, [image.lon, image.lat]);
    push(out, "\"captured_at\":");
    push_known(out, image.captured_at_ms, push_integer);
    push(out, ",\"compass_angle\":");
    push_known(out, image.compass_angle_deg, push_shortest);
    push(out, ",\"id\":");
    push_integer(out, image.id);
    push_kind(out, image.kind);
    push(out, ",\"sequence_id\":");
    push_known(out, image.sequence_id, push_text);
    push_organization(out, image.organization_id);
    push(out, "}}");
}

fn push_sequence(out: &mut Vec<u8>, track: &Track<'_>) {
    let sequence = &track.sequence;
    push(out, "{\"type\":\"Feature\",\"geometry\":");
    push_geometry(out, &geometry_of(track));
    push(out, ",\"properties\":{\"captured_at\":");
    push_known(out, sequence.first_captured_at_ms, push_integer);
    push(out, ",\"id\":");
    push_text(out, sequence.id);
    push(out, ",\"image_id\":");
    let first = images_of(track).next();
    push_known(out, first.map(|image| image.id), push_integer);
    push_kind(out, sequence.kind);
    push_organization(out, sequence.organization_id);
    push(out, "}}");
}

fn push_feature(out: &mut Vec<u8>, feature: &MapFeature<'_>) {
    push_point(out, [feature.lon, feature.lat]);
    push(out, "\"first_seen_at\":");
    push_known(out, feature.first_seen_at_ms, push_integer);
    push(out, ",\"id\":");
    push_integer(out, feature.id);
    push(out, ",\"last_seen_at\":");
    push_known(out, feature.last_seen_at_ms, push_integer);
    push(out, ",\"value\":");
    push_known(out, feature.value, push_text);
    push(out, "}}");
}

/// A feature up to the first of its properties.
fn push_point(out: &mut Vec<u8>, position: [f64; 2]) {
    push(
        out,
        "{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":",
    );
    push_position(out, position);
    push(out, "},\"properties\":{");
}

fn push_kind(out: &mut Vec<u8>, kind: Option<Kind>) {
    push(out, ",\"is_pano\":");
    push_known(out, kind, |out, kind| {
        push(out, if kind == Kind::Pano { "true" } else { "false" });
    });
}

/// Appends the organization where there is one, as tiles have it.
fn push_organization(out: &mut Vec<u8>, id: Option<i64>) {
    if let Some(id) = id {
        push(out, ",\"organization_id\":");
        push_integer(out, id);
    }
}

fn push_known<T>(out: &mut Vec<u8>, value: Option<T>, push_value: impl Fn(&mut Vec<u8>, T)) {
    match value {
        Some(value) => push_value(out, value),
        None => push(out, "null"),
    }
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tilesight_query::{ImageQuery, Place};
    use tilesight_tile::LonLat;

    use super::*;

    fn image() -> impl Strategy<Value = Image<'static>> {
        let at = (any::<i64>(), -1e-3..1e-3, -1e-3..1e-3);
        let seen = (any::<Option<u32>>(), prop::option::of(0.0..360.0));
        let name = prop::option::of(prop::sample::select(vec!["a", "b\"\\", "\u{e9}"]));
        (at, seen, any::<Option<bool>>(), name).prop_map(
            |((id, lon, lat), (captured_at, compass_angle_deg), is_pano, sequence_id)| Image {
                captured_at_ms: captured_at.map(i64::from),
                compass_angle_deg,
                kind: is_pano.map(|is_pano| if is_pano { Kind::Pano } else { Kind::Flat }),
                sequence_id,
                organization_id: captured_at.map(i64::from),
                ..Image::at(id, lon, lat)
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn pieces_are_the_collection_row_by_row(
            images in prop::collection::vec(image(), 0..3 * POINTS_A_CHUNK),
        ) {
            let data = Dataset::from_images(images).unwrap();
            let target = LonLat::new(0.0, 0.0).unwrap();
            for place in [Place::Everywhere, Place::Near { target, radius_m: 80.0 }] {
                let found = data.images(&ImageQuery { place, ..ImageQuery::default() }).unwrap();
                let mut text = String::new();
                write_images(&found, &mut text).unwrap();
                let rows: Vec<String> = found
                    .iter()
                    .map(|image| {
                        let mut row = Vec::new();
                        push_image(&mut row, &image);
                        String::from_utf8(row).unwrap()
                    })
                    .collect();
                let rows = rows.join(",");
                prop_assert_eq!(
                    text,
                    format!("{{\"type\":\"FeatureCollection\",\"features\":[{rows}]}}")
                );
            }
        }
    }
}
