//! Linearizability: whether the operations have an order that respects real time and in which every result agrees with a model.
//!
//! The API has three nouns: a [`Model`], a [`History`] and a [`Judgement`].
//!
//! ```
//! use elenchus_checkers::linearizable::{self, LinearizableOptions};
//! use elenchus_checkers::models::Register;
//! use elenchus_core::{History, Verdict};
//!
//! let history = History::parse("
//!     0 write 1 ok
//!     0 write 2 ok
//!     1 read → 1   # stale
//! ").unwrap();
//! let judgement = linearizable::check(&Register::default(), &history, &LinearizableOptions::default()).unwrap();
//! assert_eq!(judgement.verdict, Verdict::Invalid);
//! assert_eq!(judgement.failures[0].operations.len(), 3);
//! ```
//!
//! [`LinearizableOptions::witness`] asks for a linearization, which [`verify_witness`] verifies. [`Online`] checks a history while it is recorded.
//!
//! Failed operations did not happen. A crashed operation (`info`, or never completed) may have taken effect at any time after its
//! invocation, or never; a crashed read constrains nothing. Events of the nemesis are ignored.

mod argument;
mod backpointers;
mod bits;
mod bucket_queue;
mod budget;
mod checker;
mod decide;
mod erased;
mod frontier;
mod furthest;
mod judgement;
mod keys;
mod linearize;
mod lookahead;
mod minimal;
mod monitor;
mod multisets;
mod online;
mod outcome;
mod problem;
mod race;
mod register;
mod search;
mod transitions;
mod width;
mod witness;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use elenchus_core::{EventIndex, History, HistoryError, Model, Symbol};
use rayon::prelude::*;
use thiserror::Error;

pub use checker::Linearizable;
pub use furthest::{Furthest, Pending, Placed};
pub use judgement::{Failure, Judgement, LinearizableOptions, Undecided};
pub use online::{Online, Violation};
pub use witness::{Linearization, Witness, WitnessError, states, verify_witness};

use budget::Budget;
use decide::decide;
use erased::AnyModel;
use judgement::KeyJudgement;
use keys::{SubHistory, partition};

/// An error that prevents a check.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CheckError {
    /// The events do not form a history.
    #[error(transparent)]
    Malformed(#[from] HistoryError),
    /// The history contains an operation that the model does not have.
    #[error("event {event}: the model has no operation `{f}` with this argument and result; check that you chose the right model")]
    UnknownOperation {
        /// The operation's invocation.
        event: EventIndex,
        /// The operation's function.
        f: Symbol,
    },
    /// The linearization that was found failed verification.
    #[error("the linearization that was found is not valid: {0}; this is a bug in Elenchus")]
    Unverified(WitnessError),
}

/// Checks a history. Where the model allows it, the history is partitioned by key (P-compositionality); keys are checked in parallel, the
/// one with the most operations first.
///
/// # Errors
/// When the events do not form a history, or the history contains an operation that the model does not have.
pub fn check<M: Model>(model: &M, history: &History, options: &LinearizableOptions) -> Result<Judgement, CheckError> {
    check_any(&AnyModel::new(model), history, options)
}

fn check_any(model: &AnyModel<'_>, history: &History, options: &LinearizableOptions) -> Result<Judgement, CheckError> {
    let deadline = options.time.map(|time| Instant::now() + time);
    let mut parts = partition(model, history)?;
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    let workers = rayon::current_num_threads().min(parts.len()).max(1);
    let budget = Budget::new(options.memory / workers, deadline).keeping_paths(options.witness);
    let next = AtomicUsize::new(0);
    let mut judged: Vec<(usize, KeyJudgement)> = (0..workers)
        .into_par_iter()
        .flat_map_iter(|_| {
            let mut mine = Vec::new();
            while let Some((at, part)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, parts.get(at)?))) {
                mine.push((at, judge(model, part, &budget, options)));
            }
            mine
        })
        .collect();
    judged.sort_by_key(|(at, _)| parts[*at].order);
    Ok(Judgement::of(judged.into_iter().map(|(_, judgement)| judgement)))
}

/// Checks one object.
fn judge(model: &AnyModel<'_>, part: &SubHistory<'_>, budget: &Budget<'_>, options: &LinearizableOptions) -> KeyJudgement {
    let problem = problem::Problem::new(model, part.operations());
    let searched = decide(model, &problem, budget);
    let mut judgement = KeyJudgement::new(&problem, &searched);
    match searched.outcome {
        outcome::Outcome::Linearizable => {
            let path = searched.path.as_ref();
            let linearized = path.and_then(|path| linearize::linearize(model, &problem, path, problem.moments.len()));
            judgement.linearization = linearized.map(|order| Linearization {
                key: part.key.cloned(),
                order: order.iter().map(|&position| problem.operation(position).invoked).collect(),
            });
        }
        outcome::Outcome::Exhausted { why, moments } => judgement.undecided = Some(Undecided::new(part, &problem, why, moments)),
        outcome::Outcome::Broken(broken) => {
            judgement.failure = Some(judgement::explain(model, part, &problem, &broken, &searched.spent, options));
        }
    }
    judgement
}
