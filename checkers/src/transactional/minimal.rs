//! Minimal sub-histories that still show a phenomenon.

use elenchus_core::{Event, EventIndex, History, Process};
use rustc_hash::FxHashSet;

use super::analysis::{Analysis, TransactionalOptions, analyse};
use super::counts::Instance;
use super::phenomenon::Phenomenon;
use super::solver::is_minimal_core;
use super::transactions::Transactions;

/// The maximum number of other transactions on the same keys that are considered.
const MAX_WITNESSES: usize = 512;

impl Analysis<'_> {
    /// Returns the invocations of a minimal set of transactions that shows a phenomenon without the others: those of the instance and the
    /// reads that prove its version order. Returns `None` if more transactions would be needed than are considered. At worst O(n²) small
    /// analyses for n transactions on the keys of the instance.
    pub fn minimal(
        &self,
        history: &History,
        options: &TransactionalOptions,
        phenomenon: Phenomenon,
        instance: &Instance,
    ) -> Option<Vec<EventIndex>> {
        let t = self.transactions();
        if is_minimal_core(phenomenon) {
            return Some(distinct(instance).into_iter().map(|transaction| t.invoked(transaction)).collect());
        }
        let trial = Trial { history, options: TransactionalOptions { examples: 0, ..options.clone() }, phenomenon, transactions: t };
        let mut kept = distinct(instance);
        if !trial.shows(&kept) {
            kept.extend(self.witnesses(&kept));
            if !trial.shows(&kept) {
                return None;
            }
        }
        let mut chunk = kept.len().div_ceil(2);
        loop {
            let mut end = kept.len();
            while end > 0 {
                let start = end.saturating_sub(chunk);
                let rest: Vec<u32> = kept[..start].iter().chain(&kept[end..]).copied().collect();
                if trial.shows(&rest) {
                    kept = rest;
                }
                end = start;
            }
            if chunk == 1 {
                break;
            }
            chunk = chunk.div_ceil(2).min(kept.len().max(1));
        }
        let mut invocations: Vec<EventIndex> = kept.into_iter().map(|transaction| t.invoked(transaction)).collect();
        invocations.sort_unstable();
        Some(invocations)
    }

    /// Other transactions that access the keys of `members`.
    fn witnesses(&self, members: &[u32]) -> Vec<u32> {
        let t = self.transactions();
        let keys: FxHashSet<u32> = members.iter().flat_map(|&member| t.steps(member)).map(|step| step.key).collect();
        let others = (0..t.len() as u32).rev().filter(|other| !members.contains(other));
        others.filter(|&other| t.steps(other).iter().any(|step| keys.contains(&step.key))).take(MAX_WITNESSES).collect()
    }
}

/// The transactions of an instance without duplicates, in order.
pub(crate) fn distinct(instance: &Instance) -> Vec<u32> {
    let mut seen = FxHashSet::default();
    instance.transactions.iter().copied().filter(|&transaction| seen.insert(transaction)).collect()
}

struct Trial<'a> {
    history: &'a History,
    options: TransactionalOptions,
    phenomenon: Phenomenon,
    transactions: &'a Transactions,
}

impl Trial<'_> {
    /// Returns whether these transactions alone show the phenomenon.
    fn shows(&self, members: &[u32]) -> bool {
        let mut moments: Vec<EventIndex> = members
            .iter()
            .flat_map(|&member| [Some(self.transactions.invoked(member)), self.transactions.completed(member)])
            .flatten()
            .collect();
        moments.sort_unstable();
        moments.dedup();
        let mut part = self.transactions.empty();
        let is_client = |event: &&Event| matches!(event.process, Process::Client(_));
        let events = moments.iter().filter_map(|&at| self.history.events.get(at.0 as usize)).filter(is_client);
        let pushed = events.into_iter().try_for_each(|event| part.push(event));
        pushed.is_ok() && analyse(&part, &self.options).found.contains_key(&self.phenomenon)
    }
}
