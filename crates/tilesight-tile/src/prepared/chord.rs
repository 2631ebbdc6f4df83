//! Edges as chords over the rows of a box, and up to 64 positions on either side of them.
//!
//! An edge is straight in degrees. Columns are linear in longitude, rows are not in latitude, so
//! on the grid the edge is a slight curve. Over the rows of a box a straight chord stands for it,
//! with a band that is sure to hold the edge: beside the band single precision decides, where that
//! is too coarse double precision, and in what is left of the band the exact predicate.

use super::edge_tree::{EdgeAt, EdgeTree};
use super::frame::{Frame, RowScale};
use crate::bbox::first_row_south_of;
use crate::grid::{GRID_SIDE, lat_of_y, lon_of_x};
use crate::predicates::{Edge, Ray};
use crate::{GridBox, GridPoint};

/// How many positions there are at most.
pub const POSITIONS: usize = 64;

/// Positions are judged so many at a time.
const LANES: usize = 8;

/// Part of its terms by which a column in single precision is certainly wrong by less.
const ROUNDING: f64 = 1.0 / (1 << 21) as f64;

/// Covers what rounding does to the columns of vertices.
const COLUMN_ROUNDING: f64 = 1.0 / 64.0;

const COLUMNS_PER_DEGREE: f64 = GRID_SIDE / 360.0;

/// Positions of a box, and which of them see an odd number of edges to the west.
pub struct Block<'a> {
    bounds: GridBox,
    xs: &'a [u32],
    ys: &'a [u32],
    west: f64,
    scale: RowScale,
    width: f64,
    height: f64,
    /// Columns and rows from the box's first on. Positions on edges are moved to where no edge is:
    /// they are inside whatever else there is.
    columns: [f32; POSITIONS],
    rows: [f32; POSITIONS],
    /// All bits of a word, or none.
    odd: [u32; POSITIONS],
    /// The positions on edges of any polygon.
    on: u64,
}

/// What stands for an edge: on the rows between `first` and `last`, `slack` rows from either, the
/// column `x + row · slope`, give or take `band`.
#[derive(Debug, Clone, Copy)]
struct Chord<T> {
    x: T,
    slope: T,
    band: T,
    first: T,
    last: T,
    slack: T,
    /// Nothing of the edge is to the west of this column.
    west: T,
}

impl<'a> Block<'a> {
    /// Up to [`POSITIONS`] positions of a box. Of others the answer is meaningless.
    pub fn new(frame: &Frame, xs: &'a [u32], ys: &'a [u32]) -> Self {
        let bounds = frame.bounds;
        // Places without a position are to the west of everything.
        let mut columns = [f32::NEG_INFINITY; POSITIONS];
        let mut rows = [f32::NEG_INFINITY; POSITIONS];
        for (column, &x) in columns.iter_mut().zip(xs) {
            *column = x.wrapping_sub(bounds.min_x) as f32;
        }
        for (row, &y) in rows.iter_mut().zip(ys) {
            *row = y.wrapping_sub(bounds.min_y) as f32;
        }
        Self {
            bounds,
            xs,
            ys,
            west: lon_of_x(bounds.min_x),
            scale: RowScale::new(frame),
            width: (bounds.max_x - bounds.min_x) as f64,
            height: (bounds.max_y - bounds.min_y) as f64,
            columns,
            rows,
            odd: [0; POSITIONS],
            on: 0,
        }
    }

    /// Begins a polygon, with or without something to the west of all positions.
    pub fn begin(&mut self, odd: bool) {
        self.odd = [word(odd); POSITIONS];
    }

    /// Crosses something to the west of those positions that are south of a latitude.
    pub fn cross_south_of(&mut self, lat: f64) {
        let row = self.scale.row_of(lat) as f32;
        let slack = (self.scale.slack + ROUNDING * self.height) as f32;
        let mut doubtful = [0; LANES];
        for at in (0..self.xs.len()).step_by(LANES) {
            let (_, rows, odd) = lanes(&self.columns, &self.rows, &mut self.odd, at);
            for lane in 0..LANES {
                let south_by = rows[lane] - row;
                odd[lane] ^= word(south_by > slack);
                doubtful[lane] |= word(south_by.abs() <= slack);
            }
        }
        if doubtful != [0; LANES] {
            let first = first_row_south_of(lat);
            for (bit, &y) in self.ys.iter().enumerate() {
                let is_doubtful = (self.rows[bit] - row).abs() <= slack;
                self.odd[bit] ^= word(is_doubtful && y as u64 >= first);
            }
        }
    }

