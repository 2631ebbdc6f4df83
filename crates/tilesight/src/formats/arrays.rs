//! Columns of images as Arrow arrays at once, with as little copied as can be.
//!
//! They hold what [`Column::value`](super::record::Column) says of each image; the tests compare.

use std::sync::Arc;

use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, DictionaryArray, Float64Array,
    Int64Array, PrimitiveArray, StringArray, TimestampMillisecondArray,
};
use arrow_buffer::{
    ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer,
};
use bytes::Bytes;
use tilesight_query::{Groups, Kind, Selection, Shared};

use super::arrow::UTC;
use super::pool::Pool;
use super::record::ImageChunk;
use super::wkb;

/// The column of a name, where it is made faster than from values one by one.
pub(super) fn of_images(chunk: &ImageChunk<'_>, name: &str, pool: &Arc<Pool>) -> Option<ArrayRef> {
    let images = &chunk.images;
    let ids = |values: &[Option<i64>]| {
        let ids = of_groups::<Int64Type>(chunk.groups(), values, pool);
        Arc::new(ids)
    };
    Some(match name {
        "id" => Arc::new(Int64Array::new(shared(images.id_column()), None)),
        "captured_at" => Arc::new(times(images, pool)),
        "compass_angle" => Arc::new(headings(images)),
        "is_pano" => Arc::new(is_pano(images)),
        "sequence_id" => Arc::new(sequences(chunk.groups(), pool)),
        "organization_id" => ids(&chunk.groups().organization_ids),
        "creator_id" => ids(&chunk.groups().creator_ids),
        "distance_m" => measures(images, Selection::fill_distances_m, pool),
        "bearing_deg" => measures(images, Selection::fill_bearings_deg, pool),
        "offset_deg" => measures(images, Selection::fill_offsets_deg, pool),
        _ => return None,
    })
}

/// Longitudes and latitudes.
pub(super) fn positions(images: &Selection<'_>, pool: &Arc<Pool>) -> [ScalarBuffer<f64>; 2] {
    let len = images.len();
    let lats = pool.with_latitudes(|known| {
        pool.column(len, |lats: &mut [f64]| images.fill_latitudes(lats, known))
    });
    [pool.column(len, |lons| images.fill_longitudes(lons)), lats]
}

/// Points as well-known binary.
pub(super) fn points([lon, lat]: &[ScalarBuffer<f64>; 2], pool: &Arc<Pool>) -> ArrayRef {
    let bytes = pool.column(lon.len() * wkb::POINT_BYTES, |bytes: &mut [u8]| {
        let points = bytes.chunks_exact_mut(wkb::POINT_BYTES);
        for (point, (&lon, &lat)) in points.zip(lon.iter().zip(lat.iter())) {
            point.copy_from_slice(&wkb::point([lon, lat]));
        }
    });
    let offsets = OffsetBuffer::from_repeated_length(wkb::POINT_BYTES, lon.len());
    Arc::new(BinaryArray::new(offsets, bytes.into_inner(), None))
}

/// Values where they lie.
fn shared<T>(values: Shared<T>) -> ScalarBuffer<T>
where
    T: ArrowNativeType,
    Shared<T>: AsRef<[u8]> + Send + Sync + 'static,
{
    Buffer::from(Bytes::from_owner(values)).into()
}

fn headings(images: &Selection<'_>) -> Float64Array {
    reals(shared(images.compass_angle_deg_column()))
}

fn measures<'a>(
    images: &Selection<'a>,
    fill: impl FnOnce(&Selection<'a>, &mut [f64]),
    pool: &Arc<Pool>,
) -> ArrayRef {
    let measures = pool.column(images.len(), |column| fill(images, column));
    Arc::new(reals(measures))
}

/// Nulls stand for what is not a number.
fn reals(values: ScalarBuffer<f64>) -> Float64Array {
    let known = BooleanBuffer::collect_bool(values.len(), |row| !values[row].is_nan());
    Float64Array::new(values, nulls(known))
}

/// Nulls stand for times that are 0.
fn times(images: &Selection<'_>, pool: &Arc<Pool>) -> TimestampMillisecondArray {
    let times = pool.column(images.len(), |times| images.fill_captured_at_ms(times));
    let known = BooleanBuffer::collect_bool(times.len(), |row| times[row] != 0);
    TimestampMillisecondArray::new(times, nulls(known)).with_timezone(UTC)
}

fn is_pano(images: &Selection<'_>) -> BooleanArray {
    let kinds = images.kind_column();
    let is_pano = BooleanBuffer::collect_bool(kinds.len(), |row| kinds[row] == Some(Kind::Pano));
    let known = BooleanBuffer::collect_bool(kinds.len(), |row| kinds[row].is_some());
    BooleanArray::new(is_pano, nulls(known))
}

fn sequences(groups: &Groups<'_>, pool: &Arc<Pool>) -> DictionaryArray<Int32Type> {
    let key = |place: &Option<u32>| place.map(|place| place as i32);
    let keys: Vec<Option<i32>> = groups.sequences.iter().map(key).collect();
    let names = StringArray::from_iter_values(&groups.sequence_ids);
    DictionaryArray::new(of_groups(groups, &keys, pool), Arc::new(names))
}

/// What each image has of its group.
fn of_groups<T: ArrowPrimitiveType>(
    groups: &Groups<'_>,
    values: &[Option<T::Native>],
    pool: &Arc<Pool>,
) -> PrimitiveArray<T> {
    let of_images = &groups.of_images;
    let plain = values.iter().map(|value| value.unwrap_or_default());
    let plain: Vec<T::Native> = plain.collect();
    let column = pool.column(of_images.len(), |column: &mut [T::Native]| {
        for (place, &group) in column.iter_mut().zip(of_images) {
            *place = plain[group as usize];
        }
    });
    if values.iter().all(Option::is_some) {
        return PrimitiveArray::new(column, None);
    }
    let is_known: Vec<bool> = values.iter().map(Option::is_some).collect();
    let is_known = |row| is_known[of_images[row] as usize];
    let known = BooleanBuffer::collect_bool(of_images.len(), is_known);
    PrimitiveArray::new(column, nulls(known))
}

/// Nothing where all is known.
fn nulls(known: BooleanBuffer) -> Option<NullBuffer> {
    Some(NullBuffer::new(known)).filter(|nulls| nulls.null_count() > 0)
}
