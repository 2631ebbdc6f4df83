//! The messages of `vector_tile.proto` 2.1, as prost types.

use prost::Message;

/// What the `type` field of a feature may hold (`GeomType`).
pub(crate) const UNKNOWN: i32 = 0;
pub(crate) const POINT: i32 = 1;
pub(crate) const LINESTRING: i32 = 2;
pub(crate) const POLYGON: i32 = 3;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Value {
    #[prost(string, optional, tag = "1")]
    pub string: Option<String>,
    #[prost(float, optional, tag = "2")]
    pub float: Option<f32>,
    #[prost(double, optional, tag = "3")]
    pub double: Option<f64>,
    #[prost(int64, optional, tag = "4")]
    pub int: Option<i64>,
    #[prost(uint64, optional, tag = "5")]
    pub uint: Option<u64>,
    #[prost(sint64, optional, tag = "6")]
    pub sint: Option<i64>,
    #[prost(bool, optional, tag = "7")]
    pub boolean: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Feature {
    #[prost(uint64, optional, tag = "1")]
    pub id: Option<u64>,
    #[prost(uint32, repeated, tag = "2")]
    pub tags: Vec<u32>,
    #[prost(int32, optional, tag = "3")]
    pub geometry_type: Option<i32>,
    #[prost(uint32, repeated, tag = "4")]
    pub geometry: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Layer {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(message, repeated, tag = "2")]
    pub features: Vec<Feature>,
    #[prost(string, repeated, tag = "3")]
    pub keys: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    pub values: Vec<Value>,
    #[prost(uint32, optional, tag = "5")]
    pub extent: Option<u32>,
    #[prost(uint32, optional, tag = "15")]
    pub version: Option<u32>,
}
