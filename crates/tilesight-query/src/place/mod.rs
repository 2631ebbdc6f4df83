//! Places as shapes, and the questions that any table of positions answers about them.

mod bbox;
mod circle;
mod line;
mod prepared;
mod region;

pub(crate) use bbox::BoxShape;
pub(crate) use circle::Circle;
pub(crate) use line::{LineBox, LineShape, distance_to_segment_m};
pub(crate) use prepared::PreparedPlace;
pub(crate) use region::RegionShape;

use tilesight_tile::{GridBox, GridPoint};

use crate::answer::{Answer, RowSet};
use crate::error::Error;
use crate::index::{
    Anywhere, PackedTree, Points, RowAt, RowFilter, Shape, Sink, Summary, Target, nearest, rank,
    rank_within, search,
};

/// Positions and the tree over them.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a, S> {
    pub(crate) points: Points<'a>,
    pub(crate) tree: &'a PackedTree<S>,
}

/// Where to look for the rows that may pass a filter.
pub(crate) enum Candidates {
    /// In the tree.
    All,
    /// Among these rows, which ascend: few, found by their ids or sequences.
    Rows(Vec<u32>),
}

impl<S: Summary> Table<'_, S> {
    /// Finds the rows in a place that pass a filter. Of a looking-at place, those in its circle.
    pub(crate) fn find(
        &self,
        place: &PreparedPlace<'_>,
        filter: &impl RowFilter<S>,
        candidates: &Candidates,
    ) -> Result<Answer, Error> {
        Ok(match place {
            PreparedPlace::Circle { circle, .. } => {
                let places = self.within(circle, filter, candidates)?;
                Answer::ranked(circle.target(), places, false)
            }
            PreparedPlace::Nearest {
                target,
                k,
                radius_m,
            } => {
                let places = self.nearest(target, *k, *radius_m, filter, candidates)?;
                Answer::ranked(target, places, false)
            }
            _ => {
                let mut rows = RowSet::default();
                self.visit(place, filter, candidates, &mut rows)?;
                Answer::Rows(rows)
            }
        })
    }

    /// Hands the rows in a place to a sink, ascending; none of the k nearest, which have no
    /// shape.
    pub(crate) fn visit(
        &self,
        place: &PreparedPlace<'_>,
        filter: &impl RowFilter<S>,
        candidates: &Candidates,
        sink: &mut impl Sink,
    ) -> Result<(), Error> {
        match place {
            PreparedPlace::Everywhere => self.visit_shape(&Anywhere, filter, candidates, sink),
            PreparedPlace::Bbox { shape, .. } => self.visit_shape(shape, filter, candidates, sink),
            PreparedPlace::Region { shape, .. } => {
                self.visit_shape(shape, filter, candidates, sink)
            }
            PreparedPlace::Circle { circle, .. } => {
                self.visit_shape(circle, filter, candidates, sink)
            }
            PreparedPlace::Nearest { .. } => Ok(()),
        }
    }

    fn visit_shape(
        &self,
        shape: &impl Shape,
        filter: &impl RowFilter<S>,
        candidates: &Candidates,
        sink: &mut impl Sink,
    ) -> Result<(), Error> {
        match candidates {
            Candidates::All => search(self.tree, self.points, shape, filter, sink),
            Candidates::Rows(rows) => {
                for &row in rows {
                    self.points.touch(row as usize..row as usize + 1)?;
                    if self.contains(shape, row) && passes(filter, row) {
                        sink.range(row..row + 1);
                    }
                }
                Ok(())
            }
        }
    }

    fn contains(&self, shape: &impl Shape, row: u32) -> bool {
        let GridPoint { x, y } = self.points.at(row);
        let bounds = GridBox {
            min_x: x,
            min_y: y,
            max_x: x,
            max_y: y,
        };
        shape.mask(&bounds, &[x], &[y]) == 1
    }

    /// Finds the rows in a circle that pass a filter, nearest first.
    pub(crate) fn within(
        &self,
        circle: &Circle,
        filter: &impl RowFilter<S>,
        candidates: &Candidates,
    ) -> Result<Vec<RowAt>, Error> {
        let mut rows = RowSet::default();
        self.visit_shape(circle, filter, candidates, &mut rows)?;
        rows.touch(self.points.table)?;
        Ok(rank(circle.target(), self.points, rows.iter()))
    }

    fn nearest(
        &self,
        target: &Target,
        k: usize,
        radius_m: f64,
        filter: &impl RowFilter<S>,
        candidates: &Candidates,
    ) -> Result<Vec<RowAt>, Error> {
        match candidates {
            Candidates::All => nearest(self.tree, self.points, target, k, radius_m, filter),
            Candidates::Rows(rows) => {
                for &row in rows {
                    self.points.touch(row as usize..row as usize + 1)?;
                }
                let passing = rows.iter().copied().filter(|&row| passes(filter, row));
                Ok(rank_within(target, self.points, passing, radius_m, k))
            }
        }
    }
}

fn passes<S>(filter: &impl RowFilter<S>, row: u32) -> bool {
    filter.mask(row as usize..row as usize + 1) == 1
}
