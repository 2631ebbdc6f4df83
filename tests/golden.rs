//! Real tiles through the whole chain: folder, decoder, dataset, answers.
//!
//! The tiles lie beside the workspace and are no part of it; without them these tests tell so and
//! pass.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use tilesight::{Bbox, Dataset, GridPoint, Image, ImageQuery, Kind, Place, SequenceQuery, TileId};
use tilesight_mvt::{ColumnType, Columns, LayerSchema, TileFrame, reference};

use ColumnType::{Boolean, Integer, Real, Text};

const IMAGE: LayerSchema = LayerSchema {
    keys: &[
        ("id", Integer),
        ("captured_at", Integer),
        ("compass_angle", Real),
        ("is_pano", Boolean),
        ("sequence_id", Text),
        ("organization_id", Integer),
        ("creator_id", Integer),
    ],
};

const SEQUENCE: LayerSchema = LayerSchema {
    keys: &[("id", Text)],
};

/// Grid units in a pixel.
const PIXEL: u32 = 64;

/// The lines of sequences by their ids, each with the runs of vertices of one tile.
type Runs = BTreeMap<String, Vec<Vec<GridPoint>>>;

#[test]
fn the_tile_of_2024_has_its_images_with_all_attributes() {
    let Some(folder) = coverage_tiles() else {
        return;
    };
    let (data, tile) = (Dataset::open(&folder).unwrap(), tile(8574, 5736));
    let found = data.images(&images_on(tile)).unwrap();
    assert_eq!(found.len(), 10_231);
    let columns = decode(&folder, tile, "image", &IMAGE);
    assert_eq!(columns.len(), 10_231);
    let by_id: HashMap<i64, Image<'_>> = found.iter().map(|image| (image.id, image)).collect();
    for row in 0..columns.len() {
        let expected = image_of(&columns, row);
        assert_eq!(by_id[&expected.id], expected);
        assert_eq!(data.image(expected.id), Ok(Some(expected)));
    }
}

#[test]
fn the_tile_of_2024_has_222_lines() {
    let Some(folder) = coverage_tiles() else {
        return;
    };
    let (data, tile) = (Dataset::open(&folder).unwrap(), tile(8574, 5736));
    let runs = runs_on(&folder, tile);
    assert_eq!(runs.len(), 222);
    let mut lines = lines_on(&data, &[tile]);
    lines.retain(|_, line| !line.is_empty());
    assert_eq!(lines.len(), 222);
    for (id, mut parts) in runs {
        parts.sort();
        assert_eq!(lines[&id], parts, "{id}: no tile beside it is held");
    }
}

#[test]
fn the_two_neighbours_have_39_956_images() {
    let Some(folder) = coverage_tiles() else {
        return;
    };
    let data = Dataset::open(&folder).unwrap();
    let count = |x| data.count_images(&images_on(tile(x, 6257))).unwrap();
    assert_eq!((count(3251), count(3252)), (31_261, 8_695));
    let all = data.count_images(&ImageQuery::default()).unwrap();
    assert_eq!(all, 10_231 + 39_956);
}

#[test]
fn lines_across_the_edge_of_the_neighbours_are_stitched() {
    let Some(folder) = coverage_tiles() else {
        return;
    };
    let (west, east) = (tile(3251, 6257), tile(3252, 6257));
    let data = Dataset::open(&folder).unwrap();
    let (runs_west, runs_east) = (runs_on(&folder, west), runs_on(&folder, east));
    let edge = east.origin().x;
    let lines = lines_on(&data, &[west, east]);
    let (mut ends, mut joins) = (0, 0);
    for (id, line) in &lines {
        let none = Vec::new();
        let (a, b) = (
            runs_west.get(id).unwrap_or(&none),
            runs_east.get(id).unwrap_or(&none),
        );
        ends += ends_at(a, edge) + ends_at(b, edge);
        let joined = joins_between(a, b, edge) + joins_between(b, a, edge);
        joins += joined;
        assert_eq!(line.len(), a.len() + b.len() - joined, "{id}");
    }
    assert_eq!((ends, joins), (104, 52), "every end on the edge is joined");
}

fn coverage_tiles() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = root.join("tiles/mly1_public");
    if folder.exists() {
        return Some(folder);
    }
    println!("skipped: no tiles/mly1_public in ../shared/data");
    None
}

