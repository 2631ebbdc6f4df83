//! Tables: columns of equal length whose blocks are checked when they are first touched.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use xxhash_rust::xxh3::Xxh3Default;

use super::column::{Column, FileBytes};
use super::reader::ColumnReader;
use crate::error::Error;

/// Columns of equal length, as a file holds them one after the other.
pub(crate) trait Columns: Sized + Sound + Sync {
    /// What the table is called in a file, at most 16 letters.
    const NAME: &'static str;

    /// Rows that share a checksum.
    const BLOCK_ROWS: usize;

    /// How many rows there are.
    fn len(&self) -> usize;

    /// Bytes of a value, column by column.
    fn widths() -> Vec<usize>;

    /// The bytes of some rows, column by column.
    fn bytes(&self, rows: Range<usize>) -> Vec<&[u8]>;

    /// Takes the columns of a file, one by one.
    fn open(reader: &mut ColumnReader<'_>) -> Result<Self, Damage>;
}

/// Columns whose values refer to each other or to other tables.
pub(crate) trait Sound {
    /// Tells whether what some rows say can be believed without a look at anything else: that
    /// numbers of rows are rows, that ranges are ranges.
    fn is_sound(&self, rows: Range<usize>, limits: &Limits) -> bool;
}

/// How many rows the tables have to which others refer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    pub(crate) images: usize,
    pub(crate) groups: usize,
    pub(crate) organizations: usize,
    pub(crate) creators: usize,
    pub(crate) sequences: usize,
    pub(crate) features: usize,
    pub(crate) values: usize,
    pub(crate) image_chunks: usize,
    pub(crate) line_chunks: usize,
}

