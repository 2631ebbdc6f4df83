//! What stands in the way of seeing something.

use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};
use tilesight_tile::LonLat;

use super::view::{is_on, surrounds};
use crate::plane::{Plane, Segment, Vector, cross, dot, lon_lat};
use crate::shapes::{Feature, Position, ReadError, Shape, ShapeFault, bounds_of, turn_of};

/// How much of a line of sight lies in a footprint that blocks it, at least, in metres.
///
/// Less than that is within what positions are known to, and lets walls that neighbours share,
/// footprints that overlap by a hand and corners that are brushed stay out of the way.
const BLOCKING_M: f64 = 0.5;

/// Rings, of which an odd number is around what is inside.
type Rings = Vec<Vec<Position>>;

/// Footprints of buildings, as lines of sight meet them.
///
/// A footprint *blocks* the line from an image to a point when more than half a metre of the line
/// lies in it. It does not where it holds
///
/// - the image: positions are some metres off, and pictures are taken in streets,
/// - a point that is the target, or one of the positions of a line that is: the address of a house
///   lies in the house,
/// - the middle of a polygon that is the target, or where that holds the middle of the footprint: a
///   target does not hide itself, wherever its outline comes from, nor does a house its own plot.
///
/// Every polygon of a feature is a footprint by itself. Heights are not known: all are taken to be
/// higher than the camera.
#[derive(Debug, Clone)]
pub struct Occluders {
    footprints: Vec<Footprint>,
    tree: RTree<GeomWithData<Rectangle<Position>, u32>>,
    /// Westernmost and easternmost longitude, beyond ±180 where a footprint crosses the
    /// antimeridian.
    range: [f64; 2],
}

#[derive(Debug, Clone)]
struct Footprint {
    rings: Rings,
    /// A position inside.
    middle: Option<LonLat>,
}

impl Occluders {
    /// Indexes footprints.
    ///
    /// # Errors
    ///
    /// [`ReadError`] with the number of the first feature that is no polygon.
    ///
    /// # Cost
    ///
    /// O(n log n) for n footprints, and some 200 bytes each beside its outline.
    pub fn new(features: Vec<Feature>) -> Result<Self, ReadError> {
        let mut footprints = Vec::with_capacity(features.len());
        for (number, feature) in features.into_iter().enumerate() {
            let polygons = polygons(feature.shape).map_err(|fault| fault.of_feature(number))?;
            footprints.extend(polygons.into_iter().map(Footprint::new));
        }
        let boxes: Vec<[f64; 4]> = footprints.iter().map(Footprint::bounds).collect();
        let entries = boxes.iter().zip(0..);
        let entries = entries.map(|(&[west, south, east, north], number)| {
            GeomWithData::new(
                Rectangle::from_corners([west, south], [east, north]),
                number,
            )
        });
        Ok(Self {
            tree: RTree::bulk_load(entries.collect()),
            range: boxes
                .iter()
                .fold([f64::INFINITY, f64::NEG_INFINITY], |[west, east], b| {
                    [west.min(b[0]), east.max(b[2])]
                }),
            footprints,
        })
    }

    /// How many footprints there are.
    pub fn len(&self) -> usize {
        self.footprints.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The footprints that do not hide a target, because they are it or hold it.
    pub(super) fn of_target(&self, target: &Shape) -> Vec<u32> {
        let middles: Vec<LonLat> = match target.polygons() {
            [] => target
                .chains()
                .flatten()
                .copied()
                .filter_map(lon_lat)
                .collect(),
            polygons => polygons
                .iter()
                .filter_map(|rings| middle_of(rings))
                .collect(),
        };
        let is_own = |&number: &u32| {
            let footprint = &self.footprints[number as usize];
            let holds_middle = middles.iter().any(|&middle| footprint.holds(middle));
            holds_middle || (footprint.middle).is_some_and(|middle| holds(target, middle))
        };
        let mut own: Vec<u32> = self.meeting(target.bounds()).filter(is_own).collect();
        own.sort_unstable();
        own.dedup();
        own
    }

    /// Tells whether a footprint, other than those of the target, blocks a line of sight.
    pub(super) fn block(&self, from: LonLat, to: LonLat, of_target: &[u32]) -> bool {
        let plane = Plane::around(from);
        let line = plane.vector_to(to);
        let east = to.lon() - turn_of(to.lon() - from.lon());
        let bounds = bounds_of(&[[from.lon(), from.lat()], [east, to.lat()]]);
        self.meeting(bounds).any(|number| {
            of_target.binary_search(&number).is_err()
                && self.footprints[number as usize].blocks(plane, line)
        })
    }

    /// The footprints whose boxes meet bounds in degrees, on whatever turn of the globe.
    fn meeting(&self, [west, south, east, north]: [f64; 4]) -> impl Iterator<Item = u32> {
        let [min_west, max_east] = self.range;
        let meets = move |turn: &f64| east + turn >= min_west && west + turn <= max_east;
        let turns = [0.0, -360.0, 360.0].into_iter().filter(meets);
        turns.flat_map(move |turn| {
            let corners = ([west + turn, south], [east + turn, north]);
            let meeting = AABB::from_corners(corners.0, corners.1);
            let found = self.tree.locate_in_envelope_intersecting(meeting);
            found.map(|entry| entry.data)
        })
    }
}

fn polygons(shape: Shape) -> Result<Vec<Rings>, ShapeFault> {
    shape.into_polygons().map_err(|shape| ShapeFault::Kind {
        found: shape.kind().to_owned(),
        wanted: "polygons",
    })
}

/// Tells whether a position lies in a polygon of a shape, or on its edge.
fn holds(shape: &Shape, position: LonLat) -> bool {
    !shape.polygons().is_empty() && is_on(shape, Plane::around(position))
}

impl Footprint {
    fn new(rings: Rings) -> Self {
        Self {
            middle: middle_of(&rings),
            rings,
        }
    }

