//! Chains: one ring as pieces in order, under a tree of boxes.

use std::ops::Range;

use super::box_tree::{BoxTree, union};
use super::piece::{Parallel, Piece, cut};
use crate::bbox::first_where;
use crate::grid::{lat_of_y, lon_of_x, x_of_lon};
use crate::predicates::{Edge, Ray, Side, side_of};
use crate::region::Ring;
use crate::{GridBox, GridPoint};

/// A ring as met on one turn of the globe.
///
/// Consecutive pieces share the row at which one ends and the next begins. So a run of pieces all
/// to the west of a box is crossed by the box's rows as one edge from the run's beginning to its
/// end would be, whatever it does between, and a node of the tree is skipped in constant time.
#[derive(Debug, Clone)]
pub struct Chain {
    ring: Ring,
    turn: f64,
    pieces: Vec<Piece>,
    /// The row at which each piece begins, in the direction of the ring, and the last one ends;
    /// 2³² below the grid.
    starts: Vec<u64>,
    tree: BoxTree,
    /// Grid positions on vertices and on horizontal edges, which no piece crosses.
    touched: BoxTree,
}

impl Chain {
    /// Draws all edges in one pass: memory that is looked at again and again would take longer than
    /// what is computed.
    pub fn new(ring: &Ring, turn: f64) -> Self {
        let edges = ring.vertices().len() - 1;
        let mut pieces = Vec::with_capacity(edges);
        let mut boxes = Vec::with_capacity(edges);
        let mut starts = Vec::with_capacity(edges + 1);
        let mut touched_boxes = Vec::new();
        let mut end = 0;
        let mut from = Parallel::at(ring.vertices()[0][1]);
        for (at, edge) in ring.edges().enumerate() {
            let to = from.next(edge);
            for piece in cut(edge, turn, [from, to], at as u32) {
                let rows = [piece.first_row as u64, piece.last_row as u64 + 1];
                let southward = from.south < to.south;
                starts.push(rows[usize::from(!southward)]);
                end = rows[usize::from(southward)];
                boxes.push(piece.bounds());
                pieces.push(piece);
            }
            touched_boxes.extend(touched(edge, from, turn));
            from = to;
        }
        if !pieces.is_empty() {
            starts.push(end);
        }
        Self {
            ring: ring.clone(),
            turn,
            pieces,
            starts,
            tree: BoxTree::new(boxes),
            touched: BoxTree::new(touched_boxes),
        }
    }

    /// The box around the grid positions on or in the ring; none if there can be none.
    pub fn bounds(&self) -> Option<GridBox> {
        let boxes = [self.tree.bounds(), self.touched.bounds()];
        let boxes: Vec<_> = boxes.into_iter().flatten().collect();
        (!boxes.is_empty()).then(|| union(&boxes))
    }

    /// Follows a ray from a position due west: whether it crosses the ring an odd number of
    /// times, or starts on it.
    pub fn cast_ray(&self, point: GridPoint) -> Ray {
        let at = GridBox::at(point);
        let (mut starts, mut crosses) = (false, false);
        self.search_touched(&at, |_| starts = true);
        self.visit(&at, |met| {
            let side = match met {
                Met::West { rows } if rows.contains(&(point.y as u64)) => Side::East,
                Met::West { .. } => Side::West,
                Met::Near(piece) => self.side_of(piece, point),
            };
            starts |= side == Side::On;
            crosses ^= side == Side::East;
            Next::GoOn
        });
        match (starts, crosses) {
            (true, _) => Ray::Starts,
            (false, true) => Ray::Crosses,
            (false, false) => Ray::Misses,
        }
    }

    /// Calls `meet` with all that decides for the positions of a box how often a ray due west
    /// crosses the ring (what the ring does to the east of the box, or on other rows, does not),
    /// until it says to stop.
    pub fn visit<'a>(&'a self, bounds: &GridBox, mut meet: impl FnMut(Met<'a>) -> Next) {
        let mut next = Next::GoOn;
        self.tree.walk(|node, items| {
            if next == Next::Stop
                || node.max_y < bounds.min_y
                || node.min_y > bounds.max_y
                || node.min_x > bounds.max_x
            {
                return false;
            }
            let side = if node.max_x < bounds.min_x {
                Side::West
            } else if items.len() > 1 {
                return true;
            } else {
                self.pieces[items.start].lies_of(bounds)
            };
            match side {
                Side::West => {
                    let (a, b) = (self.starts[items.start], self.starts[items.end]);
                    let rows = a.min(b)..a.max(b);
                    next = meet(Met::West { rows });
                }
                Side::On => next = meet(Met::Near(&self.pieces[items.start])),
                Side::East => {}
            }
            false
        });
    }

    /// Calls `meet` with the boxes, one row high, of positions on the ring that no piece crosses.
    pub fn search_touched(&self, bounds: &GridBox, mut meet: impl FnMut(&GridBox)) {
        self.touched.search(bounds, |touched, _| meet(touched));
    }

    /// Tells on which side of a piece's edge a position on the piece's rows lies, exactly.
    pub fn side_of(&self, piece: &Piece, point: GridPoint) -> Side {
        match piece.side_of(point) {
            Side::On => {
                let at = point.to_lon_lat();
                let edge = self.edge(piece.edge as usize);
                side_of(edge, [at.lon() + self.turn, at.lat()])
            }
            side => side,
        }
    }

    fn edge(&self, at: usize) -> Edge {
        let vertices = self.ring.vertices();
        [vertices[at], vertices[at + 1]]
    }
}

/// What a box's positions see of a ring.
pub enum Met<'a> {
    /// Parts of the ring to the west of the box, which amount to one crossing on each of `rows`.
    West { rows: Range<u64> },
    /// A piece that may touch the box.
    Near(&'a Piece),
}

/// Whether to go on with a visit.
#[derive(Clone, Copy, PartialEq)]
pub enum Next {
    GoOn,
    Stop,
}

/// Finds the grid positions that are the first vertex of an edge or, where it is horizontal, lie on
/// it; `parallel` is that of the vertex.
fn touched([a, b]: Edge, parallel: Parallel, turn: f64) -> Option<GridBox> {
    let row = parallel
        .nearest_row()
        .filter(|&row| lat_of_y(row) == a[1])?;
    let end = if a[1] == b[1] { b[0] } else { a[0] };
    let (west, east) = (a[0].min(end), a[0].max(end));
    let lon = |x| lon_of_x(x) + turn;
    let min_x = first_where(x_of_lon(west - turn), |x| lon(x) >= west)?;
    let max_x = match first_where(x_of_lon(east - turn), |x| lon(x) > east) {
        Some(beyond) => beyond.checked_sub(1)?,
        None => u32::MAX,
    };
    (min_x <= max_x).then_some(GridBox {
        min_x,
        min_y: row,
        max_x,
        max_y: row,
    })
}
