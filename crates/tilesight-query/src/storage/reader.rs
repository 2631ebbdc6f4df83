//! Opens dataset files: the header and the directory are checked here, blocks when they are
//! touched.

use std::collections::VecDeque;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytemuck::Pod;
use xxhash_rust::xxh3::xxh3_64;

use super::column::{Column, FileBytes};
use super::directory::{ALIGNMENT, ColumnEntry, Header, MAGIC, TableEntry, VERSION, padded};
use super::table::{Columns, Damage, Limits, Notes, Table};
use crate::error::OpenError;

/// How a dataset file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Io {
    /// Mapped into memory: opens in microseconds, and only what questions touch is read. The
    /// file must not be cut short by another program while it is open.
    #[default]
    Map,
    /// Read whole into memory first: for file systems that cannot map, or whose files change.
    Read,
}

/// A dataset file whose header and directory were found sound.
pub(crate) struct FileReader {
    file: Arc<FileBytes>,
    tables: Vec<Listed>,
    gaps: Vec<Range<u64>>,
    limits: Arc<Limits>,
}

/// What the directory says of a table and of its columns.
type Listed = (TableEntry, Vec<ColumnEntry>);

impl FileReader {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// [`OpenError::Io`] when it cannot be read, [`OpenError::Damaged`] when it is not a dataset
    /// file of this version, or its header or directory are not as they were written.
    pub(crate) fn open(path: &Path, io: Io) -> Result<Self, OpenError> {
        let io_error = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        let damaged = |damage| OpenError::Damaged {
            path: path.to_owned(),
            damage,
        };
        let file = File::open(path).map_err(io_error)?;
        let len = file.metadata().map_err(io_error)?.len();
        if len < Header::LEN as u64 {
            return Err(damaged(too_short(len)));
        }
        let bytes = match io {
            Io::Map => FileBytes::map(&file).map_err(io_error)?,
            Io::Read => {
                let len = usize::try_from(len).map_err(|_| damaged(too_long(len)))?;
                FileBytes::read(&file, len).map_err(io_error)?
            }
        };
        Self::of_bytes(Arc::new(bytes)).map_err(damaged)
    }

    fn of_bytes(file: Arc<FileBytes>) -> Result<Self, Damage> {
        let (header, directory) = directory_of(&file)?;
        let tables = tables_of(directory)?;
        let gaps = gaps_of(&header, &tables).ok_or_else(|| {
            Damage::File(
                "the tables do not lie where they would be written; build it anew from its tiles \
                 with `tilesight build`"
                    .to_owned(),
            )
        })?;
        if let Some((first, _)) = tables.first() {
            let len = header.directory_offset - first.checksums_offset;
            file.will_need(within(&file, first.checksums_offset, len));
        }
        Ok(Self {
            tables,
            gaps,
            limits: Arc::default(),
            file,
        })
    }

    /// The bytes that no table holds and no checksum covers: zeros, where nothing is damaged.
    pub(crate) fn padding(&self) -> Vec<Column<u8>> {
        let gaps = self.gaps.iter();
        gaps.filter_map(|gap| self.column(gap.start, (gap.end - gap.start) as usize))
            .collect()
    }

    /// Says how many rows there are of what tables refer to, for the tables opened from now on.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = Arc::new(limits);
    }

    /// How many rows a table has; 0 where there is no such table.
    pub(crate) fn rows<C: Columns>(&self, number: u32) -> usize {
        self.entry(C::NAME, number)
            .map_or(0, |(table, _)| table.rows as usize)
    }

    /// A table; its blocks are checked as they are touched.
    ///
    /// # Errors
    ///
    /// [`Damage::Table`] when it is not there, or lies outside of the file, or its checksums
    /// differ from their own.
    pub(crate) fn table<C: Columns>(&self, number: u32) -> Result<Table<C>, Damage> {
        let damage = |problem| Damage::Table {
            table: C::NAME.to_owned(),
            problem,
        };
        let (table, columns) = self
            .entry(C::NAME, number)
            .ok_or_else(|| damage("is not there"))?;
        let widths = columns.iter().map(|column| column.width as usize);
        if table.block_rows != C::BLOCK_ROWS as u64 || !widths.eq(C::widths()) {
            return Err(damage("has other columns than this version writes"));
        }
        let rows = usize::try_from(table.rows).map_err(|_| damage("has too many rows"))?;
        let checksums: Column<u64> = self
            .column(table.checksums_offset, rows.div_ceil(C::BLOCK_ROWS))
            .ok_or_else(|| damage("has its checksums outside of the file"))?;
        if xxh3_64(bytemuck::cast_slice(&checksums)) != table.checksums_checksum {
            return Err(damage("has damaged checksums"));
        }
        let offsets = columns.iter().map(|column| column.offset).collect();
        let columns = C::open(&mut ColumnReader {
            reader: self,
            table: C::NAME,
            offsets,
            rows,
        })?;
        Ok(Table::sealed(
            columns,
            checksums,
            self.limits.clone(),
            self.file.clone(),
        ))
    }

    /// Notes, compared with their checksums; none where there are no such notes.
    ///
    /// # Errors
    ///
    /// [`Damage`] when they are not what was written.
    pub(crate) fn notes(&self, number: u32) -> Result<Option<Vec<u8>>, Damage> {
        if self.entry(Notes::NAME, number).is_none() {
            return Ok(None);
        }
        let table: Table<Notes> = self.table(number)?;
        match table.damaged().pop() {
            Some(damage) => Err(damage),
            None => Ok(Some(table.columns().byte.to_vec())),
        }
    }

    fn entry(&self, name: &str, number: u32) -> Option<&Listed> {
        let name = padded(name);
        self.tables
            .iter()
            .find(|(table, _)| table.name == name && table.number == number)
    }

    fn column<T: Pod>(&self, offset: u64, rows: usize) -> Option<Column<T>> {
        Column::of_file(&self.file, usize::try_from(offset).ok()?, rows)
    }
}