    fn bounds(&self) -> [f64; 4] {
        // Holes lie inside of the shell; where they do not, even-odd makes them its equals.
        bounds_of(&self.rings.concat())
    }

    fn holds(&self, position: LonLat) -> bool {
        surrounds(&self.rings, Plane::around(position))
    }

    /// Tells whether it blocks a line from the origin of a plane.
    fn blocks(&self, plane: Plane, line: Vector) -> bool {
        let mut crossings = self.crossings(plane, line);
        crossings.sort_unstable_by(f64::total_cmp);
        let inside = || crossings.chunks_exact(2);
        let holds_image = inside().any(|part| part[0] <= 0.0 && 0.0 <= part[1]);
        let clamped = inside().map(|part| part[1].clamp(0.0, 1.0) - part[0].clamp(0.0, 1.0));
        let length_m = dot(line, line).sqrt();
        !holds_image && clamped.sum::<f64>() * length_m > BLOCKING_M
    }

    /// Where the straight line through the origin and a vector crosses the rings, in parts of the
    /// vector's length: an even number of times.
    fn crossings(&self, plane: Plane, line: Vector) -> Vec<f64> {
        let crossing = |[a, b]: Segment| {
            let (left_a, left_b) = (cross(line, a), cross(line, b));
            let part = left_a / (left_a - left_b);
            let point = [a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])];
            ((left_a > 0.0) != (left_b > 0.0)).then(|| dot(point, line) / dot(line, line))
        };
        let edges = self.rings.iter().flat_map(|ring| plane.edges(ring));
        edges.filter_map(crossing).collect()
    }
}

