//! GeoParquet 1.1: WKB, a covering box, row groups encoded on all threads.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, RecordBatch, StructArray};
use arrow_schema::{DataType, Field as ArrowField, Fields, Schema, SchemaRef};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowLeafColumn, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;
use serde_json::json;

use super::arrow::{Chunk, Table};
use super::chunks::in_order;
use super::fields::{Field, GEOMETRY};
use super::provenance::{CRS84, provenance};
use super::record::{Geometry, Record, Type};
use super::{Options, Written};
use crate::Dataset;

/// Chunks of rows in a row group: 131,072 points, whole cells of the engine's k-d split. In trials
/// on a million images they were 8 % smaller in area than row groups in Hilbert order, and boxes of
/// 2 and 20 km touched 23 and 11 % fewer of them.
pub(super) const CHUNKS_A_GROUP: usize = 8;

/// Rows of a chunk of rows that are there already.
const BATCH_ROWS: usize = 1 << 14;

/// Level of zstd; higher ones take longer and gain little on coordinates and ids.
const ZSTD_LEVEL: i32 = 1;

/// The covering box and its parts.
const BBOX: &str = "bbox";
const BBOX_PARTS: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];

/// The types of geometry that answers have.
const POINTS: &[&str] = &["Point"];
const SEQUENCES: &[&str] = &["LineString", "MultiLineString", "MultiPoint", "Point"];

/// Writes a file of rows that are there already; `geometry` is one of their columns, `boxes` are
/// those around it, and `types` the types it has.
pub(super) fn write_batch(
    batch: &RecordBatch,
    boxes: &[Bounds],
    types: &[&str],
    out: &mut dyn Write,
) -> io::Result<()> {
    let schema = schema(&batch.schema(), true);
    let columns = batch.columns().iter().cloned();
    let columns = columns.chain([covering(boxes)]).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)
        .map_err(|error| io_error(error.into()))?;
    let properties = of_geometry(properties_of_file(None)).build();
    let mut file = File::new(schema, properties).map_err(io_error)?;
    for start in (0..batch.num_rows()).step_by(BATCH_ROWS) {
        let rows = BATCH_ROWS.min(batch.num_rows() - start);
        file.push(batch.slice(start, rows), out)?;
    }
    let bounds = boxes.iter().fold(Bounds::NOTHING, Bounds::union);
    file.describe("geo", geo_metadata(types, &bounds));
    file.finish(out)
}

/// Writes a file.
pub(super) fn write<R: Record>(
    chunks: impl Iterator<Item = R::Chunk>,
    options: &Options<'_>,
    out: &mut dyn Write,
) -> io::Result<Written> {
    let table = Table::<R>::new(options)?;
    let has_geometry = table
        .fields
        .iter()
        .any(|field| matches!(field, Field::Geometry));
    let schema = schema(&table.schema, has_geometry);
    let properties = properties(&table, options);
    let mut file = File::new(schema.clone(), properties).map_err(io_error)?;
    let mut written = Written::default();
    let mut bounds = Bounds::NOTHING;
    let transform = |chunk: &R::Chunk| {
        let made = table.made_of(chunk);
        let mut columns = table.columns(&made)?;
        let boxes = boxes(&made, has_geometry);
        let of_rows = boxes.iter().fold(Bounds::NOTHING, Bounds::union);
        if has_geometry {
            columns.push(covering(&boxes));
        }
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        Ok((batch, R::written(chunk), of_rows))
    };
    in_order(chunks, transform, |chunk: Result<_, ParquetError>| {
        let (batch, of_chunk, of_rows) = chunk.map_err(io_error)?;
        written.add(of_chunk);
        bounds = bounds.union(&of_rows);
        file.push(batch, out)
    })?;
    if has_geometry {
        let types = if R::IS_POINT { POINTS } else { SEQUENCES };
        file.describe("geo", geo_metadata(types, &bounds));
    }
    file.finish(out)?;
    Ok(written)
}

