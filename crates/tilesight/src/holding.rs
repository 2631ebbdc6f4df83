//! What is not held of many places together (rule 10: never silently short).

use tilesight_query::{
    Error as QueryError, ImageQuery, NotHeld, Place, Tileset, schema::DATA_ZOOM,
};
use tilesight_tile::{Bbox, GridPoint, TileId, TileRows};

use crate::{Dataset, Error};

/// Sums up the tiles of images that places touch and that are not held; none where all are.
///
/// The tiles are asked for one by one, which is for when some are known to be missing.
pub(crate) fn not_held(
    data: &Dataset,
    covers: impl Iterator<Item = TileRows>,
) -> Result<Option<NotHeld>, Error> {
    let tiles = covers.flat_map(|cover| cover.iter().collect::<Vec<_>>());
    let wanted = TileRows::from_tiles(DATA_ZOOM, tiles);
    let mut missing = Vec::new();
    let mut failed = 0;
    for tile in wanted.iter() {
        let query = ImageQuery {
            place: Place::Bbox(middle_of(tile)?),
            ..ImageQuery::default()
        };
        match data.count_images(&query) {
            Ok(_) => {}
            Err(QueryError::NotHeld(of_tile)) => {
                failed += of_tile.failed;
                missing.push(tile);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let Some(&example) = missing.first() else {
        return Ok(None);
    };
    Ok(Some(NotHeld {
        tileset: Tileset::Images,
        missing: missing.len() as u64,
        failed,
        wanted: wanted.count(),
        example,
        bounds: around(&missing)?,
    }))
}

/// A box of a single position.
fn middle_of(tile: TileId) -> Result<Bbox, Error> {
    let bounds = tile.grid_box();
    let middle = GridPoint {
        x: bounds.min_x + (bounds.max_x - bounds.min_x) / 2,
        y: bounds.min_y + (bounds.max_y - bounds.min_y) / 2,
    };
    let position = middle.to_lon_lat();
    let (lon, lat) = (position.lon(), position.lat());
    Ok(Bbox::from_degrees(lon, lat, lon, lat)?)
}

/// A box that touches tiles and, where they lie in one, no others.
fn around(tiles: &[TileId]) -> Result<Bbox, Error> {
    let boxes = || tiles.iter().map(|tile| tile.grid_box());
    let corner = |x, y| GridPoint { x, y }.to_lon_lat();
    let least = |values: &mut dyn Iterator<Item = u32>| values.min().unwrap_or_default();
    let greatest = |values: &mut dyn Iterator<Item = u32>| values.max().unwrap_or_default();
    let northwest = corner(
        least(&mut boxes().map(|b| b.min_x)),
        least(&mut boxes().map(|b| b.min_y)),
    );
    let southeast = corner(
        greatest(&mut boxes().map(|b| b.max_x)),
        greatest(&mut boxes().map(|b| b.max_y)),
    );
    Ok(Bbox::from_degrees(
        northwest.lon(),
        southeast.lat(),
        southeast.lon(),
        northwest.lat(),
    )?)
}
