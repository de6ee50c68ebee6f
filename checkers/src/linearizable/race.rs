//! Depth first and breadth first, side by side.
//!
//! A search that keeps few configurations and goes back where it lost its way is a depth-first one: it finds a linearization, if there is
//! one, nearly at once. A search that keeps all of them is a breadth-first one: it proves that there is none. The first decides nearly
//! every history alone. Where it takes long, the other begins beside it, and the first to finish decides (as the searches of Lowe, *Testing
//! for linearizability*, 2017, and of Knossos do).

use std::sync::atomic::{AtomicBool, Ordering};

use super::budget::{Budget, Exceeded};
use super::outcome::{Outcome, Searched};

/// Which configurations a search keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breadth {
    /// As few as seem to do, more where they did not do. It may give up: [`Exceeded::Narrow`].
    Few,
    /// All that are not dominated.
    All,
}

/// How many configurations the depth-first search may visit alone, for each operation and besides.
const ALONE_EACH: u64 = 10;
const ALONE: u64 = 100_000;

/// Decides a problem of so many operations with searches that keep few or all configurations.
///
/// With a limit on visits they run in turn, so that the outcome is the same on every machine. Without, which one decides may depend on
/// the machine; what it decides does not, nor does whether the visits are fewer than the first had alone.
pub(crate) fn decide(operations: usize, budget: &Budget<'_>, search: impl Fn(Breadth, &Budget<'_>) -> Searched + Sync) -> Searched {
    let is_limited = budget.visits < u64::MAX;
    let alone = if is_limited { budget.visits } else { ALONE + ALONE_EACH * operations as u64 };
    let first = search(Breadth::Few, &Budget { visits: alone, ..*budget });
    match first.outcome {
        Outcome::Exhausted { why: Exceeded::Narrow, .. } => {
            let visits = if is_limited { budget.visits.saturating_sub(first.spent.visits) } else { budget.visits };
            let mut second = search(Breadth::All, &Budget { visits, ..*budget });
            second.spent.visits += first.spent.visits;
            second
        }
        Outcome::Exhausted { why: Exceeded::Visits, .. } if !is_limited => side_by_side(alone, budget, search),
        _ => first,
    }
}

fn side_by_side(alone: u64, budget: &Budget<'_>, search: impl Fn(Breadth, &Budget<'_>) -> Searched + Sync) -> Searched {
    let overtaken = AtomicBool::new(false);
    let budget = Budget { bytes: budget.bytes / 2, overtaken: Some(&overtaken), ..*budget };
    let run = |breadth| {
        let searched = search(breadth, &budget);
        overtaken.fetch_or(searched.outcome.is_decided(), Ordering::Relaxed);
        searched
    };
    let (few, all) = rayon::join(|| run(Breadth::Few), || run(Breadth::All));
    let mut decided = if few.outcome.is_decided() || (!all.outcome.is_decided() && got_further(&few, &all)) { few } else { all };
    decided.spent.visits = decided.spent.visits.max(alone);
    decided
}

/// Whether one of two searches that decided nothing passed more moments, and did not merely give up.
fn got_further(few: &Searched, all: &Searched) -> bool {
    match (&few.outcome, &all.outcome) {
        (Outcome::Exhausted { why: Exceeded::Narrow, .. }, _) => false,
        (Outcome::Exhausted { moments: few, .. }, Outcome::Exhausted { moments: all, .. }) => few >= all,
        _ => false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use elenchus_core::History;

    use super::*;
    use crate::linearizable::keys::parts;
    use crate::linearizable::problem::Problem;
    use crate::models::CasRegister;
    use crate::simulate::{Recipe, Store, Strikes, Workload};

    /// Calls with problems of a register, some of which have a linearization and some none; each says which.
    pub(in crate::linearizable) fn problems(mut has_linearization: impl FnMut(&Problem<'_>) -> bool) {
        let model = CasRegister::default();
        let mut seen = [0; 2];
        for seed in 0..150 {
            let store = Store::named(["linearizable", "stale-read", "lost-update"][seed as usize % 3]).expect("a store");
            let recipe = Recipe {
                operations: 80,
                processes: 4,
                crash: 0.04,
                strikes: Strikes::Share(0.4),
                ..Recipe::new(store, Workload::CasRegister).with_seed(seed)
            };
            let history = History::new(recipe.simulate().expect("simulated").collect());
            for part in parts(&model, &history).expect("well formed") {
                seen[usize::from(has_linearization(&Problem::new(&model, part.operations())))] += 1;
            }
        }
        assert!(seen[0] > 20 && seen[1] > 20, "one-sided: {seen:?}");
    }

    /// Whether there is a linearization: so say both searches, each alone and beside the other, and where it breaks.
    pub(in crate::linearizable) fn agree(search: impl Fn(Breadth, &Budget<'_>) -> Searched + Sync) -> bool {
        let breaks = |searched: Searched| match searched.outcome {
            Outcome::Linearizable => Some(None),
            Outcome::Broken(broken) => Some(Some(broken.operation)),
            Outcome::Exhausted { why, .. } => {
                assert_eq!(why, Exceeded::Narrow);
                None
            }
        };
        let budget = Budget::new(1 << 30, None).keeping_trails(true);
        let all = breaks(search(Breadth::All, &budget)).expect("decided");
        assert!(breaks(search(Breadth::Few, &budget)).is_none_or(|few| few == all));
        assert_eq!(breaks(side_by_side(0, &budget, search)), Some(all));
        all.is_none()
    }
}
