//! Answers about images in parts, and their attributes as whole columns: what writers of files
//! want, who need every row and have threads to share them out to.

use std::fmt;
use std::iter;
use std::ops::{Deref, Range};
use std::slice;

use bytemuck::NoUninit;
use hashbrown::HashMap;
use tilesight_tile::{GridPoint, LonLat};

use crate::answer::{Answer, Hit, JoinedPlace, JoinedRows, RankedRows, RowSet, Run};
use crate::images::{Group, Images, flag, joined_ms, kind_of};
use crate::index::{RowAt, Sink, offset_deg};
use crate::query::Kind;
use crate::rows::Image;
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

    /// Fills a column with the longitudes in degrees: the same numbers as those of
    /// [`Image`]. It has as many places as there are images, as all that are filled.
    pub fn fill_longitudes(&self, lons: &mut [f64]) {
        let xs = self.shared(&self.images.columns().x);
        let lon = |&x: &u32| GridPoint { x, y: 0 }.lon();
        fill(lons, xs.iter().map(lon));
    }

    /// Fills a column with the latitudes in degrees, the same numbers too; the parts of an answer
    /// go faster when they are lent the latitudes of those before them.
    pub fn fill_latitudes(&self, lats: &mut [f64], known: &mut Latitudes) {
        let ys = self.shared(&self.images.columns().y);
        fill(lats, ys.iter().map(|&y| known.of(y)));
    }

    /// Fills a column with the capture times in milliseconds since 1970, UTC; 0 where unknown.
    pub fn fill_captured_at_ms(&self, times: &mut [i64]) {
        let columns = self.images.columns();
        let high = self.shared(&columns.captured_at_high);
        let low = self.shared(&columns.captured_at_low);
        let joined = |(&high, &low): (&u32, &u16)| joined_ms(high, low);
        fill(times, high.iter().zip(&*low).map(joined));
    }

    /// Panorama or flat.
    pub fn kind_column(&self) -> Vec<Option<Kind>> {
        let flags = self.shared(&self.images.columns().flags);
        flags.iter().map(|&flags| kind_of(flags)).collect()
    }

    /// Fills a column with the distances from the target in metres, not a number where the question
    /// had no target.
    pub fn fill_distances_m(&self, distances: &mut [f64]) {
        self.answer.fill_distances_m(distances);
    }

    /// Fills a column with the bearings from the images to the target in degrees, not a number but
    /// for looking-at questions, and for an image that is where the target is.
    pub fn fill_bearings_deg(&self, bearings: &mut [f64]) {
        self.answer.fill_bearings_deg(bearings);
    }

    /// Fills a column with how far bearings lie from headings, 0…180 degrees; not a number where one
    /// of both is not known.
    pub fn fill_offsets_deg(&self, offsets: &mut [f64]) {
        self.answer.fill_bearings_deg(offsets);
        let headings = self.shared(&self.images.columns().compass_angle_deg);
        for (offset, &heading_deg) in offsets.iter_mut().zip(&*headings) {
            *offset = offset_deg(heading_deg, *offset);
        }
    }

    /// What the images belong to, looked up once for those that belong to the same.
    pub fn groups(&self) -> Groups<'a> {
        let mut places = GroupPlaces::of_rows(self.len());
        let of_images = self.shared(&self.images.columns().group);
        let of_images = of_images.iter().map(|&group| places.of(group)).collect();
        Groups::new(self.images, of_images, &places.groups)
    }

    /// The images, of which nothing is read before it is asked for; for those who look at many and
    /// want few.
    pub fn unread(&self) -> impl Iterator<Item = Unread<'a>> + '_ {
        let images = self.images;
        self.rows().map(move |row| Unread { images, row })
    }

    /// How many of the images have an id that their tile carries rounded.
    pub fn inexact_ids(&self) -> usize {
        let flags = self.shared(&self.images.columns().flags);
        let is_inexact = |flags: &&u8| **flags & flag::INEXACT_ID != 0;
        flags.iter().filter(is_inexact).count()
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

fn fill<T>(column: &mut [T], values: impl ExactSizeIterator<Item = T>) {
    assert_eq!(column.len(), values.len(), "a place for each image");
    for (place, value) in column.iter_mut().zip(values) {
        *place = value;
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

/// An image of which nothing is read before it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Unread<'a> {
    images: &'a Images,
    row: u32,
}

impl<'a> Unread<'a> {
    /// The id.
    pub fn id(self) -> i64 {
        self.images.columns().id[self.row as usize]
    }

    /// Where it was taken.
    pub fn position(self) -> LonLat {
        self.images.columns().point(self.row as usize).to_lon_lat()
    }

    /// Panorama or flat.
    pub fn kind(self) -> Option<Kind> {
        self.images.columns().kind(self.row as usize)
    }

    /// Heading in degrees clockwise from north.
    pub fn compass_angle_deg(self) -> Option<f64> {
        self.images.columns().compass_angle_deg(self.row as usize)
    }

    /// All of it, but for what a question measured.
    pub fn read(self) -> Image<'a> {
        self.images.get(self.row)
    }
}

/// What images belong to. Images of a group belong to the same sequence, organization and creator,
/// so that these are looked up by group.
#[derive(Debug, Clone)]
pub struct Groups<'a> {
    /// For each image the place of its group in the lists of groups.
    pub of_images: Vec<u32>,
    /// For each group the place of its sequence in [`sequence_ids`](Self::sequence_ids).
    pub sequences: Vec<Option<u32>>,
    /// For each group its organization.
    pub organization_ids: Vec<Option<i64>>,
    /// For each group its creator.
    pub creator_ids: Vec<Option<i64>>,
    /// The sequences, each once, in the order of their first images.
    pub sequence_ids: Vec<&'a str>,
}

