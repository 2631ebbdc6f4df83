//! Blocks of tiles, generated at once: most sequences around a tile serve its neighbours too.

use tilesight_tile::{GridPoint, TileId};

use crate::attributes::SequenceId;
use crate::capture::{Captures, Positions, Shot};
use crate::random::{Random, topic};
use crate::world::{TILE_PIXELS, World};

/// Side of a block in tiles. Larger blocks generate fewer cells twice, and need more memory.
const BLOCK_TILES: u32 = 8;

/// An image as a tile describes it, for those who need no tile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageRow {
    /// Id, unique in its world.
    pub id: i64,
    /// Column of its pixel: image tiles have 4096, counted eastwards from longitude −180°.
    pub x: u32,
    /// Row of its pixel, counted southwards from the northern edge of the world.
    pub y: u32,
    /// Time in milliseconds since 1970, where there is one; a few lie beyond the year 9999.
    pub captured_at_ms: Option<i64>,
    /// Heading in degrees clockwise from north, 0 ≤ heading < 360, where there is one.
    pub compass_angle_deg: Option<f64>,
    /// Whether it is a panorama; the same in all of a sequence.
    pub is_pano: bool,
    /// Sequence.
    pub sequence_id: SequenceId,
    /// Organization; the same in all of a sequence.
    pub organization_id: Option<i64>,
    /// Creator; the same in all of a sequence.
    pub creator_id: Option<i64>,
}

impl ImageRow {
    /// The position on the world grid.
    pub fn grid_point(&self) -> GridPoint {
        crate::capture::Pixel {
            x: self.x,
            y: self.y,
        }
        .grid_point()
    }
}

/// Neighbouring tiles with their images.
#[derive(Debug)]
pub struct Block {
    seed: u64,
    positions: Positions,
    tiles: Vec<(TileId, Vec<Shot>)>,
    captures: Captures,
}

/// One tile of a block.
#[derive(Debug, Clone, Copy)]
pub struct TileView<'a> {
    pub(crate) id: TileId,
    pub(crate) seed: u64,
    pub(crate) positions: Positions,
    pub(crate) shots: &'a [Shot],
    /// Of the whole block, and of the cells around it.
    pub(crate) captures: &'a Captures,
}

impl World {
    /// Generates all tiles, block by block from the north-west; equal to
    /// [`block`](Self::block) for each number in turn.
    pub fn blocks(&self) -> impl Iterator<Item = Block> + '_ {
        (0..self.block_count()).map(|number| self.block(number, Positions::Recorded))
    }

    /// Number of blocks that make up the world.
    pub fn block_count(&self) -> u32 {
        let blocks = self.side.div_ceil(BLOCK_TILES);
        blocks * blocks
    }

    /// Generates one block.
    ///
    /// Every block can be made by itself, in any order and in any thread.
    ///
    /// # Cost
    ///
    /// Some 100 ns an image of the block and of the tiles around it; memory for these alone.
    ///
    /// # Panics
    ///
    /// When `number` is not less than [`block_count`](Self::block_count).
    pub fn block(&self, number: u32, positions: Positions) -> Block {
        let (column, row) = self.block_corner(number);
        self.square(column, row, BLOCK_TILES, positions)
    }

    /// The tiles of a block, in the order of [`Block::tiles`].
    pub(crate) fn block_tiles(&self, number: u32) -> Vec<TileId> {
        let (column, row) = self.block_corner(number);
        self.square_tiles(column, row, BLOCK_TILES)
    }

    /// Generates one tile, in a block of its own.
    ///
    /// Gives what [`block`](Self::block) gives for the tile, at nine times the cost.
    pub fn tile(&self, tile: TileId, positions: Positions) -> Option<Block> {
        self.cell_of(tile)?;
        Some(self.square(
            tile.x() - self.first_x,
            tile.y() - self.first_y,
            1,
            positions,
        ))
    }

    /// Column and row of a block's north-western tile in the world's square.
    fn block_corner(&self, number: u32) -> (u32, u32) {
        assert!(number < self.block_count(), "there is no block {number}");
        let blocks = self.side.div_ceil(BLOCK_TILES);
        (number % blocks * BLOCK_TILES, number / blocks * BLOCK_TILES)
    }

    /// Lists a square of tiles, as far as it lies in the world.
    fn square_tiles(&self, column: u32, row: u32, side: u32) -> Vec<TileId> {
        let cells = self.cells(column..column + side, row..row + side);
        cells.map(|cell| self.tile_of(cell)).collect()
    }

    /// Generates a square of tiles, as far as it lies in the world.
    fn square(&self, column: u32, row: u32, side: u32, positions: Positions) -> Block {
        let mut captures = Captures::default();
        let around = |first: u32| first.saturating_sub(1)..first + side + 1;
        for cell in self.cells(around(column), around(row)) {
            captures.add_cell(self, cell, positions);
        }
        let tiles = self.square_tiles(column, row, side);
        Block::sort(self.seed, positions, tiles, captures)
    }
}

