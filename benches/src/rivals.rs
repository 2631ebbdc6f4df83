//! Other decoders, each made to produce the seven columns of a tile of images.

mod careful_fast_mvt;
mod plain_fast_mvt;
mod plain_mvt_reader;
mod plain_prost;

pub use careful_fast_mvt::careful_fast_mvt;
pub use plain_fast_mvt::plain_fast_mvt;
pub use plain_mvt_reader::plain_mvt_reader;
pub use plain_prost::plain_prost;

use crate::columns::ImageColumns;
use crate::tiles::FRAME;

/// A decoder, from a tile that is not gzipped into columns that are reused; `None` where it
/// refuses the tile.
pub type Rival = fn(&[u8], &mut ImageColumns) -> Option<()>;

/// The rivals by name.
pub const RIVALS: [(&str, Rival); 4] = [
    ("fast-mvt, careful", careful_fast_mvt),
    ("fast-mvt, plain", plain_fast_mvt),
    ("prost", plain_prost),
    ("mvt-reader", plain_mvt_reader),
];

/// Grid units of a tile unit of extent 4096 at zoom 14, for rivals leave that to their user.
fn grid(origin: u32, position: i32) -> u32 {
    origin.wrapping_add_signed(position << 6)
}

impl ImageColumns {
    fn push_position(&mut self, x: i32, y: i32) {
        self.x.push(grid(FRAME.origin_x, x));
        self.y.push(grid(FRAME.origin_y, y));
    }
}
