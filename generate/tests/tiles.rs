//! Encoded tiles hold what was generated, as the service encodes it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, HashMap, HashSet};

use tilesight_generate::{
    FeatureKind, IMAGE_ZOOM, ImageRow, Plan, Positions, SequenceId, TILE_PIXELS, TileView, Tileset,
    World, gzip,
};
use tilesight_mvt::{ColumnType, Columns, Decoder, LayerSchema, RawLayer, TileFrame};
use tilesight_tile::{LonLat, TileId};

const IMAGE: LayerSchema<'static> = LayerSchema {
    keys: &[
        ("id", ColumnType::Integer),
        ("captured_at", ColumnType::Integer),
        ("compass_angle", ColumnType::Real),
        ("is_pano", ColumnType::Boolean),
        ("sequence_id", ColumnType::Text),
        ("organization_id", ColumnType::Integer),
        ("creator_id", ColumnType::Integer),
        ("quality_score", ColumnType::Real),
    ],
};

const SEQUENCE: LayerSchema<'static> = LayerSchema {
    keys: &[
        ("id", ColumnType::Text),
        ("captured_at", ColumnType::Integer),
        ("image_id", ColumnType::Integer),
        ("is_pano", ColumnType::Boolean),
    ],
};

const FEATURE: LayerSchema<'static> = LayerSchema {
    keys: &[
        ("id", ColumnType::Integer),
        ("value", ColumnType::Text),
        ("first_seen_at", ColumnType::Integer),
        ("last_seen_at", ColumnType::Integer),
    ],
};

/// Grid units of a pixel.
const PIXEL: u32 = 64;

fn world(seed: u64, images: u64, side_tiles: Option<u32>) -> World {
    let centre = LonLat::new(24.94, 60.17).unwrap();
    World::new(&Plan {
        seed,
        images,
        centre,
        side_tiles,
    })
    .unwrap()
}

/// Decodes a layer, in which nothing may break the specification; no rows if it is not there.
fn decode(bytes: &[u8], layer: &str, schema: &LayerSchema<'_>, tile: TileId) -> Columns {
    let frame = TileFrame {
        origin_x: tile.origin().x,
        origin_y: tile.origin().y,
        side: tile.side(),
    };
    let mut columns = Columns::new();
    let mut decoder = Decoder::new();
    if let Some(layer) = decoder.tile(bytes).unwrap().layer(layer) {
        layer.decode(schema, frame, &mut columns).unwrap();
        assert_eq!(columns.skipped().count, 0);
    }
    columns
}

fn all_tiles(world: &World, tileset: Tileset) -> BTreeMap<TileId, Vec<u8>> {
    (0..world.block_count())
        .flat_map(|block| world.encoded_block(block, tileset))
        .collect()
}

/// The parts of a sequence's line in one tile, in pixels of the world.
type Parts = Vec<Vec<(i64, i64)>>;

fn lines(columns: &Columns) -> HashMap<String, Parts> {
    let pixels =
        |units: &[u32]| -> Vec<i64> { units.iter().map(|at| (at / PIXEL).into()).collect() };
    let parts = |row| {
        let parts = columns.lines().parts(row);
        parts
            .map(|part| pixels(part.x).into_iter().zip(pixels(part.y)).collect())
            .collect()
    };
    (0..columns.len())
        .map(|row| (columns.texts(0).get(row).unwrap().to_owned(), parts(row)))
        .collect()
}

#[test]
fn images_are_the_rows() {
    let world = world(21, 30_000, Some(9));
    let (mut doubles, mut minus_ones) = (0, 0);
    for block in world.blocks() {
        for tile in block.tiles() {
            let columns = decode(&tile.encode(), "image", &IMAGE, tile.id());
            assert_eq!(columns.len(), tile.rows().len());
            for (row, image) in tile.rows().enumerate() {
                doubles += u32::from(columns.integers(0).get(row).unwrap() != image.id);
                minus_ones += u32::from(columns.reals(2).get(row) == Some(-1.0));
                check_image(&columns, row, &image);
            }
        }
    }
    assert!(
        doubles > 0,
        "some ids were rounded, for they came as doubles"
    );
    assert!(minus_ones > 0, "some unknown headings are −1");
}

