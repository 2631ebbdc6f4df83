//! Rows in the order of (distance, id), with hardly a distance measured.
//!
//! Rows are sorted by an approximate haversine. Only runs of rows that it cannot tell apart are
//! measured, and ordered among themselves.

use std::cell::Cell;
use std::mem::{replace, swap};

use tilesight_tile::GridPoint;

use super::Points;
use super::target::{Radius, Target, Ties};
use crate::storage::prefetch;

/// Up to this many rows are sorted at once.
const ONE_BUCKET: usize = 64;

/// Up to so many rows of a bucket are left to be sorted with those of all others.
const ROWS_OUT_OF_ORDER: usize = 16;

/// Rows whose haversines are computed at once.
const AT_ONCE: usize = 64;

/// A row and its position.
pub(crate) type RowAt = (u32, GridPoint);

/// Orders rows by (distance, id); of features of one id, points before signs.
pub(crate) fn rank(
    target: &Target,
    points: Points<'_>,
    rows: impl Iterator<Item = u32>,
) -> Vec<RowAt> {
    let mut ranking = KEPT.take();
    ranking.list(points, rows);
    ranking.make_keys(target);
    ranking.sort();
    let ranked = ranking.settled(target, points);
    if ranking.rows.len() <= MAX_KEPT_ROWS {
        KEPT.set(ranking);
    }
    ranked
}

/// Orders the rows within a radius, and no more than `k` of them, by (distance, id).
pub(crate) fn rank_within(
    target: &Target,
    points: Points<'_>,
    rows: impl Iterator<Item = u32>,
    radius_m: f64,
    k: usize,
) -> Vec<RowAt> {
    let radius = Radius::new(radius_m);
    let mut places = rank(target, points, rows);
    places.truncate(k);
    let beyond = places.partition_point(|&(_, point)| radius.holds(target, point));
    places.truncate(beyond);
    places
}

/// Orders rows that may be equally far by what they are, exactly.
fn settle(target: &Target, points: Points<'_>, run: &mut [RowAt]) {
    // A point and a sign of one id may stand in one place: rows break that tie.
    let id = |row: u32| (points.ids[row as usize], row);
    let (_, first) = run[0];
    if run.iter().all(|&(_, at)| at == first) {
        run.sort_unstable_by_key(|&(row, _)| id(row));
    } else {
        run.sort_by_cached_key(|&(row, at)| (target.distance_m(at).to_bits(), id(row)));
    }
}

thread_local! {
    /// Memory for the next question: the system takes as long to give it as a sort takes.
    static KEPT: Cell<Ranking> = Cell::default();
}

/// Memory for so many rows is kept at most.
const MAX_KEPT_ROWS: usize = 1 << 20;

/// Rows on their way to be ranked.
///
/// Each has a key by which they are sorted: its approximate haversine as bits, which order as the
/// floats do where none is negative, and in place of the last of them its number in the list. So
/// what is sorted is as small as can be, and the haversine is less by a known part of it.
#[derive(Default)]
struct Ranking {
    rows: Vec<u32>,
    /// Where each of them is.
    at: Vec<GridPoint>,
    keys: Vec<u64>,
    /// The bits of a key that are a number.
    number_mask: u64,
    /// For [`sort`](Self::sort): the keys in their buckets, and where these end.
    sorted: Vec<u64>,
    ends: Vec<u32>,
}

impl Ranking {
    /// Lists rows and where they are.
    fn list(&mut self, points: Points<'_>, rows: impl Iterator<Item = u32>) {
        let Self { rows: all, at, .. } = self;
        all.clear();
        at.clear();
        let expected = rows.size_hint().0;
        all.reserve(expected);
        at.reserve(expected);
        rows.for_each(|row| {
            // Ids break ties, and are asked for in the end.
            prefetch(&points.ids[row as usize..=row as usize]);
            all.push(row);
            at.push(points.at(row));
        });
    }

    fn make_keys(&mut self, target: &Target) {
        self.number_mask = self.at.len().next_power_of_two() as u64 - 1;
        self.keys.clear();
        let mut haversines = [0.0; AT_ONCE];
        for at in self.at.chunks(AT_ONCE) {
            target.haversines(at, &mut haversines);
            let first = self.keys.len() as u64;
            let key = |(h, number): (&f64, _)| h.to_bits() & !self.number_mask | number;
            let of_each = haversines[..at.len()].iter().zip(first..);
            self.keys.extend(of_each.map(key));
        }
    }

    /// Sorts by haversine: into buckets by one pass of counting, then those together.
    ///
    /// The haversine grows with the area around the target, so rows that are spread evenly fill
    /// the buckets evenly; where they are not, a bucket is sorted by itself.
    fn sort(&mut self) {
        if self.keys.len() <= ONE_BUCKET {
            self.keys.sort_unstable();
            return;
        }
        let buckets = Buckets::of(&self.keys);
        buckets.fill(&self.keys, &mut self.ends, &mut self.sorted);
        let mut start = 0;
        for &end in &self.ends {
            let end = end as usize;
            if end - start > ROWS_OUT_OF_ORDER {
                self.sorted[start..end].sort_unstable();
            }
            start = end;
        }
        sort_nearly_sorted(&mut self.sorted);
        swap(&mut self.keys, &mut self.sorted);
    }

