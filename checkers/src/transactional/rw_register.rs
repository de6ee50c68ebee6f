//! Version orders of registers: a read shows one version, so the version order is only partly determined.
//!
//! - The initial state precedes every version.
//! - A transaction that read a version and wrote the same key wrote a later version, unless an uncommitted version was read: otherwise
//!   the writer of the version read would have overwritten its own reader's version, which is circular information flow (G1c).
//! - If the store reports commit timestamps, the version order follows them, and only them.
//! - If single keys are assumed to be sequential or linearizable, versions follow session order or real-time order (Kingsbury & Alvaro,
//!   "Elle", VLDB 2020, 4.3).

use elenchus_core::Kind;
use rustc_hash::FxHashSet;

use super::assumptions::{Assumptions, assumed_pairs};
use super::components::Components;
use super::counts::{Counts, Instance};
use super::elements::{Element, NONE};
use super::graph::{Graph, Sink, WR, WW, WW_READ};
use super::grouped::Grouped;
use super::inference::Inference;
use super::level::Level;
use super::phenomenon::Phenomenon;
use super::transactions::{MicroOp, Transactions};
use super::walk::Walk;

/// The version orders of registers. A *slot* is a version: an element or, numbered after all elements, the initial state of a key.
pub(crate) struct RwRegister<'t> {
    transactions: &'t Transactions,
    happened: Vec<bool>,
    /// By slot, the transactions that read the version of another transaction.
    readers: Grouped,
    /// By slot, the writers of later versions that follow from reads; for an initial state all writers of the key.
    overwriters: Grouped,
    /// By slot, the slots of later versions that follow from the assumptions.
    assumed: Grouped,
    /// The keys whose version order is cyclic under the assumptions.
    cyclic_keys: Vec<u32>,
    /// For each element, the element that it overwrote.
    parents: Vec<Element>,
    /// The elements in preorder of the forest that `parents` describes.
    preorder: Vec<Element>,
    /// For each element, the start and the end of its subtree in the preorder; (0, 0) on a cycle.
    subtrees: Vec<(u32, u32)>,
}

