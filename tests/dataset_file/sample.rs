//! A dataset with some of everything, its file, and a mixed bag of questions.

use std::fmt::Debug;
use std::io::Cursor;

use tilesight_query::build::{Builder, FailedTile, FeatureRow, Holding, ImageRow, LineRow, Part};
use tilesight_query::{
    Dataset, Error, FeatureKind, FeatureQuery, Filter, GroupBy, ImageQuery, Kind, Place,
    SequenceQuery, Tileset,
};
use tilesight_tile::{Bbox, GridPoint, LonLat, Region, TileId};

use crate::differential::random::Random;

/// What the sample's file notes beside the data.
pub(super) const ABOUT: &str = r#"{"name":"sample"}"#;

/// Images of a sequence on one tile.
const WALK: usize = 40;

const START_MS: i64 = 1_600_000_000_000;

/// Two tiles side by side that are held, and one beyond them that failed.
fn tiles() -> [TileId; 3] {
    [9326, 9327, 9328].map(|x| TileId::new(14, x, 4742).unwrap())
}

/// A part for each of the two tiles, with `images` images together and a fifth as many map
/// features, in walks.
pub(super) fn parts(images: usize, seed: u64) -> Vec<Part> {
    let mut random = Random::new(seed);
    let [west, east, _] = tiles();
    let each = [(west, 1), (east, 1 + images as i64 / 2)];
    each.map(|(tile, first_id)| part(&mut random, tile, first_id, images / 2))
        .into()
}

fn part(random: &mut Random, tile: TileId, first_id: i64, images: usize) -> Part {
    let mut part = Part::new();
    let mut rows = part.tile(tile, Some(1));
    for first in (0..images).step_by(WALK) {
        let sequence = rows.sequence(&format!("walk-{:05}", first / WALK));
        let vertices: Vec<GridPoint> = (0..WALK).map(|_| point_on(random, tile)).collect();
        let (xs, ys): (Vec<u32>, Vec<u32>) = vertices.iter().map(|p| (p.x, p.y)).unzip();
        let row = LineRow {
            sequence,
            captured_at_ms: Some(START_MS),
            is_pano: None,
            organization_id: None,
            creator_id: None,
        };
        rows.line(row, std::iter::once((&xs[..], &ys[..])));
        for i in first..(first + WALK).min(images) {
            rows.image(ImageRow {
                sequence: (!random.one_in(9)).then_some(sequence),
                captured_at_ms: (!random.one_in(20)).then_some(START_MS + 86_400_000 * i as i64),
                compass_angle_deg: (!random.one_in(5)).then(|| random.real(0.0, 360.0)),
                is_pano: random.pick(&[None, Some(true), Some(false)]),
                organization_id: random.pick(&[None, Some(7), Some(11)]),
                creator_id: Some(random.below(30) as i64),
                ..ImageRow::at(vertices[i - first], first_id + i as i64)
            });
        }
    }
    for i in 0..images / 5 {
        let value = random.pick(&[
            "object--bench",
            "object--fire-hydrant",
            "regulatory--stop--g1",
        ]);
        let value = rows.value(value);
        rows.feature(FeatureRow {
            kind: random.pick(&[FeatureKind::Point, FeatureKind::TrafficSign]),
            point: point_on(random, tile),
            id: first_id + i as i64,
            id_is_exact: true,
            value: Some(value),
            first_seen_at_ms: Some(START_MS),
            last_seen_at_ms: None,
        });
    }
    part
}

fn point_on(random: &mut Random, tile: TileId) -> GridPoint {
    let GridPoint { x, y } = tile.origin();
    GridPoint {
        x: x + random.below(4096) as u32 * 64,
        y: y + random.below(4096) as u32 * 64,
    }
}

/// What is held: two tiles of every tileset, and one that failed.
pub(super) fn holdings() -> Vec<Holding> {
    let [west, east, beyond] = tiles();
    let holding = |tileset| Holding {
        tiles: vec![west, east],
        failed: vec![FailedTile {
            tile: beyond,
            reason: "cut short".into(),
        }],
        ..Holding::nothing(tileset)
    };
    Tileset::ALL.map(holding).into()
}

