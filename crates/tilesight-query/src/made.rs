//! Datasets and questions for property tests, made from numbers.

use proptest::prelude::*;
use tilesight_tile::{Bbox, LonLat};

use crate::dataset::Dataset;
use crate::query::{Filter, ImageQuery, Kind, Place};
use crate::rows::Image;
use crate::storage::Io;

/// Images whose dates are spread over so many years, where they have any.
pub(crate) fn dataset(images: usize, years: i64, seed: u64) -> Dataset {
    const YEAR_MS: i64 = 31_556_952_000;
    let mut random = seed;
    let mut below = move |bound: u64| {
        // Knuth's linear congruential generator; its upper bits are good enough.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((u128::from(random) * u128::from(bound)) >> 64) as u64
    };
    let each = (0..images as i64).map(|id| Image {
        id_is_exact: below(500) > 0,
        captured_at_ms: (below(20) > 0)
            .then(|| below((years * YEAR_MS) as u64 >> 8) as i64 * 256 + 1),
        kind: [None, Some(Kind::Flat), Some(Kind::Pano)][below(3) as usize],
        organization_id: (below(3) > 0).then(|| below(40) as i64),
        creator_id: (below(9) > 0).then(|| below(300) as i64),
        ..Image::at(
            id,
            below(2000) as f64 / 1000.0,
            50.0 + below(2000) as f64 / 1000.0,
        )
    });
    Dataset::from_images(each.collect::<Vec<_>>()).unwrap()
}

/// The same in a file, opened.
pub(crate) fn in_a_file(data: &Dataset) -> Dataset {
    let file = tempfile::NamedTempFile::new().unwrap();
    data.write(file.reopen().unwrap(), "").unwrap();
    Dataset::open(file.path(), Io::Map).unwrap().0
}

/// Everything, boxes around or beside the images of [`dataset`], circles and the nearest.
pub(crate) fn place() -> impl Strategy<Value = Place> {
    let edge = -0.5..2.5f64;
    let target = |lon, lat| LonLat::new(lon, lat + 50.0).unwrap();
    prop_oneof![
        1 => Just(Place::Everywhere),
        4 => (edge.clone(), edge.clone(), edge.clone(), edge.clone()).prop_map(|(a, b, c, d)| {
            let bbox = Bbox::from_degrees(a.min(b), 50.0 + c.min(d), a.max(b), 50.0 + c.max(d));
            Place::Bbox(bbox.unwrap())
        }),
        1 => (edge.clone(), edge.clone(), 0.0..2e5f64).prop_map(move |(lon, lat, radius_m)| {
            Place::Near { target: target(lon, lat), radius_m }
        }),
        1 => (edge.clone(), edge, 0..3000usize).prop_map(move |(lon, lat, k)| {
            Place::Nearest { target: target(lon, lat), k, radius_m: None }
        }),
    ]
}

/// Questions with few conditions, so that whole blocks pass.
pub(crate) fn query() -> impl Strategy<Value = ImageQuery> {
    let kind =
        prop_oneof![2 => Just(None), 1 => Just(Some(Kind::Flat)), 1 => Just(Some(Kind::Pano))];
    let since = prop_oneof![4 => Just(None), 1 => (1970..2030u32).prop_map(|year| year.to_string().parse().ok())];
    let limit = prop_oneof![3 => Just(None), 1 => (0..6000usize).prop_map(Some)];
    (place(), kind, since, limit).prop_map(|(place, kind, since, limit)| ImageQuery {
        place,
        filter: Filter {
            since,
            kind,
            ..Filter::default()
        },
        limit,
        allow_partial: false,
    })
}
