//! Which tiles a dataset holds, and what of a place it lacks (rule 10: never silently short).

use std::f64::consts::PI;

use hashbrown::HashSet;
use tilesight_tile::{
    Bbox, CoverError, EARTH_RADIUS_M, GridBox, GridPoint, Region, TileId, TileRows, cover_bbox,
    cover_circle, cover_region,
};

use crate::answer::Answer;
use crate::build::FailedTile;
use crate::error::{Error, NotHeld};
use crate::index::Target;
use crate::place::{BoxShape, PreparedPlace, RegionShape};
use crate::schema::{DATA_ZOOM, SEQUENCE_MIN_ZOOM, Tileset};

/// Places are covered whatever their size: rows of tiles are intervals, not lists.
const ANY_NUMBER: u64 = u64::MAX;

/// Half the circumference of the Earth: nothing is farther from anywhere.
const FARTHEST_M: f64 = PI * EARTH_RADIUS_M;

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

    /// The shallowest zoom of a tile that will do.
    const fn min_zoom(self) -> u8 {
        match self {
            Self::Rows(_) => DATA_ZOOM,
            Self::Sequences => SEQUENCE_MIN_ZOOM,
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
    rows: RowsFromZoom,
    pub(crate) failed: Vec<FailedTile>,
    failed_rows: RowsFromZoom,
}

impl Held {
    pub(crate) fn new(tiles: &[TileId], bounds: &[Bbox], failed: Vec<FailedTile>) -> Self {
        let failed_tiles: Vec<TileId> = failed.iter().map(|failed| failed.tile).collect();
        let failed_rows = RowsFromZoom::new(at_data_zoom(&failed_tiles), &failed_tiles);
        let declared = bounds
            .iter()
            .filter_map(|bbox| cover_bbox(DATA_ZOOM, bbox, ANY_NUMBER).ok());
        let at_data_zoom = declared
            .fold(at_data_zoom(tiles), |held, rows| held.union(&rows))
            .difference(failed_rows.get(DATA_ZOOM));
        let mut shallower = tiles.to_vec();
        let failed_set: HashSet<TileId> = failed_tiles.iter().copied().collect();
        shallower.retain(|tile| tile.z() < DATA_ZOOM && !failed_set.contains(tile));
        Self {
            rows: RowsFromZoom::new(at_data_zoom, &shallower),
            failed,
            failed_rows,
        }
    }

    /// The tiles at zoom 14.
    pub(crate) fn tiles(&self) -> &TileRows {
        self.rows.get(DATA_ZOOM)
    }
}

/// Where there are tiles of a zoom or of a deeper one, told in tiles of zoom 14: first of that
/// zoom, last of the shallowest that holds sequence lines.
#[derive(Debug, Clone)]
struct RowsFromZoom(Vec<TileRows>);

impl RowsFromZoom {
    fn new(at_data_zoom: TileRows, tiles: &[TileId]) -> Self {
        let mut rows = vec![at_data_zoom];
        for z in (SEQUENCE_MIN_ZOOM..DATA_ZOOM).rev() {
            let deeper = rows[rows.len() - 1].clone();
            let of_zoom = tiles
                .iter()
                .filter(|tile| tile.z() == z)
                .map(|tile| TileRows::from_grid_box(DATA_ZOOM, &tile.grid_box()));
            rows.push(union_all(std::iter::once(deeper).chain(of_zoom).collect()));
        }
        Self(rows)
    }

    fn get(&self, min_zoom: u8) -> &TileRows {
        &self.0[usize::from(DATA_ZOOM - min_zoom)]
    }
}

fn at_data_zoom(tiles: &[TileId]) -> TileRows {
    let listed = tiles.iter().copied().filter(|tile| tile.z() == DATA_ZOOM);
    TileRows::from_tiles(DATA_ZOOM, listed)
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
    /// around them is held, at a zoom that holds lines from `min_zoom` on.
    pub(crate) fn holds_between(&self, min_zoom: u8, a: GridPoint, b: GridPoint) -> bool {
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
                .is_some_and(|held| held.rows.get(min_zoom).holds_box(&bounds))
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
            PreparedPlace::Bbox { bbox, shape } => self.missing_of_bbox(need, bbox, shape),
            PreparedPlace::Region { region, shape } => self.missing_of_region(need, region, shape),
            PreparedPlace::Circle { circle, .. } => {
                self.missing_of_circle(need, circle.target(), circle.radius_m(), circle.around())
            }
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
        if *k == 0 {
            return None;
        }
        let is_full = answer.len() == *k;
        let around = |reach_m| BoxShape::of(target.boxes_around(reach_m));
        // A little farther than the last, which needs no trigonometry, is mostly held too.
        if let (true, Some(at_most_m)) = (is_full, answer.farthest_at_most_m())
            && self.holds(need, around(at_most_m).boxes())
        {
            return None;
        }
        let reach = match answer.farthest_m() {
            Some(farthest_m) if is_full => farthest_m,
            _ => *radius_m,
        };
        self.missing_of_circle(need, target, reach, around(reach).boxes())
    }

    fn missing_of_bbox(&self, need: Need, bbox: &Bbox, shape: &BoxShape) -> Option<NotHeld> {
        if need == Need::Sequences && shape.boxes().is_empty() {
            // Lines meet a box that lies between the positions of the grid.
            let around = BoxShape::around(bbox);
            let tiles_of = |b| TileRows::from_grid_box(DATA_ZOOM, b);
            let tiles = || union_all(around.boxes().iter().map(tiles_of).collect());
            return self.missing_of(need, around.boxes(), || (Ok(tiles()), *bbox));
        }
        self.missing_of(need, shape.boxes(), || {
            (cover_bbox(DATA_ZOOM, bbox, ANY_NUMBER), *bbox)
        })
    }

    fn missing_of_region(
        &self,
        need: Need,
        region: &Region,
        shape: &RegionShape,
    ) -> Option<NotHeld> {
        let boxes = shape.region().bounds();
        // Lines meet a region between the positions of the grid too, outside of its boxes.
        let enough = match need {
            Need::Rows(_) => boxes,
            Need::Sequences => &[GridBox::WORLD],
        };
        self.missing_of(need, enough, || {
            let cover = cover_region(DATA_ZOOM, region, ANY_NUMBER);
            let bounds = match &cover {
                Ok(tiles) if boxes.is_empty() => around(&boxes_of(tiles)),
                _ => around(boxes),
            };
            (cover, bounds)
        })
    }

    /// `boxes` are around the circle.
    fn missing_of_circle(
        &self,
        need: Need,
        target: &Target,
        radius_m: f64,
        boxes: &[GridBox],
    ) -> Option<NotHeld> {
        self.missing_of(need, boxes, || {
            // Without a limit, or with too few rows near, it is the world.
            let cover = if radius_m < FARTHEST_M {
                cover_circle(DATA_ZOOM, target.position(), radius_m, ANY_NUMBER)
            } else {
                Ok(TileRows::from_grid_box(DATA_ZOOM, &GridBox::WORLD))
            };
            (cover, around(boxes))
        })
    }

    /// Tells whether all tiles that some boxes touch are held.
    fn holds(&self, need: Need, boxes: &[GridBox]) -> bool {
        self.held(need.tileset()).is_some_and(|held| {
            let rows = held.rows.get(need.min_zoom());
            boxes.iter().all(|b| rows.holds_box(b))
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
        if self.holds(need, boxes) {
            return None;
        }
        let held = self.held(need.tileset());
        let rows = held.map(|held| held.rows.get(need.min_zoom()));
        let (wanted, bounds) = cover();
        let wanted = wanted.ok()?;
        let missing = match rows {
            Some(rows) => wanted.difference(rows),
            None => wanted.clone(),
        };
        let failed = held.map(|held| held.failed_rows.get(need.min_zoom()));
        Some(NotHeld {
            tileset: need.tileset(),
            missing: missing.count(),
            failed: failed.map_or(0, |failed| common(&missing, failed)),
            wanted: wanted.count(),
            example: missing.iter().next()?,
            bounds,
        })
    }

    fn missing_of_everything(&self, need: Need) -> Result<Option<NotHeld>, Error> {
        let tileset = need.tileset();
        let held = self.held(tileset).ok_or(Error::NoTileset(tileset))?;
        let rows = held.rows.get(need.min_zoom());
        let missing = held.failed_rows.get(need.min_zoom()).difference(rows);
        let Some(example) = missing.iter().next() else {
            let is_any = !rows.is_empty();
            return is_any.then_some(None).ok_or(Error::NoTileset(tileset));
        };
        Ok(Some(NotHeld {
            tileset,
            missing: missing.count(),
            failed: missing.count(),
            wanted: rows.count() + missing.count(),
            example,
            bounds: around(&boxes_of(&missing)),
        }))
    }
}

/// Coverage as a file keeps it: numbers of 32 and 64 bits, lists after their lengths.
impl Coverage {
    /// Writes down what is held, and how many overview points were counted.
    pub(crate) fn to_bytes(&self, overview_points: u64) -> Vec<u8> {
        let mut bytes = overview_points.to_le_bytes().to_vec();
        for tileset in Tileset::ALL {
            let held = self.held(tileset);
            bytes.push(u8::from(held.is_some()));
            if let Some(held) = held {
                held.rows.write(&mut bytes);
                held.failed_rows.write(&mut bytes);
                write_failed(&held.failed, &mut bytes);
            }
        }
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; nothing where it did not.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<(Self, u64)> {
        let mut bytes = Bytes(bytes);
        let overview_points = u64::from_le_bytes(bytes.take()?);
        let mut coverage = Self::default();
        for tileset in Tileset::ALL {
            if bytes.take::<1>()? != [0] {
                let rows = RowsFromZoom::read(&mut bytes)?;
                let failed_rows = RowsFromZoom::read(&mut bytes)?;
                let failed = read_failed(&mut bytes)?;
                coverage.set(
                    tileset,
                    Held {
                        rows,
                        failed,
                        failed_rows,
                    },
                );
            }
        }
        bytes.0.is_empty().then_some((coverage, overview_points))
    }
}

/// Stands for as many spans as a list cannot have: the tiles are those of the list before.
const SAME_AS_BEFORE: u32 = u32::MAX;

impl RowsFromZoom {
    fn write(&self, bytes: &mut Vec<u8>) {
        let mut before = None;
        for rows in &self.0 {
            if before == Some(rows) {
                put(bytes, SAME_AS_BEFORE);
            } else {
                put(bytes, rows.spans().count() as u32);
                rows.spans().flatten().for_each(|number| put(bytes, number));
            }
            before = Some(rows);
        }
    }

    fn read(bytes: &mut Bytes<'_>) -> Option<Self> {
        let mut all: Vec<TileRows> = Vec::new();
        for _ in SEQUENCE_MIN_ZOOM..=DATA_ZOOM {
            let rows = match bytes.number()? {
                SAME_AS_BEFORE => all.last()?.clone(),
                count => {
                    let mut spans = Vec::new();
                    for _ in 0..count {
                        spans.push([bytes.number()?, bytes.number()?, bytes.number()?]);
                    }
                    TileRows::from_checked_spans(DATA_ZOOM, &spans)?
                }
            };
            all.push(rows);
        }
        Some(Self(all))
    }
}

fn write_failed(failed: &[FailedTile], bytes: &mut Vec<u8>) {
    put(bytes, failed.len() as u32);
    for FailedTile { tile, reason } in failed {
        for number in [u32::from(tile.z()), tile.x(), tile.y(), reason.len() as u32] {
            put(bytes, number);
        }
        bytes.extend_from_slice(reason.as_bytes());
    }
}

fn read_failed(bytes: &mut Bytes<'_>) -> Option<Vec<FailedTile>> {
    let mut failed = Vec::new();
    for _ in 0..bytes.number()? {
        let [z, x, y, len] = [
            bytes.number()?,
            bytes.number()?,
            bytes.number()?,
            bytes.number()?,
        ];
        let tile = TileId::new(u8::try_from(z).ok()?, x, y).ok()?;
        let reason = String::from_utf8(bytes.text(len as usize)?.to_vec()).ok()?;
        failed.push(FailedTile { tile, reason });
    }
    Some(failed)
}

fn put(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

/// Bytes that are being read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn text(&mut self, len: usize) -> Option<&'a [u8]> {
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(text)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.text(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
}

fn boxes_of(tiles: &TileRows) -> Vec<GridBox> {
    tiles.iter().map(TileId::grid_box).collect()
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

    #[test]
    fn too_few_nearest_reach_around_the_world() {
        let coverage = holding(&[tile(14, 9326, 4742)], &[]);
        let target = LonLat::new(24.94, 60.17).unwrap();
        let place = Place::Nearest {
            target,
            k: 5,
            radius_m: None,
        };
        let place = PreparedPlace::new(&place).unwrap();
        let missing = coverage.missing_of_nearest(IMAGES, &place, &Answer::Hits(vec![]));
        assert_eq!(missing.unwrap().missing, (1 << 28) - 1);
        let missing = ask(&coverage, IMAGES, &near(f64::INFINITY)).unwrap();
        assert_eq!(missing.unwrap().wanted, 1 << 28);
    }

    #[test]
    fn a_gate_thinner_than_the_grid_lies_on_a_tile() {
        let coverage = holding(&[tile(14, 9326, 4742)], &[]);
        let gate = |lon| {
            let line = vec![[lon, 60.169], [lon, 60.17], [lon, 60.171], [lon, 60.169]];
            let region = tilesight_tile::Region::from_polygons(&[vec![line]]).unwrap();
            let bbox = Bbox::from_degrees(lon, 60.169, lon, 60.171).unwrap();
            [Place::Bbox(bbox), Place::Region(region)]
        };
        for place in gate(24.930_000_001) {
            assert_eq!(ask(&coverage, Need::Sequences, &place), Ok(None));
        }
        for place in gate(25.000_000_001) {
            let missing = ask(&coverage, Need::Sequences, &place).unwrap().unwrap();
            assert_eq!(missing.missing, 1);
        }
    }

    #[test]
    fn shallower_tiles_fail_too() {
        let (failed, held) = (tile(10, 582, 296), tile(10, 583, 296));
        let coverage = holding(&[failed, held], &[failed]);
        let missing = ask(&coverage, Need::Sequences, &Place::Everywhere);
        let missing = missing.unwrap().unwrap();
        assert_eq!((missing.failed, missing.wanted), (256, 512));
        let error = ask(&coverage, IMAGES, &Place::Everywhere);
        assert_eq!(error, Err(Error::NoTileset(Tileset::Images)));
    }
}
