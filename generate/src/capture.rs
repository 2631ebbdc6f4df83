//! How sequences are captured: somebody starts in a cell and follows the roads.
//!
//! A sequence belongs to the cell it starts in, its home, and never leaves the tiles around that.
//! So whatever lies in a tile comes from the nine cells around it.

use std::ops::Range;

use tilesight_tile::GridPoint;

use crate::attributes::{Camera, Clock, SequenceId, creator_id, organization_id};
use crate::random::{Random, hash, topic, unit};
use crate::roads::Point;
use crate::walk::Walk;
use crate::world::{Cell, IMAGE_ZOOM, TILE_PIXELS, World};

/// A pixel is this many bits of the grid: an image tile of 2¹² pixels is 2¹⁸ units wide.
const PIXEL_BITS: u32 = 32 - IMAGE_ZOOM as u32 - TILE_PIXELS.trailing_zeros();

/// How far reconstruction moves an image at most, in metres along either axis.
const RECONSTRUCTION_SHIFT_M: f64 = 3.0;

/// A line keeps the vertices at crossings, and one for so many images between.
const IMAGES_A_VERTEX: u64 = 3;

/// Side of the square whose people and organizations are the same, in tiles.
const REGION_TILES: u32 = 16;

/// Share of the sequences that are panoramas.
const PANO_SHARE: f64 = 0.22;

/// What the positions of images are: as recorded by the camera, or as reconstructed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Positions {
    /// As recorded: tileset `mly1_public`.
    #[default]
    Recorded,
    /// From reconstruction, a few metres away: tileset `mly1_computed_public`.
    Computed,
}

/// A sequence: what all its images share.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub id: SequenceId,
    pub is_pano: bool,
    pub organization_id: Option<i64>,
    pub creator_id: Option<i64>,
    pub first_shot: Shot,
    /// Where its line lies in [`Captures::vertices`].
    vertices: Range<usize>,
}

/// An image, as far as its sequence does not say it already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shot {
    pub id: i64,
    pub at: Pixel,
    pub captured_at_ms: Option<i64>,
    pub compass_angle_deg: Option<f64>,
    /// Number of its sequence in [`Captures::sequences`].
    pub sequence: u32,
}

/// A pixel of the image tiles, counted from the north-western corner of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Pixel {
    pub x: u32,
    pub y: u32,
}

impl Pixel {
    pub const fn grid_point(self) -> GridPoint {
        GridPoint {
            x: self.x << PIXEL_BITS,
            y: self.y << PIXEL_BITS,
        }
    }
}

/// What was captured in some cells.
#[derive(Debug, Default)]
pub(crate) struct Captures {
    pub sequences: Vec<Sequence>,
    /// Sequence by sequence, in capture order.
    pub shots: Vec<Shot>,
    /// Vertices of the sequences' lines.
    pub vertices: Vec<Point>,
}

impl Captures {
    /// Adds the sequences at home in a cell: together exactly its share of the images.
    pub fn add_cell(&mut self, world: &World, cell: Cell, positions: Positions) {
        let mut numbers = world.images_of(cell);
        let mut sequence_in_cell = 0;
        while !numbers.is_empty() {
            let key = [
                world.seed,
                topic::SEQUENCE,
                u64::from(cell.0),
                sequence_in_cell,
            ];
            let mut random = Random::keyed(&key);
            let length = draw_length(&mut random).min(numbers.end - numbers.start);
            let images = numbers.start..numbers.start + length;
            numbers.start = images.end;

            let first = (self.shots.len(), self.vertices.len());
            self.capture(world, cell, positions, images, &mut random);
            let region = region_of(world, cell);
            self.sequences.push(Sequence {
                id: SequenceId::keyed(&key),
                is_pano: random.chance(PANO_SHARE),
                organization_id: organization_id(world.seed, region, &mut random),
                creator_id: creator_id(world.seed, region, &mut random),
                first_shot: self.shots[first.0],
                vertices: first.1..self.vertices.len(),
            });
            sequence_in_cell += 1;
        }
    }

    /// The line of a sequence, in capture order.
    pub fn line(&self, sequence: &Sequence) -> &[Point] {
        &self.vertices[sequence.vertices.clone()]
    }

    /// Takes the images of the next sequence, and draws its line.
    fn capture(
        &mut self,
        world: &World,
        cell: Cell,
        positions: Positions,
        images: Range<u64>,
        random: &mut Random,
    ) {
        let mut clock = Clock::start(random);
        let camera = Camera::mount(random);
        let mut walk = Walk::start(world, cell, random);
        for (number, taken) in images.zip(0..) {
            if taken > 0 {
                clock.tick(random);
                walk.advance(random, &mut self.vertices);
            }
            if taken % IMAGES_A_VERTEX == 0 {
                self.vertices.push(walk.position());
            }
            let id = world.image_id(number);
            self.shots.push(Shot {
                id,
                at: pixel(walk.seen_at(), id, positions, world.metres_a_pixel),
                captured_at_ms: clock.now_ms(),
                compass_angle_deg: camera.heading_deg(walk.travel_deg(), random),
                sequence: self.sequences.len() as u32,
            });
        }
        self.vertices.push(walk.position());
    }
}

/// Draws how many images a sequence has: half have a handful, few have hundreds, none over 500.
fn draw_length(random: &mut Random) -> u64 {
    let within = random.unit();
    let length = match random.unit() {
        draw if draw < 0.55 => 1.0 + 6.0 * within * within,
        draw if draw < 0.88 => 7.0 + 163.0 * within * within,
        draw if draw < 0.98 => 170.0 + 230.0 * within,
        _ => 400.0 + 100.0 * within,
    };
    length as u64
}

/// The part of the world whose people and organizations a cell shares.
fn region_of(world: &World, cell: Cell) -> u64 {
    let tile = world.tile_of(cell);
    hash(&[
        u64::from(tile.x() / REGION_TILES),
        u64::from(tile.y() / REGION_TILES),
    ])
}

fn pixel(at: Point, image_id: i64, positions: Positions, metres_a_pixel: f64) -> Pixel {
    let shift = |axis: u64| match positions {
        Positions::Recorded => 0.0,
        Positions::Computed => {
            let share = 2.0 * unit(hash(&[image_id as u64, topic::SHIFT, axis])) - 1.0;
            share * RECONSTRUCTION_SHIFT_M / metres_a_pixel
        }
    };
    Pixel {
        x: (at.x + shift(0)) as u32,
        y: (at.y + shift(1)) as u32,
    }
}
