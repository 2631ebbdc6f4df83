//! Which images look at which of many targets: doors, trees, buildings, and whether something
//! stands in between.
//!
//! ```
//! use tilesight::shapes::Feature;
//! use tilesight::sight::SightQuery;
//! use tilesight::{Dataset, Image, LonLat};
//!
//! let data = Dataset::from_images([
//!     Image { compass_angle_deg: Some(90.0), ..Image::at(1, 24.9380, 60.1699) }, // looks east
//!     Image { compass_angle_deg: Some(270.0), ..Image::at(2, 24.9382, 60.1699) }, // looks west
//! ])?;
//! let doors = [
//!     Feature::at("west door", LonLat::new(24.9377, 60.1699)?),
//!     Feature::at("east door", LonLat::new(24.9385, 60.1699)?),
//! ];
//! let found = data.sees(&doors, &SightQuery::default())?;
//! let pairs: Vec<_> = found.iter().map(|(target, image)| (&target.id[..], image.id)).collect();
//! assert_eq!(pairs, [("west door", 2), ("east door", 1)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod occluders;
mod view;

use std::cmp::Ordering;

use rayon::prelude::*;
use tilesight_query::{
    Error as QueryError, Filter, Image, ImageQuery, NotHeld, Place, Unread, schema::DATA_ZOOM,
};
use tilesight_tile::{
    GridPoint, LonLat, TileRows, cover_bbox, cover_circle, haversine_m, initial_bearing_deg,
};

use crate::holding::not_held;
use crate::plane::{MAX_REACH_M, Plane, box_around, lon_lat};
use crate::shapes::{Feature, Shape};
use crate::{Dataset, Error};
pub use occluders::Occluders;
use view::{Sight, View, sight_of};

/// Targets that a thread takes at once: neighbours, which ask about the same images.
const TARGETS_AT_ONCE: usize = 256;

/// How much farther than the sphere the plane may say that something is.
const PLANE_SLACK: f64 = 1.01;

/// Which images of a target come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SightOrder {
    /// The nearest, then by id.
    #[default]
    Nearest,
    /// Those that have the target most in the middle, by [`offset_deg`](Image::offset_deg), then
    /// the nearest; last those of which the offset is not known.
    Central,
}

/// A question for the images that look at targets.
///
/// An image *looks at* a point as [`Place::LookingAt`] has it: it is within the radius, and it is a
/// panorama, or its heading and the bearing to the point differ by at most half of the field of
/// view. It looks at a line or a polygon when it looks at any point of it; the nearest such point
/// is *the point seen*, and distance, bearing and offset are those of that point. An image that
/// stands on a target, or in it, looks at it whatever its heading, at distance 0 and without a
/// bearing.
#[derive(Debug, Clone)]
pub struct SightQuery<'a> {
    /// Greatest distance in metres, included: 0 to 1000. What is farther away is no more than a few
    /// pixels high.
    pub radius_m: f64,
    /// Horizontal field of view of a flat image, in degrees.
    pub fov_deg: f64,
    /// What the images must be like.
    pub filter: Filter,
    /// Which images of a target come first.
    pub order: SightOrder,
    /// At most this many images a target, the first in order.
    pub per_target: Option<usize>,
    /// At most this many rows in all.
    pub limit: Option<usize>,
    /// What may stand between an image and the point seen; the image is left out then.
    pub occluders: Option<&'a Occluders>,
    /// Answer from what is held even where targets are near tiles that are not.
    pub allow_partial: bool,
}

impl Default for SightQuery<'_> {
    fn default() -> Self {
        Self {
            radius_m: Place::DEFAULT_RADIUS_M,
            fov_deg: Place::DEFAULT_FOV_DEG,
            filter: Filter::default(),
            order: SightOrder::default(),
            per_target: None,
            limit: None,
            occluders: None,
            allow_partial: false,
        }
    }
}

/// An image that looks at a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sighting<'a> {
    /// The number of the target in the list that was asked about.
    pub target: u32,
    /// The image, with distance, bearing and offset of the point seen.
    pub image: Image<'a>,
}

