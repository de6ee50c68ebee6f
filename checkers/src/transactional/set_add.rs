//! Dependencies between transactions on grow-only sets: a read shows which additions it saw and which it missed (Kingsbury & Alvaro,
//! "Elle", VLDB 2020, 4.2).
//!
//! Additions commute, so there is no write order. A reader follows the writer of every element that it saw and precedes the writer of
//! every element that it missed. The elements of a key are arranged in a row, those of the smallest reads first. Most reads then saw and
//! missed contiguous ranges of the row, to which a few edges of a segment tree suffice.

use std::ops::Range;

use super::counts::{Counts, Link, LinkKind};
use super::elements::{Element, NONE};
use super::graph::{RW, SegmentTree, Sink, WR};
use super::inference::{Inference, as_write};
use super::level::Level;
use super::lists::ListRef;
use super::transactions::{Action, MicroOp, Transactions};

/// The elements of sets, arranged in rows.
pub(crate) struct SetAdd<'t> {
    transactions: &'t Transactions,
    happened: Vec<bool>,
    /// By key, the elements that are known to have been added.
    rows: Vec<Vec<Element>>,
    /// By element, its position in its row, or [`NONE`].
    places: Vec<u32>,
}

impl<'t> SetAdd<'t> {
    /// Arranges the elements. O(elements read + elements).
    pub(crate) fn new(transactions: &'t Transactions, happened: Vec<bool>) -> SetAdd<'t> {
        let t = transactions;
        let mut reads: Vec<Vec<ListRef>> = vec![Vec::new(); t.keys()];
        let steps = (0..t.len() as u32).filter(|&transaction| happened[transaction as usize]).flat_map(|transaction| t.steps(transaction));
        for step in steps {
            if let Action::List(observed) = step.action {
                reads[step.key as usize].push(observed);
            }
        }
        let mut sets = SetAdd { transactions, happened, rows: vec![Vec::new(); t.keys()], places: vec![NONE; t.elements.len()] };
        for (key, mut reads) in (0..).zip(reads) {
            reads.sort_by_key(|&observed| t.lists.list(key, observed).len());
            let mut done = 0;
            for observed in reads {
                let list = t.lists.list(key, observed);
                // The prefix of the chain that a previous read covered is already in the row.
                let known = if let ListRef::Chain(length) = observed { std::mem::replace(&mut done, length as usize) } else { 0 };
                list[known.min(list.len())..].iter().for_each(|&element| sets.put(key, element));
            }
        }
        for transaction in 0..t.len() as u32 {
            t.writes(transaction).for_each(|(key, element)| sets.put(key, element));
        }
        sets
    }

    /// Appends an element to its row, if it is known to have been added and is not in the row.
    fn put(&mut self, key: u32, element: Element) {
        let writer = self.transactions.elements.writer(element);
        if writer != NONE && self.happened[writer as usize] && self.places[element as usize] == NONE {
            self.places[element as usize] = self.rows[key as usize].len() as u32;
            self.rows[key as usize].push(element);
        }
    }

    fn has_happened(&self, element: Element) -> bool {
        self.places[element as usize] != NONE
    }

    /// The positions in the row of a key that a read saw, ascending. O(n log n).
    fn seen(&self, read: &MicroOp, observed: ListRef) -> Vec<u32> {
        let list = self.transactions.lists.list(read.key, observed);
        let mut places: Vec<u32> = list.iter().map(|&element| self.places[element as usize]).filter(|&place| place != NONE).collect();
        if !places.is_sorted() {
            places.sort_unstable();
        }
        places
    }

    /// Adds the edges of one read, except those to and from its own transaction. O(elements read).
    fn emit_read(&self, transaction: u32, read: &MicroOp, observed: ListRef, (into, out): (&SegmentTree, &SegmentTree), sink: &mut Sink) {
        let mut own: Vec<u32> = Vec::new();
        own.extend(
            self.transactions.writes(transaction).filter(|&(key, _)| key == read.key).map(|(_, element)| self.places[element as usize]),
        );
        own.sort_unstable();
        let mut add_range = |range: Range<u32>, saw: bool| {
            let mut from = range.start;
            for to in own.iter().copied().filter(|place| range.contains(place)).chain([range.end]) {
                let stretch = from as usize..to.max(from) as usize;
                match saw {
                    true => sink.edges_from_range(into, stretch, transaction, WR),
                    false => sink.edges_to_range(transaction, out, stretch, RW),
                }
                from = to + 1;
            }
        };
        let places = self.seen(read, observed);
        let mut end = 0;
        for stretch in places.chunk_by(|one, next| one + 1 == *next) {
            add_range(end..stretch[0], false);
            end = stretch[0] + stretch.len() as u32;
            add_range(stretch[0]..end, true);
        }
        add_range(end..self.rows[read.key as usize].len() as u32, false);
    }
}

impl Inference for SetAdd<'_> {
    fn transactions(&self) -> &Transactions {
        self.transactions
    }