impl<'t> RwRegister<'t> {
    /// Infers the version orders. Linear in the history, except for sorting the transactions of each key if keys are assumed to be
    /// linearizable.
    pub(crate) fn new(transactions: &'t Transactions, happened: Vec<bool>, assumptions: Assumptions) -> RwRegister<'t> {
        let commit_order = assumptions.commit_order && transactions.has_commits();
        let assumptions =
            Assumptions { commit_order, writes_follow_reads: assumptions.writes_follow_reads && !commit_order, ..assumptions };
        let slots = transactions.elements.len() + transactions.keys();
        let committed = || (0..transactions.len() as u32).filter(|&transaction| happened[transaction as usize]);
        let slot = |key: u32, version: Element| if version == NONE { transactions.elements.len() as u32 + key } else { version };
        let seen = |transaction: u32| {
            let steps = transactions.steps(transaction).iter();
            let versions = steps.filter_map(|step| Some((step.key, transactions.version(step)?)));
            versions.filter(move |&(_, version)| version == NONE || transactions.elements.writer(version) != transaction)
        };
        let readers = Grouped::new(slots, |add| {
            committed().for_each(|transaction| seen(transaction).for_each(|(key, version)| add(slot(key, version), transaction)));
        });
        let mut parents = vec![NONE; transactions.elements.len()];
        for transaction in committed() {
            let mut last: Vec<(u32, Element)> = if assumptions.writes_follow_reads { seen(transaction).collect() } else { Vec::new() };
            for (key, element) in transactions.writes(transaction) {
                match last.iter_mut().rev().find(|(other, _)| *other == key) {
                    Some((_, before)) if *before != element => parents[element as usize] = std::mem::replace(before, element),
                    Some(_) => {}
                    None => last.push((key, element)),
                }
            }
        }
        let overwriters = Grouped::new(slots, |add| {
            for transaction in committed() {
                for (key, _) in transactions.writes(transaction) {
                    add(slot(key, NONE), transaction);
                }
                if assumptions.writes_follow_reads {
                    for (_, version) in
                        seen(transaction).filter(|&(key, version)| version != NONE && writes(transactions, transaction, key))
                    {
                        add(version, transaction);
                    }
                }
            }
        });
        let (preorder, subtrees) = preorder(&parents);
        let mut registers = RwRegister {
            transactions,
            readers,
            overwriters,
            assumed: Grouped::default(),
            cyclic_keys: Vec::new(),
            parents,
            preorder,
            subtrees,
            happened: Vec::new(),
        };
        if assumptions.sequential_keys || assumptions.linearizable_keys || assumptions.commit_order {
            registers.assume(assumed_pairs(transactions, &happened, assumptions));
        }
        registers.happened = happened;
        registers
    }

    /// Adds pairs of slots of which the first is assumed to precede the second, except for keys on which they form a cycle.
    fn assume(&mut self, mut pairs: Vec<(u32, u32, u32)>) {
        let t = self.transactions;
        let elements = t.elements.len();
        let graph = Graph::build(elements + t.keys(), |sink| {
            for &(key, before, after) in &pairs {
                sink.edge(before, after, WW);
                sink.edge(elements as u32 + key, before, WW);
            }
            for (element, &parent) in self.parents.iter().enumerate().filter(|&(_, &parent)| parent != NONE) {
                sink.edge(parent, element as u32, WW);
            }
        });
        let components = Components::find(&Walk::free(&graph, WW));
        let cyclic_keys: FxHashSet<u32> =
            pairs.iter().filter(|&&(_, before, after)| components.joins(before, after)).map(|&(key, ..)| key).collect();
        pairs.retain(|(key, ..)| !cyclic_keys.contains(key));
        self.assumed = Grouped::new(elements + t.keys(), |add| pairs.iter().for_each(|&(_, before, after)| add(before, after)));
        self.cyclic_keys = cyclic_keys.into_iter().collect();
        self.cyclic_keys.sort_unstable();
    }

    fn slot(&self, key: u32, version: Element) -> u32 {
        if version == NONE { self.transactions.elements.len() as u32 + key } else { version }
    }

    /// The writer of a slot, if it is known to have happened.
    fn writer(&self, slot: u32) -> Option<u32> {
        if slot as usize >= self.transactions.elements.len() || self.transactions.elements.is_repeated(slot) {
            return None;
        }
        Some(self.transactions.elements.writer(slot)).filter(|&writer| writer != NONE && self.happened[writer as usize])
    }

    /// The writers of versions that are assumed to follow a slot.
    fn assumed_writers(&self, slot: u32) -> Vec<u32> {
        let mut writers: Vec<u32> = self.assumed.of(slot).iter().filter_map(|&after| self.writer(after)).collect();
        writers.sort_unstable();
        writers.dedup();
        writers
    }
}

fn writes(transactions: &Transactions, transaction: u32, key: u32) -> bool {
    transactions.writes(transaction).any(|(other, _)| other == key)
}

/// Returns the elements in preorder of the forest that `parents` describes, and for each element the start and the end of its subtree.
fn preorder(parents: &[Element]) -> (Vec<Element>, Vec<(u32, u32)>) {
    let children = Grouped::new(parents.len(), |add| {
        for (element, &parent) in parents.iter().enumerate().filter(|&(_, &parent)| parent != NONE) {
            add(parent, element as u32);
        }
    });
    let (mut preorder, mut subtrees) = (Vec::with_capacity(parents.len()), vec![(0, 0); parents.len()]);
    let mut path: Vec<(Element, usize)> = Vec::new();
    for root in (0..parents.len() as u32).filter(|&element| parents[element as usize] == NONE) {
        path.push((root, 0));
        while let Some((element, next)) = path.last_mut() {
            if *next == 0 {
                subtrees[*element as usize].0 = preorder.len() as u32;
                preorder.push(*element);
            }
            let child = children.of(*element).get(*next).copied();
            *next += 1;
            match child {
                Some(child) => path.push((child, 0)),
                None => {
                    subtrees[*element as usize].1 = preorder.len() as u32;
                    path.pop();
                }
            }
        }
    }
    (preorder, subtrees)
}

impl Inference for RwRegister<'_> {
    fn transactions(&self) -> &Transactions {
        self.transactions
    }

