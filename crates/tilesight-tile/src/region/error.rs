//! What can be wrong with a region.

/// A region that was refused: where, and why.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {fault}", if path.is_empty() { "region" } else { path })]
pub struct RegionError {
    /// Where in the document, as `features[3].geometry.coordinates[0][12]`: ring 0, position 12,
    /// counted from 0. Empty for the document itself.
    pub path: String,
    /// What is wrong there.
    pub fault: RegionFault,
}

/// What is wrong with a region.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegionFault {
    /// The text is not JSON, or a member is not what GeoJSON says it is.
    #[error("not GeoJSON: {0} (a region looks like {EXAMPLE})")]
    Json(String),
    /// A JSON value that is no object stands where GeoJSON asks for one.
    #[error("{0:?} is not a GeoJSON object (a region looks like {EXAMPLE})")]
    NotAnObject(String),
    /// A member that GeoJSON asks for is absent or null.
    #[error("the member {0:?} is missing (a region looks like {EXAMPLE})")]
    Missing(&'static str),
    /// The `type` is none that may stand here.
    #[error("the type {found:?} is none of {expected}")]
    Type {
        /// The type as given.
        found: String,
        /// The types that may stand here.
        expected: &'static str,
    },
    /// A geometry has no area.
    #[error(
        "a {0} has no area (a region is made of Polygon and MultiPolygon, whose rings are closed)"
    )]
    NoArea(String),
    /// There is no polygon.
    #[error("there is no polygon in it (a region looks like {EXAMPLE})")]
    Empty,
    /// Geometry collections are nested too deeply.
    #[error("geometry collections are nested more than {0} deep (put their members in one)")]
    TooDeep(usize),
    /// The `crs` names another coordinate system.
    #[error(
        "the coordinate system is {0}, but GeoJSON is in WGS 84 (reproject to EPSG:4326 and write urn:ogc:def:crs:OGC:1.3:CRS84, or no \"crs\")"
    )]
    Crs(String),
    /// A longitude is not a number, or beyond one turn.
    #[error("longitude {0} is not within -360 to 360 (a position is [24.94, 60.17], in degrees)")]
    Longitude(f64),
    /// A latitude is not a number, or beyond a pole.
    #[error(
        "latitude {latitude} is not within -90 to 90 ({})",
        if *swapped {
            "longitude and latitude look swapped: longitude comes first, as [24.94, 60.17]"
        } else {
            "a position is [24.94, 60.17], in degrees"
        }
    )]
    Latitude {
        /// The latitude as given.
        latitude: f64,
        /// Whether the other way round the two would be a position.
        swapped: bool,
    },
    /// A ring has fewer positions than a triangle.
    #[error(
        "the ring has {0} positions, but needs at least 4, the last equal to the first (a triangle is [[24, 60], [26, 60], [25, 61], [24, 60]])"
    )]
    RingTooShort(usize),
    /// A ring does not end where it began.
    #[error(
        "the ring is open: it begins at {first:?} and ends at {last:?} (repeat the first position at the end)"
    )]
    RingOpen {
        /// The first position.
        first: [f64; 2],
        /// The last position.
        last: [f64; 2],
    },
    /// A ring runs once around the globe.
    #[error(
        "the ring winds around a pole (cut it at the antimeridian, as RFC 7946 asks: let it run along 180 to the pole, to -180 and back, as [180, -84], [180, -90], [-180, -90], [-180, -84])"
    )]
    WindsAroundPole,
    /// A ring is wider than the world.
    #[error("the ring spans {0} degrees of longitude, but the world is 360 wide (split it)")]
    RingTooWide(f64),
}

impl RegionFault {
    pub(super) fn at(self, path: &str) -> RegionError {
        RegionError {
            path: path.to_owned(),
            fault: self,
        }
    }
}

/// Longest part of a document that a message repeats from its beginning, and from its end.
const MAX_REPEATED_CHARS: usize = 80;

/// A text of a document as a message repeats it: without its middle where it is long.
pub(super) fn shortened(text: &str) -> String {
    let head_end = text.char_indices().nth(MAX_REPEATED_CHARS);
    let tail_start = text.char_indices().nth_back(MAX_REPEATED_CHARS - 1);
    match (head_end, tail_start) {
        (Some((head_end, _)), Some((tail_start, _))) if head_end < tail_start => {
            format!("{} … {}", &text[..head_end], &text[tail_start..])
        }
        _ => text.to_owned(),
    }
}

const EXAMPLE: &str = r#"{"type":"Polygon","coordinates":[[[24,60],[26,60],[25,61],[24,60]]]}"#;
