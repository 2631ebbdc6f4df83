//! The search for the nearest: children nearest on the plane first.
//!
//! Near a target on the Mercator square the plane bounds the sphere so closely that rows are
//! compared by their squared distances on the plane alone, and little more than the answer is
//! left to be ranked at the end. Elsewhere, around the poles and across continents, every row
//! that may be among the best is measured.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use tilesight_tile::{GridBox, GridPoint};

use super::rank::{RowAt, rank_within};
use super::search::{Match, RowFilter, bits, mask_of_all, packed};
use super::target::{MAX_SERIES_UNITS, Target};
use super::tree::{PackedTree, Summary};
use super::{FANOUT, LEAF_ROWS};
use crate::error::Error;
use crate::storage::{Touch, prefetch};

/// Squared planar distance within which rows are compared on the plane, which is wrong by a
/// sixteenth or so there.
const PLANE_SQUARED: f64 = MAX_SERIES_UNITS as f64 * MAX_SERIES_UNITS as f64;

/// Rows of a table as the nearest search reads them.
#[derive(Clone, Copy)]
pub(crate) struct Points<'a> {
    pub(crate) xs: &'a [u32],
    pub(crate) ys: &'a [u32],
    pub(crate) ids: &'a [i64],
    /// The table they are columns of.
    pub(crate) table: &'a dyn Touch,
}

impl Points<'_> {
    /// Makes sure that some rows may be read.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when they lie in a damaged block of a file.
    #[inline]
    pub(crate) fn touch(&self, rows: Range<usize>) -> Result<(), Error> {
        self.table.touch(rows)
    }

    /// Asks for positions that will be read soon.
    #[inline]
    pub(crate) fn prefetch(&self, rows: Range<usize>) {
        prefetch(&self.xs[rows.clone()]);
        prefetch(&self.ys[rows]);
    }

    pub(crate) fn at(&self, row: u32) -> GridPoint {
        GridPoint {
            x: self.xs[row as usize],
            y: self.ys[row as usize],
        }
    }
}

/// Finds the `k` rows nearest to a target among those that pass a filter and lie within
/// `radius_m`, by (distance, id).
pub(crate) fn nearest<S: Summary>(
    tree: &PackedTree<S>,
    points: Points<'_>,
    target: &Target,
    k: usize,
    radius_m: f64,
    filter: &impl RowFilter<S>,
) -> Result<Vec<RowAt>, Error> {
    match nearest_on_plane(tree, points, target, k, radius_m, filter)? {
        Some(found) => Ok(found),
        None => nearest_anywhere(tree, points, target, k, radius_m, filter),
    }
}

/// The same, where the plane decides; nothing where it does not.
fn nearest_on_plane<S: Summary>(
    tree: &PackedTree<S>,
    points: Points<'_>,
    target: &Target,
    k: usize,
    radius_m: f64,
    filter: &impl RowFilter<S>,
) -> Result<Option<Vec<RowAt>>, Error> {
    if k == 0 || !target.is_on_plane() {
        return Ok(None);
    }
    let cutoff = target.outside_squared_roughly(radius_m).min(PLANE_SQUARED);
    let mut nearest = NearestOnPlane {
        target,
        points,
        filter,
        k,
        cutoff,
        enough: k,
        found: Vec::with_capacity(LEAF_ROWS),
        crowd: None,
    };
    descend(tree, target, &mut nearest)?;
    // What lies beyond the cutoff was never looked at: all is well if it is the answer's own.
    if nearest.cutoff >= PLANE_SQUARED {
        return Ok(None);
    }
    let rows = nearest.found.iter().map(|&(_, row)| row);
    Ok(Some(rank_within(target, points, rows, radius_m, k)))
}

