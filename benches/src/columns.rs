//! The columns that every rival has to produce, for the same work is to be compared.

use rustc_hash::FxHashMap;
use tilesight_mvt::Columns;

/// A column and which of its rows are not null.
#[derive(Debug, Default, PartialEq)]
pub struct Column<T> {
    /// One a row; the default where null.
    pub values: Vec<T>,
    /// One a row.
    pub valid: Vec<bool>,
}

impl<T: Default> Column<T> {
    fn clear(&mut self, rows: usize) {
        self.values.clear();
        self.values.reserve(rows);
        self.valid.clear();
        self.valid.reserve(rows);
    }

    /// Appends a row.
    #[inline]
    pub fn push(&mut self, value: Option<T>) {
        self.valid.push(value.is_some());
        self.values.push(value.unwrap_or_default());
    }
}

/// The images of one tile.
#[derive(Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the names are those of the tile")]
pub struct ImageColumns {
    pub x: Vec<u32>,
    pub y: Vec<u32>,
    pub id: Column<i64>,
    pub captured_at: Column<i64>,
    pub compass_angle: Column<f64>,
    pub is_pano: Column<bool>,
    /// Indices into `strings`.
    pub sequence_id: Column<u32>,
    pub organization_id: Column<i64>,
    pub creator_id: Column<i64>,
    pub strings: Vec<String>,
}

impl ImageColumns {
    /// Forgets all rows and makes room for others.
    pub fn clear(&mut self, rows: usize) {
        for positions in [&mut self.x, &mut self.y] {
            positions.clear();
            positions.reserve(rows);
        }
        for integers in [
            &mut self.id,
            &mut self.captured_at,
            &mut self.organization_id,
            &mut self.creator_id,
        ] {
            integers.clear(rows);
        }
        self.compass_angle.clear(rows);
        self.is_pano.clear(rows);
        self.sequence_id.clear(rows);
        self.strings.clear();
    }

    /// The same content, from ours.
    pub fn from_ours(columns: &Columns) -> Self {
        let rows = columns.len();
        let mut images = Self::default();
        images.x.extend(columns.points().x);
        images.y.extend(columns.points().y);
        for row in 0..rows {
            images.id.push(columns.integers(0).get(row));
            images.captured_at.push(columns.integers(1).get(row));
            images.compass_angle.push(columns.reals(2).get(row));
            images.is_pano.push(columns.booleans(3).get(row));
            let texts = columns.texts(4);
            images
                .sequence_id
                .push(texts.validity.get(row).then(|| texts.indices[row]));
            images.organization_id.push(columns.integers(5).get(row));
            images.creator_id.push(columns.integers(6).get(row));
        }
        images.strings = columns.strings().iter().map(str::to_owned).collect();
        images
    }

    /// Whether both hold the same rows, however their strings are numbered.
    pub fn same_rows(&self, other: &Self) -> bool {
        let texts = |images: &Self, row: usize| {
            let index = images.sequence_id.values[row] as usize;
            images.sequence_id.valid[row].then(|| images.strings[index].clone())
        };
        self.x == other.x
            && self.y == other.y
            && self.id == other.id
            && self.captured_at == other.captured_at
            && self.compass_angle == other.compass_angle
            && self.is_pano == other.is_pano
            && self.organization_id == other.organization_id
            && self.creator_id == other.creator_id
            && (0..self.x.len()).all(|row| texts(self, row) == texts(other, row))
    }
}

/// Gives equal strings one number, as a user of a rival would.
#[derive(Default)]
pub struct Interner {
    numbers: FxHashMap<String, u32>,
}

impl Interner {
    /// The number of a string.
    pub fn intern(&mut self, text: &str, strings: &mut Vec<String>) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = strings.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        strings.push(text.to_owned());
        number
    }
}
