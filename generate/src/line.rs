//! Lines of sequences, clipped to tiles.

use tilesight_tile::TileId;

use crate::roads::Point;
use crate::world::{IMAGE_ZOOM, TILE_PIXELS};

/// A position in tile units.
pub(crate) type TilePoint = (i32, i32);

/// Clips a line to a tile, its edges included: a part for each time the line enters it.
///
/// The cut lies where the line crosses the edge, so it is the same in the tile beyond. Parts that
/// come to one position are left out; nothing may remain.
pub(crate) fn clip(line: &[Point], tile: TileId) -> Vec<Vec<TilePoint>> {
    let window = Window::of(tile);
    let mut parts: Vec<Vec<TilePoint>> = Vec::new();
    let mut inside = false;
    for segment in line.windows(2) {
        let (from, to) = (segment[0], segment[1]);
        let Some((enter, leave)) = window.crossed_by(from, to) else {
            inside = false;
            continue;
        };
        if !inside || enter > 0.0 {
            parts.push(vec![window.tile_point(between(from, to, enter))]);
        }
        let end = window.tile_point(between(from, to, leave));
        if let Some(part) = parts.last_mut().filter(|part| part.last() != Some(&end)) {
            part.push(end);
        }
        inside = leave == 1.0;
    }
    parts.retain(|part| part.len() > 1);
    parts
}

/// A tile's square in pixels of image tiles.
struct Window {
    min: Point,
    max: Point,
    /// Pixels to a unit of the tile.
    unit: f64,
}

impl Window {
    fn of(tile: TileId) -> Self {
        let unit = f64::from(1u32 << (IMAGE_ZOOM - tile.z()));
        let edge = |tile: u32| f64::from(tile) * f64::from(TILE_PIXELS) * unit;
        Self {
            min: Point {
                x: edge(tile.x()),
                y: edge(tile.y()),
            },
            max: Point {
                x: edge(tile.x() + 1),
                y: edge(tile.y() + 1),
            },
            unit,
        }
    }

    /// The stretch of a segment that lies in the square, as shares of its length: none, or from
    /// where it enters to where it leaves (Liang and Barsky).
    fn crossed_by(&self, from: Point, to: Point) -> Option<(f64, f64)> {
        let (dx, dy) = (to.x - from.x, to.y - from.y);
        let (mut enter, mut leave) = (0.0f64, 1.0f64);
        let edges = [
            (-dx, from.x - self.min.x),
            (dx, self.max.x - from.x),
            (-dy, from.y - self.min.y),
            (dy, self.max.y - from.y),
        ];
        for (outwards, room) in edges {
            if outwards < 0.0 {
                enter = enter.max(room / outwards);
            } else if outwards > 0.0 {
                leave = leave.min(room / outwards);
            } else if room < 0.0 {
                return None;
            }
        }
        (enter <= leave).then_some((enter, leave))
    }

    fn tile_point(&self, at: Point) -> TilePoint {
        let to_units = |at: f64, min: f64| {
            (((at - min) / self.unit).round() as i32).clamp(0, TILE_PIXELS as i32)
        };
        (to_units(at.x, self.min.x), to_units(at.y, self.min.y))
    }
}

fn between(from: Point, to: Point, share: f64) -> Point {
    if share == 1.0 {
        return to;
    }
    Point {
        x: from.x + (to.x - from.x) * share,
        y: from.y + (to.y - from.y) * share,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clips a line given in units of the tile 14/2/3.
    #[track_caller]
    fn check(line: &[(f64, f64)], expected: &[&[TilePoint]]) {
        let tile = TileId::new(IMAGE_ZOOM, 2, 3).unwrap();
        let origin = |tile: u32| f64::from(tile * TILE_PIXELS);
        let line: Vec<Point> = line
            .iter()
            .map(|&(x, y)| Point {
                x: origin(2) + x,
                y: origin(3) + y,
            })
            .collect();
        assert_eq!(clip(&line, tile), expected);
    }

    #[test]
    fn what_lies_inside_stays() {
        check(
            &[(1.0, 2.0), (3.4, 4.6), (5.0, 0.0)],
            &[&[(1, 2), (3, 5), (5, 0)]],
        );
    }

    #[test]
    fn a_line_that_comes_back_has_two_parts() {
        check(
            &[
                (4000.0, 10.0),
                (4192.0, 20.0),
                (4192.0, 30.0),
                (4000.0, 40.0),
            ],
            &[&[(4000, 10), (4096, 15)], &[(4096, 35), (4000, 40)]],
        );
    }

    #[test]
    fn a_line_may_pass_right_through() {
        check(&[(-100.0, 50.0), (5000.0, 50.0)], &[&[(0, 50), (4096, 50)]]);
    }

    #[test]
    fn what_comes_to_one_position_is_no_line() {
        check(&[], &[]);
        check(&[(7.0, 7.0)], &[]);
        check(&[(7.0, 7.0), (7.2, 7.1)], &[]);
        check(&[(5000.0, 0.0), (5000.0, 4000.0)], &[]);
        check(&[(-1.0, 1.0), (1.0, -1.0)], &[]);
    }
}
