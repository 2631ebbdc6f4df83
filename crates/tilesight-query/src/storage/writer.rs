//! Writes the tables of a dataset one after the other.

use std::io::{self, Seek, SeekFrom, Write};
use std::mem;

use bytemuck::{Zeroable, bytes_of};
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::directory::{ALIGNMENT, ColumnEntry, Header, MAGIC, TableEntry, VERSION, padded};
use super::table::{Columns, block_count, checksum};

/// A dataset file that is being written.
pub(crate) struct FileWriter<W> {
    out: W,
    position: u64,
    /// What is known of the tables written so far, and the checksums of their blocks.
    tables: Vec<(TableEntry, Vec<ColumnEntry>, Vec<u64>)>,
}

impl<W: Write + Seek> FileWriter<W> {
    /// Begins a file. Until it is finished its header says that it is none.
    pub(crate) fn new(out: W) -> io::Result<Self> {
        let mut writer = Self {
            out,
            position: 0,
            tables: Vec::new(),
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
            checksums_checksum: xxh3_64(bytemuck::cast_slice(&checksums)),
            ..TableEntry::zeroed()
        };
        self.tables.push((table, entries, checksums));
        Ok(())
    }

    /// Writes all checksums, which whoever opens the file reads, the directory, and last of all the
    /// header that makes it a dataset file.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let mut tables = mem::take(&mut self.tables);
        let mut directory = Vec::new();
        for (table, columns, checksums) in &mut tables {
            table.checksums_offset = self.aligned(bytemuck::cast_slice(checksums))?;
            directory.extend_from_slice(bytes_of(table));
            directory.extend_from_slice(bytemuck::cast_slice(columns));
        }
        let directory_offset = self.aligned(&directory)?;
        let header = Header {
            magic: MAGIC,
            version: VERSION,
            tables: tables.len() as u32,
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
