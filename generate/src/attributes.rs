//! What images and sequences say of themselves: identity, people, times, headings.

use std::fmt;

use crate::random::{Random, hash, topic};

/// Letters of sequence ids; case matters.
const ID_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Share of the images that belong to an organization.
const ORGANIZATION_SHARE: f64 = 0.24;

/// Organizations of the world, and how many of them work in one region.
const ORGANIZATIONS: u64 = 24;
const REGION_ORGANIZATIONS: u64 = 3;

/// Creators at home in a region, and those who travel.
const REGION_CREATORS: u64 = 60;
const TRAVELLING_CREATORS: u64 = 40;

/// Share of the sequences without a creator, as tiles older than 2022 were.
const UNKNOWN_CREATOR_SHARE: f64 = 0.01;

/// Share of the sequences whose clock was not set, or set to nonsense.
const UNKNOWN_TIME_SHARE: f64 = 0.01;
const ABSURD_TIME_SHARE: f64 = 0.005;

/// The 1st of January of the year 318857: a time found in real tiles.
const ABSURD_TIME_MS: i64 = 10_000_000_000_000_000;

/// The first year of [`IMAGES_BY_YEAR`].
const FIRST_YEAR: i64 = 2006;

/// How much was photographed in the years since [`FIRST_YEAR`], relative to each other.
const IMAGES_BY_YEAR: [u64; 19] = [
    1, 1, 1, 1, 2, 2, 3, 5, 15, 30, 50, 80, 100, 120, 90, 90, 110, 150, 120,
];

const DAY_MS: i64 = 86_400_000;

/// Share of the cameras that face along the way of travel.
const FORWARD_SHARE: f64 = 0.9;

/// Shares of the headings that are absent or exactly 0.
const UNKNOWN_HEADING_SHARE: f64 = 0.01;
const ZERO_HEADING_SHARE: f64 = 0.006;

/// A sequence id: 22 letters, digits, hyphens and underscores; case matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceId([u8; 22]);

impl SequenceId {
    pub(crate) fn keyed(key: &[u64]) -> Self {
        let mut random = Random::keyed(key);
        Self(std::array::from_fn(|_| {
            ID_LETTERS[random.below(64) as usize]
        }))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for SequenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SequenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Draws one of the organizations of a region, or none.
pub(crate) fn organization_id(seed: u64, region: u64, random: &mut Random) -> Option<i64> {
    let local = random.below(REGION_ORGANIZATIONS);
    let organization = hash(&[seed, topic::ORGANIZATIONS_OF_REGION, region, local]) % ORGANIZATIONS;
    random
        .chance(ORGANIZATION_SHARE)
        .then(|| long_id(&[seed, topic::ORGANIZATION_ID, organization]))
}

/// Draws one of the creators of a region; few of them take most of the images.
pub(crate) fn creator_id(seed: u64, region: u64, random: &mut Random) -> Option<i64> {
    let skewed = random.unit() * random.unit();
    let key = if random.chance(0.75) {
        [
            seed,
            topic::CREATOR_OF_REGION,
            region,
            (skewed * REGION_CREATORS as f64) as u64,
        ]
    } else {
        [
            seed,
            topic::TRAVELLING_CREATOR,
            0,
            (skewed * TRAVELLING_CREATORS as f64) as u64,
        ]
    };
    let known = !random.chance(UNKNOWN_CREATOR_SHARE);
    known.then(|| long_id(&key))
}

/// An id of fifteen digits.
fn long_id(key: &[u64]) -> i64 {
    100_000_000_000_000 + (hash(key) % 900_000_000_000_000) as i64
}

/// The clock of a camera.
pub(crate) struct Clock {
    kind: ClockKind,
    ms: i64,
    interval_ms: i64,
    counts_whole_seconds: bool,
}

enum ClockKind {
    Right,
    Unset,
    Absurd,
}

impl Clock {
    /// Sets a clock to some daytime between 2006 and 2024.
    pub fn start(random: &mut Random) -> Self {
        let kind = match random.unit() {
            draw if draw < UNKNOWN_TIME_SHARE => ClockKind::Unset,
            draw if draw < UNKNOWN_TIME_SHARE + ABSURD_TIME_SHARE => ClockKind::Absurd,
            _ => ClockKind::Right,
        };
        Self {
            kind,
            ms: draw_ms(random),
            interval_ms: random.pick(&[250, 1_000, 1_000, 2_000, 2_000, 2_000, 3_000, 5_000]),
            counts_whole_seconds: random.chance(0.5),
        }
    }

    /// The time an image is stamped with.
    pub fn now_ms(&self) -> Option<i64> {
        match self.kind {
            ClockKind::Unset => None,
            ClockKind::Absurd => Some(ABSURD_TIME_MS),
            ClockKind::Right if self.counts_whole_seconds => Some(self.ms - self.ms % 1_000),
            ClockKind::Right => Some(self.ms),
        }
    }

    /// Lets the time to the next image pass.
    pub fn tick(&mut self, random: &mut Random) {
        let waver = random.below(self.interval_ms as u64 / 10 + 1) as i64;
        self.ms += self.interval_ms + waver - self.interval_ms / 20;
    }
}

/// Draws a moment between six in the morning and six in the evening.
pub(crate) fn draw_ms(random: &mut Random) -> i64 {
    let mut draw = random.below(IMAGES_BY_YEAR.iter().sum());
    let mut year = FIRST_YEAR;
    for images in IMAGES_BY_YEAR {
        if draw < images {
            break;
        }
        draw -= images;
        year += 1;
    }
    // Days since 1970, leap days included; right until 2100.
    let first_day = (year - 1970) * 365 + (year - 1969) / 4;
    let day = first_day + random.below(365) as i64;
    day * DAY_MS + DAY_MS / 4 + random.below(DAY_MS as u64 / 2) as i64
}

/// How a camera is mounted, and whether it knows its heading.
pub(crate) struct Camera {
    has_compass: bool,
    /// Where it faces, in degrees clockwise from the way of travel.
    facing_deg: f64,
}

impl Camera {
    pub fn mount(random: &mut Random) -> Self {
        let forward = random.chance(FORWARD_SHARE);
        let aside = random.pick(&[45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0]);
        Self {
            has_compass: !random.chance(UNKNOWN_HEADING_SHARE),
            facing_deg: if forward { 0.0 } else { aside },
        }
    }

    /// Reads the compass: 0 ≤ heading < 360.
    pub fn heading_deg(&self, travel_deg: f64, random: &mut Random) -> Option<f64> {
        let sway = random.between(-7.0, 7.0) + random.between(-7.0, 7.0);
        let draw = random.unit();
        if !self.has_compass || draw < UNKNOWN_HEADING_SHARE / 4.0 {
            return None;
        }
        if draw > 1.0 - ZERO_HEADING_SHARE {
            return Some(0.0);
        }
        let heading = travel_deg + self.facing_deg + sway;
        let turns = (heading / 360.0).floor();
        // Rounding can lift a tiny negative angle to 360 itself.
        Some(heading - turns * 360.0)
            .filter(|heading| *heading < 360.0)
            .or(Some(0.0))
    }
}
