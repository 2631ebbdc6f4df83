//! Writing answers: GeoJSON, CSV, ids, a table to read, Arrow and GeoParquet.
//!
//! Rows are transformed in chunks on all threads and written in their order, so that neither
//! memory nor the bytes depend on how many there are of the one or the other.
//!
//! Other formats are a step from here. FlatGeobuf has an index in front of its rows, so whoever
//! writes it must have seen them all; GDAL does so from the Arrow stream, here in Python:
//!
//! ```python
//! with pyarrow.ipc.open_stream("town.arrow") as stream:
//!     pyogrio.write_arrow(stream, "town.fgb", geometry_name="geometry", geometry_type="Point",
//!                         crs="OGC:CRS84")
//! ```

#[cfg(feature = "arrow")]
mod arrays;
#[cfg(feature = "arrow")]
mod arrow;
mod chunks;
mod convert;
mod csv;
mod fields;
mod gaps;
mod geojson;
#[cfg(feature = "parquet")]
mod geoparquet;
mod ids;
#[cfg(feature = "fetch")]
pub(crate) mod interface;
mod join;
mod number;
#[cfg(feature = "parquet")]
mod partition;
#[cfg(feature = "arrow")]
mod pool;
#[cfg(feature = "arrow")]
mod provenance;
mod record;
mod roads;
mod shape;
mod sightings;
mod sink;
#[cfg(feature = "parquet")]
mod spatial;
mod table;
mod text;
#[cfg(feature = "arrow")]
mod wkb;

use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;

use tilesight_query::{FeatureSelection, Image, MapFeature, Place, Selection, SequenceSelection};

use crate::Dataset;
use chunks::chunks_of;
use fields::{Field, Layout};
use record::{Context, ImageChunk, Record, SequenceRecord};

#[cfg(feature = "arrow")]
pub use arrow::Batches;
pub use convert::convert;
pub use fields::{FieldError, Rows, check_fields};
#[cfg(feature = "parquet")]
pub use partition::{PartitionProgress, Partitioned, Partitions, Shared, in_several, read_images};
pub use shape::SequenceShape;

/// Whom to credit for everything that comes out of the tiles.
pub const ATTRIBUTION: &str = "Mapillary, https://www.mapillary.com";

/// The licence of everything that comes out of the tiles.
pub const LICENSE: &str = "CC BY-SA 4.0";

/// How an answer is written.
///
/// Ids are text in GeoJSON, whose readers lose integers above 2⁵³, digits in other texts, and 64-bit
/// integers in columns. In texts times are RFC 3339 in UTC with milliseconds, and positions have as
/// many as 9 decimals, which lead back to the same position on the world grid; columns have
/// timestamps, and doubles. What is not known is `null`, or an empty cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// A GeoJSON `FeatureCollection` (RFC 7946), with attribution and licence.
    GeoJson,
    /// A GeoJSON feature a line, without record separators.
    GeoJsonSeq,
    /// Comma-separated values with a header: `lon,lat` first, or `WKT` for sequences.
    Csv,
    /// An Arrow IPC stream, with geometry as `geoarrow.wkb`; readable record batch by record batch.
    #[cfg(feature = "arrow")]
    Arrow,
    /// GeoParquet 1.1: WKB with a covering box, compressed with zstd. Rows are in spatial order,
    /// sequences too, which come by id elsewhere; nearest first where there is a target.
    #[cfg(feature = "parquet")]
    Parquet,
    /// An id a line.
    Ids,
    /// Aligned columns to read, and how many rows there are.
    Table {
        /// Most rows that are shown.
        max_rows: usize,
    },
}