/// The images that look at targets: target by target in the order of the question, and in
/// [its order](SightOrder) for each.
#[derive(Debug, Clone)]
pub struct Sightings<'a> {
    targets: &'a [Feature],
    rows: Vec<Sighting<'a>>,
    missing: Option<NotHeld>,
}

impl<'a> Sightings<'a> {
    /// How many rows there are: pairs of a target and an image.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no target is seen.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows, with the numbers of the targets.
    pub fn rows(&self) -> &[Sighting<'a>] {
        &self.rows
    }

    /// The rows, with the targets themselves.
    pub fn iter(&self) -> impl Iterator<Item = (&'a Feature, Image<'a>)> + use<'a, '_> {
        let targets = self.targets;
        self.rows
            .iter()
            .map(|row| (&targets[row.target as usize], row.image))
    }

    /// The tiles near targets that the dataset does not hold, where
    /// [`allow_partial`](SightQuery::allow_partial) let them be missing.
    pub const fn missing(&self) -> Option<&NotHeld> {
        self.missing.as_ref()
    }
}

impl Dataset {
    /// Finds the images that look at each of many targets: points, lines or polygons.
    ///
    /// # Returns
    ///
    /// A row for each target and image that looks at it, as [`SightQuery`] defines; the same rows
    /// whatever the number of threads. A target that nothing looks at has no row.
    ///
    /// # Units
    ///
    /// Metres by haversine, degrees on WGS 84 and clockwise from north; everything closed. The
    /// point seen of a line or polygon is chosen on a plane around the image, which is off by less
    /// than a thousandth up to 50 m.
    ///
    /// # Errors
    ///
    /// [`QueryError::NotHeld`] when the circle around a point, or the box around a line or polygon
    /// and the radius, touches tiles that are not held, unless the query allows that.
    /// [`QueryError::OutOfRange`] for a radius or field of view that cannot be. Retrying helps with
    /// neither.
    ///
    /// # Cost
    ///
    /// That of a question for the images near each target, on all threads, and less than 200 bytes
    /// of memory a row.
    pub fn sees<'a>(
        &'a self,
        targets: &'a [Feature],
        query: &SightQuery<'_>,
    ) -> Result<Sightings<'a>, Error> {
        check(query)?;
        let join = Join {
            data: self,
            targets,
            query,
        };
        let order = in_spatial_order(targets);
        let chunks = order.par_chunks(TARGETS_AT_ONCE);
        let found: Vec<_> = chunks.map(|chunk| join.sightings(chunk)).collect();
        let mut rows = Vec::new();
        let mut is_partial = false;
        for chunk in found {
            let chunk = chunk?;
            rows.extend(chunk.rows);
            is_partial |= chunk.is_partial;
        }
        let missing = if is_partial {
            not_held(self, targets.iter().filter_map(|target| join.cover(target)))?
        } else {
            None
        };
        if let (Some(missing), false) = (missing, query.allow_partial) {
            return Err(QueryError::from(missing).into());
        }
        rows.par_sort_by_key(|row| row.target);
        rows.truncate(query.limit.unwrap_or(usize::MAX));
        Ok(Sightings {
            targets,
            rows,
            missing,
        })
    }
}

fn check(query: &SightQuery<'_>) -> Result<(), QueryError> {
    if !(0.0..=MAX_REACH_M).contains(&query.radius_m) {
        return Err(QueryError::OutOfRange {
            name: "radius around targets",
            value: query.radius_m,
            range: "0 to 1000 metres",
            example: "50",
        });
    }
    if !(query.fov_deg > 0.0 && query.fov_deg <= 360.0) {
        return Err(QueryError::OutOfRange {
            name: "field of view",
            value: query.fov_deg,
            range: "more than 0 and up to 360 degrees",
            example: "100",
        });
    }
    Ok(())
}

