//! Map features: objects and traffic signs that were recognised in the images of a tile.

use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};
use tilesight_tile::{GridPoint, TileId};

use crate::attributes::draw_ms;
use crate::capture::Pixel;
use crate::classes::{OBJECT_CLASSES, SIGN_CLASSES};
use crate::random::{Random, topic};
use crate::roads::Roads;
use crate::tile::tile_point;
use crate::walk::draw_crossing;
use crate::world::{Cell, TILE_PIXELS, World};

/// Share of the empty tiles that hold a polygon of water, as some tiles of the service do.
const WATER_SHARE: f64 = 0.5;

/// How far beside the road a feature stands, in metres.
const ROADSIDE_M: std::ops::Range<f64> = 3.0..9.0;

/// The two tilesets of map features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureKind {
    /// Objects: tileset `mly_map_feature_point`, layer `point`.
    Point,
    /// Traffic signs: tileset `mly_map_feature_traffic_sign`, layer `traffic_sign`.
    TrafficSign,
}

impl FeatureKind {
    const fn layer(self) -> &'static str {
        match self {
            Self::Point => "point",
            Self::TrafficSign => "traffic_sign",
        }
    }

    const fn classes(self) -> &'static [&'static str] {
        match self {
            Self::Point => OBJECT_CLASSES,
            Self::TrafficSign => SIGN_CLASSES,
        }
    }

    /// How many images it takes to find one.
    const fn images_a_feature(self) -> u64 {
        match self {
            Self::Point => 8,
            Self::TrafficSign => 40,
        }
    }
}

/// A map feature as a tile describes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureRow {
    /// Id, unique among all features of its world; about half of them need more than 53 bits.
    pub id: i64,
    /// Column of its pixel, counted as [`ImageRow::x`](crate::ImageRow::x).
    pub x: u32,
    /// Row of its pixel.
    pub y: u32,
    /// What it is, such as `object--fire-hydrant`.
    pub value: &'static str,
    /// First seen, in milliseconds since 1970.
    pub first_seen_at_ms: i64,
    /// Last seen, in milliseconds since 1970, not before it was first.
    pub last_seen_at_ms: i64,
}

impl FeatureRow {
    /// The position on the world grid.
    pub fn grid_point(&self) -> GridPoint {
        self.pixel().grid_point()
    }

    fn pixel(&self) -> Pixel {
        Pixel {
            x: self.x,
            y: self.y,
        }
    }
}

impl World {
    /// Generates the map features of a tile: the more images there, the more features.
    ///
    /// A tile outside the world has none.
    pub fn features(&self, tile: TileId, kind: FeatureKind) -> Vec<FeatureRow> {
        let Some(cell) = self.cell_of(tile) else {
            return Vec::new();
        };
        let images = self.images_of(cell);
        let number = |images: u64| images / kind.images_a_feature();
        (number(images.start)..number(images.end))
            .map(|number| self.feature(cell, kind, number))
            .collect()
    }

    /// Encodes a tile of map features.
    ///
    /// # Returns
    ///
    /// A vector tile, not compressed. One without features is empty: no bytes at all, or nothing
    /// but a layer `water` with one polygon, as the service answers.
    pub fn feature_tile(&self, tile: TileId, kind: FeatureKind) -> Vec<u8> {
        let features = self.features(tile, kind);
        let mut writer = TileWriter::new();
        if !features.is_empty() {
            writer.push(feature_layer(tile, kind, &features));
        } else if Random::keyed(&[self.seed, topic::WATER, tile.x().into(), tile.y().into()])
            .chance(WATER_SHARE)
        {
            writer.push(water_layer());
        }
        writer.finish()
    }

    fn feature(&self, cell: Cell, kind: FeatureKind, number: u64) -> FeatureRow {
        let mut random = Random::keyed(&[self.seed, topic::FEATURE, kind as u64, number]);
        let Pixel { x, y } = self.roadside(cell, &mut random);
        let (one_ms, other_ms) = (draw_ms(&mut random), draw_ms(&mut random));
        FeatureRow {
            id: self.feature_id(2 * number + kind as u64),
            x,
            y,
            value: random.pick(kind.classes()),
            first_seen_at_ms: one_ms.min(other_ms),
            last_seen_at_ms: one_ms.max(other_ms),
        }
    }

    /// Draws a place in a cell's tile, beside a road where the road stays in the tile.
    fn roadside(&self, cell: Cell, random: &mut Random) -> Pixel {
        let (roads, tile) = (Roads(self), self.tile_of(cell));
        let from = roads.nearest_road(draw_crossing(self, cell, random));
        let start = roads.position(from);
        let end = roads
            .neighbours(from)
            .next()
            .map_or(start, |to| roads.position(to));
        let along = random.unit();
        let mut aside = || {
            let side = random.pick(&[-1.0, 1.0]);
            side * random.between(ROADSIDE_M.start, ROADSIDE_M.end) / self.metres_a_pixel
        };
        let mut within = |start: f64, end: f64, tile: u32| {
            let at = start + (end - start) * along + aside();
            let first = tile * TILE_PIXELS;
            (at as u32).clamp(first, first + TILE_PIXELS - 1)
        };
        Pixel {
            x: within(start.x, end.x, tile.x()),
            y: within(start.y, end.y, tile.y()),
        }
    }
}

fn feature_layer(tile: TileId, kind: FeatureKind, features: &[FeatureRow]) -> LayerWriter {
    let mut layer = LayerWriter::new(kind.layer());
    for feature in features {
        let properties = [
            ("first_seen_at", Value::Int(feature.first_seen_at_ms)),
            ("id", Value::Int(feature.id)),
            ("last_seen_at", Value::Int(feature.last_seen_at_ms)),
            ("value", Value::String(feature.value)),
        ];
        layer.point(tile_point(feature.pixel(), tile), &properties);
    }
    layer
}

fn water_layer() -> LayerWriter {
    let side = TILE_PIXELS as i32;
    let mut layer = LayerWriter::new("water");
    layer.polygon(&[[(0, 0), (side, 0), (side, side), (0, side)]], &[]);
    layer
}
