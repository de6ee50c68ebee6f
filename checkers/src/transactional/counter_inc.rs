//! Dependencies between transactions on counters: a read returns a sum without its addends (Kingsbury & Alvaro, "Elle", VLDB 2020, 4.2).
//!
//! For a key that is only incremented:
//!
//! - if one transaction read less than another, an increment between them is missing from the first;
//! - a transaction that read less than another added in a single step did not see that transaction;
//! - a transaction that read too much for any one addend to be missing saw that addend.
//!
//! Only reads before the transaction's own additions to the key are used. For keys that are also decremented, only the bounds of the
//! total sum are checked.

use elenchus_core::Kind;
use rustc_hash::FxHashMap;

use super::counter_bounds;
use super::counts::{Counts, Instance, Link, LinkKind};
use super::elements::Element;
use super::graph::{RW, SegmentTree, Sink, VIA, WR};
use super::inference::{Inference, as_write};
use super::level::Level;
use super::phenomenon::Phenomenon;
use super::transactions::{Action, MicroOp, Transactions};

/// The first read of a key by a transaction that had not yet added to it.
#[derive(Clone, Copy)]
struct Sum {
    value: i64,
    transaction: u32,
}

/// The smallest addition to a key by a transaction that is known to have happened.
#[derive(Clone, Copy)]
struct Addend {
    least: i64,
    transaction: u32,
}

/// The sums and addends of a key, both ascending.
#[derive(Default)]
struct KeyCounter {
    sums: Vec<Sum>,
    addends: Vec<Addend>,
    /// The smallest and the largest possible sum of the additions that did not fail.
    bounds: (i64, i64),
    /// The same bounds with the failed additions included.
    bounds_with_failed: (i64, i64),
}

impl KeyCounter {
    fn only_grows(&self) -> bool {
        self.bounds_with_failed.0 == 0
    }
}

/// Dependencies inferred from the sums of counters.
pub(crate) struct CounterInc<'t> {
    transactions: &'t Transactions,
    counters: Vec<KeyCounter>,
}

impl<'t> CounterInc<'t> {
    /// Collects and sorts sums and addends. O(steps log steps).
    pub(crate) fn new(transactions: &'t Transactions, happened: &[bool]) -> CounterInc<'t> {
        let t = transactions;
        let mut counters: Vec<KeyCounter> = Vec::new();
        counters.resize_with(t.keys(), KeyCounter::default);
        for transaction in 0..t.len() as u32 {
            let (is_failed, is_known) = (t.kind(transaction) == Kind::Fail, happened[transaction as usize]);
            // By key: the smallest addition so far, and whether the key has been read or added to.
            let mut own: Vec<(u32, i64, bool)> = Vec::new();
            for step in t.steps(transaction) {
                let at = own.iter().position(|(key, ..)| *key == step.key).unwrap_or_else(|| {
                    own.push((step.key, i64::MAX, false));
                    own.len() - 1
                });
                let (_, least, is_touched) = &mut own[at];
                let counter = &mut counters[step.key as usize];
                match step.action {
                    Action::Write(element) => {
                        let amount = amount(t, element);
                        *is_touched = true;
                        *least = (*least).min(amount);
                        for bounds in [&mut counter.bounds_with_failed].into_iter().chain((!is_failed).then_some(&mut counter.bounds)) {
                            let end = if amount < 0 { &mut bounds.0 } else { &mut bounds.1 };
                            *end = end.saturating_add(amount);
                        }
                    }
                    Action::Sum(_) if is_known && !std::mem::replace(is_touched, true) => {
                        counter.sums.push(Sum { value: t.sum(step).unwrap_or_default(), transaction });
                    }
                    _ => {}
                }
            }
            for (key, least, _) in own.into_iter().filter(|&(_, least, _)| is_known && least > 0 && least < i64::MAX) {
                counters[key as usize].addends.push(Addend { least, transaction });
            }
        }
        for counter in &mut counters {
            counter.sums.sort_by_key(|sum| (sum.value, sum.transaction));
            counter.addends.sort_by_key(|addend| (addend.least, addend.transaction));
        }
        CounterInc { transactions, counters }
    }

    fn first_sum(&self, key: u32, transaction: u32) -> Option<i64> {
        self.counters[key as usize].sums.iter().find(|sum| sum.transaction == transaction).map(|sum| sum.value)
    }

    /// The reads of a transaction.
    fn reads(&self, transaction: u32) -> impl Iterator<Item = &MicroOp> {
        self.transactions.steps(transaction).iter().filter(|step| matches!(step.action, Action::Sum(_)))
    }
}

/// The amount that a write added.
fn amount(t: &Transactions, element: Element) -> i64 {
    t.value(element).as_int().unwrap_or_default()
}

impl Inference for CounterInc<'_> {
    fn transactions(&self) -> &Transactions {
        self.transactions
    }

