//! Regions, and the collections of geokit.

use serde::Deserialize;
use serde::de::IgnoredAny;
use tilesight::compat::geokit::{self, Counts};
use tilesight_tile::{GridPoint, LonLat, PreparedRegion, Region, TileId, cover_region};

use crate::input::{on_one_thread, text, within};

/// Zoom at which regions are covered with tiles.
const ZOOM: u8 = 6;

/// All tiles of that zoom.
const ALL_TILES: u64 = 1 << (2 * ZOOM);

/// The prepared region is the region, in memory that the text pays for, and its tiles cover it.
pub(crate) fn region(bytes: &[u8]) {
    let Some(text) = text(bytes) else {
        return;
    };
    let Ok(region) = within(100 * bytes.len(), || Region::from_geojson(text)) else {
        return;
    };
    let prepared = within(400 * bytes.len(), || PreparedRegion::new(&region));
    let cover = cover_region(ZOOM, &region, ALL_TILES).unwrap();
    for point in points_around(text) {
        let is_inside = region.contains(point);
        assert_eq!(prepared.contains(point), is_inside, "{point:?}");
        let is_covered = cover.contains(TileId::containing(ZOOM, point));
        assert!(is_covered || !is_inside, "{point:?}");
    }
}

/// Grid positions at and beside what may be vertices of a text: two numbers after each other.
fn points_around(text: &str) -> Vec<GridPoint> {
    let words = text.split(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c)));
    let numbers: Vec<f64> = words
        .filter_map(|word| word.parse().ok())
        .take(64)
        .collect();
    let pairs = numbers
        .windows(2)
        .filter_map(|pair| LonLat::new(pair[0], pair[1]).ok());
    let around = |at: LonLat| {
        let GridPoint { x, y } = GridPoint::nearest_to(at);
        let far = GridPoint {
            x: x.wrapping_add(1 << 24),
            y: y.wrapping_add(1 << 23),
        };
        let beside = GridPoint {
            x: x.wrapping_add(1),
            y: y.wrapping_sub(1),
        };
        [GridPoint { x, y }, beside, far]
    };
    pairs.flat_map(around).collect()
}

/// What the commands of geokit write is a collection of as many features as they say.
pub(crate) fn geokit(bytes: &[u8]) {
    type Command = fn(&str, &mut Vec<u8>) -> Result<Counts, geokit::Error>;
    const COMMANDS: [Command; 4] = [
        |text, out| geokit::merge_sequences(text, out),
        |text, out| geokit::simplify_points(text, 10.0, out),
        |text, out| geokit::simplify_sequence(text, 10.0, out),
        |text, out| geokit::match_point_sequences(text, text, out),
    ];
    on_one_thread();
    let Some(text) = text(bytes) else {
        return;
    };
    for command in COMMANDS {
        let mut out = Vec::new();
        if let Ok(counts) = command(text, &mut out) {
            assert_eq!(features_of(&out), counts.written);
            assert!(counts.written <= counts.read, "{counts:?}");
        }
    }
    custom(text);
    boundaries(text);
}

/// How many features a collection has. Numbers that no float holds are passed on as they came.
fn features_of(collection: &[u8]) -> u64 {
    #[derive(Deserialize)]
    struct Collection {
        features: Vec<IgnoredAny>,
    }
    let collection: Collection = serde_json::from_slice(collection).unwrap();
    collection.features.len() as u64
}

fn custom(text: &str) {
    if let Ok(sequences) = geokit::custom_sequences(text) {
        let mut out = Vec::new();
        let counts = sequences.write(&geokit::Pictures::new(), &mut out).unwrap();
        assert_eq!(features_of(&out), counts.written);
    }
    if let Ok(images) = geokit::images_of_points(text) {
        let mut out = Vec::new();
        let counts = geokit::add_image_urls(text, &geokit::Pictures::new(), &mut out).unwrap();
        assert_eq!(features_of(&out), counts.written);
        assert!(images.len() as u64 <= counts.read);
    }
}

/// The files of boundaries lie in the folder that was named, each in one file of its own.
fn boundaries(text: &str) {
    let (points, sequences) = ("out/points.geojson".as_ref(), "out/lines.geojson".as_ref());
    let Ok(boundaries) = geokit::boundaries(text, Some("name")) else {
        return;
    };
    if let Ok(files) = geokit::output_files(&boundaries, points, sequences) {
        assert_eq!(files.len(), boundaries.len());
        for path in files
            .iter()
            .flat_map(|files| [&files.points_pano, &files.sequences_no_pano])
        {
            assert_eq!(path.parent(), Some("out".as_ref()), "{}", path.display());
        }
    }
}
