//! The questions: where people stand when they ask, and what they ask for.

use std::f64::consts::TAU;

use geo::orient::{Direction, Orient};
use tilesight_generate::ImageRow;
use tilesight_query::{self as query, Filter, ImageQuery, Kind};
use tilesight_tile::{Bbox, GridBox, GridPoint, LonLat, PreparedRegion, Region};

use super::Ground;
use super::world::{Image, MadeWorld};

/// A question in the form of each engine.
#[derive(Debug, Clone)]
pub struct Question {
    /// As we take it.
    pub query: ImageQuery,
    /// As rivals take it.
    pub place: Place,
    /// What rivals must check of every image themselves.
    pub condition: Condition,
    /// The value of map features asked for, by name and by number.
    pub value: Option<(&'static str, u32)>,
}

/// A place as rivals take it.
#[derive(Debug, Clone)]
pub enum Place {
    /// A box, on the grid.
    Box(GridBox),
    /// A polygon in degrees, and the box around it.
    Polygon(geo::Polygon, GridBox),
    /// A circle.
    Near {
        /// Its centre.
        target: LonLat,
        /// Its radius.
        radius_m: f64,
    },
    /// The nearest to a target.
    Nearest {
        /// The target.
        target: LonLat,
        /// How many.
        k: usize,
    },
    /// Images that show a target.
    LookingAt {
        /// The target.
        target: LonLat,
        /// How far away.
        radius_m: f64,
        /// Half the field of view.
        half_fov_deg: f64,
    },
}

/// What an image must be like.
#[derive(Debug, Clone, Copy)]
pub enum Condition {
    /// Anything.
    Any,
    /// Captured in or after a year; its name, and its first millisecond.
    Since(&'static str, i64),
    /// A panorama.
    Pano,
    /// By an organization.
    Organization(i64),
    /// With a heading from the first to the second.
    Heading(f64, f64),
}

impl Condition {
    /// Captured in or after 2023.
    pub const SINCE_2023: Self = Self::Since("2023", 1_672_531_200_000);

    /// Tells whether an image is as asked.
    pub fn holds(&self, image: &Image) -> bool {
        match *self {
            Self::Any => true,
            Self::Since(_, ms) => image.captured_at_ms >= ms,
            Self::Pano => image.is_pano,
            Self::Organization(id) => image.organization_id == id,
            Self::Heading(from, to) => (from..=to).contains(&image.compass_angle_deg),
        }
    }

    fn filter(&self) -> Filter {
        let mut filter = Filter::default();
        match *self {
            Self::Any => {}
            Self::Since(year, _) => filter.since = year.parse().ok(),
            Self::Pano => filter.kind = Some(Kind::Pano),
            Self::Organization(id) => filter.organizations = vec![id],
            Self::Heading(from, to) => filter.heading = Some((from, to)),
        }
        filter
    }
}

/// Makes questions at places where images are, as people ask them.
pub struct Questions<'a> {
    world: &'a MadeWorld,
    /// Where to ask.
    within: GridBox,
}

impl<'a> Questions<'a> {
    /// Questions about a world.
    pub fn new(world: &'a MadeWorld) -> Self {
        Self {
            world,
            within: bounds(world),
        }
    }

    /// Questions at places some way from the edges of a world.
    pub fn away_from_edges(world: &'a MadeWorld, distance_m: f64) -> Self {
        let mut within = bounds(world);
        let corner = GridPoint {
            x: within.min_x,
            y: within.min_y,
        };
        let units = Ground::around(corner.to_lon_lat()).reach(distance_m) as u32;
        within = GridBox {
            min_x: within.min_x + units,
            min_y: within.min_y + units,
            max_x: within.max_x - units,
            max_y: within.max_y - units,
        };
        Self { world, within }
    }

    /// Boxes of some width and height.
    ///
    /// # Panics
    ///
    /// When they are narrower than the grid.
    pub fn boxes(&self, count: usize, side_m: f64, condition: Condition) -> Vec<Question> {
        self.each(count, |at| {
            let bbox = square(at, side_m);
            let place = bbox.grid_boxes().next().map(Place::Box);
            Question {
                query: asked(query::Place::Bbox(bbox), condition),
                place: place.expect("the box is wider than the grid"),
                condition,
                value: None,
            }
        })
    }

    /// Polygons with a hole, about 2 km across, of some number of vertices in all.
    pub fn polygons(&self, count: usize, vertices: usize) -> Vec<Question> {
        self.each(count, |at| polygon(at, vertices))
    }

    /// Circles.
    pub fn circles(&self, count: usize, radius_m: f64) -> Vec<Question> {
        self.each(count, |target| Question {
            query: asked(query::Place::Near { target, radius_m }, Condition::Any),
            place: Place::Near { target, radius_m },
            condition: Condition::Any,
            value: None,
        })
    }

