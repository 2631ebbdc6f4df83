//! Random numbers that depend on nothing but a key, and a shuffle of all integers of a width.

/// What a key is for: no two uses draw the same numbers.
pub(crate) mod topic {
    pub const IMAGE_ID: u64 = 1;
    pub const FEATURE_ID: u64 = 2;
    pub const STREETS: u64 = 3;
    pub const BENDS: u64 = 4;
    pub const SEQUENCE: u64 = 5;
    pub const ORGANIZATIONS_OF_REGION: u64 = 6;
    pub const ORGANIZATION_ID: u64 = 7;
    pub const CREATOR_OF_REGION: u64 = 8;
    pub const TRAVELLING_CREATOR: u64 = 9;
    pub const IMAGE_ORDER: u64 = 10;
    pub const ID_TYPE: u64 = 11;
    pub const LAYER_ORDER: u64 = 12;
    pub const QUALITY: u64 = 13;
    pub const SHIFT: u64 = 14;
    pub const WATER: u64 = 15;
    pub const FEATURE: u64 = 16;
    pub const DENSITY: u64 = 17;
    pub const CITY: u64 = 18;
}

/// A stream of random numbers (`SplitMix64`), started from a key: the same key, the same numbers,
/// whatever was drawn from other streams before and in whichever thread.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub fn keyed(key: &[u64]) -> Self {
        Self(hash(key))
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 to `end`, exclusive; 0 where there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// A number from 0 to 1, exclusive.
    pub fn unit(&mut self) -> f64 {
        unit(self.bits())
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// An item of a list that is not empty.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// Condenses a key to 64 bits.
pub(crate) fn hash(key: &[u64]) -> u64 {
    key.iter().fold(0x243f_6a88_85a3_08d3, |state, &part| {
        mix(state ^ part.wrapping_mul(0xd6e8_feb8_6659_fd93)).wrapping_add(state.rotate_left(23))
    })
}

/// Turns 64 random bits into a number from 0 to 1, exclusive.
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// A bijection of the integers of some width: distinct numbers in, distinct numbers out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permutation {
    bits: u32,
    key: u64,
}

impl Permutation {
    pub const fn new(bits: u32, key: u64) -> Self {
        Self { bits, key }
    }

    pub fn apply(self, number: u64) -> u64 {
        let mask = (1u64 << self.bits) - 1;
        debug_assert!(number <= mask, "the number fits the width");
        (0..4).fold(number, |state, round| {
            let key = mix(self.key.wrapping_add(round));
            // Each step can be undone, so no two numbers meet.
            let state = state.wrapping_add(key).wrapping_mul(0xa076_1d64_78bd_642f) & mask;
            state ^ (state >> (self.bits / 2))
        })
    }
}

/// The finaliser of `SplitMix64`.
const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_loses_no_number() {
        let permutation = Permutation::new(16, 7);
        let mut seen = vec![false; 1 << 16];
        for number in 0..1 << 16 {
            seen[permutation.apply(number) as usize] = true;
        }
        assert!(seen.into_iter().all(|seen| seen));
    }

    #[test]
    fn keys_tell_streams_apart() {
        let first = |key: &[u64]| Random::keyed(key).bits();
        assert_eq!(first(&[1, 2]), first(&[1, 2]));
        assert_ne!(first(&[1, 2]), first(&[2, 1]));
        assert_ne!(first(&[1]), first(&[1, 0]));
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let mut random = Random::keyed(&[3]);
        let mut counts = [0u32; 5];
        for _ in 0..5000 {
            counts[random.below(5) as usize] += 1;
            assert!((2.0..3.0).contains(&random.between(2.0, 3.0)));
        }
        assert!(counts.iter().all(|&count| count > 800), "{counts:?}");
    }
}