impl Format {
    /// Tells the format from the extension of a file's name, in any case; a table with all rows.
    ///
    /// ```
    /// use std::path::Path;
    /// use tilesight::formats::Format;
    ///
    /// assert_eq!(Format::of_path(Path::new("town.CSV")), Some(Format::Csv));
    /// assert_eq!(Format::of_path(Path::new("town.shp")), None);
    /// ```
    pub fn of_path(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "geojson" | "json" => Self::GeoJson,
            "geojsonl" | "geojsonseq" | "geojsons" | "jsonl" | "ndjson" => Self::GeoJsonSeq,
            "csv" => Self::Csv,
            #[cfg(feature = "arrow")]
            "arrow" | "arrows" => Self::Arrow,
            #[cfg(feature = "parquet")]
            "parquet" | "geoparquet" => Self::Parquet,
            "ids" => Self::Ids,
            "txt" => Self::Table {
                max_rows: usize::MAX,
            },
            _ => return None,
        })
    }

    /// Tells whether what is written is not meant for people: no terminal shows it.
    pub const fn is_binary(self) -> bool {
        match self {
            #[cfg(feature = "arrow")]
            Self::Arrow => true,
            #[cfg(feature = "parquet")]
            Self::Parquet => true,
            _ => false,
        }
    }
}

/// Reads the name of a format, in any case; a table with all rows.
impl FromStr for Format {
    type Err = ParseFormatError;

    fn from_str(text: &str) -> Result<Self, ParseFormatError> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "geojson" => Self::GeoJson,
            "geojsonseq" => Self::GeoJsonSeq,
            "csv" => Self::Csv,
            #[cfg(feature = "arrow")]
            "arrow" => Self::Arrow,
            #[cfg(feature = "parquet")]
            "parquet" => Self::Parquet,
            "ids" => Self::Ids,
            "table" => Self::Table {
                max_rows: usize::MAX,
            },
            _ => return Err(ParseFormatError(text.to_owned())),
        })
    }
}

#[cfg(feature = "parquet")]
const FORMATS: &str = "geojson, geojsonseq, csv, parquet, arrow, ids and table";
#[cfg(all(feature = "arrow", not(feature = "parquet")))]
const FORMATS: &str = "geojson, geojsonseq, csv, arrow, ids and table";
#[cfg(not(feature = "arrow"))]
const FORMATS: &str = "geojson, geojsonseq, csv, ids and table";

/// A text that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a format: there are {FORMATS}")]
pub struct ParseFormatError(String);

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// How many rows.
    pub rows: u64,
    /// How many of them have an id that its tile carries rounded, and that may be wrong.
    pub inexact_ids: u64,
}

impl Written {
    fn one(row: &impl Record) -> Self {
        Self {
            rows: 1,
            inexact_ids: u64::from(!row.id_is_exact()),
        }
    }

    fn of(rows: &[impl Record]) -> Self {
        let inexact_ids = rows.iter().filter(|row| !row.id_is_exact()).count();
        Self {
            rows: rows.len() as u64,
            inexact_ids: inexact_ids as u64,
        }
    }

    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.inexact_ids += other.inexact_ids;
    }
}

/// How an answer is written, and what is known of the question.
///
/// ```
/// use tilesight::formats::{Export, Format, Options};
/// use tilesight::{Dataset, Image, ImageQuery};
///
/// let data = Dataset::from_images([Image::at(17, 24.9384, 60.1699)])?;
/// let query = ImageQuery::default();
/// let fields = ["id", "lat"].map(str::to_owned);
/// let options = Options { fields: Some(&fields), ..Options::new(Format::Csv, &query.place) };
/// let mut csv = Vec::new();
/// data.images(&query)?.write_with(&options, &mut csv)?;
/// assert!(csv.starts_with(b"id,lat\n17,60.1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// The format.
    pub format: Format,
    /// The place that was asked about, which decides whether `distance_m`, `bearing_deg` and
    /// `offset_deg` are among the columns.
    pub place: &'a Place,
    /// The columns by name, in this order, `geometry` among them; those that are usual for the
    /// format where nothing is said. GeoJSON has the geometry in any case, ids have nothing else.
    pub fields: Option<&'a [String]>,
    /// Whether points are `WKT` in CSV too, instead of `lon,lat`.
    pub wkt: bool,
    /// The dataset that was asked, for what only it can tell: of which tiles sequences lack their
    /// parts (`tiles_missing`, which is null without it), and where the rows come from, which
    /// Arrow and Parquet carry in their metadata.
    pub data: Option<&'a Dataset>,
}