/// A position inside of rings: in the middle of their widest part half-way up. None where they have
/// no height.
fn middle_of(rings: &[Vec<Position>]) -> Option<LonLat> {
    let [_, south, _, north] = bounds_of(&rings.concat());
    let lat = south + (north - south) / 2.0;
    let crossing = |pair: &[Position]| {
        let ([ax, ay], [bx, by]) = (pair[0], pair[1]);
        ((ay > lat) != (by > lat)).then(|| ax + (lat - ay) / (by - ay) * (bx - ax))
    };
    let edges = rings.iter().flat_map(|ring| ring.windows(2));
    let mut crossings: Vec<f64> = edges.filter_map(crossing).collect();
    crossings.sort_unstable_by(f64::total_cmp);
    let parts = crossings.chunks_exact(2);
    let widest = parts.max_by(|a, b| (a[1] - a[0]).total_cmp(&(b[1] - b[0])))?;
    lon_lat([f64::midpoint(widest[0], widest[1]), lat])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes::Geometry;

    /// Metres in a degree at the equator, where the scenes are.
    const DEGREE_M: f64 = 111_195.079_734;

    fn at(east_m: f64, north_m: f64) -> LonLat {
        lon_lat([east_m / DEGREE_M, north_m / DEGREE_M]).unwrap()
    }

    fn house([west, south, east, north]: [f64; 4]) -> Shape {
        let corners = [
            [west, south],
            [east, south],
            [east, north],
            [west, north],
            [west, south],
        ];
        let ring = corners.map(|corner| corner.map(|metres| metres / DEGREE_M));
        Shape::new(Geometry::Polygons(vec![vec![ring.to_vec()]])).unwrap()
    }

    fn houses(houses: &[[f64; 4]]) -> Occluders {
        let named = |(number, &bounds): (usize, &[f64; 4])| Feature {
            id: number.to_string(),
            shape: house(bounds),
        };
        Occluders::new(houses.iter().enumerate().map(named).collect()).unwrap()
    }

    /// ```text
    ///   20 ┌────┐
    ///      │ 1  │
    ///   10 └────┘ ┌────┐ 10
    ///             │ 0  │
    ///    0   C    └────┘  0
    ///     0      10    20
    /// ```
    #[test]
    fn houses_stand_in_the_way() {
        let scene = houses(&[[10.0, 0.0, 20.0, 10.0], [0.0, 10.0, 9.0, 20.0]]);
        let camera = at(5.0, 5.0);
        assert!(scene.block(camera, at(25.0, 5.0), &[]), "behind the first");
        assert!(
            !scene.block(camera, at(25.0, 5.0), &[0]),
            "if it is the target's own"
        );
        assert!(!scene.block(camera, at(9.99, 5.0), &[]), "up to its wall");
        assert!(!scene.block(camera, at(5.0, -20.0), &[]), "the other way");
        assert!(scene.block(camera, at(5.0, 15.0), &[]), "in the second");
        assert!(
            !scene.block(at(9.5, 5.0), at(9.5, 20.0), &[]),
            "through the gap"
        );
        assert!(
            !scene.block(at(15.0, 5.0), at(25.0, 5.0), &[]),
            "out of a house"
        );
        assert!(
            !scene.block(at(15.0, -5.0), at(15.0, 0.4), &[]),
            "not half a metre in"
        );
        assert!(
            scene.block(at(15.0, -5.0), at(15.0, 0.6), &[]),
            "more than half a metre in"
        );
        assert!(
            !scene.block(at(10.0, -5.0), at(10.0, 30.0), &[]),
            "along a wall"
        );
        assert!(
            !scene.block(at(9.0, 1.0), at(11.0, -1.0), &[]),
            "past a corner"
        );
    }

    #[test]
    fn targets_do_not_hide_themselves() {
        let scene = houses(&[[10.0, 0.0, 20.0, 10.0], [20.0, 0.0, 30.0, 10.0]]);
        let own = |shape: &Shape| scene.of_target(shape);
        assert_eq!(
            own(&house([10.0, 0.0, 20.0, 10.0])),
            [0],
            "not the neighbour at its wall"
        );
        assert_eq!(own(&house([10.5, 0.5, 20.5, 10.5])), [0], "a little off");
        assert_eq!(
            own(&house([5.0, -5.0, 40.0, 15.0])),
            [0, 1],
            "the plot around both"
        );
        assert_eq!(
            own(&Shape::at(at(15.0, 5.0))),
            [0],
            "an address in the house"
        );
        assert_eq!(own(&Shape::at(at(15.0, 15.0))), [0; 0], "a tree beside it");
    }

    #[test]
    fn the_antimeridian_is_no_wall_and_no_gap() {
        let place = |lon: f64| lon_lat([lon, 0.0]).unwrap();
        let ring = [
            [179.9999, -0.0001],
            [-179.9999, -0.0001],
            [-179.9999, 0.0001],
            [179.9999, 0.0001],
        ];
        let ring = ring.iter().chain([&ring[0]]).copied().collect();
        let across = Shape::new(Geometry::Polygons(vec![vec![ring]])).unwrap();
        let id = String::new();
        let scene = Occluders::new(vec![Feature { id, shape: across }]).unwrap();
        for (from, to) in [
            (179.9995, -179.9995),
            (-179.9995, 179.9995),
            (-179.9995, -179.99999),
        ] {
            assert!(scene.block(place(from), place(to), &[]), "{from} {to}");
        }
        for (from, to) in [(179.9995, 179.9998), (-179.9995, -179.9998)] {
            assert!(!scene.block(place(from), place(to), &[]), "{from} {to}");
        }
    }

    #[test]
    fn what_has_no_area_blocks_nothing() {
        let door = Feature::at("door", at(1.0, 1.0));
        let message = Occluders::new(vec![door]).unwrap_err().to_string();
        assert!(
            message.contains("points") && message.contains("polygons"),
            "{message}"
        );
        let flat = houses(&[[10.0, 5.0, 20.0, 5.0]]);
        assert!(!flat.block(at(5.0, 5.0), at(25.0, 5.0), &[]));
    }
}
