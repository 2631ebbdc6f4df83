//! The first bytes of a dataset file, and its directory of tables.

use bytemuck::{Pod, Zeroable};
use xxhash_rust::xxh3::xxh3_64;

/// What a dataset file begins with. A byte above 127 and a line end show transfers as text.
pub(crate) const MAGIC: [u8; 8] = *b"\x89TSIGHT\n";

/// Rises when older programs can no longer read what is written.
pub(super) const VERSION: u32 = 1;

/// Columns and lists of checksums begin at multiples of this many bytes: whole cache lines.
pub(super) const ALIGNMENT: usize = 64;

/// The first bytes of a file.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Header {
    pub(super) magic: [u8; 8],
    pub(super) version: u32,
    /// How many tables the directory lists.
    pub(super) tables: u32,
    pub(super) file_len: u64,
    pub(super) directory_offset: u64,
    pub(super) directory_len: u64,
    /// XXH3-64 of the directory.
    pub(super) directory_checksum: u64,
    pub(super) reserved: u64,
    /// XXH3-64 of the bytes before this.
    pub(super) checksum: u64,
}

impl Header {
    pub(super) const LEN: usize = size_of::<Self>();

    pub(super) fn sealed(mut self) -> Self {
        self.checksum = self.checksum_of_rest();
        self
    }

    pub(super) fn checksum_of_rest(&self) -> u64 {
        let bytes = bytemuck::bytes_of(self);
        xxh3_64(&bytes[..Self::LEN - size_of::<u64>()])
    }
}

/// What the directory says of a table, before its columns.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct TableEntry {
    /// Filled up with zeros.
    pub(super) name: [u8; 16],
    /// Tells tables of one name apart: the levels of a tree, for one.
    pub(super) number: u32,
    pub(super) columns: u32,
    pub(super) rows: u64,
    /// Rows that share a checksum.
    pub(super) block_rows: u64,
    /// Where the checksums of the blocks lie, XXH3-64 each.
    pub(super) checksums_offset: u64,
    /// XXH3-64 of these checksums.
    pub(super) checksums_checksum: u64,
}

/// What the directory says of a column.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct ColumnEntry {
    /// Bytes of a value.
    pub(super) width: u64,
    pub(super) offset: u64,
}

/// A table's name as the directory has it.
pub(super) fn padded(name: &str) -> [u8; 16] {
    let mut padded = [0; 16];
    padded[..name.len()].copy_from_slice(name.as_bytes());
    padded
}
