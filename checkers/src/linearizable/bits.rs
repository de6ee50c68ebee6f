//! Sets of open operations, with one bit per slot.

use std::fmt::Debug;
use std::hash::Hash;

/// A small set of slots that is cheap to copy.
pub(crate) trait Bits: Copy + Eq + Ord + Hash + Debug + Default + Send + Sync {
    /// The number of slots.
    const WIDTH: usize;

    /// The set with one slot.
    fn one(slot: usize) -> Self;
    /// The intersection.
    fn and(self, other: Self) -> Self;
    /// The union.
    fn or(self, other: Self) -> Self;
    /// The difference.
    fn without(self, other: Self) -> Self;
    /// Whether the set is empty.
    fn is_empty(self) -> bool;
    /// The lowest slot of a nonempty set.
    fn first(self) -> usize;
    /// The number of slots in the set.
    fn count(self) -> u32;

    /// Whether this is a subset of the other set.
    fn is_subset(self, other: Self) -> bool {
        self.without(other).is_empty()
    }

    /// The slots in ascending order.
    fn each(self) -> impl Iterator<Item = usize>;

    /// The lowest slot that is not in the set, if there is one.
    fn first_free(self) -> Option<usize>;
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
            fn each(mut self) -> impl Iterator<Item = usize> {
                std::iter::from_fn(move || {
                    let slot = self.trailing_zeros() as usize;
                    (self != 0).then(|| {
                        self &= self - 1;
                        slot
                    })
                })
            }
            fn first_free(self) -> Option<usize> {
                (self != Self::MAX).then(|| self.trailing_ones() as usize)
            }
        }
    };
}

bits!(u64);
bits!(u128);

/// A set with 64 slots per word.
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
    fn each(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(at, word)| word.each().map(move |slot| at * 64 + slot))
    }
    fn first_free(self) -> Option<usize> {
        self.0.iter().position(|&word| word != u64::MAX).map(|word| word * 64 + self.0[word].trailing_ones() as usize)
    }
}

/// The widest set that a search uses: 16,384 slots.
pub(crate) type Widest = Wide<256>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_listed_in_ascending_order() {
        fn of<B: Bits>(slots: &[usize]) -> Vec<usize> {
            slots.iter().fold(B::default(), |set, &slot| set.or(B::one(slot))).each().collect()
        }
        assert_eq!(of::<u64>(&[63, 0, 5]), [0, 5, 63]);
        assert_eq!(of::<u128>(&[127, 64, 5]), [5, 64, 127]);
        assert_eq!(of::<Widest>(&[16_383, 64, 63]), [63, 64, 16_383]);
        assert_eq!(of::<u64>(&[]), [0; 0]);
    }
}
