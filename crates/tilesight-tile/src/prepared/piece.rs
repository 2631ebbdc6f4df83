//! Pieces: edges cut until a straight line on the grid stands for them.
//!
//! An edge is straight in degrees. Columns are linear in longitude, rows are not in latitude, so
//! on the grid the edge is a slight curve. A piece is a part of it, over a range of whole rows,
//! with the chord through its ends and a bound on how far the two part.

use std::f64::consts::TAU;

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
            min_x: west.floor() as u32,
            min_y: self.first_row,
            max_x: east.ceil() as u32,
            max_y: self.last_row,
        }
    }

    /// Classifies up to 64 positions at once: the bits of those on the piece's rows and east of
    /// its band, and of those in its band.
    pub fn east_and_doubtful(&self, xs: &[u32], ys: &[u32]) -> (u64, u64) {
        let band = self.band as f64;
        let rows = self.last_row - self.first_row;
        let (mut east, mut doubtful) = (0, 0);
        for (bit, (&x, &y)) in xs.iter().zip(ys).enumerate() {
            let row = y.wrapping_sub(self.first_row);
            let on_rows = u64::from(row <= rows);
            let east_by = x as f64 - (self.x + row as f64 * self.slope);
            east |= (on_rows & u64::from(east_by > band)) << bit;
            doubtful |= (on_rows & u64::from(east_by.abs() <= band)) << bit;
        }
        (east, doubtful)
    }

    fn columns(&self, first_row: u32, last_row: u32) -> (f64, f64) {
        let (a, b) = (self.x_at(first_row), self.x_at(last_row));
        let band = self.band as f64;
        (a.min(b) - band, a.max(b) + band)
    }
}

/// Cuts an edge that is met `turn` degrees further east than the grid's longitudes; `rows` are
/// the [first rows south of](crate::bbox::first_row_south_of) its ends. The pieces come in the
/// direction of the edge; there are none if it passes between rows.
pub fn cut(
    edge: Edge,
    turn: f64,
    rows: [u64; 2],
    number: u32,
) -> impl Iterator<Item = Piece> + use<> {
    let curve = Curve::new(edge, turn);
    let (north, south) = (rows[0].min(rows[1]), rows[0].max(rows[1]));
    let count = curve.piece_count(north, south);
    (0..count).map(move |at| {
        let part = if rows[0] < rows[1] {
            at
        } else {
            count - 1 - at
        };
        let first_row = |part| north + (south - north) * part / count;
        curve.piece(
            first_row(part) as u32,
            (first_row(part + 1) - 1) as u32,
            number,
        )
    })
}

/// An edge as a curve on the grid: how its column changes with the latitude of the row.
struct Curve {
    lat: f64,
    /// Column where the latitude is `lat`.
    x: f64,
    columns_per_degree: f64,
}

impl Curve {
    fn new([a, b]: Edge, turn: f64) -> Self {
        Self {
            lat: a[1],
            x: x_of_lon(a[0]) - turn / 360.0 * GRID_SIDE,
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

    fn piece(&self, first_row: u32, last_row: u32, edge: u32) -> Piece {
        let (x, last_x) = (self.x_at(first_row), self.x_at(last_row));
        let slope = (last_x - x) / (last_row - first_row).max(1) as f64;
        let sagitta = self.sagitta(first_row, last_row);
        let band = sagitta + ROW_ROUNDING * slope.abs() + ROUNDING;
        Piece {
            first_row,
            last_row,
            x,
            slope,
            band: (band as f32).next_up(),
            edge,
        }
    }
}

/// Bounds how far latitude strays from linear between two rows, in degrees: by Δm²/8 times the
/// largest second derivative of the latitude by the Mercator ordinate m, |sech m · tanh m| ≤ ½.
fn sagitta_deg(first_row: u32, last_row: u32) -> f64 {
    let height = (last_row - first_row) as f64 / GRID_SIDE * TAU;
    (height * height / 8.0 * 0.5).to_degrees()
}
