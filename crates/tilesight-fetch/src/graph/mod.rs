//! The Graph API: what is known of images, map features, detections and organizations, and where
//! pictures can be got.

mod client;
mod thumbnail;
mod verbatim;
mod wait;

mod detection;
mod entity;
mod scalar;

mod answer;
mod error;
mod fields;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

pub use client::{Graph, ORIGIN};
pub use detection::{Detection, Ring, decode_rings};
pub use entity::{
    Creator, Image, ImageList, ImagePlace, MapFeature, Organization, Position, Resource,
};
pub use error::Error;
pub use fields::{Fields, ParseFieldsError};
pub use scalar::{Id, TimestampMs};
pub use thumbnail::{ParseThumbnailSizeError, SignedUrl, Thumbnail, ThumbnailSize};
pub use wait::wait;
