//! Sequences as their segments in an R*-tree, each tested exactly.

use geo::{Coord, Intersects, Line, Rect};
use rstar::primitives::GeomWithData;
use rstar::{AABB, RTree};
use tilesight_generate::{ImageRow, SequenceId};
use tilesight_tile::Bbox;

use super::world::{MadeWorld, known_ms};

/// The segments between the images of each sequence; an image alone is a segment of no length.
pub struct Segments {
    tree: RTree<GeomWithData<rstar::primitives::Line<[f64; 2]>, u32>>,
    /// Ascending.
    ids: Vec<SequenceId>,
}

impl Segments {
    /// Draws the sequences of a world through their images, in the order of capture.
    pub fn of(world: &MadeWorld) -> Self {
        let mut rows: Vec<&ImageRow> = world.images.iter().collect();
        rows.sort_unstable_by_key(|row| {
            let time = known_ms(row.captured_at_ms);
            (row.sequence_id, time == 0, time, row.id)
        });
        let (mut ids, mut segments) = (Vec::new(), Vec::new());
        for images in rows.chunk_by(|a, b| a.sequence_id == b.sequence_id) {
            let number = ids.len() as u32;
            ids.push(images[0].sequence_id);
            let ends = images.windows(2).map(|pair| (pair[0], pair[1]));
            let alone = (images.len() == 1).then_some((images[0], images[0]));
            segments.extend(ends.chain(alone).map(|(a, b)| {
                let line = rstar::primitives::Line::new(degrees(a), degrees(b));
                GeomWithData::new(line, number)
            }));
        }
        Self {
            tree: RTree::bulk_load(segments),
            ids,
        }
    }

    /// Finds the sequences of which a part lies in a box, ascending by id.
    pub fn meeting(&self, bbox: &Bbox) -> Vec<&str> {
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

fn degrees(row: &ImageRow) -> [f64; 2] {
    let at = row.grid_point().to_lon_lat();
    [at.lon(), at.lat()]
}
