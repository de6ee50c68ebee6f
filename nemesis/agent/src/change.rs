//! How a clock is set wrong: as a plan asks it, and a command line says it.

use std::fmt;

use crate::Result;
use crate::skew::{GAIN_ONE, SECOND, Skew};

/// A way to set a clock wrong. Times are nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// It is ahead by so much, or behind when negative.
    Bump(i64),
    /// It jumps ahead by so much and back again, staying for a while each time.
    Strobe {
        /// How far it jumps.
        by: i64,
        /// How long it stays.
        every: i64,
    },
    /// It gains so many seconds in each second, or loses when negative.
    Drift(f64),
    /// It shows this time since 1970, and goes on from there.
    Jump(i64),
    /// It stands still.
    Freeze,
    /// Two seconds before midnight comes a leap second: inserted, 23:59:59 is shown twice, as the kernel does it; otherwise it is left out.
    Leap {
        /// Whether a second is inserted, not left out.
        inserted: bool,
    },
}

/// The seconds of a day.
const DAY: i64 = 86_400 * SECOND;

/// How long before midnight a clock is set for a leap second.
const EVE: i64 = 2 * SECOND;

impl Change {
    /// What a clock shows that is set so at this true time.
    pub fn skew(&self, now: i64) -> Skew {
        let right = Skew { since: now, ..Skew::NONE };
        match *self {
            Change::Bump(by) => Skew { ahead: by, ..right },
            Change::Strobe { by, every } => Skew { period: every, swing: by, ..right },
            Change::Drift(gain) => Skew { gain: (gain * GAIN_ONE as f64) as i64, ..right },
            Change::Jump(to) => Skew { ahead: to.saturating_sub(now), ..right },
            Change::Freeze => Skew { gain: -GAIN_ONE, ..right },
            Change::Leap { inserted } => {
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

    /// From the words of a command line, as [`Change`] is displayed.
    ///
    /// # Errors
    /// When they are no change.
    pub fn of_words(words: &[&str]) -> Result<Change> {
        let number = |word: &str| word.parse::<i64>().map_err(|_| format!("`{word}` is no number of nanoseconds"));
        match *words {
            ["bump", by] => Ok(Change::Bump(number(by)?)),
            ["strobe", by, every] => match number(every)? {
                every if every > 0 => Ok(Change::Strobe { by: number(by)?, every }),
                _ => Err("a strobe stays for longer than nothing each time".into()),
            },
            ["drift", gain] => match gain.parse() {
                Ok(gain) if f64::is_finite(gain) => Ok(Change::Drift(gain)),
                _ => Err(format!("`{gain}` is no rate")),
            },
            ["jump", to] => Ok(Change::Jump(number(to)?)),
            ["freeze"] => Ok(Change::Freeze),
            ["leap", "insert"] => Ok(Change::Leap { inserted: true }),
            ["leap", "delete"] => Ok(Change::Leap { inserted: false }),
            _ => Err(format!("`{}` is no change of a clock", words.join(" "))),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Bump(by) => write!(out, "bump {by}"),
            Change::Strobe { by, every } => write!(out, "strobe {by} {every}"),
            Change::Drift(gain) => write!(out, "drift {gain}"),
            Change::Jump(to) => write!(out, "jump {to}"),
            Change::Freeze => write!(out, "freeze"),
            Change::Leap { inserted: true } => write!(out, "leap insert"),
            Change::Leap { inserted: false } => write!(out, "leap delete"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2027-01-15T08:00:00Z.
    const NOW: i64 = 1_800_000_000 * SECOND;

    #[test]
    fn words_say_all_of_it() {
        let all = [
            Change::Bump(-7),
            Change::Strobe { by: 5, every: 9 },
            Change::Drift(-0.25),
            Change::Jump(0),
            Change::Freeze,
            Change::Leap { inserted: true },
            Change::Leap { inserted: false },
        ];
        for change in all {
            let said = change.to_string();
            assert_eq!(Change::of_words(&said.split(' ').collect::<Vec<_>>()), Ok(change));
        }
        for wrong in [&["bump"][..], &["bump", "x"], &["strobe", "1", "0"], &["drift", "inf"], &["leap", "year"], &[]] {
            assert!(Change::of_words(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn clocks_are_as_wrong_as_asked() {
        let shown = |change: Change, later: i64| change.skew(NOW).shown(NOW + later);
        assert_eq!(shown(Change::Bump(-3), 10), NOW + 7);
        assert_eq!(shown(Change::Drift(0.5), 8 * SECOND), NOW + 12 * SECOND);
        assert_eq!(shown(Change::Jump(SECOND), 5), SECOND + 5);
        assert_eq!(shown(Change::Freeze, 99 * SECOND), NOW);
    }

    #[test]
    fn a_leap_second_is_shown_twice_or_never() {
        // Shown are the seconds of the day, at every half second from two before midnight.
        let seconds = |inserted| -> Vec<i64> {
            let skew = Change::Leap { inserted }.skew(NOW);
            (0..8).map(|half| skew.shown(NOW + half * SECOND / 2).rem_euclid(DAY) / SECOND).collect()
        };
        assert_eq!(seconds(true), [86398, 86398, 86399, 86399, 86399, 86399, 0, 0]);
        assert_eq!(seconds(false), [86398, 86398, 0, 0, 1, 1, 2, 2]);
    }
}
