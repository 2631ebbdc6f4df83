//! Which attributes of a layer to decode, and as what.

/// The type a column is decoded to. Each accepts what can be converted without loss of meaning;
/// anything else is null and counted ([`Columns::unusable`](crate::Columns::unusable)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// `i64`: every integer type in range, integral floats and doubles in range, decimal strings.
    Integer,
    /// `f64`: every numeric type and decimal strings, if finite.
    Real,
    /// `bool`: booleans, and the integers 0 and 1.
    Boolean,
    /// Strings only.
    Text,
}

/// The attributes to decode, in the order of their columns.
///
/// Keys that are not named here are skipped, keys that the layer lacks make a column of nulls.
/// A key is named once; of repeated names the first counts.
///
/// ```
/// use tilesight_mvt::{ColumnType, LayerSchema};
///
/// const SIGNS: LayerSchema = LayerSchema {
///     keys: &[("id", ColumnType::Integer), ("value", ColumnType::Text)],
/// };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerSchema<'a> {
    /// Name of the attribute, type of its column.
    pub keys: &'a [(&'a str, ColumnType)],
}
