//! How much of each road is covered by images: by kind, and by how fresh they are.
//!
//! ```
//! use tilesight::roads::RoadQuery;
//! use tilesight::shapes::{Feature, Geometry, Shape};
//! use tilesight::{Dataset, Image};
//!
//! // One image at the western end of a road of 100 m.
//! let data = Dataset::from_images([Image::at(1, 24.9380, 60.1699)])?;
//! let line = vec![[24.9380, 60.1699], [24.9398, 60.1699]];
//! let shape = Shape::new(Geometry::Lines(vec![line]))?;
//! let roads = [Feature { id: "Aleksanterinkatu".to_owned(), shape }];
//! let query = RoadQuery { within_m: 10.0, ..RoadQuery::default() };
//! let found = data.road_coverage(&roads, &query)?;
//! let road = found.rows()[0];
//! assert_eq!((road.length_m.round(), road.covered.by_any_m.round()), (100.0, 10.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cover;

use rayon::prelude::*;
use tilesight_query::{
    Error as QueryError, Filter, ImageQuery, Kind, NotHeld, Place, schema::DATA_ZOOM,
};
use tilesight_tile::{GridPoint, TileRows, cover_bbox, haversine_m};

use crate::holding::not_held;
use crate::plane::{MAX_REACH_M, box_around, lon_lat};
use crate::shapes::{Feature, Position, ReadError, Shape, ShapeFault, bounds_of};
use crate::{Dataset, Error};
use cover::{Camera, Intervals, Part};

/// The ages by which [`CoveredLength::fresh_m`] is told apart, in years.
pub const AGES_YEARS: [u32; 5] = [1, 2, 3, 5, 10];

/// A mean year of the calendar, in milliseconds.
const YEAR_MS: i64 = 31_556_952_000;

/// Longest piece of a road that is straight enough to be measured at once, and length of the
/// stretches that are asked about at once, in metres.
const STRETCH_M: f64 = 200.0;

/// Roads that a thread takes at once.
const ROADS_AT_ONCE: usize = 64;

/// A question for how much of roads is covered.
///
/// A point of a road is *covered* by the images that are within [`within_m`](Self::within_m) of it
/// and pass the filter. Which road an image stands on is not known: where two are that close, it
/// covers both.
#[derive(Debug, Clone)]
pub struct RoadQuery {
    /// Greatest distance from the road to an image in metres, included: 0 to 1000.
    pub within_m: f64,
    /// What the images must be like.
    pub filter: Filter,
    /// Whether an image that is no panorama must look along the road: its heading and that of the
    /// road, in either direction, must differ by at most 45°, so that it looks rather along the
    /// road than across it. An image of which the heading is not known covers nothing then.
    pub heading_aware: bool,
    /// The moment from which ages are counted back, in milliseconds since 1970, UTC; where none is
    /// given, that of the newest image of the dataset.
    pub as_of_ms: Option<i64>,
    /// Answer from what is held even where roads are near tiles that are not.
    pub allow_partial: bool,
}

impl RoadQuery {
    /// Distance within which images cover a road, in metres: what positions are off by, and half of
    /// a wide street.
    pub const DEFAULT_WITHIN_M: f64 = 15.0;
}

impl Default for RoadQuery {
    fn default() -> Self {
        Self {
            within_m: Self::DEFAULT_WITHIN_M,
            filter: Filter::default(),
            heading_aware: false,
            as_of_ms: None,
            allow_partial: false,
        }
    }
}

/// Lengths of road that are covered, in metres.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CoveredLength {
    /// By any image.
    pub by_any_m: f64,
    /// By panoramas.
    pub by_panoramas_m: f64,
    /// By flat images.
    pub by_flat_m: f64,
    /// By images that were captured no longer than [`AGES_YEARS`] years ago.
    pub fresh_m: [f64; AGES_YEARS.len()],
}

/// How much of a road is covered, or of all roads.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RoadCoverage {
    /// Length in metres.
    pub length_m: f64,
    /// How much of it is covered.
    pub covered: CoveredLength,
    /// When the newest image was captured that covers some of it, in milliseconds since 1970, UTC.
    pub newest_captured_at_ms: Option<i64>,
}