impl<'a> Options<'a> {
    /// A format with its usual columns.
    pub const fn new(format: Format, place: &'a Place) -> Self {
        Self {
            format,
            place,
            fields: None,
            wkt: false,
            data: None,
        }
    }

    const fn context(&self) -> Context<'a> {
        Context::new(self.place, self.data)
    }

    fn fields<R: Record>(&self, layout: Layout) -> io::Result<Vec<Field<R>>> {
        fields::fields(self.fields, layout, &self.context())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}

/// An answer that can be written.
///
/// Implemented by [`Selection`], [`SequenceSelection`], [`FeatureSelection`],
/// [`ImageJoin`](crate::ImageJoin), [`Sightings`](crate::sight::Sightings) and
/// [`CoveredRoads`](crate::roads::CoveredRoads); of interest to nobody else.
pub trait Export {
    /// Writes the answer to the question for `place` with the usual columns of a format.
    ///
    /// # Errors
    ///
    /// Those of `out` alone.
    ///
    /// # Cost
    ///
    /// As [`write_with`](Self::write_with).
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight::formats::{Export, Format};
    /// use tilesight::{Image, ImageQuery};
    ///
    /// let data = tilesight::Dataset::from_images([Image::at(17, 24.9384, 60.1699)])?;
    /// let query = ImageQuery::default();
    /// let mut csv = Vec::new();
    /// data.images(&query)?.write(Format::Csv, &query.place, &mut csv)?;
    /// let lines: Vec<_> = str::from_utf8(&csv)?.lines().collect();
    /// assert_eq!(lines[0].split(',').take(3).collect::<Vec<_>>(), ["lon", "lat", "id"]);
    /// assert_eq!(lines[1].split(',').nth(2), Some("17"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn write(&self, format: Format, place: &Place, out: &mut dyn Write) -> io::Result<Written> {
        self.write_with(&Options::new(format, place), out)
    }

    /// Writes the answer.
    ///
    /// # Errors
    ///
    /// Those of `out`, and of kind [`InvalidInput`](io::ErrorKind::InvalidInput) with a
    /// [`FieldError`] when the [fields](field@Options::fields) are not columns of the answer.
    ///
    /// # Cost
    ///
    /// Some tenths of a microsecond an image on all threads, and memory for some ten thousand
    /// rows a thread, however many there are; `out` needs no buffer.
    fn write_with(&self, options: &Options<'_>, out: &mut dyn Write) -> io::Result<Written>;

    /// Gives the answer as Arrow record batches, made as they are asked for: the first by itself, those
    /// behind it some at a time on all threads.
    ///
    /// The columns are those of [`Format::Arrow`], and so are the options that count. Geometry is
    /// `geoarrow.wkb` with its coordinate reference system; ids are 64-bit integers, times are
    /// timestamps in milliseconds, UTC; texts that repeat are dictionaries of their own batch.
    ///
    /// # Errors
    ///
    /// As [`write_with`](Self::write_with).
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight::formats::{Export, Format, Options};
    /// use tilesight::{Dataset, Image, ImageQuery};
    ///
    /// let data = Dataset::from_images((1..=20_000).map(|id| Image::at(id, 24.9384, 60.1699)))?;
    /// let query = ImageQuery::default();
    /// let found = data.images(&query)?;
    /// let mut rows = 0;
    /// for batch in found.batches(&Options::new(Format::Arrow, &query.place))? {
    ///     rows += batch?.num_rows();
    /// }
    /// assert_eq!(rows, 20_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "arrow")]
    fn batches<'s>(&'s self, options: &Options<'s>) -> io::Result<Batches<'s>>;
}

