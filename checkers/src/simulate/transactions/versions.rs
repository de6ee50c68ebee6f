//! What was written under a key.

use super::super::table::Workload;
use super::sites::{SITES, View, join};

/// Every bank account begins with this much.
pub(super) const BALANCE: i64 = 10;

/// One write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    /// The site that committed it, and its number there.
    pub(super) site: usize,
    pub(super) number: u32,
    /// The position among all commits.
    pub(super) moment: u64,
    /// The invocation of the transaction.
    pub(super) writer: u64,
    pub(super) value: i64,
}

/// What a read is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Told {
    /// Nothing yet.
    #[default]
    Nothing,
    /// A value, if there is one.
    One(Option<i64>),
    /// All values.
    All(Vec<i64>),
}

/// A key: its versions in the order of their commits.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) versions: Vec<Version>,
    /// What versions that everyone sees added up to.
    sum: i64,
    /// Accesses that may still reach it.
    pub(super) open: u32,
    pub(super) is_retired: bool,
    /// The transaction that has it locked, by its invocation.
    pub(super) locked_by: Option<u64>,
    /// All that those need who read it and changed something.
    pub(super) readers: View,
}

impl Key {
    pub(super) fn new() -> Key {
        Key { versions: Vec::new(), sum: 0, open: 0, is_retired: false, locked_by: None, readers: [0; SITES] }
    }

    /// What is read of the versions that `sees`, and of the transaction's own writes after them.
    pub(super) fn read(&self, workload: Workload, own: &[i64], sees: impl Fn(&Version) -> bool) -> Told {
        let seen = self.versions.iter().filter(|version| sees(version)).map(|version| version.value);
        match workload {
            Workload::ListAppend | Workload::SetAdd => Told::All(seen.chain(own.iter().copied()).collect()),
            Workload::CounterInc => Told::One(Some(self.sum + seen.chain(own.iter().copied()).sum::<i64>())),
            _ => {
                let newest =
                    own.last().copied().or_else(|| self.versions.iter().rfind(|version| sees(version)).map(|version| version.value));
                Told::One(newest.or((workload == Workload::Bank).then_some(BALANCE)))
            }
        }
    }

    /// Whether it has a version that is not in a view.
    pub(super) fn has_beyond(&self, view: &View) -> bool {
        self.versions.iter().rev().any(|version| version.number > view[version.site])
    }

    /// Forgets versions that nobody can read any more who sees at least the horizon. O(1) a version, all told.
    pub(super) fn forget_past(&mut self, horizon: &View, workload: Workload) {
        if self.versions.len() < 32 || !self.versions.len().is_power_of_two() {
            return;
        }
        let is_past = |version: &Version| version.number <= horizon[version.site];
        let past = match workload {
            Workload::CounterInc => self.versions.iter().take_while(|version| is_past(version)).count(),
            // One that all see hides those before it.
            _ => self.versions.iter().rposition(is_past).unwrap_or(0),
        };
        self.forget(past, workload);
    }

    /// Forgets versions that writers who work in place cannot want to undo: all but so many. O(1) a version, all told.
    pub(super) fn forget_all_but(&mut self, last: usize, workload: Workload) {
        if self.versions.len() > 2 * last {
            self.forget(self.versions.len() - last, workload);
        }
    }

    /// Forgets the first versions. Elements are never forgotten: all are read.
    fn forget(&mut self, count: usize, workload: Workload) {
        match workload {
            Workload::ListAppend | Workload::SetAdd => return,
            Workload::CounterInc => self.sum += self.versions[..count].iter().map(|version| version.value).sum::<i64>(),
            _ => {}
        }
        self.versions.drain(..count);
    }

    /// Counts a reader that changed something.
    pub(super) fn read_by(&mut self, needs: View) {
        self.readers = join(self.readers, needs);
    }
}
