//! What a dataset holds, in figures.

use tilesight_tile::{GridBox, GridPoint};

use crate::build::FailedTile;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::images::flag;
use crate::query::Kind;
use crate::schema::Tileset;
use crate::storage::Columns;

/// What a dataset holds, in figures.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Info {
    /// Images, each once.
    pub images: u64,
    /// Of these, panoramas.
    pub panoramas: u64,
    /// Of these, flat images.
    pub flat_images: u64,
    /// Images whose ids were rounded on their way.
    pub inexact_ids: u64,
    /// First known capture time in milliseconds since 1970, UTC.
    pub first_captured_at_ms: Option<i64>,
    /// Last known capture time in milliseconds since 1970, UTC.
    pub last_captured_at_ms: Option<i64>,
    /// Images without a known capture time.
    pub undated_images: u64,
    /// Sequences of which an image or a line is held.
    pub sequences: u64,
    /// Sum of their lines in metres.
    pub length_m: f64,
    /// Distinct organizations.
    pub organizations: u64,
    /// Distinct creators.
    pub creators: u64,
    /// Objects.
    pub points: u64,
    /// Traffic signs.
    pub traffic_signs: u64,
    /// Points of the `overview` layer, which are counted and not kept.
    pub overview_points: u64,
    /// West, south, east, north of the images in degrees; none without images.
    pub bounds: Option<[f64; 4]>,
    /// The tilesets of which there is anything.
    pub tilesets: Vec<TilesetInfo>,
}

/// What is held of a tileset.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TilesetInfo {
    /// Which.
    pub tileset: Tileset,
    /// Tiles of zoom 14 held.
    pub tiles: u64,
    /// Their area on the globe in square metres.
    pub area_m2: f64,
    /// Tiles that are there and could not be read.
    pub failed: Vec<FailedTile>,
}

impl Dataset {
    /// Sums up what the dataset holds.
    ///
    /// O(n) in the images and sequences.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when the dataset lies in a file that is not as it was written.
    pub fn info(&self) -> Result<Info, Error> {
        let columns = self.images.table.touch_all()?;
        self.images.touch_names()?;
        let features = self.features.table.touch_all()?;
        self.sequences.touch_all()?;
        let with = |wanted: u8| columns.flags.iter().filter(|&&f| f & wanted != 0).count() as u64;
        let times = || (0..columns.len()).filter_map(|row| columns.captured_at_ms(row));
        let signs = features
            .flags
            .iter()
            .filter(|&&flags| flags & flag::SIGN != 0)
            .count();
        Ok(Info {
            images: columns.len() as u64,
            panoramas: with(crate::images::flag_of(Some(Kind::Pano))),
            flat_images: with(crate::images::flag_of(Some(Kind::Flat))),
            inexact_ids: with(flag::INEXACT_ID),
            first_captured_at_ms: times().min(),
            last_captured_at_ms: times().max(),
            undated_images: (columns.len() - times().count()) as u64,
            sequences: self.sequences.len() as u64,
            length_m: self.sequences.length_m(),
            organizations: self.images.organization_ids.len() as u64,
            creators: self.images.creator_ids.len() as u64,
            points: (features.len() - signs) as u64,
            traffic_signs: signs as u64,
            overview_points: self.overview_points,
            bounds: self
                .images
                .tree
                .total_bounds()?
                .map(|bounds| degrees_of(&bounds)),
            tilesets: self.tilesets(),
        })
    }

    /// What is held of each tileset of which there is anything.
    pub fn tilesets(&self) -> Vec<TilesetInfo> {
        let each = Tileset::ALL.into_iter();
        each.filter_map(|tileset| self.tileset_info(tileset))
            .collect()
    }

    fn tileset_info(&self, tileset: Tileset) -> Option<TilesetInfo> {
        let held = self.coverage.held(tileset)?;
        Some(TilesetInfo {
            tileset,
            tiles: held.tiles().count(),
            area_m2: held.tiles().area_m2(),
            failed: held.failed.clone(),
        })
    }
}

fn degrees_of(bounds: &GridBox) -> [f64; 4] {
    let northwest = GridPoint {
        x: bounds.min_x,
        y: bounds.min_y,
    }
    .to_lon_lat();
    let southeast = GridPoint {
        x: bounds.max_x,
        y: bounds.max_y,
    }
    .to_lon_lat();
    [
        northwest.lon(),
        southeast.lat(),
        southeast.lon(),
        northwest.lat(),
    ]
}