    fn emit(&self, sink: &mut Sink) {
        let t = self.transactions;
        let writer = |&element: &Element| t.elements.writer(element);
        let trees: Vec<(SegmentTree, SegmentTree)> =
            self.rows.iter().map(|row| (sink.in_tree(row.iter().map(writer), WR), sink.out_tree(row.iter().map(writer)))).collect();
        for transaction in (0..t.len() as u32).filter(|&transaction| self.happened[transaction as usize]) {
            for step in t.steps(transaction) {
                if let Action::List(observed) = step.action {
                    let (into, out) = &trees[step.key as usize];
                    self.emit_read(transaction, step, observed, (into, out), sink);
                }
            }
        }
    }

    fn is_later(&self, read: &MicroOp, element: Element) -> bool {
        matches!(read.action, Action::List(observed) if !self.transactions.lists.holds(read.key, observed, element))
            && self.has_happened(element)
    }

    fn later_writers(&self, read: &MicroOp, visit: &mut dyn FnMut(u32)) {
        let row = &self.rows[read.key as usize];
        row.iter().filter(|&&element| self.is_later(read, element)).for_each(|&element| visit(self.transactions.elements.writer(element)));
    }

    fn decides(&self, level: Level) -> bool {
        // An order that respects all dependencies explains every read, so only levels that proscribe more than cycles are undecided.
        let of_cycles = [
            Level::ReadUncommitted,
            Level::ReadCommitted,
            Level::RepeatableRead,
            Level::Serializable,
            Level::SnapshotIsolation,
            Level::StrongSessionReadCommitted,
            Level::StrongSessionSerializable,
            Level::StrongSessionSnapshotIsolation,
            Level::StrongReadCommitted,
            Level::StrongSnapshotIsolation,
            Level::StrictSerializable,
        ];
        of_cycles.contains(&level)
    }

    fn check_versions(&self, _: &mut Counts) {}

    fn evidence(&self, link: &Link) -> Option<(MicroOp, MicroOp)> {
        let t = self.transactions;
        let (writer, reader) = if link.kind == LinkKind::Wr { (link.from, link.to) } else { (link.to, link.from) };
        let pairs = t.steps(reader).iter().flat_map(|read| {
            let writes = t.steps(writer).iter().filter_map(|step| Some((step, as_write(step)?)));
            writes.filter(move |(write, _)| write.key == read.key).map(move |(write, element)| (read, write, element))
        });
        let mut pairs = pairs.filter_map(|(read, write, element)| match read.action {
            Action::List(observed) => Some((read, write, t.lists.holds(read.key, observed, element))),
            _ => None,
        });
        match link.kind {
            LinkKind::Wr => pairs.find(|(.., saw)| *saw).map(|(read, write, _)| (*write, *read)),
            LinkKind::Rw => pairs.find(|(.., saw)| !*saw).map(|(read, write, _)| (*read, *write)),
            _ => None,
        }
    }
}