/// The same, measuring what may be among the best.
fn nearest_anywhere<S: Summary>(
    tree: &PackedTree<S>,
    points: Points<'_>,
    target: &Target,
    k: usize,
    radius_m: f64,
    filter: &impl RowFilter<S>,
) -> Result<Vec<RowAt>, Error> {
    let may_pass = |summary: &S| filter.classify(summary) != Match::None;
    let best = nearest_entries(tree, target, k, radius_m, may_pass, |leaf, best| {
        let rows = rows_of(leaf, points);
        points.touch(rows.clone())?;
        for i in bits(filter.mask(rows.clone())) {
            let row = (rows.start + i) as u32;
            let distance_m = target.distance_m(points.at(row));
            best.offer(distance_m, points.ids[row as usize], row);
        }
        Ok(())
    })?;
    let place = |(row, _)| (row, points.at(row));
    Ok(best.into_iter().map(place).collect())
}

/// Offers the entries of a tree until none that is left can be among the `k` best within
/// `radius_m`. `take` is given each entry to offer what it holds.
///
/// # Returns
///
/// The best with their distances in metres, by (distance, id).
pub(crate) fn nearest_entries<S: Summary>(
    tree: &PackedTree<S>,
    target: &Target,
    k: usize,
    radius_m: f64,
    may_pass: impl Fn(&S) -> bool,
    take: impl FnMut(usize, &mut Best<'_>) -> Result<(), Error>,
) -> Result<Vec<(u32, f64)>, Error> {
    if k == 0 {
        return Ok(Vec::new());
    }
    let mut nearest = NearestEntries {
        best: Best {
            target,
            k,
            heap: BinaryHeap::new(),
            worst_m: radius_m,
            outside: target.outside_squared(radius_m),
        },
        may_pass,
        take,
    };
    descend(tree, target, &mut nearest)?;
    Ok(nearest.best.into_ascending())
}

/// A search that goes on while something may be nearer than what it has.
trait Nearest<S> {
    /// Squared planar distance beyond which nothing can be among the nearest.
    fn cutoff(&self) -> f64;

    /// Tells whether a node may hold one of the nearest, for all that is known of it.
    fn may_hold(&self, bounds: &GridBox, summary: &S) -> bool;

    /// Takes an entry.
    fn take(&mut self, entry: usize) -> Result<(), Error>;
}

/// Goes down a tree, nearest first on the plane.
///
/// The nearest of all open nodes comes next, and from there the way leads straight to the nearest
/// row block below it: the first one lowers the cutoff so far that hardly more is opened. Boxes
/// high up may hold the target and nothing near it, where cells meet for one, so the rest is not
/// searched depth first.
fn descend<S: Summary>(
    tree: &PackedTree<S>,
    target: &Target,
    nearest: &mut impl Nearest<S>,
) -> Result<(), Error> {
    let mut open = BinaryHeap::with_capacity(4 * FANOUT);
    dive(tree, target, (tree.height() - 1, 0), nearest, &mut open)?;
    while let Some(Reverse((distance, level, node))) = open.pop() {
        if f64::from_bits(distance) > nearest.cutoff() {
            break;
        }
        let (level, node) = (level as usize, node as usize);
        if nearest.may_hold(&tree.bounds(level, node), tree.summary(level, node)) {
            enter(tree, target, (level, node), nearest, &mut open)?;
        }
    }
    Ok(())
}

/// Nodes by their squared planar distances, as bits, which order as the floats do; nearest first.
type Open = BinaryHeap<Reverse<(u64, u32, u32)>>;

/// Takes a node if it is an entry, else goes down to the nearest one below it.
fn enter<S: Summary>(
    tree: &PackedTree<S>,
    target: &Target,
    (level, node): (usize, usize),
    nearest: &mut impl Nearest<S>,
    open: &mut Open,
) -> Result<(), Error> {
    if level == 0 {
        nearest.take(node)
    } else {
        dive(tree, target, (level - 1, node), nearest, open)
    }
}

/// Enters the nearest node of a group, and opens the others that are near enough afterwards.
fn dive<S: Summary>(
    tree: &PackedTree<S>,
    target: &Target,
    (level, group): (usize, usize),
    nearest: &mut impl Nearest<S>,
    open: &mut Open,
) -> Result<(), Error> {
    let boxes = tree.group(level, group)?;
    let mut distances = target.planar_squared_to_each(boxes);
    // The boxes that fill up a group are inside out.
    distances[tree.nodes_in_group(level, group)..].fill(DONE);
    loop {
        let (i, distance) = least(&distances);
        if distance == DONE || distance > nearest.cutoff() {
            return Ok(());
        }
        distances[i] = DONE;
        let node = group * FANOUT + i;
        if nearest.may_hold(&boxes.get(i), tree.summary(level, node)) {
            enter(tree, target, (level, node), nearest, open)?;
            break;
        }
    }
    let cutoff = nearest.cutoff();
    let near = packed::<FANOUT>(|i| (distances[i] <= cutoff) & (distances[i] < DONE));
    for i in bits(near) {
        let node = (group * FANOUT + i) as u32;
        open.push(Reverse((distances[i].to_bits(), level as u32, node)));
    }
    Ok(())
}

/// In place of the distance of a node that needs no look any more: all others are finite.
const DONE: f64 = f64::INFINITY;

/// Which of sixteen is least, and that.
fn least(distances: &[f64; FANOUT]) -> (usize, f64) {
    let first = (0, distances[0]);
    let all = distances.iter().copied().enumerate();
    all.fold(
        first,
        |least, next| {
            if next.1 < least.1 { next } else { least }
        },
    )
}

fn rows_of(leaf: usize, points: Points<'_>) -> Range<usize> {
    leaf * LEAF_ROWS..((leaf + 1) * LEAF_ROWS).min(points.xs.len())
}

/// The `k`-th least of some of 64 distances, of which there are more, as bits.
fn kth_least(distances: &[f64; LEAF_ROWS], some: u64, k: usize) -> u64 {
    let chosen = bits(some).map(|i| distances[i].to_bits());
    if k == 1 {
        return chosen.fold(u64::MAX, u64::min);
    }
    let mut list = [0; LEAF_ROWS];
    for (place, distance) in list.iter_mut().zip(chosen) {
        *place = distance;
    }
    *list[..some.count_ones() as usize]
        .select_nth_unstable(k - 1)
        .1
}

/// Rows found so far, by their squared distances on the plane.
struct NearestOnPlane<'a, F> {
    target: &'a Target,
    points: Points<'a>,
    filter: &'a F,
    k: usize,
    cutoff: f64,
    /// With so many rows found the cutoff can be lowered.
    enough: usize,
    /// Squared planar distances by their bits, which order as the floats do, and rows.
    found: Vec<(u64, u32)>,
    /// A position that has as many rows as are asked for, and the last of their ids.
    crowd: Option<(GridPoint, i64)>,
}

