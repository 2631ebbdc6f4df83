//! A tile cut into layers: borrowed, framed, not yet decoded.

use crate::budget::{Budget, Exhausted};
use crate::error::{Damage, Error, LayerBreach};
use crate::geometry::GeometryType;
use crate::wire::{Fault, Key, Reader, Span, Window};

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
            .map(|key| str::from_utf8(key.bytes()).unwrap_or_default())
    }

    /// The size in bytes.
    pub fn byte_len(&self) -> usize {
        self.body.len()
    }

    pub(crate) fn key_messages(&self) -> Messages<'a> {
        self.messages(KEY, self.keys)
    }

    pub(crate) fn value_messages(&self) -> Messages<'a> {
        self.messages(VALUE, self.values)
    }

    pub(crate) fn feature_messages(&self) -> Messages<'a> {
        self.messages(FEATURE, self.features)
    }

    pub(crate) fn budget(&self) -> Budget {
        Budget::for_tile(self.body.len())
    }

    /// A reader of all of this layer.
    pub(crate) fn body(&self) -> Reader<'a> {
        self.body
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

    fn messages(&self, key: Key, section: Section) -> Messages<'a> {
        Messages {
            rest: self.body.at(section.span),
            key,
            left: section.count,
        }
    }
}

const NAME: Key = Key::length(1);
const FEATURE: Key = Key::length(2);
const KEY: Key = Key::length(3);
const VALUE: Key = Key::length(4);
const EXTENT: Key = Key::varint(5);
const VERSION: Key = Key::varint(15);

fn is_layer_field(field: u64) -> bool {
    matches!(field, 1..=5 | 15)
}

/// What `extent` is where a layer does not say (`vector_tile.proto`).
const DEFAULT_EXTENT: u32 = 4096;

/// Where the fields of one kind are, from the first to the last of them.
#[derive(Clone, Copy, Debug, Default)]
struct Section {
    span: Span,
    count: usize,
}

impl Section {
    /// Adds a field that begins at `start`, with its key.
    #[inline]
    fn add(&mut self, start: usize, message: Reader<'_>) {
        if self.count == 0 {
            self.span.start = start as u32;
        }
        self.span.end = message.span().end;
        self.count += 1;
    }

    /// Adds the short fields of one kind that follow each other, as most of a layer does.
    fn add_run(&mut self, body: &mut Reader<'_>, key: Key) {
        let start = body.span().start;
        let count = body.skip_short_messages(key);
        if count > 0 {
            if self.count == 0 {
                self.span.start = start;
            }
            self.span.end = body.span().start;
            self.count += count;
        }
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
            fields.features.add_run(&mut body, FEATURE);
            fields.values.add_run(&mut body, VALUE);
            if !body.is_empty() {
                fields.read_any(&mut body)?;
            }
        }
        Ok(fields)
    }

    fn read_any(&mut self, body: &mut Reader<'a>) -> Result<(), Fault> {
        let start = body.position();
        match body.key()? {
            FEATURE => self.features.add(start, body.message()?),
            VALUE => self.values.add(start, body.message()?),
            KEY => self.keys.add(start, body.message()?),
            NAME => self.name = Some(body.message()?),
            EXTENT => self.extent = Some(body.varint()? as u32),
            VERSION => self.version = Some(body.varint()? as u32),
            key => body.skip(key, is_layer_field)?,
        }
        Ok(())
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
#[derive(Debug)]
pub(crate) struct Messages<'a> {
    rest: Reader<'a>,
    key: Key,
    left: usize,
}

impl<'a> Iterator for Messages<'a> {
    type Item = Reader<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        if let Some(message) = self.rest.short_message(self.key) {
            return Some(message);
        }
        // By value: what is handed on by reference cannot stay in registers.
        let (message, rest) = next_message(self.rest, self.key)?;
        self.rest = rest;
        Some(message)
    }
}

/// The next field that has this key, and what follows it.
#[inline(never)]
fn next_message(mut rest: Reader<'_>, wanted: Key) -> Option<(Reader<'_>, Reader<'_>)> {
    loop {
        let key = rest.key().ok()?;
        if key == wanted {
            let message = rest.message().ok()?;
            return Some((message, rest));
        }
        rest.skip(key, |_| false).ok()?;
    }
}

/// The fields of a feature, located but not decoded. What is absent is empty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RawFeature {
    pub tags: Span,
    pub geometry: Span,
    pub geometry_type: Option<GeometryType>,
    /// Whether there were two `tags` or two `geometry` fields.
    pub repeats: bool,
}

const FEATURE_ID: Key = Key::varint(1);
const FEATURE_TAGS: Key = Key::length(2);
const FEATURE_TYPE: Key = Key::varint(3);
const FEATURE_GEOMETRY: Key = Key::length(4);

impl RawFeature {
    /// Locates the fields of a feature.
    #[inline(never)]
    pub(crate) fn read(mut message: Reader<'_>) -> Result<Self, Fault> {
        let mut feature = Self::default();
        let (mut tags, mut geometries) = (0, 0);
        while !message.is_empty() {
            match message.key()? {
                FEATURE_ID => drop(message.varint()?),
                FEATURE_TAGS => {
                    tags += 1;
                    feature.tags = message.message()?.span();
                }
                FEATURE_TYPE => {
                    feature.geometry_type = GeometryType::from_field(message.varint()? as u32);
                }
                FEATURE_GEOMETRY => {
                    geometries += 1;
                    feature.geometry = message.message()?.span();
                }
                key => message.skip(key, |field| (1..=4).contains(&field))?,
            }
        }
        feature.repeats = tags > 1 || geometries > 1;
        Ok(feature)
    }
}

/// The fields of a feature that is a point and has nothing uncommon about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UsualFeature<'a> {
    pub tags: Window<'a>,
    pub geometry: Window<'a>,
}

impl<'a> UsualFeature<'a> {
    /// Reads a point whose fields are all there, in the order of their numbers, and short.
    #[inline]
    pub(crate) fn read(message: Reader<'a>) -> Option<Self> {
        let mut message = message.window()?;
        message.skip_varint(FEATURE_ID)?;
        let tags = message.message(FEATURE_TAGS)?;
        let geometry_type = message.varint_of_one_byte(FEATURE_TYPE)?;
        let geometry = message.message(FEATURE_GEOMETRY)?;
        let is_usual = geometry_type == GeometryType::Point as u32 && message.is_spent();
        is_usual.then_some(Self { tags, geometry })
    }
}

const LAYER: Key = Key::length(3);

fn for_each_layer<'a>(
    mut tile: Reader<'a>,
    mut visit: impl FnMut(Reader<'a>) -> Result<(), Error>,
) -> Result<(), Error> {
    let in_tile = |fault| wire_error(None, fault);
    while !tile.is_empty() {
        match tile.key().map_err(in_tile)? {
            LAYER => visit(tile.message().map_err(in_tile)?)?,
            key => tile.skip(key, |field| field == 3).map_err(in_tile)?,
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
        offset: (message.position() + error.valid_up_to()) as u32,
    })
}

fn wire_error(layer: Option<&str>, fault: Fault) -> Error {
    Error::Wire {
        layer: layer.map(str::to_owned),
        offset: fault.offset as usize,
        damage: fault.damage,
    }
}
