//! What a program did to the files of a folder, and what a loss of power leaves of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use fastrand::Rng;

use crate::Tree;

/// What a disk writes at once: of a longer write any part may be lost.
const SECTOR_BYTES: u64 = 512;

/// The folder that is watched, among all folders.
const ROOT: usize = 0;

/// A change of a file or of a folder. Paths lead from the folder that is watched; files go by
/// the numbers that the file system gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A file was made; it has no path if it never had a name.
    Create {
        /// Where.
        path: Option<PathBuf>,
        /// Its number, which another file may have had before.
        file: u64,
    },
    /// Bytes were written.
    Write {
        /// Into which file.
        file: u64,
        /// From where on.
        offset: u64,
        /// Which.
        bytes: Vec<u8>,
    },
    /// A file was cut or extended.
    SetLength {
        /// Which file.
        file: u64,
        /// Its new length, in bytes.
        length: u64,
    },
    /// A file was brought to the disk.
    Sync {
        /// Which file.
        file: u64,
    },
    /// The names in a folder were brought to the disk.
    SyncFolder {
        /// Which folder.
        path: PathBuf,
    },
    /// A folder was made.
    MakeFolder {
        /// Where.
        path: PathBuf,
    },
    /// A file or folder was moved, onto what was there.
    Rename {
        /// From where.
        from: PathBuf,
        /// Whereto.
        to: PathBuf,
    },
    /// Two files or folders took each other's place.
    Exchange {
        /// One of the places.
        from: PathBuf,
        /// The other.
        to: PathBuf,
    },
    /// A file was given a second name.
    Link {
        /// The first.
        from: PathBuf,
        /// The second.
        to: PathBuf,
    },
    /// A name of a file or an empty folder was taken away.
    Remove {
        /// Which.
        path: PathBuf,
    },
}

/// What becomes of that which was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All is kept, as when the program alone is killed.
    Nothing,
    /// All is lost.
    Everything,
    /// Sectors of files and changes of names are lost or kept each by itself, as a seed has it.
    Some(u64),
}

/// What a program did to the files of a folder, from first to last.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    /// What was there before, all of it on the disk.
    pub before: Tree,
    /// The number of each file that was there before.
    pub numbers: BTreeMap<PathBuf, u64>,
    /// What was done.
    pub operations: Vec<Operation>,
}

impl Journal {
    /// What is in the folder when the power is lost after the first `count` operations.
    ///
    /// Bytes that were not synced are lost or kept by the sector, in any order; a file whose last
    /// bytes are lost is shorter or ends in zeros. Names that were made, moved or taken away are
    /// so for certain only when their folder was synced. What is mapped into memory and written
    /// there is not seen: the index of a journal that `SQLite` shares is zeros.
    pub fn after_crash(&self, count: usize, loss: Loss) -> Tree {
        let mut disk = Disk::new(self);
        for operation in self.operations.iter().take(count) {
            disk.apply(operation);
        }
        disk.lose(loss)
    }
}

/// A file or a folder, by its place in the lists of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Folder(usize),
    File(usize),
}

/// A name in a folder.
type Name = (usize, OsString);

type Names = BTreeMap<Name, Node>;

/// A change of names, which happens wholly or not at all.
#[derive(Debug)]
struct Change(Vec<(Name, Option<Node>)>);

impl Change {
    fn names(&self) -> impl Iterator<Item = &Name> {
        self.0.iter().map(|(name, _)| name)
    }

    fn touches(&self, folder: usize) -> bool {
        self.names().any(|(touched, _)| *touched == folder)
    }

    fn apply(self, names: &mut Names) {
        for (name, node) in self.0 {
            match node {
                Some(node) => drop(names.insert(name, node)),
                None => drop(names.remove(&name)),
            }
        }
    }
}

#[derive(Debug)]
enum Edit {
    Write { offset: u64, bytes: Vec<u8> },
    SetLength(u64),
}

#[derive(Debug, Default)]
struct File {
    synced: Vec<u8>,
    unsynced: Vec<Edit>,
}

