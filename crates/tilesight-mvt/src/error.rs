//! What was wrong, in which layer, at which byte.

/// A tile that cannot be read.
///
/// Offsets count bytes of the tile after inflating, from its first byte. Reading the same bytes
/// again cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The gzip stream is broken or cut off.
    #[error("the gzip stream is damaged: {reason}")]
    Gzip {
        /// What the inflater met.
        reason: &'static str,
    },
    /// Inflating would exceed the limit of the decoder.
    #[error("the tile inflates to more than the limit of {limit} bytes")]
    InflateLimit {
        /// See [`Decoder::with_inflate_limit`](crate::Decoder::with_inflate_limit).
        limit: usize,
    },
    /// The tile is larger than the decoder can address.
    #[error("the tile has {len} bytes, more than 32-bit offsets can address")]
    TooLarge {
        /// The size of the tile.
        len: usize,
    },
    /// The bytes are not a protobuf message of the expected shape.
    #[error("{damage}{} at byte {offset}", in_layer(.layer.as_deref()))]
    Wire {
        /// The layer, where its name is known.
        layer: Option<String>,
        /// Where the damage was noticed.
        offset: usize,
        /// What is wrong there.
        damage: Damage,
    },
    /// A layer breaks the specification.
    #[error("{breach}{} at byte {offset}", in_layer(.layer.as_deref()))]
    Layer {
        /// The layer, where its name is known.
        layer: Option<String>,
        /// Where the layer, or the offending value, begins.
        offset: usize,
        /// The rule it breaks.
        breach: LayerBreach,
    },
    /// A feature breaks the specification so that the whole tile is in doubt.
    #[error("{breach}{} in the feature at byte {offset}", in_layer(.layer.as_deref()))]
    Feature {
        /// The layer of the feature.
        layer: Option<String>,
        /// Where the feature begins.
        offset: usize,
        /// The rule it breaks; [`FeatureBreach::is_fatal`].
        breach: FeatureBreach,
    },
    /// The columns would be out of proportion to the bytes they come from.
    #[error("the columns{} would take more than {limit} bytes", in_layer(.layer.as_deref()))]
    Memory {
        /// The layer being decoded.
        layer: Option<String>,
        /// What this layer may claim.
        limit: usize,
    },
}

/// Damage to the protobuf encoding itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A field reaches beyond the end of its message.
    #[error("the data ends inside a field")]
    Truncated,
    /// A varint of more than 64 bits.
    #[error("a varint is longer than 64 bits")]
    OverlongVarint,
    /// A field number of 0 or beyond 29 bits.
    #[error("a field number is out of range")]
    FieldNumber,
    /// A wire type that is not used in vector tiles (groups), or does not exist.
    #[error("a field has an unknown wire type")]
    UnknownWireType,
    /// A known field with the wire type of another kind of value.
    #[error("a field has the wrong wire type for its place in vector_tile.proto")]
    WrongWireType,
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    Utf8,
}

/// A rule about layers that a tile breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayerBreach {
    /// No `version` field.
    #[error("a layer has no version (spec 4.1)")]
    MissingVersion,
    /// A version other than 1 and 2.
    #[error("a layer has version {0}; only 1 and 2 are known (spec 4.1)")]
    UnknownVersion(u32),
    /// No `name` field.
    #[error("a layer has no name (spec 4.1)")]
    MissingName,
    /// A second layer of the same name.
    #[error("two layers have the same name (spec 4.1)")]
    RepeatedName,
    /// An extent of 0.
    #[error("a layer has extent 0 (spec 4.1)")]
    ZeroExtent,
    /// An entry of the value table with no value, or with more than one.
    #[error("a value does not hold exactly one of the seven types (spec 4.1)")]
    NotOneValue,
}

/// A rule about features that a tile breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureBreach {
    /// Two `geometry` or two `tags` fields.
    #[error("a feature has its geometry or tags twice (spec 4.2)")]
    RepeatedField,
    /// A `type` that is absent, `UNKNOWN` or not in the enumeration.
    #[error("a feature has no known geometry type (spec 4.3.4)")]
    UnknownType,
    /// No `geometry` field, or an empty one.
    #[error("a feature has no geometry (spec 4.2)")]
    MissingGeometry,
    /// A key or value index beyond its table.
    #[error("a tag points beyond the keys or values of its layer (spec 4.4)")]
    TagOutOfRange,
    /// A key without a value.
    #[error("a feature has an odd number of tag integers (spec 4.4)")]
    OddTags,
    /// A key that occurs twice in one feature.
    #[error("a feature has the same key twice (spec 4.4)")]
    RepeatedKey,
    /// More parameters announced than there are bytes.
    #[error("a command counts more parameters than the geometry holds (spec 4.3.2)")]
    CountTooLarge,
    /// A command that may not stand where it stands.
    #[error("a geometry has a command out of sequence (spec 4.3.4)")]
    CommandOutOfSequence,
    /// A `ClosePath` whose count is not 1.
    #[error("a ClosePath command has a count other than 1 (spec 4.3.3.3)")]
    ClosePathCount,
    /// A `MoveTo` or `LineTo` whose count does not make a geometry.
    #[error("a MoveTo or LineTo command has too few or too many positions (spec 4.3.4)")]
    PositionCount,
    /// A `LineTo` that goes nowhere.
    #[error("a LineTo command does not move (spec 4.3.3.2)")]
    ZeroLengthSegment,
    /// A ring of area 0, or one that repeats its first position at the end.
    #[error("a ring is degenerate (spec 4.3.4.4)")]
    DegenerateRing,
    /// A polygon that begins with an interior ring.
    #[error("the first ring of a polygon is not an exterior ring (spec 4.3.4.4)")]
    FirstRingNotExterior,
}

impl FeatureBreach {
    /// Whether the breach rejects the tile instead of leaving out the feature.
    ///
    /// Fatal are a tag beyond its table and a command stream that cannot be followed: they are
    /// signs of damage. The conformance cases of the specification draw the same line.
    pub fn is_fatal(self) -> bool {
        matches!(
            self,
            Self::TagOutOfRange
                | Self::CountTooLarge
                | Self::CommandOutOfSequence
                | Self::ClosePathCount
        )
    }
}

fn in_layer(layer: Option<&str>) -> String {
    layer
        .map(|name| format!(" in layer {name:?}"))
        .unwrap_or_default()
}
