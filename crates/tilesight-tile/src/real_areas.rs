//! Areas of interest as people have them, read from `../shared/data/aoi` beside the workspace.

use std::fs;
use std::path::PathBuf;

use crate::{
    GridPoint, LonLat, PreparedRegion, Region, Relation, TileId, cover_region, estimate_region,
};

fn read(name: &str) -> Option<Region> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/aoi");
    let path = PathBuf::from(root).join(name);
    if let Ok(text) = fs::read_to_string(&path) {
        Some(Region::from_geojson(&text).unwrap())
    } else {
        println!("skipped: {name} is not in ../shared/data/aoi");
        None
    }
}

fn point(lon: f64, lat: f64) -> GridPoint {
    GridPoint::nearest_to(LonLat::new(lon, lat).unwrap())
}

/// Positions spread evenly over the region's bounds, the same every time.
fn spread(prepared: &PreparedRegion, count: u32) -> Vec<GridPoint> {
    let over = |min: u32, max: u32, at: u32, irrational: f64| {
        let part = (f64::from(at) * irrational).fract();
        min + (f64::from(max - min) * part) as u32
    };
    let boxes = prepared.bounds().iter();
    boxes
        .flat_map(|bounds| {
            (0..count).map(|at| GridPoint {
                x: over(bounds.min_x, bounds.max_x, at, 0.754_877_666_246_692_7),
                y: over(bounds.min_y, bounds.max_y, at, 0.569_840_290_998_053_2),
            })
        })
        .collect()
}

/// Holds the index and the cover of a region to its definition; returns how many of the positions
/// lie in it.
fn check(region: &Region, positions: u32) -> usize {
    let prepared = PreparedRegion::new(region);
    let covers = [2, 5, 8, 11].map(|z| cover_region(z, region, u64::MAX).unwrap());
    let check_one = |&point: &GridPoint| {
        let inside = region.contains(point);
        assert_eq!(prepared.contains(point), inside, "{point:?}");
        for cover in &covers {
            let tile = TileId::containing(cover.z(), point);
            let relation = prepared.relate(&tile.grid_box());
            assert!(cover.contains(tile) || !inside, "{tile} {point:?}");
            assert!(
                cover.contains(tile) || relation != Relation::Inside,
                "{tile}"
            );
            assert!(
                !cover.contains(tile) || relation != Relation::Outside,
                "{tile}"
            );
        }
        inside
    };
    spread(&prepared, positions)
        .iter()
        .filter(|point| check_one(point))
        .count()
}

#[test]
fn ottawa() {
    let Some(region) = read("osmottawa_ottawa.geojson") else {
        return;
    };
    assert!(region.contains(point(-75.6972, 45.4215)));
    assert!(!region.contains(point(-75.7132, 45.4292)), "Gatineau");
    assert!(check(&region, 2_000) > 500);
}

#[test]
fn a_city_with_a_hole() {
    let Some(region) = read("h3o_SanFranciscoHole.geojson") else {
        return;
    };
    assert!(region.contains(point(-122.49, 37.75)));
    assert!(!region.contains(point(-122.44, 37.775)));
    assert!(check(&region, 10_000) > 5_000);
}

#[test]
fn shapes_across_the_antimeridian() {
    for (name, centre_inside) in [
        ("h3o_TransmeridianComplex.geojson", true),
        ("h3o_TransmeridianHole.geojson", false),
    ] {
        let Some(region) = read(name) else {
            return;
        };
        assert_eq!(region.contains(point(180.0, 0.0)), centre_inside, "{name}");
        assert!(!region.contains(point(0.0, 0.0)), "{name}");
        assert_eq!(PreparedRegion::new(&region).bounds().len(), 2);
        assert!(check(&region, 10_000) > 1_000);
    }
}

#[test]
fn the_countries_of_the_world() {
    let Some(region) = read("world-atlas_countries-110m.geojson") else {
        return;
    };
    for (lon, lat, inside) in [
        (178.0, -17.8, true),   // Fiji
        (-179.9, 67.0, true),   // Russia, east of the antimeridian
        (24.9, 60.5, true),     // Finland
        (0.0, -80.0, true),     // Antarctica
        (-30.0, 40.0, false),   // the Atlantic
        (-150.0, -30.0, false), // the Pacific
    ] {
        assert_eq!(region.contains(point(lon, lat)), inside, "{lon} {lat}");
    }
    assert!(check(&region, 2_000) > 500);
    let tiles = cover_region(14, &region, u64::MAX).unwrap().count();
    assert!(
        (60_000_000..estimate_region(14, &region)).contains(&tiles),
        "{tiles}"
    );
}
