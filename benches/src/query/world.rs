//! The world that is asked about.

use std::ops::Range;

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use tilesight_generate::{
    Block, FeatureKind, FeatureRow, ImageRow, Plan, Positions, SequenceId, World,
};
use tilesight_query::build::{self, Holding, Part};
use tilesight_query::{Dataset, Tileset};
use tilesight_tile::{Bbox, GridPoint, LonLat, TileId};

/// A generated world as rows, tile by tile.
pub struct MadeWorld {
    /// Images, tile by tile and at random in each.
    pub images: Vec<ImageRow>,
    /// Map features.
    pub features: Vec<(FeatureKind, FeatureRow)>,
    /// The tiles that hold images, and which.
    tiles: Vec<(TileId, Range<usize>)>,
    /// The values of map features, ascending.
    values: Vec<&'static str>,
}

/// A row of a table of positions.
pub trait Row: Copy + Send + Sync + 'static {
    /// Its position.
    fn point(&self) -> GridPoint;

    /// Its id.
    fn id(&self) -> i64;
}

/// An image as rivals store it, with the attributes that questions ask for.
#[derive(Debug, Clone, Copy)]
pub struct Image {
    /// Where it was taken.
    pub point: GridPoint,
    /// Its id.
    pub id: i64,
    /// Milliseconds since 1970; 0 where unknown.
    pub captured_at_ms: i64,
    /// Not a number where unknown.
    pub compass_angle_deg: f64,
    /// 0 where there is none.
    pub organization_id: i64,
    /// Panorama or flat.
    pub is_pano: bool,
}

/// A map feature as rivals store it.
#[derive(Debug, Clone, Copy)]
pub struct Feature {
    point: GridPoint,
    id: i64,
    /// The number of its value.
    pub value: u32,
}

/// The last millisecond of the year 9999; times beyond are not known.
const LAST_KNOWN_MS: i64 = 253_402_300_799_999;

/// Tiles of a part, as many as a thread might decode.
const PART_TILES: usize = 64;

impl MadeWorld {
    /// Makes the same world every time, around Helsinki: about 450 images a tile.
    ///
    /// # Panics
    ///
    /// When there are more images than the generator makes.
    pub fn new(images: u64) -> Self {
        let world = plan_world(images);
        let mut made = Self::of_images(&world);
        for tile in made.tiles.iter().map(|(tile, _)| *tile) {
            for kind in [FeatureKind::Point, FeatureKind::TrafficSign] {
                let features = world.features(tile, kind);
                made.features
                    .extend(features.into_iter().map(|feature| (kind, feature)));
            }
        }
        made.values = made.features.iter().map(|(_, row)| row.value).collect();
        made.values.sort_unstable();
        made.values.dedup();
        made
    }

    /// Makes the images of a world, and no map features.
    pub fn of_images(world: &World) -> Self {
        let mut made = Self {
            images: Vec::with_capacity(world.image_count() as usize),
            features: Vec::new(),
            tiles: Vec::new(),
            values: Vec::new(),
        };
        let numbers: Vec<u32> = (0..world.block_count()).collect();
        // A few blocks at a time, for each has rows of its neighbours too.
        for numbers in numbers.chunks(4 * rayon::current_num_threads()) {
            let blocks: Vec<Block> = numbers
                .par_iter()
                .map(|&number| world.block(number, Positions::Recorded))
                .collect();
            for tile in blocks.iter().flat_map(Block::tiles) {
                let first = made.images.len();
                made.images.extend(tile.rows());
                made.tiles.push((tile.id(), first..made.images.len()));
            }
        }
        made
    }

    /// The parts that decoding threads would hand to the build, without map features.
    pub fn image_parts(&self) -> Vec<Part> {
        self.tiles
            .par_chunks(PART_TILES)
            .map(|tiles| {
                let mut part = Part::new();
                for (tile, rows) in tiles {
                    add_images(&mut part, *tile, &self.images[rows.clone()]);
                }
                part
            })
            .collect()
    }

    /// Everything, indexed by us; the whole world counts as held.
    ///
    /// # Panics
    ///
    /// Never: a world has fewer rows than can be numbered.
    pub fn dataset(&self) -> Dataset {
        let mut parts = self.image_parts();
        parts.push(self.feature_part());
        build_dataset(parts)
    }

