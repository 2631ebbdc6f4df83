//! Between which images of a sequence its line is broken.

use std::collections::BTreeSet;

use tilesight_tile::{LonLat, haversine_m};

use super::geometry::{Part, length_m};

/// Finds the first image of each part of a line: before it the line is broken. A part without
/// images begins where the next one does; a line of one part is not broken at all.
///
/// A line is broken where tiles are not held, and so the images that were taken there are not
/// held either: the parts tell where. Both parts and images are in capture order, so each part has
/// some images that follow each other, or none. Of all ways to deal them out that one is taken in
/// which the ends of parts are nearest to their first and last images; a part without images costs
/// its length.
pub(super) fn breaks(parts: &[Part], images: &[LonLat]) -> BTreeSet<usize> {
    if parts.len() < 2 {
        return BTreeSet::new();
    }
    let mut dealt_m = vec![f64::INFINITY; images.len() + 1];
    dealt_m[0] = 0.0;
    let mut choices = Vec::with_capacity(parts.len());
    for part in parts {
        let (with_part_m, firsts) = deal(part, images, &dealt_m);
        dealt_m = with_part_m;
        choices.push(firsts);
    }
    let mut beyond = images.len();
    let firsts = choices.iter().rev().map(|firsts| {
        beyond = firsts[beyond];
        beyond
    });
    firsts.collect()
}

/// Deals images to one more part: for each number of images dealt so far the least that it costs,
/// and the first image that the part then has.
fn deal(part: &Part, images: &[LonLat], dealt_m: &[f64]) -> (Vec<f64>, Vec<usize>) {
    let length_m = length_m(std::slice::from_ref(part));
    let (mut least_begun_m, mut first) = (f64::INFINITY, 0);
    let with_part = |beyond: usize| {
        let empty_m = dealt_m[beyond] + length_m;
        let ended_m = least_begun_m + end_m(part, images, beyond);
        let best = if ended_m <= empty_m {
            (ended_m, first)
        } else {
            (empty_m, beyond)
        };
        let begun_m = dealt_m[beyond] + start_m(part, images, beyond);
        if begun_m < least_begun_m {
            (least_begun_m, first) = (begun_m, beyond);
        }
        best
    };
    (0..dealt_m.len()).map(with_part).unzip()
}

/// From the start of a part to its first image.
fn start_m(part: &Part, images: &[LonLat], first: usize) -> f64 {
    let ends = part.first().zip(images.get(first));
    ends.map_or(f64::INFINITY, |(&start, &image)| haversine_m(start, image))
}

/// From the image before `beyond`, the last of a part, to the part's end.
fn end_m(part: &Part, images: &[LonLat], beyond: usize) -> f64 {
    let last = beyond.checked_sub(1).map(|last| images[last]);
    let ends = part.last().zip(last);
    ends.map_or(f64::INFINITY, |(&end, image)| haversine_m(image, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Positions on a plane of metres, near enough.
    fn line(positions: &[(f64, f64)]) -> Part {
        let position = |&(x, y): &(f64, f64)| LonLat::new(x / 111_195.0, y / 111_195.0).unwrap();
        positions.iter().map(position).collect()
    }

    #[track_caller]
    fn check(parts: &[&[(f64, f64)]], images: &[(f64, f64)], expected: &[usize]) {
        let parts: Vec<Part> = parts.iter().map(|part| line(part)).collect();
        let found: Vec<usize> = breaks(&parts, &line(images)).into_iter().collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_whole_line_is_not_broken() {
        check(&[&[(0.0, 0.0), (9.0, 0.0)]], &[(0.0, 0.0), (9.0, 0.0)], &[]);
        check(&[], &[], &[]);
    }

    #[test]
    fn a_line_is_broken_where_it_leaves_and_comes_back() {
        let out: &[(f64, f64)] = &[(0.0, 0.0), (100.0, 0.0)];
        let back: &[(f64, f64)] = &[(100.0, 50.0), (0.0, 50.0)];
        let images = [
            (10.0, 0.0),
            (50.0, 0.0),
            (90.0, 0.0),
            (95.0, 50.0),
            (20.0, 50.0),
        ];
        check(&[out, back], &images, &[0, 3]);
    }

    #[test]
    fn a_line_that_goes_out_and_back_on_one_way_is_broken_at_the_turn() {
        let out: &[(f64, f64)] = &[(0.0, 0.0), (100.0, 0.0)];
        let back: &[(f64, f64)] = &[(100.0, 0.0), (0.0, 0.0)];
        let images = [
            (10.0, 0.0),
            (50.0, 0.0),
            (90.0, 0.0),
            (80.0, 0.0),
            (40.0, 0.0),
            (5.0, 0.0),
        ];
        check(&[out, back], &images, &[0, 3]);
    }

    #[test]
    fn parts_without_images_lie_before_after_and_between() {
        let parts: &[&[(f64, f64)]] = &[
            &[(-500.0, 0.0), (-400.0, 0.0)],
            &[(0.0, 0.0), (100.0, 0.0)],
            &[(300.0, 0.0), (400.0, 0.0)],
            &[(600.0, 0.0), (700.0, 0.0)],
            &[(900.0, 0.0), (999.0, 0.0)],
        ];
        check(
            parts,
            &[(1.0, 0.0), (99.0, 0.0), (601.0, 0.0), (699.0, 0.0)],
            &[0, 2, 4],
        );
    }

    /// The least that parts cost of which the first begins at an image: all ways are tried.
    fn least_m(parts: &[Part], images: &[LonLat], first: usize) -> f64 {
        let Some((part, rest)) = parts.split_first() else {
            return if first == images.len() {
                0.0
            } else {
                f64::INFINITY
            };
        };
        (first..=images.len())
            .map(|beyond| cost_m(part, images, first, beyond) + least_m(rest, images, beyond))
            .fold(f64::INFINITY, f64::min)
    }

    fn cost_m(part: &Part, images: &[LonLat], first: usize, beyond: usize) -> f64 {
        if first == beyond {
            return length_m(std::slice::from_ref(part));
        }
        start_m(part, images, first) + end_m(part, images, beyond)
    }

    /// The least that parts cost which begin at some of these images alone.
    fn least_at_m(parts: &[Part], images: &[LonLat], first: usize, starts: &[usize]) -> f64 {
        let Some((part, rest)) = parts.split_first() else {
            return if first == images.len() {
                0.0
            } else {
                f64::INFINITY
            };
        };
        let ends = starts.iter().copied().chain([images.len()]);
        ends.filter(|&beyond| beyond >= first)
            .map(|beyond| {
                cost_m(part, images, first, beyond) + least_at_m(rest, images, beyond, starts)
            })
            .fold(f64::INFINITY, f64::min)
    }

    proptest! {
        #[test]
        fn no_other_way_is_cheaper(
            ends in prop::collection::vec(((0.0..100.0, 0.0..100.0), (0.0..100.0, 0.0..100.0)), 2..6),
            images in prop::collection::vec((0.0..100.0, 0.0..100.0), 0..6),
        ) {
            let parts: Vec<Part> = ends.iter().map(|&(a, b)| line(&[a, b])).collect();
            let images = line(&images);
            let starts: Vec<usize> = breaks(&parts, &images).into_iter().collect();
            let found_m = least_at_m(&parts, &images, 0, &starts);
            prop_assert!((found_m - least_m(&parts, &images, 0)).abs() < 1e-6);
        }
    }
}
