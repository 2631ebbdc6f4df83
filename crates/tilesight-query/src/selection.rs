//! Answers about images.

use tilesight_tile::GridPoint;

use crate::answer::{Answer, Hit};
use crate::error::NotHeld;
use crate::images::Images;
use crate::index::offset_deg;
use crate::query::Kind;
use crate::rows::Image;

/// The images that a question found, in answer order: ascending rows for boxes and regions,
/// nearest first where there is a target.
///
/// It borrows the dataset and keeps row numbers; no attribute is read until it is asked for.
/// What can be read of it was compared with the checksums of its file before, if it lies in one.
#[derive(Debug, Clone)]
pub struct Selection<'a> {
    pub(crate) images: &'a Images,
    pub(crate) answer: Answer,
    pub(crate) missing: Option<NotHeld>,
}

impl<'a> Selection<'a> {
    /// How many images were found.
    pub fn len(&self) -> usize {
        self.answer.len()
    }

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tiles that the place touches and the dataset does not hold, where
    /// [`allow_partial`](crate::ImageQuery::allow_partial) let them be missing.
    pub const fn missing(&self) -> Option<&NotHeld> {
        self.missing.as_ref()
    }

    /// The images.
    pub fn iter(&self) -> impl Iterator<Item = Image<'a>> + '_ {
        self.answer
            .iter()
            .map(|(row, hit)| located(self.images.get(row), hit))
    }

    /// Row numbers in the dataset, for use with nothing but the same dataset.
    pub fn rows(&self) -> impl Iterator<Item = u32> + '_ {
        self.answer.rows()
    }

    /// Ids.
    pub fn ids(&self) -> impl Iterator<Item = i64> + '_ {
        self.column(|images, row| images.columns().id[row])
    }

    /// All ids at once: several times as fast as one by one where there are many.
    pub fn to_ids(&self) -> Vec<i64> {
        self.answer.gather(&self.images.columns().id)
    }

    /// Positions on the grid.
    pub fn positions(&self) -> impl Iterator<Item = GridPoint> + '_ {
        self.column(|images, row| images.columns().point(row))
    }

    /// Capture times in milliseconds since 1970, UTC.
    pub fn captured_at_ms(&self) -> impl Iterator<Item = Option<i64>> + '_ {
        self.column(|images, row| images.columns().captured_at_ms(row))
    }

    /// Headings in degrees clockwise from north.
    pub fn compass_angles_deg(&self) -> impl Iterator<Item = Option<f64>> + '_ {
        self.column(|images, row| images.columns().compass_angle_deg(row))
    }

    /// Panorama or flat.
    pub fn kinds(&self) -> impl Iterator<Item = Option<Kind>> + '_ {
        self.column(|images, row| images.columns().kind(row))
    }

    /// Sequences.
    pub fn sequence_ids(&self) -> impl Iterator<Item = Option<&'a str>> + '_ {
        self.column(|images, row| images.sequence_ids.get(images.group(row as u32).sequence))
    }

    /// Organizations.
    pub fn organization_ids(&self) -> impl Iterator<Item = Option<i64>> + '_ {
        self.column(|images, row| {
            images
                .organization_ids
                .get(images.group(row as u32).organization)
        })
    }

    /// Creators.
    pub fn creator_ids(&self) -> impl Iterator<Item = Option<i64>> + '_ {
        self.column(|images, row| images.creator_ids.get(images.group(row as u32).creator))
    }

    /// Distances from the target in metres; nothing where the question had no target.
    pub fn distances_m(&self) -> impl Iterator<Item = Option<f64>> + '_ {
        self.answer
            .iter()
            .map(|(_, hit)| hit.map(|hit| hit.distance_m))
    }

    fn column<T>(
        &self,
        read: impl Fn(&'a Images, usize) -> T + 'static,
    ) -> impl Iterator<Item = T> + '_
    where
        T: 'a,
    {
        let images = self.images;
        self.answer
            .rows()
            .map(move |row| read(images, row as usize))
    }
}

pub(crate) fn located(image: Image<'_>, hit: Option<Hit>) -> Image<'_> {
    let bearing_deg = hit.and_then(|hit| hit.bearing_deg);
    let offset_deg = |bearing| Some(offset_deg(image.compass_angle_deg?, bearing));
    Image {
        distance_m: hit.map(|hit| hit.distance_m),
        bearing_deg,
        offset_deg: bearing_deg.and_then(offset_deg),
        ..image
    }
}