impl Export for Selection<'_> {
    fn write_with(&self, options: &Options<'_>, out: &mut dyn Write) -> io::Result<Written> {
        let chunks = || ImageChunk::all(self, Image::CHUNK_ROWS);
        write::<Image<'_>, _>(chunks, self.len(), options, out)
    }

    #[cfg(feature = "arrow")]
    fn batches<'s>(&'s self, options: &Options<'s>) -> io::Result<Batches<'s>> {
        Batches::new::<Image<'s>>(ImageChunk::all(self, Image::CHUNK_ROWS), options)
    }
}

impl Export for SequenceSelection<'_> {
    fn write_with(&self, options: &Options<'_>, out: &mut dyn Write) -> io::Result<Written> {
        #[cfg(feature = "parquet")]
        if options.format == Format::Parquet && !options.context().has_distance {
            let tracks = spatial::in_spatial_order(self).into_iter();
            let chunks = chunks_of(tracks, SequenceRecord::CHUNK_ROWS);
            return geoparquet::write::<SequenceRecord<'_>>(chunks, options, out);
        }
        let chunks = || chunks_of(self.tracks(), SequenceRecord::CHUNK_ROWS);
        write::<SequenceRecord<'_>, _>(chunks, self.len(), options, out)
    }

    #[cfg(feature = "arrow")]
    fn batches<'s>(&'s self, options: &Options<'s>) -> io::Result<Batches<'s>> {
        let chunks = chunks_of(self.tracks(), SequenceRecord::CHUNK_ROWS);
        Batches::new::<SequenceRecord<'s>>(chunks, options)
    }
}

impl Export for FeatureSelection<'_> {
    fn write_with(&self, options: &Options<'_>, out: &mut dyn Write) -> io::Result<Written> {
        let chunks = || chunks_of(self.iter(), MapFeature::CHUNK_ROWS);
        write::<MapFeature<'_>, _>(chunks, self.len(), options, out)
    }

    #[cfg(feature = "arrow")]
    fn batches<'s>(&'s self, options: &Options<'s>) -> io::Result<Batches<'s>> {
        let chunks = chunks_of(self.iter(), MapFeature::CHUNK_ROWS);
        Batches::new::<MapFeature<'s>>(chunks, options)
    }
}

