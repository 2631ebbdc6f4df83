//! From the tags of features to typed columns, a few hundred rows at a time.
//!
//! The tags of a feature jump between columns and the values of a column jump about in the table.
//! Taking both leaps at once is slow, so first the tags of some rows are sorted into columns of
//! value indices, which fit in the nearest cache, then each column looks up its values in one
//! tight loop.

use crate::bits::Bits;
use crate::budget::{Budget, Exhausted};
use crate::coerce::{to_boolean, to_integer, to_real};
use crate::columns::{Column, Values};
use crate::error::FeatureBreach;
use crate::geometry::Unreadable;
use crate::layer::as_str;
use crate::strings::Strings;
use crate::tables::{Kind, SHORT_KEYS, Tables, string_span};
use crate::wire::{Reader, Window};

/// How many rows wait until their values are looked up; a multiple of 64.
pub(crate) const CAPACITY: usize = 512;

/// Rows whose values are still indices into the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    /// [`CAPACITY`] for each column.
    indices: Vec<u32>,
    len: usize,
    /// The index that stands for no value.
    absent: u32,
    /// The key indices of one feature, where they are not in order.
    keys: Vec<u32>,
}

/// What values refer to.
pub(crate) struct Lookup<'a, 'b> {
    pub body: Reader<'a>,
    pub tables: &'b mut Tables,
    pub strings: &'b mut Strings,
    pub budget: &'b mut Budget,
}

impl Rows {
    /// Starts without rows.
    pub(crate) fn reset(&mut self, columns: usize, absent: u32) {
        self.indices.clear();
        self.indices.resize(columns * CAPACITY, absent);
        self.len = 0;
        self.absent = absent;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len == CAPACITY
    }

    /// Sorts the tags of a feature into a row, which is not counted before [`push`](Self::push).
    ///
    /// This is for what nearly all are: of short pairs within the tables, no key twice.
    /// Otherwise it may leave a part of them behind.
    #[inline]
    pub(crate) fn read_usual_tags(&mut self, tags: Window<'_>, tables: &Tables) -> Option<()> {
        let (columns, absent) = (tables.short_columns()?, self.absent);
        let mut rest = tags.packed()?;
        let (mut seen, mut keys) = (0_u64, 0);
        while !rest.is_spent() {
            let (key, value) = rest.pair()?;
            let bit = 1_u64.wrapping_shl(key);
            if seen & bit != 0 || value >= absent {
                return None;
            }
            seen |= bit;
            keys |= key;
            self.set(columns[key as usize % SHORT_KEYS], value);
        }
        (keys < 64 && seen & !tables.short_keys() == 0).then_some(())
    }

    /// Sorts any tags into a row.
    ///
    /// 4.4 is checked for all pairs, also those whose key is not in the schema.
    pub(crate) fn read_tags(
        &mut self,
        tags: Reader<'_>,
        version: u32,
        tables: &Tables,
        budget: &mut Budget,
    ) -> Result<(), Unreadable> {
        self.keys.clear();
        budget.reserve(&mut self.keys, tags.len() / 2)?;
        let mut rest = tags;
        while !rest.is_empty() {
            let key = rest.varint32()?;
            if rest.is_empty() {
                // 4.4 "A feature MUST have an even number of tag fields."
                return Err(FeatureBreach::OddTags.into());
            }
            let value = rest.varint32()?;
            // 4.4 "MUST NOT contain a key index or value index greater than or equal to the
            // number of elements in the layer's keys or values set"
            let column = tables.column(key).ok_or(FeatureBreach::TagOutOfRange)?;
            if value >= self.absent {
                return Err(FeatureBreach::TagOutOfRange.into());
            }
            self.keys.push(key);
            self.set(column, value);
        }
        // Version 1 has no rule about keys that occur twice: the last one counts.
        if version == 1 {
            Ok(())
        } else {
            self.check_unique_keys()
        }
    }

    /// 4.4 "Every key index MUST be unique within that feature"
    fn check_unique_keys(&mut self) -> Result<(), Unreadable> {
        self.keys.sort_unstable();
        let repeats = self.keys.windows(2).any(|pair| pair[0] == pair[1]);
        if repeats {
            Err(FeatureBreach::RepeatedKey.into())
        } else {
            Ok(())
        }
    }

    /// Sets the value of a column, which is out of range for a key that is not in the schema.
    #[inline]
    fn set(&mut self, column: u32, value: u32) {
        if let Some(index) = self.indices.get_mut(column as usize + self.len) {
            *index = value;
        }
    }

