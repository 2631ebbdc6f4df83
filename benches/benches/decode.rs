//! From the bytes of a tile to seven columns of images: ours against the rivals.

use std::hint::black_box;
use std::io::Read;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::read::GzDecoder;
use tilesight_benches::columns::ImageColumns;
use tilesight_benches::rivals::{RIVALS, Rival};
use tilesight_benches::tiles::{self, FRAME, IMAGE, NamedTile};
use tilesight_mvt::{Columns, Decoder};

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800));
    targets = decode, decode_gzip
}
criterion_main!(benches);

fn decode(criterion: &mut Criterion) {
    for tile in tiles::all() {
        let rows = check(&tile);
        let mut group = criterion.benchmark_group(format!("decode/{}", tile.name));
        group.throughput(Throughput::Elements(rows));
        let (mut decoder, mut columns) = (Decoder::new(), Columns::new());
        group.bench_function("tilesight", |bencher| {
            bencher.iter(|| ours(&mut decoder, &tile.bytes, &mut columns));
        });
        for (name, rival) in RIVALS {
            let mut images = ImageColumns::default();
            group.bench_function(name, |bencher| {
                bencher.iter(|| rival(black_box(&tile.bytes), &mut images));
            });
        }
    }
}

fn decode_gzip(criterion: &mut Criterion) {
    for tile in tiles::all() {
        let rows = check(&tile);
        let stored = tiles::gzip(&tile.bytes);
        let mut group = criterion.benchmark_group(format!("decode-gzip/{}", tile.name));
        group.throughput(Throughput::Elements(rows));
        let (mut decoder, mut columns) = (Decoder::new(), Columns::new());
        group.bench_function("tilesight", |bencher| {
            bencher.iter(|| ours(&mut decoder, &stored, &mut columns));
        });
        for (name, rival) in RIVALS {
            let (mut inflated, mut images) = (Vec::new(), ImageColumns::default());
            group.bench_function(name, |bencher| {
                bencher.iter(|| inflate_then(rival, &stored, &mut inflated, &mut images));
            });
        }
    }
}

fn ours(decoder: &mut Decoder, bytes: &[u8], columns: &mut Columns) {
    let tile = decoder.tile(black_box(bytes)).expect("the tile is sound");
    let layer = tile.layer("image").expect("the tile has images");
    layer
        .decode(&IMAGE, FRAME, columns)
        .expect("the layer is sound");
}

/// Rivals leave inflating to their user.
fn inflate_then(
    rival: Rival,
    stored: &[u8],
    inflated: &mut Vec<u8>,
    images: &mut ImageColumns,
) -> Option<()> {
    inflated.clear();
    GzDecoder::new(black_box(stored))
        .read_to_end(inflated)
        .ok()?;
    rival(inflated, images)
}

/// Makes sure that all produce the same columns; returns the number of rows.
fn check(tile: &NamedTile) -> u64 {
    let mut columns = Columns::new();
    ours(&mut Decoder::new(), &tile.bytes, &mut columns);
    let expected = ImageColumns::from_ours(&columns);
    for (name, rival) in RIVALS {
        let mut found = ImageColumns::default();
        rival(&tile.bytes, &mut found).unwrap_or_else(|| panic!("{name} refuses {}", tile.name));
        assert!(
            found.same_rows(&expected),
            "{name} differs on {}",
            tile.name
        );
    }
    columns.len() as u64
}
