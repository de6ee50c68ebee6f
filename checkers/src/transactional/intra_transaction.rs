//! Phenomena within single transactions, which do not depend on the order of transactions, and lost updates.

mod additive;

use elenchus_core::Kind;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::counts::{Counts, Instance};
use super::datatype::Datatype;
use super::elements::{Element, NONE};
use super::lists::ListRef;
use super::phenomenon::Phenomenon;
use super::transactions::{Action, MicroOp, Transactions};

/// The number of transactions per parallel chunk.
const CHUNK_SIZE: usize = 4096;

/// A transaction that read a version and then wrote the same key.
struct Update {
    key: u32,
    version: Element,
    transaction: u32,
}

/// Finds the phenomena of single transactions, and lost updates. Parallel; O(n log n) in the steps of each transaction.
pub(crate) fn find(transactions: &Transactions, happened: &[bool], limit: usize) -> Counts {
    let clean = clean_prefixes(transactions);
    let parts: Vec<(Counts, Vec<Update>)> = (0..transactions.len() as u32)
        .collect::<Vec<_>>()
        .par_chunks(CHUNK_SIZE)
        .map(|chunk| {
            let mut check = ChunkCheck { transactions, clean: &clean, counts: Counts::new(limit), updates: Vec::new() };
            let mut order: Vec<u32> = Vec::new();
            for &transaction in chunk.iter().filter(|&&transaction| happened[transaction as usize]) {
                check.check(transaction, &mut order);
            }
            (check.counts, check.updates)
        })
        .collect();
    let mut counts = Counts::new(limit);
    let mut updates = Vec::with_capacity(parts.iter().map(|(_, updates)| updates.len()).sum());
    for (part, own) in parts {
        counts = counts.merge(part);
        updates.extend(own);
    }
    lost_updates(transactions, &updates, &mut counts);
    counts
}

/// Finds versions that more than one transaction read and overwrote. O(updates).
fn lost_updates(transactions: &Transactions, updates: &[Update], counts: &mut Counts) {
    let elements = transactions.elements.len();
    let mut first = vec![NONE; elements + transactions.keys()];
    let mut groups: FxHashMap<usize, Vec<u32>> = FxHashMap::default();
    let mut order = Vec::new();
    for (at, update) in updates.iter().enumerate() {
        let place = if update.version == NONE { elements + update.key as usize } else { update.version as usize };
        if first[place] == NONE {
            first[place] = at as u32;
            continue;
        }
        let group = groups.entry(place).or_insert_with(|| {
            order.push((place, first[place]));
            vec![updates[first[place] as usize].transaction]
        });
        group.push(update.transaction);
    }
    for (place, first) in order {
        let update = &updates[first as usize];
        counts.add(Phenomenon::LostUpdate, || {
            let group = &groups[&place];
            let key = transactions.key(update.key);
            let names: Vec<String> = group.iter().take(8).map(|&transaction| transactions.name(transaction)).collect();
            let version = match update.version {
                NONE => "in its initial state".to_owned(),
                element => {
                    format!("as {} wrote it ({})", transactions.name(transactions.elements.writer(element)), transactions.value(element))
                }
            };
            Instance {
                transactions: group.iter().copied().take(8).collect(),
                key: Some(update.key),
                sentences: vec![format!(
                    "{} each read {key} {version} and then wrote {key}: only one of these writes can follow that version directly",
                    names.join(", ")
                )],
                ..Instance::default()
            }
        });
    }
}

/// For each key, the length of the chain prefix whose elements were written and did not fail and, for sets, whose writers added nothing
/// else to the key. Most reads are within this prefix and need no closer check. O(elements).
fn clean_prefixes(transactions: &Transactions) -> Vec<u32> {
    let is_clean = |element: &Element| {
        let writer = transactions.elements.writer(*element);
        let is_alone = transactions.datatype() == Datatype::ListAppend || !transactions.elements.is_intermediate(*element);
        writer != NONE && transactions.kind(writer) != Kind::Fail && is_alone
    };
    let prefix = |key| transactions.lists.chain(key).iter().take_while(|element| is_clean(element)).count() as u32;
    (0..transactions.keys() as u32).into_par_iter().map(prefix).collect()
}

struct ChunkCheck<'t> {
    transactions: &'t Transactions,
    clean: &'t [u32],
    counts: Counts,
    updates: Vec<Update>,
}

