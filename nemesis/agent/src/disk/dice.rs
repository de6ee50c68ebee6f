//! Random numbers from a seed.

use std::sync::atomic::{AtomicU64, Ordering};

/// A SplitMix64 generator that threads can share. Each draw goes to the thread that asks next.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(AtomicU64::new(seed))
    }

    /// A uniformly distributed number.
    pub(crate) fn bits(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound; 0 when the bound is 0.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.bits().checked_rem(bound).unwrap_or(0)
    }

    /// True with a probability from 0 to 1.
    pub(crate) fn happens(&self, probability: f64) -> bool {
        const STEPS: f64 = (1_u64 << 53) as f64;
        ((self.bits() >> 11) as f64) < probability * STEPS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_reproducible_and_probabilities_hold() {
        let throws = |seed| (0..9).map(|_| Dice::new(seed).bits()).collect::<Vec<u64>>();
        assert!(throws(7) == throws(7) && throws(7) != throws(8));
        let dice = Dice::new(1);
        assert!((0..100).all(|_| dice.happens(1.0) && !dice.happens(0.0) && dice.below(3) < 3 && dice.below(0) == 0));
        let said = (0..10_000).filter(|_| dice.happens(0.3)).count();
        assert!((2700..3300).contains(&said), "{said}");
    }
}
