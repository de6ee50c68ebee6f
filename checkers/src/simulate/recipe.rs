//! The parameters of a simulation.

use elenchus_core::{Nanos, Seed};
use thiserror::Error;

use super::rules::has_snapshots;
use super::table::{Store, Workload};

/// The parameters of a simulation. The same recipe always yields the same history.
///
/// [`Recipe::new`] fills in the defaults of the workload; every field may be changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The simulated store.
    pub store: Store,
    /// The operations that clients run.
    pub workload: Workload,
    /// The seed of all random choices.
    pub seed: Seed,
    /// The number of operations invoked (of transactions, for transactional workloads).
    pub operations: u64,
    /// The number of concurrent processes.
    pub processes: u32,
    /// The number of keys in use at once. If a single key is never retired, events of single objects have no key.
    pub keys: u32,
    /// The distribution of keys.
    pub key_choice: KeyChoice,
    /// The number of updates after which a key is retired and replaced by a new one; `None` for never.
    pub updates_per_key: Option<u32>,
    /// The number of different values that are written; `None` if every written value is new.
    pub values: Option<u32>,
    /// The share of reads among operations, or among the accesses of a transaction.
    pub reads: f64,
    /// The minimum and maximum number of accesses per transaction.
    pub accesses: (u32, u32),
    /// The share of operations that end in `info`. A quarter of them never take effect, and another quarter possibly much later.
    pub crash: f64,
    /// The share of operations that are rejected at random, in addition to those that the store must reject.
    pub fail: f64,
    /// How often the defect of a defective store occurs.
    pub defect_rate: DefectRate,
    /// The maximum number of versions by which a stale read is behind.
    pub staleness: u32,
    /// The number of permits of a semaphore.
    pub permits: u32,
    /// Whether transactions return their start and commit timestamps: `{txn [...], start n, commit n}`.
    pub timestamps: bool,
    /// The approximate latency of an operation.
    pub latency: Nanos,
    /// The approximate pause of a process between operations.
    pub pause: Nanos,
}

/// The distribution of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChoice {
    /// All keys are equally likely.
    Uniform,
    /// The n-th key is 1/n times as likely as the first.
    Zipf,
}

/// How often a defect occurs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DefectRate {
    /// On each operation that it can affect, with this probability.
    Share(f64),
    /// On one operation, between the first and the last quarter of the operations.
    Once,
}

/// Why a recipe cannot be run.
#[derive(Debug, Error, PartialEq)]
pub enum RecipeError {
    /// The store does not support the workload.
    #[error("store `{store}` does not support workload `{workload}`; it supports {}", names(.has))]
    Unsuited {
        /// The store.
        store: &'static str,
        /// The workload.
        workload: &'static str,
        /// The workloads that the store supports.
        has: &'static [Workload],
    },
    /// A field is out of range.
    #[error("{field} is {found}; expected {expected}")]
    OutOfRange {
        /// The field of the recipe.
        field: &'static str,
        /// The value found.
        found: String,
        /// The accepted values.
        expected: &'static str,
    },
}

fn names(workloads: &[Workload]) -> String {
    workloads.iter().map(|workload| workload.entry().name).collect::<Vec<_>>().join(", ")
}

impl Recipe {
    /// Creates a recipe for 1,000 operations by five processes with seed 0, no crashes, and the defaults of the workload.
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
            defect_rate: DefectRate::Share(0.01),
            staleness: 1,
            permits: 1,
            timestamps: false,
            latency: Nanos(1_000_000),
            pause: Nanos(500_000),
        }
    }

    /// Returns the recipe with another seed.
    pub fn with_seed(self, seed: u64) -> Recipe {
        Recipe { seed: Seed(seed), ..self }
    }

    /// Checks that the store supports the workload, and that every field is in range.
    pub(super) fn validate(&self) -> Result<(), RecipeError> {
        let store = self.store.entry();
        if !store.workloads.contains(&self.workload) {
            let workload = self.workload.entry().name;
            return Err(RecipeError::Unsuited { store: store.name, workload, has: store.workloads });
        }
        let out = |field, found: String, expected| Err(RecipeError::OutOfRange { field, found, expected });
        let shares = [("crash", self.crash), ("fail", self.fail), ("reads", self.reads)];
        let defect_rate = if let DefectRate::Share(share) = self.defect_rate { share } else { 0.0 };
        if let Some((field, found)) =
            shares.into_iter().chain([("defect rate", defect_rate)]).find(|(_, share)| !(0.0..=1.0).contains(share))
        {
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
            return out("accesses", format!("{:?}", self.accesses), "a minimum and a maximum between 1 and 1,000");
        }
        if self.timestamps && !(self.workload.is_transactional() && self.workload != Workload::Bank && has_snapshots(self.store)) {
            return out(
                "timestamps",
                "true".to_owned(),
                "a store with snapshots at a single site, and a transactional workload other than `bank`",
            );
        }
        Ok(())
    }
}
