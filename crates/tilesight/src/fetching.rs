//! Datasets whose tiles are fetched first where they are missing.

use std::path::Path;

use tilesight_fetch::{Event, Fetcher, TileKey, Tileset};
use tilesight_tile::{Region, TileRows, cover_region};

use crate::{Dataset, Error};

/// Tiles of a region that are fetched at most: what the service allows in forty days.
pub(crate) const MAX_TILES: u64 = 2_000_000;

impl Dataset {
    /// Fetches what a store lacks of a region, then opens the store.
    ///
    /// # Returns
    ///
    /// The dataset of all that the store holds, of this region and of others. Where it lacks
    /// nothing no request is made and nothing is written, so this works offline and on a store
    /// that cannot be written. Tiles that could not be fetched are no error here: they count as
    /// not held, and a question that touches them is an error that names them, as is one beyond the
    /// region. `on_event` is called as things happen, from one thread; never when nothing is
    /// missing.
    ///
    /// # Errors
    ///
    /// [`Error::Fetch`] when fetching ended early: banned, a refused token, the limit of the day,
    /// a store that another process writes or that cannot be written. What had come by then is
    /// stored, the same call goes on from there, and [`open`](Self::open) gives what there is.
    /// [`Error::Cover`] when the region takes more than 2,000,000 tiles. Otherwise as
    /// [`open`](Self::open).
    ///
    /// # Cost
    ///
    /// One request for each missing tile, five a second where the options say nothing else, then
    /// that of [`open`](Self::open).
    ///
    /// # Example
    ///
    /// ```no_run
    /// use tilesight::fetch::{Event, FetchOptions, Fetcher, Tileset, Token};
    /// use tilesight::{Dataset, ImageQuery, Place, Region};
    ///
    /// let shell = vec![[24.92, 60.16], [24.95, 60.16], [24.95, 60.18], [24.92, 60.16]];
    /// let market = Region::from_polygons(&[vec![shell]])?;
    /// let token = Token::new("MLY|…")?;
    /// let fetcher = Fetcher::new(token, FetchOptions::new(None)?)?;
    ///
    /// let tilesets = [Tileset::Images, Tileset::Signs];
    /// let data = Dataset::open_or_fetch(&market, "market.mbtiles", &tilesets, &fetcher, |event| {
    ///     if let Event::Setback { tile, reason } = event {
    ///         eprintln!("{tile}: {reason}");
    ///     }
    /// })?;
    /// let here = ImageQuery { place: Place::Region(market), ..ImageQuery::default() };
    /// println!("{} images", data.images(&here)?.len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open_or_fetch(
        region: &Region,
        store: impl AsRef<Path>,
        tilesets: &[Tileset],
        fetcher: &Fetcher,
        on_event: impl FnMut(Event) + Send,
    ) -> Result<Self, Error> {
        let store = store.as_ref();
        let tiles = tiles_of(
            &cover_region(Tileset::DATA_ZOOM, region, MAX_TILES)?,
            tilesets,
        );
        if fetcher.plan(store, &tiles)?.requests() > 0 {
            fetcher.fetch(store, &tiles, on_event)?;
        }
        Self::open(store)
    }
}

fn tiles_of(ids: &TileRows, tilesets: &[Tileset]) -> Vec<TileKey> {
    let of_tileset = |&tileset| ids.iter().map(move |id| TileKey { tileset, id });
    tilesets.iter().flat_map(of_tileset).collect()
}
