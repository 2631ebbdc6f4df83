//! The tiles of a world: making them, and how fast they are read.

use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use fast_mvt::MvtReaderRef;
use flate2::read::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use rayon::prelude::*;
use tilesight_generate::{TileStore as MadeTiles, Tileset, gzip};
use tilesight_mvt::{ColumnType, Columns, Decoder, LayerSchema, TileFrame};
use tilesight_store::TileStore;
use tilesight_tile::{GridPoint, TileId};

use super::{Bar, Comparison, Limit, Places, Record, Times, build};
use crate::columns::ImageColumns;
use crate::query::{Image, PointIndex, RStar, plan_world};
use crate::rivals::{careful_fast_mvt, plain_prost};
use crate::tiles::{FRAME, IMAGE};

/// What is read of the `sequence` layer.
const SEQUENCE: LayerSchema = LayerSchema {
    keys: &[
        ("id", ColumnType::Text),
        ("captured_at", ColumnType::Integer),
        ("is_pano", ColumnType::Boolean),
        ("organization_id", ColumnType::Integer),
        ("creator_id", ColumnType::Integer),
    ],
};

/// Number of the row about building, behind those of all questions.
const BUILD_NUMBER: usize = 100;

/// How often each tile is decoded.
const DECODE_TURNS: usize = 3;

/// Makes the tiles of a world, unless they are there.
///
/// # Errors
///
/// When they cannot be written.
pub fn write_tiles(images: u64) -> Result<()> {
    let path = Places::of(images).tiles();
    if path.exists() {
        return Ok(());
    }
    let world = plan_world(images);
    let mut store = MadeTiles::create(&path)?;
    let blocks: Vec<u32> = (0..world.block_count()).collect();
    for batch in blocks.chunks(rayon::current_num_threads()) {
        let made: Vec<Vec<(TileId, Vec<u8>)>> = batch
            .par_iter()
            .map(|&block| world.encoded_block(block, Tileset::Images))
            .map(|tiles| tiles.into_iter().map(zipped).collect())
            .collect();
        for (tile, bytes) in made.into_iter().flatten() {
            store.put(tile, &bytes)?;
        }
    }
    Ok(store.finish(&world, Tileset::Images)?)
}

/// Empty tiles stay empty.
fn zipped((tile, bytes): (TileId, Vec<u8>)) -> (TileId, Vec<u8>) {
    let bytes = if bytes.is_empty() {
        bytes
    } else {
        gzip(&bytes)
    };
    (tile, bytes)
}

/// Times building from tiles against reading them with fast-mvt and bulk-loading rstar.
///
/// # Errors
///
/// When the tiles cannot be read, or the peer finds other images.
pub fn measure_build(images: u64) -> Result<Record> {
    let places = Places::of(images);
    let store = tilesight_store::open(&places.tiles(), &[])?;
    let mut record = Record::default();
    let start = Instant::now();
    let (rows, refused) = read_with_fast_mvt(&*store)?;
    let found = rows.len() as u64;
    drop(black_box(RStar::build(rows)));
    let theirs = Times::once(start.elapsed().as_nanos() as f64);
    ensure!(found == images, "fast-mvt reads {found} images of {images}");
    let ours = Times::once(build(&places)?.time.as_nanos() as f64);
    if refused > 0 {
        let note = format!("fast-mvt refuses {refused} large tiles; prost reads them instead.");
        record.notes.push(note);
    }
    record.comparisons.push(Comparison {
        number: BUILD_NUMBER,
        title: "build from tiles, 2 threads".to_owned(),
        peer: "fast-mvt, then rstar".to_owned(),
        questions: 1,
        ours,
        theirs,
        bar: Bar::faster(5.0),
    });
    Ok(record)
}

/// Reads all tiles on all threads, and counts those that prost had to read.
fn read_with_fast_mvt(store: &dyn TileStore) -> Result<(Vec<Image>, usize)> {
    let tiles: Vec<(Vec<Image>, bool)> = (0..store.tiles().len())
        .into_par_iter()
        .map_init(Default::default, |(bytes, columns), index| {
            let mut inflated = Vec::new();
            store.read(index, bytes)?;
            GzDecoder::new(&bytes[..]).read_to_end(&mut inflated)?;
            if !has_images(&inflated) {
                return Ok((Vec::new(), true));
            }
            let reads = careful_fast_mvt(&inflated, columns).is_some();
            if !reads {
                plain_prost(&inflated, columns).context("prost refuses a tile too")?;
            }
            Ok((images_of(columns, store.tiles()[index].id), reads))
        })
        .collect::<Result<_>>()?;
    let refused = tiles.iter().filter(|(_, reads)| !reads).count();
    let images = tiles.into_iter().flat_map(|(images, _)| images).collect();
    Ok((images, refused))
}

