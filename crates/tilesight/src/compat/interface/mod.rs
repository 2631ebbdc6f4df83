//! The functions of `mapillary.interface`, of Mapillary's Python SDK, with their names and their
//! answers: GeoJSON texts.
//!
//! An [`Interface`] fetches the tiles of a question that its store lacks, keeps them, and answers
//! from the store from then on; or it answers from an opened dataset, offline. Where the SDK is
//! wrong the answers are right: `docs/compatibility.md` lists every difference.
//!
//! ```
//! use tilesight::Dataset;
//! use tilesight::compat::interface::{ImageFilters, Interface, Options, read_bbox};
//!
//! let mly = Interface::on(Dataset::open("../../fixtures/town")?, Options::new()?);
//! let bbox = read_bbox(r#"{"west": 24.94, "south": 60.16, "east": 24.96, "north": 60.18}"#)?;
//! let filters = ImageFilters::from_json(r#"{"image_type": "pano", "min_captured_at": "2023"}"#)?;
//! let panoramas = mly.images_in_bbox(&bbox, &filters)?;
//! assert!(panoramas.starts_with(r#"{"type":"FeatureCollection","features":[{"type":"Feature""#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arguments;
mod arriving;
mod error;
mod filters;
mod graph;
mod needed;
mod options;
mod save;
mod service;
mod tiles;

use std::fmt;
use std::sync::Arc;

use tilesight_fetch::graph::{Id, ThumbnailSize};
use tilesight_fetch::{Tileset, Token};
use tilesight_query::{
    FeatureKind, FeatureQuery, Filter, Image, ImageQuery, NotHeld, Place, SequenceQuery,
};
use tilesight_tile::{Bbox, CoverError, LonLat, Region, TileId, TileRows};

use crate::Dataset;
use crate::formats::interface as shapes;
use needed::{Needed, OF_IMAGES, of_features};
use service::Service;
use tiles::{Loaded, Tiles};

pub use arguments::{read_bbox, read_position};
pub use error::Error;
pub use filters::{FeatureFilters, FeatureType, ImageFilters, ImageType, TargetOptions};
pub use options::Options;
pub use save::{SaveOptions, save_locally};

/// No two positions of a tile of zoom 14 are farther apart: its diagonal at the equator, in metres.
const TILE_DIAGONAL_M: f64 = 3_500.0;

/// The functions of `mapillary.interface`.
///
/// Its methods may be called from many threads at once. Those about places fetch what is missing;
/// five tiles a second where the options say nothing else. Answers are GeoJSON texts, in which ids
/// are numbers and times are milliseconds, as the SDK has them; what is not known is `null`.
#[derive(Debug)]
pub struct Interface {
    source: Source,
    service: Service,
    allow_partial: bool,
}

/// Where answers about places come from.
#[derive(Debug)]
enum Source {
    Opened(Box<Dataset>),
    Store(Tiles),
}

/// A dataset to be asked.
enum Held<'a> {
    Opened(&'a Dataset),
    Loaded(Arc<Loaded>),
}

impl Held<'_> {
    fn data(&self) -> &Dataset {
        match self {
            Self::Opened(data) => data,
            Self::Loaded(loaded) => &loaded.data,
        }
    }
}

