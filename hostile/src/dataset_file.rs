//! Dataset files, whose checksums are made right before they are opened: what is damaged is told by
//! those, what is made by hand is not.

use std::io::{Cursor, Seek, Write};
use std::ops::Range;
use std::path::Path;

use tilesight::{Dataset, FeatureQuery, GroupBy, ImageQuery, LonLat, Place, SequenceQuery};
use tilesight_query::{Dataset as Engine, Io};
use xxhash_rust::xxh3::xxh3_64;

use crate::input::{in_file, temporary_file, within};

const HEADER: usize = 64;
const TABLE: usize = 56;
const COLUMN: usize = 16;

/// Bytes that the questions here may take for a file of any size.
const FREE_BYTES: usize = 16 << 20;

/// Where the tables of a file lie, by `docs/format.md`.
#[derive(Debug)]
pub struct Layout {
    /// Where the directory lies.
    pub directory: Range<usize>,
    /// The tables, in the order of the directory.
    pub tables: Vec<TableAt>,
}

/// A table of a file.
#[derive(Debug)]
pub struct TableAt {
    /// Its name.
    pub name: String,
    /// Where its entry begins.
    pub entry: usize,
    /// How many rows it has.
    pub rows: usize,
    /// Bytes of a value, and where the first one lies.
    pub columns: Vec<(usize, usize)>,
    block_rows: usize,
    checksums: Range<usize>,
}

impl Layout {
    /// Finds the tables of a file; none where they cannot all lie in it.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        bytes.get(..HEADER)?;
        let first = number(bytes, 24)?;
        let directory = first..first.checked_add(number(bytes, 32)?)?;
        let (mut at, mut tables) = (directory.start, Vec::new());
        while at < directory.end {
            let table = TableAt::of(bytes, at)?;
            at += TABLE + COLUMN * table.columns.len();
            tables.push(table);
        }
        bytes.get(directory.clone())?;
        Some(Self { directory, tables })
    }

    /// Tells whether a byte is one of a column.
    pub fn is_in_column(&self, at: usize) -> bool {
        let columns = self.tables.iter().flat_map(|table| {
            let columns = table.columns.iter();
            columns.map(|&(width, first)| first..first + width * table.rows)
        });
        columns.into_iter().any(|column| column.contains(&at))
    }

    /// Makes all checksums right.
    pub fn seal(&self, bytes: &mut [u8]) {
        for table in &self.tables {
            table.seal(bytes);
        }
        self.seal_directory(bytes);
    }

    /// Makes the checksums of the directory and of the header right.
    pub fn seal_directory(&self, bytes: &mut [u8]) {
        put(bytes, 40, xxh3_64(&bytes[self.directory.clone()]));
        put(bytes, HEADER - 8, xxh3_64(&bytes[..HEADER - 8]));
    }
}

impl TableAt {
    fn of(bytes: &[u8], entry: usize) -> Option<Self> {
        let name = bytes.get(entry..entry.checked_add(TABLE)?)?;
        let name = name[..16].iter().take_while(|&&byte| byte != 0);
        let columns = u32::from_le_bytes(*bytes.get(entry + 20..)?.first_chunk()?) as usize;
        let (rows, block_rows) = (number(bytes, entry + 24)?, number(bytes, entry + 32)?);
        let blocks = rows.checked_next_multiple_of(block_rows)? / block_rows;
        let checksums = number(bytes, entry + 40)?;
        let checksums = checksums..checksums.checked_add(blocks.checked_mul(8)?)?;
        bytes.get(checksums.clone())?;
        let column = |i: usize| {
            let at = i.checked_mul(COLUMN)?.checked_add(entry + TABLE)?;
            let (width, first) = (number(bytes, at)?, number(bytes, at + 8)?);
            bytes.get(first..first.checked_add(width.checked_mul(rows)?)?)?;
            Some((width, first))
        };
        // The first that is not there ends it, so that a count is no more than a claim.
        let columns: Option<Vec<_>> = (0..columns).map(column).collect();
        Some(Self {
            name: name.map(|&byte| char::from(byte)).collect(),
            entry,
            rows,
            block_rows,
            checksums,
            columns: columns?,
        })
    }

