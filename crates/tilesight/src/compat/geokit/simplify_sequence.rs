//! Sequences that run beside longer ones, left out.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::RangeInclusive;

use geo::{BooleanOps, BoundingRect, Buffer, Coord, LineString, MapCoords, MultiPolygon, Rect};
use rstar::primitives::{GeomWithData, Line};
use rstar::{AABB, RTree};
use tilesight_tile::EARTH_RADIUS_M;

use super::capsule::{Span, WHOLE, left_by, span_near};
use super::collection::{Collection, CollectionWriter};
use super::frame::{Frame, METRES_A_DEGREE, reach};
use super::geometry::{Degrees, Geometry, Part, length_m, measured, rounded};
use super::merge::merged;
use super::{Counts, Error};

/// What a buffer may be, in metres.
pub const BUFFER_M: RangeInclusive<f64> = 0.1..=1000.0;

/// Longest segment that is looked at as a whole: over more, the plane of its middle is too wrong.
const MAX_SEGMENT_M: f64 = 1000.0;

/// Length of line, and side of a box around lines, that is buffered in one plane.
const MAX_PLANE_M: f64 = 2000.0;

/// Most segments that are buffered at once: where somebody goes to and fro or stands still, all
/// cross each other. Areas around a few are united faster.
const MAX_SEGMENTS: usize = 16;

/// Shortest piece of a segment that is left over: about what the world grid can tell.
const MIN_PIECE_M: f64 = 0.01;

/// Leaves out what runs within `buffer_m` metres of a longer sequence, and makes areas of the rest.
///
/// # Returns
///
/// How many sequences there are, and of how many something is left. Sequences are taken longest
/// first. Of each, what is farther than the buffer from all that was kept before is kept; where
/// nothing is, the sequence is dropped. So every position of every sequence is within the buffer
/// of something kept. What is written for each is the area within the buffer of what is kept of
/// it, without those of the sequences before, as polygons in degrees, with the properties of
/// [`merge_sequences`](super::merge_sequences)'s input and `area` in square metres: polygons for
/// [`match_point_sequences`](super::match_point_sequences).
///
/// Corners are rounded in steps, which lie up to half a hundredth of the buffer inside of the true
/// circle.
///
/// # Errors
///
/// [`Error::OutOfRange`] when the buffer is not within [`BUFFER_M`]; [`Error::Collection`] and
/// [`Error::Feature`] for what are no lines or points with a `sequence_id`.
///
/// # Cost
///
/// O(n log n) for n positions, as long as few sequences are kept beside each other: which is what
/// this is for.
///
/// # Example
///
/// ```
/// use tilesight::compat::geokit::simplify_sequence;
///
/// let sequences = r#"{"type": "FeatureCollection", "features": [
///     {"type": "Feature", "properties": {"sequence_id": "street"},
///      "geometry": {"type": "LineString", "coordinates": [[24.95, 60.17], [24.97, 60.17]]}},
///     {"type": "Feature", "properties": {"sequence_id": "other side of the street"},
///      "geometry": {"type": "LineString", "coordinates": [[24.955, 60.17005], [24.96, 60.17005]]}}
/// ]}"#;
/// let mut areas = Vec::new();
/// let counts = simplify_sequence(sequences, 10.0, &mut areas)?;
/// assert_eq!((counts.read, counts.written), (2, 1));
/// # Ok::<(), tilesight::compat::geokit::Error>(())
/// ```
pub fn simplify_sequence(
    sequences: &str,
    buffer_m: f64,
    out: &mut dyn Write,
) -> Result<Counts, Error> {
    check_buffer(buffer_m)?;
    let mut sequences = merged(&Collection::read(sequences)?)?;
    sequences.sort_by_cached_key(|sequence| {
        let length_m = length_m(&sequence.parts);
        // Lengths are not negative, so their bits are in their order.
        (std::cmp::Reverse(length_m.to_bits()), sequence.id.clone())
    });
    let read = sequences.len() as u64;
    let mut writer = CollectionWriter::new(out)?;
    let mut kept = Kept::new(buffer_m);
    for mut sequence in sequences {
        let lines: Vec<Polyline> = sequence
            .parts
            .iter()
            .flat_map(|part| kept.rest(part))
            .collect();
        let area = kept.area_around(&lines);
        if area.0.is_empty() {
            continue;
        }
        kept.add(&lines);
        sequence.feature.set("id", &sequence.id)?;
        sequence.feature.set("area", &measured(area_m2(&area)))?;
        sequence.feature.set_geometry(&polygons(&area))?;
        writer.write(&sequence.feature)?;
    }
    Ok(Counts {
        read,
        written: writer.finish()?,
    })
}

