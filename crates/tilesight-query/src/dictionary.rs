//! Distinct values, each stored once and numbered in ascending order.

use std::io::{self, Seek, Write};
use std::ops::Range;

use crate::error::Error;
use crate::storage::{Damage, FileReader, FileWriter, Limits, Sound, Table, Touch, columns};

/// Distinct texts in ascending order of their bytes.
#[derive(Debug, Clone)]
pub(crate) struct Texts {
    starts: Table<TextStarts>,
    bytes: Table<TextBytes>,
}

columns! {
    /// Where each text starts, and where the last one ends.
    struct TextStarts = "text start", 4096;
    start: u64,
}

columns! {
    /// The texts one after the other, in UTF-8.
    struct TextBytes = "text byte", 65536;
    byte: u8,
}

impl Sound for TextStarts {
    /// Starts are not believed where texts are read.
    fn is_sound(&self, _: Range<usize>, _: &Limits) -> bool {
        true
    }
}

impl Sound for TextBytes {
    /// Nor is it believed that they are UTF-8.
    fn is_sound(&self, _: Range<usize>, _: &Limits) -> bool {
        true
    }
}

impl Texts {
    /// Stores texts that are distinct and ascend.
    pub(crate) fn from_sorted<'a>(sorted: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut text, mut starts) = (String::new(), vec![0]);
        for value in sorted {
            text.push_str(value);
            starts.push(text.len() as u64);
        }
        Self {
            starts: TextStarts {
                start: starts.into(),
            }
            .into(),
            bytes: TextBytes {
                byte: text.into_bytes().into(),
            }
            .into(),
        }
    }

    /// The texts of a file; `number` tells its dictionaries apart.
    pub(crate) fn open(file: &FileReader, number: u32) -> Result<Self, Damage> {
        Ok(Self {
            starts: file.table(number)?,
            bytes: file.table(number)?,
        })
    }

    pub(crate) fn write<W: Write + Seek>(
        &self,
        file: &mut FileWriter<W>,
        number: u32,
    ) -> io::Result<()> {
        file.table(number, self.starts.columns())?;
        file.table(number, self.bytes.columns())
    }

    /// How many texts a dictionary of a file has.
    pub(crate) fn count(file: &FileReader, number: u32) -> usize {
        file.rows::<TextStarts>(number).saturating_sub(1)
    }

    /// The blocks of a file that are not what was written.
    pub(crate) fn damaged(&self) -> impl Iterator<Item = Damage> {
        self.starts
            .damaged()
            .into_iter()
            .chain(self.bytes.damaged())
    }

    /// Makes sure that all may be read.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when they are not what was written.
    pub(crate) fn touch(&self) -> Result<(), Error> {
        self.starts.touch_all()?;
        self.bytes.touch_all()?;
        Ok(())
    }

    /// Tells whether all may be read without being touched.
    pub(crate) fn is_open(&self) -> bool {
        self.starts.is_open() && self.bytes.is_open()
    }

    /// Makes sure that one text may be read.
    ///
    /// # Errors
    ///
    /// As [`touch`](Self::touch).
    pub(crate) fn touch_text(&self, ordinal: u32) -> Result<(), Error> {
        let at = ordinal as usize;
        self.starts.touch(at..at.saturating_add(2))?;
        let ends = self
            .starts
            .columns()
            .start
            .get(at..)
            .and_then(|starts| starts.get(..2));
        let bytes = ends.map_or(0..0, |ends| ends[0] as usize..ends[1] as usize);
        self.bytes
            .touch(bytes.start..bytes.end.min(self.bytes.len()))
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The text of a number; none of `NONE`.
    pub(crate) fn get(&self, ordinal: u32) -> Option<&str> {
        let ends = self
            .starts
            .columns()
            .start
            .get(ordinal as usize..)?
            .get(..2)?;
        let bytes = self
            .bytes
            .columns()
            .byte
            .get(ends[0] as usize..ends[1] as usize)?;
        std::str::from_utf8(bytes).ok()
    }

    /// The number of a text, if it is here.
    pub(crate) fn find(&self, text: &str) -> Option<u32> {
        let at = self.partition(|other| other < text);
        (self.get(at) == Some(text)).then_some(at)
    }

    /// The numbers of the texts that start with `prefix`.
    pub(crate) fn with_prefix(&self, prefix: &str) -> std::ops::Range<u32> {
        let first = self.partition(|other| other < prefix);
        let beyond = self.partition(|other| other < prefix || other.starts_with(prefix));
        first..beyond
    }

    /// Number of the first text for which an ascending condition no longer holds.
    fn partition(&self, holds: impl Fn(&str) -> bool) -> u32 {
        let (mut low, mut high) = (0, self.len() as u32);
        while low < high {
            let middle = u32::midpoint(low, high);
            if self.get(middle).is_some_and(&holds) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

columns! {
    /// Distinct ids in ascending order.
    struct IdColumns = "id", 4096;
    id: i64,
}

impl Sound for IdColumns {
    /// Any number is an id.
    fn is_sound(&self, _: Range<usize>, _: &Limits) -> bool {
        true
    }
}

/// Distinct ids in ascending order.
#[derive(Debug, Clone)]
pub(crate) struct Ids(Table<IdColumns>);

impl Ids {
    /// Stores each of some ids once.
    pub(crate) fn new(ids: impl IntoIterator<Item = i64>) -> Self {
        let mut ids: Vec<_> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        Self(IdColumns { id: ids.into() }.into())
    }

    /// The ids of a file; `number` tells its dictionaries apart.
    pub(crate) fn open(file: &FileReader, number: u32) -> Result<Self, Damage> {
        file.table(number).map(Self)
    }

    pub(crate) fn write<W: Write + Seek>(
        &self,
        file: &mut FileWriter<W>,
        number: u32,
    ) -> io::Result<()> {
        file.table(number, self.0.columns())
    }

    /// How many ids a dictionary of a file has.
    pub(crate) fn count(file: &FileReader, number: u32) -> usize {
        file.rows::<IdColumns>(number)
    }

    /// The blocks of a file that are not what was written.
    pub(crate) fn damaged(&self) -> Vec<Damage> {
        self.0.damaged()
    }

    /// Makes sure that all may be read.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when they are not what was written.
    pub(crate) fn touch(&self) -> Result<(), Error> {
        self.0.touch_all().map(|_| ())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The id of a number; none of `NONE`.
    pub(crate) fn get(&self, ordinal: u32) -> Option<i64> {
        self.0.columns().id.get(ordinal as usize).copied()
    }

    /// The number of an id, if it is here.
    pub(crate) fn find(&self, id: i64) -> Option<u32> {
        self.0
            .columns()
            .id
            .binary_search(&id)
            .ok()
            .map(|at| at as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::NONE;

    #[test]
    fn texts_are_found_by_value_and_prefix() {
        let texts = Texts::from_sorted(["", "a", "ab", "abc", "b"]);
        assert_eq!(texts.find("ab"), Some(2));
        assert_eq!(texts.find("ac"), None);
        assert_eq!(texts.with_prefix("ab"), 2..4);
        assert_eq!(texts.with_prefix(""), 0..5);
        assert_eq!(texts.with_prefix("c"), 5..5);
        assert_eq!(
            (texts.get(4), texts.get(5), texts.get(NONE)),
            (Some("b"), None, None)
        );
    }

    #[test]
    fn ids_are_stored_once() {
        let ids = Ids::new([7, -3, 7, 0]);
        assert_eq!((ids.len(), ids.find(7), ids.find(1)), (3, Some(2), None));
        assert_eq!((ids.get(0), ids.get(NONE)), (Some(-3), None));
    }
}
