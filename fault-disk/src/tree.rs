//! What is in a folder.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Files and folders below a folder, by their paths in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// The content of each file; none of a folder. Folders come before what is in them.
    pub entries: BTreeMap<PathBuf, Option<Vec<u8>>>,
}

impl Tree {
    /// Reads all of a folder.
    ///
    /// # Errors
    ///
    /// When something in it cannot be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        let mut left = vec![PathBuf::new()];
        while let Some(inner) = left.pop() {
            for entry in fs::read_dir(folder.join(&inner))? {
                let entry = entry?;
                let path = inner.join(entry.file_name());
                let is_folder = entry.file_type()?.is_dir();
                let content = (!is_folder).then(|| fs::read(entry.path())).transpose()?;
                if is_folder {
                    left.push(path.clone());
                }
                tree.entries.insert(path, content);
            }
        }
        Ok(tree)
    }

    /// Writes everything into a folder, which is made and had better be empty.
    ///
    /// # Errors
    ///
    /// When something cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        for (path, content) in &self.entries {
            let path = folder.join(path);
            match content {
                None => fs::create_dir(path)?,
                Some(bytes) => fs::write(path, bytes)?,
            }
        }
        Ok(())
    }
}
