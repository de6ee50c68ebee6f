//! How often each phenomenon was found, and the first and plainest instances.

use std::collections::BTreeMap;

use super::phenomenon::Phenomenon;

/// One edge of a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The transaction it leaves, by number.
    pub from: u32,
    /// The transaction it enters.
    pub to: u32,
    /// What it is.
    pub kind: LinkKind,
}

/// What an edge between two transactions is.
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
    /// Its short name, as in pictures.
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

    /// Whether it is an anti-dependency.
    pub(crate) fn is_anti(self) -> bool {
        matches!(self, LinkKind::Rw | LinkKind::PredicateRw)
    }
}

/// One instance of a phenomenon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// The transactions that show it, by number; around the cycle, where it is one.
    pub transactions: Vec<u32>,
    /// The key it is about, by number, where it is about one.
    pub key: Option<u32>,
    /// The cycle, where it is one: each link ends where the next begins.
    pub cycle: Vec<Link>,
    /// The steps that show it, in sentences, where it is no cycle.
    pub sentences: Vec<String>,
    /// What those sentences say of pairs of transactions, for its picture.
    pub arrows: Vec<Link>,
}

/// How often something was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How many instances there are; [`PhenomenonEntry::counts`](super::PhenomenonEntry::counts) says what is counted.
    pub count: u64,
    /// Some of them: the first found, or the shortest cycles.
    pub examples: Vec<Instance>,
}

/// All that was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) found: BTreeMap<Phenomenon, Found>,
    limit: usize,
}

impl Tally {
    /// Nothing, with room for so many examples of each phenomenon.
    pub(crate) fn new(limit: usize) -> Tally {
        Tally { found: BTreeMap::new(), limit }
    }

    /// Counts an instance, which is described only while there is room.
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

    /// Takes in what was found elsewhere. The shortest cycles come first; those as short stay in order.
    pub(crate) fn merge(mut self, other: Tally) -> Tally {
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