fn tile(x: u32, y: u32) -> TileId {
    TileId::new(14, x, y).unwrap()
}

/// A box through the outermost positions of a tile.
fn box_of(tile: TileId) -> Bbox {
    let bounds = tile.grid_box();
    let corner = |x, y| GridPoint { x, y }.to_lon_lat();
    let northwest = corner(bounds.min_x, bounds.min_y);
    let southeast = corner(bounds.max_x, bounds.max_y);
    let (south, north) = (southeast.lat(), northwest.lat());
    Bbox::from_degrees(northwest.lon(), south, southeast.lon(), north).unwrap()
}

fn images_on(tile: TileId) -> ImageQuery {
    ImageQuery {
        place: Place::Bbox(box_of(tile)),
        ..ImageQuery::default()
    }
}

/// Decodes a layer with the slow and literal decoder.
fn decode(folder: &Path, tile: TileId, layer: &str, schema: &LayerSchema) -> Columns {
    let bytes = std::fs::read(folder.join(format!("{tile}.mvt"))).unwrap();
    let origin = tile.origin();
    let frame = TileFrame {
        origin_x: origin.x,
        origin_y: origin.y,
        side: tile.side(),
    };
    let columns = reference::decode(&bytes, layer, schema, frame).unwrap();
    columns.unwrap()
}

fn image_of(columns: &Columns, row: usize) -> Image<'_> {
    let points = columns.points();
    let (x, y) = (points.x[row], points.y[row]);
    let position = GridPoint { x, y }.to_lon_lat();
    let id = columns.integers(0).get(row).unwrap();
    let kind = |is_pano| if is_pano { Kind::Pano } else { Kind::Flat };
    Image {
        captured_at_ms: columns.integers(1).get(row).filter(|&ms| ms > 0),
        compass_angle_deg: columns.reals(2).get(row).filter(|&degrees| degrees >= 0.0),
        kind: columns.booleans(3).get(row).map(kind),
        sequence_id: columns.texts(4).get(row),
        organization_id: columns.integers(5).get(row),
        creator_id: columns.integers(6).get(row),
        ..Image::at(id, position.lon(), position.lat())
    }
}

/// The runs of a tile as it has them, but for vertices that repeat the one before.
fn runs_on(folder: &Path, tile: TileId) -> Runs {
    let columns = decode(folder, tile, "sequence", &SEQUENCE);
    let ids = columns.texts(0);
    let mut runs = Runs::new();
    for row in 0..columns.len() {
        let of_sequence = runs.entry(ids.get(row).unwrap().to_owned()).or_default();
        for part in columns.lines().parts(row) {
            let vertices = part.x.iter().zip(part.y);
            let mut run: Vec<GridPoint> = vertices.map(|(&x, &y)| GridPoint { x, y }).collect();
            run.dedup();
            of_sequence.push(run);
        }
    }
    runs
}

/// The lines of the sequences that touch some tiles; the parts of each in their own order.
fn lines_on(data: &Dataset, tiles: &[TileId]) -> Runs {
    let mut lines = Runs::new();
    for &tile in tiles {
        let query = SequenceQuery {
            place: Place::Bbox(box_of(tile)),
            ..SequenceQuery::default()
        };
        for track in data.sequences(&query).unwrap().tracks() {
            let parts = track.line();
            let mut line: Vec<Vec<GridPoint>> = parts
                .map(|part| part.map(GridPoint::nearest_to).collect())
                .collect();
            line.sort();
            lines.insert(track.sequence.id.to_owned(), line);
        }
    }
    lines
}

/// How many first and last vertices lie on an edge.
fn ends_at(runs: &[Vec<GridPoint>], edge: u32) -> usize {
    let ends = runs.iter().flat_map(|run| [run.first(), run.last()]);
    ends.flatten().filter(|vertex| vertex.x == edge).count()
}

/// How many runs end on an edge where another begins, within a pixel.
fn joins_between(from: &[Vec<GridPoint>], to: &[Vec<GridPoint>], edge: u32) -> usize {
    let starts = || to.iter().filter_map(|run| run.first());
    let goes_on =
        |end: &GridPoint| starts().any(|start| start.x == edge && start.y.abs_diff(end.y) <= PIXEL);
    let ends = from.iter().filter_map(|run| run.last());
    ends.filter(|end| end.x == edge && goes_on(end)).count()
}
