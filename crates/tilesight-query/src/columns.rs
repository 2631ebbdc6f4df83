//! Answers about images in parts, and their attributes as whole columns: what writers of files
//! want, who need every row and have threads to share them out to.

use std::fmt;
use std::iter;
use std::ops::{Deref, Range};
use std::slice;

use bytemuck::NoUninit;
use hashbrown::HashMap;
use tilesight_tile::GridPoint;

use crate::answer::{Answer, Hit, RankedRows, RowSet, Run};
use crate::images::{NONE, flag};
use crate::index::{RowAt, Sink};
use crate::selection::Selection;
use crate::storage::Column;

impl<'a> Selection<'a> {
    /// Cuts the answer into parts, which can be read on threads of their own.
    ///
    /// # Returns
    ///
    /// Selections of `len` images, the last of which may have fewer; their rows one after the other
    /// are those of this answer, in its order. There are none for an empty answer.
    ///
    /// # Panics
    ///
    /// When `len` is 0.
    ///
    /// # Cost
    ///
    /// A part is made when it is asked for, in a time that does not depend on `len` where its
    /// images are neighbours in the dataset.
    ///
    /// ```
    /// use tilesight_query::{Dataset, Image, ImageQuery};
    ///
    /// let data = Dataset::from_images((1..=5).map(|id| Image::at(id, 24.9384, 60.1699)))?;
    /// let found = data.images(&ImageQuery::default())?;
    /// let parts: Vec<Vec<i64>> = found.parts(2).map(|part| part.to_ids()).collect();
    /// assert_eq!(parts, [vec![1, 2], vec![3, 4], vec![5]]);
    /// # Ok::<(), tilesight_query::Error>(())
    /// ```
    pub fn parts(&self, len: usize) -> impl Iterator<Item = Self> + Send + '_ {
        assert!(len > 0, "a part has a row at least");
        let mut left = Left::of(&self.answer);
        iter::from_fn(move || left.next(len)).map(|answer| Self {
            images: self.images,
            answer,
            missing: self.missing,
        })
    }

    /// Ids, shared with the dataset where the images are neighbours in it, else copied.
    pub fn id_column(&self) -> Shared<i64> {
        self.shared(&self.images.columns().id)
    }

    /// Headings in degrees clockwise from north, not a number where unknown; shared with the
    /// dataset where the images are neighbours in it, else copied.
    pub fn compass_angle_deg_column(&self) -> Shared<f64> {
        self.shared(&self.images.columns().compass_angle_deg)
    }

    /// Longitudes, and latitudes, in degrees: the same numbers as those of
    /// [`Image`](crate::Image).
    pub fn lon_lat_columns(&self) -> (Vec<f64>, Vec<f64>) {
        let mut latitudes = Latitudes::default();
        let mut columns = (
            Vec::with_capacity(self.len()),
            Vec::with_capacity(self.len()),
        );
        self.positions().for_each(|point| {
            columns.0.push(point.lon());
            columns.1.push(latitudes.of(point));
        });
        columns
    }

    /// The sequences of the images, each named once.
    ///
    /// # Returns
    ///
    /// For each image the place of its sequence in a list, and that list, in which sequences stand
    /// in the order of their first images; nothing for images without a sequence.
    pub fn sequence_column(&self) -> (Vec<Option<u32>>, Vec<&'a str>) {
        let images = self.images;
        let (mut places, mut names) = (HashMap::new(), Vec::new());
        let mut column = Vec::with_capacity(self.len());
        let mut last = (NONE, None);
        self.rows().for_each(|row| {
            let sequence = images.group(row).sequence;
            if sequence != last.0 {
                // Neighbours often belong to one sequence.
                let place = places.entry(sequence).or_insert_with(|| {
                    names.push(images.sequence_ids.get(sequence)?);
                    Some(names.len() as u32 - 1)
                });
                last = (sequence, *place);
            }
            column.push(last.1);
        });
        (column, names)
    }

    /// How many of the images have an id that their tile carries rounded.
    pub fn inexact_ids(&self) -> usize {
        let flags = &self.images.columns().flags;
        let is_inexact = |row: u32| flags[row as usize] & flag::INEXACT_ID != 0;
        self.rows()
            .fold(0, |count, row| count + usize::from(is_inexact(row)))
    }

    fn shared<T: Copy + Default>(&self, column: &Column<T>) -> Shared<T> {
        if let Answer::Rows(rows) = &self.answer
            && let [Run::Range { first, beyond }] = *rows.runs()
        {
            return Shared {
                column: column.clone(),
                rows: first as usize..beyond as usize,
            };
        }
        Shared::from(self.answer.gather(column))
    }
}

