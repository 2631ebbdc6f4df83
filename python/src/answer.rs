//! Answers, which keep the dataset that they were found in.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyList};
use self_cell::self_cell;
use tilesight::formats::{Batches, Export, Format, Options, Rows, check_fields};
use tilesight::{
    Dataset, Error, FeatureSelection, ImageJoin, NotHeld, Place, Selection, SequenceSelection,
};

use crate::error::{exception_of_missing, raise};
use crate::publish;
use crate::watch::{Work, watch};

/// What a question found.
pub enum Found<'a> {
    Images(Selection<'a>),
    Sequences(SequenceSelection<'a>),
    Features(FeatureSelection<'a>),
    Join(ImageJoin<'a>),
}

impl Found<'_> {
    fn export(&self) -> &(dyn Export + Sync) {
        match self {
            Self::Images(found) => found,
            Self::Sequences(found) => found,
            Self::Features(found) => found,
            Self::Join(found) => found,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Images(found) => found.len(),
            Self::Sequences(found) => found.len(),
            Self::Features(found) => found.len(),
            Self::Join(found) => found.len(),
        }
    }

    const fn rows(&self) -> Rows {
        match self {
            Self::Images(_) => Rows::Images,
            Self::Sequences(_) => Rows::Sequences,
            Self::Features(_) => Rows::Features,
            Self::Join(_) => Rows::JoinedImages,
        }
    }

    fn missing(&self) -> Option<&NotHeld> {
        match self {
            Self::Images(found) => found.missing(),
            Self::Sequences(found) => found.missing(),
            Self::Features(found) => found.missing(),
            Self::Join(found) => found.missing(),
        }
    }

    /// At most some positions, evenly from first to last: of a point one, of a line its vertices.
    fn sketch(&self, most: usize) -> Vec<Vec<(f64, f64)>> {
        let step = self.len().div_ceil(most).max(1);
        let points = |positions: &mut dyn Iterator<Item = (f64, f64)>| {
            positions.step_by(step).map(|place| vec![place]).collect()
        };
        match self {
            Self::Images(found) => points(&mut found.iter().map(|row| (row.lon, row.lat))),
            Self::Features(found) => points(&mut found.iter().map(|row| (row.lon, row.lat))),
            Self::Join(found) => points(&mut found.iter().map(|(_, row)| (row.lon, row.lat))),
            Self::Sequences(found) => {
                let parts = found.tracks().step_by(step).flat_map(|track| track.line());
                let vertices = parts.map(|part| part.map(|vertex| (vertex.lon(), vertex.lat())));
                vertices.map(Iterator::collect).collect()
            }
        }
    }
}

self_cell!(
    struct Held {
        owner: Arc<Dataset>,
        #[covariant]
        dependent: Found,
    }
);

/// An answer and what was asked.
pub struct Asked {
    held: Held,
    place: Place,
    fields: Option<Vec<String>>,
}

impl Asked {
    fn found(&self) -> &Found<'_> {
        self.held.borrow_dependent()
    }

    fn options(&self, format: Format) -> Options<'_> {
        Options {
            fields: self.fields.as_deref(),
            data: Some(self.held.borrow_owner()),
            ..Options::new(format, &self.place)
        }
    }

    fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        let options = self.options(format);
        self.found().export().write_with(&options, out).map(drop)
    }
}

self_cell!(
    struct OwnedBatches {
        owner: Arc<Asked>,
        #[covariant]
        dependent: Batches,
    }
);

impl Iterator for OwnedBatches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.with_dependent_mut(|_, batches| batches.next())
    }
}

impl RecordBatchReader for OwnedBatches {
    fn schema(&self) -> SchemaRef {
        self.borrow_dependent().schema()
    }
}

/// The rows that a question found.
#[pyclass(frozen, module = "tilesight._tilesight")]
pub struct Answer(Arc<Asked>);

