//! One typed array for each attribute, one position for each row.

use crate::bits::Bits;
use crate::error::FeatureBreach;
use crate::geometry::GeometryType;
use crate::rows::Rows;
use crate::schema::{ColumnType, LayerSchema};
use crate::shapes::{Lines, Shapes};
use crate::strings::Strings;
use crate::tables::Tables;

/// A decoded layer.
///
/// A row is a feature, or one point of a multipoint with the attributes of the whole repeated.
/// Rows are in the order of the layer. Columns are in the order of the schema.
///
/// One `Columns` serves many layers: each decoding replaces the content and reuses the memory.
/// Two are equal when they hold the same rows and left out as many features.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    pub(crate) shapes: Shapes,
    pub(crate) attributes: Vec<Column>,
    pub(crate) strings: Strings,
    pub(crate) skipped: Skipped,
    /// Kept for the next layer, of no meaning after decoding.
    pub(crate) tables: Tables,
    pub(crate) pending: Rows,
}

/// The features that were left out because they break the specification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many.
    pub count: usize,
    /// Where the first of them begins in the (inflated) tile, and what it breaks.
    pub first: Option<(usize, FeatureBreach)>,
}

/// The positions of all rows, in grid units.
///
/// That of a line or polygon is its first vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Points<'a> {
    /// Counted from the western edge of the world.
    pub x: &'a [u32],
    /// Counted from the northern edge of the world.
    pub y: &'a [u32],
}

/// A column of integers.
#[derive(Clone, Copy, Debug)]
pub struct Integers<'a> {
    /// One a row, 0 where null.
    pub values: &'a [i64],
    /// Set where the row has a value.
    pub validity: &'a Bits,
    /// Set where the value came as a floating-point number too large to be exact.
    pub inexact: &'a Bits,
}

/// A column of real numbers.
#[derive(Clone, Copy, Debug)]
pub struct Reals<'a> {
    /// One a row, finite, 0 where null.
    pub values: &'a [f64],
    /// Set where the row has a value.
    pub validity: &'a Bits,
}

/// A column of booleans.
#[derive(Clone, Copy, Debug)]
pub struct Booleans<'a> {
    /// Set where the row is true.
    pub values: &'a Bits,
    /// Set where the row has a value.
    pub validity: &'a Bits,
}

/// A column of strings.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    /// One a row, into `strings`; 0 where null.
    pub indices: &'a [u32],
    /// Set where the row has a value.
    pub validity: &'a Bits,
    /// The strings of all text columns of the layer.
    pub strings: &'a Strings,
}

impl Integers<'_> {
    /// The value of a row, unless it is null.
    #[inline]
    pub fn get(&self, row: usize) -> Option<i64> {
        self.validity.get(row).then(|| self.values[row])
    }
}

impl Reals<'_> {
    /// The value of a row, unless it is null.
    #[inline]
    pub fn get(&self, row: usize) -> Option<f64> {
        self.validity.get(row).then(|| self.values[row])
    }
}

impl Booleans<'_> {
    /// The value of a row, unless it is null.
    #[inline]
    pub fn get(&self, row: usize) -> Option<bool> {
        self.validity.get(row).then(|| self.values.get(row))
    }
}

impl<'a> Texts<'a> {
    /// The value of a row, unless it is null.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&'a str> {
        if !self.validity.get(row) {
            return None;
        }
        self.strings.get(self.indices[row])
    }
}

