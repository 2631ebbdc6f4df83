//! What callers of older systems find again here, under the names that they know.

#[cfg(feature = "geokit")]
pub mod geokit;
#[cfg(feature = "fetch")]
pub mod interface;
