//! Proofs that a level holds: an order of begins and commits that explains every read.
//!
//! The order is guessed: a topological order of the dependency graph, with ties broken by completion. It is then replayed, and is a proof
//! only if the replay reproduces every read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::hash_map::Entry;

use elenchus_core::Kind;
use rustc_hash::FxHashMap;

use super::components::Digraph;
use super::datatype::Datatype;
use super::elements::{Element, NONE};
use super::graph::{ANTI, DEPENDS, Graph, PRW, REALTIME, SESSION};
use super::level::Level;
use super::lists::ListRef;
use super::predicates::{Predicate, Scan};
use super::transactions::{Action, MicroOp, Transactions};
use super::walk::{Rule, Walk};

/// Returns whether a level is proved. Sets are not replayed, since their read dependencies and anti-dependencies determine every read.
/// O((nodes + edges) log nodes).
pub(crate) fn proves(transactions: &Transactions, graph: &Graph, happened: &[bool], level: Level) -> bool {
    let orders = [
        (Level::StrictSerializable, REALTIME | SESSION, Rule::Free),
        (Level::StrongSessionSerializable, SESSION, Rule::Free),
        (Level::Serializable, 0, Rule::Free),
        (Level::StrongSnapshotIsolation, REALTIME | SESSION, Rule::Snapshot),
        (Level::StrongSessionSnapshotIsolation, SESSION, Rule::Snapshot),
        (Level::SnapshotIsolation, 0, Rule::Snapshot),
    ];
    let is_candidate = |proved: Level| proved.implies(level) && transactions.datatype() != Datatype::SetAdd;
    orders.into_iter().filter(|&(proved, ..)| is_candidate(proved)).any(|(_, order, rule)| {
        let walk = match rule {
            Rule::Free => Walk::free(graph, DEPENDS | ANTI | order),
            _ => Walk::ruled(graph, DEPENDS | PRW | order, rule),
        };
        let priority = |place: u32| completion(transactions, &walk, happened, place);
        topological_sort(&walk, priority).is_some_and(|schedule| replays(transactions, &walk, happened, &schedule))
    })
}

/// Returns whether an order of places, from any source, is a proof: it respects every edge of the walk, and its replay succeeds. O(nodes
/// + edges + steps).
pub(crate) fn certifies(transactions: &Transactions, walk: &Walk<'_>, happened: &[bool], order: &[u32]) -> bool {
    let mut ranks = vec![NONE; walk.len()];
    for (rank, &place) in order.iter().enumerate() {
        match ranks.get_mut(place as usize) {
            Some(slot) if *slot == NONE => *slot = rank as u32,
            _ => return false,
        }
    }
    let is_true = |place: u32| {
        let mut targets = walk.edge_range(place).filter_map(|edge| walk.head(place, edge));
        targets.all(|target| ranks[place as usize] < ranks[target as usize])
    };
    order.len() == walk.len() && (0..walk.len() as u32).all(is_true) && replays(transactions, walk, happened, order)
}

/// Returns whether an order of transactions, from any source, proves strict serializability: it contains all transactions that succeeded,
/// respects real-time order, and its replay succeeds. O(steps · predicates).
pub(crate) fn is_strictly_serial(transactions: &Transactions, order: &[u32]) -> bool {
    let mut replay = Replay::new(transactions);
    let mut is_placed = vec![false; transactions.len()];
    let mut latest = None;
    for &transaction in order {
        let (invoked, completed) = (Some(transactions.invoked(transaction)), transactions.completed(transaction));
        let may_have_happened = matches!(transactions.kind(transaction), Kind::Ok | Kind::Info);
        let is_late = transactions.kind(transaction) == Kind::Ok && completed < latest;
        if !may_have_happened || is_late || std::mem::replace(&mut is_placed[transaction as usize], true) {
            return false;
        }
        latest = latest.max(invoked);
        let seen = replay.snapshot(transaction);
        if !replay.commit(transaction, seen, false) {
            return false;
        }
    }
    transactions.completions().iter().all(|&transaction| is_placed[transaction as usize])
}

