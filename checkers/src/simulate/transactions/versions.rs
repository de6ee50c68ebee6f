//! The versions of keys.

use super::super::rules::SITES;
use super::super::table::Workload;
use super::sites::{View, join};

/// The initial balance of every bank account.
pub(super) const INITIAL_BALANCE: i64 = 10;

/// A version.
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

/// The result of a read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum ReadResult {
    /// Not executed yet.
    #[default]
    Pending,
    /// A value, if there is one.
    Value(Option<i64>),
    /// All values.
    Values(Vec<i64>),
}

/// A key, with its versions in commit order.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) versions: Vec<Version>,
    /// The sum of the versions that were forgotten.
    sum: i64,
    /// The number of accesses that may still reach it.
    pub(super) open: u32,
    pub(super) is_retired: bool,
    /// The transaction that holds its lock, by invocation.
    pub(super) locked_by: Option<u64>,
    /// The union of the dependencies of the updates that read it.
    pub(super) readers: View,
}

impl Key {
    pub(super) fn new() -> Key {
        Key { versions: Vec::new(), sum: 0, open: 0, is_retired: false, locked_by: None, readers: [0; SITES] }
    }

    /// The result of a read that sees the versions for which `sees` holds, followed by the transaction's own writes.
    pub(super) fn read(&self, workload: Workload, own: &[i64], sees: impl Fn(&Version) -> bool) -> ReadResult {
        let seen = self.versions.iter().filter(|version| sees(version)).map(|version| version.value);
        match workload {
            Workload::ListAppend | Workload::SetAdd => ReadResult::Values(seen.chain(own.iter().copied()).collect()),
            Workload::CounterInc => ReadResult::Value(Some(self.sum + seen.chain(own.iter().copied()).sum::<i64>())),
            _ => {
                let newest =
                    own.last().copied().or_else(|| self.versions.iter().rfind(|version| sees(version)).map(|version| version.value));
                ReadResult::Value(newest.or((workload == Workload::Bank).then_some(INITIAL_BALANCE)))
            }
        }
    }

    /// Returns whether it has a version outside a view.
    pub(super) fn has_unseen(&self, view: &View) -> bool {
        self.versions.iter().rev().any(|version| version.number > view[version.site])
    }

    /// Forgets versions that no view of at least the horizon can read. Amortized O(1) per version.
    pub(super) fn forget_past(&mut self, horizon: &View, workload: Workload) {
        if self.versions.len() < 32 || !self.versions.len().is_power_of_two() {
            return;
        }
        let is_past = |version: &Version| version.number <= horizon[version.site];
        let past = match workload {
            Workload::CounterInc => self.versions.iter().take_while(|version| is_past(version)).count(),
            // A version below the horizon hides all earlier ones.
            _ => self.versions.iter().rposition(is_past).unwrap_or(0),
        };
        self.forget(past, workload);
    }

    /// Forgets all versions but the last ones, which in-place writers may still have to undo. Amortized O(1) per version.
    pub(super) fn forget_all_but(&mut self, last: usize, workload: Workload) {
        if self.versions.len() > 2 * last {
            self.forget(self.versions.len() - last, workload);
        }
    }

    /// Forgets the first versions. Elements of lists and sets are never forgotten, since reads return all of them.
    fn forget(&mut self, count: usize, workload: Workload) {
        match workload {
            Workload::ListAppend | Workload::SetAdd => return,
            Workload::CounterInc => self.sum += self.versions[..count].iter().map(|version| version.value).sum::<i64>(),
            _ => {}
        }
        self.versions.drain(..count);
    }

    /// Records a read by an update transaction.
    pub(super) fn add_reader(&mut self, dependencies: View) {
        self.readers = join(self.readers, dependencies);
    }
}