/// Whether a tile has images, or only lines that cross it; yes when fast-mvt cannot tell.
fn has_images(tile: &[u8]) -> bool {
    MvtReaderRef::new(tile).map_or(true, |tile| {
        tile.layers().any(|layer| layer.name() == "image")
    })
}

/// The rows of a tile, moved from where the rivals put all tiles to where this one lies.
fn images_of(columns: &ImageColumns, tile: TileId) -> Vec<Image> {
    let origin = tile.origin();
    let image = |row: usize| {
        let point = GridPoint {
            x: columns.x[row] - FRAME.origin_x + origin.x,
            y: columns.y[row] - FRAME.origin_y + origin.y,
        };
        Image {
            point,
            id: columns.id.values[row],
            captured_at_ms: columns.captured_at.values[row],
            compass_angle_deg: columns.compass_angle.values[row],
            organization_id: columns.organization_id.values[row],
            is_pano: columns.is_pano.values[row],
        }
    };
    (0..columns.x.len()).map(image).collect()
}

/// Times the way from gzipped tiles in the archive to columns against inflating them alone, on
/// one thread, tile by tile in turns.
///
/// # Errors
///
/// When the tiles cannot be read.
pub fn measure_decode(images: u64) -> Result<Record> {
    let store = tilesight_store::open(&Places::of(images).tiles(), &[])?;
    let mut reader = Reader::default();
    // Of each tile the best of its turns: to be read, to be columns, to be inflated alone.
    let mut best_ns = vec![[f64::INFINITY; 3]; store.tiles().len()];
    for _ in 0..DECODE_TURNS {
        for (index, best_ns) in best_ns.iter_mut().enumerate() {
            let turn_ns = reader.turn(&*store, index)?;
            *best_ns = std::array::from_fn(|i| best_ns[i].min(turn_ns[i]));
        }
    }
    let sum = |i: usize| best_ns.iter().map(|ns| ns[i]).sum::<f64>();
    let [read_ns, decode_ns, inflate_ns] = [sum(0), sum(1), sum(2)];
    let title = format!(
        "from gzipped tiles in MBTiles to columns ({:.0} ns an image, {:.0} of them in SQLite), \
         in times of inflating alone",
        decode_ns / images as f64,
        read_ns / images as f64
    );
    Ok(Record {
        limits: vec![Limit {
            title,
            value: decode_ns / inflate_ns,
            at_most: 1.5,
            unit: "×".to_owned(),
        }],
        ..Record::default()
    })
}

/// Reads tiles one after the other into memory that it keeps.
#[derive(Default)]
struct Reader {
    stored: Vec<u8>,
    inflated: Vec<u8>,
    decoder: Decoder,
    images: Columns,
    sequences: Columns,
}

impl Reader {
    /// Nanoseconds until a tile is read, until it is columns, and of inflating it alone.
    fn turn(&mut self, store: &dyn TileStore, index: usize) -> Result<[f64; 3]> {
        let nanoseconds = |start: Instant| start.elapsed().as_nanos() as f64;
        let start = Instant::now();
        store.read(index, &mut self.stored)?;
        let read_ns = nanoseconds(start);
        self.decode(store.tiles()[index].id)?;
        let decode_ns = nanoseconds(start);
        let start = Instant::now();
        self.inflate()?;
        Ok([read_ns, decode_ns, nanoseconds(start)])
    }

    /// Decodes what was read.
    fn decode(&mut self, id: TileId) -> Result<()> {
        let origin = id.origin();
        let frame = TileFrame {
            origin_x: origin.x,
            origin_y: origin.y,
            side: id.side(),
        };
        let tile = self.decoder.tile(&self.stored)?;
        if let Some(layer) = tile.layer("image") {
            layer.decode(&IMAGE, frame, &mut self.images)?;
        }
        if let Some(layer) = tile.layer("sequence") {
            layer.decode(&SEQUENCE, frame, &mut self.sequences)?;
        }
        black_box((&self.images, &self.sequences));
        Ok(())
    }

    /// Inflates what was read in one go.
    fn inflate(&mut self) -> Result<()> {
        let length = self
            .stored
            .last_chunk::<4>()
            .context("a tile is too short")?;
        self.inflated.clear();
        self.inflated.reserve(u32::from_le_bytes(*length) as usize);
        let status = Decompress::new_gzip(15).decompress_vec(
            &self.stored,
            &mut self.inflated,
            FlushDecompress::Finish,
        )?;
        ensure!(status == Status::StreamEnd, "a tile is larger than it says");
        Ok(())
    }
}
