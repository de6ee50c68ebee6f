//! The constraints of a level on an order of begins and commits.
//!
//! The rule of a [`Walk`] determines the places of a transaction and the precedences that hold for every version order. The other
//! constraints are *clauses* of two precedences, one of which must hold (the polygraph of Papadimitriou, "The serializability of
//! concurrent database updates", JACM 1979; with separate begins and commits: Zhang et al., "Viper", EuroSys 2023):
//!
//! - the reader of a version begins before another writer of the key commits, or that writer commits before the writer of the version;
//! - under snapshot isolation, one of two writers of a key commits before the other begins.
//!
//! There are too many clauses to store. Instead an order is *replayed*, which yields the clauses that it breaks.

use elenchus_core::Kind;
use rustc_hash::FxHashMap;

use super::super::elements::{Element, NONE};
use super::super::transactions::{Action, Transactions};
use super::super::walk::{Rule, Walk};
use super::topological_order::{Precedence, TopologicalOrder};

/// A version that is read or written: the last one of a transaction under a key or, numbered after those, the initial state of a key.
type Slot = u32;

/// A constraint of which one of two sides must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Clause {
    /// `reader` read a key as `source` wrote it ([`NONE`]: in its initial state), and `other` wrote it too.
    Read { key: u32, reader: u32, source: u32, other: u32 },
    /// Both transactions wrote the key.
    Conflict { key: u32, one: u32, other: u32 },
}

/// The transactions of a history as nodes: what each read from others, and the keys that it wrote.
#[derive(Debug, Default)]
pub(super) struct Accesses {
    /// The transaction of each node, ascending.
    pub(super) transactions: Vec<u32>,
    /// By slot, the node that wrote it, or [`NONE`].
    owners: Vec<u32>,
    /// By slot, its key.
    keys: Vec<u32>,
    /// By node, its first slot.
    writes_from: Vec<u32>,
    /// By node, its first read.
    reads_from: Vec<u32>,
    reads: Vec<Slot>,
    /// The number of keys.
    key_count: usize,
    /// Whether the version and the writer of every read are known; false if there are predicate reads.
    pub(super) is_clear: bool,
}

impl Accesses {
    /// Collects the accesses of those transactions that happened. O(steps).
    pub(super) fn new(t: &Transactions, happened: &[bool], transactions: Vec<u32>) -> Accesses {
        let mut accesses =
            Accesses { transactions, is_clear: t.predicates.is_empty(), key_count: t.keys(), writes_from: vec![0], ..Accesses::default() };
        let mut of_element: FxHashMap<Element, Slot> = FxHashMap::default();
        let mut written: Vec<(u32, Element)> = Vec::new();
        for (node, &transaction) in accesses.transactions.iter().enumerate() {
            written.clear();
            written.extend(t.writes(transaction).filter(|_| happened[transaction as usize]));
            written.sort_unstable();
            for &(key, element) in &written {
                if accesses.owners.last() != Some(&(node as u32)) || accesses.keys.last() != Some(&key) {
                    accesses.keys.push(key);
                    accesses.owners.push(node as u32);
                }
                if t.elements.writer(element) == transaction && !t.elements.is_repeated(element) {
                    of_element.insert(element, accesses.keys.len() as Slot - 1);
                }
            }
            accesses.writes_from.push(accesses.keys.len() as u32);
        }
        let written = accesses.keys.len() as Slot;
        accesses.keys.extend(0..t.keys() as u32);
        accesses.owners.resize(accesses.keys.len(), NONE);
        accesses.reads_from.push(0);
        for &transaction in &accesses.transactions {
            let from = accesses.reads.len();
            for step in t.steps(transaction).iter().filter(|_| t.kind(transaction) == Kind::Ok) {
                let slot = match t.version(step) {
                    Some(NONE) => Some(written + step.key),
                    Some(element) if t.elements.writer(element) == transaction => continue,
                    Some(element) => of_element.get(&element).copied(),
                    None => None,
                };
                match slot {
                    Some(slot) if !accesses.reads[from..].contains(&slot) => accesses.reads.push(slot),
                    Some(_) => {}
                    None => accesses.is_clear &= matches!(step.action, Action::Write(_)),
                }
            }
            accesses.reads_from.push(accesses.reads.len() as u32);
        }
        accesses
    }

    /// The number of transactions.
    pub(super) fn len(&self) -> usize {
        self.transactions.len()
    }

    /// Returns whether a node is one of these transactions, not an auxiliary node.
    pub(super) fn has(&self, node: u32) -> bool {
        (node as usize) < self.len()
    }

    /// The first slot of an initial state.
    fn initial(&self) -> Slot {
        (self.keys.len() - self.key_count) as Slot
    }

    fn writes(&self, node: u32) -> std::ops::Range<Slot> {
        self.writes_from[node as usize]..self.writes_from[node as usize + 1]
    }

    fn reads(&self, node: u32) -> &[Slot] {
        &self.reads[self.reads_from[node as usize] as usize..self.reads_from[node as usize + 1] as usize]
    }

