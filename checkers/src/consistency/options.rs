//! What a judgement may spend and should assume.

use std::time::{Duration, Instant};

use elenchus_core::{Nanos, Value};

/// What the checkers of registers can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// What every register holds at first.
    pub initial: Value,
    /// How long a search may take, where one is needed. None: as long as its budget of states lasts. With a limit, the verdict may depend
    /// on the machine.
    pub time: Option<Duration>,
    /// For k-atomicity: of how many last versions a read may find any; at least 1.
    pub k: u32,
    /// For bounded staleness: by how many versions a read may be stale; none: any.
    pub versions: Option<u32>,
    /// For bounded staleness: for how long a read may be stale; none: for ever.
    pub age: Option<Nanos>,
    /// For eventual consistency: how long after the last write all readers must agree; none: at some time.
    pub within: Option<Nanos>,
}

impl Default for Options {
    /// Registers that hold nil, no limit of time, 2-atomicity, no bounds.
    fn default() -> Options {
        Options { initial: Value::Nil, time: None, k: 2, versions: None, age: None, within: None }
    }
}

/// What one search may spend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long it may take.
    pub(crate) time: Option<Duration>,
    /// States, each times the sessions.
    pub(crate) cells: usize,
}

impl Limits {
    /// The limits that options set.
    pub(crate) fn new(options: &Options) -> Limits {
        Limits { time: options.time, cells: 50_000_000 }
    }

    /// Limits for one attempt to make a counterexample smaller.
    pub(crate) fn small() -> Limits {
        Limits { time: None, cells: 1_000_000 }
    }

    /// When a search that begins now must end.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.time.map(|time| Instant::now() + time)
    }
}