/// The priority of a place: the completion of its transaction, as far as it is known.
pub(crate) fn completion(transactions: &Transactions, walk: &Walk<'_>, happened: &[bool], place: u32) -> u32 {
    let node = walk.node(place);
    if walk.graph.is_auxiliary(node) || !happened[node as usize] {
        return 0;
    }
    // A crashed transaction that was read takes effect as soon as its first reader needs it.
    transactions.completed(node).map_or(transactions.invoked(node).0, |at| at.0)
}

/// Returns a topological order of the places of a walk, by ascending priority where the edges leave a choice; `None` if the walk has a
/// cycle. O((nodes + edges) log nodes).
pub(crate) fn topological_sort(walk: &Walk<'_>, priority: impl Fn(u32) -> u32) -> Option<Vec<u32>> {
    let mut before = vec![0_u32; walk.len()];
    for place in 0..walk.len() as u32 {
        for edge in walk.edge_range(place) {
            if let Some(next) = walk.head(place, edge) {
                before[next as usize] += 1;
            }
        }
    }
    let mut ready: BinaryHeap<Reverse<(u32, u32)>> =
        (0..walk.len() as u32).filter(|&place| before[place as usize] == 0).map(|place| Reverse((priority(place), place))).collect();
    let mut order = Vec::with_capacity(walk.len());
    while let Some(Reverse((_, place))) = ready.pop() {
        order.push(place);
        for edge in walk.edge_range(place) {
            let Some(next) = walk.head(place, edge) else { continue };
            before[next as usize] -= 1;
            if before[next as usize] == 0 {
                ready.push(Reverse((priority(next), next)));
            }
        }
    }
    (order.len() == walk.len()).then_some(order)
}

/// The replayed state of a key.
#[derive(Clone, Copy, Default)]
struct KeyState {
    /// The number of writes.
    writes: u32,
    /// The last element; undefined before the first write.
    last: Element,
    /// Whether the writes are not a prefix of the key's chain of reads.
    diverges: bool,
    /// The sum of a counter.
    sum: i64,
}

impl KeyState {
    fn write(&mut self, transactions: &Transactions, element: Element) {
        if transactions.datatype() == Datatype::CounterInc {
            self.sum = self.sum.saturating_add(transactions.value(element).as_int().unwrap_or_default());
        }
        self.diverges |= transactions.lists.place(element) != Some(self.writes as usize);
        self.writes += 1;
        self.last = element;
    }

    fn explains(&self, t: &Transactions, step: &MicroOp) -> bool {
        match step.action {
            Action::List(ListRef::Chain(length)) => self.writes == length && !self.diverges,
            Action::Register(NONE) => self.writes == 0,
            Action::Register(element) => self.writes > 0 && self.last == element,
            Action::List(ListRef::Divergent(_)) => false,
            Action::Sum(_) => t.sum(step) == Some(self.sum),
            Action::Write(_) | Action::Unknown => true,
        }
    }
}

/// The snapshot that a transaction reads: the state of its keys and, if it has predicate reads, the number of keys that match each
/// predicate.
#[derive(Clone, Default)]
struct Snapshot {
    keys: Vec<(u32, KeyState)>,
    matching: Vec<i64>,
}

/// The state of a replay: every key, and the number of keys that match each predicate.
struct Replay<'t> {
    transactions: &'t Transactions,
    states: Vec<KeyState>,
    matching: Vec<i64>,
}

