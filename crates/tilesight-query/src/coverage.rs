//! Which tiles a dataset holds, and what of a place it lacks (rule 10: never silently short).

use tilesight_tile::{
    Bbox, CoverError, GridBox, GridPoint, TileId, TileRows, cover_bbox, cover_circle, cover_region,
};

use crate::answer::Answer;
use crate::build::FailedTile;
use crate::error::{Error, NotHeld};
use crate::index::Target;
use crate::place::PreparedPlace;
use crate::schema::{DATA_ZOOM, SEQUENCE_MIN_ZOOM, Tileset};

/// Places are covered whatever their size: rows of tiles are intervals, not lists.
const ANY_NUMBER: u64 = u64::MAX;

/// What must be held to answer a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Tiles of a tileset at zoom 14.
    Rows(Tileset),
    /// Tiles that hold sequence lines, at any zoom.
    Sequences,
}

impl Need {
    const fn tileset(self) -> Tileset {
        match self {
            Self::Rows(tileset) => tileset,
            Self::Sequences => Tileset::Images,
        }
    }
}

/// The tiles held, by tileset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coverage {
    images: Option<Held>,
    points: Option<Held>,
    traffic_signs: Option<Held>,
}

/// The tiles of one tileset that are held.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// At zoom 14.
    pub(crate) tiles: TileRows,
    /// At zoom 14, where a tile of any zoom holds sequence lines.
    sequences: TileRows,
    pub(crate) failed: Vec<FailedTile>,
    failed_tiles: TileRows,
}

impl Held {
    pub(crate) fn new(tiles: &[TileId], bounds: &[Bbox], failed: Vec<FailedTile>) -> Self {
        let at_data_zoom = |tile: &TileId| tile.z() == DATA_ZOOM;
        let failed_tiles = failed.iter().map(|failed| failed.tile).filter(at_data_zoom);
        let failed_tiles = TileRows::from_tiles(DATA_ZOOM, failed_tiles);
        let listed = tiles.iter().copied().filter(at_data_zoom);
        let declared = bounds
            .iter()
            .filter_map(|bbox| cover_bbox(DATA_ZOOM, bbox, ANY_NUMBER).ok());
        let tiles_held = declared
            .fold(TileRows::from_tiles(DATA_ZOOM, listed), |held, rows| {
                held.union(&rows)
            })
            .difference(&failed_tiles);
        let shallow = tiles
            .iter()
            .filter(|tile| (SEQUENCE_MIN_ZOOM..DATA_ZOOM).contains(&tile.z()))
            .filter(|tile| !failed.iter().any(|failed| failed.tile == **tile))
            .map(|tile| TileRows::from_grid_box(DATA_ZOOM, &tile.grid_box()));
        let sequences = union_all(std::iter::once(tiles_held.clone()).chain(shallow).collect());
        Self {
            tiles: tiles_held,
            sequences,
            failed,
            failed_tiles,
        }
    }

    fn rows(&self, need: Need) -> &TileRows {
        match need {
            Need::Rows(_) => &self.tiles,
            Need::Sequences => &self.sequences,
        }
    }
}

/// Joins sets two by two, so that each tile is copied a logarithmic number of times.
fn union_all(mut sets: Vec<TileRows>) -> TileRows {
    while sets.len() > 1 {
        let pairs = sets.chunks(2);
        sets = pairs
            .map(|pair| pair[1..].iter().fold(pair[0].clone(), |a, b| a.union(b)))
            .collect();
    }
    sets.pop()
        .unwrap_or_else(|| TileRows::from_tiles(DATA_ZOOM, []))
}

impl Coverage {
    pub(crate) fn set(&mut self, tileset: Tileset, held: Held) {
        let place = match tileset {
            Tileset::Images => &mut self.images,
            Tileset::Points => &mut self.points,
            Tileset::TrafficSigns => &mut self.traffic_signs,
        };
        *place = Some(held);
    }

    /// What is held of a tileset; nothing where the source has no such tiles.
    pub(crate) fn held(&self, tileset: Tileset) -> Option<&Held> {
        match tileset {
            Tileset::Images => self.images.as_ref(),
            Tileset::Points => self.points.as_ref(),
            Tileset::TrafficSigns => self.traffic_signs.as_ref(),
        }
    }

    /// Tells whether nothing can be missing between two positions: whether every tile of the box
    /// around them is held.
    pub(crate) fn holds_between(&self, a: GridPoint, b: GridPoint) -> bool {
        let bounds = GridBox {
            min_x: a.x.min(b.x),
            min_y: a.y.min(b.y),
            max_x: a.x.max(b.x),
            max_y: a.y.max(b.y),
        };
        let is_short_way_round = bounds.max_x - bounds.min_x < 1 << 31;
        is_short_way_round
            && self
                .images
                .as_ref()
                .is_some_and(|held| held.tiles.holds_box(&bounds))
    }