    /// The nearest images.
    pub fn nearest(&self, count: usize, k: usize, condition: Condition) -> Vec<Question> {
        self.each(count, |target| {
            let place = query::Place::Nearest {
                target,
                k,
                radius_m: None,
            };
            Question {
                query: asked(place, condition),
                place: Place::Nearest { target, k },
                condition,
                value: None,
            }
        })
    }

    /// Images that show a target within 50 m.
    pub fn looking_at(&self, count: usize) -> Vec<Question> {
        self.each(count, |target| Question {
            query: asked(query::Place::looking_at(target), Condition::Any),
            place: Place::LookingAt {
                target,
                radius_m: query::Place::DEFAULT_RADIUS_M,
                half_fov_deg: query::Place::DEFAULT_FOV_DEG / 2.0,
            },
            condition: Condition::Any,
            value: None,
        })
    }

    /// Map features of some value in polygons of 100 vertices.
    pub fn features(&self, count: usize, value: &'static str) -> Vec<Question> {
        let number = self.world.value_number(value);
        let mut questions = self.polygons(count, 100);
        for question in &mut questions {
            question.value = Some((value, number));
        }
        questions
    }

    /// A question at each of some images, the same every time, each some 20 m beside it.
    fn each<T>(&self, count: usize, ask: impl Fn(LonLat) -> T) -> Vec<T> {
        let images = &self.world.images;
        (1_u64..)
            .map(|i| {
                // Fibonacci hashing spreads the numbers over the images.
                let hash = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let row = (u128::from(hash) * images.len() as u128) >> 64;
                (images[row as usize].grid_point(), hash)
            })
            .filter(|(at, _)| self.within.contains(*at))
            .take(count)
            .map(|(at, hash)| ask(moved(at.to_lon_lat(), 20.0, hash as f64)))
            .collect()
    }
}

/// The box around all images.
fn bounds(world: &MadeWorld) -> GridBox {
    let points = world.images.iter().map(ImageRow::grid_point);
    let nothing = GridBox {
        min_x: u32::MAX,
        min_y: u32::MAX,
        max_x: 0,
        max_y: 0,
    };
    points.fold(nothing, |around, GridPoint { x, y }| GridBox {
        min_x: around.min_x.min(x),
        min_y: around.min_y.min(y),
        max_x: around.max_x.max(x),
        max_y: around.max_y.max(y),
    })
}

fn asked(place: query::Place, condition: Condition) -> ImageQuery {
    ImageQuery {
        place,
        filter: condition.filter(),
        // The nearest of few may lie farther away than the edge of the world.
        allow_partial: true,
        ..ImageQuery::default()
    }
}

/// A position some metres away.
fn moved(at: LonLat, distance_m: f64, direction: f64) -> LonLat {
    let degrees_a_metre = 360.0 / 40_030_000.0;
    let north = distance_m * direction.cos() * degrees_a_metre;
    let east = distance_m * direction.sin() * degrees_a_metre / at.lat().to_radians().cos();
    LonLat::new(at.lon() + east, at.lat() + north).expect("the world is far from the edges")
}

fn square(at: LonLat, side_m: f64) -> Bbox {
    let half = side_m / 2.0;
    let east = moved(at, half, TAU / 4.0).lon() - at.lon();
    let north = moved(at, half, 0.0).lat() - at.lat();
    Bbox::from_degrees(
        at.lon() - east,
        at.lat() - north,
        at.lon() + east,
        at.lat() + north,
    )
    .expect("the world is far from the edges")
}

/// A ragged lake with an island: three quarters of the vertices are its shore.
fn polygon(at: LonLat, vertices: usize) -> Question {
    let shore = ring(at, vertices * 3 / 4, 1000.0);
    let island = ring(at, vertices - vertices * 3 / 4, 300.0);
    let region = Region::from_polygons(&[vec![shore.clone(), island.clone()]])
        .expect("the rings are closed and on the globe");
    let bounds = PreparedRegion::new(&region).bounds()[0];
    let polygon = geo::Polygon::new(shore.into(), vec![island.into()]).orient(Direction::Default);
    Question {
        query: asked(query::Place::Region(region), Condition::Any),
        place: Place::Polygon(polygon, bounds),
        condition: Condition::Any,
        value: None,
    }
}

fn ring(at: LonLat, vertices: usize, radius_m: f64) -> Vec<[f64; 2]> {
    let mut ring: Vec<_> = (0..vertices)
        .map(|i| {
            let ragged = 1.0 - 0.3 * ((i * 7 % 5) as f64 / 4.0);
            let to = moved(at, radius_m * ragged, TAU * i as f64 / vertices as f64);
            [to.lon(), to.lat()]
        })
        .collect();
    ring.push(ring[0]);
    ring
}
