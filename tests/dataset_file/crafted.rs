//! Files of nonsense whose checksums are right: made by hand, not by damage. What they answer
//! means nothing, but they are refused or answer, and never end the program.

use std::cell::RefCell;
use std::fs;
use std::ops::Range;

use tilesight_query::{Dataset, Io, OpenError};
use xxhash_rust::xxh3::xxh3_64;

use super::sample::{answers, sample};
use crate::differential::random::Random;
use crate::differential::runner;

const HEADER: usize = 64;
const TABLE: usize = 56;
const COLUMN: usize = 16;

/// Where the tables of a file lie, by `docs/format.md`.
pub(super) struct Layout {
    directory: Range<usize>,
    tables: Vec<TableAt>,
}

struct TableAt {
    name: String,
    /// Where its entry begins.
    entry: usize,
    rows: usize,
    block_rows: usize,
    checksums: Range<usize>,
    /// Bytes of a value, and where the first one lies.
    columns: Vec<(usize, usize)>,
}

impl Layout {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let first = number(bytes, 24);
        let directory = first..first + number(bytes, 32);
        let (mut at, mut tables) = (directory.start, Vec::new());
        while at < directory.end {
            let table = TableAt::of(bytes, at);
            at += TABLE + COLUMN * table.columns.len();
            tables.push(table);
        }
        Self { directory, tables }
    }

    /// Tells whether a byte is one of a column.
    pub(super) fn is_in_column(&self, at: usize) -> bool {
        let columns = self.tables.iter().flat_map(|table| {
            table
                .columns
                .iter()
                .map(|&(width, first)| first..first + width * table.rows)
        });
        columns.into_iter().any(|column| column.contains(&at))
    }

    /// Makes all checksums right.
    fn seal(&self, bytes: &mut [u8]) {
        for table in &self.tables {
            table.seal(bytes);
        }
        self.seal_directory(bytes);
    }

    /// Makes the checksums of the directory and of the header right.
    fn seal_directory(&self, bytes: &mut [u8]) {
        let checksum = xxh3_64(&bytes[self.directory.clone()]);
        put(bytes, 40, checksum);
        let checksum = xxh3_64(&bytes[..HEADER - 8]);
        put(bytes, HEADER - 8, checksum);
    }
}

impl TableAt {
    fn of(bytes: &[u8], entry: usize) -> Self {
        let name = bytes[entry..entry + 16]
            .iter()
            .take_while(|&&byte| byte != 0);
        let columns = short(bytes, entry + 20);
        let (rows, block_rows) = (number(bytes, entry + 24), number(bytes, entry + 32));
        let checksums = number(bytes, entry + 40);
        let column = |i| {
            let at = entry + TABLE + i * COLUMN;
            (number(bytes, at), number(bytes, at + 8))
        };
        Self {
            name: name.map(|&byte| char::from(byte)).collect(),
            entry,
            rows,
            block_rows,
            checksums: checksums..checksums + 8 * rows.div_ceil(block_rows),
            columns: (0..columns).map(column).collect(),
        }
    }

    fn seal(&self, bytes: &mut [u8]) {
        for (block, at) in self.checksums.clone().step_by(8).enumerate() {
            let rows = block * self.block_rows..((block + 1) * self.block_rows).min(self.rows);
            let of_block = self.columns.iter().flat_map(|&(width, first)| {
                bytes[first + width * rows.start..first + width * rows.end].to_vec()
            });
            let checksum = xxh3_64(&of_block.collect::<Vec<u8>>());
            put(bytes, at, checksum);
        }
        let checksum = xxh3_64(&bytes[self.checksums.clone()]);
        put(bytes, self.entry + 48, checksum);
    }
}