impl<'a> Groups<'a> {
    fn new(images: &'a Images, of_images: Vec<u32>, groups: &[u32]) -> Self {
        let group = |&number: &u32| images.groups.columns().get(number);
        let mut sequence_ids = Vec::new();
        // Groups are told apart where tiles contradict each other; their sequence is one.
        let mut places = HashMap::new();
        let sequence = |group: Group| {
            let place = places.entry(group.sequence).or_insert_with(|| {
                sequence_ids.push(images.sequence_ids.get(group.sequence)?);
                Some(sequence_ids.len() as u32 - 1)
            });
            *place
        };
        let organization = |of: Group| images.organization_ids.get(of.organization);
        let creator = |of: Group| images.creator_ids.get(of.creator);
        Self {
            of_images,
            sequences: groups.iter().map(group).map(sequence).collect(),
            organization_ids: groups.iter().map(group).map(organization).collect(),
            creator_ids: groups.iter().map(group).map(creator).collect(),
            sequence_ids,
        }
    }
}

/// Numbers groups in the order in which they are met.
struct GroupPlaces {
    places: HashMap<u32, u32>,
    groups: Vec<u32>,
    /// Groups that were asked for lately and their places, each where its last bits say: neighbours
    /// belong to few groups, in turns.
    recent: Vec<Option<(u32, u32)>>,
}

/// Most groups that are remembered: about as many as a part of an answer has.
const RECENT_GROUPS: usize = 1 << 11;

impl GroupPlaces {
    /// For so many rows at most.
    fn of_rows(rows: usize) -> Self {
        Self {
            places: HashMap::new(),
            groups: Vec::new(),
            recent: vec![None; rows.clamp(1, RECENT_GROUPS).next_power_of_two()],
        }
    }

    #[inline]
    fn of(&mut self, group: u32) -> u32 {
        let slot = group as usize & (self.recent.len() - 1);
        if let Some((recent, place)) = self.recent[slot]
            && recent == group
        {
            return place;
        }
        let place = self.look_up(group);
        self.recent[slot] = Some((group, place));
        place
    }

