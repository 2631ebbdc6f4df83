//! Our engine.

use std::ops::Deref;

use rayon::prelude::*;
use tilesight_query::{
    Dataset, FeatureQuery, GroupBy, ImageQuery, Place, Selection, SequenceQuery,
};
use tilesight_tile::Bbox;

use super::{Engine, MadeWorld, Question};

/// A dataset of ours.
pub struct Tilesight<D>(D);

impl Tilesight<Box<Dataset>> {
    /// Indexes a world.
    pub fn new(world: &MadeWorld) -> Self {
        Self(Box::new(world.dataset()))
    }
}

impl<D: Deref<Target = Dataset>> Tilesight<D> {
    /// Asks a dataset that is there already.
    pub const fn of(data: D) -> Self {
        Self(data)
    }

    /// What it asks.
    pub fn data(&self) -> &Dataset {
        &self.0
    }
}

impl<D: Deref<Target = Dataset> + Sync> Engine for Tilesight<D> {
    fn name(&self) -> &'static str {
        "tilesight"
    }

    fn images(&self, question: &Question) -> Option<Vec<i64>> {
        let found = self.0.images(&question.query).ok()?;
        Some(found.to_ids())
    }

    fn image_count(&self, question: &Question) -> Option<u64> {
        self.0.count_images(&question.query).ok()
    }

    fn images_by_year(&self, question: &Question) -> Option<Vec<String>> {
        let counts = self
            .0
            .count_images_by(&question.query, GroupBy::Year)
            .ok()?;
        Some(counts.iter().map(ToString::to_string).collect())
    }

    fn images_each(&self, questions: &[Question]) -> Option<Vec<Vec<i64>>> {
        let queries: Vec<ImageQuery> = questions.iter().map(|q| q.query.clone()).collect();
        let found = self.0.images_each(&queries).ok()?;
        Some(found.par_iter().map(Selection::to_ids).collect())
    }

    fn sequences(&self, bbox: &Bbox) -> Option<Vec<&str>> {
        let query = SequenceQuery {
            place: Place::Bbox(*bbox),
            allow_partial: true,
            ..SequenceQuery::default()
        };
        let found = self.0.sequences(&query).ok()?;
        Some(found.ids().collect())
    }

    fn features(&self, question: &Question) -> Option<Vec<i64>> {
        let query = FeatureQuery {
            place: question.query.place.clone(),
            values: vec![question.value?.0.to_owned()],
            ..FeatureQuery::default()
        };
        let found = self.0.features(&query).ok()?;
        Some(found.iter().map(|feature| feature.id).collect())
    }
}
