//! Turns a counterexample into sentences that a person can check.

use elenchus_core::{EventIndex, Kind, Model, Operation};
use rustc_hash::FxHashMap;

use super::budget::Budget;
use super::decide::decide;
use super::furthest::{Furthest, furthest};
use super::minimal::Minimal;
use super::outcome::{Broken, Outcome, Reached};
use super::problem::{Problem, takes_part};
use super::width::decide_by_states;

/// An operation in words: `#12 (process 3, read → 5)`.
fn describe(operation: &Operation<'_>) -> String {
    let outcome = if operation.kind == Kind::Ok { "" } else { ", outcome unknown" };
    format!("{} (process {}, {operation}{outcome})", operation.invoked, operation.process)
}

/// The limit on steps of the search without lookahead, before [`decide`] is used. One visit may take as many steps as there are operations.
const PLAIN_STEPS: u64 = 200_000;

/// The number of other operations that are listed.
const OTHERS: usize = 8;

/// The number of furthest orders that are described, and of operations listed at the end of each.
const STATES: usize = 3;
const PLACED: usize = 4;

/// The argument that no linearization exists.
pub(crate) struct Argument {
    /// One sentence per step.
    pub(crate) sentences: Vec<String>,
    /// The furthest orders.
    pub(crate) furthest: Vec<Furthest>,
}

/// Explains why the operations of a proof have no linearization, whatever the other operations did.
pub(crate) fn argue<M: Model>(model: &M, minimal: &Minimal<'_>, breaks: &Operation<'_>) -> Argument {
    let Minimal { proof, others, .. } = minimal;
    let (mut sentences, mut orders) = (Vec::new(), Vec::new());
    sentences.extend(opening(breaks));
    let problem = Problem::new(model, proof.iter().copied());
    let outcome = match decide_by_states(
        model,
        &problem,
        &Budget::of_visits(PLAIN_STEPS / (problem.operations.len() as u64 + 1)).keeping_paths(true),
    )
    .outcome
    {
        Outcome::Exhausted { .. } => decide(model, &problem, &Budget::of_visits(1_000_000).keeping_paths(true)).outcome,
        decided => decided,
    };
    if let Outcome::Broken(broken) = outcome {
        let names: Vec<EventIndex> =
            proof.iter().zip(minimal.names()).filter(|(operation, _)| takes_part(model, operation)).map(|(_, name)| name).collect();
        orders = furthest(model, &problem, &broken, &names);
        sentences.push(format!(
            "In the counterexample, {} is the first operation that cannot take effect before it completes.",
            describe(problem.operation(broken.operation))
        ));
        let called: FxHashMap<EventIndex, String> =
            names.iter().zip(&problem.operations).map(|(name, operation)| (*name, format!("{name} {operation}"))).collect();
        match orders.as_slice() {
            [] => sentences.extend(dead_ends(&problem, &broken)),
            some => sentences.extend(some.iter().take(STATES).map(|order| describe_order(order, &called))),
        }
    }
    if !others.is_empty() {
        let named: Vec<String> = others.iter().take(OTHERS).map(describe).collect();
        let more = others.len() - named.len();
        let rest = if more == 0 { String::new() } else { format!(", and {more} more") };
        sentences.push(format!(
            "The counterexample holds for any order and outcome of the other operations on the same values: {}{rest}.",
            named.join("; ")
        ));
    }
    Argument { sentences, furthest: orders }
}

/// Explains a broken problem from the search's result alone, without reducing it to a proof.
pub(crate) fn argue_from_search(problem: &Problem<'_>, broken: &Broken) -> Argument {
    let sentences = opening(problem.operation(broken.operation)).into_iter().chain(dead_ends(problem, broken)).collect();
    Argument { sentences, furthest: Vec::new() }
}

fn opening(breaks: &Operation<'_>) -> Option<String> {
    let completed = breaks.completed?;
    Some(format!("The history up to event {completed}, where {} completes, has no valid order.", describe(breaks)))
}

fn dead_ends(problem: &Problem<'_>, broken: &Broken) -> impl Iterator<Item = String> {
    broken.reached.iter().take(STATES).map(|reached| dead_end(problem, reached))
}

/// Joins words: `a`, `a and b`, `a, b and c`.
fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Describes one of the furthest orders: `After #0 write 1 and #2 write 2 the state is 2: read → 1 cannot happen in state 2.`
fn describe_order(order: &Furthest, called: &FxHashMap<EventIndex, String>) -> String {
    let placed: Vec<String> = order.order.iter().map(|placed| called.get(&placed.operation).cloned().unwrap_or_default()).collect();
    let why: Vec<&str> = order.pending.iter().map(|pending| pending.why.as_str()).collect();
    let (why, left_out) = (why.join("; "), placed.len().saturating_sub(PLACED));
    let before = if left_out == 0 { String::new() } else { format!("{left_out} others, then ") };
    match order.order.last() {
        None => format!("No operation can be first in the initial state {}: {why}.", order.initial),
        Some(last) => format!("After {before}{} the state is {}: {why}.", list(&placed[left_out..]), last.state),
    }
}

/// Describes a furthest configuration whose order is not known.
fn dead_end(problem: &Problem<'_>, reached: &Reached) -> String {
    let pending: Vec<String> = reached.pending.iter().map(|&pending| describe(problem.operation(pending))).collect();
    match pending.is_empty() {
        true => format!("One order reaches state {}; no extension of it is valid.", reached.state),
        false => format!("One order reaches state {} with {} pending; no extension of it is valid.", reached.state, list(&pending)),
    }
}
