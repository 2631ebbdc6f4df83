//! The commands that write files, and what they write.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;
use tilesight_fault_server::FaultServer;
use tilesight_mvt::writer::{LayerWriter, TileWriter, Value};
use tilesight_store::{KnownTiles, Mbtiles, TileStore};
use tilesight_tile::{Bbox, TileId, cover_bbox};

/// A token that must turn up nowhere.
pub const CANARY: &str = "MLY|4711|c4n4ry";

/// The bytes that any spelling of it has.
pub const CANARY_CORE: &[u8] = b"c4n4ry";

/// A region of some tiles, and a part of it.
pub const REGION: &str = "24.90,60.15,25.02,60.19";
const PART: &str = "24.90,60.15,24.94,60.17";

/// A command that writes, and what is there before it runs.
#[derive(Debug)]
pub struct Case {
    pub name: &'static str,
    /// Commands that make what is there before.
    pub before: &'static [&'static str],
    pub line: &'static str,
    pub nature: Nature,
}

/// How what is written comes into being.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// At once: the old is there, or the new.
    Whole,
    /// Tile by tile or picture by picture; what was there stays.
    Growing,
    /// At once, and it is not written again where it is there.
    Once,
    /// At once, of a store of which a tile was damaged before.
    Repair,
}

/// Every command that writes files, and each format: in lines, `IN` is a folder of inputs, `OUT`
/// that which is written to, and `SEQUENCE` one of the town's.
pub const CASES: &[Case] = &[
    Case {
        name: "fetch more",
        before: &["fetch --rate 5000 --jobs 1 --bbox PART -o OUT/town.mbtiles"],
        line: "fetch -vv --rate 5000 --jobs 1 --bbox REGION -o OUT/town.mbtiles",
        nature: Nature::Growing,
    },
    Case {
        name: "fetch",
        before: &[],
        line: "fetch -vv --rate 5000 --jobs 1 --bbox REGION -o OUT/town.mbtiles",
        nature: Nature::Growing,
    },
    Case {
        name: "verify --repair",
        before: &["fetch --rate 5000 --jobs 1 --bbox REGION -o OUT/town.mbtiles"],
        line: "verify --repair OUT/town.mbtiles",
        nature: Nature::Repair,
    },
    Case {
        name: "import",
        before: &["fetch --rate 5000 --jobs 1 --bbox PART -o OUT/town.mbtiles"],
        line: "import IN/sequences.geojson --store OUT/town.mbtiles",
        nature: Nature::Whole,
    },
    Case {
        name: "annotate",
        before: &[
            "annotate IN/town.tsight --annotations OUT/town.annotations tag SEQUENCE --add sea",
        ],
        line: "annotate IN/town.tsight --annotations OUT/town.annotations set SEQUENCE --title Sea",
        nature: Nature::Whole,
    },
    Case {
        name: "annotate anew",
        before: &[],
        line: "annotate IN/town.tsight --annotations OUT/town.annotations set SEQUENCE --title Sea",
        nature: Nature::Whole,
    },
    Case {
        name: "download-images",
        before: &[
            "download-images IN/town.tsight --limit 3 --size 256 --rate 5000 -o OUT/pictures",
        ],
        line: "download-images IN/town.tsight --limit 8 --size 256 --rate 5000 --jobs 1 -v -o OUT/pictures",
        nature: Nature::Growing,
    },
    Case {
        name: "build",
        before: &["build IN/computed -o OUT/town.tsight"],
        line: "build IN/town.mbtiles --memory 1KiB --overwrite -o OUT/town.tsight",
        nature: Nature::Whole,
    },
    Case {
        name: "pack",
        before: &["pack IN/computed -o OUT/town.pmtiles"],
        line: "pack IN/town.mbtiles --overwrite -o OUT/town.pmtiles",
        nature: Nature::Whole,
    },
    Case {
        name: "export",
        before: &["export IN/town.tsight --pano --partition-zoom 13 -o OUT/town"],
        line: "export IN/town.tsight --partition-zoom 12 --overwrite -o OUT/town",
        nature: Nature::Whole,
    },
    Case {
        name: "export anew",
        before: &[],
        line: "export IN/town.tsight --partition-zoom 12 -o OUT/town",
        nature: Nature::Once,
    },
    Case {
        name: "images, GeoParquet",
        before: &["images IN/town.tsight --pano -o OUT/images.parquet"],
        line: "images IN/town.tsight --overwrite -o OUT/images.parquet",
        nature: Nature::Whole,
    },
    Case {
        name: "images, GeoJSON",
        before: &["images IN/town.tsight --pano -o OUT/images.geojson"],
        line: "images IN/town.tsight --overwrite -o OUT/images.geojson",
        nature: Nature::Whole,
    },
    Case {
        name: "images, GeoJSON anew",
        before: &[],
        line: "images IN/town.tsight --limit 99 -o OUT/images.geojson",
        nature: Nature::Once,
    },
    Case {
        name: "images, lines of GeoJSON",
        before: &["images IN/town.tsight --pano -o OUT/images.geojsonl -f geojsonseq"],
        line: "images IN/town.tsight --overwrite -o OUT/images.geojsonl -f geojsonseq",
        nature: Nature::Whole,
    },
    Case {
        name: "images, CSV",
        before: &["images IN/town.tsight --pano -o OUT/images.csv"],
        line: "images IN/town.tsight --overwrite -o OUT/images.csv",
        nature: Nature::Whole,
    },
    Case {
        name: "images, Arrow",
        before: &["images IN/town.tsight --pano -o OUT/images.arrow"],
        line: "images IN/town.tsight --overwrite -o OUT/images.arrow",
        nature: Nature::Whole,
    },
    Case {
        name: "images, ids",
        before: &["images IN/town.tsight --pano -o OUT/images.txt -f ids"],
        line: "images IN/town.tsight --overwrite -o OUT/images.txt -f ids",
        nature: Nature::Whole,
    },
    Case {
        name: "images, table",
        before: &["images IN/town.tsight --pano -o OUT/images.txt -f table"],
        line: "images IN/town.tsight --overwrite -o OUT/images.txt -f table",
        nature: Nature::Whole,
    },
];

