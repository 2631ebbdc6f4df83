//! The Graph API.

mod answer;
mod detection;
mod entity;
mod error;
mod fields;
mod scalar;

pub use detection::{Detection, Ring};
pub use entity::{
    Creator, Image, ImageList, ImagePlace, MapFeature, Organization, Position, Resource,
};
pub use error::Error;
pub use fields::{Fields, ParseFieldsError};
pub use scalar::{Id, TimestampMs};
