//! The answers to many questions as one.

use tilesight_query::{Image, NotHeld, Selection};

/// The images that each of several questions found: a join of their targets with the images.
///
/// It is collected from answers, as [`images_each`](tilesight_query::Dataset::images_each) gives
/// them, and written as they are, with a column `target`: the number of the question, from 0. An
/// image that answers several questions is there as often; a question without an answer is not.
///
/// ```
/// use tilesight::{Dataset, Image, ImageJoin, ImageQuery, LonLat, Place};
///
/// let data = Dataset::from_images([Image::at(17, 24.9384, 60.1699), Image::at(18, 24.94, 60.17)])?;
/// let mut queries = Vec::new();
/// for (lon, lat) in [(24.9385, 60.1699), (25.5, 61.0), (24.94, 60.17)] {
///     let place = Place::Near { target: LonLat::new(lon, lat)?, radius_m: 20.0 };
///     queries.push(ImageQuery { place, ..ImageQuery::default() });
/// }
/// let join: ImageJoin<'_> = data.images_each(&queries)?.into_iter().collect();
/// let pairs: Vec<_> = join.iter().map(|(target, image)| (target, image.id)).collect();
/// assert_eq!(pairs, [(0, 17), (2, 18)]);
/// # Ok::<(), tilesight::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ImageJoin<'a> {
    /// By number of the question.
    found: Vec<Selection<'a>>,
}

impl<'a> ImageJoin<'a> {
    /// How many pairs of a target and an image there are.
    pub fn len(&self) -> usize {
        self.found.iter().map(Selection::len).sum()
    }

    /// Whether nothing was found for any target.
    pub fn is_empty(&self) -> bool {
        self.found.iter().all(Selection::is_empty)
    }

    /// Numbers of questions with the images that they found: by question, then in answer order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Image<'a>)> + '_ {
        let numbered = (0..).zip(&self.found);
        numbered.flat_map(|(target, found)| found.iter().map(move |image| (target, image)))
    }

    /// What is not held of the first place that is not wholly held, where the questions let
    /// something be missing.
    pub fn missing(&self) -> Option<&NotHeld> {
        self.found.iter().find_map(Selection::missing)
    }
}

impl<'a> Extend<Selection<'a>> for ImageJoin<'a> {
    fn extend<T: IntoIterator<Item = Selection<'a>>>(&mut self, answers: T) {
        self.found.extend(answers);
    }
}

impl<'a> FromIterator<Selection<'a>> for ImageJoin<'a> {
    fn from_iter<T: IntoIterator<Item = Selection<'a>>>(answers: T) -> Self {
        Self {
            found: answers.into_iter().collect(),
        }
    }
}