    /// The same for many latitudes, which ascend: positions look themselves up among them.
    pub fn cross_south_of_each(&mut self, latitudes: &[f64]) {
        for (odd, &y) in self.odd.iter_mut().zip(self.ys) {
            let lat = lat_of_y(y);
            let further_south = latitudes.partition_point(|&other| other <= lat);
            *odd ^= word((latitudes.len() - further_south) % 2 == 1);
        }
    }

    /// Crosses edges along meridians past all rows, which ascend.
    pub fn cross_meridians(&mut self, meridians: &[f64]) {
        if meridians.is_empty() {
            return;
        }
        for (bit, &x) in self.xs.iter().enumerate() {
            let lon = lon_of_x(x);
            let to_the_west = meridians.partition_point(|&other| other < lon);
            self.odd[bit] ^= word(to_the_west % 2 == 1);
            if meridians.get(to_the_west) == Some(&lon) {
                self.put_on_an_edge(bit);
            }
        }
    }

    /// Crosses an edge, of which the ends are given too, where it is to the west.
    pub fn cross_edge(&mut self, tree: &EdgeTree, at: EdgeAt, ends: Edge) {
        let exact = self.chord(ends);
        let chord = self.single(&exact);
        let height = self.height as f32;
        let is_through = chord.first + chord.slack < 0.0 && chord.last - chord.slack > height;
        let is_doubtful = if is_through {
            self.cross_through(&chord)
        } else {
            self.cross_chord(&chord)
        };
        if is_doubtful {
            self.cross_doubtful(&chord, &exact, tree, at);
        }
    }

    /// The bits of the positions inside.
    pub fn inside(&self) -> u64 {
        let odd = self.odd[..self.xs.len()].iter().enumerate();
        odd.fold(self.on, |mask, (bit, &odd)| {
            mask | u64::from(odd & 1) << bit
        })
    }

    fn chord(&self, [a, b]: Edge) -> Chord<f64> {
        let x = |lon: f64| (lon - self.west) * COLUMNS_PER_DEGREE;
        let [(ax, ay), (bx, by)] = [a, b].map(|[lon, lat]| (x(lon), self.scale.row_of(lat)));
        let slope = (bx - ax) / (by - ay);
        Chord {
            x: ax - ay * slope,
            slope,
            band: slope.abs() * self.scale.slack + COLUMN_ROUNDING,
            first: if ay < by { ay } else { by },
            last: if ay < by { by } else { ay },
            slack: self.scale.slack,
            west: if ax < bx { ax } else { bx } - COLUMN_ROUNDING,
        }
    }

    /// The chord in single precision, with a wider band for that.
    fn single(&self, chord: &Chord<f64>) -> Chord<f32> {
        let terms = chord.x.abs() + chord.slope.abs() * self.height + self.width;
        let band = (chord.band + ROUNDING * terms) as f32;
        let is_decisive = band < f32::MAX;
        Chord {
            x: if is_decisive { chord.x as f32 } else { 0.0 },
            slope: if is_decisive { chord.slope as f32 } else { 0.0 },
            // All but horizontal: every position on its rows is in doubt.
            band: if is_decisive { band } else { f32::INFINITY },
            first: chord.first as f32,
            last: chord.last as f32,
            slack: (chord.slack + ROUNDING * self.height) as f32,
            west: (chord.west - ROUNDING * (chord.west.abs() + self.width)) as f32,
        }
    }

    /// Crosses a chord that ends on no row of the box; tells whether a position is in its band.
    fn cross_through(&mut self, chord: &Chord<f32>) -> bool {
        let mut doubtful = [0; LANES];
        for at in (0..self.xs.len()).step_by(LANES) {
            let (columns, rows, odd) = lanes(&self.columns, &self.rows, &mut self.odd, at);
            for lane in 0..LANES {
                let east_by = columns[lane] - (chord.x + rows[lane] * chord.slope);
                odd[lane] ^= word(east_by > chord.band);
                doubtful[lane] |= word(east_by.abs() <= chord.band);
            }
        }
        doubtful != [0; LANES]
    }

