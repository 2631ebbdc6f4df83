//! From tile units to the world grid.

/// Where a tile lies on the world grid of 2³² units a side.
///
/// A position `p` of a layer with extent `e` lies at `origin + floor(p * side / e)`, held within
/// the grid: a line may reach the far edge (`p = e`) or a buffer beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileFrame {
    /// The western edge of the tile.
    pub origin_x: u32,
    /// The northern edge of the tile.
    pub origin_y: u32,
    /// The length of an edge in grid units: 2¹⁸ at zoom 14, 2³² at zoom 0.
    pub side: u64,
}

/// A frame joined with the extent of one layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Projection {
    frame: TileFrame,
    extent: u32,
    /// Grid units a tile unit, where that is a whole number; then no division is needed.
    scale: Option<i64>,
}

impl Projection {
    /// `extent` is not 0.
    pub(crate) fn new(frame: TileFrame, extent: u32) -> Self {
        let frame = TileFrame {
            side: frame.side.min(1 << 32),
            ..frame
        };
        let whole = frame.side.is_multiple_of(u64::from(extent));
        let scale = whole.then(|| (frame.side / u64::from(extent)) as i64);
        Self {
            frame,
            extent,
            scale,
        }
    }

    #[inline]
    pub(crate) fn x(&self, tile_x: i64) -> u32 {
        self.place(self.frame.origin_x, tile_x)
    }

    #[inline]
    pub(crate) fn y(&self, tile_y: i64) -> u32 {
        self.place(self.frame.origin_y, tile_y)
    }

    /// The grid position of a point, if no division is needed for it.
    #[inline]
    pub(crate) fn near(&self, tile_x: i32, tile_y: i32) -> Option<(u32, u32)> {
        let scale = self.scale?;
        // 31 bits times 32 bits, plus 32 bits: no overflow.
        let grid = |origin: u32, position: i32| {
            (i64::from(position) * scale + i64::from(origin)).clamp(0, i64::from(u32::MAX)) as u32
        };
        Some((
            grid(self.frame.origin_x, tile_x),
            grid(self.frame.origin_y, tile_y),
        ))
    }

    #[inline]
    fn place(&self, origin: u32, position: i64) -> u32 {
        let Some(scale) = self.scale else {
            return self.place_by_division(origin, position);
        };
        // Saturation is harmless: both ends of i64 are far outside the grid.
        let grid = position
            .saturating_mul(scale)
            .saturating_add(i64::from(origin));
        grid.clamp(0, i64::from(u32::MAX)) as u32
    }

    #[cold]
    fn place_by_division(&self, origin: u32, position: i64) -> u32 {
        let product = i128::from(position) * i128::from(self.frame.side);
        let grid = i128::from(origin) + product.div_euclid(i128::from(self.extent));
        grid.clamp(0, i128::from(u32::MAX)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn projection(side: u64, extent: u32) -> Projection {
        Projection::new(
            TileFrame {
                origin_x: 1 << 20,
                origin_y: 0,
                side,
            },
            extent,
        )
    }

    #[test]
    fn a_zoom_14_unit_is_64_grid_units() {
        let projection = projection(1 << 18, 4096);
        assert_eq!(projection.x(0), 1 << 20);
        assert_eq!(projection.x(4096), (1 << 20) + (1 << 18));
        assert_eq!(projection.x(-1), (1 << 20) - 64);
    }

    #[test]
    fn positions_beyond_the_grid_are_held_at_its_edge() {
        let projection = projection(1 << 32, 1);
        assert_eq!(projection.y(-1), 0);
        assert_eq!(projection.y(1), u32::MAX);
        assert_eq!(projection.y(i64::MAX), u32::MAX);
        assert_eq!(projection.y(i64::MIN), 0);
    }

    #[test]
    fn an_odd_extent_rounds_down() {
        let projection = projection(1 << 18, 1000);
        assert_eq!(projection.x(1), (1 << 20) + 262);
        assert_eq!(projection.x(-1), (1 << 20) - 263);
    }

    #[test]
    fn multiplication_agrees_with_division() {
        for side in [1 << 12, 1 << 18, 1 << 32] {
            let projection = projection(side, 4096);
            let (west, east) = (i32::MIN, i32::MAX);
            let far = (projection.x(west.into()), projection.y(east.into()));
            assert_eq!(projection.near(west, east), Some(far));
            for position in [
                0,
                1,
                -1,
                17,
                4095,
                4096,
                1 << 40,
                -(1 << 40),
                i64::MAX,
                i64::MIN,
            ] {
                let slow = projection.place_by_division(1 << 20, position);
                assert_eq!(projection.x(position), slow, "{position}");
            }
        }
    }
}
