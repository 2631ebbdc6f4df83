//! Places as people type them: numbers between commas.

use std::str::FromStr;

use crate::{Bbox, Error, LonLat};

/// Reads west, south, east and north in degrees, as they are [displayed](std::fmt::Display).
///
/// ```
/// use tilesight_tile::Bbox;
///
/// let kamppi: Bbox = "24.92,60.16, 24.95,60.18".parse()?;
/// assert_eq!(kamppi.to_string(), "24.92,60.16,24.95,60.18");
/// assert!("24.92,60.16".parse::<Bbox>().is_err());
/// # Ok::<(), tilesight_tile::Error>(())
/// ```
impl FromStr for Bbox {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let [west, south, east, north] =
            numbers(text).ok_or_else(|| Error::BboxText(text.to_owned()))?;
        Self::from_degrees(west, south, east, north)
    }
}

/// Reads longitude and latitude in degrees.
///
/// ```
/// use tilesight_tile::LonLat;
///
/// let door: LonLat = "24.9384,60.1699".parse()?;
/// assert_eq!((door.lon(), door.lat()), (24.9384, 60.1699));
/// # Ok::<(), tilesight_tile::Error>(())
/// ```
impl FromStr for LonLat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let [lon, lat] = numbers(text).ok_or_else(|| Error::LonLatText(text.to_owned()))?;
        Self::new(lon, lat)
    }
}

/// Numbers between commas, exactly as many as wanted.
fn numbers<const N: usize>(text: &str) -> Option<[f64; N]> {
    let numbers: Result<Vec<f64>, _> = text
        .split(',')
        .map(|number| number.trim().parse())
        .collect();
    numbers.ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_texts_are_refused_with_an_example() {
        for wrong in ["", "1,2,3", "1,2,3,4,5", "1,2,3,x", "1,,2,3", "NaN,0,1,1"] {
            let error = wrong.parse::<Bbox>().unwrap_err().to_string();
            assert!(error.contains("24.9"), "{wrong}: {error}");
        }
        for wrong in ["", "1", "1,2,3", "1;2", "inf,2"] {
            let error = wrong.parse::<LonLat>().unwrap_err().to_string();
            assert!(error.contains("24.9"), "{wrong}: {error}");
        }
    }

    proptest! {
        #[test]
        fn boxes_are_read_as_they_are_written(
            west in -180.0..180.0, east in -180.0..180.0, a in -90.0..90.0, b in -90.0..90.0_f64,
        ) {
            let bbox = Bbox::from_degrees(west, b.min(a), east, b.max(a)).unwrap();
            prop_assert_eq!(bbox.to_string().parse::<Bbox>(), Ok(bbox));
        }
    }
}
