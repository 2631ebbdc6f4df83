//! Small worlds in which everything coincides: shared pixels, edges and corners of tiles, both
//! sides of the antimeridian, the first and last rows of the grid, ids that repeat.

use tilesight_query::build::{
    Builder, FeatureRow, Holding, ImageRow, LineRow, Part, TilePart, build,
};
use tilesight_query::{Dataset, FeatureKind, Io, Tileset};
use tilesight_tile::{Bbox, GridPoint, LonLat, TileId};

use super::random::Random;

/// Grid units in a pixel of a z14 tile of extent 4096.
pub(crate) const PIXEL: u32 = 64;

/// Columns and rows of z14 tiles around which worlds lie: the equator, both sides of the
/// antimeridian, the four corners of the grid, a town in the north.
pub(crate) const CENTRES: [(u32, u32); 8] = [
    (8192, 8192),
    (0, 8000),
    (16383, 5000),
    (0, 0),
    (16383, 16383),
    (16383, 0),
    (5000, 16383),
    (9326, 4742),
];

/// Row counts around those of leaves and nodes.
const SIZES: [usize; 12] = [0, 1, 5, 20, 63, 64, 65, 100, 130, 200, 1100, 3000];

/// Ids at the ends of what an integer and a double hold.
const IDS: [i64; 8] = [
    i64::MIN,
    -7,
    -1,
    0,
    1 << 53,
    (1 << 53) + 1,
    i64::MAX - 1,
    i64::MAX,
];

/// Times at the ends of years and of what is known.
pub(crate) const TIMES: [Option<i64>; 14] = [
    None,
    Some(0),
    Some(-5),
    Some(i64::MIN),
    Some(i64::MAX),
    Some(1),
    Some(253_402_300_799_999),
    Some(253_402_300_800_000),
    Some(1_672_531_199_999),
    Some(1_672_531_200_000),
    Some(1_682_899_200_000),
    Some(1_704_067_199_999),
    Some(1_704_067_200_000),
    Some(1_709_251_199_999),
];

const HEADINGS: [Option<f64>; 16] = [
    None,
    Some(-1.0),
    Some(f64::NAN),
    Some(f64::INFINITY),
    Some(0.0),
    Some(-0.0),
    Some(360.0),
    Some(359.5),
    Some(0.5),
    Some(10.0),
    Some(50.0),
    Some(90.0),
    Some(130.0),
    Some(180.0),
    Some(270.0),
    Some(350.0),
];

pub(crate) const ORGANIZATIONS: [i64; 4] = [-3, 0, 11, i64::MAX];

pub(crate) const CREATORS: [i64; 5] = [1, 2, 3, 1 << 60, i64::MIN];

pub(crate) const SEQUENCES: [&str; 5] = ["a", "A", "ab", "é", "tYcXv0Gp3kL1mN9qRs2B5w"];

pub(crate) const VALUES: [&str; 7] = [
    "object--bench",
    "object--fire-hydrant",
    "object--fire",
    "regulatory--stop--g1",
    "regulatory--stop--g2",
    "é--x",
    "*",
];

/// One image as its tile has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawImage {
    pub(crate) row: ImageRow,
    pub(crate) sequence: Option<&'static str>,
}

/// One sequence feature as its tile has it.
#[derive(Debug, Clone)]
pub(crate) struct RawLine {
    pub(crate) sequence: String,
    pub(crate) captured_at_ms: Option<i64>,
    pub(crate) is_pano: Option<bool>,
    pub(crate) organization_id: Option<i64>,
    pub(crate) runs: Vec<Vec<GridPoint>>,
}

/// One map feature as its tile has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawFeature {
    pub(crate) row: FeatureRow,
    pub(crate) value: Option<&'static str>,
}

#[derive(Debug, Clone)]
pub(crate) struct RawTile {
    pub(crate) tile: TileId,
    pub(crate) fetched_at_ms: Option<i64>,
    pub(crate) images: Vec<RawImage>,
    pub(crate) lines: Vec<RawLine>,
    pub(crate) features: Vec<RawFeature>,
}

impl RawTile {
    pub(crate) const fn empty(tile: TileId) -> Self {
        Self {
            tile,
            fetched_at_ms: None,
            images: Vec::new(),
            lines: Vec::new(),
            features: Vec::new(),
        }
    }

