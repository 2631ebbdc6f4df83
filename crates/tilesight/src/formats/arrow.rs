//! Rows as Arrow record batches, and as an IPC stream of them.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, IoSlice, Write};
use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchReader,
    StringArray, TimestampMillisecondArray,
};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_ipc::writer::StreamEncoder;
use arrow_schema::extension::{EXTENSION_TYPE_METADATA_KEY, EXTENSION_TYPE_NAME_KEY};
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef, TimeUnit};

use super::arrays;
use super::chunks::{in_order, on_demand};
use super::fields::{Field, GEOMETRY, Layout};
use super::pool::Pool;
use super::provenance::{CRS84, provenance};
use super::record::{Column, Context, Record, Type, Value};
use super::wkb::push_wkb;
use super::{Options, Written};

/// What times are in.
pub(super) const UTC: &str = "UTC";

/// Writes an IPC stream of record batches.
pub(super) fn write<R: Record>(
    chunks: impl Iterator<Item = R::Chunk>,
    options: &Options<'_>,
    out: &mut dyn Write,
) -> io::Result<Written> {
    let table = Table::<R>::new(options)?;
    let mut written = Written::default();
    let stream = || -> Result<(), ArrowError> {
        let mut stream = StreamEncoder::try_new(&table.schema)?;
        let transform = |chunk: &R::Chunk| Ok((table.batch(chunk)?, R::written(chunk)));
        in_order(chunks, transform, |chunk: Result<_, ArrowError>| {
            let (batch, of_chunk) = chunk?;
            written.add(of_chunk);
            Ok::<(), ArrowError>(write_at_once(&stream.encode(&batch)?, out)?)
        })?;
        Ok(write_at_once(&stream.finish()?, out)?)
    };
    stream().map_err(io_error)?;
    out.flush()?;
    Ok(written)
}

/// Writes buffers where they lie, all of them by one call where the system takes so many.
fn write_at_once(buffers: &[Buffer], out: &mut dyn Write) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = buffers.iter().map(|buffer| IoSlice::new(buffer)).collect();
    let mut left = &mut slices[..];
    // What is empty is done from the beginning.
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match out.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The error of the writer underneath, whose kind callers want to know.
pub(super) fn io_error(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        error => io::Error::other(error),
    }
}

/// An answer as Arrow record batches: the first is made when it is asked for, those behind it some
/// at a time on all threads.
pub struct Batches<'a> {
    schema: SchemaRef,
    batches: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send + 'a>,
}

impl<'a> Batches<'a> {
    pub(super) fn new<R: Record + 'a>(
        chunks: impl Iterator<Item = R::Chunk> + Send + 'a,
        options: &Options<'a>,
    ) -> io::Result<Self> {
        let table = Table::<R>::new(options)?;
        let schema = Arc::clone(&table.schema);
        let batches = on_demand(chunks, move |chunk| table.batch(chunk));
        Ok(Self {
            schema,
            batches: Box::new(batches),
        })
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next()
    }
}

impl RecordBatchReader for Batches<'_> {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl fmt::Debug for Batches<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

/// What is made of rows: which columns, of which types.
pub(super) struct Table<'d, R> {
    pub(super) schema: SchemaRef,
    pub(super) fields: Vec<Field<R>>,
    context: Context<'d>,
    pool: Arc<Pool>,
}

impl<'d, R: Record> Table<'d, R> {
    pub(super) fn new(options: &Options<'d>) -> io::Result<Self> {
        let fields = options.fields::<R>(Layout::Table)?;
        let types: Vec<_> = fields.iter().map(type_of).collect();
        let entries = provenance(options.data).into_iter();
        let metadata = entries
            .map(|(name, text)| (name.to_owned(), text))
            .collect();
        Ok(Self {
            schema: Arc::new(Schema::new_with_metadata(types, metadata)),
            fields,
            context: options.context(),
            pool: Arc::default(),
        })
    }

    pub(super) fn made_of<'c>(&'c self, chunk: &'c R::Chunk) -> Chunk<'c, R> {
        Chunk {
            raw: chunk,
            context: &self.context,
            pool: &self.pool,
            positions: OnceCell::new(),
            rows: OnceCell::new(),
        }
    }

