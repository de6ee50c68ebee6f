//! Predicate reads, which return all keys whose versions match.
//!
//! The items that a predicate read found are stored as ordinary reads; a [`Scan`] records that nothing else matched. A key that was not
//! found had a version that does not match. If every version ever written to the key matches, that version was the initial state, and
//! every writer of the key follows the reader: a predicate anti-dependency (Adya 1999, 3.2.2 and 4.2: the version set of a predicate read
//! contains a version of every key).

use std::collections::BTreeMap;

use elenchus_core::Value;
use rustc_hash::FxHashMap;

use super::atoms::Atom;
use super::elements::{Element, NONE};
use super::graph::{PRW, Sink};
use super::inference::{Inference, as_write};
use super::phenomenon::Phenomenon;
use super::tally::{Instance, Link, LinkKind, Tally};
use super::transactions::{Act, Datatype, MicroOp, Transactions};

/// A predicate on the value of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Predicate {
    /// Any value except nil.
    Any,
    /// This value.
    Equal(Value),
    /// An integer below this bound.
    Less(i64),
    /// An integer above this bound.
    Greater(i64),
    /// An integer with this remainder.
    Modulo { by: i64, rest: i64 },
}

impl Predicate {
    /// Parses a predicate of a history: `any`, `[= 3]`, `[< 3]`, `[> 3]`, `[mod 2 1]`. Lists support only `any`; sets and counters
    /// support none.
    pub(crate) fn of(value: &Value, datatype: Datatype) -> Option<Predicate> {
        if value.as_text() == Some("any") && matches!(datatype, Datatype::ListAppend | Datatype::RwRegister) {
            return Some(Predicate::Any);
        }
        let words = value.as_list().filter(|_| datatype == Datatype::RwRegister)?;
        match (words.first()?.as_text()?, &words[1..]) {
            ("=", [value]) => Some(Predicate::Equal(value.clone())),
            ("<", [bound]) => bound.as_int().map(Predicate::Less),
            (">", [bound]) => bound.as_int().map(Predicate::Greater),
            ("mod", [by, rest]) => Some(Predicate::Modulo { by: by.as_int().filter(|&by| by > 0)?, rest: rest.as_int()? }),
            _ => None,
        }
    }

    /// Returns whether a value matches. Nil never matches.
    pub(crate) fn matches(&self, value: &Value) -> bool {
        match (self, value) {
            (_, Value::Nil) => false,
            (Predicate::Any, _) => true,
            (Predicate::Equal(wanted), found) => wanted == found,
            (Predicate::Less(bound), Value::Int(found)) => found < bound,
            (Predicate::Greater(bound), Value::Int(found)) => found > bound,
            (Predicate::Modulo { by, rest }, Value::Int(found)) => found.rem_euclid(*by) == *rest,
            _ => false,
        }
    }
}

impl std::fmt::Display for Predicate {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Predicate::Any => write!(out, "any"),
            Predicate::Equal(value) => write!(out, "= {value}"),
            Predicate::Less(bound) => write!(out, "< {bound}"),
            Predicate::Greater(bound) => write!(out, "> {bound}"),
            Predicate::Modulo { by, rest } => write!(out, "mod {by} = {rest}"),
        }
    }
}

/// One predicate read of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Its position among the steps of its transaction: directly before the reads of the items it found.
    pub(crate) at: u32,
    /// The number of its predicate.
    pub(crate) predicate: u32,
    /// The keys that were found, ascending.
    pub(crate) found: Vec<u32>,
}

/// The distinct predicates of a history, and the predicate reads.
#[derive(Debug, Default)]
pub(crate) struct Predicates {
    pub(crate) all: Vec<Predicate>,
    numbers: FxHashMap<Atom, u32>,
    /// By transaction.
    scans: BTreeMap<u32, Vec<Scan>>,
}