impl<S, F: RowFilter<S>> Nearest<S> for NearestOnPlane<'_, F> {
    fn cutoff(&self) -> f64 {
        self.cutoff
    }

    fn may_hold(&self, _: &GridBox, summary: &S) -> bool {
        self.filter.classify(summary) != Match::None
    }

    fn take(&mut self, leaf: usize) -> Result<(), Error> {
        let rows = rows_of(leaf, self.points);
        self.points.touch(rows.clone())?;
        let (xs, ys) = (&self.points.xs[rows.clone()], &self.points.ys[rows.clone()]);
        let distances = self.target.planar_squared_of_each(xs, ys);
        let mut near = self.among_nearest(&distances) & mask_of_all(rows.len());
        if near != 0 {
            near = self.filter.mask_among(rows.clone(), near);
        }
        // Of the first rows most are farther than so many of them.
        if near.count_ones() as usize > self.k {
            let kth = kth_least(&distances, near, self.k);
            self.cutoff = self.cutoff.min(self.cutoff_of(kth));
            near &= self.among_nearest(&distances);
        }
        let (points, crowd) = (self.points, self.crowd);
        let is_open = |row: u32| {
            crowd.is_none_or(|(at, last)| points.ids[row as usize] <= last || points.at(row) != at)
        };
        let found = bits(near)
            .map(|i| (distances[i].to_bits(), (rows.start + i) as u32))
            .filter(|&(_, row)| is_open(row));
        self.found.extend(found);
        if self.found.len() >= self.enough {
            self.lower_cutoff();
        }
        Ok(())
    }
}

