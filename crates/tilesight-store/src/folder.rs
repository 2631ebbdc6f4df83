//! Folders of tiles, one file a tile.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use tilesight_tile::TileId;

use crate::{Error, Metadata, StoredTile, TileStore};

/// What the name of a tile's file may end in, after its row.
const SUFFIXES: [&str; 4] = ["mvt", "pbf", "mvt.gz", "pbf.gz"];

/// A folder of files `{z}/{x}/{y}.mvt` or `.pbf`, also with `.gz`, or of subfolders of them.
///
/// Files with other names are ignored. The suffix does not tell whether a file is gzipped: its
/// first bytes do.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    tiles: Vec<StoredTile>,
    files: Vec<TileFile>,
    metadata: Metadata,
}

/// Which of the files that a tile could be in it is in; the rest of the path is its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct TileFile {
    in_subfolder: bool,
    suffix: u8,
}

impl Folder {
    /// Lists the tiles of a folder.
    ///
    /// A subfolder called as one of `tilesets` holds the tiles of that tileset. So does the folder
    /// itself when it is called so; otherwise its own tiles belong to no named tileset.
    ///
    /// # Errors
    ///
    /// [`Error::NoTiles`] when there is none at all, [`Error::Twice`] when two files are the same
    /// tile, [`Error::Address`] when a file is named like a tile that cannot exist,
    /// [`Error::Io`] when a folder cannot be listed, or when something is named like a tile that is
    /// no file, as a named pipe. A file that cannot be read is an error of
    /// [`read`](TileStore::read), not of this.
    ///
    /// # Cost
    ///
    /// One listing of every folder; no file is opened. Symbolic links are followed, three or four
    /// levels deep and no further.
    pub fn open(path: &Path, tilesets: &[&'static str]) -> Result<Self, Error> {
        let mut found = Vec::new();
        list_tileset(path, own_tileset(path, tilesets), false, &mut found)?;
        for &name in tilesets {
            let subfolder = path.join(name);
            if subfolder.is_dir() {
                list_tileset(&subfolder, Some(name), true, &mut found)?;
            }
        }
        if found.is_empty() {
            return Err(Error::NoTiles {
                path: path.to_owned(),
                tilesets: tilesets.to_vec(),
            });
        }
        found.sort_unstable();
        let (tiles, files) = found.into_iter().unzip();
        let folder = Self {
            root: path.to_owned(),
            tiles,
            files,
            metadata: Metadata::default(),
        };
        folder.check_each_tile_once()?;
        Ok(folder)
    }

    fn check_each_tile_once(&self) -> Result<(), Error> {
        let first = self.tiles.windows(2).position(|pair| pair[0] == pair[1]);
        let Some(first) = first else { return Ok(()) };
        Err(Error::Twice {
            tile: self.tiles[first].id,
            first: self.path_of(first).display().to_string(),
            second: self.path_of(first + 1).display().to_string(),
        })
    }

    fn path_of(&self, index: usize) -> PathBuf {
        let StoredTile { tileset, id } = self.tiles[index];
        let file = self.files[index];
        let mut path = self.root.clone();
        path.extend(tileset.filter(|_| file.in_subfolder));
        let suffix = SUFFIXES[file.suffix as usize];
        path.join(format!("{}/{}/{}.{suffix}", id.z(), id.x(), id.y()))
    }
}

impl TileStore for Folder {
    fn tiles(&self) -> &[StoredTile] {
        &self.tiles
    }

