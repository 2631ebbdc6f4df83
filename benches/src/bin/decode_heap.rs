//! Prints how much memory each decoder holds at most while it decodes a tile of images, relative
//! to the columns that come out.
//!
//! With a number as its argument it decodes a made tile of that many images instead, 2100000
//! being the largest known.
#![expect(clippy::print_stdout, reason = "it is a program that prints a table")]

use tilesight_benches::columns::ImageColumns;
use tilesight_benches::rivals::RIVALS;
use tilesight_benches::tiles::{self, FRAME, IMAGE, NamedTile};
use tilesight_heap::{Counting, peak};
use tilesight_mvt::{Columns, Decoder, Error};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> Result<(), Error> {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok());
    let tiles = count.map_or_else(tiles::all, |count| {
        vec![NamedTile {
            name: format!("made-{count}"),
            bytes: tiles::made(count),
        }]
    });
    println!("| tile | decoder | peak heap | columns | ratio |");
    println!("|---|---|---:|---:|---:|");
    for tile in tiles {
        let columns = ours(&tile)?;
        for (name, rival) in RIVALS {
            let (decoded, peak) = peak(|| {
                let mut images = ImageColumns::default();
                rival(&tile.bytes, &mut images)
            });
            let note = if decoded.is_some() {
                name.to_owned()
            } else {
                format!("{name}: refused")
            };
            print_row(&tile.name, &note, peak, columns);
        }
    }
    Ok(())
}

/// Returns the size of the columns.
fn ours(tile: &NamedTile) -> Result<usize, Error> {
    let (columns, peak) = peak(|| {
        let mut columns = Columns::new();
        let mut decoder = Decoder::new();
        if let Some(layer) = decoder.tile(&tile.bytes)?.layer("image") {
            layer.decode(&IMAGE, FRAME, &mut columns)?;
        }
        Ok(columns)
    });
    let columns = columns?;
    print_row(&tile.name, "tilesight", peak, columns.byte_len());
    Ok(columns.byte_len())
}

fn print_row(tile: &str, decoder: &str, peak: usize, columns: usize) {
    let ratio = peak as f64 / columns as f64;
    println!("| {tile} | {decoder} | {peak} | {columns} | {ratio:.2} |");
}
