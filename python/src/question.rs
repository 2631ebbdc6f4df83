//! Questions as Python words them: dictionaries with what was said and nothing else.

use pyo3::prelude::*;
use tilesight::{
    FeatureKind, FeatureQuery, Filter, ImageQuery, Kind, Period, Place as Asked, SequenceQuery,
};

use crate::error::raise;
use crate::place::Place;

/// A date: an instant in milliseconds since 1970, UTC, or a text that names a period.
#[derive(FromPyObject)]
pub enum Date {
    #[pyo3(transparent)]
    Instant(i64),
    #[pyo3(transparent)]
    Text(String),
}

impl Date {
    fn period(self) -> PyResult<Period> {
        match self {
            Self::Instant(ms) => Ok(Period {
                first_ms: ms,
                last_ms: ms,
            }),
            Self::Text(text) => text.parse().map_err(raise),
        }
    }
}

/// What is asked about images or sequences.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct ImageWords {
    place: Option<Py<Place>>,
    #[pyo3(default)]
    since: Option<Date>,
    #[pyo3(default)]
    until: Option<Date>,
    #[pyo3(default)]
    pano: Option<bool>,
    #[pyo3(default)]
    organization: Vec<i64>,
    #[pyo3(default)]
    creator: Vec<i64>,
    #[pyo3(default)]
    sequence: Vec<String>,
    #[pyo3(default)]
    heading: Option<(f64, f64)>,
    #[pyo3(default)]
    id: Vec<i64>,
    #[pyo3(default)]
    limit: Option<usize>,
    #[pyo3(default)]
    allow_partial: bool,
}

impl ImageWords {
    pub fn images(self) -> PyResult<ImageQuery> {
        let kind = |pano| if pano { Kind::Pano } else { Kind::Flat };
        Ok(ImageQuery {
            place: place(self.place.as_ref()),
            filter: Filter {
                since: period(self.since)?,
                until: period(self.until)?,
                kind: self.pano.map(kind),
                organizations: self.organization,
                creators: self.creator,
                sequences: self.sequence,
                heading: self.heading,
                ids: self.id,
            },
            limit: self.limit,
            allow_partial: self.allow_partial,
        })
    }

    pub fn sequences(self) -> PyResult<SequenceQuery> {
        let ImageQuery {
            place,
            filter,
            limit,
            allow_partial,
        } = self.images()?;
        Ok(SequenceQuery {
            place,
            filter,
            limit,
            allow_partial,
        })
    }
}

/// What is asked about map features.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct FeatureWords {
    place: Option<Py<Place>>,
    #[pyo3(default)]
    signs: Option<bool>,
    #[pyo3(default)]
    value: Vec<String>,
    #[pyo3(default)]
    first_seen_since: Option<Date>,
    #[pyo3(default)]
    first_seen_until: Option<Date>,
    #[pyo3(default)]
    last_seen_since: Option<Date>,
    #[pyo3(default)]
    last_seen_until: Option<Date>,
    #[pyo3(default)]
    id: Vec<i64>,
    #[pyo3(default)]
    limit: Option<usize>,
    #[pyo3(default)]
    allow_partial: bool,
}

impl FeatureWords {
    pub fn features(self) -> PyResult<FeatureQuery> {
        let kind = |signs| {
            if signs {
                FeatureKind::TrafficSign
            } else {
                FeatureKind::Point
            }
        };
        Ok(FeatureQuery {
            place: place(self.place.as_ref()),
            kind: self.signs.map(kind),
            values: self.value,
            first_seen_since: period(self.first_seen_since)?,
            first_seen_until: period(self.first_seen_until)?,
            last_seen_since: period(self.last_seen_since)?,
            last_seen_until: period(self.last_seen_until)?,
            ids: self.id,
            limit: self.limit,
            allow_partial: self.allow_partial,
        })
    }
}

fn place(place: Option<&Py<Place>>) -> Asked {
    place.map_or(Asked::Everywhere, |place| place.get().asked())
}

fn period(date: Option<Date>) -> PyResult<Option<Period>> {
    date.map(Date::period).transpose()
}
