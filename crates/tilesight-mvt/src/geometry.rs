//! The command stream of a feature, in the order of section 4.3 of the specification.

use crate::error::FeatureBreach;
use crate::frame::Projection;
use crate::shapes::Shapes;
use crate::wire::{Fault, Reader, Window, zigzag32};

/// What a row is (specification, section 4.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum GeometryType {
    /// A point. A multipoint becomes one row a point.
    Point = 1,
    /// A linestring or a multilinestring: each part is a line.
    Linestring = 2,
    /// A polygon or a multipolygon: each part is a ring.
    Polygon = 3,
}

impl GeometryType {
    /// Reads the `type` field. `UNKNOWN` may be ignored (4.3.4.1) and is.
    pub(crate) fn from_field(value: u32) -> Option<Self> {
        match value {
            1 => Some(Self::Point),
            2 => Some(Self::Linestring),
            3 => Some(Self::Polygon),
            _ => None,
        }
    }
}

/// Why a feature was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Damaged(Fault),
    Breaching(FeatureBreach),
    OverBudget(crate::budget::Exhausted),
}

impl From<Fault> for Unreadable {
    fn from(fault: Fault) -> Self {
        Self::Damaged(fault)
    }
}

impl From<FeatureBreach> for Unreadable {
    fn from(breach: FeatureBreach) -> Self {
        Self::Breaching(breach)
    }
}

impl From<crate::budget::Exhausted> for Unreadable {
    fn from(exhausted: crate::budget::Exhausted) -> Self {
        Self::OverBudget(exhausted)
    }
}

/// What section 4.3 is read by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub projection: Projection,
    /// Version 1 leaves the sequence of commands open: several `MoveTo` in a point, a `ClosePath`
    /// after a line and any count of it, steps of no length, rings in any direction.
    pub version: u32,
}

/// The grid position of what nearly all points are: `MoveTo` once, and its two parameters.
#[inline]
pub(crate) fn decode_usual(geometry: Window<'_>, rules: &Rules) -> Option<(u32, u32)> {
    let (x, y) = geometry.pair_after(MOVE_TO_ONCE as u8)?;
    rules.projection.near(zigzag32(x), zigzag32(y))
}

/// Appends the rows of one feature to `shapes`, or nothing.
///
/// Returns how many rows: one, or one for each point of a multipoint.
pub(crate) fn decode(
    geometry: Reader<'_>,
    geometry_type: GeometryType,
    rules: &Rules,
    shapes: &mut Shapes,
) -> Result<usize, Unreadable> {
    let mark = shapes.mark();
    let path = &mut Path::new(geometry);
    let decoded = match geometry_type {
        GeometryType::Point => decode_points(path, rules, shapes),
        GeometryType::Linestring => decode_lines(path, rules, shapes),
        GeometryType::Polygon => decode_rings(path, rules, shapes),
    };
    match decoded {
        Ok(()) if geometry_type == GeometryType::Point => Ok(shapes.rows_since(&mark)),
        Ok(()) => {
            shapes.end_row(&mark, geometry_type);
            Ok(1)
        }
        Err(reason) => {
            shapes.truncate(&mark);
            Err(reason)
        }
    }
}

const MOVE_TO: u32 = 1;
const MOVE_TO_ONCE: u32 = MOVE_TO | 1 << 3;
const LINE_TO: u32 = 2;
const CLOSE_PATH: u32 = 7;

/// The cursor of section 4.3, and the integers still to come.
struct Path<'a> {
    integers: Reader<'a>,
    x: i64,
    y: i64,
}

impl<'a> Path<'a> {
    /// The cursor is at (0, 0) for the first command.
    fn new(integers: Reader<'a>) -> Self {
        Self {
            integers,
            x: 0,
            y: 0,
        }
    }

    /// Reads a command that must be there (4.3.1).
    #[inline]
    fn command(&mut self) -> Result<(u32, u32), Unreadable> {
        if self.integers.is_empty() {
            return Err(FeatureBreach::CommandOutOfSequence.into());
        }
        let command = self.integers.varint()? as u32;
        Ok((command & 7, command >> 3))
    }

    /// Moves the cursor by a pair of parameters (4.3.2); returns whether it moved at all.
    #[inline]
    fn step(&mut self) -> Result<bool, Unreadable> {
        let dx = self.parameter()?;
        let dy = self.parameter()?;
        self.x += i64::from(dx);
        self.y += i64::from(dy);
        Ok(dx != 0 || dy != 0)
    }

