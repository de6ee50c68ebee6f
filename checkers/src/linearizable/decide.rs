//! Selects the algorithm for a problem.

use elenchus_core::Model;

use super::budget::Budget;
use super::monitor;
use super::outcome::{Outcome, Searched};
use super::problem::Problem;
use super::width::search_at_width;

/// Decides a problem with the monitor or the search that suits it.
pub(crate) fn decide<M: Model>(model: &M, problem: &Problem<'_>, budget: &Budget<'_>) -> Searched {
    let search = || search_at_width(model, problem, budget, true);
    match monitor::decide(model, problem, budget) {
        None => search(),
        // A monitor proves that a linearization exists but does not construct it.
        Some(decided) if budget.keeps_paths && matches!(decided.outcome, Outcome::Linearizable) => {
            let searched = search();
            if matches!(searched.outcome, Outcome::Exhausted { .. }) { decided } else { searched }
        }
        Some(decided) => decided,
    }
}