#[track_caller]
fn check_image(columns: &Columns, row: usize, image: &ImageRow) {
    let id = columns.integers(0).get(row).unwrap();
    assert_eq!(id as f64, image.id as f64);
    assert_eq!(
        (columns.points().x[row], columns.points().y[row]),
        (image.x * PIXEL, image.y * PIXEL)
    );
    assert_eq!(
        columns.integers(1).get(row),
        Some(image.captured_at_ms.unwrap_or(0))
    );
    let heading = columns.reals(2).get(row).filter(|heading| *heading >= 0.0);
    assert_eq!(heading, image.compass_angle_deg);
    assert_eq!(columns.booleans(3).get(row), Some(image.is_pano));
    assert_eq!(columns.texts(4).get(row), Some(image.sequence_id.as_str()));
    assert_eq!(columns.integers(5).get(row), image.organization_id);
    assert_eq!(columns.integers(6).get(row), image.creator_id);
}

#[test]
fn computed_images_have_a_quality() {
    let world = world(22, 500, Some(1));
    let block = world.tile(world.middle(), Positions::Computed).unwrap();
    let bytes = block.tiles().next().unwrap().encode();
    let columns = decode(&bytes, "image", &IMAGE, world.middle());
    assert!((0..500).all(|row| columns.reals(7).get(row).is_some()));
}

/// The lines of all tiles.
fn lines_by_tile(world: &World) -> BTreeMap<TileId, HashMap<String, Parts>> {
    let lines = |tile, bytes: &[u8]| lines(&decode(bytes, "sequence", &SEQUENCE, tile));
    let tiles = all_tiles(world, Tileset::Images).into_iter();
    tiles
        .map(|(tile, bytes)| (tile, lines(tile, &bytes)))
        .collect()
}

#[test]
fn lines_stay_within_their_tile_and_come_back() {
    let side = i64::from(TILE_PIXELS);
    let mut most_parts = 0;
    for (tile, lines) in lines_by_tile(&world(23, 60_000, Some(9))) {
        let (west, north) = (i64::from(tile.x()) * side, i64::from(tile.y()) * side);
        for parts in lines.values() {
            most_parts = most_parts.max(parts.len());
            for &(x, y) in parts.iter().flatten() {
                assert!((0..=side).contains(&(x - west)) && (0..=side).contains(&(y - north)));
            }
        }
    }
    assert!(most_parts >= 3, "{most_parts} parts");
}

#[test]
fn lines_meet_at_the_edges_of_tiles() {
    let tiles = lines_by_tile(&world(23, 60_000, Some(9)));
    let (mut crossings, mut met) = (0, 0);
    for (tile, lines) in &tiles {
        for (id, parts) in lines {
            for end in parts
                .iter()
                .flat_map(|part| [part[0], part[part.len() - 1]])
            {
                let Some(beyond) = beyond(*tile, end) else {
                    continue;
                };
                let parts = tiles.get(&beyond).and_then(|lines| lines.get(id));
                crossings += 1;
                met += u32::from(parts.is_some_and(|parts| has_end(parts, end)));
            }
        }
    }
    assert!(crossings > 500, "{crossings} lines cross an edge");
    // A line that only just touches the tile beyond comes to one position there, and is left out.
    let share = f64::from(met) / f64::from(crossings);
    assert!(share >= 0.995, "{met} of {crossings} ends meet");
}

