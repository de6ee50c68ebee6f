//! Linearizability: is there an order of the operations, true to real time, in which the object behaves as its model says?
//!
//! Three nouns: a [`Model`], a [`History`], a [`Judgement`].
//!
//! ```
//! use elenchus_checkers::linearizable::{self, Options};
//! use elenchus_checkers::models::Register;
//! use elenchus_core::{History, Verdict};
//!
//! let history = History::parse("
//!     0 write 1 ok
//!     0 write 2 ok
//!     1 read → 1   # stale
//! ").unwrap();
//! let judgement = linearizable::check(&Register::default(), &history, &Options::default()).unwrap();
//! assert_eq!(judgement.verdict, Verdict::Invalid);
//! assert_eq!(judgement.failures[0].operations.len(), 3);
//! ```
//!
//! [`Options::witness`] asks for a linearization, which [`verify_witness`] verifies; [`Online`] judges a history while it is being recorded.
//!
//! Failed operations did not happen. Crashed ones (`info`, or never returned) may have taken effect at any time after their invocation, or
//! never; what nobody was told constrains nothing. Events of the nemesis are ignored.

mod agenda;
mod argument;
mod bags;
mod bits;
mod budget;
mod checker;
mod decide;
mod erased;
mod foresight;
mod frontier;
mod furthest;
mod judgement;
mod keys;
mod linearize;
mod minimal;
mod monitor;
mod online;
mod outcome;
mod problem;
mod race;
mod register;
mod search;
mod steps;
mod trail;
mod witness;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use elenchus_core::{EventIndex, History, HistoryError, Model, Symbol};
use rayon::prelude::*;
use thiserror::Error;

pub use checker::Linearizable;
pub use furthest::{Furthest, Pending, Placed};
pub use judgement::{Failure, Judgement, Options, Undecided};
pub use online::{Online, Violation};
pub use witness::{Linearization, Witness, WitnessError, states, verify_witness};

use budget::Budget;
use decide::decide;
use erased::AnyModel;
use judgement::KeyJudgement;
use keys::{Part, parts};

/// Why a history cannot be judged at all.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CheckError {
    /// No run could have recorded it.
    #[error(transparent)]
    Malformed(#[from] HistoryError),
    /// It has an operation that the model does not know.
    #[error("event {event}: the model knows no operation `{f}` with this argument and result; check that the right model was chosen")]
    Foreign {
        /// Its invocation.
        event: EventIndex,
        /// Its function.
        f: Symbol,
    },
    /// What was found to be a linearization is none.
    #[error("the linearization that was found does not hold: {0}; this is a bug in Elenchus")]
    Unverified(WitnessError),
}

/// Judges a history. Keys are independent objects where the model says so, and are judged in parallel, the longest first.
///
/// # Errors
/// When no run could have recorded the history, or it has operations that the model does not know.
pub fn check<M: Model>(model: &M, history: &History, options: &Options) -> Result<Judgement, CheckError> {
    check_any(&AnyModel::new(model), history, options)
}

fn check_any(model: &AnyModel<'_>, history: &History, options: &Options) -> Result<Judgement, CheckError> {
    let deadline = options.time.map(|time| Instant::now() + time);
    let mut parts = parts(model, history)?;
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    let workers = rayon::current_num_threads().min(parts.len()).max(1);
    let budget = Budget::new(options.memory / workers, deadline).keeping_trails(options.witness);
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

/// Judges one object.
fn judge(model: &AnyModel<'_>, part: &Part<'_>, budget: &Budget<'_>, options: &Options) -> KeyJudgement {
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
