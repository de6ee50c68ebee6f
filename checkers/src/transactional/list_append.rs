//! Version orders of lists: a read returns all versions up to the one it saw, in order (Kingsbury & Alvaro, "Elle", VLDB 2020, 4.2).
//!
//! The version order of a key is the agreed prefix of its reads. A committed append outside the agreed prefix follows it, since otherwise
//! the reads would contain it. Elements that failed or were never written are skipped.

use elenchus_core::Kind;

use super::counts::{Counts, Instance};
use super::elements::{Element, NONE};
use super::graph::{RW, Sink, WR, WW, WW_READ};
use super::grouped::Grouped;
use super::inference::Inference;
use super::level::Level;
use super::lists::ListRef;
use super::phenomenon::Phenomenon;
use super::transactions::{Action, MicroOp, Transactions};

/// The version orders of lists.
pub(crate) struct ListAppend<'t> {
    transactions: &'t Transactions,
    happened: Vec<bool>,
    /// The start of each key's range in `next`.
    starts: Vec<u32>,
    /// For each length of each agreed prefix, the writer of the first committed element after it, or [`NONE`].
    next: Vec<u32>,
    /// By key, the transactions with appends outside the agreed prefix.
    tails: Grouped,
    /// By key with tails, the readers of the last committed version of the agreed prefix.
    last_readers: Grouped,
}

impl<'t> ListAppend<'t> {
    /// Infers the version orders. Linear in the history.
    pub(crate) fn new(transactions: &'t Transactions, happened: Vec<bool>) -> ListAppend<'t> {
        let keys = transactions.keys();
        let mut starts = Vec::with_capacity(keys + 1);
        let mut next = Vec::new();
        for key in 0..keys as u32 {
            starts.push(next.len() as u32);
            let agreed = transactions.lists.agreed(key);
            next.resize(next.len() + agreed.len() + 1, NONE);
            let own = next.len() - agreed.len() - 1;
            for (place, &element) in agreed.iter().enumerate().rev() {
                let writer = transactions.elements.writer(element);
                next[own + place] = if writer != NONE && happened[writer as usize] { writer } else { next[own + place + 1] };
            }
        }
        starts.push(next.len() as u32);
        let mut lists = ListAppend { transactions, happened, starts, next, tails: Grouped::default(), last_readers: Grouped::default() };
        lists.tails = Grouped::new(keys, |add| {
            for transaction in lists.committed() {
                for (key, element) in transactions.writes(transaction) {
                    if transactions.lists.place_in_agreed(key, element).is_none() {
                        add(key, transaction);
                    }
                }
            }
        });
        if !lists.tails.is_empty() {
            lists.last_readers = Grouped::new(keys, |add| {
                for transaction in lists.committed() {
                    for (read, length) in lists.agreed_reads(transaction) {
                        if lists.next_writer(read.key, length) == NONE && !lists.tails.of(read.key).is_empty() {
                            add(read.key, transaction);
                        }
                    }
                }
            });
        }
        lists
    }

    fn committed(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.transactions.len() as u32).filter(|&transaction| self.happened[transaction as usize])
    }

    /// The writer of the first committed element after a prefix of the agreed prefix.
    fn next_writer(&self, key: u32, length: u32) -> u32 {
        self.next[(self.starts[key as usize] + length) as usize]
    }

    /// The reads of a transaction that saw a prefix of an agreed prefix whose last element another transaction wrote, with the length.
    fn agreed_reads(&self, transaction: u32) -> impl Iterator<Item = (&MicroOp, u32)> + '_ {
        self.transactions.steps(transaction).iter().filter_map(move |step| {
            let length = self.agreed_length(step)?;
            let last = self.transactions.version(step).filter(|&last| last != NONE);
            (last.is_none_or(|last| self.transactions.elements.writer(last) != transaction)).then_some((step, length))
        })
    }

    /// The length of the list that was read, if it is within the agreed prefix.
    fn agreed_length(&self, read: &MicroOp) -> Option<u32> {
        match read.action {
            Action::List(ListRef::Chain(length)) => {
                Some(length).filter(|&length| length as usize <= self.transactions.lists.agreed(read.key).len())
            }
            _ => None,
        }
    }

    /// Returns whether the version order of every key is total: all reads agree, and at most `most_tails` transactions wrote versions
    /// that were never read.
    fn is_determined(&self, most_tails: usize) -> bool {
        let whole = |key| self.transactions.lists.agreed(key).len() == self.transactions.lists.chain(key).len();
        (0..self.transactions.keys() as u32).all(|key| whole(key) && self.tails.of(key).len() <= most_tails)
    }

    /// The last committed element before an element.
    fn predecessor(&self, key: u32, element: Element) -> Option<Element> {
        let agreed = self.transactions.lists.agreed(key);
        let end = self.transactions.lists.place_in_agreed(key, element).unwrap_or(agreed.len());
        agreed[..end].iter().rev().copied().find(|&before| self.has_happened(before))
    }

    fn has_happened(&self, element: Element) -> bool {
        let writer = self.transactions.elements.writer(element);
        writer != NONE && self.happened[writer as usize]
    }

    /// The kind of a write dependency: unconditional only if both transactions are known to have committed.
    fn write_order(&self, before: u32, after: u32) -> u8 {
        let is_ok = |transaction| self.transactions.kind(transaction) == Kind::Ok;
        if is_ok(before) && is_ok(after) { WW } else { WW_READ }
    }
}