    fn append_to(&self, part: &mut Part) {
        let mut rows = part.tile(self.tile, self.fetched_at_ms);
        for image in &self.images {
            let sequence = image.sequence.map(|id| rows.sequence(id));
            rows.image(ImageRow {
                sequence,
                ..image.row
            });
        }
        for line in &self.lines {
            append_line(line, &mut rows);
        }
        for feature in &self.features {
            let value = feature.value.map(|value| rows.value(value));
            rows.feature(FeatureRow {
                value,
                ..feature.row
            });
        }
    }
}

fn append_line(line: &RawLine, rows: &mut TilePart<'_>) {
    let sequence = rows.sequence(&line.sequence);
    let row = LineRow {
        sequence,
        captured_at_ms: line.captured_at_ms,
        is_pano: line.is_pano,
        organization_id: line.organization_id,
        creator_id: None,
    };
    let columns: Vec<(Vec<u32>, Vec<u32>)> = line
        .runs
        .iter()
        .map(|run| run.iter().map(|point| (point.x, point.y)).unzip())
        .collect();
    rows.line(row, columns.iter().map(|(xs, ys)| (&xs[..], &ys[..])));
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) tiles: Vec<RawTile>,
    pub(crate) holdings: Vec<Holding>,
}

impl World {
    /// A world of which every tile is held.
    pub(crate) fn held_whole(tiles: Vec<RawTile>) -> Self {
        let holding = |tileset| Holding {
            bounds: Some(Bbox::WORLD),
            ..Holding::nothing(tileset)
        };
        Self {
            tiles,
            holdings: Tileset::ALL.map(holding).to_vec(),
        }
    }

    pub(crate) fn build(&self) -> Dataset {
        self.build_in_parts(&[])
    }

    /// Builds it from parts that end before these tiles.
    pub(crate) fn build_in_parts(&self, cuts: &[usize]) -> Dataset {
        let data = build(self.parts(cuts), &self.holdings).unwrap();
        // Every second world is asked as a file.
        if self.tiles.len().is_multiple_of(2) {
            reopened(&data)
        } else {
            data
        }
    }

    /// Builds it as it stands, from parts that end before these tiles.
    pub(crate) fn build_with(&self, mut builder: Builder, cuts: &[usize]) -> Dataset {
        for part in self.parts(cuts) {
            builder.add(&part).unwrap();
        }
        builder.finish(&self.holdings).unwrap()
    }

    fn parts(&self, cuts: &[usize]) -> Vec<Part> {
        let mut parts = vec![Part::new()];
        for (i, tile) in self.tiles.iter().enumerate() {
            if cuts.contains(&i) {
                parts.push(Part::new());
            }
            let last = parts.last_mut().expect("there is one from the beginning");
            tile.append_to(last);
        }
        parts
    }

    /// The same images so many z14 tiles farther to the east.
    pub(crate) fn moved(&self, tiles: u32) -> Self {
        let mut moved = self.clone();
        for tile in &mut moved.tiles {
            let (x, y) = (tile.tile.x(), tile.tile.y());
            tile.tile = neighbour((x, y), i64::from(tiles), 0);
            for image in &mut tile.images {
                image.row.point.x = image.row.point.x.wrapping_add(tiles << 18);
            }
            tile.features.clear();
            tile.lines.clear();
        }
        moved
    }

    /// Positions around which questions are asked: some of the world's, and some far away.
    pub(crate) fn anchors(&self, random: &mut Random) -> Vec<LonLat> {
        let mut anchors = self.own_anchors(random);
        for (lon, lat) in [(180.0, 0.0), (-180.0, 10.0), (25.0, 90.0), (0.0, -90.0)] {
            anchors.push(LonLat::new(lon, lat).unwrap());
        }
        anchors
    }

    /// Positions of the world around which questions are asked.
    pub(crate) fn own_anchors(&self, random: &mut Random) -> Vec<LonLat> {
        let mut anchors = vec![];
        for tile in &self.tiles {
            anchors.extend(corners(tile.tile).map(GridPoint::to_lon_lat));
            let images = tile.images.iter().map(|image| image.row.point);
            let features = tile.features.iter().map(|feature| feature.row.point);
            let vertices = tile
                .lines
                .iter()
                .flat_map(|line| line.runs.iter().flatten());
            let points = images.chain(features).chain(vertices.copied());
            anchors.extend(points.map(GridPoint::to_lon_lat));
        }
        random.shuffle(&mut anchors);
        anchors.truncate(40);
        anchors
    }
}

/// A dataset as it comes back from its file.
fn reopened(data: &Dataset) -> Dataset {
    let file = tempfile::NamedTempFile::new().unwrap();
    data.write(file.as_file(), "").unwrap();
    Dataset::open(file.path(), Io::Map).unwrap().0
}

