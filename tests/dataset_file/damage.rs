//! Whatever happens to a file: checking all of it finds the damage, and questions are answered
//! rightly or not at all.
//!
//! With `TILESIGHT_SOAK=1` every single bit is flipped, two generations are glued together at every
//! byte, and ten thousand random damages are made of a file of 100 MB.

use std::fs::{self, File};
use std::io::{Cursor, ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

use tilesight_hostile::dataset_file::Layout;
use tilesight_query::build::Builder;
use tilesight_query::{Dataset, Error, Io};

use super::sample::{ABOUT, answers, build, bytes_of, parts, sample};
use crate::differential::random::Random;

/// How much is tried.
struct Edition {
    /// Of the bytes of columns one in so many has its bits flipped.
    bytes_apart: usize,
    /// One in so many flips is followed by questions.
    asked_apart: u64,
    /// Bytes between the places at which two generations are glued together.
    cuts_apart: usize,
    /// Images of the file that is damaged at random.
    images: usize,
    damages: u64,
    /// One in so many of these damages is followed by questions.
    damages_apart: u64,
}

const SMALL: Edition = Edition {
    bytes_apart: 16,
    asked_apart: 41,
    cuts_apart: 257,
    images: 1600,
    damages: 200,
    damages_apart: 1,
};

const WHOLE: Edition = Edition {
    bytes_apart: 1,
    asked_apart: 7,
    cuts_apart: 1,
    images: 2_000_000,
    damages: 10_000,
    damages_apart: 100,
};

impl Edition {
    fn of_this_run() -> &'static Self {
        let is_soak = std::env::var_os("TILESIGHT_SOAK").is_some_and(|value| value == "1");
        if is_soak { &WHOLE } else { &SMALL }
    }
}

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
fn damage_is_found_and_never_believed() {
    let edition = Edition::of_this_run();
    let (small, bytes) = sample(1);
    let flips = flip_bits(&small, &bytes, edition);
    cut_or_grow(&bytes);
    let glued = glue_halves(edition.cuts_apart);
    let large = build(Builder::in_memory(), &parts(edition.images, 3));
    let large_bytes = bytes_of(&large, ABOUT);
    damage_at_random(&large, &large_bytes, edition);
    println!(
        "reliability: dataset file: {flips} single-bit flips and {} truncations of {} bytes, \
         {glued} files glued of two generations, {} random damages of {:.1} MB: 0 not found, \
         0 wrong answers",
        bytes.len(),
        bytes.len(),
        edition.damages,
        large_bytes.len() as f64 / 1e6,
    );
}

/// Flips bits one by one; returns how many.
fn flip_bits(data: &Dataset, bytes: &[u8], edition: &Edition) -> u64 {
    let (expected, layout) = (Expected::of(data), Layout::of(bytes).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flipped.tsight");
    fs::write(&path, bytes).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let mut flips = 0u64;
    for at in 0..bytes.len() {
        if layout.is_in_column(at) && at % edition.bytes_apart != 0 {
            continue;
        }
        for bit in 0..8 {
            overwrite(&file, at, &[bytes[at] ^ 1 << bit]);
            let damage = format!("bit {bit} of byte {at}");
            assert!(is_found_out(&path), "{damage}");
            if flips.is_multiple_of(edition.asked_apart) {
                expected.check(&path, &damage);
            }
            flips += 1;
        }
        overwrite(&file, at, &bytes[at..=at]);
    }
    assert_eq!(fs::read(&path).unwrap(), bytes);
    flips
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

/// Cuts a file after each of its bytes.
fn cut_or_grow(bytes: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.tsight");
    fs::write(&path, [bytes, &[0]].concat()).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    assert!(Dataset::open(&path, Io::Map).is_err());
    for len in (0..bytes.len()).rev() {
        file.set_len(len as u64).unwrap();
        assert!(Dataset::open(&path, Io::Map).is_err(), "{len} bytes");
    }
}

/// Puts the beginning of one file before the end of another; returns how many times.
fn glue_halves(cuts_apart: usize) -> usize {
    let (old, new) = (sample(1).1, sample(2).1);
    let noted = bytes_of(&sample(1).0, r#"{"name":"Sample"}"#);
    assert_eq!(noted.len(), old.len(), "the two differ in one letter");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("glued.tsight");
    let mut tried = 0;
    for (first, second) in [(&old, &new), (&new, &old), (&old, &noted), (&noted, &old)] {
        for cut in (1..first.len().min(second.len())).step_by(cuts_apart) {
            let glued = [&first[..cut], &second[cut..]].concat();
            if glued == *first || glued == *second {
                continue;
            }
            fs::write(&path, glued).unwrap();
            assert!(Dataset::open(&path, Io::Map).is_err(), "cut at {cut}");
            tried += 1;
        }
    }
    tried
}

fn damage_at_random(data: &Dataset, bytes: &[u8], edition: &Edition) {
    let expected = Expected::of(data);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("damaged.tsight");
    fs::write(&path, bytes).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let mut random = Random::new(4);
    for time in 0..edition.damages {
        let (at, damaged) = damage(&mut random, bytes);
        overwrite(&file, at, &damaged);
        let named = format!("damage {time}: {} bytes from {at} on", damaged.len());
        let is_damaged = bytes[at..at + damaged.len()] != damaged[..];
        assert_eq!(is_found_out(&path), is_damaged, "{named}");
        if time.is_multiple_of(edition.damages_apart) {
            expected.check(&path, &named);
        }
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
