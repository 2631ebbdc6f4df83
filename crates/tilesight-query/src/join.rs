//! The answers to many questions as one: pairs of a target and an image.

use std::mem;
use std::ops::Range;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rayon::prelude::*;
use tilesight_tile::{GridPoint, LonLat};

use crate::answer::{Answer, Around, JoinedPlace, JoinedRows};
use crate::dataset::{Asked, Dataset};
use crate::error::{Error, NotHeld};
use crate::images::Images;
use crate::place::PreparedPlace;
use crate::query::{ImageQuery, Place};
use crate::rows::Image;
use crate::selection::{Selection, located};

/// Targets that a thread asks about one after the other: neighbours, which look at the same rows.
const TARGETS_AT_ONCE: usize = 256;

impl Dataset {
    /// Asks one question around each of many targets, on all threads.
    ///
    /// # Returns
    ///
    /// A join of the targets, numbered from 0, with what [`images`](Self::images) finds when the
    /// place of the question is [moved](Place::moved_to) to each.
    ///
    /// # Errors
    ///
    /// As [`images`](Self::images): that of the first target that has one.
    ///
    /// # Cost
    ///
    /// Less than a question each, since targets are taken in spatial order: neighbours find in the
    /// caches of the processor what they look at. 4 bytes of memory a pair, twice that for a moment,
    /// and 40 a target.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight_query::{Dataset, Image, ImageQuery, Place};
    /// use tilesight_tile::LonLat;
    ///
    /// let data = Dataset::from_images([Image::at(1, 24.93, 60.17), Image::at(2, 24.99, 60.17)])?;
    /// let doors = [LonLat::new(24.99, 60.17)?, LonLat::new(25.5, 61.0)?, LonLat::new(24.93, 60.17)?];
    /// let near = Place::Near { target: doors[0], radius_m: 50.0 };
    /// let join = data.images_around(&ImageQuery { place: near, ..ImageQuery::default() }, &doors)?;
    /// let pairs: Vec<_> = join.iter().map(|(target, image)| (target, image.id)).collect();
    /// assert_eq!(pairs, [(0, 2), (2, 1)]);
    /// # Ok::<(), tilesight_query::Error>(())
    /// ```
    pub fn images_around(
        &self,
        query: &ImageQuery,
        targets: &[LonLat],
    ) -> Result<ImageJoin<'_>, Error> {
        self.images_around_with(query, targets, &|_| ())
    }

    /// Asks as [`images_around`](Self::images_around) does, and calls `on_progress` again and again
    /// with how many targets are done, from the threads that ask.
    ///
    /// # Errors
    ///
    /// As [`images_around`](Self::images_around).
    pub fn images_around_with(
        &self,
        query: &ImageQuery,
        targets: &[LonLat],
        on_progress: &(dyn Fn(usize) + Sync),
    ) -> Result<ImageJoin<'_>, Error> {
        PreparedPlace::new(&query.place)?;
        let asking = Asking {
            data: self,
            place: &query.place,
            asked: self.asked(query)?,
            targets,
        };
        let done = AtomicUsize::new(0);
        let order = in_spatial_order(targets);
        let chunks = order.par_chunks(TARGETS_AT_ONCE).map(|numbers| {
            let found = asking.ask(numbers);
            on_progress(done.fetch_add(numbers.len(), Relaxed) + numbers.len());
            found
        });
        let mut chunks: Vec<Chunk> = chunks.collect();
        let missing = first_missing(&mut chunks)?;
        let (rows, ends) = in_order_of_targets(&order, &chunks);
        let look = look_of(&query.place);
        let around = |&target: &LonLat| look.map(|look| Around::new(target, look));
        let join = ImageJoin {
            images: Some(&self.images),
            rows,
            ends,
            targets: Arc::new(targets.par_iter().map(around).collect()),
            missing,
        };
        self.images
            .touch_names_of(join.rows.iter().copied(), join.len())?;
        Ok(join)
    }
}

/// Whether what is found around a target looks at it; nothing for places that have no target.
const fn look_of(place: &Place) -> Option<bool> {
    match place {
        Place::Near { .. } | Place::Nearest { .. } => Some(false),
        Place::LookingAt { .. } => Some(true),
        Place::Everywhere | Place::Bbox(_) | Place::Region(_) => None,
    }
}