/// Writes rows, which `chunks` gives from the first on each time it is called.
fn write<R: Record, I: Iterator<Item = R::Chunk>>(
    chunks: impl Fn() -> I,
    len: usize,
    options: &Options<'_>,
    out: &mut dyn Write,
) -> io::Result<Written> {
    let context = &options.context();
    let fields = |layout| options.fields::<R>(layout);
    let features = || Ok::<_, io::Error>(geojson::Features::new(fields(Layout::Properties)?));
    match options.format {
        Format::GeoJson => text::write(&geojson::Collection(features()?), chunks(), context, out),
        Format::GeoJsonSeq => text::write(&geojson::Lines(features()?), chunks(), context, out),
        Format::Csv => {
            let layout = if options.wkt {
                Layout::CellsWithGeometry
            } else {
                Layout::Cells
            };
            let fields = fields(layout)?;
            text::write(&csv::Csv { fields }, chunks(), context, out)
        }
        #[cfg(feature = "arrow")]
        Format::Arrow => arrow::write::<R>(chunks(), options, out),
        #[cfg(feature = "parquet")]
        Format::Parquet => geoparquet::write::<R>(chunks(), options, out),
        Format::Ids => text::write::<R, _>(&ids::Ids, chunks(), context, out),
        Format::Table { max_rows } => {
            let fields = fields(Layout::NoGeometry)?;
            let size = table::Size {
                rows: len,
                max_rows,
            };
            table::write(&fields, chunks, size, context, out)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tilesight_query::{FeatureQuery, Image, ImageQuery, Kind, SequenceQuery};
    use tilesight_tile::LonLat;

    use super::*;
    use crate::Dataset;

    fn sample() -> Dataset {
        let image = Image {
            captured_at_ms: Some(1_682_935_815_250),
            compass_angle_deg: Some(90.25),
            kind: Some(Kind::Flat),
            sequence_id: Some("tYcXv0Gp3kL1mN9qRs2B5w"),
            organization_id: Some(9_007_199_254_740_993),
            ..Image::at(9_223_372_036_854_775_807, 24.938, 60.1699)
        };
        let unknown = Image {
            id_is_exact: false,
            ..Image::at(-2, 24.939, 60.1699)
        };
        Dataset::from_images([image, unknown]).unwrap()
    }

    fn near() -> Place {
        let target = LonLat::new(24.938, 60.1699).unwrap();
        Place::Nearest {
            target,
            k: 5,
            radius_m: None,
        }
    }

    fn written(answer: &impl Export, format: Format, place: &Place) -> String {
        let mut out = Vec::new();
        answer.write(format, place, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn images(format: Format, place: &Place) -> String {
        let query = ImageQuery {
            place: place.clone(),
            ..ImageQuery::default()
        };
        written(&sample().images(&query).unwrap(), format, place)
    }

    #[test]
    fn formats_by_name_and_extension() {
        assert_eq!("CSV".parse(), Ok(Format::Csv));
        let message = "shapefile".parse::<Format>().unwrap_err().to_string();
        assert!(message.contains("geojsonseq"), "{message}");
        assert_eq!(Format::of_path(Path::new("a.JSON")), Some(Format::GeoJson));
        assert_eq!(Format::of_path(Path::new("geojson")), None);
    }

    #[test]
    fn geojson_has_all_properties_and_nulls() {
        let collection: Value = serde_json::from_str(&images(Format::GeoJson, &near())).unwrap();
        assert_eq!(collection["type"], "FeatureCollection");
        assert_eq!(collection["license"], LICENSE);
        assert_eq!(collection["attribution"], ATTRIBUTION);
        let known = &collection["features"][0];
        assert_eq!(known["geometry"]["type"], "Point");
        let expected = json!({
            "id": "9223372036854775807",
            "captured_at": "2023-05-01T10:10:15.250Z",
            "compass_angle": 90.25,
            "is_pano": false,
            "sequence_id": "tYcXv0Gp3kL1mN9qRs2B5w",
            "organization_id": "9007199254740993",
            "creator_id": null,
            "distance_m": known["properties"]["distance_m"],
        });
        assert_eq!(known["properties"], expected);
        assert!(known["properties"]["distance_m"].as_f64().unwrap() < 0.01);
        let unknown = collection["features"][1]["properties"].as_object().unwrap();
        assert_eq!(unknown.values().filter(|value| value.is_null()).count(), 6);
    }

    /// Every number as a double, which is all that JavaScript has.
    fn through_javascript(value: Value) -> Value {
        match value {
            Value::Number(number) => json!(number.as_f64().unwrap()),
            Value::Array(items) => items.into_iter().map(through_javascript).collect(),
            Value::Object(members) => {
                let members = members.into_iter();
                Value::Object(
                    members
                        .map(|(name, value)| (name, through_javascript(value)))
                        .collect(),
                )
            }
            other => other,
        }
    }

    #[test]
    fn javascript_loses_no_id() {
        let text = images(Format::GeoJson, &near());
        let collection = through_javascript(serde_json::from_str(&text).unwrap());
        let read: Value = serde_json::from_str(&collection.to_string()).unwrap();
        let property = |row: usize, name: &str| {
            let id = &read["features"][row]["properties"][name];
            id.as_str().map(|id| id.parse::<i64>().unwrap())
        };
        let data = sample();
        let expected = [i64::MAX, -2].map(|id| data.image(id).unwrap().unwrap());
        for (row, image) in expected.into_iter().enumerate() {
            assert_eq!(property(row, "id"), Some(image.id));
            assert_eq!(property(row, "organization_id"), image.organization_id);
        }
    }

    #[test]
    fn an_empty_answer_is_an_empty_collection() {
        let data = sample();
        let empty = data.features(&FeatureQuery {
            allow_partial: true,
            ..Default::default()
        });
        let text = written(&empty.unwrap(), Format::GeoJson, &Place::Everywhere);
        let collection: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(collection["features"], json!([]));
    }

    #[test]
    fn geojsonseq_is_a_feature_a_line() {
        let text = images(Format::GeoJsonSeq, &near());
        let ids: Vec<_> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["properties"]["id"].clone())
            .collect();
        assert_eq!(ids, ["9223372036854775807", "-2"]);
    }

    #[test]
    fn csv_has_the_measured_columns_of_the_place() {
        let header = |place: &Place| {
            images(Format::Csv, place)
                .lines()
                .next()
                .unwrap()
                .to_owned()
        };
        let plain = "lon,lat,id,captured_at,compass_angle,is_pano,sequence_id,organization_id,\
                     creator_id";
        assert_eq!(header(&Place::Everywhere), plain);
        assert_eq!(header(&near()), format!("{plain},distance_m"));
        let looking = Place::looking_at(LonLat::new(24.938, 60.1699).unwrap());
        assert_eq!(
            header(&looking),
            format!("{plain},distance_m,bearing_deg,offset_deg")
        );
    }

    #[test]
    fn csv_leaves_the_unknown_empty() {
        let text = images(Format::Csv, &near());
        let unknown = text.lines().nth(2).unwrap();
        assert!(unknown.contains(",-2,,,,,,,55."), "{unknown}");
    }

    #[test]
    fn ids_come_alone() {
        assert_eq!(images(Format::Ids, &near()), "9223372036854775807\n-2\n");
    }

    #[test]
    fn a_table_shows_the_first_rows_and_says_how_many_there_are() {
        let text = images(Format::Table { max_rows: 1 }, &near());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[2], "1 of 2 images");
        let column = lines[0].find("sequence_id").unwrap();
        assert!(
            lines[1][column..].starts_with("tYcXv0Gp3kL1mN9qRs2B5w"),
            "{text}"
        );
    }

    #[test]
    fn sequences_in_csv_are_well_known_text() {
        let data = sample();
        let found = data.sequences(&SequenceQuery::default()).unwrap();
        let text = written(&found, Format::Csv, &Place::Everywhere);
        assert!(
            text.starts_with("WKT,id,image_count,first_captured_at,"),
            "{text}"
        );
        let row = text.lines().nth(1).unwrap();
        assert!(row.starts_with("POINT (24.938"), "{row}");
    }

    #[test]
    fn what_was_written_is_counted() {
        let data = sample();
        let found = data.images(&ImageQuery::default()).unwrap();
        let written = found
            .write(Format::Ids, &Place::Everywhere, &mut io::sink())
            .unwrap();
        assert_eq!(
            written,
            Written {
                rows: 2,
                inexact_ids: 1
            }
        );
    }

    #[test]
    fn a_failing_writer_is_an_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        // More than any buffer on the way holds.
        let images = (0..10_000).map(|id| Image::at(id, 24.9, 60.1));
        let data = Dataset::from_images(images).unwrap();
        let found = data.images(&ImageQuery::default()).unwrap();
        let table = Format::Table {
            max_rows: usize::MAX,
        };
        for format in [
            Format::GeoJson,
            Format::GeoJsonSeq,
            Format::Csv,
            Format::Ids,
            table,
        ] {
            let error = found
                .write(format, &Place::Everywhere, &mut Full)
                .unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{format:?}");
        }
    }
}
