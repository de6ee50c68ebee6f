//! A counter.

use elenchus_core::{Model, Operation, Step};

/// A counter: `add n`, `increment`, `decrement`, `read → n`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter {
    initial: i64,
}

impl Counter {
    /// Creates a counter with an initial value.
    pub fn new(initial: i64) -> Counter {
        Counter { initial }
    }
}

fn addend(operation: &Operation<'_>) -> Option<i64> {
    match operation.f.as_str() {
        "add" => operation.input.as_int(),
        "increment" => Some(1),
        "decrement" => Some(-1),
        _ => None,
    }
}

impl Model for Counter {
    type State = i64;

    fn initial(&self) -> i64 {
        self.initial
    }

    fn step(&self, count: &i64, operation: &Operation<'_>) -> Step<i64> {
        match (addend(operation), operation.output) {
            (Some(0), _) => Step::Same,
            // Counters of real systems wrap or return an error; neither is modelled, so a sum beyond 64 bits is impossible.
            (Some(addend), _) => count.checked_add(addend).map_or(Step::Impossible, Step::To),
            (None, None) => Step::Same,
            (None, Some(output)) if output.as_int() == Some(*count) => Step::Same,
            (None, Some(_)) => Step::Impossible,
        }
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        operation.f == "read" || addend(operation).is_some()
    }

    fn observes(&self, operation: &Operation<'_>) -> bool {
        operation.f == "read" || addend(operation) == Some(0)
    }
}
