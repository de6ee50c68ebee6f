//! The data page next to our code in a patched process: a magic number, a bit mask of the clocks that are changed, the words of a [`Skew`],
//! and the owner.

use super::processor::PAGE;
use crate::skew::{Skew, WORDS};

/// Marks the data, so that other versions of this program find the processes to restore.
const MAGIC: u64 = u64::from_le_bytes(*b"elenchus");

/// The offset in the data of the time that a process is made to read.
pub(super) const RESULT: usize = 1024;

/// The offset in the data at which the stack for that call begins, downwards.
pub(super) const STACK: usize = PAGE - 256;

/// The clocks of the time of day, as bits.
const CLOCKS: u64 = 1 << libc::CLOCK_REALTIME | 1 << libc::CLOCK_REALTIME_COARSE | 1 << libc::CLOCK_REALTIME_ALARM | 1 << libc::CLOCK_TAI;

/// The length of the data in bytes.
pub(super) const DATA: usize = 16 + 8 * WORDS + 8;

/// Encodes a clock and its owner.
pub(super) fn data(skew: &Skew, owner: u64) -> Vec<u8> {
    let words = skew.words().map(i64::to_le_bytes);
    [MAGIC.to_le_bytes(), CLOCKS.to_le_bytes()].into_iter().chain(words).chain([owner.to_le_bytes()]).flatten().collect()
}

/// Decodes a clock and its owner; None when the magic number is missing.
pub(super) fn skew(data: &[u8]) -> Option<(Skew, u64)> {
    let words: Vec<[u8; 8]> = data.chunks_exact(8).filter_map(|word| word.try_into().ok()).collect();
    let [magic, _, skew @ .., owner] = words.as_slice() else { return None };
    let skew: Vec<i64> = skew.iter().copied().map(i64::from_le_bytes).collect();
    let skew = Skew::from_words(skew.try_into().ok()?);
    (u64::from_le_bytes(*magic) == MAGIC).then_some((skew, u64::from_le_bytes(*owner)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skew_and_owner_round_trip() {
        let wrong = Skew { since: 1, ahead: -2, gain: 3, period: 4, swing: -5, step_at: 6, step: 7 };
        let bytes = data(&wrong, 8);
        assert_eq!((bytes.len(), skew(&bytes)), (DATA, Some((wrong, 8))));
        assert_eq!(skew(&[0; DATA]), None);
    }
}
