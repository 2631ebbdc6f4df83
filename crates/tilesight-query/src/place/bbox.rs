//! Boxes as shapes.

use tilesight_tile::{Bbox, GridBox, GridPoint, LonLat};

use crate::index::{BoxGroup, Shape, Verdicts, mask_of_points, verdicts};

/// The exact ranges of columns and rows of a box: one, or two across the antimeridian, or none.
#[derive(Clone)]
pub(crate) struct BoxShape {
    /// The first `count` are it.
    boxes: [GridBox; 2],
    count: usize,
}

impl BoxShape {
    pub(crate) fn new(bbox: &Bbox) -> Self {
        Self::of(bbox.grid_boxes())
    }

    /// The positions within a unit of a box, whether or not there are any in it.
    pub(crate) fn around(bbox: &Bbox) -> Self {
        let nearest = |lon, lat| LonLat::new(lon, lat).map(GridPoint::nearest_to).ok();
        // Longitudes that round to 180 are column 0, but an edge there is the last one.
        let column = |lon: f64, point: GridPoint| match point.x {
            0 if lon > 0.0 => u32::MAX,
            x => x,
        };
        let between = |west, east| {
            let northwest = nearest(west, bbox.north())?;
            let southeast = nearest(east, bbox.south())?;
            Some(GridBox {
                min_x: column(west, northwest).saturating_sub(1),
                min_y: northwest.y.saturating_sub(1),
                max_x: column(east, southeast).saturating_add(1),
                max_y: southeast.y.saturating_add(1),
            })
        };
        let (west, east) = (bbox.west(), bbox.east());
        let boxes = if west <= east {
            [between(west, east), None]
        } else {
            [between(west, 180.0), between(-180.0, east)]
        };
        Self::of(boxes.into_iter().flatten())
    }

    /// The positions within two units of those of this box, which those within one unit of the
    /// box in degrees are among; nothing where there are none in it, or it touches an edge of the
    /// world, where degrees decide.
    pub(super) fn widened(&self) -> Option<Self> {
        let wider = |b: &GridBox| {
            Some(GridBox {
                min_x: b.min_x.checked_sub(2)?,
                min_y: b.min_y.checked_sub(2)?,
                max_x: b.max_x.checked_add(2)?,
                max_y: b.max_y.checked_add(2)?,
            })
        };
        match self.boxes() {
            [only] => Some(Self::of([wider(only)?].into_iter())),
            _ => None,
        }
    }

    /// The ranges, the western one first.
    pub(crate) fn boxes(&self) -> &[GridBox] {
        &self.boxes[..self.count]
    }

    pub(crate) fn of(ranges: impl Iterator<Item = GridBox>) -> Self {
        let (mut boxes, mut count) = ([GridBox::WORLD; 2], 0);
        for (place, range) in boxes.iter_mut().zip(ranges) {
            *place = range;
            count += 1;
        }
        Self { boxes, count }
    }

    pub(crate) fn contains(&self, point: GridPoint) -> bool {
        self.boxes().iter().any(|b| b.contains(point))
    }

    /// Tells whether all positions of a box are in one of the ranges.
    pub(super) fn covers(&self, other: &GridBox) -> bool {
        self.boxes().iter().any(|b| b.covers(other))
    }

    /// Tells whether a box shares a position with this one.
    pub(super) fn intersects(&self, other: &GridBox) -> bool {
        self.boxes().iter().any(|b| b.intersects(other))
    }
}

impl Shape for BoxShape {
    fn classify(&self, nodes: &BoxGroup) -> Verdicts {
        self.boxes().iter().fold(Verdicts::NONE, |verdicts, b| {
            verdicts.or(classify(b, nodes))
        })
    }

    fn mask(&self, _: &GridBox, xs: &[u32], ys: &[u32]) -> u64 {
        self.boxes()
            .iter()
            .fold(0, |mask, b| mask | contained(b, xs, ys))
    }
}

/// Judges sixteen boxes against one.
#[inline]
pub(crate) fn classify(b: &GridBox, nodes: &BoxGroup) -> Verdicts {
    let BoxGroup {
        min_x,
        min_y,
        max_x,
        max_y,
    } = nodes;
    verdicts(
        |i| {
            (min_x[i] <= b.max_x)
                & (max_x[i] >= b.min_x)
                & (min_y[i] <= b.max_y)
                & (max_y[i] >= b.min_y)
        },
        |i| {
            (min_x[i] >= b.min_x)
                & (max_x[i] <= b.max_x)
                & (min_y[i] >= b.min_y)
                & (max_y[i] <= b.max_y)
        },
    )
}

/// Judges up to 64 positions by two unsigned comparisons each.
#[inline]
fn contained(b: &GridBox, xs: &[u32], ys: &[u32]) -> u64 {
    let (width, height) = (b.max_x - b.min_x, b.max_y - b.min_y);
    mask_of_points(xs, ys, |x, y| {
        (x.wrapping_sub(b.min_x) <= width) & (y.wrapping_sub(b.min_y) <= height)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_that_ends_just_before_the_antimeridian_goes_up_to_it() {
        for east in [179.999_999_999_9, 180.0] {
            let bbox = Bbox::from_degrees(-179.0, -1.0, east, 1.0).unwrap();
            let around = BoxShape::around(&bbox);
            assert_eq!(around.boxes()[0].max_x, u32::MAX);
            assert!(around.contains(GridPoint {
                x: 1 << 31,
                y: 1 << 31
            }));
        }
    }
}
