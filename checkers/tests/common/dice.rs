//! Random decisions for tests.

#![allow(dead_code, unreachable_pub)]

/// Makes random decisions: with its own generator (xorshift*), so that a change of the product's generator does not change
/// which histories the tests see, or by a fuzzer's bytes.
pub enum Dice {
    Seeded(u64),
    /// A linear congruential generator, for histories in which every decision has its own seed.
    Linear(u64),
    /// One byte for each decision, and 0 when no more are left.
    Given(std::vec::IntoIter<u8>),
}

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice::Seeded(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn linear(seed: u64) -> Dice {
        Dice::Linear(seed)
    }

    pub fn given(bytes: &[u8]) -> Dice {
        Dice::Given(Vec::from(bytes).into_iter())
    }

    /// A number below `bound`, which must be positive.
    pub fn below<N: TryInto<u64> + TryFrom<u64>>(&mut self, bound: N) -> N {
        let bound = bound.try_into().ok().filter(|&bound: &u64| bound > 0).expect("a positive bound");
        let number = match self {
            Dice::Seeded(state) => {
                *state ^= *state >> 12;
                *state ^= *state << 25;
                *state ^= *state >> 27;
                (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
            }
            Dice::Linear(state) => {
                *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (*state >> 33) % bound
            }
            Dice::Given(bytes) => bytes.next().map_or(0, u64::from) % bound,
        };
        N::try_from(number).ok().expect("a number below the bound")
    }

    pub fn pick<'v, T>(&mut self, items: &'v [T]) -> &'v T {
        let at = self.below(items.len());
        &items[at]
    }
}