/// The numbers of targets along a curve that keeps neighbours together.
fn in_spatial_order(targets: &[LonLat]) -> Vec<u32> {
    let numbered = targets.par_iter().zip(0..targets.len() as u32);
    let key = |(&target, number)| (GridPoint::nearest_to(target).z_order(), number);
    let mut keys: Vec<(u64, u32)> = numbered.map(key).collect();
    keys.par_sort_unstable();
    keys.into_par_iter().map(|(_, number)| number).collect()
}

/// A question that is asked around targets.
struct Asking<'a> {
    data: &'a Dataset,
    place: &'a Place,
    asked: Asked<'a>,
    targets: &'a [LonLat],
}

impl Asking<'_> {
    /// Finds the rows of some targets, one target after the other.
    fn ask(&self, numbers: &[u32]) -> Chunk {
        let mut chunk = Chunk::default();
        for &number in numbers {
            match self.answer(number) {
                Ok((answer, missing)) => {
                    chunk.rows.extend(answer.rows());
                    chunk.note_missing(number, missing);
                }
                Err(error) => chunk.note_failure(number, error),
            }
            chunk.ends.push(chunk.rows.len());
        }
        chunk
    }

    fn answer(&self, number: u32) -> Result<(Answer, Option<NotHeld>), Error> {
        let place = self.place.moved_to(self.targets[number as usize]);
        let place = PreparedPlace::new(&place)?;
        let (answer, missing) = self.data.answer_at(&place, &self.asked)?;
        answer.touch(&self.data.images.table)?;
        Ok((answer, missing))
    }
}

/// The rows of some targets in spatial order, and of the first ones in their own order what is not
/// held, and what went wrong.
#[derive(Default)]
struct Chunk {
    rows: Vec<u32>,
    ends: Vec<usize>,
    missing: Option<(u32, NotHeld)>,
    failure: Option<(u32, Error)>,
}

impl Chunk {
    fn note_missing(&mut self, number: u32, missing: Option<NotHeld>) {
        let is_first = self.missing.as_ref().is_none_or(|first| number < first.0);
        if let (Some(missing), true) = (missing, is_first) {
            self.missing = Some((number, missing));
        }
    }

    fn note_failure(&mut self, number: u32, error: Error) {
        if self.failure.as_ref().is_none_or(|first| number < first.0) {
            self.failure = Some((number, error));
        }
    }

    fn rows_of(&self, at: usize) -> &[u32] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.rows[start..self.ends[at]]
    }
}

/// What is not held of the first target of which not all is.
///
/// # Errors
///
/// That of the first target that has one.
fn first_missing(chunks: &mut [Chunk]) -> Result<Option<NotHeld>, Error> {
    let failures = chunks.iter_mut().filter_map(|chunk| chunk.failure.take());
    if let Some((_, error)) = failures.min_by_key(|failure| failure.0) {
        return Err(error);
    }
    let missing = chunks.iter().filter_map(|chunk| chunk.missing);
    Ok(missing
        .min_by_key(|missing| missing.0)
        .map(|missing| missing.1))
}

/// Puts the rows of targets, found in `order`, into the order of their numbers; and where those of
/// each end.
fn in_order_of_targets(order: &[u32], chunks: &[Chunk]) -> (Vec<u32>, Vec<usize>) {
    let mut places = vec![0; order.len()];
    for (place, &number) in (0..).zip(order) {
        places[number as usize] = place;
    }
    let rows_of = |&place: &usize| {
        let (chunk, at) = (place / TARGETS_AT_ONCE, place % TARGETS_AT_ONCE);
        chunks[chunk].rows_of(at)
    };
    let mut ends: Vec<usize> = places
        .par_iter()
        .map(|place| rows_of(place).len())
        .collect();
    let mut len = 0;
    for end in &mut ends {
        len += *end;
        *end = len;
    }
    let mut rows = vec![0; len];
    let blocks = places.par_chunks(TARGETS_AT_ONCE);
    let written = blocks.zip(split_at_ends(&mut rows, &ends));
    written.for_each(|(places, mut rows)| {
        for place in places {
            let found = rows_of(place);
            let (now, later) = mem::take(&mut rows).split_at_mut(found.len());
            now.copy_from_slice(found);
            rows = later;
        }
    });
    (rows, ends)
}

