//! How much memory one tile may claim.

/// What a layer may claim for each byte of the tile it comes from.
///
/// The least a position takes on the wire is two bytes, and it becomes eight.
const BYTES_PER_BYTE: usize = 4;

/// What the smallest tile may claim.
const FLOOR_BYTES: usize = 1 << 20;

/// What is kept back from the floor for tables whose size does not depend on the tile.
const FIXED_BYTES: usize = 1 << 16;

/// Memory that the bytes of a tile have paid for.
///
/// Every reservation is charged here first, by what it asks for and not by what a reused buffer
/// happens to hold already, so that a tile is accepted or not whatever was decoded before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    limit: usize,
    left: usize,
}

/// More memory was asked for than the input has paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted {
    pub limit: usize,
}

impl Budget {
    pub(crate) fn for_tile(len: usize) -> Self {
        let limit = len
            .saturating_mul(BYTES_PER_BYTE)
            .saturating_add(FLOOR_BYTES - FIXED_BYTES);
        Self { limit, left: limit }
    }

    /// Pays for memory that is reserved elsewhere.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let Some(left) = self.left.checked_sub(bytes) else {
            return Err(Exhausted { limit: self.limit });
        };
        self.left = left;
        Ok(())
    }

    /// Pays for `count` more items, then makes room for them and for no more.
    pub(crate) fn reserve<T>(&mut self, items: &mut Vec<T>, count: usize) -> Result<(), Exhausted> {
        self.charge(count.saturating_mul(size_of::<T>()))?;
        items.reserve_exact(count);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_beyond_the_input_is_refused_before_anything_is_reserved() {
        let mut budget = Budget::for_tile(1000);
        let mut items: Vec<u64> = Vec::new();
        let limit = 4000 + (1 << 20) - (1 << 16);
        assert_eq!(
            budget.reserve(&mut items, usize::MAX),
            Err(Exhausted { limit })
        );
        assert_eq!(items.capacity(), 0);
        assert_eq!(budget.reserve(&mut items, limit / 8), Ok(()));
        assert_eq!(budget.charge(8), Err(Exhausted { limit }));
    }
}
