//! Monitors: algorithms that decide histories with unique values without a search, in log-linear time.
//!
//! If each value is stored by one operation, every operation that found a value identifies its source, and the history is linearizable
//! unless one of a few kinds of *bad pattern* occurs. The file of each monitor describes the patterns of its data type, and why a history
//! without them has a linearization. A history with two sources for one value, or with an unsupported operation, is left to the searches.
//!
//! A prefix of a history is checked like the whole: operations that have not returned may or may not have taken effect, but their later
//! results are known. More moments only add constraints, so the first violation is found by bisection over prefixes, starting at the moment
//! at which the bad pattern of the whole is complete.
//!
//! Sources: Gibbons & Korach, *Testing shared memories*, 1997; Henzinger, Sezgin & Vafeiadis, *Aspect-oriented linearizability proofs*,
//! 2013; Bouajjani, Emmi, Enea & Hamza, *On reducing linearizability to state reachability*, 2015; Abdulla et al., *Efficient
//! linearizability monitoring*, 2025; Lee & Mathur, *Efficient decrease-and-conquer linearizability monitoring*, 2025.

mod bag;
mod cover;
mod lifetimes;
mod priority_queue;
mod queue;
mod register;
mod segment_tree;
mod set;
mod stack;
mod unknown_takes;

use elenchus_core::{Model, TakeOrder};

use super::budget::{Budget, Spent};
use super::outcome::{Broken, Outcome, Searched};
use super::problem::{Moment, Problem};
use super::width::decide_by_states;
use lifetimes::Transfers;

/// The moment at which a crashed operation returns.
const NEVER: u32 = u32::MAX;

/// Not an operation, or not an element.
const NONE: u32 = u32::MAX;

/// The number of configurations that a search for an earlier failure may visit once a later one is certain.
const EARLIER_VISITS: u64 = 200_000;

/// How to approximate the set of linearizable histories if operations have unknown results and the monitor is not exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Approximation {
    /// Under-approximation: every accepted history has a linearization.
    Under,
    /// Over-approximation: no rejected history has a linearization.
    Over,
}

/// A bad pattern: evidence that a history is not linearizable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct BadPattern {
    /// The positions of operations that have no linearization even if all others may take effect at any time or never.
    culprits: Vec<u32>,
    /// The number of moments after which the pattern is complete; none if that is when the last of the culprits has returned.
    until: Option<u32>,
}

impl BadPattern {
    fn new(culprits: impl IntoIterator<Item = u32>) -> BadPattern {
        BadPattern { culprits: culprits.into_iter().collect(), until: None }
    }

    /// A pattern that is complete at a moment.
    fn at(moment: u32, culprits: impl IntoIterator<Item = u32>) -> BadPattern {
        BadPattern { culprits: culprits.into_iter().collect(), until: Some(moment + 1) }
    }
}

/// Decides prefixes of a history of one data type.
trait Monitor {
    /// The name of the algorithm in verdicts.
    fn algorithm(&self) -> &'static str;

    /// Checks whether the first `until` moments have a linearization.
    fn check(&self, until: u32, approximation: Approximation) -> Result<(), BadPattern>;

    /// Whether both approximations give the same result.
    fn is_exact(&self) -> bool;

    /// Whether a prefix determines all that longer prefixes show about its moments. It does not if the taker of an element shows later.
    fn is_prefix_stable(&self) -> bool;
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

/// Decides a problem if a monitor can.
pub(crate) fn decide<M: Model>(model: &M, problem: &Problem<'_>, budget: &Budget<'_>) -> Option<Searched> {
    let monitor = monitor(model, problem)?;
    let (algorithm, spent) = (monitor.algorithm(), Spent::default());
    let all = problem.moments.len() as u32;
    let Err(mut pattern) = monitor.check(all, Approximation::Under) else {
        return Some(Searched::new(Outcome::Linearizable, spent, algorithm));
    };
    if !monitor.is_exact() {
        pattern = monitor.check(all, Approximation::Over).err()?;
    }
    let until = shortest_prefix(&*monitor, problem, &pattern);
    if !monitor.is_exact() && monitor.check(until - 1, Approximation::Under).is_err() {
        // It fails there at the latest. A short search for an earlier failure is worthwhile.
        let before = Problem { operations: problem.operations.clone(), moments: problem.moments[..until as usize - 1].to_vec() };
        let earlier = decide_by_states(model, &before, &Budget { visits: budget.visits.min(EARLIER_VISITS), ..*budget });
        if matches!(earlier.outcome, Outcome::Broken(_)) {
            return Some(earlier);
        }
    }
    let Moment::Return(operation) = problem.moments[until as usize - 1] else { return None };
    Some(Searched::new(Outcome::Broken(Broken { operation, reached: Vec::new() }), spent, algorithm))
}

/// The operations of a bad pattern up to the return of `broken`, if a monitor finds one.
pub(crate) fn culprits<M: Model>(model: &M, problem: &Problem<'_>, broken: u32) -> Option<Vec<u32>> {
    let until = problem.moments.iter().position(|&moment| moment == Moment::Return(broken))? as u32 + 1;
    let BadPattern { culprits: mut positions, .. } = monitor(model, problem)?.check(until, Approximation::Over).err()?;
    // The put of an element that was taken too early may not have been called by then.
    let end = problem.operation(broken).completed?;
    positions.retain(|&position| problem.operation(position).invoked < end);
    positions.sort_unstable();
    positions.dedup();
    (!positions.is_empty()).then_some(positions)
}

/// The length, in moments, of the shortest prefix that is not linearizable. `breach` is a bad pattern of the whole history.
fn shortest_prefix(monitor: &dyn Monitor, problem: &Problem<'_>, pattern: &BadPattern) -> u32 {
    let returns = problem.returns();
    let complete = |pattern: &BadPattern, until: u32| {
        let ends = pattern.culprits.iter().map(|&position| returns[position as usize].saturating_add(1)).filter(|&end| end <= until);
        pattern.until.filter(|_| monitor.is_prefix_stable()).or_else(|| ends.max()).unwrap_or(until).min(until)
    };
    let (mut low, mut high) = (0, complete(pattern, problem.moments.len() as u32));
    let mut probe = high.saturating_sub(1);
    // The prefix up to `high` is not linearizable; the prefix up to `low` is.
    while low + 1 < high {
        match monitor.check(probe, Approximation::Over) {
            Ok(()) => low = probe,
            Err(earlier) => high = complete(&earlier, probe),
        }
        probe = low + (high - low) / 2;
    }
    high
}
