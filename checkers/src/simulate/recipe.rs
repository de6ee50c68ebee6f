//! What a simulation is to be like.

use elenchus_core::{Nanos, Seed};
use thiserror::Error;

use super::table::{Store, Workload};

/// A simulation to be run: the same recipe gives the same history for ever.
///
/// [`Recipe::new`] fills in what suits the workload; every field may be changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// How the store behaves.
    pub store: Store,
    /// What clients ask of it.
    pub workload: Workload,
    /// Decides everything that the other fields leave open.
    pub seed: Seed,
    /// How many operations (of transactional workloads: transactions) are invoked.
    pub operations: u64,
    /// How many processes are alive at once.
    pub processes: u32,
    /// How many keys are in use at once. With one key that is never retired, events of single objects name no key.
    pub keys: u32,
    /// Which keys are asked for.
    pub key_choice: KeyChoice,
    /// After how many updates a key is retired and a fresh one takes its place. None: never.
    pub updates_per_key: Option<u32>,
    /// How many different values are written. None: every written value is new.
    pub values: Option<u32>,
    /// The share of operations (or of a transaction's accesses) that read.
    pub reads: f64,
    /// The least and the most accesses of a transaction.
    pub accesses: (u32, u32),
    /// The share of operations that end in `info`. A quarter of those never take effect, and a quarter does so perhaps much later.
    pub crash: f64,
    /// The share of operations that are refused for no reason, beyond those that the store must refuse.
    pub fail: f64,
    /// How often the defect of a store strikes that has one.
    pub strikes: Strikes,
    /// How many versions a stale read is behind, at most.
    pub staleness: u32,
    /// How many permits a semaphore has.
    pub permits: u32,
    /// Whether transactions tell at which timestamps they began and committed: `{txn [...], start n, commit n}`.
    pub timestamps: bool,
    /// How long an operation takes, more or less.
    pub latency: Nanos,
    /// How long a process thinks between operations, more or less.
    pub pause: Nanos,
}

/// How keys are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChoice {
    /// Each as often as any other.
    Uniform,
    /// The n-th a n-th as often as the first.
    Zipf,
}

/// How often a defect strikes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Strikes {
    /// Each operation that it can strike, with this probability.
    Share(f64),
    /// One operation, somewhere between the first and the last quarter.
    Once,
}

/// Why a recipe cannot be run.
#[derive(Debug, Error, PartialEq)]
pub enum RecipeError {
    /// The store does not know the workload.
    #[error("store `{store}` has no workload `{workload}`; it has {}", names(.has))]
    Unsuited {
        /// The store.
        store: &'static str,
        /// The workload.
        workload: &'static str,
        /// The workloads it knows.
        has: &'static [Workload],
    },
    /// A number is out of range.
    #[error("{field} is {found}; expected {expected}")]
    OutOfRange {
        /// The field of the recipe.
        field: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
}

fn names(workloads: &[Workload]) -> String {
    workloads.iter().map(|workload| workload.entry().name).collect::<Vec<_>>().join(", ")
}

impl Recipe {
    /// A thousand operations of five processes, with seed 0, no crashes, and what suits the workload.
    pub fn new(store: Store, workload: Workload) -> Recipe {
        let defaults = &workload.entry().defaults;
        Recipe {
            store,
            workload,
            seed: Seed(0),
            operations: 1_000,
            processes: 5,
            keys: defaults.keys,
            key_choice: KeyChoice::Uniform,
            updates_per_key: defaults.updates_per_key,
            values: defaults.values,
            reads: defaults.reads,
            accesses: (1, 4),
            crash: 0.0,
            fail: defaults.fail,
            strikes: Strikes::Share(0.01),
            staleness: 1,
            permits: 1,
            timestamps: false,
            latency: Nanos(1_000_000),
            pause: Nanos(500_000),
        }
    }

    /// The same with another seed.
    pub fn with_seed(self, seed: u64) -> Recipe {
        Recipe { seed: Seed(seed), ..self }
    }

    /// Checks the recipe for a store that has snapshots with timestamps, or has none.
    pub(super) fn validate(&self, has_snapshots: bool) -> Result<(), RecipeError> {
        let store = self.store.entry();
        if !store.workloads.contains(&self.workload) {
            let workload = self.workload.entry().name;
            return Err(RecipeError::Unsuited { store: store.name, workload, has: store.workloads });
        }
        let out = |field, found: String, expected| Err(RecipeError::OutOfRange { field, found, expected });
        let shares = [("crash", self.crash), ("fail", self.fail), ("reads", self.reads)];
        let strikes = if let Strikes::Share(share) = self.strikes { share } else { 0.0 };
        if let Some((field, found)) = shares.into_iter().chain([("strikes", strikes)]).find(|(_, share)| !(0.0..=1.0).contains(share)) {
            return out(field, found.to_string(), "a share between 0 and 1");
        }
        if self.crash + self.fail > 1.0 {
            return out("crash + fail", (self.crash + self.fail).to_string(), "a share between 0 and 1");
        }
        let counts = [("processes", self.processes, 100_000), ("keys", self.keys, 10_000_000), ("staleness", self.staleness, 1_000)];
        if let Some((field, found, _)) = counts.into_iter().find(|(_, found, most)| !(1..=*most).contains(found)) {
            return out(field, found.to_string(), "at least 1, and at most 100,000 processes, 10,000,000 keys or 1,000 versions");
        }
        if self.updates_per_key == Some(0) || self.values == Some(0) || self.permits == 0 {
            return out("updates_per_key, values or permits", "0".to_owned(), "at least 1");
        }
        if !(1 <= self.accesses.0 && self.accesses.0 <= self.accesses.1 && self.accesses.1 <= 1_000) {
            return out("accesses", format!("{:?}", self.accesses), "a least and a most number between 1 and 1,000");
        }
        if self.timestamps && !(self.workload.is_transactional() && self.workload != Workload::Bank && has_snapshots) {
            return out("timestamps", "true".to_owned(), "a store that reads from snapshots of one site, and a workload of transactions");
        }
        Ok(())
    }
}
