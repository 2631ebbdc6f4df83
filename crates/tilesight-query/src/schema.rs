//! What the layers of Mapillary's tiles are called and what they hold.

/// Zoom at which tiles hold images and map features.
pub const DATA_ZOOM: u8 = 14;

/// Shallowest zoom at which tiles hold sequence lines; [`DATA_ZOOM`] is the deepest.
pub const SEQUENCE_MIN_ZOOM: u8 = 6;

/// A family of tiles that the service offers under one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tileset {
    /// Images and sequences (`mly1_public`, or `mly1_computed_public` with positions from
    /// reconstruction).
    Images,
    /// Objects (`mly_map_feature_point`).
    Points,
    /// Traffic signs (`mly_map_feature_traffic_sign`).
    TrafficSigns,
}

impl Tileset {
    /// Every tileset.
    pub const ALL: [Self; 3] = [Self::Images, Self::Points, Self::TrafficSigns];

    /// The tileset that the service offers under a name.
    ///
    /// ```
    /// use tilesight_query::Tileset;
    ///
    /// assert_eq!(Tileset::from_name("mly1_computed_public"), Some(Tileset::Images));
    /// assert_eq!(Tileset::from_name("roads"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "mly1_public" | "mly1_computed_public" => Some(Self::Images),
            "mly_map_feature_point" => Some(Self::Points),
            "mly_map_feature_traffic_sign" => Some(Self::TrafficSigns),
            _ => None,
        }
    }

    /// The tileset whose tiles hold a layer.
    pub fn of_layer(layer: &str) -> Option<Self> {
        match layer {
            layer::IMAGE | layer::SEQUENCE | layer::OVERVIEW => Some(Self::Images),
            layer::POINT => Some(Self::Points),
            layer::TRAFFIC_SIGN => Some(Self::TrafficSigns),
            _ => None,
        }
    }

    /// What `tilesight fetch --tileset` calls it.
    pub const fn option_name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Points => "points",
            Self::TrafficSigns => "signs",
        }
    }
}

/// Names of the layers.
pub mod layer {
    /// Images, at zoom 14 only.
    pub const IMAGE: &str = "image";
    /// Sequence lines, zooms 6 to 14.
    pub const SEQUENCE: &str = "sequence";
    /// A thinned sample of images, zooms 0 to 5.
    pub const OVERVIEW: &str = "overview";
    /// Objects, at zoom 14 only.
    pub const POINT: &str = "point";
    /// Traffic signs, at zoom 14 only.
    pub const TRAFFIC_SIGN: &str = "traffic_sign";
}