fn check_buffer(buffer_m: f64) -> Result<(), Error> {
    if BUFFER_M.contains(&buffer_m) {
        return Ok(());
    }
    let (least, most) = (BUFFER_M.start(), BUFFER_M.end());
    let hint = if buffer_m > 0.0 && buffer_m < *least {
        let metres = (buffer_m * METRES_A_DEGREE * 10.0).round() / 10.0;
        format!("; geokit takes degrees, and so many are about {metres} m")
    } else {
        String::new()
    };
    Err(Error::OutOfRange {
        name: "buffer",
        value: buffer_m,
        expected: format!("give {least} to {most} metres, as 10{hint}"),
    })
}

/// A line without jumps: longitudes go on beyond 180°. One of a single position is a point.
type Polyline = Vec<Degrees>;

/// Turns of the globe on which the same place is looked for.
const TURNS: [f64; 3] = [-360.0, 0.0, 360.0];

/// A segment of what was kept: on which turn it was found, and the numbers of its line and of
/// itself in that.
type Found = (usize, usize, usize);

/// What was kept so far.
struct Kept {
    lines: Vec<Polyline>,
    /// The segments of the lines, with the number of the line and their own.
    segments: RTree<GeomWithData<Line<Degrees>, (usize, usize)>>,
    buffer_m: f64,
}

impl Kept {
    fn new(buffer_m: f64) -> Self {
        Self {
            lines: Vec::new(),
            segments: RTree::new(),
            buffer_m,
        }
    }

    fn add(&mut self, lines: &[Polyline]) {
        for line in lines {
            let turn = line.first().map_or(0.0, |&start| turn_of(start));
            let line: Polyline = line.iter().map(|&at| shifted(at, -turn)).collect();
            for (number, [from, to]) in segments(&line).enumerate() {
                let place = (self.lines.len(), number);
                let segment = GeomWithData::new(Line::new(from, to), place);
                self.segments.insert(segment);
            }
            self.lines.push(line);
        }
    }

    /// What of a part is farther than the buffer from all that was kept.
    fn rest(&self, part: &Part) -> Vec<Polyline> {
        let mut lines: Vec<Polyline> = Vec::new();
        let mut goes_on = false;
        for segment in segments(&polyline(part)) {
            let left = self.left_of(segment);
            for &span in &left {
                let [from, to] = cut(segment, span);
                match lines.last_mut() {
                    Some(line) if goes_on && span[0] == 0.0 => line.push(to),
                    _ => lines.push(vec![from, to]),
                }
                goes_on = false;
            }
            goes_on = left.last().is_some_and(|span| span[1] == 1.0);
        }
        for line in &mut lines {
            line.dedup();
        }
        lines
    }

    /// The spans of a segment that are farther than the buffer from all that was kept.
    fn left_of(&self, segment: [Degrees; 2]) -> Vec<Span> {
        let frame = Frame::between(segment[0], segment[1]);
        let in_metres = |segment: [Degrees; 2]| segment.map(|position| frame.metres(position));
        let here = in_metres(segment);
        let near = self.near(segment, self.buffer_m);
        let spans = near.filter_map(|(_, other)| span_near(here, in_metres(other), self.buffer_m));
        let mut left = left_by(spans.collect());
        let [a, b] = here;
        let length_m = (b[0] - a[0]).hypot(b[1] - a[1]);
        left.retain(|span| *span == WHOLE || (span[1] - span[0]) * length_m >= MIN_PIECE_M);
        left
    }

    /// The segments kept that may come within `reach_m` of another one, on its turn of the globe.
    fn near(
        &self,
        [a, b]: [Degrees; 2],
        reach_m: f64,
    ) -> impl Iterator<Item = (Found, [Degrees; 2])> {
        let window = reach(a, b, reach_m);
        TURNS.iter().enumerate().flat_map(move |(at, &turn)| {
            let [low, high] = window.map(|corner| shifted(corner, turn));
            let envelope = AABB::from_corners(low, high);
            let found = self.segments.locate_in_envelope_intersecting(envelope);
            found.map(move |segment| {
                let (line, number) = segment.data;
                let ends = [segment.geom().from, segment.geom().to];
                ((at, line, number), ends.map(|end| shifted(end, -turn)))
            })
        })
    }

    /// The area within the buffer of lines, without that of what was kept before.
    fn area_around(&self, lines: &[Polyline]) -> MultiPolygon {
        let patches = patches(lines).into_iter();
        let areas: Vec<_> = patches
            .map(|patch| self.area_around_patch(&patch))
            .collect();
        united(&areas)
    }

    fn area_around_patch(&self, patch: &Patch<'_>) -> MultiPolygon {
        let [low, high] = patch.bounds;
        let frame = Frame::between(low, high);
        let mut area = buffered(&patch.slices, frame, self.buffer_m);
        let others = self.meeting(&patch.slices);
        if !others.is_empty() {
            area = area.difference(&buffered(&others, frame, self.buffer_m));
        }
        on_one_turn(&area.map_coords(|Coord { x, y }| frame.degrees([x, y]).into()))
    }

