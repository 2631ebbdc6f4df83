//! Damage to bytes and texts.

use fastrand::Rng;

/// Numbers at whose edges parsers are wrong, as text.
const NUMBERS: [&str; 14] = [
    "0",
    "-0",
    "-1",
    "1e308",
    "1e-400",
    "1e999",
    "0.1",
    "180",
    "-180.0000001",
    "90",
    "2147483648",
    "9007199254740993",
    "-9223372036854775808",
    "18446744073709551616",
];

/// Pieces of text that mean something to one parser or another.
const WORDS: [&str; 24] = [
    "\"", "\\u0000", "\\ud800", "\u{feff}", "\u{1e}", "\u{301}", "{", "}", "[", "]", ",", ":",
    "null", "true", "[[", "]]", "{}", "[]", "\"\"", "\t", "\n", "NULL", "NaN", "Z",
];

/// Makes between one and four damages, with stretches of other files.
///
/// # Panics
///
/// When there are no other files.
pub fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Rng) {
    for _ in 0..random.usize(1..=4) {
        damage(bytes, others, random);
    }
}

fn damage(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Rng) {
    let at = random.usize(0..=bytes.len());
    let most = 1 << random.u32(0..8);
    let len = random.usize(0..=(bytes.len() - at).min(most));
    let stretch = bytes[at..at + len].to_vec();
    match random.u8(0..12) {
        0 => bytes.truncate(at),
        1 | 2 => change(bytes, at, |byte| byte ^ 1 << random.u8(0..8)),
        3 => change(bytes, at, |byte| {
            byte.wrapping_add(random.choice([1, 255]).unwrap_or(1))
        }),
        4 => drop(bytes.drain(at..at + len)),
        5 => insert(bytes, random.usize(0..=bytes.len()), &stretch),
        6 => insert_stretch(
            bytes,
            at,
            &others[random.usize(0..others.len())],
            len,
            random,
        ),
        7 => insert(
            bytes,
            at,
            random.choice(WORDS).unwrap_or_default().as_bytes(),
        ),
        8 => replace_number(bytes, at, random.choice(NUMBERS).unwrap_or_default()),
        9 => overwrite(bytes, at, &edge(random)),
        10 => insert(bytes, at, &varint(random)),
        _ => bytes[at..at + len].fill(random.choice([0, b' ', 0xff]).unwrap_or(0)),
    }
}

fn change(bytes: &mut [u8], at: usize, change: impl FnOnce(u8) -> u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = change(*byte);
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}

fn insert_stretch(bytes: &mut Vec<u8>, at: usize, other: &[u8], len: usize, random: &mut Rng) {
    let from = random.usize(0..=other.len());
    insert(bytes, at, &other[from..(from + len).min(other.len())]);
}

/// Puts a number in place of the next one of a text.
fn replace_number(bytes: &mut Vec<u8>, at: usize, number: &str) {
    let is_of_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let next = bytes[at..].iter().position(u8::is_ascii_digit);
    if let Some(from) = next.map(|ahead| at + ahead) {
        let len = bytes[from..]
            .iter()
            .take_while(|byte| is_of_number(byte))
            .count();
        bytes.splice(from..from + len, number.bytes());
    }
}

fn overwrite(bytes: &mut [u8], at: usize, number: &[u8]) {
    let len = number.len().min(bytes.len() - at);
    bytes[at..at + len].copy_from_slice(&number[..len]);
}

/// A number of one, two, four or eight bytes that is nothing, everything, or one bit.
fn edge(random: &mut Rng) -> Vec<u8> {
    let number = match random.u8(0..4) {
        0 => 0,
        1 => u64::MAX,
        2 => 1 << random.u32(0..64),
        _ => random.u64(0..300),
    };
    number.to_le_bytes()[..1 << random.u32(0..4)].to_vec()
}

/// A number in groups of seven bits that is huge, or too long.
fn varint(random: &mut Rng) -> Vec<u8> {
    let mut varint = vec![0xff; random.usize(0..12)];
    varint.push(random.u8(0..0x80));
    varint
}