/// A disk, with what is on it for certain and what is not.
struct Disk {
    files: Vec<File>,
    by_number: HashMap<u64, usize>,
    folders: usize,
    /// The names as programs see them.
    seen: Names,
    synced: Names,
    unsynced: Vec<Change>,
}

impl Disk {
    fn new(journal: &Journal) -> Self {
        let mut disk = Self {
            files: Vec::new(),
            by_number: HashMap::new(),
            folders: 1,
            seen: Names::new(),
            synced: Names::new(),
            unsynced: Vec::new(),
        };
        for (path, content) in &journal.before.entries {
            let node = match content {
                None => disk.new_folder(),
                Some(bytes) => {
                    let number = journal.numbers.get(path).copied();
                    disk.new_file(number.unwrap_or(0), bytes.clone())
                }
            };
            let name = disk.name(path);
            disk.seen.insert(name, node);
        }
        disk.synced = disk.seen.clone();
        disk
    }

    fn new_folder(&mut self) -> Node {
        self.folders += 1;
        Node::Folder(self.folders - 1)
    }

    fn new_file(&mut self, number: u64, synced: Vec<u8>) -> Node {
        self.by_number.insert(number, self.files.len());
        self.files.push(File {
            synced,
            unsynced: Vec::new(),
        });
        Node::File(self.files.len() - 1)
    }

    /// The folder at a path, as programs see it.
    fn folder(&self, path: &Path) -> usize {
        path.iter().fold(ROOT, |folder, name| {
            match self.seen.get(&(folder, name.to_owned())) {
                Some(&Node::Folder(inner)) => inner,
                _ => panic!("there is no folder {}", path.display()),
            }
        })
    }

    fn name(&self, path: &Path) -> Name {
        let folder = self.folder(path.parent().unwrap_or(Path::new("")));
        (folder, path.file_name().unwrap_or_default().to_owned())
    }

    fn edit(&mut self, number: u64, edit: Edit) {
        let file = self.by_number[&number];
        self.files[file].unsynced.push(edit);
    }

    fn change(&mut self, change: Vec<(Name, Option<Node>)>) {
        Change(change.clone()).apply(&mut self.seen);
        self.unsynced.push(Change(change));
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Create { path, file } => {
                let node = self.new_file(*file, Vec::new());
                if let Some(path) = path {
                    self.change(vec![(self.name(path), Some(node))]);
                }
            }
            Operation::Write {
                file,
                offset,
                bytes,
            } => {
                let (offset, bytes) = (*offset, bytes.clone());
                self.edit(*file, Edit::Write { offset, bytes });
            }
            Operation::SetLength { file, length } => self.edit(*file, Edit::SetLength(*length)),
            Operation::Sync { file } => self.files[self.by_number[file]].sync(),
            Operation::SyncFolder { path } => self.sync_folder(self.folder(path)),
            Operation::MakeFolder { path } => {
                let node = self.new_folder();
                self.change(vec![(self.name(path), Some(node))]);
            }
            Operation::Rename { from, to } => {
                let (from, to) = (self.name(from), self.name(to));
                let node = self.seen.get(&from).copied();
                self.change(vec![(from, None), (to, node)]);
            }
            Operation::Exchange { from, to } => {
                let (from, to) = (self.name(from), self.name(to));
                let nodes = [&from, &to].map(|name| self.seen.get(name).copied());
                self.change(vec![(from, nodes[1]), (to, nodes[0])]);
            }
            Operation::Link { from, to } => {
                let node = self.seen.get(&self.name(from)).copied();
                self.change(vec![(self.name(to), node)]);
            }
            Operation::Remove { path } => self.change(vec![(self.name(path), None)]),
        }
    }

    /// Brings the changes of a folder to the disk, and those before them of the same names.
    fn sync_folder(&mut self, folder: usize) {
        let mut names = BTreeSet::new();
        let (mut synced, mut left) = (Vec::new(), Vec::new());
        for change in std::mem::take(&mut self.unsynced).into_iter().rev() {
            if change.touches(folder) || change.names().any(|name| names.contains(name)) {
                names.extend(change.names().cloned());
                synced.push(change);
            } else {
                left.push(change);
            }
        }
        self.unsynced = left.into_iter().rev().collect();
        for change in synced.into_iter().rev() {
            change.apply(&mut self.synced);
        }
    }

    /// Loses what is not synced, or some of it.
    fn lose(mut self, loss: Loss) -> Tree {
        let mut fate = Fate::new(loss);
        for change in std::mem::take(&mut self.unsynced) {
            if fate.keeps_name() {
                change.apply(&mut self.synced);
            }
        }
        let contents: Vec<_> = self
            .files
            .into_iter()
            .map(|file| file.lose(&mut fate))
            .collect();
        let mut tree = Tree::default();
        let mut entered = BTreeSet::new();
        list(
            &self.synced,
            &contents,
            ROOT,
            Path::new(""),
            &mut entered,
            &mut tree,
        );
        tree
    }
}

