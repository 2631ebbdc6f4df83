//! Imported sequences beside tiles: by the rules of every answer, and as they came.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where the unexpected begins"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use tilesight::annotations::Owner;
use tilesight::formats::SequenceShape;
use tilesight::import::import;
use tilesight::{
    Bbox, BuildOptions, Dataset, Error, Filter, ImageQuery, LonLat, Place, QueryError,
    SequenceQuery,
};
use tilesight_store::{About, Outcome, Record, StoreWriter};
use tilesight_tile::{TileId, haversine_m};

const ABOUT: About<'_> = About {
    tileset: "mly1_public",
    metadata: &[],
};

fn town() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/town/mly1_public")
}

/// A store in a folder of its own.
fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("town.mbtiles");
    (dir, path)
}

/// Puts the tiles of a folder that are chosen into a store, as fetching does.
fn fetch(from: &Path, store: &Path, is_chosen: impl Fn(TileId) -> bool) {
    let folder = tilesight_store::open(from, &[]).unwrap();
    let mut records = Vec::new();
    for (index, tile) in folder.tiles().iter().enumerate() {
        let mut bytes = Vec::new();
        folder.read(index, &mut bytes).unwrap();
        records.push(Record {
            tileset: "mly1_public",
            id: tile.id,
            outcome: Outcome::Stored { bytes, etag: None },
            fetched_at_ms: 1_700_000_000_000,
            tries: 1,
        });
    }
    records.retain(|record| is_chosen(record.id));
    let mut writer = StoreWriter::open(store, &ABOUT).unwrap();
    writer.commit(&records).unwrap();
    writer.close().unwrap();
}

fn everything() -> SequenceQuery {
    SequenceQuery {
        allow_partial: true,
        ..SequenceQuery::default()
    }
}

/// All sequences, a line of GeoJSON each.
fn v3(data: &Dataset) -> String {
    let found = data.sequences(&everything()).unwrap();
    let mut out = Vec::new();
    SequenceShape::V3
        .write_of(data, &found, true, &mut out)
        .unwrap();
    String::from_utf8(out).unwrap()
}

fn collection(features: &[Value]) -> String {
    json!({"type": "FeatureCollection", "features": features}).to_string()
}

/// A sequence along a street, from keys and headings.
fn walk(key: &str, images: &[(&str, f64)]) -> Value {
    let keys: Vec<_> = images.iter().map(|(key, _)| key).collect();
    let headings: Vec<_> = images.iter().map(|(_, heading)| heading).collect();
    let positions: Vec<_> = (0..images.len())
        .map(|i| [24.93 + 0.0001 * i as f64, 60.17])
        .collect();
    json!({
        "type": "Feature",
        "properties": {
            "camera_make": "Apple",
            "captured_at": "2016-03-14T13:44:37.206Z",
            "coordinateProperties": {"cas": headings, "image_keys": keys},
            "created_at": "2016-03-17T10:47:53.106Z",
            "key": key,
            "pano": false,
            "user_key": "AGfe-07BEJX0-kxpu9J3rA",
            "username": "pbb",
        },
        "geometry": {"type": "LineString", "coordinates": positions},
    })
}

const OLD: [(&str, f64); 3] = [
    ("LwrHXqFRN_pszCopTKHF_Q", 96.7),
    ("Aufjv2hdCKwg9LySWWVSwg", 97.25),
    ("QEVZ1tp-PmrwtqhSwdW9fQ", 359.5),
];

#[track_caller]
fn check_round_trip(source: &Path) {
    let original = v3(&Dataset::open(source).unwrap());
    let (_dir, store) = place();
    let imported = import(&original, &store).unwrap();
    // Sequences of which no image is held have no place to come back to.
    let kept: Vec<&str> = original
        .lines()
        .filter(|line| !line.contains("\"image_keys\":[]"))
        .collect();
    assert_eq!(imported.sequences, kept.len() as u64);
    assert_eq!(
        imported.left_out,
        (original.lines().count() - kept.len()) as u64
    );
    let again = v3(&Dataset::open(&store).unwrap());
    for (line, original) in again.lines().zip(&kept) {
        assert_eq!(&line, original);
    }
    assert_eq!(again.lines().count(), kept.len());
}