/// What all cases read: sources, and a service on loopback.
pub struct Inputs {
    folder: TempDir,
    sequence: String,
}

impl Inputs {
    /// The one that all tests of a process share.
    pub fn get() -> &'static Self {
        static INPUTS: OnceLock<Inputs> = OnceLock::new();
        INPUTS.get_or_init(Self::make)
    }

    fn make() -> Self {
        let folder = TempDir::new().unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
        let town = fixtures.join("town.mbtiles").display().to_string();
        let here = |line: &str| {
            let output = run(program().current_dir(&folder).args(line.split(' ')));
            String::from_utf8(output.stdout).unwrap()
        };
        fs::copy(&town, folder.path().join("town.mbtiles")).unwrap();
        let computed = fixtures.join("town/mly1_computed_public");
        copy_folder(&computed, &folder.path().join("computed"));
        here("build town.mbtiles -o town.tsight");
        let sequences = here("sequences town.tsight --limit 5 -f ids");
        here("sequences town.tsight --limit 5 --shape v3 -o sequences.geojson");
        let sequence = sequences.lines().next().unwrap().to_owned();
        Self { folder, sequence }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn copy_folder(from: &Path, to: &Path) {
    let tree = tilesight_fault_disk::Tree::read(from).unwrap();
    tree.write(to).unwrap();
}

pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tilesight"));
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(variable);
    }
    command.env("MAPILLARY_ACCESS_TOKEN", CANARY);
    command
}

#[track_caller]
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output
}

/// Tiles and pictures, from two hosts as far as the program is concerned.
pub struct Service {
    pub api: FaultServer,
    pub pictures: FaultServer,
}

