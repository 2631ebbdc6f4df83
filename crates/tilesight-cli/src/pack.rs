//! Making an archive of a source.

use tilesight::{Error, Packed, StoreError};

use crate::args::{self, Tileset};
use crate::failure::Failure;
use crate::output::{self, Voice};

/// Packs the tiles of a source.
pub(crate) fn pack(typed: &args::Pack, voice: Voice) -> Result<(), Failure> {
    let args::Pack {
        source,
        tileset,
        target,
        overwrite,
    } = typed;
    if target.as_os_str() == "-" {
        let message = "an archive is not written to standard output: -o town.pmtiles";
        return Err(Failure::usage(message));
    }
    let name = tileset.map(service_name);
    let packed = output::write_archive(target, *overwrite, |file| {
        tilesight::pack(&source.path, name, file).map_err(with_hint)
    })?;
    let Packed {
        tiles,
        contents,
        bytes,
        ..
    } = packed;
    let imported = tilesight::import::count(&source.path)?;
    if imported > 0 {
        voice.warn(format_args!(
            "an archive holds tiles alone: {imported} imported sequences are not in it; `tilesight \
             build` takes them along"
        ));
    }
    voice.tell(format_args!(
        "{tiles} tiles, {contents} of them different, in {bytes} bytes: {}",
        target.display()
    ));
    Ok(())
}

/// Shows how to choose one of several tilesets.
fn with_hint(error: Error) -> Failure {
    match error {
        Error::Store(StoreError::SeveralTilesets { .. }) => {
            Failure::usage(format!("{error}: --tileset images"))
        }
        error => error.into(),
    }
}

/// What the service calls a tileset.
const fn service_name(tileset: Tileset) -> &'static str {
    match tileset {
        Tileset::Images => "mly1_public",
        Tileset::Computed => "mly1_computed_public",
        Tileset::Points => "mly_map_feature_point",
        Tileset::Signs => "mly_map_feature_traffic_sign",
    }
}
