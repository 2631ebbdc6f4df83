//! A dataset, and the questions it answers about images.

use rayon::prelude::*;

use crate::answer::{Answer, Count, RowSet};
use crate::count::{GroupBy, GroupCount, Grouping};
use crate::coverage::{Coverage, Need};
use crate::error::{Error, NotHeld};
use crate::features::Features;
use crate::filter::ImageFilter;
use crate::images::{ImageSummary, Images};
use crate::index::{Sight, Target};
use crate::place::{Candidates, PreparedPlace, Table};
use crate::query::{Filter, ImageQuery, Kind, Place};
use crate::rows::Image;
use crate::schema::Tileset;
use crate::selection::Selection;
use crate::sequence::Sequences;
use crate::showing::Showing;
use crate::storage::Column;

/// What questions about images need.
const IMAGES: Need = Need::Rows(Tileset::Images);

/// Images, sequences and map features of some tiles, indexed.
///
/// Made from decoded tiles with [`build`](crate::build::build), from images with
/// [`from_images`](Self::from_images), or opened from a file with [`open`](Self::open). Every question borrows it and may be asked from many
/// threads at once.
#[derive(Debug, Clone)]
pub struct Dataset {
    pub(crate) images: Images,
    pub(crate) sequences: Sequences,
    pub(crate) features: Features,
    pub(crate) coverage: Coverage,
    pub(crate) overview_points: u64,
    /// The gaps between the columns of its file; none in memory.
    pub(crate) padding: Vec<Column<u8>>,
}

/// What a question asks wherever it asks it.
pub(crate) struct Asked<'a> {
    pub(crate) filter: ImageFilter<'a>,
    pub(crate) candidates: Candidates,
    pub(crate) limit: usize,
    allow_partial: bool,
}