    /// The stretches of lines kept before whose areas meet those of lines: what is not farther from
    /// them than twice the buffer.
    fn meeting(&self, lines: &[&[Degrees]]) -> Vec<Polyline> {
        let reach_m = 2.0 * self.buffer_m;
        let mut spans: BTreeMap<Found, Span> = BTreeMap::new();
        for segment in lines.iter().flat_map(|line| segments(line)) {
            let frame = Frame::between(segment[0], segment[1]);
            let in_metres = |segment: [Degrees; 2]| segment.map(|at| frame.metres(at));
            for (found, other) in self.near(segment, reach_m) {
                if let Some(span) = span_near(in_metres(other), in_metres(segment), reach_m) {
                    let whole = spans.entry(found).or_insert(span);
                    *whole = [whole[0].min(span[0]), whole[1].max(span[1])];
                }
            }
        }
        self.stretches(&spans)
    }

    /// Spans of segments on the turns on which they were found, a few that meet as one line.
    fn stretches(&self, spans: &BTreeMap<Found, Span>) -> Vec<Polyline> {
        let mut stretches: Vec<Polyline> = Vec::new();
        let mut ended = None;
        for (&(turn, line, number), &span) in spans {
            let ends = [number, number + 1].map(|i| i.min(self.lines[line].len() - 1));
            let segment = ends.map(|end| shifted(self.lines[line][end], -TURNS[turn]));
            let [from, to] = cut(segment, span);
            let goes_on = span[0] == 0.0 && ended == Some((turn, line, number));
            match stretches.last_mut() {
                Some(stretch) if goes_on && stretch.len() <= MAX_SEGMENTS => stretch.push(to),
                _ => stretches.push(vec![from, to]),
            }
            ended = (span[1] == 1.0).then_some((turn, line, number + 1));
        }
        stretches
    }
}

/// The union of areas, half by half: where they lie over each other, as those of a line that
/// crosses itself, there is little left to unite with the rest.
fn united(areas: &[MultiPolygon]) -> MultiPolygon {
    match areas {
        [] => MultiPolygon(Vec::new()),
        [only] => only.clone(),
        _ => {
            let (left, right) = areas.split_at(areas.len() / 2);
            united(left).union(&united(right))
        }
    }
}

/// The vertices of a part, with longitudes that go on beyond 180°, and segments short enough to
/// be looked at as a whole.
fn polyline(part: &Part) -> Polyline {
    let mut line: Polyline = Vec::with_capacity(part.len());
    for position in part {
        let mut vertex = [position.lon(), position.lat()];
        if let Some(&last) = line.last() {
            vertex[0] += ((last[0] - vertex[0]) / 360.0).round() * 360.0;
            line.extend(between(last, vertex));
        }
        line.push(vertex);
    }
    line
}

/// Positions between two, so that none of the steps is too long.
fn between(from: Degrees, to: Degrees) -> impl Iterator<Item = Degrees> {
    let frame = Frame::between(from, to);
    let [[ax, ay], [bx, by]] = [from, to].map(|position| frame.metres(position));
    let pieces = ((bx - ax).hypot(by - ay) / MAX_SEGMENT_M).ceil().max(1.0);
    (1..pieces as u64).map(move |piece| at([from, to], piece as f64 / pieces))
}

/// The segments of a line; a point is one without length.
fn segments(line: &[Degrees]) -> impl Iterator<Item = [Degrees; 2]> {
    let point = match line {
        [only] => Some([*only, *only]),
        _ => None,
    };
    let steps = line.windows(2).map(|step| [step[0], step[1]]);
    steps.chain(point)
}

/// Slices of a line that share their ends, each short enough to be buffered at once.
fn slices(line: &[Degrees]) -> Vec<&[Degrees]> {
    let (mut slices, mut first, mut length_m) = (Vec::new(), 0, 0.0);
    for (last, [a, b]) in (1..).zip(segments(line)) {
        let [width_m, height_m] = sides_m([a, b]);
        length_m += width_m.hypot(height_m);
        let is_full = length_m > MAX_PLANE_M || last - first == MAX_SEGMENTS;
        if is_full && last + 1 < line.len() {
            slices.push(&line[first..=last]);
            (first, length_m) = (last, 0.0);
        }
    }
    slices.push(&line[first..]);
    slices
}

/// Slices of lines that lie in one plane.
struct Patch<'a> {
    slices: Vec<&'a [Degrees]>,
    bounds: [Degrees; 2],
}