#[test]
fn compat_4_v3_comes_back_as_it_was_imported() {
    check_round_trip(&town());
}

#[test]
fn real_sequences_come_back_as_they_were_imported() {
    let tiles = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/data/tiles/mly1_public"
    );
    if !Path::new(tiles).exists() {
        return println!("skipped: no real tiles at {tiles}");
    }
    check_round_trip(Path::new(tiles));
}

#[test]
fn compat_4_what_tiles_do_not_tell_comes_from_the_import() {
    let feature = walk(
        "cHBf9e8n0pG8O0ZVQHGFBQ",
        &[("7", 10.5), ("8", 20.5), ("5", 0.25)],
    );
    let (_dir, store) = place();
    import(&collection(std::slice::from_ref(&feature)), &store).unwrap();
    let data = Dataset::open(&store).unwrap();
    let line: Value = serde_json::from_str(&v3(&data)).unwrap();
    assert_eq!(line["properties"], feature["properties"]);
    let found = data.sequences(&everything()).unwrap();
    let owner = Owner::of(&found.iter().next().unwrap(), &data).unwrap();
    assert!(owner.is("pbb") && owner.is("AGfe-07BEJX0-kxpu9J3rA"));
    // Keys of today are ids that can be asked for.
    let mut today = feature;
    today["properties"]["user_key"] = json!("549053432678742");
    import(&collection(std::slice::from_ref(&today)), &store).unwrap();
    let data = Dataset::open(&store).unwrap();
    let by_creator = Filter {
        creators: vec![549_053_432_678_742],
        ..Filter::default()
    };
    let query = ImageQuery {
        filter: by_creator,
        ..ImageQuery::default()
    };
    assert_eq!(
        data.count_images(&query).unwrap(),
        3,
        "imported again, it is there once"
    );
    let line: Value = serde_json::from_str(&v3(&data)).unwrap();
    assert_eq!(line["properties"], today["properties"]);
}

#[test]
fn imported_images_are_asked_like_the_rest() {
    let (_dir, store) = place();
    let feature = walk(
        "cHBf9e8n0pG8O0ZVQHGFBQ",
        &[("7", 10.0), ("8", 270.0), ("5", -1.0)],
    );
    import(&collection(&[feature]), &store).unwrap();
    let data = Dataset::open(&store).unwrap();
    let ids = |query: ImageQuery| {
        let query = ImageQuery {
            allow_partial: true,
            ..query
        };
        data.images(&query).unwrap().ids().collect::<BTreeSet<_>>()
    };
    let target = LonLat::new(24.9299, 60.17).unwrap();
    let looking = Place::looking_at(target);
    assert_eq!(
        ids(ImageQuery {
            place: looking,
            ..Default::default()
        }),
        [8].into()
    );
    let of_day = Filter {
        since: "2016-03-14".parse().ok(),
        until: "2016-03-14".parse().ok(),
        ..Filter::default()
    };
    assert_eq!(
        ids(ImageQuery {
            filter: of_day,
            ..Default::default()
        }),
        [5, 7, 8].into()
    );
    let image = data.image(5).unwrap().unwrap();
    assert_eq!(
        (image.compass_angle_deg, image.sequence_id),
        (None, Some("cHBf9e8n0pG8O0ZVQHGFBQ"))
    );
    let track = data.sequences(&everything()).unwrap();
    let order: Vec<i64> = track
        .tracks()
        .next()
        .unwrap()
        .images()
        .unwrap()
        .map(|i| i.id)
        .collect();
    assert_eq!(order, [7, 8, 5], "as in the file");
}