/// What is wrong with a dataset file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The file as a whole is not one, or of another version, or cut short.
    #[error("{0}")]
    File(String),
    /// A table that is not there, or not whole, or does not belong to the others.
    #[error("the table {table:?} {problem}")]
    Table {
        /// Its name.
        table: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A block that differs from its checksum, or says what cannot be.
    #[error("block {block} of the table {table:?} {problem}")]
    Block {
        /// The table's name.
        table: &'static str,
        /// Number of the block in the table.
        block: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Rows that are checked before they are read.
pub(crate) trait Touch: Sync {
    /// Makes sure that some rows may be read; rows beyond the last are none.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when a block that holds one of them is not what was written.
    fn touch(&self, rows: Range<usize>) -> Result<(), Error>;
}

#[cfg(test)]
impl Touch for () {
    /// Rows of tests lie in memory.
    fn touch(&self, _: Range<usize>) -> Result<(), Error> {
        Ok(())
    }
}

/// A table, and which of its blocks were checked.
#[derive(Debug, Clone)]
pub(crate) struct Table<C> {
    columns: C,
    /// None where the columns were made in memory.
    seal: Option<Arc<Seal>>,
}

impl<C> From<C> for Table<C> {
    fn from(columns: C) -> Self {
        Self {
            columns,
            seal: None,
        }
    }
}

impl<C: Columns> Table<C> {
    /// A table of a file.
    pub(crate) fn sealed(
        columns: C,
        checksums: Column<u64>,
        limits: Arc<Limits>,
        file: Arc<FileBytes>,
    ) -> Self {
        let blocks = checksums.len();
        let seal = Seal {
            file,
            checked: (0..blocks.div_ceil(64))
                .map(|_| AtomicU64::new(0))
                .collect(),
            unchecked: AtomicUsize::new(blocks),
            checksums,
            limits,
        };
        Self {
            columns,
            seal: Some(Arc::new(seal)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.columns.len()
    }

    /// The columns, of which only rows that were touched may be read.
    #[inline]
    pub(crate) const fn columns(&self) -> &C {
        &self.columns
    }

    /// Tells whether all rows may be read without [touching](Touch::touch) them.
    pub(crate) fn is_open(&self) -> bool {
        self.seal.as_ref().is_none_or(|seal| seal.is_open())
    }

    /// Makes sure that all rows may be read.
    ///
    /// # Errors
    ///
    /// As [`touch`](Self::touch).
    pub(crate) fn touch_all(&self) -> Result<&C, Error> {
        self.touch(0..self.len())?;
        Ok(&self.columns)
    }

    /// The blocks that are not what was written.
    pub(crate) fn damaged(&self) -> Vec<Damage> {
        let Some(seal) = &self.seal else {
            return Vec::new();
        };
        let mut damaged = Vec::new();
        for blocks in at_once(0..seal.checksums.len()) {
            self.will_need(seal, &blocks);
            damaged.extend(blocks.filter_map(|block| self.examine(seal, block).err()));
        }
        damaged
    }

    fn check(&self, seal: &Seal, rows: &Range<usize>) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let beyond = (rows.end - 1) / C::BLOCK_ROWS + 1;
        let blocks = rows.start / C::BLOCK_ROWS..beyond.min(seal.checksums.len());
        for mut blocks in at_once(blocks) {
            // Hardly ever is there one that was not checked before.
            let Some(first) = blocks.find(|&block| !seal.is_checked(block)) else {
                continue;
            };
            let blocks = first..blocks.end;
            self.will_need(seal, &blocks);
            for block in blocks.filter(|&block| !seal.is_checked(block)) {
                self.examine(seal, block)?;
                seal.set_checked(block);
            }
        }
        Ok(())
    }

    /// Asks for blocks that will be read soon: all columns at a time, however far apart they lie.
    fn will_need(&self, seal: &Seal, blocks: &Range<usize>) {
        let last = block_rows(&self.columns, blocks.end - 1);
        let rows = blocks.start * C::BLOCK_ROWS..last.end;
        for bytes in self.columns.bytes(rows) {
            seal.file.will_need(bytes);
        }
    }

    fn examine(&self, seal: &Seal, block: usize) -> Result<(), Damage> {
        let damage = |problem| Damage::Block {
            table: C::NAME,
            block,
            problem,
        };
        if checksum(&self.columns, block) != seal.checksums[block] {
            return Err(damage("differs from its checksum"));
        }
        if !self
            .columns
            .is_sound(block_rows(&self.columns, block), &seal.limits)
        {
            return Err(damage("refers to what is not there"));
        }
        Ok(())
    }
}

impl<C: Columns> Touch for Table<C> {
    #[inline]
    fn touch(&self, rows: Range<usize>) -> Result<(), Error> {
        match &self.seal {
            Some(seal) if !seal.is_open() => {
                // Mostly rows of one block, which was checked before.
                let block = rows.start / C::BLOCK_ROWS;
                if rows.end.div_ceil(C::BLOCK_ROWS) <= block + 1 && seal.is_checked(block) {
                    return Ok(());
                }
                self.check(seal, &rows)
            }
            _ => Ok(()),
        }
    }
}

/// Checksums of blocks, and which were compared.
#[derive(Debug)]
struct Seal {
    file: Arc<FileBytes>,
    checked: Box<[AtomicU64]>,
    unchecked: AtomicUsize,
    checksums: Column<u64>,
    limits: Arc<Limits>,
}

impl Seal {
    /// Tells whether everything was checked.
    fn is_open(&self) -> bool {
        self.unchecked.load(Ordering::Acquire) == 0
    }

    /// Two threads may check one block at a time: both find the same.
    fn is_checked(&self, block: usize) -> bool {
        let word = self.checked.get(block / 64);
        word.is_some_and(|word| word.load(Ordering::Acquire) >> (block % 64) & 1 == 1)
    }

    fn set_checked(&self, block: usize) {
        let bit = 1 << (block % 64);
        if self.checked[block / 64].fetch_or(bit, Ordering::AcqRel) & bit == 0 {
            self.unchecked.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Blocks that are asked for together: few megabytes.
const BLOCKS_AT_ONCE: usize = 32;

/// Blocks in parts that are asked for together.
fn at_once(blocks: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = blocks.end;
    blocks
        .step_by(BLOCKS_AT_ONCE)
        .map(move |first| first..(first + BLOCKS_AT_ONCE).min(end))
}

/// The rows of a block.
fn block_rows<C: Columns>(columns: &C, block: usize) -> Range<usize> {
    let first = block * C::BLOCK_ROWS;
    first..(first + C::BLOCK_ROWS).min(columns.len())
}

/// How many blocks a table has.
pub(super) fn block_count<C: Columns>(columns: &C) -> usize {
    columns.len().div_ceil(C::BLOCK_ROWS)
}

/// XXH3-64 of the bytes of a block's rows, column after column.
pub(super) fn checksum<C: Columns>(columns: &C, block: usize) -> u64 {
    let mut hash = Xxh3Default::new();
    for bytes in columns.bytes(block_rows(columns, block)) {
        hash.update(bytes);
    }
    hash.digest()
}

/// Declares the columns of a table: its struct, and how it lies in a file.
macro_rules! columns {
    (
        $(#[$meta:meta])*
        struct $name:ident = $table:literal, $block_rows:expr;
        $($(#[$field_meta:meta])* $field:ident: $type:ty,)+
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $crate::storage::Column<$type>,)+
        }

        impl $crate::storage::Columns for $name {
            const NAME: &'static str = $table;
            const BLOCK_ROWS: usize = $block_rows;

            fn len(&self) -> usize {
                [$(self.$field.len()),+][0]
            }

            fn widths() -> Vec<usize> {
                vec![$(size_of::<$type>()),+]
            }

            fn bytes(&self, rows: std::ops::Range<usize>) -> Vec<&[u8]> {
                vec![$($crate::storage::bytes_of(&self.$field, rows.clone())),+]
            }

            fn open(
                reader: &mut $crate::storage::ColumnReader<'_>,
            ) -> Result<Self, $crate::storage::Damage> {
                Ok(Self { $($field: reader.column()?,)+ })
            }
        }
    };
}

pub(crate) use columns;

columns! {
    /// Bytes that mean nothing to the storage, read whole.
    struct Notes = "notes", 65536;
    byte: u8,
}

impl Notes {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self { byte: bytes.into() }
    }
}

impl Sound for Notes {
    /// Who reads them decides.
    fn is_sound(&self, _: Range<usize>, _: &Limits) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block that is not known to be checked is checked anew, with the same outcome.
    #[test]
    fn blocks_are_marked_one_by_one() {
        let seal = Seal {
            file: Arc::new(FileBytes::Read(Vec::new(), 0)),
            checked: (0..3).map(|_| AtomicU64::new(0)).collect(),
            unchecked: AtomicUsize::new(150),
            checksums: vec![0; 150].into(),
            limits: Arc::default(),
        };
        for block in [0, 63, 64, 149] {
            assert!(!seal.is_checked(block));
            seal.set_checked(block);
            seal.set_checked(block);
        }
        let checked: Vec<usize> = (0..200).filter(|&block| seal.is_checked(block)).collect();
        assert_eq!(checked, [0, 63, 64, 149]);
        assert_eq!(seal.unchecked.load(Ordering::Acquire), 146);
    }
}
