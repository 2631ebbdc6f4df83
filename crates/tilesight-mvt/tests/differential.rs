//! The fast decoder against the literal one, on sound tiles of every kind.

mod common;

use common::random::{Random, layer, tile};
use common::{FRAME, IMAGE, decode};
use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};
use tilesight_mvt::{ColumnType, Columns, Decoder, LayerSchema, TileFrame, reference};

const TYPES: [ColumnType; 4] = [
    ColumnType::Integer,
    ColumnType::Real,
    ColumnType::Boolean,
    ColumnType::Text,
];

/// Up to six keys, some of them unknown to every layer, of any type.
fn random_keys(random: &mut Random) -> Vec<(&'static str, ColumnType)> {
    let names = [
        "id",
        "captured_at",
        "compass_angle",
        "is_pano",
        "sequence_id",
        "absent",
    ];
    let known = names
        .into_iter()
        .filter(|_| !random.one_in(4))
        .collect::<Vec<_>>();
    known
        .into_iter()
        .map(|name| (name, random.pick(&TYPES)))
        .collect()
}

fn random_frame(random: &mut Random) -> TileFrame {
    let zoom = random.below(20);
    let shift = 32 - zoom as u32;
    let mask = u64::MAX << shift;
    TileFrame {
        origin_x: (random.next() & mask) as u32,
        origin_y: (random.next() & mask) as u32,
        side: 1 << shift,
    }
}

#[test]
fn written_tiles_decode_as_the_reference_decodes_them() {
    let mut decoder = Decoder::new();
    let mut columns = Columns::new();
    for seed in 0..6_000 {
        let random = &mut Random::new(seed);
        let features = if seed % 100 == 0 {
            1200
        } else {
            random.below(40)
        };
        let bytes = tile(random, features);
        let keys = random_keys(random);
        let schema = LayerSchema { keys: &keys };
        let frame = random_frame(random);
        for layer in decoder.tile(&bytes).unwrap().layers() {
            let fast = layer.decode(&schema, frame, &mut columns);
            let slow = reference::decode(&bytes, layer.name(), &schema, frame);
            match slow {
                Ok(slow) => assert!(fast.is_ok() && slow.as_ref() == Some(&columns), "{seed}"),
                Err(reason) => assert!(fast.is_err(), "{seed}: {reason}"),
            }
        }
    }
}

#[test]
fn strings_that_are_equal_are_one() {
    let random = &mut Random::new(1);
    let mut writer = TileWriter::new();
    writer.push(layer(random, "image", 500));
    let keys = [
        ("sequence_id", ColumnType::Text),
        ("other", ColumnType::Text),
    ];
    let columns = decode(&writer.finish(), "image", &LayerSchema { keys: &keys })
        .unwrap()
        .unwrap();
    let mut strings: Vec<&str> = columns.strings().iter().collect();
    let count = strings.len();
    strings.sort_unstable();
    strings.dedup();
    assert_eq!(strings.len(), count);
}

#[test]
fn a_string_can_be_text_in_one_column_and_a_number_in_another() {
    let mut layer = LayerWriter::new("image");
    for _ in 0..3 {
        layer.point(
            (1, 1),
            &[("a", Value::String("17")), ("b", Value::String("17"))],
        );
    }
    let mut writer = TileWriter::new();
    writer.push(layer);
    let keys = [("a", ColumnType::Text), ("b", ColumnType::Integer)];
    let columns = decode(&writer.finish(), "image", &LayerSchema { keys: &keys })
        .unwrap()
        .unwrap();
    assert_eq!(columns.texts(0).get(2), Some("17"));
    assert_eq!(columns.integers(1).values, [17, 17, 17]);
}

#[test]
fn a_multipoint_is_a_row_a_point_across_the_rows_that_wait() {
    let mut layer = LayerWriter::new("image");
    let points: Vec<(i32, i32)> = (0..1300).map(|at| (at, at)).collect();
    layer.point((5, 5), &[("id", Value::Int(1))]);
    layer.points(&points, &[("id", Value::Int(2))]);
    layer.point((6, 6), &[("id", Value::Int(3))]);
    let mut writer = TileWriter::new();
    writer.push(layer);
    let columns = decode(&writer.finish(), "image", &IMAGE).unwrap().unwrap();
    assert_eq!(columns.len(), 1302);
    let ids = columns.integers(0);
    assert_eq!((ids.get(0), ids.get(1301)), (Some(1), Some(3)));
    assert!((1..1301).all(|row| ids.get(row) == Some(2)));
    assert_eq!(columns.points().x[1300], FRAME.origin_x + 1299 * 64);
}