    #[inline]
    fn parameter(&mut self) -> Result<i32, Unreadable> {
        // 4.3.2 "the number of ParameterIntegers that follow a CommandInteger is equal to ..."
        if self.integers.is_empty() {
            return Err(FeatureBreach::CountTooLarge.into());
        }
        Ok(zigzag32(self.integers.varint32()?))
    }

    /// Begins a line or ring: a `MoveTo` with a count of 1 (4.3.4.3, 4.3.4.4).
    fn move_to(&mut self) -> Result<(), Unreadable> {
        match self.command()? {
            (MOVE_TO, 1) => self.step().map(drop),
            (MOVE_TO, _) => Err(FeatureBreach::PositionCount.into()),
            _ => Err(FeatureBreach::CommandOutOfSequence.into()),
        }
    }

    /// Extends a line or ring by a `LineTo` of at least `min_count` positions, which `visit`
    /// sees one after the other.
    fn line_to(
        &mut self,
        min_count: u32,
        rules: &Rules,
        mut visit: impl FnMut(i64, i64),
    ) -> Result<(), Unreadable> {
        let (id, count) = self.command()?;
        if id != LINE_TO {
            return Err(FeatureBreach::CommandOutOfSequence.into());
        }
        // 4.3.4.3 "with a command count greater than 0", 4.3.4.4 "... greater than 1"
        if count < min_count {
            return Err(FeatureBreach::PositionCount.into());
        }
        for _ in 0..count {
            // 4.3.3.2 "the dX and dY MUST NOT both be 0"
            if !self.step()? && rules.version >= 2 {
                return Err(FeatureBreach::ZeroLengthSegment.into());
            }
            visit(self.x, self.y);
        }
        Ok(())
    }

    /// Ends a ring (4.3.3.3).
    fn close_path(&mut self, rules: &Rules) -> Result<(), Unreadable> {
        match self.command()? {
            (CLOSE_PATH, 1) => Ok(()),
            (CLOSE_PATH, _) if rules.version == 1 => Ok(()),
            // 4.3.3.3 "MUST have a command count of 1"
            (CLOSE_PATH, _) => Err(FeatureBreach::ClosePathCount.into()),
            _ => Err(FeatureBreach::CommandOutOfSequence.into()),
        }
    }

    /// Whether a `ClosePath` comes next.
    fn closes(&self) -> bool {
        let mut ahead = self.integers;
        ahead
            .varint()
            .is_ok_and(|command| command as u32 & 7 == CLOSE_PATH)
    }
}

/// 4.3.4.2: a single `MoveTo` with a count greater than 0.
fn decode_points(
    path: &mut Path<'_>,
    rules: &Rules,
    shapes: &mut Shapes,
) -> Result<(), Unreadable> {
    loop {
        let (id, count) = path.command()?;
        if id != MOVE_TO {
            return Err(FeatureBreach::CommandOutOfSequence.into());
        }
        // 4.3.4.2 "with a command count greater than 0"
        if count == 0 {
            return Err(FeatureBreach::PositionCount.into());
        }
        for _ in 0..count {
            path.step()?;
            shapes.push_point(rules.projection.x(path.x), rules.projection.y(path.y));
        }
        if path.integers.is_empty() {
            return Ok(());
        }
        // 4.3.4.2 "a single MoveTo command"
        if rules.version >= 2 {
            return Err(FeatureBreach::CommandOutOfSequence.into());
        }
    }
}

/// 4.3.4.3: one or more times a `MoveTo` with a count of 1 and a `LineTo`.
fn decode_lines(path: &mut Path<'_>, rules: &Rules, shapes: &mut Shapes) -> Result<(), Unreadable> {
    let projection = &rules.projection;
    loop {
        path.move_to()?;
        let (first_x, first_y) = (projection.x(path.x), projection.y(path.y));
        shapes.push_vertex(first_x, first_y);
        path.line_to(1, rules, |x, y| {
            shapes.push_vertex(projection.x(x), projection.y(y));
        })?;
        if rules.version == 1 && path.closes() {
            path.close_path(rules)?;
            shapes.push_vertex(first_x, first_y);
        }
        shapes.end_part();
        if path.integers.is_empty() {
            return Ok(());
        }
    }
}

/// 4.3.4.4: exterior rings, each followed by its interior rings.
fn decode_rings(path: &mut Path<'_>, rules: &Rules, shapes: &mut Shapes) -> Result<(), Unreadable> {
    let mut is_first = true;
    loop {
        let ring = decode_ring(path, rules, shapes)?;
        if rules.version >= 2 {
            ring.check(is_first)?;
        }
        is_first = false;
        shapes.end_part();
        if path.integers.is_empty() {
            return Ok(());
        }
    }
}

/// What the rules about a whole ring need to know of it.
struct Ring {
    /// Twice the area by the surveyor's formula: positive for an exterior ring.
    double_area: i128,
    repeats_first: bool,
}