impl Interface {
    /// Prepares to fetch into a store and to answer from it; nothing is read or connected yet.
    ///
    /// # Errors
    ///
    /// [`Error::System`] and [`Error::Save`] when there is no folder for the store.
    ///
    /// # Example
    ///
    /// ```no_run
    /// use tilesight::LonLat;
    /// use tilesight::compat::interface::{Interface, Options, TargetOptions};
    ///
    /// let mly = Interface::new(Options::from_environment()?)?;
    /// mly.set_access_token("MLY|…")?;
    /// let door = LonLat::new(24.9384, 60.1699)?;
    /// println!("{}", mly.get_image_looking_at(door, &TargetOptions::default())?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(options: Options) -> Result<Self, Error> {
        Ok(Self {
            source: Source::Store(Tiles::new(&options)?),
            allow_partial: options.allow_partial,
            service: Service::new(options),
        })
    }

    /// Answers from a dataset, which holds what it holds: a place beyond is an error. Of the
    /// options, the token, where and how the Graph API is asked, and whether a part of an answer is
    /// enough, count.
    pub fn on(data: Dataset, options: Options) -> Self {
        Self {
            source: Source::Opened(Box::new(data)),
            allow_partial: options.allow_partial,
            service: Service::new(options),
        }
    }

    /// Sets the access token for all calls to come. It is sent to the service alone and shown
    /// nowhere.
    ///
    /// # Errors
    ///
    /// [`Error::Token`] when it can be none.
    pub fn set_access_token(&self, token: &str) -> Result<(), Error> {
        self.service.set_token(Token::new(token)?);
        Ok(())
    }

    /// Ends what other threads are fetching, with an error there; what came is kept. Calls to come
    /// are not concerned.
    pub fn stop_fetching(&self) {
        self.service.stop();
    }

    /// Finds images close to a position, nearest first.
    ///
    /// # Returns
    ///
    /// A `FeatureCollection`: the images within [`radius_m`](TargetOptions::radius_m) of the
    /// position, whatever tiles that touches. Without a radius, those in the tile of zoom 14 that
    /// holds the position, as the SDK has it. None is normal.
    ///
    /// # Errors
    ///
    /// [`Error::Tilesight`] when a position is not on Earth, the radius is no distance, or tiles
    /// could not be had; [`Error::NoToken`] when some must be fetched and no token is set.
    pub fn get_image_close_to(
        &self,
        latitude: f64,
        longitude: f64,
        options: &TargetOptions,
    ) -> Result<String, Error> {
        let target = LonLat::new(longitude, latitude).map_err(crate::Error::from)?;
        let filter = options.filters.filter();
        match options.radius_m {
            Some(radius_m) => {
                let held = self.held(|| Needed::of_circle(target, radius_m))?;
                let place = Place::Near { target, radius_m };
                self.images(held.data(), place, filter)
            }
            None => self.images_in_tile_of(target, filter),
        }
    }

    /// Finds the images that show a position, nearest first: those within
    /// [`radius_m`](TargetOptions::radius_m) (50 m where nothing is said) that are panoramas, or
    /// whose heading differs from the bearing to it by at most half of
    /// [`fov_deg`](TargetOptions::fov_deg).
    ///
    /// # Returns
    ///
    /// A `FeatureCollection`; none is normal.
    ///
    /// # Errors
    ///
    /// As [`get_image_close_to`](Self::get_image_close_to).
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight::compat::interface::{Interface, Options, TargetOptions, read_position};
    /// use tilesight::{Dataset, Image};
    ///
    /// let looks_east = Image { compass_angle_deg: Some(90.0), ..Image::at(1, 24.9380, 60.1699) };
    /// let mly = Interface::on(Dataset::from_images([looks_east])?, Options::new()?);
    /// let door = read_position(r#"{"lng": 24.9384, "lat": 60.1699}"#)?;
    /// let found = mly.get_image_looking_at(door, &TargetOptions::default())?;
    /// assert!(found.contains(r#""compass_angle":90,"id":1,"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_image_looking_at(
        &self,
        at: LonLat,
        options: &TargetOptions,
    ) -> Result<String, Error> {
        let (held, place) = self.looking_at(at, options)?;
        self.images(held.data(), place, options.filters.filter())
    }

    /// Tells whether any image shows a position; see
    /// [`get_image_looking_at`](Self::get_image_looking_at).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn is_image_being_looked_at(
        &self,
        at: LonLat,
        options: &TargetOptions,
    ) -> Result<bool, Error> {
        let (held, place) = self.looking_at(at, options)?;
        let query = ImageQuery {
            limit: Some(1),
            ..self.image_query(place, options.filters.filter())
        };
        let found = held.data().images(&query).map_err(crate::Error::from)?;
        Ok(!found.is_empty())
    }

    /// Finds the images in a box, edges included. `west > east` crosses the antimeridian.
    ///
    /// # Returns
    ///
    /// A `FeatureCollection`, in an order that is the same every time; none is normal.
    ///
    /// # Errors
    ///
    /// [`Error::Tilesight`] when tiles could not be had, or the box takes more than 2,000,000;
    /// [`Error::NoToken`] when some must be fetched and no token is set.
    pub fn images_in_bbox(&self, bbox: &Bbox, filters: &ImageFilters) -> Result<String, Error> {
        let mut text = String::new();
        self.write_images_in_bbox(bbox, filters, &mut text)?;
        Ok(text)
    }

    /// Writes what [`images_in_bbox`](Self::images_in_bbox) returns, piece by piece: a long answer
    /// need not be in memory at once.
    ///
    /// # Errors
    ///
    /// As there, and [`Error::Output`] when `out` fails.
    pub fn write_images_in_bbox(
        &self,
        bbox: &Bbox,
        filters: &ImageFilters,
        out: &mut dyn fmt::Write,
    ) -> Result<(), Error> {
        let held = self.held(|| Needed::of_bbox(OF_IMAGES, bbox))?;
        self.write_images(held.data(), Place::Bbox(*bbox), filters.filter(), out)
    }

    /// Finds the sequences of which any part lies in a box and of which an image, anywhere, is as
    /// the filters say.
    ///
    /// # Returns
    ///
    /// A `FeatureCollection` with each sequence once and whole. To make them whole, their lines
    /// are followed into the tiles around the box, which are fetched like those of the box.
    ///
    /// # Errors
    ///
    /// As [`images_in_bbox`](Self::images_in_bbox).
    pub fn sequences_in_bbox(&self, bbox: &Bbox, filters: &ImageFilters) -> Result<String, Error> {
        let held = self.held_with_whole_sequences(bbox, filters)?;
        let query = SequenceQuery {
            place: Place::Bbox(*bbox),
            filter: filters.filter(),
            allow_partial: self.allow_partial,
            ..SequenceQuery::default()
        };
        let found = held.data().sequences(&query).map_err(crate::Error::from)?;
        Ok(shapes::sequences(found.tracks()))
    }

    /// Finds the objects in a box, edges included: benches, hydrants, poles.
    ///
    /// # Returns
    ///
    /// A `FeatureCollection`; none is normal.
    ///
    /// # Errors
    ///
    /// As [`images_in_bbox`](Self::images_in_bbox).
    pub fn map_feature_points_in_bbox(
        &self,
        bbox: &Bbox,
        filters: &FeatureFilters,
    ) -> Result<String, Error> {
        self.features_in_bbox(bbox, FeatureKind::Point, filters)
    }

    /// Finds the traffic signs in a box, edges included.
    ///
    /// # Returns
    ///
    /// A `FeatureCollection`; none is normal.
    ///
    /// # Errors
    ///
    /// As [`images_in_bbox`](Self::images_in_bbox).
    pub fn traffic_signs_in_bbox(
        &self,
        bbox: &Bbox,
        filters: &FeatureFilters,
    ) -> Result<String, Error> {
        self.features_in_bbox(bbox, FeatureKind::TrafficSign, filters)
    }

    /// Finds the images inside the polygons of a GeoJSON document, boundaries included and holes
    /// excluded; see [`Region::from_geojson`].
    ///
    /// # Returns
    ///
    /// A `FeatureCollection`; none is normal.
    ///
    /// # Errors
    ///
    /// [`Error::Tilesight`] when the document has no area or a wrong one, otherwise as
    /// [`images_in_bbox`](Self::images_in_bbox).
    pub fn images_in_geojson(
        &self,
        geojson: &str,
        filters: &ImageFilters,
    ) -> Result<String, Error> {
        let mut text = String::new();
        self.write_images_in_geojson(geojson, filters, &mut text)?;
        Ok(text)
    }

    /// Writes what [`images_in_geojson`](Self::images_in_geojson) returns, piece by piece.
    ///
    /// # Errors
    ///
    /// As there, and [`Error::Output`] when `out` fails.
    pub fn write_images_in_geojson(
        &self,
        geojson: &str,
        filters: &ImageFilters,
        out: &mut dyn fmt::Write,
    ) -> Result<(), Error> {
        let region = Region::from_geojson(geojson).map_err(crate::Error::from)?;
        let held = self.held(|| Needed::of_region(OF_IMAGES, &region))?;
        self.write_images(held.data(), Place::Region(region), filters.filter(), out)
    }

    /// Finds the images inside a shape: the same as
    /// [`images_in_geojson`](Self::images_in_geojson).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn images_in_shape(&self, shape: &str, filters: &ImageFilters) -> Result<String, Error> {
        self.images_in_geojson(shape, filters)
    }

    /// Finds the map features of a [type](FeatureFilters::feature_type) inside the polygons of a
    /// GeoJSON document.
    ///
    /// # Returns
    ///
    /// A `FeatureCollection`; none is normal.
    ///
    /// # Errors
    ///
    /// As [`images_in_geojson`](Self::images_in_geojson).
    pub fn map_features_in_geojson(
        &self,
        geojson: &str,
        filters: &FeatureFilters,
    ) -> Result<String, Error> {
        let region = Region::from_geojson(geojson).map_err(crate::Error::from)?;
        let kind = filters.feature_type.kind();
        let held = self.held(|| Needed::of_region(of_features(kind), &region))?;
        self.features(held.data(), filters.query(Place::Region(region), kind))
    }

    /// Finds the map features inside a shape: the same as
    /// [`map_features_in_geojson`](Self::map_features_in_geojson).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn map_features_in_shape(
        &self,
        shape: &str,
        filters: &FeatureFilters,
    ) -> Result<String, Error> {
        self.map_features_in_geojson(shape, filters)
    }

    /// Asks the Graph API for a map feature.
    ///
    /// # Returns
    ///
    /// A `FeatureCollection` of one feature, whose properties are the fields as the service writes
    /// them: those named, or all where none is or `all` is among them. Its geometry is always
    /// asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] when `key` is no id or a field is no name, [`Error::Graph`] when there
    /// is no such feature or the service did not answer, [`Error::NoToken`] when no token is set.
    pub fn feature_from_key(&self, key: &str, fields: &[&str]) -> Result<String, Error> {
        let (id, fields) = (graph::id("key", key)?, graph::fields_with_geometry(fields)?);
        let graph = self.service.graph()?;
        let entity = graph::ask(&graph, async |graph| graph.feature_json(id, &fields).await)?;
        Ok(graph::entity(entity))
    }

    /// Asks the Graph API for an image; see [`feature_from_key`](Self::feature_from_key).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn image_from_key(&self, key: &str, fields: &[&str]) -> Result<String, Error> {
        let (id, fields) = (graph::id("key", key)?, graph::fields_with_geometry(fields)?);
        let graph = self.service.graph()?;
        let entity = graph::ask(&graph, async |graph| graph.image_json(id, &fields).await)?;
        Ok(graph::entity(entity))
    }

    /// Asks the Graph API what was detected in an image.
    ///
    /// # Returns
    ///
    /// A `FeatureCollection` of detections, each where the image was taken (where the field
    /// `image` was asked for): `created_at`, `id`, `image_id`, `value`, and `pixel_geometry`, a
    /// GeoJSON polygon in fractions of the picture, from its upper left corner.
    ///
    /// # Errors
    ///
    /// As [`feature_from_key`](Self::feature_from_key).
    pub fn get_detections_with_image_id(
        &self,
        image_id: &str,
        fields: &[&str],
    ) -> Result<String, Error> {
        self.detections(graph::id("image_id", image_id)?, fields)
    }

    /// Asks the Graph API which detections make a map feature; see
    /// [`get_detections_with_image_id`](Self::get_detections_with_image_id).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_detections_with_map_feature_id(
        &self,
        map_feature_id: &str,
        fields: &[&str],
    ) -> Result<String, Error> {
        self.detections(graph::id("map_feature_id", map_feature_id)?, fields)
    }

    /// Asks the Graph API where the picture of an image can be got.
    ///
    /// # Returns
    ///
    /// A signed address, which expires.
    ///
    /// # Errors
    ///
    /// As [`image_from_key`](Self::image_from_key); an image without a picture of that size is not
    /// found either.
    pub fn image_thumbnail(
        &self,
        image_id: &str,
        resolution: ThumbnailSize,
    ) -> Result<String, Error> {
        let ids = [graph::id("image_id", image_id)?];
        let graph = self.service.graph()?;
        let found = graph::ask(&graph, async |graph| {
            graph.thumbnails(&ids, resolution).await
        })?;
        let thumbnail = found.into_iter().flatten().next();
        let missing = || tilesight_fetch::graph::Error::NotFound {
            message: format!("image {image_id} has no picture of size {resolution}"),
        };
        Ok(thumbnail.ok_or_else(missing)?.url.reveal().to_string())
    }

    /// A dataset for the tiles of a question; all of it where it was opened by the caller.
    fn held(&self, needed: impl FnOnce() -> Result<Needed, CoverError>) -> Result<Held<'_>, Error> {
        match &self.source {
            Source::Opened(data) => Ok(Held::Opened(data)),
            Source::Store(tiles) => {
                let needed = needed().map_err(crate::Error::from)?;
                Ok(Held::Loaded(tiles.get(&needed, &self.service)?))
            }
        }
    }

    fn looking_at(&self, at: LonLat, options: &TargetOptions) -> Result<(Held<'_>, Place), Error> {
        let radius_m = options.radius_m.unwrap_or(Place::DEFAULT_RADIUS_M);
        let held = self.held(|| Needed::of_circle(at, radius_m))?;
        let place = Place::LookingAt {
            target: at,
            radius_m,
            fov_deg: options.fov_deg,
        };
        Ok((held, place))
    }

    fn image_query(&self, place: Place, filter: Filter) -> ImageQuery {
        ImageQuery {
            place,
            filter,
            allow_partial: self.allow_partial,
            ..ImageQuery::default()
        }
    }

    fn images(&self, data: &Dataset, place: Place, filter: Filter) -> Result<String, Error> {
        let mut text = String::new();
        self.write_images(data, place, filter, &mut text)?;
        Ok(text)
    }

    fn write_images(
        &self,
        data: &Dataset,
        place: Place,
        filter: Filter,
        out: &mut dyn fmt::Write,
    ) -> Result<(), Error> {
        let query = self.image_query(place, filter);
        let found = data.images(&query).map_err(crate::Error::from)?;
        Ok(shapes::write_images(&found, out)?)
    }

    /// The images in the tile that holds a position, nearest first; in several tiles, where it
    /// lies on their edge.
    fn images_in_tile_of(&self, target: LonLat, filter: Filter) -> Result<String, Error> {
        let needed = Needed::of_circle(target, 0.0).map_err(crate::Error::from)?;
        let tiles = needed.tiles.clone();
        let held = self.held(|| Ok(needed))?;
        let place = |radius_m| Place::Near { target, radius_m };
        // Fails where the tile itself is not held.
        let here = self.image_query(place(0.0), Filter::default());
        held.data()
            .count_images(&here)
            .map_err(crate::Error::from)?;
        let around = ImageQuery {
            allow_partial: true,
            ..self.image_query(place(TILE_DIAGONAL_M), filter)
        };
        let found = held.data().images(&around).map_err(crate::Error::from)?;
        let in_tile = found
            .iter()
            .zip(found.positions())
            .filter(|(_, point)| tiles.contains(TileId::containing(tiles.z(), *point)));
        let rows: Vec<Image<'_>> = in_tile.map(|(image, _)| image).collect();
        Ok(shapes::images(rows.into_iter()))
    }

    /// A dataset with all tiles that the sequences in a box run through.
    ///
    /// Tiles cut lines at their edges, so a line that ends on one goes on beyond; that tile is
    /// got, and looked at in turn. A dataset that the caller opened has no more tiles to give.
    fn held_with_whole_sequences(
        &self,
        bbox: &Bbox,
        filters: &ImageFilters,
    ) -> Result<Held<'_>, Error> {
        let tiles = match &self.source {
            Source::Opened(data) => return Ok(Held::Opened(data)),
            Source::Store(tiles) => tiles,
        };
        let query = SequenceQuery {
            place: Place::Bbox(*bbox),
            filter: filters.filter_of_sequences(),
            allow_partial: self.allow_partial,
            ..SequenceQuery::default()
        };
        let mut needed = Needed::of_bbox(OF_IMAGES, bbox).map_err(crate::Error::from)?;
        loop {
            let loaded = tiles.get(&needed, &self.service)?;
            let beyond = tiles_beyond(&loaded.data, &query)?;
            let Some(example) = beyond.iter().next() else {
                return Ok(Held::Loaded(loaded));
            };
            if beyond.difference(&needed.tiles).is_empty() {
                // They were asked for, and could not be had.
                return if self.allow_partial {
                    Ok(Held::Loaded(loaded))
                } else {
                    Err(not_held(&needed, &beyond, example))
                };
            }
            needed.tiles = needed.tiles.union(&beyond);
        }
    }

    fn features_in_bbox(
        &self,
        bbox: &Bbox,
        kind: FeatureKind,
        filters: &FeatureFilters,
    ) -> Result<String, Error> {
        let held = self.held(|| Needed::of_bbox(of_features(Some(kind)), bbox))?;
        let query = filters.query(Place::Bbox(*bbox), Some(kind));
        self.features(held.data(), query)
    }

    fn features(&self, data: &Dataset, query: FeatureQuery) -> Result<String, Error> {
        let query = FeatureQuery {
            allow_partial: self.allow_partial,
            ..query
        };
        let found = data.features(&query).map_err(crate::Error::from)?;
        Ok(shapes::features(found.iter()))
    }

    fn detections(&self, of: Id, fields: &[&str]) -> Result<String, Error> {
        let fields = graph::fields(fields)?;
        let graph = self.service.graph()?;
        let list = graph::ask(&graph, async |graph| {
            graph.detections_json(of, &fields).await
        })?;
        graph::detections(list)
    }
}

