//! Bounds on sums of increment-only counters by session order and real-time order.
//!
//! A read that returns less than the sum of all additions that completed before its invocation missed at least one of them, although it
//! is unknown which (as in Jepsen's `counter` checker).

use elenchus_core::{EventIndex, Kind};
use rustc_hash::FxHashMap;

use super::counter_order::{Access, accesses};
use super::counts::{Counts, Instance};
use super::phenomenon::Phenomenon;
use super::transactions::Transactions;

/// The number of writers named in a message.
const MAX_NAMED: usize = 4;

/// The additions to a key, ordered by invocation or completion: the running sum after each, with its transaction.
#[derive(Default)]
struct RunningSum {
    moments: Vec<(Option<EventIndex>, i64, u32)>,
}

impl RunningSum {
    fn sort(&mut self) {
        self.moments.sort_unstable();
        let mut sum = 0_i64;
        for (_, amount, _) in &mut self.moments {
            sum = sum.saturating_add(*amount);
            *amount = sum;
        }
    }

    /// Returns the sum and the number of additions before an event.
    fn before(&self, moment: Option<EventIndex>) -> (i64, usize) {
        let count = self.moments.partition_point(|(at, ..)| *at < moment);
        (count.checked_sub(1).map_or(0, |last| self.moments[last].1), count)
    }
}

/// The additions to and reads of one counter.
#[derive(Default)]
struct Counter {
    /// Whether the counter is skipped: it is also decremented, or a transaction read two contradictory sums from it.
    is_skipped: bool,
    /// Additions of committed transactions, by completion.
    completed: RunningSum,
    /// Additions that may have happened, by invocation.
    invoked: RunningSum,
    /// For each read: the transaction, the sum it read without its own additions, and its own additions.
    found: Vec<(u32, i64, i64)>,
}

/// Checks sums against session order and real-time order. O(steps log steps).
pub(crate) fn check(t: &Transactions, counts: &mut Counts) {
    let mut counters: Vec<Counter> = Vec::new();
    counters.resize_with(t.keys(), Counter::default);
    let mut own: Vec<Vec<Access>> = Vec::with_capacity(t.len());
    for transaction in 0..t.len() as u32 {
        let all = accesses(t, transaction).unwrap_or_else(|| {
            t.steps(transaction).iter().for_each(|step| counters[step.key as usize].is_skipped = true);
            Vec::new()
        });
        for access in &all {
            let counter = &mut counters[access.key as usize];
            counter.is_skipped |= !access.only_adds;
            let (succeeded, begun) = (t.kind(transaction) == Kind::Ok, t.has_begin(transaction));
            if access.added != 0 {
                counter.invoked.moments.push((begun.then(|| t.invoked(transaction)), access.added, transaction));
                if succeeded {
                    counter.completed.moments.push((t.completed(transaction), access.added, transaction));
                }
            }
            if let Some(found) = access.found.filter(|_| succeeded) {
                counter.found.push((transaction, found, access.added));
            }
        }
        own.push(all);
    }
    for (key, counter) in (0_u32..).zip(&mut counters).filter(|(_, counter)| !counter.is_skipped) {
        counter.completed.sort();
        counter.invoked.sort();
        for &(reader, found, added) in &counter.found {
            let (least, count) = counter.completed.before(Some(t.invoked(reader)).filter(|_| t.has_begin(reader)));
            if count > 0 && found < least {
                counts.add(Phenomenon::StaleSumRealtime, || {
                    let adders = counter.completed.moments[..count].iter().rev().map(|(.., adder)| *adder);
                    let when = format!("completed before {} was invoked (event {})", t.name(reader), t.invoked(reader));
                    stale(t, key, (reader, found), adders.collect(), least, &when)
                });
            }
            let (most, _) = counter.invoked.before(t.completed(reader));
            let most = most.saturating_sub(added);
            if found > most {
                counts.add(Phenomenon::FutureSumRealtime, || {
                    let completed = t.completed(reader).map_or(String::new(), |at| format!(" (event {at})"));
                    let sentence = format!(
                        "{reader} read {found} from {key}, but all transactions invoked before {reader} completed{completed} added at most {most}",
                        reader = t.name(reader),
                        key = t.key(key),
                    );
                    Instance { transactions: vec![reader], key: Some(key), sentences: vec![sentence], ..Instance::default() }
                });
            }
        }
    }
    check_sessions(t, &counters, &own, counts);
}

/// Finds reads that return less than their own session added before.
fn check_sessions(t: &Transactions, counters: &[Counter], own: &[Vec<Access>], counts: &mut Counts) {
    let mut sums: FxHashMap<(u32, u32), (i64, Vec<u32>)> = FxHashMap::default();
    for transaction in (0..t.len() as u32).filter(|&transaction| t.kind(transaction) == Kind::Ok) {
        for access in own[transaction as usize].iter().filter(|access| !counters[access.key as usize].is_skipped) {
            let (sum, adders) = sums.entry((t.session(transaction), access.key)).or_default();
            if let Some(found) = access.found.filter(|found| *found < *sum) {
                counts.add(Phenomenon::StaleSumProcess, || {
                    let when = format!("ran before it in process {}", t.process(transaction));
                    stale(t, access.key, (transaction, found), adders.iter().rev().copied().collect(), *sum, &when)
                });
            }
            if access.added != 0 {
                *sum = sum.saturating_add(access.added);
                adders.push(transaction);
            }
        }
    }
}

/// Describes a read that returned less than the given writers (latest first) had added.
fn stale(t: &Transactions, key: u32, (reader, found): (u32, i64), adders: Vec<u32>, least: i64, when: &str) -> Instance {
    let named: Vec<String> = adders.iter().take(MAX_NAMED).map(|&adder| t.name(adder)).collect();
    let more = match adders.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let sentence =
        format!("{} read {found} from {}, but {}{more}, which {when}, added {least}", t.name(reader), t.key(key), named.join(", "));
    let transactions = [reader].into_iter().chain(adders.into_iter().take(MAX_NAMED)).collect();
    Instance { transactions, key: Some(key), sentences: vec![sentence], ..Instance::default() }
}
