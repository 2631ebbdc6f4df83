//! Rows in the order of (distance, id), with hardly a distance measured.
//!
//! Rows are sorted by an approximate haversine. Only runs of rows that it cannot tell apart are
//! measured, and ordered among themselves.

use tilesight_tile::GridPoint;

use super::Points;
use super::target::{Radius, Target, may_tie, widest_tie};
use crate::storage::prefetch;

/// Rows that a bucket of the sort holds on average, where rows spread evenly over a disc.
const ROWS_IN_BUCKET: usize = 2;

/// Up to this many rows are sorted at once.
const ONE_BUCKET: usize = 64;

/// Rows whose haversines are computed at once.
const AT_ONCE: usize = 64;

/// A row and its position.
pub(crate) type RowAt = (u32, GridPoint);

/// A place and its approximate haversine as bits: those of floats that are not negative order as
/// the floats do.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    haversine: u64,
    place: RowAt,
}

/// Orders rows by (distance, id); of features of one id, points before signs.
pub(crate) fn rank(
    target: &Target,
    points: Points<'_>,
    rows: impl Iterator<Item = u32>,
) -> Vec<RowAt> {
    let mut candidates = sorted(candidates(target, points, rows));
    let widest = candidates.last().map_or(0.0, |c| widest_tie(c.haversine()));
    let tie = |a: &Candidate, b: &Candidate| {
        let (near, far) = (a.haversine(), b.haversine());
        far - near <= widest && may_tie(near, far)
    };
    for run in candidates.chunk_by_mut(tie) {
        if run.len() > 1 {
            settle(target, points, run);
        }
    }
    candidates.iter().map(|candidate| candidate.place).collect()
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

impl Candidate {
    fn haversine(self) -> f64 {
        f64::from_bits(self.haversine)
    }
}

fn candidates(
    target: &Target,
    points: Points<'_>,
    rows: impl Iterator<Item = u32>,
) -> Vec<Candidate> {
    let unmeasured = |row| {
        // Ids break ties, and are asked for in the end.
        prefetch(&points.ids[row as usize..=row as usize]);
        Candidate {
            haversine: 0,
            place: (row, points.at(row)),
        }
    };
    let mut candidates: Vec<_> = rows.map(unmeasured).collect();
    for chunk in candidates.chunks_mut(AT_ONCE) {
        let (mut at, mut haversines) = ([target.point(); AT_ONCE], [0.0; AT_ONCE]);
        for (at, candidate) in at.iter_mut().zip(&*chunk) {
            *at = candidate.place.1;
        }
        target.haversines(&at[..chunk.len()], &mut haversines);
        for (candidate, haversine) in chunk.iter_mut().zip(haversines) {
            candidate.haversine = haversine.to_bits();
        }
    }
    candidates
}

/// Orders rows that may be equally far by what they are, exactly.
fn settle(target: &Target, points: Points<'_>, run: &mut [Candidate]) {
    // A point and a sign of one id may stand in one place: rows break that tie.
    let id = |(row, _): RowAt| (points.ids[row as usize], row);
    let (_, first) = run[0].place;
    if run.iter().all(|candidate| candidate.place.1 == first) {
        run.sort_unstable_by_key(|candidate| id(candidate.place));
    } else {
        run.sort_by_cached_key(|candidate| {
            let distance_m = target.distance_m(candidate.place.1);
            (distance_m.to_bits(), id(candidate.place))
        });
    }
}

/// Sorts by haversine: into buckets by one pass of counting, then each bucket by itself.
///
/// The haversine grows with the area around the target, so rows that are spread evenly fill the
/// buckets evenly; where they are not, the sort of a bucket is still that of the library.
fn sorted(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    if candidates.len() <= ONE_BUCKET {
        candidates.sort_unstable_by_key(|candidate| candidate.haversine);
        return candidates;
    }
    let buckets = Buckets::new(&candidates);
    let starts = buckets.starts(&candidates);
    let mut next = starts.clone();
    let mut sorted = candidates.clone();
    for candidate in &candidates {
        let place = &mut next[buckets.of(candidate)];
        sorted[*place as usize] = *candidate;
        *place += 1;
    }
    for ends in starts.windows(2) {
        let bucket = &mut sorted[ends[0] as usize..ends[1] as usize];
        if bucket.len() > 1 {
            bucket.sort_unstable_by_key(|candidate| candidate.haversine);
        }
    }
    sorted
}

/// Buckets of equal width, from 0 to the greatest haversine.
struct Buckets {
    count: usize,
    per_unit: f64,
}

impl Buckets {
    fn new(candidates: &[Candidate]) -> Self {
        let count = candidates.len() / ROWS_IN_BUCKET;
        let greatest = candidates.iter().map(|c| c.haversine).max();
        let greatest = greatest.map_or(0.0, f64::from_bits);
        Self {
            count,
            // Infinite where all rows are where the target is, which puts them into one bucket.
            per_unit: count as f64 / greatest,
        }
    }

    fn of(&self, candidate: &Candidate) -> usize {
        // Casting saturates, and makes 0 of what is not a number.
        ((candidate.haversine() * self.per_unit) as usize).min(self.count - 1)
    }

    /// Where each bucket starts among the sorted, and the last one ends.
    fn starts(&self, candidates: &[Candidate]) -> Vec<u32> {
        let mut starts = vec![0; self.count + 1];
        for candidate in candidates {
            starts[self.of(candidate) + 1] += 1;
        }
        for bucket in 0..self.count {
            starts[bucket + 1] += starts[bucket];
        }
        starts
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