impl RoadCoverage {
    /// The share that a covered length is of the whole, 0 to 1; none of a road without length.
    pub fn share(&self, covered_m: f64) -> Option<f64> {
        (self.length_m > 0.0).then(|| (covered_m / self.length_m).min(1.0))
    }

    fn add(&mut self, other: &Self) {
        let (covered, more) = (&mut self.covered, &other.covered);
        self.length_m += other.length_m;
        covered.by_any_m += more.by_any_m;
        covered.by_panoramas_m += more.by_panoramas_m;
        covered.by_flat_m += more.by_flat_m;
        for (fresh_m, more_m) in covered.fresh_m.iter_mut().zip(more.fresh_m) {
            *fresh_m += more_m;
        }
        self.newest_captured_at_ms = self.newest_captured_at_ms.max(other.newest_captured_at_ms);
    }
}

/// How much of each of many roads is covered, in the order of the question.
#[derive(Debug, Clone)]
pub struct CoveredRoads<'a> {
    roads: &'a [Feature],
    rows: Vec<RoadCoverage>,
    missing: Option<NotHeld>,
}

impl<'a> CoveredRoads<'a> {
    /// How many roads there are.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How much of each road is covered.
    pub fn rows(&self) -> &[RoadCoverage] {
        &self.rows
    }

    /// The roads, and how much of each is covered.
    pub fn iter(&self) -> impl Iterator<Item = (&'a Feature, RoadCoverage)> + use<'a, '_> {
        self.roads.iter().zip(self.rows.iter().copied())
    }

    /// All roads together.
    pub fn total(&self) -> RoadCoverage {
        let mut total = RoadCoverage::default();
        self.rows.iter().for_each(|row| total.add(row));
        total
    }

    /// The tiles near roads that the dataset does not hold, where
    /// [`allow_partial`](RoadQuery::allow_partial) let them be missing.
    pub const fn missing(&self) -> Option<&NotHeld> {
        self.missing.as_ref()
    }
}

/// Checks that features are lines.
///
/// # Errors
///
/// [`ReadError`] with the number of the first that is none.
pub fn check_roads(features: &[Feature]) -> Result<(), ReadError> {
    let is_line = |feature: &Feature| !feature.shape.lines().is_empty();
    match features.iter().position(|feature| !is_line(feature)) {
        Some(number) => {
            let found = features[number].shape.kind().to_owned();
            let wanted = "lines";
            Err(ShapeFault::Kind { found, wanted }.of_feature(number))
        }
        None => Ok(()),
    }
}

impl Dataset {
    /// Measures how much of each road is covered by images.
    ///
    /// # Returns
    ///
    /// A [`RoadCoverage`] for each road, as [`RoadQuery`] defines; the same whatever the number of
    /// threads. What is not a line has no length.
    ///
    /// # Units
    ///
    /// Metres by haversine; distances from a road are taken on a plane around each image. Edges of
    /// roads are straight in degrees.
    ///
    /// # Errors
    ///
    /// [`QueryError::NotHeld`] when the boxes around stretches of the roads of at most 400 m, and
    /// the distance, touch tiles that are not held, unless the query allows that.
    /// [`QueryError::OutOfRange`] for a distance that cannot be. Retrying helps with neither.
    ///
    /// # Cost
    ///
    /// That of a question for the images around each stretch, on all threads, and of comparing
    /// each of them with the edges of the stretch.
    pub fn road_coverage<'a>(
        &'a self,
        roads: &'a [Feature],
        query: &RoadQuery,
    ) -> Result<CoveredRoads<'a>, Error> {
        if !(0.0..=MAX_REACH_M).contains(&query.within_m) {
            return Err(out_of_range(query.within_m).into());
        }
        let as_of_ms = match query.as_of_ms {
            Some(ms) => Some(ms),
            None => self.info()?.last_captured_at_ms,
        };
        let survey = Survey {
            data: self,
            query,
            fresh_since_ms: as_of_ms
                .map(|ms| AGES_YEARS.map(|years| ms.saturating_sub(i64::from(years) * YEAR_MS))),
        };
        let chunks = roads.par_chunks(ROADS_AT_ONCE);
        let surveyed: Vec<_> = chunks.map(|chunk| survey.roads(chunk)).collect();
        let mut rows = Vec::with_capacity(roads.len());
        let mut is_partial = false;
        for chunk in surveyed {
            let (of_chunk, is_partial_there) = chunk?;
            rows.extend(of_chunk);
            is_partial |= is_partial_there;
        }
        let missing = if is_partial {
            not_held(
                self,
                roads
                    .iter()
                    .flat_map(|road| covers(&road.shape, query.within_m)),
            )?
        } else {
            None
        };
        if let (Some(missing), false) = (missing, query.allow_partial) {
            return Err(QueryError::from(missing).into());
        }
        Ok(CoveredRoads {
            roads,
            rows,
            missing,
        })
    }
}

