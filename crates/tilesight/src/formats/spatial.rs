//! Sequences in spatial order, for files whose row groups are read by place.

use tilesight_query::{SequenceSelection, Track};
use tilesight_tile::{GridPoint, LonLat};

use super::record::{Record, SequenceRecord, images_of};

/// Sorts what lies in ascending order of ids by where it begins: as the engine does with images,
/// split in halves across the longer side, until a chunk is left.
///
/// It takes some two hundred bytes a sequence, of which there are few beside their images.
pub(super) fn in_spatial_order<'a>(found: &SequenceSelection<'a>) -> Vec<Track<'a>> {
    let tracks = found.tracks().enumerate();
    let mut placed: Vec<Placed<'a>> = tracks
        .map(|(rank, track)| Placed {
            point: start(&track),
            rank,
            track,
        })
        .collect();
    split(&mut placed, SequenceRecord::CHUNK_ROWS);
    placed.into_iter().map(|placed| placed.track).collect()
}

/// A sequence, where it begins, and its place in the answer, which is unique.
struct Placed<'a> {
    point: GridPoint,
    rank: usize,
    track: Track<'a>,
}

fn start(track: &Track<'_>) -> GridPoint {
    let vertex = track.line().next().and_then(|mut part| part.next());
    let image = || {
        let first = images_of(track).next()?;
        LonLat::new(first.lon, first.lat).ok()
    };
    let position = vertex.or_else(image);
    position.map_or(GridPoint { x: 0, y: 0 }, GridPoint::nearest_to)
}

fn split(rows: &mut [Placed<'_>], chunk_rows: usize) {
    if rows.len() <= chunk_rows {
        return rows.sort_unstable_by_key(|row| row.rank);
    }
    // In whole chunks, so that none lies on both sides.
    let half = (rows.len() / 2).next_multiple_of(chunk_rows);
    let half = half.min(rows.len() - 1);
    if spread(rows, |point| point.x) > spread(rows, |point| point.y) {
        rows.select_nth_unstable_by_key(half, |row| (row.point.x, row.rank));
    } else {
        rows.select_nth_unstable_by_key(half, |row| (row.point.y, row.rank));
    }
    let (left, right) = rows.split_at_mut(half);
    split(left, chunk_rows);
    split(right, chunk_rows);
}

fn spread(rows: &[Placed<'_>], coordinate: fn(GridPoint) -> u32) -> u32 {
    let coordinates = || rows.iter().map(|row| coordinate(row.point));
    coordinates().max().unwrap_or(0) - coordinates().min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use tilesight_query::{Image, SequenceQuery};

    use super::*;
    use crate::Dataset;

    #[test]
    fn each_comes_once_and_neighbours_lie_together() {
        let ids: Vec<String> = (0..2_000).map(|number| format!("{number:04}")).collect();
        let images = ids.iter().enumerate().map(|(i, id)| Image {
            sequence_id: Some(id),
            ..Image::at(
                i as i64,
                24.0 + (i % 50) as f64 / 100.0,
                60.0 + (i / 50) as f64 / 100.0,
            )
        });
        // Neighbours in place are far apart by id.
        let data = Dataset::from_images(images).unwrap();
        let found = data.sequences(&SequenceQuery::default()).unwrap();
        let sorted = in_spatial_order(&found);
        let mut sorted_ids: Vec<_> = sorted.iter().map(|track| track.sequence.id).collect();
        for chunk in sorted.chunks(SequenceRecord::CHUNK_ROWS) {
            let columns: Vec<u32> = chunk.iter().map(|track| start(track).x).collect();
            let width = columns.iter().max().unwrap() - columns.iter().min().unwrap();
            let width_deg = f64::from(width) / 2_f64.powi(32) * 360.0;
            // Half of the 50 columns, and the one that is split.
            assert!(width_deg < 0.261, "{width_deg}");
        }
        sorted_ids.sort_unstable();
        assert_eq!(sorted_ids, ids);
    }
}
