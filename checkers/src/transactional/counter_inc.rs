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
use super::elements::Element;
use super::graph::{Fan, RW, Sink, VIA, WR};
use super::inference::{Inference, as_write};
use super::level::Level;
use super::phenomenon::Phenomenon;
use super::tally::{Instance, Link, LinkKind, Tally};
use super::transactions::{Act, MicroOp, Transactions};

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
struct Count {
    sums: Vec<Sum>,
    addends: Vec<Addend>,
    /// The smallest and the largest possible sum of the additions that did not fail.
    bounds: (i64, i64),
    /// The same bounds with the failed additions included.
    wide: (i64, i64),
}

impl Count {
    fn only_grows(&self) -> bool {
        self.wide.0 == 0
    }
}

/// Dependencies inferred from the sums of counters.
pub(crate) struct CounterInc<'t> {
    transactions: &'t Transactions,
    counts: Vec<Count>,
}

impl<'t> CounterInc<'t> {
    /// Collects and sorts sums and addends. O(steps log steps).
    pub(crate) fn new(transactions: &'t Transactions, happened: &[bool]) -> CounterInc<'t> {
        let t = transactions;
        let mut counts: Vec<Count> = Vec::new();
        counts.resize_with(t.keys(), Count::default);
        for transaction in 0..t.len() as u32 {
            let (is_failed, is_known) = (t.kind(transaction) == Kind::Fail, happened[transaction as usize]);
            // By key: the smallest addition so far, and whether the key has been read or added to.
            let mut own: Vec<(u32, i64, bool)> = Vec::new();
            for step in t.steps(transaction) {
                let at = own.iter().position(|(key, ..)| *key == step.key).unwrap_or_else(|| {
                    own.push((step.key, i64::MAX, false));
                    own.len() - 1
                });
                let (_, least, is_known_to) = &mut own[at];
                let count = &mut counts[step.key as usize];
                match step.act {
                    Act::Write(element) => {
                        let amount = amount(t, element);
                        *is_known_to = true;
                        *least = (*least).min(amount);
                        for bounds in [&mut count.wide].into_iter().chain((!is_failed).then_some(&mut count.bounds)) {
                            let end = if amount < 0 { &mut bounds.0 } else { &mut bounds.1 };
                            *end = end.saturating_add(amount);
                        }
                    }
                    Act::Sum(_) if is_known && !std::mem::replace(is_known_to, true) => {
                        count.sums.push(Sum { value: t.sum(step).unwrap_or_default(), transaction });
                    }
                    _ => {}
                }
            }
            for (key, least, _) in own.into_iter().filter(|&(_, least, _)| is_known && least > 0 && least < i64::MAX) {
                counts[key as usize].addends.push(Addend { least, transaction });
            }
        }
        for count in &mut counts {
            count.sums.sort_by_key(|sum| (sum.value, sum.transaction));
            count.addends.sort_by_key(|addend| (addend.least, addend.transaction));
        }
        CounterInc { transactions, counts }
    }

    fn first_sum(&self, key: u32, transaction: u32) -> Option<i64> {
        self.counts[key as usize].sums.iter().find(|sum| sum.transaction == transaction).map(|sum| sum.value)
    }

    /// The reads of a transaction.
    fn reads(&self, transaction: u32) -> impl Iterator<Item = &MicroOp> {
        self.transactions.steps(transaction).iter().filter(|step| matches!(step.act, Act::Sum(_)))
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
        for count in self.counts.iter().filter(|count| count.only_grows()) {
            // From the auxiliary node of a sum to all transactions that read a larger sum.
            let mut joint = None;
            for group in count.sums.chunk_by(|one, other| one.value == other.value).collect::<Vec<_>>().into_iter().rev() {
                if let Some(more) = joint {
                    group.iter().for_each(|sum| sink.edge(sum.transaction, more, RW));
                }
                let own = sink.joint();
                group.iter().for_each(|sum| sink.edge(own, sum.transaction, VIA));
                if let Some(more) = joint {
                    sink.edge(own, more, VIA);
                }
                joint = Some(own);
            }
            let writers = || count.addends.iter().map(|addend| addend.transaction);
            let (into, out): (Fan, Fan) = (sink.gather(writers(), WR), sink.fan(writers()));
            let places: FxHashMap<u32, usize> = count.addends.iter().enumerate().map(|(at, addend)| (addend.transaction, at)).collect();
            for &Sum { value, transaction } in &count.sums {
                let missed = count.addends.partition_point(|addend| addend.least <= value);
                let rest = count.bounds.1.saturating_sub(value);
                let seen = count.addends.partition_point(|addend| addend.least <= rest);
                let end = count.addends.len();
                let own = places.get(&transaction).copied().unwrap_or(end);
                for part in [missed..own.clamp(missed, end), (own + 1).clamp(missed, end)..end] {
                    sink.fan_out(transaction, &out, part, RW);
                }
                // If a failed increment may have been read, no other addend is certain to be included.
                if count.wide == count.bounds {
                    for part in [seen..own.clamp(seen, end), (own + 1).clamp(seen, end)..end] {
                        sink.fan_in(&into, part, transaction, WR);
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

    fn judge_versions(&self, tally: &mut Tally) {
        let t = self.transactions;
        counter_bounds::judge(t, tally);
        for (key, count) in (0..).zip(&self.counts) {
            for sum in &count.sums {
                let is_within = |(low, high): (i64, i64)| (low..=high).contains(&sum.value);
                if is_within(count.bounds) {
                    continue;
                }
                let phenomenon = if is_within(count.wide) { Phenomenon::G1a } else { Phenomenon::GarbageRead };
                tally.add(phenomenon, || {
                    let (low, high) = count.bounds;
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

    fn told(&self, link: &Link) -> Option<String> {
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
                    None => less().map(|write| format!("{from} {}, {to} {}: {from} did not see {to}", t.say(read), t.say(write))),
                }
            }),
            LinkKind::Wr => self.reads(link.to).find_map(|read| {
                let (value, most) = (self.first_sum(read.key, link.to)?, self.counts[read.key as usize].bounds.1);
                let write = adds(link.from, read.key)?;
                let all = most.saturating_sub(value) < as_write(write).map_or(0, |element| amount(t, element));
                all.then(|| format!("{from} {}, {to} {} of at most {most}: {to} saw {from}", t.say(write), t.say(read)))
            }),
            _ => None,
        }
    }
}