const fn out_of_range(within_m: f64) -> QueryError {
    QueryError::OutOfRange {
        name: "distance from roads",
        value: within_m,
        range: "0 to 1000 metres",
        example: "15",
    }
}

/// The tiles that a road needs.
fn covers(road: &Shape, within_m: f64) -> impl Iterator<Item = TileRows> {
    let boxes = stretches(road).into_iter();
    let boxes = boxes.filter_map(move |stretch| box_around(bounds_of(&ends(&stretch)), within_m));
    boxes.filter_map(|bbox| cover_bbox(DATA_ZOOM, &bbox, u64::MAX).ok())
}

/// A straight part of a road.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    ends: [Position; 2],
    length_m: f64,
}

fn ends(stretch: &[Piece]) -> Vec<Position> {
    stretch.iter().flat_map(|piece| piece.ends).collect()
}

/// Cuts a road into pieces of at most [`STRETCH_M`], and these into stretches of neighbours that end
/// where they become longer than that.
fn stretches(road: &Shape) -> Vec<Vec<Piece>> {
    let mut stretches = Vec::new();
    for line in road.lines() {
        let mut stretch = Vec::new();
        let mut length_m = 0.0;
        for piece in line.windows(2).flat_map(|edge| pieces([edge[0], edge[1]])) {
            stretch.push(piece);
            length_m += piece.length_m;
            if length_m > STRETCH_M {
                stretches.push(std::mem::take(&mut stretch));
                length_m = 0.0;
            }
        }
        stretches.extend(Some(stretch).filter(|stretch| !stretch.is_empty()));
    }
    stretches
}

/// Cuts an edge into pieces of equal steps in degrees; one of no length has none.
fn pieces([a, b]: [Position; 2]) -> impl Iterator<Item = Piece> {
    let count = (length_m([a, b]) / STRETCH_M).ceil();
    let at = move |step: f64| match step / count {
        1.0 => b,
        part => [a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])],
    };
    (0..count as u32).map(move |step| {
        let ends = [at(f64::from(step)), at(f64::from(step) + 1.0)];
        Piece {
            ends,
            length_m: length_m(ends),
        }
    })
}

fn length_m([a, b]: [Position; 2]) -> f64 {
    let ends = lon_lat(a).zip(lon_lat(b));
    ends.map_or(0.0, |(a, b)| haversine_m(a, b))
}

/// What is asked about roads.
struct Survey<'q> {
    data: &'q Dataset,
    query: &'q RoadQuery,
    /// Since when images are fresh, for each age; none where no image has a date.
    fresh_since_ms: Option<[i64; AGES_YEARS.len()]>,
}