    /// Crosses any chord; tells whether a position is in its band or on the rows of its ends.
    fn cross_chord(&mut self, chord: &Chord<f32>) -> bool {
        let (first, last) = (chord.first + chord.slack, chord.last - chord.slack);
        let (before, beyond) = (chord.first - chord.slack, chord.last + chord.slack);
        let mut doubtful = [0; LANES];
        for at in (0..self.xs.len()).step_by(LANES) {
            let (columns, rows, odd) = lanes(&self.columns, &self.rows, &mut self.odd, at);
            for lane in 0..LANES {
                let (column, row) = (columns[lane], rows[lane]);
                let east_by = column - (chord.x + row * chord.slope);
                let between = word(row > first) & word(row < last);
                let near_rows = word(row >= before) & word(row <= beyond);
                let at_end = !between & near_rows & word(column >= chord.west);
                odd[lane] ^= between & word(east_by > chord.band);
                doubtful[lane] |= (between & word(east_by.abs() <= chord.band)) | at_end;
            }
        }
        doubtful != [0; LANES]
    }

    /// Crosses an edge for those positions that its chord in single precision does not decide.
    #[cold]
    fn cross_doubtful(
        &mut self,
        single: &Chord<f32>,
        chord: &Chord<f64>,
        tree: &EdgeTree,
        at: EdgeAt,
    ) {
        for (bit, (&x, &y)) in self.xs.iter().zip(self.ys).enumerate() {
            if !single.is_doubtful(self.columns[bit], self.rows[bit]) {
                continue;
            }
            let column = x.wrapping_sub(self.bounds.min_x) as f64;
            let row = y.wrapping_sub(self.bounds.min_y) as f64;
            let ray = chord.decide(column, row);
            match ray.unwrap_or_else(|| tree.cast_ray(at, GridPoint { x, y })) {
                Ray::Misses => {}
                Ray::Crosses => self.odd[bit] = !self.odd[bit],
                Ray::Starts => self.put_on_an_edge(bit),
            }
        }
    }

    fn put_on_an_edge(&mut self, bit: usize) {
        self.on |= 1 << bit;
        self.columns[bit] = f32::NEG_INFINITY;
    }
}

impl Chord<f32> {
    /// Whether a position is left undecided.
    fn is_doubtful(&self, column: f32, row: f32) -> bool {
        if row > self.first + self.slack && row < self.last - self.slack {
            let east_by = column - (self.x + row * self.slope);
            return east_by.abs() <= self.band;
        }
        row >= self.first - self.slack && row <= self.last + self.slack && column >= self.west
    }
}

impl Chord<f64> {
    /// What a ray from a position does at the edge, where the chord tells.
    fn decide(&self, column: f64, row: f64) -> Option<Ray> {
        let is_beyond = row < self.first - self.slack || row > self.last + self.slack;
        if is_beyond || column < self.west {
            return Some(Ray::Misses);
        }
        let is_between = row > self.first + self.slack && row < self.last - self.slack;
        let east_by = column - (self.x + row * self.slope);
        if is_between && east_by > self.band {
            Some(Ray::Crosses)
        } else if is_between && east_by < -self.band {
            Some(Ray::Misses)
        } else {
            None
        }
    }
}

/// The columns, rows and parities of some positions.
fn lanes<'a>(
    columns: &'a [f32; POSITIONS],
    rows: &'a [f32; POSITIONS],
    odd: &'a mut [u32; POSITIONS],
    at: usize,
) -> (&'a [f32; LANES], &'a [f32; LANES], &'a mut [u32; LANES]) {
    let lanes = at / LANES;
    (
        &columns.as_chunks().0[lanes],
        &rows.as_chunks().0[lanes],
        &mut odd.as_chunks_mut().0[lanes],
    )
}

/// All bits, or none: what comparisons of many numbers at a time make.
fn word(is: bool) -> u32 {
    u32::from(is).wrapping_neg()
}