impl Service {
    pub fn start(inputs: &Inputs) -> Self {
        let tiles = tiles().into_iter().map(|id| (path_of(id), body(id)));
        let api = FaultServer::start(tiles.collect()).unwrap();
        let town = ["images", "town.tsight", "-f", "ids", "--limit", "8"];
        let output = run(program().current_dir(inputs.folder.path()).args(town));
        let ids = String::from_utf8(output.stdout).unwrap();
        let name = |id: &str| (format!("/{id}.jpg"), picture(id));
        let pictures = FaultServer::start(ids.lines().map(name).collect()).unwrap();
        let address = |id: &str| {
            let url = format!("{}/{id}.jpg?oh=signature", pictures.origin());
            format!(r#""{id}": {{"id": "{id}", "thumb_256_url": "{url}"}}"#)
        };
        let addresses: Vec<String> = ids.lines().map(address).collect();
        api.set("/", format!("{{{}}}", addresses.join(", ")).into_bytes());
        Self { api, pictures }
    }

    /// How many tiles and pictures were asked for, by clients that have gone.
    pub fn requests(&self) -> usize {
        self.api.wait_for_the_last().unwrap();
        self.pictures.wait_for_the_last().unwrap();
        let requests = self.api.requests();
        let tiles = requests.iter().filter(|request| request.path != "/");
        tiles.count() + self.pictures.requests().len()
    }
}

/// The tiles of the region.
pub fn tiles() -> Vec<TileId> {
    let edges: Vec<f64> = REGION
        .split(',')
        .map(|edge| edge.parse().unwrap())
        .collect();
    let bbox = Bbox::from_degrees(edges[0], edges[1], edges[2], edges[3]).unwrap();
    cover_bbox(14, &bbox, 1000).unwrap().iter().collect()
}

pub fn path_of(id: TileId) -> String {
    format!("/maps/vtp/mly1_public/2/{id}")
}

/// A tile of some images; every fifth column is empty.
fn body(id: TileId) -> Vec<u8> {
    if id.x().is_multiple_of(5) {
        return Vec::new();
    }
    let mut images = LayerWriter::new("image");
    let first = i64::from(id.x()) << 32 | i64::from(id.y()) << 12;
    for n in 0..40 {
        let at = (n * 61 % 4096, n * 37 % 4096);
        images.point(at, &[("id", Value::Int(first + i64::from(n)))]);
    }
    let mut tile = TileWriter::new();
    tile.push(images);
    tile.finish()
}

fn picture(id: &str) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0];
    bytes.extend(id.bytes().cycle().take(3000));
    bytes
}

/// A line of a case, as it runs for a folder.
fn command(line: &str, inputs: &Inputs, service: &Service, out: &Path) -> Command {
    let mut command = program();
    command
        .env("TILESIGHT_TILE_URL", service.api.origin())
        .env("TILESIGHT_GRAPH_URL", service.api.origin());
    for word in line.split(' ') {
        let word = word.replace("SEQUENCE", &inputs.sequence);
        let word = word.replace("REGION", REGION).replace("PART", PART);
        if let Some(name) = word.strip_prefix("IN/") {
            command.arg(inputs.path(name));
        } else if let Some(name) = word.strip_prefix("OUT/") {
            command.arg(out.join(name));
        } else {
            command.arg(word);
        }
    }
    command
}

impl Case {
    /// The command that runs undisturbed or not, for a folder.
    pub fn command(&self, inputs: &Inputs, service: &Service, out: &Path) -> Command {
        command(self.line, inputs, service, out)
    }

    /// Makes what is there before the command runs.
    pub fn prepare(&self, inputs: &Inputs, service: &Service, out: &Path) {
        for line in self.before {
            run(&mut command(line, inputs, service, out));
        }
        if self.nature == Nature::Repair {
            damage_a_tile(&out.join("town.mbtiles"));
        }
    }
}

