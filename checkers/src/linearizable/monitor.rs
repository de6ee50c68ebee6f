//! Monitors: histories in which every value is put there by one operation are decided without a search, in log-linear time.
//!
//! Where each value has one origin, every operation that found a value names the one it got it from, and what is left to decide is
//! whether a few kinds of *bad pattern* occur. The patterns of each data type, and why a history without them has a linearization, are told
//! in the file of its monitor. A history that has two origins for one value, or an operation that a monitor does not know, is left to
//! the searches.
//!
//! A prefix of a history is judged like the whole: operations that have not returned may or may not have taken effect, but what they
//! were told later is known. More moments only ever add constraints, so where a history breaks is found by a bisection over its
//! prefixes, started where the bad pattern of the whole was complete.
//!
//! Sources: Gibbons & Korach, *Testing shared memories*, 1997; Henzinger, Sezgin & Vafeiadis, *Aspect-oriented linearizability proofs*, 2013;
//! Bouajjani, Emmi, Enea & Hamza, *On reducing linearizability to state reachability*, 2015; Abdulla et al., *Efficient linearizability
//! monitoring*, 2025; Lee & Mathur, *Efficient decrease-and-conquer linearizability monitoring*, 2025.

mod bag;
mod cover;
mod lives;
mod priority_queue;
mod queue;
mod register;
mod set;
mod stack;
mod tree;
mod unknown;

use elenchus_core::{Model, TakeOrder};

use super::budget::{Budget, Spent};
use super::decide::decide_by_states;
use super::outcome::{Broken, Outcome, Searched};
use super::problem::{Moment, Problem};
use lives::Transfers;

/// Never: the moment at which a crashed operation returns.
const NEVER: u32 = u32::MAX;

/// No operation, no element.
const NONE: u32 = u32::MAX;

/// Configurations that a search for an earlier failure may visit once a later one is certain.
const EARLIER_VISITS: u64 = 200_000;

/// What to make of operations whose result nobody knows, where that cannot be decided exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stance {
    /// What is accepted has a linearization.
    Cautious,
    /// What is rejected has none.
    Generous,
}

/// A bad pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Breach {
    /// Operations, by position, that have no linearization when all others may take effect at any time or never.
    culprits: Vec<u32>,
    /// After how many moments it is complete; none where that is when the last of the culprits has returned.
    until: Option<u32>,
}

impl Breach {
    fn new(culprits: impl IntoIterator<Item = u32>) -> Breach {
        Breach { culprits: culprits.into_iter().collect(), until: None }
    }

    /// One that is complete at a moment.
    fn at(moment: u32, culprits: impl IntoIterator<Item = u32>) -> Breach {
        Breach { culprits: culprits.into_iter().collect(), until: Some(moment + 1) }
    }
}

/// Decides how far histories of one data type go.
trait Monitor {
    /// What verdicts call it.
    fn algorithm(&self) -> &'static str;

    /// Whether the first `until` moments have a linearization.
    fn check(&self, until: u32, stance: Stance) -> Result<(), Breach>;

    /// Whether both stances are the same.
    fn is_exact(&self) -> bool;

    /// Whether what longer prefixes tell of a moment, shorter ones tell already: not so where it shows only later who took an element.
    fn is_steady(&self) -> bool;
}

/// The monitor for a problem, if there is one.
fn monitor<'a, M: Model>(model: &'a M, problem: &'a Problem<'_>) -> Option<Box<dyn Monitor + 'a>> {
    if let Some(model) = model.as_register() {
        return Some(Box::new(register::Register::new(model, problem)?));
    }
    if let Some(model) = model.as_set() {
        return Some(Box::new(set::Set::new(model, problem)?));
    }
    let model = model.as_collection()?;
    let transfers = Transfers::new(model, problem)?;
    Some(match model.take_order() {
        TakeOrder::First => Box::new(queue::Queue(transfers)),
        TakeOrder::Last => Box::new(stack::Stack(transfers)),
        TakeOrder::Least => Box::new(priority_queue::PriorityQueue::new(transfers)),
        TakeOrder::Any => Box::new(bag::Bag(transfers)),
    })
}

/// Decides a problem, if a monitor can.
pub(crate) fn decide<M: Model>(model: &M, problem: &Problem<'_>, budget: &Budget<'_>) -> Option<Searched> {
    let monitor = monitor(model, problem)?;
    let (algorithm, spent) = (monitor.algorithm(), Spent::default());
    let all = problem.moments.len() as u32;
    let Err(mut breach) = monitor.check(all, Stance::Cautious) else {
        return Some(Searched::new(Outcome::Linearizable, spent, algorithm));
    };
    if !monitor.is_exact() {
        breach = monitor.check(all, Stance::Generous).err()?;
    }
    let until = breaks_at(&*monitor, problem, &breach);
    if !monitor.is_exact() && monitor.check(until - 1, Stance::Cautious).is_err() {
        // It breaks there at the latest. Whether it breaks before is worth a short search.
        let before = Problem { operations: problem.operations.clone(), moments: problem.moments[..until as usize - 1].to_vec() };
        let earlier = decide_by_states(model, &before, &Budget { visits: budget.visits.min(EARLIER_VISITS), ..*budget });
        if matches!(earlier.outcome, Outcome::Broken(_)) {
            return Some(earlier);
        }
    }
    let Moment::Return(operation) = problem.moments[until as usize - 1] else { return None };
    Some(Searched::new(Outcome::Broken(Broken { operation, reached: Vec::new() }), spent, algorithm))
}

/// Operations that suffice to break a problem up to the return of `broken`, if a monitor can tell.
pub(crate) fn culprits<M: Model>(model: &M, problem: &Problem<'_>, broken: u32) -> Option<Vec<u32>> {
    let until = problem.moments.iter().position(|&moment| moment == Moment::Return(broken))? as u32 + 1;
    let Breach { culprits: mut positions, .. } = monitor(model, problem)?.check(until, Stance::Generous).err()?;
    // One who puts in too late what was taken before has not begun.
    let end = problem.operation(broken).completed?;
    positions.retain(|&position| problem.operation(position).invoked < end);
    positions.sort_unstable();
    positions.dedup();
    (!positions.is_empty()).then_some(positions)
}

/// How many moments it takes for the history to break, all of it being broken by `breach`.
fn breaks_at(monitor: &dyn Monitor, problem: &Problem<'_>, breach: &Breach) -> u32 {
    let returns = problem.returns();
    let complete = |breach: &Breach, until: u32| {
        let ends = breach.culprits.iter().map(|&position| returns[position as usize].saturating_add(1)).filter(|&end| end <= until);
        breach.until.filter(|_| monitor.is_steady()).or_else(|| ends.max()).unwrap_or(until).min(until)
    };
    let (mut low, mut high) = (0, complete(breach, problem.moments.len() as u32));
    let mut probe = high.saturating_sub(1);
    // It is broken up to `high` and not up to `low`.
    while low + 1 < high {
        match monitor.check(probe, Stance::Generous) {
            Ok(()) => low = probe,
            Err(earlier) => high = complete(&earlier, probe),
        }
        probe = low + (high - low) / 2;
    }
    high
}
