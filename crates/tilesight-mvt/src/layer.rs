//! A tile cut into layers: borrowed, framed, not yet decoded.

use crate::budget::{Budget, Exhausted};
use crate::error::{Damage, Error, LayerBreach};
use crate::geometry::GeometryType;
use crate::wire::{Fault, Key, Reader, WireType};

/// A tile whose layers are framed: every length inside them is known to fit.
///
/// Made by [`Decoder::tile`](crate::Decoder::tile).
#[derive(Clone, Debug)]
pub struct Tile<'a> {
    layers: Vec<RawLayer<'a>>,
    repeated_names: usize,
}

/// A layer that is cut out of a tile but not decoded.
///
/// Its name, version, extent and counts are known and its framing is sound; what its features
/// and values hold is checked when they are decoded.
#[derive(Clone, Copy, Debug)]
pub struct RawLayer<'a> {
    body: Reader<'a>,
    name: &'a str,
    version: u32,
    extent: u32,
    features: Section,
    keys: Section,
    values: Section,
}

impl<'a> Tile<'a> {
    /// Cuts a tile that is not gzipped.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(Error::TooLarge { len: bytes.len() });
        }
        let tile = Reader::new(bytes);
        let mut layers = room_for_layers(tile)?;
        for_each_layer(tile, |body| {
            layers.push(RawLayer::read(body)?);
            Ok(())
        })?;
        let repeated_names = remove_repeated_names(&mut layers);
        Ok(Self {
            layers,
            repeated_names,
        })
    }

    /// The layers, in the order of the tile, no two of the same name.
    pub fn layers(&self) -> &[RawLayer<'a>] {
        &self.layers
    }

    /// The layer of this name.
    pub fn layer(&self, name: &str) -> Option<&RawLayer<'a>> {
        self.layers.iter().find(|layer| layer.name == name)
    }

    /// How many layers were left out because an earlier one has the same name, which the
    /// specification forbids (4.1).
    pub fn repeated_names(&self) -> usize {
        self.repeated_names
    }
}

impl<'a> RawLayer<'a> {
    /// The name, unique in its tile.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The major version of the specification, 1 or 2.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The tile units of an edge of the tile, not 0.
    pub fn extent(&self) -> u32 {
        self.extent
    }

    /// The number of features, those included that will turn out to break the specification.
    pub fn feature_count(&self) -> usize {
        self.features.count
    }

    /// The number of keys in the table of the layer.
    pub fn key_count(&self) -> usize {
        self.keys.count
    }

    /// The number of values in the table of the layer.
    pub fn value_count(&self) -> usize {
        self.values.count
    }

    /// The names of the attributes, in the order of the layer's table. Those that are not UTF-8
    /// come as an empty string.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.key_messages()
            .map(|key| key.map_or("", |key| str::from_utf8(key.bytes()).unwrap_or("")))
    }

    /// The size in bytes.
    pub fn byte_len(&self) -> usize {
        self.body.len()
    }

    pub(crate) fn key_messages(&self) -> Messages<'a> {
        self.messages(KEYS, self.keys)
    }

    pub(crate) fn value_messages(&self) -> Messages<'a> {
        self.messages(VALUES, self.values)
    }

    pub(crate) fn feature_messages(&self) -> Messages<'a> {
        self.messages(FEATURES, self.features)
    }

    pub(crate) fn budget(&self) -> Budget {
        Budget::for_tile(self.body.len())
    }

    /// A reader of another part of this layer's tile.
    pub(crate) fn between(&self, start: usize, end: usize) -> Reader<'a> {
        self.body.between(start, end)
    }

    pub(crate) fn wire_error(&self, fault: Fault) -> Error {
        wire_error(Some(self.name), fault)
    }

    pub(crate) fn memory_error(&self, exhausted: Exhausted) -> Error {
        Error::Memory {
            layer: Some(self.name.to_owned()),
            limit: exhausted.limit,
        }
    }

    fn messages(&self, field: u32, section: Section) -> Messages<'a> {
        Messages {
            rest: self.body.between(section.start, section.end),
            field,
            left: section.count,
        }
    }
}

