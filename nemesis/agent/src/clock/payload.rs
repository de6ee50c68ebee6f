//! The page of data next to the code that runs inside a struck process: the magic, which clocks are wrong as bits, the words of a [`Skew`], and the owner.

use super::processor::PAGE;
use crate::skew::{Skew, WORDS};

/// Starts the data. Who heals knows by it whom to heal, even from another version of this program.
const MAGIC: u64 = u64::from_le_bytes(*b"elenchus");

/// Where, from the start of the data, an asked clock writes its answer.
pub(super) const ANSWER: usize = 1024;

/// Where the stack of the question begins, downwards.
pub(super) const STACK: usize = PAGE - 256;

/// The clocks that tell the time of day: the real-time clock, its coarse twin, that of alarms, and that of atomic time, as bits.
const CLOCKS: u64 = 1 << libc::CLOCK_REALTIME | 1 << libc::CLOCK_REALTIME_COARSE | 1 << libc::CLOCK_REALTIME_ALARM | 1 << libc::CLOCK_TAI;

/// How many bytes of the data say something.
pub(super) const DATA: usize = 16 + 8 * WORDS + 8;

/// The data of a clock, and whose deed it is.
pub(super) fn data(skew: &Skew, owner: u64) -> Vec<u8> {
    let words = skew.words().map(i64::to_le_bytes);
    [MAGIC.to_le_bytes(), CLOCKS.to_le_bytes()].into_iter().chain(words).chain([owner.to_le_bytes()]).flatten().collect()
}

/// The clock of some data, and whose deed it is, if it is such data.
pub(super) fn skew(data: &[u8]) -> Option<(Skew, u64)> {
    let words: Vec<[u8; 8]> = data.chunks_exact(8).filter_map(|word| word.try_into().ok()).collect();
    let [magic, _, skew @ .., owner] = words.as_slice() else { return None };
    let skew: Vec<i64> = skew.iter().copied().map(i64::from_le_bytes).collect();
    let skew = Skew::of_words(skew.try_into().ok()?);
    (u64::from_le_bytes(*magic) == MAGIC).then_some((skew, u64::from_le_bytes(*owner)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_holds_the_clock() {
        let wrong = Skew { since: 1, ahead: -2, gain: 3, period: 4, swing: -5, step_at: 6, step: 7 };
        let bytes = data(&wrong, 8);
        assert_eq!((bytes.len(), skew(&bytes)), (DATA, Some((wrong, 8))));
        assert_eq!(skew(&[0; DATA]), None);
    }
}
