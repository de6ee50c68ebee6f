//! Generators of operations.
//!
//! A generator is used in two steps, so that combinators can compare several before they choose one: [`Generator::poll`] returns *when* it has an
//! operation, [`Generator::take`] returns the operation. Generators are pure: they read no clock and draw all randomness from streams of the run's seed.

use crate::{Event, Invocation, Nanos, Worker};

/// The maximum number of workers of a run.
pub const MAX_WORKERS: usize = 1024;

/// The state of a generator: when it has an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// It has an operation now: [`Generator::take`] may be called in the same context.
    Ready,
    /// It has none before this time.
    At(Nanos),
    /// It has none until an operation completes: no suitable worker is free, or it waits for the outcome of an earlier operation.
    Pending,
    /// It has no more operations.
    Done,
}

/// A source of operations.
///
/// ```
/// use elenchus_core::data::RegisterRequest;
/// use elenchus_core::{Context, Generator, Invocation, Poll, Value};
///
/// /// Reads without end.
/// struct Reads;
///
/// impl Generator for Reads {
///     fn poll(&mut self, context: &Context) -> Poll {
///         if context.free.is_empty() { Poll::Pending } else { Poll::Ready }
///     }
///
///     fn take(&mut self, context: &Context) -> Invocation {
///         Invocation::new(context.free.first().unwrap(), RegisterRequest::Read { key: Value::from("x") })
///     }
/// }
/// ```
pub trait Generator: Send {
    /// Returns when the next operation may be taken. Idempotent within one context, without observable side effects.
    fn poll(&mut self, context: &Context) -> Poll;

    /// Returns the next operation, for a worker in `context.free`. Called only after [`Generator::poll`] returned [`Poll::Ready`] in this context.
    fn take(&mut self, context: &Context) -> Invocation;

    /// Notifies the generator of an invocation or completion by a worker. Combinators must forward it.
    fn update(&mut self, _context: &Context, _worker: Worker, _event: &Event) {}
}

impl Generator for Box<dyn Generator> {
    fn poll(&mut self, context: &Context) -> Poll {
        self.as_mut().poll(context)
    }

    fn take(&mut self, context: &Context) -> Invocation {
        self.as_mut().take(context)
    }

    fn update(&mut self, context: &Context, worker: Worker, event: &Event) {
        self.as_mut().update(context, worker, event);
    }
}

/// The state of the run that is visible to a generator.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The current time.
    pub now: Nanos,
    /// The idle workers that this generator may use.
    pub free: WorkerSet,
    /// All workers that this generator may use.
    pub workers: WorkerSet,
    /// How many nodes there are.
    pub nodes: usize,
}

impl Context {
    /// Returns the same context restricted to some workers.
    pub fn only(&self, workers: &WorkerSet) -> Context {
        Context { free: self.free.intersection(workers), workers: self.workers.intersection(workers), ..*self }
    }
}

/// A set of workers, as a bit set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WorkerSet {
    bits: [u64; MAX_WORKERS / 64],
}

impl WorkerSet {
    /// The empty set.
    pub const EMPTY: WorkerSet = WorkerSet { bits: [0; MAX_WORKERS / 64] };

    /// Returns the first `count` workers, [`MAX_WORKERS`] at most.
    pub fn first_n(count: usize) -> WorkerSet {
        (0..count.min(MAX_WORKERS)).map(|worker| Worker(worker as u16)).collect()
    }

    /// Adds a worker.
    pub fn insert(&mut self, worker: Worker) {
        self.bits[usize::from(worker.0) / 64] |= 1 << (worker.0 % 64);
    }

    /// Removes a worker.
    pub fn remove(&mut self, worker: Worker) {
        self.bits[usize::from(worker.0) / 64] &= !(1 << (worker.0 % 64));
    }

    /// Returns whether the set contains a worker.
    pub fn contains(&self, worker: Worker) -> bool {
        self.bits[usize::from(worker.0) / 64] & (1 << (worker.0 % 64)) != 0
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|&word| word == 0)
    }

    /// Returns the number of workers.
    pub fn len(&self) -> usize {
        self.bits.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Returns the lowest worker.
    pub fn first(&self) -> Option<Worker> {
        self.bits.iter().position(|&word| word != 0).map(|at| Worker((at * 64) as u16 + self.bits[at].trailing_zeros() as u16))
    }

    /// Returns the lowest worker from this number on, or else the lowest of all.
    pub fn first_from(&self, number: u16) -> Option<Worker> {
        let from = usize::from(number);
        let word = self.bits.get(from / 64).map_or(0, |word| word & (u64::MAX << (from % 64)));
        if word != 0 {
            return Some(Worker((from / 64 * 64) as u16 + word.trailing_zeros() as u16));
        }
        let later = self.bits.iter().enumerate().skip(from / 64 + 1).find(|(_, word)| **word != 0);
        later.map(|(at, word)| Worker((at * 64) as u16 + word.trailing_zeros() as u16)).or_else(|| self.first())
    }

    /// Returns the workers in both sets.
    pub fn intersection(&self, other: &WorkerSet) -> WorkerSet {
        let mut both = *self;
        for (word, theirs) in both.bits.iter_mut().zip(other.bits) {
            *word &= theirs;
        }
        both
    }

    /// Iterates over the workers, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = Worker> + '_ {
        self.bits
            .iter()
            .enumerate()
            .flat_map(|(at, &word)| (0..64).filter(move |bit| word & (1 << bit) != 0).map(move |bit| Worker((at * 64) as u16 + bit as u16)))
    }
}

impl FromIterator<Worker> for WorkerSet {
    fn from_iter<I: IntoIterator<Item = Worker>>(workers: I) -> WorkerSet {
        let mut set = WorkerSet::EMPTY;
        for worker in workers {
            set.insert(worker);
        }
        set
    }
}

impl std::fmt::Debug for WorkerSet {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_set().entries(self.iter().map(|worker| worker.0)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_set_is_a_set() {
        let mut set = WorkerSet::first_n(70);
        assert_eq!((set.len(), set.first()), (70, Some(Worker(0))));
        set.remove(Worker(0));
        assert_eq!(set.first(), Some(Worker(1)));
        assert!(set.contains(Worker(69)) && !set.contains(Worker(70)));
        let odd: WorkerSet = [Worker(69), Worker(71)].into_iter().collect();
        assert_eq!(set.intersection(&odd).iter().collect::<Vec<_>>(), vec![Worker(69)]);
        assert_eq!(odd.first_from(70), Some(Worker(71)));
        assert_eq!(odd.first_from(72), Some(Worker(69)));
        assert!(WorkerSet::EMPTY.is_empty() && WorkerSet::EMPTY.first_from(3).is_none());
    }
}