/// The numbers of targets along a curve that keeps neighbours together.
fn in_spatial_order(targets: &[Feature]) -> Vec<u32> {
    let key = |&number: &u32| {
        let mut chains = targets[number as usize].shape.chains();
        let first = chains.next().and_then(|chain| lon_lat(chain[0]));
        first.map(|position| GridPoint::nearest_to(position).z_order())
    };
    let mut order: Vec<u32> = (0..targets.len() as u32).collect();
    order.par_sort_by_cached_key(key);
    order
}

/// Targets and what is asked about them.
struct Join<'a, 'q> {
    data: &'a Dataset,
    targets: &'a [Feature],
    query: &'q SightQuery<'q>,
}

/// The rows of some targets.
#[derive(Default)]
struct Chunk<'a> {
    rows: Vec<Sighting<'a>>,
    is_partial: bool,
}

/// An image that looks at a line or a polygon, and the point that it sees.
struct Glimpse<'a> {
    image: Unread<'a>,
    from: LonLat,
    seen: LonLat,
    distance_m: f64,
    bearing_deg: Option<f64>,
    offset_deg: Option<f64>,
}

impl<'a> Glimpse<'a> {
    fn image(&self) -> Image<'a> {
        Image {
            distance_m: Some(self.distance_m),
            bearing_deg: self.bearing_deg,
            offset_deg: self.offset_deg,
            ..self.image.read()
        }
    }
}

/// What may stand between images and a target.
struct Obstacles<'q> {
    occluders: Option<&'q Occluders>,
    of_target: Vec<u32>,
}

impl Obstacles<'_> {
    fn let_see(&self, from: LonLat, to: LonLat) -> bool {
        let blocks = |occluders: &Occluders| occluders.block(from, to, &self.of_target);
        !self.occluders.is_some_and(blocks)
    }
}

