//! What a search may spend.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Limits on one search. All of it is optional: without limits a search ends when it has decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget<'r> {
    /// When it must end.
    pub(crate) deadline: Option<Instant>,
    /// Bytes it may hold.
    pub(crate) bytes: usize,
    /// Configurations it may visit: a limit that does not depend on the machine.
    pub(crate) visits: u64,
    /// Set as soon as another search has decided the same.
    pub(crate) overtaken: Option<&'r AtomicBool>,
    /// Whether it must be able to say how it came to what it found, which costs memory.
    pub(crate) keeps_trails: bool,
}

impl Budget<'_> {
    /// No limits but these bytes and this moment.
    pub(crate) fn new(bytes: usize, deadline: Option<Instant>) -> Budget<'static> {
        Budget { deadline, bytes, visits: u64::MAX, overtaken: None, keeps_trails: false }
    }

    /// No limits but these visits and two gibibytes: the same on every machine.
    pub(crate) fn of_visits(visits: u64) -> Budget<'static> {
        Budget { visits, ..Budget::new(2 << 30, None) }
    }

    /// The same, with trails kept or not.
    pub(crate) fn keeping_trails(self, keeps_trails: bool) -> Self {
        Budget { keeps_trails, ..self }
    }

    /// Why the search must end now, if it must.
    pub(crate) fn exceeded(&self, spent: &Spent) -> Option<Exceeded> {
        if spent.visits > self.visits {
            Some(Exceeded::Visits)
        } else if spent.bytes > self.bytes / 2 {
            // Whatever grows next may need as much again.
            Some(Exceeded::Memory)
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Some(Exceeded::Time)
        } else if self.overtaken.is_some_and(|overtaken| overtaken.load(Ordering::Relaxed)) {
            Some(Exceeded::Overtaken)
        } else {
            None
        }
    }
}

/// What a search has spent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// Configurations visited.
    pub(crate) visits: u64,
    /// Bytes held now.
    pub(crate) bytes: usize,
    /// Bytes held at most.
    pub(crate) peak_bytes: usize,
    /// Configurations kept between two completions, at most.
    pub(crate) peak_configurations: usize,
}

/// The limit that ended a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// [`Budget::visits`].
    Visits,
    /// [`Budget::bytes`].
    Memory,
    /// [`Budget::deadline`].
    Time,
    /// More operations open at once than a search can tell apart.
    Concurrency,
    /// A search that keeps few configurations ran empty for having dropped others: it proves nothing.
    Narrow,
    /// [`Budget::overtaken`].
    Overtaken,
}

impl Exceeded {
    /// In words, after "because".
    pub(crate) fn why(self) -> &'static str {
        match self {
            Exceeded::Visits => "the search visited as many configurations as it may",
            Exceeded::Memory => "the memory budget ran out",
            Exceeded::Time => "the time budget ran out",
            Exceeded::Concurrency => "more than 16,384 operations are open at once",
            Exceeded::Narrow => "the search kept too few configurations",
            Exceeded::Overtaken => "another search decided",
        }
    }
}