impl<F> NearestOnPlane<'_, F> {
    /// Which of some rows are not beyond the cutoff.
    fn among_nearest(&self, distances: &[f64; LEAF_ROWS]) -> u64 {
        packed::<LEAF_ROWS>(|i| distances[i] <= self.cutoff)
    }

    /// The cutoff when so many rows as are asked for are no farther than the bits of a squared
    /// distance say.
    fn cutoff_of(&self, kth: u64) -> f64 {
        let reach_m = self.target.reach_m(f64::from_bits(kth));
        self.target.outside_squared_roughly(reach_m)
    }

    /// Drops rows that cannot be among the nearest.
    fn lower_cutoff(&mut self) {
        let (_, &mut (kth, row), _) = self.found.select_nth_unstable(self.k - 1);
        self.cutoff = self.cutoff.min(self.cutoff_of(kth));
        self.found
            .retain(|&(planar, _)| planar <= self.cutoff.to_bits());
        if self.found.len() > self.k {
            self.thin(self.points.at(row));
        }
        // Where more rows are as near as the last one, not one by one.
        self.enough = self.found.len() + self.found.len() / 8 + 1;
    }

    /// Of thousands of rows in one place only those of the least ids can be among the nearest.
    fn thin(&mut self, at: GridPoint) {
        let points = self.points;
        let id = |row: u32| points.ids[row as usize];
        let there = self.found.iter().filter(|&&(_, row)| points.at(row) == at);
        let mut ids: Vec<i64> = there.map(|&(_, row)| id(row)).collect();
        if ids.len() < self.k {
            return;
        }
        let (_, &mut last, _) = ids.select_nth_unstable(self.k - 1);
        self.found
            .retain(|&(_, row)| id(row) <= last || points.at(row) != at);
        self.crowd = Some((at, last));
    }
}

/// Entries that offer what they hold.
struct NearestEntries<'a, P, T> {
    best: Best<'a>,
    may_pass: P,
    take: T,
}

impl<S, P, T> Nearest<S> for NearestEntries<'_, P, T>
where
    P: Fn(&S) -> bool,
    T: FnMut(usize, &mut Best<'_>) -> Result<(), Error>,
{
    fn cutoff(&self) -> f64 {
        self.best.outside
    }

    fn may_hold(&self, bounds: &GridBox, summary: &S) -> bool {
        !self.best.is_beyond(bounds) && (self.may_pass)(summary)
    }

    fn take(&mut self, entry: usize) -> Result<(), Error> {
        (self.take)(entry, &mut self.best)
    }
}

/// The best rows so far, by their measured distances.
pub(crate) struct Best<'a> {
    target: &'a Target,
    k: usize,
    /// Worst on top, by the bits of the distance, then id.
    heap: BinaryHeap<(u64, i64, u32)>,
    /// Nothing farther than this can be among the best.
    worst_m: f64,
    /// The same on the plane, squared.
    outside: f64,
}

