//! The event queue of the discrete-event simulation.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use elenchus_core::Rng;

/// A priority queue of tasks by time; tasks at the same time run in the order in which they were scheduled. O(log n) per task.
#[derive(Debug, Default)]
pub(super) struct EventQueue<T> {
    tasks: BinaryHeap<Reverse<(u64, u64, T)>>,
    scheduled: u64,
    now: u64,
}

impl<T: Ord> EventQueue<T> {
    /// Creates an empty queue at time 0.
    pub(super) fn new() -> EventQueue<T> {
        EventQueue { tasks: BinaryHeap::new(), scheduled: 0, now: 0 }
    }

    /// Schedules a task after a delay in nanoseconds.
    pub(super) fn schedule_after(&mut self, delay: u64, task: T) {
        self.scheduled += 1;
        self.tasks.push(Reverse((self.now.saturating_add(delay), self.scheduled, task)));
    }

    /// Removes the next task and advances the clock to its time.
    pub(super) fn next(&mut self) -> Option<T> {
        let Reverse((time, _, task)) = self.tasks.pop()?;
        self.now = time;
        Some(task)
    }

    /// Nanoseconds since the start.
    pub(super) fn now(&self) -> u64 {
        self.now
    }
}

/// Draws a delay in nanoseconds: uniform up to twice `mean`, and eight times as long for one delay in sixteen. Uses integers only,
/// because logarithms differ between platforms.
pub(super) fn delay(rng: &mut Rng, mean: u64) -> u64 {
    let bits = rng.bits();
    let usual = ((u128::from(bits) * u128::from(mean.saturating_mul(2))) >> 64) as u64;
    if bits.is_multiple_of(16) { usual.saturating_mul(8) } else { usual }
}
