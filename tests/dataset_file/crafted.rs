//! Files of nonsense whose checksums are right: made by hand, not by damage. What they answer
//! means nothing, but they are refused or answer, and never end the program.

use std::cell::RefCell;
use std::fs;

use tilesight_hostile::dataset_file::{Layout, put};
use tilesight_query::{Dataset, Io, OpenError};
use xxhash_rust::xxh3::xxh3_64;

use super::sample::{answers, sample};
use crate::differential::random::Random;
use crate::differential::runner;

const HEADER: usize = 64;

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
    let mut bytes = number.to_le_bytes().repeat(width.div_ceil(8));
    bytes.truncate(width);
    bytes
}

#[test]
fn sealing_a_file_anew_changes_nothing() {
    let (_, bytes) = sample(1);
    let mut sealed = bytes.clone();
    Layout::of(&bytes).unwrap().seal(&mut sealed);
    assert!(
        sealed == bytes,
        "the checksums are those that the format describes"
    );
}

#[test]
fn nonsense_in_columns_ends_nothing() {
    let (_, bytes) = sample(1);
    let layout = Layout::of(&bytes).unwrap();
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
    let layout = Layout::of(&bytes).unwrap();
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
    let layout = Layout::of(&bytes).unwrap();
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
    let layout = Layout::of(&bytes).unwrap();
    let table = layout.tables.iter().find(|table| table.name == "sequence");
    let table = table.unwrap();
    // So few that neither the blocks nor the cache lines that they fill are fewer.
    put(&mut bytes, table.entry + 24, table.rows as u64 - 1);
    let layout = Layout::of(&bytes).unwrap();
    layout.seal(&mut bytes);
    let said = open_and_ask(&bytes).unwrap_err().to_string();
    assert!(said.contains("ids of sequences"), "{said}");
}
