//! Random streams, many independent ones from one seed.
//!
//! `StdRng` and the distributions of `rand` may change between versions, but a printed seed must stay reproducible. So the generator is ChaCha8, fixed by
//! its specification, and the few distributions are implemented here.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// The seed of a run, which determines every generated operation and every fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// Returns the stream with a name. The same seed and name give the same numbers, and adding a stream does not change the others.
    pub fn stream(self, name: &str) -> Rng {
        let mut chacha = ChaCha8Rng::seed_from_u64(self.0);
        chacha.set_stream(fnv1a(name.as_bytes()));
        Rng(chacha)
    }
}

/// A stream of random numbers that is stable across versions and platforms.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// Returns 64 uniform bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Returns a uniform number in `0..bound`; 0 if `bound` is 0. (Lemire's multiplication; its bias is below 2⁻⁶⁴·bound.)
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// Returns a uniform number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Returns an exponentially distributed number with the given mean, for the gaps of a Poisson process.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Returns `true` with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Returns a uniformly chosen element; `None` if the slice is empty.
    pub fn choose<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }

    /// Shuffles the elements uniformly (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_reproducible_and_independent() {
        let mut rng = Seed(7).stream("register");
        let drawn: Vec<u64> = (0..4).map(|_| rng.below(100)).collect();
        let mut again = Seed(7).stream("register");
        assert_eq!(drawn, (0..4).map(|_| again.below(100)).collect::<Vec<_>>());
        assert_ne!(Seed(7).stream("register").bits(), Seed(7).stream("nemesis").bits());
        assert_ne!(Seed(7).stream("register").bits(), Seed(8).stream("register").bits());
    }

    #[test]
    fn below_is_less_than_its_bound() {
        let mut rng = Seed(1).stream("t");
        assert!((0..1000).all(|_| rng.below(3) < 3));
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn exponential_has_its_mean() {
        let mut rng = Seed(1).stream("t");
        let mean = (0..100_000).map(|_| rng.exponential(2.0)).sum::<f64>() / 100_000.0;
        assert!((mean - 2.0).abs() < 0.05, "{mean}");
    }
}
