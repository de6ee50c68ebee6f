//! Registers, with or without compare-and-set: a problem in numbers, a quick refutation, and a search of their own.

mod accesses;
mod beam;
mod refute;
mod search;

use elenchus_core::RegisterModel;

use super::bits::Bits;
use super::budget::Budget;
use super::outcome::{Broken, Outcome, Reached, Searched};
use super::problem::Problem;
use accesses::Accesses;

/// Configurations that the search for an earlier failure may visit once a later one is certain.
const EARLIER_VISITS: u64 = 200_000;

/// Decides a problem, if all its operations are those of a register.
pub(crate) fn decide<B: Bits>(model: &dyn RegisterModel, problem: &Problem<'_>, budget: &Budget<'_>) -> Option<Searched> {
    let accesses = Accesses::new(model, problem)?;
    let Some((at, operation)) = refute::refute(problem, &accesses) else {
        let searched = search::search::<B>(problem, &accesses, problem.moments.len(), budget, true);
        let lost_its_way = budget.keeps_trails && searched.path.is_none() && matches!(searched.outcome, Outcome::Linearizable);
        return Some(if lost_its_way { search::search::<B>(problem, &accesses, problem.moments.len(), budget, false) } else { searched });
    };
    // It breaks there at the latest. Whether it breaks before is worth a short search: the shortest prefix is the better argument.
    let visits = budget.visits.min(EARLIER_VISITS);
    let earlier = search::search::<B>(problem, &accesses, at, &Budget { visits, ..*budget }, true);
    if matches!(earlier.outcome, Outcome::Broken(_)) {
        return Some(earlier);
    }
    let pending = vec![operation];
    let reached = vec![Reached { state: "a value that is not the one it found".to_owned(), pending, path: None }];
    Some(Searched::new(Outcome::Broken(Broken { operation, reached }), earlier.spent, "register-refutation"))
}