impl Columns {
    /// Makes columns without rows, to be decoded into.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.shapes.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The positions, one a row.
    pub fn points(&self) -> Points<'_> {
        Points {
            x: &self.shapes.x,
            y: &self.shapes.y,
        }
    }

    /// The lines and rings of the rows that are not points.
    pub fn lines(&self) -> &Lines {
        &self.shapes.lines
    }

    /// What a row is; beyond the last row, a point.
    pub fn geometry_type(&self, row: usize) -> GeometryType {
        self.shapes.lines.geometry_type(row)
    }

    /// The `column`-th attribute of the schema, an [`Integer`](ColumnType::Integer) there.
    ///
    /// # Panics
    ///
    /// When the schema says otherwise.
    pub fn integers(&self, column: usize) -> Integers<'_> {
        match &self.attributes[column].values {
            Values::Integers { values, inexact } => Integers {
                values,
                inexact,
                validity: &self.attributes[column].validity,
            },
            other => panic!("column {column} is {:?}, not Integer", other.column_type()),
        }
    }

    /// The `column`-th attribute of the schema, a [`Real`](ColumnType::Real) there.
    ///
    /// # Panics
    ///
    /// When the schema says otherwise.
    pub fn reals(&self, column: usize) -> Reals<'_> {
        match &self.attributes[column].values {
            Values::Reals(values) => Reals {
                values,
                validity: &self.attributes[column].validity,
            },
            other => panic!("column {column} is {:?}, not Real", other.column_type()),
        }
    }

    /// The `column`-th attribute of the schema, a [`Boolean`](ColumnType::Boolean) there.
    ///
    /// # Panics
    ///
    /// When the schema says otherwise.
    pub fn booleans(&self, column: usize) -> Booleans<'_> {
        match &self.attributes[column].values {
            Values::Booleans(values) => Booleans {
                values,
                validity: &self.attributes[column].validity,
            },
            other => panic!("column {column} is {:?}, not Boolean", other.column_type()),
        }
    }

    /// The `column`-th attribute of the schema, a [`Text`](ColumnType::Text) there.
    ///
    /// # Panics
    ///
    /// When the schema says otherwise.
    pub fn texts(&self, column: usize) -> Texts<'_> {
        match &self.attributes[column].values {
            Values::Texts(indices) => Texts {
                indices,
                validity: &self.attributes[column].validity,
                strings: &self.strings,
            },
            other => panic!("column {column} is {:?}, not Text", other.column_type()),
        }
    }

    /// How many rows have a value in a column that cannot become its type, and are null for that.
    ///
    /// # Panics
    ///
    /// When the schema has no such column.
    pub fn unusable(&self, column: usize) -> usize {
        self.attributes[column].unusable
    }

    /// The distinct strings of the text columns; their order means nothing.
    pub fn strings(&self) -> &Strings {
        &self.strings
    }

    /// The features that were left out.
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// The bytes that the rows take, without what is kept for the next layer.
    pub fn byte_len(&self) -> usize {
        let attributes = self.attributes.iter().map(Column::byte_len).sum::<usize>();
        self.shapes.byte_len() + attributes + self.strings.byte_len()
    }

    /// Forgets all rows and prepares the columns of a schema.
    pub(crate) fn reset(&mut self, schema: &LayerSchema<'_>) {
        self.shapes.clear();
        self.strings.clear();
        self.tables.clear();
        self.skipped = Skipped::default();
        let types = || schema.keys.iter().map(|&(_, column_type)| column_type);
        if !self
            .attributes
            .iter()
            .map(|column| column.values.column_type())
            .eq(types())
        {
            self.attributes = types().map(Column::new).collect();
        }
        self.attributes.iter_mut().for_each(Column::clear);
    }
}

impl PartialEq for Columns {
    fn eq(&self, other: &Self) -> bool {
        let same_column = |index: usize| {
            let (a, b) = (&self.attributes[index], &other.attributes[index]);
            let same_values = match (&a.values, &b.values) {
                (Values::Texts(_), Values::Texts(_)) => {
                    let (a, b) = (self.texts(index), other.texts(index));
                    (0..self.len()).all(|row| a.get(row) == b.get(row))
                }
                (a, b) => a == b,
            };
            same_values && a.validity == b.validity && a.unusable == b.unusable
        };
        self.shapes == other.shapes
            && self.skipped == other.skipped
            && self.attributes.len() == other.attributes.len()
            && (0..self.attributes.len()).all(same_column)
    }
}

/// One attribute of all rows.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub values: Values,
    pub validity: Bits,
    pub unusable: usize,
}

/// The values of a column, by its type; nulls hold a place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    Integers { values: Vec<i64>, inexact: Bits },
    Reals(Vec<f64>),
    Booleans(Bits),
    Texts(Vec<u32>),
}

impl Values {
    pub(crate) fn column_type(&self) -> ColumnType {
        match self {
            Self::Integers { .. } => ColumnType::Integer,
            Self::Reals(_) => ColumnType::Real,
            Self::Booleans(_) => ColumnType::Boolean,
            Self::Texts(_) => ColumnType::Text,
        }
    }
}

impl Column {
    pub(crate) fn new(column_type: ColumnType) -> Self {
        let values = match column_type {
            ColumnType::Integer => Values::Integers {
                values: Vec::new(),
                inexact: Bits::default(),
            },
            ColumnType::Real => Values::Reals(Vec::new()),
            ColumnType::Boolean => Values::Booleans(Bits::default()),
            ColumnType::Text => Values::Texts(Vec::new()),
        };
        Self {
            values,
            validity: Bits::default(),
            unusable: 0,
        }
    }

    fn clear(&mut self) {
        self.validity.clear();
        self.unusable = 0;
        match &mut self.values {
            Values::Integers { values, inexact } => {
                values.clear();
                inexact.clear();
            }
            Values::Reals(values) => values.clear(),
            Values::Booleans(values) => values.clear(),
            Values::Texts(indices) => indices.clear(),
        }
    }

