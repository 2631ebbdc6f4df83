//! Small tables in a file: what is written, what is read, and how each kind of damage is named.

use std::fs;
use std::io::Cursor;
use std::ops::Range;
use std::path::Path;
use std::slice;

use bytemuck::{bytes_of, pod_read_unaligned};
use proptest::prelude::*;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use super::directory::{ALIGNMENT, ColumnEntry, Header, TableEntry, VERSION, padded};
use super::*;
use crate::error::{Error, OpenError};

columns! {
    /// Numbers below the limit of images, in two columns.
    struct Numbers = "number", 64;
    small: u16,
    large: u64,
}

impl Sound for Numbers {
    fn is_sound(&self, rows: Range<usize>, limits: &Limits) -> bool {
        let below = |&number: &u64| number < limits.images as u64;
        self.large[rows].iter().all(below)
    }
}

columns! {
    /// What another version might write under the same name.
    struct OtherWidth = "number", 64;
    small: u16,
    large: u32,
}

columns! {
    /// Blocks of another size.
    struct OtherBlocks = "number", 32;
    small: u16,
    large: u64,
}

impl Sound for OtherWidth {
    fn is_sound(&self, _: Range<usize>, _: &Limits) -> bool {
        true
    }
}

impl Sound for OtherBlocks {
    fn is_sound(&self, _: Range<usize>, _: &Limits) -> bool {
        true
    }
}

/// The rows of such a table, none of whose columns is read.
struct Counted(usize);

impl Sound for Counted {
    fn is_sound(&self, _: Range<usize>, _: &Limits) -> bool {
        true
    }
}

impl Columns for Counted {
    const NAME: &'static str = Numbers::NAME;
    const BLOCK_ROWS: usize = Numbers::BLOCK_ROWS;

    fn len(&self) -> usize {
        self.0
    }

    fn widths() -> Vec<usize> {
        Numbers::widths()
    }

    fn bytes(&self, _: Range<usize>) -> Vec<&[u8]> {
        Vec::new()
    }

    fn open(reader: &mut ColumnReader<'_>) -> Result<Self, Damage> {
        Ok(Self(reader.rows()))
    }
}

const ROWS: usize = 150;

/// Numbers of tables.
const FULL: u32 = 3;
const EMPTY: u32 = 4;

fn numbers(rows: usize) -> Numbers {
    Numbers {
        small: (0..rows as u16).collect(),
        large: (0..rows as u64).collect(),
    }
}

/// A file of a table of three blocks, one without rows, and notes.
fn sample() -> Vec<u8> {
    let mut file = FileWriter::new(Cursor::new(Vec::new())).unwrap();
    file.table(FULL, &numbers(ROWS)).unwrap();
    file.table(EMPTY, &numbers(0)).unwrap();
    file.table(0, &Notes::of(b"made by hand".to_vec())).unwrap();
    file.finish().unwrap().into_inner()
}

/// Opens a file of these bytes.
fn open_with(bytes: &[u8], io: Io) -> Result<FileReader, OpenError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    let mut reader = FileReader::open(file.path(), io)?;
    let images = ROWS;
    reader.set_limits(Limits {
        images,
        ..Limits::default()
    });
    Ok(reader)
}

fn open(bytes: &[u8]) -> Result<FileReader, OpenError> {
    open_with(bytes, Io::Map)
}

/// Checks that a file is refused, saying why, however it is read.
#[track_caller]
fn check_refused(bytes: &[u8], expected: &str) {
    for io in [Io::Map, Io::Read] {
        let error = open_with(bytes, io).err().unwrap();
        let said = error.to_string();
        assert!(said.contains(expected), "{said}");
    }
}

/// Where the header says that the directory lies.
fn directory(bytes: &[u8]) -> Range<usize> {
    let header: Header = pod_read_unaligned(&bytes[..Header::LEN]);
    let first = header.directory_offset as usize;
    first..first + header.directory_len as usize
}