/// The tiles that the lines of sequences run into and that a dataset does not hold.
fn tiles_beyond(data: &Dataset, query: &SequenceQuery) -> Result<TileRows, Error> {
    let found = data.sequences(query).map_err(crate::Error::from)?;
    let beyond = found
        .tracks()
        .flat_map(|track| shapes::tiles_beyond(&track, data));
    Ok(TileRows::from_tiles(Tileset::DATA_ZOOM, beyond))
}

/// Says that sequences run into tiles that could not be had.
fn not_held(needed: &Needed, missing: &TileRows, example: TileId) -> Error {
    let not_held = NotHeld {
        tileset: tilesight_query::Tileset::Images,
        missing: missing.count(),
        failed: 0,
        wanted: needed.tiles.count(),
        example,
        bounds: bounds(missing),
    };
    crate::Error::from(tilesight_query::Error::NotHeld(not_held)).into()
}

/// The box around tiles.
fn bounds(tiles: &TileRows) -> Bbox {
    let around = |a: [f64; 4], b: [f64; 4]| {
        [
            a[0].min(b[0]),
            a[1].min(b[1]),
            a[2].max(b[2]),
            a[3].max(b[3]),
        ]
    };
    let edges = tiles.iter().map(TileId::edges_deg).reduce(around);
    let bbox = edges.map(|[west, south, east, north]| Bbox::from_degrees(west, south, east, north));
    bbox.and_then(Result::ok).unwrap_or(Bbox::WORLD)
}
