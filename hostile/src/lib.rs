//! What must be true of every parser of outside bytes, whatever the bytes.
//!
//! Each [`Target`] is a parser and a function that panics where something is not true of it: what
//! is accepted is written and read back equal, the fast way agrees with the slow one, memory is
//! paid for by the input. `fuzz/` looks for inputs that break one, guided by coverage, and keeps
//! those that reach something new in `fuzz/corpus/{target}/`; the tests of this crate try what is
//! kept there and [mutations](mutate) of it.

#![allow(
    clippy::missing_panics_doc,
    reason = "to panic is how a function here says that something is not true"
)]
#![allow(clippy::unwrap_used, reason = "what was accepted before must be now")]

mod archive;
pub mod dataset_file;
mod geojson;
mod input;
pub mod mutate;
mod sequences;
mod shapes;
mod tile;
mod typed;
mod wire;

use tilesight_heap::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A parser, and what must be true of it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name of the target, and of the folder of its corpus.
    pub name: &'static str,
    /// Panics where something is not true for these bytes.
    pub check: fn(&[u8]),
}

/// All parsers, by name.
pub const TARGETS: [Target; 21] = [
    target("annotations_file", sequences::annotations_file),
    target("annotations_json", sequences::annotations_json),
    target("content", wire::content),
    target("dataset_file", dataset_file::check),
    target("detections", wire::detections),
    target("geokit", geojson::geokit),
    target("geoparquet", shapes::geoparquet),
    target("graph", wire::graph),
    target("import_v3", sequences::import_v3),
    target("inflate", tile::inflate),
    target("interface", typed::interface),
    target("mbtiles", archive::mbtiles),
    target("mbtiles_rows", archive::mbtiles_rows),
    target("period", typed::period),
    target("pmtiles", archive::pmtiles),
    target("region", geojson::region),
    target("retry_after", wire::retry_after),
    target("shapes", shapes::geojson),
    target("tile", tile::tile),
    target("typed", typed::words),
    target("wkb", shapes::wkb),
];

const fn target(name: &'static str, check: fn(&[u8])) -> Target {
    Target { name, check }
}

/// Checks the parser of a name.
///
/// # Panics
///
/// Where something is not true for these bytes, or there is no such parser.
pub fn check(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a parser of this name").check)(bytes);
}