    /// What is not held of a place; of the nearest rows nothing can be said beforehand.
    ///
    /// # Errors
    ///
    /// [`Error::NoTileset`] when everything is asked for and the source has no tile of the kind.
    pub(crate) fn missing(
        &self,
        need: Need,
        place: &PreparedPlace<'_>,
    ) -> Result<Option<NotHeld>, Error> {
        Ok(match place {
            PreparedPlace::Everywhere => return self.missing_of_everything(need),
            PreparedPlace::Bbox { bbox, shape } => self.missing_of(need, shape.boxes(), || {
                (cover_bbox(DATA_ZOOM, bbox, ANY_NUMBER), **bbox)
            }),
            PreparedPlace::Region { region, shape } => {
                let boxes = shape.0.bounds();
                self.missing_of(need, boxes, || {
                    (cover_region(DATA_ZOOM, region, ANY_NUMBER), around(boxes))
                })
            }
            PreparedPlace::Circle {
                target, radius_m, ..
            } => self.missing_of_circle(need, target, *radius_m),
            PreparedPlace::Nearest { .. } => None,
        })
    }

    /// What is not held of the circle through the last of the nearest rows, or of the greatest
    /// one there could be when there are fewer than asked for.
    pub(crate) fn missing_of_nearest(
        &self,
        need: Need,
        place: &PreparedPlace<'_>,
        answer: &Answer,
    ) -> Option<NotHeld> {
        let PreparedPlace::Nearest {
            target,
            k,
            radius_m,
        } = place
        else {
            return None;
        };
        let reach = match answer.farthest_m() {
            _ if *k == 0 => return None,
            Some(farthest_m) if answer.len() == *k => farthest_m,
            _ => *radius_m,
        };
        self.missing_of_circle(need, target, reach)
    }

    fn missing_of_circle(&self, need: Need, target: &Target, radius_m: f64) -> Option<NotHeld> {
        let boxes = target.boxes_around(radius_m);
        self.missing_of(need, &boxes, || {
            let cover = cover_circle(DATA_ZOOM, target.position(), radius_m, ANY_NUMBER);
            (cover, around(&boxes))
        })
    }

    /// Asks for the boxes first, which is cheap and nearly always enough, and only then for the
    /// tiles that the place really touches.
    fn missing_of(
        &self,
        need: Need,
        boxes: &[GridBox],
        cover: impl FnOnce() -> (Result<TileRows, CoverError>, Bbox),
    ) -> Option<NotHeld> {
        let held = self.held(need.tileset());
        if held.is_some_and(|held| boxes.iter().all(|b| held.rows(need).holds_box(b))) {
            return None;
        }
        let (wanted, bounds) = cover();
        let wanted = wanted.ok()?;
        let missing = match held {
            Some(held) => wanted.difference(held.rows(need)),
            None => wanted.clone(),
        };
        Some(NotHeld {
            tileset: need.tileset(),
            missing: missing.count(),
            failed: held.map_or(0, |held| common(&missing, &held.failed_tiles)),
            wanted: wanted.count(),
            example: missing.iter().next()?,
            bounds,
        })
    }

    fn missing_of_everything(&self, need: Need) -> Result<Option<NotHeld>, Error> {
        let tileset = need.tileset();
        let held = self.held(tileset).ok_or(Error::NoTileset(tileset))?;
        let failed = held.failed_tiles.count();
        Ok(held.failed_tiles.iter().next().map(|example| NotHeld {
            tileset,
            missing: failed,
            failed,
            wanted: held.tiles.count() + failed,
            example,
            bounds: around(
                &held
                    .failed_tiles
                    .iter()
                    .map(TileId::grid_box)
                    .collect::<Vec<_>>(),
            ),
        }))
    }
}

/// How many tiles two sets share.
fn common(a: &TileRows, b: &TileRows) -> u64 {
    a.count() - a.difference(b).count()
}