/// What the directory says of each table, and where.
fn entries(bytes: &[u8]) -> Vec<(usize, TableEntry, Vec<ColumnEntry>)> {
    let Range { start: mut at, end } = directory(bytes);
    let mut tables = Vec::new();
    while at < end {
        let table: TableEntry = pod_read_unaligned(&bytes[at..at + size_of::<TableEntry>()]);
        let first = at + size_of::<TableEntry>();
        let width = size_of::<ColumnEntry>();
        let beyond = first + table.columns as usize * width;
        let columns = bytes[first..beyond].chunks(width).map(pod_read_unaligned);
        tables.push((at, table, columns.collect()));
        at = beyond;
    }
    tables
}

/// Where a column lies.
pub(crate) fn place(bytes: &[u8], name: &str, number: u32, column: usize) -> Range<usize> {
    let is_it = |table: &TableEntry| table.name == padded(name) && table.number == number;
    let tables = entries(bytes);
    let (_, table, columns) = tables.iter().find(|(_, table, _)| is_it(table)).unwrap();
    let first = columns[column].offset as usize;
    first..first + (columns[column].width * table.rows) as usize
}

/// Makes all checksums right, whatever the bytes say.
pub(crate) fn seal(bytes: &mut [u8]) {
    for (at, mut table, columns) in entries(bytes) {
        let blocks = table.rows.div_ceil(table.block_rows);
        let mut checksums = Vec::new();
        for block in 0..blocks {
            let rows = block * table.block_rows..((block + 1) * table.block_rows).min(table.rows);
            let mut hash = Xxh3Default::new();
            for column in &columns {
                let place = |row| (column.offset + column.width * row) as usize;
                hash.update(&bytes[place(rows.start)..place(rows.end)]);
            }
            checksums.extend(hash.digest().to_le_bytes());
        }
        table.checksums_checksum = xxh3_64(&checksums);
        let first = table.checksums_offset as usize;
        bytes[first..first + checksums.len()].copy_from_slice(&checksums);
        bytes[at..at + size_of::<TableEntry>()].copy_from_slice(bytes_of(&table));
    }
    seal_directory(bytes);
}

fn seal_directory(bytes: &mut [u8]) {
    let mut header: Header = pod_read_unaligned(&bytes[..Header::LEN]);
    header.directory_checksum = xxh3_64(&bytes[directory(bytes)]);
    bytes[..Header::LEN].copy_from_slice(bytes_of(&header.sealed()));
}

/// The sample with another header, whose checksum is right.
fn with_header(change: impl Fn(&mut Header)) -> Vec<u8> {
    let mut bytes = sample();
    let mut header: Header = pod_read_unaligned(&bytes[..Header::LEN]);
    change(&mut header);
    bytes[..Header::LEN].copy_from_slice(bytes_of(&header.sealed()));
    bytes
}

/// The sample with another entry of its first table, whose checksums are right.
fn with_entry(change: impl Fn(&mut TableEntry, &mut [ColumnEntry])) -> Vec<u8> {
    let mut bytes = sample();
    let (at, mut table, mut columns) = entries(&bytes).swap_remove(0);
    change(&mut table, &mut columns);
    let entry = [bytes_of(&table), bytemuck::cast_slice(&columns)].concat();
    bytes[at..at + entry.len()].copy_from_slice(&entry);
    seal_directory(&mut bytes);
    bytes
}

/// The sample with one byte changed.
fn with_flipped(at: usize) -> Vec<u8> {
    let mut bytes = sample();
    bytes[at] ^= 1;
    bytes
}

#[test]
fn what_is_written_is_read() {
    for io in [Io::Map, Io::Read] {
        let file = open_with(&sample(), io).unwrap();
        let table: Table<Numbers> = file.table(FULL).unwrap();
        let columns = table.touch_all().unwrap();
        assert_eq!(*columns.small, *numbers(ROWS).small);
        assert_eq!(*columns.large, *numbers(ROWS).large);
    }
    let file = open(&sample()).unwrap();
    assert_eq!(file.table::<Counted>(FULL).unwrap().len(), ROWS);
    let empty: Table<Numbers> = file.table(EMPTY).unwrap();
    assert!(empty.len() == 0 && empty.is_open() && empty.damaged().is_empty());
    let rows = [FULL, EMPTY, 0].map(|number| file.rows::<Numbers>(number));
    assert_eq!(rows, [ROWS, 0, 0]);
    assert_eq!(
        file.notes(0).unwrap().as_deref(),
        Some(&b"made by hand"[..])
    );
    assert_eq!(file.notes(1).unwrap(), None);
    assert_eq!(sample(), sample(), "the same bytes");
}

