//! Counts and example instances of the phenomena found.

use std::collections::BTreeMap;

use super::phenomenon::Phenomenon;

/// An edge of a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The number of the transaction at its tail.
    pub from: u32,
    /// The number of the transaction at its head.
    pub to: u32,
    /// Its kind.
    pub kind: LinkKind,
}

/// The kind of an edge between two transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkKind {
    /// A write dependency.
    Ww,
    /// A read dependency.
    Wr,
    /// An anti-dependency.
    Rw,
    /// An anti-dependency of a predicate.
    PredicateRw,
    /// Session order.
    Process,
    /// Real-time order.
    Realtime,
}

impl LinkKind {
    /// The short name used in pictures.
    pub fn name(self) -> &'static str {
        match self {
            LinkKind::Ww => "ww",
            LinkKind::Wr => "wr",
            LinkKind::Rw => "rw",
            LinkKind::PredicateRw => "prw",
            LinkKind::Process => "process",
            LinkKind::Realtime => "realtime",
        }
    }

    /// Returns whether this is an anti-dependency of an item or a predicate.
    pub(crate) fn is_anti(self) -> bool {
        matches!(self, LinkKind::Rw | LinkKind::PredicateRw)
    }
}

/// One instance of a phenomenon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// The numbers of its transactions; for a cycle, in the order of the cycle.
    pub transactions: Vec<u32>,
    /// The number of its key, if it concerns a single key.
    pub key: Option<u32>,
    /// The cycle, if it is one: each link starts where the previous one ends.
    pub cycle: Vec<Link>,
    /// The argument in sentences, if it is not a cycle.
    pub sentences: Vec<String>,
    /// The edges for its picture that those sentences describe.
    pub arrows: Vec<Link>,
}

/// The instances of one phenomenon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The number of instances; [`PhenomenonEntry::counts`](super::PhenomenonEntry::counts) defines what is counted.
    pub count: u64,
    /// Examples: the first instances found, or the shortest cycles.
    pub examples: Vec<Instance>,
}

/// Everything that was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) found: BTreeMap<Phenomenon, Found>,
    limit: usize,
}

impl Counts {
    /// Creates an empty collection that keeps up to `limit` examples of each phenomenon.
    pub(crate) fn new(limit: usize) -> Counts {
        Counts { found: BTreeMap::new(), limit }
    }

    /// Counts an instance, and describes it if there is room for another example.
    pub(crate) fn add(&mut self, phenomenon: Phenomenon, describe: impl FnOnce() -> Instance) {
        let found = self.found.entry(phenomenon).or_default();
        found.count += 1;
        if found.examples.len() < self.limit {
            found.examples.push(describe());
        }
    }

    /// Counts instances and keeps some as examples.
    pub(crate) fn add_all(&mut self, phenomenon: Phenomenon, count: u64, examples: Vec<Instance>) {
        if count > 0 {
            let found = self.found.entry(phenomenon).or_default();
            found.count += count;
            found.examples.extend(examples);
        }
    }

    /// Merges two collections. Shorter cycles come first; the order of equally long ones is kept.
    pub(crate) fn merge(mut self, other: Counts) -> Counts {
        for (phenomenon, found) in other.found {
            let mine = self.found.entry(phenomenon).or_default();
            mine.count += found.count;
            mine.examples.extend(found.examples);
            mine.examples.sort_by_key(|instance| instance.cycle.len());
            mine.examples.truncate(self.limit.max(1));
        }
        self
    }
}