/// A box in degrees around boxes of the grid, rounded outwards to five decimals. Two boxes of
/// which one begins and the other ends at the antimeridian are taken as one across it.
fn around(boxes: &[GridBox]) -> Bbox {
    let corner = |x, y| GridPoint { x, y }.to_lon_lat();
    let min = |edge: fn(&GridBox) -> u32| boxes.iter().map(edge).min().unwrap_or(0);
    let max = |edge: fn(&GridBox) -> u32| boxes.iter().map(edge).max().unwrap_or(u32::MAX);
    let northwest = corner(min(|b| b.min_x), min(|b| b.min_y));
    let southeast = corner(max(|b| b.max_x), max(|b| b.max_y));
    let (mut west, mut east) = (northwest.lon(), southeast.lon());
    if let [a, b] = boxes
        && a.min_x.min(b.min_x) == 0
        && a.max_x.max(b.max_x) == u32::MAX
    {
        west = corner(a.min_x.max(b.min_x), 0).lon();
        east = corner(a.max_x.min(b.max_x), 0).lon();
    }
    let floor = |degrees: f64| (degrees * 1e5).floor() / 1e5;
    let ceil = |degrees: f64| (degrees * 1e5).ceil() / 1e5;
    let (west, east) = (floor(west).max(-180.0), ceil(east).min(180.0));
    Bbox::from_degrees(west, floor(southeast.lat()), east, ceil(northwest.lat()))
        .unwrap_or(Bbox::WORLD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Place;
    use tilesight_tile::LonLat;

    fn tile(z: u8, x: u32, y: u32) -> TileId {
        TileId::new(z, x, y).unwrap()
    }

    fn holding(tiles: &[TileId], failed: &[TileId]) -> Coverage {
        let failed = failed
            .iter()
            .map(|&tile| FailedTile {
                tile,
                reason: "cut".into(),
            })
            .collect();
        let mut coverage = Coverage::default();
        coverage.set(Tileset::Images, Held::new(tiles, &[], failed));
        coverage
    }

    fn ask(coverage: &Coverage, need: Need, place: &Place) -> Result<Option<NotHeld>, Error> {
        coverage.missing(need, &PreparedPlace::new(place)?)
    }

    const IMAGES: Need = Need::Rows(Tileset::Images);

    /// A circle around the centre of 14/9326/4742 that reaches `radius_m` metres.
    fn near(radius_m: f64) -> Place {
        let b = tile(14, 9326, 4742).grid_box();
        let centre = GridPoint {
            x: b.min_x + (1 << 17),
            y: b.min_y + (1 << 17),
        };
        Place::Near {
            target: centre.to_lon_lat(),
            radius_m,
        }
    }

    #[test]
    fn a_place_within_the_tiles_held_lacks_nothing() {
        let coverage = holding(&[tile(14, 9326, 4742)], &[]);
        assert_eq!(ask(&coverage, IMAGES, &near(100.0)), Ok(None));
    }

    #[test]
    fn a_place_beyond_them_lacks_the_neighbours() {
        let coverage = holding(&[tile(14, 9326, 4742)], &[]);
        let missing = ask(&coverage, IMAGES, &near(700.0)).unwrap().unwrap();
        assert_eq!((missing.missing, missing.wanted, missing.failed), (4, 5, 0));
        assert_eq!(missing.example, tile(14, 9326, 4741));
        let text = missing.to_string();
        assert!(
            text.contains("4 of the 5 tiles") && text.contains("tilesight fetch --bbox"),
            "{text}"
        );
    }

    #[test]
    fn a_failed_tile_is_missing_even_from_everything() {
        let failed = tile(14, 9326, 4742);
        let coverage = holding(&[tile(14, 9325, 4742), failed], &[failed]);
        let missing = ask(&coverage, IMAGES, &Place::Everywhere).unwrap().unwrap();
        assert_eq!((missing.missing, missing.failed, missing.wanted), (1, 1, 2));
        let missing = ask(&coverage, IMAGES, &near(1.0)).unwrap().unwrap();
        assert_eq!((missing.missing, missing.failed), (1, 1));
    }

    #[test]
    fn lines_may_come_from_shallower_tiles() {
        let coverage = holding(&[tile(10, 9326 >> 4, 4742 >> 4)], &[]);
        assert!(ask(&coverage, IMAGES, &near(1.0)).unwrap().is_some());
        assert_eq!(ask(&coverage, Need::Sequences, &near(1.0)), Ok(None));
    }

    #[test]
    fn a_tileset_that_is_not_there_lacks_everything() {
        let coverage = holding(&[tile(14, 9326, 4742)], &[]);
        let need = Need::Rows(Tileset::TrafficSigns);
        assert!(ask(&coverage, need, &near(1.0)).unwrap().is_some());
        let error = ask(&coverage, need, &Place::Everywhere);
        assert_eq!(error, Err(Error::NoTileset(Tileset::TrafficSigns)));
    }

    #[test]
    fn boxes_across_the_antimeridian_stay_one() {
        let fiji = Bbox::from_degrees(170.0, -20.0, -170.0, -10.0).unwrap();
        let boxes: Vec<_> = fiji.grid_boxes().collect();
        let around = around(&boxes);
        assert!((around.west() - 170.0).abs() < 1e-4 && (around.east() + 170.0).abs() < 1e-4);
        let coverage = holding(&[], &[]);
        let target = LonLat::new(180.0, 0.0).unwrap();
        let missing = ask(
            &coverage,
            IMAGES,
            &Place::Near {
                target,
                radius_m: 10.0,
            },
        );
        assert_eq!(missing.unwrap().unwrap().wanted, 4);
    }
}
