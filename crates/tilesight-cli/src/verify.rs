//! Examining a source for damage.

use std::path::Path;

use tilesight_fetch::Tileset;
use tilesight_store::{About, DamagedTile, Examination, StoreWriter};

use crate::args;
use crate::ask;
use crate::failure::Failure;
use crate::output::{self, Voice};
use crate::plan::Target;

/// Names the damaged tiles of a source, one a line, and drops them where that is asked for.
pub(crate) fn verify(typed: &args::Verify, voice: Voice) -> Result<(), Failure> {
    let path = &typed.source.path;
    if tilesight::is_dataset_file(path) {
        return verify_dataset(typed, voice);
    }
    let Some(found) = tilesight_store::verify(path).map_err(Failure::failed)? else {
        return verify_without_ledger(typed, voice);
    };
    print(found.damaged.iter().map(line))?;
    if let Some(structure) = &found.structure {
        let message = format!("{} is damaged as a whole: {structure}", path.display());
        return Err(Failure::Failed(message));
    }
    if found.is_clean() {
        let examined = found.examined;
        voice.conclude(format_args!("{examined} tiles are as they were stored"));
        return Ok(());
    }
    let count = found.damaged.len();
    if !typed.repair {
        let message = format!("{count} tiles are damaged; --repair drops them for the next fetch");
        return Err(Failure::Failed(message));
    }
    drop_damaged(path, &found)?;
    voice.conclude(format_args!(
        "{count} tiles dropped: fetch the region again to bring them"
    ));
    Ok(())
}

/// Compares every block of a dataset file with its checksum.
fn verify_dataset(typed: &args::Verify, voice: Voice) -> Result<(), Failure> {
    if typed.repair {
        let message = "a dataset is not repaired but built anew: tilesight build town.mbtiles -o \
                       town.tsight";
        return Err(Failure::usage(message));
    }
    let data = ask::open(&typed.source, voice)?;
    let damaged = data.verify();
    print(damaged.iter().map(ToString::to_string))?;
    if damaged.is_empty() {
        voice.conclude("the dataset is as it was written");
        return Ok(());
    }
    let message = format!(
        "{} parts of the dataset are damaged; build it anew",
        damaged.len()
    );
    Err(Failure::Failed(message))
}

fn drop_damaged(path: &Path, found: &Examination) -> Result<(), Failure> {
    // The store is there, so what it would say of itself is not needed.
    let about = About {
        tileset: Tileset::Images.name(),
        metadata: &[],
    };
    let tiles = found.damaged.iter();
    let tiles: Vec<_> = tiles.map(|tile| (tile.tileset.as_str(), tile.id)).collect();
    let mut writer = StoreWriter::open(path, &about).map_err(Failure::failed)?;
    writer.forget(&tiles).map_err(Failure::failed)?;
    writer.close().map_err(Failure::failed)
}

/// Decodes every tile: without a ledger there is nothing to compare them with.
fn verify_without_ledger(typed: &args::Verify, voice: Voice) -> Result<(), Failure> {
    if typed.repair {
        let message = "only a store that was fetched can be repaired: tilesight fetch";
        return Err(Failure::usage(message));
    }
    let data = ask::open(&typed.source, voice)?;
    let tilesets = &data.tilesets();
    let failed: Vec<_> = tilesets.iter().flat_map(|held| &held.failed).collect();
    print(
        failed
            .iter()
            .map(|failed| format!("{}: {}", failed.tile, failed.reason)),
    )?;
    if failed.is_empty() {
        voice.conclude("every tile can be decoded; there is no ledger to compare them with");
        return Ok(());
    }
    let message = format!("{} tiles cannot be decoded", failed.len());
    Err(Failure::Failed(message))
}

fn line(damaged: &DamagedTile) -> String {
    let DamagedTile {
        tileset,
        id,
        reason,
    } = damaged;
    format!("{tileset} {id}: {reason}")
}

fn print(lines: impl Iterator<Item = String>) -> Result<(), Failure> {
    output::write(&Target::Stdout, |out| {
        for line in lines {
            writeln!(out, "{line}")?;
        }
        Ok(())
    })
}