#[test]
fn rule_8_an_image_of_a_tile_and_an_import_is_that_of_the_tile() {
    let whole = Dataset::open(town()).unwrap();
    let all = v3(&whole);
    let (_dir, store) = place();
    import(&all, &store).unwrap();
    // Whether it came before the import or after it.
    for column in [9326, 9327] {
        fetch(&town(), &store, |tile| tile.z() == 14 && tile.x() == column);
        import(&all, &store).unwrap();
        let data = Dataset::open(&store).unwrap();
        let query = ImageQuery {
            allow_partial: true,
            ..ImageQuery::default()
        };
        let found = data.images(&query).unwrap();
        let in_sequences = whole
            .images(&query)
            .unwrap()
            .iter()
            .filter(|image| image.sequence_id.is_some())
            .count();
        let distinct: BTreeSet<i64> = found.ids().collect();
        assert_eq!(distinct.len(), found.len(), "each once");
        assert!(found.len() >= in_sequences);
        let mut of_tiles = 0;
        for image in found.iter() {
            let original = whole.image(image.id).unwrap().unwrap();
            assert_eq!(
                (image.lon, image.lat, image.kind),
                (original.lon, original.lat, original.kind)
            );
            let point =
                tilesight_tile::GridPoint::nearest_to(LonLat::new(image.lon, image.lat).unwrap());
            if TileId::containing(14, point).x() == column {
                assert_eq!(image, original, "as the tile has it");
                of_tiles += 1;
            }
        }
        assert!(of_tiles > 100);
    }
}

#[test]
fn images_of_tiles_and_imports_keep_the_order_of_the_file() {
    let whole = Dataset::open(town()).unwrap();
    let (_dir, store) = place();
    import(&v3(&whole), &store).unwrap();
    fetch(&town(), &store, |tile| tile.z() == 14 && tile.x() == 9326);
    let data = Dataset::open(&store).unwrap();
    let order = |data: &Dataset| -> BTreeMap<String, Vec<i64>> {
        let found = data.sequences(&everything()).unwrap();
        let tracks = found.tracks();
        // Without a date there is no order but that of the ids.
        let dated = tracks.filter(|track| {
            track
                .images()
                .unwrap()
                .all(|image| image.captured_at_ms.is_some())
        });
        dated
            .map(|t| {
                (
                    t.sequence.id.to_owned(),
                    t.images().unwrap().map(|i| i.id).collect(),
                )
            })
            .collect()
    };
    let (expected, found) = (order(&whole), order(&data));
    let mut mixed = 0;
    for (key, ids) in &expected {
        if found.contains_key(key) {
            mixed += usize::from(ids.len() > 1);
            assert_eq!(&found[key], ids, "{key}");
        }
    }
    assert!(mixed > 20);
}

#[test]
fn rule_10_an_import_makes_no_tile_held() {
    let (_dir, store) = place();
    import(&collection(&[walk("a", &[("1", 0.0), ("2", 0.0)])]), &store).unwrap();
    let data = Dataset::open(&store).unwrap();
    assert_eq!(
        data.count_images(&ImageQuery::default()).unwrap(),
        2,
        "everything there is"
    );
    assert_eq!(data.sequences(&SequenceQuery::default()).unwrap().len(), 1);
    let place = Place::Bbox(Bbox::from_degrees(24.92, 60.16, 24.95, 60.18).unwrap());
    let query = ImageQuery {
        place: place.clone(),
        ..ImageQuery::default()
    };
    assert!(matches!(data.images(&query), Err(QueryError::NotHeld(_))));
    let query = ImageQuery {
        allow_partial: true,
        ..query
    };
    let found = data.images(&query).unwrap();
    assert_eq!(
        (found.len(), found.missing().map(|m| m.missing)),
        (2, Some(6))
    );
    let query = SequenceQuery {
        place,
        ..SequenceQuery::default()
    };
    assert!(matches!(
        data.sequences(&query),
        Err(QueryError::NotHeld(_))
    ));
    let nearest = Place::Nearest {
        target: LonLat::new(24.93, 60.17).unwrap(),
        k: 1,
        radius_m: None,
    };
    let query = ImageQuery {
        place: nearest,
        ..ImageQuery::default()
    };
    assert!(matches!(data.images(&query), Err(QueryError::NotHeld(_))));
}

