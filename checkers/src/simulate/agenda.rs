//! What is going to happen, in order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use elenchus_core::Rng;

/// A queue of turns by time; those of one moment keep the order in which they were planned. O(log n) a turn.
#[derive(Debug, Default)]
pub(super) struct Agenda<T> {
    turns: BinaryHeap<Reverse<(u64, u64, T)>>,
    planned: u64,
    now: u64,
}

impl<T: Ord> Agenda<T> {
    /// An empty agenda, at time 0.
    pub(super) fn new() -> Agenda<T> {
        Agenda { turns: BinaryHeap::new(), planned: 0, now: 0 }
    }

    /// Plans a turn so many nanoseconds from now.
    pub(super) fn after(&mut self, delay: u64, turn: T) {
        self.planned += 1;
        self.turns.push(Reverse((self.now.saturating_add(delay), self.planned, turn)));
    }

    /// The next turn. Its time is now.
    pub(super) fn next(&mut self) -> Option<T> {
        let Reverse((time, _, turn)) = self.turns.pop()?;
        self.now = time;
        Some(turn)
    }

    /// Nanoseconds since the start.
    pub(super) fn now(&self) -> u64 {
        self.now
    }
}

/// How long something takes that takes `mean` nanoseconds or so: uniform up to twice that, and one time in sixteen eight times as long. Whole
/// numbers only, since logarithms differ between platforms.
pub(super) fn delay(rng: &mut Rng, mean: u64) -> u64 {
    let bits = rng.bits();
    let usual = ((u128::from(bits) * u128::from(mean.saturating_mul(2))) >> 64) as u64;
    if bits.is_multiple_of(16) { usual.saturating_mul(8) } else { usual }
}