    fn batch(&self, chunk: &R::Chunk) -> Result<RecordBatch, ArrowError> {
        let columns = self.columns(&self.made_of(chunk))?;
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }

    pub(super) fn columns(&self, chunk: &Chunk<'_, R>) -> Result<Vec<ArrayRef>, ArrowError> {
        self.fields.iter().map(|field| chunk.array(field)).collect()
    }
}

/// A chunk of rows, and what its columns are made of, each when it is first asked for.
pub(super) struct Chunk<'c, R: Record> {
    raw: &'c R::Chunk,
    context: &'c Context<'c>,
    pool: &'c Arc<Pool>,
    positions: OnceCell<Option<[ScalarBuffer<f64>; 2]>>,
    rows: OnceCell<Vec<R>>,
}

impl<R: Record> Chunk<'_, R> {
    /// Longitudes and latitudes, where every row is a point.
    pub(super) fn positions(&self) -> Option<&[ScalarBuffer<f64>; 2]> {
        let positions = || R::positions(self.raw, self.pool);
        self.positions.get_or_init(positions).as_ref()
    }

    /// The rows one by one.
    pub(super) fn rows(&self) -> &[R] {
        let rows = || R::rows(self.raw, self.context).collect();
        self.rows.get_or_init(rows)
    }

    fn array(&self, field: &Field<R>) -> Result<ArrayRef, ArrowError> {
        match (field, self.at_once(field)) {
            (_, Some(array)) => Ok(array),
            (Field::Geometry, None) => geometries(self.rows()),
            (Field::Column(column), None) => Ok(values(column, self.rows())),
        }
    }

    /// A column without its rows, where there is a way.
    fn at_once(&self, field: &Field<R>) -> Option<ArrayRef> {
        let reals = |values: &ScalarBuffer<f64>| Arc::new(Float64Array::new(values.clone(), None));
        Some(match field {
            Field::Geometry => arrays::points(self.positions()?, self.pool),
            Field::Column(column) => match column.name {
                "lon" => reals(&self.positions()?[0]),
                "lat" => reals(&self.positions()?[1]),
                name => return R::array(self.raw, name, self.pool),
            },
        })
    }
}

fn type_of<R>(field: &Field<R>) -> arrow_schema::Field {
    let Field::Column(column) = field else {
        return geometry_type();
    };
    let type_ = match column.type_ {
        Type::Integer => DataType::Int64,
        Type::Real => DataType::Float64,
        Type::Text => DataType::Utf8,
        Type::Category => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Type::Time => DataType::Timestamp(TimeUnit::Millisecond, Some(UTC.into())),
        Type::Flag => DataType::Boolean,
    };
    arrow_schema::Field::new(column.name, type_, !column.is_required)
}

pub(super) fn geometry_type() -> arrow_schema::Field {
    let metadata = format!("{{\"crs\":{CRS84},\"crs_type\":\"projjson\"}}");
    let extension = HashMap::from([
        (
            EXTENSION_TYPE_NAME_KEY.to_owned(),
            "geoarrow.wkb".to_owned(),
        ),
        (EXTENSION_TYPE_METADATA_KEY.to_owned(), metadata),
    ]);
    arrow_schema::Field::new(GEOMETRY, DataType::Binary, false).with_metadata(extension)
}

