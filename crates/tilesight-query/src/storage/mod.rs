//! Columns that lie in memory or in a dataset file, and the file itself.
//!
//! A table is some columns of equal length. In a file it is cut into blocks of rows, each with a
//! checksum over all its columns; a block is compared with its checksum, and what it says is
//! checked, when a question first touches it ([`Table::touch`]). Tables made in memory were never
//! out of our hands and are believed.
//!
//! The layout of the file is described byte by byte in `docs/format.md`.

mod column;
mod directory;
mod reader;
mod table;
mod writer;

pub(crate) use column::{Column, FileBytes, bytes_of, prefetch, vectorized};
pub(crate) use directory::MAGIC;
pub(crate) use reader::{ColumnReader, FileReader};
pub(crate) use table::{Columns, Limits, Notes, Sound, Table, Touch, columns};
pub(crate) use writer::FileWriter;

pub use reader::Io;
pub use table::Damage;

#[cfg(test)]
pub(crate) mod tests;
