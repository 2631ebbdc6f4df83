//! How many images lie where: cities, towns, countryside and nothing at all.

use crate::random::{Random, hash, unit};

/// Every square of this many tiles a side has one town or city.
const DISTRICT_TILES: i32 = 12;

/// Share of the countryside's tiles that nobody has photographed.
const EMPTY_SHARE: f64 = 0.35;

/// A town or city: how dense it is in the middle, and how quickly that fades.
struct City {
    /// Offset from the centre of the world, in tiles.
    x: f64,
    y: f64,
    peak_images: f64,
    radius_tiles: f64,
}

/// Weighs the tile at an offset from the centre of the world: about as many images as a real tile
/// of such a place holds. The centre itself lies in a city.
pub(crate) fn images_expected(seed: u64, dx: i32, dy: i32) -> u64 {
    let mut random = Random::keyed(&[seed, hash(b"density".map(u64::from).as_slice()), dx as u64, dy as u64]);
    let urban = urban_images(seed, dx, dy) * random.between(0.6, 1.4);
    if urban >= 100.0 {
        return urban as u64;
    }
    if random.chance(EMPTY_SHARE) {
        return 0;
    }
    (urban + random.between(5.0, 90.0)) as u64
}

fn urban_images(seed: u64, dx: i32, dy: i32) -> f64 {
    let district = |offset: i32| (offset + DISTRICT_TILES / 2).div_euclid(DISTRICT_TILES);
    let mut images = 0.0;
    for row in -1..=1 {
        for column in -1..=1 {
            let city = City::of_district(seed, district(dx) + column, district(dy) + row);
            images += city.images_at(f64::from(dx), f64::from(dy));
        }
    }
    images
}

impl City {
    fn of_district(seed: u64, column: i32, row: i32) -> Self {
        if (column, row) == (0, 0) {
            return Self {
                x: 0.0,
                y: 0.0,
                peak_images: 20_000.0,
                radius_tiles: 2.5,
            };
        }
        let draw = |what: u64| unit(hash(&[seed, what, column as u64, row as u64]));
        let (peak_images, radius_tiles) = match draw(1) {
            size if size < 0.5 => (1_500.0, 1.2),
            size if size < 0.85 => (6_000.0, 2.0),
            _ => (22_000.0, 3.0),
        };
        let place = |district: i32, draw: f64| (f64::from(district) + draw - 0.5) * f64::from(DISTRICT_TILES);
        Self {
            x: place(column, draw(2)),
            y: place(row, draw(3)),
            peak_images,
            radius_tiles,
        }
    }

    fn images_at(&self, x: f64, y: f64) -> f64 {
        let (dx, dy) = ((x - self.x) / self.radius_tiles, (y - self.y) / self.radius_tiles);
        let nearness = 1.0 / (1.0 + dx * dx + dy * dy);
        self.peak_images * nearness * nearness * nearness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_cities_countryside_and_empty_tiles() {
        let mut tiles: Vec<u64> = (-60..60)
            .flat_map(|dy| (-60..60).map(move |dx| images_expected(7, dx, dy)))
            .collect();
        tiles.sort_unstable();
        let (least, median, most) = (tiles[0], tiles[tiles.len() / 2], tiles[tiles.len() - 1]);
        assert_eq!(least, 0);
        assert!((10..200).contains(&median), "{median}");
        assert!((10_000..40_000).contains(&most), "{most}");
        let mean = tiles.iter().sum::<u64>() / tiles.len() as u64;
        assert!((200..800).contains(&mean), "{mean}");
    }

    #[test]
    fn the_centre_is_a_city() {
        assert!((0..50).all(|seed| images_expected(seed, 0, 0) > 10_000));
    }
}
