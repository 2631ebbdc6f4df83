//! Files and folders that appear whole or not at all.
//!
//! What is made is a draft beside its place at first. It is brought to the disk and moved into its
//! place, and then the names of the folder are brought to the disk as well, without which a loss
//! of power may undo the move. Whoever looks sees what was there before, or all that is new.
//!
//! This knows nothing of what is in the files.
//!
//! ```
//! use std::io::Write;
//! use tilesight_publish::Draft;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("town.csv");
//! let mut draft = Draft::beside(&path)?;
//! draft.file().write_all(b"lon,lat\n")?;
//! assert!(!path.exists());
//! draft.publish(false)?;
//! assert_eq!(std::fs::read(&path)?, b"lon,lat\n");
//! # std::io::Result::Ok(())
//! ```

#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

/// A file that is not in its place yet; without being published it is removed when it is
/// dropped.
#[derive(Debug)]
pub struct Draft {
    file: NamedTempFile,
    path: PathBuf,
}

impl Draft {
    /// Begins a file beside its place, under a hidden name that no other has.
    ///
    /// A link is followed, so that what it points to is replaced.
    ///
    /// # Errors
    ///
    /// When no file can be made there.
    pub fn beside(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".tilesight-").suffix(".part");
        #[cfg(unix)]
        {
            // Temporary files are private; results are as public as other new files.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder_of(&path))?;
        Ok(Self { file, path })
    }

    /// Begins a file under a name of its own, in place of a draft that a killed program left
    /// there: for many files, whose drafts would pile up.
    ///
    /// # Errors
    ///
    /// When no file can be made there.
    pub fn named(draft: PathBuf, path: &Path) -> io::Result<Self> {
        let file = File::create(&draft)?;
        let file = NamedTempFile::from_parts(file, TempPath::try_from_path(draft)?);
        let path = path.to_owned();
        Ok(Self { file, path })
    }

    /// The file, to be written.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Where the draft lies, to be removed by a program that skips every destructor.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Moves the file into its place, to stay there.
    ///
    /// # Errors
    ///
    /// When something is there and it does not replace that, or the system refuses: what was there
    /// before still is then, unless all of the new is there and may not stay.
    pub fn publish(self, replaces: bool) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        let published = if replaces {
            self.file.persist(&self.path)
        } else {
            self.file.persist_noclobber(&self.path)
        };
        published.map_err(|error| error.error)?;
        sync_folder(folder_of(&self.path)).inspect_err(|_| {
            if !replaces {
                // There was nothing before; that it could not be removed says no more.
                let _ = fs::remove_file(&self.path);
            }
        })
    }
}

/// Moves a folder into its place, to stay there, and what was there to where the folder was.
///
/// The files in it have to be synced; their names are.
///
/// # Errors
///
/// When the system refuses: what was there before still is.
pub fn publish_folder(draft: &Path, path: &Path) -> io::Result<()> {
    sync_names(draft)?;
    if path.exists() {
        exchange(draft, path)?;
        let synced = sync_folder(folder_of(path));
        synced.inspect_err(|_| drop(exchange(draft, path)))
    } else {
        fs::rename(draft, path)?;
        let synced = sync_folder(folder_of(path));
        synced.inspect_err(|_| drop(fs::rename(path, draft)))
    }
}

/// Makes a folder that may be there already, and those above it, to stay there.
///
/// # Errors
///
/// When the system refuses.
pub fn make_folder(path: &Path) -> io::Result<()> {
    let above = folder_of(path);
    if !path.is_dir() {
        make_folder(above)?;
        match fs::create_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => (),
        }
    }
    // Also where it is there: whoever made it may have been killed before this.
    sync_folder(above)
}

/// The folder that a file lies in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Syncs the names in a folder and all below it.
fn sync_names(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_names(&entry.path())?;
        }
    }
    sync_folder(folder)
}

/// Brings the names in a folder to the disk, where the file system has such a thing and the folder
/// may be read, not only written into.
fn sync_folder(folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    // Elsewhere a folder cannot be opened as a file, and its names need no sync.
    if cfg!(not(unix)) {
        return Ok(());
    }
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported) => {
            Ok(())
        }
        synced => synced,
    }
}

/// Lets two folders take each other's place, at once where the system can.
fn exchange(draft: &Path, path: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, draft, CWD, path, RenameFlags::EXCHANGE) {
            Err(Errno::NOSYS | Errno::INVAL | Errno::NOTSUP) => (),
            exchanged => return Ok(exchanged?),
        }
    }
    exchange_step_by_step(draft, path)
}

/// Between the steps a program that is killed leaves nothing in the place; what was there lies
/// beside the draft.
fn exchange_step_by_step(draft: &Path, path: &Path) -> io::Result<()> {
    let aside = draft.with_extension("old");
    fs::rename(path, &aside)?;
    if let Err(error) = fs::rename(draft, path) {
        // The error that led here is the one to tell.
        let _ = fs::rename(&aside, path);
        return Err(error);
    }
    fs::rename(&aside, draft)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn draft(path: &Path, text: &str) -> Draft {
        let mut draft = Draft::beside(path).unwrap();
        draft.file().write_all(text.as_bytes()).unwrap();
        draft
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(name)
            .map(|name| name.into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_file_appears_whole_and_replaces_only_when_it_may() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("town");
        let first = draft(&path, "first");
        assert!(!path.exists() && first.path().starts_with(dir.path()));
        first.publish(false).unwrap();
        let error = draft(&path, "second").publish(false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        draft(&path, "third").publish(true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"third");
        drop(draft(&path, "never"));
        assert_eq!(names(dir.path()), ["town"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        draft(&link, "new").publish(true).unwrap();
        assert!(link.is_symlink() && fs::read(&file).unwrap() == b"new");
    }

    #[test]
    fn a_draft_with_a_name_replaces_one_that_was_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (part, path) = (dir.path().join("17.part"), dir.path().join("17"));
        fs::write(&part, "half of a longer picture").unwrap();
        let mut draft = Draft::named(part.clone(), &path).unwrap();
        draft.file().write_all(b"whole").unwrap();
        draft.publish(true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        drop(Draft::named(part, &path).unwrap());
        assert_eq!(names(dir.path()), ["17"]);
    }

    #[test]
    fn folders_are_exchanged_either_way() {
        for exchange in [exchange, exchange_step_by_step] {
            let dir = tempfile::tempdir().unwrap();
            let [new, old] = ["new", "old"].map(|name| dir.path().join(name));
            for folder in [&new, &old] {
                fs::create_dir(folder).unwrap();
                fs::write(
                    folder.join("is"),
                    folder.file_name().unwrap().as_encoded_bytes(),
                )
                .unwrap();
            }
            exchange(&new, &old).unwrap();
            assert_eq!(fs::read(old.join("is")).unwrap(), b"new");
            assert_eq!(fs::read(new.join("is")).unwrap(), b"old");
            assert_eq!(names(dir.path()), ["new", "old"]);
            let missing = dir.path().join("missing");
            assert!(exchange(&missing, &old).is_err());
            assert_eq!(fs::read(old.join("is")).unwrap(), b"new");
        }
    }

    #[test]
    fn a_folder_is_published_where_nothing_was_or_in_place_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let town = dir.path().join("town");
        for generation in ["first", "second"] {
            let draft = dir.path().join("draft");
            make_folder(&draft.join("z=1/tile=0-1")).unwrap();
            fs::write(draft.join(generation), "").unwrap();
            publish_folder(&draft, &town).unwrap();
            assert_eq!(names(&town), [generation, "z=1"]);
            let _ = fs::remove_dir_all(draft);
        }
    }
}
