//! The first few images around a target, without a look at those behind them.

use crate::answer::Answer;
use crate::dataset::{Asked, Dataset};
use crate::error::Error;
use crate::index::nearest;
use crate::place::{Candidates, PreparedPlace};

/// Up to so many are found nearest first; of more, all in the circle are found and ranked.
const FEW: usize = 16;

impl Dataset {
    /// The rows of an answer that is limited to a few of those in a circle; nothing where there is no
    /// such limit.
    pub(crate) fn find_first(
        &self,
        place: &PreparedPlace<'_>,
        asked: &Asked<'_>,
    ) -> Result<Option<Answer>, Error> {
        let PreparedPlace::Circle {
            circle,
            half_fov_deg,
        } = place
        else {
            return Ok(None);
        };
        if asked.limit > FEW || !matches!(asked.candidates, Candidates::All) {
            return Ok(None);
        }
        let (table, target) = (self.table(), circle.target());
        let filter = self.showing(target, *half_fov_deg, &asked.filter);
        let (k, radius_m) = (asked.limit, circle.radius_m());
        let places = nearest(table.tree, table.points, target, k, radius_m, &filter)?;
        let look = half_fov_deg.is_some();
        Ok(Some(Answer::ranked(target, places, look)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tilesight_tile::LonLat;

    use super::*;
    use crate::{Filter, Image, ImageQuery, Kind, Place};

    fn images() -> impl Strategy<Value = Vec<Image<'static>>> {
        let image = (0..40_u32, 0..40_u32, 0..400_u32, 0..3_u8);
        prop::collection::vec(image, 0..300).prop_map(|images| {
            let at = |(i, (east, north, heading, kind)): (usize, (u32, u32, u32, u8))| Image {
                compass_angle_deg: (heading < 360).then_some(f64::from(heading)),
                kind: [None, Some(Kind::Flat), Some(Kind::Pano)][usize::from(kind)],
                ..Image::at(
                    // The least ids come last.
                    1_000 - i as i64,
                    24.0 + f64::from(east) * 1e-4,
                    60.0 + f64::from(north) * 5e-5,
                )
            };
            images.into_iter().enumerate().map(at).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn the_first_are_those_of_all(
            images in images(), east in 0.0..40.0_f64, north in 0.0..40.0_f64, k in 0..=FEW,
            radius_m in prop_oneof![Just(0.0), 1.0..200.0_f64, Just(f64::INFINITY)],
            fov_deg in 1.0..=360.0_f64, looking: bool, pano: bool,
        ) {
            let data = Dataset::from_images(images).unwrap();
            let target = LonLat::new(24.0 + east * 1e-4, 60.0 + north * 5e-5).unwrap();
            let place = if looking {
                Place::LookingAt { target, radius_m, fov_deg }
            } else {
                Place::Near { target, radius_m }
            };
            let kind = pano.then_some(Kind::Pano);
            let filter = Filter { kind, ..Filter::default() };
            let all = ImageQuery { place, filter, ..ImageQuery::default() };
            let first = ImageQuery { limit: Some(k), ..all.clone() };
            let expected: Vec<Image<'_>> = data.images(&all).unwrap().iter().take(k).collect();
            let found: Vec<Image<'_>> = data.images(&first).unwrap().iter().collect();
            prop_assert_eq!(found, expected);
        }
    }
}
