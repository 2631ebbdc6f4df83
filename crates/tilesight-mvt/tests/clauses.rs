//! One test a clause: what breaks it, and what becomes of the tile.

#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

mod common;

use common::raw::{feature, field, layer, varints};
use common::{FRAME, IMAGE, decode};
use tilesight_mvt::{Columns, Damage, Decoder, Error, FeatureBreach, LayerBreach, LayerSchema};

const POINT: u8 = 1;
const LINESTRING: u8 = 2;
const POLYGON: u8 = 3;

/// A sound point, to stand beside the feature in question.
fn sound() -> Vec<u8> {
    feature(POINT, &[0, 0], &[9, 50, 34])
}

/// One key and two values.
fn tables() -> Vec<u8> {
    let value = |id| field(4, 2, &field(4, 0, &[id]));
    [field(3, 2, b"id"), value(7), value(8)].concat()
}

fn tile_of(feature: &[u8]) -> Vec<u8> {
    layer(&[sound(), feature.to_vec(), sound(), tables()].concat())
}

/// A tile, and one that goes on for long enough that its features are tried the short way first.
fn both_ways(feature: &[u8]) -> [Vec<u8>; 2] {
    let tile = tile_of(feature);
    let with_id = |feature: &[u8]| field(2, 2, &[&field(1, 0, &[7]), &feature[2..]].concat());
    let usual = [with_id(&sound()), with_id(feature), with_id(&sound())].concat();
    let after = field(99, 2, &[0; 200]);
    [tile, [layer(&[usual, tables()].concat()), after].concat()]
}

/// The feature is left out, with this reason, and the others stay.
fn check_skipped(feature: &[u8], breach: FeatureBreach) {
    for tile in both_ways(feature) {
        let columns = decode(&tile, "image", &IMAGE).unwrap().unwrap();
        let skipped = columns.skipped();
        assert_eq!(
            (skipped.count, skipped.first.map(|first| first.1)),
            (1, Some(breach))
        );
        assert_eq!(columns.len(), 2, "{breach}");
        assert_eq!(columns.integers(0).values, [7, 7]);
    }
    assert!(!breach.is_fatal());
}

/// The tile is refused for this reason.
fn check_fatal(feature: &[u8], breach: FeatureBreach) {
    for (tile, id_len) in both_ways(feature).into_iter().zip([0, 2]) {
        let refused = decode(&tile, "image", &IMAGE).unwrap_err();
        let layer = Some("image".to_owned());
        // The name and version take 9 bytes, the key and length of the layer 2, each feature 2 more.
        let offset = 2 + 9 + sound().len() + id_len + 2;
        let expected = Error::Feature {
            layer,
            offset,
            breach,
        };
        assert_eq!(refused, expected);
    }
    assert!(breach.is_fatal());
}

fn check_layer(tile: &[u8], expected: LayerBreach) {
    let refused = Decoder::new().tile(tile).map(drop).unwrap_err();
    assert!(
        matches!(&refused, Error::Layer { breach, .. } if *breach == expected),
        "{refused}"
    );
}

fn check_wire(tile: &[u8], expected: Damage) {
    let refused = decode(tile, "image", &IMAGE).map(drop).unwrap_err();
    assert!(
        matches!(&refused, Error::Wire { damage, .. } if *damage == expected),
        "{refused}"
    );
}

#[test]
fn clause_4_1_version() {
    let name = field(1, 2, b"image");
    check_layer(&field(3, 2, &name), LayerBreach::MissingVersion);
    let version = [&name[..], &field(15, 0, &[3])].concat();
    check_layer(&field(3, 2, &version), LayerBreach::UnknownVersion(3));
}

#[test]
fn clause_4_1_name() {
    check_layer(&field(3, 2, &field(15, 0, &[2])), LayerBreach::MissingName);
}

#[test]
fn clause_4_1_names_are_unique() {
    let tile = [layer(&sound()), layer(&[])].concat();
    let mut decoder = Decoder::new();
    let tile = decoder.tile(&tile).unwrap();
    assert_eq!((tile.layers().len(), tile.repeated_names()), (1, 1));
    assert_eq!(tile.layers()[0].feature_count(), 1);
}