fn io_error(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

/// The file as far as it is written, and the rows of the group to come.
struct File {
    /// Into memory, which is emptied after each group: the place to write to need not be one that
    /// other threads may touch.
    writer: SerializedFileWriter<Vec<u8>>,
    groups: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    waiting: Vec<RecordBatch>,
}

impl File {
    /// Begins a file without a copy of the Arrow schema: readers that find one overlook the
    /// metadata of the file, where `geo` is.
    fn new(schema: SchemaRef, properties: WriterProperties) -> Result<Self, ParquetError> {
        let parquet_schema = ArrowSchemaConverter::new().convert(&schema)?;
        let root = parquet_schema.root_schema_ptr();
        let writer = SerializedFileWriter::new(Vec::new(), root, Arc::new(properties))?;
        Ok(Self {
            groups: ArrowRowGroupWriterFactory::new(&writer, Arc::clone(&schema)),
            writer,
            schema,
            waiting: Vec::with_capacity(CHUNKS_A_GROUP),
        })
    }

    fn push(&mut self, batch: RecordBatch, out: &mut dyn Write) -> io::Result<()> {
        self.waiting.push(batch);
        if self.waiting.len() < CHUNKS_A_GROUP {
            return Ok(());
        }
        self.write_group(out)
    }

    fn write_group(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.encode_group().map_err(io_error)?;
        self.hand_on(out)
    }

    fn encode_group(&mut self) -> Result<(), ParquetError> {
        let index = self.writer.flushed_row_groups().len();
        let writers = self.groups.create_column_writers(index)?;
        let columns = self.leaves(writers.len())?;
        let chunks: Vec<ArrowColumnChunk> = writers
            .into_par_iter()
            .zip(columns)
            .map(|(mut writer, leaves)| {
                leaves.iter().try_for_each(|leaf| writer.write(leaf))?;
                writer.close()
            })
            .collect::<Result<_, _>>()?;
        self.waiting.clear();
        let mut group = self.writer.next_row_group()?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close()?;
        Ok(())
    }

    /// The waiting rows, column by column; the parts of the box are columns each.
    fn leaves(&self, columns: usize) -> Result<Vec<Vec<ArrowLeafColumn>>, ParquetError> {
        let mut leaves: Vec<Vec<ArrowLeafColumn>> = (0..columns).map(|_| Vec::new()).collect();
        for batch in &self.waiting {
            let mut column = 0;
            for (field, array) in self.schema.fields().iter().zip(batch.columns()) {
                for leaf in compute_leaves(field, array)? {
                    leaves[column].push(leaf);
                    column += 1;
                }
            }
        }
        Ok(leaves)
    }

    fn hand_on(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.writer.flush()?;
        let bytes = self.writer.inner_mut();
        out.write_all(bytes)?;
        bytes.clear();
        Ok(())
    }

    fn describe(&mut self, key: &str, value: String) {
        let entry = KeyValue::new(key.to_owned(), value);
        self.writer.append_key_value_metadata(entry);
    }

    fn finish(mut self, out: &mut dyn Write) -> io::Result<()> {
        if !self.waiting.is_empty() {
            self.write_group(out)?;
        }
        let footer = self.writer.into_inner().map_err(io_error)?;
        out.write_all(&footer)?;
        out.flush()
    }
}

fn schema(table: &Schema, has_geometry: bool) -> SchemaRef {
    let mut fields: Vec<_> = table.fields().iter().cloned().collect();
    if has_geometry {
        let parts = DataType::Struct(bbox_fields());
        fields.push(Arc::new(ArrowField::new(BBOX, parts, false)));
    }
    Arc::new(Schema::new(fields))
}

fn bbox_fields() -> Fields {
    let part = |name| ArrowField::new(name, DataType::Float32, false);
    BBOX_PARTS.map(part).to_vec().into()
}

/// What is said of a file as a whole.
fn properties_of_file(data: Option<&Dataset>) -> WriterPropertiesBuilder {
    let metadata = provenance(data).into_iter();
    let metadata = metadata.map(|(name, text)| KeyValue::new(name.to_owned(), text));
    WriterProperties::builder()
        .set_created_by(concat!("tilesight ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(metadata.collect()))
        .set_compression(Compression::ZSTD(
            ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default(),
        ))
}

fn properties<R: Record>(table: &Table<'_, R>, options: &Options<'_>) -> WriterProperties {
    let builder = properties_of_file(options.data);
    let builder = table
        .fields
        .iter()
        .fold(builder, |builder, field| match field {
            Field::Geometry => of_geometry(builder),
            Field::Column(column) => match column.type_ {
                Type::Real => split(builder, ColumnPath::from(column.name)),
                Type::Time => differences(builder, column.name),
                Type::Integer if column.is_required => differences(builder, column.name),
                _ => builder,
            },
        });
    builder.build()
}

/// Bytes of equal weight side by side, which compress better than those of one number.
fn split(builder: WriterPropertiesBuilder, path: ColumnPath) -> WriterPropertiesBuilder {
    builder
        .set_column_dictionary_enabled(path.clone(), false)
        .set_column_encoding(path, Encoding::BYTE_STREAM_SPLIT)
}

/// As few bits as neighbours differ in.
fn differences(builder: WriterPropertiesBuilder, name: &str) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(name);
    builder
        .set_column_dictionary_enabled(path.clone(), false)
        .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED)
}

fn of_geometry(builder: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(GEOMETRY);
    let builder = builder
        .set_column_dictionary_enabled(path.clone(), false)
        // The least and the greatest bytes of a geometry say nothing; the box does.
        .set_column_statistics_enabled(path, EnabledStatistics::None);
    BBOX_PARTS.iter().fold(builder, |builder, part| {
        let path = ColumnPath::new(vec![BBOX.to_owned(), (*part).to_owned()]);
        split(builder, path)
    })
}

/// The metadata `geo` of a file (GeoParquet 1.1).
fn geo_metadata(types: &[&str], bounds: &Bounds) -> String {
    let crs: serde_json::Value = serde_json::from_str(CRS84).unwrap_or_default();
    let part = |name: &str| (name.to_owned(), json!([BBOX, name]));
    let covering: serde_json::Map<_, _> = BBOX_PARTS.map(part).into_iter().collect();
    let mut column = json!({
        "encoding": "WKB",
        "geometry_types": types,
        "crs": crs,
        "edges": "planar",
        "covering": {"bbox": covering},
    });
    if !bounds.is_nothing() {
        column["bbox"] = json!(bounds.0);
    }
    let geo = json!({
        "version": "1.1.0",
        "primary_column": GEOMETRY,
        "columns": {GEOMETRY: column},
    });
    geo.to_string()
}

/// West, south, east, north in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds([f64; 4]);

impl Bounds {
    pub(super) const NOTHING: Self = Self([
        f64::INFINITY,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NEG_INFINITY,
    ]);

    fn of(geometry: &Geometry) -> Self {
        match geometry {
            Geometry::Point(position) => Self::around(&[*position]),
            Geometry::MultiPoint(positions) | Geometry::Line(positions) => Self::around(positions),
            Geometry::MultiLine(lines) => {
                let lines = lines.iter().map(|line| Self::around(line));
                lines.fold(Self::NOTHING, |all, one| all.union(&one))
            }
        }
    }

    pub(super) fn around(positions: &[[f64; 2]]) -> Self {
        let one = |&[lon, lat]: &[f64; 2]| Self([lon, lat, lon, lat]);
        positions
            .iter()
            .map(one)
            .fold(Self::NOTHING, |all, one| all.union(&one))
    }

    fn union(self, other: &Self) -> Self {
        let ([west, south, east, north], other) = (self.0, other.0);
        Self([
            west.min(other[0]),
            south.min(other[1]),
            east.max(other[2]),
            north.max(other[3]),
        ])
    }

    fn is_nothing(&self) -> bool {
        self.0[0] > self.0[2]
    }
}

fn boxes<R: Record>(chunk: &Chunk<'_, R>, has_geometry: bool) -> Vec<Bounds> {
    match chunk.positions() {
        _ if !has_geometry => Vec::new(),
        Some([lon, lat]) => {
            let points = lon.iter().zip(lat.iter());
            points
                .map(|(&lon, &lat)| Bounds::around(&[[lon, lat]]))
                .collect()
        }
        None => {
            let rows = chunk.rows().iter();
            rows.map(|row| Bounds::of(&row.geometry())).collect()
        }
    }
}

/// The column of boxes, rounded outwards.
fn covering(boxes: &[Bounds]) -> ArrayRef {
    let part = |i: usize, round: fn(f64) -> f32| -> ArrayRef {
        Arc::new(Float32Array::from_iter_values(
            boxes.iter().map(|b| round(b.0[i])),
        ))
    };
    let parts = vec![part(0, floor), part(1, floor), part(2, ceil), part(3, ceil)];
    Arc::new(StructArray::new(bbox_fields(), parts, None))
}

/// The greatest number of single precision that is not above another.
fn floor(number: f64) -> f32 {
    let near = number as f32;
    if f64::from(near) > number {
        near.next_down()
    } else {
        near
    }
}

/// The least number of single precision that is not below another.
fn ceil(number: f64) -> f32 {
    -floor(-number)
}