    fn seal(&self, bytes: &mut [u8]) {
        for (block, at) in self.checksums.clone().step_by(8).enumerate() {
            let rows = block * self.block_rows..((block + 1) * self.block_rows).min(self.rows);
            let of_block = self.columns.iter().flat_map(|&(width, first)| {
                bytes[first + width * rows.start..first + width * rows.end].to_vec()
            });
            put(bytes, at, xxh3_64(&of_block.collect::<Vec<u8>>()));
        }
        let checksum = xxh3_64(&bytes[self.checksums.clone()]);
        put(bytes, self.entry + 48, checksum);
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let number = u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
    // Beyond this no sum of a few would fit.
    usize::try_from(number)
        .ok()
        .filter(|&number| number < 1 << 60)
}

/// Writes a number into a file.
///
/// # Panics
///
/// When it does not lie in the file.
pub fn put(bytes: &mut [u8], at: usize, number: u64) {
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

/// A file is refused, or answers; what `verify` finds sound is written and read back equal.
pub(crate) fn check(bytes: &[u8]) {
    in_file(bytes, open_and_ask);
    if let Some(layout) = Layout::of(bytes).filter(|layout| are_apart(layout, bytes)) {
        let mut sealed = bytes.to_vec();
        layout.seal(&mut sealed);
        in_file(&sealed, open_and_ask);
    }
}

/// Whether a file is small enough to be sealed: tables may lie upon each other many times.
fn are_apart(layout: &Layout, bytes: &[u8]) -> bool {
    let of_table = |table: &TableAt| {
        let columns = table.columns.iter().map(|&(width, _)| width * table.rows);
        columns.sum::<usize>() + table.checksums.len()
    };
    layout.tables.iter().map(of_table).sum::<usize>() <= 2 * bytes.len()
}

fn open_and_ask(path: &Path) {
    let Ok(data) = within(FREE_BYTES, || Dataset::open(path)) else {
        return;
    };
    ask(&data);
    let (engine, about) = Engine::open(path, Io::Read).unwrap();
    if engine.verify().is_empty() {
        let written = bytes_of(&engine, &about);
        let mut file = temporary_file();
        file.write_all(&written).unwrap();
        file.rewind().unwrap();
        let (again, about) = Engine::open(file.path(), Io::Read).unwrap();
        assert_eq!(again.verify(), []);
        assert!(bytes_of(&again, &about) == written);
    }
}

fn bytes_of(data: &Engine, about: &str) -> Vec<u8> {
    data.write(Cursor::new(Vec::new()), about)
        .unwrap()
        .into_inner()
}

/// Asks a bit of everything. Of a file that was made by hand an answer means nothing.
fn ask(data: &Dataset) {
    let target = LonLat::new(24.9384, 60.1699).unwrap();
    let places = [
        Place::Everywhere,
        Place::Nearest {
            target,
            k: 5,
            radius_m: None,
        },
        Place::looking_at(target),
    ];
    let _ = data.info();
    let _ = data.image(1);
    for by in [GroupBy::Organization, GroupBy::Month] {
        let _ = data.count_images_by(&ImageQuery::default(), by);
    }
    for place in places {
        let query = ImageQuery {
            place: place.clone(),
            allow_partial: true,
            ..Default::default()
        };
        let _ = data.count_images(&query);
        let _ = data.images(&query).map(|found| found.iter().count());
        let query = FeatureQuery {
            place: place.clone(),
            allow_partial: true,
            ..Default::default()
        };
        let _ = data.features(&query).map(|found| found.iter().count());
        let query = SequenceQuery {
            place,
            allow_partial: true,
            ..Default::default()
        };
        for track in data
            .sequences(&query)
            .iter()
            .flat_map(tilesight::SequenceSelection::tracks)
        {
            track.line().flatten().for_each(drop);
            let _ = track.images().map(Iterator::count);
        }
    }
}
