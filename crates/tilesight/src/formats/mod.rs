//! Writing answers: GeoJSON, CSV, ids, and a table to read.

mod csv;
mod geojson;
mod ids;
mod number;
mod record;
mod sink;
mod table;

use std::io::{self, Write};
use std::path::Path;

use tilesight_query::{FeatureSelection, Place, Selection, SequenceSelection};

use record::{Measured, Record, SequenceRecord};

/// Whom to credit for everything that comes out of the tiles.
pub const ATTRIBUTION: &str = "Mapillary, https://www.mapillary.com";

/// The licence of everything that comes out of the tiles.
pub const LICENSE: &str = "CC BY-SA 4.0";

/// How an answer is written.
///
/// Ids are text in GeoJSON, whose readers lose integers above 2⁵³, and digits elsewhere. Times are
/// RFC 3339 in UTC with milliseconds. Positions have as many as 9 decimals, which lead back to the
/// same position on the world grid. What is not known is `null`, or an empty cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// A GeoJSON `FeatureCollection` (RFC 7946), with attribution and licence.
    GeoJson,
    /// A GeoJSON feature a line, without record separators.
    GeoJsonSeq,
    /// Comma-separated values with a header: `lon,lat` first, or `WKT` for sequences.
    Csv,
    /// An id a line.
    Ids,
    /// Aligned columns to read, and how many rows there are.
    Table {
        /// Most rows that are shown.
        max_rows: usize,
    },
}

impl Format {
    /// Most rows that a table shows where nobody says otherwise.
    pub const TABLE_ROWS: usize = 40;

    /// Tells the format from the extension of a file's name, in any case.
    ///
    /// ```
    /// use std::path::Path;
    /// use tilesight::formats::Format;
    ///
    /// assert_eq!(Format::of_path(Path::new("town.CSV")), Some(Format::Csv));
    /// assert_eq!(Format::of_path(Path::new("town.parquet")), None);
    /// ```
    pub fn of_path(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "geojson" | "json" => Self::GeoJson,
            "geojsonl" | "geojsonseq" | "geojsons" | "ndjson" | "jsonl" => Self::GeoJsonSeq,
            "csv" => Self::Csv,
            "ids" => Self::Ids,
            "txt" => Self::Table { max_rows: Self::TABLE_ROWS },
            _ => return None,
        })
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// How many rows.
    pub rows: u64,
    /// How many of them have an id that its tile carries rounded, and that may be wrong.
    pub inexact_ids: u64,
}

/// An answer that can be written.
///
/// Implemented by [`Selection`], [`SequenceSelection`] and [`FeatureSelection`]; of interest to
/// nobody else.
pub trait Export {
    /// Writes the answer to the question for `place`, which decides whether `distance_m`,
    /// `bearing_deg` and `offset_deg` are among its columns.
    ///
    /// # Errors
    ///
    /// Those of `out` alone.
    ///
    /// # Cost
    ///
    /// About half a microsecond an image, and memory for a row at a time; `out` needs no buffer.
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
    fn write(&self, format: Format, place: &Place, out: &mut dyn Write) -> io::Result<Written>;
}

impl Export for Selection<'_> {
    fn write(&self, format: Format, place: &Place, out: &mut dyn Write) -> io::Result<Written> {
        let answer = Answer { len: self.len(), noun: "images", is_points: true };
        answer.write(|| self.iter(), format, place, out)
    }
}

impl Export for SequenceSelection<'_> {
    fn write(&self, format: Format, place: &Place, out: &mut dyn Write) -> io::Result<Written> {
        let answer = Answer { len: self.len(), noun: "sequences", is_points: false };
        let record = |(index, sequence)| {
            let parts = self.line(index).map(Iterator::collect).collect();
            SequenceRecord { sequence, parts }
        };
        answer.write(|| self.iter().enumerate().map(record), format, place, out)
    }
}

impl Export for FeatureSelection<'_> {
    fn write(&self, format: Format, place: &Place, out: &mut dyn Write) -> io::Result<Written> {
        let answer = Answer { len: self.len(), noun: "features", is_points: true };
        answer.write(|| self.iter(), format, place, out)
    }
}

/// What the formats want to know of an answer besides its rows.
struct Answer {
    len: usize,
    noun: &'static str,
    /// Whether every row is a point.
    is_points: bool,
}

impl Answer {
    /// Writes rows, which `rows` gives from the first on each time it is called.
    fn write<R: Record, I: Iterator<Item = R>>(
        &self,
        rows: impl Fn() -> I,
        format: Format,
        place: &Place,
        out: &mut dyn Write,
    ) -> io::Result<Written> {
        let columns = R::columns(measured(place));
        let mut written = Written::default();
        let counted = rows().inspect(|row| {
            written.rows += 1;
            written.inexact_ids += u64::from(!row.id_is_exact());
        });
        match format {
            Format::GeoJson => geojson::write_collection(&columns, counted, out)?,
            Format::GeoJsonSeq => geojson::write_lines(&columns, counted, out)?,
            Format::Csv => csv::write(&columns, counted, self.is_points, out)?,
            Format::Ids => ids::write(counted, out)?,
            Format::Table { max_rows } => {
                let size = table::Size {
                    rows: self.len,
                    max_rows,
                    is_points: self.is_points,
                    noun: self.noun,
                };
                table::write(&columns, rows().take(max_rows), counted.take(max_rows), size, out)?;
            }
        }
        Ok(written)
    }
}

fn measured(place: &Place) -> Measured {
    let (distance, bearing) = match place {
        Place::Everywhere | Place::Bbox(_) | Place::Region(_) => (false, false),
        Place::Near { .. } | Place::Nearest { .. } => (true, false),
        Place::LookingAt { .. } => (true, true),
    };
    Measured { distance, bearing }
}