    fn emit(&self, sink: &mut Sink) {
        for counter in self.counters.iter().filter(|counter| counter.only_grows()) {
            // From the auxiliary node of a sum to all transactions that read a larger sum.
            let mut auxiliary = None;
            for group in counter.sums.chunk_by(|one, other| one.value == other.value).collect::<Vec<_>>().into_iter().rev() {
                if let Some(more) = auxiliary {
                    group.iter().for_each(|sum| sink.edge(sum.transaction, more, RW));
                }
                let own = sink.auxiliary();
                group.iter().for_each(|sum| sink.edge(own, sum.transaction, VIA));
                if let Some(more) = auxiliary {
                    sink.edge(own, more, VIA);
                }
                auxiliary = Some(own);
            }
            let writers = || counter.addends.iter().map(|addend| addend.transaction);
            let (into, out): (SegmentTree, SegmentTree) = (sink.in_tree(writers(), WR), sink.out_tree(writers()));
            let places: FxHashMap<u32, usize> = counter.addends.iter().enumerate().map(|(at, addend)| (addend.transaction, at)).collect();
            for &Sum { value, transaction } in &counter.sums {
                let missed = counter.addends.partition_point(|addend| addend.least <= value);
                let rest = counter.bounds.1.saturating_sub(value);
                let seen = counter.addends.partition_point(|addend| addend.least <= rest);
                let end = counter.addends.len();
                let own = places.get(&transaction).copied().unwrap_or(end);
                for part in [missed..own.clamp(missed, end), (own + 1).clamp(missed, end)..end] {
                    sink.edges_to_range(transaction, &out, part, RW);
                }
                // If a failed increment may have been read, no other addend is certain to be included.
                if counter.bounds_with_failed == counter.bounds {
                    for part in [seen..own.clamp(seen, end), (own + 1).clamp(seen, end)..end] {
                        sink.edges_from_range(&into, part, transaction, WR);
                    }
                }
            }
        }
    }

    fn is_later(&self, _: &MicroOp, _: Element) -> bool {
        false
    }

    fn later_writers(&self, _: &MicroOp, _: &mut dyn FnMut(u32)) {}

    fn decides(&self, _: Level) -> bool {
        false
    }

    fn check_versions(&self, counts: &mut Counts) {
        let t = self.transactions;
        counter_bounds::check(t, counts);
        for (key, counter) in (0..).zip(&self.counters) {
            for sum in &counter.sums {
                let is_within = |(low, high): (i64, i64)| (low..=high).contains(&sum.value);
                if is_within(counter.bounds) {
                    continue;
                }
                let phenomenon = if is_within(counter.bounds_with_failed) { Phenomenon::G1a } else { Phenomenon::GarbageRead };
                counts.add(phenomenon, || {
                    let (low, high) = counter.bounds;
                    let sentence = format!(
                        "{} read {} from {}, but the additions that did not fail sum to at least {low} and at most {high}",
                        t.name(sum.transaction),
                        sum.value,
                        t.key(key)
                    );
                    Instance { transactions: vec![sum.transaction], key: Some(key), sentences: vec![sentence], ..Instance::default() }
                });
            }
        }
    }

    fn data_sentence(&self, link: &Link) -> Option<String> {
        let t = self.transactions;
        let (from, to) = (t.name(link.from), t.name(link.to));
        let adds = |transaction: u32, key: u32| t.steps(transaction).iter().find(move |step| step.key == key && as_write(step).is_some());
        match link.kind {
            LinkKind::Rw => self.reads(link.from).find_map(|read| {
                let value = self.first_sum(read.key, link.from)?;
                let more = self.first_sum(read.key, link.to).filter(|&more| more > value);
                let less = || adds(link.to, read.key).filter(|write| as_write(write).is_some_and(|element| amount(t, element) > value));
                match more {
                    Some(more) => {
                        let key = t.key(read.key);
                        Some(format!("{from} read {value} from {key}, {to} read {more}: {to} saw an increment that {from} did not see"))
                    }
                    None => less()
                        .map(|write| format!("{from} {}, {to} {}: {from} did not see {to}", t.describe_step(read), t.describe_step(write))),
                }
            }),
            LinkKind::Wr => self.reads(link.to).find_map(|read| {
                let (value, most) = (self.first_sum(read.key, link.to)?, self.counters[read.key as usize].bounds.1);
                let write = adds(link.from, read.key)?;
                let all = most.saturating_sub(value) < as_write(write).map_or(0, |element| amount(t, element));
                all.then(|| format!("{from} {}, {to} {} of at most {most}: {to} saw {from}", t.describe_step(write), t.describe_step(read)))
            }),
            _ => None,
        }
    }
}
