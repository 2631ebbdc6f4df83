//! Packing a source into one archive.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use tilesight_mvt::Decoder;
use tilesight_query::Tileset;
use tilesight_query::schema::layer;
use tilesight_store::{PackOptions, Packed, TileStore};

use crate::error::Error;
use crate::formats::{ATTRIBUTION, LICENSE};
use crate::source::TILESET_NAMES;

/// Packs the tiles of a source into a PMTiles archive, which answers as the source does.
///
/// `tileset` names one of the tilesets of a source that has several, as `mly1_public`. `file` is
/// empty and open for reading and writing. The archive says whom to credit and under which
/// licence, and is called as the source is.
///
/// # Returns
///
/// What was written; see [`tilesight_store::pack`]. The same source gives the same bytes.
///
/// # Errors
///
/// [`Error::Store`] when the source cannot be read, has several tilesets of which none was
/// chosen, or the archive cannot be written.
///
/// # Cost
///
/// Every tile is read and compressed once, on one thread; twice read where nothing tells its
/// layers.
pub fn pack(
    source: impl AsRef<Path>,
    tileset: Option<&str>,
    file: &mut File,
) -> Result<Packed, Error> {
    let source = source.as_ref();
    let store = tilesight_store::open(source, &TILESET_NAMES)?;
    let layers = layers(&*store, tileset)?;
    let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
    let options = PackOptions {
        tileset,
        name: source.file_stem().and_then(|stem| stem.to_str()),
        attribution: Some(ATTRIBUTION),
        license: Some(LICENSE),
        layers: &layers,
    };
    Ok(tilesight_store::pack(&*store, &options, file)?)
}

/// Names of the layers that the tiles may have: told by the name of their tileset, even where all
/// are empty; by the store; or else by the tiles themselves.
fn layers(store: &dyn TileStore, tileset: Option<&str>) -> Result<BTreeSet<String>, Error> {
    let first = store.tiles().first().and_then(|tile| tile.tileset);
    if let Some(named) = tileset.or(first).and_then(Tileset::from_name) {
        return Ok(layers_of(named).iter().map(ToString::to_string).collect());
    }
    if store.metadata().layers.is_empty() {
        return layers_found(store);
    }
    Ok(store.metadata().layers.iter().cloned().collect())
}

const fn layers_of(tileset: Tileset) -> &'static [&'static str] {
    match tileset {
        Tileset::Images => &[layer::IMAGE, layer::OVERVIEW, layer::SEQUENCE],
        Tileset::Points => &[layer::POINT],
        Tileset::TrafficSigns => &[layer::TRAFFIC_SIGN],
    }
}

fn layers_found(store: &dyn TileStore) -> Result<BTreeSet<String>, Error> {
    let mut decoder = Decoder::new();
    let mut bytes = Vec::new();
    let mut found = BTreeSet::new();
    for index in 0..store.tiles().len() {
        store.read(index, &mut bytes)?;
        // A damaged tile is packed as it is, and named by who reads the archive.
        let Ok(tile) = decoder.tile(&bytes) else {
            continue;
        };
        for layer in tile.layers() {
            if !found.contains(layer.name()) {
                found.insert(layer.name().to_owned());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use tempfile::TempDir;
    use tilesight_query::{ImageQuery, SequenceQuery};

    use super::*;
    use crate::Dataset;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fixtures")
            .join(name)
    }

    fn packed(source: &Path, tileset: Option<&str>) -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("town.pmtiles");
        let mut options = File::options();
        let mut file = options
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .unwrap();
        pack(source, tileset, &mut file).unwrap();
        (dir, path)
    }

    /// Checks that a source and its archive are equal to whoever asks.
    #[track_caller]
    fn check_same(source: &Path, archive: &Path) {
        let (source, archive) = (
            Dataset::open(source).unwrap(),
            Dataset::open(archive).unwrap(),
        );
        let everything = ImageQuery {
            allow_partial: true,
            ..ImageQuery::default()
        };
        let ids =
            |data: &Dataset| -> Vec<i64> { data.images(&everything).unwrap().ids().collect() };
        assert_eq!(ids(&source), ids(&archive));
        assert!(!ids(&source).is_empty());
        let everything = SequenceQuery {
            allow_partial: true,
            ..SequenceQuery::default()
        };
        let sequences = |data: &Dataset| data.sequences(&everything).unwrap().len();
        assert_eq!(sequences(&source), sequences(&archive));
        assert_eq!(source.tilesets(), archive.tilesets());
    }

    #[test]
    fn an_archive_answers_as_its_source() {
        let images = fixture("town/mly1_public");
        let (_dir, path) = packed(&images, None);
        check_same(&images, &path);
        let (_dir, chosen) = packed(&fixture("town"), Some("mly1_public"));
        check_same(&path, &chosen);
        let (_dir, again) = packed(&path, None);
        check_same(&path, &again);
        let source = Dataset::open(&path).unwrap().source().clone();
        assert_eq!(source.attribution.as_deref(), Some(ATTRIBUTION));
        assert_eq!(source.name.as_deref(), Some("mly1_public"));
    }

    #[test]
    fn tiles_of_no_named_tileset_tell_their_layers() {
        let dir = tempfile::tempdir().unwrap();
        let column = dir.path().join("14/9326");
        fs::create_dir_all(&column).unwrap();
        let fixture = fixture("town/mly1_public");
        let tile = tilesight_store::open(&fixture, &[]).unwrap();
        let mut bytes = Vec::new();
        tile.read(tile.tiles().len() - 1, &mut bytes).unwrap();
        fs::write(column.join("4742.mvt"), &bytes).unwrap();
        fs::write(column.join("4743.mvt"), b"").unwrap();
        let (_dir, path) = packed(dir.path(), None);
        check_same(dir.path(), &path);
        let layers = &tilesight_store::open(&path, &[])
            .unwrap()
            .metadata()
            .layers
            .clone();
        assert!(layers.contains(&"image".to_owned()), "{layers:?}");
    }

    #[test]
    fn real_tiles_are_packed_whole() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../shared/data/tiles/mly1_public"
        );
        if !Path::new(path).exists() {
            println!("skipped: no real tiles at {path}");
            return;
        }
        let (_dir, archive) = packed(Path::new(path), None);
        check_same(Path::new(path), &archive);
    }
}
