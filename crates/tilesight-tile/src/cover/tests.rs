use proptest::prelude::*;

use super::*;
use crate::test_shapes::{any_offsets, any_region, probes};
use crate::{EARTH_RADIUS_M, GridPoint, haversine_m};

/// Whether a region touches a tile, by asking every edge and one corner.
fn touches_literally(region: &Region, tile: TileId) -> bool {
    let bounds = tile.grid_box();
    let lons = [lon_of_x(bounds.min_x), lon_of_x(bounds.max_x)];
    let lats = [lat_of_y(bounds.max_y), lat_of_y(bounds.min_y)];
    let on_boundary = region
        .polygons()
        .iter()
        .flat_map(Polygon::rings)
        .any(|ring| {
            ring.turns().any(|turn| {
                let rectangle = [[lons[0] + turn, lats[0]], [lons[1] + turn, lats[1]]];
                ring.edges().any(|edge| meets_box(edge, rectangle))
            })
        });
    on_boundary || region.contains(tile.origin())
}

fn check_tiles(region: &Region, cover: &TileRows, tiles: impl IntoIterator<Item = TileId>) {
    for tile in tiles {
        assert_eq!(
            cover.contains(tile),
            touches_literally(region, tile),
            "{tile}"
        );
    }
}

fn all_tiles(z: u8) -> impl Iterator<Item = TileId> {
    TileRows::from_grid_box(z, &GridBox::WORLD)
        .iter()
        .collect::<Vec<_>>()
        .into_iter()
}

