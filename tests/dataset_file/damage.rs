//! Whatever happens to a file: checking all of it finds the damage, and questions are answered
//! rightly or not at all.
//!
//! `TILESIGHT_EVERY_BIT=7` flips every single bit and asks after each seventh of them;
//! `TILESIGHT_DAMAGES=10000` makes so many random damages of a larger file.

use std::fs::{self, File};
use std::io::{Cursor, ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

use tilesight_query::build::Builder;
use tilesight_query::{Dataset, Error, Io};

use super::crafted::Layout;
use super::sample::{ABOUT, answers, build, bytes_of, parts, sample};
use crate::differential::random::Random;
use crate::differential::runner::number_in;

const EVERY_BIT_VARIABLE: &str = "TILESIGHT_EVERY_BIT";
const DAMAGES_VARIABLE: &str = "TILESIGHT_DAMAGES";

/// Of the bytes of columns one in so many has its bits flipped, unless all have.
const BYTES_APART: usize = 16;

/// One in so many flips is followed by questions.
const ASKED_APART: u64 = 41;

/// Tells whether a file is refused or found damaged.
fn is_found_out(path: &Path) -> bool {
    Dataset::open(path, Io::Map).map_or(true, |(data, _)| !data.verify().is_empty())
}

/// The answers of the sample before it was damaged.
struct Expected(Vec<Result<String, Error>>);

impl Expected {
    fn of(data: &Dataset) -> Self {
        Self(answers(data))
    }

    /// Asks a file, which may refuse.
    fn check(&self, path: &Path, damage: &str) {
        let Ok((data, about)) = Dataset::open(path, Io::Map) else {
            return;
        };
        assert_eq!(about, ABOUT, "{damage}");
        for (answer, expected) in answers(&data).iter().zip(&self.0) {
            let is_refused = matches!(answer, Err(Error::Damaged(_)));
            assert!(is_refused || answer == expected, "{damage}: {answer:?}");
        }
    }
}

fn overwrite(mut file: &File, at: usize, bytes: &[u8]) {
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn the_sample_is_sound() {
    let (data, bytes) = sample(1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sample.tsight");
    fs::write(&path, &bytes).unwrap();
    for io in [Io::Map, Io::Read] {
        let (opened, about) = Dataset::open(&path, io).unwrap();
        assert_eq!((opened.verify(), about.as_str()), (vec![], ABOUT));
        assert_eq!(answers(&opened), answers(&data));
        assert_eq!(bytes_of(&opened, ABOUT), bytes);
    }
    let empty = answers(&data)
        .into_iter()
        .filter(|answer| *answer == Ok("[]".into()));
    assert_eq!(empty.count(), 0, "every question finds something");
}

#[test]
fn a_flipped_bit_is_found_and_never_believed() {
    let (data, bytes) = sample(1);
    let (expected, layout) = (Expected::of(&data), Layout::of(&bytes));
    let asked_apart = number_in(EVERY_BIT_VARIABLE);
    let (every_bit, asked_apart) = (asked_apart.is_some(), asked_apart.unwrap_or(ASKED_APART));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flipped.tsight");
    fs::write(&path, &bytes).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let mut flips = 0u64;
    for at in 0..bytes.len() {
        if !every_bit && layout.is_in_column(at) && at % BYTES_APART != 0 {
            continue;
        }
        for bit in 0..8 {
            overwrite(&file, at, &[bytes[at] ^ 1 << bit]);
            let damage = format!("bit {bit} of byte {at}");
            assert!(is_found_out(&path), "{damage}");
            if flips.is_multiple_of(asked_apart) {
                expected.check(&path, &damage);
            }
            flips += 1;
        }
        overwrite(&file, at, &bytes[at..=at]);
    }
    assert_eq!(fs::read(&path).unwrap(), bytes);
    println!("{flips} flips of {} bytes", bytes.len());
}

#[test]
fn a_damaged_file_is_not_written_anew_as_a_sound_one() {
    let (_, mut bytes) = sample(1);
    bytes[64] ^= 1;
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &bytes).unwrap();
    let (data, _) = Dataset::open(file.path(), Io::Map).unwrap();
    let written = data.write(Cursor::new(Vec::new()), ABOUT);
    assert_eq!(written.unwrap_err().kind(), ErrorKind::InvalidData);
}

#[test]
fn a_file_cut_short_or_grown_is_refused() {
    let (_, bytes) = sample(1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.tsight");
    fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    assert!(Dataset::open(&path, Io::Map).is_err());
    for len in (0..bytes.len()).rev() {
        file.set_len(len as u64).unwrap();
        assert!(Dataset::open(&path, Io::Map).is_err(), "{len} bytes");
    }
}

#[test]
fn halves_of_two_generations_are_refused() {
    let (old, new) = (sample(1).1, sample(2).1);
    let noted = bytes_of(&sample(1).0, r#"{"name":"Sample"}"#);
    assert_eq!(noted.len(), old.len(), "the two differ in one letter");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("glued.tsight");
    for (first, second) in [(&old, &new), (&new, &old), (&old, &noted), (&noted, &old)] {
        for cut in (1..first.len().min(second.len())).step_by(257) {
            let glued = [&first[..cut], &second[cut..]].concat();
            if glued == *first || glued == *second {
                continue;
            }
            fs::write(&path, glued).unwrap();
            assert!(Dataset::open(&path, Io::Map).is_err(), "cut at {cut}");
        }
    }
}

#[test]
fn random_damage_is_found_and_never_believed() {
    let (times, images) = match number_in(DAMAGES_VARIABLE) {
        Some(times) => (times, 200_000),
        None => (200, 1600),
    };
    let data = build(Builder::in_memory(), &parts(images, 3));
    let (expected, bytes) = (Expected::of(&data), bytes_of(&data, ABOUT));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("damaged.tsight");
    fs::write(&path, &bytes).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let mut random = Random::new(4);
    for time in 0..times {
        let (at, damaged) = damage(&mut random, &bytes);
        overwrite(&file, at, &damaged);
        let named = format!("damage {time}: {} bytes from {at} on", damaged.len());
        let is_damaged = bytes[at..at + damaged.len()] != damaged[..];
        assert_eq!(is_found_out(&path), is_damaged, "{named}");
        expected.check(&path, &named);
        overwrite(&file, at, &bytes[at..at + damaged.len()]);
    }
}

/// A run of other bytes, a page of zeros, or a block that belongs elsewhere; and where.
fn damage(random: &mut Random, bytes: &[u8]) -> (usize, Vec<u8>) {
    const PAGE: usize = 4096;
    let page = |random: &mut Random| random.below(bytes.len() / PAGE) * PAGE;
    match random.below(3) {
        0 => {
            let at = random.below(bytes.len());
            let len = (1 + random.below(300)).min(bytes.len() - at);
            (at, (0..len).map(|_| random.bits() as u8).collect())
        }
        1 => (page(random), vec![0; PAGE]),
        _ => {
            let from = page(random);
            (page(random), bytes[from..from + PAGE].to_vec())
        }
    }
}
