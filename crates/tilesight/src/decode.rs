//! From the columns of a decoded tile to the rows of a dataset: the one file that knows both.

use tilesight_mvt::{ColumnType, Columns, Decoder, GeometryType, LayerSchema, Texts, TileFrame};
use tilesight_query::build::{FeatureRow, ImageRow, LineRow, Part, TilePart};
use tilesight_query::schema::layer;
use tilesight_query::{FeatureKind, Tileset};
use tilesight_tile::{GridPoint, TileId};

use ColumnType::{Boolean, Integer, Real, Text};

/// What is read of the `image` layer; the numbers of its columns are in [`image`].
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

mod image {
    pub(super) const ID: usize = 0;
    pub(super) const CAPTURED_AT: usize = 1;
    pub(super) const COMPASS_ANGLE: usize = 2;
    pub(super) const IS_PANO: usize = 3;
    pub(super) const SEQUENCE_ID: usize = 4;
    pub(super) const ORGANIZATION_ID: usize = 5;
    pub(super) const CREATOR_ID: usize = 6;
}

/// What is read of the `sequence` layer; the numbers of its columns are in [`sequence`].
const SEQUENCE: LayerSchema = LayerSchema {
    keys: &[
        ("id", Text),
        ("captured_at", Integer),
        ("is_pano", Boolean),
        ("organization_id", Integer),
        ("creator_id", Integer),
    ],
};

mod sequence {
    pub(super) const ID: usize = 0;
    pub(super) const CAPTURED_AT: usize = 1;
    pub(super) const IS_PANO: usize = 2;
    pub(super) const ORGANIZATION_ID: usize = 3;
    pub(super) const CREATOR_ID: usize = 4;
}

/// What is read of the `overview` layer: nothing, its points are counted.
const OVERVIEW: LayerSchema = LayerSchema { keys: &[] };

/// What is read of the `point` and `traffic_sign` layers; the numbers of their columns are in
/// [`feature`].
const FEATURE: LayerSchema = LayerSchema {
    keys: &[
        ("id", Integer),
        ("value", Text),
        ("first_seen_at", Integer),
        ("last_seen_at", Integer),
    ],
};

mod feature {
    pub(super) const ID: usize = 0;
    pub(super) const VALUE: usize = 1;
    pub(super) const FIRST_SEEN_AT: usize = 2;
    pub(super) const LAST_SEEN_AT: usize = 3;
}

/// The layers that hold something to ask for, by name.
const LAYERS: [(&str, LayerSchema); 5] = [
    (layer::IMAGE, IMAGE),
    (layer::SEQUENCE, SEQUENCE),
    (layer::OVERVIEW, OVERVIEW),
    (layer::POINT, FEATURE),
    (layer::TRAFFIC_SIGN, FEATURE),
];

/// Decodes tiles, one after the other, reusing its memory.
#[derive(Debug)]
pub(crate) struct TileDecoder {
    decoder: Decoder,
    columns: [Columns; LAYERS.len()],
}

/// What a tile turned out to hold.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Contents {
    /// The tilesets whose layers it has.
    pub(crate) tilesets: Tilesets,
    /// Rows that break the tile specification or lack what makes them a row.
    pub(crate) left_out: u64,
}

impl TileDecoder {
    pub(crate) fn new() -> Self {
        Self {
            decoder: Decoder::new(),
            columns: Default::default(),
        }
    }

    /// Appends the rows of a tile to a part: all of them or, with an error, none.
    pub(crate) fn decode(
        &mut self,
        id: TileId,
        fetched_at_ms: Option<i64>,
        bytes: &[u8],
        part: &mut Part,
    ) -> Result<Contents, tilesight_mvt::Error> {
        let origin = id.origin();
        let frame = TileFrame {
            origin_x: origin.x,
            origin_y: origin.y,
            side: id.side(),
        };
        let tile = self.decoder.tile(bytes)?;
        let mut is_there = [false; LAYERS.len()];
        for (index, (name, schema)) in LAYERS.iter().enumerate() {
            if let Some(layer) = tile.layer(name) {
                layer.decode(schema, frame, &mut self.columns[index])?;
                is_there[index] = true;
            }
        }
        let mut contents = Contents::default();
        let mut rows = part.tile(id, fetched_at_ms);
        for (index, (name, _)) in LAYERS
            .iter()
            .enumerate()
            .filter(|&(index, _)| is_there[index])
        {
            let columns = &self.columns[index];
            contents.tilesets = contents.tilesets.union(Tilesets::of_layers([*name]));
            contents.left_out += columns.skipped().count as u64;
            contents.left_out += append(name, columns, &mut rows);
        }
        Ok(contents)
    }
}

/// Appends the rows of a layer, and counts those that lack what makes them one.
fn append(name: &str, columns: &Columns, rows: &mut TilePart) -> u64 {
    match name {
        layer::IMAGE => append_images(columns, rows),
        layer::SEQUENCE => append_lines(columns, rows),
        layer::POINT => append_features(columns, FeatureKind::Point, rows),
        layer::TRAFFIC_SIGN => append_features(columns, FeatureKind::TrafficSign, rows),
        _ => {
            rows.overview_points(columns.len() as u64);
            0
        }
    }
}

