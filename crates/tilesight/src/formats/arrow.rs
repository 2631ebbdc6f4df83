//! Rows as Arrow record batches, and as an IPC stream of them.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchReader,
    StringArray, TimestampMillisecondArray,
};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::extension::{EXTENSION_TYPE_METADATA_KEY, EXTENSION_TYPE_NAME_KEY};
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef, TimeUnit};

use super::chunks::in_order;
use super::fields::{Field, GEOMETRY, Layout};
use super::provenance::{CRS84, provenance};
use super::record::{Column, Context, Record, Type, Value};
use super::wkb::push_wkb;
use super::{Options, Written};

/// What times are in.
const UTC: &str = "UTC";

/// Writes an IPC stream of record batches.
pub(super) fn write<R: Record>(
    rows: impl Iterator<Item = R::Raw>,
    options: &Options<'_>,
    out: &mut dyn Write,
) -> io::Result<Written> {
    let table = Table::<R>::new(options)?;
    let mut written = Written::default();
    let stream = || -> Result<(), ArrowError> {
        let mut stream = StreamWriter::try_new(&mut *out, &table.schema)?;
        let transform = |raw: &[R::Raw]| {
            let (rows, of_chunk) = table.rows(raw);
            Ok((table.batch(&rows)?, of_chunk))
        };
        in_order(
            rows,
            R::CHUNK_ROWS,
            transform,
            |chunk: Result<_, ArrowError>| {
                let (batch, of_chunk) = chunk?;
                written.add(of_chunk);
                stream.write(&batch)
            },
        )?;
        stream.finish()
    };
    stream().map_err(io_error)?;
    out.flush()?;
    Ok(written)
}

/// The error of the writer underneath, whose kind callers want to know.
pub(super) fn io_error(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        error => io::Error::other(error),
    }
}

/// An answer as Arrow record batches, each made when it is asked for.
pub struct Batches<'a> {
    schema: SchemaRef,
    next: Box<dyn FnMut() -> Option<Result<RecordBatch, ArrowError>> + Send + 'a>,
}

impl<'a> Batches<'a> {
    pub(super) fn new<R: Record + 'a>(
        mut raw: impl Iterator<Item = R::Raw> + Send + 'a,
        options: &Options<'a>,
    ) -> io::Result<Self> {
        let table = Table::<R>::new(options)?;
        let schema = Arc::clone(&table.schema);
        let next = move || {
            let chunk: Vec<R::Raw> = raw.by_ref().take(R::CHUNK_ROWS).collect();
            let (rows, _) = table.rows(&chunk);
            (!rows.is_empty()).then(|| table.batch(&rows))
        };
        Ok(Self {
            schema,
            next: Box::new(next),
        })
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.next)()
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
        })
    }

    pub(super) fn rows(&self, raw: &[R::Raw]) -> (Vec<R>, Written) {
        let rows: Vec<R> = raw.iter().map(|raw| R::new(raw, &self.context)).collect();
        let mut written = Written::default();
        for row in &rows {
            written.add(Written::one(row));
        }
        (rows, written)
    }

    fn batch(&self, rows: &[R]) -> Result<RecordBatch, ArrowError> {
        RecordBatch::try_new(Arc::clone(&self.schema), self.columns(rows)?)
    }

    pub(super) fn columns(&self, rows: &[R]) -> Result<Vec<ArrayRef>, ArrowError> {
        let array = |field: &Field<R>| match field {
            Field::Geometry => geometries(rows),
            Field::Column(column) => Ok(values(column, rows)),
        };
        self.fields.iter().map(array).collect()
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