impl Block {
    /// The tiles of the block, row by row; those without images too.
    pub fn tiles(&self) -> impl Iterator<Item = TileView<'_>> {
        self.tiles.iter().map(|(id, shots)| TileView {
            id: *id,
            seed: self.seed,
            positions: self.positions,
            shots,
            captures: &self.captures,
        })
    }

    /// Sorts images into tiles, where they come in random order, as in real ones.
    fn sort(seed: u64, positions: Positions, ids: Vec<TileId>, captures: Captures) -> Self {
        let (first, last) = (ids[0], ids[ids.len() - 1]);
        let columns = last.x() - first.x() + 1;
        let mut tiles: Vec<(TileId, Vec<Shot>)> =
            ids.into_iter().map(|id| (id, Vec::new())).collect();
        for shot in &captures.shots {
            let (x, y) = (shot.at.x / TILE_PIXELS, shot.at.y / TILE_PIXELS);
            if (first.x()..=last.x()).contains(&x) && (first.y()..=last.y()).contains(&y) {
                let place = (y - first.y()) * columns + (x - first.x());
                tiles[place as usize].1.push(*shot);
            }
        }
        for (id, shots) in &mut tiles {
            Random::keyed(&[seed, topic::IMAGE_ORDER, id.x().into(), id.y().into()]).shuffle(shots);
        }
        Self {
            seed,
            positions,
            tiles,
            captures,
        }
    }
}

impl<'a> TileView<'a> {
    /// The tile's address.
    pub fn id(self) -> TileId {
        self.id
    }

    /// The tile's images, in random order.
    pub fn rows(self) -> impl ExactSizeIterator<Item = ImageRow> + 'a {
        self.shots.iter().map(move |shot| {
            let sequence = &self.captures.sequences[shot.sequence as usize];
            ImageRow {
                id: shot.id,
                x: shot.at.x,
                y: shot.at.y,
                captured_at_ms: shot.captured_at_ms,
                compass_angle_deg: shot.compass_angle_deg,
                is_pano: sequence.is_pano,
                sequence_id: sequence.id,
                organization_id: sequence.organization_id,
                creator_id: sequence.creator_id,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plan;
    use std::collections::HashSet;
    use tilesight_tile::LonLat;

    fn world(seed: u64, images: u64, side_tiles: Option<u32>) -> World {
        let centre = LonLat::new(24.94, 60.17).unwrap();
        World::new(&Plan {
            seed,
            images,
            centre,
            side_tiles,
        })
        .unwrap()
    }

    fn rows(world: &World) -> Vec<ImageRow> {
        let mut rows = Vec::new();
        for block in world.blocks() {
            rows.extend(block.tiles().flat_map(TileView::rows));
        }
        rows
    }

    #[test]
    fn every_image_comes_once_whatever_the_size() {
        for (images, side) in [
            (0, None),
            (1, None),
            (1_000, Some(1)),
            (5_000, Some(9)),
            (30_000, None),
        ] {
            let rows = rows(&world(3, images, side));
            let ids: HashSet<i64> = rows.iter().map(|row| row.id).collect();
            assert_eq!((rows.len() as u64, ids.len() as u64), (images, images));
        }
    }

    /// Blocks save work; a tile by itself is the plain way.
    #[test]
    fn a_tile_by_itself_is_the_tile_of_its_block() {
        let world = world(4, 20_000, Some(9));
        for positions in [Positions::Recorded, Positions::Computed] {
            for number in 0..world.block_count() {
                for tile in world.block(number, positions).tiles() {
                    let alone = world.tile(tile.id(), positions).unwrap();
                    let alone = alone.tiles().next().unwrap();
                    assert!(alone.rows().eq(tile.rows()), "{}", tile.id());
                }
            }
        }
    }

    #[test]
    fn computed_positions_are_some_metres_off() {
        let world = world(5, 3_000, Some(1));
        let tile = world.tile_ids().next().unwrap();
        let (recorded, computed) = [Positions::Recorded, Positions::Computed]
            .map(|positions| world.tile(tile, positions).unwrap())
            .into();
        let mut moved = 0;
        let pairs = recorded
            .tiles()
            .next()
            .unwrap()
            .rows()
            .zip(computed.tiles().next().unwrap().rows());
        for (recorded, computed) in pairs {
            assert_eq!(recorded.id, computed.id);
            let pixels = recorded
                .x
                .abs_diff(computed.x)
                .max(recorded.y.abs_diff(computed.y));
            assert!(f64::from(pixels) * world.metres_a_pixel() < 3.5);
            moved += u32::from(pixels > 0);
        }
        assert!(moved > 2_000);
    }
}
