//! A camera on its way along the roads.

use std::ops::Range;

use crate::random::Random;
use crate::roads::{CROSSINGS_A_TILE, Crossing, Point, Roads, SWING_CROSSINGS};
use crate::world::{Cell, World};

/// How far an image may lie from the line of its sequence, in metres along either axis.
const GPS_ERROR_M: f64 = 0.35;

/// How far beside the middle of the road a sequence may run, in metres.
const LANE_M: f64 = 2.5;

/// Chance that a camera stops, at any image: for a red light, for a break.
const STOP_CHANCE: f64 = 0.004;

/// Share of the cameras that never move.
const TRIPOD_SHARE: f64 = 0.03;

/// Chance to go straight on at a crossing where that is possible.
const STRAIGHT_CHANCE: f64 = 0.75;

/// A walk along roads that stays within the tiles around its home cell.
pub(crate) struct Walk<'a> {
    roads: Roads<'a>,
    reach: Reach,
    leg: Leg,
    /// How far along the leg the camera is, in pixels.
    along: f64,
    /// Usual distance between two images; 0 on a tripod.
    stride: f64,
    /// Distance to the right of the line between the crossings.
    lane: f64,
    gps_error: f64,
    /// Images to be taken before the camera moves on.
    pause: u64,
    seen_at: Point,
}

impl<'a> Walk<'a> {
    /// Sets out from somewhere in a cell.
    pub fn start(world: &'a World, home: Cell, random: &mut Random) -> Self {
        let roads = Roads(world);
        let from = roads.nearest_road(draw_crossing(world, home, random));
        let reach = Reach::around(world, home);
        let to = reach.next(roads, None, from, random);
        let leg = Leg::new(roads, from, roads.position(from), to);
        let pixels = 1.0 / world.metres_a_pixel;
        let mut walk = Self {
            roads,
            reach,
            along: leg.length * random.unit(),
            leg,
            stride: draw_stride_m(random) * pixels,
            lane: random.between(0.5, LANE_M) * pixels,
            gps_error: GPS_ERROR_M * pixels,
            pause: 0,
            seen_at: Point { x: 0.0, y: 0.0 },
        };
        walk.look_around(random);
        walk
    }

    /// Moves on to the next image, adding the crossings passed to a line.
    pub fn advance(&mut self, random: &mut Random, line: &mut Vec<Point>) {
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        if self.stride == 0.0 {
            return;
        }
        if random.chance(STOP_CHANCE) {
            self.pause = 2 + random.below(18);
        }
        self.along += self.stride * random.between(0.7, 1.3);
        while self.along > self.leg.length {
            self.along -= self.leg.length;
            line.push(self.leg.at(self.leg.length, self.lane));
            self.turn(random);
        }
        self.look_around(random);
    }

    /// Where the camera is.
    pub fn position(&self) -> Point {
        self.leg.at(self.along, self.lane)
    }

    /// Where the image says it was taken.
    pub fn seen_at(&self) -> Point {
        self.seen_at
    }

    /// Direction of travel in degrees clockwise from north.
    pub fn travel_deg(&self) -> f64 {
        self.leg.heading_deg
    }

    fn turn(&mut self, random: &mut Random) {
        let Leg { from, to, end, .. } = self.leg;
        let next = self.reach.next(self.roads, Some(from), to, random);
        self.leg = Leg::new(self.roads, to, end, next);
    }

    fn look_around(&mut self, random: &mut Random) {
        let at = self.position();
        self.seen_at = Point {
            x: at.x + random.between(-self.gps_error, self.gps_error),
            y: at.y + random.between(-self.gps_error, self.gps_error),
        };
    }
}

/// The straight road between two crossings.
struct Leg {
    from: Crossing,
    to: Crossing,
    start: Point,
    end: Point,
    /// Unit vector of the direction of travel.
    east: f64,
    south: f64,
    length: f64,
    heading_deg: f64,
}

impl Leg {
    /// The leg from a crossing, whose position is known, to another one.
    fn new(roads: Roads<'_>, from: Crossing, start: Point, to: Crossing) -> Self {
        let end = roads.position(to);
        let (dx, dy) = (end.x - start.x, end.y - start.y);
        // Crossings are a street apart before they are bent; never let them come to one place.
        let length = (dx * dx + dy * dy).sqrt().max(1.0);
        Self {
            from,
            to,
            start,
            end,
            east: dx / length,
            south: dy / length,
            length,
            // libm computes the same bits on every machine; the standard library need not.
            heading_deg: libm::atan2(dx, -dy).to_degrees().rem_euclid(360.0),
        }
    }

    fn at(&self, along: f64, lane: f64) -> Point {
        Point {
            x: self.start.x + self.east * along - self.south * lane,
            y: self.start.y + self.south * along + self.east * lane,
        }
    }
}

/// The crossings that a sequence may visit: so near its home that however the roads bend, they lie
/// in the tiles around it.
struct Reach {
    columns: Range<u32>,
    rows: Range<u32>,
}

impl Reach {
    fn around(world: &World, home: Cell) -> Self {
        let tile = world.tile_of(home);
        let near = |tile: u32| {
            let first =
                (tile * CROSSINGS_A_TILE + SWING_CROSSINGS).saturating_sub(CROSSINGS_A_TILE);
            first..(tile + 2) * CROSSINGS_A_TILE - SWING_CROSSINGS + 1
        };
        Self {
            columns: near(tile.x()),
            rows: near(tile.y()),
        }
    }

    fn contains(&self, at: Crossing) -> bool {
        self.columns.contains(&at.column) && self.rows.contains(&at.row)
    }

    /// Chooses where to go from a crossing: mostly straight on, back only from a dead end.
    fn next(
        &self,
        roads: Roads<'_>,
        from: Option<Crossing>,
        at: Crossing,
        random: &mut Random,
    ) -> Crossing {
        let mut ways = [at; 4];
        let mut count = 0;
        for way in roads.neighbours(at) {
            if Some(way) != from && self.contains(way) {
                ways[count] = way;
                count += 1;
            }
        }
        let ways = &ways[..count];
        let straight = from.map(|from| from.opposite(at));
        match (straight, from) {
            (Some(straight), _) if ways.contains(&straight) && random.chance(STRAIGHT_CHANCE) => {
                straight
            }
            (_, Some(from)) if ways.is_empty() => from,
            _ => random.pick(ways),
        }
    }
}

/// A crossing inside a cell, not on its edge: so it lies inside the world too.
pub(crate) fn draw_crossing(world: &World, home: Cell, random: &mut Random) -> Crossing {
    let tile = world.tile_of(home);
    let mut line = |tile: u32| {
        tile * CROSSINGS_A_TILE + 1 + random.below(u64::from(CROSSINGS_A_TILE) - 1) as u32
    };
    Crossing {
        column: line(tile.x()),
        row: line(tile.y()),
    }
}

/// Draws the usual distance between the images of a sequence: on foot, on wheels, on fast roads.
fn draw_stride_m(random: &mut Random) -> f64 {
    match random.unit() {
        draw if draw < TRIPOD_SHARE => 0.0,
        draw if draw < 0.12 => random.between(1.0, 2.0),
        draw if draw < 0.85 => random.between(3.0, 6.5),
        _ => random.between(6.5, 18.0),
    }
}
