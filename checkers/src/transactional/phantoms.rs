//! Phantoms: writes that a predicate read did not find, and predicate reads that contradict their own transaction.
//!
//! A key that was not found had a version that does not match. If every version ever written to the key matches, that version was the initial
//! state, and every writer of the key follows the reader: a predicate anti-dependency (Adya 1999, 3.2.2 and 4.2: the version set of a predicate
//! read contains a version of every key).

use super::counts::{Counts, Instance, Link, LinkKind};
use super::datatype::Datatype;
use super::elements::{Element, NONE};
use super::graph::{PRW, Sink};
use super::inference::{Inference, as_write};
use super::phenomenon::Phenomenon;
use super::predicates::{Predicate, Scan};
use super::transactions::{Action, MicroOp, Transactions};

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
            let initial_matches = t.datatype() == Datatype::RwRegister && predicate.matches(&t.value(NONE));
            let entries = (0..keys as u32)
                .filter(|&key| !initial_matches && written[key as usize].iter().all(|&element| matches(predicate, element)))
                .flat_map(|key| inference.first_writers(key).iter().map(move |&writer| (key, writer)));
            entries.collect()
        };
        Phantoms { of: t.predicates.all.iter().map(of).collect() }
    }

    /// Adds every predicate anti-dependency. Per read: O(log keys) for every key that it found or that its transaction wrote.
    pub(crate) fn emit(&self, t: &Transactions, happened: &[bool], sink: &mut Sink) {
        let trees: Vec<_> = self.of.iter().map(|entries| sink.out_tree(entries.iter().map(|&(_, writer)| writer))).collect();
        for (reader, scan) in t.predicates.each(happened) {
            let entries = &self.of[scan.predicate as usize];
            // Only entries of these keys may have to be skipped; the ranges between them are added whole.
            let mut known: Vec<u32> = scan.found.iter().copied().chain(t.writes(reader).map(|(key, _)| key)).collect();
            known.sort_unstable();
            known.dedup();
            let mut from = 0;
            for known in known {
                let first = entries.partition_point(|&(key, _)| key < known);
                for (at, &(key, writer)) in entries.iter().enumerate().skip(first).take_while(|(_, (key, _))| *key == known) {
                    if writer == reader || !missed(t, reader, scan, key) {
                        sink.edges_to_range(reader, &trees[scan.predicate as usize], from..at, PRW);
                        from = at + 1;
                    }
                }
            }
            sink.edges_to_range(reader, &trees[scan.predicate as usize], from..entries.len(), PRW);
        }
    }

    /// A predicate anti-dependency as a sentence; `None` for any other edge.
    pub(crate) fn sentence(&self, t: &Transactions, link: &Link) -> Option<String> {
        if link.kind != LinkKind::PredicateRw {
            return None;
        }
        let (from, to) = (t.name(link.from), t.name(link.to));
        t.predicates.of(link.from).iter().find_map(|scan| {
            let mut entries = self.of[scan.predicate as usize].iter();
            let &(key, _) = entries.find(|&&(key, writer)| writer == link.to && missed(t, link.from, scan, key))?;
            let write = t.steps(link.to).iter().find(|step| step.key == key && as_write(step).is_some())?;
            let predicate = &t.predicates.all[scan.predicate as usize];
            Some(format!(
                "{from} read predicate `{predicate}` and did not find {}, {to} {}: {from} did not see {to}",
                t.key(key),
                t.describe_step(write)
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
pub(crate) fn check(t: &Transactions, happened: &[bool], counts: &mut Counts) {
    for (transaction, scan) in t.predicates.each(happened) {
        let (before, after) = t.steps(transaction).split_at(scan.at as usize);
        let predicate = &t.predicates.all[scan.predicate as usize];
        let matches = |step: &MicroOp| match step.action {
            Action::List(entries) => !t.lists.list(step.key, entries).is_empty(),
            Action::Write(_) if t.datatype() == Datatype::ListAppend => true,
            Action::Write(element) | Action::Register(element) => predicate.matches(&t.value(element)),
            Action::Sum(_) | Action::Unknown => false,
        };
        let known = before.iter().enumerate().filter(|(at, step)| {
            matches(step) && scan.found.binary_search(&step.key).is_err() && before[at + 1..].iter().all(|later| later.key != step.key)
        });
        let left_out = known.map(|(_, step)| (step, format!("{}, but the predicate read did not find it", t.describe_step(step))));
        let found = after.iter().take(scan.found.len()).filter(|step| !matches(step));
        let wrong = found.map(|step| (step, format!("{}, which does not match", t.describe_step(step))));
        for (step, what) in left_out.chain(wrong) {
            counts.add(Phenomenon::PredicateReadMiss, || Instance {
                transactions: vec![transaction],
                key: Some(step.key),
                sentences: vec![format!("{}, which read predicate `{predicate}`, {what}", t.name(transaction))],
                ..Instance::default()
            });
        }
    }
}
