//! Which fields of an entity to ask for.

use std::str::FromStr;

/// All fields of an image.
const IMAGE: &[&str] = &[
    "altitude",
    "atomic_scale",
    "camera_parameters",
    "camera_type",
    "captured_at",
    "compass_angle",
    "computed_altitude",
    "computed_compass_angle",
    "computed_geometry",
    "computed_rotation",
    "creator",
    "exif_orientation",
    "geometry",
    "height",
    "is_pano",
    "make",
    "merge_cc",
    "mesh",
    "model",
    "organization",
    "quality_score",
    "sequence",
    "sfm_cluster",
    "thumb_1024_url",
    "thumb_2048_url",
    "thumb_256_url",
    "thumb_original_url",
    "width",
];

/// Those with signed URLs, which expire and are long.
const SIGNED: &[&str] = &[
    "mesh",
    "sfm_cluster",
    "thumb_1024_url",
    "thumb_2048_url",
    "thumb_256_url",
    "thumb_original_url",
];

/// All fields of a map feature.
const MAP_FEATURE: &[&str] = &[
    "aligned_direction",
    "first_seen_at",
    "geometry",
    "images",
    "last_seen_at",
    "object_type",
    "object_value",
];

/// All fields of a detection.
const DETECTION: &[&str] = &["created_at", "geometry", "image", "value"];

/// All fields of an organization.
const ORGANIZATION: &[&str] = &["description", "name", "slug"];

/// Longest name of a field that is sent.
const MAX_NAME_LEN: usize = 64;

/// The fields to ask for; the id always comes.
///
/// Written as the names joined by commas, or `all`.
///
/// ```
/// use tilesight_fetch::graph::Fields;
///
/// assert_eq!("all".parse(), Ok(Fields::All));
/// assert_eq!("make,model".parse(), Ok(Fields::Named(vec!["make".into(), "model".into()])));
/// assert!("make&access_token".parse::<Fields>().is_err());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Fields {
    /// All but signed URLs.
    #[default]
    Lasting,
    /// All that are known.
    All,
    /// These, known or not.
    Named(Vec<String>),
}

/// What fields are asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    MapFeature,
    Detection,
    Organization,
}

impl Fields {
    /// The names joined by commas.
    pub(super) fn of(&self, kind: Kind) -> String {
        match self {
            Self::Named(names) => names.join(","),
            Self::All => kind.fields().join(","),
            Self::Lasting => {
                let fields = kind.fields().iter().copied();
                let lasting: Vec<_> = fields.filter(|name| !SIGNED.contains(name)).collect();
                lasting.join(",")
            }
        }
    }
}

impl Kind {
    const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Image => IMAGE,
            Self::MapFeature => MAP_FEATURE,
            Self::Detection => DETECTION,
            Self::Organization => ORGANIZATION,
        }
    }
}

impl FromStr for Fields {
    type Err = ParseFieldsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim() == "all" {
            return Ok(Self::All);
        }
        let name = |name: &str| {
            let name = name.trim();
            is_name(name)
                .then(|| name.to_owned())
                .ok_or_else(|| ParseFieldsError(name.to_owned()))
        };
        text.split(',')
            .map(name)
            .collect::<Result<_, _>>()
            .map(Self::Named)
    }
}

/// A text that is no name of a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a field: give names as captured_at,make or all")]
pub struct ParseFieldsError(String);

fn is_name(name: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=MAX_NAME_LEN).contains(&name.len()) && name.bytes().all(is_of_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_urls_are_asked_for_by_name_only() {
        assert!(!Fields::Lasting.of(Kind::Image).contains("url"));
        assert!(Fields::All.of(Kind::Image).contains("thumb_original_url"));
        assert_eq!(
            Fields::Lasting.of(Kind::Organization),
            "description,name,slug"
        );
    }

    #[test]
    fn names_cannot_change_the_request() {
        for wrong in [
            "",
            ",",
            "a,,b",
            "make#",
            "make model",
            "A",
            "a/b",
            &"a".repeat(65),
        ] {
            assert!(wrong.parse::<Fields>().is_err(), "{wrong}");
        }
        let named: Fields = "make, model".parse().unwrap();
        assert_eq!(named.of(Kind::Image), "make,model");
    }
}