impl Best<'_> {
    /// Keeps a row if it is among the best; rows as far as each other rank by `id`.
    pub(crate) fn offer(&mut self, distance_m: f64, id: i64, row: u32) {
        if distance_m > self.worst_m {
            return;
        }
        let candidate = (distance_m.to_bits(), id, row);
        if self.heap.len() < self.k {
            self.heap.push(candidate);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && candidate < *worst
        {
            *worst = candidate;
        }
        if self.heap.len() == self.k
            && let Some(&(worst, ..)) = self.heap.peek()
        {
            self.worst_m = f64::from_bits(worst);
            let outside = self.target.outside_squared_roughly(self.worst_m);
            self.outside = self.outside.min(outside);
        }
    }

    /// Tells whether all of a box is too far, where the planar bound cannot.
    fn is_beyond(&self, bounds: &GridBox) -> bool {
        self.outside.is_infinite()
            && self.worst_m.is_finite()
            && self.target.lower_bound_m(bounds) > self.worst_m
    }

    fn into_ascending(self) -> Vec<(u32, f64)> {
        let measured = |(distance, _, row)| (row, f64::from_bits(distance));
        self.heap
            .into_sorted_vec()
            .into_iter()
            .map(measured)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::target::tests::anywhere;
    use super::*;
    use crate::scratch::Scratch;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Every third id does not pass.
    struct NotThirds<'a>(&'a [i64]);

    impl RowFilter<()> for NotThirds<'_> {
        fn classify(&self, (): &()) -> Match {
            Match::Some
        }

        fn mask(&self, rows: Range<usize>) -> u64 {
            super::super::mask_of(&self.0[rows], |id| id % 3 != 0)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Rows around a target, in blocks as they come: the tree's boxes need no order to hold.
        #[test]
        fn the_nearest_are_those_of_brute_force(
            target in anywhere(), offsets in vec((any::<i32>(), any::<i32>()), 0..400),
            shift in 0u32..31, coarse in 0u32..12, k in 0..200usize, radius_m in prop_oneof![Just(f64::INFINITY), 0.0..2e7f64],
        ) {
            let target = Target::new(target);
            let GridPoint { x, y } = target.point();
            let blurred = |d: i32| d >> shift >> coarse << coarse;
            let xs: Vec<u32> = offsets.iter().map(|o| x.wrapping_add_signed(blurred(o.0))).collect();
            let ys: Vec<u32> = offsets.iter().map(|o| y.saturating_add_signed(blurred(o.1))).collect();
            // Of rows in one place the least ids come last.
            let ids: Vec<i64> = (0..xs.len() as i64).rev().collect();
            let id = |row: u32| ids[row as usize];
            let points = Points { xs: &xs, ys: &ys, ids: &ids, table: &() };
            let blocks: Vec<_> = xs.chunks(LEAF_ROWS).zip(ys.chunks(LEAF_ROWS)).map(box_around).collect();
            let tree = PackedTree::new(blocks.into_iter(), &Scratch::Memory).unwrap();
            let distance_m = |row: u32| target.distance_m(points.at(row));
            let mut expected: Vec<u32> = (0..xs.len() as u32)
                .filter(|&row| id(row) % 3 != 0 && distance_m(row) <= radius_m)
                .collect();
            expected.sort_by_key(|&row| (distance_m(row).to_bits(), id(row)));
            expected.truncate(k);
            let filter = NotThirds(&ids);
            let expected: Vec<_> = expected.into_iter().map(|row| (row, points.at(row))).collect();
            let found = nearest(&tree, points, &target, k, radius_m, &filter).unwrap();
            prop_assert_eq!(&found, &expected);
            let measured = nearest_anywhere(&tree, points, &target, k, radius_m, &filter).unwrap();
            prop_assert_eq!(&measured, &expected);
        }
    }

    fn box_around((xs, ys): (&[u32], &[u32])) -> (GridBox, ()) {
        let bounds = GridBox {
            min_x: xs.iter().copied().min().unwrap(),
            min_y: ys.iter().copied().min().unwrap(),
            max_x: xs.iter().copied().max().unwrap(),
            max_y: ys.iter().copied().max().unwrap(),
        };
        (bounds, ())
    }
}
