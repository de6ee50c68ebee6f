//! How a search for one object ends.

use super::budget::{Exceeded, Spent};
use super::linearize::Path;

/// What a search found.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// There is a linearization.
    Linearizable,
    /// There is none.
    Broken(Broken),
    /// A limit ended the search.
    Exhausted {
        /// Which.
        why: Exceeded,
        /// How many moments were passed when it ended.
        moments: usize,
    },
}

impl Outcome {
    /// Whether the search came to an end.
    pub(crate) fn is_decided(&self) -> bool {
        !matches!(self, Outcome::Exhausted { .. })
    }
}

/// Where no linearization can go on.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    /// The position of the operation whose completion cannot be reached.
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
    /// How it came about, where [`Budget::keeps_trails`](super::budget::Budget::keeps_trails).
    pub(crate) path: Option<Path>,
}

/// An outcome with what it took.
#[derive(Clone, Debug)]
pub(crate) struct Searched {
    pub(crate) outcome: Outcome,
    pub(crate) spent: Spent,
    /// Which algorithm decided.
    pub(crate) algorithm: &'static str,
    /// For a linearizable problem: how it was linearized, where [`Budget::keeps_trails`](super::budget::Budget::keeps_trails).
    pub(crate) path: Option<Path>,
}

impl Searched {
    /// An outcome without a path.
    pub(crate) fn new(outcome: Outcome, spent: Spent, algorithm: &'static str) -> Searched {
        Searched { outcome, spent, algorithm, path: None }
    }
}