/// Lengths of sequences along their images, and by their lines.
fn lengths(data: &Dataset) -> BTreeMap<String, (f64, f64, usize)> {
    let found = data.sequences(&everything()).unwrap();
    let of_track = |track: tilesight::Track<'_>| {
        let places: Vec<LonLat> = track
            .images()
            .unwrap()
            .map(|i| LonLat::new(i.lon, i.lat).unwrap())
            .collect();
        let along = places
            .windows(2)
            .map(|pair| haversine_m(pair[0], pair[1]))
            .sum();
        (
            track.sequence.id.to_owned(),
            (along, track.sequence.length_m, track.line().count()),
        )
    };
    found.tracks().map(of_track).collect()
}

#[test]
fn rule_9_an_imported_line_is_one_through_all_its_tiles() {
    let (_dir, store) = place();
    import(&v3(&Dataset::open(town()).unwrap()), &store).unwrap();
    let mut across_tiles = 0;
    for (key, (along, length, parts)) in lengths(&Dataset::open(&store).unwrap()) {
        assert!(
            (along - length).abs() <= 0.05 + along * 1e-6,
            "{key}: {along} and {length}"
        );
        assert!(parts <= 1, "{key}: {parts}");
        across_tiles += usize::from(along > 3_000.0);
    }
    assert!(across_tiles > 0);
}

#[test]
fn rule_9_where_tiles_have_lines_imports_add_none() {
    let whole = Dataset::open(town()).unwrap();
    let of_tiles = lengths(&whole);
    let (_dir, store) = place();
    import(&v3(&whole), &store).unwrap();
    fetch(&town(), &store, |_| true);
    assert_eq!(lengths(&Dataset::open(&store).unwrap()), of_tiles);
}

#[test]
fn rule_9_where_shallow_tiles_have_lines_imports_add_none() {
    let (_dir, shallow) = place();
    fetch(&town(), &shallow, |tile| tile.z() == 10);
    let of_tiles = lengths(&Dataset::open(&shallow).unwrap());
    import(&v3(&Dataset::open(town()).unwrap()), &shallow).unwrap();
    let mut both = lengths(&Dataset::open(&shallow).unwrap());
    both.retain(|key, _| of_tiles.contains_key(key));
    let lines = |lengths: BTreeMap<String, (f64, f64, usize)>| -> BTreeMap<_, _> {
        let of_line = |(key, (_, length_m, parts))| (key, (length_m, parts));
        lengths.into_iter().map(of_line).collect()
    };
    assert_eq!(lines(both), lines(of_tiles));
}

#[test]
fn old_keys_are_numbers_of_their_own_until_a_tile_knows_the_sequence() {
    let whole = Dataset::open(town()).unwrap();
    let found = whole.sequences(&everything()).unwrap();
    let known = found
        .iter()
        .find(|sequence| sequence.image_count > 5)
        .unwrap();
    let features = [walk(known.id, &OLD), walk("cHBf9e8n0pG8O0ZVQHGFBQ", &OLD)];
    let (_dir, store) = place();
    let imported = import(&collection(&features), &store).unwrap();
    assert_eq!((imported.images, imported.old_keys), (6, 6));
    let data = Dataset::open(&store).unwrap();
    let images = data.images(&ImageQuery::default()).unwrap();
    assert!(images.ids().all(|id| id < 0));
    // The same keys, the same images: those of the import that came last.
    assert_eq!(images.len(), 3);
    let mut reimported = [walk("cHBf9e8n0pG8O0ZVQHGFBQ", &OLD)];
    import(&collection(&reimported), &store).unwrap();
    let line: Value = v3(&Dataset::open(&store).unwrap())
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|line| line["properties"]["key"] == "cHBf9e8n0pG8O0ZVQHGFBQ")
        .unwrap();
    assert_eq!(line["properties"], reimported[0]["properties"]);

    reimported[0] = walk(known.id, &OLD);
    let (_dir, store) = place();
    import(&collection(&reimported), &store).unwrap();
    assert_eq!(Dataset::open(&store).unwrap().len(), 3);
    fetch(&town(), &store, |_| true);
    let data = Dataset::open(&store).unwrap();
    assert_eq!(data.len(), whole.len(), "the tiles have them by other ids");
    let of_key = Filter {
        sequences: vec![known.id.to_owned()],
        ..Filter::default()
    };
    let found = data
        .sequences(&SequenceQuery {
            filter: of_key,
            ..everything()
        })
        .unwrap();
    let mut out = Vec::new();
    SequenceShape::V3
        .write_of(&data, &found, true, &mut out)
        .unwrap();
    let line: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(line["properties"]["username"], "pbb");
    let keys = line["properties"]["coordinateProperties"]["image_keys"]
        .as_array()
        .unwrap();
    assert_eq!(keys.len(), known.image_count as usize);
}