/// Lists what can be reached from a folder. A folder may for a moment have two names; it is
/// listed under the first.
fn list(
    names: &Names,
    contents: &[Vec<u8>],
    folder: usize,
    path: &Path,
    entered: &mut BTreeSet<usize>,
    tree: &mut Tree,
) {
    for ((_, name), node) in names.range((folder, OsString::new())..(folder + 1, OsString::new())) {
        let path = path.join(name);
        match node {
            Node::File(file) => {
                tree.entries.insert(path, Some(contents[*file].clone()));
            }
            Node::Folder(inner) if entered.insert(*inner) => {
                tree.entries.insert(path.clone(), None);
                list(names, contents, *inner, &path, entered, tree);
            }
            Node::Folder(_) => (),
        }
    }
}

impl File {
    fn sync(&mut self) {
        for edit in std::mem::take(&mut self.unsynced) {
            edit.apply(&mut self.synced);
        }
    }

    fn lose(mut self, fate: &mut Fate) -> Vec<u8> {
        for edit in self.unsynced {
            match edit {
                Edit::Write { offset, bytes } => lose_write(&mut self.synced, offset, &bytes, fate),
                Edit::SetLength(_) if fate.keeps_data() => edit.apply(&mut self.synced),
                Edit::SetLength(_) => (),
            }
        }
        self.synced
    }
}

/// Writes those sectors that are kept; the file grows by the others, or not.
fn lose_write(content: &mut Vec<u8>, offset: u64, bytes: &[u8], fate: &mut Fate) {
    let mut left = bytes;
    let mut at = offset;
    while !left.is_empty() {
        let length = (SECTOR_BYTES - at % SECTOR_BYTES).min(left.len() as u64);
        let (sector, rest) = left.split_at(length as usize);
        if fate.keeps_data() {
            write(content, at, sector);
        }
        (left, at) = (rest, at + length);
    }
    if content.len() < at as usize && fate.keeps_data() {
        content.resize(at as usize, 0);
    }
}

impl Edit {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => write(content, *offset, bytes),
            Self::SetLength(length) => content.resize(*length as usize, 0),
        }
    }
}

fn write(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + bytes.len());
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}

/// Decides what is kept.
struct Fate {
    random: Rng,
    /// How likely a sector and a change of names are to be kept.
    data: f64,
    names: f64,
}

impl Fate {
    fn new(loss: Loss) -> Self {
        let (seed, data, names) = match loss {
            Loss::Nothing => (0, 1.0, 1.0),
            Loss::Everything => (0, 0.0, 0.0),
            Loss::Some(seed) => {
                // Often all of one kind is lost and none of the other.
                let mut random = Rng::with_seed(seed);
                let mut pick = || [0.0, 0.1, 0.5, 0.9, 1.0][random.usize(..5)];
                (seed, pick(), pick())
            }
        };
        let random = Rng::with_seed(seed ^ 0x5eed);
        Self {
            random,
            data,
            names,
        }
    }

