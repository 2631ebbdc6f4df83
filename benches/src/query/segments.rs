//! Sequences as their segments in an R*-tree, each tested exactly.

use geo::{Coord, Intersects, Line, Rect};
use rstar::primitives::GeomWithData;
use rstar::{AABB, RTree};
use tilesight_generate::ImageRow;
use tilesight_tile::Bbox;

use super::world::{MadeWorld, known_ms};
use super::{LineIndex, SequenceLine};

/// The segments of each sequence; an image alone is a segment of no length.
pub struct Segments {
    tree: RTree<GeomWithData<rstar::primitives::Line<[f64; 2]>, u32>>,
    ids: Vec<String>,
}

impl Segments {
    /// Draws the sequences of a world through their images, in the order of capture.
    pub fn of(world: &MadeWorld) -> Self {
        let mut rows: Vec<&ImageRow> = world.images.iter().collect();
        rows.sort_unstable_by_key(|row| {
            let time = known_ms(row.captured_at_ms);
            (row.sequence_id, time == 0, time, row.id)
        });
        let lines = rows
            .chunk_by(|a, b| a.sequence_id == b.sequence_id)
            .map(|images| SequenceLine {
                id: images[0].sequence_id.as_str().to_owned(),
                parts: vec![images.iter().map(|row| degrees(row)).collect()],
            });
        Self::of_lines(&lines.collect::<Vec<_>>())
    }

    /// Indexes the segments of lines, which ascend by id.
    pub fn of_lines(lines: &[SequenceLine]) -> Self {
        let mut segments = Vec::new();
        for (number, line) in (0..).zip(lines) {
            for part in &line.parts {
                let ends = part.windows(2).map(|ends| (ends[0], ends[1]));
                let alone = (part.len() == 1).then_some((part[0], part[0]));
                segments.extend(ends.chain(alone).map(|(a, b)| {
                    let line = rstar::primitives::Line::new([a.x, a.y], [b.x, b.y]);
                    GeomWithData::new(line, number)
                }));
            }
        }
        Self {
            tree: RTree::bulk_load(segments),
            ids: lines.iter().map(|line| line.id.clone()).collect(),
        }
    }
}

impl LineIndex for Segments {
    fn meeting(&self, bbox: &Bbox) -> Vec<&str> {
        let (low, high) = ([bbox.west(), bbox.south()], [bbox.east(), bbox.north()]);
        let rect = Rect::new(low, high);
        let near = self
            .tree
            .locate_in_envelope_intersecting(AABB::from_corners(low, high));
        let mut numbers: Vec<u32> = near
            .filter(|segment| {
                let line = segment.geom();
                rect.intersects(&Line::new(Coord::from(line.from), Coord::from(line.to)))
            })
            .map(|segment| segment.data)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
            .into_iter()
            .map(|number| self.ids[number as usize].as_str())
            .collect()
    }
}

fn degrees(row: &ImageRow) -> Coord {
    let at = row.grid_point().to_lon_lat();
    Coord::from((at.lon(), at.lat()))
}