impl<'a> Join<'a, '_> {
    fn sightings(&self, targets: &[u32]) -> Result<Chunk<'a>, QueryError> {
        let mut question = ImageQuery {
            filter: self.query.filter.clone(),
            allow_partial: true,
            ..ImageQuery::default()
        };
        let mut chunk = Chunk::default();
        let mut images = Vec::new();
        for &target in targets {
            let shape = &self.targets[target as usize].shape;
            chunk.is_partial |= self.ask(shape, &mut question, &mut images)?;
            let rows = images.drain(..).map(|image| Sighting { target, image });
            chunk.rows.extend(rows);
        }
        Ok(chunk)
    }

    /// Finds the images that look at a target and from which nothing hides it, the first of them
    /// in order; tells whether some may be missing.
    fn ask(
        &self,
        target: &Shape,
        question: &mut ImageQuery,
        images: &mut Vec<Image<'a>>,
    ) -> Result<bool, QueryError> {
        match target.single_point() {
            Some(point) => self.ask_about_point(target, point, question, images),
            None => self.ask_about_shape(target, question, images),
        }
    }

    fn ask_about_point(
        &self,
        target: &Shape,
        point: LonLat,
        question: &mut ImageQuery,
        images: &mut Vec<Image<'a>>,
    ) -> Result<bool, QueryError> {
        let is_central = self.query.order == SightOrder::Central;
        let needs_all = is_central || self.query.occluders.is_some();
        question.place = Place::LookingAt {
            target: point,
            radius_m: self.query.radius_m,
            fov_deg: self.query.fov_deg,
        };
        question.limit = self.query.per_target.filter(|_| !needs_all);
        let found = self.data.images(question)?;
        let obstacles = self.obstacles(target);
        let is_visible = |image: &Image<'_>| {
            let from = LonLat::new(image.lon, image.lat);
            from.is_ok_and(|from| obstacles.let_see(from, point))
        };
        let at_most = self.query.per_target.unwrap_or(usize::MAX);
        if is_central {
            let mut all: Vec<Image<'a>> = found.iter().collect();
            all.sort_by(|a, b| by_offset(a.offset_deg, b.offset_deg));
            images.extend(all.into_iter().filter(is_visible).take(at_most));
        } else {
            images.extend(found.iter().filter(is_visible).take(at_most));
        }
        Ok(found.missing().is_some())
    }

    fn ask_about_shape(
        &self,
        target: &Shape,
        question: &mut ImageQuery,
        images: &mut Vec<Image<'a>>,
    ) -> Result<bool, QueryError> {
        let Some(bbox) = box_around(target.bounds(), self.query.radius_m) else {
            return Ok(false);
        };
        question.place = Place::Bbox(bbox);
        question.limit = None;
        let found = self.data.images(question)?;
        let looking = found.unread().filter_map(|image| self.look(image, target));
        let mut glimpses: Vec<Glimpse<'a>> = looking.collect();
        glimpses.sort_by(|a, b| {
            let order = a.distance_m.total_cmp(&b.distance_m);
            order.then_with(|| a.image.id().cmp(&b.image.id()))
        });
        if self.query.order == SightOrder::Central {
            glimpses.sort_by(|a, b| by_offset(a.offset_deg, b.offset_deg));
        }
        let obstacles = self.obstacles(target);
        let visible = glimpses
            .iter()
            .filter(|glimpse| obstacles.let_see(glimpse.from, glimpse.seen));
        let at_most = self.query.per_target.unwrap_or(usize::MAX);
        images.extend(visible.take(at_most).map(Glimpse::image));
        Ok(found.missing().is_some())
    }

    /// Measures from an image to the nearest point of a shape that it looks at.
    fn look(&self, image: Unread<'a>, target: &Shape) -> Option<Glimpse<'a>> {
        let from = image.position();
        let plane = Plane::around(from);
        let view = View::of(image.kind(), image.compass_angle_deg(), self.query.fov_deg);
        let radius_m = self.query.radius_m;
        let seen = match sight_of(target, plane, view.as_ref(), radius_m * PLANE_SLACK)? {
            Sight::On => {
                return Some(Glimpse {
                    image,
                    from,
                    seen: from,
                    distance_m: 0.0,
                    bearing_deg: None,
                    offset_deg: None,
                });
            }
            Sight::At(point) => plane.position(point),
        };
        let distance_m = haversine_m(from, seen);
        let bearing_deg = initial_bearing_deg(from, seen);
        // At the edge of the view the plane may be off by a hair.
        let widest = match view {
            Some(View::Around) => 180.0,
            _ => self.query.fov_deg / 2.0,
        };
        let offset = |heading| offset_deg(heading, bearing_deg).min(widest);
        let glimpse = Glimpse {
            image,
            from,
            seen,
            distance_m,
            bearing_deg: Some(bearing_deg),
            offset_deg: image.compass_angle_deg().map(offset),
        };
        (distance_m <= radius_m).then_some(glimpse)
    }

    fn obstacles(&self, target: &Shape) -> Obstacles<'_> {
        let occluders = self.query.occluders;
        Obstacles {
            occluders,
            of_target: occluders.map_or(Vec::new(), |occluders| occluders.of_target(target)),
        }
    }

    /// The tiles that a target needs.
    fn cover(&self, target: &Feature) -> Option<TileRows> {
        let radius_m = self.query.radius_m;
        let cover = if let Some(point) = target.shape.single_point() {
            cover_circle(DATA_ZOOM, point, radius_m, u64::MAX)
        } else {
            let bbox = box_around(target.shape.bounds(), radius_m)?;
            cover_bbox(DATA_ZOOM, &bbox, u64::MAX)
        };
        cover.ok()
    }
}

/// The most central first; equals stay in their order.
fn by_offset(a: Option<f64>, b: Option<f64>) -> Ordering {
    let known = |offset: Option<f64>| offset.unwrap_or(f64::INFINITY);
    known(a).total_cmp(&known(b))
}

/// How far two directions lie apart, 0 to 180 degrees.
fn offset_deg(a_deg: f64, b_deg: f64) -> f64 {
    let around = (a_deg - b_deg).abs();
    around.min(360.0 - around)
}
