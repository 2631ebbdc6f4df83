//! Errors of the library as the exceptions of `tilesight.errors`.

use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use tilesight::fetch::FetchError;
use tilesight::{Error, NotHeld, QueryError};

/// Makes the exception of an error.
pub fn raise(error: impl Into<Error>) -> PyErr {
    let error = error.into();
    let message = match &error {
        Error::Query(QueryError::NotHeld(missing)) => {
            format!("{missing}, or say allow_partial=True to be answered from what is held")
        }
        error => error.to_string(),
    };
    saying(&error, message)
}

/// Makes the exception of an error where a part of the answer cannot be asked for.
pub fn raise_as_told(error: &Error) -> PyErr {
    saying(error, error.to_string())
}

/// Makes the exception of a question that is none.
pub fn question(error: impl Display) -> PyErr {
    Python::attach(|py| {
        let exception = named(py, "QuestionError", error.to_string(), false);
        exception.map_or_else(|failure| failure, PyErr::from_value)
    })
}

/// Makes the exception of something that a question allowed to be missing.
pub fn exception_of_missing(py: Python<'_>, missing: NotHeld) -> PyResult<PyErr> {
    exception(py, &Error::Query(missing.into()), missing.to_string())
}

fn saying(error: &Error, message: String) -> PyErr {
    Python::attach(|py| exception(py, error, message).unwrap_or_else(|failure| failure))
}

fn exception(py: Python<'_>, error: &Error, message: String) -> PyResult<PyErr> {
    let exception = named(py, name(error), message, error.is_retryable())?;
    match error {
        Error::Query(QueryError::NotHeld(missing)) => describe(&exception, missing)?,
        Error::Fetch(FetchError::Closed { until }) => {
            exception.setattr("until_ms", ms_since_1970(*until))?;
        }
        _ => (),
    }
    Ok(PyErr::from_value(exception))
}

/// An exception of `tilesight.errors`.
pub fn named<'py>(
    py: Python<'py>,
    name: &str,
    message: String,
    is_retryable: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let exception = py
        .import("tilesight.errors")?
        .getattr(name)?
        .call1((message,))?;
    exception.setattr("is_retryable", is_retryable)?;
    Ok(exception)
}

/// The name of the exception's class.
fn name(error: &Error) -> &'static str {
    match error {
        Error::Query(QueryError::NotHeld(_) | QueryError::NoTileset(_)) => "NotHeldError",
        Error::Query(QueryError::Damaged(_))
        | Error::Open(tilesight::OpenError::Damaged { .. }) => "DamagedError",
        Error::Query(QueryError::TooManyRows(_) | QueryError::Scratch(_))
        | Error::WriteDataset(_)
        | Error::Write { .. } => "WriteError",
        Error::Store(_)
        | Error::Open(_)
        | Error::Images { .. }
        | Error::Fetch(FetchError::Store(_)) => "SourceError",
        Error::Fetch(FetchError::Banned) => "BannedError",
        Error::Fetch(FetchError::Token | FetchError::Untrusted(_)) => "TokenError",
        Error::Fetch(FetchError::Closed { .. }) => "LimitError",
        Error::Fetch(_) => "FetchError",
        _ => "QuestionError",
    }
}

/// Says of an exception what is missing.
fn describe(exception: &Bound<'_, PyAny>, missing: &NotHeld) -> PyResult<()> {
    let NotHeld {
        tileset,
        missing,
        failed,
        wanted,
        example,
        bounds,
    } = missing;
    exception.setattr("tileset", tileset.option_name())?;
    exception.setattr("missing", missing)?;
    exception.setattr("failed", failed)?;
    exception.setattr("wanted", wanted)?;
    exception.setattr("example", (example.z(), example.x(), example.y()))?;
    let bounds = (bounds.west(), bounds.south(), bounds.east(), bounds.north());
    exception.setattr("bounds", bounds)
}

pub fn ms_since_1970(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}
