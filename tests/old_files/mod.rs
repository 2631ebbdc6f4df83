//! Files of every version that was released open forever, with the answers that they had.
//!
//! A file of each version lies beside this one. They are made of a few tiles of the town, so they
//! are free to use as those are. `cargo test -p tilesight-tests --test all old_files -- --ignored`
//! adds those of the present versions; what is there already it leaves as it is.

mod answers;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tilesight::annotations::{self, AnnotationError, Annotations, Note, Owner, Tour, TourKey};
use tilesight::{BuildOptions, Dataset, import};
use tilesight_store::{About, Outcome, Record, StoreWriter};
use tilesight_tile::TileId;

use answers::answers;

const IMAGES: &str = "mly1_public";

/// The tiles that are kept: of images, objects and signs.
const TILES: [(&str, u32, u32); 5] = [
    (IMAGES, 9326, 4740),
    (IMAGES, 9328, 4740),
    (IMAGES, 9325, 4742),
    ("mly_map_feature_point", 9326, 4741),
    ("mly_map_feature_traffic_sign", 9326, 4741),
];

/// A sequence of another service, which stores keep beside their tiles.
const IMPORTED: &str = r#"{"type": "FeatureCollection", "features": [{"type": "Feature",
    "properties": {"key": "tYcXv0Gp3kL1mN9qRs2B5w", "captured_at": "2016-03-14T13:44:37Z",
        "coordinateProperties": {"cas": [90, 92.5], "image_keys": ["7", "8"]}},
    "geometry": {"type": "LineString", "coordinates": [[24.93, 60.17], [24.94, 60.17]]}}]}"#;

/// A kind of file that carries a version.
struct Kind {
    /// A file of version 1 is called `{name}-1.{extension}`.
    name: &'static str,
    extension: &'static str,
    /// Writes one of the present version.
    write: fn(&Path),
    /// The version of one, from its bytes.
    version: fn(&[u8]) -> u32,
    /// Opens one and checks what it answers.
    check: fn(&Path),
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "store",
        extension: "mbtiles",
        write: write_store,
        version: version_of_database,
        check: check_dataset,
    },
    Kind {
        name: "dataset",
        extension: "tsight",
        write: write_dataset,
        version: |bytes| number(bytes[8..12].iter().rev()),
        check: check_dataset,
    },
    Kind {
        name: "annotations",
        extension: "annotations",
        write: write_annotations,
        version: version_of_database,
        check: |path| assert!(annotations::read(path).unwrap() == annotations()),
    },
    Kind {
        name: "annotations",
        extension: "json",
        write: |path| fs::write(path, annotations().to_json().unwrap()).unwrap(),
        version: |bytes| {
            let document: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            document["version"].as_u64().unwrap() as u32
        },
        check: |path| {
            let text = fs::read_to_string(path).unwrap();
            assert!(Annotations::from_json(&text).unwrap() == annotations());
        },
    },
];

/// Where SQLite has `user_version`: <https://www.sqlite.org/fileformat2.html#database_header>.
fn version_of_database(bytes: &[u8]) -> u32 {
    number(bytes[60..64].iter())
}

/// A number of bytes, the highest first.
fn number<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    bytes.fold(0, |number, &byte| number << 8 | u32::from(byte))
}

fn write_store(path: &Path) {
    let town = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/town");
    let record = |tileset, x, y, outcome| Record {
        tileset,
        id: TileId::new(14, x, y).unwrap(),
        outcome,
        fetched_at_ms: 1_760_000_000_000,
        tries: 1,
    };
    let stored = |(tileset, x, y): (&'static str, u32, u32)| {
        let bytes = fs::read(town.join(format!("{tileset}/14/{x}/{y}.mvt"))).unwrap();
        let etag = Some("\"1\"".to_owned());
        record(tileset, x, y, Outcome::Stored { bytes, etag })
    };
    let mut records: Vec<Record> = TILES.map(stored).into();
    let (reason, etag) = (None, None);
    records.push(record(IMAGES, 9325, 4743, Outcome::Empty { reason, etag }));
    let reason = "status 404".to_owned();
    records.push(record(IMAGES, 9328, 4741, Outcome::Failed { reason }));
    let metadata = [("name", "Town"), ("attribution", "Mapillary")];
    let about = About {
        tileset: IMAGES,
        metadata: &metadata,
    };
    let mut writer = StoreWriter::open(path, &about).unwrap();
    writer.commit(&records).unwrap();
    writer.close().unwrap();
    import::import(IMPORTED, path).unwrap();
}

