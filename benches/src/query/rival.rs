//! Any index of points as an engine: what its user writes around it.

use std::cmp::Ordering;

use geo::Intersects;
use rayon::prelude::*;
use tilesight_query::Period;
use tilesight_tile::{Bbox, GridBox, LonLat, initial_bearing_deg};

use super::{Engine, Feature, Ground, Image, MadeWorld, Place, Question, Row, Segments};

/// An index of points and what is known of each.
pub trait PointIndex<T: Row>: Sync {
    /// Indexes rows.
    fn build(rows: Vec<T>) -> Self;

    /// Visits the rows in a box, edges included.
    fn search<'a>(&'a self, bounds: &GridBox, visit: impl FnMut(&'a T));

    /// Finds the distances and ids of the `k` nearest rows that pass, and at least those as far
    /// as the last, in any order. `None` when the index cannot.
    fn nearest(
        &self,
        target: &Ground,
        k: usize,
        passes: impl Fn(&T) -> bool,
    ) -> Option<Vec<(f64, i64)>>;
}

/// An engine made of an index of points.
pub struct Rival<I, F> {
    name: &'static str,
    images: I,
    features: F,
    segments: Option<Segments>,
    /// First milliseconds of the years since 1970.
    years: Vec<i64>,
}

impl<I: PointIndex<Image>, F: PointIndex<Feature>> Rival<I, F> {
    /// Indexes a world; `segments` are those of its sequences, for an engine that asks them.
    pub fn new(name: &'static str, world: &MadeWorld, segments: Option<Segments>) -> Self {
        Self {
            name,
            images: I::build(world.plain_images()),
            features: F::build(world.plain_features()),
            segments,
            years: (1970..2100).filter_map(first_ms).collect(),
        }
    }

    /// Visits the images that a question without order asks for.
    fn visit<'a>(&'a self, question: &Question, mut visit: impl FnMut(&'a Image)) {
        let condition = question.condition;
        search(&self.images, &question.place, |image| {
            if condition.holds(image) {
                visit(image);
            }
        });
    }

    /// Those within a distance that pass, with their distances.
    fn within(
        &self,
        target: LonLat,
        radius_m: f64,
        passes: impl Fn(&Image) -> bool,
    ) -> Vec<(f64, i64)> {
        let ground = Ground::around(target);
        let mut found = Vec::new();
        self.images.search(&ground.box_around(radius_m), |image| {
            let distance_m = ground.distance_m(image.point());
            if distance_m <= radius_m && passes(image) {
                found.push((distance_m, image.id()));
            }
        });
        found
    }
}

impl<I: PointIndex<Image>, F: PointIndex<Feature>> Engine for Rival<I, F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn images(&self, question: &Question) -> Option<Vec<i64>> {
        let condition = question.condition;
        let holds = |image: &Image| condition.holds(image);
        match question.place {
            Place::Box(_) | Place::Polygon(..) => {
                let mut ids = Vec::new();
                self.visit(question, |image| ids.push(image.id()));
                Some(ids)
            }
            Place::Near { target, radius_m } => {
                Some(in_order(self.within(target, radius_m, holds)))
            }
            Place::LookingAt {
                target,
                radius_m,
                half_fov_deg,
            } => {
                let shows = |image: &Image| holds(image) && shows(image, target, half_fov_deg);
                Some(in_order(self.within(target, radius_m, shows)))
            }
            Place::Nearest { target, k } => {
                let nearest = self.images.nearest(&Ground::around(target), k, holds)?;
                let mut ids = in_order(nearest);
                ids.truncate(k);
                Some(ids)
            }
        }
    }

    fn image_count(&self, question: &Question) -> Option<u64> {
        let mut count = 0;
        self.visit(question, |_| count += 1);
        Some(count)
    }

    fn images_by_year(&self, question: &Question) -> Option<Vec<String>> {
        let mut counts = vec![0_u64; self.years.len()];
        let mut unknown = 0_u64;
        self.visit(question, |image| match image.captured_at_ms {
            0 => unknown += 1,
            ms => counts[self.years.partition_point(|&first| first <= ms) - 1] += 1,
        });
        let years = (1970..).zip(counts).filter(|(_, count)| *count > 0);
        let mut lines: Vec<_> = years
            .map(|(year, count)| format!("{year}: {count}"))
            .collect();
        lines.extend((unknown > 0).then(|| format!("unknown: {unknown}")));
        Some(lines)
    }

    fn images_each(&self, questions: &[Question]) -> Option<Vec<Vec<i64>>> {
        questions
            .par_iter()
            .map(|question| self.images(question))
            .collect()
    }

    fn sequences(&self, bbox: &Bbox) -> Option<Vec<&str>> {
        Some(self.segments.as_ref()?.meeting(bbox))
    }

    fn features(&self, question: &Question) -> Option<Vec<i64>> {
        let (_, value) = question.value?;
        let mut ids = Vec::new();
        search(&self.features, &question.place, |feature| {
            if feature.value == value {
                ids.push(feature.id());
            }
        });
        Some(ids)
    }
}

fn search<'a, T: Row>(index: &'a impl PointIndex<T>, place: &Place, mut visit: impl FnMut(&'a T)) {
    match place {
        Place::Box(bounds) => index.search(bounds, visit),
        Place::Polygon(polygon, bounds) => index.search(bounds, |row| {
            let at = row.point().to_lon_lat();
            if polygon.intersects(&geo::Point::new(at.lon(), at.lat())) {
                visit(row);
            }
        }),
        Place::Near { .. } | Place::Nearest { .. } | Place::LookingAt { .. } => {
            unreachable!("what has a target is answered in order")
        }
    }
}

fn shows(image: &Image, target: LonLat, half_fov_deg: f64) -> bool {
    if image.is_pano || image.point() == Ground::around(target).point {
        return true;
    }
    let bearing_deg = initial_bearing_deg(image.point().to_lon_lat(), target);
    let around = (image.compass_angle_deg - bearing_deg).abs();
    around.min(360.0 - around) <= half_fov_deg && !image.compass_angle_deg.is_nan()
}

fn in_order(mut found: Vec<(f64, i64)>) -> Vec<i64> {
    let by_distance = |a: &(f64, i64), b: &(f64, i64)| -> Ordering {
        a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1))
    };
    found.sort_unstable_by(by_distance);
    found.into_iter().map(|(_, id)| id).collect()
}

fn first_ms(year: i32) -> Option<i64> {
    let period: Period = year.to_string().parse().ok()?;
    Some(period.first_ms)
}
