//! The check of transactions while they are recorded.

use elenchus_core::{Event, Kind, Watch};
use std::time::Duration;

use super::analysis::{TransactionalOptions, analyse};
use super::transactions::Transactions;

/// The minimum number of completed transactions between two checks. Each check also waits for a quarter more transactions, so every
/// transaction is checked about five times.
const MIN_BATCH: usize = 256;

/// Time limit of one search for a version order of registers.
const MAX_SEARCH_TIME: Duration = Duration::from_secs(2);

/// Watches for the first violation of a level. What a prefix of the history violates stays violated; open transactions count as crashed.
pub(crate) struct TransactionalWatch {
    options: TransactionalOptions,
    /// `None` once the history is malformed or the level is violated.
    transactions: Option<Transactions>,
    completed: usize,
    /// The number of completions at which the next check runs.
    next_check: usize,
}

impl TransactionalWatch {
    /// Starts to watch for violations of `options.isolation`.
    pub(crate) fn new(transactions: Transactions, options: &TransactionalOptions) -> TransactionalWatch {
        let time = Some(options.time.map_or(MAX_SEARCH_TIME, |time| time.min(MAX_SEARCH_TIME)));
        let options = TransactionalOptions { examples: 0, time, ..options.clone() };
        TransactionalWatch { options, transactions: Some(transactions), completed: 0, next_check: MIN_BATCH }
    }
}

impl Watch for TransactionalWatch {
    fn violates(&mut self, event: &Event) -> bool {
        let Some(transactions) = &mut self.transactions else { return false };
        if transactions.push(event).is_err() {
            self.transactions = None;
            return false;
        }
        self.completed += usize::from(event.kind == Kind::Ok);
        if self.completed < self.next_check {
            return false;
        }
        self.next_check = self.completed + MIN_BATCH.max(self.completed / 4);
        let is_broken = analyse(transactions, &self.options).refutes(self.options.isolation);
        if is_broken {
            self.transactions = None;
        }
        is_broken
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Datatype, Level};
    use super::*;
    use crate::simulate::{Recipe, Store, Workload};

    #[test]
    fn a_violation_is_detected_long_before_the_end() {
        for (store, isolation, is_broken) in [
            (Store::SnapshotIsolation, Level::Serializable, true),
            (Store::SnapshotIsolation, Level::SnapshotIsolation, false),
            (Store::StrictSerializable, Level::StrictSerializable, false),
        ] {
            let recipe = Recipe { operations: 3_000, keys: 5, crash: 0.02, ..Recipe::new(store, Workload::ListAppend) };
            let mut watch = TransactionalWatch::new(
                Transactions::new(Datatype::ListAppend),
                &TransactionalOptions { isolation, ..TransactionalOptions::default() },
            );
            let broken = recipe.simulate().expect("a sound recipe").position(|event| watch.violates(&event));
            assert_eq!(broken.is_some_and(|at| at < 2_000), is_broken, "{store:?} {isolation}: {broken:?}");
        }
    }
}