#[test]
fn a_dataset_file_takes_imports_along() {
    let (dir, store) = place();
    fetch(&town(), &store, |tile| tile.z() == 14 && tile.x() == 9326);
    let features = [
        walk("cHBf9e8n0pG8O0ZVQHGFBQ", &OLD),
        walk("b", &[("3", 1.0), ("4", 2.0)]),
    ];
    import(&collection(&features), &store).unwrap();
    let file = dir.path().join("town.tsight");
    let options = BuildOptions::default();
    let built = tilesight::build(
        &[&store],
        &mut File::create(&file).unwrap(),
        &options,
        &|_| (),
    )
    .unwrap();
    assert_eq!(built.source.imported.len(), 2);
    let (of_store, of_file) = (
        Dataset::open(&store).unwrap(),
        Dataset::open(&file).unwrap(),
    );
    assert_eq!(of_file.source().imported, of_store.source().imported);
    assert_eq!(v3(&of_file), v3(&of_store));
    assert!(v3(&of_file).contains("LwrHXqFRN_pszCopTKHF_Q"));
}

#[track_caller]
fn check_refused(change: impl Fn(&mut Value), expected: &str) {
    let (_dir, store) = place();
    let mut wrong = walk("second", &[("3", 1.0), ("4", 2.0)]);
    change(&mut wrong);
    let features = [walk("first", &[("1", 1.0), ("2", 2.0)]), wrong];
    let error = import(&collection(&features), &store).unwrap_err();
    assert!(matches!(error, Error::Import(_)), "{error}");
    let message = error.to_string();
    assert!(message.contains(expected), "{message}");
    assert!(!store.exists(), "nothing is imported");
}

#[test]
fn what_is_no_sequence_is_refused_by_name() {
    check_refused(|f| f["properties"]["key"] = json!(""), "feature 2");
    check_refused(
        |f| f["properties"]["key"] = json!(null),
        "expected a string",
    );
    check_refused(
        |f| f["properties"]["captured_at"] = json!("yesterday"),
        "(\"second\")",
    );
    check_refused(
        |f| f["properties"]["captured_at"] = json!("yesterday"),
        "2023-05-01",
    );
    check_refused(
        |f| f["properties"]["coordinateProperties"]["cas"] = json!([1]),
        "2 image_keys and 1 cas",
    );
    check_refused(
        |f| f["properties"]["coordinateProperties"]["image_keys"] = json!(["1"]),
        "1 image_keys and 2 positions",
    );
    check_refused(
        |f| f["properties"]["coordinateProperties"]["image_keys"][0] = json!(""),
        "image key is empty",
    );
    check_refused(
        |f| f["properties"]["coordinateProperties"]["image_keys"][0] = json!(1.5),
        "is not",
    );
    check_refused(
        |f| f["properties"]["username"] = json!("a\u{7}"),
        "username has a control",
    );
    check_refused(|f| f["geometry"]["type"] = json!("Point"), "LineString");
    check_refused(
        |f| f["geometry"]["coordinates"][0] = json!([24.9]),
        "[24.9384, 60.1699]",
    );
    check_refused(
        |f| f["geometry"]["coordinates"][0] = json!([200, 60]),
        "200",
    );
    check_refused(|f| f["geometry"] = json!(null), "is not");
    let (_dir, store) = place();
    for text in [
        "",
        "[]",
        "{}",
        "{\"type\":\"FeatureCollection\",\"features\":[]}",
        "no",
    ] {
        assert!(
            matches!(import(text, &store), Err(Error::Import(_))),
            "{text}"
        );
    }
    let empty = collection(&[walk("first", &[]), walk("second", &[])]);
    let error = import(&empty, &store).unwrap_err().to_string();
    assert!(
        error.starts_with("none of its 2 sequences has an image"),
        "{error}"
    );
    assert!(!store.exists());
    let one = walk("first", &[("1", 1.0)]).to_string();
    assert_eq!(
        import(&format!("\u{feff}{one}\n{one}\n"), &store)
            .unwrap()
            .sequences,
        1
    );
}

