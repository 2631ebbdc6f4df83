//! What people type: dates, places, names, and the arguments of the SDK's functions.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use tilesight::annotations::Transport;
use tilesight::compat::interface::{
    FeatureFilters, ImageFilters, TargetOptions, read_bbox, read_position,
};
use tilesight::formats::Format;
use tilesight::{Period, rfc3339};
use tilesight_fetch::Origin;
use tilesight_fetch::graph::{Fields, ThumbnailSize};
use tilesight_tile::{Bbox, GridPoint, LonLat, TileId};

use crate::input::text;

/// A period begins before it ends, and both ends are dates again.
pub(crate) fn period(bytes: &[u8]) {
    let Some(Ok(period)) = text(bytes).map(str::parse::<Period>) else {
        return;
    };
    assert!(period.first_ms <= period.last_ms, "{period:?}");
    for ms in [period.first_ms, period.last_ms] {
        let written = rfc3339(ms);
        let read: Period = written.parse().unwrap();
        assert_eq!((read.first_ms, read.last_ms), (ms, ms), "{written}");
    }
}

/// Words are refused, or read as they are written.
pub(crate) fn words(bytes: &[u8]) {
    let Some(text) = text(bytes) else {
        return;
    };
    is_read_back::<TileId>(text);
    is_read_back::<Transport>(text);
    is_read_back::<ThumbnailSize>(text);
    if let Ok(origin) = text.parse::<Origin>() {
        let again: Origin = origin.to_string().parse().unwrap();
        assert_eq!(again.to_string(), origin.to_string());
    }
    if let Ok(bbox) = text.parse::<Bbox>() {
        assert_eq!(bbox.to_string().parse(), Ok(bbox));
        holds_what_it_contains(&bbox);
    }
    if let Ok(position) = text.parse::<LonLat>() {
        let point = GridPoint::nearest_to(position);
        assert_eq!(GridPoint::nearest_to(point.to_lon_lat()), point);
    }
    if let Ok(Fields::Named(names)) = text.parse() {
        assert_eq!(names.join(",").parse(), Ok(Fields::Named(names)));
    }
    let _ = text.parse::<Format>();
}

fn is_read_back<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse::<T>().unwrap(), value);
    }
}

/// The exact ranges of a box hold their corners and nothing beside them.
fn holds_what_it_contains(bbox: &Bbox) {
    for grid in bbox.grid_boxes() {
        for (x, y) in [(grid.min_x, grid.min_y), (grid.max_x, grid.max_y)] {
            assert!(bbox.contains(GridPoint { x, y }), "{bbox}");
        }
        let beside = [
            grid.min_y
                .checked_sub(1)
                .map(|y| GridPoint { x: grid.min_x, y }),
            grid.max_y
                .checked_add(1)
                .map(|y| GridPoint { x: grid.max_x, y }),
        ];
        assert!(
            !beside
                .into_iter()
                .flatten()
                .any(|point| bbox.contains(point))
        );
    }
}

/// Arguments of the SDK's functions are refused or read; a box is read as a list, too.
pub(crate) fn interface(bytes: &[u8]) {
    let Some(json) = text(bytes) else {
        return;
    };
    if let Ok(bbox) = read_bbox(json) {
        assert_eq!(read_bbox(&format!("[{bbox}]")).unwrap(), bbox);
    }
    if let Ok(at) = read_position(json) {
        let list = format!("[{},{}]", at.lon(), at.lat());
        assert_eq!(read_position(&list).unwrap(), at);
    }
    let filters = ImageFilters::from_json(json);
    if let (Ok(filters), Ok(options)) = (filters, TargetOptions::from_json(json)) {
        assert_eq!(options.filters, filters);
    }
    let _ = FeatureFilters::from_json(json);
}
