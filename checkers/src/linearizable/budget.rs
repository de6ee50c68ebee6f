//! Limits on a search.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Limits on one search. Without limits a search ends when it has decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget<'r> {
    /// The time at which it must stop.
    pub(crate) deadline: Option<Instant>,
    /// The number of bytes that it may hold.
    pub(crate) bytes: usize,
    /// The number of configurations that it may visit: a limit that does not depend on the machine.
    pub(crate) visits: u64,
    /// Set once another search has decided the same problem.
    pub(crate) cancelled: Option<&'r AtomicBool>,
    /// Whether it records the path to each configuration, which costs memory.
    pub(crate) keeps_paths: bool,
}

impl Budget<'_> {
    /// A budget limited only by memory and time.
    pub(crate) fn new(bytes: usize, deadline: Option<Instant>) -> Budget<'static> {
        Budget { deadline, bytes, visits: u64::MAX, cancelled: None, keeps_paths: false }
    }

    /// A budget limited only by visits and 2 GiB of memory, and so the same on every machine.
    pub(crate) fn of_visits(visits: u64) -> Budget<'static> {
        Budget { visits, ..Budget::new(2 << 30, None) }
    }

    /// The same budget, with paths recorded or not.
    pub(crate) fn keeping_paths(self, keeps_paths: bool) -> Self {
        Budget { keeps_paths, ..self }
    }

    /// The limit that is exceeded, if one is.
    pub(crate) fn exceeded(&self, spent: &Spent) -> Option<Exceeded> {
        if spent.visits > self.visits {
            Some(Exceeded::Visits)
        } else if spent.bytes > self.bytes / 2 {
            // The next table to grow may need as much again.
            Some(Exceeded::Memory)
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Some(Exceeded::Time)
        } else if self.cancelled.is_some_and(|cancelled| cancelled.load(Ordering::Relaxed)) {
            Some(Exceeded::Cancelled)
        } else {
            None
        }
    }
}

/// The resources that a search has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// The number of configurations visited.
    pub(crate) visits: u64,
    /// The number of bytes held now.
    pub(crate) bytes: usize,
    /// The peak number of bytes held.
    pub(crate) peak_bytes: usize,
    /// The peak number of configurations kept between two completions.
    pub(crate) peak_configurations: usize,
}

/// The limit that stopped a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// [`Budget::visits`].
    Visits,
    /// [`Budget::bytes`].
    Memory,
    /// [`Budget::deadline`].
    Time,
    /// The problem has more open operations at once than a search can represent.
    Concurrency,
    /// A beam search was left without configurations after it had dropped some, which proves nothing.
    NarrowBeam,
    /// Another search of the race has already decided.
    Cancelled,
}

impl Exceeded {
    /// The reason, as a clause that can follow "because".
    pub(crate) fn why(self) -> &'static str {
        match self {
            Exceeded::Visits => "the limit on visited configurations was reached",
            Exceeded::Memory => "the memory budget ran out",
            Exceeded::Time => "the time budget ran out",
            Exceeded::Concurrency => "more than 16,384 operations are open at once",
            Exceeded::NarrowBeam => "the beam search dropped too many configurations",
            Exceeded::Cancelled => "another search decided first",
        }
    }
}
