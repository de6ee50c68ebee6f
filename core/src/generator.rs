//! What is invoked next.
//!
//! A generator is asked in two steps, so that combinators can compare several before they choose one: [`Generator::poll`] says *when* it has an
//! operation, [`Generator::take`] hands it over. Generators are pure: they read no clock and draw all randomness from streams of the run's seed.

use crate::{Event, Invocation, Nanos, Worker};

/// The most workers that a run can have.
pub const MAX_WORKERS: usize = 1024;

/// When a generator has an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// Now: [`Generator::take`] may be called in the same context.
    Ready,
    /// Not before this moment.
    At(Nanos),
    /// Not until something completes: no free worker fits, or it waits for the outcome of an earlier operation.
    Pending,
    /// Never again.
    Done,
}

/// Decides what is invoked next.
///
/// ```
/// use elenchus_core::data::RegisterRequest;
/// use elenchus_core::{Context, Generator, Invocation, Poll, Value};
///
/// /// Reads for ever.
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
    /// When the next operation may be taken. Asking again in the same context gives the same answer and changes nothing that can be seen.
    fn poll(&mut self, context: &Context) -> Poll;

    /// The next operation, for a worker in `context.free`. Called only after [`Generator::poll`] answered [`Poll::Ready`] in this context.
    fn take(&mut self, context: &Context) -> Invocation;

    /// Something was invoked or completed by this worker. Combinators pass it on.
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

/// What a generator may know of the run.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The moment of asking.
    pub now: Nanos,
    /// The workers that have nothing to do, as far as this generator may use them.
    pub free: WorkerSet,
    /// All workers that this generator may use.
    pub workers: WorkerSet,
    /// How many nodes there are.
    pub nodes: usize,
}

impl Context {
    /// The same moment, seen by a part that may use only these workers.
    pub fn only(&self, workers: &WorkerSet) -> Context {
        Context { free: self.free.intersection(workers), workers: self.workers.intersection(workers), ..*self }
    }
}

/// A set of workers, as bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WorkerSet {
    bits: [u64; MAX_WORKERS / 64],
}

impl WorkerSet {
    /// No worker.
    pub const EMPTY: WorkerSet = WorkerSet { bits: [0; MAX_WORKERS / 64] };

    /// The first `count` workers, [`MAX_WORKERS`] at most.
    pub fn first_n(count: usize) -> WorkerSet {
        (0..count.min(MAX_WORKERS)).map(|worker| Worker(worker as u16)).collect()
    }

    /// Adds a worker.
    pub fn insert(&mut self, worker: Worker) {
        self.bits[usize::from(worker.0) / 64] |= 1 << (worker.0 % 64);
    }

    /// Takes a worker out.
    pub fn remove(&mut self, worker: Worker) {
        self.bits[usize::from(worker.0) / 64] &= !(1 << (worker.0 % 64));
    }

    /// Whether a worker is in it.
    pub fn contains(&self, worker: Worker) -> bool {
        self.bits[usize::from(worker.0) / 64] & (1 << (worker.0 % 64)) != 0
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|&word| word == 0)
    }

    /// How many are in it.
    pub fn len(&self) -> usize {
        self.bits.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The lowest worker in it.
    pub fn first(&self) -> Option<Worker> {
        self.bits.iter().position(|&word| word != 0).map(|at| Worker((at * 64) as u16 + self.bits[at].trailing_zeros() as u16))
    }

    /// The lowest worker from this number on, or else the lowest of all.
    pub fn first_from(&self, number: u16) -> Option<Worker> {
        let from = usize::from(number);
        let word = self.bits.get(from / 64).map_or(0, |word| word & (u64::MAX << (from % 64)));
        if word != 0 {
            return Some(Worker((from / 64 * 64) as u16 + word.trailing_zeros() as u16));
        }
        let later = self.bits.iter().enumerate().skip(from / 64 + 1).find(|(_, word)| **word != 0);
        later.map(|(at, word)| Worker((at * 64) as u16 + word.trailing_zeros() as u16)).or_else(|| self.first())
    }

    /// Those in both sets.
    pub fn intersection(&self, other: &WorkerSet) -> WorkerSet {
        let mut both = *self;
        for (word, theirs) in both.bits.iter_mut().zip(other.bits) {
            *word &= theirs;
        }
        both
    }

    /// The workers, lowest first.
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