/// Builds the sample.
pub(super) fn build(mut builder: Builder, parts: &[Part]) -> Dataset {
    for part in parts {
        builder.add(part).unwrap();
    }
    builder.finish(&holdings()).unwrap()
}

/// The bytes of a dataset's file.
pub(super) fn bytes_of(data: &Dataset, about: &str) -> Vec<u8> {
    let out = Cursor::new(Vec::new());
    data.write(out, about).unwrap().into_inner()
}

/// The sample, and its file of more than 64 KiB.
pub(super) fn sample(seed: u64) -> (Dataset, Vec<u8>) {
    let data = build(Builder::in_memory(), &parts(1600, seed));
    let bytes = bytes_of(&data, ABOUT);
    assert!(bytes.len() >= 1 << 16);
    (data, bytes)
}

/// Answers to a mixed bag of questions.
pub(super) fn answers(data: &Dataset) -> Vec<Result<String, Error>> {
    let mut answers = vec![
        data.info().map(text),
        data.image(17).map(text),
        data.image(-17).map(text),
        data.count_images_by(&everything(Place::Everywhere), GroupBy::Organization)
            .map(text),
    ];
    answers.extend(filters().into_iter().map(|filter| {
        let query = ImageQuery {
            filter,
            ..everything(Place::Everywhere)
        };
        data.count_images(&query).map(text)
    }));
    for place in places() {
        let query = everything(place.clone());
        answers.push(data.count_images(&query).map(text));
        let images = data.images(&query);
        answers.push(images.map(|found| text(found.iter().collect::<Vec<_>>())));
        answers.push(sequences(data, &place));
        let features = data.features(&FeatureQuery {
            place,
            values: vec!["object--*".into()],
            allow_partial: true,
            ..FeatureQuery::default()
        });
        answers.push(features.map(|found| text(found.iter().collect::<Vec<_>>())));
    }
    answers
}

fn everything(place: Place) -> ImageQuery {
    ImageQuery {
        place,
        allow_partial: true,
        ..ImageQuery::default()
    }
}

fn sequences(data: &Dataset, place: &Place) -> Result<String, Error> {
    let found = data.sequences(&SequenceQuery {
        place: place.clone(),
        limit: Some(3),
        allow_partial: true,
        ..SequenceQuery::default()
    })?;
    let mut all = String::new();
    for track in found.tracks() {
        let lines: Vec<Vec<LonLat>> = track.line().map(Iterator::collect).collect();
        let images: Vec<i64> = track.images()?.map(|image| image.id).collect();
        all += &text((track.sequence, lines, images));
    }
    Ok(all)
}

fn places() -> [Place; 6] {
    let bounds = tiles()[0].grid_box();
    let centre = GridPoint {
        x: bounds.min_x + (1 << 17),
        y: bounds.min_y + (1 << 17),
    };
    let target = centre.to_lon_lat();
    let (lon, lat) = (target.lon(), target.lat());
    let triangle = vec![
        [lon, lat],
        [lon + 0.006, lat],
        [lon, lat + 0.003],
        [lon, lat],
    ];
    [
        Place::Bbox(Bbox::from_degrees(lon, lat, lon + 0.005, lat + 0.003).unwrap()),
        Place::Region(Region::from_polygons(&[vec![triangle]]).unwrap()),
        Place::Near {
            target,
            radius_m: 200.0,
        },
        Place::Nearest {
            target,
            k: 9,
            radius_m: None,
        },
        Place::LookingAt {
            target,
            radius_m: 150.0,
            fov_deg: 100.0,
        },
        Place::Bbox(Bbox::from_degrees(lon - 0.003, lat - 0.002, lon, lat).unwrap()),
    ]
}

fn filters() -> [Filter; 5] {
    let any = Filter::default;
    [
        Filter {
            since: "2021-03".parse().ok(),
            ..any()
        },
        Filter {
            kind: Some(Kind::Pano),
            organizations: vec![7],
            ..any()
        },
        Filter {
            creators: vec![3, 4],
            heading: Some((350.0, 10.0)),
            ..any()
        },
        Filter {
            sequences: vec!["walk-00007".into()],
            ..any()
        },
        Filter {
            ids: vec![1, 900, 1_000_000],
            ..any()
        },
    ]
}

fn text(answer: impl Debug) -> String {
    format!("{answer:?}")
}
