//! Any index of points as an engine: what its user writes around it.

use std::cmp::Ordering;

use geo::indexed::IntervalTreeMultiPolygon;
use geo::{Contains, Intersects};
use rayon::prelude::*;
use tilesight_query::Period;
use tilesight_tile::{Bbox, GridBox, LonLat, initial_bearing_deg};

use super::{
    Condition, Engine, Feature, Ground, Image, LineIndex, MadeWorld, Place, Question, Row,
};

/// An index of points and what is known of each.
pub trait PointIndex<T: Row>: Sync {
    /// Indexes rows.
    fn build(rows: Vec<T>) -> Self;

    /// Visits the rows in a box, edges included.
    fn search<'a>(&'a self, bounds: &GridBox, visit: impl FnMut(&'a T));

    /// Ids of the rows in a box.
    fn ids(&self, bounds: &GridBox) -> Vec<i64> {
        let mut ids = Vec::new();
        self.search(bounds, |row| ids.push(row.id()));
        ids
    }

    /// Number of the rows in a box.
    fn count(&self, bounds: &GridBox) -> u64 {
        let mut count = 0;
        self.search(bounds, |_| count += 1);
        count
    }

    /// Finds the distances and ids of the `k` nearest rows that pass, and at least those as far
    /// as the last, in any order. `None` when the index cannot.
    fn nearest(
        &self,
        target: &Ground,
        k: usize,
        passes: impl Fn(&T) -> bool,
    ) -> Option<Vec<(f64, i64)>>;
}

/// Rows that an index leads to. Ids lie by themselves too, for whoever wants nothing else.
pub(super) struct Beside<T> {
    pub(super) rows: Vec<T>,
    pub(super) ids: Vec<i64>,
}

impl<T: Row> Beside<T> {
    pub(super) fn new(rows: Vec<T>) -> Self {
        let ids = rows.iter().map(Row::id).collect();
        Self { rows, ids }
    }
}

/// Orders rows as an index visits them, so that neighbours there are neighbours in memory.
pub fn in_order_of<T: Row, I: PointIndex<T>>(rows: Vec<T>) -> Vec<T> {
    let everywhere = GridBox {
        min_x: 0,
        min_y: 0,
        max_x: i32::MAX as u32 * 2 + 1,
        max_y: i32::MAX as u32 * 2 + 1,
    };
    let mut ordered = Vec::with_capacity(rows.len());
    I::build(rows).search(&everywhere, |row| ordered.push(*row));
    ordered
}

/// How points are tested against a polygon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolygonTest {
    /// Against each edge.
    Edges,
    /// Against the edges at the point's latitude, found in an interval tree that is made anew for
    /// each question. It counts a hole's winding, so holes must be wound against their shell.
    IntervalTree,
}

/// An engine made of an index of points.
pub struct Rival<I, F> {
    name: &'static str,
    images: I,
    features: Option<F>,
    lines: Option<Box<dyn LineIndex>>,
    polygon_test: PolygonTest,
    /// First milliseconds of the years since 1970.
    years: Vec<i64>,
}

impl<I: PointIndex<Image>, F: PointIndex<Feature>> Rival<I, F> {
    /// Indexes a world; `lines` are those of its sequences, for an engine that asks them.
    pub fn new(name: &'static str, world: &MadeWorld, lines: Option<Box<dyn LineIndex>>) -> Self {
        Self {
            features: Some(F::build(world.plain_features())),
            polygon_test: PolygonTest::Edges,
            ..Self::of_images(name, world.plain_images(), lines)
        }
    }

    /// Indexes images alone, as well as its user could: in the index's own order, and with
    /// polygons in an interval tree.
    pub fn of_images(
        name: &'static str,
        images: Vec<Image>,
        lines: Option<Box<dyn LineIndex>>,
    ) -> Self {
        Self {
            name,
            images: I::build(images),
            features: None,
            lines,
            polygon_test: PolygonTest::IntervalTree,
            years: (1970..2100).filter_map(first_ms).collect(),
        }
    }

    /// Visits the images that a question without order asks for.
    fn visit<'a>(&'a self, question: &Question, mut visit: impl FnMut(&'a Image)) {
        let condition = question.condition;
        search(&self.images, &question.place, self.polygon_test, |image| {
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
            Place::Box(bounds) if matches!(condition, Condition::Any) => {
                Some(self.images.ids(&bounds))
            }
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
        if let (Place::Box(bounds), Condition::Any) = (&question.place, question.condition) {
            return Some(self.images.count(bounds));
        }
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
        Some(self.lines.as_ref()?.meeting(bbox))
    }

    fn features(&self, question: &Question) -> Option<Vec<i64>> {
        let (_, value) = question.value?;
        let mut ids = Vec::new();
        let features = self.features.as_ref()?;
        search(features, &question.place, self.polygon_test, |feature| {
            if feature.value == value {
                ids.push(feature.id());
            }
        });
        Some(ids)
    }
}

fn search<'a, T: Row>(
    index: &'a impl PointIndex<T>,
    place: &Place,
    test: PolygonTest,
    mut visit: impl FnMut(&'a T),
) {
    match place {
        Place::Box(bounds) => index.search(bounds, visit),
        Place::Polygon(polygon, bounds) => {
            let mut visit_if = |contains: &dyn Fn(&geo::Point) -> bool| {
                index.search(bounds, |row| {
                    let at = row.point().to_lon_lat();
                    if contains(&geo::Point::new(at.lon(), at.lat())) {
                        visit(row);
                    }
                });
            };
            match test {
                PolygonTest::Edges => visit_if(&|point| polygon.intersects(point)),
                PolygonTest::IntervalTree => {
                    let tree = IntervalTreeMultiPolygon::new(&polygon.clone().into());
                    visit_if(&|point| tree.contains(point));
                }
            }
        }
        Place::Near { .. } | Place::Nearest { .. } | Place::LookingAt { .. } => {
            unreachable!("what has a target is answered in order")
        }
    }
}

pub(super) fn shows(image: &Image, target: LonLat, half_fov_deg: f64) -> bool {
    if image.is_pano || image.point() == Ground::around(target).point {
        return true;
    }
    let bearing_deg = initial_bearing_deg(image.point().to_lon_lat(), target);
    let around = (image.compass_angle_deg - bearing_deg).abs();
    around.min(360.0 - around) <= half_fov_deg && !image.compass_angle_deg.is_nan()
}

pub(super) fn in_order(mut found: Vec<(f64, i64)>) -> Vec<i64> {
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
