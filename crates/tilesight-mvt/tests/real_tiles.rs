//! Real coverage tiles: every row and attribute as the reference decoder has them.
#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

mod common;

use common::{FRAME, IMAGE, SEQUENCE, decode, gunzip, shared_data};
use tilesight_mvt::{ColumnType, Columns, Decoder, GeometryType, LayerSchema, reference};

/// Decodes a layer both ways and compares.
fn check(tile: &[u8], layer: &str, schema: &LayerSchema) -> Columns {
    let fast = decode(tile, layer, schema).unwrap().unwrap();
    let slow = reference::decode(tile, layer, schema, FRAME)
        .unwrap()
        .unwrap();
    assert!(fast == slow, "{layer} differs");
    assert_eq!(fast.skipped().count, 0, "{layer}: {:?}", fast.skipped());
    fast
}

#[test]
fn the_tile_of_2024_has_10_231_images_and_222_sequences() {
    let Some(tiles) = shared_data("tiles/mly1_public/14") else {
        return;
    };
    let tile = std::fs::read(tiles.join("8574/5736.mvt")).unwrap();
    let images = check(&tile, "image", &IMAGE);
    assert_eq!(images.len(), 10_231);
    assert_eq!(images.integers(0).validity.count_ones(), 10_231);
    assert_eq!(images.lines().vertex_count(), 0);
    let sequences = check(&tile, "sequence", &SEQUENCE);
    assert_eq!(sequences.len(), 222);
    assert_eq!(sequences.geometry_type(0), GeometryType::Linestring);
    assert!(sequences.lines().part_count() >= 222);
}

#[test]
fn two_neighbours_have_31_261_and_8_695_images() {
    let Some(tiles) = shared_data("tiles/mly1_public/14") else {
        return;
    };
    for (path, count) in [("3251/6257.mvt", 31_261), ("3252/6257.mvt", 8_695)] {
        let tile = std::fs::read(tiles.join(path)).unwrap();
        assert_eq!(check(&tile, "image", &IMAGE).len(), count);
        check(&tile, "sequence", &SEQUENCE);
    }
}

#[test]
fn tiles_that_are_not_mapillarys_are_read_too() {
    let Some(folder) = shared_data("tiles/generic") else {
        return;
    };
    for name in ["dense-points-14-4824-6157.mvt", "omt-largest.mvt"] {
        let stored = std::fs::read(folder.join(name)).unwrap();
        let tile = gunzip(&stored);
        let mut decoder = Decoder::new();
        for layer in decoder.tile(&stored).unwrap().layers() {
            // Every attribute as text: most are, and the others count as unusable.
            let keys: Vec<_> = layer.keys().map(|key| (key, ColumnType::Text)).collect();
            let schema = LayerSchema { keys: &keys };
            let mut fast = Columns::new();
            layer.decode(&schema, FRAME, &mut fast).unwrap();
            let slow = reference::decode(&tile, layer.name(), &schema, FRAME)
                .unwrap()
                .unwrap();
            assert!(fast == slow, "{name}: {} differs", layer.name());
            assert_eq!(fast.len(), layer.feature_count() - fast.skipped().count);
        }
    }
}
