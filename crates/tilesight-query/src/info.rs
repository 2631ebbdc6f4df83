//! What a dataset holds, in figures.

use tilesight_tile::{GridBox, GridPoint};

use crate::build::FailedTile;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::images::{UNKNOWN_MS, flag};
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

/// What is said of images.
#[derive(Default)]
struct ImageFigures {
    flat: u64,
    panoramas: u64,
    undated: u64,
    inexact_ids: u64,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
}

impl Dataset {
    /// Sums up what the dataset holds.
    ///
    /// O(n) in the sequences and map features; images are read only where some have rounded ids
    /// or no known capture time.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when the dataset lies in a file that is not as it was written.
    pub fn info(&self) -> Result<Info, Error> {
        let images = self.image_figures()?;
        let features = self.features.table.touch_all()?;
        self.sequences.touch_all()?;
        let signs = features
            .flags
            .iter()
            .filter(|&&flags| flags & flag::SIGN != 0)
            .count();
        Ok(Info {
            images: self.len(),
            panoramas: images.panoramas,
            flat_images: images.flat,
            inexact_ids: images.inexact_ids,
            first_captured_at_ms: images.first_ms,
            last_captured_at_ms: images.last_ms,
            undated_images: images.undated,
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

    /// Sums up the images, without reading them where tallies and the top of the tree tell.
    fn image_figures(&self) -> Result<ImageFigures, Error> {
        let tallies = &self.images.tallies;
        let blocks = 0..tallies.blocks();
        let (flat, panoramas) = tallies.kinds(&blocks)?;
        let undated = tallies.undated(&blocks)?;
        let mut figures = ImageFigures {
            flat,
            panoramas,
            undated,
            ..ImageFigures::default()
        };
        let Some(total) = self.images.tree.total_summary()? else {
            return Ok(figures);
        };
        let known = |ms: i64| (ms != UNKNOWN_MS).then_some(ms);
        figures.first_ms = known(total.earliest_ms);
        figures.last_ms = known(total.latest_ms);
        if undated > 0 {
            let columns = self.images.table.touch_all()?;
            let times = (0..columns.len()).filter_map(|row| columns.captured_at_ms(row));
            figures.first_ms = times.min();
        }
        if total.any_flags & flag::INEXACT_ID != 0 {
            let flags = &self.images.table.touch_all()?.flags;
            let inexact = flags.iter().filter(|&&f| f & flag::INEXACT_ID != 0);
            figures.inexact_ids = inexact.count() as u64;
        }
        Ok(figures)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::made;
    use crate::query::{ImageQuery, Kind};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn figures_are_those_of_the_images(
            images in 0..5000usize, years in prop_oneof![1..60i64, 1..8030i64], seed: u64,
        ) {
            let data = made::dataset(images, years, seed);
            let info = data.info().unwrap();
            let all = data.images(&ImageQuery::default()).unwrap();
            let of_kind = |kind| all.kinds().filter(|&other| other == Some(kind)).count() as u64;
            prop_assert_eq!(info.flat_images, of_kind(Kind::Flat));
            prop_assert_eq!(info.panoramas, of_kind(Kind::Pano));
            let times = || all.captured_at_ms();
            prop_assert_eq!(info.first_captured_at_ms, times().flatten().min());
            prop_assert_eq!(info.last_captured_at_ms, times().flatten().max());
            prop_assert_eq!(info.undated_images, times().filter(Option::is_none).count() as u64);
            let inexact = all.iter().filter(|image| !image.id_is_exact).count();
            prop_assert_eq!(info.inexact_ids, inexact as u64);
        }
    }
}