    /// Takes back the tags of a row that is not counted.
    #[cold]
    pub(crate) fn discard(&mut self) {
        if self.is_full() {
            return;
        }
        let (len, absent) = (self.len, self.absent);
        self.indices
            .iter_mut()
            .skip(len)
            .step_by(CAPACITY)
            .for_each(|index| *index = absent);
    }

    /// Counts the row whose tags were read.
    #[inline]
    pub(crate) fn push(&mut self) {
        self.len += 1;
    }

    /// Gives the next row the same tags as the last one.
    pub(crate) fn repeat(&mut self, last: &[u32]) {
        for (column, &index) in self.indices.chunks_exact_mut(CAPACITY).zip(last) {
            column[self.len] = index;
        }
        self.len += 1;
    }

    /// The value indices of the row being read, one a column.
    pub(crate) fn current(&self) -> Vec<u32> {
        self.indices
            .iter()
            .skip(self.len)
            .step_by(CAPACITY)
            .copied()
            .collect()
    }

    /// Looks up all values, appends them to the columns, and starts again.
    pub(crate) fn flush(
        &mut self,
        columns: &mut [Column],
        lookup: &mut Lookup<'_, '_>,
    ) -> Result<(), Unreadable> {
        for (column, indices) in columns
            .iter_mut()
            .zip(self.indices.chunks_exact_mut(CAPACITY))
        {
            column.append(&indices[..self.len], lookup)?;
            indices[..self.len].fill(self.absent);
        }
        self.len = 0;
        Ok(())
    }
}

impl Column {
    pub(crate) fn reserve(&mut self, rows: usize, budget: &mut Budget) -> Result<(), Exhausted> {
        self.validity.reserve(rows, budget)?;
        match &mut self.values {
            Values::Integers { values, inexact } => {
                inexact.reserve(rows, budget)?;
                budget.reserve(values, rows)
            }
            Values::Reals(values) => budget.reserve(values, rows),
            Values::Booleans(values) => values.reserve(rows, budget),
            Values::Texts(indices) => budget.reserve(indices, rows),
        }
    }

    fn append(&mut self, indices: &[u32], lookup: &mut Lookup<'_, '_>) -> Result<(), Unreadable> {
        let (validity, unusable) = (&mut self.validity, &mut self.unusable);
        for indices in indices.chunks(64) {
            let mut word = Word {
                valid: 0,
                mark: 0,
                unusable: 0,
            };
            match &mut self.values {
                Values::Integers { values, inexact } => {
                    word.append_integers(indices, values, lookup);
                    inexact.push_word(word.mark, indices.len());
                }
                Values::Reals(values) => word.append_reals(indices, values, lookup),
                Values::Booleans(values) => {
                    word.append_booleans(indices, lookup);
                    values.push_word(word.mark, indices.len());
                }
                Values::Texts(texts) => word.append_texts(indices, texts, lookup)?,
            }
            validity.push_word(word.valid, indices.len());
            *unusable += word.unusable;
        }
        Ok(())
    }
}

/// What is found out about up to 64 rows of one column.
struct Word {
    valid: u64,
    /// Inexact integers, or true booleans.
    mark: u64,
    unusable: usize,
}

impl Word {
    fn append_integers(&mut self, indices: &[u32], values: &mut Vec<i64>, lookup: &Lookup<'_, '_>) {
        let start = values.len();
        let mut found = Found::default();
        let usual = found.look_up(indices, lookup.tables);
        values.extend(usual.map(|bits| bits as i64));
        if found.is_all(Kind::Int) {
            self.valid = found.valid >> (64 - indices.len());
            return;
        }
        for (bit, (&index, value)) in indices.iter().zip(&mut values[start..]).enumerate() {
            let (kind, bits) = lookup.tables.value(index);
            if kind != Kind::Absent {
                let integer = to_integer(kind, bits, lookup.string(kind, bits));
                let (integer, inexact) = self.usable(bit, integer);
                self.mark |= u64::from(inexact) << bit;
                *value = integer;
            }
        }
    }

