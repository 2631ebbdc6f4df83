//! kiddo: a k-d tree of directions from the centre of the Earth, where near means near on the
//! ground.

use std::num::NonZero;

use kiddo::{ImmutableKdTree, SquaredEuclidean};
use tilesight_tile::{EARTH_RADIUS_M, LonLat};

use super::rival::{in_order, shows};
use super::{Condition, Engine, Ground, Image, Place, Question, Row};

/// How far apart two squared chords must be, relative to them, to be told apart: far above the
/// rounding of unit vectors and far below the size of a pixel.
const BAND: f64 = 1e-7;

/// Images by their directions; it knows circles and the nearest.
pub struct Kiddo {
    tree: ImmutableKdTree<f64, 3>,
    images: Vec<Image>,
}

impl Kiddo {
    /// Indexes images.
    ///
    /// # Panics
    ///
    /// When there are none.
    pub fn new(images: Vec<Image>) -> Self {
        let directions: Vec<[f64; 3]> = images
            .iter()
            .map(|image| direction(image.point().to_lon_lat()))
            .collect();
        Self {
            tree: ImmutableKdTree::new_from_slice(&directions).expect("there are images"),
            images,
        }
    }

    /// Visits what is within a distance, with the squares of the chords. Only where a chord is
    /// too close to the limit to tell, the distance on the ground decides.
    fn visit_within(&self, target: LonLat, radius_m: f64, mut visit: impl FnMut(f64, &Image)) {
        let chord = 2.0 * (radius_m / EARTH_RADIUS_M / 2.0).sin();
        let limit = chord * chord;
        let found = self
            .tree
            .query(&direction(target))
            .within::<SquaredEuclidean<f64>>(limit * (1.0 + BAND))
            .unsorted()
            .execute();
        let ground = Ground::around(target);
        for near in found {
            let image = &self.images[near.item as usize];
            let is_within = near.distance < limit * (1.0 - BAND)
                || ground.distance_m(image.point()) <= radius_m;
            if is_within {
                visit(near.distance, image);
            }
        }
    }

    /// The `k` nearest by distance and id. One more is asked for: when it is as far as the last,
    /// all as far as that are looked at.
    fn nearest(&self, target: LonLat, k: usize) -> Vec<i64> {
        let query = direction(target);
        let one_more = NonZero::new(k + 1).expect("one more than some is not zero");
        let nearest = self
            .tree
            .query(&query)
            .nearest_n::<SquaredEuclidean<f64>>(one_more)
            .execute();
        let by_chord = |squared: f64, item: u32| (squared, self.images[item as usize].id());
        let mut found: Vec<(f64, i64)> = nearest
            .iter()
            .map(|near| by_chord(near.distance, near.item))
            .collect();
        if let [.., last, beyond] = found[..]
            && found.len() > k
            && beyond.0 <= last.0 * (1.0 + BAND)
        {
            let as_far = self
                .tree
                .query(&query)
                .within::<SquaredEuclidean<f64>>(last.0 * (1.0 + BAND))
                .unsorted()
                .execute();
            found = as_far
                .iter()
                .map(|near| by_chord(near.distance, near.item))
                .collect();
        }
        let mut ids = in_order(found);
        ids.truncate(k);
        ids
    }
}

impl Engine for Kiddo {
    fn name(&self) -> &'static str {
        "kiddo"
    }

    fn images(&self, question: &Question) -> Option<Vec<i64>> {
        if !matches!(question.condition, Condition::Any) {
            return None;
        }
        let mut found = Vec::new();
        match question.place {
            Place::Near { target, radius_m } => {
                self.visit_within(target, radius_m, |far, image| {
                    found.push((far, image.id()));
                });
            }
            Place::LookingAt {
                target,
                radius_m,
                half_fov_deg,
            } => {
                self.visit_within(target, radius_m, |far, image| {
                    if shows(image, target, half_fov_deg) {
                        found.push((far, image.id()));
                    }
                });
            }
            Place::Nearest { target, k } => return Some(self.nearest(target, k)),
            Place::Box(_) | Place::Polygon(..) => return None,
        }
        Some(in_order(found))
    }

    fn image_count(&self, question: &Question) -> Option<u64> {
        Some(self.images(question)?.len() as u64)
    }
}

/// The unit vector that points from the centre of the Earth to a position.
fn direction(at: LonLat) -> [f64; 3] {
    let (sin_lat, cos_lat) = at.lat().to_radians().sin_cos();
    let (sin_lon, cos_lon) = at.lon().to_radians().sin_cos();
    [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat]
}
