//! The functions of `mapillary.interface`, from plain arguments to GeoJSON texts.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use tilesight::compat::interface::{
    self as asked, Error, FeatureFilters, ImageFilters, Options, SaveOptions, TargetOptions,
};
use tilesight::fetch::graph::{self, ThumbnailSize};
use tilesight::{Bbox, LonLat};

use crate::error::{self, ms_since_1970};
use crate::workers::{AfterSignal, Workers};

/// A client: its token, its store, and what of that is in memory. Filters are JSON objects.
#[pyclass(frozen, module = "tilesight._tilesight")]
pub struct Interface {
    mly: Arc<asked::Interface>,
    workers: Workers,
}

#[pymethods]
impl Interface {
    /// Makes one as the environment says.
    #[new]
    fn from_environment() -> PyResult<Self> {
        let options = Options::from_environment().map_err(raise)?;
        let mly = asked::Interface::new(options).map_err(raise)?;
        Ok(Self {
            mly: Arc::new(mly),
            workers: Workers::default(),
        })
    }

    fn set_access_token(&self, token: &str) -> PyResult<()> {
        self.mly.set_access_token(token).map_err(raise)
    }

    fn get_image_close_to(
        &self,
        py: Python<'_>,
        latitude: f64,
        longitude: f64,
        options: &str,
    ) -> PyResult<String> {
        let options = TargetOptions::from_json(options).map_err(raise)?;
        self.ask(py, move |mly| {
            mly.get_image_close_to(latitude, longitude, &options)
        })
    }

    fn get_image_looking_at(
        &self,
        py: Python<'_>,
        at: (f64, f64),
        options: &str,
    ) -> PyResult<String> {
        let (at, options) = target(at, options)?;
        self.ask(py, move |mly| mly.get_image_looking_at(at, &options))
    }

    fn is_image_being_looked_at(
        &self,
        py: Python<'_>,
        at: (f64, f64),
        options: &str,
    ) -> PyResult<bool> {
        let (at, options) = target(at, options)?;
        self.ask(py, move |mly| mly.is_image_being_looked_at(at, &options))
    }

    fn images_in_bbox(&self, py: Python<'_>, edges: Edges, filters: &str) -> PyResult<Py<PyAny>> {
        let (bbox, filters) = (bbox(edges)?, image_filters(filters)?);
        self.ask_for_text(py, move |mly, out| {
            mly.write_images_in_bbox(&bbox, &filters, out)
        })
    }

    fn sequences_in_bbox(&self, py: Python<'_>, edges: Edges, filters: &str) -> PyResult<String> {
        let (bbox, filters) = (bbox(edges)?, image_filters(filters)?);
        self.ask(py, move |mly| mly.sequences_in_bbox(&bbox, &filters))
    }

    fn map_feature_points_in_bbox(
        &self,
        py: Python<'_>,
        edges: Edges,
        filters: &str,
    ) -> PyResult<String> {
        let (bbox, filters) = (bbox(edges)?, feature_filters(filters)?);
        self.ask(py, move |mly| {
            mly.map_feature_points_in_bbox(&bbox, &filters)
        })
    }

    fn traffic_signs_in_bbox(
        &self,
        py: Python<'_>,
        edges: Edges,
        filters: &str,
    ) -> PyResult<String> {
        let (bbox, filters) = (bbox(edges)?, feature_filters(filters)?);
        self.ask(py, move |mly| mly.traffic_signs_in_bbox(&bbox, &filters))
    }

    fn images_in_geojson(
        &self,
        py: Python<'_>,
        geojson: String,
        filters: &str,
    ) -> PyResult<Py<PyAny>> {
        let filters = image_filters(filters)?;
        self.ask_for_text(py, move |mly, out| {
            mly.write_images_in_geojson(&geojson, &filters, out)
        })
    }

    fn map_features_in_geojson(
        &self,
        py: Python<'_>,
        geojson: String,
        filters: &str,
    ) -> PyResult<String> {
        let filters = feature_filters(filters)?;
        self.ask(py, move |mly| {
            mly.map_features_in_geojson(&geojson, &filters)
        })
    }

    fn feature_from_key(
        &self,
        py: Python<'_>,
        key: String,
        fields: Vec<String>,
    ) -> PyResult<String> {
        self.ask_graph(py, move |mly| mly.feature_from_key(&key, &texts(&fields)))
    }

    fn image_from_key(&self, py: Python<'_>, key: String, fields: Vec<String>) -> PyResult<String> {
        self.ask_graph(py, move |mly| mly.image_from_key(&key, &texts(&fields)))
    }

    fn get_detections_with_image_id(
        &self,
        py: Python<'_>,
        image_id: String,
        fields: Vec<String>,
    ) -> PyResult<String> {
        self.ask_graph(py, move |mly| {
            mly.get_detections_with_image_id(&image_id, &texts(&fields))
        })
    }

    fn get_detections_with_map_feature_id(
        &self,
        py: Python<'_>,
        map_feature_id: String,
        fields: Vec<String>,
    ) -> PyResult<String> {
        self.ask_graph(py, move |mly| {
            mly.get_detections_with_map_feature_id(&map_feature_id, &texts(&fields))
        })
    }