#[test]
fn sealing_a_file_anew_changes_nothing() {
    let mut sealed = sample();
    seal(&mut sealed);
    assert!(sealed == sample());
    let (header, checksum) = sealed[..Header::LEN].split_at(Header::LEN - 8);
    assert_eq!(xxh3_64(header).to_le_bytes(), checksum);
}

/// Header, columns, checksums and directory lie in this order, each at the next cache line, and
/// what lies between them is told.
#[test]
fn every_byte_belongs_to_something() {
    let bytes = sample();
    let line = |end: usize| end.next_multiple_of(ALIGNMENT);
    let small = line(Header::LEN);
    let large = line(small + 2 * ROWS);
    let notes = line(large + 8 * ROWS);
    let checksums = line(notes + "made by hand".len());
    let of_notes = line(checksums + 3 * 8);
    let found = |name, number, column| place(&bytes, name, number, column).start;
    assert_eq!(
        [found("number", FULL, 0), found("number", FULL, 1)],
        [small, large]
    );
    assert_eq!(
        [found("number", EMPTY, 0), found("notes", 0, 0)],
        [notes; 2]
    );
    let tables = entries(&bytes);
    let offsets = tables
        .iter()
        .map(|(_, table, _)| table.checksums_offset as usize);
    assert_eq!(offsets.collect::<Vec<_>>(), [checksums, of_notes, of_notes]);
    assert_eq!(directory(&bytes), line(of_notes + 8)..bytes.len());
    let padding = open(&bytes).unwrap().padding();
    assert!(padding.iter().all(|gap| gap.iter().all(|&byte| byte == 0)));
    let gaps: usize = padding.iter().map(|gap| gap.len()).sum();
    let used = Header::LEN + 10 * ROWS + 12 + 4 * 8 + directory(&bytes).len();
    assert_eq!(gaps + used, bytes.len());
}

#[test]
fn what_is_not_there_is_named() {
    let error = FileReader::open(Path::new("no/such.tsight"), Io::Map)
        .err()
        .unwrap();
    assert!(matches!(error, OpenError::Io { .. }) && error.to_string().contains("no/such.tsight"));
    let file = open(&sample()).unwrap();
    let said = |damage: Damage| damage.to_string();
    let absent = file.table::<Numbers>(9).map(drop).map_err(said);
    assert_eq!(absent, Err("the table \"number\" is not there".to_owned()));
}

#[test]
fn headers_of_other_files_are_refused() {
    check_refused(&[], "0 bytes are too few");
    check_refused(&sample()[..Header::LEN - 1], "63 bytes are too few");
    check_refused(
        &sample()[..Header::LEN],
        "the file has 64 bytes and should have",
    );
    check_refused(&[0; 4096], "never finished");
    check_refused(&with_flipped(0), "not a dataset file");
    check_refused(&with_flipped(Header::LEN - 1), "the header is damaged");
    let later = with_header(|header| header.version += 1);
    check_refused(&later, &format!("of version {}", VERSION + 1));
    check_refused(&[sample(), vec![0]].concat(), "and should have");
    check_refused(
        &with_flipped(sample().len() - 1),
        "directory of tables is damaged",
    );
    check_refused(
        &with_header(|header| header.directory_offset = u64::MAX),
        "is damaged",
    );
    check_refused(
        &with_header(|header| header.directory_len = u64::MAX),
        "is damaged",
    );
}