/// The tile of a position and those around it.
fn neighbourhood(z: u8, point: GridPoint) -> impl Iterator<Item = TileId> {
    let tile = TileId::containing(z, point);
    (-1i64..=1).flat_map(move |dx| {
        (-1i64..=1).filter_map(move |dy| {
            let (x, y) = (i64::from(tile.x()) + dx, i64::from(tile.y()) + dy);
            TileId::new(z, u32::try_from(x).ok()?, u32::try_from(y).ok()?).ok()
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_world_is_covered_as_asked_tile_by_tile(region in any_region(), z in 0u8..=5) {
        let cover = cover_region(z, &region, u64::MAX).unwrap();
        check_tiles(&region, &cover, all_tiles(z));
        prop_assert!(cover.count() <= estimate_region(z, &region));
    }

    #[test]
    fn deep_tiles_are_covered_as_asked_tile_by_tile(
        region in any_region(), z in 6u8..=30, offsets in any_offsets(),
    ) {
        if let Ok(cover) = cover_region(z, &region, 20_000) {
            for point in probes(&region, &offsets) {
                check_tiles(&region, &cover, neighbourhood(z, point));
            }
            prop_assert!(cover.count() <= estimate_region(z, &region));
        }
    }
}

#[test]
fn the_world_is_refused_with_its_number() {
    let world = Bbox::from_degrees(-180.0, -90.0, 180.0, 90.0).unwrap();
    assert_eq!(
        cover_bbox(14, &world, 50_000).unwrap_err().to_string(),
        "the place takes 268435456 tiles of zoom 14, more than the 50000 allowed (take a smaller place, or allow more)"
    );
    let ring = vec![
        [-180.0, -90.0],
        [180.0, -90.0],
        [180.0, 90.0],
        [-180.0, 90.0],
        [-180.0, -90.0],
    ];
    let world = Region::from_polygons(&[vec![ring]]).unwrap();
    for (z, tiles) in [(14, 1 << 28), (30, 1 << 60)] {
        let error = cover_region(z, &world, 50_000).unwrap_err();
        assert_eq!(
            error,
            CoverError::TooManyTiles {
                tiles,
                z,
                max_tiles: 50_000
            }
        );
        let error = cover_circle(z, LonLat::new(0.0, 0.0).unwrap(), 2.1e7, 50_000).unwrap_err();
        assert_eq!(
            error,
            CoverError::TooManyTiles {
                tiles,
                z,
                max_tiles: 50_000
            }
        );
    }
    assert_eq!(cover_region(14, &world, u64::MAX).unwrap().count(), 1 << 28);
}

#[test]
fn a_box_across_the_antimeridian_is_covered_on_both_sides() {
    let fiji = Bbox::from_degrees(177.0, -19.0, -178.0, -16.0).unwrap();
    let cover = cover_bbox(8, &fiji, 100).unwrap();
    let columns: Vec<_> = cover
        .iter()
        .filter(|tile| tile.y() == 140)
        .map(TileId::x)
        .collect();
    assert_eq!(columns, [0, 1, 253, 254, 255]);
}

#[test]
fn a_sliver_between_two_tiles_touches_neither() {
    let edge = GridPoint {
        x: 1 << 31,
        y: 1 << 30,
    }
    .to_lon_lat();
    let (west, east) = (edge.lon() - 6e-8, edge.lon() - 2e-8);
    let ring = vec![
        [west, 70.0],
        [east, 70.0],
        [east, 71.0],
        [west, 71.0],
        [west, 70.0],
    ];
    let sliver = Region::from_polygons(&[vec![ring]]).unwrap();
    assert!(cover_region(14, &sliver, 1000).unwrap().is_empty());
}

#[test]
fn a_radius_is_a_finite_distance() {
    let centre = LonLat::new(0.0, 0.0).unwrap();
    for radius_m in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            cover_circle(14, centre, radius_m, 10),
            Err(CoverError::Radius(_))
        ));
    }
    assert_eq!(
        CoverError::Radius(-1.0).to_string(),
        "radius -1 is not a distance in metres (50, for example)"
    );
}

fn any_centre() -> impl Strategy<Value = LonLat> {
    let lon = prop_oneof![-180.0..=180.0, 179.9..=180.0, Just(-180.0), Just(0.0)];
    let lat = prop_oneof![-90.0..=90.0, 84.0..=90.0, Just(-90.0), Just(0.0)];
    (lon, lat).prop_map(|(lon, lat)| LonLat::new(lon, lat).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Tile by tile: one is touched if the nearest of its points, found by trying many, is.
    #[test]
    fn circles_are_covered_as_tried(centre in any_centre(), log_radius in 0.0..7.4, z in 0u8..=4) {
        let radius_m = 10f64.powf(log_radius);
        let cover = cover_circle(z, centre, radius_m, u64::MAX).unwrap();
        for tile in all_tiles(z) {
            // Away from the sampling error the two agree.
            let nearest = nearest_tried_m(centre, tile);
            let slack = if cover.contains(tile) { nearest * 1e-3 + 1e-3 } else { -1e-6 };
            prop_assert_eq!(cover.contains(tile), nearest <= radius_m + slack, "{} {}", tile, nearest);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// Every position within the radius lies on a covering tile.
    #[test]
    fn circles_are_covered_whole(
        centre in any_centre(), radius_m in 0.0..2000.0, z in 6u8..=18, turn in 0.0..6.3, part in 0.0..1.0,
    ) {
        let cover = cover_circle(z, centre, radius_m, u64::MAX).unwrap();
        let reach = (radius_m * f64::max(part, 0.9) / EARTH_RADIUS_M).to_degrees();
        let lat = (centre.lat() + reach * f64::sin(turn)).clamp(-90.0, 90.0);
        let lon = centre.lon() + reach * f64::cos(turn) / lat.to_radians().cos();
        let lon = (lon + 180.0).rem_euclid(360.0) - 180.0;
        let point = GridPoint::nearest_to(LonLat::new(lon, lat).unwrap());
        if haversine_m(centre, point.to_lon_lat()) <= radius_m {
            prop_assert!(cover.contains(TileId::containing(z, point)));
        }
    }
}

/// The least distance of the points of a fine lattice over a tile, the centre's parallel and
/// meridian included; refined around the best.
fn nearest_tried_m(centre: LonLat, tile: TileId) -> f64 {
    let bounds = tile.grid_box();
    let lats = [lat_of_y(bounds.max_y), lat_of_y(bounds.min_y)];
    let lons = [lon_of_x(bounds.min_x), lon_of_x(bounds.max_x)];
    let try_all = |[west, east]: [f64; 2], [south, north]: [f64; 2]| {
        let steps = 0..=16;
        let tries = steps
            .clone()
            .flat_map(|i| steps.clone().map(move |j| (i, j)));
        let at = |from: f64, to: f64, step: i32| from + (to - from) * f64::from(step) / 16.0;
        let lat = centre.lat().clamp(south, north);
        let own = [centre.lon().clamp(west, east), west, east].map(|lon| (lon, lat));
        tries
            .map(|(i, j)| (at(west, east, i), at(south, north, j)))
            .chain(own)
            .map(|(lon, lat)| {
                let distance = haversine_m(centre, LonLat::new(lon, lat).unwrap());
                (distance, lon, lat)
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap()
    };
    let (mut lon_range, mut lat_range) = (lons, lats);
    let mut best = try_all(lon_range, lat_range);
    for _ in 0..14 {
        let around = |at: f64, range: [f64; 2], limits: [f64; 2]| {
            let reach = (range[1] - range[0]) / 8.0;
            [(at - reach).max(limits[0]), (at + reach).min(limits[1])]
        };
        lon_range = around(best.1, lon_range, lons);
        lat_range = around(best.2, lat_range, lats);
        let next = try_all(lon_range, lat_range);
        best = if next.0 < best.0 { next } else { best };
    }
    best.0
}

/// A square drawn so many times that what its edges touch is merged on the way.
#[test]
fn an_outline_drawn_again_and_again_covers_the_same() {
    let lap = [[24.0, 60.0], [25.0, 60.0], [25.0, 60.5], [24.0, 60.5]];
    let laps = |times| {
        let mut ring = lap.repeat(times);
        ring.push(lap[0]);
        Region::from_polygons(&[vec![ring]]).unwrap()
    };
    let cover = |times| cover_region(18, &laps(times), u64::MAX).unwrap();
    // Even-odd: after an even number of laps, nothing is inside.
    let (filled, outline) = (cover(1), cover(2));
    assert!(outline.count() < filled.count());
    assert_eq!(cover(1001), filled);
    assert_eq!(cover(1000), outline);
    let error = cover_region(18, &laps(1000), 1500).unwrap_err();
    assert!(matches!(
        error,
        CoverError::TooManyTiles {
            max_tiles: 1500,
            ..
        }
    ));
}
