//! How far the operations of a proof can be put in order, and why not further.

use elenchus_core::{EventIndex, Model, Step};

use super::linearize::linearize;
use super::outcome::{Broken, Reached};
use super::problem::{Moment, Problem};

/// One of the furthest orders of the operations of a counterexample: nothing can follow that lets the failing operation return.
#[derive(Clone, Debug, PartialEq)]
pub struct Furthest {
    /// The state before everything, in words.
    pub initial: String,
    /// The operations that have a place, in order.
    pub order: Vec<Placed>,
    /// The open operations that have none, the failing one among them.
    pub pending: Vec<Pending>,
}

/// An operation with its place in an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Its invocation.
    pub operation: EventIndex,
    /// The state after it, in words.
    pub state: String,
}

/// An operation that cannot be the next, or leads no further.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Its invocation.
    pub operation: EventIndex,
    /// The state it would lead to, in words; none where it cannot happen in the last state of the order.
    pub leads_to: Option<String>,
    /// Why it does not help, in one sentence.
    pub why: String,
}

/// The furthest orders in which a search of `problem` ended. `names` are the invocations of its operations.
pub(crate) fn furthest<M: Model>(model: &M, problem: &Problem<'_>, broken: &Broken, names: &[EventIndex]) -> Vec<Furthest> {
    let end = problem.moments.iter().position(|&moment| moment == Moment::Return(broken.operation)).map_or(0, |at| at + 1);
    broken.reached.iter().filter_map(|reached| order(model, problem, reached, broken.operation, end, names)).collect()
}

fn order<M: Model>(model: &M, problem: &Problem<'_>, reached: &Reached, breaks: u32, end: usize, names: &[EventIndex]) -> Option<Furthest> {
    if !reached.pending.contains(&breaks) {
        return None; // Foresight ended it, before that operation began.
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
            Step::Same => (Some(model.describe(&state)), format!("{operation} changes nothing, and {failing} still cannot return")),
            Step::To(next) => {
                let next = model.describe(&next);
                (Some(next.clone()), format!("{operation} leads to state {next}, from where {failing} cannot return either"))
            }
        };
        Some(Pending { operation: name(position)?, leads_to, why })
    });
    let pending = pending.collect::<Option<Vec<_>>>()?;
    Some(Furthest { initial: model.describe(&model.initial()), order, pending })
}