const NAME: u32 = 1;
const FEATURES: u32 = 2;
const KEYS: u32 = 3;
const VALUES: u32 = 4;
const EXTENT: u32 = 5;
const VERSION: u32 = 15;

/// What `extent` is where a layer does not say (`vector_tile.proto`).
const DEFAULT_EXTENT: u32 = 4096;

/// Where the fields of one kind are, from the first to the last of them.
#[derive(Clone, Copy, Debug, Default)]
struct Section {
    start: usize,
    end: usize,
    count: usize,
}

impl Section {
    #[inline]
    fn add(&mut self, start: usize, end: usize) {
        if self.count == 0 {
            self.start = start;
        }
        self.end = end;
        self.count += 1;
    }
}

/// The fields of a layer, as far as they are read in the first pass.
#[derive(Default)]
struct Fields<'a> {
    name: Option<Reader<'a>>,
    version: Option<u32>,
    extent: Option<u32>,
    features: Section,
    keys: Section,
    values: Section,
}

impl<'a> Fields<'a> {
    fn read(mut body: Reader<'a>) -> Result<Self, Fault> {
        let mut fields = Self::default();
        while !body.is_empty() {
            let start = body.position();
            let key = body.key()?;
            match (key.field, key.wire_type) {
                (FEATURES, WireType::Length) => {
                    fields.features.add(start, body.message()?.end());
                }
                (VALUES, WireType::Length) => fields.values.add(start, body.message()?.end()),
                (KEYS, WireType::Length) => fields.keys.add(start, body.message()?.end()),
                (NAME, WireType::Length) => fields.name = Some(body.message()?),
                (EXTENT, WireType::Varint) => fields.extent = Some(body.varint()? as u32),
                (VERSION, WireType::Varint) => fields.version = Some(body.varint()? as u32),
                _ => skip_unknown(&mut body, key, start)?,
            }
        }
        Ok(fields)
    }

    fn name(&self) -> Result<Option<&'a str>, Fault> {
        self.name.map(|name| as_str(name)).transpose()
    }
}

impl<'a> RawLayer<'a> {
    fn read(body: Reader<'a>) -> Result<Self, Error> {
        let fields = Fields::read(body).map_err(|fault| wire_error(None, fault))?;
        let name = fields.name().map_err(|fault| wire_error(None, fault))?;
        let breach = |breach| Error::Layer {
            layer: name.map(str::to_owned),
            offset: body.position(),
            breach,
        };
        // 4.1 "A layer MUST contain a version field"
        match fields.version {
            None => return Err(breach(LayerBreach::MissingVersion)),
            Some(1 | 2) => {}
            Some(version) => return Err(breach(LayerBreach::UnknownVersion(version))),
        }
        let extent = fields.extent.unwrap_or(DEFAULT_EXTENT);
        if extent == 0 {
            return Err(breach(LayerBreach::ZeroExtent));
        }
        Ok(Self {
            body,
            // 4.1 "A layer MUST contain a name field"
            name: name.ok_or_else(|| breach(LayerBreach::MissingName))?,
            version: fields.version.unwrap_or_default(),
            extent,
            features: fields.features,
            keys: fields.keys,
            values: fields.values,
        })
    }
}

/// The payloads of one kind of field. Their framing was checked when the layer was cut.
#[derive(Clone, Debug)]
pub(crate) struct Messages<'a> {
    rest: Reader<'a>,
    field: u32,
    left: usize,
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Reader<'a>, Fault>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let message = self.next_message();
        self.left = if message.is_ok() { self.left - 1 } else { 0 };
        Some(message)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

impl<'a> Messages<'a> {
    #[inline]
    fn next_message(&mut self) -> Result<Reader<'a>, Fault> {
        loop {
            let key = self.rest.key()?;
            if key.field == self.field && key.wire_type == WireType::Length {
                return self.rest.message();
            }
            self.rest.skip(key.wire_type)?;
        }
    }
}

/// The fields of a feature, located but not decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawFeature<'a> {
    pub tags: Option<Reader<'a>>,
    pub geometry_type: Option<GeometryType>,
    pub geometry: Option<Reader<'a>>,
    /// Whether there were two `tags` or two `geometry` fields.
    pub repeats: bool,
}