impl Replay<'_> {
    fn new(transactions: &Transactions) -> Replay<'_> {
        let mut replay = Replay { transactions, states: vec![KeyState::default(); transactions.keys()], matching: Vec::new() };
        let keys = transactions.keys() as i64;
        replay.matching =
            transactions.predicates.all.iter().map(|predicate| replay.match_count(predicate, &KeyState::default()) * keys).collect();
        replay
    }

    fn snapshot(&self, node: u32) -> Snapshot {
        let t = self.transactions;
        let matching = if t.predicates.of(node).is_empty() { Vec::new() } else { self.matching.clone() };
        Snapshot { keys: t.steps(node).iter().map(|step| (step.key, self.states[step.key as usize])).collect(), matching }
    }

    /// Returns 1 if the state of a key matches a predicate, otherwise 0.
    fn match_count(&self, predicate: &Predicate, state: &KeyState) -> i64 {
        let t = self.transactions;
        let is_match = match t.datatype() {
            Datatype::RwRegister => predicate.matches(&t.value(if state.writes == 0 { NONE } else { state.last })),
            _ => state.writes > 0,
        };
        i64::from(is_match)
    }

    /// Replays the steps of a transaction on its snapshot and installs its writes. Returns whether every read returned what the history
    /// says and, unless conflicts are allowed, no key that it wrote was overwritten since the snapshot.
    fn commit(&mut self, node: u32, mut seen: Snapshot, may_conflict: bool) -> bool {
        let t = self.transactions;
        let at_begin = seen.keys.clone();
        let mut scans = t.predicates.of(node).iter().peekable();
        for (at, step) in t.steps(node).iter().enumerate() {
            while let Some(scan) = scans.next_if(|scan| scan.at as usize == at) {
                if !self.scan_matches(scan, &seen, &at_begin) {
                    return false;
                }
            }
            let Some((_, own)) = seen.keys.iter_mut().find(|(key, _)| *key == step.key) else { return false };
            match step.action {
                Action::Write(element) => own.write(t, element),
                _ if !own.explains(t, step) => return false,
                _ => {}
            }
        }
        if !scans.all(|scan| self.scan_matches(scan, &seen, &at_begin)) {
            return false;
        }
        for ((key, after), (_, before)) in seen.keys.into_iter().zip(at_begin) {
            if after.writes > before.writes {
                let current = self.states[key as usize];
                // Additions to a counter commute.
                if current.writes != before.writes && !may_conflict && t.datatype() != Datatype::CounterInc {
                    return false;
                }
                let next = KeyState {
                    sum: current.sum.saturating_add(after.sum - before.sum),
                    writes: current.writes.max(after.writes),
                    last: after.last,
                    diverges: current.diverges || after.diverges || current.writes != before.writes,
                };
                for (at, predicate) in t.predicates.all.iter().enumerate() {
                    self.matching[at] += self.match_count(predicate, &next) - self.match_count(predicate, &current);
                }
                self.states[key as usize] = next;
            }
        }
        true
    }

    /// Returns whether the keys that a predicate read found are exactly the ones that match. Their values are checked by the reads
    /// themselves.
    fn scan_matches(&self, scan: &Scan, seen: &Snapshot, at_begin: &[(u32, KeyState)]) -> bool {
        let predicate = &self.transactions.predicates.all[scan.predicate as usize];
        let mut changes: FxHashMap<u32, i64> = FxHashMap::default();
        let mut found = 0;
        for ((key, now), (_, before)) in seen.keys.iter().zip(at_begin) {
            // For a key with several steps, the first entry has the current state.
            if let Entry::Vacant(change) = changes.entry(*key) {
                change.insert(self.match_count(predicate, now) - self.match_count(predicate, before));
                found += if scan.found.binary_search(key).is_ok() { self.match_count(predicate, now) } else { 0 };
            }
        }
        let matching = seen.matching[scan.predicate as usize] + changes.values().sum::<i64>();
        found == scan.found.len() as i64 && matching == found
    }
}

/// Replays a schedule. Returns whether every read returned what the history says and, except for prefix consistency, no transaction
/// overwrote a key that changed after its begin. O(steps · predicates).
fn replays(transactions: &Transactions, walk: &Walk<'_>, happened: &[bool], schedule: &[u32]) -> bool {
    let has_begins = walk.rule != Rule::Free;
    let may_conflict = walk.rule == Rule::Prefix;
    let mut replay = Replay::new(transactions);
    let mut snapshots: Vec<Snapshot> = vec![Snapshot::default(); if has_begins { transactions.len() } else { 0 }];
    for &place in schedule {
        let node = walk.node(place);
        if walk.graph.is_auxiliary(node) || !happened[node as usize] {
            continue;
        }
        if has_begins && place % 2 == 1 {
            snapshots[node as usize] = replay.snapshot(node);
            continue;
        }
        let seen = if has_begins { std::mem::take(&mut snapshots[node as usize]) } else { replay.snapshot(node) };
        if !replay.commit(node, seen, may_conflict) {
            return false;
        }
    }
    true
}
