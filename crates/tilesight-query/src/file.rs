//! Datasets as files: which tables there are, and what they have to do with each other.

use std::io::{self, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use crate::coverage::Coverage;
use crate::dataset::Dataset;
use crate::dictionary::{Ids, Texts};
use crate::error::OpenError;
use crate::features::{FeatureColumns, FeatureIdOrder, Features};
use crate::images::{GroupColumns, IdOrder, ImageColumns, Images};
use crate::index::{LEAF_ROWS, PackedTree};
use crate::sequence::Sequences;
use crate::storage::{Damage, FileReader, FileWriter, Io, Limits, MAGIC, Notes, Table};
use crate::tally::Tallies;

/// Numbers of the dictionaries in a file.
const SEQUENCE_IDS: u32 = 0;
const VALUES: u32 = 1;
const ORGANIZATION_IDS: u32 = 0;
const CREATOR_IDS: u32 = 1;

/// Numbers of the notes in a file.
const COVERAGE: u32 = 0;
const ABOUT: u32 = 1;

impl Dataset {
    /// The first bytes of a dataset file.
    pub const MAGIC: [u8; 8] = MAGIC;

    /// Writes the dataset as one file; `about` is kept beside it as it is, for where the data
    /// comes from. Equal datasets make equal bytes.
    ///
    /// The file is written from its beginning, and last of all its header once more: until then
    /// it is no dataset file. To publish it whole or not at all, write to another name, sync and
    /// rename.
    ///
    /// # Errors
    ///
    /// What writing says; [`io::ErrorKind::InvalidData`] when the dataset lies in a damaged file,
    /// whose bytes are not given new checksums.
    ///
    /// # Example
    ///
    /// ```
    /// use tilesight_query::{Dataset, Image, ImageQuery, Io};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("harbour.tsight");
    /// let data = Dataset::from_images([Image::at(1, 24.95, 60.17)])?;
    /// data.write(std::fs::File::create(&path)?, "made by hand")?;
    ///
    /// let (data, about) = Dataset::open(&path, Io::Map)?;
    /// assert_eq!(data.images(&ImageQuery::default())?.ids().collect::<Vec<_>>(), [1]);
    /// assert_eq!(about, "made by hand");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Source
    ///
    /// `docs/format.md` describes the file byte by byte.
    pub fn write<W: Write + Seek>(&self, out: W, about: &str) -> io::Result<W> {
        if let Some(damage) = self.verify().into_iter().next() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, damage));
        }
        let mut file = FileWriter::new(out)?;
        let Self {
            images,
            sequences,
            features,
            ..
        } = self;
        file.table(0, images.table.columns())?;
        images.tree.write(&mut file)?;
        images.tallies.write(&mut file)?;
        file.table(0, images.id_order.columns())?;
        file.table(0, images.groups.columns())?;
        images.sequence_ids.write(&mut file, SEQUENCE_IDS)?;
        images.organization_ids.write(&mut file, ORGANIZATION_IDS)?;
        images.creator_ids.write(&mut file, CREATOR_IDS)?;
        sequences.write(&mut file)?;
        file.table(0, features.table.columns())?;
        features.tree.write(&mut file)?;
        file.table(0, features.id_order.columns())?;
        features.values.write(&mut file, VALUES)?;
        file.table(
            COVERAGE,
            &Notes::of(self.coverage.to_bytes(self.overview_points)),
        )?;
        file.table(ABOUT, &Notes::of(about.as_bytes().to_vec()))?;
        file.finish()
    }

    /// Opens a dataset file, with what was noted about it.
    ///
    /// # Errors
    ///
    /// [`OpenError::Io`] when it cannot be read, [`OpenError::Damaged`] when it is not a dataset
    /// file of this version, or what every question needs is not as it was written. The rest is
    /// checked as questions touch it, which then fail with
    /// [`Error::Damaged`](crate::Error::Damaged); [`verify`](Self::verify) checks it all.
    ///
    /// # Cost
    ///
    /// Mapped, microseconds, whatever the size of the file.
    pub fn open(path: impl AsRef<Path>, io: Io) -> Result<(Self, String), OpenError> {
        let path = path.as_ref();
        let file = FileReader::open(path, io)?;
        Self::of_file(file).map_err(|damage| OpenError::Damaged {
            path: path.to_owned(),
            damage,
        })
    }

    fn of_file(mut file: FileReader) -> Result<(Self, String), Damage> {
        file.set_limits(limits(&file));
        let features = open_features(&file)?;
        let images = open_images(&file)?;
        let (coverage, overview_points) = file
            .notes(COVERAGE)?
            .and_then(|notes| Coverage::from_bytes(&notes))
            .ok_or_else(|| damaged_notes("does not say which tiles are held"))?;
        let about = file
            .notes(ABOUT)?
            .and_then(|about| String::from_utf8(about).ok());
        let data = Self {
            sequences: Sequences::open(&file, images.sequence_ids.len())?,
            images,
            features,
            coverage,
            overview_points,
            padding: file.padding(),
        };
        Ok((data, about.ok_or_else(|| damaged_notes("is not text"))?))
    }

    /// Compares everything with its checksums, and what they do not cover with zero.
    ///
    /// # Returns
    ///
    /// What is damaged; nothing where the dataset is as it was written, or lies in memory.
    ///
    /// # Cost
    ///
    /// Reads the whole file.
    pub fn verify(&self) -> Vec<Damage> {
        let Self {
            images,
            sequences,
            features,
            ..
        } = self;
        let tables = [
            images.table.damaged(),
            images.id_order.damaged(),
            images.groups.damaged(),
            images.organization_ids.damaged(),
            images.creator_ids.damaged(),
            features.table.damaged(),
            features.id_order.damaged(),
        ];
        tables
            .into_iter()
            .flatten()
            .chain(images.tree.damaged())
            .chain(images.tallies.damaged())
            .chain(images.sequence_ids.damaged())
            .chain(sequences.damaged())
            .chain(features.tree.damaged())
            .chain(features.values.damaged())
            .chain(self.damaged_padding())
            .collect()
    }

    /// What no checksum covers and no question reads is to be as it was written, too.
    fn damaged_padding(&self) -> Option<Damage> {
        let mut bytes = self.padding.iter().flat_map(|gap| gap.iter());
        let problem = || Damage::File("the padding between the columns is not zero".to_owned());
        bytes.any(|&byte| byte != 0).then(problem)
    }
}