impl Predicates {
    /// Returns the number of a predicate, given with its interned form.
    pub(crate) fn number(&mut self, name: Atom, predicate: Predicate) -> u32 {
        *self.numbers.entry(name).or_insert_with(|| {
            self.all.push(predicate);
            self.all.len() as u32 - 1
        })
    }

    pub(crate) fn add(&mut self, transaction: u32, scan: Scan) {
        self.scans.entry(transaction).or_default().push(scan);
    }

    /// The predicate reads of a transaction, in order.
    pub(crate) fn of(&self, transaction: u32) -> &[Scan] {
        self.scans.get(&transaction).map_or(&[], Vec::as_slice)
    }

    /// All predicate reads of transactions that are known to have happened, in order.
    fn each(&self, happened: &[bool]) -> impl Iterator<Item = (u32, &Scan)> {
        let known = self.scans.iter().filter(|&(&transaction, _)| happened[transaction as usize]);
        known.flat_map(|(&transaction, scans)| scans.iter().map(move |scan| (transaction, scan)))
    }

    /// Returns whether there are no predicate reads.
    pub(crate) fn is_empty(&self) -> bool {
        self.scans.is_empty()
    }
}

/// The writers that must follow predicate reads which did not find their keys.
#[derive(Default)]
pub(crate) struct Phantoms {
    /// By predicate: (key, writer) pairs, by ascending key, for keys whose versions all match while the initial state does not.
    of: Vec<Vec<(u32, u32)>>,
}

impl Phantoms {
    /// Evaluates every predicate on every version of every key. O(predicates · writes).
    pub(crate) fn new(inference: &dyn Inference) -> Phantoms {
        let t = inference.transactions();
        if t.predicates.is_empty() {
            return Phantoms::default();
        }
        let keys = t.keys();
        let mut written: Vec<Vec<Element>> = vec![Vec::new(); keys];
        for transaction in 0..t.len() as u32 {
            t.writes(transaction).for_each(|(key, element)| written[key as usize].push(element));
        }
        let matches = |predicate: &Predicate, element: Element| match t.datatype() {
            Datatype::RwRegister => predicate.matches(&t.value(element)),
            _ => true,
        };
        let of = |predicate: &Predicate| {
            let is_foreign = t.datatype() == Datatype::RwRegister && predicate.matches(&t.value(NONE));
            let told = (0..keys as u32)
                .filter(|&key| !is_foreign && written[key as usize].iter().all(|&element| matches(predicate, element)))
                .flat_map(|key| inference.first_writers(key).iter().map(move |&writer| (key, writer)));
            told.collect()
        };
        Phantoms { of: t.predicates.all.iter().map(of).collect() }
    }

    /// Adds every predicate anti-dependency. Per read: O(log keys) for every key that it found or that its transaction wrote.
    pub(crate) fn emit(&self, t: &Transactions, happened: &[bool], sink: &mut Sink) {
        let fans: Vec<_> = self.of.iter().map(|told| sink.fan(told.iter().map(|&(_, writer)| writer))).collect();
        for (reader, scan) in t.predicates.each(happened) {
            let told = &self.of[scan.predicate as usize];
            // Only entries of these keys may have to be skipped; the ranges between them are added whole.
            let mut known: Vec<u32> = scan.found.iter().copied().chain(t.writes(reader).map(|(key, _)| key)).collect();
            known.sort_unstable();
            known.dedup();
            let mut from = 0;
            for known in known {
                let first = told.partition_point(|&(key, _)| key < known);
                for (at, &(key, writer)) in told.iter().enumerate().skip(first).take_while(|(_, (key, _))| *key == known) {
                    if writer == reader || !missed(t, reader, scan, key) {
                        sink.fan_out(reader, &fans[scan.predicate as usize], from..at, PRW);
                        from = at + 1;
                    }
                }
            }
            sink.fan_out(reader, &fans[scan.predicate as usize], from..told.len(), PRW);
        }
    }

