//! Registers, with or without compare-and-set: a problem in numbers, a quick refutation, and a search of their own.

mod accesses;
mod beam;
mod refute;
mod search;

use std::sync::atomic::{AtomicBool, Ordering};

use elenchus_core::RegisterModel;

use super::bits::Bits;
use super::budget::Budget;
use super::outcome::{Broken, Outcome, Reached, Searched};
use super::problem::Problem;
use accesses::Accesses;

/// Configurations that the search for an earlier failure may visit once a later one is certain.
const EARLIER_VISITS: u64 = 200_000;

/// From so many operations on, the refutation runs beside the search: before, it takes less than a thread takes to wake.
const LONG: usize = 8192;

/// Decides a problem, if all its operations are those of a register.
pub(crate) fn decide<B: Bits>(model: &dyn RegisterModel, problem: &Problem<'_>, budget: &Budget<'_>) -> Option<Searched> {
    let accesses = Accesses::new(model, problem)?;
    let search = |end: usize, budget: &Budget<'_>, forgets: bool| search::search::<B>(problem, &accesses, end, budget, forgets);
    let whole = |budget: &Budget<'_>| {
        let searched = search(problem.moments.len(), budget, true);
        let lost_its_way = budget.keeps_trails && searched.path.is_none() && matches!(searched.outcome, Outcome::Linearizable);
        if lost_its_way { search(problem.moments.len(), budget, false) } else { searched }
    };
    // With a limit on visits what is visited must not depend on who is faster.
    let refuted = if problem.operations.len() < LONG || budget.visits < u64::MAX {
        match refute::refute(problem, &accesses) {
            None => return Some(whole(budget)),
            Some(refuted) => refuted,
        }
    } else {
        let overtaken = AtomicBool::new(false);
        let refute = || {
            let refuted = refute::refute(problem, &accesses);
            overtaken.store(refuted.is_some(), Ordering::Relaxed);
            refuted
        };
        let (searched, refuted) = rayon::join(|| whole(&Budget { overtaken: Some(&overtaken), ..*budget }), refute);
        match refuted {
            None => return Some(searched),
            Some(refuted) => refuted,
        }
    };
    let (at, operation) = refuted;
    // It breaks there at the latest. Whether it breaks before is worth a short search: the shortest prefix is the better argument.
    let visits = budget.visits.min(EARLIER_VISITS);
    let earlier = search(at, &Budget { visits, ..*budget }, true);
    if matches!(earlier.outcome, Outcome::Broken(_)) {
        return Some(earlier);
    }
    let pending = vec![operation];
    let reached = vec![Reached { state: "a value that is not the one it found".to_owned(), pending, path: None }];
    Some(Searched::new(Outcome::Broken(Broken { operation, reached }), earlier.spent, "register-refutation"))
}
