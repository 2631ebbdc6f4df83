//! Arguments as JSON: what `**filters` are in Python.

use std::fmt::Display;

use serde_json::{Map, Value};
use tilesight_query::Period;
use tilesight_tile::{Bbox, LonLat};

use super::Error;

/// Named arguments, taken one by one; what is left at the end is unknown.
pub(super) struct Arguments {
    given: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Arguments {
    /// Reads a JSON object.
    pub(super) fn parse(json: &str) -> Result<Self, Error> {
        let given = serde_json::from_str(json).map_err(|_| wrong("filters", json, FILTERS))?;
        Ok(Self {
            given,
            known: Vec::new(),
        })
    }

    /// Takes an argument; none where it is absent or null.
    pub(super) fn take<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        self.known.push(name);
        match self.given.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(&value)
                .map(Some)
                .ok_or_else(|| wrong(name, value, expected)),
        }
    }

    /// Takes an argument that has two names.
    pub(super) fn take_either<T>(
        &mut self,
        [name, other]: [&'static str; 2],
        expected: &'static str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let first = self.take(name, expected, &read)?;
        Ok(first.or(self.take(other, expected, &read)?))
    }

    /// Refuses what was not taken.
    pub(super) fn finish(self) -> Result<(), Error> {
        match self.given.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(Error::UnknownArgument {
                name,
                known: self.known,
            }),
        }
    }
}

const FILTERS: &str = "a JSON object of arguments, as {\"image_type\": \"pano\"}";
pub(super) const DATE: &str =
    "a date: write 2023, 2023-05, 2023-05-01, 2023-05-01T10:30:00Z or milliseconds since 1970";
pub(super) const IMAGE_TYPE: &str = "\"pano\", \"flat\" or \"all\"";
pub(super) const IDS: &str = "an id or a list of ids, as 1805883732926354";
pub(super) const TEXTS: &str = "a text or a list of texts, not empty";
pub(super) const HEADINGS: &str = "two headings in degrees, as [315, 45]";
pub(super) const METRES: &str = "a distance in metres, as 50";
pub(super) const DEGREES: &str = "an angle in degrees, as 100";
pub(super) const ZOOM: &str = "a zoom from 14 to 17; every image is in tiles of zoom 14";
pub(super) const FEATURE_TYPE: &str = "\"point\", \"traffic_signs\" or \"all\"";
pub(super) const FIELDS: &str = "a list of names, as [\"all\"]";
const POSITION: &str = "a position, as {\"lng\": 24.9384, \"lat\": 60.1699} or [24.9384, 60.1699]";
const BBOX: &str =
    "a box, as {\"west\": 24.92, \"south\": 60.16, \"east\": 24.95, \"north\": 60.18}";

/// An argument that was refused.
#[allow(
    clippy::needless_pass_by_value,
    reason = "texts and numbers are handed over as they are"
)]
pub(super) fn wrong(name: &'static str, value: impl Display, expected: &'static str) -> Error {
    Error::Argument {
        name,
        value: format!("{value}"),
        expected,
    }
}

/// Reads a position: `{"lng": …, "lat": …}` (`lon` and `longitude`, `latitude` are taken too),
/// `[lng, lat]`, or a GeoJSON point.
///
/// # Errors
///
/// [`Error::Argument`] when it is none of these, [`Error::Tilesight`] when it is not on Earth.
///
/// # Example
///
/// ```
/// use tilesight::compat::interface::read_position;
///
/// let at = read_position(r#"{"lng": 24.9384, "lat": 60.1699}"#)?;
/// assert_eq!(at, read_position("[24.9384, 60.1699]")?);
/// assert!(read_position(r#""a door""#).is_err());
/// # Ok::<(), tilesight::compat::interface::Error>(())
/// ```
pub fn read_position(json: &str) -> Result<LonLat, Error> {
    let [lon, lat] = numbers(json, position).ok_or_else(|| wrong("at", json, POSITION))?;
    Ok(LonLat::new(lon, lat).map_err(crate::Error::from)?)
}

/// Reads a box: `{"west": …, "south": …, "east": …, "north": …}`, or the four in this order.
///
/// # Errors
///
/// [`Error::Argument`] when it is neither, [`Error::Tilesight`] when it is not on Earth.
///
/// # Example
///
/// ```
/// use tilesight::compat::interface::read_bbox;
///
/// let bbox = read_bbox(r#"{"west": 24.92, "south": 60.16, "east": 24.95, "north": 60.18}"#)?;
/// assert_eq!(bbox, read_bbox("[24.92, 60.16, 24.95, 60.18]")?);
/// # Ok::<(), tilesight::compat::interface::Error>(())
/// ```
pub fn read_bbox(json: &str) -> Result<Bbox, Error> {
    let edges = numbers(json, |value| match value {
        Value::Array(_) => list(value),
        _ => members(value, ["west", "south", "east", "north"]),
    });
    let [west, south, east, north] = edges.ok_or_else(|| wrong("bbox", json, BBOX))?;
    Ok(Bbox::from_degrees(west, south, east, north).map_err(crate::Error::from)?)
}

fn numbers<const N: usize>(
    json: &str,
    read: impl Fn(&Value) -> Option<[f64; N]>,
) -> Option<[f64; N]> {
    read(&serde_json::from_str(json).ok()?)
}

fn position(value: &Value) -> Option<[f64; 2]> {
    let names = [["lng", "lat"], ["lon", "lat"], ["longitude", "latitude"]];
    let mut spelled = names.into_iter().filter_map(|names| members(value, names));
    let of_point = || list(value.get("coordinates")?);
    list(value).or_else(|| spelled.next()).or_else(of_point)
}

fn members<const N: usize>(value: &Value, names: [&str; N]) -> Option<[f64; N]> {
    let found: Option<Vec<f64>> = names.iter().map(|name| value.get(name)?.as_f64()).collect();
    found?.try_into().ok()
}

/// The first numbers of a list; an altitude may follow.
fn list<const N: usize>(value: &Value) -> Option<[f64; N]> {
    let first = value.as_array()?.get(..N)?;
    let found: Option<Vec<f64>> = first.iter().map(Value::as_f64).collect();
    found?.try_into().ok()
}

/// A date, as text or as a number.
pub(super) fn date(value: &Value) -> Option<Period> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// An id, as a number or as text.
pub(super) fn id(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_i64(),
    }
}

pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

pub(super) fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

/// One, or a list of at least one: a list of none would ask for nothing.
pub(super) fn one_or_more<T>(
    read: impl Fn(&Value) -> Option<T>,
) -> impl Fn(&Value) -> Option<Vec<T>> {
    move |value| match value {
        Value::Array(values) if values.is_empty() => None,
        Value::Array(values) => values.iter().map(&read).collect(),
        value => Some(vec![read(value)?]),
    }
}

/// Two numbers.
pub(super) fn pair(value: &Value) -> Option<(f64, f64)> {
    let values = value.as_array().filter(|values| values.len() == 2)?;
    values[0].as_f64().zip(values[1].as_f64())
}

/// A zoom that callers may name; it makes no difference.
pub(super) fn zoom(value: &Value) -> Option<()> {
    (14..=17).contains(&value.as_i64()?).then_some(())
}
