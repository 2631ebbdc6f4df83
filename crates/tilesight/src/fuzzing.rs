//! Parsers that are private otherwise, for those who try them with hostile bytes.

use crate::import::{self, ImportError};
use crate::shapes::{Geometry, ShapeFault, wkb};

/// Reads a geometry as well-known binary, as it lies in GeoParquet.
///
/// # Errors
///
/// [`ShapeFault::Wkb`] when it is something else. Positions are not looked at.
pub fn wkb(bytes: &[u8]) -> Result<Geometry, ShapeFault> {
    wkb::read(bytes)
}

/// Reads sequences of the API v3 as an import does, without a store.
///
/// # Returns
///
/// For each sequence, whether it is read back from what a store keeps of it.
///
/// # Errors
///
/// As [`import()`](crate::import::import()).
pub fn import(text: &str) -> Result<Vec<bool>, ImportError> {
    import::kept_alike(text)
}
