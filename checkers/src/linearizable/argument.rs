//! A counterexample in sentences that a person can check.

use std::fmt::Write as _;

use elenchus_core::{EventIndex, Kind, Model, Operation, Step};

use super::budget::Budget;
use super::decide::{decide, decide_by_states};
use super::furthest::{Furthest, furthest};
use super::minimal::Minimal;
use super::outcome::{Broken, Outcome};
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

/// How many of the furthest states are told.
const STATES: usize = 3;

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
    if let Some(completed) = breaks.completed {
        sentences.push(format!("Up to event {completed} no order explains the history: there {} returned.", describe(breaks)));
    }
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
        sentences.extend(dead_ends(model, &problem, &broken));
        let names: Vec<EventIndex> =
            proof.iter().zip(minimal.names()).filter(|(operation, _)| takes_part(model, operation)).map(|(_, name)| name).collect();
        orders = furthest(model, &problem, &broken, &names);
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

/// `a`, `a and b`, `a, b and c`.
fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// One sentence for each of the furthest states.
fn dead_ends<M: Model>(model: &M, problem: &Problem<'_>, broken: &Broken) -> Vec<String> {
    let mut sentences = vec![format!(
        "Of the operations of the proof, {} is the first that cannot take effect before it returns.",
        describe(problem.operation(broken.operation))
    )];
    for reached in broken.reached.iter().take(STATES) {
        let mut sentence = format!("One order leads to the state {}", reached.state);
        let stuck: Vec<String> = reached.pending.iter().map(|&pending| describe(problem.operation(pending))).collect();
        if !stuck.is_empty() {
            let _ = write!(sentence, ", which {} cannot follow, or leads no further", list(&stuck));
        }
        sentence.push('.');
        sentences.push(sentence);
    }
    let impossible_at_first = matches!(model.step(&model.initial(), problem.operation(broken.operation)), Step::Impossible);
    if problem.operations.len() == 1 && impossible_at_first {
        sentences.push(format!("It cannot happen in the initial state, {}.", model.describe(&model.initial())));
    }
    sentences
}