/// Cuts rows into those of [`TARGETS_AT_ONCE`] targets each.
fn split_at_ends<'r>(mut rows: &'r mut [u32], ends: &[usize]) -> Vec<&'r mut [u32]> {
    let mut start = 0;
    let of_block = |ends: &[usize]| {
        let end = ends[ends.len() - 1];
        let (now, later) = mem::take(&mut rows).split_at_mut(end - start);
        (rows, start) = (later, end);
        now
    };
    ends.chunks(TARGETS_AT_ONCE).map(of_block).collect()
}

/// The images that each of several questions found: a join of their targets with the images.
///
/// It comes from [`images_around`](Dataset::images_around), or is collected from the answers to
/// questions of any kind, and has a pair for each target and each image that was found for it: an
/// image that answers several questions is there as often; a question without an answer is not.
/// Pairs come by the number of the question, from 0, then in answer order.
///
/// It keeps the numbers of rows, and no attribute is read until it is asked for.
///
/// ```
/// use tilesight_query::{Dataset, Image, ImageJoin, ImageQuery, Place};
/// use tilesight_tile::{Bbox, LonLat};
///
/// let data = Dataset::from_images([Image::at(17, 24.93, 60.17), Image::at(18, 24.94, 60.17)])?;
/// let mut queries = Vec::new();
/// for (west, east) in [(24.9, 24.95), (24.95, 25.0), (24.935, 24.95)] {
///     let place = Place::Bbox(Bbox::from_degrees(west, 60.0, east, 61.0)?);
///     queries.push(ImageQuery { place, ..ImageQuery::default() });
/// }
/// let join: ImageJoin<'_> = data.images_each(&queries)?.into_iter().collect();
/// let pairs: Vec<_> = join.iter().map(|(target, image)| (target, image.id)).collect();
/// assert_eq!(pairs, [(0, 17), (0, 18), (2, 18)]);
/// # Ok::<(), tilesight_query::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ImageJoin<'a> {
    /// Those of the dataset that was asked; nothing before any answer came.
    images: Option<&'a Images>,
    /// The rows of the first target, then those of the second, and so on.
    rows: Vec<u32>,
    /// Where the rows of each target end.
    ends: Vec<usize>,
    targets: Arc<Vec<Option<Around>>>,
    missing: Option<NotHeld>,
}

impl<'a> ImageJoin<'a> {
    /// How many pairs of a target and an image there are.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing was found for any target.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Numbers of questions with the images that they found: by question, then in answer order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Image<'a>)> + '_ {
        let whole = self.parts(self.len().max(1));
        whole.flat_map(move |part| {
            let images = part.images;
            part.places().map(move |place| {
                let around = self.targets[place.target as usize];
                let hit = around.map(|around| around.hit((place.row, place.point)));
                (place.target, located(images.get(place.row), hit))
            })
        })
    }

    /// The ids of the images, pair by pair.
    pub fn to_ids(&self) -> Vec<i64> {
        let of_part = |part: JoinPart<'_, 'a>| part.images().to_ids();
        self.parts(self.len().max(1)).flat_map(of_part).collect()
    }

    /// What is not held of the first place that is not wholly held, where the questions let
    /// something be missing.
    pub const fn missing(&self) -> Option<&NotHeld> {
        self.missing.as_ref()
    }

    /// Cuts the join into parts, which can be read on threads of their own.
    ///
    /// # Returns
    ///
    /// Parts of `len` pairs, the last of which may have fewer; their pairs one after the other are
    /// those of the join, in its order.
    ///
    /// # Panics
    ///
    /// When `len` is 0.
    pub fn parts(&self, len: usize) -> impl Iterator<Item = JoinPart<'_, 'a>> + Send {
        assert!(len > 0, "a part has a pair at least");
        self.images.into_iter().flat_map(move |images| {
            let starts = (0..self.len()).step_by(len);
            starts.map(move |start| JoinPart {
                join: self,
                images,
                rows: start..start.saturating_add(len).min(self.len()),
            })
        })
    }

    fn push(&mut self, answer: &Selection<'a>) {
        let images = *self.images.get_or_insert(answer.images);
        assert!(ptr::eq(images, answer.images), "answers of one dataset");
        self.rows.extend(answer.rows());
        self.ends.push(self.rows.len());
        let around = match &answer.answer {
            Answer::Ranked(ranked) => Some(ranked.around()),
            _ => None,
        };
        Arc::make_mut(&mut self.targets).push(around);
        self.missing = self.missing.or(answer.missing);
    }
}