#[test]
fn tables_in_other_places_are_refused() {
    let elsewhere = "do not lie where they would be written";
    check_refused(&with_header(|header| header.tables += 1), elsewhere);
    check_refused(&with_entry(|_, columns| columns[0].offset += 64), elsewhere);
    check_refused(&with_entry(|_, columns| columns[1].offset -= 64), elsewhere);
    check_refused(
        &with_entry(|_, columns| columns[1].width = u64::MAX),
        elsewhere,
    );
    check_refused(
        &with_entry(|_, columns| columns[1].width = 1 << 60),
        elsewhere,
    );
    check_refused(&with_entry(|table, _| table.rows += 300), elsewhere);
    check_refused(
        &with_entry(|table, _| table.checksums_offset += 64),
        elsewhere,
    );
    check_refused(&with_entry(|table, _| table.block_rows = 0), elsewhere);
    check_refused(&with_entry(|table, _| table.columns += 20), "is cut short");
}

#[test]
fn directories_that_end_within_a_table_are_refused() {
    let mut bytes = sample();
    let cut = bytes.len() - 8;
    bytes.truncate(cut);
    let mut header: Header = pod_read_unaligned(&bytes[..Header::LEN]);
    header.file_len -= 8;
    header.directory_len -= 8;
    bytes[..Header::LEN].copy_from_slice(bytes_of(&header));
    seal_directory(&mut bytes);
    check_refused(&bytes, "is cut short");
}

#[test]
fn tables_of_other_columns_are_refused() {
    let file = open(&sample()).unwrap();
    let said = |damage: Damage| damage.to_string();
    let other = "the table \"number\" has other columns than this version writes".to_owned();
    let wide = file.table::<OtherWidth>(FULL).map(drop).map_err(said);
    assert_eq!(wide, Err(other.clone()));
    let blocks = file.table::<OtherBlocks>(FULL).map(drop).map_err(said);
    assert_eq!(blocks, Err(other));
}

#[test]
fn checksums_have_one_of_their_own() {
    let checksums = entries(&sample())[0].1.checksums_offset as usize;
    let file = open(&with_flipped(checksums + 23)).unwrap();
    let said = |damage: Damage| damage.to_string();
    let damaged = file.table::<Numbers>(FULL).map(drop).map_err(said);
    let expected = "the table \"number\" has damaged checksums".to_owned();
    assert_eq!(damaged, Err(expected));
    assert!(file.table::<Numbers>(EMPTY).is_ok());
}

fn damaged(block: usize, problem: &'static str) -> Damage {
    let table = "number";
    Damage::Block {
        table,
        block,
        problem,
    }
}

#[test]
fn a_damaged_block_is_found_when_it_is_touched() {
    let place = place(&sample(), "number", FULL, 1);
    // The last row of the second block.
    let file = open(&with_flipped(place.start + 127 * 8)).unwrap();
    let table: Table<Numbers> = file.table(FULL).unwrap();
    let expected = damaged(1, "differs from its checksum");
    assert_eq!(table.damaged(), slice::from_ref(&expected));
    let is_refused = |rows: Range<usize>| match table.touch(rows) {
        Err(Error::Damaged(damage)) => damage == expected,
        Err(other) => panic!("{other}"),
        Ok(()) => false,
    };
    for rows in [0..64, 63..64, 128..150, 149..150, 64..64, 128..1000, 0..0] {
        assert!(!is_refused(rows.clone()), "{rows:?}");
    }
    for rows in [64..65, 127..128, 63..65, 127..129, 0..150] {
        assert!(is_refused(rows.clone()), "{rows:?}");
    }
    assert!(table.touch_all().is_err() && !table.is_open());
}

#[test]
fn a_table_is_open_when_all_of_it_was_touched() {
    let file = open(&sample()).unwrap();
    let table: Table<Numbers> = file.table(FULL).unwrap();
    for rows in [0..1, 0..64, 148..150] {
        table.touch(rows).unwrap();
        assert!(!table.is_open());
    }
    table.touch(100..101).unwrap();
    assert!(table.is_open());
    let in_memory = Table::from(numbers(ROWS));
    assert!(in_memory.is_open() && in_memory.damaged().is_empty());
    assert!(in_memory.touch(0..usize::MAX).is_ok());
}

