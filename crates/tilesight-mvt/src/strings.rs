//! The distinct strings of the text columns.

use std::hash::{BuildHasher, RandomState};

/// Interned strings: equal strings have one index.
#[derive(Clone, Debug, Default)]
pub struct Strings {
    text: String,
    ends: Vec<u32>,
    /// Open addressing, a power of two long and at most half full: index of a string + 1, or 0.
    ///
    /// The hash is keyed at random, for the strings come from outside.
    slots: Vec<u32>,
    hasher: RandomState,
}

impl Strings {
    /// The number of distinct strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The string of an index that a text column holds; `None` beyond the last.
    pub fn get(&self, index: u32) -> Option<&str> {
        let end = *self.ends.get(index as usize)? as usize;
        let start = match index.checked_sub(1) {
            Some(before) => self.ends[before as usize] as usize,
            None => 0,
        };
        Some(&self.text[start..end])
    }

    /// All strings, in the order of their indices.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len() as u32).filter_map(|index| self.get(index))
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.text.len() + size_of_val(&self.ends[..])
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.slots.fill(0);
    }

    /// What [`intern`](Self::intern) may allocate for a new string: the buffers double.
    pub(crate) fn cost(len: usize) -> usize {
        3 * (len + size_of::<u32>() + 4 * size_of::<u32>())
    }

    /// The index of a string, which is stored if it is new.
    pub(crate) fn intern(&mut self, string: &str) -> u32 {
        if (self.len() + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let slot = self.slot(string);
        if let Some(index) = self.slots[slot].checked_sub(1) {
            return index;
        }
        self.text.push_str(string);
        self.ends.push(self.text.len() as u32);
        self.slots[slot] = self.ends.len() as u32;
        self.slots[slot] - 1
    }

    /// Where the string is, or the free place where it belongs.
    fn slot(&self, string: &str) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.hasher.hash_one(string) as usize & mask;
        while let Some(index) = self.slots[slot].checked_sub(1) {
            if self.get(index) == Some(string) {
                break;
            }
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let len = (self.slots.len() * 2).max(16);
        self.slots.clear();
        self.slots.resize(len, 0);
        for index in 0..self.len() as u32 {
            let slot = self.get(index).map(|string| self.slot(string));
            if let Some(slot) = slot {
                self.slots[slot] = index + 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_share_an_index() {
        let mut strings = Strings::default();
        let names: Vec<String> = (0..500)
            .map(|number| format!("s{}", number % 250))
            .collect();
        let indices: Vec<u32> = names.iter().map(|name| strings.intern(name)).collect();
        assert_eq!(strings.len(), 250);
        assert_eq!(indices[..250], indices[250..]);
        for (name, index) in names.iter().zip(indices) {
            assert_eq!(strings.get(index), Some(name.as_str()));
        }
    }

    #[test]
    fn a_cleared_interner_starts_again() {
        let mut strings = Strings::default();
        assert_eq!(strings.intern(""), 0);
        assert_eq!(strings.intern("a"), 1);
        assert_eq!(strings.byte_len(), 1 + 2 * size_of::<u32>());
        strings.clear();
        assert!(strings.is_empty());
        assert_eq!(strings.intern("a"), 0);
        assert!(!strings.is_empty());
        assert_eq!(strings.iter().collect::<Vec<_>>(), ["a"]);
        assert_eq!(strings.get(1), None);
    }
}