#[test]
fn a_layer_tells_what_is_in_it() {
    // Of 127 and of 128 bytes: the lengths of the two take one byte and two.
    let unknown = [field(99, 2, &[7; 127]), field(98, 2, &[7; 128])];
    let fields = [sound(), unknown.concat(), tables(), field(3, 2, &[0xff])].concat();
    let bytes = layer(&fields);
    let mut decoder = Decoder::new();
    let tile = decoder.tile(&bytes).unwrap();
    let layer = tile.layer("image").unwrap();
    assert_eq!(
        (layer.name(), layer.version(), layer.extent()),
        ("image", 2, 4096)
    );
    let counts = (
        layer.feature_count(),
        layer.key_count(),
        layer.value_count(),
    );
    assert_eq!(counts, (1, 2, 2));
    assert_eq!(
        layer.keys().collect::<Vec<_>>(),
        ["id", ""],
        "one is not UTF-8"
    );
    // The name and version take 9 bytes.
    assert_eq!(layer.byte_len(), 9 + fields.len());
    assert!(tile.layer("sequence").is_none());
}

#[test]
fn clause_4_1_extent() {
    check_layer(&layer(&field(5, 0, &[0])), LayerBreach::ZeroExtent);
}

#[test]
fn clause_4_1_one_value() {
    for value in [vec![], [field(4, 0, &[1]), field(7, 0, &[1])].concat()] {
        let tile = layer(&[sound(), tables(), field(4, 2, &value)].concat());
        let refused = decode(&tile, "image", &IMAGE).unwrap_err();
        let expected = LayerBreach::NotOneValue;
        assert!(matches!(refused, Error::Layer { breach, .. } if breach == expected));
    }
}

#[test]
fn clause_4_2_geometry() {
    let without = field(2, 2, &field(3, 0, &[POINT]));
    check_skipped(&without, FeatureBreach::MissingGeometry);
    check_skipped(&feature(POINT, &[], &[]), FeatureBreach::MissingGeometry);
    let geometry = field(4, 2, &varints(&[9, 0, 0]));
    let twice = field(
        2,
        2,
        &[field(3, 0, &[POINT]), geometry.clone(), geometry].concat(),
    );
    check_skipped(&twice, FeatureBreach::RepeatedField);
}

#[test]
fn clause_4_3_4_type() {
    let without = field(2, 2, &field(4, 2, &varints(&[9, 50, 34])));
    check_skipped(&without, FeatureBreach::UnknownType);
    check_skipped(&feature(0, &[], &[9, 50, 34]), FeatureBreach::UnknownType);
    check_skipped(&feature(8, &[], &[9, 50, 34]), FeatureBreach::UnknownType);
}

#[test]
fn clause_4_4_tags() {
    check_skipped(&feature(POINT, &[0], &[9, 50, 34]), FeatureBreach::OddTags);
    check_skipped(
        &feature(POINT, &[0, 0, 0, 1], &[9, 50, 34]),
        FeatureBreach::RepeatedKey,
    );
    check_fatal(
        &feature(POINT, &[1, 0], &[9, 50, 34]),
        FeatureBreach::TagOutOfRange,
    );
    check_fatal(
        &feature(POINT, &[0, 2], &[9, 50, 34]),
        FeatureBreach::TagOutOfRange,
    );
}

#[test]
fn clause_4_3_2_parameters() {
    check_fatal(&feature(POINT, &[], &[9, 50]), FeatureBreach::CountTooLarge);
    check_fatal(
        &feature(POINT, &[], &[u32::MAX - 6, 5, 5]),
        FeatureBreach::CountTooLarge,
    );
    check_fatal(
        &feature(LINESTRING, &[], &[9, 0, 0, 18, 1, 1]),
        FeatureBreach::CountTooLarge,
    );
}

#[test]
fn clause_4_3_3_2_line_to_moves() {
    let still = [9, 4, 4, 18, 0, 16, 0, 0];
    check_skipped(
        &feature(LINESTRING, &[], &still),
        FeatureBreach::ZeroLengthSegment,
    );
}

#[test]
fn clause_4_3_3_3_close_path_once() {
    let twice = [9, 0, 12, 18, 10, 12, 24, 44, 23];
    check_fatal(
        &feature(POLYGON, &[], &twice),
        FeatureBreach::ClosePathCount,
    );
}

#[test]
fn clause_4_3_4_2_point() {
    check_skipped(&feature(POINT, &[], &[1]), FeatureBreach::PositionCount);
    let again = [9, 50, 34, 9, 2, 2];
    check_fatal(
        &feature(POINT, &[], &again),
        FeatureBreach::CommandOutOfSequence,
    );
    check_fatal(
        &feature(POINT, &[], &[10, 50, 34]),
        FeatureBreach::CommandOutOfSequence,
    );
    check_fatal(
        &feature(POINT, &[], &[15]),
        FeatureBreach::CommandOutOfSequence,
    );
}