/// Hands out the columns of one table in their order.
pub(crate) struct ColumnReader<'a> {
    reader: &'a FileReader,
    table: &'static str,
    offsets: VecDeque<u64>,
    rows: usize,
}

impl ColumnReader<'_> {
    /// How many rows the table has.
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    /// The next column.
    ///
    /// # Errors
    ///
    /// [`Damage::Table`] when it lies outside of the file.
    pub(crate) fn column<T: Pod>(&mut self) -> Result<Column<T>, Damage> {
        let next = self.offsets.pop_front();
        next.and_then(|offset| self.reader.column(offset, self.rows))
            .ok_or_else(|| Damage::Table {
                table: self.table.to_owned(),
                problem: "lies outside of the file",
            })
    }
}

/// The header of a file and its directory, both sound.
fn directory_of(file: &FileBytes) -> Result<(Header, &[u8]), Damage> {
    let damage = |problem: &str| Err(Damage::File(problem.to_owned()));
    let bytes = file.as_slice();
    file.will_need(within(file, 0, Header::LEN as u64));
    let Some(header) = bytes.get(..Header::LEN) else {
        return Err(too_short(bytes.len() as u64));
    };
    let header: Header = bytemuck::pod_read_unaligned(header);
    if header.magic != MAGIC {
        return damage("this is not a dataset file, or its writing was never finished");
    }
    if header.version != VERSION {
        return Err(Damage::File(format!(
            "this is a dataset file of version {}, and this program reads version {VERSION}; \
             build it anew from its tiles with `tilesight build`",
            header.version
        )));
    }
    if header.checksum != header.checksum_of_rest() {
        return damage("the header is damaged");
    }
    if header.file_len != bytes.len() as u64 {
        return Err(Damage::File(format!(
            "the file has {} bytes and should have {}",
            bytes.len(),
            header.file_len
        )));
    }
    let directory = within(file, header.directory_offset, header.directory_len);
    file.will_need(directory);
    if xxh3_64(directory) != header.directory_checksum {
        return damage("the directory of tables is damaged");
    }
    Ok((header, directory))
}

/// Some bytes of a file; none where it is shorter.
fn within(file: &FileBytes, offset: u64, len: u64) -> &[u8] {
    let range = offset as usize..offset.saturating_add(len) as usize;
    file.as_slice().get(range).unwrap_or_default()
}

fn tables_of(mut directory: &[u8]) -> Result<Vec<Listed>, Damage> {
    let mut tables = Vec::new();
    while !directory.is_empty() {
        let table: TableEntry = take(&mut directory)?;
        let columns = (0..table.columns)
            .map(|_| take(&mut directory))
            .collect::<Result<_, _>>()?;
        tables.push((table, columns));
    }
    Ok(tables)
}

/// The gaps between what a file consists of, where the columns of all tables and then their
/// checksums lie in the order of the directory, each at the next cache line after the one before,
/// and the directory ends the file. So no byte belongs to two columns, and what is neither checksum
/// nor checked by one is a gap.
fn gaps_of(header: &Header, tables: &[Listed]) -> Option<Vec<Range<u64>>> {
    let (mut end, mut gaps) = (Header::LEN as u64, Vec::new());
    let mut place = |offset: u64, len: Option<u64>| {
        let begin = end.checked_next_multiple_of(ALIGNMENT as u64)?;
        gaps.push(end..begin);
        end = begin.checked_add(len?)?;
        (offset == begin).then_some(())
    };
    for (table, columns) in tables {
        for column in columns {
            place(column.offset, column.width.checked_mul(table.rows))?;
        }
    }
    for (table, _) in tables {
        let blocks = table.rows.div_ceil(table.block_rows.max(1));
        place(table.checksums_offset, blocks.checked_mul(8))?;
    }
    place(header.directory_offset, Some(header.directory_len))?;
    (end == header.file_len && tables.len() == header.tables as usize).then_some(gaps)
}

fn take<T: Pod>(directory: &mut &[u8]) -> Result<T, Damage> {
    let (bytes, rest) = directory
        .split_at_checked(size_of::<T>())
        .ok_or_else(|| Damage::File("the directory of tables is cut short".to_owned()))?;
    *directory = rest;
    Ok(bytemuck::pod_read_unaligned(bytes))
}

fn too_short(len: u64) -> Damage {
    Damage::File(format!("{len} bytes are too few for a dataset file"))
}

fn too_long(len: u64) -> Damage {
    Damage::File(format!(
        "{len} bytes are more than this machine can address"
    ))
}