impl Survey<'_> {
    /// Measures some roads; tells whether images may be missing.
    fn roads(&self, roads: &[Feature]) -> Result<(Vec<RoadCoverage>, bool), QueryError> {
        let mut question = ImageQuery {
            filter: self.query.filter.clone(),
            allow_partial: true,
            ..ImageQuery::default()
        };
        let mut intervals = Intervals::default();
        let mut is_partial = false;
        let mut coverage = Vec::with_capacity(roads.len());
        for road in roads {
            let mut of_road = RoadCoverage::default();
            for stretch in stretches(&road.shape) {
                let (cameras, is_partial_there) = self.cameras(&stretch, &mut question)?;
                is_partial |= is_partial_there;
                for piece in stretch {
                    intervals.find(piece.ends, &cameras, self.query);
                    of_road.add(&self.measure(piece, &intervals));
                }
            }
            coverage.push(of_road);
        }
        Ok((coverage, is_partial))
    }

    /// The images around a stretch.
    fn cameras(
        &self,
        stretch: &[Piece],
        question: &mut ImageQuery,
    ) -> Result<(Vec<Camera>, bool), QueryError> {
        let Some(bbox) = box_around(bounds_of(&ends(stretch)), self.query.within_m) else {
            return Ok((Vec::new(), false));
        };
        question.place = Place::Bbox(bbox);
        let found = self.data.images(question)?;
        let places = found.positions().map(GridPoint::to_lon_lat);
        let headings = found.kinds().zip(found.compass_angles_deg());
        let cameras = places.zip(headings).zip(found.captured_at_ms());
        let cameras = cameras.map(|((at, (kind, heading_deg)), captured_at_ms)| {
            Camera::new(at, kind, heading_deg, captured_at_ms)
        });
        Ok((cameras.collect(), found.missing().is_some()))
    }

    fn measure(&self, piece: Piece, intervals: &Intervals) -> RoadCoverage {
        let of_kind = |kind| piece.length_m * intervals.share(|by| by.kind == Some(kind));
        let fresh_m = self.fresh_since_ms.map(|ages| {
            let since = |ms| move |by: &Part| by.captured_at_ms.is_some_and(|at| at >= ms);
            ages.map(|ms| piece.length_m * intervals.share(since(ms)))
        });
        RoadCoverage {
            length_m: piece.length_m,
            covered: CoveredLength {
                by_any_m: piece.length_m * intervals.share(|_| true),
                by_panoramas_m: of_kind(Kind::Pano),
                by_flat_m: of_kind(Kind::Flat),
                fresh_m: fresh_m.unwrap_or_default(),
            },
            newest_captured_at_ms: intervals.newest_ms(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tilesight_tile::LonLat;

    use super::*;
    use crate::shapes::Geometry;

    #[test]
    fn roads_are_cut_without_gaps() {
        // 5 km to the north, 3 m, nothing, and on.
        let line = vec![
            [25.0, 60.0],
            [25.0, 60.045],
            [25.00005, 60.045],
            [25.00005, 60.045],
            [25.01, 60.05],
        ];
        let road = Shape::new(Geometry::Lines(vec![line.clone()])).unwrap();
        let stretches = stretches(&road);
        let pieces: Vec<Piece> = stretches.iter().flatten().copied().collect();
        assert_eq!(
            (pieces[0].ends[0], pieces[pieces.len() - 1].ends[1]),
            (line[0], line[4])
        );
        assert!(
            pieces
                .windows(2)
                .all(|pair| pair[0].ends[1] == pair[1].ends[0])
        );
        assert!(
            pieces
                .iter()
                .all(|piece| piece.length_m > 0.0 && piece.length_m < 200.1)
        );
        let of_stretch = |stretch: &Vec<Piece>| stretch.iter().map(|p| p.length_m).sum::<f64>();
        assert!(stretches.iter().all(|stretch| of_stretch(stretch) < 400.2));
        let whole: f64 = line
            .windows(2)
            .map(|edge| length_m([edge[0], edge[1]]))
            .sum();
        let sum: f64 = stretches.iter().map(of_stretch).sum();
        assert!((sum / whole - 1.0).abs() < 1e-9, "{sum} {whole}");
    }

    #[test]
    fn roads_are_lines() {
        let door = [Feature::at("door", LonLat::new(1.0, 2.0).unwrap())];
        let message = check_roads(&door).unwrap_err().to_string();
        assert!(
            message.contains("feature 0") && message.contains("lines"),
            "{message}"
        );
    }
}
