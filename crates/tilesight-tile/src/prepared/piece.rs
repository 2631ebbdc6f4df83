//! Pieces: edges cut until a straight line on the grid stands for them.
//!
//! An edge is straight in degrees. Columns are linear in longitude, rows are not in latitude, so
//! on the grid the edge is a slight curve. A piece is a part of it, over a range of whole rows,
//! with the chord through its ends and a bound on how far the two part.

use std::f64::consts::{PI, TAU};

use crate::bbox::first_row_south_of;
use crate::grid::{GRID_SIDE, lat_of_y, x_of_lon};
use crate::predicates::{Edge, Side};
use crate::{GridBox, GridPoint};

/// Edges are cut while chord and curve part by more than this many columns…
const MAX_SAGITTA: f64 = 64.0;

/// …but into no more pieces than this, so that memory stays proportional to the vertices.
const MAX_PIECES: u64 = 8;

/// Covers what rounding does to a chord's columns, which stay below 2³⁵.
const ROUNDING: f64 = 1.0 / 64.0;

/// Covers what rounding does to the latitude of a row: less than this part of a row's height.
const ROW_ROUNDING: f64 = 1e-4;

/// Edges over fewer rows than this are not drawn between their ends, which rounding may tilt.
const MIN_WHOLE_ROWS: u32 = 16;

/// Part of an edge on the grid rows it crosses: those at or north of its southern end and south
/// of its northern end.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    pub first_row: u32,
    /// Southernmost row, included.
    pub last_row: u32,
    /// Column of the chord on the first row; may lie off the grid.
    x: f64,
    /// Columns the chord goes east with each row.
    slope: f64,
    /// Half-width, in columns, of the band around the chord that holds the edge.
    band: f32,
    /// Which vertex of its ring the edge begins at.
    pub edge: u32,
}

impl Piece {
    /// A chord and its band over some rows, the last included.
    fn new(rows: [u32; 2], x: f64, slope: f64, sagitta: f64, edge: u32) -> Self {
        let band = sagitta + ROW_ROUNDING * slope.abs() + ROUNDING;
        Self {
            first_row: rows[0],
            last_row: rows[1],
            x,
            slope,
            band: (band as f32).next_up(),
            edge,
        }
    }

    /// Column of the chord on a row of the piece.
    pub fn x_at(&self, row: u32) -> f64 {
        self.x + (row - self.first_row) as f64 * self.slope
    }

    /// Tells on which side of the edge a position on one of the piece's rows lies, or that it is
    /// too close to tell ([`Side::On`]).
    pub fn side_of(&self, point: GridPoint) -> Side {
        let east_by = point.x as f64 - self.x_at(point.y);
        if east_by > self.band as f64 {
            Side::East
        } else if east_by < -self.band as f64 {
            Side::West
        } else {
            Side::On
        }
    }

    /// Tells whether the edge lies to the west of a box, to its east, or perhaps touches it, on
    /// the rows they share; there must be some.
    pub fn lies_of(&self, bounds: &GridBox) -> Side {
        let (west, east) = self.columns(
            self.first_row.max(bounds.min_y),
            self.last_row.min(bounds.max_y),
        );
        if east < bounds.min_x as f64 {
            Side::West
        } else if west > bounds.max_x as f64 {
            Side::East
        } else {
            Side::On
        }
    }

    /// The grid positions that the band may touch, those off the grid moved to its rim.
    pub fn bounds(&self) -> GridBox {
        let (west, east) = self.columns(self.first_row, self.last_row);
        GridBox {
            min_x: west as u32,
            min_y: self.first_row,
            max_x: rounded_up(east),
            max_y: self.last_row,
        }
    }