#[test]
fn clause_4_3_4_3_linestring() {
    check_skipped(
        &feature(LINESTRING, &[], &[17, 0, 0, 2, 2]),
        FeatureBreach::PositionCount,
    );
    check_skipped(
        &feature(LINESTRING, &[], &[9, 0, 0, 2]),
        FeatureBreach::PositionCount,
    );
    let lone = [9, 0, 0];
    check_fatal(
        &feature(LINESTRING, &[], &lone),
        FeatureBreach::CommandOutOfSequence,
    );
    for out_of_sequence in [[9, 0, 0, 10, 2, 2, 15], [9, 0, 0, 9, 2, 2, 15]] {
        check_fatal(
            &feature(LINESTRING, &[], &out_of_sequence),
            FeatureBreach::CommandOutOfSequence,
        );
    }
}

#[test]
fn clause_4_3_4_4_polygon() {
    let one_step = [9, 0, 0, 10, 2, 2, 15];
    check_skipped(
        &feature(POLYGON, &[], &one_step),
        FeatureBreach::PositionCount,
    );
    let open = [9, 0, 0, 18, 2, 0, 0, 2, 9, 0, 0];
    for open in [&open[..8], &open] {
        check_fatal(
            &feature(POLYGON, &[], open),
            FeatureBreach::CommandOutOfSequence,
        );
    }
    let back_to_first = [9, 0, 0, 26, 2, 0, 0, 2, 1, 1, 15];
    check_skipped(
        &feature(POLYGON, &[], &back_to_first),
        FeatureBreach::DegenerateRing,
    );
    let counter_clockwise = [9, 0, 0, 18, 0, 2, 2, 0, 15];
    let breach = FeatureBreach::FirstRingNotExterior;
    check_skipped(&feature(POLYGON, &[], &counter_clockwise), breach);
}

/// The area of a ring away from the origin has parts of either sign, wherever it begins.
#[test]
fn clause_4_3_4_4_rings_begin_at_any_corner() {
    let corners = [(40, 40), (60, 40), (60, 60), (40, 60)];
    let zigzag = |step: i32| ((step << 1) ^ (step >> 31)) as u32;
    for first in 0..4 {
        let ring = |direction: usize| {
            let at = |step: usize| corners[(first + step * direction) % 4];
            let mut integers = vec![9, 2 * at(0).0 as u32, 2 * at(0).1 as u32, 26];
            for step in 1..4 {
                let ((x0, y0), (x1, y1)) = (at(step - 1), at(step));
                integers.extend([zigzag(x1 - x0), zigzag(y1 - y0)]);
            }
            integers.push(15);
            feature(POLYGON, &[], &integers)
        };
        let columns = decode(&tile_of(&ring(1)), "image", &IMAGE)
            .unwrap()
            .unwrap();
        assert_eq!((columns.len(), columns.skipped().count), (3, 0), "{first}");
        check_skipped(&ring(3), FeatureBreach::FirstRingNotExterior);
    }
}

#[test]
fn version_1_is_read_as_it_allows() {
    let version_1 = field(15, 0, &[1]);
    let features = [
        feature(POINT, &[], &[9, 2, 2, 9, 2, 2]),
        feature(LINESTRING, &[], &[9, 0, 0, 18, 2, 2, 0, 0, 7]),
        feature(POLYGON, &[], &[9, 0, 0, 18, 0, 2, 2, 0, 15]),
    ];
    let tile = layer(&[features.concat(), version_1].concat());
    let columns = decode(&tile, "image", &IMAGE).unwrap().unwrap();
    assert_eq!(columns.skipped().count, 0);
    let types = [0, 1, 2, 3].map(|row| columns.geometry_type(row));
    let expected = [1, 1, 2, 3];
    assert_eq!(types.map(|geometry_type| geometry_type as u8), expected);
    let line = columns.lines().parts(2).next().unwrap();
    assert_eq!(
        line.x
            .iter()
            .map(|x| (x - FRAME.origin_x) / 64)
            .collect::<Vec<_>>(),
        [0, 1, 1, 0]
    );
}