impl Answer {
    /// Asks a dataset, which the answer keeps.
    pub fn find(
        py: Python<'_>,
        data: &Arc<Dataset>,
        place: Place,
        fields: Option<Vec<String>>,
        ask: impl for<'a> FnOnce(&'a Dataset) -> Result<Found<'a>, Error> + Send,
    ) -> PyResult<Self> {
        let data = data.clone();
        let held = py.detach(|| Held::try_new(data, |data| ask(data)));
        Self::new(held.map_err(raise)?, place, fields)
    }

    /// Asks a dataset what takes long; a signal such as Ctrl-C stops it where it notes its progress.
    pub fn watch(
        py: Python<'_>,
        data: &Arc<Dataset>,
        place: Place,
        fields: Option<Vec<String>>,
        ask: impl for<'a> FnOnce(&'a Dataset, &Work) -> Result<Found<'a>, Error> + Send,
    ) -> PyResult<Self> {
        let data = data.clone();
        let find = |work: &Work| Held::try_new(data, |data| ask(data, work));
        let held = watch(py, None, || (), find)?;
        Self::new(held.map_err(raise)?, place, fields)
    }

    fn new(held: Held, place: Place, fields: Option<Vec<String>>) -> PyResult<Self> {
        let asked = Asked {
            held,
            place,
            fields,
        };
        if let Some(fields) = &asked.fields {
            check_fields(fields, asked.found().rows(), &asked.place).map_err(raise)?;
        }
        Ok(Self(Arc::new(asked)))
    }
}

#[pymethods]
impl Answer {
    fn __len__(&self) -> usize {
        self.0.found().len()
    }

    /// The ids in answer order.
    fn ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        match self.0.found() {
            Found::Images(found) => PyList::new(py, py.detach(|| found.to_ids())),
            Found::Features(found) => PyList::new(py, found.ids().collect::<Vec<_>>()),
            Found::Sequences(found) => PyList::new(py, found.ids().collect::<Vec<_>>()),
            Found::Join(found) => PyList::new(py, py.detach(|| found.to_ids())),
        }
    }

    /// What is not held of the place, where the question allowed that, as an exception.
    fn missing(&self, py: Python<'_>) -> PyResult<Option<PyErr>> {
        let missing = self.0.found().missing();
        missing
            .map(|missing| exception_of_missing(py, *missing))
            .transpose()
    }

    /// A stream of Arrow record batches, in a capsule as the Arrow `PyCapsule` interface has it.
    fn stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let batches = OwnedBatches::try_new(self.0.clone(), |asked| {
            let options = asked.options(Format::Arrow);
            asked.found().export().batches(&options)
        })?;
        let stream = FFI_ArrowArrayStream::new(Box::new(batches));
        PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
    }

    /// The answer in a format of texts.
    fn text(&self, py: Python<'_>, format: &str) -> PyResult<String> {
        let format = format_named(format)?;
        let bytes = watch(
            py,
            None,
            || (),
            |work| {
                let mut out = Stoppable(Vec::new(), work);
                self.0.write(format, &mut out).map(|()| out.0)
            },
        )??;
        String::from_utf8(bytes).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// The first rows as a table of text.
    fn table(&self, py: Python<'_>, max_rows: usize) -> PyResult<String> {
        let mut text = Vec::new();
        let format = Format::Table { max_rows };
        py.detach(|| self.0.write(format, &mut text))?;
        String::from_utf8(text).map_err(|error| PyRuntimeError::new_err(error.to_string()))
    }

    /// Writes a file, whole or not at all.
    fn write(
        &self,
        py: Python<'_>,
        path: PathBuf,
        format: Option<&str>,
        overwrite: bool,
    ) -> PyResult<()> {
        let format = match format {
            Some(name) => format_named(name)?,
            None => Format::of_path(&path).ok_or_else(|| {
                let path = path.display();
                let problem = "does not tell its format: say format='parquet'";
                PyValueError::new_err(format!("{path} {problem}"))
            })?,
        };
        publish::check(&path, overwrite)?;
        publish::publish(&path, overwrite, |file: &mut File| {
            let write = |work: &Work| self.0.write(format, &mut Stoppable(file, work));
            let written = watch(py, None, || (), write)?;
            written.map_err(|error| {
                raise(Error::Write {
                    path: path.clone(),
                    error,
                })
            })
        })
    }

    /// Where at most some of the rows lie: lists of positions, one for a point.
    fn sketch(&self, py: Python<'_>, most: usize) -> Vec<Vec<(f64, f64)>> {
        py.detach(|| self.0.found().sketch(most))
    }
}

fn format_named(name: &str) -> PyResult<Format> {
    let named = name.parse::<Format>();
    named.map_err(|error| PyValueError::new_err(error.to_string()))
}

/// A writer that fails when its work is to stop.
struct Stoppable<'a, W>(W, &'a Work);

impl<W: Write> Write for Stoppable<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.1.is_stopped() {
            return Err(io::Error::other("stopped"));
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
