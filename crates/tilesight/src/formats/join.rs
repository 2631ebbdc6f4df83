//! Images beside the targets that they were found for.

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
use super::{Export, Options, Written, write};
use crate::ImageJoin;

/// An image, and the number of the target that it was found for.
#[derive(Debug, Clone, Copy)]
pub(super) struct JoinedImage<'a> {
    target: u32,
    image: Image<'a>,
}

impl HasImage for JoinedImage<'_> {
    fn image(&self) -> &Image<'_> {
        &self.image
    }
}

impl Record for JoinedImage<'_> {
    type Chunk = Vec<Self>;
    const NOUN: &'static str = "images of targets";
    const IS_POINT: bool = true;
    const CHUNK_ROWS: usize = POINTS_A_CHUNK;

    fn rows(chunk: &Self::Chunk, _: &Context<'_>) -> impl Iterator<Item = Self> {
        chunk.iter().copied()
    }

    fn written(chunk: &Self::Chunk) -> Written {
        Written::of(chunk)
    }

    fn columns(context: &Context<'_>) -> Vec<Column<Self>> {
        let target = required("target", Type::Integer, |row: &Self| {
            Value::Count(row.target)
        });
        image_columns_of(target, context)
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

impl ImageJoin<'_> {
    fn records(&self) -> impl Iterator<Item = JoinedImage<'_>> {
        self.iter()
            .map(|(target, image)| JoinedImage { target, image })
    }
}

impl Export for ImageJoin<'_> {
    fn write_with(&self, options: &Options<'_>, out: &mut dyn Write) -> io::Result<Written> {
        let chunks = || chunks_of(self.records(), JoinedImage::CHUNK_ROWS);
        write::<JoinedImage<'_>, _>(chunks, self.len(), options, out)
    }

    #[cfg(feature = "arrow")]
    fn batches<'s>(&'s self, options: &Options<'s>) -> io::Result<Batches<'s>> {
        let chunks = chunks_of(self.records(), JoinedImage::CHUNK_ROWS);
        Batches::new::<JoinedImage<'s>>(chunks, options)
    }
}

#[cfg(test)]
mod tests {
    use tilesight_query::{ImageQuery, Place};
    use tilesight_tile::LonLat;

    use super::*;
    use crate::Dataset;
    use crate::formats::{Format, Rows, check_fields};

    fn near(lon: f64) -> ImageQuery {
        let target = LonLat::new(lon, 60.0).unwrap();
        ImageQuery {
            place: Place::Near {
                target,
                radius_m: 100.0,
            },
            ..ImageQuery::default()
        }
    }

    #[test]
    fn images_stand_beside_the_number_of_their_target() {
        let images = [(1, 24.0), (2, 24.0005), (3, 25.0)];
        let images = images.map(|(id, lon)| Image::at(id, lon, 60.0));
        let data = Dataset::from_images(images).unwrap();
        let queries = [near(24.0), near(24.5), near(25.0), near(24.0005)];
        let answers = data.images_each(&queries).unwrap();
        let join: ImageJoin<'_> = answers.into_iter().collect();
        assert_eq!((join.len(), join.is_empty()), (5, false));
        let fields = ["target", "id"].map(str::to_owned);
        assert!(check_fields(&fields, Rows::JoinedImages, &queries[0].place).is_ok());
        assert!(check_fields(&fields, Rows::Images, &queries[0].place).is_err());
        let options = Options {
            fields: Some(&fields),
            ..Options::new(Format::Csv, &queries[0].place)
        };
        let mut csv = Vec::new();
        join.write_with(&options, &mut csv).unwrap();
        let lines: Vec<_> = str::from_utf8(&csv).unwrap().lines().collect();
        assert_eq!(lines, ["target,id", "0,1", "0,2", "2,3", "3,2", "3,1"]);
    }

    #[cfg(feature = "arrow")]
    #[test]
    fn columns_are_those_of_images_and_the_target() {
        use super::super::record::TARGET_COLUMN;
        let data = Dataset::from_images([Image::at(1, 24.0, 60.0)]).unwrap();
        let query = near(24.0);
        let options = Options::new(Format::Arrow, &query.place);
        let found = data.images(&query).unwrap();
        let names = |batches: Batches<'_>| {
            let schema = arrow_array::RecordBatchReader::schema(&batches);
            let names = schema.fields().iter().map(|field| field.name().clone());
            names.collect::<Vec<_>>()
        };
        let mut expected = names(found.batches(&options).unwrap());
        expected.insert(TARGET_COLUMN, "target".to_owned());
        let join: ImageJoin<'_> = [found.clone()].into_iter().collect();
        assert_eq!(names(join.batches(&options).unwrap()), expected);
        let batches: Result<Vec<_>, _> = join.batches(&options).unwrap().collect();
        assert_eq!(batches.unwrap()[0].num_rows(), 1);
    }
}
