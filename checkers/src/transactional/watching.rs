//! The judgement of transactions while they are recorded.

use elenchus_core::{Event, Kind, Watch};
use std::time::Duration;

use super::analysis::{Options, analyse};
use super::transactions::Transactions;

/// So many transactions are waited for before all are judged again, and a quarter of those that there are: all is looked at about five times.
const AT_LEAST: usize = 256;

/// How long one search for an order of registers' versions may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks out for the first violation of a level. What the first transactions show they show whatever follows: those that are open count as
/// crashed.
pub(crate) struct Watching {
    options: Options,
    /// None once they cannot be judged, or broke the level.
    transactions: Option<Transactions>,
    completed: usize,
    /// How many must have completed to be judged again.
    due: usize,
}

impl Watching {
    /// A look-out among the transactions to come. `options.isolation` is the level.
    pub(crate) fn new(transactions: Transactions, options: &Options) -> Watching {
        let time = Some(options.time.map_or(PATIENCE, |time| time.min(PATIENCE)));
        let options = Options { examples: 0, time, ..options.clone() };
        Watching { options, transactions: Some(transactions), completed: 0, due: AT_LEAST }
    }
}

impl Watch for Watching {
    fn is_broken_by(&mut self, event: &Event) -> bool {
        let Some(transactions) = &mut self.transactions else { return false };
        if transactions.push(event).is_err() {
            self.transactions = None;
            return false;
        }
        self.completed += usize::from(event.kind == Kind::Ok);
        if self.completed < self.due {
            return false;
        }
        self.due = self.completed + AT_LEAST.max(self.completed / 4);
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
    fn a_violation_is_seen_long_before_the_end_and_none_where_there_is_none() {
        for (store, isolation, is_broken) in [
            (Store::SnapshotIsolation, Level::Serializable, true),
            (Store::SnapshotIsolation, Level::SnapshotIsolation, false),
            (Store::StrictSerializable, Level::StrictSerializable, false),
        ] {
            let recipe = Recipe { operations: 3_000, keys: 5, crash: 0.02, ..Recipe::new(store, Workload::ListAppend) };
            let mut watching = Watching::new(Transactions::new(Datatype::ListAppend), &Options { isolation, ..Options::default() });
            let broken = recipe.simulate().expect("a sound recipe").position(|event| watching.is_broken_by(&event));
            assert_eq!(broken.is_some_and(|at| at < 2_000), is_broken, "{store:?} {isolation}: {broken:?}");
        }
    }
}
