//! Images from the GeoParquet files that are written here.

use std::fs::File;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use arrow_array::types::{ArrowPrimitiveType, Float64Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, BooleanArray, PrimitiveArray, RecordBatch, StringArray};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use rayon::prelude::*;
use tilesight_query::{Image, Kind};

use crate::{Dataset, Error};

/// What is read; the first three have to be there.
const COLUMNS: [&str; 9] = [
    "lon",
    "lat",
    "id",
    "captured_at",
    "compass_angle",
    "is_pano",
    "sequence_id",
    "organization_id",
    "creator_id",
];

/// Opens the images of GeoParquet files that were written here, such as parts of a partitioned
/// dataset.
///
/// # Returns
///
/// A dataset of the images of all the files, in memory. It answers as the dataset does that the files
/// are from, but for what files do not tell: it has no lines of sequences but those through its
/// images, no map features, and takes every tile for held. A column that was left out when the files
/// were written is not known of any image.
///
/// # Errors
///
/// [`Error::Images`] when a file cannot be read, is damaged, or lacks a longitude, a latitude or an
/// id; [`Error::Query`] when there are more images than can be numbered.
///
/// # Cost
///
/// That of [`Dataset::from_images`], after reading the files on all threads.
///
/// # Example
///
/// ```
/// use tilesight::formats::{Partitions, read_images};
/// use tilesight::{Dataset, Image, ImageQuery};
///
/// let data = Dataset::from_images([Image::at(17, 24.94, 60.17)])?;
/// let folder = tempfile::tempdir()?;
/// let partitions = Partitions { zoom: 8, ..Partitions::default() };
/// partitions.write(&data, folder.path(), &|_| ())?;
///
/// let part = folder.path().join("z=8/tile=145-74/part-0.parquet");
/// let again = read_images(&[part])?;
/// assert_eq!(again.images(&ImageQuery::default())?.to_ids(), [17]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_images(paths: &[impl AsRef<Path> + Sync]) -> Result<Dataset, Error> {
    let files = paths.par_iter().map(|path| {
        let path = path.as_ref();
        read(path).map_err(|problem| Error::Images {
            path: path.to_owned(),
            problem,
        })
    });
    let files: Vec<Vec<Columns>> = files.collect::<Result<_, _>>()?;
    Dataset::from_images(files.iter().flatten().flat_map(Columns::images))
}

fn read(path: &Path) -> Result<Vec<Columns>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    // The reader asserts what a damaged file claims. Nothing that it had in hand is used again.
    let batches = panic::catch_unwind(AssertUnwindSafe(|| batches(file)));
    let batches = batches.map_err(|_| "the file is damaged".to_owned())?;
    let batches = batches.map_err(|error| error.to_string())?;
    batches.iter().map(Columns::of).collect()
}

fn batches(file: File) -> Result<Vec<RecordBatch>, ParquetError> {
    // The types of Parquet tell enough, and what reads a damaged Arrow schema panics.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), COLUMNS);
    let reader = builder.with_projection(mask).build()?;
    Ok(reader.collect::<Result<_, _>>()?)
}

/// The columns of some rows; what a file lacks is nowhere known.
struct Columns {
    lon: PrimitiveArray<Float64Type>,
    lat: PrimitiveArray<Float64Type>,
    id: PrimitiveArray<Int64Type>,
    captured_at_ms: Option<PrimitiveArray<TimestampMillisecondType>>,
    compass_angle_deg: Option<PrimitiveArray<Float64Type>>,
    is_pano: Option<BooleanArray>,
    sequence_id: Option<StringArray>,
    organization_id: Option<PrimitiveArray<Int64Type>>,
    creator_id: Option<PrimitiveArray<Int64Type>>,
}

impl Columns {
    fn of(batch: &RecordBatch) -> Result<Self, String> {
        let [
            lon,
            lat,
            id,
            captured_at,
            compass_angle,
            is_pano,
            sequence_id,
            organization_id,
            creator_id,
        ] = COLUMNS;
        Ok(Self {
            lon: required(batch, lon)?,
            lat: required(batch, lat)?,
            id: required(batch, id)?,
            captured_at_ms: column(batch, captured_at)?,
            compass_angle_deg: column(batch, compass_angle)?,
            is_pano: column(batch, is_pano)?,
            sequence_id: column(batch, sequence_id)?,
            organization_id: column(batch, organization_id)?,
            creator_id: column(batch, creator_id)?,
        })
    }

    fn images(&self) -> impl Iterator<Item = Image<'_>> {
        (0..self.id.len()).map(|row| {
            let is_pano = self.is_pano.as_ref().filter(|column| column.is_valid(row));
            let kind = |column: &BooleanArray| {
                if column.value(row) {
                    Kind::Pano
                } else {
                    Kind::Flat
                }
            };
            let sequence_id = self
                .sequence_id
                .as_ref()
                .filter(|column| column.is_valid(row));
            Image {
                captured_at_ms: value(self.captured_at_ms.as_ref(), row),
                compass_angle_deg: value(self.compass_angle_deg.as_ref(), row),
                kind: is_pano.map(kind),
                sequence_id: sequence_id.map(|column| column.value(row)),
                organization_id: value(self.organization_id.as_ref(), row),
                creator_id: value(self.creator_id.as_ref(), row),
                ..Image::at(self.id.value(row), self.lon.value(row), self.lat.value(row))
            }
        })
    }
}

fn value<T: ArrowPrimitiveType>(
    column: Option<&PrimitiveArray<T>>,
    row: usize,
) -> Option<T::Native> {
    let column = column.filter(|column| column.is_valid(row))?;
    Some(column.value(row))
}

fn required<T: ArrowPrimitiveType>(
    batch: &RecordBatch,
    name: &str,
) -> Result<PrimitiveArray<T>, String> {
    let column = column::<PrimitiveArray<T>>(batch, name)?;
    let column = column.filter(|column| column.null_count() == 0);
    column.ok_or_else(|| {
        let [lon, lat, id, ..] = COLUMNS;
        format!("{name} is missing; write it with the fields {lon}, {lat} and {id}")
    })
}

/// A column of a type; none where there is no such column.
fn column<A: Clone + 'static>(batch: &RecordBatch, name: &str) -> Result<Option<A>, String> {
    let Some(array) = batch.column_by_name(name) else {
        return Ok(None);
    };
    let column = array.as_any().downcast_ref::<A>().cloned();
    let other = || format!("{name} is {}, not as it is written here", array.data_type());
    column.map(Some).ok_or_else(other)
}
