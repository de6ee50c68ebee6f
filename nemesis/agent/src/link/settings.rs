//! The impairments of a link, as a plan and a command delayed describe them.

use std::fmt;
use std::time::Duration;

use crate::Result;

/// The impairments of a link. Fractions are from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The latency.
    pub delay: Duration,
    /// The unit of the deviation from the latency; `uniform` deviates by at most one.
    pub jitter: Duration,
    /// The distribution of the deviation.
    pub distribution: Distribution,
    /// The fraction of packets that are lost.
    pub loss: f64,
    /// The correlation of successive losses.
    pub burst: f64,
    /// The fraction of packets that are duplicated.
    pub duplicate: f64,
    /// The fraction of packets that are not delayed and so overtake others.
    pub reorder: f64,
    /// The fraction of packets in which a bit is flipped.
    pub corrupt: f64,
    /// The rate limit in bits per second, if any.
    pub rate: Option<u64>,
}

/// The distribution of jitter, as in netem's tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Distribution {
    /// Uniform.
    #[default]
    Uniform,
    /// Normal.
    Normal,
    /// Heavy-tailed: few packets are much later.
    Pareto,
    /// A quarter of a normal and three quarters of a Pareto value.
    Paretonormal,
}

const DISTRIBUTIONS: [(&str, Distribution); 4] = [
    ("uniform", Distribution::Uniform),
    ("normal", Distribution::Normal),
    ("pareto", Distribution::Pareto),
    ("paretonormal", Distribution::Paretonormal),
];

impl Distribution {
    /// The distribution's name.
    pub fn name(self) -> &'static str {
        DISTRIBUTIONS.iter().find(|(_, one)| *one == self).map_or("uniform", |(name, _)| name)
    }

    /// Finds a distribution by its name.
    pub fn named(name: &str) -> Option<Distribution> {
        DISTRIBUTIONS.iter().find(|(other, _)| *other == name).map(|(_, one)| *one)
    }
}

impl Settings {
    /// Parses the words of a command delayed, as [`Settings`] are displayed: pairs of a name and a value.
    ///
    /// # Errors
    /// When the words are not settings.
    pub fn from_words(words: &[&str]) -> Result<Settings> {
        let mut settings = Settings::default();
        let (pairs, rest) = words.as_chunks::<2>();
        if let [word] = rest {
            return Err(format!("`{word}` has no value"));
        }
        for [name, value] in pairs {
            let wrong = || format!("`{name} {value}` is not a setting of a link");
            let nanos = || value.parse().map(Duration::from_nanos).map_err(|_| wrong());
            let share = || value.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(wrong);
            match *name {
                "delay" => settings.delay = nanos()?,
                "jitter" => settings.jitter = nanos()?,
                "distribution" => settings.distribution = Distribution::named(value).ok_or_else(wrong)?,
                "loss" => settings.loss = share()?,
                "burst" => settings.burst = share()?,
                "duplicate" => settings.duplicate = share()?,
                "reorder" => settings.reorder = share()?,
                "corrupt" => settings.corrupt = share()?,
                "rate" => settings.rate = Some(value.parse().ok().filter(|&bits| bits > 0).ok_or_else(wrong)?),
                _ => return Err(wrong()),
            }
        }
        Ok(settings)
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { delay, jitter, distribution, loss, burst, duplicate, reorder, corrupt, rate } = self;
        write!(out, "delay {} jitter {} distribution {}", delay.as_nanos(), jitter.as_nanos(), distribution.name())?;
        write!(out, " loss {loss} burst {burst} duplicate {duplicate} reorder {reorder} corrupt {corrupt}")?;
        rate.map_or(Ok(()), |bits| write!(out, " rate {bits}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_round_trip_through_words() {
        let settings = Settings {
            delay: Duration::from_millis(50),
            jitter: Duration::from_micros(7),
            distribution: Distribution::Paretonormal,
            loss: 0.1,
            burst: 0.25,
            duplicate: 1.0,
            reorder: 0.5,
            corrupt: 0.01,
            rate: Some(4_000_000),
        };
        for settings in [settings, Settings::default()] {
            let said = settings.to_string();
            assert_eq!(Settings::from_words(&said.split(' ').collect::<Vec<_>>()), Ok(settings));
        }
        for wrong in
            [&["delay"][..], &["delay", "x"], &["loss", "1.1"], &["loss", "nan"], &["rate", "0"], &["distribution", "x"], &["x", "1"]]
        {
            assert!(Settings::from_words(wrong).is_err(), "{wrong:?}");
        }
    }
}
