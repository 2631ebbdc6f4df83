//! The tilesets of the service, and where their tiles lie.

use std::fmt;

use tilesight_tile::TileId;

/// A tileset of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tileset {
    /// Images and sequences where they were recorded.
    Images,
    /// The same where reconstruction puts them.
    Computed,
    /// Objects: benches, hydrants, poles.
    Points,
    /// Traffic signs.
    Signs,
}

impl Tileset {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Images, Self::Computed, Self::Points, Self::Signs];

    /// Zoom at which a tileset has everything.
    pub const DATA_ZOOM: u8 = 14;

    /// Its name in addresses and in stores.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Images => "mly1_public",
            Self::Computed => "mly1_computed_public",
            Self::Points => "mly_map_feature_point",
            Self::Signs => "mly_map_feature_traffic_sign",
        }
    }

    /// Its name on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Computed => "computed",
            Self::Points => "points",
            Self::Signs => "signs",
        }
    }

    /// Whether it has tiles of a zoom: map features have them at 14 alone, images have overview
    /// points from 0 and sequences from 6 on.
    pub const fn has_zoom(self, zoom: u8) -> bool {
        match self {
            Self::Images | Self::Computed => zoom <= Self::DATA_ZOOM,
            Self::Points | Self::Signs => zoom == Self::DATA_ZOOM,
        }
    }

    /// The names of the layers of its tiles.
    pub const fn layers(self) -> &'static [&'static str] {
        match self {
            Self::Images | Self::Computed => &["overview", "sequence", "image"],
            Self::Points => &["point"],
            Self::Signs => &["traffic_sign"],
        }
    }
}

/// A tile of a tileset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileKey {
    /// Which tileset.
    pub tileset: Tileset,
    /// Which tile of it.
    pub id: TileId,
}

impl TileKey {
    /// The path of its address.
    pub(crate) fn path(self) -> String {
        format!("/maps/vtp/{}/2/{}", self.tileset.name(), self.id)
    }
}

impl fmt::Display for TileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.tileset.word(), self.id)
    }
}
