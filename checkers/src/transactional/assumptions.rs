//! Version orders of registers that follow from assumptions about single keys.

use elenchus_core::Kind;
use rustc_hash::FxHashMap;

use super::elements::{Element, NONE};
use super::grouped::Grouped;
use super::inference::as_write;
use super::transactions::Transactions;

/// Assumptions about registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assumptions {
    /// A transaction that read a version and wrote the same key wrote a later version. This is sound wherever reads of uncommitted
    /// versions are ruled out, and is used only there.
    pub writes_follow_reads: bool,
    /// Each key is sequentially consistent: its versions follow the session order of the transactions that access it.
    pub sequential_keys: bool,
    /// Each key is linearizable: its versions follow the real-time order of the transactions that access it.
    pub linearizable_keys: bool,
    /// Versions follow the commit timestamps reported by the store, where present. Version orders are then not inferred in other ways.
    pub commit_order: bool,
}

impl Default for Assumptions {
    fn default() -> Assumptions {
        Assumptions { writes_follow_reads: true, sequential_keys: false, linearizable_keys: false, commit_order: true }
    }
}

/// The first and the last version of a key that a transaction read or wrote.
struct Access {
    key: u32,
    first: Element,
    last: Element,
}

/// Returns pairs of versions, each with its key, of which the first is assumed to precede the second. A version is an element, or,
/// numbered after all elements, the initial state of a key.
pub(crate) fn assumed_pairs(transactions: &Transactions, happened: &[bool], assumptions: Assumptions) -> Vec<(u32, u32, u32)> {
    let mut pairs = Vec::new();
    let mut add_pair = |key: u32, before: Element, after: Element| {
        let slot = |version: Element| if version == NONE { transactions.elements.len() as u32 + key } else { version };
        if before != after {
            pairs.push((key, slot(before), slot(after)));
        }
    };
    let committed = || (0..transactions.len() as u32).filter(|&transaction| happened[transaction as usize]);
    if assumptions.sequential_keys {
        let mut last: FxHashMap<(u32, u32), Element> = FxHashMap::default();
        for transaction in committed() {
            for access in accesses(transactions, transaction) {
                if let Some(before) = last.insert((transactions.session(transaction), access.key), access.last) {
                    add_pair(access.key, before, access.first);
                }
            }
        }
    }
    if assumptions.commit_order {
        let mut by_key: Vec<(u32, i64, u32)> = Vec::new();
        for (transaction, commit) in committed().filter_map(|transaction| Some((transaction, transactions.commit(transaction)?))) {
            by_key.extend(transactions.writes(transaction).map(|(key, _)| (key, commit, transaction)));
        }
        by_key.sort_unstable();
        by_key.dedup();
        for pair in by_key.windows(2).filter(|pair| pair[0].0 == pair[1].0 && pair[0].1 < pair[1].1) {
            let key = pair[0].0;
            let own =
                |transaction: u32| transactions.writes(transaction).filter(move |&(other, _)| other == key).map(|(_, element)| element);
            let (before, after) = (own(pair[0].2).last(), own(pair[1].2).next());
            before.zip(after).into_iter().for_each(|(before, after)| add_pair(key, before, after));
        }
    }
    if assumptions.linearizable_keys {
        let by_key = Grouped::new(transactions.keys(), |add| {
            for transaction in committed() {
                accesses(transactions, transaction).iter().for_each(|access| add(access.key, transaction));
            }
        });
        for key in 0..transactions.keys() as u32 {
            add_real_time_pairs(transactions, key, by_key.of(key), &mut add_pair);
        }
    }
    pairs
}

/// Orders each transaction on a key after the completed transactions that precede it in real time, omitting those that another completed
/// transaction already follows. O(n log n + n · overlapping transactions).
fn add_real_time_pairs(transactions: &Transactions, key: u32, members: &[u32], add_pair: &mut impl FnMut(u32, Element, Element)) {
    let mut moments: Vec<(u32, bool, u32)> = Vec::with_capacity(members.len() * 2);
    for &transaction in members {
        if transactions.has_begin(transaction) {
            moments.push((transactions.invoked(transaction).0, false, transaction));
        }
        if let Some(completed) = transactions.completed(transaction).filter(|_| transactions.kind(transaction) == Kind::Ok) {
            moments.push((completed.0, true, transaction));
        }
    }
    moments.sort_unstable();
    // Completed transactions with their last versions; for each open transaction, those that had completed when it began.
    let mut over: Vec<(u32, Element)> = Vec::new();
    let mut open: Vec<(u32, Vec<u32>)> = Vec::new();
    for (_, completes, transaction) in moments {
        let Some(access) = accesses(transactions, transaction).into_iter().find(|access| access.key == key) else { continue };
        if completes {
            if let Some(at) = open.iter().position(|(other, _)| *other == transaction) {
                let (_, seen) = open.swap_remove(at);
                over.retain(|(other, _)| !seen.contains(other));
            }
            over.push((transaction, access.last));
        } else {
            over.iter().for_each(|&(_, before)| add_pair(key, before, access.first));
            open.push((transaction, over.iter().map(|&(other, _)| other).collect()));
        }
    }
}

/// The accesses of a transaction, one per key. Reads of a crashed transaction are unknown and are skipped.
fn accesses(transactions: &Transactions, transaction: u32) -> Vec<Access> {
    let mut accesses: Vec<Access> = Vec::new();
    for step in transactions.steps(transaction) {
        let Some(version) =
            as_write(step).filter(|&element| !transactions.elements.is_repeated(element)).or_else(|| transactions.version(step))
        else {
            continue;
        };
        match accesses.iter_mut().find(|access| access.key == step.key) {
            Some(access) => access.last = version,
            None => accesses.push(Access { key: step.key, first: version, last: version }),
        }
    }
    accesses
}