    fn read(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let path = self.path_of(index);
        read_file(&path, bytes).map_err(Error::io(&path))
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

fn read_file(path: &Path, bytes: &mut Vec<u8>) -> io::Result<()> {
    use io::Read;
    let metadata = fs::metadata(path)?;
    // Opening a named pipe would wait for its writer.
    if !metadata.is_file() {
        return Err(no_file());
    }
    bytes.clear();
    bytes.reserve(metadata.len() as usize);
    fs::File::open(path)?.read_to_end(bytes)?;
    Ok(())
}

fn no_file() -> io::Error {
    io::Error::other("it is named like a tile, but is not a file (remove it)")
}

/// Refuses pipes, sockets and devices, also where a link leads to one. What a link that leads
/// nowhere is meant to be, nobody knows before it is read.
fn check_is_file(entry: &DirEntry) -> io::Result<()> {
    let kind = entry.file_type()?;
    let is_file = if kind.is_symlink() {
        fs::metadata(entry.path()).map_or(true, |target| target.is_file())
    } else {
        kind.is_file()
    };
    is_file.then_some(()).ok_or_else(no_file)
}

/// The tileset of the tiles that lie in the folder itself.
fn own_tileset(path: &Path, tilesets: &[&'static str]) -> Option<&'static str> {
    // The name of `.` is that of the folder it stands for.
    let path = path.canonicalize().ok()?;
    let name = path.file_name()?;
    tilesets.iter().copied().find(|&tileset| name == tileset)
}

fn list_tileset(
    root: &Path,
    tileset: Option<&'static str>,
    in_subfolder: bool,
    found: &mut Vec<(StoredTile, TileFile)>,
) -> Result<(), Error> {
    for (z, columns) in numbered_folders(root)? {
        // A folder called 2024 holds something else.
        let Some(z) = u8::try_from(z).ok().filter(|&z| z <= TileId::MAX_ZOOM) else {
            continue;
        };
        for (x, rows) in numbered_folders(&columns)? {
            for entry in entries(&rows)? {
                let Some((y, suffix)) = tile_file(&entry) else {
                    continue;
                };
                let path = entry.path();
                let id = TileId::new(z, x, y).map_err(|source| Error::Address {
                    place: path.display().to_string(),
                    source,
                })?;
                check_is_file(&entry).map_err(Error::io(&path))?;
                found.push((
                    StoredTile { tileset, id },
                    TileFile {
                        in_subfolder,
                        suffix,
                    },
                ));
            }
        }
    }
    Ok(())
}

fn numbered_folders(path: &Path) -> Result<Vec<(u32, PathBuf)>, Error> {
    let mut folders = Vec::new();
    for entry in entries(path)? {
        let number = entry.file_name().to_str().and_then(plain_number);
        let path = entry.path();
        // Follows links, so that a folder may lie elsewhere.
        if let (Some(number), true) = (number, path.is_dir()) {
            folders.push((number, path));
        }
    }
    Ok(folders)
}

fn entries(path: &Path) -> Result<Vec<DirEntry>, Error> {
    fs::read_dir(path)
        .and_then(Iterator::collect)
        .map_err(Error::io(path))
}

/// Row and number of the suffix of a file named like a tile.
fn tile_file(entry: &DirEntry) -> Option<(u32, u8)> {
    let name = entry.file_name();
    let (row, suffix) = name.to_str()?.split_once('.')?;
    let suffix = SUFFIXES.iter().position(|&known| known == suffix)?;
    let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
    (!is_folder).then_some((plain_number(row)?, suffix as u8))
}

/// A number written as a tile's address has it, so that it leads back to the same name: digits
/// without a leading zero.
fn plain_number(text: &str) -> Option<u32> {
    let number = text.parse::<u32>().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const TILESETS: &[&str] = &["images", "signs"];

    fn folder(files: &[&str]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, file).unwrap();
        }
        dir
    }

    /// Checks what is listed, and that each tile reads back its own file.
    #[track_caller]
    fn check(files: &[&str], expected: &[(Option<&str>, &str)]) {
        let dir = folder(files);
        let store = Folder::open(dir.path(), TILESETS).unwrap();
        let listed: Vec<_> = store
            .tiles()
            .iter()
            .map(|tile| (tile.tileset, tile.id.to_string()))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|&(tileset, id)| (tileset, id.to_owned()))
            .collect();
        assert_eq!(listed, expected);
        let mut bytes = Vec::new();
        for (index, (_, id)) in listed.iter().enumerate() {
            store.read(index, &mut bytes).unwrap();
            assert!(String::from_utf8_lossy(&bytes).contains(id));
        }
    }

    #[test]
    fn tiles_come_in_their_order() {
        check(
            &[
                "14/9/7.mvt",
                "14/10/6.pbf",
                "6/3/3.mvt.gz",
                "14/10/7.pbf.gz",
            ],
            &[
                (None, "6/3/3"),
                (None, "14/10/6"),
                (None, "14/9/7"),
                (None, "14/10/7"),
            ],
        );
    }

    #[test]
    fn subfolders_are_tilesets() {
        check(
            &["signs/14/1/2.mvt", "images/14/1/2.mvt", "other/14/1/2.mvt"],
            &[(Some("images"), "14/1/2"), (Some("signs"), "14/1/2")],
        );
    }

    #[test]
    fn a_folder_called_as_a_tileset_is_one() {
        let dir = folder(&["signs/14/1/2.mvt"]);
        let store = Folder::open(&dir.path().join("signs"), TILESETS).unwrap();
        assert_eq!(store.tiles()[0].tileset, Some("signs"));
        assert!(store.path_of(0).ends_with("signs/14/1/2.mvt"));
    }

    #[test]
    fn other_files_are_ignored() {
        check(
            &[
                "14/1/2.mvt",
                "14/1/2.json",
                "14/1/02.mvt",
                "14/1/+3.mvt",
                "14/1/4.mvt/x",
                "14/README.md",
                "2024/05/7.mvt",
                "a/1/2.mvt",
                "notes.txt",
            ],
            &[(None, "14/1/2")],
        );
    }

    #[test]
    fn no_tile_at_all_shows_the_layout() {
        let dir = folder(&["14/1/readme.txt"]);
        let message = Folder::open(dir.path(), TILESETS).unwrap_err().to_string();
        assert!(message.contains("holds no tile"), "{message}");
        assert!(
            message.ends_with("subfolders images, signs"),
            "the layout: {message}"
        );
    }

    #[test]
    fn two_files_of_one_tile_are_both_named() {
        let dir = folder(&["14/1/2.mvt", "14/1/2.pbf"]);
        let message = Folder::open(dir.path(), TILESETS).unwrap_err().to_string();
        assert!(
            message.contains("2.mvt") && message.contains("2.pbf"),
            "{message}"
        );
    }

    #[test]
    fn an_address_that_no_tile_has_is_an_error() {
        let dir = folder(&["3/8/2.mvt"]);
        let error = Folder::open(dir.path(), TILESETS).unwrap_err();
        assert!(matches!(error, Error::Address { .. }), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_in_circles_are_errors_of_their_tile() {
        use std::os::unix::fs::symlink;
        let dir = folder(&["14/1/2.mvt"]);
        symlink("3.mvt", dir.path().join("14/1/3.mvt")).unwrap();
        symlink("..", dir.path().join("14/1/14")).unwrap();
        symlink("../..", dir.path().join("14/7")).unwrap();
        let store = Folder::open(dir.path(), TILESETS).unwrap();
        assert_eq!(store.tiles().len(), 2);
        let error = store.read(1, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("3.mvt"), "{error}");
        assert!(!error.is_retryable());
    }

    #[cfg(unix)]
    #[test]
    fn what_is_named_like_a_tile_and_no_file_is_refused() {
        use std::os::unix::fs::symlink;
        use std::os::unix::net::UnixListener;
        let dir = folder(&["14/1/2.mvt"]);
        let socket = dir.path().join("14/1/3.mvt");
        let _listener = UnixListener::bind(&socket).unwrap();
        let refused = |name: &str| {
            let message = Folder::open(dir.path(), TILESETS).unwrap_err().to_string();
            assert!(
                message.contains(name) && message.contains("not a file"),
                "{message}"
            );
        };
        refused("3.mvt");
        fs::rename(&socket, dir.path().join("socket")).unwrap();
        assert_eq!(Folder::open(dir.path(), TILESETS).unwrap().tiles().len(), 1);
        symlink("../../socket", dir.path().join("14/1/4.mvt")).unwrap();
        refused("4.mvt");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_a_file_no_more_is_not_waited_for() {
        use std::os::unix::net::UnixListener;
        let dir = folder(&["14/1/2.mvt"]);
        let store = Folder::open(dir.path(), TILESETS).unwrap();
        let tile = dir.path().join("14/1/2.mvt");
        fs::remove_file(&tile).unwrap();
        let _listener = UnixListener::bind(&tile).unwrap();
        let message = store.read(0, &mut Vec::new()).unwrap_err().to_string();
        assert!(
            message.contains("2.mvt") && message.contains("not a file"),
            "{message}"
        );
    }

    #[test]
    fn a_folder_says_nothing_of_itself() {
        let dir = folder(&["14/1/2.mvt"]);
        let store = crate::open(dir.path(), TILESETS).unwrap();
        assert_eq!(store.metadata(), &Metadata::default());
        assert_eq!(store.ledger(), None);
        assert!(store.additions().unwrap().is_empty());
    }
}
