//! Search for a serialization order of transactions on counters that respects real time and explains every sum that was read.
//!
//! The value of a counter depends only on the set of transactions before a point, not on their order, so the state of the search is the
//! set of placed transactions. The unplaced transaction that completes first is *due*: it must be placed before any transaction invoked
//! after its completion. If it must read a larger sum, other open transactions are placed first. A read-only transaction is placed as
//! soon as its reads match. No transaction is placed that raises an increment-only counter beyond a sum that is still to be read.
//!
//! The search backtracks, remembers sets that led to a dead end, and gives up after a bounded number of placements. An order that is
//! found becomes a proof when `proof` replays it; failure to find one proves nothing.

use std::collections::BTreeMap;

use elenchus_core::Kind;
use rustc_hash::FxHashSet;

use super::transactions::{Action, Transactions};

/// The maximum number of placements: per transaction, plus a constant.
const MAX_PLACEMENTS: (u64, u64) = (8, 100_000);

/// Searches for such an order of all transactions that succeeded, and of crashed ones whose additions were read. If the first choice is
/// always right, the time is linear in the history times the number of concurrent transactions.
pub(crate) fn find(transactions: &Transactions) -> Option<Vec<u32>> {
    let mut search = Search::new(transactions)?;
    search.run().then(|| search.placements.iter().map(|placement| placement.transaction).collect())
}

/// The accesses of a transaction to one key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) key: u32,
    pub(crate) added: i64,
    /// Whether no step decrements the key.
    pub(crate) only_adds: bool,
    /// The sum that the transaction must read before its own additions; `None` if it does not read the key.
    pub(crate) found: Option<i64>,
}

/// The accesses of a transaction, one per key; `None` if its own reads contradict one another.
pub(crate) fn accesses(t: &Transactions, transaction: u32) -> Option<Vec<Access>> {
    let mut all: Vec<Access> = Vec::new();
    for step in t.steps(transaction) {
        let at = all.iter().position(|access| access.key == step.key).unwrap_or_else(|| {
            all.push(Access { key: step.key, added: 0, only_adds: true, found: None });
            all.len() - 1
        });
        let access = &mut all[at];
        match step.action {
            Action::Write(element) => {
                let amount = t.value(element).as_int()?;
                access.only_adds &= amount >= 0;
                access.added = access.added.checked_add(amount)?;
            }
            Action::Sum(_) => {
                let found = t.sum(step)?.checked_sub(access.added)?;
                if *access.found.get_or_insert(found) != found {
                    return None;
                }
            }
            _ => {}
        }
    }
    Some(all)
}

/// The position of the search in real time.
#[derive(Clone, Copy, Default)]
struct Frontier {
    /// Index into the completions: the first transaction that may be unplaced.
    due: usize,
    /// The range, in invocation order, from the first transaction that may be unplaced to the first that is invoked after the due one
    /// completes.
    open: (u32, u32),
}

/// One placement.
struct Placement {
    transaction: u32,
    /// The number of candidates tried at this point; `None` if there was no choice.
    tried: Option<usize>,
    /// The position before the placement.
    frontier: Frontier,
}

struct Search<'t> {
    t: &'t Transactions,
    /// By transaction; empty for those that do not take part.
    accesses: Vec<Vec<Access>>,
    sums: Vec<i64>,
    /// For each key, the sums still to be read, with the number of readers; `None` for keys that are also decremented.
    pending: Vec<Option<BTreeMap<i64, u32>>>,
    /// For each key, the crashed transactions that may have added to it.
    crashed: Vec<Vec<u32>>,
    frontier: Frontier,
    is_placed: Vec<bool>,
    placements: Vec<Placement>,
    /// A hash of the set of placed transactions.
    placed_hash: u128,
    /// Hashes of sets that lead to a dead end.
    dead_ends: FxHashSet<u128>,
    budget: u64,
}

