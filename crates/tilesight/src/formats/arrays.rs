//! Columns of images as Arrow arrays at once, with as little copied as can be.
//!
//! They hold what [`Column::value`](super::record::Column) says of each image; the tests compare.

use std::sync::Arc;

use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, DictionaryArray, Float64Array,
    Int32Array, Int64Array, PrimitiveArray, StringArray,
};
use arrow_buffer::{
    ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer,
};
use bytes::Bytes;
use tilesight_query::{Kind, Selection, Shared};

use super::arrow::UTC;
use super::wkb;

/// The column of a name, where it is made faster than from values one by one.
pub(super) fn of_images(images: &Selection<'_>, name: &str) -> Option<ArrayRef> {
    let len = images.len();
    Some(match name {
        "id" => Arc::new(Int64Array::new(shared(images.id_column()), None)),
        "captured_at" => {
            let times = nullable::<TimestampMillisecondType>(images.captured_at_ms(), len);
            Arc::new(times.with_timezone(UTC))
        }
        "compass_angle" => Arc::new(headings(images)),
        "is_pano" => Arc::new(is_pano(images)),
        "sequence_id" => Arc::new(sequences(images)),
        "organization_id" => Arc::new(nullable::<Int64Type>(images.organization_ids(), len)),
        "creator_id" => Arc::new(nullable::<Int64Type>(images.creator_ids(), len)),
        _ => return None,
    })
}

/// Points as well-known binary.
pub(super) fn points([lon, lat]: &[ScalarBuffer<f64>; 2]) -> ArrayRef {
    let mut bytes = Vec::with_capacity(lon.len() * wkb::POINT_BYTES);
    for (&lon, &lat) in lon.iter().zip(lat.iter()) {
        bytes.extend_from_slice(&wkb::point([lon, lat]));
    }
    let offsets = OffsetBuffer::from_repeated_length(wkb::POINT_BYTES, lon.len());
    Arc::new(BinaryArray::new(offsets, Buffer::from_vec(bytes), None))
}

/// Values where they lie.
fn shared<T>(values: Shared<T>) -> ScalarBuffer<T>
where
    T: ArrowNativeType,
    Shared<T>: AsRef<[u8]> + Send + Sync + 'static,
{
    Buffer::from(Bytes::from_owner(values)).into()
}

/// Nulls stand for headings that are not a number.
fn headings(images: &Selection<'_>) -> Float64Array {
    let headings = images.compass_angle_deg_column();
    let known = BooleanBuffer::collect_bool(headings.len(), |row| !headings[row].is_nan());
    Float64Array::new(shared(headings), nulls(known))
}

fn is_pano(images: &Selection<'_>) -> BooleanArray {
    let mut kinds = Vec::with_capacity(images.len());
    images.kinds().for_each(|kind| kinds.push(kind));
    let bits = |is: fn(Option<Kind>) -> bool| {
        BooleanBuffer::collect_bool(kinds.len(), |row| is(kinds[row]))
    };
    BooleanArray::new(
        bits(|kind| kind == Some(Kind::Pano)),
        nulls(bits(|kind| kind.is_some())),
    )
}

fn sequences(images: &Selection<'_>) -> DictionaryArray<arrow_array::types::Int32Type> {
    let (places, names) = images.sequence_column();
    let known = BooleanBuffer::collect_bool(places.len(), |row| places[row].is_some());
    let place = |place: Option<u32>| place.unwrap_or_default() as i32;
    let keys: Vec<i32> = places.into_iter().map(place).collect();
    let keys = Int32Array::new(keys.into(), nulls(known));
    DictionaryArray::new(keys, Arc::new(StringArray::from_iter_values(names)))
}

/// Values of which some are unknown.
fn nullable<T: ArrowPrimitiveType>(
    values: impl Iterator<Item = Option<T::Native>>,
    len: usize,
) -> PrimitiveArray<T> {
    let (mut column, mut known) = (Vec::with_capacity(len), Vec::with_capacity(len));
    // All at once, which selections are faster at.
    values.for_each(|value| {
        known.push(value.is_some());
        column.push(value.unwrap_or_default());
    });
    PrimitiveArray::new(column.into(), nulls(BooleanBuffer::from(known)))
}

/// Nothing where all is known.
fn nulls(known: BooleanBuffer) -> Option<NullBuffer> {
    Some(NullBuffer::new(known)).filter(|nulls| nulls.null_count() > 0)
}