    /// A predicate anti-dependency as a sentence; `None` for any other edge.
    pub(crate) fn sentence(&self, t: &Transactions, link: &Link) -> Option<String> {
        if link.kind != LinkKind::PredicateRw {
            return None;
        }
        let (from, to) = (t.name(link.from), t.name(link.to));
        t.predicates.of(link.from).iter().find_map(|scan| {
            let mut told = self.of[scan.predicate as usize].iter();
            let &(key, _) = told.find(|&&(key, writer)| writer == link.to && missed(t, link.from, scan, key))?;
            let write = t.steps(link.to).iter().find(|step| step.key == key && as_write(step).is_some())?;
            let predicate = &t.predicates.all[scan.predicate as usize];
            Some(format!(
                "{from} read predicate `{predicate}` and did not find {}, {to} {}: {from} did not see {to}",
                t.key(key),
                t.say(write)
            ))
        })
    }
}

/// Returns whether a predicate read did not find a key that its own transaction had not written before.
fn missed(t: &Transactions, reader: u32, scan: &Scan, key: u32) -> bool {
    let is_own = |step: &MicroOp| step.key == key && as_write(step).is_some();
    scan.found.binary_search(&key).is_err() && !t.steps(reader)[..scan.at as usize].iter().any(is_own)
}

/// Finds predicate reads that contradict their own transaction: a matching value that it had just read or written was not found, or a
/// value that was found does not match.
pub(crate) fn judge(t: &Transactions, happened: &[bool], tally: &mut Tally) {
    for (transaction, scan) in t.predicates.each(happened) {
        let (before, after) = t.steps(transaction).split_at(scan.at as usize);
        let predicate = &t.predicates.all[scan.predicate as usize];
        let matches = |step: &MicroOp| match step.act {
            Act::List(told) => !t.lists.list(step.key, told).is_empty(),
            Act::Write(_) if t.datatype() == Datatype::ListAppend => true,
            Act::Write(element) | Act::Register(element) => predicate.matches(&t.value(element)),
            Act::Sum(_) | Act::Unknown => false,
        };
        let known = before.iter().enumerate().filter(|(at, step)| {
            matches(step) && scan.found.binary_search(&step.key).is_err() && before[at + 1..].iter().all(|later| later.key != step.key)
        });
        let left_out = known.map(|(_, step)| (step, format!("{}, but the predicate read did not find it", t.say(step))));
        let found = after.iter().take(scan.found.len()).filter(|step| !matches(step));
        let wrong = found.map(|step| (step, format!("{}, which does not match", t.say(step))));
        for (step, what) in left_out.chain(wrong) {
            tally.add(Phenomenon::PredicateReadMiss, || Instance {
                transactions: vec![transaction],
                key: Some(step.key),
                sentences: vec![format!("{}, which read predicate `{predicate}`, {what}", t.name(transaction))],
                ..Instance::default()
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicates_are_parsed_and_match() {
        let list = |words: &[Value]| Value::List(words.to_vec());
        let of = |value: &Value| Predicate::of(value, Datatype::RwRegister);
        assert_eq!(of(&"any".into()), Some(Predicate::Any));
        for (words, matching, other) in [
            (list(&["=".into(), Value::Int(3)]), 3, 4),
            (list(&["<".into(), Value::Int(3)]), 2, 3),
            (list(&[">".into(), Value::Int(3)]), 4, 3),
            (list(&["mod".into(), Value::Int(2), Value::Int(1)]), -3, 2),
        ] {
            let predicate = of(&words).expect("a predicate");
            assert!(predicate.matches(&Value::Int(matching)) && !predicate.matches(&Value::Int(other)) && !predicate.matches(&Value::Nil));
            assert_eq!(Predicate::of(&words, Datatype::ListAppend), None);
        }
        assert_eq!(of(&list(&["mod".into(), Value::Int(0), Value::Int(0)])), None);
        assert_eq!(of(&list(&[])), None);
    }
}
