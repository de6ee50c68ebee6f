//! Of counters: an order of transactions that is true to real time, and in which every read is told the sum at its moment.
//!
//! What a counter holds is what those before have added, in whatever order, so a search need only remember who has had a turn. The one that
//! completes first of those that have not must have its turn before anything begins that was invoked later; when it must find more first, others
//! that are open go before it. Who only reads has its turn as soon as it finds what it must. Nobody has a turn that brings a counter which only
//! grows past what somebody is yet to find.
//!
//! The search goes back on its choices, and not twice to what led nowhere. It gives up after some number of turns. What it finds is a proof once it
//! is played (`proof`); that it finds nothing proves nothing.

use std::collections::BTreeMap;

use elenchus_core::Kind;
use rustc_hash::FxHashSet;

use super::transactions::{Act, Transactions};

/// How many turns may be taken: for each transaction, and besides.
const TURNS: (u64, u64) = (8, 100_000);

/// Looks for such an order of all transactions that succeeded, and of crashed ones whose additions somebody found. Linear where the first choice
/// is right, times what is open at once.
pub(crate) fn find(transactions: &Transactions) -> Option<Vec<u32>> {
    let mut search = Search::new(transactions)?;
    search.run().then(|| search.turns.iter().map(|turn| turn.transaction).collect())
}

/// What a transaction does to a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) key: u32,
    pub(crate) added: i64,
    /// Whether it takes nothing away in any of its steps.
    pub(crate) only_adds: bool,
    /// What it must find; none where it does not read.
    pub(crate) found: Option<i64>,
}

/// What a transaction does to each of its keys; none where it was told what cannot be.
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

/// How far real time has come.
#[derive(Clone, Copy, Default)]
struct Scene {
    /// The first, by completion, that may not have had its turn.
    due: usize,
    /// From the first, by invocation, that may not have had its turn, to the first that is invoked only after the one that is due completed.
    open: (u32, u32),
}

/// A turn that was taken.
struct Turn {
    transaction: u32,
    /// How many candidates were tried with it; none where there was no choice.
    tried: Option<usize>,
    /// When it was taken.
    scene: Scene,
}

struct Search<'t> {
    t: &'t Transactions,
    /// By transaction; nothing of those that take no part.
    accesses: Vec<Vec<Access>>,
    sums: Vec<i64>,
    /// What is yet to be found of each key, and by how many; none of keys that do not only grow.
    wanted: Vec<Option<BTreeMap<i64, u32>>>,
    /// Those that crashed and may have added to each key.
    crashed: Vec<Vec<u32>>,
    scene: Scene,
    is_done: Vec<bool>,
    turns: Vec<Turn>,
    /// Stands for the set of those that have had a turn.
    done: u128,
    /// Such sets that lead nowhere.
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
                // Nobody knows when it began.
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

    /// Whether all who succeeded can have a turn; they then had it.
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

    /// Who must have its turn next: of those that had none the first to complete.
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

    /// Gives a turn to all that are open, only read, and find what they must: nobody is the worse for it.
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

    /// Whether it would find what it must.
    fn fits(&self, transaction: u32) -> bool {
        let mut accesses = self.accesses[transaction as usize].iter();
        accesses.all(|access| access.found.is_none_or(|found| found == self.sums[access.key as usize]))
    }

    /// The keys of which somebody does not find what he must.
    fn missed(&self, transaction: u32) -> impl Iterator<Item = u32> {
        let accesses = self.accesses[transaction as usize].iter();
        accesses.filter(|access| access.found.is_some_and(|found| found != self.sums[access.key as usize])).map(|access| access.key)
    }

    /// Who may have the next turn, the most promising first: who is due; who adds to what that one is to find; the others; and crashed ones that
    /// add to what anybody is to find.
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

    /// Whether somebody's turn leaves the others' to come, as far as is known.
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

    /// Takes back turns up to the last that was a choice; how many candidates were tried there.
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

    /// Does what a turn does, or undoes it.
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

/// A number for each transaction, so that a set of them is known by the exclusive or of theirs (Zobrist 1970; splitmix64).
fn name(transaction: u32) -> u128 {
    let mix = |seed: u64| {
        let z = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let seed = (u64::from(transaction) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    u128::from(mix(seed)) << 64 | u128::from(mix(!seed))
}
