/// A value that is not a place on Earth, or not a tile.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A longitude is not a number, or not in −180…180.
    #[error(
        "longitude {0} is not within -180 to 180 (longitude comes before latitude: 24.94,60.17)"
    )]
    Longitude(f64),
    /// A latitude is not a number, or not in −90…90.
    #[error("latitude {0} is not within -90 to 90 (longitude comes before latitude: 24.94,60.17)")]
    Latitude(f64),
    /// The south of a box lies north of its north.
    #[error(
        "south {south} is north of north {north} (a box is west,south,east,north: 24.92,60.16,24.95,60.18)"
    )]
    SouthAboveNorth {
        /// The south edge as given, in degrees.
        south: f64,
        /// The north edge as given, in degrees.
        north: f64,
    },
    /// A text that is no box.
    #[error("{0:?} is not a box: west,south,east,north in degrees, as 24.92,60.16,24.95,60.18")]
    BboxText(String),
    /// A text that is no position.
    #[error("{0:?} is not a position: longitude,latitude in degrees, as 24.9384,60.1699")]
    LonLatText(String),
    /// A zoom, column or row that no tile has.
    #[error("{z}/{x}/{y} is not a tile: z is at most {max}, x and y are less than 2^z (14/9326/4742)", max = crate::TileId::MAX_ZOOM)]
    TileId {
        /// Zoom as given.
        z: u8,
        /// Column as given.
        x: u32,
        /// Row as given.
        y: u32,
    },
}