/// The tile beyond the edge on which an end lies, if it lies on one.
fn beyond(tile: TileId, (x, y): (i64, i64)) -> Option<TileId> {
    let side = i64::from(TILE_PIXELS);
    let step = |at: i64, tile: u32| match at - i64::from(tile) * side {
        0 => -1,
        within if within == side => 1,
        _ => 0,
    };
    let (dx, dy) = (step(x, tile.x()), step(y, tile.y()));
    let x = tile.x().checked_add_signed(dx)?;
    let y = tile.y().checked_add_signed(dy)?;
    ((dx, dy) != (0, 0)).then(|| TileId::new(IMAGE_ZOOM, x, y).unwrap())
}

/// Tells whether a part ends within one unit of a position.
fn has_end(parts: &Parts, (x, y): (i64, i64)) -> bool {
    let mut ends = parts
        .iter()
        .flat_map(|part| [part[0], part[part.len() - 1]]);
    ends.any(|end| (end.0 - x).abs() <= 1 && (end.1 - y).abs() <= 1)
}

#[test]
fn only_what_stays_in_one_place_has_no_line() {
    let world = world(24, 8_000, Some(1));
    let block = world.blocks().next().unwrap();
    let tile = block.tiles().next().unwrap();
    let lines = lines(&decode(&tile.encode(), "sequence", &SEQUENCE, tile.id()));
    let mut pixels: HashMap<SequenceId, HashSet<(u32, u32)>> = HashMap::new();
    for row in tile.rows() {
        pixels
            .entry(row.sequence_id)
            .or_default()
            .insert((row.x, row.y));
    }
    let mut without = 0;
    for (id, pixels) in &pixels {
        let columns = pixels.iter().map(|&(x, _)| x);
        let rows = pixels.iter().map(|&(_, y)| y);
        let spread = |mut at: Vec<u32>| {
            at.sort_unstable();
            at[at.len() - 1] - at[0]
        };
        let has_moved = spread(columns.collect()).max(spread(rows.collect())) > 3;
        assert!(
            !has_moved || lines.contains_key(id.as_str()),
            "{id} has no line"
        );
        without += usize::from(!lines.contains_key(id.as_str()));
    }
    assert!(
        without * 100 > pixels.len(),
        "{without} of {} have no line",
        pixels.len()
    );
}

#[test]
fn line_vertices_are_not_the_images() {
    let world = world(25, 8_000, Some(1));
    let block = world.blocks().next().unwrap();
    let tile = block.tiles().next().unwrap();
    let images: HashSet<(i64, i64)> = tile
        .rows()
        .map(|row| (row.x.into(), row.y.into()))
        .collect();
    let lines = lines(&decode(&tile.encode(), "sequence", &SEQUENCE, tile.id()));
    let vertices: Vec<_> = lines.into_values().flatten().flatten().collect();
    let at_images = vertices.iter().filter(|at| images.contains(at)).count();
    assert!(at_images * 2 < vertices.len() && vertices.len() < images.len());
}

#[test]
fn layers_are_laid_out_as_real_ones() {
    let world = world(26, 30_000, Some(9));
    let (mut images_first, mut sequences_first, mut empty) = (0, 0, 0);
    for (_, bytes) in all_tiles(&world, Tileset::Images) {
        let mut decoder = Decoder::new();
        let tile = decoder.tile(&bytes).unwrap();
        match tile.layers().first().map(RawLayer::name) {
            Some("image") => images_first += 1,
            Some("sequence") => sequences_first += 1,
            _ => empty += 1,
        }
        for layer in tile.layers() {
            assert_eq!((layer.version(), layer.extent()), (2, TILE_PIXELS));
        }
        if let Some(layer) = tile
            .layer("image")
            .filter(|layer| layer.feature_count() > 100)
        {
            // Kinds, sequences, organizations and creators are stored once.
            assert!(layer.value_count() < 4 * layer.feature_count());
        }
    }
    assert!(images_first > 0 && sequences_first > images_first && empty > 0);
}

#[test]
fn an_image_takes_as_many_bytes_as_a_real_one() {
    let world = world(27, 20_000, Some(1));
    let bytes = &all_tiles(&world, Tileset::Images)[&world.middle()];
    let (raw, compressed) = (bytes.len() / 20_000, gzip(bytes).len() / 20_000);
    println!("bytes an image: {raw}, compressed {compressed}");
    assert!((58..=72).contains(&raw) && (35..=48).contains(&compressed));
}