/// How many rows there are of what others refer to.
fn limits(file: &FileReader) -> Limits {
    let (image_chunks, line_chunks) = Sequences::chunk_counts(file);
    Limits {
        images: file.rows::<ImageColumns>(0),
        groups: file.rows::<GroupColumns>(0),
        organizations: Ids::count(file, ORGANIZATION_IDS),
        creators: Ids::count(file, CREATOR_IDS),
        sequences: Texts::count(file, SEQUENCE_IDS),
        features: file.rows::<FeatureColumns>(0),
        values: Texts::count(file, VALUES),
        image_chunks,
        line_chunks,
    }
}

fn open_images(file: &FileReader) -> Result<Images, Damage> {
    let table: Table<ImageColumns> = file.table(0)?;
    let id_order: Table<IdOrder> = file.table(0)?;
    if id_order.len() != table.len() {
        return Err(unequal("id order"));
    }
    Ok(Images {
        tree: PackedTree::open(file, table.len().div_ceil(LEAF_ROWS))?,
        tallies: Tallies::open(file, table.len())?,
        id_order,
        groups: file.table(0)?,
        sequence_ids: Texts::open(file, SEQUENCE_IDS)?,
        organization_ids: Ids::open(file, ORGANIZATION_IDS)?,
        creator_ids: Ids::open(file, CREATOR_IDS)?,
        named: Arc::default(),
        table,
    })
}

fn open_features(file: &FileReader) -> Result<Features, Damage> {
    let table: Table<FeatureColumns> = file.table(0)?;
    let id_order: Table<FeatureIdOrder> = file.table(0)?;
    if id_order.len() != table.len() {
        return Err(unequal("feature id order"));
    }
    Ok(Features {
        tree: PackedTree::open(file, table.len().div_ceil(LEAF_ROWS))?,
        id_order,
        values: Texts::open(file, VALUES)?,
        table,
    })
}

fn unequal(table: &str) -> Damage {
    let problem = "has another number of rows than what it orders";
    Damage::Table {
        table: table.to_owned(),
        problem,
    }
}

fn damaged_notes(problem: &'static str) -> Damage {
    Damage::Table {
        table: "notes".to_owned(),
        problem,
    }
}

#[cfg(test)]
mod tests;
