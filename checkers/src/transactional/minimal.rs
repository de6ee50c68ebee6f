//! Sub-histories from which nothing can be taken away: what remains still shows the phenomenon by itself.

use elenchus_core::{Event, EventIndex, History, Process};
use rustc_hash::FxHashSet;

use super::analysis::{Analysis, Options, analyse};
use super::phenomenon::Phenomenon;
use super::solver::is_of_fewest;
use super::tally::Instance;
use super::transactions::Transactions;

/// How many transactions may be considered beside those of the instance: those that had to do with the same keys.
const MOST: usize = 512;

impl Analysis<'_> {
    /// The invocations of as few transactions as could be found that show a phenomenon without the others: those of an instance, and the reads
    /// that prove its order of versions. Of the transactions that are left out, only what others were told of them remains. None where it
    /// takes more than could be tried. O(n²) small analyses at worst, for n transactions on the keys of the instance.
    pub fn minimal(&self, history: &History, options: &Options, phenomenon: Phenomenon, instance: &Instance) -> Option<Vec<EventIndex>> {
        let t = self.transactions();
        if is_of_fewest(phenomenon) {
            return Some(distinct(instance).into_iter().map(|transaction| t.invoked(transaction)).collect());
        }
        let trial = Trial { history, options: Options { examples: 0, ..options.clone() }, phenomenon, transactions: t };
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

    /// Other transactions that had to do with the keys of these.
    fn witnesses(&self, members: &[u32]) -> Vec<u32> {
        let t = self.transactions();
        let keys: FxHashSet<u32> = members.iter().flat_map(|&member| t.steps(member)).map(|step| step.key).collect();
        let others = (0..t.len() as u32).rev().filter(|other| !members.contains(other));
        others.filter(|&other| t.steps(other).iter().any(|step| keys.contains(&step.key))).take(MOST).collect()
    }
}

/// The transactions of an instance, each once, in order.
pub(crate) fn distinct(instance: &Instance) -> Vec<u32> {
    let mut seen = FxHashSet::default();
    instance.transactions.iter().copied().filter(|&transaction| seen.insert(transaction)).collect()
}

struct Trial<'a> {
    history: &'a History,
    options: Options,
    phenomenon: Phenomenon,
    transactions: &'a Transactions,
}

impl Trial<'_> {
    /// Whether these transactions alone show it.
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