    /// The images as rivals store them.
    pub fn plain_images(&self) -> Vec<Image> {
        self.images.iter().map(Image::of).collect()
    }

    /// The map features as rivals store them.
    pub fn plain_features(&self) -> Vec<Feature> {
        self.features
            .iter()
            .map(|(_, row)| Feature {
                point: row.grid_point(),
                id: row.id,
                value: self.value_number(row.value),
            })
            .collect()
    }

    /// The number by which rivals know the value of a map feature.
    pub fn value_number(&self, value: &str) -> u32 {
        self.values.partition_point(|other| *other < value) as u32
    }

    /// Organizations with how many images each has, most first.
    pub fn organizations(&self) -> Vec<(i64, usize)> {
        let mut counts: FxHashMap<i64, usize> = FxHashMap::default();
        for id in self.images.iter().filter_map(|row| row.organization_id) {
            *counts.entry(id).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_unstable_by_key(|&(id, count)| (std::cmp::Reverse(count), id));
        counts
    }

    fn feature_part(&self) -> Part {
        let mut part = Part::new();
        let mut rows = part.tile(self.tiles[0].0, None);
        for (kind, row) in &self.features {
            let kind = match kind {
                FeatureKind::Point => tilesight_query::FeatureKind::Point,
                FeatureKind::TrafficSign => tilesight_query::FeatureKind::TrafficSign,
            };
            let value = Some(rows.value(row.value));
            rows.feature(build::FeatureRow {
                kind,
                point: row.grid_point(),
                id: row.id,
                id_is_exact: true,
                value,
                first_seen_at_ms: Some(row.first_seen_at_ms),
                last_seen_at_ms: Some(row.last_seen_at_ms),
            });
        }
        part
    }
}

/// Plans the world that all benchmarks ask about, around Helsinki: about 450 images a tile.
///
/// # Panics
///
/// When there are more images than the generator makes.
pub fn plan_world(images: u64) -> World {
    let plan = Plan {
        seed: 7,
        images,
        centre: LonLat::new(24.94, 60.17).expect("Helsinki is on the globe"),
        side_tiles: None,
    };
    World::new(&plan).expect("the world fits around Helsinki")
}

/// Indexes parts.
///
/// # Panics
///
/// Never: a world has fewer rows than can be numbered.
pub fn build_dataset(parts: Vec<Part>) -> Dataset {
    let holdings = Tileset::ALL.map(|tileset| Holding {
        bounds: Some(Bbox::WORLD),
        ..Holding::nothing(tileset)
    });
    build::build(parts, &holdings).expect("the rows can be numbered")
}

fn add_images(part: &mut Part, tile: TileId, images: &[ImageRow]) {
    let mut sequences: FxHashMap<SequenceId, build::SequenceRef> = FxHashMap::default();
    let mut rows = part.tile(tile, None);
    for image in images {
        let sequence = *sequences
            .entry(image.sequence_id)
            .or_insert_with(|| rows.sequence(image.sequence_id.as_str()));
        rows.image(build::ImageRow {
            captured_at_ms: image.captured_at_ms,
            compass_angle_deg: image.compass_angle_deg,
            is_pano: Some(image.is_pano),
            sequence: Some(sequence),
            organization_id: image.organization_id,
            creator_id: image.creator_id,
            ..build::ImageRow::at(image.grid_point(), image.id)
        });
    }
}

impl Image {
    fn of(row: &ImageRow) -> Self {
        Self {
            point: row.grid_point(),
            id: row.id,
            captured_at_ms: known_ms(row.captured_at_ms),
            compass_angle_deg: row.compass_angle_deg.unwrap_or(f64::NAN),
            organization_id: row.organization_id.unwrap_or(0),
            is_pano: row.is_pano,
        }
    }
}

/// A time that counts as known, else 0.
pub(super) fn known_ms(ms: Option<i64>) -> i64 {
    ms.filter(|ms| (1..=LAST_KNOWN_MS).contains(ms))
        .unwrap_or(0)
}

impl Row for Image {
    fn point(&self) -> GridPoint {
        self.point
    }

    fn id(&self) -> i64 {
        self.id
    }
}

impl Row for Feature {
    fn point(&self) -> GridPoint {
        self.point
    }

    fn id(&self) -> i64 {
        self.id
    }
}