fn geometries<R: Record>(rows: &[R]) -> Result<ArrayRef, ArrowError> {
    let mut bytes = Vec::new();
    let mut offsets = vec![0_i32];
    for row in rows {
        push_wkb(&mut bytes, &row.geometry());
        let end = i32::try_from(bytes.len());
        offsets.push(end.map_err(|_| ArrowError::OffsetOverflowError(bytes.len()))?);
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let array = BinaryArray::try_new(offsets, Buffer::from_vec(bytes), None)?;
    Ok(Arc::new(array))
}

fn values<R>(column: &Column<R>, rows: &[R]) -> ArrayRef {
    let values = rows.iter().map(|row| (column.value)(row));
    match column.type_ {
        Type::Integer => Arc::new(values.map(integer).collect::<Int64Array>()),
        Type::Real => Arc::new(values.map(real).collect::<Float64Array>()),
        Type::Text => Arc::new(values.map(text).collect::<StringArray>()),
        Type::Category => {
            let mut builder = StringDictionaryBuilder::<Int32Type>::new();
            builder.extend(values.map(text));
            Arc::new(builder.finish())
        }
        Type::Time => {
            let times = values.map(time).collect::<TimestampMillisecondArray>();
            Arc::new(times.with_timezone(UTC))
        }
        Type::Flag => Arc::new(values.map(flag).collect::<BooleanArray>()),
    }
}

fn integer(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Id(id) => Some(id),
        Value::Count(count) => Some(i64::from(count)),
        _ => None,
    }
}

fn real(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Degrees(real) | Value::Number(real) | Value::Measure(real) => Some(real),
        _ => None,
    }
}

fn text(value: Value<'_>) -> Option<&str> {
    match value {
        Value::Text(text) | Value::Foreign(text) => Some(text),
        _ => None,
    }
}

fn time(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Time(ms) => Some(ms),
        _ => None,
    }
}

