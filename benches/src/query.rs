//! Questions about a made world, and the engines that answer them: ours and its rivals.
//!
//! Every engine gets what its user could prepare beforehand: positions on the grid, polygons in
//! the form it reads, values as numbers. All share our haversine, so that the same rows are found
//! and what is measured is the search.

mod engine;
mod geo_index;
mod ground;
mod kiddo;
mod lines;
mod packed;
mod question;
mod rival;
mod rstar;
mod segments;
mod static_tree;
mod tilesight;
mod world;

pub use self::kiddo::Kiddo;
pub use engine::Engine;
pub use geo_index::{KdTree, PackedTree};
pub use ground::Ground;
pub use lines::{LineIndex, PackedLines, SequenceLine, lines_of};
pub use packed::SimdTree;
pub use question::{Condition, Place, Question, Questions};
pub use rival::{PointIndex, PolygonTest, Rival, in_order_of};
pub use rstar::RStar;
pub use segments::Segments;
pub use static_tree::StaticTree;
pub use tilesight::Tilesight;
pub use world::{Feature, Image, MadeWorld, Row, build_dataset, plan_world};