    fn look_up(&mut self, group: u32) -> u32 {
        *self.places.entry(group).or_insert_with(|| {
            self.groups.push(group);
            self.groups.len() as u32 - 1
        })
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
    Joined(&'s JoinedRows, &'s [JoinedPlace]),
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
            Answer::Joined(joined) => Self::Joined(joined, &joined.places),
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
            Self::Joined(joined, places) => Answer::Joined(JoinedRows {
                places: take(places, len).to_vec(),
                targets: joined.targets.clone(),
            }),
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
#[derive(Debug, Clone)]
pub struct Latitudes(Vec<(u32, f64)>);

/// How many latitudes are remembered: one for each row of pixels of some neighbouring tiles.
const LATITUDES: usize = 1 << 14;

/// Grid units in a pixel of a tile of zoom 14.
const PIXEL: u32 = 1 << 6;

impl Default for Latitudes {
    fn default() -> Self {
        Self(vec![(0, GridPoint { x: 0, y: 0 }.lat()); LATITUDES])
    }
}

impl Latitudes {
    #[inline]
    fn of(&mut self, y: u32) -> f64 {
        let slot = &mut self.0[(y / PIXEL) as usize % LATITUDES];
        if slot.0 != y {
            *slot = (y, GridPoint { x: 0, y }.lat());
        }
        slot.1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Dataset;
    use crate::query::{Filter, ImageQuery, Place};

    /// Images of which every third is a panorama, in places that repeat.
    fn sample(len: usize) -> Dataset {
        let names: Vec<String> = (0..7).map(|number| format!("sequence-{number}")).collect();
        let images = (0..len).map(|i| Image {
            id_is_exact: i % 10 != 0,
            compass_angle_deg: (i % 5 != 0).then_some((i % 360) as f64),
            kind: (i % 3 == 0).then_some(Kind::Pano),
            captured_at_ms: (i % 6 != 0).then_some(1_600_000_000_000 + i as i64),
            sequence_id: (i % 4 != 0).then(|| &*names[i / 10 % 7]),
            organization_id: (i / 10 % 3 != 0).then_some((i / 10 % 3) as i64),
            creator_id: (i % 7 != 0).then_some(-1),
            ..Image::at(
                i as i64 + 1,
                24.0 + (i % 43) as f64 / 300.0,
                -60.0 + (i % 37) as f64 / 5.0,
            )
        });
        Dataset::from_images(images).unwrap()
    }

    /// Everything, what is scattered, and what comes nearest first.
    fn queries() -> [ImageQuery; 5] {
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
        let looking_at = Place::LookingAt {
            target,
            radius_m: 300_000.0,
            fov_deg: 150.0,
        };
        [
            of(Place::Everywhere, None),
            of(Place::Everywhere, Some(Kind::Pano)),
            of(near, None),
            of(nearest, None),
            of(looking_at, None),
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
        let mut degrees = vec![f64::NAN; images.len()];
        found.fill_longitudes(&mut degrees);
        assert_eq!(degrees, each(|image| image.lon));
        found.fill_latitudes(&mut degrees, &mut Latitudes::default());
        assert_eq!(degrees, each(|image| image.lat));
        let known = |angle: &f64| (!angle.is_nan()).then_some(*angle);
        let headings = found.compass_angle_deg_column();
        let headings: Vec<Option<f64>> = headings.iter().map(known).collect();
        assert!(
            headings
                .into_iter()
                .eq(images.iter().map(|image| image.compass_angle_deg))
        );
        let mut times = vec![-1; images.len()];
        found.fill_captured_at_ms(&mut times);
        let known = |ms: i64| (ms != 0).then_some(ms);
        assert!(
            times
                .into_iter()
                .map(known)
                .eq(images.iter().map(|image| image.captured_at_ms))
        );
        assert!(
            found
                .kind_column()
                .into_iter()
                .eq(images.iter().map(|image| image.kind))
        );
        check_measures(found, &images);
        check_groups(&found.groups(), &images);
        for (unread, image) in found.unread().zip(&images) {
            let position = unread.position();
            assert_eq!((position.lon(), position.lat()), (image.lon, image.lat));
            assert_eq!((unread.id(), unread.kind()), (image.id, image.kind));
            assert_eq!(unread.compass_angle_deg(), image.compass_angle_deg);
            let read = Image {
                distance_m: image.distance_m,
                bearing_deg: image.bearing_deg,
                offset_deg: image.offset_deg,
                ..unread.read()
            };
            assert_eq!(read, *image);
        }
        let inexact = images.iter().filter(|image| !image.id_is_exact).count();
        assert_eq!(found.inexact_ids(), inexact);
    }

    fn check_measures(found: &Selection<'_>, images: &[Image<'_>]) {
        type Fill<'f> = &'f dyn Fn(&mut [f64]);
        let check = |fill: Fill<'_>, of: fn(&Image<'_>) -> Option<f64>| {
            let mut column = vec![-1.0; images.len()];
            fill(&mut column);
            let known = |value: &f64| (!value.is_nan()).then_some(*value);
            assert!(column.iter().map(known).eq(images.iter().map(of)));
        };
        check(&|column| found.fill_distances_m(column), |image| {
            image.distance_m
        });
        check(&|column| found.fill_bearings_deg(column), |image| {
            image.bearing_deg
        });
        check(&|column| found.fill_offsets_deg(column), |image| {
            image.offset_deg
        });
    }

    fn check_groups(groups: &Groups<'_>, images: &[Image<'_>]) {
        let groups_of_images = groups.of_images.iter().map(|&group| group as usize);
        let of_images = groups_of_images.map(|group| {
            let sequence = groups.sequences[group].map(|at| groups.sequence_ids[at as usize]);
            (
                sequence,
                groups.organization_ids[group],
                groups.creator_ids[group],
            )
        });
        assert!(
            of_images.eq(images
                .iter()
                .map(|image| { (image.sequence_id, image.organization_id, image.creator_id,) }))
        );
        let mut named: Vec<&str> = Vec::new();
        for sequence in images.iter().filter_map(|image| image.sequence_id) {
            if !named.contains(&sequence) {
                named.push(sequence);
            }
        }
        assert_eq!(groups.sequence_ids, named);
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
                let y = y % 100 * PIXEL + y / 100 * PIXEL * LATITUDES as u32;
                let point = GridPoint { x: 0, y };
                prop_assert_eq!(latitudes.of(y), point.to_lon_lat().lat());
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