/// A part of a column of a dataset that is shared with it instead of copied, and keeps what holds
/// it alive: a slice, as values and as their bytes.
#[derive(Clone)]
pub struct Shared<T> {
    column: Column<T>,
    rows: Range<usize>,
}

impl<T> From<Vec<T>> for Shared<T> {
    fn from(values: Vec<T>) -> Self {
        Self {
            rows: 0..values.len(),
            column: values.into(),
        }
    }
}

impl<T> Deref for Shared<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.column[self.rows.clone()]
    }
}

/// The bytes of the values, little-endian.
impl<T: NoUninit> AsRef<[u8]> for Shared<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(self)
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What is left of an answer that is cut into parts.
enum Left<'s> {
    Rows {
        runs: slice::Iter<'s, Run>,
        /// What is left of the run that was cut last.
        rest: Option<Run>,
    },
    Ranked(&'s RankedRows, &'s [RowAt]),
    Hits(&'s [Hit]),
}

impl<'s> Left<'s> {
    fn of(answer: &'s Answer) -> Self {
        match answer {
            Answer::Rows(rows) => Self::Rows {
                runs: rows.runs().iter(),
                rest: None,
            },
            Answer::Ranked(ranked) => Self::Ranked(ranked, &ranked.places),
            Answer::Hits(hits) => Self::Hits(hits),
        }
    }

    /// Takes the next `len` rows, or all where there are fewer; nothing where there are none.
    fn next(&mut self, len: usize) -> Option<Answer> {
        let part = match self {
            Self::Rows { runs, rest } => Answer::Rows(take_rows(runs, rest, len as u64)),
            Self::Ranked(ranked, places) => Answer::Ranked(RankedRows {
                places: take(places, len).to_vec(),
                ..**ranked
            }),
            Self::Hits(hits) => Answer::Hits(take(hits, len).to_vec()),
        };
        (part.len() > 0).then_some(part)
    }
}

fn take<'s, T>(left: &mut &'s [T], len: usize) -> &'s [T] {
    let (taken, rest) = left.split_at(len.min(left.len()));
    *left = rest;
    taken
}

fn take_rows(runs: &mut slice::Iter<'_, Run>, rest: &mut Option<Run>, len: u64) -> RowSet {
    let mut rows = RowSet::default();
    while rows.len() < len
        && let Some(run) = rest.take().or_else(|| runs.next().cloned())
    {
        let room = len - rows.len();
        *rest = push(&mut rows, &run, room);
    }
    rows
}

/// Adds the first rows of a run, as many as there is room for, and returns those that are left.
fn push(rows: &mut RowSet, run: &Run, room: u64) -> Option<Run> {
    match *run {
        Run::Range { first, beyond } => {
            let end = u64::from(first).saturating_add(room).min(beyond.into()) as u32;
            rows.range(first..end);
            (end < beyond).then_some(Run::Range { first: end, beyond })
        }
        Run::Block { first, mask } => {
            let lowest_cleared = |mask: u64, _| mask & mask.wrapping_sub(1);
            let left = (0..room.min(64)).fold(mask, lowest_cleared);
            rows.block(first, mask & !left);
            (left != 0).then_some(Run::Block { first, mask: left })
        }
    }
}

/// Latitudes that were computed before: images that lie together share the rows of their tiles'
/// pixels, and a latitude takes two transcendental functions.
struct Latitudes(Vec<(u32, f64)>);

/// How many latitudes are remembered: one for each row of pixels of a tile.
const LATITUDES: usize = 1 << 12;

/// Grid units in a pixel of a tile of zoom 14.
const PIXEL: u32 = 1 << 6;

impl Default for Latitudes {
    fn default() -> Self {
        Self(vec![(0, GridPoint { x: 0, y: 0 }.lat()); LATITUDES])
    }
}