/// Groups the slices of lines that follow each other.
fn patches(lines: &[Polyline]) -> Vec<Patch<'_>> {
    let mut patches: Vec<Patch<'_>> = Vec::new();
    for slice in lines.iter().flat_map(|line| slices(line)) {
        let bounds = bounds(slice);
        match patches.last_mut() {
            Some(patch) if is_one_plane(joined(patch.bounds, bounds)) => {
                patch.slices.push(slice);
                patch.bounds = joined(patch.bounds, bounds);
            }
            _ => patches.push(Patch {
                slices: vec![slice],
                bounds,
            }),
        }
    }
    patches
}

fn is_one_plane(bounds: [Degrees; 2]) -> bool {
    sides_m(bounds).iter().all(|&side| side <= MAX_PLANE_M)
}

/// How far one position is from another to the east and to the north.
fn sides_m([from, to]: [Degrees; 2]) -> [f64; 2] {
    let frame = Frame::between(from, to);
    let [from, to] = [from, to].map(|position| frame.metres(position));
    [0, 1].map(|axis| to[axis] - from[axis])
}

fn cut(segment: [Degrees; 2], span: Span) -> [Degrees; 2] {
    span.map(|share| at(segment, share))
}

/// The position at a share of a segment; its ends are exact.
fn at([from, to]: [Degrees; 2], share: f64) -> Degrees {
    if share == 1.0 {
        return to;
    }
    [0, 1].map(|axis| from[axis] + share * (to[axis] - from[axis]))
}

/// How many degrees a position lies beyond the longitudes from −180 to 180.
fn turn_of(position: Degrees) -> f64 {
    (position[0] / 360.0).round() * 360.0
}

fn shifted([lon, lat]: Degrees, degrees_east: f64) -> Degrees {
    [lon + degrees_east, lat]
}

/// The lowest and the highest corner of the box around a line.
fn bounds(line: &[Degrees]) -> [Degrees; 2] {
    let whole = [line[0]; 2];
    line.iter()
        .fold(whole, |whole, &at| joined(whole, [at, at]))
}

fn joined(a: [Degrees; 2], b: [Degrees; 2]) -> [Degrees; 2] {
    let low = [0, 1].map(|axis| a[0][axis].min(b[0][axis]));
    let high = [0, 1].map(|axis| a[1][axis].max(b[1][axis]));
    [low, high]
}

/// The area within a distance of lines of a few segments each, in metres.
fn buffered<L: AsRef<[Degrees]>>(lines: &[L], frame: Frame, buffer_m: f64) -> MultiPolygon {
    let around = |line: &L| {
        let line = line.as_ref().iter();
        let mut line: Vec<Coord> = line.map(|&at| frame.metres(at).into()).collect();
        line.dedup();
        LineString(line).buffer(buffer_m)
    };
    let areas: Vec<_> = lines.iter().map(around).collect();
    united(&areas)
}

/// Brings an area to longitudes from −180 to 180, cut where it crosses the antimeridian
/// (RFC 7946, section 3.1.9).
fn on_one_turn(area: &MultiPolygon) -> MultiPolygon {
    let is_within = |bounds: Rect| bounds.min().x >= -180.0 && bounds.max().x <= 180.0;
    if area.bounding_rect().is_none_or(is_within) {
        return area.clone();
    }
    let turns = [-360.0, 0.0, 360.0].map(|turn: f64| {
        let world = Rect::new((turn - 180.0, -90.0), (turn + 180.0, 90.0)).to_polygon();
        let here = area.intersection(&world);
        here.map_coords(|Coord { x, y }| Coord { x: x - turn, y })
    });
    MultiPolygon(turns.into_iter().flatten().collect())
}

/// The area of polygons in degrees on the sphere: of a ring, the sum over its edges of
/// Δλ · sin φ, by the mean of both ends, times R².
fn area_m2(area: &MultiPolygon) -> f64 {
    let rings = area.iter().flat_map(BooleanOps::rings);
    let edges = rings.flat_map(LineString::lines);
    let under = edges.map(|edge| {
        let sines = edge.start.y.to_radians().sin() + edge.end.y.to_radians().sin();
        (edge.start.x - edge.end.x).to_radians() * sines / 2.0
    });
    under.sum::<f64>() * EARTH_RADIUS_M * EARTH_RADIUS_M
}

fn polygons(area: &MultiPolygon) -> Geometry {
    let ring = |ring: &LineString| -> Vec<Degrees> {
        ring.coords()
            .map(|c| [rounded(c.x), rounded(c.y)])
            .collect()
    };
    let polygon = |polygon: &geo::Polygon| polygon.rings().map(ring).collect();
    let mut polygons: Vec<Vec<Vec<Degrees>>> = area.iter().map(polygon).collect();
    match polygons.len() {
        1 => Geometry::Polygon {
            coordinates: polygons.remove(0),
        },
        _ => Geometry::MultiPolygon {
            coordinates: polygons,
        },
    }
}

#[cfg(test)]
mod tests;