    fn byte_len(&self) -> usize {
        let values = match &self.values {
            Values::Integers { values, inexact } => size_of_val(&values[..]) + inexact.byte_len(),
            Values::Reals(values) => size_of_val(&values[..]),
            Values::Booleans(values) => values.byte_len(),
            Values::Texts(indices) => size_of_val(&indices[..]),
        };
        values + self.validity.byte_len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writer::{LayerWriter, TileWriter, Value};
    use crate::{Decoder, TileFrame};

    const SCHEMA: LayerSchema<'static> = LayerSchema {
        keys: &[
            ("id", ColumnType::Integer),
            ("angle", ColumnType::Real),
            ("is_pano", ColumnType::Boolean),
            ("name", ColumnType::Text),
        ],
    };

    /// Two points and a line, the first with all attributes, the second with an unusable one.
    fn three_rows() -> Columns {
        let mut layer = LayerWriter::new("image");
        let all = [
            ("id", Value::Int(1)),
            ("angle", Value::Double(2.5)),
            ("is_pano", Value::Bool(true)),
            ("name", Value::String("abc")),
        ];
        layer.point((1, 2), &all);
        layer.point((3, 4), &[("id", Value::Bool(true))]);
        layer.lines(&[[(0, 0), (1, 1)]], &[]);
        let mut tile = TileWriter::new();
        tile.push(layer);
        let tile = tile.finish();
        let mut decoder = Decoder::new();
        let frame = TileFrame {
            origin_x: 0,
            origin_y: 0,
            side: 1 << 18,
        };
        let mut columns = Columns::new();
        let tile = decoder.tile(&tile).unwrap();
        tile.layers()[0]
            .decode(&SCHEMA, frame, &mut columns)
            .unwrap();
        columns
    }

    #[test]
    fn bytes_are_those_of_all_rows() {
        let (word, rows) = (size_of::<u64>(), 3);
        let positions = rows * 8;
        // A type and an end a row, an end a part, and two vertices.
        let lines = rows * (1 + 4) + 4 + 2 * 8;
        let integers = rows * 8 + 2 * word;
        let reals = rows * 8 + word;
        let booleans = 2 * word;
        let texts = rows * 4 + word + "abc".len() + 4;
        let attributes = integers + reals + booleans + texts;
        assert_eq!(three_rows().byte_len(), positions + lines + attributes);
        assert_eq!(Columns::new().byte_len(), 0);
    }

    #[test]
    fn what_cannot_be_used_is_counted_by_column() {
        let columns = three_rows();
        assert_eq!(
            [0, 1, 2, 3].map(|column| columns.unusable(column)),
            [1, 0, 0, 0]
        );
        let rows = [0, 1];
        assert_eq!(
            rows.map(|row| columns.integers(0).get(row)),
            [Some(1), None]
        );
        assert_eq!(rows.map(|row| columns.reals(1).get(row)), [Some(2.5), None]);
        assert_eq!(
            rows.map(|row| columns.booleans(2).get(row)),
            [Some(true), None]
        );
        assert_eq!(
            rows.map(|row| columns.texts(3).get(row)),
            [Some("abc"), None]
        );
        assert!(!columns.is_empty() && Columns::new().is_empty());
        assert_eq!(
            (columns.lines().part_count(), columns.lines().vertex_count()),
            (1, 2)
        );
    }

    #[test]
    fn equal_are_those_of_equal_rows() {
        let columns = three_rows();
        assert_eq!(columns, three_rows());
        let change = |change: fn(&mut Columns)| {
            let mut other = three_rows();
            change(&mut other);
            other
        };
        let others = [
            change(|other| other.shapes.x[0] += 1),
            change(|other| other.skipped.count += 1),
            change(|other| other.attributes[1].unusable += 1),
            change(|other| other.attributes[2].validity.clear()),
            change(|other| other.attributes[0].values = Values::Texts(vec![0; 3])),
            change(|other| drop(other.attributes.pop())),
            change(|other| other.strings.clear()),
        ];
        for (number, other) in others.iter().enumerate() {
            assert_ne!(&columns, other, "{number}");
        }
    }

    #[test]
    #[should_panic(expected = "column 1 is Real, not Integer")]
    fn reals_are_no_integers() {
        three_rows().integers(1);
    }

    #[test]
    #[should_panic(expected = "column 2 is Boolean, not Real")]
    fn booleans_are_no_reals() {
        three_rows().reals(2);
    }

    #[test]
    #[should_panic(expected = "column 3 is Text, not Boolean")]
    fn texts_are_no_booleans() {
        three_rows().booleans(3);
    }

    #[test]
    #[should_panic(expected = "column 0 is Integer, not Text")]
    fn integers_are_no_texts() {
        three_rows().texts(0);
    }
}
