//! Random decisions for tests.

#![allow(dead_code, unreachable_pub)]

use elenchus_core::{Rng, Seed};

/// Decides what is left to chance: by a stream of random numbers from a seed, or by a fuzzer's bytes.
pub enum Dice {
    Seeded(Box<Rng>),
    /// One byte for each decision, and 0 when no more are left.
    Given(std::vec::IntoIter<u8>),
}

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice::Seeded(Box::new(Seed(seed).stream("test")))
    }

    pub fn given(bytes: &[u8]) -> Dice {
        Dice::Given(bytes.to_vec().into_iter())
    }

    /// A number below `bound`, which must be positive.
    pub fn below<N: TryInto<u64> + TryFrom<u64>>(&mut self, bound: N) -> N {
        let bound = bound.try_into().ok().filter(|&bound: &u64| bound > 0).expect("a positive bound");
        let number = match self {
            Dice::Seeded(rng) => rng.below(bound),
            Dice::Given(bytes) => bytes.next().map_or(0, u64::from) % bound,
        };
        N::try_from(number).ok().expect("a number below the bound")
    }

    pub fn pick<'v, T>(&mut self, items: &'v [T]) -> &'v T {
        let at = self.below(items.len());
        &items[at]
    }
}
