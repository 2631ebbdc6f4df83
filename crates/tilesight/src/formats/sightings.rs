//! Images that look at targets, as rows.

use std::borrow::Cow;
use std::io::{self, Write};

use tilesight_query::Image;

#[cfg(feature = "arrow")]
use super::Batches;
use super::chunks::chunks_of;
use super::record::{
    Column, Context, Geometry, HasImage, POINTS_A_CHUNK, Record, Type, Value, image_columns_of,
    required,
};
use super::{Export, Options, Written};
use crate::sight::Sightings;

/// An image and the name of the target that it looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct SightingRecord<'a> {
    target_id: &'a str,
    image: Image<'a>,
}

impl HasImage for SightingRecord<'_> {
    fn image(&self) -> &Image<'_> {
        &self.image
    }
}

impl Record for SightingRecord<'_> {
    type Chunk = Vec<Self>;
    const NOUN: &'static str = "sightings";
    const IS_POINT: bool = true;
    const CHUNK_ROWS: usize = POINTS_A_CHUNK;

    fn rows(chunk: &Self::Chunk, _: &Context<'_>) -> impl Iterator<Item = Self> {
        chunk.iter().copied()
    }

    fn written(chunk: &Self::Chunk) -> Written {
        Written::of(chunk)
    }

    fn columns(context: &Context<'_>) -> Vec<Column<Self>> {
        // Whatever the place was, targets were looked at from somewhere.
        let context = Context {
            has_distance: true,
            has_bearing: true,
            ..*context
        };
        let target = required("target_id", Type::Text, |row: &Self| {
            Value::Foreign(row.target_id)
        });
        image_columns_of(target, &context)
    }

    fn id(&self) -> Value<'_> {
        Value::Id(self.image.id)
    }

    fn id_is_exact(&self) -> bool {
        self.image.id_is_exact
    }

    fn geometry(&self) -> Cow<'_, Geometry> {
        Cow::Owned(Geometry::Point([self.image.lon, self.image.lat]))
    }
}

impl<'a> Sightings<'a> {
    fn records(&self) -> impl Iterator<Item = SightingRecord<'a>> + use<'a, '_> {
        self.iter().map(|(target, image)| SightingRecord {
            target_id: &target.id,
            image,
        })
    }
}

/// Rows are images, at whose positions they lie; the target is `target_id`.
impl Export for Sightings<'_> {
    fn write_with(&self, options: &Options<'_>, out: &mut dyn Write) -> io::Result<Written> {
        let chunks = || chunks_of(self.records(), SightingRecord::CHUNK_ROWS);
        super::write::<SightingRecord<'_>, _>(chunks, self.len(), options, out)
    }

    #[cfg(feature = "arrow")]
    fn batches<'s>(&'s self, options: &Options<'s>) -> io::Result<Batches<'s>> {
        let chunks = chunks_of(self.records(), SightingRecord::CHUNK_ROWS);
        Batches::new::<SightingRecord<'s>>(chunks, options)
    }
}

#[cfg(test)]
mod tests {
    use tilesight_query::Place;
    use tilesight_tile::LonLat;

    use super::*;
    use crate::Dataset;
    use crate::formats::Format;
    use crate::shapes::Feature;
    use crate::sight::SightQuery;

    #[test]
    fn columns_are_those_of_images_that_look_at_something_and_the_target() {
        let image = Image {
            compass_angle_deg: Some(90.0),
            ..Image::at(1, 24.0, 60.0)
        };
        let data = Dataset::from_images([image]).unwrap();
        let targets = [Feature::at("door", LonLat::new(24.0005, 60.0).unwrap())];
        let found = data.sees(&targets, &SightQuery::default()).unwrap();
        let mut csv = Vec::new();
        found
            .write(Format::Csv, &Place::Everywhere, &mut csv)
            .unwrap();
        let lines: Vec<_> = str::from_utf8(&csv).unwrap().lines().collect();
        assert_eq!(
            lines[0],
            "lon,lat,target_id,id,captured_at,compass_angle,is_pano,sequence_id,organization_id,\
             creator_id,distance_m,bearing_deg,offset_deg"
        );
        let cells: Vec<_> = lines[1].split(',').collect();
        assert_eq!(cells[2..4], ["door", "1"]);
        assert!(cells[10].starts_with("27."), "{}", cells[10]);
    }
}
