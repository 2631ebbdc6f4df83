//! One bit a row.

/// A list of booleans, 64 to a word, the first in the lowest bit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// The bit of a row. Beyond the last row it is `false`.
    #[inline]
    pub fn get(&self, row: usize) -> bool {
        self.words
            .get(row / 64)
            .is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of rows whose bit is set.
    pub fn count_ones(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// The words, the unused bits of the last one zero.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    pub(crate) fn byte_len(&self) -> usize {
        size_of_val(&self.words[..])
    }

    pub(crate) fn clear(&mut self) {
        self.words.clear();
        self.len = 0;
    }

    pub(crate) fn words_mut(&mut self) -> &mut Vec<u64> {
        &mut self.words
    }

    /// Appends the lowest `count` bits of `word`, the rest of which are zero.
    ///
    /// Every word but the last is full.
    #[inline]
    pub(crate) fn push_word(&mut self, word: u64, count: usize) {
        debug_assert!(self.len.is_multiple_of(64) && count <= 64);
        self.words.push(word);
        self.len += count;
    }
}

#[cfg(feature = "oracle")]
impl FromIterator<bool> for Bits {
    fn from_iter<I: IntoIterator<Item = bool>>(bits: I) -> Self {
        let bits: Vec<bool> = bits.into_iter().collect();
        let mut list = Self::default();
        for chunk in bits.chunks(64) {
            let word = chunk
                .iter()
                .rev()
                .fold(0, |word, &bit| word << 1 | u64::from(bit));
            list.push_word(word, chunk.len());
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_told_by_their_rows() {
        let rows: Vec<bool> = (0..70).map(|row| row % 3 == 0).collect();
        let bits: Bits = rows.iter().copied().collect();
        assert!((0..70).all(|row| bits.get(row) == rows[row]));
        assert!(!bits.get(70) && !bits.get(128));
        assert_eq!((bits.len(), bits.count_ones()), (70, 24));
        assert_eq!(bits.words()[1], 0b10_0100, "rows 66 and 69");
        assert_eq!((bits.words().len(), bits.byte_len()), (2, 16));
    }

    #[test]
    fn cleared_bits_are_none() {
        let mut bits: Bits = [true, true].into_iter().collect();
        assert!(!bits.is_empty());
        bits.clear();
        assert!(bits.is_empty() && !bits.get(0));
        assert_eq!(bits, Bits::default());
    }
}