impl Dataset {
    /// Finds images.
    ///
    /// # Returns
    ///
    /// A [`Selection`] of between none and all images, each once: for boxes and regions in the
    /// dataset's own spatial order, which is the same every time; nearest first, then by id,
    /// where the place has a target. Nothing found is an empty selection, not an error.
    ///
    /// # Units
    ///
    /// Places are in degrees on WGS 84 and metres by haversine on a sphere of 6,371,008.8 m,
    /// everything closed: edges, radii, dates and headings include their ends. Positions are
    /// known to one pixel of a tile, about 0.6 m × cos φ.
    ///
    /// # Errors
    ///
    /// [`Error::NotHeld`] when the place touches tiles that the dataset does not hold and the
    /// query does not [allow that](ImageQuery::allow_partial): an unknown place is never reported
    /// as an empty one. [`Error::OutOfRange`] for a radius, heading or field of view that cannot
    /// be. Retrying helps with neither.
    ///
    /// # Cost
    ///
    /// O(log n + k) for k rows found among n, without I/O; nearest-first answers sort their rows.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight_query::{Dataset, Image, ImageQuery, Place};
    /// use tilesight_tile::LonLat;
    ///
    /// let data = Dataset::from_images([
    ///     Image { compass_angle_deg: Some(90.0), ..Image::at(1, 24.9380, 60.1699) }, // looks east
    ///     Image { compass_angle_deg: Some(270.0), ..Image::at(2, 24.9381, 60.1699) }, // looks west
    /// ])?;
    /// let door = LonLat::new(24.9384, 60.1699)?;
    /// let found = data.images(&ImageQuery {
    ///     place: Place::looking_at(door),
    ///     ..ImageQuery::default()
    /// })?;
    /// let image = found.iter().next().expect("one image looks at the door");
    /// assert_eq!((found.len(), image.id), (1, 1));
    /// assert_eq!(image.distance_m.map(f64::round), Some(22.0));
    /// # Ok::<(), tilesight_query::Error>(())
    /// ```
    ///
    /// # Source
    ///
    /// The `image` layer of Mapillary's tiles.
    pub fn images(&self, query: &ImageQuery) -> Result<Selection<'_>, Error> {
        let (answer, missing) = self.answer(query)?;
        answer.touch(&self.images.table)?;
        self.images.touch_names_of(answer.rows(), answer.len())?;
        Ok(Selection {
            images: &self.images,
            answer,
            missing,
        })
    }

    /// The rows of an answer, of which ranges were not read yet, and what is missing of it.
    pub(crate) fn answer(&self, query: &ImageQuery) -> Result<(Answer, Option<NotHeld>), Error> {
        let place = PreparedPlace::new(&query.place)?;
        self.answer_at(&place, &self.asked(query)?)
    }

    /// What a question asks wherever it asks it.
    pub(crate) fn asked(&self, query: &ImageQuery) -> Result<Asked<'_>, Error> {
        let filter = ImageFilter::new(&query.filter, &self.images)?;
        Ok(Asked {
            candidates: self.candidates(&filter)?,
            filter,
            limit: query.limit.unwrap_or(usize::MAX),
            allow_partial: query.allow_partial,
        })
    }

    /// The [`answer`](Self::answer) at a place.
    pub(crate) fn answer_at(
        &self,
        place: &PreparedPlace<'_>,
        asked: &Asked<'_>,
    ) -> Result<(Answer, Option<NotHeld>), Error> {
        let missing = partial(self.missing(IMAGES, place)?, asked.allow_partial)?;
        let mut answer = match self.find_first(place, asked)? {
            Some(first) => first,
            None => self.find_among(place, &asked.filter, &asked.candidates)?,
        };
        let beyond = self.coverage.missing_of_nearest(IMAGES, place, &answer);
        let missing = missing.or(partial(beyond, asked.allow_partial)?);
        answer.truncate(asked.limit);
        Ok((answer, missing))
    }

    /// Counts the images that [`images`](Self::images) would find, without listing them where
    /// the place is a box or a region: what lies wholly inside is counted by the block.
    ///
    /// # Errors
    ///
    /// As [`images`](Self::images).
    pub fn count_images(&self, query: &ImageQuery) -> Result<u64, Error> {
        let place = PreparedPlace::new(&query.place)?;
        if matches!(query.place, Place::Nearest { .. } | Place::LookingAt { .. }) {
            return Ok(self.images(query)?.len() as u64);
        }
        let filter = ImageFilter::new(&query.filter, &self.images)?;
        partial(self.missing(IMAGES, &place)?, query.allow_partial)?;
        let count = match query.filter.kind {
            Some(kind) if filter.is_any_but_kind() => self.count_kind(&place, kind)?,
            _ => {
                let mut count = Count::default();
                self.table()
                    .visit(&place, &filter, &self.candidates(&filter)?, &mut count)?;
                count.0
            }
        };
        Ok(query.limit.map_or(count, |limit| count.min(limit as u64)))
    }

    /// Counts the images of a kind in a place, without asking each where whole blocks lie inside.
    fn count_kind(&self, place: &PreparedPlace<'_>, kind: Kind) -> Result<u64, Error> {
        let anything = ImageFilter::new(&Filter::default(), &self.images)?;
        let mut rows = RowSet::default();
        self.table()
            .visit(place, &anything, &Candidates::All, &mut rows)?;
        let mut grouping = Grouping::new(&self.images, GroupBy::Kind);
        grouping.add(&Answer::Rows(rows))?;
        Ok(grouping.of_kind(kind))
    }

    /// Counts the images that [`images`](Self::images) would find, by day, month, year,
    /// organization, creator or kind.
    ///
    /// # Returns
    ///
    /// A count for each group that has images, ascending; last those of which the property is
    /// not known.
    ///
    /// # Errors
    ///
    /// As [`images`](Self::images).
    ///
    /// # Cost
    ///
    /// By year and by kind, what lies wholly inside the place is counted by the block, unless a
    /// filter applies to it or dates name more than 64 years; else every row is read once.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight_query::{Dataset, GroupBy, Image, ImageQuery};
    ///
    /// let data = Dataset::from_images([
    ///     Image { captured_at_ms: Some(1_682_935_815_250), ..Image::at(1, 24.9, 60.1) },
    ///     Image::at(2, 24.9, 60.1),
    /// ])?;
    /// let counts = data.count_images_by(&ImageQuery::default(), GroupBy::Year)?;
    /// let lines: Vec<_> = counts.iter().map(ToString::to_string).collect();
    /// assert_eq!(lines, ["2023: 1", "unknown: 1"]);
    /// # Ok::<(), tilesight_query::Error>(())
    /// ```
    pub fn count_images_by(
        &self,
        query: &ImageQuery,
        by: GroupBy,
    ) -> Result<Vec<GroupCount>, Error> {
        let mut grouping = Grouping::new(&self.images, by);
        grouping.add(&self.answer(query)?.0)?;
        Ok(grouping.into_counts())
    }

    /// Answers many questions on all threads.
    ///
    /// # Returns
    ///
    /// An answer each, in the order of the questions, the same as [`images`](Self::images) gives.
    ///
    /// # Errors
    ///
    /// That of the first question that has one.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight_query::{Dataset, Image, ImageQuery, Place};
    /// use tilesight_tile::LonLat;
    ///
    /// let data = Dataset::from_images([Image::at(1, 24.93, 60.17), Image::at(2, 24.99, 60.17)])?;
    /// let doors = [LonLat::new(24.94, 60.17)?, LonLat::new(24.98, 60.17)?];
    /// let nearest = doors.map(|target| ImageQuery {
    ///     place: Place::Nearest { target, k: 1, radius_m: None },
    ///     ..ImageQuery::default()
    /// });
    /// let found = data.images_each(&nearest)?;
    /// let ids: Vec<i64> = found.iter().flat_map(|selection| selection.ids()).collect();
    /// assert_eq!(ids, [1, 2]);
    /// # Ok::<(), tilesight_query::Error>(())
    /// ```
    pub fn images_each(&self, queries: &[ImageQuery]) -> Result<Vec<Selection<'_>>, Error> {
        let answers: Vec<_> = queries.par_iter().map(|query| self.images(query)).collect();
        answers.into_iter().collect()
    }

    /// How many images there are.
    pub fn len(&self) -> u64 {
        self.images.len() as u64
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Looks up one image by its id.
    ///
    /// O(log n). Nothing is said of tiles that are not held: an id has no place.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when the dataset lies in a file that is not as it was written.
    pub fn image(&self, id: i64) -> Result<Option<Image<'_>>, Error> {
        let row = self.images.row_of(id)?;
        self.images.touch_names_of(row.into_iter(), 1)?;
        Ok(row.map(|row| self.images.get(row)))
    }

    /// What is not held of a place. Everything that there is, is held even where no tile is: rows
    /// may come from elsewhere.
    pub(crate) fn missing(
        &self,
        need: Need,
        place: &PreparedPlace<'_>,
    ) -> Result<Option<NotHeld>, Error> {
        match self.coverage.missing(need, place) {
            Err(Error::NoTileset(Tileset::Images)) if !self.is_empty() => Ok(None),
            missing => missing,
        }
    }

    /// Finds rows, whether or not the place is held.
    pub(crate) fn find_images(
        &self,
        place: &PreparedPlace<'_>,
        filter: &ImageFilter<'_>,
    ) -> Result<Answer, Error> {
        self.find_among(place, filter, &self.candidates(filter)?)
    }

    fn find_among(
        &self,
        place: &PreparedPlace<'_>,
        filter: &ImageFilter<'_>,
        candidates: &Candidates,
    ) -> Result<Answer, Error> {
        let table = self.table();
        let PreparedPlace::Circle {
            circle,
            half_fov_deg: Some(half_fov_deg),
        } = place
        else {
            return table.find(place, filter, candidates);
        };
        let target = circle.target();
        let showing = self.showing(target, Some(*half_fov_deg), filter);
        let places = table.within(circle, &showing, candidates)?;
        Ok(Answer::ranked(target, places, true))
    }

    /// Images that pass a filter and show a target, where a field of view is given.
    pub(crate) fn showing<'a>(
        &'a self,
        target: &'a Target,
        half_fov_deg: Option<f64>,
        filter: &'a ImageFilter<'a>,
    ) -> Showing<'a> {
        let sight = |half_fov_deg| Sight {
            target,
            half_fov_deg,
        };
        Showing {
            columns: self.images.columns(),
            filter,
            sight: half_fov_deg.map(sight),
        }
    }

    pub(crate) fn table(&self) -> Table<'_, ImageSummary> {
        Table {
            points: self.images.points(),
            tree: &self.images.tree,
        }
    }

    /// Ids and sequences are looked up; the tree knows nothing of them.
    fn candidates(&self, filter: &ImageFilter<'_>) -> Result<Candidates, Error> {
        let mut rows = Vec::new();
        if let Some(ids) = filter.ids() {
            for &id in ids {
                rows.extend(self.images.row_of(id)?);
            }
        } else if let Some(sequences) = filter.sequences() {
            for &sequence in sequences {
                rows.extend(self.sequences.rows(sequence)?);
            }
        } else {
            return Ok(Candidates::All);
        }
        rows.sort_unstable();
        Ok(Candidates::Rows(rows))
    }
}

/// Lets something be missing, or not.
pub(crate) fn partial(
    missing: Option<NotHeld>,
    allow_partial: bool,
) -> Result<Option<NotHeld>, Error> {
    match missing {
        Some(missing) if !allow_partial => Err(missing.into()),
        missing => Ok(missing),
    }
}