fn append_images(columns: &Columns, rows: &mut TilePart) -> u64 {
    let ids = columns.integers(image::ID);
    let captured_at = columns.integers(image::CAPTURED_AT);
    let compass_angle = columns.reals(image::COMPASS_ANGLE);
    let is_pano = columns.booleans(image::IS_PANO);
    let organization_id = columns.integers(image::ORGANIZATION_ID);
    let creator_id = columns.integers(image::CREATOR_ID);
    let mut sequences = Names::new(columns.texts(image::SEQUENCE_ID));
    let mut left_out = 0;
    for row in 0..columns.len() {
        let (Some(id), GeometryType::Point) = (ids.get(row), columns.geometry_type(row)) else {
            left_out += 1;
            continue;
        };
        let sequence = sequences.get(row, |id| rows.sequence(id));
        rows.image(ImageRow {
            point: point(columns, row),
            id,
            id_is_exact: !ids.inexact.get(row),
            captured_at_ms: captured_at.get(row),
            compass_angle_deg: compass_angle.get(row),
            is_pano: is_pano.get(row),
            sequence,
            organization_id: organization_id.get(row),
            creator_id: creator_id.get(row),
        });
    }
    left_out
}

fn append_lines(columns: &Columns, rows: &mut TilePart) -> u64 {
    let captured_at = columns.integers(sequence::CAPTURED_AT);
    let is_pano = columns.booleans(sequence::IS_PANO);
    let organization_id = columns.integers(sequence::ORGANIZATION_ID);
    let creator_id = columns.integers(sequence::CREATOR_ID);
    let mut sequences = Names::new(columns.texts(sequence::ID));
    let mut left_out = 0;
    for row in 0..columns.len() {
        let is_line = columns.geometry_type(row) == GeometryType::Linestring;
        let sequence = is_line
            .then(|| sequences.get(row, |id| rows.sequence(id)))
            .flatten();
        let Some(sequence) = sequence else {
            left_out += 1;
            continue;
        };
        let line = LineRow {
            sequence,
            captured_at_ms: captured_at.get(row),
            is_pano: is_pano.get(row),
            organization_id: organization_id.get(row),
            creator_id: creator_id.get(row),
        };
        rows.line(
            line,
            columns.lines().parts(row).map(|part| (part.x, part.y)),
        );
    }
    left_out
}

fn append_features(columns: &Columns, kind: FeatureKind, rows: &mut TilePart) -> u64 {
    let ids = columns.integers(feature::ID);
    let first_seen_at = columns.integers(feature::FIRST_SEEN_AT);
    let last_seen_at = columns.integers(feature::LAST_SEEN_AT);
    let mut values = Names::new(columns.texts(feature::VALUE));
    let mut left_out = 0;
    for row in 0..columns.len() {
        let (Some(id), GeometryType::Point) = (ids.get(row), columns.geometry_type(row)) else {
            left_out += 1;
            continue;
        };
        let value = values.get(row, |value| rows.value(value));
        rows.feature(FeatureRow {
            kind,
            point: point(columns, row),
            id,
            id_is_exact: !ids.inexact.get(row),
            value,
            first_seen_at_ms: first_seen_at.get(row),
            last_seen_at_ms: last_seen_at.get(row),
        });
    }
    left_out
}

fn point(columns: &Columns, row: usize) -> GridPoint {
    let points = columns.points();
    GridPoint {
        x: points.x[row],
        y: points.y[row],
    }
}

/// The short names of a text column's strings, each asked for once.
struct Names<'c, R> {
    texts: Texts<'c>,
    of_string: Vec<Option<R>>,
}

impl<'c, R: Copy> Names<'c, R> {
    fn new(texts: Texts<'c>) -> Self {
        Self {
            texts,
            of_string: vec![None; texts.strings.len()],
        }
    }

    /// The name of a row's text, from `name` where it is new; none without a text.
    fn get(&mut self, row: usize, name: impl FnOnce(&str) -> R) -> Option<R> {
        let text = self.texts.get(row).filter(|text| !text.is_empty())?;
        let of_string = self.of_string.get_mut(self.texts.indices[row] as usize)?;
        Some(*of_string.get_or_insert_with(|| name(text)))
    }
}

/// A set of tilesets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tilesets(u8);

impl Tilesets {
    pub(crate) const fn only(tileset: Tileset) -> Self {
        Self(1 << tileset as u8)
    }

    /// The tilesets whose tiles have these layers.
    pub(crate) fn of_layers<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let tilesets = names.into_iter().filter_map(Tileset::of_layer);
        tilesets.fold(Self::default(), |set, tileset| {
            set.union(Self::only(tileset))
        })
    }

    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn contains(self, tileset: Tileset) -> bool {
        self.0 & Self::only(tileset).0 != 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Tileset> {
        Tileset::ALL
            .into_iter()
            .filter(move |&tileset| self.contains(tileset))
    }
}