impl<'a> RawFeature<'a> {
    #[inline]
    pub(crate) fn read(mut message: Reader<'a>) -> Result<Self, Fault> {
        let mut feature = Self {
            tags: None,
            geometry_type: None,
            geometry: None,
            repeats: false,
        };
        while !message.is_empty() {
            let start = message.position();
            let key = message.key()?;
            match (key.field, key.wire_type) {
                (1, WireType::Varint) => drop(message.long_varint()?),
                (2, WireType::Length) => {
                    feature.repeats |= feature.tags.replace(message.message()?).is_some();
                }
                (3, WireType::Varint) => {
                    feature.geometry_type = GeometryType::from_field(message.varint()? as u32);
                }
                (4, WireType::Length) => {
                    feature.repeats |= feature.geometry.replace(message.message()?).is_some();
                }
                (1..=4, _) => {
                    return Err(Fault {
                        damage: Damage::WrongWireType,
                        offset: start,
                    });
                }
                _ => message.skip(key.wire_type)?,
            }
        }
        Ok(feature)
    }
}

fn skip_unknown(body: &mut Reader<'_>, key: Key, offset: usize) -> Result<(), Fault> {
    if matches!(key.field, NAME..=EXTENT | VERSION) {
        return Err(Fault {
            damage: Damage::WrongWireType,
            offset,
        });
    }
    body.skip(key.wire_type)
}

const LAYERS: u32 = 3;

fn for_each_layer<'a>(
    mut tile: Reader<'a>,
    mut visit: impl FnMut(Reader<'a>) -> Result<(), Error>,
) -> Result<(), Error> {
    let in_tile = |fault| wire_error(None, fault);
    while !tile.is_empty() {
        let start = tile.position();
        let key = tile.key().map_err(in_tile)?;
        match (key.field, key.wire_type) {
            (LAYERS, WireType::Length) => visit(tile.message().map_err(in_tile)?)?,
            (LAYERS, _) => {
                return Err(in_tile(Fault {
                    damage: Damage::WrongWireType,
                    offset: start,
                }));
            }
            _ => tile.skip(key.wire_type).map_err(in_tile)?,
        }
    }
    Ok(())
}

fn room_for_layers(tile: Reader<'_>) -> Result<Vec<RawLayer<'_>>, Error> {
    let mut count = 0;
    for_each_layer(tile, |_| {
        count += 1;
        Ok(())
    })?;
    let mut layers = Vec::new();
    let mut budget = Budget::for_tile(tile.len());
    budget
        .charge(size_of::<(&str, usize)>().saturating_mul(count))
        .and_then(|()| budget.reserve(&mut layers, count))
        .map_err(|exhausted| Error::Memory {
            layer: None,
            limit: exhausted.limit,
        })?;
    Ok(layers)
}

/// Keeps the first layer of each name and returns how many others there were.
fn remove_repeated_names(layers: &mut Vec<RawLayer<'_>>) -> usize {
    let mut by_name: Vec<(&str, usize)> = layers
        .iter()
        .enumerate()
        .map(|(index, layer)| (layer.name, index))
        .collect();
    by_name.sort_unstable();
    let mut repeated: Vec<usize> = by_name
        .windows(2)
        .filter(|pair| pair[0].0 == pair[1].0)
        .map(|pair| pair[1].1)
        .collect();
    repeated.sort_unstable();
    let mut index = 0;
    layers.retain(|_| {
        index += 1;
        repeated.binary_search(&(index - 1)).is_err()
    });
    repeated.len()
}

pub(crate) fn as_str(message: Reader<'_>) -> Result<&str, Fault> {
    str::from_utf8(message.bytes()).map_err(|error| Fault {
        damage: Damage::Utf8,
        offset: message.position() + error.valid_up_to(),
    })
}

fn wire_error(layer: Option<&str>, fault: Fault) -> Error {
    Error::Wire {
        layer: layer.map(str::to_owned),
        offset: fault.offset,
        damage: fault.damage,
    }
}
