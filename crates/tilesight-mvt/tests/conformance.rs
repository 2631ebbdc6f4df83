//! The conformance cases of the specification, judged by their own `info.json`.
#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

mod common;

use common::{FRAME, shared_data};
use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use tilesight_mvt::{
    ColumnType, Columns, Decoder, Error, FeatureBreach, GeometryType, LayerSchema, Part, Tile,
    reference,
};

/// Case 57 is called valid for its protobuf, but its command stream is that of case 51, which is
/// fatal: a `MoveTo` that counts 2^29-1 points and gives one.
const COUNTS_MORE_THAN_IT_HOLDS: &str = "057";

/// Case 61 has no version. As it stands it is refused like case 24; called version 1 it is
/// valid, called version 2 it is not, which is what its `info.json` says of the two.
const LINE_WITH_CLOSE_PATH: &str = "061";

#[test]
fn all_cases_behave_as_their_info_says() {
    let Some(cases) = shared_data("mvt-fixtures/fixtures") else {
        return;
    };
    let mut folders: Vec<PathBuf> = std::fs::read_dir(cases)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    assert_eq!(folders.len(), 74);
    for folder in folders {
        check_case(&folder);
    }
}

#[test]
fn a_line_with_close_path_is_as_valid_as_its_version() {
    let Some(case) = shared_data("mvt-fixtures/fixtures/061/tile.mvt") else {
        return;
    };
    let tile = std::fs::read(case).unwrap();
    let version_1 = decode_all(&with_version(&tile, 1)).unwrap();
    assert_eq!(version_1[0].lines().parts(0).next().unwrap().x.len(), 4);
    let version_2 = decode_all(&with_version(&tile, 2)).unwrap_err();
    let breach = FeatureBreach::CommandOutOfSequence;
    assert!(matches!(version_2, Error::Feature { breach: found, .. } if found == breach));
}

#[test]
fn a_move_to_that_counts_too_much_is_refused_cheaply() {
    let Some(case) = shared_data("mvt-fixtures/fixtures/057/tile.mvt") else {
        return;
    };
    let tile = std::fs::read(case).unwrap();
    let mut decoder = Decoder::new();
    assert_eq!(decoder.tile(&tile).unwrap().layers()[0].feature_count(), 1);
    let refused = decode_all(&tile).unwrap_err();
    let breach = FeatureBreach::CountTooLarge;
    assert!(matches!(refused, Error::Feature { breach: found, .. } if found == breach));
}

fn check_case(folder: &Path) {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let json = |file| -> Json {
        serde_json::from_slice(&std::fs::read(folder.join(file)).unwrap()).unwrap()
    };
    let tile = std::fs::read(folder.join("tile.mvt")).unwrap();
    let validity = &json("info.json")["validity"];
    let is_fatal = validity["error"] == "fatal" || name == COUNTS_MORE_THAN_IT_HOLDS;
    let is_valid = validity["v2"] == true && !is_fatal;
    let decoded = decode_all(&tile);
    if name == LINE_WITH_CLOSE_PATH || is_fatal {
        assert!(decoded.is_err(), "{name} is fatal");
    } else if is_valid {
        let decoded = decoded.unwrap_or_else(|error| panic!("{name} is valid: {error}"));
        check_contents(name, &json("tile.json"), &decoded, &tile);
    } else if validity["error"] == "recoverable" {
        decoded.unwrap_or_else(|error| panic!("{name} is recoverable: {error}"));
        assert!(count_left_out(&tile) > 0, "{name} breaks the specification");
    } else {
        // Case 45 is invalid without saying how grave that is: half a pair of parameters.
        assert!(
            decoded.is_err() || count_left_out(&tile) > 0,
            "{name} is invalid"
        );
    }
}

/// All layers with all keys.
fn decode_all(tile: &[u8]) -> Result<Vec<Columns>, Error> {
    let mut decoder = Decoder::new();
    let tile = decoder.tile(tile)?;
    let decode = |layer: &tilesight_mvt::RawLayer<'_>| {
        let mut columns = Columns::new();
        let keys = typed(layer.keys());
        layer
            .decode(&LayerSchema { keys: &keys }, FRAME, &mut columns)
            .map(|()| columns)
    };
    tile.layers().iter().map(decode).collect()
}

fn count_left_out(tile: &[u8]) -> usize {
    let mut decoder = Decoder::new();
    let repeated_names = decoder.tile(tile).as_ref().map_or(0, Tile::repeated_names);
    let layers = decode_all(tile).unwrap();
    repeated_names
        + layers
            .iter()
            .map(|layer| layer.skipped().count)
            .sum::<usize>()
}

fn typed<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<(&'a str, ColumnType)> {
    keys.map(|key| (key, type_of(key))).collect()
}

/// The cases name their keys after the type they hold, where it is not a string.
fn type_of(key: &str) -> ColumnType {
    match key {
        "bool_value" => ColumnType::Boolean,
        "int_value" | "sint_value" | "uint_value" => ColumnType::Integer,
        "double_value" | "float_value" => ColumnType::Real,
        _ => ColumnType::Text,
    }
}