#[test]
fn damage_to_the_encoding_rejects_the_tile() {
    check_wire(&tile_of(&field(2, 2, &[0x18])), Damage::Truncated);
    check_wire(
        &tile_of(&field(2, 2, &[0x18, 1, 0x22, 9, 0])),
        Damage::Truncated,
    );
    check_wire(
        &tile_of(&field(2, 2, &field(4, 0, &[9]))),
        Damage::WrongWireType,
    );
    check_wire(&tile_of(&field(2, 2, &[0x2b])), Damage::UnknownWireType);
    check_wire(&tile_of(&field(2, 2, &[0x00, 0])), Damage::FieldNumber);
    // Field 2²⁹ − 1 is the last there is; it is passed over.
    let last = [0xf8, 0xff, 0xff, 0xff, 0x0f, 1];
    let columns = decode(&tile_of(&field(2, 2, &last)), "image", &IMAGE).unwrap();
    assert_eq!(columns.unwrap().len(), 2);
    let beyond = [0x80, 0x80, 0x80, 0x80, 0x10, 1];
    check_wire(&tile_of(&field(2, 2, &beyond)), Damage::FieldNumber);
    let overlong = [&[0x08][..], &[0xff; 11]].concat();
    check_wire(&tile_of(&field(2, 2, &overlong)), Damage::OverlongVarint);
    check_wire(&field(3, 2, &field(1, 2, &[0xff])), Damage::Utf8);
    check_wire(&field(3, 0, &[1]), Damage::WrongWireType);
    for (number, wire_type) in [(1, 0), (2, 0), (3, 0), (4, 0), (5, 2), (15, 2)] {
        let wrong = field(number, wire_type, &[1]);
        check_wire(&layer(&wrong), Damage::WrongWireType);
    }
    for (number, wire_type) in [(1, 2), (2, 0), (3, 2), (4, 0)] {
        let wrong = field(number, wire_type, &[1]);
        check_wire(&tile_of(&field(2, 2, &wrong)), Damage::WrongWireType);
    }
    for (number, wire_type) in [(1, 0), (2, 0), (3, 0), (4, 2), (5, 2), (6, 2), (7, 2)] {
        let wrong = field(4, 2, &field(number, wire_type, &[1]));
        check_wire(&layer(&wrong), Damage::WrongWireType);
    }
}

/// What a tile or a layer of so many bytes may claim.
fn limit(len: usize) -> usize {
    4 * len + (1 << 20) - (1 << 16)
}

#[test]
fn rows_out_of_proportion_to_their_layer_are_refused() {
    let points = 100_000;
    let geometry = [vec![points << 3 | 1], vec![0; 2 * points as usize]].concat();
    let tile = tile_of(&feature(POINT, &[0, 0], &geometry));
    let mut decoder = Decoder::new();
    let len = decoder.tile(&tile).unwrap().layers()[0].byte_len();
    let refused = decode(&tile, "image", &IMAGE).unwrap_err();
    let (layer, limit) = (Some("image".to_owned()), limit(len));
    assert_eq!(refused, Error::Memory { layer, limit });
    let points_alone = LayerSchema { keys: &[] };
    let columns = decode(&tile, "image", &points_alone).unwrap().unwrap();
    assert_eq!(columns.len(), 100_002);
}

#[test]
fn layers_out_of_proportion_to_their_tile_are_refused() {
    let layers = |count: u32| -> Vec<u8> {
        let layer = |number: u32| {
            let name = [number as u8, (number >> 7) as u8].map(|byte| byte & 0x7f);
            field(3, 2, &[field(1, 2, &name), field(15, 0, &[2])].concat())
        };
        (0..count).flat_map(layer).collect()
    };
    let few = layers(1000);
    assert_eq!(Decoder::new().tile(&few).unwrap().layers().len(), 1000);
    let many = layers(16_000);
    let refused = Decoder::new().tile(&many).map(drop).unwrap_err();
    let (layer, limit) = (None, limit(many.len()));
    assert_eq!(refused, Error::Memory { layer, limit });
}

#[test]
fn an_error_leaves_no_rows_behind() {
    let mut columns = Columns::new();
    let mut decoder = Decoder::new();
    let sound = tile_of(&sound());
    let tile = decoder.tile(&sound).unwrap();
    tile.layers()[0]
        .decode(&IMAGE, FRAME, &mut columns)
        .unwrap();
    assert_eq!(columns.len(), 3);
    let broken = tile_of(&feature(POINT, &[0, 2], &[9, 50, 34]));
    let tile = decoder.tile(&broken).unwrap();
    let refused = tile.layers()[0]
        .decode(&IMAGE, FRAME, &mut columns)
        .unwrap_err();
    assert!(columns.is_empty() && columns.integers(0).values.is_empty());
    let message = "a tag points beyond the keys or values of its layer (spec 4.4) in layer \"image\" \
                   in the feature at byte 26";
    assert_eq!(refused.to_string(), message);
}
