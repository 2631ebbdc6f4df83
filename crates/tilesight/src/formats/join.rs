//! Images beside the targets that they were found for.

use std::borrow::Cow;
use std::io::{self, Write};

use tilesight_query::Image;

#[cfg(feature = "arrow")]
use super::Batches;
use super::record::{
    Column, Context, Geometry, HasImage, POINTS_A_CHUNK, Record, Type, Value, image_columns,
    required,
};
use super::{Export, Options, Written, write};
use crate::ImageJoin;

/// Where the number of the target stands: behind longitude and latitude.
const TARGET_COLUMN: usize = 2;

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

impl<'a> Record for JoinedImage<'a> {
    type Raw = (u32, Image<'a>);
    const NOUN: &'static str = "images of targets";
    const IS_POINT: bool = true;
    const CHUNK_ROWS: usize = POINTS_A_CHUNK;

    fn new(&(target, image): &Self::Raw, _: &Context<'_>) -> Self {
        Self { target, image }
    }

    fn columns(context: &Context<'_>) -> Vec<Column<Self>> {
        let mut columns = image_columns(context);
        let target = required("target", Type::Integer, |row: &Self| {
            Value::Count(row.target)
        });
        columns.insert(TARGET_COLUMN, target);
        columns
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
        write::<JoinedImage<'_>, _>(|| self.iter(), self.len(), options, out)
    }

    #[cfg(feature = "arrow")]
    fn batches<'s>(&'s self, options: &Options<'s>) -> io::Result<Batches<'s>> {
        Batches::new::<JoinedImage<'s>>(self.iter(), options)
    }
}