#[test]
fn equal_plans_give_equal_bytes() {
    let bytes = |seed| all_tiles(&world(seed, 3_000, None), Tileset::Images);
    assert_eq!(bytes(28), bytes(28));
    assert_ne!(bytes(28), bytes(29));
}

#[test]
fn features_stand_in_their_tile_and_ids_are_exact() {
    let world = world(30, 50_000, Some(9));
    let mut ids = HashSet::new();
    for kind in [FeatureKind::Point, FeatureKind::TrafficSign] {
        let layer = if kind == FeatureKind::Point {
            "point"
        } else {
            "traffic_sign"
        };
        for tile in world.tile_ids() {
            let features = world.features(tile, kind);
            let columns = decode(&world.feature_tile(tile, kind), layer, &FEATURE, tile);
            assert_eq!(columns.len(), features.len());
            for (row, feature) in features.iter().enumerate() {
                assert!(tile.grid_box().contains(feature.grid_point()));
                assert!(feature.first_seen_at_ms <= feature.last_seen_at_ms);
                assert!(ids.insert(feature.id));
                assert_eq!(columns.integers(0).get(row), Some(feature.id));
                assert_eq!(columns.texts(1).get(row), Some(feature.value));
                assert_eq!(columns.integers(2).get(row), Some(feature.first_seen_at_ms));
                assert_eq!(columns.integers(3).get(row), Some(feature.last_seen_at_ms));
            }
        }
    }
    let (large, odd) = (
        1 << 53,
        ids.iter()
            .filter(|&&id| id > 1 << 53 && id % 2 == 1)
            .count(),
    );
    let large = ids.iter().filter(|&&id| id > large).count();
    assert!(
        odd * 3 > large && large > 1_000,
        "{odd} of {large} large ids are odd"
    );
}

#[test]
fn an_empty_tile_of_features_may_hold_water() {
    let world = world(31, 2_000, Some(9));
    let tiles = all_tiles(&world, Tileset::Signs);
    let layers = |bytes: &[u8]| -> Vec<String> {
        let mut decoder = Decoder::new();
        decoder
            .tile(bytes)
            .unwrap()
            .layers()
            .iter()
            .map(|layer| layer.name().to_owned())
            .collect()
    };
    let found: HashSet<Vec<String>> = tiles.values().map(|bytes| layers(bytes)).collect();
    let [signs, water] = ["traffic_sign", "water"].map(|name| vec![name.to_owned()]);
    assert_eq!(found, HashSet::from([vec![], signs, water]));
}

#[test]
fn shallow_tiles_show_every_sequence_once() {
    let world = world(32, 5_000, Some(4));
    let rows: Vec<ImageRow> = world
        .blocks()
        .flat_map(|block| block.tiles().flat_map(TileView::rows).collect::<Vec<_>>())
        .collect();
    let sequences: HashSet<&str> = rows.iter().map(|row| row.sequence_id.as_str()).collect();

    let deep = world.middle().ancestor(6).unwrap();
    let shown = lines(&decode(
        &world.shallow_tile(deep),
        "sequence",
        &SEQUENCE,
        deep,
    ));
    assert!(shown.keys().all(|id| sequences.contains(id.as_str())));

    let shallow = world.middle().ancestor(5).unwrap();
    let columns = decode(&world.shallow_tile(shallow), "overview", &IMAGE, shallow);
    let ids: HashSet<i64> = rows.iter().map(|row| row.id).collect();
    assert!(!columns.is_empty() && columns.len() <= sequences.len());
    assert!((0..columns.len()).all(|row| ids.contains(&columns.integers(0).get(row).unwrap())));
    assert!(
        world
            .shallow_tile(TileId::new(10, 0, 0).unwrap())
            .is_empty()
    );
}