/// The first and last positions of a tile, and the first of those beyond.
fn corners(tile: TileId) -> [GridPoint; 3] {
    let bounds = tile.grid_box();
    let at = |x, y| GridPoint { x, y };
    [
        at(bounds.min_x, bounds.min_y),
        at(bounds.max_x, bounds.max_y),
        at(bounds.max_x.wrapping_add(1), bounds.max_y.saturating_add(1)),
    ]
}

/// A z14 tile next to another, across the antimeridian if need be.
pub(crate) fn neighbour((x, y): (u32, u32), dx: i64, dy: i64) -> TileId {
    let x = (i64::from(x) + dx).rem_euclid(1 << 14) as u32;
    let y = (i64::from(y) + dy).clamp(0, (1 << 14) - 1) as u32;
    TileId::new(14, x, y).unwrap()
}

/// A world of images and map features, with ids that repeat between tiles.
pub(crate) fn scattered(random: &mut Random) -> World {
    let centre = random.pick(&CENTRES);
    let mut tiles: Vec<RawTile> = (0..=random.below(5))
        .map(|_| {
            neighbour(
                centre,
                random.below(3) as i64 - 1,
                random.below(3) as i64 - 1,
            )
        })
        .map(RawTile::empty)
        .collect();
    let fetched = [None, Some(1), Some(2), Some(2), Some(-4)];
    for tile in &mut tiles {
        tile.fetched_at_ms = random.pick(&fetched);
    }
    let size = random.pick(&SIZES);
    let mut used = Vec::new();
    for i in 0..size {
        let at = random.below(tiles.len());
        let point = point_on(random, tiles[at].tile, &mut used);
        let id = random_id(random, i);
        tiles[at].images.push(random_image(random, point, id));
        if random.one_in(2) {
            let id = random_id(random, i);
            tiles[at].features.push(random_feature(random, point, id));
        }
    }
    World::held_whole(tiles)
}

fn random_id(random: &mut Random, row: usize) -> i64 {
    match random.below(8) {
        0 => random.pick(&IDS),
        1 => random.below(row + 1) as i64,
        _ => row as i64 * 3 - 50,
    }
}

/// A position on a tile, on a pixel more often than not, on an edge or one used before.
fn point_on(random: &mut Random, tile: TileId, used: &mut Vec<GridPoint>) -> GridPoint {
    let bounds = tile.grid_box();
    if random.one_in(4) && !used.is_empty() {
        let point = random.pick(used);
        if bounds.contains(point) {
            return point;
        }
    }
    let mut along = |first: u32, last: u32| match random.below(8) {
        0 => first,
        1 => last,
        2 => last - (PIXEL - 1),
        3 => first + random.below(1 << 18) as u32,
        4 => first + random.below(8) as u32 * 512 * PIXEL,
        _ => first + random.below(4096) as u32 * PIXEL,
    };
    let point = GridPoint {
        x: along(bounds.min_x, bounds.max_x),
        y: along(bounds.min_y, bounds.max_y),
    };
    used.push(point);
    point
}

fn random_image(random: &mut Random, point: GridPoint, id: i64) -> RawImage {
    let time = if random.one_in(2) {
        random.pick(&TIMES)
    } else {
        Some(1_500_000_000_000 + random.below(200_000_000) as i64 * 1000)
    };
    let heading = if random.one_in(2) {
        random.pick(&HEADINGS)
    } else {
        Some(random.real(0.0, 360.0))
    };
    let row = ImageRow {
        id_is_exact: !random.one_in(9),
        captured_at_ms: time,
        compass_angle_deg: heading,
        is_pano: random.pick(&[None, Some(false), Some(false), Some(true)]),
        organization_id: some(random, &ORGANIZATIONS),
        creator_id: some(random, &CREATORS),
        ..ImageRow::at(point, id)
    };
    RawImage {
        row,
        sequence: some(random, &SEQUENCES),
    }
}

fn random_feature(random: &mut Random, point: GridPoint, id: i64) -> RawFeature {
    let row = FeatureRow {
        kind: random.pick(&[FeatureKind::Point, FeatureKind::TrafficSign]),
        point,
        id,
        id_is_exact: !random.one_in(9),
        value: None,
        first_seen_at_ms: random.pick(&TIMES),
        last_seen_at_ms: random.pick(&TIMES),
    };
    RawFeature {
        row,
        value: some(random, &VALUES),
    }
}

/// One of them, or none.
fn some<T: Copy>(random: &mut Random, from: &[T]) -> Option<T> {
    (!random.one_in(3)).then(|| random.pick(from))
}