fn short(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

fn number(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
}

fn put(bytes: &mut [u8], at: usize, number: u64) {
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

/// Opens a file of some bytes, and if that can be done asks it everything.
fn open_and_ask(bytes: &[u8]) -> Result<(), OpenError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    let (data, _) = Dataset::open(file.path(), Io::Read)?;
    data.verify();
    answers(&data);
    Ok(())
}

/// Bytes that mean nothing, of a number's width.
fn nonsense(random: &mut Random, width: usize) -> Vec<u8> {
    let number = match random.below(5) {
        0 => 0,
        1 => u64::MAX,
        2 => random.below(300) as u64,
        3 => 1 << random.below(64),
        _ => random.bits(),
    };
    let mut bytes = [number.to_le_bytes(); 12].concat();
    bytes.truncate(width);
    bytes
}

#[test]
fn sealing_a_file_anew_changes_nothing() {
    let (_, bytes) = sample(1);
    let mut sealed = bytes.clone();
    Layout::of(&bytes).seal(&mut sealed);
    assert!(
        sealed == bytes,
        "the checksums are those that the format describes"
    );
}

#[test]
fn nonsense_in_columns_ends_nothing() {
    let (_, bytes) = sample(1);
    let layout = Layout::of(&bytes);
    let names: Vec<_> = layout
        .tables
        .iter()
        .map(|table| table.name.clone())
        .collect();
    let opened = RefCell::new(vec![0; names.len()]);
    runner::run(1500, |random, case| {
        let i = random.below(layout.tables.len());
        let table = &layout.tables[i];
        let (width, first) = table.columns[random.below(table.columns.len())];
        let mut crafted = bytes.clone();
        case.ask(&(table.name.clone(), width));
        let is_all = random.one_in(4);
        for row in 0..table.rows {
            if is_all || random.one_in(table.rows.div_ceil(3)) {
                let at = first + row * width;
                crafted[at..at + width].copy_from_slice(&nonsense(random, width));
            }
        }
        layout.seal(&mut crafted);
        opened.borrow_mut()[i] += usize::from(open_and_ask(&crafted).is_ok());
        1
    });
    let opened = names.iter().zip(opened.into_inner());
    println!("files opened, by table: {:?}", opened.collect::<Vec<_>>());
}

#[test]
fn nonsense_in_the_directory_ends_nothing() {
    let (_, bytes) = sample(1);
    let layout = Layout::of(&bytes);
    runner::run(3000, |random, case| {
        let mut crafted = bytes.clone();
        let words = (layout.directory.len() / 4) - 1;
        let at = layout.directory.start + 4 * random.below(words);
        let width = random.pick(&[4, 8]);
        let other = nonsense(random, width);
        case.ask(&(at, other.clone()));
        crafted[at..at + width].copy_from_slice(&other);
        layout.seal_directory(&mut crafted);
        // Some of what the directory says can be otherwise: names that nobody looks up.
        let _ = open_and_ask(&crafted);
        1
    });
}

#[test]
fn nonsense_in_the_header_is_refused() {
    let (_, bytes) = sample(1);
    let layout = Layout::of(&bytes);
    // Version and number of tables, length of the file, place and length of the directory.
    for (at, width) in [(8, 4), (12, 4), (16, 8), (24, 8), (32, 8)] {
        runner::run(50, |random, case| {
            let mut crafted = bytes.clone();
            let other = nonsense(random, width);
            case.ask(&(at, other.clone()));
            crafted[at..at + width].copy_from_slice(&other);
            let checksum = xxh3_64(&crafted[..HEADER - 8]);
            put(&mut crafted, HEADER - 8, checksum);
            assert!(crafted == bytes || open_and_ask(&crafted).is_err());
            1
        });
    }
    assert!(layout.tables.len() > 20);
}

#[test]
fn a_sequence_without_a_row_is_refused() {
    let (_, mut bytes) = sample(1);
    let layout = Layout::of(&bytes);
    let table = layout.tables.iter().find(|table| table.name == "sequence");
    let table = table.unwrap();
    // So few that neither the blocks nor the cache lines that they fill are fewer.
    put(&mut bytes, table.entry + 24, table.rows as u64 - 1);
    let layout = Layout::of(&bytes);
    layout.seal(&mut bytes);
    let said = open_and_ask(&bytes).unwrap_err().to_string();
    assert!(said.contains("ids of sequences"), "{said}");
}
