//! The fate of each packet: decided by the seed and the position of the packet, not by its contents.

use std::f64::consts::TAU;
use std::time::Duration;

use super::{Distribution, Settings};

/// A copy of a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PacketCopy {
    /// How long it is delayed.
    pub(super) delay: Duration,
    /// A random number that selects the bit to flip, if one is flipped.
    pub(super) flip: Option<u64>,
}

/// Decides what happens to one packet after the other.
pub(super) struct Impairment {
    settings: Settings,
    random: fastrand::Rng,
    was_lost: bool,
}

impl Impairment {
    pub(super) fn new(settings: &Settings, seed: u64) -> Impairment {
        Impairment { settings: settings.clone(), random: fastrand::Rng::with_seed(seed), was_lost: false }
    }

    /// Whether packets without delay are held too, because of the rate limit.
    pub(super) fn is_paced(&self) -> bool {
        self.settings.rate.is_some()
    }

    /// The copies of the next packet: none, one or two. A packet that is both duplicated and lost is sent once, as with netem.
    pub(super) fn copies(&mut self) -> Vec<PacketCopy> {
        let duplicated = self.happens(self.settings.duplicate);
        let count = 1 + usize::from(duplicated) - usize::from(self.is_lost());
        (0..count).map(|_| self.copy()).collect()
    }

    /// A two-state Markov chain: the fraction of lost packets is `loss`, and `burst` is the correlation of successive losses.
    fn is_lost(&mut self) -> bool {
        let Settings { loss, burst, .. } = self.settings;
        let after_loss = if self.was_lost { burst } else { 0.0 };
        self.was_lost = self.happens(loss * (1.0 - burst) + after_loss);
        self.was_lost
    }

    fn copy(&mut self) -> PacketCopy {
        let flip = self.happens(self.settings.corrupt).then(|| self.random.u64(..));
        let is_reordered = self.happens(self.settings.reorder);
        PacketCopy { delay: if is_reordered { Duration::ZERO } else { self.delay() }, flip }
    }

    fn delay(&mut self) -> Duration {
        let Settings { delay, jitter, distribution, .. } = self.settings;
        if jitter.is_zero() {
            return delay;
        }
        let varied = delay.as_secs_f64() + jitter.as_secs_f64() * self.deviation(distribution);
        Duration::try_from_secs_f64(varied.max(0.0)).unwrap_or(delay)
    }

    /// The deviation of a delay in units of the jitter. At most four, as in netem's tables.
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
        (-2.0 * self.nonzero_fraction().ln()).sqrt() * (TAU * self.random.f64()).cos()
    }

    /// Of shape 3, shifted to a mean of 0 and scaled like iproute2's table.
    fn pareto(&mut self) -> f64 {
        (self.nonzero_fraction().powf(-1.0 / 3.0) - 1.5) * 4.0 / 3.0
    }

    /// A number greater than 0 and at most 1.
    fn nonzero_fraction(&mut self) -> f64 {
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

    fn outcomes(settings: Settings) -> Vec<Vec<PacketCopy>> {
        let mut impairment = Impairment::new(&settings, 7);
        (0..MANY).map(|_| impairment.copies()).collect()
    }

    fn share(outcomes: &[Vec<PacketCopy>], is: impl Fn(&[PacketCopy]) -> bool) -> f64 {
        outcomes.iter().filter(|copies| is(copies)).count() as f64 / outcomes.len() as f64
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 0.01, "{found}, not {expected}");
    }

    #[test]
    fn default_settings_change_nothing() {
        assert!(outcomes(Settings::default()).iter().all(|copies| copies == &[PacketCopy { delay: Duration::ZERO, flip: None }]));
    }

    #[test]
    fn fractions_match_the_settings() {
        near(share(&outcomes(Settings { loss: 0.3, ..Settings::default() }), <[PacketCopy]>::is_empty), 0.3);
        near(share(&outcomes(Settings { duplicate: 0.2, ..Settings::default() }), |copies| copies.len() == 2), 0.2);
        near(share(&outcomes(Settings { corrupt: 0.1, ..Settings::default() }), |copies| copies[0].flip.is_some()), 0.1);
        let late = Duration::from_millis(5);
        near(share(&outcomes(Settings { delay: late, reorder: 0.25, ..Settings::default() }), |copies| copies[0].delay.is_zero()), 0.25);
        assert!(outcomes(Settings { loss: 1.0, ..Settings::default() }).iter().all(Vec::is_empty));
    }

    #[test]
    fn bursts_do_not_change_the_fraction_of_losses() {
        let outcomes = outcomes(Settings { loss: 0.2, burst: 0.75, ..Settings::default() });
        near(share(&outcomes, <[PacketCopy]>::is_empty), 0.2);
        let after: Vec<Vec<PacketCopy>> = outcomes.windows(2).filter(|pair| pair[0].is_empty()).map(|pair| pair[1].clone()).collect();
        near(share(&after, <[PacketCopy]>::is_empty), 0.2 + 0.75 * 0.8);
    }

    #[test]
    fn jitter_follows_its_distribution() {
        for distribution in [Distribution::Uniform, Distribution::Normal, Distribution::Pareto, Distribution::Paretonormal] {
            let (delay, jitter) = (Duration::from_secs(10), Duration::from_secs(1));
            let outcomes = outcomes(Settings { delay, jitter, distribution, ..Settings::default() });
            let delays: Vec<f64> = outcomes.iter().map(|copies| copies[0].delay.as_secs_f64() - 10.0).collect();
            let mean = delays.iter().sum::<f64>() / MANY as f64;
            let most = delays.iter().fold(0.0_f64, |most, deviation| most.max(deviation.abs()));
            // Clamping at four shifts the mean of heavy-tailed distributions.
            assert!(mean.abs() < 0.1, "{distribution:?}: {mean}");
            let expected = if distribution == Distribution::Uniform { 1.0 } else { 4.0 };
            assert!(most <= expected && most > 0.9 * expected, "{distribution:?}: {most}");
        }
        let early = outcomes(Settings { jitter: Duration::from_millis(1), ..Settings::default() });
        near(share(&early, |copies| copies[0].delay.is_zero()), 0.5);
    }

    #[test]
    fn the_seed_decides_every_choice() {
        let settings = Settings { loss: 0.5, duplicate: 0.5, corrupt: 0.5, jitter: Duration::from_millis(1), ..Settings::default() };
        let of = |seed| (0..100).scan(Impairment::new(&settings, seed), |impairment, _| Some(impairment.copies())).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
