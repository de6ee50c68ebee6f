//! A counterexample in sentences that a person can check.

use elenchus_core::{EventIndex, Kind, Model, Operation};
use rustc_hash::FxHashMap;

use super::budget::Budget;
use super::decide::{decide, decide_by_states};
use super::furthest::{Furthest, furthest};
use super::minimal::Minimal;
use super::outcome::{Broken, Outcome, Reached};
use super::problem::{Problem, takes_part};

/// An operation in words: `#12 process 3 read → 5`.
fn describe(operation: &Operation<'_>) -> String {
    let doubt = if operation.kind == Kind::Ok { "" } else { " (outcome unknown)" };
    format!("{} process {} {operation}{doubt}", operation.invoked, operation.process)
}

/// How many steps are looked at without foresight: a visit may take as many as there are operations. With foresight come others.
const PLAIN_STEPS: u64 = 200_000;

/// How many of the other operations are named.
const OTHERS: usize = 8;

/// How many of the furthest orders are told, and how many of the last operations of each.
const STATES: usize = 3;
const PLACED: usize = 4;

/// Why there is no linearization.
pub(crate) struct Argument {
    /// Step by step.
    pub(crate) sentences: Vec<String>,
    /// The orders in which it ends.
    pub(crate) furthest: Vec<Furthest>,
}

/// Why the operations of a proof have no linearization, whatever the others among them did.
pub(crate) fn argue<M: Model>(model: &M, minimal: &Minimal<'_>, breaks: &Operation<'_>) -> Argument {
    let Minimal { proof, others, .. } = minimal;
    let (mut sentences, mut orders) = (Vec::new(), Vec::new());
    sentences.extend(opening(breaks));
    let problem = Problem::new(model, proof.iter().copied());
    let outcome = match decide_by_states(
        model,
        &problem,
        &Budget::of_visits(PLAIN_STEPS / (problem.operations.len() as u64 + 1)).keeping_trails(true),
    )
    .outcome
    {
        Outcome::Exhausted { .. } => decide(model, &problem, &Budget::of_visits(1_000_000).keeping_trails(true)).outcome,
        decided => decided,
    };
    if let Outcome::Broken(broken) = outcome {
        let names: Vec<EventIndex> =
            proof.iter().zip(minimal.names()).filter(|(operation, _)| takes_part(model, operation)).map(|(_, name)| name).collect();
        orders = furthest(model, &problem, &broken, &names);
        sentences.push(format!(
            "Of the operations of the proof, {} is the first that cannot take effect before it returns.",
            describe(problem.operation(broken.operation))
        ));
        let called: FxHashMap<EventIndex, String> =
            names.iter().zip(&problem.operations).map(|(name, operation)| (*name, format!("{name} {operation}"))).collect();
        match orders.as_slice() {
            [] => sentences.extend(dead_ends(&problem, &broken)),
            some => sentences.extend(some.iter().take(STATES).map(|order| tell(order, &called))),
        }
    }
    if !others.is_empty() {
        let named: Vec<String> = others.iter().take(OTHERS).map(describe).collect();
        let more = others.len() - named.len();
        let rest = if more == 0 { String::new() } else { format!(", and {more} more") };
        sentences.push(format!(
            "It does not matter when, or whether, the other operations on the same values took effect: {}{rest}.",
            named.join("; ")
        ));
    }
    Argument { sentences, furthest: orders }
}

/// Where a problem breaks, as the search that found it left it: no proof, and no more work.
pub(crate) fn outline(problem: &Problem<'_>, broken: &Broken) -> Argument {
    let sentences = opening(problem.operation(broken.operation)).into_iter().chain(dead_ends(problem, broken)).collect();
    Argument { sentences, furthest: Vec::new() }
}

fn opening(breaks: &Operation<'_>) -> Option<String> {
    let completed = breaks.completed?;
    Some(format!("Up to event {completed} no order explains the history: there {} returned.", describe(breaks)))
}

fn dead_ends(problem: &Problem<'_>, broken: &Broken) -> impl Iterator<Item = String> {
    broken.reached.iter().take(STATES).map(|reached| dead_end(problem, reached))
}

/// `a`, `a and b`, `a, b and c`.
fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// One of the furthest orders: `After #0 write 1 and #2 write 2 the state is 2: read → 1 cannot happen in state 2.`
fn tell(order: &Furthest, called: &FxHashMap<EventIndex, String>) -> String {
    let placed: Vec<String> = order.order.iter().map(|placed| called.get(&placed.operation).cloned().unwrap_or_default()).collect();
    let why: Vec<&str> = order.pending.iter().map(|pending| pending.why.as_str()).collect();
    let (why, left_out) = (why.join("; "), placed.len().saturating_sub(PLACED));
    let before = if left_out == 0 { String::new() } else { format!("{left_out} others, then ") };
    match order.order.last() {
        None => format!("Nothing can come first, in state {}: {why}.", order.initial),
        Some(last) => format!("After {before}{} the state is {}: {why}.", list(&placed[left_out..]), last.state),
    }
}

/// A furthest state to which no order is known.
fn dead_end(problem: &Problem<'_>, reached: &Reached) -> String {
    let stuck: Vec<String> = reached.pending.iter().map(|&pending| describe(problem.operation(pending))).collect();
    match stuck.is_empty() {
        true => format!("One order leads to the state {}, and no further.", reached.state),
        false => format!("One order leads to the state {}, in which {} cannot happen, or does not help.", reached.state, list(&stuck)),
    }
}