    fn append_reals(&mut self, indices: &[u32], values: &mut Vec<f64>, lookup: &Lookup<'_, '_>) {
        let start = values.len();
        let mut found = Found::default();
        let usual = found.look_up(indices, lookup.tables);
        values.extend(usual.map(f64::from_bits));
        let values = &mut values[start..];
        if found.is_all(Kind::Double) && values.iter().all(|real| real.is_finite()) {
            self.valid = found.valid >> (64 - indices.len());
            return;
        }
        for (bit, (&index, value)) in indices.iter().zip(values).enumerate() {
            let (kind, bits) = lookup.tables.value(index);
            if kind != Kind::Absent {
                let real = to_real(kind, bits, lookup.string(kind, bits));
                *value = self.usable(bit, real);
            }
        }
    }

    fn append_booleans(&mut self, indices: &[u32], lookup: &Lookup<'_, '_>) {
        let mut found = Found::default();
        let usual = found.look_up(indices, lookup.tables);
        let truths = usual.fold(0_u64, |truths, bits| truths >> 1 | bits << 63);
        if found.is_all(Kind::Bool) {
            self.valid = found.valid >> (64 - indices.len());
            self.mark = truths >> (64 - indices.len());
            return;
        }
        for (bit, &index) in indices.iter().enumerate() {
            let (kind, bits) = lookup.tables.value(index);
            if kind != Kind::Absent {
                let truth = self.usable(bit, to_boolean(kind, bits));
                self.mark |= u64::from(truth) << bit;
            }
        }
    }

    fn append_texts(
        &mut self,
        indices: &[u32],
        texts: &mut Vec<u32>,
        lookup: &mut Lookup<'_, '_>,
    ) -> Result<(), Unreadable> {
        for (bit, &index) in indices.iter().enumerate() {
            let text = match lookup.tables.value(index) {
                (Kind::Interned, bits) => self.usable(bit, Some(bits as u32)),
                (Kind::String, bits) => {
                    let text = lookup.intern(index, bits)?;
                    self.usable(bit, Some(text))
                }
                (Kind::Absent, _) => 0,
                _ => self.usable(bit, None),
            };
            texts.push(text);
        }
        Ok(())
    }

    /// Notes whether a value that is there can be used; if not, it is null.
    #[inline]
    fn usable<T: Default>(&mut self, bit: usize, value: Option<T>) -> T {
        self.valid |= u64::from(value.is_some()) << bit;
        self.unusable += usize::from(value.is_none());
        value.unwrap_or_default()
    }
}

/// What is found out about up to 64 values that are taken as if all were of the same kind.
///
/// There is no branch on a value: which are absent cannot be foretold.
#[derive(Default)]
struct Found {
    /// The kinds there really are, joined.
    kinds: u8,
    /// Set where there is a value, the last one in the highest bit.
    valid: u64,
}

impl Found {
    /// The bits of values, those that are absent included.
    #[inline]
    fn look_up(&mut self, indices: &[u32], tables: &Tables) -> impl Iterator<Item = u64> {
        let (kinds, bits) = tables.values();
        indices.iter().map(|&index| {
            let kind = kinds[index as usize];
            self.kinds |= kind as u8;
            self.valid = self.valid >> 1 | u64::from(kind != Kind::Absent) << 63;
            bits[index as usize]
        })
    }

    /// Whether all values are of this kind, or absent.
    fn is_all(&self, kind: Kind) -> bool {
        self.kinds & !(kind as u8) == 0
    }
}

impl Lookup<'_, '_> {
    /// The content of a string value, and nothing for others.
    fn string(&self, kind: Kind, bits: u64) -> &[u8] {
        match kind {
            Kind::String => self.body.at(string_span(bits)).bytes(),
            Kind::Interned => self.strings.get(bits as u32).unwrap_or_default().as_bytes(),
            _ => &[],
        }
    }

    #[cold]
    fn intern(&mut self, index: u32, bits: u64) -> Result<u32, Unreadable> {
        let string = as_str(self.body.at(string_span(bits)))?;
        self.budget.charge(Strings::cost(string.len()))?;
        let text = self.strings.intern(string);
        self.tables.set_interned(index, text);
        Ok(text)
    }
}

impl Bits {
    fn reserve(&mut self, rows: usize, budget: &mut Budget) -> Result<(), Exhausted> {
        budget.reserve(self.words_mut(), rows.div_ceil(64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where not all values are of a kind they are looked at one by one, with the same result.
    #[test]
    fn values_of_one_kind_are_known_as_such() {
        let is_all = |kinds: u8| Found { kinds, valid: 0 }.is_all(Kind::Int);
        let (int, bool) = (Kind::Int as u8, Kind::Bool as u8);
        assert!(is_all(Kind::Absent as u8) && is_all(int));
        assert!(!is_all(bool) && !is_all(int | bool));
    }
}
