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

use super::transactions::{Act, Transactions};

/// The maximum number of placements: per transaction, plus a constant.
const TURNS: (u64, u64) = (8, 100_000);

/// Searches for such an order of all transactions that succeeded, and of crashed ones whose additions were read. If the first choice is
/// always right, the time is linear in the history times the number of concurrent transactions.
pub(crate) fn find(transactions: &Transactions) -> Option<Vec<u32>> {
    let mut search = Search::new(transactions)?;
    search.run().then(|| search.turns.iter().map(|turn| turn.transaction).collect())
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
        match step.act {
            Act::Write(element) => {
                let amount = t.value(element).as_int()?;
                access.only_adds &= amount >= 0;
                access.added = access.added.checked_add(amount)?;
            }
            Act::Sum(_) => {
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
struct Scene {
    /// Index into the completions: the first transaction that may be unplaced.
    due: usize,
    /// The range, in invocation order, from the first transaction that may be unplaced to the first that is invoked after the due one
    /// completes.
    open: (u32, u32),
}

/// One placement.
struct Turn {
    transaction: u32,
    /// The number of candidates tried at this point; `None` if there was no choice.
    tried: Option<usize>,
    /// The position before the placement.
    scene: Scene,
}

struct Search<'t> {
    t: &'t Transactions,
    /// By transaction; empty for those that do not take part.
    accesses: Vec<Vec<Access>>,
    sums: Vec<i64>,
    /// For each key, the sums still to be read, with the number of readers; `None` for keys that are also decremented.
    wanted: Vec<Option<BTreeMap<i64, u32>>>,
    /// For each key, the crashed transactions that may have added to it.
    crashed: Vec<Vec<u32>>,
    scene: Scene,
    is_done: Vec<bool>,
    turns: Vec<Turn>,
    /// A hash of the set of placed transactions.
    done: u128,
    /// Hashes of sets that lead to a dead end.
    dead: FxHashSet<u128>,
    left: u64,
}

impl<'t> Search<'t> {
    fn new(t: &'t Transactions) -> Option<Search<'t>> {
        let mut all = vec![Vec::new(); t.len()];
        let mut wanted = vec![Some(BTreeMap::new()); t.keys()];
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
                let wanted = &mut wanted[access.key as usize];
                if !access.only_adds {
                    *wanted = None;
                } else if let (Some(wanted), Some(found)) = (wanted, access.found) {
                    *wanted.entry(found).or_default() += 1;
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
            wanted,
            crashed,
            scene: Scene::default(),
            is_done: vec![false; t.len()],
            turns: Vec::with_capacity(t.len()),
            done: 0,
            dead: FxHashSet::default(),
            left: t.len() as u64 * TURNS.0 + TURNS.1,
        })
    }

    /// Returns whether all transactions that succeeded could be placed.
    fn run(&mut self) -> bool {
        let mut tried = 0;
        while self.left > 0 {
            if tried == 0 {
                self.place_observers();
            }
            let Some(due) = self.due() else { return true };
            let mut candidates = self.candidates(due).into_iter().enumerate().skip(tried);
            if let Some((at, candidate)) = candidates.find(|(_, candidate)| self.may_go(*candidate)) {
                self.take(candidate, Some(at + 1));
                tried = 0;
            } else {
                self.dead.insert(self.done);
                let Some(before) = self.go_back() else { return false };
                tried = before;
            }
        }
        false
    }

    /// Returns the due transaction: the unplaced one that completes first.
    fn due(&mut self) -> Option<u32> {
        let completions = self.t.completions();
        let mut due = completions.get(self.scene.due).copied()?;
        while self.is_done[due as usize] {
            self.scene.due += 1;
            due = completions.get(self.scene.due).copied()?;
        }
        let (from, to) = &mut self.scene.open;
        while (*to as usize) < self.t.len() && Some(self.t.invoked(*to)) < self.t.completed(due) {
            *to += 1;
        }
        while from < to && (self.is_done[*from as usize] || self.t.kind(*from) != Kind::Ok) {
            *from += 1;
        }
        Some(due)
    }

    /// Places all open read-only transactions whose reads match; this never restricts the others.
    fn place_observers(&mut self) {
        while self.due().is_some() {
            let placed = self.turns.len();
            for transaction in self.scene.open.0..self.scene.open.1 {
                let only_reads = self.accesses[transaction as usize].iter().all(|access| access.added == 0);
                if only_reads && self.is_open(transaction) && self.fits(transaction) {
                    self.take(transaction, None);
                }
            }
            if self.turns.len() == placed {
                break;
            }
        }
    }

    fn is_open(&self, transaction: u32) -> bool {
        !self.is_done[transaction as usize] && self.t.kind(transaction) == Kind::Ok
    }

    /// Returns whether all reads of a transaction match the current sums.
    fn fits(&self, transaction: u32) -> bool {
        let mut accesses = self.accesses[transaction as usize].iter();
        accesses.all(|access| access.found.is_none_or(|found| found == self.sums[access.key as usize]))
    }

    /// The keys whose current sum differs from the one that a transaction must read.
    fn missed(&self, transaction: u32) -> impl Iterator<Item = u32> {
        let accesses = self.accesses[transaction as usize].iter();
        accesses.filter(|access| access.found.is_some_and(|found| found != self.sums[access.key as usize])).map(|access| access.key)
    }

    /// Candidates for the next placement, the most promising first: the due transaction, those that add to keys it must read, the other
    /// open ones, and crashed ones that add to keys with pending reads.
    fn candidates(&self, due: u32) -> Vec<u32> {
        let missed: Vec<u32> = self.missed(due).collect();
        let helps = |other: u32| self.accesses[other as usize].iter().any(|access| access.added != 0 && missed.contains(&access.key));
        let (mut open, waiting): (Vec<u32>, Vec<u32>) =
            (self.scene.open.0..self.scene.open.1).filter(|&other| self.is_open(other)).partition(|&other| self.fits(other));
        open.sort_by_key(|&other| (other != due, !helps(other), self.t.completed(other)));
        let mut missed: Vec<u32> = waiting.into_iter().flat_map(|other| self.missed(other)).collect();
        missed.sort_unstable();
        missed.dedup();
        let invoked = |of_key: &Vec<u32>| of_key.partition_point(|&other| other < self.scene.open.1);
        let crashed = missed.into_iter().map(|key| &self.crashed[key as usize]).flat_map(|of_key| &of_key[..invoked(of_key)]);
        let mut crashed: Vec<u32> = crashed.copied().filter(|&other| !self.is_done[other as usize]).collect();
        crashed.sort_unstable();
        crashed.dedup();
        crashed.sort_by_key(|&other| !helps(other));
        open.extend(crashed);
        open
    }

    /// Returns whether a placement leaves all other pending reads possible, as far as is known.
    fn may_go(&self, transaction: u32) -> bool {
        let leaves = |access: &Access| {
            let sum = self.sums[access.key as usize].saturating_add(access.added);
            let Some(wanted) = &self.wanted[access.key as usize] else { return true };
            let is_others = |(found, count): (&i64, &u32)| access.found != Some(*found) || *count > 1;
            access.added == 0 || wanted.range(..sum).all(|entry| !is_others(entry))
        };
        self.accesses[transaction as usize].iter().all(leaves) && !self.dead.contains(&(self.done ^ name(transaction)))
    }

    fn take(&mut self, transaction: u32, tried: Option<usize>) {
        self.turns.push(Turn { transaction, tried, scene: self.scene });
        self.left = self.left.saturating_sub(1);
        self.turn(transaction, true);
    }

    /// Undoes placements up to and including the last one that was a choice; returns the number of candidates tried there.
    fn go_back(&mut self) -> Option<usize> {
        while let Some(Turn { transaction, tried, scene }) = self.turns.pop() {
            self.turn(transaction, false);
            self.scene = scene;
            if tried.is_some() {
                return tried;
            }
        }
        None
    }

    /// Applies a placement, or undoes it.
    fn turn(&mut self, transaction: u32, is_done: bool) {
        self.is_done[transaction as usize] = is_done;
        self.done ^= name(transaction);
        for access in &self.accesses[transaction as usize] {
            let sum = &mut self.sums[access.key as usize];
            *sum = if is_done { sum.wrapping_add(access.added) } else { sum.wrapping_sub(access.added) };
            if let (Some(wanted), Some(found)) = (&mut self.wanted[access.key as usize], access.found) {
                let count = wanted.entry(found).or_default();
                *count = if is_done { *count - 1 } else { *count + 1 };
                if *count == 0 {
                    wanted.remove(&found);
                }
            }
        }
    }
}

/// A pseudo-random number per transaction: a set is identified by the exclusive or of its members (Zobrist 1970; splitmix64).
fn name(transaction: u32) -> u128 {
    let mix = |seed: u64| {
        let z = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let seed = (u64::from(transaction) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    u128::from(mix(seed)) << 64 | u128::from(mix(!seed))
}