/// Adds the answers to further questions.
///
/// # Panics
///
/// When they are not all those of one dataset.
impl<'a> Extend<Selection<'a>> for ImageJoin<'a> {
    fn extend<T: IntoIterator<Item = Selection<'a>>>(&mut self, answers: T) {
        answers.into_iter().for_each(|answer| self.push(&answer));
    }
}

/// Joins answers.
///
/// # Panics
///
/// When they are not all those of one dataset.
impl<'a> FromIterator<Selection<'a>> for ImageJoin<'a> {
    fn from_iter<T: IntoIterator<Item = Selection<'a>>>(answers: T) -> Self {
        let mut join = Self::default();
        join.extend(answers);
        join
    }
}

/// Some pairs of a join that follow each other.
#[derive(Debug, Clone)]
pub struct JoinPart<'j, 'a> {
    join: &'j ImageJoin<'a>,
    images: &'a Images,
    rows: Range<usize>,
}

impl<'j, 'a> JoinPart<'j, 'a> {
    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Fills a column with the number of the question of each pair.
    ///
    /// # Panics
    ///
    /// When it has not as many places as there are pairs.
    pub fn fill_targets(&self, targets: &mut [i64]) {
        assert_eq!(targets.len(), self.len(), "a place for each pair");
        for (target, run) in self.runs() {
            let place = run.start - self.rows.start..run.end - self.rows.start;
            targets[place].fill(i64::from(target));
        }
    }