    fn keeps_data(&mut self) -> bool {
        self.random.f64() < self.data
    }

    fn keeps_name(&mut self) -> bool {
        self.random.f64() < self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_to(file: u64, bytes: &[u8]) -> Operation {
        Operation::Write {
            file,
            offset: 0,
            bytes: bytes.to_vec(),
        }
    }

    fn create(path: &str, file: u64) -> Operation {
        let path = Some(path.into());
        Operation::Create { path, file }
    }

    /// A file of a generation is there, and the next is written beside it and put in its place.
    fn replacement() -> Journal {
        let mut before = Tree::default();
        before.entries.insert("a".into(), Some(b"old".to_vec()));
        Journal {
            before,
            numbers: [("a".into(), 1)].into(),
            operations: vec![
                create("b", 2),
                write_to(2, b"new"),
                Operation::Sync { file: 2 },
                Operation::Rename {
                    from: "b".into(),
                    to: "a".into(),
                },
                Operation::SyncFolder { path: "".into() },
            ],
        }
    }

    fn content<'t>(tree: &'t Tree, path: &str) -> Option<&'t [u8]> {
        tree.entries.get(Path::new(path))?.as_deref()
    }

    #[test]
    fn what_is_synced_is_never_lost() {
        let journal = replacement();
        for seed in 0..200 {
            let all = journal.after_crash(5, Loss::Some(seed));
            assert_eq!(content(&all, "a"), Some(&b"new"[..]));
            let unnamed = journal.after_crash(4, Loss::Some(seed));
            assert!([&b"old"[..], b"new"].contains(&content(&unnamed, "a").unwrap()));
        }
    }

    #[test]
    fn what_is_not_synced_may_be_lost_in_every_way() {
        let journal = replacement();
        assert_eq!(journal.after_crash(4, Loss::Everything), journal.before);
        let states = |count| -> BTreeSet<_> {
            let state = |seed| journal.after_crash(count, Loss::Some(seed)).entries;
            (0..200).map(state).collect()
        };
        // No name; a name of nothing; one of three zeros; the bytes.
        assert_eq!(states(2).len(), 4);
        assert_eq!(states(3).len(), 2);
        // Each of two changes of names, alone and together: `b` may be lost and kept as `a`.
        assert_eq!(states(4).len(), 3);
        assert_eq!(states(5).len(), 1);
    }

    #[test]
    fn sectors_are_lost_each_by_itself() {
        let journal = Journal {
            operations: vec![create("a", 1), write_to(1, &[7; 4 * 512])],
            ..Journal::default()
        };
        let torn = |seed| {
            let state = journal.after_crash(2, Loss::Some(seed));
            let bytes = content(&state, "a")?;
            let kept: Vec<bool> = bytes.chunks(512).map(|sector| sector[0] == 7).collect();
            Some(kept)
        };
        let states: BTreeSet<_> = (0..2000).filter_map(torn).collect();
        assert!(
            states.contains(&vec![true, false, true, true]),
            "{states:?}"
        );
        assert!(
            states.contains(&vec![false, false, false, true]),
            "{states:?}"
        );
        assert!(states.contains(&vec![true]), "{states:?}");
    }

    #[test]
    fn a_folder_takes_along_what_is_in_it() {
        let folder = |path: &str| Operation::MakeFolder { path: path.into() };
        let sync = |path: &str| Operation::SyncFolder { path: path.into() };
        let journal = Journal {
            operations: vec![
                folder("new"),
                folder("town"),
                create("new/a", 1),
                sync("new"),
                sync(""),
                Operation::Exchange {
                    from: "new".into(),
                    to: "town".into(),
                },
            ],
            ..Journal::default()
        };
        let lost = journal.after_crash(6, Loss::Everything);
        let kept = journal.after_crash(6, Loss::Nothing);
        assert!(content(&lost, "new/a").is_some() && content(&lost, "town/a").is_none());
        assert!(content(&kept, "town/a").is_some() && content(&kept, "new/a").is_none());
    }
}
