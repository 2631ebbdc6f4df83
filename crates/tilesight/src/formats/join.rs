//! Images beside the targets that they were found for.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::OnceLock;

#[cfg(feature = "arrow")]
use arrow_array::{ArrayRef, Int64Array};
#[cfg(feature = "arrow")]
use arrow_buffer::ScalarBuffer;
use tilesight_query::{Image, ImageJoin, JoinPart};

use super::record::{
    Column, Context, Geometry, HasImage, ImageChunk, POINTS_A_CHUNK, Record, Type, Value,
    image_columns_of, required,
};
#[cfg(feature = "arrow")]
use super::{Batches, pool::Pool};
use super::{Export, Options, Written, write};
#[cfg(feature = "arrow")]
use std::sync::Arc;

/// What the column of targets is called.
const TARGET: &str = "target";

/// An image, and the number of the target that it was found for.
#[derive(Debug, Clone, Copy)]
pub(super) struct JoinedImage<'a> {
    target: i64,
    image: Image<'a>,
}

/// Pairs that lie side by side in a join.
#[derive(Debug)]
pub(super) struct JoinChunk<'j> {
    part: JoinPart<'j, 'j>,
    /// Their images, looked up when they are first asked for: by one of many threads.
    images: OnceLock<ImageChunk<'j>>,
}

impl<'j> JoinChunk<'j> {
    /// Cuts a join into chunks.
    pub(super) fn of(
        join: &'j ImageJoin<'j>,
        chunk_rows: usize,
    ) -> impl Iterator<Item = Self> + Send {
        join.parts(chunk_rows).map(|part| Self {
            part,
            images: OnceLock::new(),
        })
    }

    fn images(&self) -> &ImageChunk<'j> {
        let images = || ImageChunk::new(self.part.images());
        self.images.get_or_init(images)
    }

    fn targets(&self) -> Vec<i64> {
        let mut targets = vec![0; self.part.len()];
        self.part.fill_targets(&mut targets);
        targets
    }
}

impl HasImage for JoinedImage<'_> {
    fn image(&self) -> &Image<'_> {
        &self.image
    }
}

impl<'j> Record for JoinedImage<'j> {
    type Chunk = JoinChunk<'j>;
    const NOUN: &'static str = "images of targets";
    const IS_POINT: bool = true;
    const CHUNK_ROWS: usize = POINTS_A_CHUNK;

    fn rows(chunk: &Self::Chunk, context: &Context<'_>) -> impl Iterator<Item = Self> {
        let images = Image::rows(chunk.images(), context);
        let pairs = chunk.targets().into_iter().zip(images);
        pairs.map(|(target, image)| Self { target, image })
    }

    fn written(chunk: &Self::Chunk) -> Written {
        Image::written(chunk.images())
    }

    #[cfg(feature = "arrow")]
    fn positions(chunk: &Self::Chunk, pool: &Arc<Pool>) -> Option<[ScalarBuffer<f64>; 2]> {
        Image::positions(chunk.images(), pool)
    }

    #[cfg(feature = "arrow")]
    fn array(chunk: &Self::Chunk, name: &str, pool: &Arc<Pool>) -> Option<ArrayRef> {
        if name != TARGET {
            return Image::array(chunk.images(), name, pool);
        }
        let fill = |targets: &mut [i64]| chunk.part.fill_targets(targets);
        let targets = pool.column(chunk.part.len(), fill);
        Some(Arc::new(Int64Array::new(targets, None)))
    }

    fn columns(context: &Context<'_>) -> Vec<Column<Self>> {
        let target = required(TARGET, Type::Integer, |row: &Self| Value::Id(row.target));
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

impl Export for ImageJoin<'_> {
    fn write_with(&self, options: &Options<'_>, out: &mut dyn Write) -> io::Result<Written> {
        let chunks = || JoinChunk::of(self, JoinedImage::CHUNK_ROWS);
        write::<JoinedImage<'_>, _>(chunks, self.len(), options, out)
    }

    #[cfg(feature = "arrow")]
    fn batches<'s>(&'s self, options: &Options<'s>) -> io::Result<Batches<'s>> {
        let chunks = JoinChunk::of(self, JoinedImage::CHUNK_ROWS);
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