fn write_dataset(path: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("town.mbtiles");
    write_store(&store);
    let mut file = File::create(path).unwrap();
    tilesight::build(&[store], &mut file, &BuildOptions::default(), &|_| ()).unwrap();
}

fn annotations() -> Annotations {
    let set = |texts: &[&str]| {
        texts
            .iter()
            .map(|&text| text.to_owned())
            .collect::<BTreeSet<_>>()
    };
    let mut all = Annotations::default();
    let note = Note {
        owner: Some(Owner {
            key: "17".to_owned(),
            name: Some("Aino".to_owned()),
        }),
        title: Some("To the sea".to_owned()),
        description: Some("Along the shore, é".to_owned()),
        transport: "Walk".parse().ok(),
        tags: set(&["shore", "winter"]),
        likes: set(&["18"]),
    };
    all.put("tYcXv0Gp3kL1mN9qRs2B5w", note).unwrap();
    let tour = Tour {
        description: Some("All of it".to_owned()),
        tags: set(&["winter"]),
        sequences: set(&["tYcXv0Gp3kL1mN9qRs2B5w"]),
    };
    let key = TourKey {
        owner: "17".to_owned(),
        name: "Shores".to_owned(),
    };
    all.put_tour(&key, tour).unwrap();
    all
}

fn write_annotations(path: &Path) {
    let change =
        |all: &mut Annotations| -> Result<(), AnnotationError> { Ok(all.merge(annotations())?) };
    annotations::edit(path, change).unwrap();
}

/// A dataset file answers as the store does that it was built of.
fn check_dataset(path: &Path) {
    let expected = fs::read_to_string(kept().join("answers.txt")).unwrap();
    let found = answers(&Dataset::open(path).unwrap());
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected, "{}", path.display());
    }
    assert_eq!(found.len(), expected.len());
}

/// Where the files lie.
fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("old_files")
}

impl Kind {
    fn file(&self, version: u32) -> PathBuf {
        kept().join(format!("{}-{version}.{}", self.name, self.extension))
    }

    /// The version that is written at present, and a file of it.
    fn present(&self, folder: &Path) -> (u32, PathBuf) {
        let path = folder.join(format!("present.{}", self.extension));
        (self.write)(&path);
        ((self.version)(&fs::read(&path).unwrap()), path)
    }
}

#[test]
fn old_files_open_with_the_answers_they_had() {
    let mut files = 0;
    for kind in &KINDS {
        let dir = tempfile::tempdir().unwrap();
        let (present, _) = kind.present(dir.path());
        for version in 1..=present {
            let file = kind.file(version);
            let bytes = fs::read(&file).unwrap_or_else(|error| {
                panic!(
                    "keep a file of every version, as mod.rs says: {}: {error}",
                    file.display()
                )
            });
            assert_eq!((kind.version)(&bytes), version, "{}", file.display());
            // Opening a database may write beside it.
            let copy = dir.path().join(file.file_name().unwrap());
            fs::write(&copy, bytes).unwrap();
            (kind.check)(&copy);
            files += 1;
        }
    }
    println!(
        "reliability: old files: {files} files of all versions open with the answers they had"
    );
}

/// What is written today answers the same: else the files that are kept would not stand for it.
#[test]
fn old_files_are_like_new_ones() {
    for kind in &KINDS {
        let dir = tempfile::tempdir().unwrap();
        (kind.check)(&kind.present(dir.path()).1);
    }
}

#[test]
#[ignore = "adds files to the repository, once for each version"]
fn old_files_are_added() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("town.mbtiles");
    write_store(&store);
    add(
        &kept().join("answers.txt"),
        answers(&Dataset::open(&store).unwrap()).as_bytes(),
    );
    for kind in &KINDS {
        let (version, path) = kind.present(dir.path());
        add(&kind.file(version), &fs::read(path).unwrap());
    }
}

fn add(path: &Path, bytes: &[u8]) {
    if !path.exists() {
        fs::write(path, bytes).unwrap();
    }
}