impl Inference for ListAppend<'_> {
    fn transactions(&self) -> &Transactions {
        self.transactions
    }

    fn emit(&self, sink: &mut Sink) {
        let t = self.transactions;
        for key in 0..t.keys() as u32 {
            // The last writer, and the last that is known to have committed. The latter precedes the next one whatever happened to
            // crashed transactions between them.
            let (mut before, mut sure) = (NONE, NONE);
            let mut edge = |before: u32, sure: u32, next: u32| {
                if before != NONE && before != next {
                    sink.edge(before, next, self.write_order(before, next));
                }
                if sure != NONE && sure != before && sure != next && t.kind(next) == Kind::Ok {
                    sink.edge(sure, next, WW);
                }
            };
            for &element in t.lists.agreed(key).iter().filter(|&&element| self.has_happened(element)) {
                let writer = t.elements.writer(element);
                edge(before, sure, writer);
                before = writer;
                sure = if t.kind(writer) == Kind::Ok { writer } else { sure };
            }
            let tails = self.tails.of(key);
            tails.iter().for_each(|&tail| edge(before, sure, tail));
            if !tails.is_empty() {
                sink.overwritten(self.last_readers.of(key), tails);
            }
        }
        for transaction in self.committed() {
            for step in t.steps(transaction) {
                if let Some(version) = t.version(step).filter(|&version| version != NONE && self.has_happened(version)) {
                    sink.edge(t.elements.writer(version), transaction, WR);
                }
            }
            for (read, length) in self.agreed_reads(transaction) {
                let next = self.next_writer(read.key, length);
                if next != NONE {
                    sink.edge(transaction, next, RW);
                }
            }
        }
    }

    fn is_later(&self, read: &MicroOp, element: Element) -> bool {
        let lists = &self.transactions.lists;
        self.agreed_length(read).is_some_and(|length| {
            lists.place_in_agreed(read.key, element).map_or(self.has_happened(element), |place| place >= length as usize)
        })
    }

    fn follows(&self, key: u32, element: Element, writer: u32) -> Option<Element> {
        let t = self.transactions;
        let is_by = |before: &Element| t.elements.writer(*before) == writer;
        // If it is not the direct predecessor, search further up.
        self.predecessor(key, element).filter(is_by).or_else(|| {
            let end = t.lists.place_in_agreed(key, element).unwrap_or(usize::MAX);
            let own = t.writes(writer).filter(|&(other, _)| other == key).map(|(_, own)| own);
            own.filter(|&own| t.lists.place_in_agreed(key, own).is_some_and(|place| place < end)).last()
        })
    }

    fn first_writers(&self, key: u32) -> &[u32] {
        let at = self.starts[key as usize] as usize;
        if self.next[at] == NONE { self.tails.of(key) } else { &self.next[at..=at] }
    }

    fn later_writers(&self, read: &MicroOp, visit: &mut dyn FnMut(u32)) {
        let Some(length) = self.agreed_length(read) else { return };
        let from = (self.starts[read.key as usize] + length) as usize;
        let writers = &self.next[from..self.starts[read.key as usize + 1] as usize];
        writers.iter().chain(self.tails.of(read.key)).filter(|&&writer| writer != NONE).for_each(|&writer| visit(writer));
    }

    fn before(&self, key: u32, element: Element) -> Option<u32> {
        self.predecessor(key, element).map(|before| self.transactions.elements.writer(before))
    }

    fn overtaken(&self, read: &MicroOp, own: Element, reader: u32) -> Option<u32> {
        let length = self.agreed_length(read)?;
        let next = self.next_writer(read.key, length);
        let is_later = self.transactions.lists.place_in_agreed(read.key, own).is_none_or(|place| place >= length as usize);
        Some(next).filter(|&next| next != NONE && next != reader && is_later)
    }

    fn decides(&self, level: Level) -> bool {
        // The order of versions that were never read matters only where the write order is more than the commit order.
        let any_order = [
            Level::ReadUncommitted,
            Level::ReadCommitted,
            Level::MonotonicAtomicView,
            Level::ReadAtomic,
            Level::CausalCerone,
            Level::TransactionalCausal,
            Level::StrongSessionReadUncommitted,
            Level::StrongSessionReadCommitted,
            Level::StrongReadUncommitted,
            Level::StrongReadCommitted,
        ];
        // These levels also rule out phenomena without a cycle among the observed dependencies, which are not searched for.
        let beyond = [Level::MonotonicSnapshotRead, Level::ForwardConsistentView, Level::UpdateAtomic];
        !beyond.contains(&level)
            && self.transactions.predicates.is_empty()
            && self.is_determined(if any_order.contains(&level) { usize::MAX } else { 1 })
    }

    fn check_versions(&self, counts: &mut Counts) {
        let t = self.transactions;
        let failed = |element: Element| {
            let writer = t.elements.writer(element);
            writer != NONE && t.kind(writer) == Kind::Fail
        };
        for key in 0..t.keys() as u32 {
            for pair in t.lists.agreed(key).windows(2).filter(|pair| failed(pair[0]) && self.has_happened(pair[1])) {
                counts.add(Phenomenon::DirtyUpdate, || {
                    let (aborted, after) = (t.elements.writer(pair[0]), t.elements.writer(pair[1]));
                    let sentence = format!(
                        "{} appended {} to {} directly after {}, which {} appended although it failed",
                        t.name(after),
                        t.value(pair[1]),
                        t.key(key),
                        t.value(pair[0]),
                        t.name(aborted)
                    );
                    Instance { transactions: vec![aborted, after], key: Some(key), sentences: vec![sentence], ..Instance::default() }
                });
            }
        }
    }
}
