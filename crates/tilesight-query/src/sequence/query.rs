//! Questions about sequences.

use tilesight_tile::LonLat;

use super::{SequenceFacts, Sequences};
use crate::answer::{Answer, Hit};
use crate::coverage::Need;
use crate::dataset::{Dataset, partial};
use crate::error::{Error, NotHeld};
use crate::filter::{ImageFilter, Properties};
use crate::images::{Images, UNKNOWN_MS, kind_of};
use crate::index::{FANOUT, Target, bits, nearest_entries};
use crate::place::{LineBox, LineCircle, LineShape, PreparedPlace, distance_to_segment_m};
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
        let missing = self.coverage.missing(Need::Sequences, &place)?;
        let missing = partial(missing, query.allow_partial)?;
        let mut answer = self.find_sequences(&place, &filter);
        let beyond = self
            .coverage
            .missing_of_nearest(Need::Sequences, &place, &answer);
        let missing = missing.or(partial(beyond, query.allow_partial)?);
        answer.truncate(query.limit.unwrap_or(usize::MAX));
        Ok(SequenceSelection {
            images: &self.images,
            sequences: &self.sequences,
            answer,
            missing,
        })
    }

    fn find_sequences(&self, place: &PreparedPlace<'_>, filter: &ImageFilter<'_>) -> Answer {
        let search = Search {
            images: &self.images,
            sequences: &self.sequences,
            filter,
        };
        match place {
            PreparedPlace::Everywhere => listed(search.everywhere()),
            PreparedPlace::Bbox { bbox, .. } => listed(search.meeting(&LineBox::new(bbox))),
            PreparedPlace::Region { shape, .. } => listed(search.meeting(shape)),
            PreparedPlace::Circle {
                half_fov_deg: Some(_),
                ..
            } => Answer::Hits(search.of_images(&self.find_images(place, filter))),
            PreparedPlace::Circle {
                target, radius_m, ..
            } => Answer::Hits(search.within(target, *radius_m)),
            PreparedPlace::Nearest {
                target,
                k,
                radius_m,
            } => Answer::Hits(search.nearest(target, *k, *radius_m)),
        }
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
    fn everywhere(&self) -> Vec<u32> {
        self.sequences
            .by_place
            .iter()
            .copied()
            .filter(|&i| self.passes(i))
            .collect()
    }

    /// The sequences of which a part lies in a place.
    fn meeting(&self, shape: &impl LineShape) -> Vec<u32> {
        let mut found = Vec::new();
        self.visit(shape, self.sequences.tree.height() - 1, 0, &mut found);
        found.retain(|&sequence| self.passes(sequence));
        found
    }

    fn visit(&self, shape: &impl LineShape, level: usize, group: usize, found: &mut Vec<u32>) {
        let tree = &self.sequences.tree;
        let verdicts = shape.classify(&tree.group(level, group));
        let nodes = (1u64 << tree.nodes_in_group(level, group)) - 1;
        for i in bits(u64::from(verdicts.meets) & nodes) {
            let node = group * FANOUT + i;
            if verdicts.inside >> i & 1 == 1 {
                found.extend(&self.sequences.by_place[tree.entries(level, node)]);
            } else if level > 0 {
                self.visit(shape, level - 1, node, found);
            } else if self.meets(self.sequences.by_place[node], shape) {
                found.push(self.sequences.by_place[node]);
            }
        }
    }

    fn meets(&self, sequence: u32, shape: &impl LineShape) -> bool {
        let point = |row: &u32| self.images.columns.point(*row as usize);
        // Vertices lie side by side, images do not; and nearly every image lies on the line.
        self.sequences
            .lines
            .segments(sequence)
            .any(|(a, b)| shape.meets_segment(a, b))
            || self
                .sequences
                .rows(sequence)
                .iter()
                .any(|row| shape.contains(point(row)))
    }

    fn within(&self, target: &Target, radius_m: f64) -> Vec<Hit> {
        let found = self.meeting(&LineCircle::new(target, radius_m));
        let hit = |row| Hit {
            row,
            distance_m: self.distance_m(target, row),
            bearing_deg: None,
        };
        by_distance(found.into_iter().map(hit).collect())
    }

    fn nearest(&self, target: &Target, k: usize, radius_m: f64) -> Vec<Hit> {
        let tree = &self.sequences.tree;
        let found = nearest_entries(
            tree,
            target,
            k,
            radius_m,
            |()| true,
            |entry, best| {
                let sequence = self.sequences.by_place[entry];
                if self.passes(sequence) {
                    best.offer(
                        self.distance_m(target, sequence),
                        i64::from(sequence),
                        sequence,
                    );
                }
            },
        );
        let hit = |(row, distance_m)| Hit {
            row,
            distance_m,
            bearing_deg: None,
        };
        found.into_iter().map(hit).collect()
    }

    /// The sequences of images found, each with its nearest image's distance.
    fn of_images(&self, images: &Answer) -> Vec<Hit> {
        let sequence_of = |row: u32| self.images.columns.sequence[row as usize];
        let hits = images.iter().filter_map(|(row, hit)| {
            Some(Hit {
                row: sequence_of(row),
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
        by_distance(hits)
    }

    /// Distance to the nearest image or segment.
    fn distance_m(&self, target: &Target, sequence: u32) -> f64 {
        let point = |row: &u32| self.images.columns.point(*row as usize);
        let images = self
            .sequences
            .rows(sequence)
            .iter()
            .map(|row| target.distance_m(point(row)));
        let segments = self.sequences.lines.segments(sequence);
        let segments = segments.map(|(a, b)| distance_to_segment_m(target.position(), a, b));
        images.chain(segments).fold(f64::INFINITY, f64::min)
    }

    /// Tells whether one of its images passes the filter; without images, whether the sequence
    /// itself does.
    fn passes(&self, sequence: u32) -> bool {
        let rows = self.sequences.rows(sequence);
        if !rows.is_empty() {
            return rows.iter().any(|&row| self.filter.passes(row));
        }
        let facts = &self.sequences.facts[sequence as usize];
        self.filter.passes_properties(&Properties {
            captured_at_ms: facts.first_captured_at_ms,
            flags: facts.flags,
            organization: facts.organization,
            creator: facts.creator,
            sequence,
        })
    }
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
        let facts: &SequenceFacts = &self.sequences.facts[number as usize];
        let known = |ms: i64| (ms != UNKNOWN_MS).then_some(ms);
        let sequence = Sequence {
            id: self.images.sequence_ids.get(number).unwrap_or_default(),
            image_count: self.sequences.rows(number).len() as u32,
            first_captured_at_ms: known(facts.first_captured_at_ms),
            last_captured_at_ms: known(facts.last_captured_at_ms),
            kind: kind_of(facts.flags),
            organization_id: self.images.organization_ids.get(facts.organization),
            creator_id: self.images.creator_ids.get(facts.creator),
            length_m: self.sequences.lines.length_m(number),
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
    ) -> impl Iterator<Item = impl ExactSizeIterator<Item = LonLat> + Clone + use<'a>> + Clone + use<'a>
    {
        let parts = self.sequences.lines.parts(self.number);
        parts.map(|part| part.vertices().map(tilesight_tile::GridPoint::to_lon_lat))
    }

    /// The images in capture order: by (capture time, id), those without a time last.
    pub fn images(&self) -> impl ExactSizeIterator<Item = Image<'a>> + Clone + use<'a> {
        let images = self.images;
        self.sequences
            .rows(self.number)
            .iter()
            .map(|&row| images.get(row))
    }
}
