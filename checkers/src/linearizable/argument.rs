//! A counterexample in sentences that a person can check.

use std::fmt::Write as _;

use elenchus_core::{Kind, Model, Operation, Step};

use super::budget::Budget;
use super::decide::decide;
use super::outcome::{Broken, Outcome};
use super::problem::Problem;

/// An operation in words: `#12 process 3 read → 5`.
pub(crate) fn describe(operation: &Operation<'_>) -> String {
    let mut text = format!("{} process {} {}", operation.invoked, operation.process, operation.f);
    if !operation.input.is_nil() {
        let _ = write!(text, " {}", operation.input);
    }
    match operation.output {
        Some(output) if operation.kind == Kind::Ok && output != operation.input => {
            let _ = write!(text, " → {output}");
        }
        _ if operation.kind != Kind::Ok => text.push_str(" (outcome unknown)"),
        _ => {}
    }
    text
}

/// Why these operations, which are few, have no linearization.
pub(crate) fn argue<M: Model>(model: &M, operations: &[Operation<'_>], breaks: &Operation<'_>) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(completed) = breaks.completed {
        sentences.push(format!("Up to event {completed} no order explains the history: there {} returned.", describe(breaks)));
    }
    let problem = Problem::new(model, operations.iter().copied());
    let budget = Budget { deadline: None, bytes: 1 << 30, visits: 1_000_000 };
    if let Outcome::Broken(broken) = decide(model, &problem, &budget).outcome {
        sentences.extend(dead_ends(model, &problem, &broken));
    }
    sentences
}

/// One sentence for each of the furthest states.
fn dead_ends<M: Model>(model: &M, problem: &Problem<'_>, broken: &Broken) -> Vec<String> {
    let mut sentences = vec![format!(
        "Of these {} operations alone, {} is the first that cannot take effect before it returns.",
        problem.operations.len(),
        describe(problem.operation(broken.operation))
    )];
    for reached in &broken.reached {
        let mut sentence = format!("One order leads to {}", reached.state);
        for &pending in &reached.pending {
            let _ = write!(sentence, "; there {} cannot follow, or leads no further", describe(problem.operation(pending)));
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
