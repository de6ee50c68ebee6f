//! A change of a clock, as a plan and a command line describe it.

use std::fmt;

use crate::Result;
use crate::skew::{GAIN_ONE, SECOND, Skew};

/// A change of a clock. Times are nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClockChange {
    /// An offset; negative: behind the true time.
    Bump(i64),
    /// An offset that is applied and removed in turn.
    Strobe {
        /// The offset.
        by: i64,
        /// How long each state lasts.
        every: i64,
    },
    /// A clock rate: seconds gained in each second; negative: lost.
    Drift(f64),
    /// A jump to this time since 1970, from which the clock continues.
    Jump(i64),
    /// A clock that stands still.
    Freeze,
    /// A leap second, two seconds from now by this clock, which is set to 23:59:58. An inserted one shows 23:59:59 twice, as the kernel
    /// does; a deleted one skips it.
    Leap {
        /// Whether the second is inserted; otherwise it is deleted.
        inserted: bool,
    },
}

/// The seconds of a day.
const DAY: i64 = 86_400 * SECOND;

/// How long before midnight the clock is set for a leap second.
const EVE: i64 = 2 * SECOND;

impl ClockChange {
    /// The changed clock, when the change is made at this true time.
    pub fn skew(&self, now: i64) -> Skew {
        let right = Skew { since: now, ..Skew::NONE };
        match *self {
            ClockChange::Bump(by) => Skew { ahead: by, ..right },
            ClockChange::Strobe { by, every } => Skew { period: every, swing: by, ..right },
            ClockChange::Drift(gain) => Skew { gain: (gain * GAIN_ONE as f64) as i64, ..right },
            ClockChange::Jump(to) => Skew { ahead: to.saturating_sub(now), ..right },
            ClockChange::Freeze => Skew { gain: -GAIN_ONE, ..right },
            ClockChange::Leap { inserted } => {
                let to_midnight = DAY - now.rem_euclid(DAY);
                let eve = Skew { ahead: to_midnight - EVE, ..right };
                if inserted {
                    Skew { step_at: now + EVE, step: -SECOND, ..eve }
                } else {
                    Skew { step_at: now + EVE - SECOND, step: SECOND, ..eve }
                }
            }
        }
    }

    /// Parses the words of a command line, as [`ClockChange`] displays them.
    ///
    /// # Errors
    /// When the words are not a change.
    pub fn from_words(words: &[&str]) -> Result<ClockChange> {
        let number = |word: &str| word.parse::<i64>().map_err(|_| format!("`{word}` is not a number of nanoseconds"));
        match *words {
            ["bump", by] => Ok(ClockChange::Bump(number(by)?)),
            ["strobe", by, every] => match number(every)? {
                every if every > 0 => Ok(ClockChange::Strobe { by: number(by)?, every }),
                _ => Err("the interval of a strobe must be greater than zero".into()),
            },
            ["drift", gain] => match gain.parse() {
                Ok(gain) if f64::is_finite(gain) => Ok(ClockChange::Drift(gain)),
                _ => Err(format!("`{gain}` is not a rate")),
            },
            ["jump", to] => Ok(ClockChange::Jump(number(to)?)),
            ["freeze"] => Ok(ClockChange::Freeze),
            ["leap", "insert"] => Ok(ClockChange::Leap { inserted: true }),
            ["leap", "delete"] => Ok(ClockChange::Leap { inserted: false }),
            _ => Err(format!("`{}` is not a change of a clock", words.join(" "))),
        }
    }
}

impl fmt::Display for ClockChange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClockChange::Bump(by) => write!(out, "bump {by}"),
            ClockChange::Strobe { by, every } => write!(out, "strobe {by} {every}"),
            ClockChange::Drift(gain) => write!(out, "drift {gain}"),
            ClockChange::Jump(to) => write!(out, "jump {to}"),
            ClockChange::Freeze => write!(out, "freeze"),
            ClockChange::Leap { inserted: true } => write!(out, "leap insert"),
            ClockChange::Leap { inserted: false } => write!(out, "leap delete"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2027-01-15T08:00:00Z.
    const NOW: i64 = 1_800_000_000 * SECOND;

    #[test]
    fn changes_round_trip_through_words() {
        let all = [
            ClockChange::Bump(-7),
            ClockChange::Strobe { by: 5, every: 9 },
            ClockChange::Drift(-0.25),
            ClockChange::Jump(0),
            ClockChange::Freeze,
            ClockChange::Leap { inserted: true },
            ClockChange::Leap { inserted: false },
        ];
        for change in all {
            let said = change.to_string();
            assert_eq!(ClockChange::from_words(&said.split(' ').collect::<Vec<_>>()), Ok(change));
        }
        for wrong in [&["bump"][..], &["bump", "x"], &["strobe", "1", "0"], &["drift", "inf"], &["leap", "year"], &[]] {
            assert!(ClockChange::from_words(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_changed_clock_shows_the_requested_time() {
        let shown = |change: ClockChange, later: i64| change.skew(NOW).shown(NOW + later);
        assert_eq!(shown(ClockChange::Bump(-3), 10), NOW + 7);
        assert_eq!(shown(ClockChange::Drift(0.5), 8 * SECOND), NOW + 12 * SECOND);
        assert_eq!(shown(ClockChange::Jump(SECOND), 5), SECOND + 5);
        assert_eq!(shown(ClockChange::Freeze, 99 * SECOND), NOW);
    }

    #[test]
    fn a_leap_second_is_inserted_or_deleted() {
        // The second of the day at every half second, from two seconds before midnight.
        let seconds = |inserted| -> Vec<i64> {
            let skew = ClockChange::Leap { inserted }.skew(NOW);
            (0..8).map(|half| skew.shown(NOW + half * SECOND / 2).rem_euclid(DAY) / SECOND).collect()
        };
        assert_eq!(seconds(true), [86398, 86398, 86399, 86399, 86399, 86399, 0, 0]);
        assert_eq!(seconds(false), [86398, 86398, 0, 0, 1, 1, 2, 2]);
    }
}