fn check_contents(name: &str, json: &Json, decoded: &[Columns], tile: &[u8]) {
    let layers = list(&json["layers"]);
    assert_eq!(layers.len(), decoded.len(), "{name}");
    for (layer, columns) in layers.iter().zip(decoded) {
        let keys = typed(list(&layer["keys"]).iter().map(as_str));
        let schema = LayerSchema { keys: &keys };
        let slow = reference::decode(tile, as_str(&layer["name"]), &schema, FRAME);
        assert!(slow.unwrap().as_ref() == Some(columns), "{name}");
        check_layer(name, layer, columns);
    }
}

fn check_layer(name: &str, layer: &Json, columns: &Columns) {
    let extent = layer["extent"].as_i64().unwrap_or(4096);
    let features = list(&layer["features"]);
    // Features of the type UNKNOWN may be ignored.
    let known = features
        .iter()
        .filter(|feature| feature["type"].as_u64().unwrap_or(0) != 0);
    let mut row = 0;
    for feature in known {
        let parts = parts(&integers(&feature["geometry"]), extent);
        if columns.geometry_type(row) == GeometryType::Point {
            for part in parts {
                let point = (columns.points().x[row], columns.points().y[row]);
                assert_eq!(part, [point], "{name}");
                check_attributes(name, layer, feature, columns, row);
                row += 1;
            }
        } else {
            assert_eq!(found_parts(columns, row), parts, "{name}");
            check_attributes(name, layer, feature, columns, row);
            row += 1;
        }
    }
    assert_eq!(row, columns.len(), "{name}");
}

fn found_parts(columns: &Columns, row: usize) -> Vec<Vec<(u32, u32)>> {
    let pairs = |part: Part<'_>| part.x.iter().copied().zip(part.y.iter().copied()).collect();
    columns.lines().parts(row).map(pairs).collect()
}

fn check_attributes(name: &str, layer: &Json, feature: &Json, columns: &Columns, row: usize) {
    for pair in integers(&feature["tags"]).chunks(2) {
        let key = as_str(&layer["keys"][pair[0] as usize]);
        let column = pair[0] as usize;
        let value = &layer["values"][pair[1] as usize];
        let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
        match type_of(key) {
            ColumnType::Boolean => {
                assert_eq!(columns.booleans(column).get(row), value.as_bool(), "{name}");
            }
            ColumnType::Integer => {
                assert_eq!(columns.integers(column).get(row), value.as_i64(), "{name}");
            }
            ColumnType::Real => {
                let (found, expected) = (
                    columns.reals(column).get(row).unwrap(),
                    value.as_f64().unwrap(),
                );
                assert!((found - expected).abs() < 1e-6, "{name}");
            }
            ColumnType::Text if kind == "string_value" => {
                // Case 76 lists the string "613" as a number.
                let expected = value.as_str().map_or(value.to_string(), str::to_owned);
                assert_eq!(
                    columns.texts(column).get(row),
                    Some(expected.as_str()),
                    "{name}"
                );
            }
            ColumnType::Text => assert_eq!(columns.texts(column).get(row), None, "{name}"),
        }
    }
}

/// The positions that a command stream visits, a part for each `MoveTo`.
fn parts(commands: &[u64], extent: i64) -> Vec<Vec<(u32, u32)>> {
    let mut parts: Vec<Vec<(u32, u32)>> = Vec::new();
    let (mut x, mut y) = (0, 0);
    let mut rest = commands;
    while let [command, after @ ..] = rest {
        let pairs = if command & 7 == 7 {
            0
        } else {
            (command >> 3) as usize
        };
        for pair in after[..2 * pairs].chunks(2) {
            x += unzigzag(pair[0]);
            y += unzigzag(pair[1]);
            let place = |origin: u32, position: i64| {
                let grid = i64::from(origin) + (position << 18).div_euclid(extent);
                grid.clamp(0, i64::from(u32::MAX)) as u32
            };
            let at = (place(FRAME.origin_x, x), place(FRAME.origin_y, y));
            match parts.last_mut() {
                Some(part) if command & 7 == 2 => part.push(at),
                _ => parts.push(vec![at]),
            }
        }
        rest = &after[2 * pairs..];
    }
    parts
}

fn unzigzag(integer: u64) -> i64 {
    (integer >> 1) as i64 ^ -((integer & 1) as i64)
}

fn integers(json: &Json) -> Vec<u64> {
    list(json)
        .iter()
        .map(|integer| integer.as_u64().unwrap())
        .collect()
}

/// A list that is left out where it is empty.
fn list(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}

fn as_str(json: &Json) -> &str {
    json.as_str().unwrap()
}

/// The tile of one short layer, with a version appended to it.
fn with_version(tile: &[u8], version: u8) -> Vec<u8> {
    let mut tile = tile.to_vec();
    tile.extend([15 << 3, version]);
    tile[1] += 2;
    tile
}
