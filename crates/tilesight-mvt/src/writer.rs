//! Writes vector tiles, for tests, benches and generated data.
//!
//! A layer comes out in the order of real tiles: name, features, keys, values, extent, version.
//! Equal values are stored once. Features are encoded as they arrive, so a writer holds little
//! more than the bytes it will return.

use crate::proto;
use prost::Message;
use prost::encoding::{self, WireType};
use rustc_hash::FxHashMap;

/// A property value, with the wire type it is written as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// `string_value`
    String(&'a str),
    /// `float_value`
    Float(f32),
    /// `double_value`
    Double(f64),
    /// `int_value`, a plain varint
    Int(i64),
    /// `uint_value`
    Uint(u64),
    /// `sint_value`, a zigzag varint
    Sint(i64),
    /// `bool_value`
    Bool(bool),
}

/// A position in tile units, x to the east and y to the south.
pub type TilePoint = (i32, i32);

/// Collects the layers of one tile.
///
/// ```
/// use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};
///
/// let mut signs = LayerWriter::new("traffic_sign");
/// signs.point((100, 200), &[("id", Value::Int(7)), ("value", Value::String("stop"))]);
/// let mut tile = TileWriter::new();
/// tile.push(signs);
/// let bytes: Vec<u8> = tile.finish();
/// assert_eq!(bytes.len(), 63);
/// ```
#[derive(Debug, Default)]
pub struct TileWriter {
    bytes: Vec<u8>,
}

impl TileWriter {
    /// Starts an empty tile.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a finished layer.
    pub fn push(&mut self, layer: LayerWriter) {
        encode_bytes(3, &layer.finish(), &mut self.bytes);
    }