    /// The keys that a node wrote, ascending.
    pub(super) fn written(&self, node: u32) -> &[u32] {
        let slots = self.writes(node);
        &self.keys[slots.start as usize..slots.end as usize]
    }

    /// The keys that a node read from others, each with the node that wrote the version, or [`NONE`] for the initial state.
    pub(super) fn sources(&self, node: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.reads(node).iter().map(|&slot| (self.keys[slot as usize], self.owners[slot as usize]))
    }
}

/// The constraints of a level on a history.
pub(super) struct Problem<'g> {
    pub(super) accesses: &'g Accesses,
    pub(super) walk: Walk<'g>,
}

/// A partial replay of an order, with the state of the keys.
pub(super) struct Replay {
    /// The rank of the next place.
    rank: u32,
    /// By key, its last version.
    last: Vec<Slot>,
    /// By slot, the version after it.
    next: Vec<Slot>,
    /// The writes, in order.
    written: Vec<Written>,
}

/// A write that a replay can undo.
struct Written {
    rank: u32,
    key: u32,
    /// The previous version.
    before: Slot,
}

impl Replay {
    /// Creates a replay at the first place. O(keys + slots).
    pub(super) fn new(accesses: &Accesses) -> Replay {
        let last = (0..accesses.key_count as u32).map(|key| accesses.initial() + key).collect();
        Replay { rank: 0, last, next: vec![NONE; accesses.keys.len()], written: Vec::new() }
    }

    /// The rank of the next place.
    pub(super) fn rank(&self) -> u32 {
        self.rank
    }

    /// Rewinds to before the place of a rank, if it was replayed. O(places undone).
    pub(super) fn rewind(&mut self, rank: u32) {
        self.rank = self.rank.min(rank);
        while let Some(Written { key, before, .. }) = self.written.pop_if(|written| written.rank >= rank) {
            self.last[key as usize] = before;
            self.next[before as usize] = NONE;
        }
    }
}

impl Problem<'_> {
    /// The place at which a node begins.
    pub(super) fn begin(&self, node: u32) -> u32 {
        self.walk.at(node, 1)
    }

    /// The place at which a node commits; the same if begins do not matter.
    pub(super) fn commit(&self, node: u32) -> u32 {
        self.walk.at(node, 0)
    }

    /// The two sides of a clause. The first is `None` if nothing can precede the version that was read.
    pub(super) fn sides(&self, clause: Clause) -> [Option<Precedence>; 2] {
        match clause {
            Clause::Read { reader, source, other, .. } => [
                (source != NONE).then(|| Precedence { first: self.commit(other), second: self.commit(source) }),
                Some(Precedence { first: self.begin(reader), second: self.commit(other) }),
            ],
            Clause::Conflict { one, other, .. } => [
                Some(Precedence { first: self.commit(one), second: self.begin(other) }),
                Some(Precedence { first: self.commit(other), second: self.begin(one) }),
            ],
        }
    }

    /// Replays the next place of an order and reports the clauses that it breaks with those before it. If no clause is reported until the
    /// end, the order breaks none. Returns false if there is no next place. O(steps of its transaction).
    pub(super) fn replay_next(&self, order: &TopologicalOrder, replay: &mut Replay, report: &mut dyn FnMut(Clause)) -> bool {
        let Some(&place) = order.places().get(replay.rank as usize) else { return false };
        let node = self.walk.node(place);
        let has_begins = self.walk.rule != Rule::Free;
        if self.accesses.has(node) {
            if !has_begins || place % 2 == 1 {
                self.replay_reads(node, replay, report);
            }
            if !has_begins || place.is_multiple_of(2) {
                self.replay_writes(node, order, replay, report);
            }
        }
        replay.rank += 1;
        true
    }

    fn replay_reads(&self, reader: u32, replay: &Replay, report: &mut dyn FnMut(Clause)) {
        let accesses = self.accesses;
        for &slot in accesses.reads(reader) {
            let (key, source) = (accesses.keys[slot as usize], accesses.owners[slot as usize]);
            let (first, last) = (replay.next[slot as usize], replay.last[key as usize]);
            if first == NONE {
                continue;
            }
            // The nearest versions on both sides suffice: whichever side of the clause is chosen, one of them implies the rest.
            for between in [first, last].into_iter().take(1 + usize::from(first != last)) {
                let other = accesses.owners[between as usize];
                if other != reader {
                    report(Clause::Read { key, reader, source, other });
                }
            }
        }
    }

    fn replay_writes(&self, node: u32, order: &TopologicalOrder, replay: &mut Replay, report: &mut dyn FnMut(Clause)) {
        let accesses = self.accesses;
        for slot in accesses.writes(node) {
            let key = accesses.keys[slot as usize];
            let before = std::mem::replace(&mut replay.last[key as usize], slot);
            replay.next[before as usize] = slot;
            replay.written.push(Written { rank: replay.rank, key, before });
            let one = accesses.owners[before as usize];
            let overlaps = || !order.satisfies(Precedence { first: self.commit(one), second: self.begin(node) });
            if self.walk.rule == Rule::Snapshot && one != NONE && overlaps() {
                report(Clause::Conflict { key, one, other: node });
            }
        }
    }
}
