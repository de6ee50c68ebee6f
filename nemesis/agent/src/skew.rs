//! The time that a changed clock shows: a function of the true time.

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;

/// The binary point of [`Skew::gain`]: it counts in units of 2⁻³².
pub const GAIN_ONE: i64 = 1 << 32;

/// A changed clock. All times are nanoseconds since 1970. It shows `true + ahead + gain · (true − since)`, plus `swing` in every second
/// period, plus `step` from `step_at` on.
///
/// It is written into processes as it is, word by word: the assembly code there depends on the order of the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Skew {
    /// The true time of the change.
    pub since: i64,
    /// The offset from the start.
    pub ahead: i64,
    /// The nanoseconds gained in a true nanosecond, in units of 2⁻³².
    pub gain: i64,
    /// The length of a period; 0 for none.
    pub period: i64,
    /// The additional offset in the second, fourth, … period.
    pub swing: i64,
    /// The true time of its step.
    pub step_at: i64,
    /// The additional offset from `step_at` on.
    pub step: i64,
}

/// The number of words of a [`Skew`].
pub const WORDS: usize = 7;

impl Skew {
    /// An unchanged clock.
    pub const NONE: Skew = Skew { since: 0, ahead: 0, gain: 0, period: 0, swing: 0, step_at: i64::MAX, step: 0 };

    /// The time that it shows at this true time. Wraps around three centuries from 1970, as the code in the processes does.
    pub fn shown(&self, real: i64) -> i64 {
        let since = real.wrapping_sub(self.since);
        let gained = ((i128::from(since) * i128::from(self.gain)) >> 32) as i64;
        let mut shown = real.wrapping_add(gained).wrapping_add(self.ahead);
        if self.period > 0 && since >= 0 && (since / self.period) % 2 == 1 {
            shown = shown.wrapping_add(self.swing);
        }
        if real >= self.step_at {
            shown = shown.wrapping_add(self.step);
        }
        shown
    }

    /// Whether a clock that was read between these true times can have shown this.
    pub fn may_show(&self, shown: i64, from: i64, to: i64) -> bool {
        let elapsed = to.saturating_sub(from);
        let gained = (i128::from(elapsed) * i128::from(self.gain).abs()) >> 32;
        let slack = i128::from(elapsed) + gained + 1000;
        [from, to].iter().any(|&real| (i128::from(shown) - i128::from(self.shown(real))).abs() <= slack)
    }

    /// Its words, in the order of the fields.
    pub fn words(&self) -> [i64; WORDS] {
        [self.since, self.ahead, self.gain, self.period, self.swing, self.step_at, self.step]
    }

    /// From its words.
    pub fn from_words([since, ahead, gain, period, swing, step_at, step]: [i64; WORDS]) -> Skew {
        Skew { since, ahead, gain, period, swing, step_at, step }
    }

    /// Its words in decimal, as a line of a file.
    pub fn line(&self) -> String {
        self.words().map(|word| word.to_string()).join(" ")
    }

    /// Parses a line of a file.
    pub fn of_line(line: &str) -> Option<Skew> {
        let words: Vec<i64> = line.split_whitespace().map(|word| word.parse().ok()).collect::<Option<_>>()?;
        words.try_into().ok().map(Skew::from_words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000 * SECOND;

    #[test]
    fn offset_gain_swing_and_step_add_up() {
        let from_now = Skew { since: NOW, ..Skew::NONE };
        assert_eq!(Skew { ahead: -5, ..from_now }.shown(NOW), NOW - 5);
        assert_eq!(Skew { gain: GAIN_ONE / 2, ..from_now }.shown(NOW + 10), NOW + 15);
        assert_eq!(Skew { gain: -GAIN_ONE, ..from_now }.shown(NOW + SECOND * 86400 * 365), NOW, "frozen");
        let swinging = Skew { period: 10, swing: 100, ..from_now };
        let shown: Vec<i64> = [0, 9, 10, 19, 20, 30].iter().map(|later| swinging.shown(NOW + later) - NOW - later).collect();
        assert_eq!(shown, [0, 0, 100, 100, 0, 100]);
        let stepping = Skew { step_at: NOW + 2, step: -7, ..from_now };
        assert_eq!((stepping.shown(NOW + 1), stepping.shown(NOW + 2)), (NOW + 1, NOW - 5));
    }

    #[test]
    fn a_reading_between_two_times_is_accepted() {
        let skew = Skew { since: NOW, ahead: 50 * SECOND, gain: GAIN_ONE, ..Skew::NONE };
        assert!(skew.may_show(skew.shown(NOW + 500), NOW, NOW + 1000));
        assert!(!skew.may_show(NOW + 500, NOW, NOW + 1000), "the true time is not accepted");
    }

    proptest::proptest! {
        /// No words from a file or the memory of a process overflow.
        #[test]
        fn any_words_are_a_skew(words: [i64; WORDS], real: i64, later in 0..SECOND) {
            let skew = Skew::from_words(words);
            proptest::prop_assert_eq!(Skew::of_line(&skew.line()), Some(skew));
            proptest::prop_assert!(skew.may_show(skew.shown(real), real, real.saturating_add(later)));
        }
    }

    #[test]
    fn skews_round_trip_through_lines() {
        let skew = Skew { since: 1, ahead: -2, gain: 3, period: 4, swing: -5, step_at: 6, step: 7 };
        assert_eq!(Skew::of_line(&skew.line()), Some(skew));
        assert_eq!(Skew::of_line("1 2 3"), None);
        assert_eq!(Skew::of_line("1 2 3 4 5 6 x"), None);
    }
}