    /// The image of each pair, with what is measured of it and its own target.
    pub fn images(&self) -> Selection<'a> {
        Selection {
            images: self.images,
            answer: Answer::Joined(JoinedRows {
                places: self.places().collect(),
                targets: Arc::clone(&self.join.targets),
            }),
            missing: self.join.missing,
        }
    }

    fn places(&self) -> impl Iterator<Item = JoinedPlace> + use<'j, 'a> {
        let (rows, columns) = (&self.join.rows, self.images.columns());
        let place = move |row: u32, target| JoinedPlace {
            row,
            point: columns.point(row as usize),
            target,
        };
        let of_run = move |(target, run): (u32, Range<usize>)| {
            rows[run].iter().map(move |&row| place(row, target))
        };
        self.runs().flat_map(of_run)
    }

    /// The targets that have pairs here, and which of the join's these are.
    fn runs(&self) -> impl Iterator<Item = (u32, Range<usize>)> + use<'j, 'a> {
        let (ends, Range { start, end }) = (&self.join.ends, self.rows.clone());
        let first = ends.partition_point(|&of_target| of_target <= start);
        let numbered = (first as u32..).zip(&ends[first..]);
        let run = move |start: &mut usize, (target, &of_target): (u32, &usize)| {
            let run = *start..of_target.min(end);
            *start = run.end;
            (run.start < end).then_some((target, run))
        };
        let runs = numbered.scan(start, run);
        runs.filter(|(_, run)| !run.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Filter, Kind};

    fn data(images: usize) -> Dataset {
        let image = |i: usize| Image {
            compass_angle_deg: (!i.is_multiple_of(5)).then_some((i * 37 % 360) as f64),
            kind: i.is_multiple_of(3).then_some(Kind::Pano),
            ..Image::at(
                i as i64,
                24.0 + (i * 7 % 43) as f64 * 1e-4,
                60.0 + (i % 37) as f64 * 5e-5,
            )
        };
        Dataset::from_images((0..images).map(image)).unwrap()
    }

    fn queries() -> impl Strategy<Value = ImageQuery> {
        let target = LonLat::new(0.0, 0.0).unwrap();
        let place = prop_oneof![
            (0.0..60.0_f64).prop_map(move |radius_m| Place::Near { target, radius_m }),
            (0.0..60.0_f64, 1.0..=360.0_f64).prop_map(move |(radius_m, fov_deg)| {
                Place::LookingAt {
                    target,
                    radius_m,
                    fov_deg,
                }
            }),
            (0..9_usize).prop_map(move |k| Place::Nearest {
                target,
                k,
                radius_m: None
            }),
            Just(Place::Everywhere),
        ];
        let limit = prop_oneof![Just(None), (0..40_usize).prop_map(Some)];
        (place, limit, any::<bool>()).prop_map(|(place, limit, pano)| ImageQuery {
            place,
            filter: Filter {
                kind: pano.then_some(Kind::Pano),
                ..Filter::default()
            },
            limit,
            ..ImageQuery::default()
        })
    }

    fn targets() -> impl Strategy<Value = Vec<LonLat>> {
        let target = (0.0..50.0_f64, 0.0..50.0_f64)
            .prop_map(|(east, north)| LonLat::new(24.0 + east * 1e-4, 60.0 + north * 5e-5));
        prop::collection::vec(target.prop_map(Result::unwrap), 0..600)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_join_is_its_questions_one_by_one(
            query in queries(), targets in targets(), images in 0..400_usize, part_len in 1..90_usize,
        ) {
            let data = data(images);
            let each = |&target: &LonLat| ImageQuery {
                place: query.place.moved_to(target),
                ..query.clone()
            };
            let questions: Vec<ImageQuery> = targets.iter().map(each).collect();
            let answers = data.images_each(&questions).unwrap();
            let numbered = (0..).zip(&answers);
            let expected: Vec<(u32, Image<'_>)> = numbered
                .flat_map(|(target, found)| found.iter().map(move |image| (target, image)))
                .collect();
            let around = data.images_around(&query, &targets).unwrap();
            let collected: ImageJoin<'_> = answers.iter().cloned().collect();
            for join in [around, collected] {
                prop_assert_eq!(join.len(), expected.len());
                prop_assert_eq!(join.is_empty(), expected.is_empty());
                prop_assert_eq!(&join.iter().collect::<Vec<_>>(), &expected);
                prop_assert!(join.to_ids().into_iter().eq(expected.iter().map(|(_, image)| image.id)));
                let mut read = Vec::new();
                for part in join.parts(part_len) {
                    let mut targets = vec![-1; part.len()];
                    part.fill_targets(&mut targets);
                    prop_assert!(!part.is_empty() && part.len() <= part_len);
                    read.extend(targets.into_iter().map(|target| target as u32).zip(part.images().iter()));
                }
                prop_assert_eq!(&read, &expected);
            }
        }
    }

    #[test]
    fn progress_comes_to_an_end() {
        let data = data(10);
        let targets = vec![LonLat::new(24.0, 60.0).unwrap(); 3 * TARGETS_AT_ONCE + 1];
        let place = Place::looking_at(targets[0]);
        let query = ImageQuery {
            place,
            ..ImageQuery::default()
        };
        let most = AtomicUsize::new(0);
        let note = |done| {
            most.fetch_max(done, Relaxed);
        };
        data.images_around_with(&query, &targets, &note).unwrap();
        assert_eq!(most.into_inner(), targets.len());
    }

    #[test]
    fn a_place_that_cannot_be_is_an_error_without_targets_too() {
        let place = Place::Near {
            target: LonLat::new(24.0, 60.0).unwrap(),
            radius_m: -1.0,
        };
        let query = ImageQuery {
            place,
            ..ImageQuery::default()
        };
        let error = data(1).images_around(&query, &[]).unwrap_err();
        assert!(error.to_string().contains("-1"), "{error}");
    }

    #[test]
    #[should_panic(expected = "answers of one dataset")]
    fn answers_of_two_datasets_are_not_joined() {
        let (a, b) = (data(1), data(1));
        let query = ImageQuery::default();
        let answers = [a.images(&query).unwrap(), b.images(&query).unwrap()];
        let _join: ImageJoin<'_> = answers.into_iter().collect();
    }
}
