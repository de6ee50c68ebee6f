//! What becomes of each packet: decided by a seed, and by nothing else of the packet than its place among the others.

use std::f64::consts::TAU;
use std::time::Duration;

use super::{Distribution, Settings};

/// One of what becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Copy {
    /// How late it goes.
    pub(super) delay: Duration,
    /// Decides which bit of it is flipped, if one is.
    pub(super) flip: Option<u64>,
}

/// Decides what becomes of packets, one after the other.
pub(super) struct Chance {
    settings: Settings,
    random: fastrand::Rng,
    was_lost: bool,
}

impl Chance {
    pub(super) fn new(settings: &Settings, seed: u64) -> Chance {
        Chance { settings: settings.clone(), random: fastrand::Rng::with_seed(seed), was_lost: false }
    }

    /// Whether even those that are not late must wait for their turn.
    pub(super) fn is_paced(&self) -> bool {
        self.settings.rate.is_some()
    }

    /// What becomes of the next packet: nothing, itself, or two of it. One that is both doubled and lost is there once, as with netem.
    pub(super) fn copies(&mut self) -> Vec<Copy> {
        let doubled = self.happens(self.settings.duplicate);
        let count = 1 + usize::from(doubled) - usize::from(self.is_lost());
        (0..count).map(|_| self.copy()).collect()
    }

    /// Losses are a chain of two states: in the long run `loss` of all, and `burst` is how far two neighbours are correlated.
    fn is_lost(&mut self) -> bool {
        let Settings { loss, burst, .. } = self.settings;
        let after_loss = if self.was_lost { burst } else { 0.0 };
        self.was_lost = self.happens(loss * (1.0 - burst) + after_loss);
        self.was_lost
    }

    fn copy(&mut self) -> Copy {
        let flip = self.happens(self.settings.corrupt).then(|| self.random.u64(..));
        let passes = self.happens(self.settings.reorder);
        Copy { delay: if passes { Duration::ZERO } else { self.delay() }, flip }
    }

    fn delay(&mut self) -> Duration {
        let Settings { delay, jitter, distribution, .. } = self.settings;
        if jitter.is_zero() {
            return delay;
        }
        let varied = delay.as_secs_f64() + jitter.as_secs_f64() * self.deviation(distribution);
        Duration::try_from_secs_f64(varied.max(0.0)).unwrap_or(delay)
    }

    /// By how many times the jitter a delay deviates, with netem's tables: none beyond four.
    fn deviation(&mut self, distribution: Distribution) -> f64 {
        let deviation = match distribution {
            Distribution::Uniform => 2.0 * self.random.f64() - 1.0,
            Distribution::Normal => self.normal(),
            Distribution::Pareto => self.pareto(),
            Distribution::Paretonormal => 0.25 * self.normal() + 0.75 * self.pareto(),
        };
        deviation.clamp(-4.0, 4.0)
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.above_nothing().ln()).sqrt() * (TAU * self.random.f64()).cos()
    }

    /// Of shape 3, moved to have its mean at 0 and scaled as iproute2 makes its table.
    fn pareto(&mut self) -> f64 {
        (self.above_nothing().powf(-1.0 / 3.0) - 1.5) * 4.0 / 3.0
    }

    /// From 0 to 1, but not 0.
    fn above_nothing(&mut self) -> f64 {
        1.0 - self.random.f64()
    }

    fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.random.f64() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: usize = 100_000;

    fn fates(settings: Settings) -> Vec<Vec<Copy>> {
        let mut chance = Chance::new(&settings, 7);
        (0..MANY).map(|_| chance.copies()).collect()
    }

    fn share(fates: &[Vec<Copy>], is: impl Fn(&[Copy]) -> bool) -> f64 {
        fates.iter().filter(|copies| is(copies)).count() as f64 / fates.len() as f64
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 0.01, "{found}, not {expected}");
    }

    #[test]
    fn nothing_becomes_of_it_when_nothing_is_set() {
        assert!(fates(Settings::default()).iter().all(|copies| copies == &[Copy { delay: Duration::ZERO, flip: None }]));
    }

    #[test]
    fn shares_are_what_is_set() {
        near(share(&fates(Settings { loss: 0.3, ..Settings::default() }), <[Copy]>::is_empty), 0.3);
        near(share(&fates(Settings { duplicate: 0.2, ..Settings::default() }), |copies| copies.len() == 2), 0.2);
        near(share(&fates(Settings { corrupt: 0.1, ..Settings::default() }), |copies| copies[0].flip.is_some()), 0.1);
        let late = Duration::from_millis(5);
        near(share(&fates(Settings { delay: late, reorder: 0.25, ..Settings::default() }), |copies| copies[0].delay.is_zero()), 0.25);
        assert!(fates(Settings { loss: 1.0, ..Settings::default() }).iter().all(Vec::is_empty));
    }

    #[test]
    fn bursts_are_longer_and_not_more() {
        let fates = fates(Settings { loss: 0.2, burst: 0.75, ..Settings::default() });
        near(share(&fates, <[Copy]>::is_empty), 0.2);
        let after: Vec<Vec<Copy>> = fates.windows(2).filter(|pair| pair[0].is_empty()).map(|pair| pair[1].clone()).collect();
        near(share(&after, <[Copy]>::is_empty), 0.2 + 0.75 * 0.8);
    }

    #[test]
    fn jitter_is_distributed_as_asked() {
        for distribution in [Distribution::Uniform, Distribution::Normal, Distribution::Pareto, Distribution::Paretonormal] {
            let (delay, jitter) = (Duration::from_secs(10), Duration::from_secs(1));
            let fates = fates(Settings { delay, jitter, distribution, ..Settings::default() });
            let delays: Vec<f64> = fates.iter().map(|copies| copies[0].delay.as_secs_f64() - 10.0).collect();
            let mean = delays.iter().sum::<f64>() / MANY as f64;
            let most = delays.iter().fold(0.0_f64, |most, deviation| most.max(deviation.abs()));
            // The cut at four takes from the mean of the heavy tails.
            assert!(mean.abs() < 0.1, "{distribution:?}: {mean}");
            let expected = if distribution == Distribution::Uniform { 1.0 } else { 4.0 };
            assert!(most <= expected && most > 0.9 * expected, "{distribution:?}: {most}");
        }
        let early = fates(Settings { jitter: Duration::from_millis(1), ..Settings::default() });
        near(share(&early, |copies| copies[0].delay.is_zero()), 0.5);
    }

    #[test]
    fn a_seed_decides_all() {
        let settings = Settings { loss: 0.5, duplicate: 0.5, corrupt: 0.5, jitter: Duration::from_millis(1), ..Settings::default() };
        let of = |seed| (0..100).scan(Chance::new(&settings, seed), |chance, _| Some(chance.copies())).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