/// Flips a bit of the first tile of a store.
fn damage_a_tile(path: &Path) {
    let mut tile = Vec::new();
    let store = Mbtiles::open(path).unwrap();
    store.read(0, &mut tile).unwrap();
    drop(store);
    let mut bytes = fs::read(path).unwrap();
    let copies: Vec<_> = (0..bytes.len() - tile.len())
        .filter(|&at| bytes[at..].starts_with(&tile))
        .collect();
    for at in copies {
        bytes[at + 12] ^= 4;
    }
    fs::write(path, bytes).unwrap();
}

/// What programs find in a folder under the names of files and folders: the lines of each.
pub type Content = BTreeMap<String, BTreeSet<String>>;

/// Reads what is in a folder; what goes by a temporary name, or is a part of a database beside
/// it, is not looked at.
pub fn content(folder: &Path) -> Content {
    let mut content = Content::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_beside = ["-wal", "-shm", "-journal", ".lock"].iter();
        if name.starts_with('.') || is_beside.copied().any(|end| name.ends_with(end)) {
            continue;
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        let lines = match extension {
            Some("mbtiles") => lines_of_store(&path),
            Some("annotations") => lines_of_annotations(&path),
            _ => Some(lines_of_files(&path)),
        };
        content.extend(lines.map(|lines| (name, lines)));
    }
    content
}

/// The tiles of a store and what was imported into it; none of one in which nothing was written.
fn lines_of_store(path: &Path) -> Option<BTreeSet<String>> {
    match KnownTiles::open(path) {
        Ok(None) => return None,
        Ok(Some(_)) => (),
        Err(error) => return Some([format!("cannot be read: {error}")].into()),
    }
    match tiles_of_store(path) {
        // One into which nothing was fetched yet is as good as none.
        Ok(lines) if lines.is_empty() => None,
        Ok(lines) => Some(lines),
        Err(error) => Some([format!("cannot be read: {error}")].into()),
    }
}

fn tiles_of_store(path: &Path) -> Result<BTreeSet<String>, tilesight_store::Error> {
    let store = Mbtiles::open_with_ledger(path, &["mly1_public"])?;
    let mut lines = BTreeSet::new();
    let mut bytes = Vec::new();
    for (index, tile) in store.tiles().iter().enumerate() {
        store.read(index, &mut bytes)?;
        lines.insert(format!("{} {:x}", tile.id, hash(&bytes)));
    }
    let ledger = store.ledger().cloned().unwrap_or_default();
    lines.extend(
        ledger
            .empty
            .iter()
            .map(|tile| format!("{} is empty", tile.id)),
    );
    lines.extend(
        ledger
            .failed
            .iter()
            .map(|(tile, why)| format!("{} failed: {why}", tile.id)),
    );
    let additions = store.additions()?;
    lines.extend(
        additions
            .iter()
            .map(|text| format!("text {:x}", hash(text))),
    );
    Ok(lines)
}

fn lines_of_annotations(path: &Path) -> Option<BTreeSet<String>> {
    match tilesight::annotations::read(path) {
        Ok(all) => Some([all.to_json().unwrap()].into()),
        Err(tilesight::annotations::AnnotationError::Missing(_)) => None,
        Err(error) => Some([format!("cannot be read: {error}")].into()),
    }
}

/// The hash of a file, or of each file in a folder that goes by its final name.
fn lines_of_files(path: &Path) -> BTreeSet<String> {
    if path.is_file() {
        return [format!("{:x}", hash(&fs::read(path).unwrap()))].into();
    }
    let tree = tilesight_fault_disk::Tree::read(path).unwrap();
    let files = tree.entries.iter().filter_map(|(path, bytes)| {
        let name = path.file_name()?.to_string_lossy();
        let is_final = !name.starts_with('.') && !name.ends_with(".part");
        let bytes = bytes.as_ref().filter(|_| is_final)?;
        Some(format!("{} {:x}", path.display(), hash(bytes)))
    });
    files.collect()
}

/// A number for a value, the same in every run.
pub fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