impl ChunkCheck<'_> {
    fn check(&mut self, transaction: u32, order: &mut Vec<u32>) {
        let steps = self.transactions.steps(transaction);
        order.clear();
        order.extend(0..steps.len() as u32);
        order.sort_by_key(|&at| steps[at as usize].key);
        for run in order.chunk_by(|&one, &other| steps[one as usize].key == steps[other as usize].key) {
            if self.transactions.datatype() == Datatype::SetAdd {
                self.check_set(transaction, steps, run);
                continue;
            }
            if self.transactions.datatype() == Datatype::CounterInc {
                self.check_counter(transaction, steps, run);
                continue;
            }
            if self.transactions.kind(transaction) == Kind::Ok {
                for &at in run {
                    self.check_read(transaction, &steps[at as usize]);
                }
                if run.len() > 1 {
                    self.record_update(transaction, steps, run);
                    self.check_internal(transaction, steps, run);
                }
            }
            if run.len() > 1 {
                self.check_append_order(transaction, steps, run);
            }
        }
    }

    fn add(&mut self, phenomenon: Phenomenon, transaction: u32, other: u32, step: &MicroOp, why: impl FnOnce() -> String) {
        let transactions = self.transactions;
        self.counts.add(phenomenon, || Instance {
            transactions: std::iter::once(transaction).chain(Some(other).filter(|&other| other != NONE && other != transaction)).collect(),
            key: Some(step.key),
            sentences: vec![format!("{} {}{}", transactions.name(transaction), transactions.describe_step(step), why())],
            ..Instance::default()
        });
    }

    /// Checks one read: garbage, aborted and intermediate versions, duplicates, divergent lists.
    fn check_read(&mut self, transaction: u32, step: &MicroOp) {
        let t = self.transactions;
        let aborted = |element: &&Element| {
            let writer = t.elements.writer(**element);
            writer != NONE && t.kind(writer) == Kind::Fail && !t.elements.is_repeated(**element)
        };
        let is_unwritten = |element: &&Element| t.elements.writer(**element) == NONE;
        let element;
        let (list, observed) = match step.action {
            Action::List(observed) => (t.lists.list(step.key, observed), Some(observed)),
            Action::Register(read) if read != NONE => {
                element = [read];
                (&element[..], None)
            }
            _ => return,
        };
        // The longest prefix of the chain was checked for all prefixes; only suspect lists are checked element by element.
        if observed.is_none_or(|observed| self.is_suspect(step.key, observed)) {
            if let Some(&element) = list.iter().find(aborted) {
                let writer = t.elements.writer(element);
                let why = || format!(", but {}, which wrote {}, failed", t.name(writer), t.value(element));
                self.add(Phenomenon::G1a, transaction, writer, step, why);
            }
            if let Some(&element) = list.iter().find(is_unwritten) {
                self.add(Phenomenon::GarbageRead, transaction, NONE, step, || format!(", but {} was never written", t.value(element)));
            }
        }
        if let Some(observed) = observed {
            // Aborted elements may be anywhere without contradicting the order of committed ones. A crashed transaction may or may not
            // have committed.
            let written_by = |kind: Kind| {
                let writers = t.lists.repeated(step.key, observed).into_iter().map(|element| (element, t.elements.writer(element)));
                writers.filter(|&(_, writer)| writer != NONE && t.kind(writer) == kind).map(|(element, _)| element).next()
            };
            let of_committed = written_by(Kind::Ok).map(|element| (Phenomenon::DuplicateElements, element));
            let of_crashed = || written_by(Kind::Info).map(|element| (Phenomenon::IncompatibleOrder, element));
            if let Some((phenomenon, element)) = of_committed.or_else(of_crashed) {
                self.add(phenomenon, transaction, NONE, step, || format!(", which contains {} twice", t.value(element)));
            }
            if let ListRef::Divergent(_) = observed {
                self.add(Phenomenon::IncompatibleOrder, transaction, NONE, step, || {
                    let longest = MicroOp { key: step.key, action: Action::List(ListRef::Chain(t.lists.chain(step.key).len() as u32)) };
                    format!(", while another read returned {}: neither is a prefix of the other", t.read_value(&longest))
                });
            }
        }
        if let Some(version) = t.version(step).filter(|&version| version != NONE && t.elements.is_intermediate(version)) {
            let writer = t.elements.writer(version);
            if writer != transaction && writer != NONE && t.kind(writer) != Kind::Fail && !t.elements.is_repeated(version) {
                let why = || format!(", but {} wrote {} again after {}", t.name(writer), t.key(step.key), t.value(version));
                self.add(Phenomenon::G1b, transaction, writer, step, why);
            }
        }
    }

    /// Returns whether a list may contain an aborted element or one that was never written.
    fn is_suspect(&self, key: u32, observed: ListRef) -> bool {
        match observed {
            ListRef::Chain(length) => length > self.clean[key as usize],
            ListRef::Divergent(_) => true,
        }
    }

    /// Records a transaction that read a version and then wrote the key, a candidate for a lost update.
    fn record_update(&mut self, transaction: u32, steps: &[MicroOp], run: &[u32]) {
        let first = &steps[run[0] as usize];
        let writes = run.iter().any(|&at| matches!(steps[at as usize].action, Action::Write(_)));
        if let Some(version) = self.transactions.version(first).filter(|_| writes) {
            self.updates.push(Update { key: first.key, version, transaction });
        }
    }

    /// Checks that each read agrees with the transaction's own earlier reads and writes, and does not see its later writes.
    fn check_internal(&mut self, transaction: u32, steps: &[MicroOp], run: &[u32]) {
        let t = self.transactions;
        let mut seen: Option<&MicroOp> = None;
        let mut own: Vec<Element> = Vec::new();
        let mut wrote = false;
        for (place, &at) in run.iter().enumerate() {
            let step = &steps[at as usize];
            match step.action {
                Action::Write(element) => {
                    own.push(element);
                    wrote = true;
                }
                Action::Unknown | Action::Sum(_) => {}
                Action::List(_) | Action::Register(_) => {
                    if !self.agrees(step, seen, &own) {
                        let before = match (seen, own.last()) {
                            (_, Some(&element)) => format!("wrote {}", t.value(element)),
                            (Some(seen), None) => format!("read {}", t.read_value(seen)),
                            (None, None) => String::new(),
                        };
                        let why = || format!(", although it previously {before}");
                        self.add(Phenomenon::Internal, transaction, transaction, step, why);
                        if !wrote {
                            self.add(Phenomenon::NonrepeatableRead, transaction, transaction, step, why);
                        }
                    }
                    let mut later = run[place + 1..].iter().filter_map(|&at| match steps[at as usize].action {
                        Action::Write(element) => Some(element),
                        _ => None,
                    });
                    let is_future = |element: &Element| match step.action {
                        Action::List(observed) => t.lists.holds(step.key, observed, *element),
                        _ => {
                            step.action == Action::Register(*element)
                                && t.elements.writer(*element) == transaction
                                && !t.elements.is_repeated(*element)
                        }
                    };
                    if let Some(element) = later.find(is_future) {
                        self.add(Phenomenon::FutureRead, transaction, transaction, step, || {
                            format!(", but wrote {} only afterwards", t.value(element))
                        });
                    }
                    seen = Some(step);
                    own.clear();
                }
            }
        }
    }

    fn agrees(&self, read: &MicroOp, seen: Option<&MicroOp>, own: &[Element]) -> bool {
        let t = self.transactions;
        match read.action {
            Action::List(observed) => {
                let list = t.lists.list(read.key, observed);
                let Some(rest) = list.strip_suffix(own) else { return false };
                match seen.map(|seen| seen.action) {
                    Some(Action::List(ListRef::Chain(length))) if matches!(observed, ListRef::Chain(_)) => rest.len() == length as usize,
                    Some(Action::List(before)) => rest == t.lists.list(read.key, before),
                    _ => true,
                }
            }
            _ => match (own.last(), seen) {
                (Some(&element), _) => {
                    read.action == Action::Register(element) || (t.is_initial(element) && read.action == Action::Register(NONE))
                }
                (None, Some(seen)) => seen.action == read.action,
                (None, None) => true,
            },
        }
    }

    /// Checks that a list contains the transaction's own appends in the order of its steps.
    fn check_append_order(&mut self, transaction: u32, steps: &[MicroOp], run: &[u32]) {
        let t = self.transactions;
        let place = |at: &u32| match steps[*at as usize] {
            MicroOp { key, action: Action::Write(element) } => Some((t.lists.place_in_agreed(key, element), &steps[*at as usize])),
            _ => None,
        };
        let mut before: Option<(Option<usize>, &MicroOp)> = None;
        for next in run.iter().filter_map(place) {
            if let Some((earlier, step)) = before
                && let (Some(later), later_step) = next
                && earlier.is_none_or(|earlier| earlier > later)
            {
                self.add(Phenomenon::IncompatibleOrder, transaction, transaction, step, || {
                    let how =
                        if earlier.is_some() { "the latter was read before the former" } else { "the latter was read without the former" };
                    format!(" and then {}, but {how}", t.describe_step(later_step))
                });
            }
            before = Some(next);
        }
    }
}
