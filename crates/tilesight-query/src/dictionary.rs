//! Distinct values, each stored once and numbered in ascending order.

/// Distinct texts in ascending order of their bytes.
#[derive(Debug, Clone)]
pub(crate) struct Texts {
    text: String,
    /// Where each text starts, and where the last one ends.
    starts: Vec<usize>,
}

impl Texts {
    /// Stores texts that are distinct and ascend.
    pub(crate) fn from_sorted<'a>(sorted: impl IntoIterator<Item = &'a str>) -> Self {
        let mut texts = Self {
            text: String::new(),
            starts: vec![0],
        };
        for value in sorted {
            texts.text.push_str(value);
            texts.starts.push(texts.text.len());
        }
        texts
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The text of a number; none of `NONE`.
    pub(crate) fn get(&self, ordinal: u32) -> Option<&str> {
        let ends = self.starts.get(ordinal as usize..)?.get(..2)?;
        Some(&self.text[ends[0]..ends[1]])
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

/// Distinct ids in ascending order.
#[derive(Debug, Clone)]
pub(crate) struct Ids(Vec<i64>);

impl Ids {
    /// Stores each of some ids once.
    pub(crate) fn new(ids: impl IntoIterator<Item = i64>) -> Self {
        let mut ids: Vec<_> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        Self(ids)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The id of a number; none of `NONE`.
    pub(crate) fn get(&self, ordinal: u32) -> Option<i64> {
        self.0.get(ordinal as usize).copied()
    }

    /// The number of an id, if it is here.
    pub(crate) fn find(&self, id: i64) -> Option<u32> {
        self.0.binary_search(&id).ok().map(|at| at as u32)
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