#[test]
fn a_block_that_cannot_be_believed_is_refused() {
    let mut bytes = sample();
    let place = place(&bytes, "number", FULL, 1);
    bytes[place.end - 8..place.end].copy_from_slice(&(ROWS as u64).to_le_bytes());
    seal(&mut bytes);
    let table: Table<Numbers> = open(&bytes).unwrap().table(FULL).unwrap();
    assert!(table.touch(0..128).is_ok());
    assert!(table.touch(128..129).is_err());
    assert_eq!(table.damaged(), [damaged(2, "refers to what is not there")]);
}

#[test]
fn damaged_notes_are_refused() {
    let place = place(&sample(), "notes", 0, 0);
    let damage = open(&with_flipped(place.start))
        .unwrap()
        .notes(0)
        .unwrap_err();
    assert!(
        matches!(
            damage,
            Damage::Block {
                table: "notes",
                block: 0,
                ..
            }
        ),
        "{damage}"
    );
}

/// So many that the marks of those that were checked fill words, and that they are read in parts.
#[test]
fn many_blocks_are_checked_one_by_one() {
    const BLOCKS: usize = 150;
    let mut file = FileWriter::new(Cursor::new(Vec::new())).unwrap();
    let columns = Numbers {
        small: vec![7; 64 * BLOCKS].into(),
        large: vec![7; 64 * BLOCKS].into(),
    };
    file.table(0, &columns).unwrap();
    let mut bytes = file.finish().unwrap().into_inner();
    let place = place(&bytes, "number", 0, 0);
    for block in [0, 31, 32, 63, 64, 149] {
        bytes[place.start + block * 64 * 2] ^= 1;
    }
    let table: Table<Numbers> = open(&bytes).unwrap().table(0).unwrap();
    let expected =
        [0, 31, 32, 63, 64, 149].map(|block| damaged(block, "differs from its checksum"));
    assert_eq!(table.damaged(), expected);
    assert!(table.touch(64..31 * 64).is_ok() && table.touch(65 * 64..149 * 64).is_ok());
    assert!(table.touch(65 * 64..149 * 64).is_ok());
    for block in [0, 31, 32, 63, 64, 149] {
        assert!(table.touch(block * 64..block * 64 + 1).is_err(), "{block}");
    }
    assert!(!table.is_open());
}

proptest! {
    /// What is allowed to be touched is as it was written, whatever was touched before.
    #[test]
    fn touched_rows_are_as_they_were_written(
        at in 0..10 * ROWS, ranges in prop::collection::vec((0..ROWS, 0..ROWS), 1..6),
    ) {
        let columns = place(&sample(), "number", FULL, 0).start..place(&sample(), "number", FULL, 1).end;
        let at = columns.start + at % columns.len();
        let file = open(&with_flipped(at)).unwrap();
        let table: Table<Numbers> = file.table(FULL).unwrap();
        for (a, b) in ranges {
            let rows = a.min(b)..a.max(b);
            if table.touch(rows.clone()).is_ok() {
                prop_assert_eq!(&table.columns().small[rows.clone()], &numbers(ROWS).small[rows.clone()]);
                prop_assert_eq!(&table.columns().large[rows.clone()], &numbers(ROWS).large[rows]);
            }
        }
    }
}

#[test]
fn what_is_shown_of_columns_is_their_beginning() {
    let column: Column<u32> = (0..10).collect();
    let shown = format!("{column:?}");
    assert_eq!(shown, "10 values in memory: [0, 1, 2, 3, 4, 5, 6, 7]");
    assert!(Column::<u32>::default().is_empty());
    let file = open(&sample()).unwrap();
    let table: Table<Numbers> = file.table(FULL).unwrap();
    let shown = format!("{:?}", table.columns().small);
    assert!(shown.starts_with("150 values in a file: [0, 1"), "{shown}");
    let shown = format!("{table:?}");
    assert!(
        shown.contains(&format!("a file of {} bytes", sample().len())),
        "{shown}"
    );
}
