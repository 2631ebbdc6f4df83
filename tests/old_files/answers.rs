//! Questions, and their answers as lines that do not depend on how rows are printed elsewhere.

use std::fmt::Write;

use tilesight::{
    Bbox, Dataset, FeatureQuery, Filter, Image, ImageQuery, Kind, LonLat, Place, Region,
    SequenceQuery,
};

/// All rows, and the answers to some questions.
pub(super) fn answers(data: &Dataset) -> String {
    let mut lines = String::new();
    push_images(&mut lines, data);
    push_sequences(&mut lines, data);
    push_features(&mut lines, data);
    for (name, place, filter) in questions() {
        let query = ImageQuery {
            place,
            filter,
            allow_partial: true,
            ..ImageQuery::default()
        };
        let found = data.images(&query).unwrap();
        let ids: Vec<String> = found.ids().map(|id| id.to_string()).collect();
        let missing = found.missing().map_or(0, |missing| missing.missing);
        writeln!(lines, "{name}: {missing} tiles missing: {}", ids.join(" ")).unwrap();
    }
    lines
}

fn questions() -> Vec<(&'static str, Place, Filter)> {
    let filter = Filter::default;
    let target = LonLat::new(24.926, 60.188).unwrap();
    let bbox = Bbox::from_degrees(24.92, 60.186, 24.93, 60.19).unwrap();
    let shell = vec![[24.9, 60.1], [25.1, 60.1], [25.0, 60.25], [24.9, 60.1]];
    let region = Region::from_polygons(&[vec![shell]]).unwrap();
    let of_kind = |kind| Filter {
        kind: Some(kind),
        ..filter()
    };
    let since = |date: &str| Filter {
        since: date.parse().ok(),
        ..filter()
    };
    let until = |date: &str| Filter {
        until: date.parse().ok(),
        ..filter()
    };
    let heading = Filter {
        heading: Some((350.0, 90.0)),
        ..filter()
    };
    let imported = Filter {
        sequences: vec!["tYcXv0Gp3kL1mN9qRs2B5w".to_owned()],
        ..filter()
    };
    vec![
        ("bbox", Place::Bbox(bbox), filter()),
        ("region", Place::Region(region), filter()),
        (
            "near",
            Place::Near {
                target,
                radius_m: 200.0,
            },
            filter(),
        ),
        (
            "nearest",
            Place::Nearest {
                target,
                k: 7,
                radius_m: None,
            },
            filter(),
        ),
        (
            "looking at",
            Place::LookingAt {
                target,
                radius_m: 500.0,
                fov_deg: 100.0,
            },
            filter(),
        ),
        ("panoramas", Place::Everywhere, of_kind(Kind::Pano)),
        ("flat", Place::Everywhere, of_kind(Kind::Flat)),
        ("since 2021", Place::Everywhere, since("2021")),
        ("until 2018-06", Place::Everywhere, until("2018-06")),
        ("to the north and east", Place::Everywhere, heading),
        ("imported", Place::Everywhere, imported),
    ]
}

fn or_none<T: ToString>(value: Option<T>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

fn kind_of(kind: Option<Kind>) -> &'static str {
    match kind {
        None => "-",
        Some(Kind::Flat) => "flat",
        Some(Kind::Pano) => "pano",
    }
}

fn everything() -> ImageQuery {
    ImageQuery {
        allow_partial: true,
        ..ImageQuery::default()
    }
}

fn push_images(lines: &mut String, data: &Dataset) {
    for image in data.images(&everything()).unwrap().iter() {
        let Image { id, lon, lat, .. } = image;
        writeln!(
            lines,
            "image {id} {lon:.7} {lat:.7} {} {} {} {} {} {}",
            or_none(image.captured_at_ms),
            or_none(image.compass_angle_deg),
            kind_of(image.kind),
            or_none(image.sequence_id),
            or_none(image.organization_id),
            or_none(image.creator_id),
        )
        .unwrap();
    }
}

fn push_sequences(lines: &mut String, data: &Dataset) {
    let query = SequenceQuery {
        allow_partial: true,
        ..SequenceQuery::default()
    };
    for sequence in data.sequences(&query).unwrap().iter() {
        writeln!(
            lines,
            "sequence {} {} {} {} {} {} {} {:.2} m",
            sequence.id,
            sequence.image_count,
            or_none(sequence.first_captured_at_ms),
            or_none(sequence.last_captured_at_ms),
            kind_of(sequence.kind),
            or_none(sequence.organization_id),
            or_none(sequence.creator_id),
            sequence.length_m,
        )
        .unwrap();
    }
}

fn push_features(lines: &mut String, data: &Dataset) {
    let query = FeatureQuery {
        allow_partial: true,
        ..FeatureQuery::default()
    };
    for feature in data.features(&query).unwrap().iter() {
        writeln!(
            lines,
            "feature {} {:.7} {:.7} {} {} {}",
            feature.id,
            feature.lon,
            feature.lat,
            or_none(feature.value),
            or_none(feature.first_seen_at_ms),
            or_none(feature.last_seen_at_ms),
        )
        .unwrap();
    }
}