impl Ring {
    fn check(&self, is_first: bool) -> Result<(), FeatureBreach> {
        // 4.3.4.4 "SHALL NOT repeat the same position as the first point in the linear ring"
        if self.repeats_first {
            return Err(FeatureBreach::DegenerateRing);
        }
        // 4.3.4.4 "1. An ExteriorRing"
        if is_first && self.double_area <= 0 {
            return Err(FeatureBreach::FirstRingNotExterior);
        }
        Ok(())
    }
}

/// A `MoveTo` with a count of 1, a `LineTo` with a count greater than 1, a `ClosePath`.
fn decode_ring(
    path: &mut Path<'_>,
    rules: &Rules,
    shapes: &mut Shapes,
) -> Result<Ring, Unreadable> {
    let projection = &rules.projection;
    path.move_to()?;
    let first = (path.x, path.y);
    shapes.push_vertex(projection.x(path.x), projection.y(path.y));
    let mut last = first;
    let mut double_area = 0;
    path.line_to(2, rules, |x, y| {
        double_area += cross(last, (x, y));
        last = (x, y);
        shapes.push_vertex(projection.x(x), projection.y(y));
    })?;
    path.close_path(rules)?;
    double_area += cross(last, first);
    Ok(Ring {
        double_area,
        repeats_first: last == first,
    })
}

fn cross(a: (i64, i64), b: (i64, i64)) -> i128 {
    i128::from(a.0) * i128::from(b.1) - i128::from(b.0) * i128::from(a.1)
}

/// What the rows of some features take, counted from the integers that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub rows: usize,
    pub parts: usize,
    pub vertices: usize,
}

impl Needs {
    /// Adds what one feature takes, at most; a broken stream is counted as far as it goes.
    pub(crate) fn add(&mut self, geometry: Reader<'_>, geometry_type: GeometryType) {
        let (parts, vertices) = count_parts_and_vertices(geometry);
        if geometry_type == GeometryType::Point {
            self.rows += vertices;
        } else {
            self.rows += 1;
            self.parts += parts;
            self.vertices += vertices;
        }
    }
}

fn count_parts_and_vertices(mut integers: Reader<'_>) -> (usize, usize) {
    let (mut parts, mut vertices) = (0, 0);
    while let Some(command) = next_integer(&mut integers) {
        match command & 7 {
            CLOSE_PATH => vertices += 1,
            id => {
                parts += usize::from(id == MOVE_TO);
                vertices += skip_positions(&mut integers, command >> 3);
            }
        }
    }
    (parts, vertices)
}

/// Passes over up to `count` pairs of parameters and returns how many there were.
fn skip_positions(integers: &mut Reader<'_>, count: u32) -> usize {
    let pairs = (0..count)
        .take_while(|_| next_integer(integers).is_some() && next_integer(integers).is_some());
    pairs.count()
}

fn next_integer(integers: &mut Reader<'_>) -> Option<u32> {
    if integers.is_empty() {
        None
    } else {
        integers.varint32().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_counted_as_far_as_a_stream_goes() {
        use GeometryType::{Linestring, Point, Polygon};
        let lines = |rows, parts, vertices| Needs {
            rows,
            parts,
            vertices,
        };
        for (integers, geometry_type, expected) in [
            (&[17, 1, 1, 1, 1][..], Point, lines(2, 0, 0)),
            (&[9, 0, 0, 18, 2, 2, 2, 2], Linestring, lines(1, 1, 3)),
            (
                &[9, 0, 0, 10, 2, 2, 9, 0, 0, 10, 2, 2],
                Linestring,
                lines(1, 2, 4),
            ),
            (&[9, 0, 0, 18, 2, 0, 0, 2, 15], Polygon, lines(1, 1, 4)),
            (&[9, 0, 0, 10, 2, 2, 10, 2, 2], Linestring, lines(1, 1, 3)),
            (&[9, 0, 0, 26, 2, 2, 2], Linestring, lines(1, 1, 2)),
            (&[9], Linestring, lines(1, 1, 0)),
            (&[], Linestring, lines(1, 0, 0)),
        ] {
            let mut needs = Needs::default();
            needs.add(Reader::new(integers), geometry_type);
            assert_eq!(needs, expected, "{integers:?}");
            needs.add(Reader::new(integers), geometry_type);
            assert_eq!(needs.rows, 2 * expected.rows, "{integers:?}");
            assert_eq!(needs.vertices, 2 * expected.vertices, "{integers:?}");
            assert_eq!(needs.parts, 2 * expected.parts, "{integers:?}");
        }
    }
}