    fn emit(&self, sink: &mut Sink) {
        let t = self.transactions;
        for slot in 0..self.readers.len() as u32 {
            let writer = self.writer(slot);
            for (after, kind) in [(self.overwriters.of(slot), WW_READ), (&self.assumed_writers(slot)[..], WW)] {
                sink.overwritten(self.readers.of(slot), after);
                let Some(writer) = writer else { continue };
                for &next in after {
                    let is_ok = t.kind(writer) == Kind::Ok && t.kind(next) == Kind::Ok;
                    sink.edge(writer, next, if is_ok { kind } else { WW_READ });
                }
            }
            if let Some(writer) = writer {
                self.readers.of(slot).iter().for_each(|&reader| sink.edge(writer, reader, WR));
            }
        }
    }

    fn is_later(&self, read: &MicroOp, element: Element) -> bool {
        let happened = self.writer(element).is_some();
        match self.transactions.version(read) {
            Some(NONE) => happened,
            Some(version) => {
                let (from, to) = self.subtrees[version as usize];
                let at = self.subtrees[element as usize].0;
                let is_next = self.overwriters.of(version).binary_search(&self.transactions.elements.writer(element)).is_ok();
                happened && version != element && (is_next || (from < at && at < to) || self.assumed.of(version).contains(&element))
            }
            None => false,
        }
    }

    fn first_writers(&self, key: u32) -> &[u32] {
        self.overwriters.of(self.slot(key, NONE))
    }

    fn later_writers(&self, read: &MicroOp, visit: &mut dyn FnMut(u32)) {
        match self.transactions.version(read) {
            Some(NONE) => self.overwriters.of(self.slot(read.key, NONE)).iter().for_each(|&writer| visit(writer)),
            Some(version) => {
                let (from, to) = self.subtrees[version as usize];
                let over = self.preorder.get(from as usize + 1..to as usize).unwrap_or(&[]);
                over.iter().chain(self.assumed.of(version)).filter_map(|&element| self.writer(element)).for_each(visit);
            }
            None => {}
        }
    }

    fn follows(&self, key: u32, element: Element, writer: u32) -> Option<Element> {
        let t = self.transactions;
        let after = t.elements.writer(element);
        let mut own = t.writes(writer).filter(|&(other, own)| other == key && own != element).map(|(_, own)| own);
        own.find(|&own| self.overwriters.of(own).binary_search(&after).is_ok() || self.assumed.of(own).contains(&element))
    }

    fn before(&self, _: u32, element: Element) -> Option<u32> {
        Some(self.parents[element as usize]).filter(|&parent| parent != NONE).and_then(|parent| self.writer(parent))
    }

    fn overtaken(&self, read: &MicroOp, own: Element, reader: u32) -> Option<u32> {
        let version = self.transactions.version(read).filter(|&version| version != NONE)?;
        let mut before = self.parents[own as usize];
        let mut between = None;
        for _ in 0..self.parents.len() {
            if before == NONE || before == version {
                return between.filter(|_| before == version);
            }
            between = between.or(self.writer(before).filter(|&writer| writer != reader));
            before = self.parents[before as usize];
        }
        None
    }

    fn decides(&self, _: Level) -> bool {
        false
    }

    fn check_versions(&self, counts: &mut Counts) {
        let t = self.transactions;
        for &key in &self.cyclic_keys {
            counts.add(Phenomenon::CyclicVersions, || Instance {
                key: Some(key),
                sentences: vec![format!("the version order of {} is cyclic under the assumptions made about single keys", t.key(key))],
                ..Instance::default()
            });
        }
    }
}