    /// Classifies up to 64 positions at once: the bits of those on the piece's rows and east of
    /// its band, and of those in its band.
    pub fn east_and_doubtful(&self, xs: &[u32], ys: &[u32]) -> (u64, u64) {
        let band = self.band as f64;
        let rows = self.last_row - self.first_row;
        let (mut east, mut doubtful) = ([0; 64], [0; 64]);
        let flags = east.iter_mut().zip(&mut doubtful);
        for ((&x, &y), (east, doubtful)) in xs.iter().zip(ys).zip(flags) {
            let row = y.wrapping_sub(self.first_row);
            let on_rows = row <= rows;
            let east_by = x as f64 - (self.x + row as f64 * self.slope);
            *east = u8::from(on_rows & (east_by > band));
            *doubtful = u8::from(on_rows & (east_by.abs() <= band));
        }
        (packed(&east), packed(&doubtful))
    }

    fn columns(&self, first_row: u32, last_row: u32) -> (f64, f64) {
        let (a, b) = (self.x_at(first_row), self.x_at(last_row));
        let band = self.band as f64;
        (a.min(b) - band, a.max(b) + band)
    }
}

/// The next whole column, without the call that `ceil` is where processors may lack the instruction.
fn rounded_up(x: f64) -> u32 {
    let whole = x as u32;
    whole.saturating_add(u32::from(x > whole as f64))
}

/// Where the parallel of a vertex lies on the grid.
#[derive(Debug, Clone, Copy)]
pub struct Parallel {
    /// Its row, unrounded; off the grid beyond the Mercator square.
    y: f64,
    /// The first row south of it; 2³² below the grid.
    pub south: u64,
}

impl Parallel {
    /// The parallel of a latitude in degrees.
    pub fn at(lat: f64) -> Self {
        // Twice as fast as by tangent and inverse hyperbolic sine, and as close as need be.
        let sin = lat.to_radians().sin();
        let mercator = 0.5 * ((1.0 + sin) / (1.0 - sin)).ln();
        let y = (1.0 - mercator / PI) / 2.0 * GRID_SIDE;
        let row = y as u32;
        let below_row = y - row as f64;
        // Where rounding cannot move it over a row, the next one need not be looked for.
        let south = if ROW_ROUNDING < below_row && below_row < 1.0 - ROW_ROUNDING {
            row as u64 + 1
        } else {
            first_row_south_of(lat)
        };
        Self { y, south }
    }

    /// The parallel at the end of an edge that begins on this one.
    pub fn next(self, [a, b]: Edge) -> Self {
        if a[1] == b[1] { self } else { Self::at(b[1]) }
    }

    /// The only row that may have this very latitude, if there is one.
    pub fn nearest_row(self) -> Option<u32> {
        let row = self.south.checked_sub(1)?;
        (self.y - row as f64 <= ROW_ROUNDING).then_some(row as u32)
    }

    fn is_on_grid(self) -> bool {
        (0.0..GRID_SIDE).contains(&self.y)
    }
}

