//! Where decoded geometry is kept: a position for every row, and the parts of lines and polygons.

use crate::budget::{Budget, Exhausted};
use crate::geometry::{GeometryType, Needs};

/// Positions of all rows, types and vertices of those that are not points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shapes {
    pub x: Vec<u32>,
    pub y: Vec<u32>,
    pub lines: Lines,
}

/// The vertices of lines and rings, in three levels: rows have parts, parts have vertices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Shorter than the rows when points follow.
    types: Vec<GeometryType>,
    /// For each row the number of parts up to its end; as long as `types`.
    row_ends: Vec<u32>,
    /// For each part the number of vertices up to its end.
    part_ends: Vec<u32>,
    x: Vec<u32>,
    y: Vec<u32>,
}

/// A line, or a ring without a repeated first vertex, in grid units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Counted from the western edge of the world.
    pub x: &'a [u32],
    /// Counted from the northern edge of the world, as long as `x`.
    pub y: &'a [u32],
}

impl Lines {
    /// The parts of a row, in the order of the tile; none for a point.
    pub fn parts(&self, row: usize) -> impl ExactSizeIterator<Item = Part<'_>> {
        let start = row.checked_sub(1).map_or(0, |before| self.row_end(before));
        (start..self.row_end(row)).map(|part| self.part(part))
    }

    pub(crate) fn geometry_type(&self, row: usize) -> GeometryType {
        self.types.get(row).copied().unwrap_or(GeometryType::Point)
    }

    /// The vertices of all parts of all rows.
    pub fn vertex_count(&self) -> usize {
        self.x.len()
    }

    /// The number of parts of all rows.
    pub fn part_count(&self) -> usize {
        self.part_ends.len()
    }

    fn part(&self, part: usize) -> Part<'_> {
        let start = part
            .checked_sub(1)
            .map_or(0, |before| self.part_ends[before] as usize);
        let end = self.part_ends[part] as usize;
        Part {
            x: &self.x[start..end],
            y: &self.y[start..end],
        }
    }

    fn row_end(&self, row: usize) -> usize {
        self.row_ends
            .get(row)
            .map_or(self.part_ends.len(), |&end| end as usize)
    }
}

/// The end of the rows before a feature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    rows: usize,
    parts: usize,
    vertices: usize,
}

impl Shapes {
    pub(crate) fn clear(&mut self) {
        self.truncate(&Mark {
            rows: 0,
            parts: 0,
            vertices: 0,
        });
        self.lines.types.clear();
        self.lines.row_ends.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.x.len()
    }

    pub(crate) fn byte_len(&self) -> usize {
        let Lines {
            types,
            row_ends,
            part_ends,
            x,
            y,
        } = &self.lines;
        let words = [&self.x, &self.y, row_ends, part_ends, x, y];
        words
            .iter()
            .map(|words| size_of_val(&words[..]))
            .sum::<usize>()
            + size_of_val(&types[..])
    }

    pub(crate) fn reserve(&mut self, needs: Needs, budget: &mut Budget) -> Result<(), Exhausted> {
        budget.reserve(&mut self.x, needs.rows)?;
        budget.reserve(&mut self.y, needs.rows)?;
        if needs.parts > 0 {
            budget.reserve(&mut self.lines.types, needs.rows)?;
            budget.reserve(&mut self.lines.row_ends, needs.rows)?;
        }
        budget.reserve(&mut self.lines.part_ends, needs.parts)?;
        budget.reserve(&mut self.lines.x, needs.vertices)?;
        budget.reserve(&mut self.lines.y, needs.vertices)
    }

    #[inline]
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            rows: self.x.len(),
            parts: self.lines.part_ends.len(),
            vertices: self.lines.x.len(),
        }
    }

    pub(crate) fn rows_since(&self, mark: &Mark) -> usize {
        self.x.len() - mark.rows
    }

    /// Takes back what was pushed since the mark.
    #[cold]
    pub(crate) fn truncate(&mut self, mark: &Mark) {
        self.x.truncate(mark.rows);
        self.y.truncate(mark.rows);
        self.lines.part_ends.truncate(mark.parts);
        self.lines.x.truncate(mark.vertices);
        self.lines.y.truncate(mark.vertices);
    }

    /// Appends a row.
    #[inline]
    pub(crate) fn push_point(&mut self, x: u32, y: u32) {
        self.x.push(x);
        self.y.push(y);
    }

    #[inline]
    pub(crate) fn push_vertex(&mut self, x: u32, y: u32) {
        self.lines.x.push(x);
        self.lines.y.push(y);
    }

    pub(crate) fn end_part(&mut self) {
        self.lines.part_ends.push(self.lines.x.len() as u32);
    }

    /// Makes a row of the parts since the mark; its position is the first vertex.
    pub(crate) fn end_row(&mut self, mark: &Mark, geometry_type: GeometryType) {
        // The rows between the last one with parts and this one are points.
        self.lines.types.resize(self.x.len(), GeometryType::Point);
        self.lines.types.push(geometry_type);
        self.lines.row_ends.resize(self.x.len(), mark.parts as u32);
        self.lines.row_ends.push(self.lines.part_ends.len() as u32);
        self.x.push(self.lines.x[mark.vertices]);
        self.y.push(self.lines.y[mark.vertices]);
    }
}
