//! Registers, with or without compare-and-set: interned values, a fast refutation and a specialised search.

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

/// The number of configurations that the search for an earlier failure may visit once a later one is certain.
const EARLIER_VISITS: u64 = 200_000;

/// From this number of operations on, the refutation runs in parallel with the search; below, it takes less time than waking a thread.
const PARALLEL_FROM: usize = 8192;

/// Decides a problem if all its operations are those of a register.
pub(crate) fn decide<B: Bits>(model: &dyn RegisterModel, problem: &Problem<'_>, budget: &Budget<'_>) -> Option<Searched> {
    let accesses = Accesses::new(model, problem)?;
    let search = |end: usize, budget: &Budget<'_>, forgets_uses: bool| search::search::<B>(problem, &accesses, end, budget, forgets_uses);
    let whole = |budget: &Budget<'_>| {
        let searched = search(problem.moments.len(), budget, true);
        let has_no_path = budget.keeps_paths && searched.path.is_none() && matches!(searched.outcome, Outcome::Linearizable);
        if has_no_path { search(problem.moments.len(), budget, false) } else { searched }
    };
    // With a limit on visits, the number of visits must not depend on timing.
    let refuted = if problem.operations.len() < PARALLEL_FROM || budget.visits < u64::MAX {
        match refute::refute(problem, &accesses) {
            None => return Some(whole(budget)),
            Some(refuted) => refuted,
        }
    } else {
        let cancelled = AtomicBool::new(false);
        let refute = || {
            let refuted = refute::refute(problem, &accesses);
            cancelled.store(refuted.is_some(), Ordering::Relaxed);
            refuted
        };
        let (searched, refuted) = rayon::join(|| whole(&Budget { cancelled: Some(&cancelled), ..*budget }), refute);
        match refuted {
            None => return Some(searched),
            Some(refuted) => refuted,
        }
    };
    let (at, operation) = refuted;
    // It fails there at the latest. A short search for an earlier failure is worthwhile: a shorter prefix is a better argument.
    let visits = budget.visits.min(EARLIER_VISITS);
    let earlier = search(at, &Budget { visits, ..*budget }, true);
    if matches!(earlier.outcome, Outcome::Broken(_)) {
        return Some(earlier);
    }
    let pending = vec![operation];
    let reached = vec![Reached { state: "(any value other than the expected one)".to_owned(), pending, path: None }];
    Some(Searched::new(Outcome::Broken(Broken { operation, reached }), earlier.spent, "register-refutation"))
}
