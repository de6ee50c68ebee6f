//! The furthest partial linearizations of a counterexample, and why they cannot be extended.

use elenchus_core::{EventIndex, Model, Step};

use super::linearize::linearize;
use super::outcome::{Broken, Reached};
use super::problem::{Moment, Problem};

/// One of the furthest partial linearizations of a counterexample: no extension of it lets the failing operation complete.
#[derive(Clone, Debug, PartialEq)]
pub struct Furthest {
    /// The initial state, in words.
    pub initial: String,
    /// The operations that are linearized, in order.
    pub order: Vec<Placed>,
    /// The pending operations, including the failing one.
    pub pending: Vec<Pending>,
}

/// An operation with its place in an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The operation's invocation.
    pub operation: EventIndex,
    /// The state after it, in words.
    pub state: String,
}

/// An operation that cannot be the next in an order, or does not help there.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// The operation's invocation.
    pub operation: EventIndex,
    /// The state that it would lead to, in words; none where it cannot happen in the last state of the order.
    pub leads_to: Option<String>,
    /// Why it does not help, as one clause.
    pub why: String,
}

/// The furthest orders that a search of `problem` reached. `names` are the invocations of the problem's operations.
pub(crate) fn furthest<M: Model>(model: &M, problem: &Problem<'_>, broken: &Broken, names: &[EventIndex]) -> Vec<Furthest> {
    let end = problem.moments.iter().position(|&moment| moment == Moment::Return(broken.operation)).map_or(0, |at| at + 1);
    broken.reached.iter().filter_map(|reached| order(model, problem, reached, broken.operation, end, names)).collect()
}

fn order<M: Model>(model: &M, problem: &Problem<'_>, reached: &Reached, breaks: u32, end: usize, names: &[EventIndex]) -> Option<Furthest> {
    if !reached.pending.contains(&breaks) {
        return None; // Lookahead pruned it before that operation was invoked.
    }
    let name = |position: u32| names.get(position as usize).copied();
    let placed = linearize(model, problem, reached.path.as_ref()?, end)?;
    let mut state = model.initial();
    let mut order = Vec::with_capacity(placed.len());
    for &position in &placed {
        if let Step::To(next) = model.step(&state, problem.operation(position)) {
            state = next;
        }
        order.push(Placed { operation: name(position)?, state: model.describe(&state) });
    }
    let failing = problem.operation(breaks);
    let pending = reached.pending.iter().filter(|position| !placed.contains(position)).map(|&position| {
        let operation = problem.operation(position);
        let (leads_to, why) = match model.step(&state, operation) {
            Step::Impossible => (None, format!("{operation} cannot happen in state {}", model.describe(&state))),
            Step::Same => {
                (Some(model.describe(&state)), format!("{operation} does not change the state, and {failing} still cannot complete"))
            }
            Step::To(next) => {
                let next = model.describe(&next);
                (Some(next.clone()), format!("{operation} leads to state {next}, from which {failing} cannot complete either"))
            }
        };
        Some(Pending { operation: name(position)?, leads_to, why })
    });
    let pending = pending.collect::<Option<Vec<_>>>()?;
    Some(Furthest { initial: model.describe(&model.initial()), order, pending })
}
