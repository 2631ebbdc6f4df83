//! How many images lie where: cities, towns, countryside and nothing at all.

use crate::random::{Random, topic};

/// Every square of this many tiles a side has one town or city.
const DISTRICT_TILES: i32 = 12;

/// Share of the countryside's tiles that nobody has photographed.
const EMPTY_SHARE: f64 = 0.35;

/// A town or city: how dense it is in the middle, and how quickly that fades.
#[derive(Clone, Copy)]
struct City {
    /// Offset from the centre of the world, in tiles.
    x: f64,
    y: f64,
    peak_images: f64,
    radius_tiles: f64,
}

/// The cities of a world.
pub(crate) struct Density {
    seed: u64,
    centre: City,
}

impl Density {
    /// The cities of a square of some side, one of them in its middle and small enough for it.
    pub fn new(seed: u64, side_tiles: u64) -> Self {
        let centre = City {
            x: 0.0,
            y: 0.0,
            peak_images: 20_000.0,
            radius_tiles: (side_tiles as f64 / 4.0).min(2.5),
        };
        Self { seed, centre }
    }

    /// Weighs the tile at an offset from the middle: about as many images as a real tile of such
    /// a place holds.
    pub fn images_expected(&self, dx: i32, dy: i32) -> u64 {
        let mut random = Random::keyed(&[self.seed, topic::DENSITY, dx as u64, dy as u64]);
        let urban = self.urban_images(dx, dy) * random.between(0.6, 1.4);
        if urban >= 100.0 {
            return urban as u64;
        }
        if random.chance(EMPTY_SHARE) {
            return 0;
        }
        (urban + random.between(5.0, 90.0)) as u64
    }

    fn urban_images(&self, dx: i32, dy: i32) -> f64 {
        let district = |offset: i32| (offset + DISTRICT_TILES / 2).div_euclid(DISTRICT_TILES);
        let mut images = 0.0;
        for row in district(dy) - 1..=district(dy) + 1 {
            for column in district(dx) - 1..=district(dx) + 1 {
                images += self.city(column, row).images_at(dx.into(), dy.into());
            }
        }
        images
    }

    /// The city of a district: half of them are small, few are large.
    fn city(&self, column: i32, row: i32) -> City {
        if (column, row) == (0, 0) {
            return self.centre;
        }
        let mut random = Random::keyed(&[self.seed, topic::CITY, column as u64, row as u64]);
        let (peak_images, radius_tiles) = match random.unit() {
            draw if draw < 0.5 => (1_500.0, 1.2),
            draw if draw < 0.85 => (6_000.0, 2.0),
            _ => (22_000.0, 3.0),
        };
        let mut place = |district: i32| {
            (f64::from(district) + random.between(-0.5, 0.5)) * f64::from(DISTRICT_TILES)
        };
        City {
            x: place(column),
            y: place(row),
            peak_images,
            radius_tiles,
        }
    }
}

impl City {
    fn images_at(&self, x: f64, y: f64) -> f64 {
        let (dx, dy) = (
            (x - self.x) / self.radius_tiles,
            (y - self.y) / self.radius_tiles,
        );
        let nearness = 1.0 / (1.0 + dx * dx + dy * dy);
        self.peak_images * nearness * nearness * nearness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_cities_countryside_and_empty_tiles() {
        let density = Density::new(7, 120);
        let mut tiles: Vec<u64> = (-60..60)
            .flat_map(|dy| (-60..60).map(move |dx| (dx, dy)))
            .map(|(dx, dy)| density.images_expected(dx, dy))
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
        assert!((0..50).all(|seed| Density::new(seed, 4).images_expected(0, 0) > 10_000));
    }
}
