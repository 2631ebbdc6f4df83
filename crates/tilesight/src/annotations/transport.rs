//! How a sequence was travelled.

use std::fmt;
use std::str::FromStr;

/// Transport types as Map the Paths has them: parents, and the children of each.
const TYPES: [(&str, &[&str]); 5] = [
    (
        "Air",
        &[
            "BASE Jump",
            "Drone",
            "Glider",
            "Hang Glide",
            "Helicopter",
            "Parachute",
            "Paraglide",
            "Plane",
            "Wingsuit",
        ],
    ),
    (
        "Earth",
        &[
            "Bicycle",
            "Car",
            "Electric Bicycle",
            "Electric Car",
            "Electric Scooter",
            "Rock Climbing",
            "Rollerskate",
            "Scooter",
            "Skateboard",
            "Walk",
            "Wheelchair",
        ],
    ),
    (
        "Snow",
        &["Ice Skating", "Ski", "Snowboard", "Snowmobile", "Snowshoe"],
    ),
    (
        "Water",
        &[
            "Boat",
            "Canoe",
            "Freedive",
            "Kayak",
            "Kiteboard",
            "Paddleboard",
            "Row",
            "Sail",
            "Scuba Dive",
            "Surf",
            "Swim",
            "Windsurf",
        ],
    ),
    ("Other", &["Unlisted"]),
];

/// A transport type: one of five parents, or one of their children.
///
/// Read from the name of either, or from both as they are written, in any case.
///
/// ```
/// use tilesight::annotations::Transport;
///
/// let drone: Transport = "drone".parse()?;
/// assert_eq!(drone.to_string(), "Air/Drone");
/// let air: Transport = "Air".parse()?;
/// assert!(air.includes(drone) && !drone.includes(air));
/// assert!("Horse".parse::<Transport>().unwrap_err().to_string().contains("Kayak"));
/// # Ok::<(), tilesight::annotations::UnknownTransport>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transport {
    parent: &'static str,
    child: Option<&'static str>,
}

impl Transport {
    /// Every transport type, each parent before its children.
    pub fn all() -> impl Iterator<Item = Self> {
        TYPES.iter().flat_map(|&(parent, children)| {
            let children = children.iter().map(|&child| Some(child));
            std::iter::once(None)
                .chain(children)
                .map(move |child| Self { parent, child })
        })
    }

    /// The parent's name.
    pub const fn parent(self) -> &'static str {
        self.parent
    }

    /// The child's name, unless it is the parent itself.
    pub const fn child(self) -> Option<&'static str> {
        self.child
    }

    /// Whether something of the other type is of this one: a parent includes its children.
    pub fn includes(self, other: Self) -> bool {
        self.parent == other.parent && (self.child.is_none() || self.child == other.child)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.parent)?;
        self.child.map_or(Ok(()), |child| write!(f, "/{child}"))
    }
}

impl FromStr for Transport {
    type Err = UnknownTransport;

    fn from_str(text: &str) -> Result<Self, UnknownTransport> {
        let typed = text.split('/').map(str::trim).collect::<Vec<_>>().join("/");
        let is_it = |type_: &Self| {
            let child = type_.child.unwrap_or(type_.parent);
            typed.eq_ignore_ascii_case(child) || typed.eq_ignore_ascii_case(&type_.to_string())
        };
        let unknown = || UnknownTransport(text.to_owned());
        Self::all().find(is_it).ok_or_else(unknown)
    }
}

/// A text that names no transport type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownTransport(String);

impl std::error::Error for UnknownTransport {}

impl fmt::Display for UnknownTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no transport type: there are ", self.0)?;
        for (index, (parent, children)) in TYPES.iter().enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            write!(f, "{separator}{parent} ({})", children.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_type_is_read_as_it_is_written() {
        for type_ in Transport::all() {
            assert_eq!(type_.to_string().parse(), Ok(type_));
            let name = type_.child().unwrap_or(type_.parent());
            assert_eq!(name.to_ascii_uppercase().parse(), Ok(type_));
        }
        assert_eq!(
            "Water / Scuba Dive".parse(),
            "scuba dive".parse::<Transport>()
        );
        let all: BTreeSet<_> = Transport::all().collect();
        assert_eq!(all.len(), 5 + 9 + 11 + 5 + 12 + 1);
    }

    #[test]
    fn compat_4_a_parent_includes_its_children() {
        for parent in Transport::all().filter(|type_| type_.child().is_none()) {
            for other in Transport::all() {
                assert_eq!(parent.includes(other), parent.parent() == other.parent());
                assert_eq!(other.includes(parent), other == parent);
            }
        }
    }

    #[test]
    fn compat_4_unknown_transports_are_refused_with_the_list() {
        for wrong in ["", "Horse", "Air/Walk", "Air/", "/", "Earth/Car/Car"] {
            let message = wrong.parse::<Transport>().unwrap_err().to_string();
            for type_ in Transport::all() {
                let name = type_.child().unwrap_or(type_.parent());
                assert!(message.contains(name), "{message}");
            }
        }
    }
}
