//! ConsistencyOptions and limits of the checks.

use std::time::{Duration, Instant};

use elenchus_core::{Nanos, Value};

/// ConsistencyOptions of the register checkers.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsistencyOptions {
    /// The initial value of every register.
    pub initial: Value,
    /// The time limit of a search, where one is needed. `None`: only its budget of states limits it. With a time limit the verdict may
    /// depend on the machine.
    pub time: Option<Duration>,
    /// For k-atomicity: a read may return any of the last `k` versions; at least 1.
    pub k: u32,
    /// For bounded staleness: the maximum number of versions by which a read may be stale; `None` for no bound.
    pub versions: Option<u32>,
    /// For bounded staleness: the maximum age of a stale value; `None` for no bound.
    pub age: Option<Nanos>,
    /// For eventual consistency: the time after the last write by which all readers must agree; `None` for no bound.
    pub within: Option<Nanos>,
}

impl Default for ConsistencyOptions {
    /// Registers that initially hold nil, no time limit, 2-atomicity, no bounds.
    fn default() -> ConsistencyOptions {
        ConsistencyOptions { initial: Value::Nil, time: None, k: 2, versions: None, age: None, within: None }
    }
}

/// The budget of one search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The time limit.
    pub(crate) time: Option<Duration>,
    /// The maximum number of states, multiplied by the number of sessions.
    pub(crate) cells: usize,
}

impl Limits {
    /// Returns the limits that the options set.
    pub(crate) fn new(options: &ConsistencyOptions) -> Limits {
        Limits { time: options.time, cells: 50_000_000 }
    }

    /// Returns the limits of one attempt to minimise a counterexample.
    pub(crate) fn small() -> Limits {
        Limits { time: None, cells: 1_000_000 }
    }

    /// Returns the deadline of a search that begins now.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.time.map(|time| Instant::now() + time)
    }
}
