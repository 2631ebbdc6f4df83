//! The committed fixtures are what the generator makes, and show what they should.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use tilesight_generate::{Block, ImageRow, TileView, Tileset, fixtures};
use tilesight_mvt::{ColumnType, Columns, Decoder, LayerSchema, TileFrame};

/// Files below a folder, by their paths in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(&inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn the_committed_fixtures_are_made_again_byte_by_byte() {
    let committed = files(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../fixtures"
    )));
    let folder = tempfile::tempdir().unwrap();
    fixtures::write(folder.path()).unwrap();
    let made = files(folder.path());
    assert_eq!(
        made.keys().collect::<Vec<_>>(),
        committed.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in &made {
        assert!(committed[name] == *bytes, "{} differs", name.display());
    }
    let size: usize = made.values().map(Vec::len).sum();
    println!("{} files, {size} bytes", made.len());
    assert!(size < 2_000_000, "{size} bytes");
}

#[test]
fn the_town_shows_every_oddity() {
    let town = fixtures::town();
    let blocks: Vec<_> = town.blocks().collect();
    let rows: Vec<ImageRow> = blocks
        .iter()
        .flat_map(Block::tiles)
        .flat_map(TileView::rows)
        .collect();
    let after_9999 = 253_402_300_799_999;
    let has = |holds: &dyn Fn(&ImageRow) -> bool| rows.iter().any(holds);
    assert!(
        has(&|row| row.captured_at_ms.is_none()),
        "a clock that was not set"
    );
    assert!(
        has(&|row| row.captured_at_ms > Some(after_9999)),
        "a clock set to nonsense"
    );
    assert!(
        has(&|row| row.compass_angle_deg.is_none()),
        "an unknown heading"
    );
    assert!(
        has(&|row| row.compass_angle_deg == Some(0.0)),
        "a heading of 0"
    );
    assert!(has(&|row| row.creator_id.is_none()), "an unknown creator");
    assert!(has(&|row| row.id > 1 << 53), "a large id");
    let organizations: HashSet<_> = rows.iter().filter_map(|row| row.organization_id).collect();
    assert!(organizations.len() >= 3, "some organizations");
    let mut tiles = blocks.iter().flat_map(Block::tiles);
    assert!(tiles.any(|tile| tile.rows().len() == 0), "an empty tile");
}

#[test]
fn an_id_of_the_town_was_rounded_to_a_double() {
    let schema = LayerSchema {
        keys: &[("id", ColumnType::Integer)],
    };
    let frame = TileFrame {
        origin_x: 0,
        origin_y: 0,
        side: 1 << 18,
    };
    let mut columns = Columns::new();
    let rounded = fixtures::town()
        .encoded_block(0, Tileset::Images)
        .into_iter()
        .any(|(_, bytes)| {
            let mut decoder = Decoder::new();
            decoder
                .tile(&bytes)
                .unwrap()
                .layer("image")
                .is_some_and(|layer| {
                    layer.decode(&schema, frame, &mut columns).unwrap();
                    (0..columns.len()).any(|row| columns.integers(0).inexact.get(row))
                })
        });
    assert!(rounded);
}
