//! Datasets and the questions they answer.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use tilesight::{
    Error, GroupBy, GroupCount, GroupKey, ImageJoin, ImageQuery, Io, LonLat, Place as Asked,
};

use crate::answer::{Answer, Found};
use crate::error::raise;
use crate::place::Place;
use crate::question::{FeatureWords, ImageWords};
use crate::watch::watch;

/// Questions of a join that are asked before it is looked whether to stop.
const QUESTIONS_AT_ONCE: usize = 4_096;

/// An opened source.
#[pyclass(frozen, module = "tilesight._tilesight")]
pub struct Dataset(pub Arc<tilesight::Dataset>);

#[pymethods]
impl Dataset {
    /// Opens a source; `on_progress` is called with tiles read and tiles in all.
    #[staticmethod]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        mapped: bool,
        on_progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let io = if mapped { Io::Map } else { Io::Read };
        let opened = if tilesight::is_dataset_file(&path) {
            py.detach(|| tilesight::Dataset::open_with(&path, io, &|_| ()))
        } else {
            watch(
                py,
                on_progress.as_ref(),
                || (),
                |work| {
                    tilesight::Dataset::open_with(&path, io, &|progress| {
                        work.note_or_unwind(progress.tiles_read, progress.tiles);
                    })
                },
            )?
        };
        Ok(Self(Arc::new(opened.map_err(raise)?)))
    }

    fn images(
        &self,
        py: Python<'_>,
        words: ImageWords,
        fields: Option<Vec<String>>,
    ) -> PyResult<Answer> {
        let query = words.images()?;
        Answer::find(py, &self.0, query.place.clone(), fields, |data| {
            Ok(Found::Images(data.images(&query)?))
        })
    }

    fn sequences(
        &self,
        py: Python<'_>,
        words: ImageWords,
        fields: Option<Vec<String>>,
    ) -> PyResult<Answer> {
        let query = words.sequences()?;
        Answer::find(py, &self.0, query.place.clone(), fields, |data| {
            Ok(Found::Sequences(data.sequences(&query)?))
        })
    }

    fn features(
        &self,
        py: Python<'_>,
        words: FeatureWords,
        fields: Option<Vec<String>>,
    ) -> PyResult<Answer> {
        let query = words.features()?;
        Answer::find(py, &self.0, query.place.clone(), fields, |data| {
            Ok(Found::Features(data.features(&query)?))
        })
    }

    /// The images of each of some places.
    fn images_each(
        &self,
        py: Python<'_>,
        places: Vec<Py<Place>>,
        words: ImageWords,
        fields: Option<Vec<String>>,
    ) -> PyResult<Answer> {
        let query = words.images()?;
        let places: Vec<Asked> = places.iter().map(|place| place.get().asked()).collect();
        let like = places.first().unwrap_or(&query.place).clone();
        Answer::watch(py, &self.0, like, fields, |data, work| {
            let mut join = ImageJoin::default();
            for some in places.chunks(QUESTIONS_AT_ONCE) {
                let at = |place: &Asked| at_place(&query, place.clone());
                let queries: Vec<ImageQuery> = some.iter().map(at).collect();
                join.extend(data.images_each(&queries)?);
                work.note_or_unwind(0, 0);
            }
            Ok(Found::Join(join))
        })
    }

    /// The images at a place that is moved to each of some positions: pairs of longitude and
    /// latitude as little-endian doubles.
    fn images_at_each(
        &self,
        py: Python<'_>,
        positions: PyBackedBytes,
        words: ImageWords,
        fields: Option<Vec<String>>,
    ) -> PyResult<Answer> {
        let query = words.images()?;
        let (pairs, _) = positions.as_chunks::<PAIR_BYTES>();
        let targets: Result<Vec<LonLat>, Error> = pairs.iter().map(position).collect();
        let targets = targets.map_err(raise)?;
        Answer::watch(py, &self.0, query.place.clone(), fields, |data, work| {
            let total = targets.len() as u64;
            let note = |done| work.note_or_unwind(done as u64, total);
            let join = data.images_around_with(&query, &targets, &note)?;
            Ok(Found::Join(join))
        })
    }

    fn count(&self, py: Python<'_>, words: ImageWords) -> PyResult<u64> {
        let query = words.images()?;
        let count = py.detach(|| self.0.count_images(&query));
        count.map_err(raise)
    }

    /// How many images there are by what they have in common.
    fn stats(
        &self,
        py: Python<'_>,
        words: ImageWords,
        by: &str,
    ) -> PyResult<Vec<(Option<Key>, u64)>> {
        let (query, by) = (words.images()?, group_by(by)?);
        let groups = py.detach(|| self.0.count_images_by(&query, by));
        let groups = groups.map_err(raise)?.into_iter();
        Ok(groups
            .map(|GroupCount { key, images }| (key.map(Key::from), images))
            .collect())
    }

    /// How many images there are by tile: zoom, column, row and number.
    fn density(
        &self,
        py: Python<'_>,
        words: ImageWords,
        zoom: u8,
    ) -> PyResult<Vec<(u8, u32, u32, u64)>> {
        let query = words.images()?;
        let counts = py.detach(|| self.0.density(zoom, &query)).map_err(raise)?;
        let counts = counts.into_iter();
        Ok(counts
            .map(|count| (count.tile.z(), count.tile.x(), count.tile.y(), count.images))
            .collect())
    }

    /// What it holds, as JSON.
    fn info(&self, py: Python<'_>) -> PyResult<String> {
        let info = py.detach(|| self.0.info_json());
        info.map(|info| info.to_string()).map_err(raise)
    }
}

/// Two doubles.
const PAIR_BYTES: usize = 16;

fn position(pair: &[u8; PAIR_BYTES]) -> Result<LonLat, Error> {
    let (pair, _) = pair.as_chunks();
    let [lon, lat] = [pair[0], pair[1]].map(f64::from_le_bytes);
    Ok(LonLat::new(lon, lat)?)
}

fn at_place(query: &ImageQuery, place: Asked) -> ImageQuery {
    ImageQuery {
        place,
        filter: query.filter.clone(),
        ..*query
    }
}

/// What the images of a group have in common, as Python has it.
#[derive(IntoPyObject)]
enum Key {
    Text(String),
    Id(i64),
}

impl From<GroupKey> for Key {
    fn from(key: GroupKey) -> Self {
        match key {
            GroupKey::Id(id) => Self::Id(id),
            key => Self::Text(key.to_string()),
        }
    }
}

fn group_by(name: &str) -> PyResult<GroupBy> {
    Ok(match name {
        "day" => GroupBy::Day,
        "month" => GroupBy::Month,
        "year" => GroupBy::Year,
        "organization" => GroupBy::Organization,
        "creator" => GroupBy::Creator,
        "kind" => GroupBy::Kind,
        other => {
            let message =
                format!("by={other:?} is none of day, month, year, organization, creator and kind");
            return Err(PyValueError::new_err(message));
        }
    })
}