impl Latitudes {
    fn of(&mut self, point: GridPoint) -> f64 {
        let slot = &mut self.0[(point.y / PIXEL) as usize % LATITUDES];
        if slot.0 != point.y {
            *slot = (point.y, point.lat());
        }
        slot.1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tilesight_tile::LonLat;

    use super::*;
    use crate::Dataset;
    use crate::query::{Filter, ImageQuery, Kind, Place};
    use crate::rows::Image;

    /// Images of which every third is a panorama, in places that repeat.
    fn sample(len: usize) -> Dataset {
        let names: Vec<String> = (0..7).map(|number| format!("sequence-{number}")).collect();
        let images = (0..len).map(|i| Image {
            id_is_exact: i % 10 != 0,
            compass_angle_deg: (i % 5 != 0).then_some((i % 360) as f64),
            kind: (i % 3 == 0).then_some(Kind::Pano),
            sequence_id: (i % 4 != 0).then(|| &*names[i / 10 % 7]),
            ..Image::at(
                i as i64 + 1,
                24.0 + (i % 43) as f64 / 300.0,
                -60.0 + (i % 37) as f64 / 5.0,
            )
        });
        Dataset::from_images(images).unwrap()
    }

    /// Everything, what is scattered, and what comes nearest first.
    fn queries() -> [ImageQuery; 4] {
        let target = LonLat::new(24.05, -57.0).unwrap();
        let of = |place, kind| ImageQuery {
            place,
            filter: Filter {
                kind,
                ..Filter::default()
            },
            ..ImageQuery::default()
        };
        let near = Place::Near {
            target,
            radius_m: 300_000.0,
        };
        let nearest = Place::Nearest {
            target,
            k: 150,
            radius_m: None,
        };
        [
            of(Place::Everywhere, None),
            of(Place::Everywhere, Some(Kind::Pano)),
            of(near, None),
            of(nearest, None),
        ]
    }

    /// Compares columns with what the images say one by one.
    fn check_columns(found: &Selection<'_>) {
        let images: Vec<Image<'_>> = found.iter().collect();
        let each = |value: fn(&Image<'_>) -> f64| images.iter().map(value).collect::<Vec<_>>();
        let ids: Vec<i64> = images.iter().map(|image| image.id).collect();
        assert_eq!(*found.id_column(), ids);
        let id_bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        assert_eq!(AsRef::<[u8]>::as_ref(&found.id_column()), id_bytes);
        let positions = (each(|image| image.lon), each(|image| image.lat));
        assert_eq!(found.lon_lat_columns(), positions);
        let known = |angle: &f64| (!angle.is_nan()).then_some(*angle);
        let headings = found.compass_angle_deg_column();
        let headings: Vec<Option<f64>> = headings.iter().map(known).collect();
        assert!(
            headings
                .into_iter()
                .eq(images.iter().map(|image| image.compass_angle_deg))
        );
        let (places, names) = found.sequence_column();
        let named = places
            .iter()
            .map(|place| place.map(|place| names[place as usize]));
        assert!(named.eq(images.iter().map(|image| image.sequence_id)));
        let inexact = images.iter().filter(|image| !image.id_is_exact).count();
        assert_eq!(found.inexact_ids(), inexact);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn parts_are_the_whole(len in 0..700_usize, part_len in 1..200_usize) {
            let data = sample(len);
            for query in queries() {
                let found = data.images(&query).unwrap();
                let parts: Vec<Selection<'_>> = found.parts(part_len).collect();
                let lens: Vec<usize> = parts.iter().map(Selection::len).collect();
                let full = found.len() / part_len;
                prop_assert!(lens[..full].iter().all(|&len| len == part_len));
                prop_assert_eq!(lens.len(), found.len().div_ceil(part_len));
                let images = parts.iter().flat_map(Selection::iter);
                prop_assert!(images.eq(found.iter()));
                parts.iter().for_each(check_columns);
                check_columns(&found);
            }
        }

        #[test]
        fn latitudes_are_those_that_are_computed(ys in prop::collection::vec(0..1_000_u32, 1..300)) {
            let mut latitudes = Latitudes::default();
            for y in ys {
                // Some of them share a slot.
                let point = GridPoint { x: 0, y: y % 100 * PIXEL + y / 100 * (PIXEL << 12) };
                prop_assert_eq!(latitudes.of(point), point.to_lon_lat().lat());
            }
        }
    }

    #[test]
    fn a_column_outlives_its_dataset() {
        let data = sample(100);
        let found = data.images(&ImageQuery::default()).unwrap();
        let expected = found.to_ids();
        let (whole, part) = (
            found.id_column(),
            found.parts(7).nth(3).unwrap().id_column(),
        );
        drop(data);
        assert_eq!((&*whole, &*part), (&expected[..], &expected[21..28]));
    }
}