/// JSON that is nearly that of sequences.
fn nearly() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        Just(json!(0)),
        Just(json!(-1)),
        Just(json!(1e300)),
        Just(json!(180.0)),
        Just(json!(null)),
        any::<i64>().prop_map(|n| json!(n)),
        (-180.0..180.0).prop_map(|n| json!(n)),
        "\\PC{0,5}".prop_map(|t| json!(t)),
    ]
    .boxed();
    let numbers = prop::collection::vec(number.clone(), 0..4)
        .prop_map(|n| json!(n))
        .boxed();
    let positions = prop::collection::vec(prop::collection::vec(number.clone(), 0..4), 0..4)
        .prop_map(|p| json!(p));
    (
        numbers.clone(),
        numbers,
        positions,
        number.clone(),
        number.clone(),
        number,
    )
        .prop_map(|(cas, keys, positions, key, time, user)| {
            collection(&[json!({
                "type": "Feature",
                "properties": {"key": key, "captured_at": time, "user_key": user,
                    "coordinateProperties": {"cas": cas, "image_keys": keys}},
                "geometry": {"type": "LineString", "coordinates": positions},
            })])
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Any sequences on Earth are read back whole, and what is nearly one is an error, not a panic.
    #[test]
    fn hostile_files_are_rows_or_an_error(text in nearly()) {
        let (_dir, store) = place();
        if let Ok(imported) = import(&text, &store) {
            let data = Dataset::open(&store).unwrap();
            prop_assert!(data.len() <= imported.images);
            prop_assert_eq!(v3(&data).lines().count() as u64, imported.sequences);
        } else {
            prop_assert!(!store.exists());
        }
    }

    #[test]
    fn cut_and_changed_files_are_rows_or_an_error(
        cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), with in "\\PC{0,3}",
    ) {
        let mut text = collection(&[walk("first", &[("1", 1.0), ("2", 2.0)]), walk("second", &OLD)]);
        let at = at.index(text.len());
        if text.is_char_boundary(at) {
            text.insert_str(at, &with);
        }
        let (_dir, store) = place();
        if import(&text, &store).is_ok() {
            prop_assert!(!Dataset::open(&store).unwrap().is_empty());
        }
        let cut = cut.index(text.len());
        if text.is_char_boundary(cut) {
            let (_dir, store) = place();
            prop_assert!(import(&text[..cut], &store).is_err());
        }
    }

    /// Lines through places anywhere: as long as their images are apart, in memory of the input.
    #[test]
    fn lines_are_as_long_as_their_images_are_apart(
        places in prop::collection::vec((-170.0..170.0_f64, -80.0..80.0_f64), 2..12),
        is_near: bool,
    ) {
        let shrink = if is_near { 1e-3 } else { 0.9 };
        let positions: Vec<_> = places.iter().map(|(lon, lat)| [lon * shrink, lat * shrink]).collect();
        let keys: Vec<String> = (1..=places.len()).map(|id| id.to_string()).collect();
        let mut feature = walk("far", &[]);
        feature["properties"]["coordinateProperties"] = json!({"image_keys": keys});
        feature["geometry"]["coordinates"] = json!(positions);
        let (_dir, store) = place();
        import(&collection(&[feature]), &store).unwrap();
        let data = Dataset::open(&store).unwrap();
        let (along, length, parts) = lengths(&data)["far"];
        prop_assert!(parts >= usize::from(is_near));
        if is_near {
            prop_assert!((along - length).abs() < along * 1e-3 + 1.0, "{} and {}", along, length);
        }
    }
}
