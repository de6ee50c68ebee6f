//! Depth-first and breadth-first search in parallel.
//!
//! A search that keeps few configurations and backtracks where it fails is depth-first: it finds a linearization, if one exists, almost at
//! once. A search that keeps all of them is breadth-first: it proves that none exists. The first decides nearly every history alone. Where
//! it takes long, the second starts beside it, and the first to finish decides (as in Lowe, *Testing for linearizability*, 2017; Knossos).

use std::sync::atomic::{AtomicBool, Ordering};

use super::budget::{Budget, Exceeded};
use super::outcome::{Outcome, Searched};

/// The configurations that a search keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breadth {
    /// A beam, widened where it fails. The search may give up with [`Exceeded::NarrowBeam`].
    Few,
    /// All that are not dominated.
    All,
}

/// The number of configurations that the depth-first search may visit alone: per operation, and in addition.
const HEAD_START_EACH: u64 = 10;
const HEAD_START: u64 = 100_000;

/// Decides a problem of `operations` operations with searches that keep few or all configurations.
///
/// With a limit on visits they run in turn, so that the outcome is the same on every machine. Without, the search that decides may depend
/// on the machine, but its outcome does not; nor does whether the number of visits is below the head start.
pub(crate) fn decide(operations: usize, budget: &Budget<'_>, search: impl Fn(Breadth, &Budget<'_>) -> Searched + Sync) -> Searched {
    let is_limited = budget.visits < u64::MAX;
    let head_start = if is_limited { budget.visits } else { HEAD_START + HEAD_START_EACH * operations as u64 };
    let first = search(Breadth::Few, &Budget { visits: head_start, ..*budget });
    match first.outcome {
        Outcome::Exhausted { why: Exceeded::NarrowBeam, .. } => {
            let visits = if is_limited { budget.visits.saturating_sub(first.spent.visits) } else { budget.visits };
            let mut second = search(Breadth::All, &Budget { visits, ..*budget });
            second.spent.visits += first.spent.visits;
            second
        }
        Outcome::Exhausted { why: Exceeded::Visits, .. } if !is_limited => side_by_side(head_start, budget, search),
        _ => first,
    }
}

fn side_by_side(head_start: u64, budget: &Budget<'_>, search: impl Fn(Breadth, &Budget<'_>) -> Searched + Sync) -> Searched {
    let cancelled = AtomicBool::new(false);
    let budget = Budget { bytes: budget.bytes / 2, cancelled: Some(&cancelled), ..*budget };
    let run = |breadth| {
        let searched = search(breadth, &budget);
        cancelled.fetch_or(searched.outcome.is_decided(), Ordering::Relaxed);
        searched
    };
    let (few, all) = rayon::join(|| run(Breadth::Few), || run(Breadth::All));
    let mut decided = if few.outcome.is_decided() || (!all.outcome.is_decided() && got_further(&few, &all)) { few } else { all };
    decided.spent.visits = decided.spent.visits.max(head_start);
    decided
}

/// Whether the depth-first search, both being undecided, processed at least as many moments and did not merely give up.
fn got_further(few: &Searched, all: &Searched) -> bool {
    match (&few.outcome, &all.outcome) {
        (Outcome::Exhausted { why: Exceeded::NarrowBeam, .. }, _) => false,
        (Outcome::Exhausted { moments: few, .. }, Outcome::Exhausted { moments: all, .. }) => few >= all,
        _ => false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use elenchus_core::History;

    use super::*;
    use crate::linearizable::keys::partition;
    use crate::linearizable::problem::Problem;
    use crate::models::CasRegister;
    use crate::simulate::{DefectRate, Recipe, Store, Workload};

    /// Calls `has_linearization` with problems of a register; it returns whether there is a linearization. Both answers must be frequent.
    pub(in crate::linearizable) fn problems(mut has_linearization: impl FnMut(&Problem<'_>) -> bool) {
        let model = CasRegister::default();
        let mut seen = [0; 2];
        for seed in 0..150 {
            let store = Store::named(["linearizable", "stale-read", "lost-update"][seed as usize % 3]).expect("a store");
            let recipe = Recipe {
                operations: 80,
                processes: 4,
                crash: 0.04,
                defect_rate: DefectRate::Share(0.4),
                ..Recipe::new(store, Workload::CasRegister).with_seed(seed)
            };
            let history = History::new(recipe.simulate().expect("simulated").collect());
            for part in partition(&model, &history).expect("well formed") {
                seen[usize::from(has_linearization(&Problem::new(&model, part.operations())))] += 1;
            }
        }
        assert!(seen[0] > 20 && seen[1] > 20, "one-sided: {seen:?}");
    }

    /// Whether a linearization exists. Both searches must agree on that and on the failing operation, each alone and in parallel.
    pub(in crate::linearizable) fn agree(search: impl Fn(Breadth, &Budget<'_>) -> Searched + Sync) -> bool {
        let breaks = |searched: Searched| match searched.outcome {
            Outcome::Linearizable => Some(None),
            Outcome::Broken(broken) => Some(Some(broken.operation)),
            Outcome::Exhausted { why, .. } => {
                assert_eq!(why, Exceeded::NarrowBeam);
                None
            }
        };
        let budget = Budget::new(1 << 30, None).keeping_paths(true);
        let all = breaks(search(Breadth::All, &budget)).expect("decided");
        assert!(breaks(search(Breadth::Few, &budget)).is_none_or(|few| few == all));
        assert_eq!(breaks(side_by_side(0, &budget, search)), Some(all));
        all.is_none()
    }
}