/// Makes a mask of 64 flags, each 0 or 1: the product moves bit 0 of byte `i` to bit 56 + `i`.
pub fn packed(flags: &[u8; 64]) -> u64 {
    let (eights, _) = flags.as_chunks::<8>();
    eights.iter().enumerate().fold(0, |mask, (i, &eight)| {
        let bits = u64::from_le_bytes(eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask | bits << (8 * i)
    })
}

/// Cuts an edge that is met `turn` degrees further east than the grid's longitudes, given the
/// parallels of its ends. The pieces come in the direction of the edge; there are none if it
/// passes between rows.
pub fn cut(
    edge: Edge,
    turn: f64,
    ends: [Parallel; 2],
    number: u32,
) -> impl Iterator<Item = Piece> + use<> {
    let curve = Curve::new(edge, turn);
    let rows = ends.map(|end| end.south);
    let (north, south) = (rows[0].min(rows[1]), rows[0].max(rows[1]));
    let count = curve.piece_count(north, south);
    (0..count).map(move |at| {
        let part = if rows[0] < rows[1] {
            at
        } else {
            count - 1 - at
        };
        let first_row = |part| (north + (south - north) * part / count) as u32;
        let last_row = (north + (south - north) * (part + 1) / count - 1) as u32;
        let whole = (count == 1).then(|| curve.whole(ends, first_row(0), last_row, number));
        whole
            .flatten()
            .unwrap_or_else(|| curve.piece(first_row(part), last_row, number))
    })
}

/// An edge as a curve on the grid: how its column changes with the latitude of the row.
struct Curve {
    lat: f64,
    /// Columns where it begins, at `lat`, and ends.
    x: f64,
    last_x: f64,
    columns_per_degree: f64,
}

impl Curve {
    fn new([a, b]: Edge, turn: f64) -> Self {
        let x = |lon| x_of_lon(lon) - turn / 360.0 * GRID_SIDE;
        Self {
            lat: a[1],
            x: x(a[0]),
            last_x: x(b[0]),
            columns_per_degree: (x_of_lon(b[0]) - x_of_lon(a[0])) / (b[1] - a[1]),
        }
    }

    /// The curve's column on a row that the edge crosses.
    fn x_at(&self, row: u32) -> f64 {
        self.x + (lat_of_y(row) - self.lat) * self.columns_per_degree
    }

    /// Bounds how many columns the curve and its chord between two rows part by.
    fn sagitta(&self, first_row: u32, last_row: u32) -> f64 {
        self.columns_per_degree.abs() * sagitta_deg(first_row, last_row)
    }

    /// Into how many pieces to cut the curve on the rows from `north` to before `south`.
    fn piece_count(&self, north: u64, south: u64) -> u64 {
        if north == south {
            return 0;
        }
        let sagitta = self.sagitta(north as u32, (south - 1) as u32);
        // The sagitta falls with the square of the number of pieces.
        let wanted = (sagitta / MAX_SAGITTA).sqrt().ceil() as u64;
        wanted.clamp(1, MAX_PIECES.min(south - north))
    }

    /// The piece that is the whole edge, by the chord between its ends, which takes no latitudes
    /// of rows; none where the ends are too close, or off the grid.
    fn whole(
        &self,
        ends: [Parallel; 2],
        first_row: u32,
        last_row: u32,
        edge: u32,
    ) -> Option<Piece> {
        let [a, b] = ends;
        if !a.is_on_grid() || !b.is_on_grid() || last_row - first_row < MIN_WHOLE_ROWS {
            return None;
        }
        let slope = (self.last_x - self.x) / (b.y - a.y);
        let x = self.x + (first_row as f64 - a.y) * slope;
        // The ends lie up to a row beyond the first and the last.
        let sagitta = self.sagitta(first_row.saturating_sub(1), last_row.saturating_add(1));
        Some(Piece::new([first_row, last_row], x, slope, sagitta, edge))
    }

    fn piece(&self, first_row: u32, last_row: u32, edge: u32) -> Piece {
        let (x, last_x) = (self.x_at(first_row), self.x_at(last_row));
        let slope = (last_x - x) / (last_row - first_row).max(1) as f64;
        let sagitta = self.sagitta(first_row, last_row);
        Piece::new([first_row, last_row], x, slope, sagitta, edge)
    }
}

/// Bounds how far latitude strays from linear between two rows, in degrees: by Δm²/8 times the
/// largest second derivative of the latitude by the Mercator ordinate m, |sech m · tanh m| ≤ ½.
fn sagitta_deg(first_row: u32, last_row: u32) -> f64 {
    let height = (last_row - first_row) as f64 / GRID_SIDE * TAU;
    (height * height / 8.0 * 0.5).to_degrees()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50_000))]

        /// On rows, beside them, and anywhere.
        #[test]
        fn parallels_lie_between_their_rows(lat in -90.0..=90.0f64, row: u32, nudge in -3i64..=3, on_row: bool) {
            let nudged = f64::from_bits(lat_of_y(row).to_bits().wrapping_add_signed(nudge));
            let lat = if on_row { nudged } else { lat };
            let parallel = Parallel::at(lat);
            prop_assert_eq!(parallel.south, first_row_south_of(lat));
            if let Some(row) = parallel.south.checked_sub(1).filter(|&row| lat_of_y(row as u32) == lat) {
                prop_assert_eq!(parallel.nearest_row(), Some(row as u32));
            }
        }

        #[test]
        fn flags_become_bits(mask: u64) {
            let flags = std::array::from_fn(|bit| (mask >> bit & 1) as u8);
            prop_assert_eq!(packed(&flags), mask);
        }
    }
}
