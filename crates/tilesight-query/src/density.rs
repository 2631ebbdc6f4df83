//! How many images lie where: counts by tile.

use std::ops::Range;

use hashbrown::HashMap;
use tilesight_tile::{GridBox, GridPoint, TileId};

use crate::answer::{Answer, Run};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::images::Images;
use crate::index::{FANOUT, LEAF_ROWS, bits};
use crate::query::ImageQuery;
use crate::storage::Touch;

/// How many images lie in a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileCount {
    /// The tile.
    pub tile: TileId,
    /// How many images, at least one.
    pub images: u64,
}

impl TileCount {
    /// Deepest zoom at which images are counted: tiles of some 40 metres at the equator.
    pub const MAX_ZOOM: u8 = 20;
}

impl Dataset {
    /// Counts the images that [`images`](Self::images) would find, by the tile of a zoom in which
    /// they lie.
    ///
    /// # Returns
    ///
    /// The tiles that have images, in their order (by row from the north, then by column from the
    /// west), each once.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] when `zoom` is beyond [`TileCount::MAX_ZOOM`];
    /// else as [`images`](Self::images).
    ///
    /// # Cost
    ///
    /// Where a node of the tree lies wholly within a tile, what is below is not read.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight_query::{Dataset, Image, ImageQuery};
    ///
    /// let data = Dataset::from_images([
    ///     Image::at(1, 24.94, 60.17),
    ///     Image::at(2, 24.95, 60.17),
    ///     Image::at(3, 174.76, -36.85),
    /// ])?;
    /// let tiles = data.density(3, &ImageQuery::default())?;
    /// let lines: Vec<_> = tiles.iter().map(|at| format!("{}: {}", at.tile, at.images)).collect();
    /// assert_eq!(lines, ["3/4/2: 2", "3/7/4: 1"]);
    /// # Ok::<(), tilesight_query::Error>(())
    /// ```
    pub fn density(&self, zoom: u8, query: &ImageQuery) -> Result<Vec<TileCount>, Error> {
        if zoom > TileCount::MAX_ZOOM {
            return Err(Error::OutOfRange {
                name: "zoom",
                value: f64::from(zoom),
                range: "0 to 20",
                example: "12",
            });
        }
        let mut grid = Grid {
            images: &self.images,
            zoom,
            counts: HashMap::new(),
        };
        grid.add(&self.answer(query)?.0)?;
        Ok(grid.into_counts())
    }
}

/// Counts rows by the tiles of a zoom.
struct Grid<'a> {
    images: &'a Images,
    zoom: u8,
    counts: HashMap<TileId, u64>,
}

impl Grid<'_> {
    fn add(&mut self, answer: &Answer) -> Result<(), Error> {
        let Answer::Rows(rows) = answer else {
            self.add_rows(answer.rows());
            return Ok(());
        };
        rows.runs().iter().try_for_each(|run| match *run {
            Run::Range { first, beyond } => {
                let top = self.images.tree.height() - 1;
                self.add_group(top, 0, &(first as usize..beyond as usize))
            }
            Run::Block { first, mask } => self.add_block(first, mask),
        })
    }

    /// Counts those of some rows that lie below a group of nodes.
    fn add_group(&mut self, level: usize, group: usize, rows: &Range<usize>) -> Result<(), Error> {
        let tree = &self.images.tree;
        let bounds = tree.group(level, group)?;
        for i in 0..tree.nodes_in_group(level, group) {
            let node = group * FANOUT + i;
            let entries = tree.entries(level, node);
            let below =
                rows.start.max(entries.start * LEAF_ROWS)..rows.end.min(entries.end * LEAF_ROWS);
            if below.is_empty() {
                continue;
            }
            if let Some(tile) = self.tile_around(&bounds.get(i)) {
                self.count(tile, below.len() as u64);
            } else if level == 0 {
                self.images.table.touch(below.clone())?;
                self.add_rows(below.start as u32..below.end as u32);
            } else {
                self.add_group(level - 1, node, rows)?;
            }
        }
        Ok(())
    }

    /// Counts some rows of a leaf.
    fn add_block(&mut self, first: u32, mask: u64) -> Result<(), Error> {
        let leaf = first as usize / LEAF_ROWS;
        let bounds = self.images.tree.group(0, leaf / FANOUT)?.get(leaf % FANOUT);
        match self.tile_around(&bounds) {
            Some(tile) => self.count(tile, u64::from(mask.count_ones())),
            None => self.add_rows(bits(mask).map(|bit| first + bit as u32)),
        }
        Ok(())
    }

    /// Counts rows that were touched.
    fn add_rows(&mut self, rows: impl Iterator<Item = u32>) {
        for row in rows {
            let point = self.images.columns().point(row as usize);
            self.count(TileId::containing(self.zoom, point), 1);
        }
    }

    fn count(&mut self, tile: TileId, images: u64) {
        *self.counts.entry(tile).or_default() += images;
    }

    /// The tile that a box lies in, if it is one.
    fn tile_around(&self, bounds: &GridBox) -> Option<TileId> {
        let tile = |x, y| TileId::containing(self.zoom, GridPoint { x, y });
        let northwest = tile(bounds.min_x, bounds.min_y);
        (northwest == tile(bounds.max_x, bounds.max_y)).then_some(northwest)
    }

    fn into_counts(self) -> Vec<TileCount> {
        let counts = self.counts.into_iter();
        let mut counts: Vec<_> = counts
            .map(|(tile, images)| TileCount { tile, images })
            .collect();
        counts.sort_unstable_by_key(|count| count.tile);
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use crate::made;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn densities_are_those_of_the_positions(
            images in 0..9000usize, seed: u64, opened: bool,
            queries in prop::collection::vec((made::query(), 0..=TileCount::MAX_ZOOM), 8),
        ) {
            let built = made::dataset(images, 20, seed);
            let data = if opened { made::in_a_file(&built) } else { built.clone() };
            for (query, zoom) in queries {
                let mut expected = BTreeMap::new();
                for point in built.images(&query).unwrap().positions() {
                    *expected.entry(TileId::containing(zoom, point)).or_default() += 1;
                }
                let expected: Vec<TileCount> = expected
                    .into_iter()
                    .map(|(tile, images)| TileCount { tile, images })
                    .collect();
                prop_assert_eq!(data.density(zoom, &query).unwrap(), expected);
            }
        }
    }

    #[test]
    fn zooms_beyond_the_deepest_are_refused() {
        let data = made::dataset(10, 1, 1);
        let deepest = TileCount::MAX_ZOOM;
        assert!(data.density(deepest, &ImageQuery::default()).is_ok());
        let error = data
            .density(deepest + 1, &ImageQuery::default())
            .unwrap_err();
        assert!(
            error.to_string().contains(&format!("0 to {deepest}")),
            "{error}"
        );
    }
}
