//! Answers in the shapes of `mapillary.interface`: numbers for ids, milliseconds for times.

use tilesight_query::{Image, Kind, MapFeature, Track};
use tilesight_tile::TileId;

use super::chunks::{chunks_of, in_order};
use super::gaps;
use super::geojson::{push_geometry, push_position, push_text};
use super::number::{push_integer, push_shortest};
use super::record::{geometry_of, images_of, line_parts};
use crate::Dataset;

/// Points that are transformed at once, and lines.
const POINTS_A_CHUNK: usize = 1 << 14;
const LINES_A_CHUNK: usize = 1 << 8;

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
    let mut text = Vec::from(b"{\"type\":\"FeatureCollection\",\"features\":[");
    let start = text.len();
    let transform = |rows: &Vec<R>| {
        let mut text = Vec::new();
        for row in rows {
            text.push(b',');
            push_row(&mut text, row);
        }
        text
    };
    let Ok(()) = in_order(chunks_of(rows, chunk_rows), transform, |chunk| {
        let is_first = text.len() == start;
        text.extend_from_slice(&chunk[usize::from(is_first)..]);
        Ok::<_, std::convert::Infallible>(())
    });
    text.extend_from_slice(b"]}");
    // Only texts and ASCII were pushed.
    String::from_utf8(text).unwrap_or_default()
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
