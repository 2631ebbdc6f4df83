//! Writes the files of `fuzz/corpus` that are not written by hand: tiles, archives, datasets.
//!
//! ```text
//! cargo run -p tilesight-hostile --example seeds
//! ```

use std::error::Error;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use tilesight::annotations::{self, AnnotationError, Note, Owner, Tour, TourKey};
use tilesight::formats::{Export, Format};
use tilesight::{BuildOptions, Dataset, ImageQuery, Place, SequenceQuery, build, import, pack};
use tilesight_generate::{Plan, TileStore, Tileset, World, gzip};
use tilesight_tile::LonLat;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A sequence that only an import knows.
const V3: &str = r#"{"type": "Feature", "properties": {"key": "tYcXv0Gp3kL1mN9qRs2B5w", "username": "ann",
    "coordinateProperties": {"cas": [90, 92.5], "image_keys": ["7", "LwrHXqFRN_pszCopTKHF_Q"]}},
    "geometry": {"type": "LineString", "coordinates": [[24.93, 60.17], [24.94, 60.17]]}}"#;

const TILESETS: [Tileset; 3] = [Tileset::Images, Tileset::Points, Tileset::Signs];

fn main() -> Outcome {
    let dir = tempfile::tempdir()?;
    let town = hamlet()?;
    let folder = dir.path().join("town");
    for tileset in TILESETS {
        store(&town, tileset, &folder.join(tileset.name()))?;
        for (id, tile) in town.encoded_block(0, tileset) {
            let name = format!("{}-{}", tileset.name(), id.to_string().replace('/', "-"));
            keep("tile", &name, &tile)?;
            keep("inflate", &name, &gzip(&tile))?;
            keep("content", &name, &tile)?;
            keep("content", &format!("{name}-gzip"), &gzip(&tile))?;
        }
    }
    let archive = dir.path().join("town.mbtiles");
    store(&town, Tileset::Images, &archive)?;
    keep("mbtiles", "made", &fs::read(&archive)?)?;
    let fetched = dir.path().join("fetched.mbtiles");
    import::import(V3, &fetched)?;
    keep("mbtiles", "imported", &fs::read(&fetched)?)?;
    pmtiles(&folder.join(Tileset::Signs.name()), dir.path())?;
    datasets(&[&folder, &fetched], dir.path())?;
    annotated(&dir.path().join("town.annotations"))
}

/// A few images, sequences, objects and signs.
fn hamlet() -> Outcome<World> {
    let centre = LonLat::new(24.9384, 60.1699)?;
    let plan = Plan {
        seed: 149,
        images: 60,
        centre,
        side_tiles: Some(2),
    };
    Ok(World::new(&plan)?)
}

fn keep(target: &str, name: &str, bytes: &[u8]) -> Outcome {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let folder = root.join(target);
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(format!("seed-{name}")), bytes)?)
}

fn store(town: &World, tileset: Tileset, path: &Path) -> Outcome {
    let mut store = TileStore::create(path)?;
    for block in 0..town.block_count() {
        for (id, tile) in town.encoded_block(block, tileset) {
            store.put(id, &tile)?;
        }
    }
    Ok(store.finish(town, tileset)?)
}

/// An archive as it is packed, and one whose directory is not compressed, so that damage reaches it.
fn pmtiles(source: &Path, dir: &Path) -> Outcome {
    let path = dir.join("town.pmtiles");
    pack(source, None, &mut new_file(&path)?)?;
    let packed = fs::read(&path)?;
    keep("pmtiles", "packed", &packed)?;
    keep("pmtiles", "plain", &without_compression(&packed))
}

/// Puts directory and metadata behind the rest, as they are when inflated. There are no leaves.
fn without_compression(packed: &[u8]) -> Vec<u8> {
    let mut plain = packed.to_vec();
    for at in [8, 24] {
        let [offset, len] = [at, at + 8].map(|at| number(packed, at));
        let mut inflated = Vec::new();
        let read = GzDecoder::new(&packed[offset..offset + len]).read_to_end(&mut inflated);
        read.expect("what was packed is gzipped");
        let place = [plain.len(), inflated.len()].map(|number| (number as u64).to_le_bytes());
        plain[at..at + 16].copy_from_slice(&place.concat());
        plain.extend(inflated);
    }
    plain[97] = 1;
    plain
}

fn number(bytes: &[u8], at: usize) -> usize {
    let bytes = bytes[at..].first_chunk().expect("a header is longer");
    u64::from_le_bytes(*bytes) as usize
}

fn datasets(sources: &[&Path], dir: &Path) -> Outcome {
    let path = dir.join("town.tsight");
    build(
        sources,
        &mut File::create(&path)?,
        &BuildOptions::default(),
        &|_| (),
    )?;
    keep("dataset_file", "town", &fs::read(&path)?)?;
    let few = dir.join("few.tsight");
    build(
        &sources[1..],
        &mut File::create(&few)?,
        &BuildOptions::default(),
        &|_| (),
    )?;
    keep("dataset_file", "imported", &fs::read(&few)?)?;
    parquet(&Dataset::open(&path)?)
}

fn parquet(data: &Dataset) -> Outcome {
    let images = data.images(&ImageQuery {
        allow_partial: true,
        ..ImageQuery::default()
    })?;
    let mut out = Vec::new();
    images.write(Format::Parquet, &Place::Everywhere, &mut out)?;
    keep("geoparquet", "images", &out)?;
    let query = SequenceQuery {
        allow_partial: true,
        ..SequenceQuery::default()
    };
    let sequences = data.sequences(&query)?;
    let mut out = Vec::new();
    sequences.write(Format::Parquet, &Place::Everywhere, &mut out)?;
    keep("geoparquet", "sequences", &out)
}

fn annotated(path: &PathBuf) -> Outcome {
    annotations::edit(path, |all| {
        let note = Note {
            owner: Some(Owner::new("5490")),
            title: Some("To the sea".into()),
            transport: "Walk".parse().ok(),
            tags: ["winter".to_owned()].into(),
            likes: ["bob".to_owned()].into(),
            ..Note::default()
        };
        all.put("tYcXv0Gp3kL1mN9qRs2B5w", note)?;
        let tour = Tour {
            sequences: ["tYcXv0Gp3kL1mN9qRs2B5w".to_owned()].into(),
            ..Tour::default()
        };
        let key = TourKey {
            owner: "5490".into(),
            name: "Shores".into(),
        };
        all.put_tour(&key, tour)?;
        Ok::<_, AnnotationError>(())
    })?;
    keep("annotations_file", "town", &fs::read(path)?)
}

/// A file to be written and read.
fn new_file(path: &Path) -> Outcome<File> {
    let mut options = File::options();
    Ok(options.read(true).write(true).create_new(true).open(path)?)
}