impl<'t> Search<'t> {
    fn new(t: &'t Transactions) -> Option<Search<'t>> {
        let mut all = vec![Vec::new(); t.len()];
        let mut pending = vec![Some(BTreeMap::new()); t.keys()];
        let mut crashed = vec![Vec::new(); t.keys()];
        for transaction in 0..t.len() as u32 {
            match t.kind(transaction) {
                Kind::Ok if t.has_begin(transaction) => {}
                // Its begin is unknown.
                Kind::Ok => return None,
                Kind::Info if t.writes(transaction).next().is_some() => {}
                _ => continue,
            }
            let own = accesses(t, transaction)?;
            for access in &own {
                let pending = &mut pending[access.key as usize];
                if !access.only_adds {
                    *pending = None;
                } else if let (Some(pending), Some(found)) = (pending, access.found) {
                    *pending.entry(found).or_default() += 1;
                }
                if t.kind(transaction) == Kind::Info && access.added != 0 {
                    crashed[access.key as usize].push(transaction);
                }
            }
            all[transaction as usize] = own;
        }
        Some(Search {
            t,
            accesses: all,
            sums: vec![0; t.keys()],
            pending,
            crashed,
            frontier: Frontier::default(),
            is_placed: vec![false; t.len()],
            placements: Vec::with_capacity(t.len()),
            placed_hash: 0,
            dead_ends: FxHashSet::default(),
            budget: t.len() as u64 * MAX_PLACEMENTS.0 + MAX_PLACEMENTS.1,
        })
    }

    /// Returns whether all transactions that succeeded could be placed.
    fn run(&mut self) -> bool {
        let mut tried = 0;
        while self.budget > 0 {
            if tried == 0 {
                self.place_readers();
            }
            let Some(due) = self.due() else { return true };
            let mut candidates = self.candidates(due).into_iter().enumerate().skip(tried);
            if let Some((at, candidate)) = candidates.find(|(_, candidate)| self.may_place(*candidate)) {
                self.place(candidate, Some(at + 1));
                tried = 0;
            } else {
                self.dead_ends.insert(self.placed_hash);
                let Some(before) = self.backtrack() else { return false };
                tried = before;
            }
        }
        false
    }

    /// Returns the due transaction: the unplaced one that completes first.
    fn due(&mut self) -> Option<u32> {
        let completions = self.t.completions();
        let mut due = completions.get(self.frontier.due).copied()?;
        while self.is_placed[due as usize] {
            self.frontier.due += 1;
            due = completions.get(self.frontier.due).copied()?;
        }
        let (from, to) = &mut self.frontier.open;
        while (*to as usize) < self.t.len() && Some(self.t.invoked(*to)) < self.t.completed(due) {
            *to += 1;
        }
        while from < to && (self.is_placed[*from as usize] || self.t.kind(*from) != Kind::Ok) {
            *from += 1;
        }
        Some(due)
    }

    /// Places all open read-only transactions whose reads match; this never restricts the others.
    fn place_readers(&mut self) {
        while self.due().is_some() {
            let placed = self.placements.len();
            for transaction in self.frontier.open.0..self.frontier.open.1 {
                let only_reads = self.accesses[transaction as usize].iter().all(|access| access.added == 0);
                if only_reads && self.is_open(transaction) && self.reads_match(transaction) {
                    self.place(transaction, None);
                }
            }
            if self.placements.len() == placed {
                break;
            }
        }
    }

    fn is_open(&self, transaction: u32) -> bool {
        !self.is_placed[transaction as usize] && self.t.kind(transaction) == Kind::Ok
    }

    /// Returns whether all reads of a transaction match the current sums.
    fn reads_match(&self, transaction: u32) -> bool {
        let mut accesses = self.accesses[transaction as usize].iter();
        accesses.all(|access| access.found.is_none_or(|found| found == self.sums[access.key as usize]))
    }

    /// The keys whose current sum differs from the one that a transaction must read.
    fn mismatched_keys(&self, transaction: u32) -> impl Iterator<Item = u32> {
        let accesses = self.accesses[transaction as usize].iter();
        accesses.filter(|access| access.found.is_some_and(|found| found != self.sums[access.key as usize])).map(|access| access.key)
    }

    /// Candidates for the next placement, the most promising first: the due transaction, those that add to keys it must read, the other
    /// open ones, and crashed ones that add to keys with pending reads.
    fn candidates(&self, due: u32) -> Vec<u32> {
        let mismatched_keys: Vec<u32> = self.mismatched_keys(due).collect();
        let adds_to_missed =
            |other: u32| self.accesses[other as usize].iter().any(|access| access.added != 0 && mismatched_keys.contains(&access.key));
        let (mut open, waiting): (Vec<u32>, Vec<u32>) =
            (self.frontier.open.0..self.frontier.open.1).filter(|&other| self.is_open(other)).partition(|&other| self.reads_match(other));
        open.sort_by_key(|&other| (other != due, !adds_to_missed(other), self.t.completed(other)));
        let mut mismatched_keys: Vec<u32> = waiting.into_iter().flat_map(|other| self.mismatched_keys(other)).collect();
        mismatched_keys.sort_unstable();
        mismatched_keys.dedup();
        let invoked = |of_key: &Vec<u32>| of_key.partition_point(|&other| other < self.frontier.open.1);
        let crashed = mismatched_keys.into_iter().map(|key| &self.crashed[key as usize]).flat_map(|of_key| &of_key[..invoked(of_key)]);
        let mut crashed: Vec<u32> = crashed.copied().filter(|&other| !self.is_placed[other as usize]).collect();
        crashed.sort_unstable();
        crashed.dedup();
        crashed.sort_by_key(|&other| !adds_to_missed(other));
        open.extend(crashed);
        open
    }

    /// Returns whether a placement leaves all other pending reads possible, as far as is known.
    fn may_place(&self, transaction: u32) -> bool {
        let leaves = |access: &Access| {
            let sum = self.sums[access.key as usize].saturating_add(access.added);
            let Some(pending) = &self.pending[access.key as usize] else { return true };
            let others_need = |(found, count): (&i64, &u32)| access.found != Some(*found) || *count > 1;
            access.added == 0 || pending.range(..sum).all(|entry| !others_need(entry))
        };
        self.accesses[transaction as usize].iter().all(leaves) && !self.dead_ends.contains(&(self.placed_hash ^ zobrist(transaction)))
    }

    fn place(&mut self, transaction: u32, tried: Option<usize>) {
        self.placements.push(Placement { transaction, tried, frontier: self.frontier });
        self.budget = self.budget.saturating_sub(1);
        self.apply(transaction, true);
    }

    /// Undoes placements up to and including the last one that was a choice; returns the number of candidates tried there.
    fn backtrack(&mut self) -> Option<usize> {
        while let Some(Placement { transaction, tried, frontier }) = self.placements.pop() {
            self.apply(transaction, false);
            self.frontier = frontier;
            if tried.is_some() {
                return tried;
            }
        }
        None
    }

    /// Applies a placement, or undoes it.
    fn apply(&mut self, transaction: u32, is_placed: bool) {
        self.is_placed[transaction as usize] = is_placed;
        self.placed_hash ^= zobrist(transaction);
        for access in &self.accesses[transaction as usize] {
            let sum = &mut self.sums[access.key as usize];
            *sum = if is_placed { sum.wrapping_add(access.added) } else { sum.wrapping_sub(access.added) };
            if let (Some(pending), Some(found)) = (&mut self.pending[access.key as usize], access.found) {
                let count = pending.entry(found).or_default();
                *count = if is_placed { *count - 1 } else { *count + 1 };
                if *count == 0 {
                    pending.remove(&found);
                }
            }
        }
    }
}

/// A pseudo-random number per transaction: a set is identified by the exclusive or of its members (Zobrist 1970; splitmix64).
fn zobrist(transaction: u32) -> u128 {
    let mix = |seed: u64| {
        let z = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let seed = (u64::from(transaction) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    u128::from(mix(seed)) << 64 | u128::from(mix(!seed))
}
