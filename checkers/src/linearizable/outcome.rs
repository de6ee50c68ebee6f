//! The result of a search for one object.

use super::budget::{Exceeded, Spent};
use super::linearize::Path;

/// The outcome of a search.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// A linearization exists.
    Linearizable,
    /// No linearization exists.
    Broken(Broken),
    /// A limit stopped the search.
    Exhausted {
        /// The limit.
        why: Exceeded,
        /// The number of moments processed when it stopped.
        moments: usize,
    },
}

impl Outcome {
    /// Whether the search has decided.
    pub(crate) fn is_decided(&self) -> bool {
        !matches!(self, Outcome::Exhausted { .. })
    }
}

/// The place where every partial linearization ends.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    /// The position of the operation that cannot complete.
    pub(crate) operation: u32,
    /// Some of the furthest configurations.
    pub(crate) reached: Vec<Reached>,
}

/// A configuration from which the failing operation cannot complete.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    /// The object's state, in words.
    pub(crate) state: String,
    /// The open operations that have not taken effect.
    pub(crate) pending: Vec<u32>,
    /// The path to it, if [`Budget::keeps_paths`](super::budget::Budget::keeps_paths) is set.
    pub(crate) path: Option<Path>,
}

/// An outcome with its cost.
#[derive(Clone, Debug)]
pub(crate) struct Searched {
    pub(crate) outcome: Outcome,
    pub(crate) spent: Spent,
    /// The algorithm that decided.
    pub(crate) algorithm: &'static str,
    /// The path to a linearization, if the outcome is linearizable and [`Budget::keeps_paths`](super::budget::Budget::keeps_paths) is set.
    pub(crate) path: Option<Path>,
}

impl Searched {
    /// Creates a result without a path.
    pub(crate) fn new(outcome: Outcome, spent: Spent, algorithm: &'static str) -> Searched {
        Searched { outcome, spent, algorithm, path: None }
    }
}
