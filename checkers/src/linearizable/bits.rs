//! Sets of open operations: one bit for each slot.

use std::fmt::Debug;
use std::hash::Hash;

/// A small set of slots, copied freely.
pub(crate) trait Bits: Copy + Eq + Ord + Hash + Debug + Default + Send + Sync {
    /// How many slots there are.
    const WIDTH: usize;

    /// The set of one slot.
    fn one(slot: usize) -> Self;
    /// The slots in both.
    fn and(self, other: Self) -> Self;
    /// The slots in either.
    fn or(self, other: Self) -> Self;
    /// The slots here that are not in the other.
    fn without(self, other: Self) -> Self;
    /// Whether there are none.
    fn is_empty(self) -> bool;
    /// The lowest slot, of a set that is not empty.
    fn first(self) -> usize;
    /// How many.
    fn count(self) -> u32;

    /// Whether every slot here is in the other.
    fn within(self, other: Self) -> bool {
        self.without(other).is_empty()
    }

    /// The slots, from the lowest.
    fn each(self) -> Each<Self> {
        Each(self)
    }

    /// The lowest slot that is not here, if there is one.
    fn free(self) -> Option<usize>;
}

/// The slots of a set, from the lowest.
pub(crate) struct Each<B>(B);

impl<B: Bits> Iterator for Each<B> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        let slot = self.0.first();
        self.0 = self.0.without(B::one(slot));
        Some(slot)
    }
}

macro_rules! bits {
    ($integer:ty) => {
        impl Bits for $integer {
            const WIDTH: usize = <$integer>::BITS as usize;

            fn one(slot: usize) -> Self {
                1 << slot
            }
            fn and(self, other: Self) -> Self {
                self & other
            }
            fn or(self, other: Self) -> Self {
                self | other
            }
            fn without(self, other: Self) -> Self {
                self & !other
            }
            fn is_empty(self) -> bool {
                self == 0
            }
            fn first(self) -> usize {
                self.trailing_zeros() as usize
            }
            fn count(self) -> u32 {
                self.count_ones()
            }
            fn free(self) -> Option<usize> {
                (self != Self::MAX).then(|| self.trailing_ones() as usize)
            }
        }
    };
}

bits!(u64);
bits!(u128);

/// 64 slots for each word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Wide<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Default for Wide<WORDS> {
    fn default() -> Self {
        Wide([0; WORDS])
    }
}

impl<const WORDS: usize> Wide<WORDS> {
    fn zip(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Wide(std::array::from_fn(|word| join(self.0[word], other.0[word])))
    }
}

impl<const WORDS: usize> Bits for Wide<WORDS> {
    const WIDTH: usize = 64 * WORDS;

    fn one(slot: usize) -> Self {
        let mut words = [0; WORDS];
        words[slot / 64] = 1 << (slot % 64);
        Wide(words)
    }
    fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }
    fn or(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }
    fn without(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }
    fn is_empty(self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }
    fn first(self) -> usize {
        self.0.iter().position(|&word| word != 0).map_or(Self::WIDTH, |word| word * 64 + self.0[word].trailing_zeros() as usize)
    }
    fn count(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
    fn free(self) -> Option<usize> {
        self.0.iter().position(|&word| word != u64::MAX).map(|word| word * 64 + self.0[word].trailing_ones() as usize)
    }
}

/// As many slots as any search can tell apart: 16,384.
pub(crate) type Widest = Wide<256>;