    /// The rows in their order, once those that a sort cannot tell apart are settled.
    fn settled(&self, target: &Target, points: Points<'_>) -> Vec<RowAt> {
        let place = |key: &u64| {
            let number = (key & self.number_mask) as usize;
            (self.rows[number], self.at[number])
        };
        let mut ranked: Vec<RowAt> = self.keys.iter().map(place).collect();
        let mut left = &mut ranked[..];
        for run in self.runs() {
            let (run, beyond) = left.split_at_mut(run.len());
            left = beyond;
            if run.len() > 1 {
                settle(target, points, run);
            }
        }
        ranked
    }

    /// The sorted keys, cut wherever it is certain which of two is nearer.
    fn runs(&self) -> impl Iterator<Item = &[u64]> {
        let haversine = |key: &u64| f64::from_bits(key & !self.number_mask);
        let greatest = self.keys.last().map_or(0.0, haversine);
        // By so much of itself the number's bits change a float.
        let blur = (self.number_mask + 1) as f64 * f64::EPSILON;
        let ties = Ties::new(greatest, blur);
        self.keys
            .chunk_by(move |near, far| ties.may_tie(haversine(near), haversine(far)))
    }
}

/// Buckets of equal width, from 0 to the greatest haversine: as many as there are keys.
struct Buckets {
    count: usize,
    per_unit: f64,
}

impl Buckets {
    fn of(keys: &[u64]) -> Self {
        let count = keys.len();
        let greatest = keys.iter().copied().max().map_or(0.0, f64::from_bits);
        Self {
            count,
            // As good as infinite where all rows are where the target is, which puts them into
            // few buckets.
            per_unit: count as f64 / greatest,
        }
    }

    /// The bucket of a key, whose number adds next to nothing to the haversine; keys that ascend
    /// are in buckets that do.
    fn bucket(&self, key: u64) -> usize {
        // Casting saturates, and makes 0 of what is not a number.
        ((f64::from_bits(key) * self.per_unit) as usize).min(self.count - 1)
    }

    /// Puts keys into their buckets, and says where these end.
    fn fill(&self, keys: &[u64], ends: &mut Vec<u32>, filled: &mut Vec<u64>) {
        ends.clear();
        ends.resize(self.count, 0);
        filled.resize(keys.len(), 0);
        for &key in keys {
            ends[self.bucket(key)] += 1;
        }
        let mut next = 0;
        for count in ends.iter_mut() {
            next += replace(count, next);
        }
        for &key in keys {
            let place = &mut ends[self.bucket(key)];
            filled[*place as usize] = key;
            *place += 1;
        }
    }
}

/// Sorts keys of which each has few places to go.
fn sort_nearly_sorted(keys: &mut [u64]) {
    for i in 1..keys.len() {
        let (key, mut place) = (keys[i], i);
        while place > 0 && keys[place - 1] > key {
            keys[place] = keys[place - 1];
            place -= 1;
        }
        keys[place] = key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use tilesight_tile::LonLat;

    /// Positions around a target, many of them in the same places or as far away.
    fn positions() -> impl Strategy<Value = (LonLat, Vec<(u32, u32)>)> {
        let target = (-180.0..=180.0f64, -90.0..=90.0f64);
        (target, 0u32..32, 0u32..16, any::<bool>()).prop_flat_map(
            |((lon, lat), shift, coarse, on_grid)| {
                let target = LonLat::new(lon, lat).unwrap();
                let point = GridPoint::nearest_to(target);
                let target = if on_grid { point.to_lon_lat() } else { target };
                let offset = move || any::<i32>().prop_map(move |d| d >> shift >> coarse << coarse);
                let place = (offset(), offset()).prop_map(move |(dx, dy)| {
                    (
                        point.x.wrapping_add_signed(dx),
                        point.y.saturating_add_signed(dy),
                    )
                });
                (Just(target), vec(place, 0..300))
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn rows_are_ordered_by_distance_and_id(
            (target, places) in positions(), ids in vec(0..9i64, 300), k in 0..300usize, last in 0..300usize,
        ) {
            let target = Target::new(target);
            let (xs, ys): (Vec<u32>, Vec<u32>) = places.into_iter().unzip();
            let points = Points { xs: &xs, ys: &ys, ids: &ids[..xs.len()], table: &() };
            let all = 0..xs.len() as u32;
            let distance_m = |row: u32| target.distance_m(points.at(row));
            let mut expected: Vec<u32> = all.clone().collect();
            expected.sort_by_key(|&row| (distance_m(row).to_bits(), ids[row as usize], row));
            let rows = |places: Vec<RowAt>| places.into_iter().map(|(row, _)| row).collect::<Vec<_>>();
            prop_assert_eq!(&rows(rank(&target, points, all.clone())), &expected);
            let radius_m = expected.get(last).map_or(1e6, |&row| distance_m(row));
            let found = rank_within(&target, points, all, radius_m, k);
            expected.truncate(k);
            expected.retain(|&row| distance_m(row) <= radius_m);
            prop_assert_eq!(rows(found), expected);
        }
    }
}
