//! What is written does no harm to those who read it: files stay in their folder, cells are no
//! formulas, ids keep their digits.

mod cells;
mod ids;
mod names;

use tilesight_query::Dataset;
use tilesight_query::build::{FeatureRow, Holding, ImageRow, Part, build};
use tilesight_query::{FeatureKind, Tileset};
use tilesight_tile::{Bbox, GridPoint, TileId};

use crate::differential::random::Random;

/// Texts made to do harm somewhere: in a path, a spreadsheet, a terminal.
const CRAFTED: [&str; 44] = [
    "",
    " ",
    ".",
    "..",
    "../..",
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "/etc/passwd",
    "C:\\x",
    "\\\\host\\share",
    "a/b",
    "a\\b",
    "a\0b",
    "a\nb",
    "a\r\nb",
    "~",
    "~root",
    "-rf",
    "--",
    ".hidden",
    "CON",
    "nul",
    "COM1",
    "name.",
    "name ",
    "NAME",
    "Name",
    "%2e%2e%2f",
    "$(id)",
    "`id`",
    "a:stream",
    "\u{202e}fdp",
    "\u{2024}\u{2024}\u{ff0f}",
    "\u{1b}[31m",
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\u{ff1d}1",
    "=cmd|' /C calc'!A0",
    "\"=1\",=1",
];

/// Pieces that names are put together of.
const PIECES: [&str; 16] = [
    "a",
    "A",
    "é",
    "e\u{301}",
    "가",
    "\u{1100}\u{1161}",
    "ß",
    "ss",
    "İ",
    "..",
    "/",
    "\\",
    "\0",
    "=",
    "-",
    " ",
];

/// A text that somebody may have put where names and values come from.
fn hostile_text(random: &mut Random) -> String {
    match random.below(4) {
        0 => random.pick(&CRAFTED).to_owned(),
        1 => random.some_of(&PIECES, 4).concat(),
        2 => {
            let (start, end) = (random.pick(&CRAFTED), random.pick(&CRAFTED));
            format!("{start}{end}").repeat(1 + random.below(30))
        }
        _ => (0..random.below(40)).map(|_| any_char(random)).collect(),
    }
}

fn any_char(random: &mut Random) -> char {
    let most = random.pick(&[0x80, 0x250, 0x3000, 0x11_0000]);
    char::from_u32(random.below(most) as u32).unwrap_or('\u{fffd}')
}

/// A dataset with a sequence of one image, and a map feature, for each text; their ids count from
/// `first_id` on.
fn dataset_of(texts: &[String], first_id: i64) -> Dataset {
    let tile = TileId::new(14, 9326, 4742).unwrap();
    let GridPoint { x, y } = tile.origin();
    let mut part = Part::new();
    let mut rows = part.tile(tile, None);
    for (text, at) in texts.iter().zip(0..) {
        let point = GridPoint {
            x: x + 64 * (at % 4096),
            y: y + 64 * (at / 4096),
        };
        let (sequence, value) = (rows.sequence(text), rows.value(text));
        let id = first_id + i64::from(at);
        rows.image(ImageRow {
            sequence: Some(sequence),
            captured_at_ms: Some(1_600_000_000_000),
            compass_angle_deg: Some(90.0),
            is_pano: Some(false),
            organization_id: Some(-id),
            creator_id: Some(id),
            ..ImageRow::at(point, id)
        });
        rows.feature(FeatureRow {
            kind: FeatureKind::Point,
            point,
            id,
            id_is_exact: true,
            value: Some(value),
            first_seen_at_ms: None,
            last_seen_at_ms: None,
        });
    }
    let holding = |tileset| Holding {
        bounds: Some(Bbox::WORLD),
        ..Holding::nothing(tileset)
    };
    build(vec![part], &Tileset::ALL.map(holding)).unwrap()
}

fn is_whole_edition() -> bool {
    std::env::var_os("TILESIGHT_SOAK").is_some()
}
