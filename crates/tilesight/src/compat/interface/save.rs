//! Saving answers as files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Error, arguments};
use crate::formats::{Format, convert};
use crate::whole::write_whole;

/// What a file may be called.
const NAME: &str = "a name of letters, digits, - and _, without an extension, as helsinki_2023";

/// Where answers are saved, and how.
///
/// ```
/// use tilesight::compat::interface::SaveOptions;
///
/// assert_eq!(SaveOptions::default().extension, "geojson");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveOptions {
    /// The folder, which must be there; the current one if nothing is said.
    pub file_path: Option<PathBuf>,
    /// The name without extension, of letters, digits, `-` and `_`; `mapillary_{seconds since
    /// 1970}_` if nothing is said.
    pub file_name: Option<String>,
    /// The extension, which tells the format: `geojson`, `csv`, and what else
    /// [`Format`] has, by its name or by an extension.
    pub extension: String,
}

impl Default for SaveOptions {
    /// GeoJSON in the current folder, under a name with the time.
    fn default() -> Self {
        Self {
            file_path: None,
            file_name: None,
            extension: "geojson".to_owned(),
        }
    }
}

/// Saves GeoJSON as a file, in any format.
///
/// # Returns
///
/// Where it was saved. A file that was there is replaced; the new one appears whole or not at all.
///
/// # Errors
///
/// [`Error::Format`] for an extension that is no format, [`Error::Argument`] for a name that is
/// none, [`Error::Save`] when the file cannot be written or the data is not GeoJSON.
///
/// # Example
///
/// ```
/// use tilesight::compat::interface::{SaveOptions, save_locally};
///
/// let data = r#"{"type": "FeatureCollection", "features": [{"type": "Feature",
///     "geometry": {"type": "Point", "coordinates": [24.5, 60.25]}, "properties": {"id": 17}}]}"#;
/// # let folder = tempfile::tempdir()?;
/// let path = save_locally(data, &SaveOptions {
///     file_path: Some(folder.path().to_owned()),
///     file_name: Some("town".to_owned()),
///     extension: "csv".to_owned(),
/// })?;
/// let csv = std::fs::read_to_string(path)?;
/// assert_eq!(csv, "ID,WKT,longitude,latitude\n17,POINT (24.5 60.25),24.5,60.25\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save_locally(geojson_data: &str, options: &SaveOptions) -> Result<PathBuf, Error> {
    let extension = options
        .extension
        .trim_start_matches('.')
        .to_ascii_lowercase();
    let format = format_of(&extension)?;
    let name = match &options.file_name {
        Some(name) => checked(name)?.to_owned(),
        None => format!("mapillary_{}_", seconds_since_1970()),
    };
    let folder = options.file_path.as_deref().unwrap_or(Path::new("."));
    let path = folder.join(format!("{name}.{extension}"));
    let write = |out: &mut dyn Write| convert(geojson_data, format, out).map(drop);
    match write_whole(&path, write) {
        Ok(()) => Ok(path),
        Err(error) => Err(Error::Save { path, error }),
    }
}

fn format_of(extension: &str) -> Result<Format, Error> {
    let by_extension = Format::of_path(Path::new(&format!("x.{extension}")));
    by_extension.map_or_else(|| Ok(extension.parse()?), Ok)
}

/// A name that stays in its folder, whatever the system.
fn checked(name: &str) -> Result<&str, Error> {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.bytes().all(is_of_name) {
        return Ok(name);
    }
    Err(arguments::wrong("file_name", format!("{name:?}"), NAME))
}

fn seconds_since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
