//! Questions about sequences.

use std::ops::Range;

use tilesight_tile::{GridPoint, LonLat, Relation};

use super::Sequences;
use super::chunk::Chunks;
use crate::answer::{Answer, Hit};
use crate::coverage::Need;
use crate::dataset::{Dataset, partial};
use crate::error::{Error, NotHeld};
use crate::filter::{ImageFilter, Properties};
use crate::images::{Images, UNKNOWN_MS, kind_of};
use crate::index::{FANOUT, Target, bits, nearest_entries};
use crate::place::{Circle, LineBox, LineShape, PreparedPlace, distance_to_segment_m};
use crate::query::SequenceQuery;
use crate::rows::{Image, Sequence};

impl Dataset {
    /// Finds sequences.
    ///
    /// # Returns
    ///
    /// A [`SequenceSelection`]: each sequence of which any part, an image or its line, lies in
    /// the place, once and whole; in ascending order of their ids, nearest first where the place
    /// has a target.
    ///
    /// # Errors
    ///
    /// [`Error::NotHeld`] when the place touches tiles that the dataset does not hold and the
    /// query does not [allow that](SequenceQuery::allow_partial); a tile of any zoom from 6 on
    /// that holds sequence lines will do. [`Error::OutOfRange`] as for images.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight_query::{Dataset, Image, Place, SequenceQuery};
    /// use tilesight_tile::Bbox;
    ///
    /// let image = |id, lon| Image { sequence_id: Some("walk"), ..Image::at(id, lon, 60.17) };
    /// let data = Dataset::from_images([image(1, 24.93), image(2, 24.95)])?;
    /// // No image stands on the bridge, but the line passes over it.
    /// let bridge = Place::Bbox(Bbox::from_degrees(24.938, 60.16, 24.942, 60.18)?);
    /// let found = data.sequences(&SequenceQuery { place: bridge, ..Default::default() })?;
    /// assert_eq!(found.ids().collect::<Vec<_>>(), ["walk"]);
    /// # Ok::<(), tilesight_query::Error>(())
    /// ```
    ///
    /// # Source
    ///
    /// The `sequence` and `image` layers of Mapillary's tiles.
    pub fn sequences(&self, query: &SequenceQuery) -> Result<SequenceSelection<'_>, Error> {
        let place = PreparedPlace::new(&query.place)?;
        let filter = ImageFilter::new(&query.filter, &self.images)?;
        let missing = self.missing(Need::Sequences, &place)?;
        let missing = partial(missing, query.allow_partial)?;
        let mut answer = self.find_sequences(&place, &filter)?;
        let beyond = self
            .coverage
            .missing_of_nearest(Need::Sequences, &place, &answer);
        let missing = missing.or(partial(beyond, query.allow_partial)?);
        answer.truncate(query.limit.unwrap_or(usize::MAX));
        self.sequences.touch(answer.rows(), &self.images)?;
        self.images.touch_names()?;
        Ok(SequenceSelection {
            images: &self.images,
            sequences: &self.sequences,
            answer,
            missing,
        })
    }

    fn find_sequences(
        &self,
        place: &PreparedPlace<'_>,
        filter: &ImageFilter<'_>,
    ) -> Result<Answer, Error> {
        let search = Search {
            images: &self.images,
            sequences: &self.sequences,
            filter,
        };
        Ok(match place {
            PreparedPlace::Everywhere => listed(search.everywhere()?),
            PreparedPlace::Bbox { bbox, shape } => {
                listed(search.meeting(&LineBox::new(bbox, shape))?)
            }
            PreparedPlace::Region { shape, .. } => listed(search.meeting(shape)?),
            PreparedPlace::Circle {
                half_fov_deg: Some(_),
                ..
            } => Answer::Hits(search.of_images(&self.find_images(place, filter)?)?),
            PreparedPlace::Circle { circle, .. } => Answer::Hits(search.within(circle)?),
            PreparedPlace::Nearest {
                target,
                k,
                radius_m,
            } => Answer::Hits(search.nearest(target, *k, *radius_m)?),
        })
    }
}

