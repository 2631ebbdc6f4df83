//! Writes the tables of a dataset one after the other.

use std::io::{self, Seek, SeekFrom, Write};

use bytemuck::{Zeroable, bytes_of};
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::directory::{ALIGNMENT, ColumnEntry, Header, MAGIC, TableEntry, VERSION, padded};
use super::table::{Columns, block_count, checksum};

/// A dataset file that is being written.
pub(crate) struct FileWriter<W> {
    out: W,
    position: u64,
    directory: Vec<u8>,
    tables: u32,
}

impl<W: Write + Seek> FileWriter<W> {
    /// Begins a file. Until it is finished its header says that it is none.
    pub(crate) fn new(out: W) -> io::Result<Self> {
        let mut writer = Self {
            out,
            position: 0,
            directory: Vec::new(),
            tables: 0,
        };
        writer.write(bytes_of(&Header::zeroed()))?;
        Ok(writer)
    }

    /// Writes a table; `number` tells those of one name apart.
    pub(crate) fn table<C: Columns>(&mut self, number: u32, columns: &C) -> io::Result<()> {
        let blocks = 0..block_count(columns);
        let checksums: Vec<u64> = blocks
            .into_par_iter()
            .map(|block| checksum(columns, block))
            .collect();
        let checksums: &[u8] = bytemuck::cast_slice(&checksums);
        let mut entries = Vec::new();
        for (bytes, width) in columns.bytes(0..columns.len()).into_iter().zip(C::widths()) {
            let offset = self.aligned(bytes)?;
            entries.push(ColumnEntry {
                width: width as u64,
                offset,
            });
        }
        let table = TableEntry {
            name: padded(C::NAME),
            number,
            columns: entries.len() as u32,
            rows: columns.len() as u64,
            block_rows: C::BLOCK_ROWS as u64,
            checksums_offset: self.aligned(checksums)?,
            checksums_checksum: xxh3_64(checksums),
        };
        self.directory.extend_from_slice(bytes_of(&table));
        self.directory
            .extend_from_slice(bytemuck::cast_slice(&entries));
        self.tables += 1;
        Ok(())
    }

    /// Writes the directory, and last of all the header that makes it a dataset file.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let directory = std::mem::take(&mut self.directory);
        let directory_offset = self.aligned(&directory)?;
        let header = Header {
            magic: MAGIC,
            version: VERSION,
            tables: self.tables,
            file_len: self.position,
            directory_offset,
            directory_len: directory.len() as u64,
            directory_checksum: xxh3_64(&directory),
            ..Header::zeroed()
        };
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(bytes_of(&header.sealed()))?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// Writes bytes where the next cache line begins, and tells where that is.
    fn aligned(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let gap = self.position.next_multiple_of(ALIGNMENT as u64) - self.position;
        self.write(&[0; ALIGNMENT][..gap as usize])?;
        let offset = self.position;
        self.write(bytes)?;
        Ok(offset)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}
