//! Where measurements and what they need are kept: under `target/`, out of the repository.

use std::env;
use std::path::{Path, PathBuf};

/// Files about a world of some number of images.
#[derive(Debug, Clone)]
pub struct Places {
    folder: PathBuf,
}

impl Places {
    /// The files of a world.
    pub fn of(images: u64) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = env::var_os("CARGO_TARGET_DIR").map_or(root.join("../target"), PathBuf::from);
        Self {
            folder: target.join("bars").join(images.to_string()),
        }
    }

    /// Its tiles, gzipped, in an MBTiles archive.
    pub fn tiles(&self) -> PathBuf {
        self.folder.join("tiles.mbtiles")
    }

    /// The dataset file built from the tiles.
    pub fn dataset(&self) -> PathBuf {
        self.folder.join("world.tsight")
    }

    /// Rows and questions for programs in other languages.
    pub fn exported(&self) -> PathBuf {
        self.folder.join("exported")
    }

    /// Exports, one at a time, and what was measured of them.
    pub fn exports(&self) -> PathBuf {
        self.folder.join("exports")
    }

    /// What was measured, a file a step.
    pub fn records(&self) -> PathBuf {
        self.folder.join("records")
    }
}