    fn image_thumbnail(
        &self,
        py: Python<'_>,
        image_id: String,
        resolution: &str,
    ) -> PyResult<String> {
        let size: ThumbnailSize = resolution.parse().map_err(error::question)?;
        self.ask_graph(py, move |mly| mly.image_thumbnail(&image_id, size))
    }
}

impl Interface {
    /// Asks about a place; Ctrl-C ends what is being fetched, and what came is kept.
    fn ask<T: Send + 'static>(
        &self,
        py: Python<'_>,
        question: impl FnOnce(&asked::Interface) -> Result<T, Error> + Send + 'static,
    ) -> PyResult<T> {
        let mly = self.mly.clone();
        let stop = || {
            self.mly.stop_fetching();
            AfterSignal::Wait
        };
        let answer = self.workers.run(py, move || question(&mly), stop)?;
        answer.map_err(raise)
    }

    /// Asks about a place, for a text that may be long.
    fn ask_for_text(
        &self,
        py: Python<'_>,
        question: impl FnOnce(&asked::Interface, &mut dyn fmt::Write) -> Result<(), Error>
        + Send
        + 'static,
    ) -> PyResult<Py<PyAny>> {
        let mut text = Text::new(py)?;
        let (text, answered) = self.ask(py, move |mly| {
            let answered = question(mly, &mut text);
            Ok((text, answered))
        })?;
        text.finish(py, answered)
    }

    /// Asks the Graph API; Ctrl-C does not wait for the answer, which changes nothing.
    fn ask_graph(
        &self,
        py: Python<'_>,
        question: impl FnOnce(&asked::Interface) -> Result<String, Error> + Send + 'static,
    ) -> PyResult<String> {
        let mly = self.mly.clone();
        let leave = || AfterSignal::Leave;
        let answer = self.workers.run(py, move || question(&mly), leave)?;
        answer.map_err(raise)
    }
}

/// A text that grows where Python keeps it, in an `io.StringIO`: the whole of it is in memory once.
struct Text {
    buffer: Py<PyAny>,
    raised: Option<PyErr>,
}

impl Text {
    fn new(py: Python<'_>) -> PyResult<Self> {
        let buffer = py.import("io")?.getattr("StringIO")?.call0()?.unbind();
        let raised = None;
        Ok(Self { buffer, raised })
    }

    /// The text, or why there is none.
    fn finish(self, py: Python<'_>, answered: Result<(), Error>) -> PyResult<Py<PyAny>> {
        if let Some(raised) = self.raised {
            return Err(raised);
        }
        answered.map_err(raise)?;
        self.buffer.call_method0(py, "getvalue")
    }
}

/// Bytes that Python is given at a time, from memory that it uses again.
const PIECE_BYTES: usize = 1 << 16;

impl fmt::Write for Text {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        let written = Python::attach(|py| {
            while !text.is_empty() {
                let (piece, rest) = text.split_at(text.floor_char_boundary(PIECE_BYTES));
                self.buffer.call_method1(py, "write", (piece,))?;
                text = rest;
            }
            Ok(())
        });
        written.map_err(|raised| {
            self.raised = Some(raised);
            fmt::Error
        })
    }
}

/// Saves GeoJSON as a file.
#[pyfunction]
pub fn save_locally(
    py: Python<'_>,
    geojson_data: &str,
    file_path: Option<PathBuf>,
    file_name: Option<String>,
    extension: String,
) -> PyResult<()> {
    let options = SaveOptions {
        file_path,
        file_name,
        extension,
    };
    let saved = py.detach(|| asked::save_locally(geojson_data, &options));
    saved.map(drop).map_err(raise)
}

/// West, south, east and north in degrees.
type Edges = (f64, f64, f64, f64);

fn bbox((west, south, east, north): Edges) -> PyResult<Bbox> {
    Bbox::from_degrees(west, south, east, north).map_err(error::raise)
}

fn target((lon, lat): (f64, f64), options: &str) -> PyResult<(LonLat, TargetOptions)> {
    let at = LonLat::new(lon, lat).map_err(error::raise)?;
    Ok((at, TargetOptions::from_json(options).map_err(raise)?))
}

fn image_filters(json: &str) -> PyResult<ImageFilters> {
    ImageFilters::from_json(json).map_err(raise)
}

fn feature_filters(json: &str) -> PyResult<FeatureFilters> {
    FeatureFilters::from_json(json).map_err(raise)
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// Makes the exception of an error.
fn raise(error: Error) -> PyErr {
    if let Error::Tilesight(error) = &error {
        return error::raise_as_told(error);
    }
    Python::attach(|py| exception(py, &error).unwrap_or_else(|failure| failure))
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let exception = error::named(py, name(error), error.to_string(), error.is_retryable())?;
    if let Error::Graph(graph::Error::Closed { until }) = error {
        exception.setattr("until_ms", ms_since_1970(*until))?;
    }
    Ok(PyErr::from_value(exception))
}

/// The name of the exception's class.
fn name(error: &Error) -> &'static str {
    match error {
        Error::Graph(graph::Error::Token { .. }) | Error::NoToken | Error::Token(_) => "TokenError",
        Error::Graph(graph::Error::Closed { .. } | graph::Error::Limit { .. }) => "LimitError",
        Error::Graph(graph::Error::NotFound { .. }) => "NotFoundError",
        Error::Graph(_) | Error::Client(_) | Error::System(_) => "FetchError",
        Error::Save { .. } => "WriteError",
        _ => "QuestionError",
    }
}