    /// Returns the encoded tile.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Encodes the features of one layer.
#[derive(Debug)]
pub struct LayerWriter {
    name: String,
    version: u32,
    extent: u32,
    features: Vec<u8>,
    feature_count: u64,
    keys: Vec<String>,
    values: Vec<u8>,
    /// The encoded value, and its index in the table.
    value_indices: FxHashMap<Vec<u8>, u32>,
}

impl LayerWriter {
    /// Starts a layer of version 2 and extent 4096.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: 2,
            extent: 4096,
            features: Vec::new(),
            feature_count: 0,
            keys: Vec::new(),
            values: Vec::new(),
            value_indices: FxHashMap::default(),
        }
    }

    /// Changes the version of the specification that the layer claims.
    #[must_use]
    pub fn with_version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Changes the number of tile units a side.
    #[must_use]
    pub fn with_extent(mut self, extent: u32) -> Self {
        self.extent = extent;
        self
    }

    /// Appends a point.
    pub fn point(&mut self, at: TilePoint, properties: &[(&str, Value<'_>)]) {
        self.points(&[at], properties);
    }

    /// Appends a multipoint.
    pub fn points(&mut self, points: &[TilePoint], properties: &[(&str, Value<'_>)]) {
        let mut commands = Commands::default();
        commands.move_to(points);
        self.feature(proto::POINT, commands, properties);
    }

    /// Appends a linestring, or a multilinestring when there is more than one part.
    ///
    /// Each part needs two positions or more, no two neighbours alike.
    pub fn lines<P: AsRef<[TilePoint]>>(&mut self, parts: &[P], properties: &[(&str, Value<'_>)]) {
        let mut commands = Commands::default();
        for part in parts {
            commands.path(part.as_ref());
        }
        self.feature(proto::LINESTRING, commands, properties);
    }

    /// Appends a polygon or multipolygon.
    ///
    /// Each ring is three positions or more, the first not repeated; exterior rings run clockwise
    /// as seen on a map (y points south), interior rings counter-clockwise.
    pub fn polygon<R: AsRef<[TilePoint]>>(
        &mut self,
        rings: &[R],
        properties: &[(&str, Value<'_>)],
    ) {
        let mut commands = Commands::default();
        for ring in rings {
            commands.path(ring.as_ref());
            commands.close_path();
        }
        self.feature(proto::POLYGON, commands, properties);
    }

    /// The number of features so far.
    pub fn len(&self) -> u64 {
        self.feature_count
    }

    /// Whether no feature was appended yet.
    pub fn is_empty(&self) -> bool {
        self.feature_count == 0
    }

    fn feature(
        &mut self,
        geometry_type: i32,
        commands: Commands,
        properties: &[(&str, Value<'_>)],
    ) {
        self.feature_count += 1;
        let feature = proto::Feature {
            id: Some(self.feature_count),
            tags: self.tags(properties),
            geometry_type: Some(geometry_type),
            geometry: commands.integers,
        };
        encoding::message::encode(2, &feature, &mut self.features);
    }

    /// Real encoders list the pairs in the order of their keys.
    fn tags(&mut self, properties: &[(&str, Value<'_>)]) -> Vec<u32> {
        let mut pairs: Vec<(u32, u32)> = properties
            .iter()
            .map(|&(key, value)| (self.key_index(key), self.value_index(value)))
            .collect();
        pairs.sort_by_key(|&(key, _)| key);
        pairs
            .into_iter()
            .flat_map(|(key, value)| [key, value])
            .collect()
    }

    fn key_index(&mut self, key: &str) -> u32 {
        let known = self.keys.iter().position(|known| known == key);
        let index = known.unwrap_or_else(|| {
            self.keys.push(key.to_owned());
            self.keys.len() - 1
        });
        index as u32
    }

    fn value_index(&mut self, value: Value<'_>) -> u32 {
        let next = self.value_indices.len() as u32;
        let encoded = proto_value(value).encode_to_vec();
        let values = &mut self.values;
        *self
            .value_indices
            .entry(encoded)
            .or_insert_with_key(|encoded| {
                encode_bytes(4, encoded, values);
                next
            })
    }

    fn finish(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.features.len() + self.values.len() + 1024);
        encoding::string::encode(1, &self.name, &mut bytes);
        bytes.extend_from_slice(&self.features);
        encoding::string::encode_repeated(3, &self.keys, &mut bytes);
        bytes.extend_from_slice(&self.values);
        encoding::uint32::encode(5, &self.extent, &mut bytes);
        encoding::uint32::encode(15, &self.version, &mut bytes);
        bytes
    }
}

/// The command integers of one geometry (specification, section 4.3).
#[derive(Default)]
struct Commands {
    integers: Vec<u32>,
    cursor: TilePoint,
}

impl Commands {
    fn path(&mut self, positions: &[TilePoint]) {
        let (first, rest) = positions.split_at(1.min(positions.len()));
        self.move_to(first);
        self.command(2, rest);
    }

    fn move_to(&mut self, positions: &[TilePoint]) {
        self.command(1, positions);
    }

    fn close_path(&mut self) {
        self.integers.push(7 | 1 << 3);
    }

    fn command(&mut self, id: u32, positions: &[TilePoint]) {
        self.integers.push(id | (positions.len() as u32) << 3);
        for &(x, y) in positions {
            self.integers.push(zigzag(x.wrapping_sub(self.cursor.0)));
            self.integers.push(zigzag(y.wrapping_sub(self.cursor.1)));
            self.cursor = (x, y);
        }
    }
}

fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

fn proto_value(value: Value<'_>) -> proto::Value {
    let mut message = proto::Value::default();
    match value {
        Value::String(text) => message.string = Some(text.to_owned()),
        Value::Float(real) => message.float = Some(real),
        Value::Double(real) => message.double = Some(real),
        Value::Int(integer) => message.int = Some(integer),
        Value::Uint(integer) => message.uint = Some(integer),
        Value::Sint(integer) => message.sint = Some(integer),
        Value::Bool(truth) => message.boolean = Some(truth),
    }
    message
}

fn encode_bytes(field: u32, payload: &[u8], bytes: &mut Vec<u8>) {
    encoding::encode_key(field, WireType::LengthDelimited, bytes);
    encoding::encode_varint(payload.len() as u64, bytes);
    bytes.extend_from_slice(payload);
}