fn flag(value: Value<'_>) -> Option<bool> {
    match value {
        Value::Flag(flag) => Some(flag),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow_ipc::writer::StreamWriter;
    use proptest::prelude::*;
    use tilesight_query::{Filter, Image, ImageQuery, Kind, Place};
    use tilesight_tile::LonLat;

    use super::super::join::{JoinChunk, JoinedImage};
    use super::super::record::ImageChunk;
    use super::super::{Export, Format};
    use super::*;
    use crate::Dataset;

    /// An image near Helsinki of which anything can be unknown.
    fn image(id: i64) -> impl Strategy<Value = Image<'static>> {
        let sequences = prop::sample::select(vec![None, Some("a"), Some("b"), Some("-c")]);
        let kinds = prop::sample::select(vec![None, Some(Kind::Flat), Some(Kind::Pano)]);
        let of_image = (0..1_000_i64, 0..360_000_u32, 0..3_i64, 0..300_u32);
        (sequences, kinds, of_image).prop_map(move |(sequence_id, kind, of_image)| {
            let (ms, thousandths, organization, place) = of_image;
            Image {
                captured_at_ms: (ms > 100).then_some(1_600_000_000_000 + ms),
                compass_angle_deg: (thousandths > 40_000).then(|| f64::from(thousandths) / 1_000.0),
                kind,
                sequence_id,
                organization_id: (organization > 0).then_some(organization << 60),
                creator_id: (organization < 2).then_some(-organization),
                ..Image::at(
                    id,
                    24.9 + f64::from(place % 17) / 100.0,
                    60.1 + f64::from(place / 17) / 100.0,
                )
            }
        })
    }

    fn images() -> impl Strategy<Value = Vec<Image<'static>>> {
        (1..300_i64).prop_flat_map(|len| (1..=len).map(image).collect::<Vec<_>>())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn columns_at_once_are_those_of_values(images in images(), chunk_rows in 1..100_usize) {
            let data = Dataset::from_images(images).unwrap();
            let target = LonLat::new(24.95, 60.15).unwrap();
            let nearest = Place::Nearest { target, k: 50, radius_m: None };
            for (place, kind) in [
                (Place::Everywhere, None),
                (Place::Everywhere, Some(Kind::Pano)),
                (nearest, None),
                (Place::looking_at(target), None),
            ] {
                let filter = Filter { kind, ..Filter::default() };
                let query = ImageQuery { place, filter, ..ImageQuery::default() };
                let found = data.images(&query).unwrap();
                let options = Options::new(Format::Arrow, &query.place);
                let table = Table::<Image<'_>>::new(&options).unwrap();
                for chunk in ImageChunk::all(&found, chunk_rows) {
                    let made = table.made_of(&chunk);
                    for field in &table.fields {
                        prop_assert_eq!(&made.array(field).unwrap(), &slow(field, made.rows()));
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn columns_of_a_join_are_those_of_its_pairs_one_by_one(
            images in images(), places in prop::collection::vec(0..300_u32, 0..60),
            limit in prop::option::of(0..30_usize), looking: bool, part_len in 1..90_usize,
        ) {
            let data = Dataset::from_images(images).unwrap();
            let target = |&place: &u32| {
                let (east, north) = (place % 17, place / 17);
                LonLat::new(24.9 + f64::from(east) / 100.0, 60.1 + f64::from(north) / 99.0).unwrap()
            };
            let targets: Vec<LonLat> = places.iter().map(target).collect();
            let (target, radius_m) = (LonLat::new(0.0, 0.0).unwrap(), 1_000.0);
            let place = if looking {
                Place::LookingAt { target, radius_m, fov_deg: 200.0 }
            } else {
                Place::Near { target, radius_m }
            };
            let query = ImageQuery { place, limit, ..ImageQuery::default() };
            let join = data.images_around(&query, &targets).unwrap();
            let options = Options::new(Format::Arrow, &query.place);
            let table = Table::<JoinedImage<'_>>::new(&options).unwrap();
            for chunk in JoinChunk::of(&join, part_len) {
                let made = table.made_of(&chunk);
                for field in &table.fields {
                    prop_assert_eq!(&made.array(field).unwrap(), &slow(field, made.rows()));
                }
            }
        }
    }

    fn slow<R: Record>(field: &Field<R>, rows: &[R]) -> ArrayRef {
        match field {
            Field::Geometry => geometries(rows).unwrap(),
            Field::Column(column) => values(column, rows),
        }
    }

    /// Takes some bytes of one buffer or of several at a time, and is interrupted now and then.
    struct Sparing {
        taken: Vec<u8>,
        calls: usize,
    }

    impl Write for Sparing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            self.calls += 1;
            if self.calls.is_multiple_of(5) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let bytes = slices.iter().flat_map(|slice| slice.iter());
            let before = self.taken.len();
            self.taken.extend(bytes.take(self.calls % 97 + 1));
            Ok(self.taken.len() - before)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stream_is_whole_however_it_is_taken() {
        let images = (1..=40_000).map(|id| Image::at(id, 24.9, 60.1));
        let data = Dataset::from_images(images).unwrap();
        let found = data.images(&ImageQuery::default()).unwrap();
        let place = Place::Everywhere;
        let options = Options::new(Format::Arrow, &place);
        let mut at_once = Vec::new();
        found.write_with(&options, &mut at_once).unwrap();
        let mut sparing = Sparing {
            taken: Vec::new(),
            calls: 0,
        };
        found.write_with(&options, &mut sparing).unwrap();
        assert!(sparing.taken == at_once);
        let table = Table::<Image<'_>>::new(&options).unwrap();
        let mut expected = StreamWriter::try_new(Vec::new(), &table.schema).unwrap();
        for batch in found.batches(&options).unwrap() {
            expected.write(&batch.unwrap()).unwrap();
        }
        assert!(at_once == expected.into_inner().unwrap());
        let full = found.write_with(&options, &mut &mut vec![0; 100_000][..]);
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::WriteZero);
    }

    #[test]
    fn ids_are_not_copied() {
        let data = Dataset::from_images((1..=100).map(|id| Image::at(id, 24.9, 60.1))).unwrap();
        let found = data.images(&ImageQuery::default()).unwrap();
        let place = Place::Everywhere;
        let options = Options::new(Format::Arrow, &place);
        let table = Table::<Image<'_>>::new(&options).unwrap();
        let address = |batch: RecordBatch| {
            let id = batch.column_by_name("id").unwrap().to_data();
            id.buffers()[0].as_ptr()
        };
        let part = ImageChunk::all(&found, 100).next().unwrap();
        let addresses = [(); 2].map(|()| address(table.batch(&part).unwrap()));
        assert_eq!(addresses[0], addresses[1], "both are the dataset's own");
        assert_eq!(addresses[0], found.id_column().as_ptr().cast());
    }
}