fn listed(mut sequences: Vec<u32>) -> Answer {
    sequences.sort_unstable();
    Answer::Rows(crate::answer::RowSet::from_ascending(sequences))
}

/// Sequences looked for with a filter.
struct Search<'a> {
    images: &'a Images,
    sequences: &'a Sequences,
    filter: &'a ImageFilter<'a>,
}

impl Search<'_> {
    fn everywhere(&self) -> Result<Vec<u32>, Error> {
        let all = self.sequences.at(0..self.sequences.len())?;
        self.passing(all.to_vec())
    }

    /// The sequences of which a part lies in a place.
    fn meeting(&self, shape: &impl LineShape) -> Result<Vec<u32>, Error> {
        let mut found = Vec::new();
        self.visit(shape, self.sequences.tree.height() - 1, 0, &mut found)?;
        self.passing(found)
    }

    fn passing(&self, mut found: Vec<u32>) -> Result<Vec<u32>, Error> {
        if self.filter.is_any() {
            return Ok(found);
        }
        let mut error = None;
        found.retain(|&sequence| match self.passes(sequence) {
            Ok(passes) => passes,
            Err(damaged) => {
                error = Some(damaged);
                false
            }
        });
        error.map_or(Ok(found), Err)
    }

    fn visit(
        &self,
        shape: &impl LineShape,
        level: usize,
        group: usize,
        found: &mut Vec<u32>,
    ) -> Result<(), Error> {
        let tree = &self.sequences.tree;
        let verdicts = shape.classify(tree.group(level, group)?);
        let nodes = (1u64 << tree.nodes_in_group(level, group)) - 1;
        let meets = u64::from(verdicts.meets) & nodes;
        self.prefetch(level, group, meets & !u64::from(verdicts.inside))?;
        for i in bits(meets) {
            let node = group * FANOUT + i;
            let below = tree.entries(level, node);
            if verdicts.inside >> i & 1 == 1 {
                found.extend(self.sequences.at(below)?);
            } else if level > 0 {
                self.visit(shape, level - 1, node, found)?;
            } else {
                for &sequence in self.sequences.at(below)? {
                    found.extend(self.meets(sequence, shape)?.then_some(sequence));
                }
            }
        }
        Ok(())
    }

    /// Asks for what the nodes of a group that are entered will look at: groups below them, or
    /// lines of sequences, which lie anywhere.
    fn prefetch(&self, level: usize, group: usize, entered: u64) -> Result<(), Error> {
        let nodes = || bits(entered).map(|i| group * FANOUT + i);
        if level > 0 {
            for node in nodes() {
                self.sequences.tree.prefetch_group(level - 1, node);
            }
            return Ok(());
        }
        for node in nodes() {
            for &sequence in self.sequences.at(node..node + 1)? {
                self.sequences.prefetch(sequence);
            }
        }
        for node in nodes() {
            for &sequence in self.sequences.at(node..node + 1)? {
                let table = self.sequences.touched(sequence)?;
                let lines = table.line_chunks(sequence);
                self.sequences.lines.prefetch_boxes(lines);
            }
        }
        Ok(())
    }

    /// Tells whether a part of a sequence lies in a place: its line first, on which nearly every
    /// image lies.
    fn meets(&self, sequence: u32, shape: &impl LineShape) -> Result<bool, Error> {
        let Sequences { images, lines, .. } = self.sequences;
        let table = self.sequences.touched(sequence)?;
        let on_line = meets_chunk(lines, table.line_chunks(sequence), shape, |chunk| {
            let vertices = lines.vertices(chunk);
            Ok(vertices.segments().any(|(a, b)| shape.meets_segment(a, b)))
        })?;
        if on_line {
            return Ok(true);
        }
        meets_chunk(images, table.image_chunks(sequence), shape, |chunk| {
            for row in images.rows(chunk) {
                self.images.touch(row)?;
                if shape.contains(self.images.columns().point(row as usize)) {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    fn within(&self, circle: &Circle) -> Result<Vec<Hit>, Error> {
        let mut hits = Vec::new();
        for row in self.meeting(circle)? {
            let distance_m = self.distance_m(circle.target(), row)?;
            hits.push(Hit {
                row,
                distance_m,
                bearing_deg: None,
            });
        }
        Ok(by_distance(hits))
    }

    fn nearest(&self, target: &Target, k: usize, radius_m: f64) -> Result<Vec<Hit>, Error> {
        let tree = &self.sequences.tree;
        let found = nearest_entries(
            tree,
            target,
            k,
            radius_m,
            |()| true,
            |entry, best| {
                for &sequence in self.sequences.at(entry..entry + 1)? {
                    if self.passes(sequence)? {
                        let distance_m = self.distance_m(target, sequence)?;
                        best.offer(distance_m, i64::from(sequence), sequence);
                    }
                }
                Ok(())
            },
        )?;
        let hit = |(row, distance_m)| Hit {
            row,
            distance_m,
            bearing_deg: None,
        };
        Ok(found.into_iter().map(hit).collect())
    }

    /// The sequences of images found, each with its nearest image's distance.
    fn of_images(&self, images: &Answer) -> Result<Vec<Hit>, Error> {
        self.images.groups.touch_all()?;
        let hits = images.iter().filter_map(|(row, hit)| {
            Some(Hit {
                row: self.images.group(row).sequence,
                bearing_deg: None,
                ..hit?
            })
        });
        let mut hits: Vec<Hit> = hits.filter(|hit| hit.row != crate::images::NONE).collect();
        hits.sort_by(|a, b| {
            a.row
                .cmp(&b.row)
                .then(a.distance_m.total_cmp(&b.distance_m))
        });
        hits.dedup_by_key(|hit| hit.row);
        Ok(by_distance(hits))
    }

    /// Distance to the nearest image or segment.
    fn distance_m(&self, target: &Target, sequence: u32) -> Result<f64, Error> {
        let Sequences { images, lines, .. } = self.sequences;
        let table = self.sequences.touched(sequence)?;
        let mut nearest_m = f64::INFINITY;
        for chunk in table.line_chunks(sequence) {
            lines.touch(chunk..chunk + 1)?;
            if target.lower_bound_m(&lines.bounds(chunk)) < nearest_m {
                for (a, b) in lines.vertices(chunk).segments() {
                    nearest_m = nearest_m.min(distance_to_segment_m(target.position(), a, b));
                }
            }
        }
        for chunk in table.image_chunks(sequence) {
            images.touch(chunk..chunk + 1)?;
            if target.lower_bound_m(&images.bounds(chunk)) < nearest_m {
                for row in images.rows(chunk) {
                    self.images.touch(row)?;
                    let point = self.images.columns().point(row as usize);
                    nearest_m = nearest_m.min(target.distance_m(point));
                }
            }
        }
        Ok(nearest_m)
    }

    /// Tells whether one of its images passes the filter; without images, whether the sequence
    /// itself does.
    fn passes(&self, sequence: u32) -> Result<bool, Error> {
        let Sequences { images, .. } = self.sequences;
        let table = self.sequences.touched(sequence)?;
        for chunk in table.image_chunks(sequence) {
            images.touch(chunk..chunk + 1)?;
            for row in images.rows(chunk) {
                self.images.touch(row)?;
                if self.filter.passes(row) {
                    return Ok(true);
                }
            }
        }
        if table.image_count(sequence) > 0 {
            return Ok(false);
        }
        let facts = table.facts(sequence);
        Ok(self.filter.passes_properties(&Properties {
            captured_at_ms: facts.first_captured_at_ms,
            flags: facts.flags,
            organization: facts.organization,
            creator: facts.creator,
            sequence,
        }))
    }
}

/// Tells whether a chunk lies inside a place, or meets it by a closer look, which is given chunks
/// that were touched.
fn meets_chunk(
    chunks: &Chunks,
    range: Range<usize>,
    shape: &impl LineShape,
    meets: impl Fn(usize) -> Result<bool, Error>,
) -> Result<bool, Error> {
    chunks.touch_boxes(range.clone())?;
    for chunk in range {
        match shape.relate(&chunks.bounds(chunk)) {
            Relation::Outside => {}
            Relation::Inside => return Ok(true),
            Relation::Crossing => {
                chunks.touch(chunk..chunk + 1)?;
                if meets(chunk)? {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

fn by_distance(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_unstable_by(|a, b| {
        a.distance_m
            .total_cmp(&b.distance_m)
            .then(a.row.cmp(&b.row))
    });
    hits
}

/// The sequences that a question found, in answer order.
#[derive(Debug, Clone)]
pub struct SequenceSelection<'a> {
    images: &'a Images,
    sequences: &'a Sequences,
    answer: Answer,
    missing: Option<NotHeld>,
}

impl<'a> SequenceSelection<'a> {
    /// How many sequences were found.
    pub fn len(&self) -> usize {
        self.answer.len()
    }

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tiles that the place touches and the dataset does not hold, where
    /// [`allow_partial`](SequenceQuery::allow_partial) let them be missing.
    pub const fn missing(&self) -> Option<&NotHeld> {
        self.missing.as_ref()
    }

    /// Ids.
    pub fn ids(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.answer
            .rows()
            .map(|number| self.images.sequence_ids.get(number).unwrap_or_default())
    }

    /// The sequences, without their lines and images.
    pub fn iter(&self) -> impl Iterator<Item = Sequence<'a>> + '_ {
        self.tracks().map(|track| track.sequence)
    }

    /// The sequences with their lines and images.
    pub fn tracks(&self) -> impl Iterator<Item = Track<'a>> + '_ {
        self.answer
            .iter()
            .map(|(number, hit)| self.track(number, hit))
    }

    fn track(&self, number: u32, hit: Option<Hit>) -> Track<'a> {
        let table = self.sequences.table.columns();
        let facts = table.facts(number);
        let known = |ms: i64| (ms != UNKNOWN_MS).then_some(ms);
        let sequence = Sequence {
            id: self.images.sequence_ids.get(number).unwrap_or_default(),
            image_count: table.image_count(number),
            first_captured_at_ms: known(facts.first_captured_at_ms),
            last_captured_at_ms: known(facts.last_captured_at_ms),
            kind: kind_of(facts.flags),
            organization_id: self.images.organization_ids.get(facts.organization),
            creator_id: self.images.creator_ids.get(facts.creator),
            length_m: self.sequences.line_length_m(number),
            distance_m: hit.map(|hit| hit.distance_m),
        };
        Track {
            images: self.images,
            sequences: self.sequences,
            number,
            sequence,
        }
    }
}

/// A sequence with its line and its images.
#[derive(Debug, Clone, Copy)]
pub struct Track<'a> {
    images: &'a Images,
    sequences: &'a Sequences,
    number: u32,
    /// What is known of the sequence as a whole.
    pub sequence: Sequence<'a>,
}

impl<'a> Track<'a> {
    /// The parts of the line in capture order, each the degrees of at least two vertices. It is
    /// broken where data is missing; there is none where all images stand in one place, or apart
    /// from each other.
    pub fn line(
        &self,
    ) -> impl Iterator<Item = impl ExactSizeIterator<Item = LonLat> + Clone + use<>> + Clone + use<>
    {
        let parts = self.sequences.line(self.number).into_iter();
        parts.map(|part| part.into_iter().map(GridPoint::to_lon_lat))
    }

    /// The images in capture order: by (capture time, id), those without a time last.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when one lies in a damaged block of the dataset's file; never where
    /// there is no line, since then the images are all that there is of the sequence.
    pub fn images(
        &self,
    ) -> Result<impl ExactSizeIterator<Item = Image<'a>> + Clone + use<'a>, Error> {
        let images = self.images;
        let rows = self.sequences.rows(self.number)?;
        rows.iter().try_for_each(|&row| images.touch(row))?;
        Ok(rows.into_iter().map(|row| images.get(row)))
    }
}
