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

/// A box around tiles that touches no tile beside them; across the antimeridian where there are some
/// on both halves of the world and the way there is shorter.
fn around(tiles: &[TileId]) -> Result<Bbox, Error> {
    const HALF: u32 = 1 << 31;
    let boxes = || tiles.iter().map(|tile| tile.grid_box());
    // Columns counted from a meridian eastwards: the least and the greatest.
    let range_from = |meridian: u32| {
        let west = boxes().map(|b| b.min_x.wrapping_sub(meridian)).min();
        let east = boxes().map(|b| b.max_x.wrapping_sub(meridian)).max();
        [west, east].map(Option::unwrap_or_default)
    };
    let ranges = [0, HALF].map(|meridian| (range_from(meridian), meridian));
    let narrower = ranges.iter().min_by_key(|([west, east], _)| east - west);
    let [west, east] = narrower.map_or([0; 2], |(range, meridian)| {
        range.map(|x| x.wrapping_add(*meridian))
    });
    let north = boxes().map(|b| b.min_y).min().unwrap_or_default();
    let south = boxes().map(|b| b.max_y).max().unwrap_or_default();
    let northwest = GridPoint { x: west, y: north }.to_lon_lat();
    let southeast = GridPoint { x: east, y: south }.to_lon_lat();
    Ok(Bbox::from_degrees(
        northwest.lon(),
        southeast.lat(),
        southeast.lon(),
        northwest.lat(),
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tiles: &[(u32, u32)], [west, east]: [u32; 2]) {
        let tile = |x, y| TileId::new(DATA_ZOOM, x, y).unwrap();
        let tiles: Vec<TileId> = tiles.iter().map(|&(x, y)| tile(x, y)).collect();
        let bounds = around(&tiles).unwrap();
        let column = |lon: f64| ((lon + 180.0) / 360.0 * 16_384.0).floor() as u32;
        assert_eq!([column(bounds.west()), column(bounds.east())], [west, east]);
        let cover = tilesight_tile::cover_bbox(DATA_ZOOM, &bounds, 1_000).unwrap();
        assert!(tiles.iter().all(|&tile| cover.contains(tile)));
    }

    #[test]
    fn boxes_take_the_shorter_way() {
        check(&[(5, 5)], [5, 5]);
        check(&[(9_326, 4_742), (9_330, 4_740)], [9_326, 9_330]);
        check(&[(1, 8_000), (16_380, 8_001)], [16_380, 1]);
        check(&[(8_000, 8_000), (8_400, 8_000)], [8_000, 8_400]);
    }
}
